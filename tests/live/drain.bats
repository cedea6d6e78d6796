# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# When the process has ended and others still hold its output: what they write is taken for a bounded time, and nobody waits or burns for them.
load lib

# In the host's pid namespace they outlive the container's first process.
setup_test() {
	bundle
	config '.linux.namespaces |= map(select(.type != "pid"))'
	stay='while [ ! -e /tmp/go ]; do usleep 1000; done'
}

drained() { # the shim has the container's output, a pipe or a terminal, no more
	local name
	name=$(thole_state "$c" .processes.init.streams.stdout)
	[ "$name" != tty ] || name='*ptmx'
	[ "$(find "/proc/$(shim_of "$c")/fd" -lname "${name//[/\\[}" 2> /dev/null | wc -l)" = 0 ]
}

ended() { grep -q '^State:.*Z' "/proc/$1/status"; }

cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# covers: run --drain-timeout
@test "--drain-timeout: what a daemonised grandchild writes within it is in the log, though it was quiet for long" {
	args sh -c "setsid sh -c '$stay; sleep 1; echo late; exec sleep 1000' & echo done; exit 4"
	thole run -d --drain-timeout 1h --bundle "$B" "$c" < /dev/null
	exits 4 timeout 10 "$THOLE" --root "$ROOT" wait "$c"
	is "$c" stopped
	not drained
	touch "$B/rootfs/tmp/go"
	wait_for logged "$c" late
	equal "$(thole_state "$c" .processes.init.drainMs)" 3600000
	# Who deletes it does not wait for them either.
	timeout 10 "$THOLE" --root "$ROOT" delete "$c"
	wait_for nothing_left
}

@test "--drain-timeout 0s: what was written before the end is there, and nobody is waited for" {
	args sh -c "setsid sh -c 'while :; do echo more; usleep 1000; done' & /usr/bin/records 20000 64; echo last; exit 4"
	thole run -d --drain-timeout 0s --bundle "$B" "$c" < /dev/null
	exits 4 timeout 10 "$THOLE" --root "$ROOT" wait "$c"
	wait_for drained
	thole logs "$c" 2> /dev/null | grep -v more > "$T/out"
	equal "$(tail -1 "$T/out")" last
	equal "$(head -n -1 "$T/out" | "$PROBES/records" --check)" 'records=18000 last=19999'
}

@test "--drain-timeout 0s of a terminal: all that it held is there" {
	local client shim ended=0
	config '.process.terminal = true'
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; /usr/bin/records 200 64; echo last'
	thole run -d --drain-timeout 0s --bundle "$B" "$c" < /dev/null
	in_background "$THOLE" --root "$ROOT" wait "$c"
	client=$!
	# The shim comes to read only when the process has ended.
	shim=$(shim_of "$c")
	kill -STOP "$shim"
	touch "$B/rootfs/tmp/go"
	wait_for ended "$(thole_state "$c" .processes.init.pid)" || ended=$?
	kill -CONT "$shim"
	equal "$ended" 0
	exits 0 wait $client
	wait_for drained
	thole logs "$c" | tr -d '\r' > "$T/out"
	equal "$(tail -1 "$T/out")" last
	equal "$(wc -l < "$T/out")" 201
}

@test "the usual: a grandchild that is quiet is not waited for, one that writes for ever for two seconds; neither burns" {
	local how shim before
	for how in 'exec sleep 1000' 'while :; do echo more; usleep 1000; done' 'exec yes'; do
		args sh -c "setsid sh -c '$how' & echo done; exit 4"
		thole run -d --log-opt max-size=1m --bundle "$B" "$c" < /dev/null
		exits 4 timeout 10 "$THOLE" --root "$ROOT" wait "$c"
		wait_for drained
		shim=$(shim_of "$c")
		before=$(cpu_ticks "$shim")
		# What runs on has a second to wake the shim, were there anything to wake it for.
		sleep 1
		[ $(($(cpu_ticks "$shim") - before)) -le 5 ] || fail "$how: the shim burns"
		# Of what yes has written the log keeps the end.
		thole logs "$c" > "$T/out"
		if [ "$how" = 'exec yes' ]; then
			# The first line may have begun in a file that is gone.
			equal "$(sed -n 2p "$T/out")" y
		else
			grep -qx done "$T/out"
		fi
		timeout 10 "$THOLE" --root "$ROOT" delete "$c"
	done
}

@test "in the foreground and with --rm the end comes all the same" {
	args sh -c "setsid sleep 1000 & echo done; exit 4"
	exits 4 timeout 10 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out"
	equal "$(cat "$T/out")" done
	wait_for nothing_left
	exits 4 timeout 10 "$THOLE" --root "$ROOT" run --drain-timeout 300ms --bundle "$B" "$c" < /dev/null > "$T/out"
	equal "$(cat "$T/out")" done
	thole run -d --rm --bundle "$B" "$c" < /dev/null
	wait_for nothing_left
}

# With the end of a session's leader the kernel sends its terminal's foreground group SIGHUP, no more: others may have it open for as long as they like.
@test "--drain-timeout of a terminal: it ends with its session's foreground, but not while another session has it open" {
	config '.process.terminal = true'
	args sh -c 'sleep 1000 & echo done; exit 4'
	thole run -d --drain-timeout 1h --bundle "$B" "$c" < /dev/null
	exits 4 timeout 10 "$THOLE" --root "$ROOT" wait "$c"
	wait_for drained
	timeout 10 "$THOLE" --root "$ROOT" delete "$c"
	args sh -c "setsid sh -c ': > /tmp/ready; $stay; echo late' & while [ ! -e /tmp/ready ]; do usleep 1000; done; echo done; exit 4"
	thole run -d --drain-timeout 1h --bundle "$B" "$c" < /dev/null
	exits 4 timeout 10 "$THOLE" --root "$ROOT" wait "$c"
	wait_for logged "$c" done
	not drained
	touch "$B/rootfs/tmp/go"
	wait_for drained
	equal "$(thole logs "$c" | tr -d '\r')" $'done\nlate'
}

# covers: create --drain-timeout, exec --drain-timeout
@test "exec: the same, and a create's" {
	args sleep 1000
	thole create --drain-timeout 250ms --bundle "$B" "$c" < /dev/null
	thole start "$c"
	equal "$(thole_state "$c" .processes.init.drainMs)" 250
	exits 5 timeout 10 "$THOLE" --root "$ROOT" exec "$c" sh -c 'setsid sleep 1000 & echo done; exit 5' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" done
	in_background "$THOLE" --root "$ROOT" exec --drain-timeout 1h "$c" sh -c "setsid sh -c '$stay; echo late' & echo done; exit 5" < /dev/null > "$T/out"
	local client=$!
	wait_for grep -q done "$T/out"
	touch "$B/rootfs/tmp/go"
	exits 5 wait $client
	equal "$(cat "$T/out")" $'done\nlate'
}

# covers: restore --drain-timeout
@test "restore: the same of what comes back" {
	needs criu
	make_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	args sh -c "sh -c '$stay; sleep 1; echo late; exec sleep 1000' & echo ready; while [ ! -e /tmp/end ]; do usleep 1000; done; exit 4"
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" ready
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" "$c"
	timeout 60 "$THOLE" --root "$ROOT" restore -d --drain-timeout 1h --bundle "$B" --image-path "$T/img" "$c" < /dev/null
	touch "$B/rootfs/tmp/end"
	exits 4 timeout 10 "$THOLE" --root "$ROOT" wait "$c"
	not drained
	touch "$B/rootfs/tmp/go"
	wait_for logged "$c" late
}

@test "--drain-timeout, --stdin-once: bad input" {
	args true
	refused 125 'drain-timeout is a time such as 5s' thole run --drain-timeout soon --bundle "$B" "$c"
	refused 125 'drain-timeout' thole run --drain-timeout -1s --bundle "$B" "$c"
	refused 125 'drain-timeout needs --monitor=shim' thole run -d --monitor=foreign --drain-timeout 1s --bundle "$B" "$c"
	refused 125 'drain-timeout needs --monitor=shim' thole restore --monitor=foreign --drain-timeout 1s --bundle "$B" "$c"
	refused 125 'stdin-once needs --monitor=shim' thole restore --monitor=foreign --stdin-once --bundle "$B" "$c"
}
