# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Where the container's output goes and its input comes from: the foreground, the log, attached clients, the caller's descriptors.
load lib

setup_test() { bundle; }

@test "foreground: stdout and stderr apart, bytes as they are" {
	in_container sh -c 'printf "out\0\377\n"; echo err >&2; printf "no newline"' < /dev/null > "$T/out" 2> "$T/err"
	equal "$(od -An -c < "$T/out" | tr -s ' ')" "$(printf 'out\0\377\nno newline' | od -An -c | tr -s ' ')"
	equal "$(cat "$T/err")" err
}

@test "foreground: nothing is lost, whatever the amount, in order" {
	local n
	n=$([ "$THOLE_LONG" ] && echo 20000000 || echo 200000)
	args /usr/bin/records $n 64
	thole run --bundle "$B" "$c" < /dev/null 2> "$T/err" | "$PROBES/records" --check > "$T/check"
	equal "$(cat "$T/check")" "records=$((n - n / 10)) last=$((n - 1))"
	equal "$("$PROBES/records" --check < "$T/err")" "records=$((n / 10)) last=$n"
}

# A write that fails leaves, up to some 6.14, a buffer without bytes in the pipe.
@test "odd writers: in between writes that fail with EFAULT, or in packets (O_DIRECT): nothing is lost, in the foreground or detached" {
	local how driver
	for how in efault packets; do
		args /usr/bin/oddly $how 20000
		for driver in none k8s-file; do
			thole run --log-driver $driver --bundle "$B" "$c" < /dev/null > >(exec tr -d ' ' > "$T/lines" 3>&-)
			wait $!
			cmp "$T/lines" <(seq 20000) || fail "$how, $driver"
		done
		thole run -d --bundle "$B" "$c" < /dev/null > /dev/null
		exits 0 thole wait "$c"
		thole logs "$c" | tr -d ' ' | cmp - <(seq 20000) || fail "$how, detached"
		thole delete "$c"
	done
}

@test "a reader that leaves ends the container: run yes | head -1" {
	args yes
	local out
	out=$(timeout 20 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null | head -1)
	equal "$out" y
	wait_for nothing_left
}

@test "run yes | head -1: the status of run is that of SIGPIPE" {
	# Without a pid namespace: as its first process "yes" would see an error from write(2) instead.
	config '.linux.namespaces |= map(select(.type != "pid"))'
	args yes
	local s
	s=$(timeout 20 bash -c '"$0" --root "$1" run --bundle "$2" "$3" < /dev/null 2>/dev/null | head -1 > /dev/null; echo ${PIPESTATUS[0]}' "$THOLE" "$ROOT" "$B" "$c")
	equal "$s" 141
}

@test "foreground stdin: it arrives whole, and its end too" {
	head -c 3000000 /dev/urandom > "$T/in"
	args sh -c 'md5sum | cut -d" " -f1; exit 8'
	local s=0
	thole run --bundle "$B" "$c" < "$T/in" > "$T/out" || s=$?
	equal $s 8
	equal "$(cat "$T/out")" "$(md5sum < "$T/in" | cut -d' ' -f1)"
	args cat
	equal "$(head -c 1000000 "$T/in" | thole run --bundle "$B" "$c" | md5sum)" "$(head -c 1000000 "$T/in" | md5sum)"
}

@test "foreground stdin that the container does not read holds up nobody" {
	args true
	yes | timeout 20 "$THOLE" --root "$ROOT" run --bundle "$B" "$c"
}

@test "a client that is killed: the container goes on into the log" {
	args sh -c 'echo before; while [ ! -e /tmp/go ]; do usleep 10000; done; echo after; sleep 1000'
	in_background "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out"
	local client=$!
	wait_for grep -q before "$T/out"
	kill -KILL $client
	wait_for pid_gone $client
	touch "$B/rootfs/tmp/go"
	wait_for logged "$c" after
	is "$c" running
}

