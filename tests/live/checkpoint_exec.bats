# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# exec --checkpointable: the process is where a checkpoint finds it, and comes back with its streams, its name and its exit status.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	IMG=$T/img
	bundle
}

checkpoint() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$@" "$c"; }
restore() { timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$@" "$c" < /dev/null; }

# An init that reaps whom it inherits.
reaping() { detached sh -c 'while :; do sleep 0.1; done'; }

# One in the foreground, with a stdin that is descriptor 8: $follower. It has said something.
follow_one() {
	mkfifo "$T/in"
	exec 8<> "$T/in"
	in_background "$THOLE" --root "$ROOT" exec -i --checkpointable "$c" sh -c 'while read -r l; do echo "got $l"; done; exit 43' < "$T/in" > "$T/out" 2> "$T/err" 8>&-
	follower=$!
	echo before >&8
	wait_for grep -qx 'got before' "$T/out"
}

told_by_the_kernel() { [ "$(printf '6.15\n%s\n' "$(uname -r)" | sort -V | head -1)" = 6.15 ]; }

@test "it is init's descendant, has its streams and its status, and is gone when it has ended" {
	local pid
	reaping
	equal "$(echo in | thole exec -i --checkpointable "$c" sh -c 'read x; echo "out $x"; echo err >&2' 2> "$T/err")" 'out in'
	equal "$(cat "$T/err")" err
	equal "$(thole exec --checkpointable "$c" sh -c 'grep -h PPid /proc/$$/status')" "$(printf 'PPid:\t1')"
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	exits 7 thole exec --checkpointable "$c" sh -c 'exit 7'
	exits 137 thole exec --checkpointable "$c" sh -c 'kill -KILL $$'
	exits 127 thole exec --checkpointable "$c" /no-such 2> /dev/null
	thole exec -d --checkpointable --pid-file "$T/pid" "$c" sleep 1000
	pid=$(cat "$T/pid")
	equal "$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")" "$(init_of "$c")"
	kill -KILL "$pid"
	wait_for pid_gone "$pid"
}

# What is in the container's group and not its program yet.
no_shim_inside() {
	local pid
	for pid in $(cat "$(cgroup_of "$c" pids)/cgroup.procs"); do
		[ "$(cat "/proc/$pid/comm")" != thole-shim ] || return 1
	done
}

@test "an init that stops or kills whatever it sees: nobody stays behind when the client leaves, and the error says what has happened" {
	local s
	config '.process.capabilities |= map_values(["CAP_KILL"])'
	# shellcheck disable=SC2016
	detached sh -c 'while :; do kill -$(cat /how) -1; done 2> /dev/null'
	echo STOP > "$B/rootfs/how"
	for _ in 1 2 3; do
		s=$(status_of timeout -k 1 0.8 "$THOLE" --root "$ROOT" exec --checkpointable "$c" true < /dev/null)
	done
	wait_for no_shim_inside
	echo KILL > "$B/rootfs/how"
	for _ in 1 2 3 4 5; do
		s=$(status_of timeout 60 "$THOLE" --root "$ROOT" exec --checkpointable "$c" true < /dev/null 2> "$T/err")
		# Its program may have been quicker, or have run when it was killed.
		[ "$s" = 0 ] || [ "$s" = 137 ] || matches "$(cat "$T/err")" "the exec'd process has died before its program ran$"
	done
	thole delete --force "$c"
}

# covers: exec --checkpointable
@test "a checkpoint takes it along: it goes on where it was, and wait gives its status" {
	local name
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	reaping
	name=$(thole exec -d --print-name --checkpointable "$c" sh -c 'i=0; while [ ! -e /go ]; do echo "$i" >> /count; echo "e $i"; i=$((i + 1)); usleep 5000; done; exit 7')
	wait_for grep -qx 20 "$B/rootfs/count"
	checkpoint --leave-running
	local n
	n=$(wc -l < "$B/rootfs/count")
	wait_for grep -qx "$((n + 5))" "$B/rootfs/count"
	checkpoint
	equal "$(jq -r '.[0].name' "$IMG/thole-execs.json")" "$name"
	n=$(wc -l < "$B/rootfs/count")
	restore
	wait_for grep -qx "$((n + 20))" "$B/rootfs/count"
	awk '$0 != NR - 1 { exit 1 }' "$B/rootfs/count"
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
	local waiter=$!
	: > "$B/rootfs/go"
	exits 7 wait $waiter
	# A name is never given twice.
	not test "$(thole exec -d --print-name "$c" true)" = "$name"
	exits 0 thole exec "$c" true
	thole delete --force "$c"
	rm "$B/rootfs/go"
	echo '[{ "name": "init", "pid": 3, "streams": ["a", "b", "c"] }]' > "$IMG/thole-execs.json"
	refused 125 'thole-execs.json: element 0 is no process' timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$c"
}

