# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# checkpoint and restore with runc's command line: the container goes on where it was, with its streams; what is refused, and that a failure changes nothing.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	IMG=$T/img
	bundle
}

# A container that counts aloud: "n 0", "n 1", ... without end, as fast as it is read and a little slower.
counting() {
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" > "$T/run.out" < /dev/null
	wait_for logged_in "$T/log.1" 'n 20'
}

logged_in() { grep -qF -- "$2" "$1"; }

checkpoint() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$@" "$c"; }
restore() { timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$@" "$c" < /dev/null; }

lines() { sed 's/^[^ ]* stdout F //' "$@"; }

# The counter's lines in these logs are 0, 1, 2, ... each once and in order.
contiguous() { # FILE...
	lines "$@" | awk '$0 != "n " (NR - 1) { print "line " NR ": " $0; exit 1 } END { if (NR < 30) { print NR " lines"; exit 1 } }'
}

mounts_of() { # PID: without the numbers that the kernel gives
	awk '{ sub(/^[0-9]+:/, "", $3); $1 = $2 = ""; if ($4 ~ /rootfs$/) $3 = ""; else $3 = ""; print }' "/proc/$1/mountinfo" | sort
}

# covers: checkpoint, checkpoint --image-path, restore, restore --detach, restore --image-path, restore --log-path
@test "checkpoint: the container is gone, as with runc; restore: it goes on, each line of its output once and in order" {
	counting
	checkpoint
	not thole state "$c" 2> /dev/null
	equal "$(thole list -q)" ''
	no_shims
	equal "$(own_cgroups)" ''
	equal "$(stat -c %a "$IMG")" 700
	equal "$(find "$IMG" -name '*.img' -perm /077)" '' 'files that others can read'
	[ -s "$IMG/dump.log" ]
	restore --log-path "$T/log.2"
	is "$c" running
	wait_for logged_in "$T/log.2" "n $(($(lines "$T/log.1" | wc -l) + 20))"
	contiguous "$T/log.1" "$T/log.2"
	equal "$(jq length "$IMG/descriptors.json")" 3
}

@test "a restored container is as it was: mounts, groups, namespaces, limits; exec, wait and kill work" {
	mkdir "$T/data"
	echo before > "$T/data/file"
	config --arg s "$T/data" '.mounts += [{ destination: "/data", type: "bind", source: $s, options: ["rbind", "rw"] },
		{ destination: "/data-ro", type: "bind", source: $s, options: ["bind", "ro"] },
		{ destination: "/run", type: "tmpfs", source: "tmpfs" }]'
	config '.linux.resources.memory.limit = 104857600 | .process.capabilities.bounding = ["CAP_KILL"] | .process.capabilities.effective = ["CAP_KILL"] |
		.process.capabilities.permitted = ["CAP_KILL"]'
	detached sh -c 'echo kept > /run/file; exec sleep 1000'
	wait_for thole exec "$c" test -s /run/file
	local pid before after
	facts() {
		pid=$(init_of "$c")
		mounts_of "$pid"
		cat "/proc/$pid/cgroup"
		grep -E '^(Cap|Uid|Gid|Groups|NoNewPrivs|Seccomp):' "/proc/$pid/status"
		cat "/proc/$pid/limits" "/proc/$pid/oom_score_adj"
		tr "\0" " " < "/proc/$pid/cmdline"
		for n in cgroup pid net mnt ipc uts user; do
			if [ "$(readlink "/proc/$pid/ns/$n")" = "$(readlink "/proc/self/ns/$n")" ]; then echo "$n of the host"; else echo "$n its own"; fi
		done
		thole exec "$c" sh -c 'cat /proc/self/cgroup; stat -c "%n %A %u %g %t %T" /dev/*; cat /run/file /data/file'
	}
	before=$(facts)
	checkpoint
	restore
	after=$(facts)
	diff <(echo "$before") <(echo "$after")
	contains "$after" 'cgroup its own'
	not thole exec "$c" touch /data-ro/x 2> /dev/null
	equal "$(cat "$(cgroup_of "$c" memory)/$(v1_or_v2 memory.limit_in_bytes memory.max)")" 104857600
	exits 3 thole exec "$c" sh -c 'exit 3'
	in_background thole wait "$c"
	local waiter=$!
	thole kill "$c" KILL
	exits 137 wait "$waiter"
	is "$c" stopped
	thole delete "$c"
}

