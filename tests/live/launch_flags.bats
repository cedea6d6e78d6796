# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# The flags that create, run and restore have in common, each by each of the commands that other files do not try it with.
load lib

setup_test() { bundle; }

# launch HOW FLAGS...: makes the container $c by that command, and starts it
launch() {
	local how=$1
	shift
	case $how in
	run) thole run -d --bundle "$B" "$@" "$c" > "$T/run.out" ;;
	create) thole create --bundle "$B" "$@" "$c" > "$T/run.out" && thole start "$c" ;;
	restore) timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$T/img" --work-path "$T/work" --network-lock skip "$@" "$c" > "$T/run.out" ;;
	esac
}

# An image of a container that runs the command, to be restored from.
image_of() { # CMD...
	make_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	mkdir -p "$T/work"
	detached "$@"
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" --network-lock skip "$c"
}

listen() { # starts the owner of $T/sock
	rm -f "$T/sock" "$T/ready"
	in_background "$PROBES/console" "$T/sock" "$T/ready" > "$T/sock.out"
	wait_for test -e "$T/ready"
}

shim_groups() { cut -d : -f 2- "/proc/$(shim_of "$c")/cgroup"; }

@test "LISTEN_FDS: sockets that a service manager has passed are the program's, under a shim too" {
	args sh -c 'echo "$LISTEN_FDS $LISTEN_PID"; cat <&3; true'
	echo three > "$T/three"
	# shellcheck disable=SC2016 # for the inner shell
	sh -c 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"' sh "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null 3< "$T/three"
	thole wait "$c"
	equal "$(thole logs "$c" | xargs)" '1 1 three'
	# Meant for another process.
	thole delete "$c"
	LISTEN_FDS=1 LISTEN_PID=1 thole run -d --bundle "$B" "$c" < /dev/null 3< "$T/three"
	thole wait "$c"
	equal "$(thole logs "$c" 2> /dev/null | xargs)" ''
}

# covers: {run,create} --console-socket
@test "--console-socket of run and create: the master of the terminal is sent there" {
	local how
	config '.process.terminal = true'
	args sh -c 'tty; exec sleep 1000'
	for how in run create; do
		listen
		launch $how --console-socket "$T/sock" < /dev/null
		wait_for grep -q /dev/pts/0 "$T/sock.out"
		matches "$(head -1 "$T/sock.out")" '^fds=1 name=.+'
		thole delete --force "$c"
	done
	refused 1 'terminal|--detach' "$THOLE_OCI" --root "$ROOT" run --console-socket "$T/sock" --bundle "$B" "$c"
}

# covers: {run,create} --pidfd-socket
@test "--pidfd-socket of run and create: a pidfd of the first process is sent there" {
	local how
	args sleep 1000
	for how in run create; do
		listen
		launch $how --pidfd-socket "$T/sock" < /dev/null
		wait_for grep -q pid= "$T/sock.out"
		equal "$(tail -1 "$T/sock.out")" "pid=$(init_of "$c")"
		thole delete --force "$c"
	done
	refused 125 'pidfd socket' thole run -d --pidfd-socket /no/such/socket --bundle "$B" "$c"
	# As many wait there as may: connect(2) would wait for ever.
	perl -MSocket -e 'socket S, AF_UNIX, SOCK_STREAM, 0 or die; bind S, sockaddr_un($ARGV[0]) or die; listen S, 0; socket C, AF_UNIX, SOCK_STREAM, 0 or die; connect C, sockaddr_un($ARGV[0]) or die; $| = 1; print "full\n"; sleep 100' "$T/full" > "$T/full.out" 3>&- &
	STARTED+=($!)
	wait_for grep -q full "$T/full.out"
	refused 125 "pidfd socket '$T/full': nobody has accepted a connection for 5 s" thole run -d --pidfd-socket "$T/full" --bundle "$B" "$c"
	nothing_left
}

no_keyring() { ! grep -q "_ses.$c" /proc/keys; }

