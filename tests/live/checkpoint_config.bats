# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu idmap
# What is restored is what the config says, where criu knows nothing of it: keyring, mappings of mounts, network, sysctls, limit of processes.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	IMG=$T/img
	bundle
}

teardown_test() {
	if [ -d "$T/other" ]; then "$THOLE" --root "$T/other" delete --force "$c" 2> /dev/null || true; fi
	[ -z "${BR:-}" ] || ip link del "$BR" 2> /dev/null || true
}

checkpoint() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$@" "$c"; }
restore() { timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$@" "$c" < /dev/null; }

# In a user namespace, whose ids are the host's from 100000 on.
in_user_namespace() {
	owned_rootfs 100000 100000
	chmod 711 "$T"
	config '.linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
}

logged_in() { grep -qF -- "$2" "$1"; }

longer() { [ "$(wc -l < "$1")" -gt "$2" ]; }

# The log says that, and nothing else, and goes on after its first N lines. The last may be half there.
says_alone() { # FILE TEXT [N]
	wait_for longer "$1" $((${3:-0} + 3))
	equal "$(sed '$d; s/^[^ ]* stdout F //' "$1" | sort -u)" "$2" "$1"
}

@test "the session keyring of what is restored is the container's, not the caller's; --no-new-keyring leaves it that" {
	local how
	grep -q keyring /proc/keys || skip 'needs: keyrings'
	for how in plain user; do
		[ $how = plain ] || in_user_namespace
		args /usr/bin/keyring watch
		"$PROBES/keyring" join caller "$THOLE" --root "$ROOT" run -d --bundle "$B" --log-path "$T/$how.1" "$c" < /dev/null
		wait_for logged_in "$T/$how.1" "session=_ses.$c secret=none"
		checkpoint
		"$PROBES/keyring" join caller timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" --log-path "$T/$how.2" "$c" < /dev/null
		says_alone "$T/$how.2" "session=_ses.$c secret=none"
		thole delete --force "$c"
		"$PROBES/keyring" join caller timeout 60 "$THOLE" --root "$ROOT" restore -d --no-new-keyring --bundle "$B" --image-path "$IMG" --log-path "$T/$how.3" "$c" < /dev/null
		says_alone "$T/$how.3" 'session=caller secret=read'
		thole delete --force "$c"
		rm -r "$IMG"
	done
}

@test "in place a container gets its session keyring back, not its shim's; the caller's where it had that" {
	grep -q keyring /proc/keys || skip 'needs: keyrings'
	args /usr/bin/keyring watch
	"$PROBES/keyring" join caller "$THOLE" --root "$ROOT" run -d --bundle "$B" --log-path "$T/1" "$c" < /dev/null
	wait_for logged_in "$T/1" "session=_ses.$c secret=none"
	thole checkpoint --to "$T/set" "$c"
	local n
	n=$(wc -l < "$T/1")
	thole restore -d "$c"
	says_alone "$T/1" "session=_ses.$c secret=none" $n
	thole delete --force "$c"
	"$PROBES/keyring" join caller "$THOLE" --root "$ROOT" run -d --no-new-keyring --bundle "$B" --log-path "$T/2" "$c" < /dev/null
	wait_for logged_in "$T/2" 'session=caller secret=read'
	thole checkpoint --to "$T/set" "$c"
	n=$(wc -l < "$T/2")
	thole restore -d "$c"
	says_alone "$T/2" 'session=caller secret=read' $n
}

@test "what is restored into a user namespace is given no session keyring of another container that is called the same elsewhere" {
	grep -q keyring /proc/keys || skip 'needs: keyrings'
	args /usr/bin/keyring join "_ses.$c" /usr/bin/keyring watch
	config --arg p "/other-$c" '.linux.cgroupsPath = $p'
	"$THOLE" --root "$T/other" run -d --bundle "$B" --log-path "$T/0" "$c" < /dev/null
	wait_for logged_in "$T/0" "session=_ses.$c secret=read"
	bundle two
	in_user_namespace
	args /usr/bin/keyring watch
	thole run -d --bundle "$B" --log-path "$T/1" "$c" < /dev/null
	wait_for logged_in "$T/1" "session=_ses.$c secret=none"
	checkpoint
	restore --log-path "$T/2"
	says_alone "$T/2" "session=_ses.$c secret=none"
	says_alone "$T/0" "session=_ses.$c secret=read"
	"$THOLE" --root "$T/other" delete --force "$c"
}

# The same source with a mapping and without, and a file.
bind_mapped() { # MAPPINGS ROOT'S-ID-THERE
	chmod 711 "$T"
	mkdir -m 755 "$T/data"
	touch "$T/data/file"
	chown "$2:$2" "$T/data"
	chown $(($2 + 1000)) "$T/data/file"
	config --arg s "$T/data" --argjson m "$1" '.mounts += [
		{ destination: "/mapped", type: "bind", source: $s, options: ["rbind", "rw", "idmap"] } + $m,
		{ destination: "/plain", type: "bind", source: $s, options: ["rbind", "rw"] },
		{ destination: "/mapped-file", type: "bind", source: ($s + "/file"), options: ["bind", "ro", "idmap"] } + $m]'
}

