# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# process: user, groups, umask, environment, directory, capabilities, resource limits, no_new_privs. A probe inside prints what it got.
load lib

setup_test() { bundle; }

mask_of() { # CAP NAMES of the kernel's numbering: prints the mask as /proc shows it
	local name n=0
	local -A number=([CHOWN]=0 [DAC_OVERRIDE]=1 [FOWNER]=3 [KILL]=5 [SETGID]=6 [SETUID]=7 [NET_BIND_SERVICE]=10 [NET_RAW]=13
		[SYS_CHROOT]=18 [SYS_ADMIN]=21 [AUDIT_WRITE]=29)
	for name; do
		n=$((n | 1 << number[$name]))
	done
	printf '%016x' $n
}

# covers: process.capabilities
@test "the five capability sets are exactly the config's" {
	config '.process.capabilities = { bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SETUID"], permitted: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
		effective: ["CAP_CHOWN", "CAP_KILL"], inheritable: ["CAP_CHOWN", "CAP_NET_RAW"], ambient: ["CAP_CHOWN"] } |
		.process.user = { uid: 1000, gid: 1000 }'
	probe inherit
	equal "$(value CapBnd)" "$(mask_of CHOWN KILL NET_RAW SETUID)" bounding
	equal "$(value CapInh)" "$(mask_of CHOWN NET_RAW)" inheritable
	# After execve of a program without file capabilities a user keeps what is ambient.
	equal "$(value CapAmb)" "$(mask_of CHOWN)" ambient
	equal "$(value CapPrm)" "$(mask_of CHOWN)" permitted
	equal "$(value CapEff)" "$(mask_of CHOWN)" effective
}

@test "root's capabilities are those of the bounding set and no more; inheritable is empty when the config says nothing" {
	config '.process.capabilities = { bounding: ["CAP_KILL", "CAP_AUDIT_WRITE"], permitted: ["CAP_KILL", "CAP_AUDIT_WRITE"], effective: ["CAP_KILL"] }'
	probe inherit
	equal "$(value CapBnd)" "$(mask_of KILL AUDIT_WRITE)"
	equal "$(value CapPrm)" "$(mask_of KILL AUDIT_WRITE)"
	equal "$(value CapInh)" 0000000000000000
	equal "$(value CapAmb)" 0000000000000000
}

@test "no capabilities in the config: none at all" {
	config 'del(.process.capabilities)'
	probe inherit
	local set
	for set in CapBnd CapInh CapPrm CapEff CapAmb; do
		equal "$(value $set)" 0000000000000000 $set
	done
}

@test "the config of spec gives three capabilities" {
	probe inherit
	equal "$(value CapBnd)" "$(mask_of AUDIT_WRITE KILL NET_BIND_SERVICE)"
	equal "$(value CapEff)" "$(mask_of AUDIT_WRITE KILL NET_BIND_SERVICE)"
	equal "$(value CapInh)" 0000000000000000
}

@test "a capability that only a newer kernel may have is left out with a remark; what can be none is refused" {
	config '.process.capabilities |= with_entries(.value += ["CAP_NO_SUCH"])'
	detached sleep 1000
	equal "$(awk '/^CapBnd/ { print $2 }' "/proc/$(init_of "$c")/status")" "$(mask_of AUDIT_WRITE KILL NET_BIND_SERVICE)"
	thole delete --force "$c"
	thole --log "$T/warnings" run -d --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err"
	contains "$(cat "$T/err")" 'CAP_NO_SUCH cannot be given: it is not known'
	equal "$(grep -c 'level=warning.*CAP_NO_SUCH' "$T/warnings")" 1
	thole delete --force "$c"
	config '.process.capabilities.effective += ["no_such"]'
	refused 125 "process.capabilities.effective.[0-9]*.: unknown capability 'no_such'" thole run --bundle "$B" "$c"
}

# covers: process.user.{uid,gid,additionalGids}
@test "user, group, additional groups" {
	config '.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 2000, 65534] }'
	probe inherit
	equal "$(value uid)" 1000,1000,1000
	equal "$(value gid)" 1001,1001,1001
	equal "$(value groups | tr , '\n' | sort -n | grep -v '^1001$' | tr '\n' ' ' | xargs)" '5 2000 65534'
}

@test "the caller's groups do not come along" {
	args /usr/bin/inherit
	setpriv --groups 4,20,27 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out"
	equal "$(value groups | tr -d 0,)" ''
}

# covers: process.user.umask
@test "umask is the config's, else 0022, never the caller's" {
	umask 0077
	probe inherit
	equal "$(value umask)" 0022
	config '.process.user.umask = 7'
	probe inherit
	equal "$(value umask)" 0007
	config '.process.user.umask = 0'
	probe inherit
	equal "$(value umask)" 0000
}

