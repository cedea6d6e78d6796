# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# A caller with limits of the size of files and of processor time: they are the container's, not its shim's. And the signals that go with them, and all others.
load lib

setup_test() {
	bundle
	config 'del(.process.rlimits)'
}

# A soft limit of 64 KiB a file, and limits of time that nobody reaches.
limited() {
	(
		ulimit -S -f 64
		ulimit -S -t 54321
		ulimit -H -t 654321
		"$THOLE" --root "$ROOT" "$@"
	)
}

# A hard one, for who may not raise it.
bounded() { # KIB ARGS...
	(
		ulimit -f "$1"
		setpriv --bounding-set -sys_resource "$THOLE" --root "$ROOT" "${@:2}"
	)
}

# What the probe says in that file is the caller's.
is_callers() { # FILE
	wait_for grep -q '^fds=' "$1"
	equal "$(value rlimit_fsize "$1")" 65536:-1
	equal "$(value rlimit_cpu "$1")" 54321:654321
	equal "$(value ignored "$1")" '' 'signals that are ignored'
	equal "$(value blocked "$1")" '' 'signals that are blocked'
}

execed_is_callers() {
	thole exec "$c" inherit > "$T/out"
	is_callers "$T/out"
}

has_logged() { # BYTES
	[ "$(thole logs "$c" | wc -c)" = "$1" ]
}

replaced() { # SHIM
	[ "$(shim_of "$c")" != "$1" ] && shim_is alive
}

@test "the container, what is exec'd and hooks have the caller's limits, and its log is longer, over upgrades and another shim" {
	local shim
	config --arg cmd "exec $PROBES/inherit > $T/hook.out" '.hooks = { poststart: [{ path: "/bin/sh", args: ["sh", "-c", $cmd] }] }'
	args sh -c 'inherit > /init.out; yes | head -c 200000; while [ ! -e /go ]; do usleep 10000; done; yes | head -c 100000; exit 7'
	limited run -d --keeper --bundle "$B" "$c" < /dev/null
	wait_for has_logged 200000
	is_callers "$B/rootfs/init.out"
	is_callers "$T/hook.out"
	execed_is_callers
	thole upgrade "$c"
	execed_is_callers
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for replaced "$shim"
	execed_is_callers
	: > "$B/rootfs/go"
	exits 7 thole wait "$c"
	has_logged 300000
}

@test "a shim that one with limits has started goes on too" {
	args sh -c 'while [ ! -e /go ]; do usleep 10000; done; yes | head -c 200000; exit 7'
	thole run -d --bundle "$B" "$c" < /dev/null
	kill -KILL "$(shim_of "$c")"
	wait_for shim_is lost
	limited recover "$c"
	: > "$B/rootfs/go"
	exits 7 thole wait "$c"
	has_logged 200000
}

@test "a hard limit: what is too large for it is an error, of a log a loss that ends where there is another file" {
	local log
	# shellcheck disable=SC2016
	args sh -c 'yes | head -c 2000000; while [ ! -e /go ]; do usleep 10000; done; echo again; exit 7'
	refused 125 'File too large$' bounded 1 run -d --bundle "$B" "$c"
	[ ! -e "$ROOT/$c" ]
	bounded 512 run -d --bundle "$B" "$c" < /dev/null
	fails() { [ "$(thole state "$c" | jq -r '.thole.log.failing // ""')" = 'File too large' ]; }
	wait_for fails
	has_lost() { [ "$(thole state "$c" | jq -r .thole.log.lostBytes.stdout)" -gt 1000000 ]; }
	wait_for has_lost
	log=$(thole state "$c" | jq -r .thole.log.path)
	mv "$log" "$log.1"
	kill -HUP "$(shim_of "$c")"
	wait_for test -e "$log"
	: > "$B/rootfs/go"
	exits 7 thole wait "$c"
	contains "$(thole logs "$c")" again
}

@test "a client in the foreground: its file is full, and the container hears of no signal" {
	args sh -c 'trap "touch /told" XFSZ; yes | head -c 200000; while [ ! -e /go ]; do usleep 10000; done; exit 7'
	(
		ulimit -S -f 64
		exec "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/full" 2> "$T/err" 3>&-
	) &
	wait_for is "$c" running
	is_full() { [ "$(stat -c %s "$T/full")" = 65536 ]; }
	wait_for is_full
	: > "$B/rootfs/go"
	exits 7 wait $!
	[ ! -e "$B/rootfs/told" ]
}

@test "no signal ends a shim or its keeper, but SIGKILL and those of a fault" {
	local shim keeper sig
	args sleep 1000
	thole run -d --keeper --bundle "$B" "$c" < /dev/null
	shim=$(shim_of "$c")
	for _ in launched upgraded; do
		keeper=$(keepers)
		for sig in $(seq 1 64); do
			case $(kill -l "$sig") in
			KILL | STOP | ABRT | BUS | FPE | ILL | SEGV | SYS | TRAP) continue ;;
			esac
			kill -"$sig" "$shim" "$keeper"
		done
		exits 0 thole exec "$c" true
		equal "$(shim_of "$c")" "$shim"
		[ -d "/proc/$keeper" ] && not pid_gone "$keeper"
		thole upgrade "$c"
	done
}