# covers: {run,create} --no-new-keyring
@test "--no-new-keyring: the session keyring is the caller's; else it is named for the container" {
	local how
	config '.linux.maskedPaths -= ["/proc/keys"]'
	args sh -c 'cat /proc/keys; exec sleep 1000'
	grep -q keyring /proc/keys || skip 'needs: keyrings'
	for how in run create; do
		launch $how < /dev/null
		wait_for logged "$c" "_ses.$c"
		thole delete --force "$c"
		wait_for no_keyring # the kernel collects it when it comes to that
		launch $how --no-new-keyring < /dev/null
		wait_for is "$c" running
		wait_for eval '[ "$(cat "/proc/$(init_of "$c")/comm")" = sleep ]'
		not logged "$c" "_ses.$c"
		thole delete --force "$c"
	done
}

# covers: {run,create} --preserve-fds
@test "--preserve-fds of run and create: descriptor 3 comes along, and nothing behind it" {
	local how
	echo three > "$T/three"
	args sh -c 'cat <&3; exec /usr/bin/inherit'
	for how in run create; do
		launch $how --preserve-fds 1 < /dev/null 3< "$T/three" 4< /etc/passwd
		wait_for logged "$c" fds=
		equal "$(thole logs "$c" | head -1)" three
		equal "$(thole logs "$c" | sed -n 's/^fds=//p')" 0,1,2,3,
		thole delete --force "$c"
	done
}

# covers: {run,create} --{log-driver,log-opt,log-path}
@test "--log-driver, --log-opt and --log-path of run and create" {
	local how
	args sh -c 'echo written; exec sleep 1000'
	for how in run create; do
		launch $how --log-driver json-file --log-opt tag=mine --log-path "$T/$how.log" < /dev/null
		wait_for grep -q '"log":"written' "$T/$how.log"
		contains "$(cat "$T/$how.log")" '"tag":"mine"'
		thole delete --force "$c"
		[ -s "$T/$how.log" ]
	done
}

# covers: {run,create} --stdio
@test "--stdio=inherit of run and create: the output goes to the caller, else to the log alone" {
	local how
	args sh -c 'echo written; exec sleep 1000'
	for how in run create; do
		case $how in
		run) "$THOLE" --root "$ROOT" run -d --stdio inherit --bundle "$B" "$c" < /dev/null > "$T/out" ;;
		create) "$THOLE" --root "$ROOT" create --stdio inherit --bundle "$B" "$c" < /dev/null > "$T/out" && thole start "$c" ;;
		esac
		wait_for grep -q written "$T/out"
		thole delete --force "$c"
		launch $how --stdio log < /dev/null
		wait_for logged "$c" written
		not grep -q written "$T/run.out"
		thole delete --force "$c"
	done
}

# covers: {run,create} --shim-cgroup
@test "--shim-cgroup of run and create: the shim stays in its caller's groups" {
	local how
	args sleep 1000
	for how in run create; do
		launch $how --shim-cgroup keep < /dev/null
		equal "$(shim_groups)" "$(cut -d : -f 2- /proc/self/cgroup)"
		thole delete --force "$c"
		launch $how < /dev/null
		contains "$(shim_groups)" /thole-shims
		thole delete --force "$c"
	done
}

# covers: {run,create} --interactive
@test "-i of run and create: stdin stays open for who attaches" {
	local how
	args sh -c 'read -r line; echo "got $line"; exec sleep 1000'
	for how in run create; do
		launch $how -i < /dev/null
		in_background "$THOLE" --root "$ROOT" attach "$c" > "$T/out" < <(echo line)
		wait_for logged "$c" 'got line'
		thole delete --force "$c"
	done
}

# covers: {run,create} --no-pivot
@test "--no-pivot of run and create: the root is the container's, and pivot_root is not called" {
	local how
	without_pivot() { "$PROBES/deny" EPERM pivot_root "$THOLE" --root "$ROOT" "$@"; }
	refused 125 'cannot pivot into the rootfs: Operation not permitted' without_pivot run -d --bundle "$B" "$c"
	thole() { without_pivot "$@"; }
	echo inside > "$B/rootfs/where"
	args sh -c 'cat /where; ls -d /../../where; exec sleep 1000'
	for how in run create; do
		launch $how --no-pivot < /dev/null
		wait_for logged "$c" inside
		wait_for logged "$c" /../../where
		thole delete --force "$c"
	done
}