# covers: process.env
@test "the environment is the config's, nothing of the caller's, and HOME from the container's passwd" {
	export LEAK=yes
	config '.process.env = ["PATH=/bin:/usr/bin", "A=b=c", "EMPTY="]'
	probe inherit
	equal "$(grep ^env_ "$T/out" | sort)" "$(printf 'env_A=b=c\nenv_EMPTY=\nenv_HOME=/root\nenv_PATH=/bin:/usr/bin\n')"
	config '.process.user = { uid: 1000, gid: 1000 }'
	probe inherit
	equal "$(value env_HOME)" /home/user
	config '.process.user = { uid: 4242, gid: 4242 }'
	probe inherit
	equal "$(value env_HOME)" / "HOME of a user who is not in passwd"
	config '.process.env += ["HOME="]'
	probe inherit
	equal "$(value env_HOME)" / "HOME that is empty"
	config '.process.env += ["HOME=/elsewhere"]'
	probe inherit
	equal "$(value env_HOME)" /elsewhere
	equal "$(grep -c ^env_HOME "$T/out")" 1
}

@test "of variables with one name the last counts, also for PATH, and in exec'd processes" {
	config '.process.env = ["PATH=/nowhere", "A=1", "AB=4", "A=2", "B=3", "PATH=/bin:/usr/bin", "A=5"]'
	probe inherit
	equal "$(grep '^env_[ABP]' "$T/out")" "$(printf 'env_AB=4\nenv_B=3\nenv_PATH=/bin:/usr/bin\nenv_A=5\n')"
	detached sleep 1000
	equal "$(thole exec -e B=6 "$c" env < /dev/null | grep '^[AB]')" $'AB=4\nA=5\nB=6'
}

@test "PATH of the config is searched, inside the root" {
	mkdir -p "$B/rootfs/opt/tools"
	printf '#!/bin/sh\necho found in tools\n' > "$B/rootfs/opt/tools/only-inside"
	chmod 755 "$B/rootfs/opt/tools/only-inside"
	config '.process.env = ["PATH=/nowhere:/opt/tools:/bin"]'
	equal "$(in_container only-inside < /dev/null)" 'found in tools'
	# A program of the host's that is not inside is not found.
	command -v apt-get > /dev/null
	args apt-get
	refused 127 apt-get thole run --bundle "$B" "$c"
}

@test "what is not found, and what is a directory, is said in the words that docker and podman look for" {
	config '.process.env = ["PATH=/bin"]'
	args nope
	refused 127 'exec nope: executable file not found in .PATH \(/bin\)' thole run --bundle "$B" "$c"
	args ''
	refused 127 "exec '': executable file not found in .PATH" thole run --bundle "$B" "$c"
	args /etc
	refused 126 'exec /etc: permission denied' thole run --bundle "$B" "$c"
}

@test "PATH search passes over what cannot be executed, and says 126 when there is nothing else" {
	mkdir -p "$B/rootfs/one" "$B/rootfs/two"
	printf '#!/bin/sh\necho wrong\n' > "$B/rootfs/one/prog"
	printf '#!/bin/sh\necho right\n' > "$B/rootfs/two/prog"
	chmod 644 "$B/rootfs/one/prog"
	chmod 755 "$B/rootfs/two/prog"
	config '.process.env = ["PATH=/one:/two:/bin"]'
	equal "$(in_container prog < /dev/null)" right
	rm "$B/rootfs/two/prog"
	args prog
	refused 126 prog thole run --bundle "$B" "$c"
}

# covers: process.cwd
@test "cwd is entered, made when missing" {
	config '.process.cwd = "/srv/made/deep"'
	probe inherit
	equal "$(value cwd)" /srv/made/deep
	[ -d "$B/rootfs/srv/made/deep" ]
}

@test "a cwd that only the user may enter" {
	mkdir -m 700 "$B/rootfs/private"
	chown 1000:1000 "$B/rootfs/private"
	config '.process.cwd = "/private" | .process.user = { uid: 1000, gid: 1000 } | .process.capabilities = {}'
	probe inherit
	equal "$(value cwd)" /private
}

@test "a cwd that nobody can enter is an error that names it" {
	echo > "$B/rootfs/file"
	config '.process.cwd = "/file"'
	args true
	refused 125 '/file' thole run --bundle "$B" "$c"
	config '.process.cwd = "relative"'
	refused 125 'process.cwd' thole run --bundle "$B" "$c"
}