@test "after a restore it is in state.json, and a shim that follows one that was killed knows it" {
	local name pid
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	reaping
	name=$(thole exec -d --print-name --checkpointable "$c" sh -c 'while [ ! -e /go ]; do usleep 5000; done; exit 7')
	for how in in-place anew; do
		if [ $how = anew ]; then
			checkpoint
			restore
		else
			checkpoint --stay
			timeout 60 "$THOLE" --root "$ROOT" restore "$c"
		fi
		pid=$(thole_state "$c" ".processes[\"$name\"].pid")
		matches "$(tr '\0' ' ' < "/proc/$pid/cmdline")" '/go'
		matches "$(thole_state "$c" ".processes[\"$name\"].streams.stdout")" '^pipe:'
	done
	kill -KILL "$(shim_of "$c")"
	wait_for no_shims
	thole recover "$c"
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
	local waiter=$!
	: > "$B/rootfs/go"
	exits 7 wait $waiter
}

@test "an init that does not reap, a container without a pid namespace, a terminal, somebody else's monitor: said or refused" {
	detached sleep 1000
	thole exec -d --checkpointable "$c" sleep 1001 2> "$T/err"
	contains "$(cat "$T/err")" 'does not reap'
	# Others are refused as ever.
	thole exec -d "$c" sleep 1002
	refused 1 "the exec'd process '2' \(pid [0-9]+\) runs" thole checkpoint --image-path "$IMG" "$c"
	checkpoint --drop-execs
	restore
	thole exec "$c" sh -c 'grep -qa [1]001 /proc/[0-9]*/cmdline'
	not thole exec "$c" sh -c 'grep -qa [1]002 /proc/[0-9]*/cmdline'
	refused 125 'checkpointable: not with a terminal' thole exec -d -t --checkpointable "$c" true
	refused 125 'checkpointable needs --monitor=shim' thole exec --monitor=foreign --checkpointable "$c" true
	thole delete --force "$c"
	config '.linux.namespaces |= map(select(.type != "pid"))'
	detached sleep 1000
	refused 125 "checkpointable: container '$c' has no pid namespace of its own" thole exec --checkpointable "$c" true
}

# The log of an exec'd process, its lines from the first on, and its clients know nothing of the container's having been away.
@test "in place: who waits for it and its log go on, and its status is its own" {
	local name waiter follower
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	reaping
	name=$(thole exec -d --print-name --checkpointable --log-driver raw --log-opt path="$T/exec.log" "$c" sh -c 'i=0; while [ ! -e /go ]; do echo "$i"; i=$((i + 1)); usleep 5000; done; exit 42')
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
	waiter=$!
	follow_one
	local round
	for round in 1 2; do
		wait_for grep -qx $((round * 20)) "$T/exec.log"
		checkpoint --stay
		echo "while away $round" >&8
		kill -0 $waiter
		kill -0 $follower
		refused 125 'criu has ended with status 1' timeout 60 "$THOLE" --criu /bin/false --root "$ROOT" restore "$c"
		timeout 60 "$THOLE" --root "$ROOT" restore "$c"
		wait_for grep -qx "got while away $round" "$T/out"
		rm -rf "$IMG"
	done
	exec 8>&-
	exits 43 wait $follower
	: > "$B/rootfs/go"
	exits 42 wait $waiter
	exits 42 thole wait "$c" "$name"
	awk '$0 != NR - 1 { exit 1 }' "$T/exec.log"
}

@test "in place, out of an image without it: it has been killed" {
	local name waiter
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	reaping
	checkpoint --leave-running
	name=$(thole exec -d --print-name --checkpointable "$c" sleep 1000)
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
	waiter=$!
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --stay --image-path "$T/with" "$c"
	kill -0 $waiter
	timeout 60 "$THOLE" --root "$ROOT" restore --image-path "$IMG" "$c"
	exits 137 wait $waiter
	# And so it has when the container does not come back.
	name=$(thole exec -d --print-name --checkpointable "$c" sleep 1000)
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
	waiter=$!
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --stay --image-path "$T/again" "$c"
	thole delete "$c"
	exits 137 wait $waiter
}

# The shim of the container is killed, and another one adopts it.
next_shim() {
	local shim
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	pid_gone "$shim" || wait_for pid_gone "$shim"
	thole recover "$c"
}

# What it counts, into its log and into a file, so that it can be seen to go on.
counting() { # NAME_OF_THE_GO_FILE STATUS
	thole exec -d --print-name --checkpointable --log-driver raw --log-opt path="$T/$1.log" "$c" sh -c "i=0; while [ ! -e /$1 ]; do echo \"\$i\"; i=\$((i + 1)); usleep 5000; done; exit $2"
}

