# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v1
# events --stats and stats: what the control groups count, in runc's shape and for people.
load lib

setup_test() { bundle; }

teardown_test() { ip link delete "h${c: -6}" 2> /dev/null || true; }

stat() { # JQ FILTER: of the data of events --stats
	thole events --stats "$c" | jq -r ".data | $1"
}

file_of() { # CONTROLLER FILE
	cat "$(cgroup_of "$c" "$1")/$2"
}

# covers: events --stats
@test "events --stats: one line, the numbers of the container's groups" {
	config '.linux.resources.memory = { limit: 67108864 } | .linux.resources.pids = { limit: 31 }'
	detached sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; sleep 1000 & wait'
	wait_for pgrep -P "$(init_of "$c")" sleep
	thole events --stats "$c" > "$T/out"
	equal "$(wc -l < "$T/out")" 1
	equal "$(jq -r '[.type, .id] | join(" ")' "$T/out")" "stats $c"
	equal "$(stat .cpu.usage.total)" "$(file_of cpuacct cpuacct.usage)"
	equal "$(stat '.cpu.usage.percpu | add')" "$(stat .cpu.usage.total)"
	equal "$(stat .memory.usage.limit)" 67108864
	equal "$(stat .memory.usage.usage)" "$(file_of memory memory.usage_in_bytes)"
	equal "$(stat .memory.raw.total_rss)" "$(file_of memory memory.stat | sed -n 's/^total_rss //p')"
	equal "$(stat '.pids | tojson')" '{"current":2,"limit":31}'
	equal "$(stat '.cpuset.cpus | length')" "$(file_of cpuset cpuset.cpus | tr ',' '\n' | awk -F- '{ n += ($2 == "" ? 1 : $2 - $1 + 1) } END { print n }')"
	equal "$(stat '.network_interfaces | tojson')" null
}

@test "the same members as runc's, for a bundle with the same config" {
	needs runc
	detached sleep 1000
	thole events --stats "$c" > "$T/ours"
	jq 'del(.linux.seccomp) | .ociVersion = "1.0.2"' "$B/config.json" > "$T/new"
	cp "$T/new" "$B/config.json"
	(cd "$B" && runc --root "$T/runc" run -d "r-$c" < /dev/null > /dev/null 2>&1 3>&-)
	runc --root "$T/runc" events --stats "r-$c" > "$T/theirs"
	runc --root "$T/runc" delete --force "r-$c"
	local f='[paths(scalars) | map(if type == "number" then "N" else . end) | join(".") | select(test("percpu|raw|[.](usage|max)$|kernel|user|total") | not)] | unique | .[]'
	equal "$(jq -r "$f" "$T/ours")" "$(jq -r "$f" "$T/theirs")"
	equal "$(jq -r '.data.memory.raw | keys | tojson' "$T/ours")" "$(jq -r '.data.memory.raw | keys | tojson' "$T/theirs")"
}

# A veth pair into the container's network namespace, ten pings through it.
@test "veth pairs: the host side is found, its counters are told as the container sees them" {
	local host="h${c: -6}" i
	mkfifo "$T/fifo" # a stdin that never ends
	detached sleep 1000
	ip link add "$host" type veth peer name eth0 netns "/proc/$(init_of "$c")/ns/net" || skip 'needs: veth'
	ip addr add 10.99.3.1/30 dev "$host"
	ip link set "$host" up
	nsenter -t "$(init_of "$c")" -n sh -c 'ip addr add 10.99.3.2/30 dev eth0; ip link set eth0 up'
	nsenter -t "$(init_of "$c")" -n "$(template)/bin/busybox" nc -l -p 7 <> "$T/fifo" > "$T/got" &
	i=$!
	wait_for send_to_container
	wait $i
	equal "$(wc -c < "$T/got")" 100000
	equal "$(stat '.network_interfaces | length')" 1
	equal "$(stat '.network_interfaces[0].Name')" "$host"
	[ "$(stat '.network_interfaces[0].RxBytes')" -ge 100000 ]
	[ "$(stat '.network_interfaces[0].RxBytes')" -gt "$(stat '.network_interfaces[0].TxBytes')" ]
	is_counted tx_packets stat '.network_interfaces[0].RxPackets'
	is_counted tx_bytes received
}
# The kernel sends packets of its own, too: what is told is what was counted before or after, or between.
is_counted() { # COUNTER COMMAND...
	local file=/sys/class/net/h${c: -6}/statistics/$1 before said
	before=$(cat "$file")
	said=$("${@:2}")
	[ "$said" -ge "$before" ] && [ "$said" -le "$(cat "$file")" ] || fail "$1: got $said, wanted $before to $(cat "$file")"
}
received() { thole stats --no-stream --interval 10ms --format json "$c" | jq .receivedBytes; }

send_to_container() { head -c 100000 /dev/zero | "$(template)/bin/busybox" nc 10.99.3.2 7; }