# covers: checkpoint --leave-running
@test "--leave-running: it goes on, and the image holds that moment, which can be restored several times" {
	counting
	checkpoint --leave-running
	is "$c" running
	local n
	n=$(lines "$T/log.1" | wc -l)
	wait_for logged_in "$T/log.1" "n $((n + 20))"
	contiguous "$T/log.1"
	thole delete --force "$c"
	restore --log-path "$T/log.2"
	wait_for logged_in "$T/log.2" "n $((n + 20))"
	thole delete --force "$c"
	restore --log-path "$T/log.3"
	wait_for logged_in "$T/log.3" "n $((n + 20))"
	equal "$(head -1 "$T/log.2" | cut -d ' ' -f 4-)" "$(head -1 "$T/log.3" | cut -d ' ' -f 4-)" 'first line after a restore'
}

@test "what was typed and not read yet is there after the restore, once and before what comes later" {
	args sh -c 'while [ ! -e /go ]; do usleep 1000; done; exec cat'
	mkfifo "$T/in"
	in_background sh -c 'exec "$0" --root "$1" run --keep --bundle "$2" "$3" < "$4" > /dev/null 2>&1' "$THOLE" "$ROOT" "$B" "$c" "$T/in"
	exec 9> "$T/in"
	wait_for is "$c" running
	seq 1 5000 >&9
	# It has gone through our own pipe and lies in the container's.
	wait_for fifo_is_empty "$T/in"
	checkpoint
	exec 9>&-
	wait_for has_gone "$c"
	seq 5001 6000 > "$T/rest"
	: > "$B/rootfs/go"
	timeout 60 "$THOLE" --root "$ROOT" restore --bundle "$B" --image-path "$IMG" "$c" < "$T/rest" > "$T/out"
	equal "$(md5sum < "$T/out")" "$(seq 1 6000 | md5sum)"
}

has_gone() { ! [ -e "$ROOT/$1/status" ]; }

@test "what several clients have typed and is not read yet is there after the restore, each one's in its order" {
	local client n
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; exec cat > /tmp/got'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	# The first one fills the container's pipe: what the others say waits in theirs.
	for n in 1 2 3; do
		mkfifo "$T/in.$n"
		eval "exec $((6 + n))<> $T/in.$n"
		in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/in.$n" > /dev/null 2>&1
		client[n]=$!
		# Three of the container's, three of each client's; the one that owns stdin writes to the container's.
		writes() { [ "$(shared_pipes "$(shim_of "$c")")" -ge $((2 + 3 * n)) ]; }
		wait_for writes
	done
	has() { # CLIENT BYTES: one of its pipes holds so many
		perl -e 'for (glob "/proc/$ARGV[0]/fd/*") { next if readlink !~ /^pipe:/ || !open F, ">", $_; my $n = pack "i", 0; ioctl F, 0x541B, $n; exit 0 if unpack("i", $n) == $ARGV[1] } exit 1' "$@"
	}
	head -c 65536 /dev/zero | tr '\0' x >&7
	wait_for has "${client[1]}" 65536
	echo two >&8
	wait_for has "${client[2]}" 4
	echo three >&9
	wait_for has "${client[3]}" 6
	checkpoint
	exec 7>&- 8>&- 9>&-
	restore -i
	touch "$B/rootfs/tmp/go"
	timeout 20 "$THOLE" --root "$ROOT" attach "$c" <<< last > /dev/null || true
	thole wait "$c"
	equal "$(head -c 65536 "$B/rootfs/tmp/got" | tr -d x)" ''
	equal "$(tail -c +65537 "$B/rootfs/tmp/got" | sort)" $'last\nthree\ntwo'
}

@test "the I/O priority comes back, of all that have it from the first process; what criu does not bring back is told in one line" {
	local p
	config '.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 }'
	args sh -c 'sleep 1000 & echo up; wait'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" up
	checkpoint
	restore 2> "$T/said"
	equal "$(cat "$T/said")" ''
	for p in $(thole ps --format json "$c" | jq '.[]'); do
		equal "$(ionice -p "$p")" 'best-effort: prio 6'
	done
	equal "$(thole ps --format json "$c" | jq length)" 2
	thole delete --force "$c"
	config '.linux.personality = { domain: "LINUX32" } | .linux.memoryPolicy = { mode: "MPOL_INTERLEAVE", nodes: "0" }'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" up
	checkpoint --stay
	timeout 60 "$THOLE" --root "$ROOT" restore "$c" 2> "$T/said"
	equal "$(cat "$T/said")" "thole: container '$c': criu does not bring back linux.personality and linux.memoryPolicy"
}

# covers: restore --bundle
@test "restore in the foreground: its output, its exit status, nothing left" {
	args sh -c 'while [ ! -e /go ]; do usleep 1000; done; echo out; echo err >&2; exit 7'
	thole run -d --bundle "$B" "$c" < /dev/null
	checkpoint
	: > "$B/rootfs/go"
	exits 7 timeout 60 "$THOLE" --root "$ROOT" restore --bundle "$B" --image-path "$IMG" "$c" > "$T/out" 2> "$T/err" < /dev/null
	equal "$(cat "$T/out")" out
	equal "$(cat "$T/err")" err
	not thole state "$c" 2> /dev/null
}