# covers: run --detach-keys
@test "--detach-keys of run: the keys leave it running" {
	config '.process.terminal = true'
	args sh -c 'while read -r l; do echo "line $l"; done'
	printf 'send a\\n\nexpect line a\nsend \\x18x\nend\n' | "$PROBES/pty" "$THOLE" --root "$ROOT" run --detach-keys ctrl-x,x --bundle "$B" "$c" > "$T/out"
	is "$c" running
	refused 125 'detach' thole run --detach-keys 'ctrl-~~' --bundle "$B" "$c-2"
}

# covers: restore --{console-socket,pidfd-socket}
@test "restore: sockets for the terminal's master and for a pidfd" {
	needs criu
	config '.process.terminal = true'
	image_of sh -c 'while read -r l; do echo "line $l"; done'
	listen
	launch restore --console-socket "$T/sock" < /dev/null
	is "$c" running
	wait_for grep -q 'fds=1 name=.' "$T/sock.out"
	thole delete --force "$c"
	listen
	launch restore --pidfd-socket "$T/sock" < /dev/null
	wait_for grep -q pid= "$T/sock.out"
	equal "$(tail -1 "$T/sock.out")" "pid=$(init_of "$c")"
}

# covers: restore --no-new-keyring
@test "restore --no-new-keyring: the session keyring of an exec'd process is the caller's; else the container's" {
	needs criu
	grep -q keyring /proc/keys || skip 'needs: keyrings'
	config '.linux.maskedPaths -= ["/proc/keys"]'
	image_of sleep 1000
	launch restore < /dev/null
	contains "$(thole exec "$c" cat /proc/keys)" "_ses.$c"
	thole delete --force "$c"
	wait_for no_keyring
	launch restore --no-new-keyring < /dev/null
	not grep "_ses.$c" <<< "$(thole exec "$c" cat /proc/keys)"
}

# covers: restore --{log-driver,log-opt,log-path,shim-cgroup,work-path,pid-file,no-pivot}
@test "restore: log, groups, pid file, criu's own directory" {
	needs criu
	image_of sh -c 'while :; do echo tick; usleep 5000; done'
	launch restore --log-driver json-file --log-opt tag=mine --log-path "$T/restored.log" --shim-cgroup keep --pid-file "$T/pid" --no-pivot < /dev/null
	wait_for grep -q '"log":"tick' "$T/restored.log"
	contains "$(cat "$T/restored.log")" '"tag":"mine"'
	equal "$(cat "$T/pid")" "$(init_of "$c")"
	equal "$(shim_groups)" "$(cut -d : -f 2- /proc/self/cgroup)"
	[ -s "$T/work/restore.log" ]
	not test -e "$T/img/restore.log"
}

# covers: restore --{stdio,monitor,preserve-fds,keep,rm}
@test "restore: streams, monitor, descriptors, and what is left at the end" {
	needs criu
	image_of sh -c 'trap "exit 5" TERM; while :; do echo tick; usleep 5000; done'
	# The caller's stdout is one more reader.
	"$THOLE" --root "$ROOT" restore -d --stdio inherit --bundle "$B" --image-path "$T/img" --network-lock skip "$c" < /dev/null > "$T/out"
	wait_for grep -q tick "$T/out"
	thole delete --force "$c"
	# With -d --rm the shim removes it at the end.
	launch restore --rm < /dev/null
	thole kill "$c" TERM
	gone() { [ -z "$(status "$c")" ]; }
	wait_for gone
	# In the foreground it goes at the end, unless it is to be kept.
	in_background "$THOLE" --root "$ROOT" restore --keep --bundle "$B" --image-path "$T/img" --network-lock skip "$c" > "$T/out"
	local client=$!
	wait_for is "$c" running
	thole kill "$c" TERM
	exits 5 wait $client
	is "$c" stopped
	thole delete "$c"
	# A monitor of its own: no shim stays.
	refused 125 'log-driver needs --monitor=shim' thole restore -d --monitor foreign --log-driver none --bundle "$B" --image-path "$T/img" "$c"
	refused 125 'keep and --rm contradict' thole restore --keep --rm --bundle "$B" --image-path "$T/img" "$c"
	refused 125 'preserve-fds' thole restore -d --preserve-fds 9 --bundle "$B" --image-path "$T/img" "$c"
}