lines() { wc -l < "$1"; }

# It writes twenty lines more.
goes_on() { # FILE
	wait_for grep -qx $(($(lines "$1") + 20)) "$1"
}

from_zero() { awk '$0 != NR - 1 { print NR ": " $0; exit 1 }' "$1"; }

@test "a shim that follows one that was killed knows what a checkpoint takes along: it stays, and comes back in place" {
	local name waiter
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	reaping
	name=$(counting go 7)
	equal "$(thole_state "$c" ".processes[\"$name\"].belowInit")" true
	goes_on "$T/go.log"
	next_shim
	equal "$(thole_state "$c" ".processes[\"$name\"].belowInit")" true
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
	waiter=$!
	checkpoint --stay
	kill -0 $waiter
	timeout 60 "$THOLE" --root "$ROOT" restore "$c"
	goes_on "$T/go.log"
	# Nor does it mind the death of that one: it has no other reader than itself meanwhile.
	next_shim
	goes_on "$T/go.log"
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
	waiter=$!
	: > "$B/rootfs/go"
	exits 7 wait $waiter
	from_zero "$T/go.log"
}

@test "a shim that follows one that was killed knows what a checkpoint takes along: it comes back in another container" {
	local name waiter
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	reaping
	name=$(counting go 7)
	next_shim
	checkpoint
	equal "$(jq -r '.[0].name' "$IMG/thole-execs.json")" "$name"
	restore
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
	waiter=$!
	: > "$B/rootfs/go"
	exits 7 wait $waiter
}

# This client is connected, and sleeps until it is answered.
has_asked() { # PID
	ls -l "/proc/$1/fd" | grep -q socket: && grep -qE 'poll|skb' "/proc/$1/wchan"
}

@test "the shim dies while it is away: who waits for it with the next one is told its status, and its log has each line once" {
	local name other ended waiter round
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	reaping
	ended=$(thole exec -d --print-name --checkpointable "$c" sh -c 'exit 3')
	exits 3 thole wait "$c" "$ended"
	name=$(counting go 42)
	other=$(counting on 43)
	for round in 1 2; do
		goes_on "$T/go.log"
		goes_on "$T/on.log"
		checkpoint --stay
		next_shim
		refused 125 "has no process '$ended'" thole wait "$c" "$ended"
		if [ $round = 1 ]; then
			in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
			waiter=$!
			wait_for has_asked $waiter
		fi
		refused 125 'criu has ended with status 1' timeout 60 "$THOLE" --criu /bin/false --root "$ROOT" restore "$c"
		# And the next one after that.
		[ $round = 1 ] || next_shim
		kill -0 $waiter
		timeout 60 "$THOLE" --root "$ROOT" restore "$c"
		equal "$(thole_state "$c" '.processes | keys | join(" ")')" "$name $other init"
		goes_on "$T/go.log"
		goes_on "$T/on.log"
		rm -rf "$IMG"
	done
	: > "$B/rootfs/go"
	exits 42 wait $waiter
	from_zero "$T/go.log"
	: > "$B/rootfs/on"
	exits 43 thole wait "$c" "$other"
	from_zero "$T/on.log"
}

@test "the shim dies while it is away: who follows it in the foreground goes on with the next one" {
	local follower
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	reaping
	follow_one
	checkpoint --stay
	kill -KILL "$(shim_of "$c")"
	has_shim() { [ "$(shims | wc -l)" = 1 ]; }
	wait_for has_shim
	timeout 60 "$THOLE" --root "$ROOT" restore "$c"
	echo after >&8
	wait_for grep -qx 'got after' "$T/out"
	exec 8>&-
	exits 43 wait $follower
	equal "$(cat "$T/out")" "$(printf 'got before\ngot after')"
}

@test "the shim dies while it is away, and its image is out of reach: the container is adopted without it, and deleted with it" {
	local name waiter
	told_by_the_kernel || skip 'this kernel does not tell the exit status (6.15 and later do)'
	reaping
	name=$(thole exec -d --print-name --checkpointable "$c" sleep 1000)
	checkpoint --stay
	mv "$IMG" "$T/moved"
	next_shim
	refused 125 "has no process '$name'" thole wait "$c" "$name"
	timeout 60 "$THOLE" --root "$ROOT" restore --image-path "$T/moved" "$c"
	equal "$(thole_state "$c" ".processes[\"$name\"].owner")" shim
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --stay --image-path "$IMG" "$c"
	next_shim
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name"
	waiter=$!
	wait_for has_asked $waiter
	thole delete "$c"
	exits 137 wait $waiter
}
