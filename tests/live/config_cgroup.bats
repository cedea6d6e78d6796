# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v1
# cgroupsPath and linux.resources, as the files of the v1 hierarchies show them.
load lib

setup_test() { bundle; }

file_of() { # CONTROLLER FILE
	cat "$(cgroup_of "$c" "$1")/$2"
}

own_path() { # CONTROLLER: the caller's own group
	awk -F: -v want="$1" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == want) print $3 }' /proc/self/cgroup
}

@test "the container has a group of its own in every hierarchy, below the caller's; the shim is in none of them" {
	detached sleep 1000
	local line shim
	shim=$(shim_of "$c")
	while IFS=: read -r _ subsystem path; do
		[ -n "$subsystem" ] || continue
		matches "$path" "^$(own_path "${subsystem%%,*}" | sed 's,/$,,')/[^/]*$c\$" "$subsystem"
	done < "/proc/$(init_of "$c")/cgroup"
	not grep -F "$c" "/proc/$shim/cgroup"
	for line in $(own_cgroups); do
		not grep -qx "$shim" "$line/cgroup.procs"
	done
}

@test "its user may look at the groups, as at any other" {
	detached sleep 1000
	local g
	for g in $(own_cgroups); do
		equal "$(stat -c %a "$g")" 755 "mode of $g"
	done
}

@test "the init is alone in its fresh group" {
	detached sleep 1000
	equal "$(file_of memory cgroup.procs)" "$(init_of "$c")"
	equal "$(file_of pids cgroup.procs)" "$(init_of "$c")"
}

# covers: linux.cgroupsPath
@test "cgroupsPath absolute is from the hierarchies' roots, relative below the caller's; parents that were made go too" {
	config --arg p "/thole-test-$c/a/b" '.linux.cgroupsPath = $p'
	detached sleep 1000
	grep -q ":pids:/thole-test-$c/a/b\$" "/proc/$(init_of "$c")/cgroup"
	thole delete --force "$c"
	equal "$(own_cgroups)" ''
	config --arg p "rel-$c/x" '.linux.cgroupsPath = $p'
	detached sleep 1000
	grep -q ":memory:$(own_path memory | sed 's,/$,,')/rel-$c/x\$" "/proc/$(init_of "$c")/cgroup"
	thole delete --force "$c"
	equal "$(own_cgroups)" ''
}

# covers: linux.resources.memory.{limit,reservation,swap}
@test "memory: limit, reservation, swap; the limit is enforced and the end by it is seen" {
	config '.linux.resources.memory = { limit: 33554432, reservation: 16777216 }'
	detached sleep 1000
	equal "$(file_of memory memory.limit_in_bytes)" 33554432
	equal "$(file_of memory memory.soft_limit_in_bytes)" 16777216
	thole delete --force "$c"
	args sh -c 'a=x; while :; do a="$a$a"; done'
	local s
	s=$(status_of thole run --bundle "$B" "$c" < /dev/null 2> /dev/null)
	equal "$s" 137
}

@test "an end by the memory limit is recorded" {
	config '.linux.resources.memory = { limit: 16777216 }'
	detached sh -c 'a=x; while :; do a="$a$a"; done'
	exits 137 thole wait "$c"
	equal "$(thole_state "$c" .container.exit.oomKilled)" true
	equal "$(thole_state "$c" .container.exit.signal)" 9
}

# The container's first process lives on while others run out of memory, and what ends it is something else.
@test "who was killed by somebody else has not lacked memory, whoever has before" {
	local how devour
	oom_killed() { thole state "$c" | jq .thole.exit.oomKilled; }
	counted() { grep -qx "oom_kill $1" "$(cgroup_of "$c" memory)/memory.oom_control"; }
	devour='a=x; while :; do a="$a$a"; done'
	# A child of init's; an exec'd process, after whose end somebody kills by the pid; and what was counted before in a group that is taken.
	config '.linux.resources.memory = { limit: 8388608, swap: 8388608 }'
	detached sh -c "sh -c '$devour'; sleep 1000"
	wait_for counted 1
	thole kill "$c" KILL
	exits 137 thole wait "$c"
	equal "$(oom_killed)" false
	thole delete "$c"
	for how in shim adopted upgraded; do
		detached sleep 1000
		exits 137 thole exec "$c" sh -c "$devour"
		counted 1
		[ $how != adopted ] || { kill -KILL "$(shim_of "$c")"; wait_for shim_is lost; thole recover "$c"; wait_for shim_is alive; }
		[ $how != upgraded ] || thole upgrade "$c"
		kill -KILL "$(init_of "$c")"
		wait_for is "$c" stopped
		equal "$(oom_killed)" false "$how"
		thole delete "$c"
	done
	detached sh -c "sh -c '$devour'; $devour"
	exits 137 thole wait "$c"
	equal "$(oom_killed)" true
}

