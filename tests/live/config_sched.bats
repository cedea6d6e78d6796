# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# process.scheduler, ioPriority, execCPUAffinity; linux.memoryPolicy and personality.
load lib

setup_test() { bundle; }

# "policy nice priority" of a process, as the kernel's stat file has them (fields 41, 19, 40)
sched_of() { # PID
	sed 's/.*) //' "/proc/$1/stat" | awk '{ print $39, $17, $38 }'
}

# covers: process.scheduler.{policy,nice}
@test "process.scheduler: policy, nice and priority, of the first process and of exec'd ones" {
	config '.process.scheduler = { policy: "SCHED_BATCH", nice: 7 }'
	detached sleep 1000
	equal "$(sched_of "$(init_of "$c")")" '3 7 0'
	equal "$(thole exec "$c" sh -c 'sed "s/.*) //" /proc/self/stat' < /dev/null | awk '{ print $39, $17 }')" '3 7'
	bundle second
	config '.process.scheduler = { policy: "SCHED_IDLE" }'
	args sleep 1000
	thole run -d --bundle "$B" "$c-2" < /dev/null
	equal "$(sched_of "$(init_of "$c-2")")" '5 0 0'
}

@test "process.scheduler: what the kernel refuses is an error that names it" {
	config '.process.scheduler = { policy: "SCHED_DEADLINE", runtime: 5, deadline: 3, period: 4 }'
	args true
	refused 125 '^thole: process\.scheduler: .*' thole run --bundle "$B" "$c"
	config '.process.scheduler = { policy: "SCHED_FIFO" }'
	refused 125 'process\.scheduler\.priority' thole run --bundle "$B" "$c"
	nothing_left || wait_for nothing_left
}

# covers: process.scheduler.{priority,flags,runtime,deadline,period}
@test "process.scheduler: real-time policies with their parameters, and a flag that keeps them from children" {
	config '.process.scheduler = { policy: "SCHED_RR", priority: 7, flags: ["SCHED_FLAG_RESET_ON_FORK"] }'
	# Kernels that divide real time among groups give a new one none.
	if compgen -G '/sys/fs/cgroup/cpu*/cpu.rt_runtime_us' > /dev/null; then
		config '.linux.resources.cpu = { realtimePeriod: 1000000, realtimeRuntime: 1000 }'
	fi
	args sh -c 'sed "s/.*) //" /proc/$$/stat; sed "s/.*) //" /proc/self/stat; true'
	thole run --bundle "$B" "$c" < /dev/null | awk '{ print $39, $38 }' > "$T/out"
	equal "$(cat "$T/out")" $'2 7\n0 0'
	config '.process.scheduler = { policy: "SCHED_DEADLINE", runtime: 5000000, deadline: 20000000, period: 40000000 }'
	# Such a process may not fork.
	in_container sed 's/.*) //' /proc/self/stat < /dev/null | awk '{ print $39 }' > "$T/out"
	equal "$(cat "$T/out")" 6
}

# covers: process.ioPriority
@test "process.ioPriority" {
	config '.process.ioPriority = { class: "IOPRIO_CLASS_IDLE", priority: 0 }'
	detached sleep 1000
	matches "$(ionice -p "$(init_of "$c")")" '^idle'
	bundle second
	config '.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 }'
	args sleep 1000
	thole run -d --bundle "$B" "$c-2" < /dev/null
	equal "$(ionice -p "$(init_of "$c-2")")" 'best-effort: prio 6'
}

# covers: process.execCPUAffinity
@test "process.execCPUAffinity is for exec'd processes only" {
	config '.process.execCPUAffinity = { initial: "0", final: "1" }'
	local all
	all=$(sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status)
	[ "$(nproc)" -gt 1 ] || skip 'needs: two cpus'
	detached sleep 1000
	equal "$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$(init_of "$c")/status")" "$all"
	equal "$(thole exec "$c" sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status < /dev/null)" 1
	config '.process.execCPUAffinity = { final: "1000" }'
	args sleep 1000
	thole run -d --bundle "$B" "$c-2" < /dev/null
	refused 255 'process\.execCPUAffinity\.final: .*' "$THOLE_OCI" --root "$ROOT" exec "$c-2" true
}

@test "a process may run on every processor, wherever its caller is bound to" {
	local all
	all=$(sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status)
	[ "$(nproc)" -gt 1 ] || skip 'needs: two cpus'
	args sleep 1000
	taskset -c 0 "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null
	equal "$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$(init_of "$c")/status")" "$all"
	equal "$(thole exec "$c" taskset -p 1 | sed 's/.*: //')" "$(taskset -p $$ | sed 's/.*: //')"
	equal "$(taskset -c 0 "$THOLE" --root "$ROOT" exec "$c" sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status < /dev/null)" "$all"
}

@test "and only on those that its cpuset group leaves it" {
	[ "$(nproc)" -gt 1 ] || skip 'needs: two cpus'
	config '.linux.resources.cpu.cpus = "1"'
	detached sleep 1000
	equal "$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$(init_of "$c")/status")" 1
	equal "$(taskset -c 0 "$THOLE" --root "$ROOT" exec "$c" sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status < /dev/null)" 1
}

# covers: linux.memoryPolicy
@test "linux.memoryPolicy" {
	config '.linux.memoryPolicy = { mode: "MPOL_INTERLEAVE", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] }'
	detached sleep 1000
	matches "$(head -1 "/proc/$(init_of "$c")/numa_maps")" ' interleave=static:0 '
	matches "$(thole exec "$c" head -1 /proc/self/numa_maps < /dev/null)" ' interleave=static:0 '
	bundle second
	args true
	config '.linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "900" }'
	refused 125 'linux\.memoryPolicy: ' thole run --bundle "$B" "$c-2"
}

# covers: linux.personality.domain
@test "linux.personality" {
	config '.linux.personality = { domain: "LINUX32" }'
	[ "$(uname -m)" = x86_64 ] || skip 'needs: x86_64'
	equal "$(in_container uname -m < /dev/null)" i686
	config '.linux.personality = { domain: "LINUX" }'
	equal "$(in_container uname -m < /dev/null)" x86_64
}
