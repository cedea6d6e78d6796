# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# features: what the specification wants of it, and that it tells the truth.
load lib

feature() { # FILTER
	jq -r "$1" < "$T/features"
}

setup_test() { thole features > "$T/features"; }

# covers: features
@test "features is JSON with the members of the specification, under both names, and needs no state directory" {
	equal "$(feature '"\(.ociVersionMin) \(.ociVersionMax)"')" '1.0.0 1.3.0'
	equal "$(feature '.hooks | join(" ")')" 'prestart createRuntime createContainer startContainer poststart poststop'
	equal "$(feature '.linux | keys | join(" ")')" 'apparmor capabilities cgroup intelRdt memoryPolicy mountExtensions namespaces netDevices seccomp selinux'
	equal "$(feature '.linux.cgroup | keys | join(" ")')" 'rdma systemd systemdUser v1 v2'
	equal "$(feature '.linux.seccomp | keys | join(" ")')" 'actions archs enabled knownFlags operators supportedFlags'
	equal "$(feature '.potentiallyUnsafeConfigAnnotations | join(" ")')" 'org.criu.config org.systemd.property.'
	equal "$(feature '[.. | strings | select(. == "")] | length')" 0
	equal "$("$THOLE_OCI" --root /no/such/root features)" "$(cat "$T/features")"
	# What criu and the kernel lack for checkpoints, as in check.
	equal "$("$THOLE" --criu /nowhere features | jq -r '.annotations | "\(.["org.opencontainers.runc.checkpoint.enabled"]) \(.["io.thole.criu.lacks"])"')" "false cannot use criu '/nowhere': No such file or directory"
	[ ! -e "$ROOT" ]
}

@test "what features lists is accepted: namespaces, options, capabilities, seccomp" {
	local ns option
	bundle
	mkdir "$T/src"
	owned_rootfs 100000 100000
	for ns in $(feature '.linux.namespaces[]'); do
		config --arg n "$ns" '.linux.namespaces |= (map(select(.type != $n)) + [{ type: $n }])'
	done
	config --argjson caps "$(feature '.linux.capabilities | tojson')" '.process.capabilities.bounding = $caps'
	for option in $(feature '.mountOptions[] | select(test("bind|unbindable|idmap|tmpcopyup|mand|silent|loud|remount") | not)'); do
		config --arg o "$option" '.mounts += [{ destination: ("/m/" + $o), type: "tmpfs", source: "tmpfs", options: [$o] }]'
	done
	for option in idmap ridmap; do
		feature '.mountOptions[]' | grep -qx $option
		config --arg o $option '.mounts += [{ destination: ("/m/" + $o), type: "bind", source: "'"$T/src"'", options: ["rbind", $o] }]'
	done
	config '.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	in_background "$PROBES/notify" "$T/agent.sock" > "$T/agent.out"
	wait_for test -S "$T/agent.sock"
	config --arg a "$T/agent.sock" --argjson s "$(feature '.linux.seccomp | tojson')" '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", flags: $s.supportedFlags, listenerPath: $a,
		architectures: ["SCMP_ARCH_X86_64"], syscalls: [range($s.actions | length) as $i | { names: [["acct", "swapon", "swapoff", "kexec_load",
			"delete_module", "init_module", "quotactl", "nfsservctl", "lookup_dcookie"][$i]], action: $s.actions[$i] }] }'
	in_container true < /dev/null 2> "$T/err" || fail "$(cat "$T/err")"
	equal "$(feature '.linux.namespaces | sort | join(" ")')" 'cgroup ipc mount network pid time user uts'
}
