# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# --monitor=foreign, which is how thole-oci works: whoever called is the parent of what was started, and no shim stays.
load lib

setup_test() { bundle; }

oci() { "$THOLE_OCI" --root "$ROOT" "$@"; }

# reaper CMD...: below a subreaper in the background, as a manager's monitor is. It says what it reaps in $T/reaped. Sets REAPER.
reaper() {
	in_background "$PROBES/reaper" "$@" > "$T/reaped"
	REAPER=$!
}
reaped() { grep -q "^$1\$" "$T/reaped"; } # REGEX of a line

parent_of() { awk '/^PPid/ { print $2 }' "/proc/$1/status"; }

is_zombie() { [ "$(awk '{ print $3 }' "/proc/$1/stat")" = Z ]; }

# covers: create --pid-file, create --monitor
@test "create leaves init to the caller's subreaper, and no shim" {
	args sh -c 'exit 7'
	reaper "$THOLE_OCI" --root "$ROOT" create --bundle "$B" --pid-file "$T/pid" "$c" < /dev/null
	wait_for reaped 'command 0'
	local pid
	pid=$(cat "$T/pid")
	is "$c" created
	equal "$(init_of "$c")" "$pid"
	equal "$(parent_of "$pid")" "$REAPER"
	no_shims
	equal "$(thole state "$c" | jq -r .thole.shim)" foreign
	equal "$(thole_state "$c" .processes.init.owner)" foreign
	oci start "$c"
	wait_for reaped "orphan $pid 7"
	wait_for is "$c" stopped
	no_shims
	oci delete "$c"
	nothing_left
}

@test "a program that execve refuses: the start succeeds, the process says so itself and ends with 1, as with runc" {
	printf 'neither ELF nor a script\n' > "$B/rootfs/bin/odd"
	chmod 755 "$B/rootfs/bin/odd"
	args /bin/odd
	exits 1 oci run --bundle "$B" "$c" < /dev/null 2> "$T/err"
	equal "$(grep -c 'exec /bin/odd: exec format error' "$T/err")" 1
	oci create --bundle "$B" "$c" < /dev/null > "$T/out" 2>&1
	oci start "$c"
	wait_for is "$c" stopped
	contains "$(cat "$T/out")" 'exec format error'
	oci delete "$c"
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/out" 2>&1
	exits 1 oci exec "$c" /bin/odd < /dev/null 2> "$T/err"
	equal "$(grep -c 'exec /bin/odd: exec format error' "$T/err")" 1
	# What can be seen before is told before.
	exits 255 oci exec "$c" /bin/none < /dev/null 2> "$T/err"
	oci delete --force "$c"
}

@test "init belongs to the monitor already when create returns" {
	local n
	args sleep 1000
	# shellcheck disable=SC2016 # for the inner shell
	for n in 1 2 3 4 5; do
		"$PROBES/reaper" sh -c '"$0" --root "$1" create --bundle "$2" --pid-file "$3" "$4" && awk "/^PPid/ { print \$2 }" "/proc/$(cat "$3")/status"
			echo $PPID; "$0" --root "$1" delete "$4"' "$THOLE_OCI" "$ROOT" "$B" "$T/pid" "$c" < /dev/null > "$T/out"
		equal "$(sed -n 1p "$T/out")" "$(sed -n 2p "$T/out")" "parent of init, round $n ($(cat "$T/out"))"
	done
}

@test "run -d and its program's end before anybody looks: a zombie for the monitor, and stopped for everybody else" {
	args sh -c 'exit 9'
	reaper -k "$THOLE_OCI" --root "$ROOT" run -d --bundle "$B" --pid-file "$T/pid" "$c" < /dev/null
	wait_for reaped 'command 0'
	local pid
	pid=$(cat "$T/pid")
	wait_for is_zombie "$pid"
	is "$c" stopped
	matches "$(oci list)" "$c +0 +stopped "
	refused 1 stopped oci kill "$c" TERM
	refused 255 stopped oci exec "$c" true
	refused 1 stopped oci start "$c"
	# Who asks before it is reaped hears the truth.
	exits 9 thole wait "$c"
	is_zombie "$pid"
	oci delete "$c"
	is_zombie "$pid"
	kill -USR1 $REAPER
	wait_for reaped "orphan $pid 9"
	wait_for nothing_left
}

