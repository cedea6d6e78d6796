# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# A container whose shim was killed gets another one, which goes on where the first has stopped.
load lib

setup_test() { bundle; }

# Kills the shim of $c and waits until it is gone.
lose_shim() {
	local shim
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	wait_for shim_is lost
}

shim_is() { # WORD
	[ "$(thole state "$c" | jq -r .thole.shim)" = "$1" ]
}

kernel_tells_status() {
	[ "$(printf '%s\n6.15\n' "$(uname -r | grep -o '^[0-9]*\.[0-9]*')" | sort -V | head -1)" = 6.15 ]
}

@test "state and list say that the shim is lost; recover gives it another, once" {
	detached sleep 1000
	local pid first
	pid=$(init_of "$c") first=$(shim_of "$c")
	matches "$(thole list)" 'SHIM.*alive'
	lose_shim
	is "$c" running
	matches "$(thole list)" "$c .*running .* lost"
	equal "$(thole list --format json | jq -r '.[0].thole.shim')" lost
	thole recover "$c"
	shim_is alive
	is "$c" running
	equal "$(init_of "$c")" "$pid"
	[ "$(shim_of "$c")" != "$first" ]
	first=$(shims)
	thole recover "$c"
	thole recover --all
	equal "$(shims)" "$first"
	equal "$(shim_of "$c")" "$first"
}

@test "its log goes on, and what it wrote meanwhile is in it" {
	detached sh -c 'echo before; while [ ! -e /tmp/go ]; do usleep 10000; done; echo meanwhile; echo err >&2; touch /tmp/said; while [ ! -e /tmp/end ]; do usleep 10000; done; echo after; sleep 1000'
	wait_for logged "$c" before
	lose_shim
	touch "$B/rootfs/tmp/go"
	wait_for test -e "$B/rootfs/tmp/said"
	thole recover "$c"
	wait_for grep -q 'stderr F err' "$THOLE_LOG_DIR/$c/ctr.log"
	touch "$B/rootfs/tmp/end"
	wait_for logged "$c" after
	equal "$(thole logs "$c" 2>&1 | sort | tr '\n' ' ')" 'after before err meanwhile '
}

@test "the log's options hold after it: rotation goes on" {
	args sh -c 'while :; do [ -e /tmp/go ] && { rm /tmp/go; i=0; while [ $i -lt 400 ]; do echo "line number $i of many"; i=$((i+1)); done; touch /tmp/done; }; usleep 10000; done'
	thole run -d --log-opt max-size=4k --log-opt max-file=9 --log-path "$T/its.log" --bundle "$B" "$c" < /dev/null
	lose_shim
	thole recover "$c"
	touch "$B/rootfs/tmp/go"
	wait_for test -e "$B/rootfs/tmp/done"
	all_there() { cat "$T"/its.log* | grep -q 'line number 399'; }
	wait_for all_there
	[ -e "$T/its.log.2" ] || fail "$(ls "$T")"
	equal "$(cat "$T"/its.log* | grep -c 'line number')" 400
}

@test "init has redirected its own output, and a child still holds the pipes" {
	detached sh -c '(while [ ! -e /tmp/go ]; do usleep 10000; done; echo from a child; echo its error >&2; sleep 1000) & exec > /dev/null 2> /tmp/file; echo lost to us; touch /tmp/redirected; sleep 1000'
	wait_for test -e "$B/rootfs/tmp/redirected"
	lose_shim
	thole recover "$c"
	touch "$B/rootfs/tmp/go"
	wait_for grep -q 'stderr F its error' "$THOLE_LOG_DIR/$c/ctr.log"
	wait_for logged "$c" 'from a child'
	not logged "$c" 'lost to us'
}

@test "exec, attach, kill, pause, update, events and ps each adopt it" {
	local cmd
	detached sh -c 'trap "echo got usr1" USR1; while :; do echo tick; usleep 20000; done'
	for cmd in 'exec %s true' 'pause %s' 'ps --format json %s' 'update --pids-limit 77 %s' 'events --stats %s' 'kill %s USR1'; do
		lose_shim
		# shellcheck disable=SC2046,SC2059 # words
		thole $(printf "$cmd" "$c") > "$T/out" < /dev/null || fail "$cmd"
		shim_is alive || fail "$cmd"
		case $cmd in pause*) is "$c" paused; thole resume "$c";; esac
	done
	wait_for logged "$c" 'got usr1'
	lose_shim
	timeout 10 "$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/ticks" 2>&1 &
	local pid=$!
	wait_for grep -q tick "$T/ticks"
	kill -KILL $pid
	shim_is alive
}

@test "two that adopt at the same moment: one wins, both are served" {
	detached sleep 1000
	local round i pids
	for round in 1 2 3; do
		lose_shim
		pids=()
		for i in 1 2 3 4; do
			thole exec "$c" echo "served $i" > "$T/out.$i" 2>&1 < /dev/null 3>&- &
			pids+=($!)
		done
		wait "${pids[@]}"
		for i in 1 2 3 4; do
			equal "$(cat "$T/out.$i")" "served $i"
		done
		equal "$(shims | wc -l)" 1
	done
}

