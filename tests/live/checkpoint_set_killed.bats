# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu strace
# checkpoint --to and restore: criu, the client and the shim are killed, at each point and at random moments. The set is good after each, and the container runs on, is checkpointed, or is cleanly stopped.
load lib

# Twenty moments take their time.
setup_file() {
	export BATS_TEST_TIMEOUT=400
	[ -z "$THOLE_LONG" ] || BATS_TEST_TIMEOUT=1200
	make_criu
}

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	SET=$T/set
	bundle
}

COUNT='i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'

counting() {
	args sh -c "$COUNT"
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" > "$T/run.out" < /dev/null
	wait_for logged_in "$T/log.1" 'n 20'
}

logged_in() { grep -qF -- "$2" "$1"; }
lines() { sed 's/^[^ ]* stdout F //' "$@"; }
last_logged() { lines "$T/log.1" | tail -1 | sed 's/n //'; }
goes_on() { wait_for logged_in "$T/log.1" "n $(($(last_logged) + 10))"; }
contiguous() { lines "$T/log.1" | awk '$0 != "n " (NR - 1) { print "line " NR ": " $0; exit 1 } END { if (NR < 30) { print NR " lines"; exit 1 } }'; }

to_set() { timeout 120 "$THOLE" --root "$ROOT" checkpoint --to "$SET" "$@" "$c"; }
restore() { timeout 120 "$THOLE" --root "$ROOT" restore "$@" "$c" < /dev/null; }

images() { find "$SET" -mindepth 1 -maxdepth 1 -type d -name '[!.]*' -printf '%f\n' | sort; }
nothing_hidden() { [ -z "$(find "$SET" -mindepth 1 -maxdepth 1 -name '.*')" ]; }

# Have criu run a script at each of its points: at ACTION it kills `what`.
kill_at() { # ACTION criu|shim|client
	cat > "$T/action" <<-END
		#!/bin/sh
		[ "\$CRTOOLS_SCRIPT_ACTION" = $1 ] || exit 0
		case $2 in
		criu) kill -KILL \$PPID ;;
		shim) kill -KILL \$(cat "$T/shim") ;;
		client) kill -KILL \$(cat "$T/client") ;;
		esac
	END
	chmod 755 "$T/action"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
}

thawed_and_untraced() { # PID
	equal "$(cat "$(cgroup_of "$c" freezer)/$(v1_or_v2 freezer.state cgroup.freeze)")" "$(v1_or_v2 THAWED 0)" freezer &&
		equal "$(awk '/^TracerPid/ { print $2 }' "/proc/$1/status")" 0 tracer
}

# All images are good, and the old one is there.
set_is_good() {
	thole checkpoints "$SET" > "$T/checkpoints" || { cat "$T/checkpoints"; return 1; }
	[ -e "$SET/old/manifest.json" ]
}

# The client in the background, so that it can be killed; its status does not matter.
killed_dump() { # POINT WHO HOW
	kill_at "$1" "$2"
	shims > "$T/shim"
	("$THOLE" --root "$ROOT" checkpoint --to "$SET" --name "$1-$2" $3 "$c" 3>&- & echo $! > "$T/client"; wait $!) > /dev/null 2> "$T/err" || true
}

@test "criu and the client are killed at each point of a dump: the set is good, and the container runs on or is checkpointed" {
	: > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	counting
	to_set --leave-running --name old
	local point who how
	for who in criu client; do
		for point in pre-dump network-lock post-dump; do
			for how in --leave-running ''; do
				killed_dump $point $who "$how"
				kill_at never criu
				wait_for is_settled
				set_is_good
				if is "$c" checkpointed; then
					restore
				else
					thawed_and_untraced "$(init_of "$c")"
				fi
				goes_on
				rm -rf "$SET/$point-$who"
				ln -sfn old "$SET/latest"
			done
		done
	done
	to_set
	nothing_hidden
	restore --from "$SET"
	goes_on
	contiguous
}

# The shim has no criu and no worker any more: it would refuse a further checkpoint else.
is_settled() {
	! "$THOLE" --root "$ROOT" pause "$c" 2>&1 | grep -q 'being checkpointed' && { "$THOLE" --root "$ROOT" resume "$c" 2> /dev/null || true; }
}

is_not_frozen() { [[ $(status "$c") =~ ^(running|stopped|checkpointed)$ ]]; }

