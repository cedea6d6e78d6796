# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v1
# The less common limits: block devices, huge pages, v2's files by their names, RDMA and network classes.
load lib

V2=/sys/fs/cgroup/unified

setup_test() {
	bundle
	had_hugetlb=$(grep -cw hugetlb $V2/cgroup.subtree_control 2> /dev/null || true)
}

# The runtime hands the controller down; the host gets it back as it was.
teardown_test() {
	thole delete --force "$c" 2> /dev/null || true
	[ "$had_hugetlb" != 0 ] || echo -hugetlb > $V2/cgroup.subtree_control 2> /dev/null || true
}

file_of() { # CONTROLLER FILE
	cat "$(cgroup_of "$c" "$1")/$2"
}

v2_file() { cat "$V2$(sed -n 's/^0:://p' "/proc/$(init_of "$c")/cgroup")/$1"; }

needs_v2_hugetlb() { grep -qw hugetlb $V2/cgroup.controllers 2> /dev/null || skip 'needs: hugetlb in v2'; }

a_disk() { lsblk -dno MAJ:MIN,TYPE 2> /dev/null | awk '$2 == "disk" { print $1; exit }'; }

# covers: linux.resources.blockIO.{throttleReadBpsDevice,throttleWriteBpsDevice,throttleWriteIOPSDevice}, update --resources
@test "blockIO: throttles of a device, set at create and by update, and taken away again" {
	local disk
	disk=$(a_disk)
	[ "$disk" ] || skip 'needs: a disk'
	config --argjson a "${disk%:*}" --argjson b "${disk#*:}" '.linux.resources.blockIO = {
		throttleReadBpsDevice: [{ major: $a, minor: $b, rate: 1048576 }], throttleWriteIOPSDevice: [{ major: $a, minor: $b, rate: 77 }] }'
	detached sleep 1000
	equal "$(file_of blkio blkio.throttle.read_bps_device)" "$disk 1048576"
	equal "$(file_of blkio blkio.throttle.write_iops_device)" "$disk 77"
	jq -n --argjson a "${disk%:*}" --argjson b "${disk#*:}" '{ blockIO: { throttleReadBpsDevice: [{ major: $a, minor: $b, rate: 2097152 }], throttleWriteBpsDevice: [{ major: $a, minor: $b, rate: 5 }] } }' > "$T/r.json"
	# One that is refused takes the others back, line by line.
	jq '.pids.limit = 99999999999 | .blockIO.throttleWriteIOPSDevice = [{ major: 4000, minor: 9, rate: 1 }]' "$T/r.json" > "$T/bad.json"
	refused 1 'linux.resources.blockIO.throttleWriteIOPSDevice\[0\]|linux.resources.pids.limit' thole update -r "$T/bad.json" "$c"
	equal "$(file_of blkio blkio.throttle.read_bps_device)" "$disk 1048576"
	equal "$(file_of blkio blkio.throttle.write_bps_device)" ''
	thole update -r "$T/r.json" "$c"
	equal "$(file_of blkio blkio.throttle.read_bps_device)" "$disk 2097152"
	equal "$(file_of blkio blkio.throttle.write_bps_device)" "$disk 5"
	jq '.blockIO[][].rate = 0' "$T/r.json" | thole update -r - "$c"
	equal "$(file_of blkio blkio.throttle.read_bps_device)" ''
}

