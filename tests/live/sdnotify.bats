# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# A service manager's NOTIFY_SOCKET: who tells it what, and what the container cannot tell it.
load lib

setup_test() { bundle; }

# manager [ADDRESS [FILE]]: a service manager that listens, with a FILE only once that is there; each message is a line of $T/told, newlines as ";"
manager() {
	export NOTIFY_SOCKET=${1:-$T/manager}
	: > "$T/told"
	in_background perl -MSocket -e '$| = 1; my $a = $ARGV[0]; $a =~ s/^@/\0/; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack("S a*", AF_UNIX, $a)) or die "bind: $!";
		print STDERR "ready\n"; select(undef, undef, undef, 0.01) while (@ARGV > 1 && !-e $ARGV[1]); while (defined recv($s, my $b, 65536, 0)) { $b =~ s/\n/;/g; print "$b\n" }' "$NOTIFY_SOCKET" "${@:2}" >> "$T/told" 2> "$T/listens"
	wait_for grep -q ready "$T/listens"
}

told() { grep -qxF -- "$1" "$T/told"; } # MESSAGE

# covers: run --sdnotify
@test "container, the default: MAINPID is the shim, what comes from inside is let through line by line" {
	manager
	args sh -c 'echo "$NOTIFY_SOCKET $WATCHDOG_USEC"; say "$(printf "READY=1\nMAINPID=1\nSTATUS=up and well")"; say MAINPID=1; say WATCHDOG=1; say "$(printf "STOPPING=1\nERRNO=5")"; sleep 1000'
	config '.root.readonly = true'
	WATCHDOG_USEC=7000000 thole run -d --bundle "$B" "$c" < /dev/null
	wait_for told 'STOPPING=1;ERRNO=5;'
	equal "$(cat "$T/told")" "MAINPID=$(shim_of "$c");"$'\nREADY=1;STATUS=up and well;\nWATCHDOG=1;\nSTOPPING=1;ERRNO=5;'
	equal "$(thole logs "$c")" '/run/notify/notify.sock 7000000'
	# A further process is not the service.
	equal "$(thole exec "$c" sh -c 'echo "<$NOTIFY_SOCKET>"')" '<>'
}

# covers: create --sdnotify
@test "conmon: the shim says READY once the program runs, the container has nobody to speak to" {
	manager
	args sh -c 'echo "<$NOTIFY_SOCKET>"; ls /run/notify 2>&1; sleep 1000'
	thole create --sdnotify=conmon --bundle "$B" "$c" < /dev/null
	equal "$(cat "$T/told")" ''
	thole start "$c"
	wait_for told "MAINPID=$(shim_of "$c");READY=1;"
	wait_for logged "$c" 'No such file'
	equal "$(thole logs "$c" | head -1)" '<>'
}

@test "ignore, and no service manager at all: nobody is told anything" {
	manager
	equal "$(args sh -c 'echo "<$NOTIFY_SOCKET>"' && thole run --sdnotify=ignore --bundle "$B" "$c")" '<>'
	equal "$(cat "$T/told")" ''
	unset NOTIFY_SOCKET
	equal "$(thole run --sdnotify=container --bundle "$B" "$c")" '<>'
}

@test "in the foreground too; an abstract socket; a state directory with a long path; a user of its own" {
	manager "@thole-test-$c"
	config '.process.user = { uid: 1000, gid: 1000 } | .process.capabilities = {}'
	ROOT=$T/$(printf 'd%.0s' {1..120})
	args sh -c 'say READY=1 && echo said'
	equal "$(thole run --bundle "$B" "$c" < /dev/null)" said
	wait_for told 'READY=1;'
}

@test "with mappings and a tmpfs at /run" {
	manager
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings |
		.mounts += [{ destination: "/run", type: "tmpfs", source: "tmpfs" }]'
	owned_rootfs 100000 100000
	args sh -c 'say READY=1 && echo said'
	equal "$(thole run --bundle "$B" "$c" < /dev/null)" said
	wait_for told 'READY=1;'
}

