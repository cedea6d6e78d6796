# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# create, start, state, list, kill, delete: the states of a container and what each command says in each.
load lib

setup_test() {
	bundle
	args "/usr/bin/signals" 9
}

created() {
	thole create --bundle "$B" --pid-file "$T/pid" "$c" < /dev/null
}

started() {
	created
	thole start "$c"
	wait_for logged "$c" ready
}

# covers: create, create --bundle, start, delete
@test "create leaves a container that waits, start runs it, its end makes it stopped, delete removes it" {
	created
	is "$c" created
	equal "$(thole logs "$c")" ''
	thole start "$c"
	is "$c" running
	wait_for logged "$c" ready
	thole kill "$c" TERM
	exits 9 thole wait "$c"
	is "$c" stopped
	thole delete "$c"
	nothing_left || wait_for nothing_left
}

@test "the pid file holds the pid that state says, alone, without a newline" {
	created
	local pid
	pid=$(init_of "$c")
	equal "$(cat "$T/pid")" "$pid"
	equal "$(wc -c < "$T/pid")" "${#pid}"
	[ -d "/proc/$pid" ]
	thole delete --force "$c"
	pid_gone "$pid"
}

# covers: state
@test "state is the OCI state, as JSON" {
	config '.annotations = { "org.example.key": "a \"quoted\" value" }'
	created
	thole state "$c" > "$T/state.json"
	equal "$(jq -r .id "$T/state.json")" "$c"
	equal "$(jq -r .status "$T/state.json")" created
	equal "$(jq -r .bundle "$T/state.json")" "$B"
	equal "$(jq -r .pid "$T/state.json")" "$(cat "$T/pid")"
	matches "$(jq -r .ociVersion "$T/state.json")" '^1\.[0-9]+\.[0-9]+'
	equal "$(jq -r '.annotations["org.example.key"]' "$T/state.json")" 'a "quoted" value'
	matches "$(jq -r .created "$T/state.json")" '^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T.*Z$'
	equal "$(jq -r .rootfs "$T/state.json")" "$B/rootfs"
	equal "$(jq -r .owner "$T/state.json")" root
}

@test "state of a stopped container has pid 0" {
	started
	thole kill "$c" KILL
	wait_for is "$c" stopped
	equal "$(thole state "$c" | jq .pid)" 0
}

# covers: list, list --format, list --quiet
@test "list: columns, JSON and ids" {
	equal "$(thole list -q)" ''
	thole list > "$T/list"
	equal "$(tr -s ' ' < "$T/list" | sed 's/ $//')" 'ID PID STATUS BUNDLE CREATED OWNER SHIM VERSION'
	config '.ociVersion = "1.0.2-dev"'
	created
	thole list > "$T/list"
	equal "$(wc -l < "$T/list")" 2
	matches "$(tail -1 "$T/list")" "^$c +$(cat "$T/pid") +created +$B +20.*Z +root +alive +$(cat "$TREE/VERSION") *\$"
	equal "$(thole list -q)" "$c"
	equal "$(thole list --quiet)" "$c"
	thole list --format json > "$T/list.json"
	equal "$(jq length "$T/list.json")" 1
	equal "$(jq -r '.[0] | "\(.id) \(.pid) \(.status) \(.bundle) \(.owner)"' "$T/list.json")" "$c $(cat "$T/pid") created $B root"
	equal "$(thole list -f json)" "$(cat "$T/list.json")"
	equal "$(jq -r '.[0].ociVersion' "$T/list.json") $(thole state "$c" | jq -r .ociVersion)" '1.0.2-dev 1.0.2-dev'
}

@test "list of many, in the order of their names" {
	local i
	for i in 3 1 2; do
		thole create --bundle "$B" "$c-$i" < /dev/null
	done
	equal "$(thole list -q | tr '\n' ' ')" "$c-1 $c-2 $c-3 "
}

# covers: kill
@test "kill takes a signal's name, with or without SIG, in any case, and its number" {
	started
	local s n=0
	# One after the other: of two that are pending one remains.
	for s in USR1 SIGUSR1 sigusr1 10; do
		thole kill "$c" $s
		n=$((n + 1))
		wait_for got $n 'got 10 USR1'
	done
	thole kill "$c" RTMIN+1
	wait_for got 1 'got 35 RT'
	thole kill "$c" HUP
	wait_for got 1 'got 1 HUP'
	refused 1 'NOSUCH' thole kill "$c" NOSUCH
	thole kill "$c" 0 # reaches nobody, and says that there is somebody
	refused 1 '999' thole kill "$c" 999
	refused 1 "'-5'|-5" thole kill "$c" -- -5
	thole kill "$c" # TERM is what it sends when none is named
	exits 9 thole wait "$c"
}

got() { # N TEXT: has it been logged as often?
	[ "$(thole logs "$c" | grep -cF "$2")" -ge "$1" ]
}

# covers: kill --all
@test "kill --all reaches every process of the container" {
	args sh -c 'signals 0 > /tmp/a & signals 0 > /tmp/b & echo up; trap "" USR1; wait; wait'
	detached sh -c 'signals 0 > /root/a & signals 0 > /root/b & trap : USR1; while :; do wait; done'
	wait_for grep -q ready "$B/rootfs/root/a"
	wait_for grep -q ready "$B/rootfs/root/b"
	thole kill --all "$c" USR1
	wait_for grep -q 'got 10' "$B/rootfs/root/a"
	wait_for grep -q 'got 10' "$B/rootfs/root/b"
	is "$c" running
}

