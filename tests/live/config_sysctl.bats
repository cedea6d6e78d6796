# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# linux.sysctl: what belongs to the container's namespaces is set there and nowhere else.
load lib

setup_test() { bundle; }

# covers: linux.sysctl
@test "sysctls of the network, ipc and uts namespaces are the container's, and the host's stay as they are" {
	local before
	before=$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max /proc/sys/kernel/domainname /proc/sys/kernel/sem)
	config '.linux.sysctl = { "net.ipv4.ip_forward": "1", "net/ipv4/conf/lo/forwarding": "0", "net.ipv4.ping_group_range": "5 6",
		"kernel.msgmax": "12345", "fs.mqueue.msg_max": "17", "kernel.sem": "100 200 30 40", "kernel.domainname": "example.org" }'
	in_container sh -c 'cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/conf/lo/forwarding kernel/msgmax fs/mqueue/msg_max kernel/domainname;
		tr "\t" " " < kernel/sem; tr "\t" " " < net/ipv4/ping_group_range' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" $'1\n0\n12345\n17\nexample.org\n100 200 30 40\n5 6'
	equal "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max /proc/sys/kernel/domainname /proc/sys/kernel/sem)" "$before"
}

@test "a sysctl without the namespace, of the whole system, or out of /proc/sys is refused by its name" {
	args true
	config '.linux.sysctl = { "kernel.panic": "5" }'
	refused 125 'linux\.sysctl\.kernel\.panic: .*whole host' thole run --bundle "$B" "$c"
	config '.linux.sysctl = { "net/../kernel/panic": "5" }'
	refused 125 'linux\.sysctl\.net/\.\./kernel/panic: .*name' thole run --bundle "$B" "$c"
	config '.linux.sysctl = { "net.ipv4.ip_forward": "1" } | .linux.namespaces |= map(select(.type != "network"))'
	refused 125 'linux\.sysctl\.net\.ipv4\.ip_forward: needs a namespace of type .network' thole run --bundle "$B" "$c"
	config '.linux.sysctl = { "user.max_net_namespaces": "7" }'
	refused 125 'linux\.sysctl\.user\.max_net_namespaces: needs a namespace of type .user' thole run --bundle "$B" "$c"
	config '.linux.sysctl = { "net.ipv4.ip_forward": "1" }'
	config '.linux.namespaces += [{ type: "network", path: "/proc/self/ns/net" }]'
	refused 125 'linux\.sysctl\.net\.ipv4\.ip_forward: .*host' thole run --bundle "$B" "$c"
	nothing_left || wait_for nothing_left
}

@test "a sysctl that is not there, or does not take the value: an error that names it, nothing left" {
	args true
	config '.linux.sysctl = { "net.no.such": "1" }'
	refused 125 'linux\.sysctl\.net\.no\.such: .*[Nn]o such file' thole run --bundle "$B" "$c"
	config '.linux.sysctl = { "net.ipv4.ip_forward": "many" }'
	refused 125 'linux\.sysctl\.net\.ipv4\.ip_forward: .*[Ii]nvalid' thole run --bundle "$B" "$c"
	config '.linux.sysctl = { "net.ipv4": "1" }'
	refused 125 'linux\.sysctl\.net\.ipv4: ' thole run --bundle "$B" "$c"
	wait_for nothing_left
}

@test "a network namespace that is joined and not the host's may be changed" {
	detached sleep 1000
	local pid
	pid=$(init_of "$c")
	bundle second
	config --arg p "/proc/$pid/ns/net" '.linux.sysctl = { "net.ipv4.ip_forward": "1" } |
		.linux.namespaces |= map(if .type == "network" then .path = $p else . end)'
	args cat /proc/sys/net/ipv4/ip_forward
	equal "$(thole run --bundle "$B" "$c-2" < /dev/null)" 1
}