@test "only the limit that is there now is said to be too low, and only to who was killed for it" {
	config '.linux.resources.memory = { limit: 1044480, swap: 1044480 }'
	detached sleep 1000
	thole exec "$c" sh -c 'a=x; while :; do a="$a$a"; done' || true
	grep -q 'oom_kill [1-9]' "$(cgroup_of "$c" memory)/memory.oom_control"
	thole kill "$c" KILL
	exits 137 thole wait "$c"
	thole delete "$c" 2> "$T/err"
	equal "$(cat "$T/err")" ''
	mkfifo "$B/rootfs/go"
	detached sh -c 'read -r x < /go; a=x; while :; do a="$a$a"; done'
	thole update --memory 33554432 --memory-swap 33554432 "$c"
	echo go > "$B/rootfs/go"
	exits 137 thole wait "$c"
	equal "$(thole state "$c" | jq .thole.exit.oomKilled)" true
	thole delete "$c" 2> "$T/err"
	equal "$(cat "$T/err")" ''
}

@test "a user of the container may read its limits, whatever the caller's umask is" {
	config '.linux.resources.memory = { limit: 33554432 } | .process.user = { uid: 1000, gid: 1000 }'
	equal "$(umask 077; in_container cat /sys/fs/cgroup/memory/memory.limit_in_bytes)" 33554432
}

# covers: linux.resources.pids.limit
@test "pids: the limit is enforced" {
	config '.linux.resources.pids = { limit: 5 }'
	detached sh -c 'sh -c "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done"; echo after; exec sleep 1000'
	equal "$(file_of pids pids.max)" 5
	wait_for logged "$c" after
	matches "$(thole logs "$c" 2>&1)" fork
	[ "$(file_of pids cgroup.procs | wc -l)" -le 5 ]
	thole delete --force "$c"
	config '.linux.resources.pids = { limit: -1 }'
	detached sleep 1000
	equal "$(file_of pids pids.max)" max
}

# covers: linux.resources.cpu.{shares,quota,period}
@test "cpu: shares, quota, period" {
	config '.linux.resources.cpu = { shares: 512, quota: 50000, period: 200000 }'
	detached sleep 1000
	equal "$(file_of cpu cpu.shares)" 512
	equal "$(file_of cpu cpu.cfs_quota_us)" 50000
	equal "$(file_of cpu cpu.cfs_period_us)" 200000
}

# covers: linux.resources.cpu.{cpus,mems}
@test "cpuset: processors and memory nodes" {
	config '.linux.resources.cpu = { cpus: "0", mems: "0" }'
	detached /usr/bin/inherit
	thole wait "$c"
	thole logs "$c" > "$T/out"
	equal "$(value Cpus_allowed_list)" 0
	thole delete "$c"
	detached sleep 1000
	equal "$(file_of cpuset cpuset.cpus)" 0
	equal "$(file_of cpuset cpuset.mems)" 0
}

@test "without a cpuset in the config the group has the parent's" {
	detached sleep 1000
	[ -n "$(file_of cpuset cpuset.cpus)" ]
	[ -n "$(file_of cpuset cpuset.mems)" ]
}