@test "nobody else holds the caller's descriptors: end of file comes with the container's end" {
	args sh -c 'echo out; echo err >&2; read line; echo "got $line"; read line || echo eof'
	echo text | timeout 20 "$THOLE_OCI" --root "$ROOT" run -d --bundle "$B" "$c" 2>&1 | timeout 20 cat > "$T/out"
	equal "$(cat "$T/out")" $'out\nerr\ngot text\neof'
	wait_for is "$c" stopped
	oci delete "$c"
}

@test "the caller's files are the process's own, whose user may open them again; /dev/null is the container's" {
	config '.process.user = { uid: 1000, gid: 1000 }'
	args sh -c 'out=$(readlink /proc/$$/fd/1); echo "$out" >&2; echo again > /dev/stdout; stat -L -c %d /proc/self/fd/0 /dev/null'
	timeout 20 "$THOLE_OCI" --root "$ROOT" run --bundle "$B" "$c" < /dev/null 2> "$T/err" | cat > "$T/out"
	matches "$(cat "$T/err")" '^pipe:'
	equal "$(sed -n 1p "$T/out")" again
	equal "$(sed -n 2p "$T/out")" "$(sed -n 3p "$T/out")" 'device of fd 0 and of /dev/null'
	not grep -q "^$(stat -c %d /dev/null)\$" "$T/out"
}

@test "run in the foreground: status, streams, signals; removed at the end, and nobody stays" {
	args sh -c 'cat; exit 6'
	exits 6 oci run --bundle "$B" "$c" <<< hello > "$T/out"
	equal "$(cat "$T/out")" hello
	nothing_left
	args /usr/bin/signals 4
	in_background "$THOLE_OCI" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out"
	local run=$!
	wait_for grep -q ready "$T/out"
	equal "$(shims | wc -l)" 1
	kill -USR1 $run
	wait_for grep -q 'got 10 USR1' "$T/out"
	kill -TERM $run
	exits 4 wait $run
	wait_for nothing_left
	args /no/such
	refused 1 'exec /no/such' oci run --bundle "$B" "$c"
	wait_for nothing_left
}

@test "run --keep in the foreground leaves a stopped container with its status, and no shim" {
	args sh -c 'exit 5'
	exits 5 oci run --keep --bundle "$B" "$c" < /dev/null
	wait_for no_shims
	is "$c" stopped
	exits 5 thole wait "$c"
	oci delete "$c"
	nothing_left
}

@test "while run waits in the foreground others are served by its launcher" {
	args sleep 1000
	in_background "$THOLE_OCI" --root "$ROOT" run --bundle "$B" "$c" < /dev/null
	local run=$! launcher
	wait_for is "$c" running
	launcher=$(shims)
	oci pause "$c"
	is "$c" paused
	oci resume "$c"
	equal "$(oci ps --format json "$c" | jq length)" 1
	equal "$(shims)" "$launcher"
	oci kill "$c" KILL
	exits 137 wait $run
}

@test "a terminal: relayed in the foreground, given to the console socket else, refused when nobody would take it" {
	config '.process.terminal = true'
	args sh -c 'tty; echo size $(stty size); exit 3'
	exits 3 "$PROBES/pty" -s 33x44 "$THOLE_OCI" --root "$ROOT" run --bundle "$B" "$c" > "$T/out" <<< end
	contains "$(tr -d '\r' < "$T/out")" $'/dev/pts/0\nsize 33 44'
	refused 1 'terminal.*console-socket' oci create --bundle "$B" "$c"
	refused 1 'terminal.*console-socket' oci run -d --bundle "$B" "$c"
	nothing_left
	in_background "$PROBES/console" "$T/console.sock" "$T/ready" > "$T/console.out"
	wait_for test -e "$T/ready"
	oci create --bundle "$B" --console-socket "$T/console.sock" "$c" < /dev/null
	no_shims
	equal "$(thole_state "$c" .processes.init.streams.stdout)" tty
	oci start "$c"
	wait_for grep -q 'size' "$T/console.out"
	wait_for is "$c" stopped
	oci delete "$c"
}