@test "any stdio: a file, a closed descriptor, a terminal that is gone" {
	local i=0 how
	for how in '> "$T/o"' '>&-' '> >(exec cat > "$T/o" 3>&-)' '> /dev/full' '< /dev/null > /dev/null 2>&1'; do
		i=$((i + 1))
		args sleep 1000
		eval "thole run -d --stdio=inherit --bundle '$B' '$c' $how"
		checkpoint
		restore
		is "$c" running
		thole delete --force "$c"
	done
	equal "$i" 5
}

@test "a terminal comes back with its size, and what is typed afterwards is echoed" {
	config '.process.terminal = true | .process.consoleSize = { height: 33, width: 99 }'
	args sh -c 'echo before; read line; stty size; echo "got $line"; exec sleep 1000'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" before
	checkpoint
	restore
	mkfifo "$T/in"
	in_background sh -c 'exec "$0" --root "$1" attach "$2" < "$3" > "$4" 2>&1' "$THOLE" "$ROOT" "$c" "$T/in" "$T/att"
	exec 9> "$T/in"
	echo typed >&9
	wait_for logged "$c" 'got typed'
	logged "$c" '33 99'
	exec 9>&-
}

# covers: restore --bundle
@test "restore elsewhere: another id, another bundle with another copy of the root" {
	counting
	checkpoint
	bundle b2
	config --slurpfile old "$T/b/config.json" '.process = $old[0].process'
	c=$c-new
	restore --log-path "$T/log.2"
	is "$c" running
	equal "$(readlink "/proc/$(init_of "$c")/root")" "$T/b2/rootfs" || true
	wait_for logged_in "$T/log.2" 'n '
	thole delete --force "$c"
	c=${c%-new}
}

@test "hooks of the runtime run while the namespaces are set up" {
	config --arg t "$T" '.hooks.prestart = [{ path: "/bin/sh", args: ["sh", "-c", "cat > \($t)/prestart"] }] |
		.hooks.createRuntime = [{ path: "/bin/sh", args: ["sh", "-c", "cat > \($t)/create"] }] |
		.hooks.poststop = [{ path: "/bin/sh", args: ["sh", "-c", "cat > \($t)/poststop"] }]'
	detached sleep 1000
	rm "$T/prestart" "$T/create"
	checkpoint
	equal "$(jq -r .status "$T/poststop")" stopped
	restore
	equal "$(jq -r .pid "$T/prestart")" "$(init_of "$c")"
	equal "$(jq -r .id "$T/create")" "$c"
	# One that fails: nothing is left.
	thole delete --force "$c"
	config '.hooks.createRuntime = [{ path: "/bin/false" }]'
	refused 125 "cannot restore container '$c': .*createRuntime" timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c"
	has_gone "$c"
}

# ---- what is refused

@test "only what runs is checkpointed: the error names the state" {
	refused 1 "container 'none.$c' does not exist" thole checkpoint --image-path "$IMG" "none.$c"
	not test -e "$IMG"
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	refused 1 "cannot checkpoint container '$c': it is created" thole checkpoint --image-path "$IMG" "$c"
	thole start "$c"
	thole pause "$c"
	refused 1 "cannot checkpoint container '$c': it is paused \(resume it first\)" thole checkpoint --image-path "$IMG" "$c"
	is "$c" paused
	thole resume "$c"
	thole kill "$c" KILL
	refused 1 "cannot checkpoint container '$c': it is stopped" thole checkpoint --image-path "$IMG" "$c"
}

# covers: checkpoint --drop-execs
@test "an exec'd process would be lost: checkpoint names it and changes nothing; --drop-execs kills it" {
	detached sleep 1000
	thole exec -d "$c" sh -c 'sleep 1001 & sleep 1002'
	refused 1 "cannot checkpoint container '$c': the exec'd process '1' \(pid [0-9]+\) runs.*--drop-execs" thole checkpoint --image-path "$IMG" "$c"
	is "$c" running
	equal "$(find "$IMG" -mindepth 1)" ''
	checkpoint --drop-execs
	restore
	is "$c" running
	not thole exec "$c" sh -c 'grep -qa [1]002 /proc/[0-9]*/cmdline'
}