@test "the shim is killed at each point of a dump: the set is good, and the container runs on, thawed, or is cleanly stopped" {
	local point how i=0
	: > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	for point in pre-dump network-lock post-dump; do
		for how in --leave-running ''; do
			i=$((i + 1))
			kill_at never criu
			args sh -c "$COUNT"
			thole run -d --bundle "$B" --log-path "$T/log.$i" "$c" < /dev/null
			wait_for logged_in "$T/log.$i" 'n 5'
			[ -e "$SET/old" ] || to_set --leave-running --name old
			killed_dump $point shim "$how"
			kill_at never criu
			wait_for no_shims
			set_is_good
			# criu lets it go on when it notices that nobody answers any more.
			wait_for is_not_frozen
			[ "$(status "$c")" != running ] || wait_for thawed_and_untraced "$(init_of "$c")"
			thole delete --force "$c"
			# Whoever followed has seen to what criu has left.
			not test -e "$SET/stats-dump"
			rm -rf "$SET/$point-shim"
			ln -sfn old "$SET/latest"
			equal "$(own_cgroups)" ''
		done
	done
	kill_at never criu
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	to_set
	nothing_hidden
}

# The moment is drawn; WHO is the client, or criu.
hit() { # WHO CLIENT
	perl -e 'select undef, undef, undef, rand 0.12'
	if [ "$1" = client ]; then
		kill -KILL "$2" 2> /dev/null || true
	else
		kill -KILL $(own_criu) 2> /dev/null || true
	fi
	wait "$2" || true
}

# What the killed client has asked for may only begin now. A criu that is killed while it is inside of a process leaves it with code that is not its own, of which it dies; and one
# that is killed while it ends them has ended some.
at_rest() { # WHO
	is_settled && { is "$c" checkpointed || { [ "$1" = criu ] && is "$c" stopped; } || thawed_and_untraced "$(init_of "$c")"; }
}

at_random_moments() { # WHO
	local i moments=20
	[ -z "$THOLE_LONG" ] || moments=50
	counting
	to_set --leave-running --name old
	for ((i = 0; i < moments; i++)); do
		in_background "$THOLE" --root "$ROOT" checkpoint --to "$SET" --name "r$i" "$c" 2> /dev/null
		hit "$1" $!
		wait_for at_rest "$1"
		set_is_good
		if is "$c" checkpointed; then
			in_background "$THOLE" --root "$ROOT" restore "$c" 2> /dev/null
			hit "$1" $!
			wait_for restored
		elif is "$c" stopped; then
			thole delete "$c"
			rm "$T/log.1"
			restore -d --from "$SET" --bundle "$B" --log-path "$T/log.1"
		fi
		wait_for runs_freely
		goes_on
	done
	to_set
	nothing_hidden
	restore
	goes_on
	# Whom criu was inside of may have lost a call, and what it was to write.
	[ "$1" = criu ] || contiguous
}
runs_freely() { thawed_and_untraced "$(init_of "$c")"; }

@test "the client is killed at random moments of dump and restore: the set is good, and the next run does it" { at_random_moments client; }
@test "criu is killed at random moments of dump and restore: the set is good, and the next run does it" { at_random_moments criu; }

# Brought back by now, or by another try.
restored() { is "$c" running || { "$THOLE" --root "$ROOT" restore "$c"; is "$c" running; }; }

# The criu that works for this test's shim. With its request it calls itself "criu: dump".
own_criu() {
	local p
	for p in $(shims); do
		pgrep -P "$p" -f 'criu(: | swrk)'
	done
}

# criu below strace, which kills it at a call of kill(2).
criu_below_strace() { # STRACE'S OPTIONS
	printf '#!/bin/sh\n[ "$1" = swrk ] || exec "%s" "$@"\nexec strace -qq -e signal=none -o "%s/trace" -e trace=kill %s "%s" "$@"\n' "$THOLE_CRIU" "$T" "$*" "$THOLE_CRIU" > "$T/criu"
	chmod 755 "$T/criu"
}

# checkpoint_killed_at N ARGS...: of a new container. What criu calls kill(2) for before it ends processes is counted by a dump that ends none.
checkpoint_killed_at() {
	local n=$1 others
	shift
	fresh() { thole delete --force "$c" && rm -rf "$T/img" && detached sh -c 'sleep 1000 & wait'; }
	fresh
	criu_below_strace
	thole --criu "$T/criu" checkpoint "$@" --leave-running "$c"
	others=$(grep -c '^kill' "$T/trace" || true)
	fresh
	criu_below_strace -e inject=kill:signal=KILL:when=$((others + n))
	thole --criu "$T/criu" checkpoint "$@" "$c"
}

@test "criu is killed while it ends the processes of a container whose image is whole: it is checkpointed, in either form" {
	detached sleep 1000
	# The first of all learns this kernel.
	to_set --leave-running
	checkpoint_killed_at 2 --to "$SET" --rootfs none
	is "$c" checkpointed
	thole checkpoints "$SET" > /dev/null
	restore
	is "$c" running
	checkpoint_killed_at 2 --image-path "$T/img"
	not thole state "$c" 2> /dev/null
	restore -d --bundle "$B" --image-path "$T/img"
	is "$c" running
}
