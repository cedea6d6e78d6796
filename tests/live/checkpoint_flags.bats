# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# The flags of checkpoint and restore, each by its effect; what this kernel or this criu cannot do is refused by name before anything is frozen.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	IMG=$T/img
	bundle
}

checkpoint() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$@" "$c"; }
restore() { timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$@" "$c" < /dev/null; }

# ---- user namespaces

in_user_namespace() {
	owned_rootfs 100000 100000
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
}

@test "a container in a user namespace comes back in one with the same mappings, its files and its streams its own" {
	in_user_namespace
	config '.process.user = { uid: 1000, gid: 1000 }'
	args sh -c 'i=0; while :; do echo "n $i" > /dev/stdout; i=$((i + 1)); usleep 2000; done'
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	wait_for grep -q 'n 20' "$T/log.1"
	checkpoint
	restore --log-path "$T/log.2"
	equal "$(awk '{ print $1, $2, $3 }' "/proc/$(init_of "$c")/uid_map")" '0 100000 65536'
	equal "$(awk '/^Uid:/ { print $2 }' "/proc/$(init_of "$c")/status")" 101000
	wait_for grep -q "n $(($(wc -l < "$T/log.1") + 20))" "$T/log.2"
	equal "$(thole exec "$c" id -u)" 1000
	thole delete --force "$c"
	# The config decides who is who, not the image.
	config '.linux.uidMappings = [{ containerID: 0, hostID: 200000, size: 65536 }]'
	refused 125 "cannot restore container '$c': linux.uidMappings: the checkpoint has others" timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c"
}

# ---- the network

# A veth pair into the container's own network namespace: the host has 10.113.0.1, the container .2.
join_by_veth() {
	V=v${c//[^a-zA-Z0-9]/}
	V=${V:0:12}
	ip link add "$V" type veth peer name eth0 netns "$(init_of "$c")"
	ip addr add 10.113.0.1/24 dev "$V"
	ip link set "$V" up
	in_network ip addr add 10.113.0.2/24 dev eth0
	in_network ip link set eth0 up
	in_network ip link set lo up
}

in_network() { nsenter -t "$(init_of "$c")" -n "$@"; }
pings() { busybox ping -c 1 -w 2 10.113.0.2 > /dev/null; }
gone_from_host() { ! ip link show "$1" > /dev/null 2>&1; }

# Another network namespace: of process $OTHER.
other_network() {
	in_background unshare -n sleep 1000
	OTHER=$!
	wait_for is_elsewhere
}
is_elsewhere() { [ "$(readlink "/proc/$OTHER/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

teardown_test() {
	local link
	for link in "${BR:-}" "${OWN:-}"; do
		[ -z "$link" ] || ip link del "$link" 2> /dev/null || true
	done
}

# covers: restore --veth
@test "veth pairs are found by themselves: the host's end comes back with its name, its address and its bridge; --veth gives it another" {
	detached sleep 1000
	join_by_veth
	wait_for pings
	BR=b${V:1}
	checkpoint
	wait_for gone_from_host "$V"
	restore
	wait_for pings
	contains "$(in_network ip -o addr show eth0)" '10.113.0.2/24'
	contains "$(in_network ip -o link show lo)" ',UP'
	# On a bridge.
	ip link add "$BR" type bridge
	ip link set "$BR" up
	ip addr del 10.113.0.1/24 dev "$V"
	ip addr add 10.113.0.1/24 dev "$BR"
	ip link set "$V" master "$BR"
	wait_for pings
	checkpoint
	wait_for gone_from_host "$V"
	restore
	wait_for pings
	contains "$(ip -o link show "$V")" "master $BR"
	thole delete --force "$c"
	wait_for gone_from_host "$V"
	restore --veth "x$V=eth0"
	ip link show "x$V" > /dev/null
	gone_from_host "$V"
	refused 125 "--veth is HOST=CONTAINER, not 'eth0'" thole restore -d --bundle "$B" --image-path "$IMG" --veth eth0 "new.$c"
	refused 125 "--veth is HOST=CONTAINER, not 'a/b=eth0'" thole restore -d --bundle "$B" --image-path "$IMG" --veth a/b=eth0 "new.$c"
	thole delete --force "$c"
	echo '[{ "host": "../x", "container": "eth0" }]' > "$IMG/thole-veths.json"
	refused 125 'thole-veths.json: element 0 is no pair of interfaces' thole restore -d --bundle "$B" --image-path "$IMG" "$c"
}

@test "a pair whose outer end is in another network namespace: restore says that somebody has to name it" {
	detached sleep 1000
	join_by_veth
	other_network
	ip link set "$V" netns "$OTHER"
	nsenter -t "$OTHER" -n ip link set "$V" up
	# Both ends of its own are nothing to be asked about.
	in_network ip link add own0 type veth peer name own1
	checkpoint
	refused 125 "the other end of the container's interface 'eth0' was in another network namespace: --veth NAME=eth0 has it come back here" \
		timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c"
	nothing_left || wait_for nothing_left
	restore --veth "x$V=eth0"
	ip link show "x$V" > /dev/null
	in_network ip link show own1 > /dev/null
}

# Both ends of a pair know each other by number, and every namespace counts anew.
@test "veth ends are a pair when they lead to each other's namespace: their numbers alone say nothing" {
	detached sleep 1000
	join_by_veth
	local init n=$((1000000 + BASHPID * 10)) a
	init=$(init_of "$c")
	other_network
	a=$OTHER
	other_network
	# Its other end is n + 1 elsewhere; ours of that number leads to n, in a third namespace.
	nsenter -t "$a" -n ip link add a0 index $((n + 1)) type veth peer name e0 index $n netns "$init"
	ip link add "b$V" index $((n + 1)) type veth peer name b0 index $n netns "$OTHER"
	# The same, and ours leads to n + 2 in our own namespace.
	nsenter -t "$a" -n ip link add a2 index $((n + 3)) type veth peer name e2 index $((n + 2)) netns "$init"
	OWN=o$V
	ip link add "$OWN" index $((n + 3)) type veth peer name "p$V" index $((n + 2))
	# Two that have each other's numbers elsewhere, and two that are a pair.
	nsenter -t "$a" -n ip link add a4 index $((n + 5)) type veth peer name e4 index $((n + 4)) netns "$init"
	nsenter -t "$a" -n ip link add a5 index $((n + 4)) type veth peer name e5 index $((n + 5)) netns "$init"
	in_network ip link add own0 type veth peer name own1
	checkpoint
	equal "$(jq -c 'map([.container, .host]) | sort' "$IMG/thole-veths.json")" \
		'[["e0",null],["e2",null],["e4",null],["e5",null],["eth0","'"$V"'"]]'
	wait_for gone_from_host "$V"
	refused 125 "the other end of the container's interface 'e[0-9]' was in another network namespace: --veth NAME=e[0-9] has it come back here" \
		timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c"
	nothing_left || wait_for nothing_left
	restore --veth "0$V=e0" --veth "2$V=e2" --veth "4$V=e4" --veth "5$V=e5"
	wait_for pings
	ip link show "5$V" > /dev/null
	in_network ip link show own1 > /dev/null
}

# covers: {checkpoint,restore} --empty-ns
@test "--empty-ns network: interfaces are left out of the image, and a hook makes them anew" {
	detached sleep 1000
	join_by_veth
	checkpoint --empty-ns network
	not compgen -G "$IMG/netdev-*.img"
	config --arg v "$V" '.hooks.createRuntime = [{ path: "/bin/sh", env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
		args: ["sh", "-c", "p=$(sed \"s/.*\\\"pid\\\": *//; s/[^0-9].*//\"); ip link add \($v) type veth peer name made netns $p"] }]'
	wait_for gone_from_host "$V"
	restore --empty-ns network
	in_network ip link show made > /dev/null
	not in_network ip link show eth0 2> /dev/null
	# What is in the image stays there, too.
	thole delete --force "$c"
	config 'del(.hooks)'
	detached sleep 1000
	join_by_veth
	checkpoint
	compgen -G "$IMG/netdev-*.img"
	restore --empty-ns network
	not in_network ip link show eth0 2> /dev/null
}

listens() { in_network busybox netstat -ltn | grep -q :7000; }

# covers: {checkpoint,restore} --tcp-close
@test "--tcp-close: connections are closed in what comes back" {
	args sh -c 'nc -l -p 7000 -e cat; echo over; exec sleep 1000'
	thole run -d --bundle "$B" "$c" < /dev/null
	join_by_veth
	wait_for listens
	exec 8<> /dev/tcp/10.113.0.2/7000
	echo hello >&8
	read -r -t 5 line <&8
	equal "$line" hello
	refused 1 'tcp-established keeps it, --tcp-close drops it' thole checkpoint --image-path "$IMG" "$c"
	checkpoint --tcp-close
	restore --tcp-close
	wait_for logged "$c" over
	exec 8>&-
	refused 125 'tcp-established and --tcp-close contradict' thole restore -d --bundle "$B" --image-path "$IMG" --tcp-close --tcp-established "new.$c"
}

waiting_connection() { in_network busybox netstat -tn | grep -q '10.113.0.2:7000.*ESTABLISHED'; }

@test "the name of a pair's outer end is somebody else's: waited for, and refused by name before criu is asked" {
	detached sleep 1000
	join_by_veth
	checkpoint
	wait_for gone_from_host "$V"
	ip link add "$V" type veth peer name "${V}b"
	refused 125 "there is an interface '$V' already" timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c"
	nothing_left
	in_background sh -c 'sleep 1; ip link del "$0"' "$V"
	restore
	in_network ip link show eth0 > /dev/null
}

# covers: checkpoint --tcp-skip-in-flight
@test "--tcp-skip-in-flight: a connection that nobody has accepted is left out; without it that is refused, and why is said" {
	detached sockets listen 7000
	join_by_veth
	wait_for listens
	exec 8<> /dev/tcp/10.113.0.2/7000
	wait_for waiting_connection
	refused 1 'tcp-skip-in-flight leaves it out' thole checkpoint --image-path "$IMG" --tcp-established "$c"
	waiting_connection
	checkpoint --tcp-established --tcp-skip-in-flight
	exec 8>&-
	restore --tcp-established
	listens
	not waiting_connection
	exec 8<> /dev/tcp/10.113.0.2/7000
	wait_for waiting_connection
	exec 8>&-
}

# At this point every socket is in repair mode, and whoever dies there cannot undo it.
kill_at_post_dump() { # COMMAND that prints the pid
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ] || [ ! -e "%s" ] || kill -KILL $(%s)\n' "$T/armed" "$1" > "$T/action"
	chmod 755 "$T/action"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
}

# Whose process waits for it in poll, that is: a read(2) that goes on at once is refused (EPERM) before anybody can be there.
@test "a connection outlives a criu, and a shim, that are killed when they have it in their hands" {
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	args sh -c 'mkfifo /tmp/back; nc -l -p 7000 < /tmp/back | cat > /tmp/back; echo over; exec sleep 1000'
	thole run -d --bundle "$B" "$c" < /dev/null
	join_by_veth
	wait_for listens
	exec 8<> /dev/tcp/10.113.0.2/7000
	local who line n=0 round
	for round in 1 2; do
		for who in 'echo $PPID' "cat $T/shim"; do
			kill_at_post_dump "$who"
			shim_of "$c" > "$T/shim"
			touch "$T/armed"
			not checkpoint --tcp-established --leave-running 2> "$T/err"
			rm "$T/armed"
			thole recover "$c"
			wait_for is_thawed
			n=$((n + 1))
			IMG=$T/img.$n
			echo "hello $n" >&8
			read -r -t 10 line <&8
			equal "$line" "hello $n"
		done
	done
	checkpoint --tcp-established --leave-running
	echo last >&8
	read -r -t 10 line <&8
	equal "$line" last
	exec 8>&-
	wait_for logged "$c" over
}

is_thawed() { is "$c" running && [ "$(cat "$(cgroup_of "$c" freezer)/$(v1_or_v2 freezer.state cgroup.freeze)")" = "$(v1_or_v2 THAWED 0)" ]; }

@test "--network-lock: how the network is held while criu works" {
	local lock
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ] || { nsenter -t "$CRTOOLS_INIT_PID" -n iptables -S; nsenter -t "$CRTOOLS_INIT_PID" -n busybox ping -c 1 -w 1 127.0.0.1; } > "%s/seen" 2>&1\nexit 0\n' "$T" > "$T/action"
	chmod 755 "$T/action"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	detached sleep 1000
	in_network ip link set lo up
	checkpoint --leave-running
	contains "$(cat "$T/seen")" ' 0% packet loss'
	not grep -q CRIU "$T/seen"
	for lock in iptables nftables skip; do
		checkpoint --leave-running --network-lock $lock
		case $lock in
		iptables) grep -q -- '-A INPUT -j CRIU' "$T/seen"; not grep -q ' 0% packet loss' "$T/seen" ;;
		nftables) not grep -q -e '-j CRIU' -e ' 0% packet loss' "$T/seen" ;;
		skip) contains "$(cat "$T/seen")" ' 0% packet loss' ;;
		esac
		in_network busybox ping -c 1 -w 2 127.0.0.1 > /dev/null
	done
	refused 1 'network-lock' thole checkpoint --image-path "$IMG" --network-lock other "$c"
}

