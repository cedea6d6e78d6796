# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# A client in the foreground (run, exec) whose shim is killed goes on with another one: every byte once, stdin, signals, the exit status.
load lib

setup_test() { bundle; }

lose_shim() {
	local shim
	# The one of the record may be gone, and the next not noted yet.
	killed() { shim=$(shim_of "$c") && kill -KILL "$shim" 2> /dev/null; }
	wait_for killed
	wait_for pid_gone "$shim"
}

# The shim that is there now is not this one.
other_shim() { # PID
	[ "$(shim_of "$c")" != "$1" ] && [ "$(shims | wc -l)" = 1 ]
}

whole() { # N NAME
	equal "$("$PROBES/records" --check < "$T/$2.out")" "records=$(($1 - $1 / 10)) last=$(($1 - 1))" "stdout of $2" || return 1
	equal "$("$PROBES/records" --check < "$T/$2.err")" "records=$(($1 / 10)) last=$1" "stderr of $2"
}

# kills N FILE: one each time that the file has become larger; then the writer is told that it is enough, and N is how many records there were
kills() {
	local i before
	more() { [ "$(stat -c %s "$2")" -gt "$1" ]; }
	for ((i = 0; i < $1; i++)); do
		before=$(stat -c %s "$2")
		wait_for more "$before" "$2" || fail "nothing comes any more after $i kills"
		lose_shim
	done
	touch "$B/rootfs/tmp/enough"
	written() { [ -e "$B/rootfs/tmp/end" ]; }
	WAIT_S=60 wait_for written || fail 'it does not end'
	N=$(cat "$B/rootfs/tmp/enough")
}

n_kills() { if [ "$THOLE_LONG" ]; then echo 50; else echo 4; fi; }