# covers: restore --detach-keys
@test "restore in the foreground: the keys leave it running" {
	needs criu
	config '.process.terminal = true'
	image_of sh -c 'while read -r l; do echo "line $l"; done'
	printf 'send a\\n\nexpect line a\nsend \\x18x\nend\n' |
		timeout 60 "$PROBES/pty" "$THOLE" --root "$ROOT" restore --detach-keys ctrl-x,x --bundle "$B" --image-path "$T/img" --network-lock skip "$c" > "$T/out"
	is "$c" running
}

# What each does: checkpoint_flags.bats, and tests/unit/criu_request_test.c.
@test "the flags that are criu's own: taken together, wrong words refused" {
	needs criu
	make_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	local flags=(--tcp-close --ext-unix-sk --shell-job --file-locks --manage-cgroups-mode ignore --network-lock skip)
	detached sh -c 'while :; do echo tick; usleep 5000; done'
	refused 1 'manage-cgroups-mode' thole checkpoint --manage-cgroups-mode some "$c"
	refused 1 'empty-ns' thole checkpoint --empty-ns mount "$c"
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" "${flags[@]}" --link-remap --tcp-skip-in-flight --empty-ns network "$c"
	refused 125 'empty-ns' thole restore --empty-ns mount --bundle "$B" "$c"
	[ -e /sys/fs/selinux/enforce ] || refused 125 'lsm-mount-context: SELinux is not in force here' thole restore -d --lsm-mount-context system_u:object_r:x --bundle "$B" --image-path "$T/img" "$c"
	# Where it is in force criu asks for a profile only for what had one.
	[ -d /sys/module/apparmor ] || refused 125 'lsm-profile|AppArmor|apparmor' thole restore -d --lsm-profile apparmor:none --bundle "$B" --image-path "$T/img" "${flags[@]}" --empty-ns network "$c"
	timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$T/img" "${flags[@]}" --empty-ns network "$c" < /dev/null
	wait_for logged "$c" tick
}

# covers: {run,create} --config
@test "--config of run and create: another file in place of the bundle's config.json, also a pipe" {
	local how
	args sleep 1000
	cp "$B/config.json" "$T/other.json"
	for how in run create; do
		echo 'no JSON' > "$B/config.json"
		launch $how --config "$T/other.json" < /dev/null
		equal "$(tr '\0' ' ' < "/proc/$(init_of "$c")/cmdline")" 'sleep 1000 '
		# What it was made of is kept with it: an exec'd process has its environment, a relative root was taken from the bundle.
		equal "$(thole exec "$c" sh -c 'echo "$PATH"' < /dev/null)" "$(jq -r '.process.env[] | select(startswith("PATH=")) | .[5:]' "$T/other.json")"
		thole delete --force "$c"
	done
	thole run -d -b "$B" -f <(cat "$T/other.json") "$c" < /dev/null
	refused 125 "cannot open '$T/none': No such file" thole run -b "$B" -f "$T/none" "$c-2"
	refused 1 "'$T': cannot read: Is a directory" thole create -b "$B" --config "$T" "$c-2"
	refused 1 'config\.json: line 1' thole create -b "$B" --config "$B/config.json" "$c-2"
	truncate -s 4194305 "$T/large"
	refused 1 "'$T/large': larger than 4194304 bytes" thole create -b "$B" --config "$T/large" "$c-2"
	refused 125 'config and --rootfs contradict' thole run --rootfs "$B/rootfs" --config "$T/other.json" true
}

# covers: restore --config
@test "--config of restore: the container is restored as another file describes it" {
	image_of sleep 1000
	jq '.annotations.from = "another file"' "$B/config.json" > "$T/other.json"
	echo 'no JSON' > "$B/config.json"
	launch restore --config "$T/other.json" < /dev/null
	equal "$(thole state "$c" | jq -r .annotations.from)" 'another file'
}
