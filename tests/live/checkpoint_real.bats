# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# Programs with something to lose, checkpointed and restored: a database with connections, a shell on a terminal, threads and every kind of descriptor, much memory, many processes.
# Quick figures; the full ones with THOLE_LONG.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	IMG=$T/img
	bundle
}

checkpoint() { timeout 120 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$@" "$c"; }
restore() { timeout 120 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$@" "$c" < /dev/null; }
in_network() { nsenter -t "$(init_of "$c")" -n "$@"; }

# ---- redis

debian_root() {
	needs debian-root
	BUILD=$BUILD "$TREE/tests/live/make-debian-root" > "$THOLE_TEST_TMP/debian-root.log" 2>&1 || fail "$(tail -5 "$THOLE_TEST_TMP/debian-root.log")"
	config --arg r "$BUILD/debian-root" '.root = { path: $r, readonly: true } |
		.mounts += [{ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["mode=1777", "nosuid", "nodev"] }] |
		.process.capabilities |= with_entries(.value += ["CAP_NET_ADMIN"]) | .process.cwd = "/data"'
}

redis() { in_network chroot "$BUILD/debian-root" redis-cli "$@" 2> /dev/null; }
answers() { [ "$(redis ping)" = PONG ]; }

# Redis on all addresses of the container's own network namespace, full of keys.
start_redis() {
	KEYS=${THOLE_LONG:+100000}
	KEYS=${KEYS:-2000}
	args sh -c 'ip link set lo up && exec redis-server --bind 0.0.0.0 --protected-mode no --port 6379 --dir /data --save "" --daemonize no'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for answers
	redis eval "for i = 1, $KEYS do redis.call('set', 'k' .. i, 'v' .. i) end" 0 > /dev/null
}

all_keys() {
	equal "$(redis dbsize)" "$KEYS"
	equal "$(redis eval "for i = 1, $KEYS do if redis.call('get', 'k' .. i) ~= 'v' .. i then return i end end return 'all'" 0)" all
}

ask() { # LINE: over the open connection
	local answer
	printf '%s\r\n' "$1" >&8
	read -r -t 30 answer <&8
	printf '%s\n' "${answer%$'\r'}"
}

@test "redis with its keys, and a client connected through a veth pair: the client goes on" {
	local v=r${c//[^a-zA-Z0-9]/}
	v=${v:0:12}
	debian_root
	start_redis
	ip link add "$v" type veth peer name eth0 netns "$(init_of "$c")"
	ip addr add 10.114.0.1/24 dev "$v"
	ip link set "$v" up
	in_network ip addr add 10.114.0.2/24 dev eth0
	in_network ip link set eth0 up
	exec 8<> /dev/tcp/10.114.0.2/6379
	equal "$(ask 'INCR n')" :1
	redis del n > /dev/null
	equal "$(ask 'INCRBY k0 41')" :41
	checkpoint --tcp-established
	gone_from_host() { ! ip link show "$v" > /dev/null 2>&1; }
	wait_for gone_from_host
	restore --tcp-established
	equal "$(ask 'INCR k0')" :42
	equal "$(ask 'DEL k0')" :1
	all_keys
	exec 8>&-
}

@test "redis with a client inside, over loopback: both go on, and lo is up" {
	debian_root
	args sh -c 'ip link set lo up; redis-server --bind 127.0.0.1 --port 6379 --dir /data --save "" > /dev/null & exec perl -MSocket -e "
		sub attempt { socket(my \$s, PF_INET, SOCK_STREAM, 0); connect(\$s, pack_sockaddr_in(6379, inet_aton(q(127.0.0.1)))) ? \$s : undef }
		my \$s; until (\$s = attempt()) { select undef, undef, undef, 0.05 }
		\$| = 1; while (1) { syswrite \$s, qq(INCR n\r\n); sysread \$s, my \$b, 100 or die qq(lost\n); \$b =~ /:(\d+)/ or die qq(odd: \$b\n); print qq(n \$1\n); select undef, undef, undef, 0.005 }"'
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	wait_for grep -q 'n 50$' "$T/log.1"
	checkpoint --tcp-established
	restore --tcp-established --log-path "$T/log.2"
	contains "$(in_network ip -o link show lo)" ',UP'
	wait_for grep -q "n $(($(wc -l < "$T/log.1") + 50))\$" "$T/log.2"
	sed 's/^[^ ]* stdout F //' "$T/log.1" "$T/log.2" | awk '$0 != "n " NR { print NR ": " $0; exit 1 }'
}

# ---- a terminal

@test "a shell on a terminal: its variables, its history of the screen's size, its jobs" {
	config '.process.terminal = true | .process.consoleSize = { height: 31, width: 97 }'
	args sh -i
	mkfifo "$T/in"
	thole run -d --bundle "$B" "$c" < /dev/null
	in_background sh -c 'exec "$0" --root "$1" attach "$2" < "$3" > /dev/null 2>&1' "$THOLE" "$ROOT" "$c" "$T/in"
	exec 9> "$T/in"
	printf 'x=kept; sleep 1000 &\n' >&9
	printf 'echo be""fore\n' >&9
	wait_for logged "$c" before
	checkpoint
	exec 9>&-
	restore
	in_background sh -c 'exec "$0" --root "$1" attach "$2" < "$3" > /dev/null 2>&1' "$THOLE" "$ROOT" "$c" "$T/in"
	exec 9> "$T/in"
	printf 'echo "is $x"; stty size; jobs\n' >&9
	wait_for logged "$c" 'is kept'
	wait_for logged "$c" '31 97'
	wait_for logged "$c" 'Running'
	printf 'exit 5\n' >&9
	exits 5 thole wait "$c"
	exec 9>&-
}

# ---- much of everything

last_of() { thole logs "$c" | sed -n "s/.*$1=\([0-9]*\).*/\1/p" | tail -1; }
beyond() { [ "$(last_of "$1")" -gt "$2" ]; }

@test "threads, pipes to children, a file, signalfd, timerfd, eventfd, inotify and epoll all go on" {
	local what before=()
	detached many
	wait_for test -d "$B/rootfs/tmp/watched"
	wait_for beyond ticks 5
	thole kill "$c" USR1
	: > "$B/rootfs/tmp/watched/a"
	wait_for beyond signals 0
	wait_for beyond names 0
	for what in ticks events lines threads; do
		wait_for beyond $what 3
		before+=("$(last_of $what)")
	done
	checkpoint
	restore
	thole kill "$c" USR1
	: > "$B/rootfs/tmp/watched/b"
	wait_for beyond signals 1
	wait_for beyond names 1
	for what in ticks events lines threads; do
		wait_for beyond $what $((before[0] + 5))
		before=("${before[@]:1}")
	done
}

@test "much memory comes back as it was" {
	local mib=${THOLE_LONG:+512} sum
	detached memory "${mib:-32}"
	wait_for logged "$c" 'same=1'
	sum=$(last_of sum)
	checkpoint
	[ "$(du -km "$IMG" | tail -1 | cut -f 1)" -ge "${mib:-32}" ]
	restore
	thole kill "$c" USR1
	wait_for logged "$c" 'same='
	not logged "$c" 'same=0'
	equal "$(last_of sum)" "$sum"
}

@test "fifty processes: each comes back and ends as it would have" {
	args sh -c 'n=0; while [ $n -lt 50 ]; do (echo "here $n"; while [ ! -e /go ]; do usleep 20000; done; echo "done $n") & n=$((n + 1)); done; wait; echo all; exit 4'
	thole run -d --keep --bundle "$B" "$c" < /dev/null
	all_here() { [ "$(thole logs "$c" | grep -c here)" = 50 ]; }
	wait_for all_here
	checkpoint
	restore
	[ "$(thole ps "$c" | wc -l)" -ge 51 ]
	: > "$B/rootfs/go"
	exits 4 thole wait "$c"
	equal "$(thole logs "$c" | grep -c done)" 50
	logged "$c" all
}
