# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# linux.namespaces, hostname and domainname.
load lib

setup_test() { bundle; }

ns_inside() { # KIND
	in_container readlink "/proc/self/ns/$1" < /dev/null
}

# covers: linux.namespaces[].type
@test "the config of spec gives pid, network, ipc, uts, mount and cgroup namespaces of its own" {
	local kind
	equal "$(jq -r '[.linux.namespaces[].type] | sort | join(" ")' "$B/config.json")" 'cgroup ipc mount network pid uts'
	detached sleep 1000
	for kind in pid net ipc uts mnt cgroup; do
		matches "$(readlink "/proc/$(init_of "$c")/ns/$kind")" "^$kind:\[[0-9]+\]$"
		[ "$(readlink "/proc/$(init_of "$c")/ns/$kind")" != "$(readlink /proc/self/ns/$kind)" ] || fail "$kind is the host's"
	done
	equal "$(readlink "/proc/$(init_of "$c")/ns/user")" "$(readlink /proc/self/ns/user)" 'user namespace'
}

@test "a namespace that is not listed is the caller's" {
	config 'del(.hostname) | .linux.namespaces |= map(select(.type != "uts" and .type != "ipc" and .type != "network"))'
	local kind
	for kind in uts ipc net; do
		equal "$(ns_inside $kind)" "$(readlink /proc/self/ns/$kind)"
	done
}

# covers: linux.namespaces[].path
@test "a namespace with a path is joined" {
	detached sleep 1000
	local first=$c pid
	pid=$(init_of "$c")
	bundle second
	config --arg net "/proc/$pid/ns/net" --arg ipc "/proc/$pid/ns/ipc" --arg uts "/proc/$pid/ns/uts" 'del(.hostname) |
		.linux.namespaces |= map(if .type == "network" then .path = $net elif .type == "ipc" then .path = $ipc
			elif .type == "uts" then .path = $uts else . end)'
	args sh -c 'for k in net ipc uts pid; do readlink /proc/self/ns/$k; done'
	thole run --bundle "$B" "$c-2" < /dev/null > "$T/out"
	equal "$(sed -n 1p "$T/out")" "$(readlink "/proc/$pid/ns/net")"
	equal "$(sed -n 2p "$T/out")" "$(readlink "/proc/$pid/ns/ipc")"
	equal "$(sed -n 3p "$T/out")" "$(readlink "/proc/$pid/ns/uts")"
	[ "$(sed -n 4p "$T/out")" != "$(readlink "/proc/$pid/ns/pid")" ]
	is "$first" running
}

# join TYPE=PATH...: a second bundle with these namespaces joined
join() {
	local pair
	rm -rf "$T/second"
	bundle second
	config 'del(.hostname)'
	for pair; do
		config --arg t "${pair%%=*}" --arg p "${pair#*=}" '.linux.namespaces |= (map(select(.type != $t)) + [{ type: $t, path: $p }])'
	done
}

@test "a pod: pid, network, ipc and uts namespaces of another container, its processes are seen" {
	detached sleep 1000
	local pid kind
	pid=$(init_of "$c")
	join pid="/proc/$pid/ns/pid" network="/proc/$pid/ns/net" ipc="/proc/$pid/ns/ipc" uts="/proc/$pid/ns/uts"
	args sh -c 'for k in pid net ipc uts; do readlink /proc/self/ns/$k; done; cat /proc/1/cmdline | tr "\0" " "; echo; echo $$'
	thole run --bundle "$B" "$c-2" < /dev/null > "$T/out"
	local line=1
	for kind in pid net ipc uts; do
		equal "$(sed -n "${line}p" "$T/out")" "$(readlink "/proc/$pid/ns/$kind")"
		line=$((line + 1))
	done
	equal "$(sed -n 5p "$T/out")" 'sleep 1000 '
	[ "$(sed -n 6p "$T/out")" -gt 1 ]
	is "$c" running
}