# ---- files and sockets

# covers: checkpoint --ext-unix-sk
@test "--ext-unix-sk: a datagram socket that leads outside goes on sending; without it that is refused, and why is said" {
	mkdir "$T/d"
	config --arg s "$T/d" '.mounts += [{ destination: $s, type: "bind", source: $s, options: ["rbind"] }]'
	in_background perl -MSocket -e 'socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die; bind $s, pack_sockaddr_un("$ARGV[0]/s") or die;
		open my $f, ">", "$ARGV[0]/got" or die; select $f; $| = 1; while (defined recv $s, my $b, 100, 0) { print $b }' "$T/d"
	wait_for test -S "$T/d/s"
	# CRIU looks for the other end in the same network namespace only.
	detached sockets unix "$T/d/s"
	wait_for grep -qx 'n 20' "$T/d/got"
	refused 1 'leads to another network namespace' thole checkpoint --image-path "$IMG" --ext-unix-sk "$c"
	thole delete --force "$c"
	config '.linux.namespaces |= map(select(.type != "network"))'
	: > "$T/d/got"
	detached sockets unix "$T/d/s"
	wait_for grep -qx 'n 20' "$T/d/got"
	refused 1 'a unix socket leads outside: --ext-unix-sk' thole checkpoint --image-path "$IMG" "$c"
	checkpoint --ext-unix-sk
	restore --ext-unix-sk
	wait_for grep -qx "n $(($(wc -l < "$T/d/got") + 20))" "$T/d/got"
}

