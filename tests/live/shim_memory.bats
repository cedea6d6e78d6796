# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# What an idle shim costs.
load lib

setup_test() { bundle; }

private_kib() { # PID
	awk '/^Private_(Clean|Dirty):/ { n += $2 } END { print n }' "/proc/$1/smaps_rollup"
}

@test "one sleep container alone, idle: at most 400 KiB of private memory, running from a sealed file" {
	# A copy of its own, so that no other shim shares its text.
	mkdir "$T/bin"
	cp "$BIN/thole" "$BIN/thole-shim" "$T/bin"
	sync "$T/bin/thole-shim"
	args sleep 1000
	"$T/bin/thole" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null
	local shim
	shim=$(shim_of "$c")
	small() { [ "$(private_kib "$shim")" -le 400 ]; }
	WAIT_S=3 wait_for small || fail "$(private_kib "$shim") KiB: $(cat "/proc/$shim/smaps_rollup")"
	echo "# $(private_kib "$shim") KiB private" >&3
	equal "$(ls "/proc/$shim/task" | wc -l)" 1 threads
}

# 2022-1708, 2022-31030: output without end that filled the memory of the runtime.
@test "it does not grow with what it is asked and what it is sent" {
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; /usr/bin/records 100000 64 2>&1; echo > /tmp/end; sleep 1000'
	thole run -d --bundle "$B" "$c" < /dev/null
	local shim before i
	shim=$(shim_of "$c")
	touch "$B/rootfs/tmp/go"
	wait_for test -e "$B/rootfs/tmp/end"
	thole kill "$c" WINCH
	before=$(private_kib "$shim")
	for ((i = 0; i < 100; i++)); do
		thole kill "$c" WINCH
	done
	not_grown() { [ "$(private_kib "$shim")" -le $((before + 64)) ]; }
	wait_for not_grown || fail "$before KiB before, $(private_kib "$shim") after"
}

@test "sealed: the shim's executable cannot be written through /proc, and is not the file on disk" {
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	local shim
	shim=$(shim_of "$c")
	not sh -c ': >> "/proc/$1/exe"' sh "$shim" 2> "$T/err"
	[ -s "$T/err" ]
	[ "$(stat -L -c %d:%i "/proc/$shim/exe")" != "$(stat -L -c %d:%i "$BIN/thole-shim")" ]
}
