# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v2
# linux.resources and cgroupsPath on a host that has only cgroup v2, as its files show them.
load ../live/lib

setup_test() { bundle; }

group() { cgroup_of "$c" memory; }
file() { cat "$(group)/$1"; }
resources() { config --argjson r "$1" '.linux.resources += $r'; }

@test "the group is beside the caller's, not below it; init is alone in it, and the shim is elsewhere" {
	detached sleep 1000
	equal "$(cat /proc/self/cgroup)" 0::/session
	equal "$(group)" "/sys/fs/cgroup/thole-$c"
	equal "$(file cgroup.procs)" "$(init_of "$c")"
	equal "$(cat "/proc/$(shim_of "$c")/cgroup")" 0::/thole-shims
	equal "$(thole_state "$c" '.container.cgroups // .container.cgroup | tojson' | grep -c "thole-$c")" 1
}

# covers: linux.cgroupsPath
@test "cgroupsPath absolute from the root, relative beside the caller's; controllers are enabled on the way; what was made goes" {
	resources '{ "pids": { "limit": 9 } }'
	config --arg p "/deep-$c/a/b" '.linux.cgroupsPath = $p'
	detached sleep 1000
	equal "$(group)" "/sys/fs/cgroup/deep-$c/a/b"
	equal "$(file pids.max)" 9
	thole delete --force "$c"
	equal "$(own_cgroups)" ''
	config --arg p "rel-$c/x" '.linux.cgroupsPath = $p'
	detached sleep 1000
	equal "$(group)" "/sys/fs/cgroup/rel-$c/x"
	thole delete --force "$c"
	equal "$(own_cgroups)" ''
}

@test "a group with somebody else's below it is not taken, and nobody in it is killed" {
	config --arg p "/deep-$c/.a" '.linux.cgroupsPath = $p'
	detached sleep 1000
	config --arg p "/deep-$c" '.linux.cgroupsPath = $p'
	args true
	refused 125 "linux.cgroupsPath: cgroup '.*/deep-$c' is in use by other processes" thole run --bundle "$B" "$c-2"
	is "$c" running
	equal "$(file cgroup.procs)" "$(init_of "$c")"
}

# covers: linux.resources.memory.{limit,reservation,swap}, update --memory, update --memory-swap
@test "memory: limit, reservation, swap without the memory, as v1 counts them together" {
	resources '{ "memory": { "limit": 67108864, "reservation": 33554432, "swap": 100663296 } }'
	detached sleep 1000
	equal "$(file memory.max) $(file memory.low) $(file memory.swap.max)" '67108864 33554432 33554432'
	thole update --memory 33554432 --memory-swap 33554432 "$c"
	equal "$(file memory.max) $(file memory.swap.max)" '33554432 0'
	thole update --memory-swap -1 --memory -1 "$c"
	equal "$(file memory.max) $(file memory.swap.max)" 'max max'
}

# covers: linux.resources.memory.limit
@test "the memory limit is enforced, and the end by it is seen" {
	resources '{ "memory": { "limit": 16777216, "swap": 16777216 } }'
	detached sh -c 'a=x; while :; do a="$a$a"; done'
	exits 137 thole wait "$c"
	equal "$(thole_state "$c" .container.exit.oomKilled)" true
}

# covers: linux.resources.cpu.{shares,quota,period,cpus,mems}, update --cpu-share, update --cpu-quota
@test "cpu: shares become a weight, quota and period cpu.max; cpuset" {
	resources '{ "cpu": { "shares": 1024, "quota": 25000, "period": 50000, "cpus": "0", "mems": "0" } }'
	detached sleep 1000
	equal "$(file cpu.max)" '25000 50000'
	# 1024 is what v1 gives by default, and 100 what v2 does: since runc 1.3.2 one becomes the other.
	equal "$(file cpu.weight)" 100
	equal "$(file cpuset.cpus) $(file cpuset.mems)" '0 0'
	thole update --cpu-share 2 "$c"
	equal "$(file cpu.weight)" 1
	thole update --cpu-share 262144 "$c"
	equal "$(file cpu.weight)" 10000
	thole update --cpu-quota -1 "$c"
	equal "$(file cpu.max)" 'max 50000'
}

