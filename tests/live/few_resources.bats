# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Too few descriptors, processes, groups or memory for a launch, an exec, a delete: each works, or fails in one line and leaves nothing; and a caller without limits finds the container as it was.
load lib

setup_test() {
	bundle
	args sleep 1000
	config 'del(.process.rlimits)'
	step=$([ "$THOLE_LONG" ] && echo 1 || echo 7)
	worked=0 failed=0
}

# whole CMD...: it has worked, or has said why in a line. Whatever it was, the container can be removed, and nothing stays.
whole() { # WHAT CMD...
	local what=$1 s=0
	shift
	timeout 30 "$@" < /dev/null > "$T/out" 2> "$T/err" || s=$?
	if [ $s = 0 ]; then
		worked=$((worked + 1))
		return
	fi
	failed=$((failed + 1))
	[ $s != 124 ] || fail "$what: it does not end"
	# A program that cannot even be started says so by its shell or loader.
	equal "$(wc -l < "$T/err")" 1 "$what: status $s, lines: $(cat "$T/err")"
}

run_and_clean() { # WHAT PREFIX...
	whole "$1" "${@:2}" "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c"
	if [ -d "$ROOT/$c" ]; then
		thole delete --force "$c"
	fi
	nothing_left || wait_for nothing_left || fail "$1: $(cat "$T/err"): left: $(leftovers)"
}

both_were_seen() {
	echo "# $worked worked, $failed failed"
	[ $worked -gt 0 ] && [ $failed -gt 0 ]
}

@test "every number of descriptors" {
	local n
	for ((n = 4; n < 70; n += step > 1 ? 4 : 1)); do
		run_and_clean "$n descriptors" prlimit --nofile="$n:$n"
	done
	both_were_seen
}

@test "every number of descriptors, for exec and delete of a container that runs" {
	local n
	detached sleep 1000
	# A shim has some descriptors more until it tidies up, and a machine as many groups as its hierarchies are: well past what an exec takes.
	for ((n = 4; n < 64; n += step > 1 ? 4 : 1)); do
		whole "exec with $n descriptors" prlimit --nofile="$n:$n" "$THOLE" --root "$ROOT" exec "$c" true
		# And its own shim, that others ask.
		prlimit --pid "$(shim_of "$c")" --nofile="$n:4096"
		whole "exec in a shim with $n descriptors" "$THOLE" --root "$ROOT" exec "$c" true
		is "$c" running
	done
	both_were_seen
	prlimit --pid "$(shim_of "$c")" --nofile=8:4096
	whole "delete by a shim with 8 descriptors" "$THOLE" --root "$ROOT" delete --force "$c"
	if [ -d "$ROOT/$c" ]; then
		prlimit --pid "$(shim_of "$c")" --nofile=4096:4096
		thole delete --force "$c"
	fi
	wait_for nothing_left
}

@test "every size of the address space" {
	local kib
	for ((kib = 3000; kib < 40000; kib += step * 400)); do
		run_and_clean "$kib KiB" prlimit --as="$((kib * 1024))"
	done
	[ $worked -gt 0 ]
}

@test "every number of processes that the caller's group may have" {
	needs cgroup-v1
	local n g=/sys/fs/cgroup/pids/few-${T##*/}
	# A zombie that the machine's first process has not reaped yet counts, too.
	is_empty() { [ "$(cat "$g/pids.current")" = 0 ]; }
	mkdir "$g"
	for n in 1 2 3 4 6 12; do
		wait_for is_empty
		echo "$n" > "$g/pids.max"
		run_and_clean "$n processes" sh -c 'echo $$ > "$0/cgroup.procs" && exec "$@"' "$g"
	done
	wait_for rmdir "$g"
	both_were_seen
}