@test "the exit status of an adopted container is true where the kernel tells it, else unknown" {
	local want
	for want in 7 137; do
		args sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done; [ "$(cat /tmp/stop)" = 7 ] && exit 7; kill -KILL $$; sleep 100'
		[ $want = 7 ] || args sleep 1000
		thole run -d --bundle "$B" "$c" > /dev/null < /dev/null
		lose_shim
		thole recover "$c"
		if [ $want = 7 ]; then echo 7 > "$B/rootfs/tmp/stop"; else thole kill "$c" KILL; fi
		if kernel_tells_status; then
			exits $want thole wait "$c"
			equal "$(thole state "$c" | jq -c '.thole.exit | [.known, .code]')" "[true,$want]"
		else
			exits 125 thole wait "$c" 2> "$T/err"
			matches "$(cat "$T/err")" 'is unknown'
			equal "$(thole state "$c" | jq -r .thole.exit.known)" false
		fi
		thole delete "$c"
		rm -f "$B/rootfs/tmp/stop"
	done
}

@test "wait goes on while shims are killed" {
	detached sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done; exit 9'
	local i waiter
	thole wait "$c" 3>&- 2> "$T/err" &
	waiter=$!
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		wait_for shim_is alive
		kill -KILL "$(shims)"
	done
	wait_for shim_is alive
	touch "$B/rootfs/tmp/stop"
	if kernel_tells_status; then exits 9 wait $waiter; else exits 125 wait $waiter; fi
}

@test "a created container is adopted, and then started by its shim" {
	args sh -c 'echo runs; sleep 1000'
	thole create --bundle "$B" "$c" < /dev/null
	lose_shim
	thole recover "$c"
	is "$c" created
	thole start "$c"
	is "$c" running
	wait_for logged "$c" runs
}

@test "poststop hooks are run by the adopter, and --rm is remembered" {
	config --arg f "$T/hook" '.hooks.poststop = [ { path: "/bin/sh", args: ["sh", "-c", "cat > \($f)"] } ]'
	args sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done'
	thole run -d --rm --bundle "$B" "$c" > /dev/null < /dev/null
	lose_shim
	thole recover --all
	touch "$B/rootfs/tmp/stop"
	wait_for nothing_left
	wait_for test -s "$T/hook"
	equal "$(jq -r .status "$T/hook")" stopped
}

@test "it ended while nobody was there: --rm is done by recover" {
	args sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done'
	thole run -d --rm --bundle "$B" "$c" > /dev/null < /dev/null
	lose_shim
	touch "$B/rootfs/tmp/stop"
	wait_for is "$c" stopped
	thole recover --all
	wait_for nothing_left
}

@test "OOM is told after an adoption" {
	config '.linux.resources.memory.limit = 20000000'
	detached sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; a=x; while :; do a=$a$a; done'
	lose_shim
	thole events --interval 1h "$c" > "$T/events" 3>&- &
	local pid=$!
	wait_for shim_is alive
	touch "$B/rootfs/tmp/go"
	wait $pid
	matches "$(cat "$T/events")" '"type":"oom"'
}

@test "an adopted container is checkpointed and restored" {
	needs criu
	[ -x "$BUILD/criu/bin/criu" ] && export PATH=$BUILD/criu/bin:$PATH
	detached sh -c 'n=0; while :; do echo "n $n"; n=$((n+1)); usleep 20000; done'
	wait_for logged "$c" 'n 3'
	lose_shim
	thole checkpoint --image-path "$T/image" "$c"
	thole restore -d --image-path "$T/image" --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" 'n '
	lose_shim
	thole exec "$c" true < /dev/null
	shim_is alive
}

@test "before a reboot: stopped (reboot), nothing of the present is touched" {
	detached sleep 1000
	local pid shim
	pid=$(init_of "$c")
	lose_shim
	# The record of another boot, with the pid of a process that lives now.
	perl -e 'local $/; open F, "+<", $ARGV[0] or die; binmode F; $_ = <F>; substr($_, 72, 36) = "00000000-0000-0000-0000-000000000000"; substr($_, 12, 4) = "\0" x 4;
		my $h = 0xcbf29ce484222325; { use integer; for my $w (unpack "q*", $_) { $h = ($h ^ $w) * 0x100000001b3; $h ^= ($h >> 32) & 0xffffffff; } $h = ($h ^ (($h >> 32) & 0xffffffff)) & 0xffffffff }
		substr($_, 12, 4) = pack "V", $h; seek F, 0, 0; print F $_' "$ROOT/$c/status"
	sed -i 's/"bootId":"[^"]*"/"bootId":"00000000-0000-0000-0000-000000000000"/' "$ROOT/$c/state.json"
	is "$c" stopped
	matches "$(thole list)" 'stopped \(reboot\)'
	equal "$(thole state "$c" | jq .thole.reboot)" true
	refused 125 'stopped' thole exec "$c" true
	exits 125 thole wait "$c" 2> "$T/err"
	matches "$(cat "$T/err")" 'unknown'
	thole delete "$c"
	[ -d "/proc/$pid" ]
	# What the test has orphaned is its own to remove.
	kill -KILL "$pid"
	wait_for pid_gone "$pid"
	sweep
}