@test "a client that is stopped holds the container back, and when it goes on nothing is missing" {
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; exec /usr/bin/records 500000 64'
	in_background "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err"
	local client=$! shim before after
	wait_for is "$c" running
	shim=$(shim_of "$c")
	before=$(awk '/^Private_Dirty/ { print $2 }' "/proc/$shim/smaps_rollup")
	kill -STOP $client
	touch "$B/rootfs/tmp/go"
	held() { [ "$(cat "/proc/$(init_of "$c")/wchan")" = anon_pipe_write ] || [ "$(cat "/proc/$(init_of "$c")/wchan")" = pipe_write ]; }
	wait_for held
	after=$(awk '/^Private_Dirty/ { print $2 }' "/proc/$shim/smaps_rollup")
	[ "$after" -lt $((before + 768)) ] || fail "the shim's memory: $before KiB, then $after KiB"
	kill -CONT $client
	exits 0 wait $client
	equal "$("$PROBES/records" --check < "$T/out")" 'records=450000 last=499999'
	equal "$("$PROBES/records" --check < "$T/err")" 'records=50000 last=500000'
}

@test "a client that is stopped with a full pipe when the container ends: the shim waits for it without burning" {
	local client shim before
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; exec dd if=/dev/zero bs=64k count=4'
	in_background "$THOLE" --root "$ROOT" run --keep --log-driver none --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err"
	client=$!
	wait_for is "$c" running
	kill -STOP $client
	shim=$(shim_of "$c")
	touch "$B/rootfs/tmp/go"
	wait_for is "$c" stopped
	before=$(awk '{ print $14 + $15 }' "/proc/$shim/stat")
	# It has a second to burn.
	sleep 1
	[ $(($(awk '{ print $14 + $15 }' "/proc/$shim/stat") - before)) -le 5 ] || fail 'the shim burns'
	kill -CONT $client
	exits 0 wait $client
	equal "$(wc -c < "$T/out")" 262144
}

@test "logs -f does not end before what a stopped client holds back is in the log, over an upgrade too" {
	local client follower
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; exec /usr/bin/records 8000 64'
	in_background "$THOLE" --root "$ROOT" run --keep --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err"
	client=$!
	wait_for is "$c" running
	in_background timeout 60 "$THOLE" --root "$ROOT" logs -f "$c" > "$T/followed" 2> "$T/followed.err"
	follower=$!
	kill -STOP $client
	touch "$B/rootfs/tmp/go"
	wait_for is "$c" stopped
	# Time to end, for one that takes the record of the end for that of the log.
	sleep 0.5
	thole upgrade "$c"
	kill -CONT $client
	exits 0 wait $client
	exits 0 wait $follower
	equal "$("$PROBES/records" --check < "$T/followed")" 'records=7200 last=7999'
	equal "$("$PROBES/records" --check < "$T/followed.err")" 'records=800 last=8000'
}

@test "signals at the client reach the container" {
	args /usr/bin/signals 4
	# bash starts background commands with SIGINT and SIGQUIT ignored: that is for the container to decide.
	in_background "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out"
	local client=$!
	wait_for grep -q ready "$T/out"
	kill -HUP $client
	wait_for grep -q 'got 1 HUP' "$T/out"
	kill -INT $client
	wait_for grep -q 'got 2 INT' "$T/out"
	kill -TERM $client
	exits 4 wait $client
}

@test "detached: everything is in the log, and logs shows stdout and stderr on their own" {
	detached sh -c 'echo one; echo two >&2; printf three'
	thole wait "$c"
	thole logs "$c" > "$T/out" 2> "$T/err"
	equal "$(cat "$T/out")" $'one\nthree'
	equal "$(cat "$T/err")" two
}

