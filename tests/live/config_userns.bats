# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# User namespaces: mappings, and everything of a container that has to be somebody else's then.
load lib

# The root of the file system belongs to the container's root.
setup_test() {
	B=$T/b
	mkdir -p "$B"
	owned_rootfs 100000 200000
	"$THOLE" spec --bundle "$B"
	config '.process.terminal = false | .root.readonly = false | .linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] |
		.linux.gidMappings = [{ containerID: 0, hostID: 200000, size: 65536 }]'
}

# covers: linux.{uidMappings,gidMappings}
@test "root inside is another user outside: the uid map is the uid map, the gid map is the gid map" {
	detached sleep 1000
	local pid
	pid=$(init_of "$c")
	[ "$(readlink "/proc/$pid/ns/user")" != "$(readlink /proc/self/ns/user)" ] || fail "it is in the host's user namespace"
	equal "$(awk '{ print $1, $2, $3 }' "/proc/$pid/uid_map")" '0 100000 65536' uid_map
	equal "$(awk '{ print $1, $2, $3 }' "/proc/$pid/gid_map")" '0 200000 65536' gid_map
	equal "$(awk '/^Uid/ { print $2, $3, $4, $5 }' "/proc/$pid/status")" '100000 100000 100000 100000' uids
	equal "$(awk '/^Gid/ { print $2, $3, $4, $5 }' "/proc/$pid/status")" '200000 200000 200000 200000' gids
	equal "$(cat "/proc/$pid/setgroups")" allow
	equal "$(cut -d: -f3 "/proc/$pid/cgroup" | grep -c "thole-$c")" "$(wc -l < "/proc/$pid/cgroup")" 'groups it is in'
	thole kill "$c" KILL
	wait_for is "$c" stopped
}

# covers: linux.{uidMappings,gidMappings}
@test "several ranges, and a user in the second one" {
	config '.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 1000 }, { containerID: 1000, hostID: 300000, size: 1 }, { containerID: 5000, hostID: 400000, size: 10 }] |
		.process.user = { uid: 1000, gid: 2000, additionalGids: [7, 9] }'
	in_container sh -c 'id; cat /proc/self/uid_map' < /dev/null > "$T/out"
	contains "$(cat "$T/out")" 'uid=1000(user) gid=2000(extra) groups=7,9'
	equal "$(tail -3 "$T/out" | awk '{ print $1, $2, $3 }')" $'0 100000 1000\n1000 300000 1\n5000 400000 10'
}

@test "340 ranges are taken, 341 are not" {
	config '.linux.uidMappings = [range(0; 340) | { containerID: ., hostID: (1000 + . * 2), size: 1 }]'
	chown -R 1000 "$B/rootfs"
	equal "$(in_container sh -c 'wc -l < /proc/self/uid_map' < /dev/null)" 340
	args true
	config '.linux.uidMappings += [{ containerID: 9999, hostID: 9999, size: 1 }]'
	refused 125 'linux\.uidMappings: .*340' thole run --bundle "$B" "$c"
	config '.linux.uidMappings = [range(0; 340) | { containerID: (. * 100000), hostID: (. * 100000 + 50), size: 1000 }]'
	refused 125 'linux\.uidMappings: [0-9]+ bytes' thole run --bundle "$B" "$c"
}

@test "proc, sysfs, cgroup, mqueue, devpts, tmpfs are mounted, and the root belongs to root" {
	# shellcheck disable=SC2016
	in_container sh -c 'stat -c "%u:%g" / /bin /dev /dev/pts /proc/1; cat /proc/mounts; mkdir /new && stat -c %u /new; cat /sys/fs/cgroup/'"$(v1_or_v2 memory/ '')"'cgroup.procs | wc -l' \
		< /dev/null > "$T/out"
	equal "$(sed -n 1,5p "$T/out")" $'0:0\n0:0\n0:0\n0:0\n0:0'
	local kind
	for kind in proc sysfs "$(v1_or_v2 cgroup cgroup2)" mqueue devpts tmpfs; do
		grep -q " $kind " "$T/out" || fail "no $kind in $(cat "$T/out")"
	done
	equal "$(stat -c %u "$B/rootfs/new")" 100000
}

