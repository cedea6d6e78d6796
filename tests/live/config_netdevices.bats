# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# linux.netDevices. Each test runs in a network namespace of its own, which is the host's to thole there.
load lib

setup_test() {
	bundle
	# Interface names are at most 15 bytes, and one veth pair is one interface here and its peer there.
	cat > "$T/host" <<- EOF
		set -e
		ip link add up0 type veth peer name peer0
		ip link add up1 type veth peer name peer1
		ip link set up0 mtu 1400 address 02:00:00:00:00:07
		ip addr add 192.0.2.5/24 dev up0
		ip addr add 2001:db8::5/64 dev up0 nodad
		ip link set up0 up
		ip link set peer0 up
		thole() { '$THOLE' --root '$ROOT' "\$@"; }
	EOF
}

# hosted COMMANDS: in a network namespace with up0, peer0, up1, peer1
hosted() {
	{ cat "$T/host"; printf '%s\n' "$1"; } > "$T/hosted"
	timeout 60 unshare --net sh "$T/hosted" < /dev/null
}

# covers: linux.netDevices
@test "a device is moved, renamed, keeps addresses, mtu and hardware address, and is up; the host has it no more" {
	config '.linux.netDevices = { up0: { name: "eth0" }, up1: {} }'
	args sh -c 'ip -o addr show dev eth0; ip link show dev eth0; ip link show dev up1'
	hosted "thole run --bundle '$B' '$c'; echo ---; ip -o link" > "$T/out"
	sed '/^---/,$d' "$T/out" > "$T/inside"
	grep -q 'inet 192\.0\.2\.5/24 ' "$T/inside"
	grep -q 'inet6 2001:db8::5/64 ' "$T/inside"
	grep -q 'mtu 1400' "$T/inside"
	grep -q '02:00:00:00:00:07' "$T/inside"
	grep -qE '^[0-9]+: eth0.*[<,]UP[,>]' "$T/inside"
	grep -qE '^[0-9]+: up1.*[<,]UP[,>]' "$T/inside"
	not grep -q 'up0' "$T/out"
}

@test "with a user namespace, and into a namespace that is joined" {
	owned_rootfs 100000 100000
	config '.linux.netDevices = { up0: { name: "eth0" } } | .linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	args ip -o addr show dev eth0
	hosted "thole run --bundle '$B' '$c'" > "$T/out"
	grep -q 'inet 192\.0\.2\.5/24 ' "$T/out"
	in_background unshare --net sleep 1000
	local holder=$!
	wait_for eval '[ "$(readlink /proc/'$holder'/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
	bundle second
	config --arg p "/proc/$holder/ns/net" '.linux.netDevices = { up0: {} } | .linux.namespaces |= map(if .type == "network" then .path = $p else . end)'
	args ip -o addr show dev up0
	hosted "thole run --bundle '$B' '$c-2'" > "$T/out"
	grep -q 'inet 192\.0\.2\.5/24 ' "$T/out"
}

@test "a pattern takes the next free number" {
	config '.linux.netDevices = { up0: { name: "net%d" }, up1: { name: "net%d" } }'
	args ip -o link
	hosted "thole run --bundle '$B' '$c'" > "$T/out"
	grep -qE '^[0-9]+: net0[@:]' "$T/out"
	grep -qE '^[0-9]+: net1[@:]' "$T/out"
}

@test "no such device, a name that is taken: refused by the device's name, and what was moved is back" {
	args true
	config '.linux.netDevices = { up0: { name: "eth0" }, nosuch: {} }'
	hosted "thole run --bundle '$B' '$c' 2> '$T/err' || echo status \$?; ip -o link; ip -o addr; cat '$T/err'" > "$T/out"
	grep -q '^status 125$' "$T/out"
	grep -q 'linux\.netDevices\.nosuch: cannot find it' "$T/out"
	grep -q ' up0@' "$T/out"
	grep -q ' inet 192\.0\.2\.5/24 ' "$T/out"
	equal "$(wc -l < "$T/err")" 1
	config '.linux.netDevices = { up0: { name: "lo" } }'
	hosted "thole run --bundle '$B' '$c' 2> '$T/err' || echo status \$?; ip -o link; ip -o addr; cat '$T/err'" > "$T/out"
	grep -q ' inet 192\.0\.2\.5/24 ' "$T/out"
	grep -q "linux\.netDevices\.up0: cannot move it into the container as 'lo': File exists" "$T/out"
	matches "$(grep ' up0@' "$T/out" || cat "$T/out")" '[<,]UP[,>]'
}

# as_before FILTER: with these devices it is refused, and the host's network is what it was, by names, states, addresses and routes
as_before() {
	config "$1"
	hosted "ip route add 198.51.100.0/24 via 192.0.2.1 dev up0; ip addr add 203.0.113.1/24 dev up1; ip link set lo up
		look() { ip -o addr show scope global; ip -o addr show dev lo; ip -o link show up; ip route; ip -6 route show table local ::1; }
		seen() { look | sed 's/qdisc [a-z]*//; s/state [A-Z]*//; s/tentative//; s/linkdown//; s/NO-CARRIER,//; s/M-DOWN,//; s/,LOWER_UP//; s/,M-DOWN//'; }
		seen > '$T/before' 2>&1
		thole run --bundle '$B' '$c' 2> '$T/err' || echo status \$?; seen > '$T/after' 2>&1" > "$T/out"
	equal "$(cat "$T/out")" 'status 125'
	equal "$(wc -l < "$T/err")" 1
	equal "$(cat "$T/after")" "$(cat "$T/before")"
}

