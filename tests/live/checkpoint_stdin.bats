# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# What is written to the stdin of a container while it goes into an image, while it is away, and while its shim dies: all of it comes, once and in order.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	SET=$T/set
	bundle
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; cat > /tmp/got; exit 6'
	mkfifo "$T/in"
}

teardown_test() { exec 8>&- 9>&-; }

# stdin is the fifo, which descriptor 9 writes to.
started() { # run | attach | exec
	rm -f "$B"/rootfs/tmp/g*
	exec 8<> "$T/in" # else each waits for the other to open it
	case $1 in
	run) in_background "$THOLE" --root "$ROOT" run -i --keep --bundle "$B" "$c" < "$T/in" > "$T/out" 2> "$T/err" 8>&- ;;
	attach)
		thole run -d -i --keep --bundle "$B" "$c" < /dev/null > "$T/run.out"
		in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/in" > "$T/out" 2> "$T/err" 8>&-
		;;
	exec)
		config '.process.args = ["sleep", "1000"]'
		thole run -d --keep --bundle "$B" "$c" < /dev/null > "$T/run.out"
		in_background "$THOLE" --root "$ROOT" exec -i --checkpointable "$c" sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; cat > /tmp/got; exit 6' < "$T/in" > "$T/out" 2> "$T/err" 8>&-
		;;
	esac
	CLIENT=$!
	exec 9> "$T/in" 8>&-
	wait_for is "$c" running
	[ "$1" != exec ] || wait_for eval '[ "$(thole_state "$c" ".processes[\"1\"].belowInit")" = true ]'
}

# All that was written so far is out of the fifo.
taken() { fifo_is_empty "$T/in"; }

away() { thole checkpoint --to "$SET" --rootfs none "$c" > "$T/cp.out"; }

has_other_shim() { [ -n "$(shims)" ] && [ "$(shims)" != "$1" ]; }
loses_its_shim() {
	local shim
	shim=$(shims)
	kill -KILL "$shim"
	wait_for has_other_shim "$shim"
}

all_came() { # WANTED
	touch "$B/rootfs/tmp/go"
	exits 6 wait "$CLIENT"
	cmp "$B/rootfs/tmp/got" "$1"
}

@test "it ends while the container is dumped, unread: it comes with its end, in place and out of the image" {
	cat > "$T/action" <<-END
		#!/bin/sh
		[ "\$CRTOOLS_SCRIPT_ACTION" = network-lock ] || exit 0
		: > "$T/frozen"
		while [ ! -e "$T/ended" ]; do sleep 0.02; done
	END
	chmod 755 "$T/action"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	printf 'abc\ndef' > "$T/wanted"
	started attach
	local checkpoint pipe
	pipe=$(readlink "/proc/$(init_of "$c")/fd/0")
	writes() { ls -l "/proc/$CLIENT/fd" | grep '^l-wx' | grep -qF -- "-> $pipe"; }
	wait_for writes
	in_background sh -c '"$0" --root "$1" checkpoint --to "$2" --rootfs none --network-lock iptables "$3"' "$THOLE" "$ROOT" "$SET" "$c" 9>&-
	checkpoint=$!
	wait_for test -e "$T/frozen"
	cat "$T/wanted" >&9
	exec 9>&-
	has_ended() { ! writes; }
	wait_for has_ended
	# Its shim, too, has heard of that once it answers.
	refused 1 'is being checkpointed' thole pause "$c"
	touch "$T/ended"
	exits 0 wait $checkpoint
	equal "$(cat "$SET/latest/thole-stdin.img")" "$(cat "$T/wanted")"
	thole restore "$c"
	all_came "$T/wanted"
}

@test "the shim dies while the container is away: what was written before, meanwhile and afterwards comes" {
	local who kills
	for who in run attach exec; do
		for kills in 1 2; do
			[ $who = exec ] || args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; cat > /tmp/got; exit 6'
			started $who
			seq 1 100 >&9
			wait_for taken
			away
			seq 101 200 >&9
			for ((; kills > 0; kills--)); do loses_its_shim; done
			seq 201 300 >&9
			thole restore "$c"
			seq 301 400 >&9
			exec 9>&-
			all_came <(seq 1 400) || fail "$who"
			thole delete --force "$c"
			wait_for no_shims
		done
	done
}

@test "out of a copy of its image what was written meanwhile comes after what is in that, whoever still writes" {
	local who
	seq 1 60000 > "$T/wanted"
	for who in run attach exec; do
		rm -rf "$SET" "$T/copy"
		[ $who = exec ] || args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; cat > /tmp/got; exit 6'
		started $who
		# More than its pipe holds: the client waits for room in it.
		in_background sh -c 'exec cat "$0" >&9' "$T/wanted"
		full() { [ "$(grep -l pipe_write "/proc/$!/wchan")" ]; }
		wait_for full
		exec 9>&-
		away
		cp -a "$SET" "$T/copy"
		thole restore --from "$T/copy" "$c"
		all_came "$T/wanted" || fail "$who"
		thole delete --force "$c"
		wait_for no_shims
	done
}

@test "while the container is away one client writes, and then the owner ends it: it comes, and then the end" {
	started attach
	mkfifo "$T/in2"
	exec 8<> "$T/in2"
	local owner=$CLIENT pipe
	pipe=$(readlink "/proc/$(init_of "$c")/fd/0")
	echo a1 >&9
	wait_for taken
	in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/in2" > "$T/out2" 2> "$T/err2" 8>&- 9>&-
	exec 7> "$T/in2" 8>&-
	has_streams() { [ "$(find "/proc/$1/fd" -lname 'pipe:*' | wc -l)" -ge 3 ]; }
	wait_for has_streams $!
	echo b1 >&7
	away
	echo b2 >&7
	wait_for fifo_is_empty "$T/in2"
	exec 9>&-
	# It has told its shim once it writes to the pipe of that no more.
	ended() { ! ls -l "/proc/$owner/fd" | grep '^l-wx' | grep -qF "$pipe"; }
	wait_for ended
	thole restore "$c"
	touch "$B/rootfs/tmp/go"
	exits 6 wait "$owner"
	equal "$(sort "$B/rootfs/tmp/got" | tr '\n' ' ')" 'a1 b1 b2 '
	exec 7>&-
}

@test "a terminal in the foreground: its client goes on with the next shim, and what was typed meanwhile comes" {
	config '.process.terminal = true'
	args sh -c 'stty -echo; while [ ! -e /tmp/go ]; do usleep 1000; done; while read -r l && [ "$l" != end ]; do echo "[$l]"; done; exit 6'
	# The probe types what comes in by the fifo.
	exec 8<> "$T/in"
	in_background "$BUILD/probes/pty" "$THOLE" --root "$ROOT" run --keep --bundle "$B" "$c" < "$T/in" > "$T/out" 2> "$T/err" 8>&-
	CLIENT=$!
	exec 9> "$T/in" 8>&-
	wait_for is "$c" running
	away
	echo 'send one\n' >&9
	wait_for taken
	loses_its_shim
	echo 'send two\n' >&9
	wait_for taken
	thole restore "$c"
	touch "$B/rootfs/tmp/go"
	printf '%s\n' 'send three\n' 'expect [one]' 'expect [two]' 'expect [three]' 'send end\n' end >&9
	exec 9>&-
	exits 6 wait "$CLIENT"
}
