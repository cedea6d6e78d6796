# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# SIGKILL to the shim within a checkpoint (into a directory, into a set, staying) and a restore (by a new shim, in place): at each point at which criu runs its scripts, and at random
# moments. Each time the container runs on and is adopted, or never came back, or is gone into an image that is whole.
load lib

# Twenty moments take their time.
setup_file() {
	export BATS_TEST_TIMEOUT=400
	[ -z "$THOLE_LONG" ] || BATS_TEST_TIMEOUT=1200
	make_criu
}

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	SET=$T/set IMG=$T/img
	bundle
	: > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
}

# criu runs a script at each of its points; at ACTION that kills the shim, which is criu's parent.
kill_at() { # ACTION
	cat > "$T/action" <<-END
		#!/bin/sh
		echo "\$CRTOOLS_SCRIPT_ACTION" >> "$T/actions"
		[ "\$CRTOOLS_SCRIPT_ACTION" = $1 ] || exit 0
		: > "$T/killed" # first: whoever follows may end this script
		kill -KILL "\$(awk '/^PPid/ { print \$2 }' "/proc/\$PPID/status")"
	END
	chmod 755 "$T/action"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	rm -f "$T/killed"
}

lines() { sed 's/^[^ ]* stdout F //' "$@"; }
n_lines() { lines "$LOG" | wc -l; }
goes_on() {
	local n
	n=$(n_lines)
	more() { [ "$(n_lines)" -gt $((n + 5)) ]; }
	wait_for more
}
# Lines n 0, n 1, ... from the first on, each once and in order.
contiguous() { lines "$1" | awk 'NR > 1 && $2 != last + 1 { print "line " NR ": " $0 " after " last; exit 1 } { last = $2 }'; }

thawed_and_untraced() { # PID
	equal "$(cat "$(cgroup_of "$c" freezer)/$(v1_or_v2 freezer.state cgroup.freeze)")" "$(v1_or_v2 THAWED 0)" freezer &&
		equal "$(awk '/^TracerPid/ { print $2 }' "/proc/$1/status")" 0 tracer
}

network_unlocked() { # PID
	nsenter -t "$1" -n ip link set lo up
	nsenter -t "$1" -n busybox ping -c 1 -w 2 127.0.0.1 > /dev/null
	[ -z "$(nsenter -t "$1" -n iptables -S | grep CRIU)" ] || fail 'a chain of criu is left'
}

# A criu that works on something of this test's.
own_criu() {
	local pid
	for pid in $(pgrep -f 'criu swrk'); do
		ls -l "/proc/$pid/fd" "/proc/$pid/cwd" 2> /dev/null | grep -qF "$T/" && echo "$pid"
	done
	return 0
}
no_criu() { [ -z "$(own_criu)" ]; }

began() { # OPTIONS of run
	LOG=$T/log.$((++LOGS))
	thole run -d --log-path "$LOG" "$@" --bundle "$B" "$c" < /dev/null > /dev/null
	goes_on
}

# What each phase needs before; the command that is hit is CMD.
prepare() { # PHASE OPTIONS of run
	rm -rf "$IMG"
	case $1 in
	dump) began "${@:2}"; CMD=(checkpoint --network-lock iptables --image-path "$IMG" "$c") ;;
	dump-running) began "${@:2}"; CMD=(checkpoint --network-lock iptables --image-path "$IMG" --leave-running "$c") ;;
	set) began "${@:2}"; CMD=(checkpoint --to "$SET" "$c") ;;
	set-running) began "${@:2}"; CMD=(checkpoint --to "$SET" --leave-running "$c") ;;
	stay) began "${@:2}"; CMD=(checkpoint --network-lock iptables --stay --image-path "$IMG" "$c") ;;
	restore)
		began "${@:2}"
		thole checkpoint --image-path "$IMG" "$c"
		LOG=$T/log.$((++LOGS))
		CMD=(restore -d --bundle "$B" --image-path "$IMG" --log-path "$LOG" "$c")
		;;
	in-place)
		began "${@:2}"
		thole checkpoint --stay --image-path "$IMG" "$c"
		CMD=(restore "$c")
		;;
	esac
}

# It comes back out of what it has gone into, and goes on.
comes_back() { # PHASE
	LOG=$T/log.$((++LOGS))
	case $1 in
	set*) thole restore -d --from "$SET" --bundle "$B" --log-path "$LOG" "$c" < /dev/null ;;
	*) thole restore -d --image-path "$IMG" --bundle "$B" --log-path "$LOG" "$c" < /dev/null ;;
	esac
	goes_on
	contiguous "$LOG"
}