@test "a pipe to somebody outside would come back dead: refused by name" {
	mkfifo "$T/hold"
	args sh -c 'exec sleep 1000'
	# Descriptor 3 is the write end of a pipe that cat, outside, reads from.
	sh -c '"$0" --root "$1" run -d --preserve-fds 1 --bundle "$2" "$3" < /dev/null 3>&1 >/dev/null | cat "$4"' "$THOLE" "$ROOT" "$B" "$c" "$T/hold" 3>&- &
	local holder=$!
	exec 9> "$T/hold"
	wait_for is "$c" running
	refused 1 "descriptor 3 of process [0-9]+ is a pipe \(pipe:\[[0-9]+\]\) to somebody outside" thole checkpoint --image-path "$IMG" "$c"
	is "$c" running
	# With nobody at the other end there is nothing to lose.
	exec 9>&-
	wait "$holder"
	checkpoint --leave-running
}

@test "restore: no image, half an image, an id in use: one line, nothing left" {
	detached sleep 1000
	refused 125 "cannot open directory '$T/none'" thole restore -d --bundle "$B" --image-path "$T/none" "new.$c"
	mkdir "$T/empty"
	refused 125 "there is no checkpoint in '$T/empty'" thole restore -d --bundle "$B" --image-path "$T/empty" "new.$c"
	checkpoint --leave-running
	refused 125 "container '$c' already exists" thole restore -d --bundle "$B" --image-path "$IMG" "$c"
	is "$c" running
	cp -r "$IMG" "$T/half"
	rm "$T/half"/core-1.img
	refused 125 "cannot restore container 'new.$c': .*Unexpected EOF.*\(log: $T/half/restore.log\)" thole restore -d --bundle "$B" --image-path "$T/half" "new.$c"
	equal "$(thole list -q)" "$c"
	wait_for no_shims_of "new.$c"
	echo '["a"]' > "$T/half/descriptors.json"
	refused 125 'descriptors.json: must be a list of three strings' thole restore -d --bundle "$B" --image-path "$T/half" "new.$c"
	equal "$(find /sys/fs/cgroup -name "*new.$c*")" ''
	# runc's status for the same
	refused 1 "there is no checkpoint" "$THOLE_OCI" --root "$ROOT" restore -d --bundle "$B" --image-path "$T/empty" "new.$c"
}

no_shims_of() { ! shims | while read -r p; do tr '\0' '\n' < "/proc/$p/cmdline"; done | grep -qx "$1"; }

@test "2026-53489: an image with links or a FIFO in it is refused before criu, which is root, follows them" {
	local name
	detached sleep 1000
	checkpoint --leave-running
	echo untouched > "$T/outside"
	for name in restore.log stats-restore descriptors.json thole-stdin.img pages-1.img; do
		rm -rf "$T/hostile"
		cp -r "$IMG" "$T/hostile"
		rm -f "$T/hostile/$name"
		ln -s "$T/outside" "$T/hostile/$name"
		refused 125 "'$name' in the image's directory is not a file" timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$T/hostile" "new.$c"
		rm "$T/hostile/$name"
		mkfifo "$T/hostile/$name"
		refused 125 "'$name' in the image's directory is not a file" timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$T/hostile" "new.$c"
	done
	equal "$(cat "$T/outside")" untouched
	equal "$(thole list -q)" "$c"
	# 2026-53492, 2026-50195: what the config of the restore says counts, whatever lies in the image.
	rm -rf "$T/hostile"
	cp -r "$IMG" "$T/hostile"
	jq '.hooks.poststart = [{ path: "/bin/touch", args: ["touch", "'"$T/pwned"'"] }] | .annotations.x = "y"' "$B/config.json" > "$T/hostile/config.json"
	cp "$T/hostile/config.json" "$T/hostile/spec.dump"
	timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$T/hostile" "new.$c" < /dev/null
	is "new.$c" running
	[ ! -e "$T/pwned" ]
	equal "$(thole state "new.$c" | jq -r '.annotations.x // "none"')" none
}

# covers: thole --criu
@test "criu is missing, is not one, dies: named, and the container runs on" {
	detached sleep 1000
	unset THOLE_CRIU
	refused 1 "there is no 'no-such-criu' in PATH" thole --criu no-such-criu checkpoint --image-path "$IMG" "$c"
	refused 1 "cannot use criu '/nowhere/criu'" thole --criu /nowhere/criu checkpoint --image-path "$IMG" "$c"
	# As execvp(3): a directory, and what may not be executed, is passed over.
	mkdir -p "$T"/{p1/criu,p2,p3,p4/criu.dir}
	: > "$T/p2/criu"
	printf '#!/bin/sh\nexit 7\n' > "$T/p3/criu"
	chmod 755 "$T/p3/criu"
	refused 1 "there is no 'criu.dir' in PATH" env PATH="$T/p4:$PATH" "$THOLE" --root "$ROOT" --criu criu.dir checkpoint --image-path "$IMG" "$c"
	refused 1 'criu has ended with status 7' env PATH="$T/p1:$T/p2:$T/p3" "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$c"
	refused 1 "cannot use criu '$T/p1/criu': Permission denied" thole --criu "$T/p1/criu" checkpoint --image-path "$IMG" "$c"
	refused 1 'criu has ended with status 1 before it was through' thole --criu /bin/false checkpoint --image-path "$IMG" "$c"
	printf '#!/bin/sh\nkill -KILL $$\n' > "$T/criu"
	chmod 755 "$T/criu"
	refused 1 'criu was killed by signal 9' thole --criu "$T/criu" checkpoint --image-path "$IMG" "$c"
	printf 'nothing' > "$T/criu"
	refused 1 "cannot execute criu '$T/criu'" thole --criu "$T/criu" checkpoint --image-path "$IMG" "$c"
	is "$c" running
	equal "$(find "$IMG" -mindepth 1)" ''
}

