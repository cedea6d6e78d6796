# SPDX-License-Identifier: Apache-2.0
# needs: root apparmor
# process.apparmorProfile and exec --apparmor, with the kernel's AppArmor in force.
load ../live/lib

setup_test() {
	bundle
	echo secret > "$B/rootfs/etc/secret"
	profile thole-strict 'deny /etc/secret r,'
	profile thole-loose
}

profile() { # NAME RULES
	printf 'profile %s flags=(attach_disconnected,mediate_deleted) {\n file,\n capability,\n signal,\n network,\n mount,\n unix,\n ptrace,\n %s\n}\n' "$1" "${2:-}" |
		apparmor_parser --replace --skip-cache
}

# covers: process.apparmorProfile
@test "the process runs under the profile, which is enforced" {
	config '.process.apparmorProfile = "thole-strict"'
	equal "$(in_container cat /proc/self/attr/current < /dev/null)" 'thole-strict (enforce)'
	equal "$(in_container sh -c 'cat /etc/secret 2> /dev/null || echo denied' < /dev/null)" denied
	config 'del(.process.apparmorProfile)'
	equal "$(in_container cat /etc/secret < /dev/null)" secret
}

# covers: exec --apparmor
@test "an exec'd process has the config's profile, or the one of its own" {
	config '.process.apparmorProfile = "thole-strict"'
	detached sleep 1000
	equal "$(thole exec "$c" cat /proc/self/attr/current)" 'thole-strict (enforce)'
	equal "$(thole exec --apparmor thole-loose "$c" cat /proc/self/attr/current)" 'thole-loose (enforce)'
	equal "$(thole exec --apparmor unconfined "$c" cat /proc/self/attr/current)" unconfined
}

@test "a profile that is not loaded is refused by its name, and nothing is left" {
	config '.process.apparmorProfile = "thole-missing"'
	args true
	refused 125 'thole-missing' thole run --bundle "$B" "$c"
	nothing_left
	config '.process.apparmorProfile = "thole-strict"'
	detached sleep 1000
	refused 125 'thole-missing' thole exec --apparmor thole-missing "$c" true
}

@test "the profile is set without a new privilege: no_new_privs and a seccomp filter do not stand in its way" {
	config '.process.apparmorProfile = "thole-strict" | .process.noNewPrivileges = true
		| .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["acct"], action: "SCMP_ACT_ERRNO" }] }'
	equal "$(in_container cat /proc/self/attr/current < /dev/null)" 'thole-strict (enforce)'
}

@test "features says that AppArmor is there" {
	equal "$(thole features | jq .linux.apparmor.enabled)" true
}
