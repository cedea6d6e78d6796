# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# A container whose pipe holds up whoever looks at it: its shim hangs in the kernel, and it can be ended all the same.
load lib

setup_test() {
	bundle
	config '.process.capabilities = (["bounding", "effective", "permitted"] | map({ key: ., value: ["CAP_SYS_PTRACE"] }) | from_entries)'
	args /usr/bin/hang
}

# Not for a moment, as one that writes to a disk.
shim_hangs() {
	local i
	for i in 1 2 3 4 5; do
		[ "$(awk '/^State/ { print $2 }' "/proc/$shim/status")" = D ] || return 1
		sleep 0.02
	done
}

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
	matches "$(cat "$T/err")" "its shim has not answered for [0-9]+ s: the signal was sent to the container's first process"
	exits 137 thole wait "$c" > "$T/out"
	thole delete "$c"
	hang
	refused 1 'not answered' timeout 60 "$THOLE" --root "$ROOT" kill --all "$c" TERM
	timeout 60 "$THOLE" --root "$ROOT" delete --force "$c"
	wait_for nothing_left
}

stopped_shim() {
	shim=$(shim_of "$1")
	kill -STOP "$shim"
}

# They come, wait in its queue until that is full, and leave.
many_gave_up() {
	perl -MSocket -MFcntl -e 'chdir shift or die; for (1 .. 300) { socket my $s, AF_UNIX, SOCK_SEQPACKET, 0 or die; fcntl $s, F_SETFL, O_NONBLOCK; connect $s, sockaddr_un("control.sock") or exit 0 } die "there is always room" ' "$ROOT/$1"
}

@test "kill and delete --force get past a shim that stands still, however many have asked it in vain" {
	local shim
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	stopped_shim "$c"
	many_gave_up "$c"
	timeout 60 "$THOLE" --root "$ROOT" kill --all "$c" KILL 2> "$T/err"
	contains "$(cat "$T/err")" "the signal was sent to the container's first process"
	refused 1 'its first process has ended' timeout 60 "$THOLE" --root "$ROOT" delete --force "$c"
	kill -CONT "$shim"
	exits 137 thole wait "$c"
	thole delete "$c"
}

@test "without its shim only what is certain is signalled: that it has not died is said, and the first process of a shared pid namespace is not taken for all of it" {
	local shim
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	thole pause "$c"
	stopped_shim "$c"
	if has_cgroup-v2; then
		timeout 60 "$THOLE" --root "$ROOT" kill "$c" KILL 2> "$T/err"
	else
		refused 1 'was sent SIGKILL and has not ended' timeout 60 "$THOLE" --root "$ROOT" kill "$c" KILL
	fi
	kill -CONT "$shim"
	thole delete --force "$c"
	config '.linux.namespaces |= map(select(.type != "pid"))'
	thole run -d --bundle "$B" "$c" < /dev/null
	stopped_shim "$c"
	refused 1 'not answered' timeout 60 "$THOLE" --root "$ROOT" kill --all "$c" KILL
	kill -CONT "$shim"
	is "$c" running
	thole delete --force "$c"
}
