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