# covers: linux.resources.pids.limit, update --pids-limit
@test "pids: the limit is enforced; update changes it" {
	resources '{ "pids": { "limit": 3 } }'
	# The shell that cannot fork ends, and not init.
	detached sh -c 'sh -c "for i in 1 2 3 4 5 6; do sleep 1000 & done"; sleep 1000'
	equal "$(file pids.max)" 3
	wait_for grep -q "can't fork" "$THOLE_LOG_DIR/$c/ctr.log"
	[ "$(file pids.current)" -le 3 ]
	thole update --pids-limit 17 "$c"
	equal "$(file pids.max)" 17
}

# covers: linux.resources.{hugepageLimits,unified}, linux.resources.rdma.*.hcaHandles
@test "hugepages, rdma, unified; a file that is not there is refused by its name" {
	resources '{ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4194304 }], "rdma": { "mlx5_0": { "hcaHandles": 3 } } }'
	# There is no such adapter: the kernel says so.
	refused 1 'linux.resources.rdma.mlx5_0' thole create --bundle "$B" "$c"
	config 'del(.linux.resources.rdma)'
	resources '{ "unified": { "memory.high": "8388608", "pids.max": "21" } }'
	detached sleep 1000
	equal "$(file hugetlb.2MB.max) $(file memory.high) $(file pids.max)" '4194304 8388608 21'
	thole delete --force "$c"
	resources '{ "unified": { "memory.bogus": "1" } }'
	refused 1 'linux.resources.unified.memory.bogus' thole create --bundle "$B" "$c"
	nothing_left
}

# A node with the numbers of /dev/tty1, made outside: only the group's program is in the way.
# covers: linux.resources.devices
@test "devices: a BPF program lets through what is allowed and nothing else" {
	mknod "$B/rootfs/dev-tty1" c 4 1
	mknod "$B/rootfs/dev-zero" c 1 5
	config '.linux.resources.devices = [{ allow: false, access: "rwm" }]'
	in_container sh -c 'head -c 1 /dev-zero | wc -c; head -c 1 < /dev-tty1 && echo open' < /dev/null > "$T/out" 2> "$T/err" || true
	equal "$(cat "$T/out")" 1
	contains "$(cat "$T/err")" 'Operation not permitted'
	config '.linux.resources.devices = [{ allow: false, access: "rwm" }, { allow: true, type: "c", major: 4, minor: 1, access: "r" }]'
	equal "$(in_container sh -c 'true < /dev-tty1 && echo readable; true > /dev-tty1 || echo not writable' < /dev/null 2> /dev/null)" $'readable\nnot writable'
}

# covers: pause, resume
@test "pause and resume through cgroup.freeze; kill --all and delete through cgroup.kill" {
	detached sh -c 'sleep 1000 & sleep 1000 & wait'
	wait_for logged_pids 3
	thole pause "$c"
	contains "$(file cgroup.events)" 'frozen 1'
	is "$c" paused
	thole resume "$c"
	contains "$(file cgroup.events)" 'frozen 0'
	is "$c" running
	thole pause "$c"
	thole delete --force "$c"
	equal "$(own_cgroups)" ''
}
logged_pids() { [ "$(wc -l < "$(group)/cgroup.procs")" = "$1" ]; }

# covers: events --stats, stats --no-stream
@test "statistics are those of the group's files, in runc's shape" {
	resources '{ "memory": { "limit": 67108864 }, "pids": { "limit": 31 } }'
	detached sleep 1000
	thole events --stats "$c" > "$T/out"
	told() { jq -r ".data | $1" "$T/out"; }
	equal "$(told '.pids | tojson')" '{"current":1,"limit":31}'
	equal "$(told .memory.usage.limit)" 67108864
	equal "$(told .memory.usage.usage)" "$(file memory.current)"
	equal "$(told .memory.raw.anon)" "$(file memory.stat | sed -n 's/^anon //p')"
	equal "$(told .cpu.usage.total)" "$(($(file cpu.stat | sed -n 's/^usage_usec //p') * 1000))"
	equal "$(told '.cpu.psi.some | has("avg10")')" true
	matches "$(thole stats --no-stream "$c")" "$c .*64.0MiB"
}

