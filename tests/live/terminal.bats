# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# The caller's terminal and the container's: sizes of several clients, raw mode on every way out, the last bytes, and programs that know nothing of each
# other in between: script, tmux, a pager and an editor of Debian's.
load lib

setup_test() {
	bundle
	config '.process.terminal = true'
}

teardown_test() { [ ! -S "$T/tmux" ] || tmux -S "$T/tmux" kill-server 2> /dev/null || true; }

client_of() { # WORD: the pid of the client of $c with this word in its command line
	local pid
	for pid in $(own_processes); do
		tr '\0' '\n' < "/proc/$pid/cmdline" | grep -qx -- "$1" && echo "$pid"
	done
}

# ---- sizes

@test "several clients: the terminal has the size of who came or changed last, and the process hears of it" {
	detached sh -c 'trap "stty size" WINCH; echo up; while :; do usleep 10000; done'
	wait_for logged "$c" up
	in_background "$PROBES/pty" -s 30x90 "$THOLE" --root "$ROOT" attach "$c" > "$T/first" < <(
		echo 'expect 30 90'
		wait_for logged "$c" '30 90'
		"$PROBES/pty" -s 40x100 "$THOLE" --root "$ROOT" attach "$c" > "$T/second" <<- 'END'
			expect 40 100
			send \x10\x11
			end
		END
		echo 'expect 40 100'
		echo 'size 50x120'
		echo 'expect 50 120'
		echo 'send \x10\x11'
		echo end
	)
	exits 0 wait $!
	contains "$(cat "$T/second")" '40 100'
	thole exec -t "$c" stty size < /dev/null > "$T/exec" # a terminal of its own, of nobody's size
	equal "$(thole exec "$c" sh -c 'stty size < /dev/console' | tr -d '\r')" '50 120'
}

# ---- the caller's terminal afterwards

# afterwards SIGNAL: a client that dies of it leaves the terminal as it was
afterwards() {
	detached sh -c 'echo up; while :; do usleep 10000; done'
	"$PROBES/pty" sh -c "'$THOLE' --root '$ROOT' attach --sig-proxy=false '$c'; echo status=\$?; stty -a" > "$T/out" 2> "$T/err" < <(
		wait_for raw
		kill "-$1" "$(client_of attach)"
		echo "expect status=$((128 + $(kill -l "$1")))"
		echo end
	)
	not grep raw "$T/err"
	local word
	for word in icanon echo opost; do
		tr -d '\r' < "$T/out" | grep -qE "(^| )$word( |\$)" || fail "no $word: $(cat "$T/out")"
	done
	is "$c" running
}

# The client's terminal is in raw mode.
raw() { terminal_says -icanon; }
cooked() { terminal_says icanon; }
terminal_says() { # WORD
	local pid
	pid=$(client_of attach) && [ -n "$pid" ] && stty -a < "/proc/$pid/fd/0" | tr ' ;' '\n\n' | grep -qx -- "$1"
}

@test "raw mode ends with a client that SIGTERM ends" { afterwards TERM; }
@test "raw mode ends with a client that SIGHUP ends" { afterwards HUP; }
@test "raw mode ends with a client that SIGINT ends" { afterwards INT; }
@test "raw mode ends with a client that SIGSEGV ends" {
	export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0 # else the sanitizer's handler is there before ours
	afterwards SEGV
}
@test "raw mode ends with a client that SIGABRT ends" { afterwards ABRT; }
@test "raw mode ends with a client that SIGPROF ends" { afterwards PROF; }
@test "raw mode ends with a client that a real-time signal ends" { afterwards RTMIN+3; }

@test "a client that SIGTSTP stops gives the terminal back, and takes it again when it goes on" {
	detached sh -c 'echo up; while read l; do echo "line $l"; done'
	# A shell with job control: the process group of its job is nobody's orphan, which the kernel would not stop.
	in_background "$PROBES/pty" bash -mc "'$THOLE' --root '$ROOT' attach --sig-proxy=false '$c'; stty -a; echo stopped; fg; echo status=\$?" > "$T/out" < <(
		wait_for raw
		kill -TSTP "$(client_of attach)"
		echo 'expect stopped'
		wait_for raw
		printf 'send again\\n\nexpect line again\nsend \\x10\\x11\nexpect status=0\nend\n'
	)
	exits 0 wait $!
	contains "$(tr -d '\r' < "$T/out")" ' icanon'
	contains "$(tr -d '\r' < "$T/out")" ' echo '
}

# ---- bytes

@test "a newline is \\r\\n, once, unless the process wants it otherwise: for the client and in the log" {
	args sh -c 'printf "a\nb\n"; stty -onlcr; printf "c\nd\n"'
	"$PROBES/pty" "$THOLE" --root "$ROOT" run --keep --bundle "$B" "$c" > "$T/out" <<< end
	equal "$(od -An -c "$T/out" | tr -d ' \n')" 'a\r\nb\r\nc\nd\n'
	thole logs "$c" > "$T/logged"
	cmp "$T/out" "$T/logged"
}

