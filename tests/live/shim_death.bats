# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# What a container does without its shim.
load lib

setup_test() { bundle; }

@test "a created container survives its shim, and start starts it" {
	args sh -c 'echo $$ > /tmp/began; exec sleep 1000'
	thole create --bundle "$B" "$c" < /dev/null
	local pid shim
	pid=$(init_of "$c") shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	is "$c" created
	[ -d "/proc/$pid" ]
	[ ! -e "$B/rootfs/tmp/began" ]
	thole start "$c"
	wait_for test -s "$B/rootfs/tmp/began"
	is "$c" running
	equal "$(init_of "$c")" "$pid"
	# And somebody takes what it says.
	wait_for eval '[ "$(thole state "$c" | jq -r .thole.shim)" = alive ]'
}

@test "a created container survives its shim, and delete removes it" {
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	kill -KILL "$(shim_of "$c")"
	thole delete "$c"
	wait_for nothing_left
}

@test "a running container survives its shim: state, list, kill and delete go on" {
	detached sh -c 'while :; do echo x; usleep 10000; done'
	local pid shim
	pid=$(init_of "$c") shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	is "$c" running
	equal "$(thole list -q)" "$c"
	refused 1 'running' thole delete "$c"
	thole kill "$c" KILL
	wait_for pid_gone "$pid"
	wait_for is "$c" stopped
	thole delete "$c"
	wait_for nothing_left
}

@test "writers see no SIGPIPE when the shim of a detached container dies" {
	detached sh -c 'trap "echo PIPE > /tmp/pipe" PIPE; while :; do echo x; echo $? > /tmp/last; [ -e /tmp/stop ] && exit 5; usleep 10000; done'
	wait_for test -s "$B/rootfs/tmp/last"
	kill -KILL "$(shim_of "$c")"
	wait_for no_shims
	touch "$B/rootfs/tmp/stop"
	local pid
	pid=$(init_of "$c")
	wait_for pid_gone "$pid"
	equal "$(cat "$B/rootfs/tmp/last")" 0
	[ ! -e "$B/rootfs/tmp/pipe" ]
}

@test "an exit status that nobody saw is unknown, never invented" {
	detached sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done; exit 0'
	local pid s
	pid=$(init_of "$c")
	kill -KILL "$(shim_of "$c")"
	wait_for no_shims
	touch "$B/rootfs/tmp/stop"
	wait_for is "$c" stopped
	wait_for pid_gone "$pid"
	# A reader of the kernel's record may know the true status (0); who does not must say so.
	s=$(status_of thole wait "$c" 2> "$T/err")
	if [ "$s" != 0 ]; then
		equal "$s" 125
		contains "$(cat "$T/err")" unknown
	fi
}

@test "what each version has left in its state directory is read, as of before a reboot, and removed" {
	local dir name
	mkdir -m 700 "$ROOT"
	for dir in "$TREE"/tests/fixtures/state/format-*; do
		# The container is called so in its files, and so is its directory.
		cp -r "$dir" "$ROOT/fixture"
		chmod 700 "$ROOT/fixture"
		: > "$ROOT/fixture/lock"
		is fixture stopped || fail "$dir: $(thole state fixture 2>&1)"
		equal "$(thole state fixture | jq -c '[.bundle, .thole.reboot, .pid]')" '["/srv/b",true,0]' "$dir"
		matches "$(thole list)" 'fixture .*stopped \(reboot\)'
		thole recover --all
		exits 125 thole wait fixture 2> "$T/err"
		matches "$(cat "$T/err")" unknown
		thole delete fixture
		[ ! -e "$ROOT/fixture" ] || fail "$dir is left"
	done
	for name in state.json status config.json; do
		[ -s "$TREE/tests/fixtures/state/format-1/$name" ] || fail "$name"
	done
}

@test "two shims for one container: the second is refused" {
	detached sleep 1000
	local shim
	shim=$(shim_of "$c")
	kill -STOP "$shim"
	perl -MSocket -MPOSIX -e 'socketpair(my $a, my $b, AF_UNIX, SOCK_SEQPACKET, 0) or die; defined(my $pid = fork) or die;
		if (!$pid) { POSIX::dup2(fileno $b, 3); exec @ARGV; POSIX::_exit(127) } close $b; $SIG{ALRM} = sub { kill "KILL", $pid; die "stays\n" };
		alarm 10; waitpid $pid, 0; print $? >> 8, "\n"' "$BIN/thole-shim" --serve --root "$ROOT" "$c" 3>&- < /dev/null > "$T/out" 2>&1
	kill -CONT "$shim"
	[ "$(cat "$T/out")" != 0 ] || fail "a second shim says all is well"
	equal "$(shims)" "$shim"
	is "$c" running
}

@test "a shim whose state directory was removed goes with its container, and so do its groups; the log stays, it may be another one's" {
	local init
	detached sleep 1000
	init=$(init_of "$c")
	rm -rf "${ROOT:?}/$c"
	kill -KILL "$init"
	gone() { [ -z "$(own_processes)$(own_cgroups)" ]; }
	wait_for gone
	rm -r "$THOLE_LOG_DIR/$c"
	nothing_left
}