@test "the default devices are the host's own, bound" {
	# shellcheck disable=SC2016
	in_container sh -c 'for d in null zero full random urandom tty; do stat -c "%n %t:%T %F" /dev/$d; done; echo x > /dev/null; head -c 3 /dev/zero | wc -c; readlink /dev/fd; readlink /dev/ptmx' < /dev/null > "$T/out"
	equal "$(head -6 "$T/out")" "$(for d in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
		IFS=: read -r n a b <<< "$d"; echo "/dev/$n $a:$b character special file"; done)"
	equal "$(tail -3 "$T/out")" $'3\n/proc/self/fd\npts/ptmx'
	[ -f "$B/rootfs/dev/null" ] || [ ! -e "$B/rootfs/dev/null" ]
}

@test "a device of the config is the host's, or is refused by its path; a pipe is made" {
	config '.linux.devices = [{ path: "/dev/kmsg", type: "c", major: 1, minor: 11 }, { path: "/dev/queue", type: "p" }]'
	equal "$(in_container stat -c '%t:%T' /dev/kmsg < /dev/null)" 1:b
	equal "$(in_container stat -c %F /dev/queue < /dev/null)" fifo
	args true
	config '.linux.devices = [{ path: "/dev/kmsg", type: "c", major: 1, minor: 12 }]'
	refused 125 '/dev/kmsg.*1:12' thole run --bundle "$B" "$c"
	config '.linux.devices = [{ path: "/dev/no-such-device", type: "c", major: 1, minor: 3 }]'
	refused 125 '/dev/no-such-device' thole run --bundle "$B" "$c"
}

@test "the streams belong to the container's user: it opens /dev/stdout and /dev/stdin anew" {
	config '.process.user = { uid: 1000, gid: 1000 }'
	equal "$(in_container sh -c 'echo x > /dev/stdout; echo y > /proc/self/fd/1' < /dev/null)" $'x\ny'
	equal "$(echo in | in_container sh -c 'cat /dev/stdin')" in
	detached sh -c 'echo z > /dev/stdout; exec sleep 1000'
	wait_for logged "$c" z
	equal "$(thole exec "$c" sh -c 'echo w > /dev/stdout' < /dev/null)" w
}

@test "a terminal: it is the user's, and the console is there" {
	config '.process.terminal = true | .process.user = { uid: 1000, gid: 1000 }'
	# shellcheck disable=SC2016
	args sh -c 'tty; stat -c "%u %t" /dev/console; stat -c %u $(tty); echo hello > /dev/console'
	thole run -d --bundle "$B" "$c" < /dev/null > /dev/null
	wait_for logged "$c" hello
	thole logs "$c" | tr -d '\r' > "$T/out"
	equal "$(cat "$T/out")" $'/dev/pts/0\n1000 88\n1000\nhello'
}

@test "exec enters it: as root, as a user with groups, with a terminal" {
	detached sleep 1000
	equal "$(thole exec "$c" id < /dev/null)" 'uid=0(root) gid=0(root)'
	equal "$(thole exec --user 1000:1000 --additional-gids 2000 "$c" id < /dev/null)" 'uid=1000(user) gid=1000(user) groups=2000(extra)'
	equal "$(thole exec "$c" cat /proc/self/uid_map < /dev/null | awk '{ print $1, $2, $3 }')" '0 100000 65536'
	equal "$(thole exec "$c" readlink /proc/self/ns/user < /dev/null)" "$(readlink "/proc/$(init_of "$c")/ns/user")"
	thole exec -d -t --user 1000 "$c" sh -c 'tty > /tmp/tty; id -u >> /tmp/tty; mv /tmp/tty /tmp/done' < /dev/null
	wait_for test -e "/proc/$(init_of "$c")/root/tmp/done"
	matches "$(cat "/proc/$(init_of "$c")/root/tmp/done")" $'^/dev/pts/[0-9]+\n1000$'
	refused 125 'process\.user\.uid: 5000000 is not in' thole exec --user 5000000 "$c" true
}

