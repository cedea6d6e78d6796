# SPDX-License-Identifier: Apache-2.0
# needs: root userns
# Containers of an ordinary user: everything here is called with a uid that has no privileges, and with ranges of further ids that only this test's mount namespace knows.
load lib

ME=54321

setup_test() {
	chmod 755 "$T"
	mkdir -m 700 "$T/xdg" "$T/home"
	mkdir "$T/bin"
	cp "$BIN/thole" "$BIN/thole-oci" "$BIN/thole-shim" "$T/bin/"
	ROOT=$T/xdg/thole
	LOGS=$T/home/.local/state/thole
	echo "$ME:600000:65536" > "$T/subids"
	echo "user$ME:x:$ME:$ME::$T/home:/bin/sh" > "$T/passwd"
	chown $ME:$ME "$T/xdg" "$T/home"
	bundle
	owned_rootfs $ME $ME
	chown $ME:$ME "$B"
	rm "$B/config.json"
	thole spec --rootless --bundle "$B"
	config '.process.terminal = false | .root.readonly = false'
}

# as_user CMD...: as that user, with the environment of a login
as_user() {
	# shellcheck disable=SC2016 # for the inner shell
	env -i PATH="$PATH" HOME="$T/home" XDG_RUNTIME_DIR="$T/xdg" D="$T" ${EXTRA_ENV:+"$EXTRA_ENV"} \
		CG="${CG:-}" unshare --mount sh -c '[ -z "$CG" ] || echo $$ > "$CG/cgroup.procs" || exit 1
			mount --bind "$D/subids" /etc/subuid && mount --bind "$D/subids" /etc/subgid && mount --bind "$D/passwd" /etc/passwd &&
			exec setpriv --reuid '"$ME"' --regid '"$ME"' --clear-groups "$@"' - "$@"
}