# covers: checkpoint --work-path, checkpoint --file-locks, restore --file-locks
@test "a dump that fails: criu's own lines and what they mean, the log's path; the old image is as it was, the container runs" {
	args lock /tmp/lock
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for holds_lock
	refused 1 "cannot checkpoint container '$c': criu has failed.*lock.*--file-locks.*\(log: $IMG/dump.log\)" thole checkpoint --image-path "$IMG" "$c"
	is "$c" running
	equal "$(find "$IMG" -mindepth 1)" "$IMG/dump.log"
	checkpoint --file-locks --leave-running
	find "$IMG" -name '*.img' -print0 | sort -z | xargs -0 md5sum > "$T/sums"
	refused 1 "cannot checkpoint" thole checkpoint --image-path "$IMG" "$c"
	md5sum --quiet -c "$T/sums"
	equal "$(find "$IMG" -name '.*' -mindepth 1)" ''
	checkpoint --file-locks --work-path "$T/work"
	[ -s "$T/work/dump.log" ]
	restore --file-locks
	holds_lock
}

holds_lock() { [ "$(thole exec "$c" lock /tmp/lock try)" = locked=1 ]; }

@test "restore into a root that lacks what the config's mounts are mounted on: it is made, as with create" {
	mkdir "$T/data" "$T/fresh"
	echo data > "$T/data/file"
	config --arg t "$T" '.mounts += [{destination: "/deep/dir", type: "bind", source: ($t + "/data"), options: ["bind"]},
		{destination: "/etc/motd", type: "bind", source: ($t + "/data/file"), options: ["bind"]},
		{destination: "/dev/shm/dir", type: "bind", source: ($t + "/data"), options: ["bind"]},
		{destination: "/run/deep", type: "tmpfs", source: "tmpfs"}]'
	counting
	checkpoint
	cp -a "$(template)" "$T/fresh/rootfs"
	cp "$B/config.json" "$T/fresh"
	B=$T/fresh
	not test -e "$B/rootfs/deep"
	not test -e "$B/rootfs/run/deep"
	restore
	contains "$(thole exec "$c" cat /proc/mounts)" ' /run/deep tmpfs '
	equal "$(thole exec "$c" cat /deep/dir/file /etc/motd /dev/shm/dir/file | paste -sd ' ')" 'data data data'
	[ -d "$B/rootfs/deep/dir" ] && [ -f "$B/rootfs/etc/motd" ]
	not test -e "$B/rootfs/dev/shm"
}

@test "a bind whose source is a link to it comes back, too" {
	mkdir "$T/data"
	echo there > "$T/data/file"
	ln -s data "$T/link"
	config --arg s "$T/link" '.mounts += [{ destination: "/data", type: "bind", source: $s, options: ["rbind", "ro"] }]'
	detached sleep 1000
	checkpoint
	restore
	equal "$(thole exec "$c" cat /data/file)" there
}