@test "what is written last is not lost, however soon the process ends" {
	local i
	args sh -c 'seq 5000; printf the-end'
	for i in 1 2 3 4 5; do
		"$PROBES/pty" "$THOLE" --root "$ROOT" run --keep --bundle "$B" "$c" > "$T/out" <<< end
		equal "$(tr -d '\r' < "$T/out" | sha256sum)" "$({ seq 5000; printf the-end; } | sha256sum)" "run $i"
		equal "$(thole logs "$c" | tr -d '\r' | sha256sum)" "$({ seq 5000; printf the-end; } | sha256sum)" "log $i"
		thole delete "$c"
	done
}

@test "a terminal that nobody has open for a moment is not at its end" {
	# Between the two nobody holds it: the shim reads EIO meanwhile.
	detached sh -c 'exec 3> /tmp/trace < /dev/null > /dev/null 2>&1; for i in 1 2 3; do usleep 150000; echo "again $i" > /dev/console; done; exec sleep 1000'
	wait_for logged "$c" 'again 3'
	equal "$(thole logs "$c" | tr -d '\r')" $'again 1\nagain 2\nagain 3'
}

# ---- other programs in between

@test "below script(1): sizes, typing, exit status, and the typescript" {
	args sh -c 'stty size; read a; echo "got <$a>"; exit 5'
	local s=0
	"$PROBES/pty" -s 21x81 script -q -e -c "'$THOLE' --root '$ROOT' run --bundle '$B' '$c'" "$T/typescript" > "$T/out" << 'END' || s=$?
expect 21 81
send hello\n
expect got <hello>
end
END
	equal $s 5
	contains "$(tr -d '\r' < "$T/typescript")" $'21 81\nhello\ngot <hello>'
}

in_tmux() { # ROWS COLUMNS CMD: a session of one window without a status line
	tmux -S "$T/tmux" -f /dev/null new-session -d -s s -x "$2" -y "$1" "$3; echo status=\$?; exec sleep 1000" \; set -g status off \; set -g window-size manual \; resize-window -x "$2" -y "$1" 3>&-
}
screen() { tmux -S "$T/tmux" capture-pane -p -t s; }
shows() { screen | grep -qF -- "$1"; }
keys() { tmux -S "$T/tmux" send-keys -t s "$@"; }
resize() { tmux -S "$T/tmux" resize-window -t s -x "$2" -y "$1"; } # ROWS COLUMNS

@test "in tmux: detach, attach again, and the window's size" {
	needs tmux
	detached sh -c 'trap "stty size" WINCH; echo up; while :; do read l && echo "line $l"; done'
	in_tmux 20 70 "'$THOLE' --root '$ROOT' attach '$c'"
	wait_for shows '20 70'
	keys one Enter
	wait_for shows 'line one'
	resize 25 90
	wait_for shows '25 90'
	keys C-p C-q
	wait_for shows 'status=0'
	is "$c" running
}

debian() { # CMD...: in the Debian root, with a terminal
	needs tmux debian-root
	BUILD=$BUILD "$TREE/tests/live/make-debian-root" > "$THOLE_TEST_TMP/debian-root.log" 2>&1 || fail "$(tail -5 "$THOLE_TEST_TMP/debian-root.log")"
	config --arg r "$BUILD/debian-root" '.root = { path: $r, readonly: true } | .process.env += ["TERM=screen"] |
		.mounts += [{ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777", "nosuid", "nodev"] }]'
	args "$@"
	in_tmux 10 60 "'$THOLE' --root '$ROOT' run --bundle '$B' '$c'"
}

@test "less in a Debian root: pages, search, a window that grows, and the screen as it was" {
	debian sh -c 'seq 1000 1999 > /tmp/numbers; less /tmp/numbers; echo "back <$?>"'
	wait_for shows 1008
	not shows 1009
	keys G
	wait_for shows 1999
	keys '?1500' Enter
	wait_for shows 1500
	keys g
	wait_for shows 1000
	resize 16 60
	wait_for shows 1014
	keys q
	wait_for shows 'back <0>'
	wait_for shows 'status=0'
	not shows 1000
}

@test "vi in a Debian root: a file is written, and the window's size is known" {
	debian sh -c 'vi -u NONE /tmp/text; cat /tmp/text; exit 7'
	wait_for shows '~'
	keys 'ihello, harbour' Enter 'second line' Escape
	wait_for shows 'second line'
	keys ':set lines?' Enter
	wait_for shows 'lines=10'
	resize 14 60
	keys ':set lines?' Enter
	wait_for shows 'lines=14'
	keys ':wq' Enter
	wait_for shows 'status=7'
	contains "$(screen)" $'hello, harbour\nsecond line'
}
