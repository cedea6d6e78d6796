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

# The script waits then, as one that waits for an answer, and with `criu` that is dead too.
kill_and_wait_at() { # ACTION [criu]
	kill_at "$1"
	[ -z "${2:-}" ] || echo 'kill -KILL $PPID' >> "$T/action"
	echo 'while :; do sleep 1; done' >> "$T/action"
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
	for pid in $(pgrep -f 'criu(: | swrk| lazy-pages)'); do
		{ ls -l "/proc/$pid/fd" "/proc/$pid/cwd" | grep -qF "$T/" || grep -qaF "$T/" "/proc/$pid/environ"; } 2> /dev/null && echo "$pid"
	done
	return 0
}
no_criu() { [ -z "$(own_criu)" ]; }

began() { # OPTIONS of run
	LOG=$T/log.$((++LOGS))
	thole run -d --log-path "$LOG" "$@" --bundle "$B" "$c" < /dev/null > /dev/null
	goes_on
}

# What a criu that was killed over a restore leaves in /tmp: only its log tells the name.
own_roots() {
	local dir
	find "$IMG" "$SET" -name restore.log -exec grep -aoh '/tmp/\.criu\.mntns\.[A-Za-z0-9]*' {} + 2> /dev/null | sort -u | while read -r dir; do
		[ ! -e "$dir" ] || echo "$dir"
	done
}
no_roots() { equal "$(own_roots)" '' "$1: directories of criu's"; }

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
	lazy)
		prepare restore "${@:2}"
		CMD+=(--lazy-pages)
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

one_shim() { [ "$(shims | wc -l)" = 1 ]; }

check_after() { # PHASE WHAT
	local exit
	# A criu whose shim is gone notices it with its next word, and lets the container go on.
	WAIT_S=60 wait_for no_criu || fail "$2: criu is left: $(own_criu)"
	settled() { thole recover --all && [[ $(status "$c") =~ ^(running|stopped|checkpointed|)$ ]]; }
	wait_for settled || fail "$2: $(thole recover --all 2>&1), it is $(status "$c")"
	no_roots "$2" || return 1
	case $(status "$c") in
	running)
		# The one of the keeper may be at it still, with a child that unlocks the network.
		wait_for one_shim || fail "$2: shims: $(shims)" || return 1
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
	restore | lazy | in-place) echo pre-restore setup-namespaces post-setup-namespaces post-restore network-unlock pre-resume post-resume ;;
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

# ---- its scripts wait when it is killed: whoever follows ends them, and criu

nothing_of_criu() { no_criu && no_script; }

# The command that is to see to it is FOLLOW.
left_waiting_at() { # PHASE POINT criu|'' OPTIONS of run
	kill_at never
	prepare "$1" "${@:4}"
	kill_and_wait_at "$2" "$3"
	timeout 60 "$THOLE" --root "$ROOT" "${CMD[@]}" < /dev/null > "$T/out" 2>&1 || true
	wait_for test -e "$T/killed" || fail "$1: nobody was killed at $2"
	kill_at never
}

while_scripts_wait() { # PHASE OPTIONS of run -- FOLLOW...
	local phase=$1 point options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	for point in $(points "$phase"); do
		left_waiting_at "$phase" "$point" '' "${options[@]}"
		"${@:2}" < /dev/null > "$T/out" 2>&1 || [[ $phase =~ restore|lazy|in-place ]] || fail "$phase, waiting at $point: ${*:2}: $(cat "$T/out")"
		WAIT_S=5 wait_for nothing_of_criu || fail "$phase, waiting at $point: left: $(own_criu) $(own_processes)"
		[[ $phase =~ restore|lazy|in-place ]] || is "$c" running || fail "$phase, waiting at $point: it is $(status "$c")"
		check_after "$phase" "$phase, waiting at $point"
	done
}

@test "a script waits: a command that needs a shim" { while_scripts_wait dump -- thole exec "$c" true; }
@test "a script waits: recover" { while_scripts_wait set-running -- thole recover --all; }
@test "a script waits: the keeper starts a shim" {
	adopted() { [ -n "$(shims)" ] && nothing_of_criu; }
	WAIT_S=60 while_scripts_wait stay -i -- wait_for adopted
}
@test "a script waits: recover after a restore" { while_scripts_wait restore -- thole recover --all; }
@test "a script waits: recover after a restore whose memory was to come later" { while_scripts_wait lazy -- thole recover --all; }
@test "a script waits: recover after a restore in place" { while_scripts_wait in-place -- thole recover --all; }

@test "a script waits: init is killed, and the container deleted" {
	local phase point
	for phase in dump-running in-place restore; do
		for point in $(points "$phase"); do
			left_waiting_at "$phase" "$point" ''
			kill -KILL "$(jq .processes.init.pid "$ROOT/$c/state.json")" 2> "$T/out" || true
			thole delete --force "$c" || fail "$phase, waiting at $point"
			WAIT_S=5 wait_for nothing_of_criu || fail "$phase, waiting at $point: left: $(own_criu) $(own_processes)"
			wait_for no_shims
			equal "$(own_cgroups)" '' "$phase, waiting at $point: groups"
			no_roots "$phase, waiting at $point"
			equal "$(find "$IMG" -name '.thole*')" '' "$phase, waiting at $point: hidden directories"
			rm -rf "$T/actions"
		done
	done
}

@test "a script waits: a container of somebody else's monitor" {
	local point init
	oci() { "$THOLE_OCI" --root "$ROOT" "$@" < /dev/null; }
	for point in pre-dump post-dump; do
		kill_at never
		oci run -d --bundle "$B" "$c" > >(cat > "$T/run.out" 3>&-) 2>&1
		init=$(init_of "$c")
		kill_and_wait_at "$point"
		refused 1 'the shim ended before it answered' oci checkpoint --network-lock iptables --image-path "$IMG" --leave-running "$c"
		kill_at never
		thole recover --all
		WAIT_S=5 wait_for nothing_of_criu || fail "waiting at $point: left: $(own_criu) $(own_processes)"
		is "$c" running
		wait_for thawed_and_untraced "$init"
		network_unlocked "$init"
		wait_for no_shims
		equal "$(find "$IMG" -name '.thole*')" '' 'hidden directories'
		oci checkpoint --image-path "$IMG" --leave-running "$c"
		# Paused before, it is so again.
		oci pause "$c"
		kill_and_wait_at "$point"
		refused 1 'the shim ended before it answered' oci checkpoint --network-lock iptables --image-path "$IMG" --leave-running "$c"
		kill_at never
		thole recover "$c"
		WAIT_S=5 wait_for nothing_of_criu || fail "paused, waiting at $point: left: $(own_criu) $(own_processes)"
		is "$c" paused
		oci resume "$c"
		wait_for thawed_and_untraced "$init"
		oci delete --force "$c"
	done
}

@test "criu is killed too: its script goes, the container goes on" {
	local point
	for point in pre-dump network-lock; do
		left_waiting_at dump "$point" criu
		thole recover --all
		WAIT_S=5 wait_for nothing_of_criu || fail "at $point: left: $(own_criu) $(own_processes)"
		is "$c" running || fail "at $point: it is $(status "$c")"
		check_after dump "criu killed too at $point"
	done
}

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