# covers: exec --monitor
@test "exec -d is the child of its own caller's subreaper, whoever started the container" {
	local how pid
	args sleep 1000
	for how in oci thole; do
		$how run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
		reaper -k "$THOLE_OCI" --root "$ROOT" exec -d --pid-file "$T/pid" "$c" sh -c 'echo from exec; exit 8' < /dev/null
		wait_for reaped 'command 0'
		pid=$(cat "$T/pid")
		equal "$(parent_of "$pid")" "$REAPER"
		wait_for is_zombie "$pid"
		wait_for grep -q 'from exec' "$T/reaped"
		kill -USR1 $REAPER
		wait_for reaped "orphan $pid 8"
		equal "$(grep -c orphan "$T/reaped")" 1 'orphans of one exec'
		oci delete --force "$c"
	done
}

@test "exec in the foreground: streams and status; 255 when it fails; nothing is left of it" {
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	exits 4 oci exec "$c" sh -c 'cat; echo err >&2; exit 4' <<< in > "$T/out" 2> "$T/err"
	equal "$(cat "$T/out")" in
	equal "$(cat "$T/err")" err
	exits 143 oci exec "$c" sh -c 'kill -15 $$' < /dev/null
	refused 255 'exec /no/such' oci exec "$c" /no/such
	refused 255 'exec /no/such' oci exec -d "$c" /no/such
	no_shims
	equal "$(oci ps --format json "$c" | jq length)" 1
	equal "$("$PROBES/pty" "$THOLE_OCI" --root "$ROOT" exec -t "$c" tty <<< end | tr -d '\r')" /dev/pts/0
	refused 255 'terminal.*console-socket' oci exec -d -t "$c" true
	in_background "$PROBES/console" "$T/console.sock" "$T/ready" > "$T/console.out"
	wait_for test -e "$T/ready"
	oci exec -d -t --console-socket "$T/console.sock" "$c" sh -c 'tty; sleep 0.1' < /dev/null
	wait_for grep -q /dev/pts/ "$T/console.out"
	oci pause "$c"
	refused 255 paused oci exec "$c" true
	oci delete --force "$c"
}

@test "exec in a container that is created; its process file; user and environment" {
	args sleep 1000
	oci create --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	equal "$(oci exec -u 1000:1000 -e A=b "$c" sh -c 'id -u; echo $A' < /dev/null | xargs)" '1000 b'
	jq '.process | .args = ["sh", "-c", "echo $0; exit 2"] | .cwd = "/tmp"' < "$B/config.json" > "$T/process.json"
	exits 2 oci exec --process "$T/process.json" "$c" < /dev/null > "$T/out"
	is "$c" created
	oci delete "$c"
}

@test "state.json knows what was exec'd as long as it runs" {
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	oci exec -d --pid-file "$T/pid" "$c" sleep 1000 < /dev/null > "$T/run.out" 2>&1
	equal "$(thole_state "$c" '.processes["1"] | "\(.pid) \(.owner) \(.streams.stdin) \(.streams.stdout)"')" \
		"$(cat "$T/pid") foreign /dev/null $T/run.out"
	oci exec "$c" true < /dev/null
	equal "$(thole_state "$c" '.processes | keys | join(" ")')" '1 2 init'
	# The init of a pid namespace ends only when all of it has been reaped, by a PID 1 that may be slow.
	oci kill --all "$c" KILL
	wait_for is "$c" stopped
	oci delete "$c"
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	oci exec "$c" true < /dev/null
	oci exec "$c" true < /dev/null
	equal "$(thole_state "$c" '.processes | keys | join(" ")')" '2 init'
	oci delete --force "$c"
}

@test "a process whose pid file cannot be written is ended, and so is a container" {
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	refused 255 'pid file' oci exec -d --pid-file /no/such/dir/pid "$c" sleep 1000
	alone() { [ "$(oci ps --format json "$c" | jq length)" = 1 ]; }
	wait_for alone
	oci delete --force "$c"
	refused 1 'pid file' oci create --pid-file /no/such/dir/pid --bundle "$B" "$c"
	wait_for nothing_left
}

@test "a client that is killed in exec ends the launcher, and leaves the process to its subreaper" {
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	# shellcheck disable=SC2016 # for the inner shell
	reaper sh -c '"$0" --root "$1" exec "$2" sh -c "echo up; while [ ! -e /tmp/go ]; do usleep 10000; done; exit 6" & echo "client $!"; wait' \
		"$THOLE_OCI" "$ROOT" "$c" < /dev/null
	wait_for grep -q up "$T/reaped"
	kill -KILL "$(sed -n 's/^client //p' "$T/reaped")"
	wait_for no_shims
	touch "$B/rootfs/tmp/go"
	wait_for reaped 'orphan [0-9]* 6'
	oci delete --force "$c"
}