@test "in a joined pid namespace: exec, kill, the state's pid, and the end of the other's init ends it" {
	detached sleep 1000
	local first=$c pid
	join pid="/proc/$(init_of "$c")/ns/pid"
	args sleep 2000
	thole run -d --bundle "$B" "$c-2" < /dev/null > /dev/null
	pid=$(init_of "$c-2")
	equal "$(tr '\0' ' ' < "/proc/$pid/cmdline")" 'sleep 2000 '
	equal "$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")" "$(shim_of "$c-2")" 'parent of init'
	contains "$(thole exec "$c-2" ps < /dev/null)" 'sleep 1000'
	thole kill "$first" KILL
	wait_for is "$c-2" stopped
	exits 137 thole wait "$c-2" > "$T/out"
}

@test "a pid namespace whose first process has ended: refused with its path" {
	detached sleep 1000
	local pid fd
	pid=$(init_of "$c")
	exec {fd}< "/proc/$pid/ns/pid"
	thole delete --force "$c"
	join pid="/proc/$$/fd/$fd"
	args true
	refused 125 "linux\.namespaces: the pid namespace '/proc/$$/fd/$fd' is over" thole run --bundle "$B" "$c"
	exec {fd}<&-
	join pid="/proc/$pid/ns/pid"
	args true
	refused 125 "linux\.namespaces: cannot open the pid namespace '/proc/$pid/ns/pid'" thole run --bundle "$B" "$c"
}

# covers: linux.namespaces[].path
@test "cgroup and time namespaces are joined, for exec too" {
	config '.linux.namespaces += [{ type: "time" }]'
	detached sleep 1000
	local pid kind
	pid=$(init_of "$c")
	[ "$(readlink "/proc/$pid/ns/time")" != "$(readlink /proc/self/ns/time)" ]
	join cgroup="/proc/$pid/ns/cgroup" time="/proc/$pid/ns/time"
	args sleep 1000
	thole run -d --bundle "$B" "$c-2" < /dev/null > /dev/null
	for kind in cgroup time; do
		equal "$(readlink "/proc/$(init_of "$c-2")/ns/$kind")" "$(readlink "/proc/$pid/ns/$kind")"
		equal "$(thole exec "$c-2" readlink "/proc/self/ns/$kind" < /dev/null)" "$(readlink "/proc/$pid/ns/$kind")"
	done
}

@test "a mount namespace is joined: the root is looked up there, nothing of the host's is moved, exec finds the same root" {
	mkdir "$T/m"
	in_background unshare --mount --propagation private sh -c "mount -t tmpfs hidden '$T/m' && cp -a '$(template)' '$T/m/rootfs' && touch '$T/ready' && exec sleep 1000"
	local holder=$!
	wait_for test -e "$T/ready"
	[ ! -e "$T/m/rootfs" ]
	join mount="/proc/$holder/ns/mnt"
	config --arg r "$T/m/rootfs" '.root.path = $r'
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null > /dev/null
	equal "$(readlink "/proc/$(init_of "$c")/ns/mnt")" "$(readlink "/proc/$holder/ns/mnt")"
	equal "$(thole exec "$c" sh -c 'ls -d /bin/busybox; cat /proc/1/cmdline | tr "\0" " "' < /dev/null)" $'/bin/busybox\nsleep 1000 '
	equal "$(readlink "/proc/$holder/root")" /
	nsenter -t "$holder" -m test -d /usr/share
	equal "$(grep -c "$T/m" /proc/self/mountinfo || true)" 0
}

