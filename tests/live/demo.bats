# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# What the README's first command shows.
load lib

setup_file() { make_criu; }

@test "make demo: every step works, and shows what it says" {
	local s=0
	TMPDIR=$T TERM=dumb timeout 100 "$TREE/contrib/demo" < /dev/null > "$T/out" 2>&1 || s=$?
	[ $s = 0 ] || fail "$(tail -n 20 "$T/out")"
	equal "$(tail -n 1 "$T/out")" 'demo: all steps worked'
	contains "$(cat "$T/out")" 'are missing from the log'
}