# A v2 group that is the user's, as a login manager gives him one, and a child group of it for his commands.
delegated_group() {
	V2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	DELEGATED=$V2/thole-rootless-$BATS_TEST_NUMBER-${T##*/}
	CG=$DELEGATED/commands
	has_cgroup-v1 || echo +pids > "$V2/cgroup.subtree_control"
	mkdir -p "$CG"
	chown $ME "$DELEGATED" "$DELEGATED"/cgroup.{procs,subtree_control,threads} "$CG" "$CG/cgroup.procs"
}

teardown_test() {
	[ -n "${DELEGATED:-}" ] || return 0
	if [ -d "$ROOT/$c" ]; then
		thole delete --force "$c"
	fi
	wait_for rmdir "$CG"
	rmdir "$DELEGATED"
}

# Instead of lib's: as the user, and where his state is by itself.
thole() { as_user "$T/bin/thole" "$@"; }

with_range() {
	config --argjson me $ME '
		.linux.uidMappings = [{ containerID: 0, hostID: $me, size: 1 }, { containerID: 1, hostID: 600000, size: 2000 }] |
		.linux.gidMappings = .linux.uidMappings'
}

# covers: linux.{uidMappings,gidMappings}, spec --rootless
@test "run: root inside, the user outside; the state and the log are where the user's are" {
	in_container sh -c 'id -u; id -g; echo to-log >&2; cat /proc/self/uid_map; cat /proc/self/setgroups; exit 7' > "$T/out" < /dev/null || equal $? 7
	equal "$(head -2 "$T/out" | xargs)" '0 0'
	equal "$(sed -n '3p' "$T/out" | xargs)" "0 $ME 1"
	equal "$(tail -1 "$T/out")" deny
	detached sh -c 'echo written; exec sleep 1000'
	[ -S "$ROOT/$c/control.sock" ]
	equal "$(stat -c %u:%a "$ROOT/$c")" $ME:700
	equal "$(awk '/^Uid:/ { print $2, $3 }' "/proc/$(init_of "$c")/status")" "$ME $ME"
	wait_for logged "$c" written
	[ -s "$LOGS/$c/ctr.log" ]
	thole delete --force "$c"
	not test -e "$LOGS/$c"
}

@test "create, start, state, list, exec, attach, logs, kill, wait, delete" {
	args sh -c 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 1; done'
	thole create --bundle "$B" "$c" < /dev/null
	is "$c" created
	thole start "$c"
	is "$c" running
	wait_for logged "$c" ready
	equal "$(thole list -q)" "$c"
	equal "$(thole exec "$c" sh -c 'id -u; readlink /proc/self/ns/user' | xargs)" \
		"0 $(readlink "/proc/$(init_of "$c")/ns/user")"
	exits 9 thole exec "$c" sh -c 'exit 9'
	equal "$(echo in | thole exec -i "$c" cat)" in
	in_background thole attach --no-stdin "$c" > "$T/attached"
	wait_for eval 'thole_state "$c" . > /dev/null && [ -e "$T/attached" ]'
	in_background thole wait "$c"
	local waiter=$!
	thole kill "$c" TERM
	exits 3 wait $waiter
	wait_for grep -q 'got it' "$T/attached"
	logged "$c" 'got it'
	thole delete "$c"
	wait_for nothing_left
}

@test "exec into it as somebody else; stdio and terminal are his" {
	with_range
	detached sleep 1000
	equal "$(thole exec --user 1000:1000 "$c" sh -c 'id -u; echo x > /dev/stdout' | xargs)" '1000 x'
	equal "$(awk '{ print $2 }' "/proc/$(init_of "$c")/uid_map" | xargs)" "$ME 600000"
	thole exec -d --user 1000 --pid-file "$T/home/pid" "$c" sleep 1000
	equal "$(awk '/^Uid:/ { print $2 }' "/proc/$(cat "$T/home/pid")/status")" 600999
}

@test "exec in a created container, whoever its user is: what waits there cannot be written, and leads nowhere" {
	local oci=("$T/bin/thole-oci" --root "$ROOT")
	with_range
	config '.process.user = { uid: 1000, gid: 1000 }'
	args sh -c 'id -u; exec sleep 1000'
	thole create --bundle "$B" "$c" < /dev/null
	equal "$(thole exec --user 0 "$c" sh -c 'readlink /proc/self/ns/user' < /dev/null)" "$(readlink "/proc/$(init_of "$c")/ns/user")"
	# With all that root of the namespace may do there.
	thole exec --user 0 --cap CAP_SYS_PTRACE --cap CAP_DAC_OVERRIDE "$c" sh -c 'readlink /proc/1/exe; echo x >> /proc/1/exe; cat /proc/1/exe | head -c 4 | tail -c 3;
		for f in /proc/1/fd/*; do readlink $f; done' < /dev/null > "$T/seen" 2> "$T/err"
	matches "$(head -1 "$T/seen")" 'memfd:thole-shim'
	matches "$(cat "$T/err")" 'Operation not permitted|Text file busy'
	# F_SEAL_SEAL, SHRINK, GROW, WRITE: nor when nobody runs it any more.
	equal "$(perl -e 'open my $f, "<", $ARGV[0] or die $!; print fcntl($f, 1034, 0) & 15' "/proc/$(init_of "$c")/exe")" 15
	not grep -vE '^(pipe:|socket:|anon_inode:|/$|/proc$|.*/dev/null$|/memfd:|ELF)' "$T/seen"
	is "$c" created
	thole start "$c"
	wait_for logged "$c" 1000
	thole delete --force "$c"
	as_user "${oci[@]}" create --bundle "$B" "$c" < /dev/null > "$T/out"
	equal "$(as_user "${oci[@]}" exec "$c" id -u < /dev/null)" 1000
	as_user "${oci[@]}" delete --force "$c"
}

@test "exec where the first process runs a program that nobody inside may read: refused, with the reason" {
	cp "$B/rootfs/bin/busybox" "$B/rootfs/sbin/sleep"
	chown 0:0 "$B/rootfs/sbin/sleep"
	chmod 711 "$B/rootfs/sbin/sleep"
	detached /sbin/sleep 1000
	refused 125 "^thole: cannot run a process in container '$c': only root may enter what its first process is in, which is not dumpable" thole exec "$c" true
}

@test "more ids by newuidmap and newgidmap: what /etc/subuid gives" {
	with_range
	config '.process.user = { uid: 1000, gid: 1000, additionalGids: [5] }'
	in_container sh -c 'id; cat /proc/self/setgroups; echo err > /dev/stderr' > "$T/out" 2> "$T/err" < /dev/null
	matches "$(cat "$T/out")" 'uid=1000.*gid=1000.*5'
	equal "$(tail -1 "$T/out")" allow
	equal "$(cat "$T/err")" err
	config '.linux.uidMappings[1].size = 100000'
	refused 125 'linux.uidMappings: newuidmap: ' thole run --bundle "$B" "$c"
	config '.linux.uidMappings[1].size = 2000 | .linux.gidMappings[1].hostID = 1'
	refused 125 'linux.gidMappings: newgidmap: ' thole run --bundle "$B" "$c"
	wait_for nothing_left
}

