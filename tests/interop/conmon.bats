# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup conmon
# The real conmon, Debian's, above thole-oci: create, start, exec, terminal, exit file.
load ../live/lib

setup_test() {
	bundle
	mkdir "$T/exits" "$T/sock" "$T/exec"
}

oci() { "$THOLE_OCI" --root "$ROOT" "$@"; }

# monitor NAME OPTIONS...: what it tells on its sync pipe is in $T/NAME.sync, the container's output in $T/NAME.log
monitor() {
	local name=$1
	shift
	: > "$T/$name.sync"
	_OCI_SYNCPIPE=9 timeout 30 conmon --api-version 1 -c "$c" -n "$c" -r "${RUNTIME:-$THOLE_OCI}" --runtime-arg "--root=$ROOT" --full-attach \
		--socket-dir-path "$T/sock" -l "k8s-file:$T/$name.log" --log-level warning --conmon-pidfile "$T/$name.conmon" "$@" \
		9>> "$T/$name.sync" < /dev/null > "$T/$name.out" 2>&1 3>&-
	# It is in the background by now, and tells when the runtime has answered.
	wait_for test -s "$T/$name.sync"
}

create() { monitor ctr -u "$c" -b "$B" -p "$T/pid" --exit-dir "$T/exits" "$@"; }

# The bundle of an exec is a directory of its own, its process a file.
exec_in() { # OPTIONS... -- CMD...
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	jq --argjson a "$(printf '%s\036' "$@" | jq -Rs 'split("\u001e")[:-1]')" '.process | .args = $a' < "$B/config.json" > "$T/process.json"
	monitor exec -e -u "$c-exec" -b "$T/exec" -p "$T/exec/pid" --exit-dir "$T/exec" --exec-process-spec "$T/process.json" "${options[@]}"
}

told() { # NAME JQ-FILTER: of what was told on the sync pipe
	jq -rs "$2" < "$T/$1.sync"
}

monitor_gone() { pid_gone "$(cat "$T/$1.conmon")"; }

# A monitor holds a directory as long as it lives.
teardown_test() {
	oci delete --force "$c" 2> /dev/null || true
	wait_for monitor_gone ctr || kill -KILL "$(cat "$T/ctr.conmon")"
}

# interop: create, start, exit file
@test "create, start, exit file: conmon is the parent of init and sees its status" {
	args sh -c 'echo to the log; echo err >&2; exit 7'
	create
	is "$c" created
	equal "$(told ctr '.[0].data')" "$(init_of "$c")" 'pid told'
	equal "$(cat "$T/pid")" "$(init_of "$c")"
	equal "$(awk '/^PPid/ { print $2 }' "/proc/$(cat "$T/pid")/status")" "$(cat "$T/ctr.conmon")"
	no_shims
	oci start "$c"
	wait_for test -s "$T/exits/$c"
	equal "$(cat "$T/exits/$c")" 7
	matches "$(cat "$T/ctr.log")" ' stdout F to the log'
	matches "$(cat "$T/ctr.log")" ' stderr F err'
	wait_for is "$c" stopped
	oci delete "$c"
}

# interop: kill
@test "the end by a signal is 128 + its number" {
	args sleep 1000
	create
	oci start "$c"
	oci kill "$c" KILL
	is "$c" stopped
	wait_for test -s "$T/exits/$c"
	equal "$(cat "$T/exits/$c")" 137
}

# interop: create with a program that ends at once
@test "a program that ends at once is still seen" {
	local i
	args sh -c 'exit 3'
	for i in 1 2 3 4 5; do
		rm -f "$T/exits/$c"
		create
		oci start "$c"
		wait_for test -s "$T/exits/$c"
		equal "$(cat "$T/exits/$c")" 3
		oci delete "$c"
	done
}

# interop: exec
@test "exec has its own conmon as parent, with output and status; in the foreground of nobody" {
	args sleep 1000
	create
	oci start "$c"
	exec_in -- sh -c 'echo from exec; sleep 0.2; exit 9'
	equal "$(told exec '.[0].data')" "$(cat "$T/exec/pid")"
	wait_for test -s "$T/exec/$c"
	equal "$(cat "$T/exec/$c")" 9
	matches "$(cat "$T/exec.log")" ' stdout F from exec'
	equal "$(oci ps --format json "$c" | jq length)" 1
	no_shims
}

# interop: create -t, exec -t
@test "terminal: the master reaches conmon's console socket, for init and for exec" {
	config '.process.terminal = true'
	args sh -c 'tty; sleep 1000'
	create -t
	oci start "$c"
	wait_for grep -q /dev/pts/0 "$T/ctr.log"
	exec_in -t -- sh -c 'tty; exit 4'
	wait_for test -s "$T/exec/$c"
	equal "$(cat "$T/exec/$c")" 4
	wait_for grep -q '/dev/pts/[0-9]' "$T/exec.log"
	# The same by its own name: conmon gives --tty beside --process, as to runc.
	rm "$T/exec/$c"
	RUNTIME=$THOLE exec_in -t --runtime-opt=--monitor=foreign -- sh -c 'tty; exit 5'
	wait_for test -s "$T/exec/$c"
	equal "$(cat "$T/exec/$c")" 5
}

# interop: attach socket
@test "stdin through the attach socket is the container's, and its end" {
	args sh -c 'read line; echo "got $line"; read line || echo eof'
	create -i
	oci start "$c"
	perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die "socket: $!"; connect($s, sockaddr_un($ARGV[0])) or die "connect: $!";
		defined send($s, "hello\n", 0) or die "send: $!"; shutdown($s, 1); 1 while sysread($s, my $buf, 8193)' "$B/attach"
	wait_for test -s "$T/exits/$c"
	matches "$(cat "$T/ctr.log")" ' stdout F got hello'
	matches "$(cat "$T/ctr.log")" ' stdout F eof'
}

# interop: errors of create and exec
@test "what fails is told through conmon: create and exec" {
	args /no/such
	create
	equal "$(told ctr '.[0].data')" -1
	contains "$(told ctr '.[0].message')" 'exec /no/such'
	nothing_left
	args sleep 1000
	create
	oci start "$c"
	exec_in -- /no/such
	equal "$(told exec '.[0].data')" -1
	contains "$(told exec '.[0].message')" 'exec /no/such'
	is "$c" running
}
