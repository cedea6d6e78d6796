# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# events: statistics at an interval, OOM and memory pressure when they happen, until the container has ended.
load lib

setup_test() { bundle; }

# follow OPTIONS: events of $c in the background, into $T/events
follow() {
	in_background "$THOLE" --root "$ROOT" events "$@" "$c" > "$T/events"
	follower=${STARTED[-1]}
}

types() { jq -r .type "$T/events" | uniq | tr '\n' ' '; }
told() { grep -q "\"type\":\"$1\"" "$T/events"; }
counted() { [ "$(grep -c '"type":"stats"' "$T/events")" -ge "$1" ]; }

# A container that waits for a line on a FIFO of ours before it goes on to CMD.
waiting() {
	mkfifo "$B/rootfs/go"
	detached sh -c 'read -r x < /go; '"$*"
}
go() { echo go > "$B/rootfs/go"; }

# covers: events, events --interval
@test "statistics come at the interval, and the command ends with the container" {
	detached sleep 1000
	follow --interval 50ms
	wait_for counted 3
	equal "$(types)" 'stats '
	equal "$(jq -r .id "$T/events" | sort -u)" "$c"
	thole kill "$c" KILL
	exits 0 wait "$follower"
	equal "$(tail -1 "$T/events" | jq -c '[.type, .id, .data.known, .data.code, .data.signal, .data.oomKilled]')" "[\"exit\",\"$c\",true,137,9,false]"
	equal "$(tail -1 "$T/events" | jq -r .data.finished)" "$(thole state "$c" | jq -r .thole.exit.finished)"
}

@test "the shim is killed: events and stats go on with the next one" {
	detached sleep 1000
	follow --interval 50ms
	in_background "$THOLE" --root "$ROOT" stats --format json "$c" > "$T/stats"
	local stats=$! shim n
	wait_for counted 1
	wait_for test -s "$T/stats"
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	n=$(wc -l < "$T/events")
	wait_for counted $((n + 3))
	not equal "$(shim_of "$c")" "$shim" 2> /dev/null
	n=$(wc -c < "$T/stats")
	grown() { [ "$(wc -c < "$T/stats")" -gt "$n" ]; }
	wait_for grown
	thole kill "$c" KILL
	exits 0 wait "$follower"
	equal "$(tail -1 "$T/events" | jq -r .type)" exit
	exits 0 wait $stats
}

@test "OOM of init: one event before the end" {
	config '.linux.resources.memory = { limit: 16777216, swap: 16777216 }'
	waiting 'exec sh -c "a=x; while :; do a=\$a\$a; done"'
	follow --interval 50ms
	wait_for counted 1
	go
	exits 0 wait "$follower"
	[ "$(grep -c '"type":"oom"' "$T/events")" -ge 1 ]
	equal "$(grep '"type":"oom"' "$T/events" | head -1)" "{\"type\":\"oom\",\"id\":\"$c\"}"
	equal "$(thole state "$c" | jq .thole.exit.oomKilled)" true
}

@test "OOM of another process: told while the container goes on" {
	config '.linux.resources.memory = { limit: 16777216, swap: 16777216 }'
	waiting 'sh -c "a=x; while :; do a=\$a\$a; done"; sleep 1000'
	follow
	wait_for subscribed
	go
	wait_for told oom
	is "$c" running
	thole kill "$c" KILL
	exits 0 wait "$follower"
}

# Somebody has asked the kernel to be told: the shim has an eventfd; on v2 an inotify descriptor, or the file that it has written to.
subscribed() { ls -l "/proc/$(shim_of "$c")/fd" | grep -cE "$(v1_or_v2 eventfd 'inotify|memory\.pressure$')" | grep -qx "${1:-1}"; }

# covers: events --memory-pressure
@test "memory pressure is told at the level that was asked for, and only then" {
	config '.linux.resources.memory = { limit: 33554432, swap: 33554432 }'
	# Page cache fills the limit, so that the kernel has to reclaim it.
	waiting 'i=0; while :; do dd if=/dev/zero of=/tmp/f bs=1M count=60 2> /dev/null; cat /tmp/f > /dev/null; done'
	follow --memory-pressure low
	wait_for subscribed 2
	go
	wait_for told memory-pressure
	equal "$(grep '"type":"memory-pressure"' "$T/events" | head -1)" "{\"type\":\"memory-pressure\",\"id\":\"$c\",\"data\":{\"level\":\"low\"}}"
	thole kill "$c" KILL
	exits 0 wait "$follower"
}

@test "several listeners; one that leaves takes its descriptors with it" {
	detached sleep 1000
	follow --memory-pressure medium
	follow
	wait_for subscribed 3
	kill -KILL "${STARTED[0]}"
	wait_for subscribed 1
	kill -KILL "${STARTED[1]}"
	wait_for subscribed 0
}

@test "without its shim; a stopped container; bad options" {
	detached sleep 1000
	refused 1 'interval is a time such as 5s' thole events --interval 5 "$c"
	refused 1 'interval must be at least 1ms' thole events --interval 0s "$c"
	refused 1 'memory-pressure' thole events --memory-pressure huge "$c"
	kill -KILL "$(shim_of "$c")"
	wait_for no_shims
	follow --interval 50ms
	wait_for counted 1
	thole kill "$c" KILL
	exits 0 wait "$follower"
	refused 1 "cannot watch container '$c': it is stopped" thole events "$c"
}
