# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# What a peer of the control socket can do: nothing but be told so. After each attack the shim answers, with as many descriptors as before.
load lib

setup_test() {
	bundle
	detached sleep 1000
	S=$ROOT/$c/control.sock
	SHIM=$(shim_of "$c")
	FDS=$(find "/proc/$SHIM/fd" -type l | wc -l)
}

hostile() {
	timeout 60 "$PROBES/hostile" "$S" "$@" > "$T/out" 2> "$T/err" < /dev/null || fail "hostile $*: $? $(cat "$T/out" "$T/err")"
}

unharmed() {
	[ -d "/proc/$SHIM" ] || fail "the shim is gone"
	is "$c" running
	settled() { [ "$(find "/proc/$SHIM/fd" -type l | wc -l)" -le "$FDS" ]; }
	wait_for settled || fail "descriptors: $FDS before, now $(ls -l "/proc/$SHIM/fd")"
	# It still does what it is asked.
	thole kill "$c" KILL
	exits 137 thole wait "$c"
}

# 2025-62875: a message of a peer that ended the daemon.
@test "random bytes" {
	hostile garbage $([ "$THOLE_LONG" ] && echo 20000 || echo 300)
	unharmed
}

@test "packets that are too large" {
	hostile oversized
	equal "$(value above_closed)" 1
	equal "$(value big_closed)" 1
	unharmed
}

@test "a wrong version is answered and the connection closed" {
	hostile version
	matches "$(value version_replies)" '^[12]$'
	equal "$(value version_closed)" 1
	unharmed
}

@test "a request before the Hello is answered and the connection closed" {
	hostile nohello
	equal "$(value nohello_closed)" 1
	contains "$(value nohello_said)" 'a request before the hello'
	unharmed
}

@test "a second Hello is answered and the connection closed" {
	hostile twice
	equal "$(value twice_closed)" 1
	contains "$(value twice_said)" 'a second hello'
	unharmed
}

@test "as many requests as one connection may have open are taken, with one more it is closed" {
	hostile greedy 64
	equal "$(value greedy_closed) $(value greedy_replies)" '0 1'
	hostile greedy 65
	equal "$(value greedy_closed) $(value greedy_replies)" '1 2'
	contains "$(value greedy_said)" 'more than 64 requests are open on this connection'
	unharmed
}

@test "descriptors that nobody asked for are closed, and the connection too" {
	hostile fds
	equal "$(value fds_closed)" 1
	unharmed
}

@test "a thousand connections: the limit holds, others are served again afterwards" {
	mkfifo "$T/hold"
	exec 9<> "$T/hold"
	in_background "$PROBES/hostile" "$S" silent 1000 < "$T/hold" > "$T/out" 9>&-
	local holder=$!
	wait_for grep -q holding "$T/out"
	[ "$(value connections)" -gt 0 ]
	[ "$(find "/proc/$SHIM/fd" -type l | wc -l)" -le $((FDS + 80)) ] || fail "it took $(find "/proc/$SHIM/fd" -type l | wc -l) descriptors"
	# state and list need no shim.
	is "$c" running
	kill -KILL $holder
	exec 9>&-
	again() { timeout 5 "$THOLE" --root "$ROOT" kill "$c" WINCH; }
	wait_for again
	unharmed
}

@test "silent connections are closed after ten seconds, while others are served" {
	mkfifo "$T/hold"
	exec 9<> "$T/hold"
	in_background "$PROBES/hostile" "$S" silent 20 < "$T/hold" > "$T/out" 9>&-
	wait_for grep -q holding "$T/out"
	timeout 5 "$THOLE" --root "$ROOT" kill "$c" WINCH
	settled() { [ "$(find "/proc/$SHIM/fd" -type l | wc -l)" -le "$FDS" ]; }
	WAIT_S=20 wait_for settled
	exec 9>&-
	unharmed
}

@test "a client that never reads does not hold up the others" {
	mkfifo "$T/hold"
	exec 9<> "$T/hold"
	in_background "$PROBES/hostile" "$S" deaf < "$T/hold" > "$T/out" 9>&-
	local deaf=$!
	wait_for grep -q holding "$T/out"
	timeout 5 "$THOLE" --root "$ROOT" kill "$c" WINCH
	is "$c" running
	kill -KILL $deaf
	exec 9>&-
	unharmed
}

@test "another user is refused: the socket and its directory are closed" {
	local s=0
	setpriv --reuid 1000 --regid 1000 --clear-groups "$PROBES/hostile" "$S" version > "$T/out" 2> "$T/err" < /dev/null || s=$?
	[ $s != 0 ]
	equal "$(stat -c %a "$S")" 600
	unharmed
}

@test "another user who was let through by the files is refused by the shim" {
	chmod 777 "$S"
	chmod 711 "$ROOT" "$ROOT/$c" "$T"
	local s=0
	setpriv --reuid 1000 --regid 1000 --clear-groups "$PROBES/hostile" "$S" version > "$T/out" 2> "$T/err" < /dev/null || s=$?
	chmod 700 "$ROOT" "$ROOT/$c" "$T"
	chmod 600 "$S"
	# Not a word: it would be one for whoever breaks the protocol.
	[ $s != 0 ] || equal "$(value version_closed) $(value version_replies)" '1 0'
	unharmed
}

@test "a client that waits for the first word of a shim that stands still ends by its signal" {
	local shim client
	shim=$(shim_of "$c")
	kill -STOP "$shim"
	in_background "$THOLE" --root "$ROOT" exec "$c" sleep 1000 < /dev/null
	client=$!
	waits() { grep -q poll "/proc/$client/wchan" 2> /dev/null && [ "$(ls -l "/proc/$client/fd" | grep -c 'socket:')" -ge 1 ]; }
	wait_for waits
	kill -TERM "$client"
	wait_for pid_gone "$client"
	kill -CONT "$shim"
	thole exec "$c" true < /dev/null
}