# covers: events
@test "OOM of a process that is not init is told while the container goes on" {
	resources '{ "memory": { "limit": 16777216, "swap": 16777216 } }'
	mkfifo "$B/rootfs/go"
	detached sh -c 'read -r x < /go; sh -c "a=x; while :; do a=\$a\$a; done"; sleep 1000'
	in_background "$THOLE" --root "$ROOT" events --interval 100ms "$c" > "$T/events"
	wait_for grep -q stats "$T/events"
	echo go > "$B/rootfs/go"
	wait_for grep -q '"type":"oom"' "$T/events"
	is "$c" running
	# Who is killed by somebody else now has not been ended by it.
	thole kill "$c" KILL
	exits 137 thole wait "$c"
	equal "$(thole state "$c" | jq .thole.exit.oomKilled)" false
}

# covers: events --memory-pressure
@test "memory pressure comes from memory.pressure" {
	# What goes beyond memory.high is held up until something has been reclaimed, and there is nothing.
	resources '{ "unified": { "memory.high": "4194304" } }'
	mkfifo "$B/rootfs/go"
	detached sh -c 'read -r x < /go; while :; do dd if=/dev/zero of=/dev/shm/f bs=64k count=500 2> /dev/null; done'
	in_background "$THOLE" --root "$ROOT" events --memory-pressure low "$c" > "$T/events"
	watched() { find "/proc/$(shim_of "$c")/fd" -lname '*memory.pressure' 2> /dev/null | grep -q .; }
	wait_for watched
	echo go > "$B/rootfs/go"
	wait_for grep -q '"type":"memory-pressure"' "$T/events"
}

# covers: exec, ps --format
@test "exec goes into the group, inside too; the namespace shows it as the root" {
	detached sleep 1000
	equal "$(thole exec "$c" cat /proc/self/cgroup)" 0::/
	thole exec -d "$c" sleep 999
	wait_for logged_pids 2
	equal "$(thole ps --format json "$c" | jq length)" 2
}

# covers: exec --cgroup
@test "exec --cgroup: a group below the container's" {
	detached sleep 1000
	mkdir "$(group)/sub"
	equal "$(thole exec --cgroup sub "$c" cat /proc/self/cgroup)" 0::/sub
	refused 125 "no controller 'pids'|no cgroup" thole exec --cgroup pids:none "$c" true
	refused 125 "no cgroup 'none'" thole exec --cgroup none "$c" true
}

# It gets the directory and the files that the kernel lists, when it can write there at all.
@test "delegation: the group belongs to the root of the container's user namespace, its limits do not" {
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings
		| (.mounts[] | select(.type == "cgroup") | .options) |= map(select(. != "ro"))'
	resources '{ "pids": { "limit": 20 } }'
	owned_rootfs 100000 100000
	detached sh -c 'cd /sys/fs/cgroup && mkdir inner && echo 1 > inner/cgroup.procs && echo +pids > cgroup.subtree_control && echo 7 > inner/pids.max && cat inner/pids.max; echo 30 > pids.max || echo limit stays; exec sleep 1000'
	wait_for logged "$c" 'limit stays'
	equal "$(thole logs "$c" 2> /dev/null | grep -v limit)" 7
	local f
	for f in . $(cat /sys/kernel/cgroup/delegate); do
		[ ! -e "$(group)/../$f" ] || equal "$(stat -c %u "$(group)/../$f")" 100000 "owner of $f"
	done
	equal "$(stat -c %u "$(group)/../pids.max")" 0
	# An exec'd process joins where init is: the upper group may have none.
	equal "$(thole exec "$c" cat /proc/self/cgroup)" 0::/inner
}

@test "/sys/fs/cgroup inside is the container's own group, and read-only" {
	equal "$(in_container sh -c 'read -r pid < /sys/fs/cgroup/cgroup.procs; echo $pid; mkdir /sys/fs/cgroup/x 2> /dev/null || echo no' < /dev/null | tr '\n' ' ')" '1 no '
	config '(.mounts[] | select(.type == "cgroup") | .options) |= map(select(. != "ro"))'
	equal "$(in_container sh -c 'mkdir /sys/fs/cgroup/x && rmdir /sys/fs/cgroup/x && echo made' < /dev/null)" made
}

@test "a limit that the kernel refuses is told by its field, and nothing is left" {
	args sleep 1000
	resources '{ "cpu": { "cpus": "77" } }'
	refused 1 'linux.resources.cpu.cpus' thole create --bundle "$B" "$c"
	config 'del(.linux.resources.cpu)'
	resources '{ "cpu": { "quota": 10, "period": 100000 } }'
	refused 1 'linux.resources.cpu.quota' thole create --bundle "$B" "$c"
	nothing_left
	equal "$(own_cgroups)" ''
}