@test "what is refused has not been touched: a pattern before a device that is missing, the loopback, a name that is taken" {
	args true
	as_before '.linux.netDevices = { up0: { name: "net%d" }, nosuch: {} }'
	grep -q 'linux\.netDevices\.nosuch: cannot find it' "$T/err"
	as_before '.linux.netDevices = { up0: {}, lo: { name: "x0" } }'
	grep -q 'linux\.netDevices\.lo: is the loopback interface' "$T/err"
	as_before '.linux.netDevices = { up0: {}, up1: { name: "lo" } }'
	grep -q "linux\.netDevices\.up1: cannot move it into the container as 'lo': File exists" "$T/err"
}

@test "one that the kernel lets nobody move: those before it are back, also with a pattern, and up only if they were" {
	args true
	unshare --net ip link add br0 type bridge 2> /dev/null || skip 'no bridges here'
	config '.linux.netDevices = { up0: { name: "net%d" }, up1: { name: "net%d" }, br0: {} }'
	hosted "ip link add br0 type bridge; ip link set br0 up; thole run --bundle '$B' '$c' 2> '$T/err' || echo status \$?; ip -o link; ip -o addr" > "$T/out"
	grep -q '^status 125$' "$T/out"
	grep -q 'linux\.netDevices\.br0: cannot move it' "$T/err"
	grep -q ' up0 .*inet 192\.0\.2\.5/24 ' "$T/out"
	grep -q ' up0 .*inet6 2001:db8::5/64 ' "$T/out"
	matches "$(grep ' up0@peer0:' "$T/out")" '[<,]UP[,>]'
	not matches "$(grep ' up1@peer1:' "$T/out")" '[<,]UP[,>]'
	matches "$(grep ' br0:' "$T/out")" '[<,]UP[,>]'
}

@test "a creation that fails afterwards gives them back: by a hook, by a program that is not there, killed" {
	local how
	config '.linux.netDevices = { up0: { name: "net%d" }, up1: { name: "eth0" } }'
	args true
	for how in '.hooks.createRuntime = [{ path: "/bin/false" }]' 'del(.hooks) | .process.args = ["/no/such/program"]' \
		'.process.args = ["true"] | .hooks.createRuntime = [{ path: "/bin/sh", args: ["sh", "-c", "kill -KILL $(jq .pid)"], env: ["PATH=/usr/bin:/bin"] }]'; do
		config "$how"
		hosted "thole run --bundle '$B' '$c' 2> '$T/err' || echo status \$?; ip -o link; ip -o addr" > "$T/out"
		grep -q '^status 12[57]$' "$T/out"
		equal "$(wc -l < "$T/err")" 1
		grep -q ' up0 .*inet 192\.0\.2\.5/24 ' "$T/out" || fail "$how: $(cat "$T/out" "$T/err")"
		matches "$(grep ' up0@peer0:' "$T/out")" '[<,]UP[,>]'
		not matches "$(grep ' up1@peer1:' "$T/out")" '[<,]UP[,>]'
	done
}

@test "what cannot be is refused by the field" {
	local good filter regex
	args true
	good=$(cat "$B/config.json")
	while IFS='#' read -r filter regex; do
		config "$filter"
		refused 125 "$regex" thole run --bundle "$B" "$c"
		printf '%s' "$good" > "$B/config.json"
	done <<- 'EOF'
		.linux.netDevices = { eth0: { name: 23 } }#linux\.netDevices\.eth0\.name
		.linux.netDevices = { eth0: { name: "a/b" } }#linux\.netDevices\.eth0\.name: 'a/b' is no name
		.linux.netDevices = { eth0: { name: "sixteen-bytes-xx" } }#linux\.netDevices\.eth0\.name: .*is no name
		.linux.netDevices = { eth0: { name: "a%s" } }#linux\.netDevices\.eth0\.name: .*is no name
		.linux.netDevices = { "": {} }#linux\.netDevices.*is no name
		.linux.netDevices = { "e%d": {} }#linux\.netDevices\.e%d: is no name
		.linux.netDevices = { a: { name: "x" }, b: { name: "x" } }#linux\.netDevices\.b\.name: 'x' is that of 'a'
		.linux.netDevices = []#linux\.netDevices
		.linux.netDevices = { a: {} } | del(.linux.namespaces[] | select(.type == "network"))#linux\.netDevices: needs a network namespace
	EOF
	config '.linux.netDevices = { a: {} } | .linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/net" else . end)'
	refused 125 "linux\.netDevices: the network namespace that is joined is the host's" thole run --bundle "$B" "$c"
	wait_for nothing_left
}
