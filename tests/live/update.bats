# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v1
# update: new limits on a live container, as the v1 files show them; all or none.
load lib

setup_test() {
	bundle
	config '.linux.resources.memory = { limit: 67108864, swap: 134217728 } | .linux.resources.pids = { limit: 50 }'
	detached sleep 1000
}

file_of() { # CONTROLLER FILE
	cat "$(cgroup_of "$c" "$1")/$2"
}

memory_is() { # LIMIT SWAP
	equal "$(file_of memory memory.limit_in_bytes)" "$1" 'limit'
	equal "$(file_of memory memory.memsw.limit_in_bytes)" "$2" 'memory and swap'
}

# covers: update, update --memory, update --memory-swap
@test "memory and swap are raised and lowered together, whatever the kernel's order is" {
	memory_is 67108864 134217728
	thole update --memory 268435456 --memory-swap 536870912 "$c"
	memory_is 268435456 536870912
	thole update --memory 33554432 --memory-swap 33554432 "$c"
	memory_is 33554432 33554432
	# The kernel of v1 says EINVAL. On v2 it is no limit of memory and swap together.
	if has_cgroup-v1; then refused 1 'linux.resources.memory.limit: 62914560 is above the limit of memory and swap together, which is 33554432' thole update --memory 60m "$c"; fi
	thole update --memory 0.125GiB --memory-swap "256 MB" "$c"
	memory_is 134217728 268435456
	thole update --memory -1 "$c"
	[ "$(file_of memory memory.limit_in_bytes)" -gt 1000000000000 ]
	[ "$(file_of memory memory.memsw.limit_in_bytes)" -gt 1000000000000 ]
	thole update --memory 64m "$c"
	equal "$(file_of memory memory.limit_in_bytes)" 67108864
}

# covers: update --memory-reservation, update --pids-limit, update --cpu-share, update --cpu-period, update --cpu-quota
# covers: update --cpu-burst, update --cpu-idle, update --cpuset-cpus, update --cpuset-mems
@test "every other option reaches its file" {
	thole update --memory-reservation 32m --pids-limit 77 --cpu-share 512 --cpu-period 50000 --cpu-quota 25000 --cpuset-cpus 0 --cpuset-mems 0 "$c"
	equal "$(file_of memory memory.soft_limit_in_bytes)" 33554432
	equal "$(file_of pids pids.max)" 77
	equal "$(file_of cpu cpu.shares)" 512
	equal "$(file_of cpu cpu.cfs_period_us)" 50000
	equal "$(file_of cpu cpu.cfs_quota_us)" 25000
	equal "$(file_of cpuset cpuset.cpus)" 0
	thole update --pids-limit -1 --cpu-quota -1 "$c"
	equal "$(file_of pids pids.max)" max
	equal "$(file_of cpu cpu.cfs_quota_us)" -1
	thole update --cpu-burst 0 --cpu-idle 1 "$c"
	equal "$(file_of cpu cpu.idle)" 1
	memory_is 67108864 134217728
}

# covers: update --kernel-memory, update --kernel-memory-tcp, update --cpu-rt-period, update --cpu-rt-runtime
@test "limits that kernels have no more are taken and ignored; real-time shares where there are any" {
	thole update --kernel-memory 32m --kernel-memory-tcp 16m "$c"
	memory_is 67108864 134217728
	if [ -e "$(cgroup_of "$c" cpu)/cpu.rt_runtime_us" ]; then
		thole update --cpu-rt-period 500000 --cpu-rt-runtime 0 "$c"
		equal "$(file_of cpu cpu.rt_period_us)" 500000
	else
		refused 1 'linux.resources.cpu.realtimePeriod: ' thole update --cpu-rt-period 500000 "$c"
		refused 1 'linux.resources.cpu.realtimeRuntime: ' thole update --cpu-rt-runtime 1000 "$c"
	fi
}

@test "cpu: the shares hold again when the group is idle no more; an idle one takes none" {
	thole update --cpu-share 512 "$c"
	thole update --cpu-idle 1 "$c"
	equal "$(file_of cpu cpu.idle)" 1
	refused 1 'linux.resources.cpu.shares: means nothing while cpu.idle is 1' thole update --cpu-share 600 "$c"
	thole update --cpu-idle 0 "$c"
	equal "$(file_of cpu cpu.idle) $(file_of cpu cpu.shares)" '0 512'
	thole update --cpu-idle 1 "$c"
	thole update --cpu-idle 1 --cpu-share 700 "$c"
	equal "$(file_of cpu cpu.idle)" 1
	thole update --cpu-idle 0 "$c"
	equal "$(file_of cpu cpu.shares) $(thole_state "$c" .container.resources.cpu.shares)" '700 700'
	thole update --cpu-idle 1 "$c"
	thole update --cpu-idle 0 --cpu-share 300 "$c"
	equal "$(file_of cpu cpu.shares)" 300
	thole update --cpu-idle 1 "$c"
	refused 1 'linux.resources.pids.limit: ' thole update --cpu-idle 0 --pids-limit 99999999999 "$c"
	equal "$(file_of cpu cpu.idle)" 1
}

