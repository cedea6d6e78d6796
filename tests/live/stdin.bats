# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# The container's stdin: who owns it, whose end is its end, what is kept, and that nobody's haste fills the shim's memory.
load lib

setup_test() { bundle; }

# writer N OPTIONS...: an attached client whose stdin is a fifo that this shell has open as descriptor 6+N
writer() {
	mkfifo "$T/in.$1"
	eval "exec $((6 + $1))<> $T/in.$1"
	in_background "$THOLE" --root "$ROOT" attach "${@:2}" "$c" < "$T/in.$1" > "$T/out.$1" 2> "$T/err.$1" 7>&- 8>&- 9>&-
	eval "writer$1=$!"
	# It has been given its pipes: who comes first owns stdin.
	WAIT_S=30 wait_for has_pipes $!
}
has_pipes() { [ "$(cat "/proc/$1/comm")" = thole ] && [ "$(find "/proc/$1/fd" -lname 'pipe:*' 2> /dev/null | wc -l)" -ge 2 ]; } # the shell that becomes it has some of its own

stdin_pipe() { # as find's patterns want it
	thole_state "$c" .processes.init.streams.stdin | sed 's/\[/\\[/'
}

got() { grep -qx "got $1" "$T/out.${2:-1}"; }

reads_lines() { args sh -c 'while read -r l; do echo "got $l"; done; echo eof; exit 3'; }

# covers: run --stdin-once
@test "--stdin-once: stdin ends when the client that owns it leaves, not when another does" {
	reads_lines
	thole run -d --stdin-once --bundle "$B" "$c" < /dev/null
	writer 1
	writer 2
	echo one >&7
	wait_for got one
	# shellcheck disable=SC2154 # set by writer
	kill -KILL "$writer2"
	wait_for pid_gone "$writer2"
	echo two >&7
	wait_for got two
	is "$c" running
	kill -KILL "$writer1"
	exits 3 thole wait "$c"
	equal "$(thole logs "$c")" $'got one\ngot two\neof'
	equal "$(thole_state "$c" .processes.init.stdinOnce)" true
}

# covers: create --stdin-once
@test "create --stdin-once: the first client that owns it is the only one; a terminal's has no end" {
	reads_lines
	thole create --stdin-once --bundle "$B" "$c" < /dev/null
	thole start "$c"
	exits 3 timeout 20 "$THOLE" --root "$ROOT" attach "$c" <<< only > "$T/out.1"
	equal "$(cat "$T/out.1")" $'got only\neof'
	config '.process.terminal = true'
	refused 1 'stdin-once: not with a terminal' thole create --stdin-once --bundle "$B" "$c-2"
	refused 1 'stdin-once needs --monitor=shim' thole create --stdin-once --monitor=foreign --bundle "$B" "$c-2"
}

# covers: restore --stdin-once, restore --interactive
@test "restore: with -i stdin stays open when the client leaves, with --stdin-once it ends" {
	needs criu
	make_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	reads_lines
	thole run -d -i --bundle "$B" "$c" < /dev/null
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" "$c"
	timeout 60 "$THOLE" --root "$ROOT" restore -d -i --bundle "$B" --image-path "$T/img" "$c" < /dev/null
	writer 1
	echo one >&7
	wait_for got one
	kill -KILL "$writer1"
	writer 2
	echo two >&8
	wait_for got two 2
	kill -KILL "$writer2"
	thole delete --force "$c"
	timeout 60 "$THOLE" --root "$ROOT" restore -d --stdin-once --bundle "$B" --image-path "$T/img" "$c" < /dev/null
	writer 3
	echo three >&9
	wait_for got three 3
	kill -KILL "$writer3"
	exits 3 thole wait "$c"
	equal "$(thole logs "$c")" $'got three\neof'
}

@test "run --stdin-once in the foreground: a client that is killed takes stdin with it" {
	reads_lines
	mkfifo "$T/in"
	exec 7<> "$T/in"
	in_background "$THOLE" --root "$ROOT" run --keep --stdin-once --bundle "$B" "$c" < "$T/in" > "$T/out.1" 7>&-
	local client=$!
	echo one >&7
	wait_for got one
	kill -KILL $client
	exits 3 thole wait "$c"
	equal "$(thole logs "$c")" $'got one\neof'
}

