# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Several clients at once: one id has one winner, and fifty containers come and go without a trace.
load lib

setup_test() { bundle; }

@test "two creates of one id at the same moment: one wins, the other is told, every time" {
	local round n a b
	args sleep 1000
	n=$([ "$THOLE_LONG" ] && echo 100 || echo 15)
	for ((round = 0; round < n; round++)); do
		in_background thole create --bundle "$B" "$c" < /dev/null > "$T/out.a" 2>&1
		a=$!
		in_background thole create --bundle "$B" "$c" < /dev/null > "$T/out.b" 2>&1
		b=$!
		local sa=0 sb=0
		wait $a || sa=$?
		wait $b || sb=$?
		equal "$(printf '%s\n' $sa $sb | sort | tr '\n' ' ')" '0 1 ' "round $round: $(cat "$T/out.a" "$T/out.b")"
		matches "$(cat "$T/out.a" "$T/out.b")" "$c.*(exists|in use|busy)"
		is "$c" created
		thole delete "$c"
	done
}

@test "create and delete of one id at the same moment leave it created or gone, never half" {
	local round n
	args sleep 1000
	n=$([ "$THOLE_LONG" ] && echo 100 || echo 15)
	for ((round = 0; round < n; round++)); do
		in_background thole create --bundle "$B" "$c" < /dev/null > "$T/out.a" 2>&1
		local a=$!
		thole delete --force "$c" > "$T/out.b" 2>&1 || true
		wait $a || true
		matches "$(status "$c")" '^(created|)$'
		thole delete --force "$c"
		nothing_left || wait_for nothing_left
	done
}

@test "fifty containers started and ended concurrently leave nothing" {
	local i n
	n=$([ "$THOLE_LONG" ] && echo 500 || echo 50)
	args sh -c 'echo hello; exit 3'
	storm() { # FROM TO
		local i s
		for ((i = $1; i < $2; i++)); do
			s=0
			thole run --bundle "$B" "$c-$i" < /dev/null > "$T/out.$i" 2>&1 || s=$?
			echo "$s $(cat "$T/out.$i")" > "$T/result.$i"
		done
	}
	# Ten callers at once.
	local callers=()
	for ((i = 0; i < 10; i++)); do
		in_background storm $((i * n / 10)) $(((i + 1) * n / 10))
		callers+=($!)
	done
	wait "${callers[@]}"
	equal "$(cat "$T"/result.* | sort | uniq -c | xargs)" "$n 3 hello"
	WAIT_S=30 wait_for nothing_left
}

@test "fifty detached at once, all found, all ended, nothing left" {
	local i callers=()
	args sleep 1000
	for ((i = 0; i < 50; i++)); do
		in_background thole run -d --bundle "$B" "$c-$i" < /dev/null > "$T/out.$i" 2>&1
		callers+=($!)
	done
	for i in "${callers[@]}"; do
		wait "$i" || fail "$(cat "$T"/out.*)"
	done
	equal "$(thole list | grep -c ' running ')" 50
	equal "$(shims | wc -l)" 50
	callers=()
	for ((i = 0; i < 50; i++)); do
		in_background thole delete --force "$c-$i" > "$T/del.$i" 2>&1
		callers+=($!)
	done
	for i in "${callers[@]}"; do
		wait "$i" || fail "$(cat "$T"/del.*)"
	done
	WAIT_S=30 wait_for nothing_left
}