@test "a root on a shared mount: what is mounted there later comes into the restored container as into the first" {
	in_background unshare -m --propagation private sleep 1000
	local ns=${STARTED[-1]}
	private() { [ "$(readlink "/proc/$ns/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; }
	wait_for private
	there() { timeout 60 nsenter -m -t "$ns" "$@"; }
	there mount --bind "$B" "$B"
	there mount --make-shared "$B"
	mkdir "$T/late" "$B/rootfs/mnt"
	echo late > "$T/late/file"
	args sleep 1000
	there "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null > "$T/out"
	# root's own rootfs is a slave of the host's, as runc leaves it
	contains "$(awk '$5 == "/"' "/proc/$(init_of "$c")/mountinfo")" master:
	there "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$c"
	there "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c" < /dev/null
	contains "$(awk '$5 == "/"' "/proc/$(init_of "$c")/mountinfo")" master:
	there mount --bind "$T/late" "$B/rootfs/mnt"
	equal "$(there "$THOLE" --root "$ROOT" exec "$c" cat /mnt/file)" late
}

# ---- somebody else's monitor

oci() { timeout 60 "$THOLE_OCI" --root "$ROOT" "$@"; }

# covers: restore --pid-file
@test "thole-oci: the caller's pipes are given back to the caller of the restore, whose child the container is" {
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	oci run -d --bundle "$B" "$c" < /dev/null > >(exec cat > "$T/log.1" 3>&-) 2>&1
	wait_for logged_in "$T/log.1" 'n 20'
	oci checkpoint --image-path "$IMG" "$c"
	exits 1 oci state "$c" 2> /dev/null
	oci restore -d --pid-file "$T/pid" --bundle "$B" --image-path "$IMG" "$c" < /dev/null > >(exec cat > "$T/log.2" 3>&-) 2>&1
	equal "$(cat "$T/pid")" "$(init_of "$c")"
	no_shims
	wait_for logged_in "$T/log.2" "n $(($(wc -l < "$T/log.1") + 20))"
	contiguous "$T/log.1" "$T/log.2"
	refused 1 "already exists" oci restore -d --bundle "$B" --image-path "$IMG" "$c"
	oci kill "$c" KILL
	wait_for is "$c" stopped
	oci delete "$c"
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/file" 2>&1
	refused 1 "its stdout is its caller's '$T/file', which is no pipe" oci checkpoint --image-path "$T/img2" "$c"
}

@test "thole-oci: a paused container is taken as it is, as with runc, and stays paused; without a cgroup namespace too" {
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	config '.linux.namespaces |= map(select(.type != "cgroup"))'
	oci run -d --bundle "$B" "$c" < /dev/null > >(exec cat > "$T/log.1" 3>&-) 2>&1
	wait_for logged_in "$T/log.1" 'n 20'
	oci pause "$c"
	oci checkpoint --leave-running --image-path "$T/img2" "$c"
	[ -s "$T/img2/inventory.img" ]
	is "$c" paused
	oci resume "$c"
	wait_for logged_in "$T/log.1" "n $(($(wc -l < "$T/log.1") + 20))"
	oci pause "$c"
	# somebody is in the way of criu: it fails
	refused 1 'criu' oci checkpoint --criu /bin/false --image-path "$T/img3" "$c"
	is "$c" paused
	oci checkpoint --image-path "$IMG" "$c"
	exits 1 oci state "$c" 2> /dev/null
	oci restore -d --bundle "$B" --image-path "$IMG" "$c" < /dev/null > >(exec cat > "$T/log.2" 3>&-) 2>&1
	wait_for logged_in "$T/log.2" "n $(($(wc -l < "$T/log.1") + 20))"
	contiguous "$T/log.1" "$T/log.2"
}

# ---- killed

# Have criu run a script at each of its points: ACTION of them is where it is killed.
kill_criu_at() { # ACTION
	printf '#!/bin/sh\necho "$CRTOOLS_SCRIPT_ACTION" >> "%s/actions"\n[ "$CRTOOLS_SCRIPT_ACTION" != %s ] || kill -KILL "$PPID"\n' "$T" "$1" > "$T/action"
	chmod 755 "$T/action"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
}

no_dump_directory() { ! [ -e "$IMG/.thole-dump" ]; }

thawed_and_untraced() { # PID
	local state
	state=$(cat "$(cgroup_of "$c" freezer)/$(v1_or_v2 freezer.state cgroup.freeze)")
	equal "$state" "$(v1_or_v2 THAWED 0)" 'freezer' && equal "$(awk '/^TracerPid/ { print $2 }' "/proc/$1/status")" 0 'tracer'
}

network_unlocked() { # PID
	nsenter -t "$1" -n ip link set lo up
	nsenter -t "$1" -n busybox ping -c 1 -w 2 127.0.0.1 > /dev/null
}

# covers: checkpoint --network-lock
@test "criu is killed at each point of a dump: the container runs on, thawed, untraced, and can be checkpointed" {
	local point n
	kill_criu_at never
	counting
	local lock locks
	for point in pre-dump network-lock post-dump; do
		locks='iptables nftables'
		[ $point != pre-dump ] || locks=skip
		for lock in ${THOLE_LONG:+skip} $locks; do
			kill_criu_at "$point"
			refused 1 "cannot checkpoint container '$c': criu was killed by signal 9.*\(log: $IMG/dump.log\)" thole checkpoint --image-path "$IMG" --network-lock "$lock" "$c"
			is "$c" running
			thawed_and_untraced "$(init_of "$c")"
			network_unlocked "$(init_of "$c")"
			n=$(lines "$T/log.1" | wc -l)
			wait_for logged_in "$T/log.1" "n $((n + 5))"
			no_dump_directory
			# At the last point the image was complete, and stays.
			[ $point = post-dump ] || equal "$(find "$IMG" -mindepth 1)" "$IMG/dump.log"
		done
		rm "$IMG"/*
	done
	kill_criu_at never
	checkpoint
	restore --log-path "$T/log.2"
	wait_for logged_in "$T/log.2" "n $(($(lines "$T/log.1" | wc -l) + 20))"
	contiguous "$T/log.1" "$T/log.2"
}

@test "criu is killed at each point of a restore: nothing is left, and the image can still be restored" {
	local point
	kill_criu_at never
	counting
	checkpoint
	: > "$T/actions"
	for point in pre-restore setup-namespaces post-setup-namespaces post-restore; do
		kill_criu_at "$point"
		refused 125 "cannot restore container '$c': criu was killed by signal 9" timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c"
		wait_for has_gone "$c"
		wait_for no_shims
		equal "$(own_cgroups)" ''
		grep -qx "$point" "$T/actions"
	done
	kill_criu_at never
	restore --log-path "$T/log.2"
	wait_for logged_in "$T/log.2" "n $(($(lines "$T/log.1" | wc -l) + 20))"
	contiguous "$T/log.1" "$T/log.2"
}

@test "the shim or the client is killed at each point of a restore: nothing runs, what is left is removed, and the image can still be restored" {
	local point who
	kill_criu_at never
	counting
	checkpoint
	for who in shim client; do
		for point in pre-restore setup-namespaces post-setup-namespaces post-restore; do
			cat > "$T/action" <<-END
				#!/bin/sh
				[ "\$CRTOOLS_SCRIPT_ACTION" = $point ] || exit 0
				: > "$T/killed" # first: who is killed may be whom this script dies with
				case $who in
				shim) kill -KILL \$(sed -n 's/^PPid:.//p' /proc/\$PPID/status) ;;
				client) kill -KILL \$(cat "$T/client") ;;
				esac
			END
			rm -f "$T/killed"
			(exec 3>&-; echo $BASHPID > "$T/client"; exec "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c" < /dev/null) > /dev/null 2>&1 &
			wait $! || true
			wait_for test -e "$T/killed"
			# A client that has had its answer by then is missed by nobody.
			if [ $who = client ] && is "$c" running; then
				thole delete --force "$c"
			fi
			wait_for no_shims
			# The shim's end leaves it to the next who comes.
			if [ $who = shim ]; then
				thole delete --force "$c"
			fi
			wait_for has_gone "$c"
			wait_for no_criu
			equal "$(own_cgroups)" ''
		done
	done
	kill_criu_at never
	restore --log-path "$T/log.2"
	wait_for logged_in "$T/log.2" "n $(($(lines "$T/log.1" | wc -l) + 20))"
	contiguous "$T/log.1" "$T/log.2"
}
# criu has the directory of the image as its own.
no_criu() { ! ls -l /proc/[0-9]*/cwd 2> /dev/null | grep -qF "$IMG"; }

@test "the client is killed while criu works: the checkpoint is given up, the container runs on" {
	kill_criu_at never
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != network-lock ] || { : > "%s/here"; read x < "%s/go"; }\n' "$T" "$T" > "$T/action"
	mkfifo "$T/go"
	counting
	in_background "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" --network-lock iptables "$c"
	local client=$! n
	wait_for test -e "$T/here"
	refused 1 "cannot checkpoint container '$c': it is being checkpointed" thole checkpoint --image-path "$T/img2" "$c"
	refused 1 "cannot pause container '$c': it is being checkpointed" thole pause "$c"
	refused 125 "cannot exec in container '$c': it is being checkpointed" thole exec "$c" true
	kill -KILL "$client"
	wait_for no_dump_directory
	is "$c" running
	thawed_and_untraced "$(init_of "$c")"
	n=$(lines "$T/log.1" | wc -l)
	wait_for logged_in "$T/log.1" "n $((n + 5))"
	# The script of the dead criu has gone with it.
	wait_for no_script
	kill_criu_at never
	checkpoint --leave-running
}

