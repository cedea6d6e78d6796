# shellcheck shell=bash disable=SC2034 # what is set here is used by the tests
# SPDX-License-Identifier: Apache-2.0
# What every live test stands on: programs, a state directory of its own, bundles, waiting for conditions, and the search for leftovers.
#
# A test file says what it needs in a line "# needs: root ...", a single test with `needs ...`. Each test gets
#   T      a directory of its own, gone afterwards        ROOT   the state directory (--root)
#   c      a container id that no other test has          B      the bundle that `bundle` made last
# and is failed at its end when a shim, a cgroup, a mount or a state directory of its containers is still there.
bats_require_minimum_version 1.5.0

TREE=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
: "${BUILD:=$TREE/build}"
# The static release build, or the one with sanitizers (suite san of tests/run).
BIN=$BUILD${THOLE_FLAVOUR:+/$THOLE_FLAVOUR}
THOLE=$BIN/thole
THOLE_OCI=$BIN/thole-oci
PROBES=$BUILD/probes
: "${THOLE_LONG:=}"
# Seconds that a condition may take to come about.
: "${WAIT_S:=10}"
if [ -z "${THOLE_TEST_TMP:-}" ]; then
	export THOLE_TEST_TMP=${TMPDIR:-/tmp}/thole-check.$UID
	mkdir -p "$THOLE_TEST_TMP"
fi

thole() {
	"$THOLE" --root "$ROOT" "$@"
}

# ---- needs