@test "--ext-unix-sk with a stream: its half inside cannot be taken, and that is said, not the flag that was given" {
	mkdir "$T/d"
	config --arg s "$T/d" '.mounts += [{ destination: $s, type: "bind", source: $s, options: ["rbind"] }] | .linux.namespaces |= map(select(.type != "network"))'
	in_background perl -MSocket -e 'socket my $s, AF_UNIX, SOCK_STREAM, 0 or die; bind $s, pack_sockaddr_un("$ARGV[0]/s") or die; listen $s, 1;
		accept my $a, $s or die; open my $f, ">", "$ARGV[0]/got" or die; select $f; $| = 1; print while <$a>' "$T/d"
	wait_for test -S "$T/d/s"
	detached sockets stream "$T/d/s"
	wait_for grep -qx 'n 20' "$T/d/got"
	refused 1 'a unix socket leads outside: --ext-unix-sk\)' thole checkpoint --image-path "$IMG" "$c"
	refused 1 '\(CRIU cannot take a unix stream with one half outside: --ext-unix-sk is for datagram and listening sockets\)' thole checkpoint --ext-unix-sk --image-path "$IMG" "$c"
	is "$c" running
}

# covers: checkpoint --link-remap
@test "--link-remap: an open file whose name is gone while it has another one; without it that is refused, and why is said" {
	args sh -c 'echo content > /tmp/a; ln /tmp/a /tmp/b; exec 3< /tmp/a; rm /tmp/a; while [ ! -e /go ]; do usleep 1000; done; cat <&3; exec sleep 1000'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for test -e "$B/rootfs/tmp/b"
	gone() { ! [ -e "$B/rootfs/tmp/a" ]; }
	wait_for gone
	refused 1 'link-remap' thole checkpoint --image-path "$IMG" "$c"
	checkpoint --link-remap
	restore
	: > "$B/rootfs/go"
	wait_for logged "$c" content
}

