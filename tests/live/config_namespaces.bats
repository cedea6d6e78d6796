# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# linux.namespaces, hostname and domainname.
load lib

setup_test() { bundle; }

ns_inside() { # KIND
	in_container readlink "/proc/self/ns/$1" < /dev/null
}

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

@test "a pid namespace with a path is not there yet: refused by name, nothing left" {
	detached sleep 1000
	bundle second
	config --arg p "/proc/$(init_of "$c")/ns/pid" '.linux.namespaces |= map(if .type == "pid" then .path = $p else . end)'
	args true
	refused 125 'linux.namespaces\[[0-9]\]\.path.*pid' thole run --bundle "$B" "$c-2"
}

@test "the first process is pid 1 and sees only its own" {
	equal "$(in_container sh -c 'echo $$; ls -d /proc/[0-9]* | wc -l' < /dev/null | head -1)" 1
}

@test "hostname and domainname" {
	config '.hostname = "harbour" | .domainname = "example.org"'
	equal "$(in_container sh -c 'hostname; cat /proc/sys/kernel/domainname' < /dev/null)" $'harbour\nexample.org'
	[ "$(hostname)" != harbour ]
}

@test "the container's own network namespace has a loopback and nothing else" {
	equal "$(in_container sh -c 'ls /sys/class/net' < /dev/null)" lo
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