has_root() { [ "$(id -u)" = 0 ]; }
has_cgroup-v1() { grep -q ' cgroup rw.*[, ]memory' /proc/mounts; }
has_cgroup-v2() { [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; }
has_apparmor() { [ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" = Y ]; }
has_systemd() { [ -d /run/systemd/system ]; }
has_cgroup() { has_cgroup-v1 || has_cgroup-v2; }
has_cgroup2() { grep -q ' cgroup2 ' /proc/mounts; }
has_hybrid() { has_cgroup-v1 && grep -q ' cgroup2 ' /proc/mounts; }
has_userns() { [ -e /proc/self/ns/user ] && [ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] && command -v newuidmap > /dev/null; }
has_overlay() { grep -q overlay /proc/filesystems || modprobe overlay 2> /dev/null; }
has_criu() { [ -x "$BUILD/criu/bin/criu" ] || command -v criu > /dev/null || has_mirror || compgen -G '/var/cache/thole/criu-*/*.deb' > /dev/null; }
has_dirty-pages() { grep -q '^VmFlags:.* sd' /proc/self/smaps; }
has_mirror() { timeout 60 apt-get --print-uris -qq download base-files > /dev/null 2>&1; }
has_debian-root() { [ -e "$BUILD/debian-root/.complete" ] || compgen -G '/var/cache/thole/debian-root-*.tar' > /dev/null || has_mirror; }
has_sanitized() { [ -x "$BUILD/san/thole-shim" ]; }
has_faults() { [ -x "$BUILD/faults/thole-shim" ]; }
# build-previous makes it where the history or a copy of it is there.
has_previous() { [ -e "$BUILD/previous/.complete" ]; }
has_strace() { command -v strace > /dev/null; }
has_tmux() { command -v tmux > /dev/null; }
has_conmon() { command -v conmon > /dev/null; }
has_podman() { command -v podman > /dev/null; }
has_docker() { command -v dockerd > /dev/null && command -v docker > /dev/null; }
has_containerd() { command -v containerd > /dev/null && command -v ctr > /dev/null; }
has_buildah() { command -v buildah > /dev/null; }
has_mandoc() { command -v mandoc > /dev/null && command -v man > /dev/null; }
has_zsh() { command -v zsh > /dev/null; }
has_fish() { command -v fish > /dev/null; }
has_lintian() { command -v lintian > /dev/null; }
has_dpkg() { command -v dpkg-deb > /dev/null; }
# Do file systems of the kind that tests are on take mappings of their ids? tmpfs does from Linux 6.3 on.
has_idmap() { [ "$(stat -fc %T "$THOLE_TEST_TMP")" != tmpfs ] || [ "$(printf '%s\n' 6.3 "$(uname -r)" | sort -V | head -1)" = 6.3 ]; }
has_btrfs() { command -v mkfs.btrfs > /dev/null && [ -e /dev/loop-control ] && { grep -qw btrfs /proc/filesystems || modprobe btrfs 2> /dev/null; }; }
has_loop() { command -v mkfs.ext4 > /dev/null && losetup -f > /dev/null 2>&1; }
has_x86-64() { [ "$(uname -m)" = x86_64 ]; }
has_runc() { command -v runc > /dev/null; }

# Makes a criu that works on this kernel: $BUILD/criu/bin/criu. For setup_file too.
make_criu() {
	local log=$BATS_FILE_TMPDIR/criu.log
	BUILD=$BUILD "$TREE/contrib/install-criu" > "$log" 2>&1 || { cat "$log" >&2; return 1; }
}

needs() {
	local n
	for n; do
		"has_$n" || skip "needs: $n"
	done
}

# ---- before and after each test

setup() {
	# shellcheck disable=SC2046 # a list of words
	needs $(sed -n 's/^# needs: //p' "$BATS_TEST_FILENAME")
	T=$(mktemp -d "$THOLE_TEST_TMP/XXXXXX")
	ROOT=$T/state
	c=t$BATS_TEST_NUMBER-${T##*/}
	STARTED=()
	export THOLE_LOG_DIR=$T/log
	if [ "${THOLE_FLAVOUR:-}" = san ]; then
		# Leaks are for the unit tests: a program that ends may leave its memory to the kernel.
		export ASAN_OPTIONS=detect_leaks=0:log_path=$T/sanitizer UBSAN_OPTIONS=log_path=$T/sanitizer:print_stacktrace=1
	fi
	if declare -F setup_test > /dev/null; then
		setup_test
	fi
}

teardown() {
	local dir id pid failed=0
	[ -n "${T:-}" ] || return 0
	if declare -F teardown_test > /dev/null; then
		teardown_test
	fi
	[ "${BATS_TEST_COMPLETED:-}" ] || tell_about_failure
	for pid in "${STARTED[@]}"; do
		if still_ours "$pid"; then
			kill -KILL "$pid" 2> /dev/null || true
		fi
	done
	for dir in "$ROOT"/*/; do
		[ -d "$dir" ] || continue
		id=${dir%/} id=${id##*/}
		thole delete --force "$id" > "$T/delete.out" 2>&1 || { echo "delete --force $id: $(cat "$T/delete.out")"; failed=1; }
	done
	if compgen -G "$T/sanitizer.*" > /dev/null; then
		cat "$T"/sanitizer.* | head -50
		failed=1
	fi
	wait_for nothing_left || { echo 'left over:'; leftovers told; failed=1; sweep; }
	rm -rf --one-file-system "$T"
	return $failed
}

tell_about_failure() {
	local f
	for f in "$ROOT"/*/shim.log; do
		[ -s "$f" ] || continue
		echo "--- $f"
		tail -20 "$f"
	done
	ls -A "$ROOT" 2> /dev/null | sed 's/^/--- state: /'
}

# A process that the test starts itself in the background: `in_background CMD...`, its pid in $!.
in_background() {
	# "<&0": bash gives a background command /dev/null otherwise.
	"$@" <&0 3>&- &
	STARTED+=($!)
}

# A pid that was remembered may be somebody else's by now: kill only what is this shell's child, or names this test's directory.
still_ours() { # PID
	[ "$(awk '/^PPid:/ { print $2 }' "/proc/$1/status" 2> /dev/null)" = "$BASHPID" ] || grep -qaF -- "$T" "/proc/$1/cmdline" 2> /dev/null
}

# The pipes that a shim has in common with others: its container's, and its clients'. Those whose both ends it has are its own.
shared_pipes() { # SHIM
	find "/proc/$1/fd" -lname 'pipe:*' -printf '%l\n' 2> /dev/null | sort | uniq -u | wc -l
}

# Until N clients of both outputs are attached to a container whose own pipes are as many as said.
attached() { # N [PIPES]
	# shellcheck disable=SC2154 # c: the container
	all_attached() { [ "$(shared_pipes "$(shim_of "$c")")" -ge $(($1 * 2 + $2)) ]; }
	wait_for all_attached "$1" "${2:-2}"
}

# Does it tell how a process has ended that is somebody else's child?
kernel_tells_status() {
	[ "$(printf '%s\n6.15\n' "$(uname -r | grep -o '^[0-9]*\.[0-9]*')" | sort -V | head -1)" = 6.15 ]
}

shim_is() { # WORD
	[ "$(thole state "$c" | jq -r .thole.shim)" = "$1" ]
}

keepers() {
	local pid
	for pid in $(own_processes); do
		tr '\0' '\n' < "/proc/$pid/cmdline" 2> /dev/null | head -1 | grep -qx thole-keeper && echo "$pid"
	done
	return 0
}

has_keeper() { [ -n "$(keepers)" ]; }
has_no_keeper() { [ -z "$(keepers)" ]; }

# ---- leftovers

# pids of the programs of this test's containers (shims, keepers, clients), by the --root that each is given, and of what criu was to run.
own_processes() {
	local f
	for f in $(grep -alF -e "$ROOT" -e "$T/action" /proc/[0-9]*/cmdline 2> /dev/null); do
		f=${f#/proc/}
		tr '\0' ' ' < "/proc/${f%/cmdline}/cmdline" 2> /dev/null | grep -q thole && echo "${f%/cmdline}"
	done
	return 0
}

# A container's first process looks like its shim until it executes its program: told apart by the pid namespace.
shims() {
	local pid
	for pid in $(own_processes); do
		[ "$(readlink "/proc/$pid/ns/pid")" = "$(readlink /proc/self/ns/pid)" ] || continue
		tr '\0' '\n' < "/proc/$pid/cmdline" 2> /dev/null | head -1 | grep -q thole-shim && echo "$pid"
	done
	return 0
}

no_shims() { [ -z "$(shims)" ]; }

# No action script that a criu of this test's has left.
no_script() { ! grep -qaF "$T/action" /proc/[0-9]*/cmdline 2> /dev/null; }

shim_of() { # ID
	thole_state "$1" '.shim.pid'
}

own_cgroups() {
	find /sys/fs/cgroup -type d -name "*$c*" 2> /dev/null
}

# Why a process is still there: what it waits in, what it holds, whose parent it is.
told_of() { # PID
	local fd
	grep -E '^(State|PPid):' "/proc/$1/status"
	echo "in $(cat "/proc/$1/wchan"), children: $(cat "/proc/$1"/task/*/children)"
	for fd in "/proc/$1"/fd/*; do
		echo "${fd##*/} -> $(readlink "$fd") $(awk '/^(tfd|Pid|sigmask)/' ORS=' ' "/proc/$1/fdinfo/${fd##*/}")"
	done
} 2> /dev/null

leftovers() { # [told]: with what the processes do
	local pid g
	for pid in $(own_processes); do
		echo "process $pid: $(tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null)"
		[ ! "${1:-}" ] || told_of "$pid" | sed 's/^/    /'
	done
	for g in $(own_cgroups); do
		echo "cgroup $g, made $(stat -c %z "$g" 2> /dev/null), processes: $(tr '\n' ' ' < "$g/cgroup.procs" 2> /dev/null)"
	done
	grep -F "$T/" /proc/self/mountinfo | sed 's/^/mount /'
	[ ! -d "$ROOT" ] || find "$ROOT" -mindepth 1 | sed 's/^/state /'
	[ ! -d "$T/log" ] || find "$T/log" -mindepth 1 | sed 's/^/log /'
	return 0
}

nothing_left() { [ -z "$(leftovers)" ]; }

# After a failure, so that the next test starts clean.
sweep() {
	local pid g
	for pid in $(own_processes); do
		kill -KILL "$pid" 2> /dev/null
	done
	for g in $(own_cgroups | sort -r); do
		for pid in $(cat "$g/cgroup.procs" 2> /dev/null); do
			kill -KILL "$pid" 2> /dev/null
		done
		wait_for rmdir "$g" 2> /dev/null || true
	done
	return 0
}

# ---- waiting: for a condition, with a deadline; never for a time

wait_for() { # COMMAND ARGS...: until it succeeds, at most WAIT_S (10) seconds
	local end=$((SECONDS + ${WAIT_S:-10}))
	until "$@" 2> /dev/null; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

# Nothing that was written to this fifo is unread (FIONREAD).
fifo_is_empty() { # FILE
	[ "$(perl -e 'open my $f, "+<", shift or die; my $n = pack "i", 0; ioctl $f, 0x541B, $n; print unpack "i", $n' "$1")" = 0 ]
}

# ---- checks: each says what was there instead

fail() {
	echo "$*" >&2
	return 1
}

equal() { # GOT WANTED [WHAT]
	[ "$1" = "$2" ] || fail "${3:-value}: got '$1', wanted '$2'"
}

# not CMD...: fails when it succeeds (a plain "!" does not end a test)
not() {
	if "$@"; then
		fail "should have failed: $*"
	fi
}

matches() { # GOT REGEX [WHAT]
	[[ $1 =~ $2 ]] || fail "${3:-value}: got '$1', wanted a match of '$2'"
}

contains() { # GOT TEXT
	[[ $1 == *"$2"* ]] || fail "got '$1', wanted '$2' in it"
}

# refused STATUS REGEX CMD...: it fails with this status, says one line on stderr that matches, and nothing on stdout.
refused() {
	local want=$1 regex=$2 got=0
	shift 2
	"$@" > "$T/refused.out" 2> "$T/refused.err" < /dev/null || got=$?
	equal "$got" "$want" "exit status of '$*' ($(cat "$T/refused.err"))" || return 1
	equal "$(wc -l < "$T/refused.err")" 1 "lines on stderr of '$*': $(cat "$T/refused.err")" || return 1
	equal "$(cat "$T/refused.out")" '' "stdout of '$*'" || return 1
	matches "$(cat "$T/refused.err")" "$regex" "error of '$*'"
}

exits() { # STATUS CMD...: it ends with this status. In this shell, so that `wait` works too.
	local got=0 want=$1
	shift
	"$@" || got=$?
	equal "$got" "$want" "exit status of '$*'"
}

status_of() { # CMD...: prints its exit status, whatever it is
	local s=0
	"$@" || s=$?
	echo $s
}

# The value of KEY in what a probe printed, from the file $T/out or the one given.
value() { # KEY [FILE]
	sed -n "s/^$1=//p" "${2:-$T/out}" | head -1
}

# ---- bundles

# One root file system for all: busybox, a link per applet, and the probes; made once. Bundles share its files as hard links.
template() {
	local dir
	dir=$THOLE_TEST_TMP/rootfs-$(stat -c '%n %Y %s' "$PROBES"/* | cksum | cut -d ' ' -f 1)
	if [ ! -d "$dir" ]; then
		local new=$dir.$$
		mkdir -p "$new"/{bin,sbin,usr/bin,usr/sbin,etc,proc,sys,dev,tmp,root,home/user}
		cp "$(readlink -f "$(command -v busybox)")" "$new/bin/busybox"
		local applet
		for applet in $("$new/bin/busybox" --list); do
			[ "$applet" = busybox ] || ln -s busybox "$new/bin/$applet"
		done
		chmod 1777 "$new/tmp"
		chown 1000:1000 "$new/home/user"
		printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n' > "$new/etc/passwd"
		printf 'root:x:0:\nuser:x:1000:\nextra:x:2000:user\n' > "$new/etc/group"
		cp "$PROBES"/* "$new/usr/bin/"
		mv -T "$new" "$dir" 2> /dev/null || rm -rf "$new"
	fi
	echo "$dir"
}

# template_tar: the same as an archive, made once. Of a copy: bundles that link the files meanwhile are changes to tar.
template_tar() {
	local tar=$THOLE_TEST_TMP/template.tar
	if [ ! -e "$tar" ]; then
		cp -a "$(template)" "$tar.$$.d"
		tar -C "$tar.$$.d" -cf "$tar.$$" .
		rm -rf "$tar.$$.d"
		mv "$tar.$$" "$tar"
	fi
	echo "$tar"
}

# bundle [NAME]: makes $T/NAME (b) from the template and `thole spec`, but without a terminal and with a root that can be written. Sets B.
bundle() {
	B=$T/${1:-b}
	mkdir -p "$B"
	cp -al "$(template)" "$B/rootfs" 2> /dev/null || { rm -rf "$B/rootfs" && cp -a "$(template)" "$B/rootfs"; }
	"$THOLE" spec --bundle "$B"
	config '.process.terminal = false | .root.readonly = false'
}

# owned_rootfs UID GID: a root file system of the bundle's own (bundles share files) that belongs to somebody else
owned_rootfs() {
	rm -rf "$B/rootfs"
	cp -a "$(template)" "$B/rootfs"
	chown -R "$1:$2" "$B/rootfs"
}

# config [JQ OPTIONS] FILTER: edits $B/config.json
config() {
	jq "$@" < "$B/config.json" > "$B/config.json.new"
	mv "$B/config.json.new" "$B/config.json"
}

# args CMD...: what the container runs
args() {
	config --argjson a "$(printf '%s\036' "$@" | jq -Rs 'split("\u001e")[:-1]')" '.process.args = $a'
}

# in_container CMD...: runs it in the foreground in the bundle, whose output and exit status are the function's.
in_container() {
	args "$@"
	thole run --bundle "$B" "$c"
}

# probe NAME ARGS...: runs a probe in the bundle; what it prints is in $T/out, for `value`.
probe() {
	local status=0
	in_container "/usr/bin/$1" "${@:2}" > "$T/out" < /dev/null || status=$?
	[ $status = 0 ] || fail "probe $*: exit status $status: $(cat "$T/out")"
}

# detached CMD...: runs it detached as $c
detached() {
	args "$@"
	thole run -d --bundle "$B" "$c" > "$T/run.out" < /dev/null
}

# ---- questions

thole_state() { # ID FILTER: a value of state.json
	jq -r "$2" < "$ROOT/$1/state.json"
}

status() { # ID: the OCI status, or nothing
	thole state "$1" 2> /dev/null | jq -r .status
}

is() { # ID STATUS
	[ "$(status "$1")" = "$2" ]
}

init_of() { # ID
	thole state "$1" | jq -r .pid
}

logged() { # ID TEXT: has it come into the log?
	thole logs "$1" 2> /dev/null | grep -qF -- "$2"
}

# v1_or_v2 V1 V2: the one of the two that fits this host: a file's name, a value
v1_or_v2() {
	if has_cgroup-v2; then echo "$2"; else echo "$1"; fi
}

# cgroup_of ID CONTROLLER: the directory of the container's group in the v1 hierarchy of a controller (or name=systemd), or in that of v2
cgroup_of() {
	local pid path mount
	pid=$(init_of "$1")
	if has_cgroup-v2; then
		sed -n 's,^0::,/sys/fs/cgroup,p' "/proc/$pid/cgroup"
		return
	fi
	path=$(awk -F: -v want="$2" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == want) print $3 }' "/proc/$pid/cgroup")
	mount=$(awk -v want="$2" '$3 == "cgroup" { n = split($4, a, ","); for (i = 1; i <= n; i++) if (a[i] == want) { print $2; exit } }' /proc/mounts)
	echo "$mount$path"
}

pid_gone() { ! [ -d "/proc/$1" ] || [ "$(awk '{ print $3 }' "/proc/$1/stat" 2> /dev/null)" = Z ]; }

# ---- killing

# kill_after MICROSECONDS WHO CMD...: starts CMD, kills it (client) or the shim that it started, after that time. A perl program, so that
# the moment is exact and only pids that it started are hit: the shim is found by the --root that nobody else has, and by the session that it leads, which
# its helpers and workers do not: they are to notice. A container's first process has the shim's command line until it executes its program: it is told apart
# by its pid namespace.
kill_after() {
	perl -MTime::HiRes=usleep -MPOSIX -e '
		my ($us, $who, $root, @cmd) = @ARGV;
		my $pid = fork // die;
		if (!$pid) { open STDIN, "<", "/dev/null"; open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null"; exec @cmd; POSIX::_exit(127) }
		usleep($us);
		if ($who eq "client") { kill "KILL", $pid }
		else {
			for my $d (glob "/proc/[0-9]*") {
				open my $f, "<", "$d/cmdline" or next;
				local $/; my $c = <$f> // "";
				next unless $c =~ /^[^\0]*thole-shim\0/ && index($c, $root) >= 0;
				open my $s, "<", "$d/stat" or next;
				my ($pid, $session) = (<$s> // "") =~ /^(\d+) .*\) \S+ \d+ \d+ (\d+) /s or next;
				kill "KILL", $pid if $pid == $session && (readlink("$d/ns/pid") // "") eq readlink("/proc/self/ns/pid");
			}
		}
		waitpid $pid, 0;
	' "$@" 3>&-
}
