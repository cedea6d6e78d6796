# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# The keeper: what it holds when a shim is killed, and who comes then.
load lib

setup_test() { bundle; }

# Another shim than this one lives.
replaced() { # OLD
	local now
	now=$(shims)
	[ -n "$now" ] && [ "$now" != "$1" ] && shim_is alive && [ "$(shim_of "$c")" = "$now" ]
}

# Types a line at the container, and waits until the log has what it says to that.
type_line() { # LINE ANSWER
	local pid
	[ -p "$T/typed" ] || mkfifo "$T/typed"
	"$THOLE" --root "$ROOT" attach "$c" < "$T/typed" > "$T/typed.out" 2>&1 3>&- &
	pid=$!
	exec 7> "$T/typed"
	echo "$1" >&7
	wait_for logged "$c" "$2" || fail "no '$2': $(cat "$T/typed.out")"
	kill -KILL $pid
	wait_for pid_gone $pid
	exec 7>&-
}

# Kills the shim, and waits for the one that the keeper starts.
lose_shim() {
	local shim
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for replaced "$shim"
}

# covers: run --keeper
@test "who has one: an open stdin, a terminal, the foreground, --keeper; others have none" {
	detached sleep 1000
	has_no_keeper
	thole delete --force "$c"
	thole run -d --keeper --bundle "$B" "$c" < /dev/null
	has_keeper
	thole delete --force "$c"
	wait_for has_no_keeper
	thole run -d -i --bundle "$B" "$c" < /dev/null
	has_keeper
	thole delete --force "$c"
	wait_for has_no_keeper
	thole run --bundle "$B" "$c" < /dev/null > /dev/null 3>&- &
	wait_for is "$c" running
	has_keeper
	thole kill "$c" KILL
	exits 137 wait $!
	config '.process.terminal = true'
	thole run -d --bundle "$B" "$c" < /dev/null
	has_keeper
	thole delete --force "$c"
	wait_for has_no_keeper
}

# covers: create --keeper
@test "it is small, outside of the container's groups, does not hold the lock, and cannot be reached through its executable" {
	thole create --keeper --bundle "$B" "$c" < /dev/null
	local pid
	pid=$(keepers)
	echo "# PSS $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup") KiB" >&3
	[ "$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")" -le 24 ]
	not grep -q "$c" "/proc/$pid/cgroup"
	not sh -c 'ls -l "/proc/$1/fd" | grep -q /lock' sh "$pid"
	not sh -c ': >> "/proc/$1/exe"' sh "$pid" 2> "$T/err"
	[ "$(stat -L -c %d:%i "/proc/$pid/exe")" != "$(stat -L -c %d:%i "$BIN/thole-keeper")" ]
}

@test "stdin goes on after the shim was killed" {
	args sh -c 'while read -r l; do echo "got $l"; done; echo end of input; sleep 1000'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	lose_shim
	type_line one 'got one'
	lose_shim
	not logged "$c" 'end of input'
	# A half-close by its owner comes through, although the keeper held the pipe.
	echo two > "$T/two"
	"$THOLE" --root "$ROOT" attach "$c" < "$T/two" > "$T/out" 2>&1 3>&- &
	local pid=$!
	wait_for logged "$c" 'got two'
	wait_for logged "$c" 'end of input'
	kill -KILL $pid
}

@test "a terminal goes on after the shim was killed" {
	config '.process.terminal = true'
	args sh -c 'trap "echo hung up > /tmp/hup" HUP; stty -echo; touch /tmp/ready; while read -r l; do echo "got $l"; done; echo end > /tmp/end'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for test -e "$B/rootfs/tmp/ready"
	lose_shim
	mkfifo "$T/in"
	"$THOLE" --root "$ROOT" attach "$c" < "$T/in" > "$T/out" 2>&1 3>&- &
	local pid=$!
	exec 7> "$T/in"
	echo hello >&7
	wait_for grep -q 'got hello' "$T/out"
	[ ! -e "$B/rootfs/tmp/hup" ]
	[ ! -e "$B/rootfs/tmp/end" ]
	exec 7>&-
	kill -KILL $pid
}

@test "it ended between the death of its shim and the adoption: its status is true, its last words are in the log" {
	kernel_tells_status || skip "needs: kernel 6.15, which tells the status of a process that is not ours"
	args sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done; echo last words; exit 23'
	thole run -d --keeper --bundle "$B" "$c" < /dev/null
	local shim keeper pid
	shim=$(shim_of "$c") keeper=$(keepers) pid=$(init_of "$c")
	kill -STOP "$keeper"
	kill -KILL "$shim"
	touch "$B/rootfs/tmp/stop"
	wait_for pid_gone "$pid"
	kill -CONT "$keeper"
	exits 23 thole wait "$c"
	equal "$(thole state "$c" | jq -c '.thole.exit | [.known, .code]')" '[true,23]'
	wait_for logged "$c" 'last words'
	wait_for has_no_keeper
}

@test "killing the keeper harms nothing: the shim starts another" {
	args sh -c 'while read -r l; do echo "got $l"; done'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	local first
	first=$(keepers)
	kill -KILL "$first"
	other() { [ -n "$(keepers)" ] && [ "$(keepers)" != "$first" ]; }
	wait_for other
	is "$c" running
	lose_shim
	first=$(keepers)
	kill -KILL "$first"
	wait_for other
	lose_shim
	type_line three 'got three'
}

@test "killed together with the shim: who adopts the container starts another" {
	local shim keeper
	args sleep 1000
	thole run -d --keeper --bundle "$B" "$c" < /dev/null
	shim=$(shim_of "$c") keeper=$(keepers)
	kill -STOP "$shim"
	kill -KILL "$keeper"
	wait_for pid_gone "$keeper"
	kill -KILL "$shim"
	wait_for shim_is lost
	thole recover "$c"
	has_keeper
	lose_shim
	has_keeper
}

@test "a command and the keeper adopt at the same moment: one shim, which has it all" {
	args sh -c 'while read -r l; do echo "got $l"; done'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	local i
	for i in 1 2 3 4; do
		kill -KILL "$(shim_of "$c")"
		equal "$(thole exec "$c" echo "in $i" < /dev/null)" "in $i"
		one() { [ "$(shims | wc -l)" = 1 ]; }
		wait_for one
	done
	type_line after 'got after'
}

@test "in the foreground a writer sees no SIGPIPE when its shim dies, but does when its reader goes" {
	args sh -c 'trap "echo PIPE > /tmp/pipe; exit 1" PIPE; while [ ! -e /tmp/stop ]; do echo x; usleep 10000; done; exit 3'
	thole run --keep --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" 3>&- &
	local pid=$!
	wait_for grep -q x "$T/out"
	kill -KILL "$(shim_of "$c")"
	wait_for shim_is alive
	equal "$(thole exec "$c" true < /dev/null; echo $?)" 0
	[ ! -e "$B/rootfs/tmp/pipe" ]
	touch "$B/rootfs/tmp/stop"
	if kernel_tells_status; then exits 3 wait $pid; else wait $pid || true; fi
	if kernel_tells_status; then exits 3 thole wait "$c"; fi
	thole delete --force "$c"
	rm "$B/rootfs/tmp/stop"
	thole run --bundle "$B" "$c" < /dev/null 2> /dev/null | head -1 > "$T/out"
	wait_for test -e "$B/rootfs/tmp/pipe"
}

@test "delete of a container whose shim was killed takes the keeper along" {
	args sleep 1000
	thole run -d --keeper --bundle "$B" "$c" < /dev/null
	kill -KILL "$(shim_of "$c")"
	thole delete --force "$c"
	wait_for nothing_left
}