@test "created, started, paused, killed, deleted as any other" {
	args sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 1; done'
	thole create --bundle "$B" "$c" < /dev/null
	is "$c" created
	thole start "$c"
	wait_for logged "$c" up
	thole pause "$c"
	is "$c" paused
	thole resume "$c"
	thole kill "$c" TERM
	wait_for is "$c" stopped
	thole delete "$c"
}

@test "rlimits above the caller's soft ones, oomScoreAdj, capabilities, no_new_privs, seccomp" {
	config '.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }] | .process.oomScoreAdj = 321 | .process.noNewPrivileges = true |
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["getppid"], action: "SCMP_ACT_ERRNO", errnoRet: 77 }] }'
	in_container sh -c 'ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status' < /dev/null > "$T/out"
	equal "$(sed -n 1,3p "$T/out")" $'100\n200\n321'
	equal "$(awk '/^CapEff/ { print $2 }' "$T/out")" 0000000020000420
	equal "$(awk '/^CapBnd/ { print $2 }' "$T/out")" 0000000020000420
	equal "$(awk '/^(NoNewPrivs|Seccomp):/ { print $2 }' "$T/out")" $'1\n2'
}

@test "all capabilities inside reach nothing outside" {
	local before
	before=$(hostname)
	config '.process.capabilities = ({ bounding: ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_SETUID", "CAP_KILL"] } |
		.effective = .bounding | .permitted = .bounding)'
	echo secret > "$T/secret"
	chmod 600 "$T/secret"
	config --arg s "$T/secret" '.mounts += [{ destination: "/secret", type: "bind", source: $s, options: ["bind"] }]'
	# shellcheck disable=SC2016
	in_container sh -c 'cat /secret; chown 0 /secret; mknod /tmp/n c 1 3; kill -0 '"$$"'; hostname changed; hostname; echo 1 > /proc/sys/kernel/panic; true' \
		< /dev/null > "$T/out" 2> "$T/err" || true
	equal "$(cat "$T/out")" changed
	grep -q 'secret.*[Pp]ermission denied' "$T/err"
	grep -q 'mknod.*not permitted' "$T/err"
	equal "$(hostname)" "$before"
	equal "$(stat -c %u "$T/secret")" 0
}

@test "hooks: the runtime's see the host's pid, the container's run inside the user namespace" {
	# shellcheck disable=SC2016
	printf '#!/bin/sh\ncat > "$1"; cat /proc/self/uid_map >> "$1"; id -u >> "$1"\n' > "$T/hook"
	chmod 755 "$T" "$T/hook"
	chmod 755 "$THOLE_TEST_TMP"
	touch "$T/create"
	chmod 666 "$T/create"
	cp "$T/hook" "$B/rootfs/hook"
	config --arg t "$T" '.hooks = { createRuntime: [{ path: ($t + "/hook"), args: ["hook", ($t + "/runtime")] }],
		createContainer: [{ path: ($t + "/hook"), args: ["hook", ($t + "/create")] }], startContainer: [{ path: "/hook", args: ["hook", "/tmp/start"] }] }'
	detached sleep 1000
	equal "$(jq -r .pid < <(head -1 "$T/runtime" | sed 's/}[^}]*$/}/'))" "$(init_of "$c")"
	equal "$(tail -1 "$T/create")" 0
	matches "$(cat "$T/create")" '0 +100000 +65536'
	contains "$(cat "/proc/$(init_of "$c")/root/tmp/start")" '"pid":'
	equal "$(tail -1 "/proc/$(init_of "$c")/root/tmp/start")" 0
}

