# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup faults
# Calls and steps that fail, that are the moment of SIGKILL, that are interrupted or do less than they were asked for, in a build that is made for it (tests/faults, `make FAULTS=1`). By default a
# few of each, the same in each run; with THOLE_LONG=1 all of them.
load lib

setup_test() {
	# On the build with faults, whatever else is tested.
	bundle b-true
	args true
	config --arg p "/$c" '.linux.cgroupsPath = $p'
	bundle
	args sleep 1000
	config --arg p "/$c" '.linux.cgroupsPath = $p'
}

# sweep SCENARIO WAY SECONDS [OPTIONS]: a selection within that time, or all
sweep() {
	local scenario=$1 way=$2 seconds=$3 every=61 only=()
	shift 3
	[ "$THOLE_LONG" ] && every=1 seconds=0
	[ $# -gt 0 ] || only=(--every $every --offset $((every / 2)) --seconds "$seconds")
	"$TREE/tests/faults/sweep" --thole "$BUILD/faults/thole" --dir "$T" --bundle "$T/b" --id "$c" --do "$scenario" --way "$way" "${only[@]}" "$@" > "$T/found" ||
		fail "$scenario, $way: $(head -20 "$T/found")"
	echo "# $(tail -1 "$T/found")"
}

@test "the release holds nothing of it" {
	not grep -qa THOLE_FAULTS "$BUILD/thole" "$BUILD/thole-shim"
	grep -qa THOLE_FAULTS "$BUILD/faults/thole-shim"
}

@test "each step of run, exec and upgrade fails: one line, nothing left, the next one comes up" {
	local s
	for s in 'run -d' exec upgrade; do
		sweep "$s" fail 0 --call step
	done
}

# By default every other one.
@test "each step of run, exec and upgrade is the moment of SIGKILL" {
	local s
	for s in 'run -d' exec upgrade; do
		sweep "$s" kill 0 --call step $([ "$THOLE_LONG" ] || echo --every 2)
	done
}

@test "a program that crashes in the shim's place, at whichever step, gives its place back" {
	local s
	for s in signals hangup process log control caller root objects; do
		sweep upgrade crash 0 --call "step shim: $s" --at 0
		contains "$(cat "$T/found")" 'the new shim could not go on, and the old one does: it has crashed (SIGSEGV)'
	done
}

@test "calls of create, run, start, exec, kill, delete, upgrade and adoption fail" {
	local s
	for s in 'run -d' run exec 'exec -t' delete adopt upgrade; do
		sweep "$s" fail 1
	done
	sweep run fail 0 --call recv
	[ "$THOLE_LONG" ] || return 0
	for s in create start 'exec -d' kill state list ps pause update; do
		sweep "$s" fail 1
	done
}

@test "they are the moment of SIGKILL" {
	local s
	for s in 'run -d' exec 'exec -t' delete; do
		sweep "$s" kill 1
	done
	[ "$THOLE_LONG" ] || return 0
	for s in run create start 'exec -d' kill upgrade adopt; do
		sweep "$s" kill 1
	done
}

@test "they are interrupted, and read and write less than they were asked for: everything works" {
	local s
	for s in 'run -d' exec upgrade; do
		sweep "$s" again 0 --every $([ "$THOLE_LONG" ] && echo 1 || echo 9)
		sweep "$s" short 0 --every $([ "$THOLE_LONG" ] && echo 1 || echo 9)
	done
	sweep exec again 0 --call waitid
	[ "$THOLE_LONG" ] || return 0
	for s in run delete adopt; do
		sweep "$s" again 0
		sweep "$s" short 0
	done
}

@test "a process that joins a container for an exec cannot say whom it has cloned, or nobody hears it: exec fails, and the container can be deleted" {
	sweep exec fail 0 --call sendmsg
	sweep exec fail 0 --call recvmsg
	sweep exec kill 0 --call sendmsg
}

@test "what cannot be looked at has not ended" {
	sweep adopt fail 0 --call poll
	sweep delete fail 0 --call epoll_ctl
}

@test "what is said to criu, and what it says, gets lost: a checkpoint fails, and the container goes on" {
	needs criu
	make_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	sweep checkpoint fail 0 --call send --every 3
	sweep checkpoint fail 0 --call recvmsg --every 3
}

@test "calls and steps of a checkpoint and a restore fail, and are the moment of SIGKILL" {
	needs criu
	[ "$THOLE_LONG" ] || skip 'only with THOLE_LONG=1'
	make_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	local s w
	for s in checkpoint 'checkpoint away' restore 'restore in place'; do
		for w in fail kill; do
			sweep "$s" $w 0 --every 5 --offset $((RANDOM % 5))
		done
	done
}