@test "descriptors from inside go nowhere, floods neither" {
	manager
	detached sh -c 'say --fd FDSTORE=1; i=0; while [ $i -lt 200 ]; do say --fd "$(printf "FDSTORE=1\nSTATUS=%s" $i)" > /dev/null; i=$((i + 1)); done; echo end; sleep 1000'
	wait_for logged "$c" end
	equal "$(thole logs "$c" | head -1)" gone
	wait_for told 'STATUS=199;'
	equal "$(grep -c FDSTORE "$T/told")" 0
	[ "$(find "/proc/$(shim_of "$c")/fd" -mindepth 1 | wc -l)" -lt 40 ]
}

many='i=0; while [ $i -lt $0 ]; do say STATUS=$i; i=$((i + 1)); done; echo end; sleep 1000'

@test "a manager whose queue is full is waited for, over an upgrade too: nothing is lost" {
	local n=$(($(cat /proc/sys/net/unix/max_dgram_qlen) + 3))

	manager "$T/manager" "$T/listen"
	detached sh -c "$many" $n
	wait_for logged "$c" end # MAINPID and all but three are in its queue, which takes one more than the figure says
	thole upgrade "$c"
	equal "$(cat "$T/told")" ''
	touch "$T/listen"
	wait_for told "STATUS=$((n - 1));"
	equal "$(grep STATUS "$T/told")" "$(seq -f 'STATUS=%g;' 0 $((n - 1)))"
}

@test "one that listens no more stops no container, and is told again once it does" {
	local n=$(($(cat /proc/sys/net/unix/max_dgram_qlen) * 3))

	manager "$T/manager" "$T/listen"
	detached sh -c "$many" $n
	wait_for logged "$c" end
	grep -q 'cannot tell the service manager, what follows is lost until it listens: Resource temporarily' "$ROOT/$c/shim.log"
	equal "$(grep -c 'service manager' "$ROOT/$c/shim.log")" 1
	touch "$T/listen"
	wait_for told "STATUS=0;"
	thole exec "$c" sh -c 'NOTIFY_SOCKET=/run/notify/notify.sock say STATUS=again'
	wait_for told "STATUS=again;"
}

# The last words of a container that is removed at its end are in the manager's queue, in the shim and in the container's.
last_words() { # NUMBER
	manager "$T/manager" "$T/listen"
	args sh -c "${many%; sleep 1000}" "$1"
	# Its client hears of the end when it is removed.
	in_background "$THOLE" --root "$ROOT" run --rm --bundle "$B" "$c" < /dev/null > "$T/out"
	wait_for grep -q end "$T/out"
}

@test "what a container with --rm has said last is sent before it is removed, by the program that follows, too" {
	local n=$(($(cat /proc/sys/net/unix/max_dgram_qlen) * 2)) client
	last_words $n
	client=$!
	wait_for is "$c" stopped
	thole upgrade "$c"
	touch "$T/listen"
	wait_for told "STATUS=$((n - 1));"
	equal "$(grep STATUS "$T/told")" "$(seq -f 'STATUS=%g;' 0 $((n - 1)))"
	exits 0 wait $client
	nothing_left
}

@test "a container with --rm is removed though its manager does not listen" {
	last_words $(($(cat /proc/sys/net/unix/max_dgram_qlen) * 2))
	exits 0 wait $!
	wait_for nothing_left
}

