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

@test "an hour of mixed load: memory and descriptors of shims stay as they are" {
	[ "$THOLE_LONG" ] || skip 'only with THOLE_LONG=1'
	[ "${THOLE_FLAVOUR:-}" != san ] || skip 'figures of the release'
	BATS_TEST_TIMEOUT=4000 storm 3600 --workers 4 --names 4 --watch 4
	sed 's/^/# /' "$T/said"
}
