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

# covers: restore --lsm-profile
@test "what comes back has the profile that it had, or the one of restore --lsm-profile, which is enforced" {
	needs criu
	[ -x "$BUILD/criu/bin/criu" ]
	export THOLE_CRIU=$BUILD/criu/bin/criu
	local img=$T/img
	config '.process.apparmorProfile = "thole-strict"'
	args sh -c 'while :; do cat /etc/secret 2> /dev/null || echo denied; usleep 200000; done'
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null > "$T/run.out"
	thole checkpoint --image-path "$img" "$c"
	profile_of() { cat "/proc/$(init_of "$c")/attr/current"; }
	back() { # PROFILE SAYS OPTIONS...
		thole restore -d --bundle "$B" --image-path "$img" --log-path "$T/log.2" "${@:3}" "$c" < /dev/null
		equal "$(profile_of)" "$1 (enforce)"
		says() { tail -1 "$T/log.2" | grep -q " $1$"; }
		wait_for says "$2" || fail "$(cat "$T/log.2")"
		thole delete --force "$c"
		rm -f "$T/log.2"
	}
	back thole-strict denied
	back thole-loose secret --lsm-profile apparmor:thole-loose
	refused 125 "the AppArmor profile 'thole-missing' is not loaded" thole restore -d --bundle "$B" --image-path "$img" --lsm-profile apparmor:thole-missing "$c"
	nothing_left
	refused 125 'lsm-profile: SELinux is not in force here' thole restore -d --bundle "$B" --image-path "$img" --lsm-profile selinux:x "$c"
	back thole-strict denied
}
