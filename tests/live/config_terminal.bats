# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# process.terminal: the pty that the shim owns, in the foreground, detached, with a console socket.
load lib

setup_test() {
	bundle
	config '.process.terminal = true'
}

# covers: process.terminal
@test "the container has a terminal of its own: three descriptors, controlling, of its devpts" {
	args /usr/bin/inherit
	echo end | "$PROBES/pty" "$THOLE" --root "$ROOT" run --bundle "$B" "$c" | tr -d '\r' > "$T/out"
	equal "$(value fd_0)" /dev/pts/0
	equal "$(value fd_1)" /dev/pts/0
	equal "$(value fd_2)" /dev/pts/0
	equal "$(value tty_0)" 1
	equal "$(value controlling_tty)" 1
	equal "$(value session_leader)" 1
	equal "$(value fds)" 0,1,2,
}

@test "/dev/console is the terminal" {
	args sh -c 'echo by console > /dev/console; stat -c %t:%T /dev/console; stat -L -c %t:%T /proc/self/fd/0'
	echo end | "$PROBES/pty" "$THOLE" --root "$ROOT" run --bundle "$B" "$c" | tr -d '\r' > "$T/out"
	equal "$(sed -n 1p "$T/out")" 'by console'
	equal "$(sed -n 2p "$T/out")" "$(sed -n 3p "$T/out")"
}

@test "the terminal belongs to the container's user" {
	config '.process.user = { uid: 1000, gid: 1000 } | .process.capabilities = {}'
	args sh -c 'stat -L -c %u /proc/self/fd/0; echo e > /dev/stderr; echo t > /dev/tty; echo o > /dev/stdout; stty size'
	echo end | "$PROBES/pty" -s 30x90 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" | tr -d '\r' > "$T/out"
	equal "$(cat "$T/out")" $'1000\ne\nt\no\n30 90'
}

@test "size: the caller's terminal's, and it follows" {
	args sh -c 'stty size; trap "stty size; exit 4" WINCH; echo ready; while :; do usleep 10000; done'
	local s=0
	"$PROBES/pty" -s 33x99 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" > "$T/out" << 'END' || s=$?
expect 33 99
expect ready
size 44x111
expect 44 111
end
END
	equal $s 4
}

# covers: process.consoleSize
@test "size: the config's consoleSize when there is no terminal to ask" {
	config '.process.consoleSize = { height: 21, width: 77 }'
	detached sh -c 'stty size'
	thole wait "$c"
	equal "$(thole logs "$c" | tr -d '\r')" '21 77'
}

@test "typing: line by line with echo, ^C becomes SIGINT, ^D is end of file" {
	args sh -c 'trap "echo interrupted" INT; read a; echo "got <$a>"; read b; cat; echo eof; exit 12'
	local s=0
	"$PROBES/pty" "$THOLE" --root "$ROOT" run --bundle "$B" "$c" > "$T/out" << 'END' || s=$?
send hello\n
expect got <hello>
send \x03
expect interrupted
send line\n
expect line
send \x04
expect eof
end
END
	equal $s 12
}

@test "the caller's terminal is as it was afterwards, also when the container is killed" {
	args sh -c 'echo up; sleep 1000'
	local s=0
	"$PROBES/pty" sh -c "'$THOLE' --root '$ROOT' run --bundle '$B' '$c'; echo status=\$?; stty -a" > "$T/out" 2> "$T/err" < <(
		echo 'expect up'
		wait_for is "$c" running
		thole kill "$c" KILL
		echo 'expect status=137'
		echo end
	) || s=$?
	equal $s 0
	not grep raw "$T/err"
	contains "$(tr -d '\r' < "$T/out")" ' icanon'
	contains "$(tr -d '\r' < "$T/out")" ' echo '
}

# covers: create --console-socket
@test "--console-socket: the master comes as one descriptor with the terminal's name" {
	in_background "$PROBES/console" "$T/console.sock" "$T/ready" > "$T/console.out"
	local console=$!
	wait_for test -e "$T/ready"
	args sh -c 'tty; echo over the socket; stty size'
	config '.process.consoleSize = { height: 12, width: 34 }'
	thole create --bundle "$B" --console-socket "$T/console.sock" "$c" < /dev/null
	thole start "$c"
	wait_for grep -q '12 34' "$T/console.out"
	matches "$(head -1 "$T/console.out")" '^fds=1 name=.+'
	contains "$(tr -d '\r' < "$T/console.out")" $'/dev/pts/0\nover the socket\n12 34'
	wait_for pid_gone $console
}

@test "--console-socket without a terminal in the config is an error; a path where nobody listens too" {
	args true
	refused 1 '/no/such/socket' thole create --bundle "$B" --console-socket /no/such/socket "$c"
	config '.process.terminal = false'
	in_background "$PROBES/console" "$T/console.sock" "$T/ready" > "$T/console.out"
	wait_for test -e "$T/ready"
	refused 1 'terminal' thole create --bundle "$B" --console-socket "$T/console.sock" "$c"
}

@test "detached with a terminal: the output is in the log, the terminal lives on, attach comes and goes" {
	detached sh -c 'echo started; while read l; do [ "$l" = quit ] && exit 3; echo "line $l"; done; echo hung up'
	wait_for logged "$c" started
	is "$c" running
	local i
	for i in 1 2; do
		printf 'send n%s\\n\nexpect line n%s\nsend \\x10\\x11\nend\n' $i $i |
			"$PROBES/pty" "$THOLE" --root "$ROOT" attach "$c" > "$T/out.$i"
		is "$c" running
	done
	printf 'send quit\\n\nend\n' | "$PROBES/pty" "$THOLE" --root "$ROOT" attach "$c" > "$T/out.3" || equal $? 3
	wait_for is "$c" stopped
	exits 3 thole wait "$c"
	contains "$(thole logs "$c" | tr -d '\r')" 'line n2'
	not logged "$c" 'hung up'
}

@test "terminal true in the foreground without a terminal: it works on a pty all the same" {
	args sh -c 'tty; exit 2'
	local s=0
	thole run --bundle "$B" "$c" < /dev/null > "$T/out" || s=$?
	equal $s 2
	equal "$(tr -d '\r' < "$T/out")" /dev/pts/0
}