@test "mounts and devices: what a user namespace allows, the devices by bind" {
	mkdir "$T/data"
	echo content > "$T/data/file"
	config --arg d "$T/data" '.mounts += [{ destination: "/data", type: "bind", source: $d, options: ["bind", "ro"] },
		{ destination: "/t", type: "tmpfs", source: "t" }]'
	in_container sh -c 'cat /data/file; echo x > /dev/null; touch /t/a; ls -l /dev/null; touch /data/b 2>&1; ls /sys/class > /dev/null; stat -f -c %T /dev/pts' > "$T/out" < /dev/null
	equal "$(head -1 "$T/out")" content
	matches "$(cat "$T/out")" 'crw-rw-rw- .* 1, +3'
	contains "$(cat "$T/out")" 'Read-only'
	config '.mounts[2].options += ["gid=5"]'
	refused 125 '/dev/pts.*gid|gid.*/dev/pts' thole run --bundle "$B" "$c"
}

@test "a bind with mapped ids is what a user may not make, and not its source is blamed" {
	mkdir "$T/data"
	config --arg d "$T/data" '.mounts += [{ destination: "/data", type: "bind", source: $d, options: ["bind", "idmap"] }]'
	refused 125 "cannot mount $T/data at '/data': mapping its ids needs CAP_SYS_ADMIN" thole run --bundle "$B" "$c"
	config '.mounts[-1].options = ["bind"]'
	in_container true < /dev/null
}

@test "a quick run makes the user namespace by itself" {
	equal "$(thole run --rootfs "$B/rootfs" --name "$c" -- sh -c 'id -u; hostname; ls -d /sys/class/net/lo' | xargs)" "0 $c /sys/class/net/lo"
	equal "$(thole run --rootfs "$B/rootfs" --network host --name "$c" -- readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
	refused 125 'process.user.uid: 1000 is not in linux.uidMappings' thole run --rootfs "$B/rootfs" --user 1000 --name "$c" -- id
	thole run -d --rootfs "$B/rootfs" --name "$c" -- sleep 1000 < /dev/null > /dev/null
	equal "$(status "$c")" running
	thole delete --force "$c"
	not test -e "$LOGS/$c"
}

@test "process: hostname, rlimits, oomScoreAdj, no privileges that the user has not" {
	config '.hostname = "box" | .process.oomScoreAdj = 500 | .process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }]'
	in_container sh -c 'hostname; cat /proc/self/oom_score_adj; ulimit -n; ulimit -Hn' > "$T/out" < /dev/null
	equal "$(xargs < "$T/out")" 'box 500 100 200'
	detached sleep 1000
	equal "$(thole exec "$c" cat /proc/self/oom_score_adj < /dev/null)" 500 exec
	thole delete --force "$c"
	config '.process.oomScoreAdj = -900'
	refused 125 'process.oomScoreAdj: ' thole run --bundle "$B" "$c"
	config 'del(.process.oomScoreAdj) | .process.rlimits[0].hard = 999999999'
	refused 125 'process.rlimits: .*RLIMIT_NOFILE' thole run --bundle "$B" "$c"
	wait_for nothing_left
}

@test "terminal: a pty of its own" {
	config '.process.terminal = true'
	detached sh -c 'tty; exec sleep 1000'
	wait_for logged "$c" /dev/pts/0
}

@test "a config without a user namespace is refused, in one line" {
	config 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
	refused 125 'linux.namespaces: .*user namespace' thole run --bundle "$B" "$c"
	refused 1 'linux.namespaces: .*user namespace' thole create --bundle "$B" "$c"
	wait_for nothing_left
}