# covers: {checkpoint,restore} --file-locks
@test "--file-locks: locks come back, and one that does not, of a file that is mapped too, is named" {
	local form
	mkdir -p "$B"/rootfs/{lib,lib64}
	cat > "$B/rootfs/locks.py" <<-'END'
		import fcntl, mmap, sys, time
		plain, mapped = open("/tmp/plain", "w+b"), open("/tmp/mapped", "w+b")
		for f in plain, mapped:
		    f.write(b"x" * 4096); f.flush(); fcntl.lockf(f, fcntl.LOCK_SH, 10, 128)
		m = sys.argv[1] == "map" and mmap.mmap(mapped.fileno(), 4096)
		print("locked", flush=True)
		while True: time.sleep(0.1)
	END
	# Each descriptor of a file shows them.
	locked() { cat "/proc/$(init_of "$c")"/fdinfo/* | awk '/POSIX .* 128 137$/ && !n[$7]++' | wc -l; }
	config '.mounts += [["/usr", "/lib", "/lib64"][] | { destination: ., type: "bind", source: ., options: ["rbind", "ro"] }]'
	for form in none map; do
		args /usr/bin/python3 /locks.py $form
		thole run -d --bundle "$B" "$c" < /dev/null
		wait_for logged "$c" locked
		equal "$(locked)" 2
		thole checkpoint --file-locks --image-path "$IMG" --stay "$c"
		# In place, and as a new one.
		thole restore --file-locks --image-path "$IMG" "$c" 2> "$T/said" < /dev/null
		[ $form = map ] || equal "$(cat "$T/said")" ''
		[ $form = none ] || one_is_lost
		thole delete --force "$c"
		restore --file-locks 2> "$T/said"
		[ $form = none ] || one_is_lost
		[ $form = map ] || equal "$(locked)$(cat "$T/said")" 2
		thole delete --force "$c"
	done
}

# As servers do that take turns: the parent opens the file, and each child locks it.
@test "--file-locks: a lock on what a process has inherited comes back too, of whatever kind; not asked for, it is named" {
	mkdir -p "$B"/rootfs/{lib,lib64}
	cat > "$B/rootfs/locks.py" <<-'END'
		import fcntl, os, sys, time
		files = [open("/tmp/" + n, "w+b") for n in ("one", "two", "three", "four")]
		for f in files: f.write(b"x" * 4096); f.flush()
		if sys.argv[1] == "all": fcntl.lockf(files[0], fcntl.LOCK_EX, 10, 128); fcntl.flock(files[3], fcntl.LOCK_EX)
		if os.fork() == 0:
		    fcntl.lockf(files[1], fcntl.LOCK_EX, 10, 128)
		    fcntl.lockf(files[1], fcntl.LOCK_SH, 10, 500)
		    fcntl.lockf(files[2], fcntl.LOCK_SH, 0, 128)
		    print("locked", flush=True)
		while True: time.sleep(0.1)
	END
	config '.mounts += [["/usr", "/lib", "/lib64"][] | { destination: ., type: "bind", source: ., options: ["rbind", "ro"] }]'
	# FILE KIND TYPE FROM TO PROCESS, and those who wait for a lock of another's show nothing.
	held() {
		local p f
		for p in $(cat "$(cgroup_of "$c" "$(v1_or_v2 memory '')")/cgroup.procs"); do
			for f in "/proc/$p/fd"/*; do
				sed -n "s,^lock:.* \(POSIX\|FLOCK\) *[A-Z]* *\([A-Z]*\) .* \([0-9]*\) \([0-9EOF]*\)$,$(readlink "$f") \1 \2 \3 \4 $(awk '/^NSpid/ { print $NF }' "/proc/$p/status"),p" "/proc/$p/fdinfo/${f##*/}"
			done
		done | sort
	}
	local before how
	for how in all few; do
		args /usr/bin/python3 /locks.py $how
		thole run -d --bundle "$B" "$c" < /dev/null
		wait_for logged "$c" locked
		before=$(held)
		equal "$(wc -l <<< "$before")" $([ $how = all ] && echo 6 || echo 3)
		refused 1 "cannot checkpoint container '$c': .*lock.* --file-locks" thole checkpoint --image-path "$IMG" "$c"
		is "$c" running
		equal "$(held)" "$before"
		checkpoint --file-locks --leave-running
		checkpoint --file-locks
		restore --file-locks 2> "$T/said"
		equal "$(held)" "$before"
		equal "$(cat "$T/said")" ''
		# As it came back, once more.
		checkpoint --file-locks
		restore 2> "$T/said"
		equal "$(held)" ''
		equal "$(wc -l < "$T/said")" 1
		matches "$(cat "$T/said")" "container '$c': the lock on '/tmp/[a-z]*' \(process [0-9]*\) and [0-9] more has not come back: --file-locks would bring it"
		thole delete --force "$c"
	done
}