@test "every other command is served, and nobody stays" {
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	oci pause "$c"
	is "$c" paused
	oci resume "$c"
	is "$c" running
	oci update --pids-limit 77 "$c"
	equal "$(cat "$(cgroup_of "$c" pids)/pids.max")" 77
	equal "$(oci ps --format json "$c" | jq length)" 1
	equal "$(oci events --stats "$c" | jq -r .id)" "$c"
	matches "$(thole stats --no-stream "$c")" "$c"
	refused 1 'no shim' thole attach "$c"
	oci kill "$c" KILL
	is "$c" stopped
	wait_for no_shims
	refused 1 'stopped' oci kill "$c" KILL
	oci delete "$c"
	nothing_left
}

@test "delete of one that runs is refused, --force ends it; of one that is not there too" {
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	refused 1 running oci delete "$c"
	is "$c" running
	oci delete --force "$c"
	nothing_left
	refused 1 'does not exist' oci delete "$c"
	oci delete --force "$c"
}

@test "a second create of the id is refused, and the first goes on" {
	args sleep 1000
	oci create --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	refused 1 exists oci create --bundle "$B" "$c"
	is "$c" created
	oci start "$c"
	is "$c" running
	refused 1 running oci start "$c"
	oci delete --force "$c"
}

@test "hooks: poststart with start, poststop with delete, without a shim in between" {
	local h
	for h in poststart poststop; do
		printf '#!/bin/sh\n/usr/bin/jq -r .status > %s/%s\n' "$T" $h > "$T/$h.sh"
		chmod +x "$T/$h.sh"
	done
	config --arg t "$T" '.hooks = { poststart: [{ path: ($t + "/poststart.sh") }], poststop: [{ path: ($t + "/poststop.sh") }] }'
	args sleep 1000
	oci create --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	not test -e "$T/poststart"
	oci start "$c"
	equal "$(cat "$T/poststart")" running
	wait_for no_shims
	oci kill "$c" KILL
	not test -e "$T/poststop"
	oci delete "$c"
	equal "$(cat "$T/poststop")" stopped
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	equal "$(cat "$T/poststart")" running
	oci delete --force "$c"
}

# covers: {run,exec} --preserve-fds
@test "--preserve-fds: many of them, up to a limit that is named" {
	local many='n=3; while [ $n -lt $(($1 + 3)) ]; do eval "exec $n< /dev/null"; n=$((n + 1)); done; shift; exec "$@"'
	args sh -c 'ls /proc/self/fd | wc -l; sleep 1000'
	bash -c "$many" bash 240 "$THOLE_OCI" --root "$ROOT" run -d --preserve-fds 240 --bundle "$B" "$c" < /dev/null > "$T/out"
	# With 0, 1, 2 and that of the directory.
	wait_for grep -qx 244 "$T/out"
	equal "$(bash -c "$many" bash 240 "$THOLE_OCI" --root "$ROOT" exec --preserve-fds 240 "$c" sh -c 'ls /proc/self/fd | wc -l' < /dev/null)" 244
	equal "$(bash -c "$many" bash 100 "$THOLE" --root "$ROOT" exec --preserve-fds 61 "$c" sh -c 'ls /proc/self/fd | wc -l' < /dev/null)" 65
	refused 255 '--preserve-fds 241: no more than 240 descriptors' bash -c "$many" bash 241 "$THOLE_OCI" --root "$ROOT" exec --preserve-fds 241 "$c" true
}

@test "--preserve-fds and LISTEN_FDS, in runc's order" {
	args sh -c 'echo "$LISTEN_FDS $LISTEN_PID"; cat <&3; cat <&4'
	echo three > "$T/three"
	echo four > "$T/four"
	equal "$(oci run --preserve-fds 2 --bundle "$B" "$c" < /dev/null 3< "$T/three" 4< "$T/four" | xargs)" 'three four'
	# shellcheck disable=SC2016 # for the inner shell
	equal "$(sh -c 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"' sh "$THOLE_OCI" --root "$ROOT" run --preserve-fds 1 --bundle "$B" "$c" \
		< /dev/null 3< "$T/three" 4< "$T/four" | xargs)" '1 1 three four'
	# Meant for another process.
	equal "$(LISTEN_FDS=1 LISTEN_PID=1 oci run --preserve-fds 1 --bundle "$B" "$c" < /dev/null 3< "$T/three" 4>&- 2> /dev/null | xargs)" three
	refused 1 'preserve-fds' oci run --preserve-fds 9 --bundle "$B" "$c"
}