@test "where the user may make no cgroup there is none: limits are refused by name, and so is what needs one" {
	config '.linux.cgroupsPath = "/not-for-you"'
	config '.linux.resources = { pids: { limit: 10 } }'
	refused 125 'linux.resources.pids.limit: .*no cgroup' thole run --bundle "$B" "$c"
	config '.linux.resources = { memory: { limit: 10000000 }, devices: [{ allow: false, access: "rwm" }] }'
	refused 125 'linux.resources.memory.limit: .*no cgroup' thole run --bundle "$B" "$c"
	refused 125 'linux.resources.memory.limit: .*no cgroup' thole run --memory 10m --rootfs "$B/rootfs" --name "$c" true
	config 'del(.linux.resources.memory)'
	detached sleep 1000
	equal "$(thole_state "$c" '.container.cgroups | length')" 0
	refused 1 'no cgroup' thole pause "$c"
	refused 1 'no cgroup' thole update --memory 10m "$c"
	refused 1 'no cgroup' thole kill --all "$c" TERM
	refused 1 'no cgroup' thole ps "$c"
	refused 125 "cannot make cgroup" thole --rootless false run --bundle "$B" "${c}x"
	thole --debug create --bundle "$B" "${c}y" 2>&1 < /dev/null | grep -q 'no cgroup'
	thole delete "${c}y"
	thole kill "$c" KILL
	wait_for is "$c" stopped
	thole delete "$c"
}

@test "without XDG_RUNTIME_DIR there is no place for the state: said so; --root is one" {
	EXTRA_ENV=XDG_RUNTIME_DIR= refused 1 'XDG_RUNTIME_DIR' thole list
	EXTRA_ENV=XDG_RUNTIME_DIR= refused 125 'XDG_RUNTIME_DIR' thole run --rootfs "$B/rootfs" true
	EXTRA_ENV=XDG_RUNTIME_DIR= thole --root "$T/xdg/other" list -q
}

@test "without XDG_RUNTIME_DIR: what needs no state directory works, and every help is there" {
	export EXTRA_ENV=XDG_RUNTIME_DIR=
	mkdir "$T/spec"
	chown $ME "$T/spec"
	thole help > "$T/out"
	contains "$(thole help run)" '--rootfs'
	contains "$(thole run --help)" '--rootfs'
	contains "$(thole version)" "$(cat "$TREE/VERSION")"
	contains "$(thole check)" 'containers: without privileges'
	thole features | jq -e .ociVersionMax > "$T/out"
	thole spec --rootless --bundle "$T/spec"
	refused 1 "directory '/no/such'" thole checkpoints /no/such
	refused 1 "directory '/no/such'" thole checkpoint inspect /no/such
	refused 1 XDG_RUNTIME_DIR thole checkpoint --to "$T/xdg/set" "$c"
	refused 1 XDG_RUNTIME_DIR thole checkpoint --all --to "$T/xdg/set"
	refused 1 XDG_RUNTIME_DIR thole version --shims
	refused 1 XDG_RUNTIME_DIR thole state "$c"
	[ ! -e "$T/xdg/set" ]
}

@test "check says whether the caller may make control groups, not only that there are some" {
	needs cgroup-v1
	contains "$(thole check)" 'no   control groups: version 1, '
	has_hybrid || return 0
	delegated_group
	contains "$(thole check)" $'; this user may make them in unified\n'
}

@test "the shim is executed from a sealed copy in memory" {
	detached sleep 1000
	contains "$(readlink "/proc/$(shim_of "$c")/exe")" 'memfd:thole-shim'
	# F_GET_SEALS: it can neither be written nor change its size, and that stays so.
	equal "$(perl -e 'open F, "<", $ARGV[0] or die $!; print fcntl(F, 1034, 0) & 15' "/proc/$(shim_of "$c")/exe")" 15 seals
}

@test "the root of a user namespace has the state of the user that he is outside, unless he says he is root" {
	detached sleep 1000
	equal "$(as_user unshare -Ur "$T/bin/thole" list -q)" "$c"
	equal "$(as_user unshare -Ur "$T/bin/thole" state "$c" | jq -r .status)" running
	# Which of root's may be there, and is not his to read then.
	EXTRA_ENV=USER=root refused 1 "'/run/thole'|container '$c' does not exist" as_user unshare -Ur "$T/bin/thole" state "$c"
	EXTRA_ENV=XDG_RUNTIME_DIR= refused 1 "'/run/thole'|container '$c' does not exist" as_user unshare -Ur "$T/bin/thole" state "$c"
	thole delete --force "$c"
}

# covers: thole --rootless
@test "--rootless takes runc's words, and no others" {
	local word
	for word in true false auto 1 0 T False ''; do
		thole --rootless "$word" list -q
	done
	refused 1 'rootless' thole --rootless maybe list
}