@test "a container in the host's network has no interfaces of its own" {
	config 'del(.linux.namespaces[] | select(.type == "network")) | del(.mounts[] | select(.type == "sysfs"))'
	detached sleep 1000
	equal "$(stat '.network_interfaces | tojson')" null
}

# covers: stats, stats --no-stream, stats --format, stats --interval
@test "stats: a table with a row for each that lives, CPU in percent" {
	detached sh -c 'while :; do :; done'
	thole create --bundle "$B" "$c.b" < /dev/null
	thole stats --no-stream --interval 300ms > "$T/out"
	equal "$(awk 'NR > 1 { print $1 }' "$T/out" | tr '\n' ' ')" "$c $c.b "
	matches "$(head -1 "$T/out")" '^ID +CPU +MEMORY / LIMIT +PIDS +READ / WRITTEN +RECEIVED / SENT$'
	thole stats --no-stream --interval 300ms --format json "$c" > "$T/out"
	equal "$(jq '.cpuPercent > 20 and .cpuPercent < 130' "$T/out")" true "$(cat "$T/out")"
	equal "$(jq .pids "$T/out")" 1
	thole kill "$c" KILL
	thole stats --no-stream --interval 10ms > "$T/out"
	equal "$(awk 'NR > 1 { print $1 }' "$T/out" | tr '\n' ' ')" "$c.b "
}

@test "stats: each named one that is not there is said, and the others are shown" {
	local s=0
	detached sleep 1000
	thole create --bundle "$B" "$c.b" < /dev/null
	thole kill "$c" KILL
	wait_for is "$c" stopped
	thole stats --no-stream --interval 10ms "$c.b" "$c" "none.$c" > "$T/out" 2> "$T/err" || s=$?
	equal $s 1
	equal "$(awk 'NR > 1 { print $1 }' "$T/out")" "$c.b"
	equal "$(cat "$T/err")" "$(printf 'thole: %s\n' "container '$c' has no statistics: it is stopped" "container 'none.$c' does not exist")"
	s=0
	thole stats --no-stream --interval 10ms --format json "$c" "$c.b" > "$T/out" 2> "$T/err" || s=$?
	equal "$s $(jq -r .id "$T/out") $(wc -l < "$T/err")" "1 $c.b 1"
}

@test "stats without ids shows a container that starts later, and one that comes back under its name" {
	thole create --bundle "$B" "$c.b" < /dev/null
	thole stats --interval 50ms --format json > "$T/out" 2> "$T/err" &
	local pid=$!
	STARTED+=("$pid")
	wait_for grep -q "\"$c.b\"" "$T/out"
	thole create --bundle "$B" "$c" < /dev/null
	wait_for grep -q "\"$c\"" "$T/out"
	thole delete --force "$c"
	: > "$T/out"
	thole create --bundle "$B" "$c" < /dev/null
	wait_for grep -q "\"$c\"" "$T/out"
	thole delete --force "$c"
	thole delete --force "$c.b"
	exits 0 wait "$pid"
	equal "$(cat "$T/err")" ''
}

@test "stats goes on until the last container has ended" {
	detached sleep 1000
	in_background "$THOLE" --root "$ROOT" stats --interval 20ms --format json "$c" > "$T/out"
	wait_for has_lines 3
	thole kill "$c" KILL
	exits 0 wait "${STARTED[0]}"
}

has_lines() { [ "$(wc -l < "$T/out")" -ge "$1" ]; }

@test "without its shim, and of one that is stopped" {
	detached sleep 1000
	kill -KILL "$(shim_of "$c")"
	wait_for no_shims
	equal "$(stat .pids.current)" 1
	thole kill "$c" KILL
	wait_for is "$c" stopped
	refused 1 "container '$c' has no statistics: it is stopped" thole events --stats "$c"
	refused 1 "container '$c' has no statistics: it is stopped" thole stats --no-stream "$c"
	refused 1 "container 'none.$c' does not exist" thole stats --no-stream "none.$c"
	equal "$(thole stats --no-stream | wc -l)" 1
}

@test "one that cannot be looked at is said once, and the others go on" {
	local shim watcher
	mkdir "$T/bin"
	cp "$BIN/thole" "$T/bin/"
	echo garbage > "$T/bin/thole-shim"
	chmod 755 "$T/bin/thole-shim"
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	bundle b2
	args sleep 1000
	thole run -d --bundle "$B" "other.$c" < /dev/null
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	in_background timeout 30 "$T/bin/thole" --root "$ROOT" stats --interval 50ms --format json > "$T/rows" 2> "$T/said"
	watcher=$!
	more_of() { [ "$(grep -c "other.$c" "$T/rows")" -ge 5 ]; }
	wait_for more_of
	kill "$watcher"
	equal "$(grep -c 'shim' "$T/said")" 1
	equal "$(grep -c "\"$c\"" "$T/rows")" 0
}