mapped_owners() {
	thole exec "$c" sh -c 'stat -c %u /mapped/file /plain/file /mapped-file; : > /mapped/new; grep " /mapped-file " /proc/mounts | grep -o " ro,"'
	stat -c %u "$T/data/new"
	rm "$T/data/new"
}

comes_back_mapped() { # OWNERS
	detached sleep 1000
	equal "$(mapped_owners)" "$1"
	thole checkpoint --to "$T/set" "$c"
	thole restore -d "$c"
	equal "$(mapped_owners)" "$1" 'in place'
	checkpoint
	restore
	equal "$(mapped_owners)" "$1" 'as a new one'
	equal "$(grep -c "$T/state" /proc/self/mountinfo)" 0
}

@test "binds with mapped ids come back with their mapping, and no others get it" {
	bind_mapped '{ "uidMappings": [{ "containerID": 5000, "hostID": 0, "size": 2000 }], "gidMappings": [{ "containerID": 5000, "hostID": 0, "size": 2000 }] }' 5000
	comes_back_mapped $'1000\n6000\n1000\n ro,\n5000'
}

@test "in a user namespace binds come back with the container's mapping" {
	in_user_namespace
	bind_mapped '{}' 0
	comes_back_mapped $'1000\n65534\n1000\n ro,\n0'
}

in_network() { nsenter -t "$(init_of "$c")" -n "$@"; }
pings() { busybox ping -c 1 -w 2 10.114.0.2 > /dev/null; }
gone_from_host() { ! ip link show "$1" > /dev/null 2>&1; }

# Its number is one that an interface of the host's has, too.
@test "in a user namespace a veth pair comes back whatever number the container's end has, and the other one in the host's network" {
	in_user_namespace
	detached sleep 1000
	local v=v${c//[^a-zA-Z0-9]/} index
	v=${v:0:12}
	index=$(ip -o link | awk -F : '$1 > 1 { print $1; exit }')
	ip link add "$v" type veth peer name eth0 index "${index:-7}" netns "$(init_of "$c")"
	ip addr add 10.114.0.1/24 dev "$v"
	ip link set "$v" up
	in_network ip addr add 10.114.0.2/24 dev eth0
	in_network ip link set eth0 up
	wait_for pings
	checkpoint
	wait_for gone_from_host "$v"
	restore
	wait_for pings
	contains "$(in_network ip -o link show eth0)" "${index:-7}: eth0@"
	# On a bridge, and in place.
	BR=b${v:1}
	ip link add "$BR" type bridge
	ip link set "$BR" up
	ip addr del 10.114.0.1/24 dev "$v"
	ip addr add 10.114.0.1/24 dev "$BR"
	ip link set "$v" master "$BR"
	thole checkpoint --to "$T/set" --rootfs=none "$c"
	wait_for gone_from_host "$v"
	thole restore -d "$c"
	contains "$(ip -o link show "$v")" "master $BR"
	wait_for pings
	# By another name.
	checkpoint
	wait_for gone_from_host "$v"
	restore --veth "x$v@$BR=eth0"
	contains "$(ip -o link show "x$v")" "master $BR"
	gone_from_host "$v"
}

sysctls() {
	thole exec "$c" sh -c 'for k in net/ipv4/ip_unprivileged_port_start net/core/somaxconn net/ipv4/ip_local_port_range net/ipv4/tcp_keepalive_time net/ipv4/tcp_syncookies kernel/shmmax kernel/msgmax; do
		echo $k $(cat /proc/sys/$k); done'
}

@test "the config's sysctls of namespaces that are the container's own come back, with a user namespace too" {
	local how before host
	host=$(cat /proc/sys/net/ipv4/tcp_keepalive_time)
	config '.linux.sysctl = { "net.ipv4.ip_unprivileged_port_start": "80", "net.core.somaxconn": "77", "net.ipv4.ip_local_port_range": "20000 30000",
		"net.ipv4.tcp_keepalive_time": "100", "net.ipv4.tcp_syncookies": "0", "kernel.shmmax": "123456", "kernel.msgmax": "4321" }'
	for how in plain user; do
		[ $how = plain ] || in_user_namespace
		detached sleep 1000
		before=$(sysctls)
		contains "$before" 'somaxconn 77'
		contains "$before" 'port_start 80'
		contains "$before" 'msgmax 4321'
		thole checkpoint --to "$T/set" --rootfs=none "$c"
		thole restore -d "$c"
		equal "$(sysctls)" "$before" "in place ($how)"
		checkpoint
		restore
		equal "$(sysctls)" "$before" "as a new one ($how)"
		thole delete --force "$c"
		rm -r "$IMG" "$T/set"
	done
	equal "$(cat /proc/sys/net/ipv4/tcp_keepalive_time)" "$host"
}

