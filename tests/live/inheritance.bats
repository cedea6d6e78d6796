# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# What the container's process gets from whoever started it, and what it must not get. The same with pipes, detached and created.
load lib

setup_test() {
	bundle
	args /usr/bin/inherit
}

# Each way of starting, after a caller that has everything unusual. Prints into $T/out.
unusual() { # HOW
	cat > "$T/caller" <<'PERL'
use POSIX;
$SIG{$_} = 'IGNORE' for qw(HUP INT QUIT PIPE USR1 CHLD TERM);
POSIX::sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR2, SIGALRM, SIGTERM, SIGCHLD)) or die;
POSIX::nice(3);
umask 0777;
open my $leak, '<', '/etc/passwd'; fcntl $leak, F_SETFD, 0;
open my $dir, '<', '/etc'; fcntl $dir, F_SETFD, 0;
exec @ARGV; die;
PERL
	local pre=(perl "$T/caller" taskset -c 0 "$THOLE" --root "$ROOT")
	(
		ulimit -S -n 777
		case $1 in
		run) "${pre[@]}" run --bundle "$B" "$c" > "$T/out" < /dev/null ;;
		detached)
			"${pre[@]}" run -d --bundle "$B" "$c" < /dev/null
			thole wait "$c"
			thole logs "$c" > "$T/out"
			thole delete "$c"
			;;
		created)
			"${pre[@]}" create --bundle "$B" "$c" < /dev/null
			thole start "$c"
			thole wait "$c"
			thole logs "$c" > "$T/out"
			thole delete "$c"
			;;
		esac
	)
	[ -s "$T/out" ]
}

check_signals() {
	equal "$(value ignored)" '' 'signals that are ignored'
	equal "$(value blocked)" '' 'signals that are blocked'
}

@test "all signals are default and none is blocked" {
	local how
	for how in run detached created; do
		unusual $how
		check_signals
	done
}

@test "it leads a session of its own, without a controlling terminal" {
	local how
	for how in run detached created; do
		unusual $how
		equal "$(value session_leader)" 1
		equal "$(value group_leader)" 1
		equal "$(value controlling_tty)" 0
	done
}

@test "limits and nice are the caller's; umask and affinity are not" {
	local how all
	all=$(sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status)
	for how in run detached created; do
		unusual $how
		equal "$(value rlimit_nofile | cut -d: -f1)" "$(jq -r '.process.rlimits[0].soft // 777' "$B/config.json")"
		equal "$(value nice)" 3
		equal "$(value Cpus_allowed_list)" "$all"
		equal "$(value umask)" 0022
		equal "$(value timerslack_ns)" "$(cat /proc/self/timerslack_ns)"
	done
	config 'del(.process.rlimits)'
	unusual run
	equal "$(value rlimit_nofile | cut -d: -f1)" 777
}

@test "no descriptor comes along but 0, 1 and 2" {
	local how
	for how in run detached created; do
		unusual $how
		equal "$(value fds)" 0,1,2, "open descriptors ($how): $(grep ^fd_ "$T/out")"
	done
}

# What managers that look there know: see runc's own tests. By the target, since /dev/null is one of them only as a stream.
@test "between create and start init holds its streams, once, and beside them only pipes, sockets and the like" {
	local program fd target
	args sleep 1000
	for program in "$THOLE" "$THOLE_OCI"; do
		"$program" --root "$ROOT" create --bundle "$B" "$c" < /dev/null > /dev/null 2>&1
		for fd in /proc/"$(init_of "$c")"/fd/*; do
			target=$(readlink "$fd")
			[ "${fd##*/}" -gt 2 ] || continue
			matches "$target" '^(pipe|socket|anon_inode):|^/$|^/proc$|^/(memfd:)?thole-shim'
		done
		thole delete --force "$c"
	done
}

@test "detached stdin is the container's own /dev/null, stdout and stderr are pipes" {
	unusual detached
	equal "$(value fd_0)" /dev/null
	matches "$(value fd_1)" '^pipe:'
	matches "$(value fd_2)" '^pipe:'
	[ "$(value fd_1)" != "$(value fd_2)" ]
}

@test "in the foreground too the container's streams are thole's pipes, never the caller's file" {
	thole run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err"
	matches "$(value fd_1)" '^pipe:'
	matches "$(value fd_2)" '^pipe:'
	equal "$(value fd_0)" /dev/null
}

@test "no parent-death signal: it survives its shim" {
	unusual run
	equal "$(value death_signal)" 0
}

# covers: run --preserve-fds
@test "--preserve-fds hands over 3, 4, ... in their order, and nothing more" {
	local s=0
	echo three > "$T/three"
	echo four > "$T/four"
	args sh -c 'cat <&3; cat <&4; ls /proc/self/fd | wc -l; exec /usr/bin/inherit'
	# shellcheck disable=SC2094
	"$THOLE" --root "$ROOT" run --preserve-fds 2 --bundle "$B" "$c" < /dev/null > "$T/out" 3< "$T/three" 4< "$T/four" 5< /etc/passwd || s=$?
	equal $s 0
	equal "$(head -2 "$T/out")" $'three\nfour'
	equal "$(value fds)" 0,1,2,3,4,
}

@test "--preserve-fds with a descriptor that is not open is an error" {
	refused 125 'preserve|descriptor' bash -c 'exec 3<&- 4<&-; exec "$0" --root "$1" run --preserve-fds 2 --bundle "$2" "$3"' "$THOLE" "$ROOT" "$B" "$c"
}

@test "the shim keeps nothing of the caller's: descriptors, directory, session, group" {
	args sleep 1000
	mkdir "$T/cwd"
	: > "$T/caller"
	(cd "$T/cwd" && exec 7< /etc/passwd && thole run -d --bundle "$B" "$c" < "$T/caller" > "$T/run.out" 2>&1) 8< /etc/group 3>&-
	local shim
	shim=$(shim_of "$c")
	for fd in 0 1 2; do
		equal "$(readlink "/proc/$shim/fd/$fd")" /dev/null
	done
	ls -l "/proc/$shim/fd" > "$T/fds"
	not grep -E "/etc/passwd|/etc/group|$T/(cwd|caller|run.out)" "$T/fds"
	equal "$(readlink "/proc/$shim/cwd")" /
	# pid (comm) state ppid pgrp session tty
	read -r _ _ _ _ pgrp session tty _ < <(sed 's/(.*)/x/' "/proc/$shim/stat")
	equal "$pgrp" "$shim" 'process group'
	equal "$session" "$shim" session
	equal "$tty" 0 terminal
}
