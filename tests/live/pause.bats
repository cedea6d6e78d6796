# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# pause and resume: what stands still, what each state allows, what a kill does to a paused container.
load lib

setup_test() { bundle; }

ticks() { wc -l < "$T/ticks" 2> /dev/null || echo 0; }

# A container that writes a line every 10 ms into a file of ours.
ticking() {
	: > "$T/ticks"
	chmod 666 "$T/ticks"
	config --arg s "$T/ticks" '.mounts += [{ destination: "/ticks", type: "bind", source: $s, options: ["bind", "rw"] }]'
	: > "$B/rootfs/ticks"
	detached sh -c 'while :; do echo x >> /ticks; usleep 10000; done'
	wait_for more_than 3
}

more_than() { [ "$(ticks)" -gt "$1" ]; }

frozen() { grep -qx "$(v1_or_v2 FROZEN 'frozen 1')" "$(cgroup_of "$c" freezer)/$(v1_or_v2 freezer.state cgroup.events)"; }

# covers: pause, resume
@test "pause: everything stands still, the status is paused; resume: it goes on" {
	local a b
	ticking
	thole pause "$c"
	frozen
	is "$c" paused
	equal "$(thole list --format json | jq -r '.[0].status')" paused
	a=$(ticks)
	sleep 0.2
	b=$(ticks)
	equal "$b" "$a" 'lines written while paused'
	thole resume "$c"
	is "$c" running
	wait_for more_than "$((b + 3))"
}

@test "who is frozen by somebody else is paused, in state and list, and running again when thawed" {
	detached sleep 1000
	local file word
	file=$(cgroup_of "$c" freezer)/$(v1_or_v2 freezer.state cgroup.freeze)
	for word in "$(v1_or_v2 FROZEN 1) paused" "$(v1_or_v2 THAWED 0) running"; do
		echo "${word% *}" > "$file"
		wait_for is "$c" "${word#* }"
		matches "$(thole list | tail -1)" "^$c +[0-9]+ +${word#* } +"
		equal "$(thole list --format json | jq -r '.[0].status')" "${word#* }" 'in the list'
	done
}

@test "only what runs is paused, only what is paused is resumed; the error names the state" {
	args sleep 1000
	refused 1 "container 'none.$c' does not exist" thole pause "none.$c"
	detached sleep 1000
	refused 1 "cannot resume container '$c': it is running" thole resume "$c"
	thole pause "$c"
	refused 1 "cannot pause container '$c': it is paused" thole pause "$c"
	refused 1 "cannot delete container '$c': it is paused" thole delete "$c"
	thole resume "$c"
	thole kill "$c" KILL
	wait_for is "$c" stopped
	refused 1 "cannot pause container '$c': it is stopped" thole pause "$c"
	refused 1 "cannot resume container '$c': it is stopped" thole resume "$c"
}

@test "a created container can be paused, is not started meanwhile, and is created again afterwards" {
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	thole pause "$c"
	is "$c" paused
	refused 1 "cannot start container '$c': it is paused" thole start "$c"
	thole resume "$c"
	is "$c" created
	thole start "$c"
	is "$c" running
}

@test "TERM to a paused container arrives when it is resumed" {
	detached sh -c 'trap "exit 7" TERM; while :; do usleep 10000; done'
	wait_for grep -q '^SigCgt:.*[4-7c-f]...$' "/proc/$(init_of "$c")/status"
	thole pause "$c"
	thole kill "$c" TERM
	is "$c" paused
	thole kill --all "$c" TERM
	is "$c" paused
	thole resume "$c"
	exits 7 thole wait "$c"
}

@test "KILL ends a paused container, with --all too" {
	detached sleep 1000
	thole pause "$c"
	thole kill "$c" KILL
	is "$c" stopped
	exits 137 thole wait "$c"
	thole delete "$c"
	detached sleep 1000
	thole pause "$c"
	thole kill --all "$c" KILL
	wait_for is "$c" stopped
}

@test "delete --force of a paused container leaves nothing" {
	ticking
	thole pause "$c"
	thole delete --force "$c"
	nothing_left
}