# Code that criu runs in the container ends in a breakpoint, and one that is killed leaves it to that.
@test "the client is killed while criu is inside of the container's processes: criu takes itself out before it ends" {
	local client shim init log n end
	args sh -c 'x=$(head -c 60000000 /dev/zero | tr "\0" a); i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	WAIT_S=60 wait_for logged_in "$T/log.1" 'n 20'
	shim=$(shim_of "$c") init=$(init_of "$c")
	mkdir -m 700 "$IMG"
	all_but_init() { # SIGNAL
		local pid
		for pid in $(< "/proc/$shim/task/$shim/children"); do
			[ "$pid" = "$init" ] || kill "-$1" "$pid"
		done
	}
	# Stopped after it has begun and before it is through, which are some hundredths of a second: if it is too late, once more.
	for n in $(seq 50); do
		rm -f "$IMG/dump.log"
		in_background "$THOLE" --root "$ROOT" checkpoint --leave-running --image-path "$IMG" "$c"
		client=$! log=
		end=$((SECONDS + 20))
		until [ $SECONDS -gt $end ] || [[ $log == *'Dumping task'* ]]; do [ ! -e "$IMG/dump.log" ] || log=$(< "$IMG/dump.log"); done
		all_but_init STOP
		[[ $(< "$IMG/dump.log") == *'Running post-dump'* ]] || break
		all_but_init CONT
		wait "$client"
	done
	kill -KILL "$client"
	exits 137 wait "$client"
	refused 1 "cannot checkpoint container '$c': it is being checkpointed" thole checkpoint --image-path "$T/img2" "$c"
	all_but_init CONT
	wait_for no_dump_directory
	grep -q 'Dumping FAILED' "$IMG/dump.log"
	is "$c" running
	thawed_and_untraced "$(init_of "$c")"
	n=$(lines "$T/log.1" | wc -l)
	wait_for logged_in "$T/log.1" "n $((n + 5))"
	checkpoint --leave-running
}