@test "a delegated v2 group: the container's is beside the caller's, and pause, ps and kill --all work" {
	needs cgroup2
	delegated_group
	detached sh -c 'sleep 1000 & sleep 1000 & wait'
	equal "$(thole_state "$c" '.container.cgroups[].path')" "$DELEGATED/thole-$c"
	equal "$(sed -n 's/^0:://p' "/proc/$(init_of "$c")/cgroup")" "${DELEGATED#"$V2"}/thole-$c"
	equal "$(thole exec "$c" cat /proc/self/cgroup | sed -n 's/^0:://p')" /
	wait_for eval '[ "$(thole ps --format json "$c" | jq length)" = 3 ]'
	thole pause "$c"
	is "$c" paused
	thole resume "$c"
	is "$c" running
	thole kill --all "$c" KILL
	wait_for is "$c" stopped
	thole delete "$c"
	not test -e "$DELEGATED/thole-$c"
}

# covers: linux.resources.pids.limit, update --pids-limit
@test "a delegated v2 group: limits of the controllers that come with it" {
	needs cgroup-v2
	delegated_group
	config '.linux.resources = { pids: { limit: 17 }, devices: [{ allow: false, access: "rwm" }] }'
	detached sleep 1000
	equal "$(cat "$DELEGATED/thole-$c/pids.max")" 17
	thole update --pids-limit 18 "$c"
	equal "$(cat "$DELEGATED/thole-$c/pids.max")" 18
	equal "$(thole stats --no-stream --format json "$c" | jq -r '"\(.id) \(.pids)"')" "$c 1"
	# Of what no controller counts nothing is said.
	[ -e "$DELEGATED/thole-$c/memory.current" ] || equal "$(thole stats --no-stream --format json "$c" | jq 'has("memoryBytes")')" false
	config '.linux.resources.memory.limit = 10000000'
	thole delete --force "$c"
}

@test "upgrade: the shim is exchanged, with a keeper and who waits" {
	local pid shim waiter
	cp "$BIN/thole-keeper" "$T/bin/"
	args sh -c 'while [ ! -e /tmp/stop ]; do echo tick; usleep 10000; done; exit 5'
	thole run -d --keeper --bundle "$B" "$c" < /dev/null
	pid=$(init_of "$c") shim=$(shim_of "$c")
	in_background as_user "$T/bin/thole" wait "$c"
	waiter=$!
	connected() { [ "$(ls -l "/proc/$shim/fd" | grep -c socket:)" -ge 3 ]; }
	wait_for connected
	thole upgrade "$c"
	thole upgrade --all
	equal "$(init_of "$c") $(shim_of "$c") $(shims)" "$pid $shim $shim"
	equal "$(thole exec "$c" echo served < /dev/null)" served
	touch "$B/rootfs/tmp/stop"
	exits 5 wait $waiter
}

@test "recover: a pipe that init does not hold is found, without a group that says who is in the container" {
	touch "$B/rootfs/tmp/wait"
	chown $ME "$B/rootfs/tmp/wait"
	args sh -c '(while [ -e /tmp/wait ]; do usleep 10000; done; echo from a child) & exec > /dev/null; touch /tmp/redirected; wait'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for test -e "$B/rootfs/tmp/redirected"
	kill -KILL "$(shim_of "$c")"
	wait_for shim_is lost
	thole recover "$c"
	rm "$B/rootfs/tmp/wait"
	wait_for logged "$c" 'from a child'
}

@test "checkpoint: what it needs is said, and the container runs on" {
	delegated_group
	detached sleep 1000
	refused 1 "CRIU needs root's privileges" thole --criu /bin/false checkpoint --image-path "$T/home/img" "$c"
	[ ! -e "$T/home/img" ]
	is "$c" running
}

@test "restore: what it needs is said, and nothing is left" {
	needs cgroup criu
	make_criu
	local root=$T/root img=$T/home/img
	bundle roots
	args sleep 1000
	"$THOLE" --root "$root" run -d --log-driver none --bundle "$B" "x$c" < /dev/null
	"$THOLE" --root "$root" --criu "$BUILD/criu/bin/criu" checkpoint --image-path "$img" "x$c"
	chown -R $ME:$ME "$img"
	B=$T/b
	refused 125 "CRIU needs root's privileges" thole --criu "$BUILD/criu/bin/criu" restore -d --bundle "$B" --image-path "$img" "$c"
	[ ! -d "$ROOT/$c" ]
}
