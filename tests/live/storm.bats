# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Many at once on few names (tests/live/storm). With THOLE_LONG=1 ten minutes of it, and an hour beside containers whose shims have to stay as they are. On the build with sanitizers too.
load lib

setup_test() {
	bundle b-true
	args true
	bundle b-says
	args sh -c 'while :; do echo a line of output; usleep 100000; done'
	bundle
	args sleep 1000
}

storm() { # SECONDS [OPTIONS]
	"$TREE/tests/live/storm" --thole "$THOLE" --root "$ROOT" --bundle "$T/b" --seconds "$1" "${@:2}" > "$T/said" 2>&1 < /dev/null || fail "$(grep FINDING "$T/said" | head -20; tail -1 "$T/said")"
	echo "# $(tail -1 "$T/said")"
}

@test "create, run, exec, kill, delete, list and more from 16 processes on six names" {
	storm "$([ "$THOLE_LONG" ] && echo 600 || echo 8)" --workers 16 --names 6
}

@test "ids reused at full speed: four processes on one name" {
	storm "$([ "$THOLE_LONG" ] && echo 120 || echo 4)" --workers 4 --names 1
}

# Slowly: one makes the directory, another finds it without a lock and takes it for what a killed create has left, and before it is removed somebody else comes.
@test "a directory that was taken for a killed create's is removed by one alone, and never that of the next container" {
	needs strace
	local slow=(strace -f -qq -o /dev/null)
	in_background "${slow[@]}" -e trace=mkdirat -e inject=mkdirat:delay_exit=2000000:when=1 "$THOLE" --root "$ROOT" create --bundle "$B" "$c" < /dev/null > "$T/first" 2>&1
	wait_for test -d "$ROOT/$c"
	in_background "${slow[@]}" -e trace=unlinkat -e inject=unlinkat:delay_enter=3000000:when=1 "$THOLE" --root "$ROOT" delete --force "$c" < /dev/null > "$T/second" 2>&1
	wait "${STARTED[0]}" || true
	thole create --bundle "$B" "$c" < /dev/null > "$T/third" 2>&1 || grep -qx "thole: container '$c' already exists" "$T/third" || fail "$(cat "$T/third")"
	wait "${STARTED[1]}" || fail "$(cat "$T/second")"
	equal "$(cat "$T/second")" '' 'what the delete says'
	# Whoever has a shim has a record.
	[ -z "$(shims)" ] || is "$c" created
	[ ! -d "$ROOT/$c" ] || [ -n "$(shims)" ]
}

@test "an hour of mixed load: memory and descriptors of shims stay as they are" {
	[ "$THOLE_LONG" ] || skip 'only with THOLE_LONG=1'
	[ "${THOLE_FLAVOUR:-}" != san ] || skip 'figures of the release'
	BATS_TEST_TIMEOUT=4000 storm 3600 --workers 4 --names 4 --watch 4
	sed 's/^/# /' "$T/said"
}