# covers: linux.resources.blockIO.weight, update --blkio-weight
@test "blockIO: a weight is set, or refused by its name where no scheduler has weights" {
	config '.linux.resources.blockIO = { weight: 300 }'
	args sleep 1000
	if ! compgen -G '/sys/fs/cgroup/blkio/*/blkio.*weight' > /dev/null && ! [ -e /sys/fs/cgroup/blkio/blkio.weight ]; then
		mkdir "/sys/fs/cgroup/blkio/probe-$c"
		if ! compgen -G "/sys/fs/cgroup/blkio/probe-$c/blkio.*weight" > /dev/null; then
			rmdir "/sys/fs/cgroup/blkio/probe-$c"
			refused 1 "linux.resources.blockIO.weight: the host's cgroups have no such weight" thole create --bundle "$B" "$c"
			return
		fi
		rmdir "/sys/fs/cgroup/blkio/probe-$c"
	fi
	detached sleep 1000
	matches "$(cat "$(cgroup_of "$c" blkio)"/blkio*.weight)" '300'
	thole update --blkio-weight 700 "$c"
	matches "$(cat "$(cgroup_of "$c" blkio)"/blkio*.weight)" '700'
}

# covers: linux.resources.memory.{swappiness,disableOOMKiller,kernel,kernelTCP,useHierarchy}
@test "memory: swappiness, no OOM killer, a check before update; what kernels have no more is ignored" {
	config '.linux.resources.memory = { limit: 67108864, swappiness: 17, disableOOMKiller: true, kernel: 33554432, kernelTCP: 33554432, useHierarchy: true }'
	detached sh -c 'dd if=/dev/zero of=/dev/shm/f bs=1M count=8 2> /dev/null; exec sleep 1000'
	equal "$(file_of memory memory.swappiness)" 17
	contains "$(file_of memory memory.oom_control)" 'oom_kill_disable 1'
	equal "$(file_of memory memory.limit_in_bytes)" 67108864
	used() { [ "$(file_of memory memory.usage_in_bytes)" -gt 8388608 ]; }
	wait_for used
	# Of v1 the kernel refuses it itself: that it is asked for changes nothing. Of v2 it would kill: tests/unit/cgroup_plan_test.c.
	echo '{ "memory": { "limit": 1048576, "checkBeforeUpdate": true } }' > "$T/r.json"
	refused 1 'linux.resources.memory.limit: ' thole update -r "$T/r.json" "$c"
	equal "$(file_of memory memory.limit_in_bytes)" 67108864
}

# covers: linux.resources.cpu.{burst,idle,realtimePeriod,realtimeRuntime}
@test "cpu: burst and idle; real-time shares are refused by name where the kernel has none" {
	config '.linux.resources.cpu = { period: 100000, quota: 50000, burst: 20000 }'
	detached sleep 1000
	equal "$(file_of cpu cpu.cfs_burst_us)" 20000
	thole delete --force "$c"
	config '.linux.resources.cpu = { idle: 1 }'
	detached sleep 1000
	equal "$(file_of cpu cpu.idle)" 1
	thole delete --force "$c"
	config '.linux.resources.cpu = { realtimePeriod: 500000, realtimeRuntime: 1000 }'
	if compgen -G '/sys/fs/cgroup/cpu*/cpu.rt_runtime_us' > /dev/null; then
		detached sleep 1000
		equal "$(file_of cpu cpu.rt_period_us) $(file_of cpu cpu.rt_runtime_us)" '500000 1000'
	else
		args sleep 1000
		refused 1 'linux.resources.cpu.realtime(Period|Runtime): ' thole create --bundle "$B" "$c"
	fi
}

# covers: linux.resources.hugepageLimits
@test "hugepageLimits, by the controller of v2 on a hybrid host" {
	needs_v2_hugetlb
	config '.linux.resources.hugepageLimits = [{ pageSize: "2MB", limit: 6291456 }]'
	detached sleep 1000
	equal "$(v2_file hugetlb.2MB.max)" 6291456
	equal "$(v2_file hugetlb.2MB.rsvd.max)" 6291456
	thole delete --force "$c"
	config '.linux.resources.hugepageLimits = [{ pageSize: "3MB", limit: 1 }]'
	refused 1 'linux.resources.hugepageLimits\[0\]: no cgroup limits huge pages of 3MB here' thole create --bundle "$B" "$c"
	nothing_left
}

