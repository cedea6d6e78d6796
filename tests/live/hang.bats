# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# A container whose pipe holds up whoever looks at it: its shim hangs in the kernel, and it can be ended all the same.
load lib

setup_test() {
	bundle
	config '.process.capabilities = (["bounding", "effective", "permitted"] | map({ key: ., value: ["CAP_SYS_PTRACE"] }) | from_entries)'
	args /usr/bin/hang
}

shim_hangs() { [ "$(awk '/^State/ { print $2 }' "/proc/$shim/status")" = D ]; }

# It is exec'd processes that the shim looks for when something has been written.
hang() {
	rm -f "$B/rootfs/tmp/go"
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" hangs
	shim=$(shim_of "$c")
	touch "$B/rootfs/tmp/go"
	in_background "$THOLE" --root "$ROOT" exec "$c" sh -c 'while :; do echo x; usleep 1000; done' < /dev/null > /dev/null 2>&1
	wait_for shim_hangs
}

@test "a container in whose output the shim hangs: kill and delete --force end it" {
	local shim
	hang
	timeout 60 "$THOLE" --root "$ROOT" kill --all "$c" KILL 2> "$T/err"
	matches "$(cat "$T/err")" "its shim has not answered for [0-9]+ s: the signal was sent to its first process"
	exits 137 thole wait "$c" > "$T/out"
	thole delete "$c"
	hang
	refused 1 'not answered' timeout 60 "$THOLE" --root "$ROOT" kill --all "$c" TERM
	timeout 60 "$THOLE" --root "$ROOT" delete --force "$c"
	nothing_left
}