# covers: process.rlimits
@test "resource limits: soft, hard, unlimited, and the caller's for what is not named" {
	ulimit -S -c 0
	ulimit -S -s 4096
	args /usr/bin/inherit
	config '.process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 100, hard: 200 }, { type: "RLIMIT_CORE", soft: 5, hard: 4096 },
		{ type: "RLIMIT_FSIZE", soft: "max", hard: "max" } ]'
	# jq has no 64-bit numbers.
	sed -i 's,"max",18446744073709551615,' "$B/config.json"
	thole run --bundle "$B" "$c" < /dev/null > "$T/out"
	equal "$(value rlimit_nofile)" 100:200
	equal "$(value rlimit_core)" 5:4096
	equal "$(value rlimit_fsize)" -1:-1
	equal "$(value rlimit_stack | cut -d: -f1)" $((4096 * 1024))
}

@test "a resource limit that may not be raised is a clear error" {
	# Without CAP_SYS_RESOURCE the kernel refuses.
	config '.process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 10, hard: 999999 } ]'
	args true
	refused 125 'RLIMIT_NOFILE|rlimits' setpriv --bounding-set -sys_resource "$THOLE" --root "$ROOT" run --bundle "$B" "$c"
}

@test "resource limits that make no sense are refused by the field's path" {
	args true
	config '.process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 10, hard: 5 } ]'
	refused 125 'process.rlimits\[0\]' thole run --bundle "$B" "$c"
	config '.process.rlimits = [ { type: "RLIMIT_NOTHING", soft: 1, hard: 5 } ]'
	refused 125 'process.rlimits\[0\].type' thole run --bundle "$B" "$c"
	config '.process.rlimits = [ { type: "RLIMIT_CORE", soft: 1, hard: 5 }, { type: "RLIMIT_CORE", soft: 1, hard: 5 } ]'
	refused 125 'process.rlimits\[1\]' thole run --bundle "$B" "$c"
}

# covers: process.noNewPrivileges
@test "no_new_privs as the config says" {
	config '.process.noNewPrivileges = true'
	probe inherit
	equal "$(value NoNewPrivs)" 1
	config '.process.noNewPrivileges = false'
	probe inherit
	equal "$(value NoNewPrivs)" 0
}

# covers: process.oomScoreAdj
@test "oom_score_adj: the config's, else the caller's" {
	probe inherit
	equal "$(value oom_score_adj)" "$(cat /proc/self/oom_score_adj)"
	config '.process.oomScoreAdj = 321'
	probe inherit
	equal "$(value oom_score_adj)" 321
}

# covers: process.args
@test "arguments arrive as they are" {
	# shellcheck disable=SC2016
	in_container sh -c 'for a; do echo "[$a]"; done' sh 'a b' '' '$HOME' '*' 'ünïcode' $'new\nline' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" $'[a b]\n[]\n[$HOME]\n[*]\n[ünïcode]\n[new\nline]'
}

@test "echo x >/dev/stderr works as uid 1000, for pipes" {
	config '.process.user = { uid: 1000, gid: 1000 } | .process.capabilities = {}'
	in_container sh -c 'echo o > /dev/stdout; echo e > /dev/stderr; echo 3 >> /proc/self/fd/1' < /dev/null > "$T/out" 2> "$T/err"
	equal "$(cat "$T/out")" $'o\n3'
	equal "$(cat "$T/err")" e
	detached sh -c 'echo o > /dev/stdout; echo e > /dev/stderr; cat /dev/stdin; echo in > /dev/stdout'
	thole wait "$c"
	equal "$(thole logs "$c" 2>&1 | sort)" $'e\nin\no'
}

# Below a /sys that looks like one with SELinux. A kernel without it refuses every label, and where it was written to is in the error.
with_selinux() { # THOLE'S ARGUMENTS
	mkdir -p "$T/groups"
	unshare -m --propagation private sh -ec 'mount --rbind /sys/fs/cgroup "$0"; mount -t tmpfs none /sys/fs; mkdir /sys/fs/cgroup /sys/fs/selinux
		mount --move "$0" /sys/fs/cgroup; echo 0 > /sys/fs/selinux/enforce; exec "$@"' "$T/groups" "$THOLE" --root "$ROOT" "$@"
}

# covers: process.selinuxLabel, exec --process-label
@test "selinuxLabel: the session keyring gets it, and the program that is executed; exec --process-label the same" {
	local flag file
	args sleep 1000
	for flag in '' --no-new-keyring; do
		file=/proc/self/attr/$([ "$flag" ] && echo exec || echo keycreate)
		config '.process.selinuxLabel = "no:such:label:s0"'
		# shellcheck disable=SC2086 # none, or one
		refused 125 "process.selinuxLabel: cannot write 'no:such:label:s0' to '$file': Invalid argument" with_selinux run -d $flag --bundle "$B" "$c"
		config 'del(.process.selinuxLabel)'
		# shellcheck disable=SC2086
		with_selinux run -d $flag --bundle "$B" "$c" < /dev/null
		refused 125 "process.selinuxLabel: cannot write 'no:such:label:s1' to '$file': Invalid argument" with_selinux exec --process-label no:such:label:s1 "$c" true
		thole delete --force "$c"
	done
}
