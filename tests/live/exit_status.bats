# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# What `run` and `wait` say about how the container ended, and what they say when it could not begin.
load lib

setup_test() { bundle; }

# covers: run
@test "run gives the container's exit status" {
	for want in 0 1 3 42 124 255; do
		args sh -c "exit $want"
		exits "$want" thole run --bundle "$B" "$c"
	done
}

@test "run gives 128 + signal when a signal ended the container" {
	# The first process of a pid namespace is only killed by a signal from outside.
	args sleep 1000
	in_background thole run --bundle "$B" "$c" < /dev/null
	local client=$!
	wait_for is "$c" running
	thole kill "$c" KILL
	exits 137 wait $client
}

# covers: wait, run --detach
@test "wait gives the status of a detached container, before and after its end" {
	# shellcheck disable=SC2016
	detached sh -c 'while [ ! -e /tmp/go ]; do usleep 20000; done; exit 7'
	"$THOLE" --root "$ROOT" wait "$c" > "$T/wait.out" 3>&- &
	local waiter=$!
	touch "$B/rootfs/tmp/go"
	exits 7 wait $waiter
	wait_for is "$c" stopped
	exits 7 thole wait "$c"
	exits 7 thole wait "$c"
}

@test "wait gives 128 + signal" {
	detached sleep 1000
	thole kill "$c" KILL
	exits 137 thole wait "$c"
}

@test "a command that does not exist: 127, with its path" {
	args /bin/no-such-program
	refused 127 '/bin/no-such-program.*[Nn]o such file' thole run --bundle "$B" "$c"
	args no-such-program
	refused 127 'no-such-program' thole run --bundle "$B" "$c"
}

@test "a command without its x bit: 126, and the error says so" {
	printf '#!/bin/sh\n' > "$B/rootfs/tool"
	chmod 644 "$B/rootfs/tool"
	args /tool
	refused 126 '/tool.*(x bit|execut)' thole run --bundle "$B" "$c"
}

@test "a command that is a directory: 126" {
	args /etc
	refused 126 '/etc' thole run --bundle "$B" "$c"
}

@test "a command that is no program: 126" {
	printf '\177ELF broken' > "$B/rootfs/tool"
	chmod 755 "$B/rootfs/tool"
	args /tool
	refused 126 '/tool.*([Ee]xec format|format)' thole run --bundle "$B" "$c"
}

@test "an interpreter that is missing is named" {
	printf '#!/opt/no-such-shell -x\n' > "$B/rootfs/tool"
	chmod 755 "$B/rootfs/tool"
	args /tool
	refused 127 '/tool.*/opt/no-such-shell' thole run --bundle "$B" "$c" ||
		refused 126 '/tool.*/opt/no-such-shell' thole run --bundle "$B" "$c"
}

@test "a failure of thole's own: 125 from run, 1 from the others" {
	refused 125 'no-such-bundle' thole run --bundle "$T/no-such-bundle" "$c"
	refused 1 'no-such-bundle' thole create --bundle "$T/no-such-bundle" "$c"
	refused 1 "$c.*does not exist" thole start "$c"
	refused 1 "$c.*does not exist" thole state "$c"
	refused 1 "$c.*does not exist" thole kill "$c"
	refused 1 "$c.*does not exist" thole delete "$c"
	refused 125 "$c.*does not exist" thole wait "$c"
}

@test "start tells why a created container's program cannot be executed" {
	args /bin/no-such-program
	thole create --bundle "$B" "$c" 2> "$T/err" < /dev/null || {
		# Found out at create already: also right, if it left nothing.
		matches "$(cat "$T/err")" '/bin/no-such-program'
		wait_for nothing_left
		return
	}
	refused 1 '/bin/no-such-program' thole start "$c"
	thole delete --force "$c"
}

@test "a failed run leaves nothing behind" {
	args /bin/no-such-program
	refused 127 . thole run --bundle "$B" "$c"
	wait_for nothing_left
	args /etc
	refused 126 . thole run -d --bundle "$B" "$c"
	wait_for nothing_left
}

# covers: run --keep
@test "run without --keep deletes the container, with --keep keeps it" {
	args true
	thole run --bundle "$B" "$c" < /dev/null
	refused 1 'does not exist' thole state "$c"
	args sh -c 'exit 5'
	exits 5 thole run --keep --bundle "$B" "$c"
	is "$c" stopped
	exits 5 thole wait "$c"
	thole delete "$c"
}

# covers: run --rm
@test "run -d --rm is deleted by its shim at the end" {
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 20000; done'
	thole run -d --rm --bundle "$B" "$c" < /dev/null
	is "$c" running
	touch "$B/rootfs/tmp/go"
	wait_for nothing_left
}

@test "a process that ends after 64 that were started later: the latest statuses are those that are kept" {
	local i name long first
	detached sleep 1000
	long=$(thole exec -d --print-name "$c" sh -c 'until [ -e /tmp/go ]; do usleep 1000; done; exit 7' < /dev/null)
	first=$(thole exec -d --print-name "$c" sh -c 'exit 9' < /dev/null)
	exits 9 thole wait "$c" "$first"
	for ((i = 1; i < 64; i++)); do
		name=$(thole exec -d --print-name "$c" sh -c 'exit 8' < /dev/null)
	done
	exits 8 thole wait "$c" "$name"
	touch "$B/rootfs/tmp/go"
	exits 7 thole wait "$c" "$long"
	exits 7 thole wait "$c" "$long"
	exits 8 thole wait "$c" "$name"
	is "$c" running
	# Which had ended first.
	refused 125 'no process' thole wait "$c" "$first"
}