# Should a criu keep it one day, nothing is said.
one_is_lost() {
	if [ "$(locked)" = 2 ]; then
		equal "$(cat "$T/said")" ''
	else
		matches "$(cat "$T/said")" "^thole: .*container '$c': the lock on '/tmp/mapped' \(process 1\) has not come back"
		equal "$(locked)" 1
	fi
}

# covers: checkpoint --auto-dedup, restore --auto-dedup
@test "--auto-dedup: what has been restored is punched out of the image" {
	args sh -c 'x=$(head -c 4000000 /dev/urandom | tr -d "\0"); echo ready; while :; do usleep 100000; done'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" ready
	checkpoint
	local before
	before=$(cat "$IMG"/pages-*.img | wc -c)
	[ "$(du -k "$IMG"/pages-1.img | cut -f 1)" -gt 3000 ]
	restore --auto-dedup
	equal "$(cat "$IMG"/pages-*.img | wc -c)" "$before"
	[ "$(du -k "$IMG"/pages-1.img | cut -f 1)" -lt 1000 ]
}

# covers: checkpoint --page-server
@test "--page-server: the memory goes there, not into the image" {
	local port=$((20000 + RANDOM % 20000))
	mkdir "$T/pages"
	in_background "$THOLE_CRIU" page-server --images-dir "$T/pages" --address 127.0.0.1 --port $port -o ps.log -v4 > /dev/null 2>&1
	wait_for grep -q 'Waiting for connection\|listen\|Starting' "$T/pages/ps.log"
	detached sh -c 'x=kept; while [ ! -e /go ]; do usleep 1000; done; echo "$x"; exec sleep 1000'
	checkpoint --page-server 127.0.0.1:$port
	not compgen -G "$IMG/pages-*.img"
	wait_for compgen -G "$T/pages/pages-*.img"
	cp "$T/pages"/page*.img "$IMG"
	restore
	: > "$B/rootfs/go"
	wait_for logged "$c" kept
	local bad
	for bad in here here:0 :1 a:b a:70000 a:1x; do
		refused 1 "page-server is ADDRESS:PORT, not '$bad'" thole checkpoint --image-path "$T/img2" --page-server "$bad" "$c"
	done
}