@test "the log is in k8s-file format, where state says, readable by nobody else" {
	detached sh -c 'echo line; echo e >&2; printf partial'
	thole wait "$c"
	local log
	log=$(thole_state "$c" .container.log.path)
	equal "$log" "$T/log/$c/ctr.log"
	grep -qE '^20[0-9-]{8}T[0-9:]{8}\.[0-9]{9}(Z|[+-][0-9:]{5}) stdout F line$' "$log"
	grep -qE ' stderr F e$' "$log"
	grep -qE ' stdout P partial$' "$log"
	equal "$(stat -c %a "$log" "${log%/*}" | xargs)" '600 700'
}

# covers: logs, logs --tail, logs --timestamps, logs --since
@test "logs --tail, --timestamps, --since" {
	# shellcheck disable=SC2016
	detached sh -c 'i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo "line $i"; done; while [ ! -e /tmp/go ]; do usleep 10000; done; echo late'
	wait_for logged "$c" 'line 20'
	equal "$(thole logs --tail 3 "$c")" $'line 18\nline 19\nline 20'
	equal "$(thole logs --tail 0 "$c")" ''
	equal "$(thole logs --tail 100 "$c" | wc -l)" 20
	matches "$(thole logs --timestamps --tail 1 "$c")" '^20[0-9-]{8}T[0-9:]{8}\.[0-9]+[^ ]* line 20$'
	local moment
	moment=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
	touch "$B/rootfs/tmp/go"
	wait_for logged "$c" late
	equal "$(thole logs --since "$moment" "$c")" late
	equal "$(thole logs --since 1h "$c" | wc -l)" 21
	refused 1 'since' thole logs --since yesterdayish "$c"
	refused 1 'tail' thole logs --tail x "$c"
	thole delete --force "$c"
	for driver in k8s-file json-file raw; do
		args printf 'one\ntwo\nthree'
		thole run --keep --log-driver $driver --bundle "$B" "$c" < /dev/null > /dev/null
		equal "$(thole logs --tail 0 "$c")" ''
		equal "$(thole logs --tail 2 "$c")" $'two\nthree' "$driver"
		thole delete "$c"
	done
}

# covers: logs --follow
@test "logs -f follows until the container ends" {
	# shellcheck disable=SC2016
	detached sh -c 'i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo "line $i"; usleep 10000; done'
	timeout 20 "$THOLE" --root "$ROOT" logs -f "$c" > "$T/out"
	equal "$(tail -1 "$T/out")" 'line 50'
	equal "$(wc -l < "$T/out")" 50
	equal "$(timeout 5 "$THOLE" --root "$ROOT" logs -f "$c" | wc -l)" 50
}

@test "partial lines are joined by logs" {
	detached sh -c 'printf a; usleep 200000; printf b; usleep 200000; echo c'
	thole wait "$c"
	equal "$(thole logs "$c")" abc
}

# covers: run --log-driver, run --log-path
@test "--log-driver none: no log, and logs says so; --log-path: where it was asked for, and delete leaves it" {
	args sh -c 'echo text'
	thole run -d --log-driver none --bundle "$B" "$c" < /dev/null
	thole wait "$c"
	refused 1 'log' thole logs "$c"
	thole delete "$c"
	thole run -d --log-path "$T/my.log" --bundle "$B" "$c" < /dev/null
	thole wait "$c"
	equal "$(thole logs "$c")" text
	thole delete "$c"
	grep -q 'stdout F text' "$T/my.log"
	refused 125 'no-such-driver' thole run -d --log-driver no-such-driver --bundle "$B" "$c"
	refused 125 'nonsense' thole run -d --log-opt nonsense=1 --bundle "$B" "$c"
}

# covers: attach
@test "attach: output from now on, stdout and stderr apart, until the end with the container's status" {
	detached sh -c 'echo early; while [ ! -e /tmp/go ]; do usleep 10000; done; echo out; echo err >&2; exit 6'
	wait_for logged "$c" early
	in_background "$THOLE" --root "$ROOT" attach "$c" < /dev/null > "$T/out" 2> "$T/err"
	local client=$!
	attached 1
	touch "$B/rootfs/tmp/go"
	exits 6 wait $client
	equal "$(cat "$T/out")" out
	equal "$(cat "$T/err")" err
}

@test "several attached clients all get everything" {
	detached sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; exec /usr/bin/records 20000 64 2>&1'
	local i clients=()
	for i in 1 2 3; do
		in_background "$THOLE" --root "$ROOT" attach "$c" < /dev/null > "$T/out.$i"
		clients+=($!)
		attached $i
	done
	touch "$B/rootfs/tmp/go"
	for i in "${clients[@]}"; do
		exits 0 wait "$i"
	done
	for i in 1 2 3; do
		equal "$("$PROBES/records" --check < "$T/out.$i")" 'records=20000 last=20000' "client $i"
	done
}

@test "a stopped attach client holds up neither the container nor the others" {
	detached sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; /usr/bin/records 100000 64 2>&1; echo > /tmp/end; sleep 1000'
	in_background "$THOLE" --root "$ROOT" attach "$c" < /dev/null > "$T/stopped.out"
	local stopped=$!
	attached 1
	kill -STOP $stopped
	touch "$B/rootfs/tmp/go"
	wait_for test -e "$B/rootfs/tmp/end"
	kill -CONT $stopped
	equal "$(thole logs "$c" | grep -c '^00')" 100000
}

@test "an attached client that is killed is nobody's concern" {
	detached sh -c 'while :; do echo x; usleep 1000; [ -e /tmp/go ] && exit 0; done'
	local i
	for i in 1 2 3; do
		in_background "$THOLE" --root "$ROOT" attach "$c" < /dev/null > "$T/out.$i"
		local client=$!
		wait_for test -s "$T/out.$i"
		kill -KILL $client
	done
	is "$c" running
	touch "$B/rootfs/tmp/go"
	exits 0 thole wait "$c"
}

@test "an attached client ends when nobody reads it any more, or it cannot write: attach | head -1" {
	detached sh -c 'i=0; while [ ! -e /tmp/go ]; do echo $i; i=$((i + 1)); usleep 1000; done'
	local s
	s=$(timeout 20 bash -c '"$0" --root "$1" attach "$2" < /dev/null 2> "$3" | head -1 > /dev/null; echo ${PIPESTATUS[0]}' "$THOLE" "$ROOT" "$c" "$T/err")
	equal "$s" 141
	s=$(timeout 20 bash -c '"$0" --root "$1" attach "$2" < /dev/null > /dev/full 2> "$3"; echo $?' "$THOLE" "$ROOT" "$c" "$T/full")
	equal "$s" 125
	equal "$(cat "$T/full")" 'thole: cannot write to stdout: No space left on device'
	[ ! -s "$T/err" ]
	is "$c" running
	touch "$B/rootfs/tmp/go"
	exits 0 thole wait "$c"
}

@test "run, exec: output that cannot be written is a failure, unless the process has failed itself" {
	local s=0
	args sh -c 'echo hi'
	"$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > /dev/full 2> "$T/err" || s=$?
	equal "$s $(cat "$T/err")" '125 thole: cannot write to stdout: No space left on device'
	args sh -c 'echo hi; exit 3'
	s=0
	"$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > /dev/full 2> "$T/err" || s=$?
	equal $s 3
	detached sleep 1000
	s=0
	"$THOLE" --root "$ROOT" exec "$c" echo hi < /dev/null > /dev/full 2> "$T/err" || s=$?
	equal "$s $(cat "$T/err")" '125 thole: cannot write to stdout: No space left on device'
}

@test "run, exec, attach: a stdin that cannot be read is told, and ends" {
	args sh -c 'wc -c; echo done'
	# The memory is that of this shell, not of a program that it becomes.
	run_it() { "$THOLE" --root "$ROOT" run --bundle "$B" "$c" > "$T/out" 2> "$T/err"; }
	run_it < /proc/self/mem
	equal "$(tr '\n' ' ' < "$T/out")" '0 done '
	equal "$(cat "$T/err")" 'thole: cannot read stdin: Input/output error'
	args sh -c 'cat; exit 4'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	"$THOLE" --root "$ROOT" exec "$c" cat < / > "$T/out" 2> "$T/err"
	equal "$(cat "$T/err")" 'thole: cannot read stdin: Is a directory'
	exits 4 "$THOLE" --root "$ROOT" attach "$c" < / 2> "$T/err"
	equal "$(cat "$T/err")" 'thole: cannot read stdin: Is a directory'
}

# covers: run --interactive
@test "detached with -i: stdin is open for who attaches, and half-close ends it" {
	args sh -c 'while read l; do echo "got $l"; done; echo eof; exit 3'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	local s=0
	printf 'a\nb\n' | timeout 20 "$THOLE" --root "$ROOT" attach "$c" > "$T/out" || s=$?
	equal $s 3
	equal "$(cat "$T/out")" $'got a\ngot b\neof'
}

# covers: attach --no-stdin
@test "attach --no-stdin leaves stdin alone" {
	args sh -c 'echo up; read l; echo "got $l"'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	in_background sh -c 'echo wrong | "$0" --root "$1" attach --no-stdin --since-start "$2" > "$3"' "$THOLE" "$ROOT" "$c" "$T/out"
	local first=$!
	wait_for grep -q up "$T/out"
	echo right | timeout 20 "$THOLE" --root "$ROOT" attach "$c" > "$T/out2"
	wait $first
	equal "$(thole logs "$c")" $'up\ngot right'
}

@test "a client that leaves without an end of file does not close the container's stdin" {
	args sh -c 'read l; echo "got $l"; read l; echo "got $l"'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	mkfifo "$T/in"
	exec 9<> "$T/in"
	in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/in" > "$T/out" 9>&-
	local client=$!
	echo first >&9
	wait_for logged "$c" 'got first'
	kill -KILL $client
	exec 9>&-
	is "$c" running
	echo second | timeout 20 "$THOLE" --root "$ROOT" attach "$c"
	equal "$(thole logs "$c")" $'got first\ngot second'
}

# covers: attach --detach-keys
@test "detach keys: the default ^P^Q, others that were asked for, and only them" {
	config '.process.terminal = true'
	detached sh -c 'while read l; do echo "line $l"; done'
	printf 'send a\\n\nexpect line a\nsend \\x10\\x11\nend\n' | "$PROBES/pty" "$THOLE" --root "$ROOT" attach "$c" > "$T/out"
	is "$c" running
	printf 'send b\\n\nexpect line b\nsend \\x18x\nend\n' | "$PROBES/pty" "$THOLE" --root "$ROOT" attach --detach-keys ctrl-x,x "$c" > "$T/out"
	is "$c" running
	# The first key alone, then something else: both are passed on.
	printf 'send \\x18y\\n\nexpect line\nsend \\x18x\nend\n' | "$PROBES/pty" "$THOLE" --root "$ROOT" attach --detach-keys ctrl-x,x "$c" > "$T/out"
	matches "$(thole logs "$c" | tr -d '\r' | tail -1)" $'^line \030y$'
	refused 1 'detach' thole attach --detach-keys 'ctrl-~~' "$c"
}

# covers: attach --sig-proxy
@test "--sig-proxy=false keeps signals from the container" {
	detached /usr/bin/signals
	wait_for logged "$c" ready
	in_background "$THOLE" --root "$ROOT" attach --no-stdin --sig-proxy=false "$c" < /dev/null > "$T/out"
	local client=$!
	attached 1
	kill -TERM $client
	wait_for pid_gone $client
	is "$c" running
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/out"
	client=$!
	attached 1
	kill -TERM $client
	exits 0 wait $client
	wait_for is "$c" stopped
}

@test "attach to what does not run is an error" {
	args true
	thole create --bundle "$B" "$c" < /dev/null
	thole start "$c"
	thole wait "$c"
	refused 1 "is stopped: 'logs' has what it wrote$" thole attach "$c"
	refused 1 'does not exist' thole attach "$c-2"
	thole delete "$c"
	# Where there is nothing to be read nobody is sent there.
	thole run -d --log-driver none --bundle "$B" "$c" < /dev/null
	thole wait "$c"
	refused 1 "container '$c' is stopped$" thole attach "$c"
}

# covers: run --stdio
@test "--stdio=inherit: the caller's descriptors get the output, and their end comes with the container's" {
	args sh -c 'echo out; echo err >&2; while [ ! -e /tmp/go ]; do usleep 10000; done; echo last'
	mkfifo "$T/pipe"
	in_background cat "$T/pipe" > "$T/out"
	local reader=$!
	thole run -d --stdio=inherit --bundle "$B" "$c" < /dev/null > "$T/pipe" 2> "$T/err"
	wait_for grep -q out "$T/out"
	kill -0 $reader
	touch "$B/rootfs/tmp/go"
	wait_for pid_gone $reader
	equal "$(cat "$T/out")" $'out\nlast'
	equal "$(cat "$T/err")" err
}

@test "--stdio=inherit takes the caller's stdin" {
	args sh -c 'cat; echo end'
	printf 'from the caller\n' | "$THOLE" --root "$ROOT" run -d --stdio=inherit --bundle "$B" "$c" > "$T/out"
	thole wait "$c"
	wait_for grep -q end "$T/out"
	equal "$(cat "$T/out")" $'from the caller\nend'
}

@test "detached with the default streams: the caller's pipe ends at once" {
	args sleep 1000
	timeout 10 sh -c '"$0" --root "$1" run -d --bundle "$2" "$3" < /dev/null 2>&1 | cat' "$THOLE" "$ROOT" "$B" "$c"
	is "$c" running
}

@test "create: the caller's pipe ends at once too, and start and delete leave nobody behind who holds theirs" {
	args sleep 1000
	timeout 10 sh -c '"$0" --root "$1" create --bundle "$2" "$3" < /dev/null 2>&1 | cat' "$THOLE" "$ROOT" "$B" "$c"
	timeout 10 sh -c '"$0" --root "$1" start "$2" 2>&1 | cat' "$THOLE" "$ROOT" "$c"
	timeout 10 sh -c '"$0" --root "$1" delete --force "$2" 2>&1 | cat' "$THOLE" "$ROOT" "$c"
}

@test "a daemonised grandchild that holds the pipe does not hold up the end" {
	detached sh -c 'setsid sleep 1000 & echo done; exit 4'
	# With the pid namespace gone it is killed; in the host's it would live on.
	equal "$(timeout 20 "$THOLE" --root "$ROOT" wait "$c"; echo $?)" 4
	thole delete "$c"
	config '.linux.namespaces |= map(select(.type != "pid"))'
	detached sh -c 'setsid sleep 1000 & echo done; exit 4'
	equal "$(timeout 20 "$THOLE" --root "$ROOT" wait "$c"; echo $?)" 4
	is "$c" stopped
	thole delete --force "$c"
}

@test "without a pid namespace: init dead, others alive is stopped, and kill --all and delete reach the rest" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	detached sh -c 'sleep 1001 & echo $! > /tmp/other; exit 0'
	thole wait "$c"
	is "$c" stopped
	local other
	other=$(cat "$B/rootfs/tmp/other")
	[ -d "/proc/$other" ] || fail "the shim killed the others by itself"
	thole kill --all "$c" KILL
	wait_for pid_gone "$other"
	thole delete "$c"
	wait_for nothing_left
}