# covers: create --pidfd-socket, exec --pidfd-socket
@test "--pidfd-socket: a pidfd of the new process, named as runc names it" {
	args sleep 1000
	in_background "$PROBES/console" "$T/pidfd.sock" "$T/ready" > "$T/pidfd.out"
	wait_for test -e "$T/ready"
	oci create --bundle "$B" --pidfd-socket "$T/pidfd.sock" --pid-file "$T/pid" "$c" < /dev/null > "$T/run.out" 2>&1
	wait_for grep -q pid= "$T/pidfd.out"
	equal "$(cat "$T/pidfd.out")" "fds=1 name=standard"$'\n'"pid=$(cat "$T/pid")"
	local how
	for how in oci thole; do
		rm -f "$T/pidfd.sock" "$T/ready"
		in_background "$PROBES/console" "$T/pidfd.sock" "$T/ready" > "$T/pidfd.out"
		wait_for test -e "$T/ready"
		$how exec -d --pidfd-socket "$T/pidfd.sock" --pid-file "$T/pid" "$c" sleep 1000 < /dev/null > "$T/run.out" 2>&1
		wait_for grep -q pid= "$T/pidfd.out"
		equal "$(cat "$T/pidfd.out")" "fds=1 name=setns"$'\n'"pid=$(cat "$T/pid")"
	done
	refused 255 'pidfd socket' oci exec --pidfd-socket /no/such/socket "$c" true
	oci delete --force "$c"
	refused 1 'pidfd socket' oci create --pidfd-socket /no/such/socket --bundle "$B" "$c"
	nothing_left
}

# covers: exec --cgroup
@test "exec --cgroup: a group below the container's, of all controllers or of some" {
	needs cgroup-v1
	local pids memory how
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	pids=$(cgroup_of "$c" pids) memory=$(cgroup_of "$c" memory)
	mkdir "$pids/sub" "$memory/sub" "$memory/other"
	inside() { oci exec "$@" "$c" cat /proc/self/cgroup < /dev/null; } # the container's view: its group is the root
	equal "$(inside --cgroup sub | grep -c ':/sub$')" 2
	equal "$(inside --cgroup pids:sub | sed -n 's/.*:\(.*\):\/sub$/\1/p')" pids
	equal "$(inside --cgroup pids:sub --cgroup memory:other | grep -cE ':/(sub|other)$')" 2
	equal "$(thole exec --cgroup memory:other "$c" grep -c ':/other$' /proc/self/cgroup < /dev/null)" 1
	equal "$(inside | grep -cE ':/(sub|other)$' || true)" 0
	for how in oci thole; do
		local s=255
		[ $how = oci ] || s=125
		refused $s "cgroup.*'../x' is not below" $how exec --cgroup ../x "$c" true
		refused $s "no cgroup 'none'" $how exec --cgroup none "$c" true
		refused $s "no cgroup 'none'" $how exec --cgroup pids:none "$c" true
		refused $s "no controller 'nonsense'" $how exec --cgroup nonsense:sub "$c" true
		refused $s "twice" $how exec --cgroup pids:sub --cgroup pids:sub "$c" true
		refused $s "needs a controller" $how exec --cgroup sub --cgroup pids:sub "$c" true
		refused $s "empty controller" $how exec --cgroup :sub "$c" true
		refused $s "not 'a:b:c'" $how exec --cgroup a:b:c "$c" true
	done
	equal "$(oci ps --format json "$c" | jq length)" 1
	oci delete --force "$c"
}

@test "the launcher stays in its caller's groups" {
	args sleep 1000
	in_background "$THOLE_OCI" --root "$ROOT" run --bundle "$B" "$c" < /dev/null
	wait_for is "$c" running
	equal "$(cat "/proc/$(shims)/cgroup")" "$(cat /proc/self/cgroup)"
	oci kill "$c" KILL
	exits 137 wait $!
}