@test "a group on the way, or at the end, whose cpuset is empty is given what is above it; what it has it keeps" {
	local top all
	top=$(awk '$3 == "cgroup" && $4 ~ /cpuset/ { print $2; exit }' /proc/mounts)/thole-test-$c all=$(cat "${top%/*}/cpuset.cpus")
	mkdir -p "$top/a/b"
	config --arg p "/thole-test-$c/a/b/new" '.linux.cgroupsPath = $p'
	detached sleep 1000
	equal "$(file_of cpuset cpuset.cpus)" "$all"
	equal "$(cat "$top/cpuset.cpus" "$top/a/cpuset.mems")" "$all"$'\n'"$(cat "${top%/*}/cpuset.mems")"
	thole delete --force "$c"
	# The directory itself, below one that has less.
	rmdir "$top/a/b"
	mkdir "$top/a/c"
	echo 0 > "$top/a/cpuset.cpus"
	config --arg p "/thole-test-$c/a/c" '.linux.cgroupsPath = $p'
	detached sleep 1000
	equal "$(file_of cpuset cpuset.cpus)" 0
	equal "$(cat "$top/cpuset.cpus")" "$all"
	thole delete --force "$c"
	# With processors of the config's own.
	rmdir "$top/a" "$top"
	mkdir -p "$top/a"
	config --arg p "/thole-test-$c/a/new" '.linux.cgroupsPath = $p | .linux.resources.cpu = { cpus: "0" }'
	detached sleep 1000
	equal "$(file_of cpuset cpuset.cpus)" 0
	equal "$(cat "$top/a/cpuset.cpus")" "$all"
	thole delete --force "$c"
	rmdir "$top/a" "$top"
}

# covers: linux.resources.devices
@test "devices: the list that the kernel shows" {
	detached sleep 1000
	file_of devices devices.list > "$T/list"
	not grep -q '^a' "$T/list"
	local d
	for d in 'c 1:3 rwm' 'c 1:5 rwm' 'c 1:7 rwm' 'c 1:8 rwm' 'c 1:9 rwm' 'c 5:0 rwm' 'c 5:2 rwm' 'c 136:\* rwm' 'c 10:200 rwm'; do
		grep -qx "$d" "$T/list" || fail "no '$d' in $(cat "$T/list")"
	done
}

@test "a limit that the kernel refuses is an error with the field's path, and nothing is left" {
	config '.linux.resources.cpu = { cpus: "4095" }'
	args true
	refused 125 'linux.resources.cpu.cpus' thole run --bundle "$B" "$c"
	wait_for nothing_left
	config '.linux.resources.cpu = { period: 1 }'
	refused 125 'linux.resources.cpu.period' thole run --bundle "$B" "$c"
	wait_for nothing_left
}

@test "a cgroup path that is the root or leads upwards is refused" {
	args true
	local p
	for p in / /.. ../../x /a/../../b; do
		config --arg p "$p" '.linux.cgroupsPath = $p'
		refused 125 'cgroupsPath|cgroup' thole run --bundle "$B" "$c"
	done
}

@test "dots in the name of a container or of a group lead nowhere" {
	args true
	thole run --bundle "$B" "a..b-$c" < /dev/null
	config --arg p "/thole-test-$c..x/..y/z../..." '.linux.cgroupsPath = $p'
	detached sleep 1000
	grep -qF ":pids:/thole-test-$c..x/..y/z../..." "/proc/$(init_of "$c")/cgroup"
}

@test "a child group whose name begins with a dot is seen as any other" {
	detached sleep 1000
	thole exec -d "$c" sleep 1001
	local dir pid
	dir=$(cgroup_of "$c" freezer)
	pid=$(grep -vx "$(init_of "$c")" "$dir/cgroup.procs")
	mkdir "$dir/.child"
	echo "$pid" > "$dir/.child/cgroup.procs"
	thole ps "$c" | grep -q 'sleep 1001'
	thole kill --all "$c" TERM
	gone() { [ ! -s "$dir/.child/cgroup.procs" ]; }
	wait_for gone
	is "$c" running
	thole delete --force "$c"
	[ ! -e "$dir" ]
}

@test "two containers cannot have one group" {
	config --arg p "/thole-shared-$c" '.linux.cgroupsPath = $p'
	detached sleep 1000
	args true
	refused 125 "thole-shared-$c" thole run --bundle "$B" "$c-2"
	is "$c" running
}

@test "a creation that fails leaves nothing of its limits in a group that it has found" {
	needs cgroup-v1
	local group=/thole-$c dir=/sys/fs/cgroup/pids/thole-$c
	mkdir "$dir"
	config --arg g "$group" '.linux.cgroupsPath = $g | .linux.resources.pids = { limit: 3 }'
	args true
	refused 125 '/nonexistent/x' thole run --log-path /nonexistent/x/y --bundle "$B" "$c"
	[ ! -d "$dir" ] || equal "$(cat "$dir/pids.max")" max
	mkdir -p "$dir"
	config '.hooks = { createRuntime: [{ path: "/bin/false" }] }'
	refused 125 'createRuntime' thole run --bundle "$B" "$c"
	[ ! -d "$dir" ] || equal "$(cat "$dir/pids.max")" max
	config 'del(.hooks) | del(.linux.resources.pids)'
	equal "$(thole run --bundle "$B" "$c" < /dev/null)" ''
	[ ! -d "$dir" ] || rmdir "$dir"
}

@test "a group with somebody else's below it is not taken, and nobody in it is killed" {
	local par=/thole-test-$c dir pid
	config --arg p "$par/a" '.linux.cgroupsPath = $p'
	detached sleep 1000
	bundle 2
	args true
	config --arg p "$par" '.linux.cgroupsPath = $p'
	refused 125 "linux.cgroupsPath: cgroup '.*$par' is in use by other processes" thole run --bundle "$B" "$c-2"
	is "$c" running
	equal "$(cat "$(cgroup_of "$c" devices)/cgroup.procs")" "$(init_of "$c")"
	thole delete --force "$c"
	# The same of a process that is nobody's container, in one hierarchy alone; what there is in the others stays as it was.
	for dir in devices freezer memory pids; do
		mkdir -p "/sys/fs/cgroup/$dir$par/b/.c"
	done
	in_background sleep 1000
	pid=${STARTED[-1]}
	echo "$pid" > "/sys/fs/cgroup/pids$par/b/.c/cgroup.procs"
	refused 125 "linux.cgroupsPath: cgroup '.*$par' is in use by other processes" thole run --bundle "$B" "$c-2"
	equal "$(cat "/sys/fs/cgroup/pids$par/b/.c/cgroup.procs")" "$pid"
	for dir in devices freezer memory pids; do
		[ -d "/sys/fs/cgroup/$dir$par/b/.c" ]
	done
	[ ! -e "/sys/fs/cgroup/cpuset$par" ]
	kill -KILL "$pid"
	exits 137 wait "$pid"
	free() { ! grep -q . "/sys/fs/cgroup/pids$par/b/.c/cgroup.procs"; }
	wait_for free
	# The kernel takes no device rules where there are groups below, and nothing of what was there has gone for that.
	refused 125 'linux.resources.devices: ' thole run --bundle "$B" "$c-2"
	[ ! -e "/sys/fs/cgroup/cpuset$par" ]
	for dir in devices freezer memory pids; do
		rmdir "/sys/fs/cgroup/$dir$par/b/.c" "/sys/fs/cgroup/$dir$par/b" "/sys/fs/cgroup/$dir$par"
	done
}

# covers: run --shim-cgroup
@test "--shim-cgroup: own is one shared group in name=systemd, keep leaves the shim where it was" {
	args sleep 1000
	thole run -d --shim-cgroup=keep --bundle "$B" "$c" < /dev/null
	equal "$(cat "/proc/$(shim_of "$c")/cgroup")" "$(cat /proc/self/cgroup)"
	thole delete --force "$c"
	thole run -d --bundle "$B" "$c" < /dev/null
	grep -q ':name=systemd:/thole-shims$' "/proc/$(shim_of "$c")/cgroup" || not grep -q name=systemd /proc/self/cgroup
	equal "$(grep :pids: "/proc/$(shim_of "$c")/cgroup")" "$(grep :pids: /proc/self/cgroup)"
}

@test "the shim is born in its group of v2, for which nothing has to wait, and the container's group is its caller's" {
	needs cgroup2 strace
	local v2 below
	v2=$(findmnt -n -o TARGET -t cgroup2 | head -1)
	below=$v2/thole-caller-$BATS_TEST_NUMBER-$$
	mkdir "$below" "$below/caller"
	in_group() { bash -c 'echo $$ > "$0/cgroup.procs"; exec "$@"' "$below/caller" "$@"; }
	args sleep 1000
	in_group "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null
	equal "$(grep '^0::' "/proc/$(shim_of "$c")/cgroup")" 0::/thole-shims
	# In v2 it is made beside the caller's.
	contains "$(grep '^0::' "/proc/$(thole state "$c" | jq .pid)/cgroup")" "${below#"$v2"}/thole-$c"
	thole delete --force "$c"
	args true
	in_group strace -f -o "$T/calls" -e trace=openat,clone3 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null
	grep -q 'openat.*/thole-shims"' "$T/calls"
	grep -q 'clone3(.*CLONE_VFORK|CLONE_INTO_CGROUP' "$T/calls"
	not grep -q 'thole-shims/cgroup.procs' "$T/calls"
	rmdir "$below/caller" "$below"
}

@test "the end of the group from which it was started does not end the container" {
	# As a job manager does: everything that is in the job's group (name=systemd) is killed.
	local job
	job=$(awk '$3 == "cgroup" && $4 ~ /name=systemd/ { print $2 }' /proc/mounts | head -1)
	[ -n "$job" ] || skip "needs: name=systemd hierarchy"
	job=$job/job-$c
	mkdir "$job"
	args sleep 1000
	sh -c 'echo $$ > "$1/cgroup.procs"; exec "$2" --root "$3" run -d --bundle "$4" "$5" < /dev/null' sh "$job" "$THOLE" "$ROOT" "$B" "$c"
	not grep -qx "$(shim_of "$c")" "$job/cgroup.procs"
	is "$c" running
	thole delete --force "$c"
	rmdir "$job"
}

# covers: thole --cgroup-manager
@test "--cgroup-manager disabled: no cgroup is made, limits are refused by name, device rules are not in the way" {
	config '.linux.cgroupsPath = "/thole-disabled" | del(.linux.namespaces[] | select(.type == "cgroup"))'
	in_container() { args "${@:1}"; thole --cgroup-manager disabled run --bundle "$B" "$c"; }
	equal "$(in_container cat /proc/self/cgroup < /dev/null | sort)" "$(sort /proc/self/cgroup)"
	args sleep 1000
	thole --cgroup-manager disabled run -d --bundle "$B" "$c" < /dev/null
	equal "$(find /sys/fs/cgroup -name thole-disabled)" ''
	equal "$(thole exec "$c" echo ok)" ok
	refused 1 'no cgroup' thole pause "$c"
	refused 1 'no cgroup' thole stats --no-stream "$c"
	refused 1 'no cgroup' thole events --memory-pressure low "$c"
	# Its end is told without one.
	local events sockets
	connections() { find "/proc/$(shim_of "$c")/fd" -lname 'socket:*' | wc -l; }
	connected() { [ "$(connections)" -gt "$sockets" ]; }
	sockets=$(connections)
	in_background timeout 20 "$THOLE" --root "$ROOT" events "$c" > "$T/events" < /dev/null
	events=$!
	wait_for connected
	thole kill "$c" KILL
	exits 0 wait $events
	equal "$(jq -r .type "$T/events")" exit
	thole delete --force "$c"
	config '.linux.resources.pids = { limit: 5 }'
	refused 125 'linux.resources.pids.limit: .*no cgroup' thole --cgroup-manager disabled run --bundle "$B" "$c"
	# Whatever hierarchy it would be of, and whether the host has it or not.
	local r field
	for r in 'network.classID { "network": { "classID": 5 } }' \
		'network.priorities[0] { "network": { "priorities": [{ "name": "lo", "priority": 1 }] } }' \
		'unified.memory.high { "unified": { "memory.high": "4194304" } }' \
		'hugepageLimits[0] { "hugepageLimits": [{ "pageSize": "2MB", "limit": 0 }] }' \
		'rdma.mlx5_0 { "rdma": { "mlx5_0": { "hcaHandles": 1 } } }' \
		'blockIO.weight { "blockIO": { "weight": 100 } }' \
		'blockIO.leafWeight { "blockIO": { "leafWeight": 100 } }' \
		'blockIO.throttleReadBpsDevice[0] { "blockIO": { "throttleReadBpsDevice": [{ "major": 8, "minor": 0, "rate": 1 }] } }' \
		'memory.swappiness { "memory": { "swappiness": 5 } }'; do
		field=${r%% *}
		config --argjson r "${r#* }" '.linux.resources = $r'
		refused 125 "linux.resources.${field//[/\\[}: the container has no cgroup" thole --cgroup-manager disabled run --bundle "$B" "$c"
	done
}

# covers: thole --rootless
@test "--rootless true for root: with the right to make cgroups they are made" {
	args sleep 1000
	thole --rootless true run -d --bundle "$B" "$c" < /dev/null
	[ -d "$(cgroup_of "$c" "$(v1_or_v2 pids '')")" ]
}