# ---- groups

# covers: {checkpoint,restore} --manage-cgroups-mode
@test "--manage-cgroups-mode: groups that the container has made come back with their limits where criu is to see to that" {
	needs cgroup-v1
	local mode before
	pids_group() { grep :pids: "/proc/$(init_of "$c")/cgroup"; }
	config '.mounts |= map(if .type == "cgroup" then .options = ["rw"] else . end)'
	for mode in soft full strict ignore; do
		args sh -c 'mkdir /sys/fs/cgroup/pids/sub; echo 33 > /sys/fs/cgroup/pids/sub/pids.max; echo $$ > /sys/fs/cgroup/pids/sub/cgroup.procs; exec sleep 1000'
		thole run -d --bundle "$B" "$c" < /dev/null
		wait_for grep -q "$c/sub\$" "/proc/$(init_of "$c")/cgroup"
		before=$(pids_group)
		checkpoint --manage-cgroups-mode $mode
		equal "$(own_cgroups)" ''
		# The groups of the container itself are there already: thole makes them, as runc does.
		if [ $mode = strict ]; then
			refused 125 'strict' timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" --manage-cgroups-mode strict "$c"
			rm -r "$IMG"
			continue
		fi
		restore --manage-cgroups-mode $mode
		is "$c" running
		if [ $mode = ignore ]; then
			not [ "$(pids_group)" = "$before" ]
		else
			equal "$(pids_group)" "$before"
			equal "$(thole exec "$c" cat /sys/fs/cgroup/pids/sub/pids.max)" 33 "pids.max, mode $mode"
		fi
		thole delete --force "$c"
		equal "$(own_cgroups)" ''
		rm -r "$IMG"
	done
	refused 1 manage-cgroups-mode thole checkpoint --image-path "$IMG" --manage-cgroups-mode other "$c"
}

@test "--manage-cgroups-mode soft and full of an image without groups: there is nothing to see to" {
	local mode
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	checkpoint
	for mode in soft full; do
		restore --manage-cgroups-mode $mode
		is "$c" running
		thole delete --force "$c"
	done
}

@test "a bind that the bundle's config has no more is named as what is missing" {
	args sleep 1000
	mkdir "$T/bound"
	config --arg s "$T/bound" '.mounts += [{ destination: "/bound", type: "bind", source: $s, options: ["bind"] }]'
	thole run -d --bundle "$B" "$c" < /dev/null
	checkpoint
	config '.mounts |= map(select(.destination != "/bound"))'
	refused 125 "No mapping for .*\(the container had a mount there that the bundle's config does not have\)" timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c"
}

@test "an image of runc's, with what it masks" {
	needs runc
	local runc=(runc --root "$T/runc" --criu "$THOLE_CRIU")
	args sleep 1000
	config '.ociVersion = "1.0.2" | .linux.maskedPaths = ["/proc/timer_list", "/proc/acpi", "/proc/kcore"]'
	"${runc[@]}" run -d --bundle "$B" "$c" < /dev/null > /dev/null 2>&1
	"${runc[@]}" checkpoint --image-path "$IMG" "$c"
	restore
	is "$c" running
	equal "$(thole exec "$c" cat /proc/timer_list < /dev/null | wc -c)" 0
}

# ---- somebody else's namespaces and terminal

@test "a network namespace that is joined by path is left where it is" {
	local other=$c-other
	args sleep 1000
	thole run -d --bundle "$B" "$other" < /dev/null
	bundle b2
	config --arg p "/proc/$(init_of "$other")/ns" '.linux.namespaces |= map(if .type == "network" then .path = "\($p)/net" else . end)'
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	wait_for grep -q 'n 20' "$T/log.1"
	checkpoint
	restore --log-path "$T/log.2"
	equal "$(readlink "/proc/$(init_of "$c")/ns/net")" "$(readlink "/proc/$(init_of "$other")/ns/net")"
	wait_for grep -q "n $(($(wc -l < "$T/log.1") + 20))" "$T/log.2"
	thole delete --force "$c"
	thole delete --force "$other"
}

# Of somebody who reaps what becomes his child, as the pause containers of pods do; and of somebody who does not.
@test "a pid namespace that is joined by path is left where it is, and its numbers are free again before the checkpoint has ended" {
	local other=$c-other i=1
	args /usr/bin/reaper sleep 1000
	thole run -d --bundle "$B" "$other" < /dev/null
	bundle b2
	config --arg p "/proc/$(init_of "$other")/ns/pid" '.linux.namespaces |= map(if .type == "pid" then .path = $p else . end)'
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	wait_for grep -q 'n 20' "$T/log.1"
	for i in 1 2 3 4 5; do
		checkpoint
		restore --log-path "$T/log.$((i + 1))"
		equal "$(readlink "/proc/$(init_of "$c")/ns/pid")" "$(readlink "/proc/$(init_of "$other")/ns/pid")"
		wait_for grep -q "n $(($(cat "$T"/log.[1-$i] | wc -l) + 20))" "$T/log.$((i + 1))"
	done
	cat "$T"/log.? | sed 's/^[^ ]* stdout F //' | awk '$0 != "n " (NR - 1) { print NR ": " $0; exit 1 }'
	thole delete --force "$c"
	thole delete --force "$other"
}