@test "run: records at full speed over kills: nothing lost, nothing twice, in the foreground and in the log" {
	local driver run options
	for driver in k8s-file none; do
		rm -f "$B"/rootfs/tmp/*
		options=(--log-driver $driver)
		[ $driver = none ] || options+=(--log-opt max-size=unlimited)
		args sh -c '/usr/bin/records 100000000 64 1 /tmp/enough; touch /tmp/end; exit 7'
		in_background "$THOLE" --root "$ROOT" run --keep "${options[@]}" --bundle "$B" "$c" < /dev/null > "$T/run.out" 2> "$T/run.err"
		run=$!
		wait_for test -s "$T/run.out"
		kills "$(n_kills)" "$T/run.out"
		if kernel_tells_status; then exits 7 wait $run; fi
		whole "$N" run || fail "$driver: $(grep -av '^r' "$T/run.err" | head -3)"
		if [ $driver = k8s-file ]; then
			thole logs "$c" > "$T/log.out" 2> "$T/log.err"
			whole "$N" log
		fi
		thole delete --force "$c"
	done
}

@test "run: a reader that stops now and then holds it back over kills, and gets everything" {
	args sh -c '/usr/bin/records 100000000 64 1 /tmp/enough; touch /tmp/end; exit 7'
	in_background "$THOLE" --root "$ROOT" run --keep --bundle "$B" "$c" < /dev/null > "$T/run.out" 2> "$T/run.err"
	local run=$! i before
	for i in 1 2 3; do
		before=$(stat -c %s "$T/run.out")
		grew() { [ "$(stat -c %s "$T/run.out")" -gt $((before + 100000)) ]; }
		wait_for grew
		kill -STOP $run
		# Until its pipes are full, and the shim has something that it cannot give.
		blocked() { grep -q pipe_write "/proc/$(pgrep -f '^/usr/bin/records' | head -1)/wchan" 2> /dev/null || sleep 0.3; }
		blocked
		# What the shim cannot give is in the state then, and in the file still.
		[ $i != 2 ] || thole upgrade "$c"
		before=$(shim_of "$c")
		lose_shim
		wait_for other_shim "$before"
		kill -CONT $run
	done
	kills 1 "$T/run.out"
	if kernel_tells_status; then exits 7 wait $run; fi
	whole "$N" run
}

@test "run: stdin, its end, signals and the exit status go on over a kill" {
	args sh -c 'trap "echo usr1" USR1; echo up; while read line; do echo "got $line"; done; while read line; do echo "got $line"; done; echo closed; exit 4'
	mkfifo "$T/in"
	exec 8<> "$T/in"
	in_background "$THOLE" --root "$ROOT" run --keep --bundle "$B" "$c" < "$T/in" > "$T/seen" 2> "$T/err" 8>&-
	local run=$!
	exec 9> "$T/in" 8>&-
	wait_for grep -q up "$T/seen"
	lose_shim
	echo one >&9
	wait_for grep -q 'got one' "$T/seen"
	kill -USR1 $run
	wait_for grep -q usr1 "$T/seen"
	lose_shim
	exec 9>&-
	if kernel_tells_status; then exits 4 wait $run; fi
	equal "$(tr '\n' ' ' < "$T/seen")" 'up got one usr1 closed '
	equal "$(cat "$T/err")" ''
}

@test "run: it ends while nobody is there: the rest of its output and its status still come" {
	args sh -c 'echo begin; while [ ! -e /tmp/stop ]; do usleep 1000; done; seq 1 2000; exit 9'
	in_background "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/seen" 2> "$T/err"
	local run=$! shim pid
	wait_for grep -q begin "$T/seen"
	shim=$(shim_of "$c") pid=$(init_of "$c")
	kill -STOP "$shim"
	touch "$B/rootfs/tmp/stop"
	wait_for pid_gone "$pid"
	kill -KILL "$shim"
	if kernel_tells_status; then exits 9 wait $run; fi
	equal "$(sed 1d "$T/seen" | cksum)" "$(seq 1 2000 | cksum)"
	equal "$(cat "$T/err")" ''
	wait_for nothing_left
}

# unread ARGS...: thole with these in the background ($run), into a fifo that is open at descriptor 8, and that nobody reads
unread() {
	rm -f "$T/out"
	mkfifo "$T/out"
	in_background sh -c 'out=$1; shift; exec "$@" < /dev/null > "$out"' sh "$T/out" "$THOLE" --root "$ROOT" "$@" 2> "$T/err"
	run=$!
	exec 8< "$T/out"
}

lose_shim_twice() {
	local before i
	for i in 1 2; do
		before=$(shim_of "$c")
		lose_shim
		wait_for other_shim "$before"
	done
}

@test "run: it has ended, its reader takes its time, and its shim is killed, and the next one too: all of it comes, and its status" {
	local run options
	args sh -c 'seq 1 80000; exit 7'
	for options in --rm '--rm --log-driver none' --keep; do
		# shellcheck disable=SC2086 # words
		unread run $options --bundle "$B" "$c"
		wait_for is "$c" stopped
		lose_shim_twice
		cmp <(cat <&8) <(seq 1 80000) || fail "$options"
		exec 8<&-
		exits 7 wait $run
		equal "$(cat "$T/err")" ''
	done
	thole logs "$c" | cmp - <(seq 1 80000)
	thole delete "$c"
	nothing_left
}

@test "run: its shim is killed twice while its reader takes nothing: nothing is lost, nothing comes twice" {
	local run options
	args sh -c 'seq 1 400000; exit 7'
	for options in --rm '--rm --log-driver none'; do
		# shellcheck disable=SC2086 # words
		unread run $options --bundle "$B" "$c"
		waits() { grep -q pipe_write "/proc/$(pgrep -P "$(init_of "$c")" | head -1)/wchan" 2> /dev/null; }
		wait_for waits
		lose_shim_twice
		cmp <(cat <&8) <(seq 1 400000) || fail "$options"
		exec 8<&-
		if kernel_tells_status; then exits 7 wait $run; fi
	done
}

@test "run: that it did not end for lack of memory stays so, though its group has lacked some since, and its shim is killed" {
	local run before
	config '.linux.namespaces |= map(select(.type != "pid")) | .linux.resources.memory = { limit: 33554432, swap: 33554432 }'
	args sh -c '(while [ ! -e /tmp/go ]; do usleep 1000; done; exec /usr/bin/memory 100) > /dev/null 2>&1 & seq 1 80000; kill -KILL $$'
	unread run --keep --bundle "$B" "$c"
	wait_for is "$c" stopped
	touch "$B/rootfs/tmp/go"
	empty() { [ -z "$(find /sys/fs/cgroup -path "*$c*" -name cgroup.procs -exec cat {} +)" ]; }
	wait_for empty
	before=$(shim_of "$c")
	lose_shim
	wait_for other_shim "$before"
	cmp <(cat <&8) <(seq 1 80000)
	exec 8<&-
	exits 137 wait $run
	equal "$(thole_state "$c" .container.exit.oomKilled)" false
}

@test "run: a reader that has gone is still gone for the next shim, and its writer gets SIGPIPE" {
	args sh -c 'trap "" PIPE; while echo line; do usleep 2000; done; echo over >&2; exit 6'
	mkfifo "$T/out"
	in_background sh -c 'exec "$0" --root "$1" run --keep --bundle "$2" "$3" < /dev/null > "$4" 2> "$5"' "$THOLE" "$ROOT" "$B" "$c" "$T/out" "$T/err"
	local run=$!
	exec 8< "$T/out"
	head -1 <&8 > /dev/null
	lose_shim
	head -c 4000 <&8 > /dev/null
	exec 8<&-
	if kernel_tells_status; then exits 6 wait $run; fi
	contains "$(cat "$T/err")" over
}

@test "run: a killed client holds nothing up: the next shim goes on without it" {
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	in_background "$THOLE" --root "$ROOT" run --keep --bundle "$B" "$c" < /dev/null > "$T/seen"
	local run=$! shim
	wait_for logged "$c" 'n 10'
	kill -STOP $run
	shim=$(shim_of "$c")
	lose_shim
	wait_for other_shim "$shim"
	kill -KILL $run
	local n
	n=$(thole logs "$c" | tail -1 | sed 's/n //')
	wait_for logged "$c" "n $((n + 50))"
	thole logs "$c" | awk '$2 != NR - 1 { print; exit 1 }'
}

@test "exec: records at full speed over kills: nothing lost, nothing twice; its status, and no SIGPIPE while nobody is there" {
	detached sleep 1000
	in_background "$THOLE" --root "$ROOT" exec "$c" sh -c '/usr/bin/records 100000000 64 1 /tmp/enough; touch /tmp/end; while [ ! -e /tmp/leave ]; do usleep 1000; done; exit 11' < /dev/null > "$T/exec.out" 2> "$T/exec.err"
	local run=$!
	wait_for test -s "$T/exec.out"
	kills "$(n_kills)" "$T/exec.out"
	touch "$B/rootfs/tmp/leave"
	if kernel_tells_status; then exits 11 wait $run; fi
	whole "$N" exec || fail "$(grep -av '^r' "$T/exec.err" | head -3)"
}

@test "exec: it has ended, its reader takes its time, and its shim is killed, and the next one too: all of it comes, and its status" {
	local run i
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	noted() { jq -e '[.processes[] | select(.exit)] | length == 1' "$ROOT/$c/state.json" > /dev/null; }
	for i in 1 2; do
		unread exec "$c" sh -c 'seq 1 80000; exit 6'
		wait_for noted
		lose_shim
		if [ $i = 2 ]; then
			thole recover "$c"
			lose_shim
		fi
		cmp <(cat <&8) <(seq 1 80000)
		exec 8<&-
		exits 6 wait $run
		equal "$(cat "$T/err")" ''
		thole exec "$c" true < /dev/null
		not noted
	done
}

# Whatever it is at; the next one is started by the client, as soon as that has taken all of its pipes.
strike() {
	local shim
	shim=$(shim_of "$c") && kill -0 "$shim" 2> /dev/null || return 0
	sleep "0.00$((RANDOM % 10))"
	kill -KILL "$shim" 2> /dev/null || return 0 # all was given, and it has left
	wait_for pid_gone "$shim"
}

@test "exec: it has ended, its reader is slow, and one shim after the other is killed: all of it comes, and its status" {
	local run i n
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	noted() { jq -e '[.processes[] | select(.exit)] | length == 1' "$ROOT/$c/state.json" > /dev/null; }
	for ((i = 0; i < ${THOLE_LONG:+37} + 3; i++)); do
		unread exec "$c" sh -c 'seq 1 80000; exit 6'
		wait_for noted
		: > "$T/got"
		for n in {1..20}; do
			strike
			head -c 25000 <&8 >> "$T/got"
		done
		cmp "$T/got" <(seq 1 80000)
		exec 8<&-
		exits 6 wait $run
		equal "$(cat "$T/err")" ''
		thole exec "$c" true < /dev/null
		not noted
	done
}

@test "exec: others hold its streams, or one of them: nothing is lost, and its status is known" {
	local run
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	noted() { jq -e '[.processes[] | select(.exit)] | length == 1' "$ROOT/$c/state.json" > /dev/null; }
	# Its client has taken everything; who is left may still write.
	unread exec --drain-timeout 30s "$c" sh -c '(while [ ! -e /tmp/leave ]; do usleep 1000; done; echo late) & echo early; exit 6'
	wait_for noted
	lose_shim
	thole recover "$c"
	touch "$B/rootfs/tmp/leave"
	equal "$(cat <&8)" "early
late"
	exits 6 wait $run
	rm "$B/rootfs/tmp/leave"
	thole exec "$c" true < /dev/null
	# Who is left has the other stream only.
	unread exec "$c" sh -c '(while [ ! -e /tmp/leave ]; do usleep 1000; done) > /dev/null & seq 1 80000; exit 6'
	wait_for noted
	lose_shim
	cmp <(cat <&8) <(seq 1 80000)
	exec 8<&-
	touch "$B/rootfs/tmp/leave"
	exits 6 wait $run
	equal "$(cat "$T/err")" ''
}

@test "exec: stdin and signals go on over a kill" {
	detached sleep 1000
	mkfifo "$T/in"
	exec 8<> "$T/in"
	in_background "$THOLE" --root "$ROOT" exec "$c" sh -c 'echo up; while read line; do echo "got $line"; done; trap "echo term; exit 5" TERM; echo closed; while :; do usleep 2000; done' < "$T/in" > "$T/seen" 2> "$T/err" 8>&-
	local run=$!
	exec 9> "$T/in" 8>&-
	wait_for grep -q up "$T/seen"
	lose_shim
	echo one >&9
	wait_for grep -q 'got one' "$T/seen"
	exec 9>&-
	wait_for grep -q closed "$T/seen"
	lose_shim
	kill -TERM $run
	if kernel_tells_status; then exits 5 wait $run; fi
	equal "$(tr '\n' ' ' < "$T/seen")" 'up got one closed term '
	equal "$(cat "$T/err")" ''
}

@test "exec: what a killed shim had read of its output and not logged is in its log, once" {
	detached sleep 1000
	local name i
	name=$(thole exec -d --print-name --log-driver k8s-file --log-opt max-size=unlimited --log-path "$T/its.log" "$c" sh -c '/usr/bin/records 100000000 64 1 /tmp/enough; touch /tmp/end; sleep 1000' < /dev/null)
	wait_for test -s "$T/its.log"
	for ((i = 0; i < $(n_kills); i++)); do
		local before
		before=$(stat -c %s "$T/its.log")
		grew() { [ "$(stat -c %s "$T/its.log")" -gt "$before" ]; }
		wait_for grew
		lose_shim
		thole recover "$c"
	done
	touch "$B/rootfs/tmp/enough"
	WAIT_S=60 wait_for test -e "$B/rootfs/tmp/end"
	N=$(cat "$B/rootfs/tmp/enough")
	all_there() { thole logs --exec "$name" "$c" > "$T/log.out" 2> "$T/log.err" && whole "$N" log; }
	wait_for all_there || whole "$N" log
}

@test "attach goes on over kills: its output, stdin and the exit status" {
	args sh -c 'echo up; while read line; do echo "got $line"; done; exit 8'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	mkfifo "$T/in"
	exec 8<> "$T/in"
	in_background "$THOLE" --root "$ROOT" attach --since-start "$c" < "$T/in" > "$T/seen" 2> "$T/err" 8>&-
	local att=$! i
	exec 9> "$T/in" 8>&-
	wait_for grep -q up "$T/seen"
	for i in 1 2 3; do
		lose_shim
		back() { [ "$(grep -c 'was killed' "$T/err")" = "$i" ]; }
		wait_for back || fail "$i: $(cat "$T/err")"
		echo "line $i" >&9
		wait_for grep -q "got line $i" "$T/seen"
	done
	exec 9>&-
	if kernel_tells_status; then exits 8 wait $att; fi
	equal "$(tr '\n' ' ' < "$T/seen")" 'up got line 1 got line 2 got line 3 '
}

@test "attach: what one that does not own stdin has written to it is passed on by the next shim" {
	local first second i
	args sh -c 'while [ ! -e /tmp/hold ]; do usleep 1000; done; exec cat > /tmp/in'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	mkfifo "$T/in"
	exec 8<> "$T/in"
	in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/in" > /dev/null 2> "$T/err" 8>&-
	first=$!
	exec 9> "$T/in" 8>&-
	owns_stdin() { [ "$(jq '.processes.init.stdinOwner.pid' "$ROOT/$c/state.json")" = "$1" ]; }
	wait_for owns_stdin $first
	# More than its pipe and the container's hold.
	in_background sh -c 'exec seq 1 60000 | "$0" --root "$1" attach "$2" > /dev/null 2> "$3"' "$THOLE" "$ROOT" "$c" "$T/err.2" 9>&-
	second=$!
	filled() { grep -qs pipe_write "/proc/$(pgrep -P "$second" seq)/wchan"; }
	wait_for filled
	for i in 1 2 3; do
		lose_shim
		back() { [ "$(cat "$T/err" "$T/err.2" | grep -c 'was killed')" = $((2 * i)) ]; }
		wait_for back || fail "$i: $(cat "$T/err" "$T/err.2")"
	done
	touch "$B/rootfs/tmp/hold"
	all_there() { [ "$(tail -1 "$B/rootfs/tmp/in")" = 60000 ]; }
	wait_for all_there
	cmp "$B/rootfs/tmp/in" <(seq 1 60000)
	# One whose own input has ended, of which the shim has not read all.
	kill -STOP "$(init_of "$c")"
	seq 60001 80000 > "$T/more"
	in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/more" > /dev/null 2> "$T/err.3" 9>&-
	second=$!
	at_its_end() { [ "$(awk '/^pos/ { print $2 }' "/proc/$second/fdinfo/0")" = "$(stat -c %s "$T/more")" ]; }
	wait_for at_its_end
	lose_shim
	wait_for grep -q 'was killed' "$T/err.3"
	kill -CONT "$(init_of "$c")"
	all_there() { [ "$(tail -1 "$B/rootfs/tmp/in")" = 80000 ]; }
	wait_for all_there
	cmp "$B/rootfs/tmp/in" <(seq 1 80000)
	exec 9>&-
	if kernel_tells_status; then exits 0 wait $first; fi
	equal "$(cat "$T/err" "$T/err.2" | grep -v 'some output may be missing')" ''
}

@test "attach: stdin is whose it was, whoever is back first; of who does not come back it is the next one's" {
	local one two shim
	args sh -c 'exec cat > /tmp/in'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	attach_to() { # FIFO
		mkfifo "$T/$1"
		in_background sh -c 'exec "$0" --root "$1" attach "$2" < "$3" > /dev/null 2> "$3.err"' "$THOLE" "$ROOT" "$c" "$T/$1"
	}
	there() { grep -qx "$1" "$B/rootfs/tmp/in"; }
	attach_to one
	one=$!
	exec 8> "$T/one"
	echo A1 >&8
	wait_for there A1
	attach_to two
	two=$!
	exec 9> "$T/two"
	echo B1 >&9
	wait_for there B1
	kill -STOP $one
	shim=$(shim_of "$c")
	lose_shim
	wait_for other_shim "$shim"
	wait_for grep -q 'was killed' "$T/two.err"
	exec 9>&-
	kill -CONT $one
	wait_for grep -q 'was killed' "$T/one.err"
	echo A2 >&8
	wait_for there A2
	attach_to three
	exec 9> "$T/three"
	echo C1 >&9
	wait_for there C1
	kill -STOP $one
	shim=$(shim_of "$c")
	lose_shim
	wait_for other_shim "$shim"
	kill -KILL $one
	wait_for pid_gone $one
	echo C2 >&9
	wait_for there C2
	exec 9>&- 8>&-
	wait_for is "$c" stopped
	equal "$(tr '\n' ' ' < "$B/rootfs/tmp/in")" 'A1 B1 A2 C1 C2 '
}

@test "attach: the container ends while nobody is there: the exit status comes all the same" {
	kernel_tells_status || skip "needs: kernel 6.15, which tells the status of a process that is not ours"
	args sh -c 'echo up; while [ ! -e /tmp/stop ]; do usleep 1000; done; exit 9'
	thole run -d --keeper --bundle "$B" "$c" < /dev/null
	in_background "$THOLE" --root "$ROOT" attach --no-stdin --since-start "$c" < /dev/null > "$T/seen" 2> "$T/err"
	local att=$! shim pid
	wait_for grep -q up "$T/seen"
	shim=$(shim_of "$c") pid=$(init_of "$c")
	kill -STOP "$shim"
	touch "$B/rootfs/tmp/stop"
	wait_for pid_gone "$pid"
	kill -KILL "$shim"
	exits 9 wait $att
}