# covers: update --resources
@test "--resources FILE and -: what is absent or 0 stays, and the other options mean nothing" {
	echo '{ "memory": { "limit": 50331648, "reservation": 0, "swap": 0 }, "cpu": { "shares": 0, "quota": 0, "period": 0, "realtimeRuntime": 0, "realtimePeriod": 0, "cpus": "", "mems": "" }, "blockIO": { "weight": 0 } }' > "$T/r.json"
	thole update --resources "$T/r.json" --pids-limit 3 "$c"
	memory_is 50331648 134217728
	equal "$(file_of pids pids.max)" 50
	echo '{ "pids": { "limit": 9 } }' | thole update -r - "$c"
	equal "$(file_of pids pids.max)" 9
}

@test "one refused value: all the others are set back, and the error names its field" {
	local shares
	shares=$(file_of cpu cpu.shares)
	refused 1 'linux.resources.cpu.cpus: cannot write .4095' thole update --memory 256m --memory-swap 512m --cpu-share 333 --cpu-period 40000 --cpu-quota 20000 --cpuset-cpus 4095 "$c"
	memory_is 67108864 134217728
	equal "$(file_of cpu cpu.shares)" "$shares"
	equal "$(file_of cpu cpu.cfs_quota_us)" -1
	equal "$(file_of cpu cpu.cfs_period_us)" 100000
	refused 1 'linux.resources.pids.limit: ' thole update --memory 32m --memory-swap 32m --pids-limit 99999999999 "$c"
	memory_is 67108864 134217728
	equal "$(thole_state "$c" '.container.resources // "none"')" none
}

@test "a limit below what is in use and cannot be freed is refused by a sentence" {
	needs cgroup-v1
	refused 1 'linux.resources.memory.limit: more than 4096 bytes are in use' thole update --memory 4096 "$c"
}

@test "what has changed is kept in state.json, and config.json is as it was" {
	cp "$ROOT/$c/config.json" "$T/before"
	thole update --memory 128m --memory-swap -1 --cpu-share 700 "$c"
	thole update --pids-limit 12 --cpu-quota 0 "$c"
	equal "$(thole_state "$c" '.container.resources | tojson')" '{"cpu":{"shares":700},"memory":{"limit":134217728,"swap":-1},"pids":{"limit":12}}'
	cmp "$ROOT/$c/config.json" "$T/before"
}

@test "without its shim, and while it is paused" {
	kill -KILL "$(shim_of "$c")"
	wait_for no_shims
	thole pause "$c"
	thole update --pids-limit 13 "$c"
	is "$c" paused
	equal "$(file_of pids pids.max)" 13
	thole resume "$c"
}

# covers: update --l3-cache-schema, update --mem-bw-schema
@test "bad input" {
	refused 1 "pids-limit: 'x' is no number" thole update --pids-limit x "$c"
	refused 1 "cpu-share: '01' is no number" thole update --cpu-share 01 "$c"
	refused 1 "memory is a size such as" thole update --memory 12q "$c"
	refused 1 "linux.intelRdt.l3CacheSchema: must be lines that begin with 'L3'" thole update --l3-cache-schema 'MB:0=f' "$c"
	refused 1 "linux.intelRdt.memBwSchema: must be one line that begins with 'MB:'" thole update --mem-bw-schema x --pids-limit 5 "$c"
	if ! grep -q ' - resctrl ' /proc/self/mountinfo; then
		refused 1 'linux.intelRdt: no resctrl file system is mounted' thole update --l3-cache-schema 'L3:0=f' --pids-limit 5 "$c"
		echo '{ "pids": { "limit": 5 } }' > "$T/r.json"
		refused 1 'linux.intelRdt: no resctrl file system is mounted' thole update -r "$T/r.json" --mem-bw-schema 'MB:0=5' "$c"
	fi
	equal "$(file_of pids pids.max)" 50
	refused 1 'linux.resources.memory.swap: is below memory.limit' thole update --memory 64m --memory-swap 32m "$c"
	echo '{ "pids": { "limit": "9" } }' > "$T/r.json"
	refused 1 'linux.resources.pids.limit: must be an integer' thole update -r "$T/r.json" "$c"
	echo '{ "pids": ' > "$T/r.json"
	refused 1 'resources: line [0-9]+, column' thole update -r "$T/r.json" "$c"
	echo '[]' > "$T/r.json"
	refused 1 'linux.resources: must be an object' thole update -r "$T/r.json" "$c"
	refused 1 "cannot open '$T/none'" thole update -r "$T/none" "$c"
	head -c 2000000 /dev/zero > "$T/r.json"
	refused 1 "larger than|too large" thole update -r "$T/r.json" "$c"
	memory_is 67108864 134217728
	thole kill "$c" KILL
	wait_for is "$c" stopped
	refused 1 "cannot update container '$c': it is stopped" thole update --pids-limit 5 "$c"
}