@test "a user namespace is joined: alone, and with the other container's namespaces" {
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	owned_rootfs 100000 100000
	local owned=$B/rootfs
	detached sleep 1000
	local pid kind
	pid=$(init_of "$c")
	join user="/proc/$pid/ns/user"
	config --arg r "$owned" '.root.path = $r | .process.user.uid = 1000'
	args sh -c 'echo a > /dev/stdout; readlink /proc/self/ns/user; cat /proc/self/uid_map; readlink /proc/self/ns/net'
	thole run --bundle "$B" "$c-2" < /dev/null > "$T/out"
	equal "$(sed -n 1,2p "$T/out")" "a"$'\n'"$(readlink "/proc/$pid/ns/user")"
	matches "$(sed -n 3p "$T/out")" '0 +100000 +65536'
	[ "$(sed -n 4p "$T/out")" != "$(readlink "/proc/$pid/ns/net")" ]
	join user="/proc/$pid/ns/user" pid="/proc/$pid/ns/pid" network="/proc/$pid/ns/net" ipc="/proc/$pid/ns/ipc" uts="/proc/$pid/ns/uts"
	config --arg r "$owned" '.root.path = $r'
	args sleep 1000
	thole run -d --bundle "$B" "$c-3" < /dev/null > "$T/out"
	for kind in user pid net ipc uts; do
		equal "$(readlink "/proc/$(init_of "$c-3")/ns/$kind")" "$(readlink "/proc/$pid/ns/$kind")"
	done
	equal "$(thole exec --user 5 "$c-3" id -u < /dev/null)" 5
}

@test "a network namespace of the host's is joined from a user namespace of its own" {
	in_background unshare --net sleep 1000
	local holder=$!
	wait_for eval '[ "$(readlink /proc/'$holder'/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
	join network="/proc/$holder/ns/net"
	owned_rootfs 100000 100000
	config 'del(.mounts[] | select(.type == "sysfs")) | .linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null > /dev/null
	equal "$(readlink "/proc/$(init_of "$c")/ns/net")" "$(readlink "/proc/$holder/ns/net")"
	equal "$(thole exec "$c" readlink /proc/self/ns/net < /dev/null)" "$(readlink "/proc/$holder/ns/net")"
}

@test "mappings beside a joined user namespace: its own or podman's placeholder are taken, others are refused" {
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	owned_rootfs 100000 100000
	detached sleep 1000
	local pid maps
	pid=$(init_of "$c")
	join user="/proc/$pid/ns/user"
	owned_rootfs 100000 100000
	args true
	for maps in '[{ containerID: 0, hostID: 0, size: 1 }]' '[{ containerID: 0, hostID: 100000, size: 65536 }]'; do
		config ".linux.uidMappings = $maps | .linux.gidMappings = $maps"
		thole run --bundle "$B" "$c-2" < /dev/null
	done
	config '.linux.gidMappings = [{ containerID: 0, hostID: 1, size: 65536 }]'
	refused 125 'linux\.gidMappings: the user namespace that is joined has others' thole run --bundle "$B" "$c-2"
}

@test "the caller's own user namespace by path is no other one" {
	config '.linux.namespaces += [{ type: "user", path: "/proc/self/ns/user" }]'
	equal "$(in_container readlink /proc/self/ns/user < /dev/null)" "$(readlink /proc/self/ns/user)"
}

# covers: linux.timeOffsets
@test "time namespaces: offsets of both clocks, also negative, with and without a user namespace" {
	config '.linux.namespaces += [{ type: "time" }] | .linux.timeOffsets = { monotonic: { secs: 86400, nanosecs: 5 }, boottime: { secs: 172800 } }'
	equal "$(in_container awk '{ print $1, $2, $3 }' /proc/self/timens_offsets < /dev/null)" $'monotonic 86400 5\nboottime 172800 0'
	local up
	up=$(in_container cut -d. -f1 /proc/uptime < /dev/null)
	[ $((up - $(cut -d. -f1 /proc/uptime))) -ge 172799 ] || fail "uptime inside $up"
	config '.linux.timeOffsets.boottime.secs = -1'
	contains "$(in_container cat /proc/self/timens_offsets < /dev/null)" '-1'
	config '.linux.timeOffsets.boottime.secs = 7 | .linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	owned_rootfs 100000 100000
	detached sleep 1000
	equal "$(thole exec "$c" awk '/boottime/ { print $2 }' /proc/self/timens_offsets < /dev/null)" 7
}