@test "kill of a stopped container is an error, of a missing one too" {
	started
	thole kill "$c" KILL
	wait_for is "$c" stopped
	refused 1 "$c|not running|stopped" thole kill "$c" TERM
	refused 1 'does not exist' thole kill "$c-2" TERM
}

@test "after kill KILL and wait the state is stopped at once" {
	local i
	for i in 1 2 3 4 5; do
		detached sleep 1000
		thole kill "$c" KILL
		thole wait "$c" || true
		is "$c" stopped
		thole delete "$c"
	done
}

@test "start needs a created container" {
	started
	refused 1 "$c|running" thole start "$c"
	thole kill "$c" KILL
	wait_for is "$c" stopped
	refused 1 "$c|stopped" thole start "$c"
}

# covers: delete --force
@test "delete refuses a running container, --force kills it first" {
	started
	local pid
	pid=$(init_of "$c")
	refused 1 "$c|running" thole delete "$c"
	is "$c" running
	thole delete --force "$c"
	pid_gone "$pid"
	wait_for nothing_left
}

@test "who follows a container or a process in it is told of its end before delete removes it" {
	local i run exec
	args sh -c 'sleep 1000'
	for ((i = 0; i < 10; i++)); do
		in_background "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > /dev/null 2> "$T/run.err"
		run=$!
		WAIT_S=30 wait_for is "$c" running
		in_background "$THOLE" --root "$ROOT" exec "$c" sh -c 'echo up; exec sleep 1000' < /dev/null > "$T/exec.out" 2> "$T/exec.err"
		exec=$!
		wait_for grep -q up "$T/exec.out"
		thole delete --force "$c"
		exits 137 wait $run
		exits 137 wait $exec
		equal "$(cat "$T/run.err" "$T/exec.err")" ''
	done
}

@test "delete of one that has ended, while its output is still before a client that stands still: the client gets all of it, and the status" {
	args sh -c 'while [ ! -e /go ]; do usleep 10000; done; head -c 400000 /dev/zero | tr "\0" x; exit 5'
	in_background "$THOLE" --root "$ROOT" run --keep --log-driver none --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/run.err"
	local client=$!
	WAIT_S=30 wait_for is "$c" running
	kill -STOP $client
	: > "$B/rootfs/go"
	wait_for is "$c" stopped
	in_background "$THOLE" --root "$ROOT" delete "$c" < /dev/null
	sleep 0.1
	kill -CONT $client
	exits 5 wait $client
	equal "$(cat "$T/run.err")" ''
	equal "$(wc -c < "$T/out")" 400000
	wait_for not is "$c" stopped
}

@test "groups of the same names under another root: nothing of a container that has ended touches who is in them now" {
	local other=$T/other
	args true
	thole run -d --bundle "$B" "$c" < /dev/null > "$T/out"
	wait_for is "$c" stopped
	args sleep 1000
	THOLE_LOG_DIR=$T/other-log "$THOLE" --root "$other" run -d --bundle "$B" "$c" < /dev/null > "$T/out"
	thole kill --all "$c" KILL 2> "$T/err" || true
	thole delete "$c" 2> "$T/err"
	contains "$(cat "$T/err")" "container '$c' is removed, but not its cgroup"
	equal "$("$THOLE" --root "$other" state "$c" | jq -r .status)" running
	THOLE_LOG_DIR=$T/other-log "$THOLE" --root "$other" delete --force "$c"
	wait_for nothing_left
}

@test "delete of a created container removes it" {
	created
	thole delete "$c"
	wait_for nothing_left
}

@test "delete --force of what does not exist is no error, delete is" {
	thole delete --force "$c"
	refused 1 'does not exist' thole delete "$c"
}

@test "an id can be used again at once after delete" {
	local i
	for i in 1 2 3 4 5; do
		created
		thole start "$c"
		thole delete --force "$c"
	done
	started
	equal "$(thole logs "$c" | grep -c ready)" 1 'lines of a log that should be new'
}

@test "an id that is in use is refused and its container goes on" {
	started
	refused 1 "$c.*(exists|in use)" thole create --bundle "$B" "$c"
	refused 125 "$c.*(exists|in use)" thole run --bundle "$B" "$c"
	is "$c" running
}

@test "the container has one process between create and start, and a later bundle changes nothing" {
	created
	args false
	rm -rf "$B/config.json"
	equal "$(wc -l < "$(cgroup_of "$c" memory)/cgroup.procs")" 1
	thole start "$c"
	wait_for logged "$c" ready
}

@test "state and list wake no shim and need none" {
	started
	local shim
	shim=$(shim_of "$c")
	kill -STOP "$shim"
	timeout 5 "$THOLE" --root "$ROOT" state "$c" > "$T/out"
	timeout 5 "$THOLE" --root "$ROOT" list >> "$T/out"
	kill -CONT "$shim"
	contains "$(cat "$T/out")" running
}

@test "a zombie init is not running" {
	# The shim is stopped, so nobody reaps.
	started
	local shim pid
	shim=$(shim_of "$c") pid=$(init_of "$c")
	kill -STOP "$shim"
	kill -KILL "$pid"
	wait_for pid_gone "$pid"
	is "$c" stopped
	kill -CONT "$shim"
}