@test "a source that only the host's root can reach is bound all the same; read-only is read-only" {
	mkdir -p "$T/closed/inner/data"
	echo seen > "$T/closed/inner/data/file"
	chmod 700 "$T/closed" "$T/closed/inner"
	chown 12345 "$T/closed" "$T/closed/inner"
	config --arg s "$T/closed/inner/data" '.mounts += [{ destination: "/data", type: "bind", source: $s, options: ["rbind", "ro"] }]'
	equal "$(in_container cat /data/file < /dev/null)" seen
	exits 1 in_container sh -c 'echo x > /data/file' < /dev/null 2> "$T/err"
	contains "$(cat "$T/err")" 'Read-only'
	args true
	config '.mounts += [{ destination: "/more", type: "bind", source: "/no/such/source", options: ["bind"] }]'
	refused 125 "/no/such/source.*at '/more'" thole run --bundle "$B" "$c"
}

@test "sysctls of the namespaces that it owns" {
	config '.linux.sysctl = { "net.ipv4.ip_forward": "1", "kernel.msgmax": "12345", "kernel.domainname": "example.org", "user.max_net_namespaces": "7" }'
	equal "$(in_container sh -c 'cd /proc/sys; cat net/ipv4/ip_forward kernel/msgmax kernel/domainname user/max_net_namespaces' < /dev/null)" $'1\n12345\nexample.org\n7'
}

@test "the host's network with sysfs: the kernel refuses, the error names the mount" {
	config '.linux.namespaces |= map(select(.type != "network"))'
	args true
	refused 125 "sysfs at '/sys'" thole run --bundle "$B" "$c"
}

@test "mappings that cannot be: each is refused by its field" {
	args true
	local good filter regex
	good=$(cat "$B/config.json")
	while IFS='|' read -r filter regex; do
		config "$filter"
		refused 125 "$regex" thole run --bundle "$B" "$c"
		printf '%s' "$good" > "$B/config.json"
	done <<- 'EOF'
		del(.linux.uidMappings)|linux\.uidMappings: is missing
		del(.linux.gidMappings)|linux\.gidMappings: is missing
		.linux.uidMappings = []|linux\.uidMappings: is missing
		.linux.namespaces -= [{type: "user"}]|linux\.uidMappings: needs a user namespace
		.linux.uidMappings[0].size = 0|linux\.uidMappings\[0\]\.size: must not be 0
		.linux.uidMappings[0].size = -1|linux\.uidMappings\[0\]\.size
		.linux.uidMappings[0].size = 4294967296|linux\.uidMappings\[0\]\.size
		del(.linux.gidMappings[0].hostID)|linux\.gidMappings\[0\]\.hostID: is missing
		.linux.uidMappings[0].hostID = "0"|linux\.uidMappings\[0\]\.hostID
		.linux.uidMappings[0].hostID = 4294967295|linux\.uidMappings\[0\]\.hostID: .*beyond
		.linux.uidMappings[0].containerID = 1|linux\.uidMappings: .*id 0
		.linux.uidMappings += [{containerID: 65535, hostID: 1, size: 5}]|linux\.uidMappings\[1\]\.containerID: .*overlaps
		.linux.gidMappings += [{containerID: 70000, hostID: 200001, size: 5}]|linux\.gidMappings\[1\]\.hostID: .*overlaps
		.process.user.uid = 65536|process\.user\.uid: 65536 is not in linux\.uidMappings
		.process.user.gid = 65536|process\.user\.gid: 65536 is not in linux\.gidMappings
		.process.user.additionalGids = [5, 70000]|process\.user\.additionalGids\[1\]: 70000
		.linux.namespaces += [{type: "user"}]|linux\.namespaces\[[0-9]\]\.type: 'user' is listed twice
	EOF
	wait_for nothing_left
}

@test "the shim stays where it is" {
	detached sleep 1000
	equal "$(readlink "/proc/$(shim_of "$c")/ns/user")" "$(readlink /proc/self/ns/user)"
	equal "$(awk '/^Uid/ { print $2 }' "/proc/$(shim_of "$c")/status")" 0
	equal "$(pgrep -P "$(shim_of "$c")" | wc -l)" 1 'children of the shim'
}