@test "half-close: the owner's ends stdin, another's does not; who comes after a killed owner is the one that came next" {
	reads_lines
	thole run -d -i --bundle "$B" "$c" < /dev/null
	writer 1
	writer 2
	writer 3
	# One that has said all it has to say is no owner any more.
	echo 'from two' >&8
	exec 8>&-
	wait_for got 'from two'
	# It has said so, and the shim has heard it: it answers in the order in which it is asked.
	# shellcheck disable=SC2154
	said() { [ "$(find "/proc/$writer2/fd" -lname "$(stdin_pipe)" | wc -l)" = 0 ]; }
	wait_for said
	thole ps "$c" > "$T/ps"
	echo 'from one' >&7
	wait_for got 'from one'
	kill -KILL "$writer1"
	wait_for pid_gone "$writer1"
	echo 'from three' >&9
	wait_for got 'from three' 3
	is "$c" running
	exec 9>&-
	exits 3 thole wait "$c"
	exits 3 wait "$writer2"
	# shellcheck disable=SC2154
	exits 3 wait "$writer3"
	equal "$(cat "$T/out.3")" $'got from two\ngot from one\ngot from three\neof'
}

# The container reads when it is told to, into /tmp/got.
reads_late() { args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; cat > /tmp/got; exit 3'; }

# bytes_in PID BYTES: one of its pipes holds so many
bytes_in() {
	perl -e 'for (glob "/proc/$ARGV[0]/fd/*") { next if readlink !~ /^pipe:/ || !open F, ">", $_; my $n = pack "i", 0; ioctl F, 0x541B, $n; exit 0 if unpack("i", $n) == $ARGV[1] } exit 1' "$@"
}

# The container's own pipe is full: what others say from here on waits in theirs.
fill() {
	# By whole pages: a pipe holds so many pieces, whatever their size.
	head -c 65536 /dev/zero | tr '\0' x > "$T/pages"
	dd if="$T/pages" bs=65536 2> /dev/null >&7
	# shellcheck disable=SC2154
	wait_for bytes_in "$writer1" 65536
}

@test "the owner's end is the container's, though another may write: that one says what was not passed on" {
	local read taken lost
	reads_late
	thole run -d -i --bundle "$B" "$c" < /dev/null
	writer 1
	echo one >&7
	"$PROBES/records" 4444 64 > "$T/records" 2> /dev/null
	# Its offset in the file tells how much of it the client has read.
	exec 8< "$T/records"
	in_background "$THOLE" --root "$ROOT" attach "$c" <&8 > "$T/out.2" 2> "$T/err.2" 7>&-
	writer2=$!
	stands() { grep -q "^pos:.*[[:space:]]131072$" /proc/$BASHPID/fdinfo/8; }
	wait_for stands
	exec 7>&-
	wait_for grep -q 'were not passed on' "$T/err.2"
	is "$c" running
	touch "$B/rootfs/tmp/go"
	exits 3 thole wait "$c"
	exits 3 wait "$writer2"
	read -r lost taken < <(sed -n 's/.*: \([0-9]*\) bytes of this one.s, from byte \([0-9]*\) on, .*/\1 \2/p' "$T/err.2")
	cmp "$B/rootfs/tmp/got" <(
		echo one
		head -c "$taken" "$T/records"
	)
	[ "$taken" -ge 65536 ] || fail "only $taken bytes of the other's were passed on"
	read=$((256000 - $(cat <&8 | wc -c)))
	equal "$((taken + lost))" "$read"
}

@test "one that may write and has said nothing is told, too, and stays to the end" {
	reads_lines
	thole run -d -i --bundle "$B" "$c" < /dev/null
	writer 1
	writer 2
	echo two >&8
	wait_for got two
	exec 7>&-
	exits 3 thole wait "$c"
	exits 3 wait "$writer2"
	equal "$(cat "$T/out.2")" $'got two\neof'
	equal "$(cat "$T/err.2")" "thole: the client that owns the container's stdin has ended it: nothing more of this one's is passed on"
}

@test "what a client has said before it left, or before the owner's end, arrives; an upgrade changes nothing" {
	local n
	reads_late
	thole run -d -i --bundle "$B" "$c" < /dev/null
	for n in 1 2 3; do writer $n; done
	fill
	echo two >&8
	wait_for bytes_in "$writer2" 4
	echo three >&9
	wait_for bytes_in "$writer3" 6
	kill -KILL "$writer3"
	wait_for pid_gone "$writer3"
	thole upgrade "$c"
	exec 7>&-
	wait_for grep -q 'has ended it: nothing more' "$T/err.2"
	# Nobody may join now.
	exits 0 timeout 20 "$THOLE" --root "$ROOT" attach "$c" <<< four > "$T/out.4" 2> "$T/err.4" &
	local fourth=$!
	wait_for grep -q 'has no stdin' "$T/err.4"
	touch "$B/rootfs/tmp/go"
	exits 3 thole wait "$c"
	exits 3 wait "$writer2"
	wait $fourth || true
	equal "$(tr -d x < "$B/rootfs/tmp/got" | sort)" $'three\ntwo'
	equal "$(wc -c < "$B/rootfs/tmp/got")" $((65536 + 10))
}

@test "a shim that is killed after the owner's end: stdin has ended" {
	reads_late
	thole run -d -i --bundle "$B" "$c" < /dev/null
	writer 1
	writer 2
	fill
	echo two >&8
	wait_for bytes_in "$writer2" 4
	local shim
	shim=$(shim_of "$c")
	exec 7>&-
	wait_for grep -q 'has ended it: nothing more' "$T/err.2"
	kill -KILL "$shim"
	touch "$B/rootfs/tmp/go"
	exits 3 thole wait "$c"
	exits 3 wait "$writer2"
	equal "$(head -c 65536 "$B/rootfs/tmp/got" | tr -d x | wc -c)" 0
}

@test "--stdin-once: the owner's leaving is the end, though another may write" {
	reads_lines
	thole run -d --stdin-once --bundle "$B" "$c" < /dev/null
	writer 1
	writer 2
	echo two >&8
	wait_for got two
	kill -KILL "$writer1"
	exits 3 thole wait "$c"
	exits 3 wait "$writer2"
	grep -q 'has ended it: nothing more' "$T/err.2"
}

@test "--stdio=inherit: the caller owns it, an attached client's end is its own alone" {
	reads_lines
	mkfifo "$T/in"
	exec 7<> "$T/in"
	thole run -d --stdio=inherit --bundle "$B" "$c" < "$T/in" > "$T/out.1" 2>&1 7>&-
	in_background "$THOLE" --root "$ROOT" attach "$c" <<< two > "$T/out.2" 7>&-
	local client=$!
	wait_for got two
	echo one >&7
	wait_for got one
	exec 7>&-
	exits 3 thole wait "$c"
	exits 3 wait $client
	equal "$(cat "$T/out.1")" $'got two\ngot one\neof'
}

@test "two clients write at once: each one's bytes arrive whole and in its order" {
	local n
	n=$([ "$THOLE_LONG" ] && echo 2000000 || echo 100000)
	seq -f 'A %061.0f' 1 "$n" > "$T/a.txt"
	seq -f 'B %061.0f' 1 "$n" > "$T/b.txt"
	args sh -c 'exec cat > /tmp/got'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	# One that stays keeps stdin open for the two.
	writer 1
	in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/a.txt" > "$T/out.a" 7>&-
	local a=$!
	in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/b.txt" > "$T/out.b" 7>&-
	local b=$!
	arrived() { [ "$(stat -c %s "$B/rootfs/tmp/got")" = $((2 * n * 64)) ]; }
	wait_for arrived
	exec 7>&-
	exits 0 thole wait "$c"
	wait $a
	wait $b
	cmp <(grep '^A' "$B/rootfs/tmp/got") "$T/a.txt"
	cmp <(grep '^B' "$B/rootfs/tmp/got") "$T/b.txt"
}

@test "what was written before the start is kept, and so is its end" {
	reads_lines
	thole create -i --bundle "$B" "$c" < /dev/null
	in_background "$THOLE" --root "$ROOT" attach "$c" <<< 'early' > "$T/out.1"
	local client=$!
	# It has ended its stdin: the shim has closed its end.
	closed() { [ "$(find "/proc/$(shim_of "$c")/fd" -lname "$(stdin_pipe)" | wc -l)" = 0 ]; }
	wait_for closed
	thole start "$c"
	exits 3 wait $client
	equal "$(cat "$T/out.1")" $'got early\neof'
}

private_kib() { # PID: what is its own; pages of its program come and go
	awk '/^Private_Dirty/ { print $2 }' "/proc/$1/smaps_rollup"
}

# held_back HOW: a writer that has 64 MiB to say to a container that does not read waits, and the shim does not grow
held_back() {
	head -c $((64 << 20)) /dev/zero | tr '\0' x > "$T/much"
	local shim before after
	shim=$(shim_of "$c")
	before=$(private_kib "$shim")
	in_background "$@"
	local writer=$!
	waits() { grep -q 'pipe_write\|pipe_wait' "/proc/$writer/wchan" || { [ "$(awk '{ print $3 }' "/proc/$writer/stat")" = S ] && [ "$(awk '/^rchar/ { print $2 }' "/proc/$writer/io")" -gt 65536 ]; }; }
	wait_for waits
	kill -0 $writer
	[ "$(awk '/^rchar/ { print $2 }' "/proc/$writer/io")" -lt $((8 << 20)) ] || fail 'it was not held back'
	after=$(private_kib "$shim")
	[ "$after" -lt $((before + 512)) ] || fail "the shim's memory: $before KiB, then $after KiB"
	touch "$B/rootfs/tmp/go"
	exits 0 thole wait "$c"
	equal "$(cat "$B/rootfs/tmp/sum")" "$(md5sum < "$T/much" | cut -d' ' -f1)"
}

@test "a client that writes faster than the container reads is held back" {
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; head -c 67108864 | md5sum | cut -d" " -f1 > /tmp/sum'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/out.0"
	attached 1
	held_back sh -c 'exec "$0" --root "$1" attach "$2" < "$3" > /dev/null' "$THOLE" "$ROOT" "$c" "$T/much"
}

@test "the caller's stdin (--stdio=inherit) is held back too" {
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; head -c 67108864 | md5sum | cut -d" " -f1 > /tmp/sum'
	mkfifo "$T/in"
	exec 7<> "$T/in"
	thole run -d --stdio=inherit --bundle "$B" "$c" < "$T/in" > /dev/null 2>&1 7>&-
	held_back sh -c 'exec cat "$0" > "$1"' "$T/much" "$T/in"
}

@test "a terminal that nobody reads from holds back who types" {
	config '.process.terminal = true'
	# Raw: else the kernel throws away what a line is too long for.
	args sh -c 'stty raw -echo; echo ready; while [ ! -e /tmp/go ]; do usleep 10000; done; head -c 67108864 | md5sum | cut -d" " -f1 > /tmp/sum'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" ready
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/out.0"
	attached 0 1
	held_back sh -c 'exec "$0" --root "$1" attach "$2" < "$3" > /dev/null' "$THOLE" "$ROOT" "$c" "$T/much"
}

@test "what the shim before has passed on is not told to be lost" {
	reads_lines
	mkfifo "$T/in"
	exec 9<> "$T/in"
	in_background "$THOLE" --root "$ROOT" run -i --keep --bundle "$B" "$c" < "$T/in" > "$T/out" 9>&-
	local client=$! shim
	wait_for is "$c" running
	writer 1 2> /dev/null
	echo one >&7
	wait_for got one
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	# The client in the foreground comes back, and is the owner; the other comes back to its shim.
	echo two >&9
	wait_for grep -qx 'got two' "$T/out"
	echo three >&7
	wait_for got three
	exec 9>&-
	exits 3 wait $client
	exits 3 wait "$writer1"
	contains "$(cat "$T/err.1")" "has ended it: nothing more of this one's is passed on"
	not grep -q 'were not passed on' "$T/err.1"
}
