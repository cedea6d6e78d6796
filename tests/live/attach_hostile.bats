# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Attached clients that mean harm: they are dropped or left alone, and neither the container, nor its log, nor a client that behaves sees anything of it.
load lib

# The container writes until it is told to stop; one client that behaves is attached from the beginning.
setup_test() {
	bundle
	args sh -c 'n=1; while [ ! -e /tmp/go ]; do usleep 1000; done; while [ ! -e /tmp/stop ]; do /usr/bin/records 2000 64 $n 2>&1; n=$((n + 2000)); usleep 1000; done; echo $n > /tmp/n; cat > /tmp/in; exit 3'
	thole run -d -i --log-opt max-size=8m --log-opt max-file=500 --bundle "$B" "$c" < /dev/null
	S=$ROOT/$c/control.sock
	SHIM=$(shim_of "$c")
	local before
	pipes() { find "/proc/$SHIM/fd" -lname 'pipe:*' 2> /dev/null | wc -l; }
	before=$(pipes)
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > >("$PROBES/records" --check > "$T/good")
	good=$!
	has_pipes() { [ "$(pipes)" -ge "$1" ]; }
	wait_for has_pipes $((before + 2)) || fail "pipes: $(ls -l "/proc/$SHIM/fd")"
	FDS=$(find "/proc/$SHIM/fd" -type l | wc -l)
	touch "$B/rootfs/tmp/go"
}

hostile() {
	timeout 120 "$PROBES/hostile" "$S" "$@" > "$T/out" 2> "$T/err" < /dev/null || fail "hostile $*: $? $(cat "$T/out" "$T/err")"
}

holds() { # MODE N: in the background, until fd 9 is closed
	mkfifo "$T/hold"
	exec 9<> "$T/hold"
	in_background "$PROBES/hostile" "$S" "$@" < "$T/hold" > "$T/out" 9>&-
	holder=$!
	wait_for grep -q holding "$T/out"
}

# Not Private_Dirty: the window of the log that is mapped while it is written at full speed is the page cache's.
private_kib() { awk '/^Anonymous/ { print $2 }' "/proc/$SHIM/smaps_rollup"; }

# It has the descriptors that it had, but for the pipe by which it asks others if they have ended: it makes that when it needs it.
settled() { [ "$(find "/proc/$SHIM/fd" -type l | wc -l)" -le $((FDS + 2)) ]; }

# The container is where it would be without them, and the shim has what it had.
unharmed() {
	local n
	wait_for settled || fail "descriptors: $FDS before, now $(ls -l "/proc/$SHIM/fd")"
	# A sanitizer keeps what is freed.
	[ "${THOLE_FLAVOUR:-}" = san ] || [ "$(private_kib)" -lt 1024 ] || fail "the shim has grown to $(private_kib) KiB"
	is "$c" running
	touch "$B/rootfs/tmp/stop"
	wait_for test -s "$B/rootfs/tmp/n"
	n=$(($(cat "$B/rootfs/tmp/n") - 1))
	# Its stdin is open as long as nobody who owned it has ended it.
	[ -z "${1:-}" ] || exits 3 timeout 20 "$THOLE" --root "$ROOT" attach "$c" <<< "$1" > /dev/null
	exits 3 thole wait "$c"
	exits 3 wait "$good"
	wait_for test -s "$T/good"
	equal "$(cat "$T/good")" "records=$n last=$n" 'who behaves'
	equal "$(thole logs "$c" | "$PROBES/records" --check)" "records=$n last=$n" 'the log'
	[ -z "${1:-}" ] || equal "$(cat "$B/rootfs/tmp/in")" "$1" stdin
}

@test "thousands of attaches, each rude in its way" {
	hostile attach $([ "$THOLE_LONG" ] && echo 30000 || echo 2000)
	[ "$(value attached)" -gt 1000 ]
	unharmed 'stdin is open still'
}

@test "attached clients that never read anything" {
	holds mute 40
	equal "$(value attached)" 40
	in_background timeout 20 "$THOLE" --root "$ROOT" kill "$c" WINCH
	exits 0 wait $!
	before=$(container_records)
	more() { [ "$(container_records)" -gt $((before + 20000)) ]; }
	wait_for more || fail 'the container is held back'
	exec 9>&-
	wait $holder
	unharmed 'and so is this'
}

# What comes while it is printed is printed, too.
container_records() { thole logs --tail 1 "$c" | sed -n '1s/^0*\([0-9]*\).*/\1/p'; }

@test "one that reads its pipes and never what it is told of gaps loses its connection" {
	in_background timeout 100 "$PROBES/hostile" "$S" gaps < /dev/null > "$T/out"
	local gaps=$!
	WAIT_S=100 wait_for pid_gone $gaps
	equal "$(value gaps_closed)" 1
	unharmed open
}

@test "clients that keep their pipes and close the connection" {
	holds orphans 200
	[ "$(value attached)" -gt 100 ]
	wait_for settled
	# What they hold of stdin keeps it open, no more.
	exec 9>&-
	wait $holder
	unharmed open
}

@test "clients that leave more behind than the container reads: 64 are kept, others are told, and all of it arrives in the end" {
	holds leave 80
	equal "$(value attached)" 64
	exits 1 "$THOLE" --root "$ROOT" attach "$c" <<< z > /dev/null 2> "$T/err"
	grep -q 'too many clients have left behind what the process has not read' "$T/err"
	exec 9>&-
	wait $holder
	touch "$B/rootfs/tmp/stop"
	arrived() { [ "$(stat -c %s "$B/rootfs/tmp/in")" = $(($(value filled) + 64)) ]; }
	wait_for arrived
	exits 3 timeout 20 "$THOLE" --root "$ROOT" attach "$c" <<< last > /dev/null
	equal "$(tr -d x < "$B/rootfs/tmp/in")" "$(printf 'y%.0s' {1..64})last"
	exits 3 thole wait "$c"
	exits 3 wait "$good"
}

@test "more clients than a shim has room for: the others are told, and there is room again" {
	holds mute 70
	[ "$(value attached)" -lt 64 ]
	[ "$(value attached)" -gt 50 ]
	refused 1 'more than 64 connections to one shim' thole attach --no-stdin "$c"
	exec 9>&-
	wait $holder
	unharmed open
}