check_after() { # PHASE WHAT
	local exit
	# A criu whose shim is gone notices it with its next word, and lets the container go on.
	WAIT_S=60 wait_for no_criu || fail "$2: criu is left: $(own_criu)"
	settled() { thole recover --all && [[ $(status "$c") =~ ^(running|stopped|checkpointed|)$ ]]; }
	wait_for settled || fail "$2: $(thole recover --all 2>&1), it is $(status "$c")"
	case $(status "$c") in
	running)
		equal "$(shims | wc -l)" 1 "$2: shims" || return 1
		wait_for thawed_and_untraced "$(init_of "$c")" || fail "$2: $(thawed_and_untraced "$(init_of "$c")" 2>&1)" || return 1
		network_unlocked "$(init_of "$c")" || fail "$2: network" || return 1
		goes_on || fail "$2: it does not go on" || return 1
		contiguous "$LOG" || fail "$2: log" || return 1
		equal "$(thole exec "$c" echo inside < /dev/null 2>&1)" inside "$2: exec" || return 1
		case $1 in
		set*) thole checkpoint --to "$SET" --leave-running "$c" || return 1 ;;
		*) thole checkpoint --image-path "$IMG" --leave-running "$c" || return 1 ;;
		esac
		goes_on || fail "$2: it does not go on after a further checkpoint" || return 1
		;;
	checkpointed | stopped)
		# criu has ended it, with SIGKILL, when all of it was in the image; who saw it is dead.
		if is "$c" stopped; then
			exit=$(thole state "$c" | jq -c '.thole.exit | [.known, .code]')
			matches "$exit" '^\[true,137\]$|^\[false' "$2: exit" || return 1
			[[ $1 != restore && $1 != *running ]] || fail "$2: stopped" || return 1
		fi
		thole delete "$c" || fail "$2: delete" || return 1
		comes_back "$1" || fail "$2: the image" || return 1
		;;
	'')
		nothing_is_left() { [ -z "$(own_cgroups)$(own_processes)" ] && [ ! -e "$ROOT/$c" ]; }
		wait_for nothing_is_left || fail "$2: left: $(leftovers)" || return 1
		comes_back "$1" || fail "$2: the image" || return 1
		;;
	esac
	thole delete --force "$c" || fail "$2: delete" || return 1
	wait_for no_shims
	equal "$(own_cgroups)" "" "$2: groups" || { head -3 $(own_cgroups | sed s,\$,/cgroup.procs,); thole list; return 1; }
	equal "$(find "$IMG" "$SET" -name '.thole*' 2> /dev/null)" '' "$2: hidden directories" || return 1
	! grep -qF "$T/" /proc/self/mountinfo || fail "$2: mounts"
}

points() { # PHASE
	case $1 in
	*running) echo pre-dump network-lock post-dump network-unlock ;;
	restore | in-place) echo pre-restore setup-namespaces post-setup-namespaces post-restore network-unlock pre-resume post-resume ;;
	*) echo pre-dump network-lock post-dump ;;
	esac
}

at_each_point() { # PHASE
	local point
	for point in $(points "$1"); do
		kill_at never
		prepare "$1"
		kill_at "$point"
		timeout 60 "$THOLE" --root "$ROOT" "${CMD[@]}" < /dev/null > "$T/out" 2>&1 || true
		wait_for test -e "$T/killed" || fail "$1: nobody was killed at $point: $(tail -20 "$T/actions" | tr '\n' ' ')"
		kill_at never
		check_after "$1" "$1, killed at $point"
	done
}

@test "at each point of a checkpoint into a directory" { at_each_point dump; }
@test "at each point of a checkpoint into a directory that leaves it running" { at_each_point dump-running; }
@test "at each point of a checkpoint into a set" { at_each_point set && at_each_point set-running; }
@test "at each point of a checkpoint that stays" { at_each_point stay; }
@test "at each point of a restore by a new shim" { at_each_point restore; }
@test "at each point of a restore in place" { at_each_point in-place; }

at_random_moments() { # PHASES...
	local i us phase options moments=20
	[ -z "$THOLE_LONG" ] || moments=105
	for ((i = 0; i < moments; i++)); do
		phase=${@:i % $# + 1:1}
		options=()
		[ $((RANDOM % 2)) = 0 ] || options=(-i)
		prepare "$phase" "${options[@]}"
		us=$(((RANDOM * 32768 + RANDOM) % 250000))
		kill_after $us shim "$ROOT" "$THOLE" --root "$ROOT" "${CMD[@]}"
		check_after "$phase" "$phase ${options[*]}, killed after $us us"
	done
}

@test "at random moments of a checkpoint, with a keeper and without" { at_random_moments dump stay set dump-running set-running; }
@test "at random moments of a restore, with a keeper and without" { at_random_moments restore in-place; }