checkpoint() { THOLE_CRIU=$BUILD/criu/bin/criu timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" "$@" "$c"; }
restore() { THOLE_CRIU=$BUILD/criu/bin/criu timeout 60 "$THOLE" --root "$ROOT" restore "$@" "$c"; }

# The container says what it reads from a file of its own, and in its log how that went.
speaker='say READY=1; i=0; while :; do i=$((i + 1)); while [ ! -e /tmp/say$i ]; do usleep 10000; done; if say "STATUS=$(cat /tmp/say$i)" 2> /dev/null; then echo "said $i"; else echo "not said $i"; fi; done'
speaks() { # NUMBER TEXT
	echo "$2" > "$B/rootfs/tmp/say.new"
	mv "$B/rootfs/tmp/say.new" "$B/rootfs/tmp/say$1"
	wait_for logged "$c" "said $1"
}

@test "checkpoint and restore: the socket's mount comes back, under a manager with the shim behind it" {
	needs criu
	make_criu
	manager
	detached sh -c "$speaker"
	wait_for told 'READY=1;'
	thole upgrade "$c" # what the shim knows of the mount is read again, as when it has had nothing to do
	checkpoint --leave-running
	speaks 1 goes-on
	wait_for told 'STATUS=goes-on;'
	# In place it is the same socket, and a checkpoint afterwards knows it still.
	checkpoint --stay
	restore
	speaks 2 in-place
	wait_for told 'STATUS=in-place;'
	thole upgrade "$c"
	checkpoint
	# As another container: a socket of its own, of which the shim passes on what is said.
	: > "$T/told"
	restore -d --bundle "$B" --image-path "$T/img"
	wait_for told "MAINPID=$(shim_of "$c");READY=1;"
	speaks 3 restored
	wait_for told 'STATUS=restored;'
	checkpoint
	# Without a manager there is nobody behind it; with conmon nobody that it could speak to.
	unset NOTIFY_SOCKET
	restore -d --bundle "$B" --image-path "$T/img"
	speaks 4 nobody
	wait_for logged "$c" 'not said 4'
	checkpoint --leave-running
	equal "$(grep -c nobody "$T/told")" 0
}

@test "checkpoint and restore with mappings: the mount comes back, and nobody is behind it" {
	needs criu
	make_criu
	manager
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	owned_rootfs 100000 100000
	detached sh -c "$speaker"
	wait_for told 'READY=1;'
	thole upgrade "$c"
	checkpoint
	restore -d --bundle "$B" --image-path "$T/img"
	speaks 1 restored
	wait_for logged "$c" 'not said 1'
	checkpoint --stay
	restore
	speaks 2 restored
	wait_for logged "$c" 'not said 2'
}

@test "recover: the manager is told nothing any more, shim.log says so, and a checkpoint knows of the mount" {
	needs criu
	make_criu
	local shim
	manager
	detached sh -c "$speaker"
	wait_for told 'READY=1;'
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	thole recover "$c"
	grep -q 'what it tells a service manager is lost from now on' "$ROOT/$c/shim.log"
	speaks 1 lost
	checkpoint --stay
	restore
	speaks 2 lost
	checkpoint --leave-running
	equal "$(thole logs "$c")" $'not said 1\nnot said 2'
}

@test "a manager that is gone or does not listen is nobody's concern" {
	NOTIFY_SOCKET=$T/nobody
	export NOTIFY_SOCKET
	args sh -c 'say READY=1 && echo said; exit 3'
	exits 3 thole run --bundle "$B" "$c" < /dev/null > "$T/out"
	equal "$(cat "$T/out")" said
}

@test "as the unit's main process the shim passes SIGTERM on; else it takes no notice of it" {
	manager
	detached sh -c 'trap "exit 9" TERM; echo up; while :; do usleep 10000; done'
	wait_for logged "$c" up
	kill -TERM "$(shim_of "$c")"
	exits 9 thole wait "$c"
	thole delete "$c"
	unset NOTIFY_SOCKET
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" up
	kill -TERM "$(shim_of "$c")"
	thole kill "$c" WINCH # asked and answered after the signal
	is "$c" running
}

@test "what is wrong is refused by name, and nothing is left" {
	args true
	refused 125 '--sdnotify is conmon, container or ignore, not .nobody.' thole run --sdnotify=nobody --bundle "$B" "$c"
	NOTIFY_SOCKET=vsock:2:1 refused 125 'NOTIFY_SOCKET: .vsock:2:1. is neither' thole run --bundle "$B" "$c"
	NOTIFY_SOCKET=/$(printf 'd%.0s' {1..120}) refused 125 'NOTIFY_SOCKET is longer' thole run --bundle "$B" "$c"
	NOTIFY_SOCKET=/run/x WATCHDOG_USEC=-1 refused 125 'WATCHDOG_USEC' thole run --bundle "$B" "$c"
	config '.mounts += [{ destination: "/run/notify/notify.sock", type: "bind", source: "/dev/null", options: ["bind"] }]'
	NOTIFY_SOCKET=/run/x refused 125 'mounts.[0-9]+.: ./run/notify/notify.sock. is for NOTIFY_SOCKET' thole run --bundle "$B" "$c"
	nothing_left
}