is_elsewhere() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

@test "sysctls of a network namespace that is joined are whose it is: a restore writes none" {
	in_background unshare -n sleep 1000
	local other=$!
	wait_for is_elsewhere "$other"
	config --arg p "/proc/$other/ns/net" '.linux.sysctl = { "net.core.somaxconn": "77", "kernel.msgmax": "4321" } | (.linux.namespaces[] | select(.type == "network")) += { path: $p }'
	detached sleep 1000
	nsenter -t "$other" -n sh -c 'echo 78 > /proc/sys/net/core/somaxconn'
	checkpoint
	restore
	equal "$(thole exec "$c" cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax)" $'78\n4321'
}

# criu and what it starts are in the same groups.
@test "a container that has as many processes as it may have comes back, and may have no more then; a limit that was updated holds, after a failure too" {
	local n dir
	for n in 1 2 4; do
		config --argjson n "$n" '.linux.resources.pids.limit = $n'
		detached sh -c "i=1; while [ \$i -lt $n ]; do sleep 1000 & i=\$((i + 1)); done; exec sleep 1000"
		dir=$(cgroup_of "$c" pids)
		has_processes "$dir" $n || wait_for has_processes "$dir" $n
		thole checkpoint --to "$T/set" --rootfs=none "$c"
		thole restore -d "$c"
		equal "$(cat "$dir/pids.max")" $n "in place, $n"
		has_processes "$dir" $n || wait_for has_processes "$dir" $n
		checkpoint
		restore
		equal "$(cat "$(cgroup_of "$c" pids)/pids.max")" $n "as a new one, $n"
		[ $n = 4 ] || thole delete --force "$c"
		rm -r "$T/set" "$IMG"
	done
	dir=$(cgroup_of "$c" pids)
	thole update --pids-limit 5 "$c"
	checkpoint --stay
	cp -r "$IMG" "$T/half"
	rm "$T/half/core-1.img"
	refused 125 'cannot restore' thole restore -d --image-path "$T/half" "$c"
	equal "$(cat "$dir/pids.max")" 5 'after a failure'
	thole restore -d "$c"
	equal "$(cat "$dir/pids.max")" 5
}

has_processes() { [ "$(cat "$1/pids.current")" = "$2" ]; }

# Of a limit that is not the container's own.
@test "where a group above the container's allows no more processes that is what is said" {
	local dir n
	detached sh -c 'sleep 1000 & sleep 1000 & exec sleep 1000'
	dir=$(cgroup_of "$c" pids)
	has_processes "$dir" 3 || wait_for has_processes "$dir" 3
	checkpoint --stay
	for n in 1 2; do
		echo $n > "$dir/pids.max"
		refused 125 'cannot restore.*there may be no more processes' thole restore -d "$c"
	done
	echo max > "$dir/pids.max"
	thole restore -d "$c"
	is "$c" running
}