# ---- the network

# A network namespace of the test's own, joined by a veth pair; its address is 10.111.0.1, the container's .2.
make_network() {
	NS=th-${c//[^a-zA-Z0-9]/}
	ip netns add "$NS"
	ip link add "v${NS: -8}" type veth peer name eth0 netns "$NS"
	ip addr add 10.111.0.1/24 dev "v${NS: -8}"
	ip link set "v${NS: -8}" up
	ip -n "$NS" addr add 10.111.0.2/24 dev eth0
	ip -n "$NS" link set eth0 up
	ip -n "$NS" link set lo up
	config --arg n "/run/netns/$NS" '.linux.namespaces |= map(if .type == "network" then .path = $n else . end)'
}

teardown_test() {
	[ -z "${NS:-}" ] || { thole delete --force "$c" > /dev/null 2>&1; ip netns del "$NS"; ip link del "v${NS: -8}" 2> /dev/null; } || true
}

# covers: checkpoint --tcp-established, restore --tcp-established
@test "an open TCP connection over a veth pair survives; without --tcp-established it is refused, and why is said" {
	local i line
	make_network
	args sh -c 'exec nc -l -p 7000 -e cat'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for sh -c "ip netns exec $NS busybox netstat -ltn | grep -q :7000"
	exec 8<> /dev/tcp/10.111.0.2/7000
	for i in 1 2 3; do
		echo "line $i" >&8
		read -r -t 5 line <&8
		equal "$line" "line $i"
	done
	refused 1 "cannot checkpoint container '$c': .*--tcp-established keeps it" thole checkpoint --image-path "$IMG" "$c"
	echo 'line 4' >&8
	read -r -t 5 line <&8
	equal "$line" 'line 4'
	checkpoint --tcp-established
	# What is sent meanwhile waits.
	echo 'line 5' >&8
	restore --tcp-established
	read -r -t 20 line <&8
	equal "$line" 'line 5'
	echo 'line 6' >&8
	read -r -t 20 line <&8
	equal "$line" 'line 6'
	exec 8>&-
}

@test "init dies in the middle of a dump, held by criu: the shim goes on to answer, the dump fails, the end is known" {
	kill_criu_at never
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != network-lock ] || { : > "%s/here"; read x < "%s/go"; }\n' "$T" "$T" > "$T/action"
	mkfifo "$T/go"
	# One process: with others init waits for them in the kernel, since criu holds these too.
	detached sleep 1000
	in_background timeout 60 "$THOLE" --root "$ROOT" checkpoint --network-lock iptables --image-path "$IMG" "$c" > "$T/said" 2>&1
	local client=$!
	wait_for test -e "$T/here"
	thole kill "$c" KILL
	dead() { [ "$(awk '{ print $3 }' "/proc/$(jq .processes.init.pid "$ROOT/$c/state.json")/stat")" = Z ]; }
	wait_for dead
	refused 1 "it is being checkpointed" timeout 10 "$THOLE" --root "$ROOT" pause "$c"
	echo > "$T/go"
	exits 1 wait "$client"
	equal "$(wc -l < "$T/said")" 1
	exits 137 timeout 10 "$THOLE" --root "$ROOT" wait "$c"
	equal "$(find "$IMG" -name '*.img' -o -name '.thole*')" ''
}