@test "what needs somebody who stays is refused by name; --monitor and --stdio are words of a list" {
	args true
	refused 1 'log-driver.*monitor' oci create --log-driver raw --bundle "$B" "$c"
	refused 1 'log-opt.*monitor' oci create --log-opt max-size=1m --bundle "$B" "$c"
	refused 1 'log-path.*monitor' oci create --log-path "$T/x" --bundle "$B" "$c"
	refused 1 'rm.*monitor' oci run -d --rm --bundle "$B" "$c"
	refused 1 'stdio=log.*monitor' oci create --stdio=log --bundle "$B" "$c"
	refused 125 'log-driver.*monitor' thole run -d --monitor=foreign --log-driver raw --bundle "$B" "$c"
	refused 255 'print-name.*monitor' oci exec -d --print-name "$c" true
	refused 1 'shim\|foreign' oci create --monitor=both --bundle "$B" "$c"
	refused 1 'shim\|foreign' oci exec --monitor=both "$c" true
	nothing_left
}

# covers: run --monitor
@test "thole with --monitor=foreign, and thole-oci with --monitor=shim" {
	args sh -c 'echo hello; sleep 1000'
	thole run -d --monitor=foreign --bundle "$B" "$c" < /dev/null > "$T/out"
	wait_for grep -q hello "$T/out"
	no_shims
	refused 1 'keeps no log' thole logs "$c"
	thole delete --force "$c"
	oci run -d --monitor=shim --bundle "$B" "$c" < /dev/null > "$T/out"
	wait_for grep -q hello "$T/out"
	equal "$(shims | wc -l)" 1
	equal "$(thole_state "$c" .processes.init.owner)" shim
	thole delete --force "$c"
}

@test "the host's null device stays the host's, whoever is given it as a stream in a user namespace" {
	local before
	before=$(stat -c '%u %g %Z' /dev/null)
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	owned_rootfs 100000 100000
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	oci exec "$c" true < /dev/null
	equal "$(stat -c '%u %g %Z' /dev/null)" "$before"
	thole delete --force "$c"
}

@test "exec while a shim serves somebody else: it has a launcher all the same" {
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	in_background "$THOLE" --root "$ROOT" events "$c" > "$T/events"
	wait_for eval '[ "$(shims | wc -l)" = 1 ]'
	equal "$(thole exec "$c" echo in)" in
	equal "$(oci exec "$c" echo in)" in
	refused 1 'no shim|without a shim|foreign|caller' thole attach "$c"
	thole delete --force "$c"
}

@test "a create that fails leaves nothing, and no zombie of its own to the monitor" {
	args true
	config '.hooks = { createRuntime: [{ path: "/bin/false" }] }'
	reaper "$THOLE_OCI" --root "$ROOT" create --bundle "$B" "$c" < /dev/null 2> "$T/err"
	wait_for reaped 'command 1'
	wait_for pid_gone $REAPER
	contains "$(cat "$T/err")" createRuntime
	nothing_left
}

@test "many commands at once on a container without a shim: each is served" {
	local i callers=()
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	for ((i = 0; i < 30; i++)); do
		in_background "$THOLE_OCI" --root "$ROOT" ps --format json "$c" > "$T/ps.$i" 2>&1
		callers+=($!)
	done
	for i in "${callers[@]}"; do
		wait "$i" || fail "$(cat "$T"/ps.*)"
	done
	equal "$(cat "$T"/ps.* | jq -s 'map(length) | unique' -c)" '[1]'
	wait_for no_shims
	oci delete --force "$c"
}

@test "many launchers at once: every status arrives, nothing stays" {
	local i callers=()
	args sh -c 'exit 3'
	for ((i = 0; i < 20; i++)); do
		in_background "$THOLE_OCI" --root "$ROOT" run --bundle "$B" "$c-$i" < /dev/null > "$T/run.$i" 2>&1
		callers+=($!)
	done
	for i in "${callers[@]}"; do
		exits 3 wait "$i" || fail "$(cat "$T"/run.*)"
	done
	wait_for nothing_left
	args sleep 1000
	oci run -d --bundle "$B" "$c" < /dev/null > "$T/run.out" 2>&1
	callers=()
	for ((i = 0; i < 20; i++)); do
		in_background "$THOLE_OCI" --root "$ROOT" exec "$c" sh -c "exit $i" < /dev/null > "$T/exec.$i" 2>&1
		callers+=($!)
	done
	for ((i = 0; i < 20; i++)); do
		exits $i wait "${callers[$i]}" || fail "$(cat "$T/exec.$i")"
	done
	equal "$(oci ps --format json "$c" | jq length)" 1
	oci delete --force "$c"
}