@test "numbers that are taken by zombies in somebody else's pid namespace: told by both, and why" {
	local other=$c-other
	args sleep 1000
	thole run -d --bundle "$B" "$other" < /dev/null
	bundle b2
	config --arg p "/proc/$(init_of "$other")/ns/pid" '.linux.namespaces |= map(if .type == "pid" then .path = $p else . end)'
	args sh -c 'sleep 1001 & echo ready; wait'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" ready
	checkpoint
	refused 125 'is taken, perhaps by a zombie' timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c"
	thole delete --force "$other"
}

oci() { timeout 60 "$THOLE_OCI" --root "$ROOT" "$@"; }

# on_terminal FILE CMD...: with a terminal of its own as stdio, what it shows in FILE; the terminal stays until $T/end is written to.
on_terminal() {
	local file=$1
	shift
	in_background script -qfc "$(printf '%q ' "$@"); read x < $T/end" "$file" < /dev/null > /dev/null
}

# covers: checkpoint --shell-job
@test "--shell-job: a terminal of the caller's is let go, and another one taken" {
	mkfifo "$T/end"
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	on_terminal "$T/one" "$THOLE_OCI" --root "$ROOT" run -d --bundle "$B" "$c"
	wait_for grep -q 'n 20' "$T/one"
	refused 1 "its std[a-z]* is its caller's '/dev/pts/[0-9]+', a terminal \(--shell-job" oci checkpoint --image-path "$IMG" "$c"
	oci checkpoint --shell-job --image-path "$IMG" "$c"
	refused 1 "was its caller's terminal, but this is none" oci restore -d --shell-job --bundle "$B" --image-path "$IMG" "$c"
	on_terminal "$T/two" "$THOLE_OCI" --root "$ROOT" restore -d --shell-job --bundle "$B" --image-path "$IMG" "$c"
	wait_for grep -q '^n [0-9]' "$T/two"
	oci delete --force "$c"
}

# ---- criu's own config

@test "what criu says before it has a log is told: options that it does not know" {
	printf 'no-such-option\n' > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	detached sleep 1000
	refused 1 "criu: unrecognized option '--no-such-option'" thole checkpoint --image-path "$IMG" "$c"
	is "$c" running
}

@test "what /etc/criu/runc.conf says holds; the annotation org.criu.config names another, and an empty one none" {
	detached sleep 1000
	printf '#!/bin/sh\necho "$0" >> %s/ran\n' "$T" | tee "$T/one" > "$T/two"
	chmod 755 "$T/one" "$T/two"
	# On a view of /etc: nothing of the host's is touched.
	mkdir "$T/etc"
	cat > "$T/script" <<-END
		set -e
		mount -t tmpfs none "$T/etc"
		mkdir -p "$T/etc/u/criu" "$T/etc/w"
		echo "action-script $T/one" > "$T/etc/u/criu/runc.conf"
		mount -t overlay -o "lowerdir=/etc,upperdir=$T/etc/u,workdir=$T/etc/w" none /etc
		exec "\$@"
	END
	thole delete --force "$c"
	there() { unshare -m sh "$T/script" "$THOLE" --root "$ROOT" "$@" < /dev/null; }
	there run -d --bundle "$B" "$c"
	thole checkpoint --leave-running --image-path "$IMG" "$c"
	equal "$(sort -u "$T/ran")" "$T/one"
	thole delete --force "$c"
	echo "action-script $T/two" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	rm "$T/ran"
	there run -d --bundle "$B" "$c"
	thole checkpoint --leave-running --image-path "$IMG" "$c"
	equal "$(sort -u "$T/ran")" "$T/two"
	thole delete --force "$c"
	config '.annotations["org.criu.config"] = ""'
	rm "$T/ran"
	there run -d --bundle "$B" "$c"
	thole checkpoint --leave-running --image-path "$IMG" "$c"
	not test -e "$T/ran"
}

# covers: restore --keeper, restore --sdnotify
@test "what comes back has a keeper and tells the service manager, when it is asked to" {
	detached sleep 1000
	checkpoint
	in_background perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack("S a*", AF_UNIX, $ARGV[0])) or die "bind: $!";
		print STDERR "ready\n"; while (defined recv($s, my $b, 65536, 0)) { syswrite STDOUT, $b }' "$T/manager" > "$T/told" 2> "$T/listens"
	wait_for grep -q ready "$T/listens"
	NOTIFY_SOCKET=$T/manager restore --keeper --sdnotify=conmon
	wait_for grep -q READY=1 "$T/told"
	[ -S "$ROOT/$c/keeper" ]
}