@test "time offsets that cannot be are refused by name" {
	args true
	config '.linux.timeOffsets = { boottime: { secs: 1 } }'
	refused 125 'linux\.timeOffsets: needs a time namespace' thole run --bundle "$B" "$c"
	config '.linux.namespaces += [{ type: "time", path: "/proc/self/ns/time" }]'
	refused 125 'linux\.timeOffsets: the time namespace is joined' thole run --bundle "$B" "$c"
	config '.linux.namespaces |= map(if .type == "time" then del(.path) else . end) | .linux.timeOffsets.boottime.secs = -1000000000'
	refused 125 'linux\.timeOffsets: .*before 0' thole run --bundle "$B" "$c"
	config '.linux.timeOffsets.boottime = { secs: 1, nanosecs: 1000000000 }'
	refused 125 'linux\.timeOffsets\.boottime\.nanosecs' thole run --bundle "$B" "$c"
	config '.linux.timeOffsets.boottime = { secs: "1" }'
	refused 125 'linux\.timeOffsets\.boottime\.secs' thole run --bundle "$B" "$c"
	config '.linux.timeOffsets = { realtime: { secs: 0 }, monotonic: {} }'
	refused 125 "linux\.timeOffsets\.realtime: must be of 'monotonic' or 'boottime'" thole run --bundle "$B" "$c"
	config '.linux.timeOffsets = { boottime: null, monotonic: {} }'
	thole run --bundle "$B" "$c" < /dev/null
}

@test "the first process is pid 1 and sees only its own" {
	equal "$(in_container sh -c 'echo $$; ls -d /proc/[0-9]* | wc -l' < /dev/null | head -1)" 1
}

# covers: hostname, domainname
@test "hostname and domainname" {
	config '.hostname = "harbour" | .domainname = "example.org"'
	equal "$(in_container sh -c 'hostname; cat /proc/sys/kernel/domainname' < /dev/null)" $'harbour\nexample.org'
	[ "$(hostname)" != harbour ]
}

@test "the container's own network namespace has a loopback and nothing else" {
	equal "$(in_container sh -c 'ls /sys/class/net; ip -o addr show dev lo scope host | grep -o "inet [^ ]*"; ip link show dev lo up | grep -o LOWER_UP' < /dev/null)" $'lo\ninet 127.0.0.1/8\nLOWER_UP'
}

@test "a namespace path that is none is refused by name" {
	config '.linux.namespaces |= map(if .type == "network" then .path = "/etc/passwd" else . end)'
	refused 125 '(/etc/passwd|network)' thole run --bundle "$B" "$c"
	config '.linux.namespaces |= map(if .type == "network" then .path = "/no/such" else . end)'
	refused 125 '/no/such' thole run --bundle "$B" "$c"
	config '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/ipc" else . end)'
	refused 125 '(/proc/self/ns/ipc|network)' thole run --bundle "$B" "$c"
}

@test "hostname without a uts namespace is refused, not set on the host" {
	local before
	before=$(hostname)
	config '.hostname = "harbour" | .linux.namespaces |= map(select(.type != "uts"))'
	refused 125 'hostname|uts' thole run --bundle "$B" "$c"
	equal "$(hostname)" "$before"
}

@test "nor with one that is joined and is the host's; its own name is no change" {
	local here
	unshare --uts sh -c 'echo ready; exec sleep 100' > "$T/ready" 3>&- &
	here=$!
	STARTED+=($here)
	wait_for grep -q ready "$T/ready"
	there() { nsenter -t $here -u "$@"; }
	config --arg p "/proc/$here/ns/uts" '.hostname = "harbour" | .linux.namespaces |= map(if .type == "uts" then .path = $p else . end)'
	refused 125 "hostname: the uts namespace that is joined is the host's" there "$THOLE" --root "$ROOT" run --bundle "$B" "$c"
	config '.domainname = "harbour.example" | del(.hostname)'
	refused 125 "domainname: the uts namespace that is joined is the host's" there "$THOLE" --root "$ROOT" run --bundle "$B" "$c"
	config --arg h "$(hostname)" '.hostname = $h | del(.domainname)'
	there "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null
	equal "$(there hostname)" "$(hostname)"
}