@test "a container without its shim is paused and resumed all the same" {
	ticking
	kill -KILL "$(shim_of "$c")"
	wait_for no_shims
	thole pause "$c"
	is "$c" paused
	thole resume "$c"
	is "$c" running
}

@test "a group of its name that was left frozen is taken, and thawed" {
	local dir=$(v1_or_v2 /sys/fs/cgroup/freezer /sys/fs/cgroup)/thole-left-$c
	config --arg p "/thole-left-$c" '.linux.cgroupsPath = $p'
	mkdir "$dir"
	v1_or_v2 FROZEN 1 > "$dir/$(v1_or_v2 freezer.state cgroup.freeze)"
	args sh -c 'exit 3'
	exits 3 timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null
	[ ! -e "$dir" ]
}

# A container that has frozen a process in a group of its own, and goes on freezing it until it is dead.
freezing() {
	config '.mounts |= map(if .type == "cgroup" then .options = ["rw"] else . end)'
	detached sh -c 'cd /sys/fs/cgroup/freezer; mkdir -p .f/g; sleep 1001 & echo $! > .f/g/cgroup.procs
		while :; do echo FROZEN > .f/g/freezer.state; done'
	wait_for grep -q FROZEN "$(cgroup_of "$c" freezer)/.f/g/freezer.state"
}

@test "what a container has frozen itself is in the way of no end: kill, kill --all, delete" {
	needs cgroup-v1
	local how
	for how in "kill $c KILL" "kill --all $c KILL" "delete --force $c"; do
		freezing
		in_background "$THOLE" --root "$ROOT" wait "$c" > "$T/waited"
		# shellcheck disable=SC2086 # words
		timeout 20 "$THOLE" --root "$ROOT" $how || fail "$how: status $?"
		# One that comes when it is deleted finds nobody.
		[ "$how" = "delete --force $c" ] || exits 137 timeout 20 "$THOLE" --root "$ROOT" wait "$c"
		wait "${STARTED[-1]}" || true
		thole delete --force "$c"
	done
	# In the pids of others nobody dies with init.
	config '.linux.namespaces |= map(select(.type != "pid"))'
	freezing
	timeout 20 "$THOLE" --root "$ROOT" delete --force "$c"
	wait_for nothing_left
}

@test "a container that is held from outside is deleted once it is let go; for 30 seconds that is waited for" {
	needs cgroup-v1
	local above=/sys/fs/cgroup/freezer/thole-test-$c deleting
	config --arg p "/thole-test-$c/a" '.linux.cgroupsPath = $p'
	detached sleep 1000
	echo FROZEN > "$above/freezer.state"
	if [ "$THOLE_LONG" ]; then
		refused 1 "cannot delete container '$c': it was killed 30 seconds ago, and has not ended" timeout 60 "$THOLE" --root "$ROOT" delete --force "$c"
	fi
	in_background "$THOLE" --root "$ROOT" delete --force "$c"
	deleting=${STARTED[-1]}
	killed() { grep -q '^SigPnd:.*[1-9a-f]' "/proc/$(init_of "$c")/status"; }
	wait_for killed
	echo THAWED > "$above/freezer.state"
	exits 0 wait "$deleting"
}

@test "pause while it is deleted: nothing that is still asked for reaches the next container of that name" {
	local i
	args sleep 1000
	for ((i = 0; i < 30; i++)); do
		thole run -d --bundle "$B" "$c" < /dev/null
		"$THOLE" --root "$ROOT" pause "$c" > /dev/null 2>&1 3>&- &
		thole delete --force "$c"
		timeout 30 "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null || fail "round $i: status $?"
		wait $! || true
		thole resume "$c" 2> /dev/null || true # it may have been the next one that was paused
		is "$c" running
		thole delete --force "$c"
	done
}

@test "pause and resume a hundred times, from two clients at once" {
	ticking
	local i n=$([ "$THOLE_LONG" ] && echo 100 || echo 20)
	for ((i = 0; i < n; i++)); do
		thole pause "$c" 2> "$T/a.err" &
		thole pause "$c" 2> "$T/b.err" || true
		wait $! || true
		is "$c" paused
		thole resume "$c"
		is "$c" running
	done
}