# covers: linux.resources.unified
@test "unified: files of v2 by their names" {
	needs_v2_hugetlb
	config '.linux.resources.unified = { "hugetlb.2MB.max": "4194304", "cgroup.max.depth": "3" }'
	detached sleep 1000
	equal "$(v2_file hugetlb.2MB.max)" 4194304
	equal "$(v2_file cgroup.max.depth)" 3
	thole delete --force "$c"
	config '.linux.resources.unified = { "memory.high": "1" }'
	refused 1 "linux.resources.unified.memory.high: the host's cgroup v2 has no such file" thole create --bundle "$B" "$c"
	config '.linux.resources.unified = { "../x.y": "1" }'
	refused 1 "linux.resources.unified.../x.y: is no file of a control group's limits" thole create --bundle "$B" "$c"
	# Somebody else's process would end with the container.
	in_background sleep 100
	config --arg p $! '.linux.resources.unified = { "cgroup.procs": $p }'
	refused 1 "linux.resources.unified.cgroup.procs: is no file of a control group's limits" thole create --bundle "$B" "$c"
	config '.linux.resources.unified = { "cgroup.max.depth": "many" }'
	refused 1 'linux.resources.unified.cgroup.max.depth: cannot write' thole create --bundle "$B" "$c"
	nothing_left
}

# covers: linux.resources.network.{classID,priorities}, linux.resources.rdma
@test "what the host has no controller for is refused by its name, and leaves nothing" {
	args sleep 1000
	if ! grep -q ' cgroup .*net_cls' /proc/mounts; then
		config '.linux.resources.network = { classID: 1048577 }'
		refused 1 'linux.resources.network.classID: no net_cls cgroup is mounted' thole create --bundle "$B" "$c"
		config '.linux.resources.network = { priorities: [{ name: "lo", priority: 5 }] }'
		refused 1 'linux.resources.network.priorities\[0\]: no net_prio cgroup is mounted' thole create --bundle "$B" "$c"
	fi
	if ! grep -q '^rdma' /proc/cgroups; then
		config '.linux.resources.network = {} | .linux.resources.rdma = { mlx5_1: { hcaHandles: 3 } }'
		refused 1 'linux.resources.rdma.mlx5_1: no cgroup limits RDMA here' thole create --bundle "$B" "$c"
	fi
	nothing_left
}

# On one processor: of what is charged the kernel keeps up to 64 pages back on each (MEMCG_CHARGE_BATCH), and what another one keeps is handed back by a work item there, which a busy machine
# may run too late for a limit of 64 pages. Of 1,500 starts beside a load 12 failed so, none on one processor.
@test "a static program starts under a memory limit of 256 KiB" {
	config --arg cpu "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')" '.linux.resources.memory = { limit: 262144 } | .linux.resources.cpu = { cpus: $cpu }'
	exits 0 in_container /usr/bin/nothing < /dev/null
}

@test "a memory limit too low for the start is said to be it, and nothing is left" {
	config '.linux.resources.memory = { limit: 16384 } | .process.args = ["/usr/bin/nothing"]'
	refused 125 'linux.resources.memory.limit: too low' thole run --bundle "$B" "$c"
	equal "$(thole list -q)" ''
	# In between the kernel may kill it when execve(2) cannot fail any more: 137, and why.
	local kib status
	for ((kib = 32; kib <= 256; kib += 16)); do
		config --argjson limit $((kib * 1024)) '.linux.resources.memory.limit = $limit'
		status=0
		thole run --bundle "$B" "$c" > "$T/out" 2> "$T/err" < /dev/null || status=$?
		[ $status = 0 ] || matches "$(cat "$T/err")" 'linux.resources.memory.limit(: too low|, [0-9]* bytes, is too low)' "with $kib KiB: $status" || return 1
		echo "$kib $status" >> "$T/statuses"
	done
	contains "$(cat "$T/statuses")" 125
	equal "$(thole list -q)" ''
}