# ---- what is lacking, and criu that goes astray

# covers: checkpoint --pre-dump, checkpoint --parent-path
@test "pre-dumps, parent images and lazy pages: what the kernel lacks is named before anything is frozen" {
	detached sleep 1000
	checkpoint --leave-running
	mkdir "$T/i2"
	if grep -q ^VmFlags.*sd /proc/self/smaps; then
		skip 'this kernel tracks dirty pages: see tests/vm/checkpoint.bats'
	fi
	refused 1 "cannot checkpoint container '$c': the kernel does not say which pages have been written" thole checkpoint --image-path "$T/i2" --pre-dump "$c"
	refused 1 'no pre-dump and no parent image' thole checkpoint --image-path "$T/i2" --parent-path ../img "$c"
	refused 1 "parent-path: cannot open 'none'" thole checkpoint --image-path "$T/i2" --parent-path none "$c"
	refused 1 "parent-path: there is no checkpoint in '\.\.'" thole checkpoint --image-path "$T/i2" --parent-path .. "$c"
	refused 1 "parent-path is relative to --image-path, not '$IMG'" thole checkpoint --image-path "$T/i2" --parent-path "$IMG" "$c"
	equal "$(find "$T/i2" -type f ! -name dump.log)" ''
	is "$c" running
}

@test "flags that mean nothing here are refused by name" {
	detached sleep 1000
	refused 1 'status-fd: CRIU writes to it with --lazy-pages only' thole checkpoint --image-path "$IMG" --status-fd 1 "$c"
	refused 1 'status-fd: descriptor 77 is not open' thole checkpoint --image-path "$IMG" --lazy-pages --status-fd 77 "$c"
	refused 1 'timeout: must be at least a second' thole checkpoint --image-path "$IMG" --timeout 0 "$c"
	refused 1 'stay and --leave-running contradict' thole checkpoint --image-path "$IMG" --stay --leave-running "$c"
	is "$c" running
	refused 1 'pre-dump and --lazy-pages contradict' thole checkpoint --image-path "$IMG" --pre-dump --lazy-pages "$c"
	checkpoint
	[ -e /sys/kernel/security/apparmor ] || refused 125 'lsm-profile: AppArmor is not in force here' thole restore -d --bundle "$B" --image-path "$IMG" --lsm-profile apparmor:x "$c"
	[ -e /sys/fs/selinux/enforce ] || refused 125 'lsm-profile: SELinux is not in force here' thole restore -d --bundle "$B" --image-path "$IMG" --lsm-profile selinux:x "$c"
	[ -e /sys/fs/selinux/enforce ] || refused 125 'lsm-mount-context: SELinux is not in force here' thole restore -d --bundle "$B" --image-path "$IMG" --lsm-mount-context x "$c"
	refused 125 "lsm-profile is apparmor:NAME or selinux:NAME, not 'x'" thole restore -d --bundle "$B" --image-path "$IMG" --lsm-profile x "$c"
}

# covers: checkpoint --timeout, restore --timeout
@test "--timeout: a criu that hangs is killed, before it does anything and in the middle; the container runs on" {
	detached sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	printf '#!/bin/sh\nexec sleep 1000\n' > "$T/criu"
	chmod 755 "$T/criu"
	refused 1 'criu was not through within 1 seconds \(--timeout\)' thole --criu "$T/criu" checkpoint --timeout 1 --image-path "$IMG" "$c"
	# The script of a dead criu goes with it.
	mkfifo "$T/go"
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ] || { : > %s/here; read x < %s/go; }\nexit 0\n' "$T" "$T" > "$T/action"
	chmod 755 "$T/action"
	thole delete --force "$c"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	detached sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	refused 1 'criu was not through within 4 seconds' thole checkpoint --timeout 4 --image-path "$IMG" "$c"
	rm "$T/here"
	wait_for no_script
	is "$c" running
	equal "$(awk '/^TracerPid/ { print $2 }' "/proc/$(init_of "$c")/status")" 0
	local n
	n=$(thole logs "$c" | wc -l)
	wait_for logged "$c" "n $((n + 5))"
	printf '#!/bin/sh\nexit 0\n' > "$T/action"
	checkpoint
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != post-restore ] || { : > %s/here; read x < %s/go; }\nexit 0\n' "$T" "$T" > "$T/action"
	refused 125 "cannot restore container '$c': criu was not through within 4 seconds" thole restore -d --timeout 4 --bundle "$B" --image-path "$IMG" "$c"
	rm "$T/here"
	wait_for no_script
	wait_for no_shims
	equal "$(own_cgroups)" ''
}
