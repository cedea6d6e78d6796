# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup idmap
# Idmapped mounts.
load lib

setup_test() {
	bundle
	chmod 755 "$THOLE_TEST_TMP" "$T"
	mkdir -p "$T/data/sub"
	touch "$T/data/root" "$T/data/user"
	chown 1000:1001 "$T/data/user"
}

# bound OPTIONS-JSON [MOUNT-FILTER]
bound() {
	config --arg s "$T/data" --argjson o "$1" ".mounts += [{ destination: \"/data\", type: \"bind\", source: \$s, options: \$o } | ${2:-.}]"
}

own_user() {
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	owned_rootfs 100000 100000
}

# covers: mounts[].{uidMappings,gidMappings}
@test "without a user namespace: the mount's own mappings, files made there belong to who is meant" {
	bound '["bind", "idmap"]' '.uidMappings = [{ containerID: 0, hostID: 5000, size: 2000 }] | .gidMappings = [{ containerID: 0, hostID: 7000, size: 2000 }]'
	config '.process.user = { uid: 5000, gid: 7000 }'
	equal "$(in_container sh -c 'stat -c %u:%g /data/root /data/user; touch /data/new; stat -c %u:%g /data/new' < /dev/null)" $'5000:7000\n6000:8001\n5000:7000'
	equal "$(stat -c %u:%g "$T/data/new")" 0:0
	equal "$(stat -c %u:%g "$T/data/user")" 1000:1001
}

@test "with a user namespace and no mappings: the container's, so that the host's root is its root" {
	own_user
	bound '["bind", "idmap"]'
	equal "$(in_container sh -c 'stat -c %u:%g /data/root /data/user; touch /data/new' < /dev/null)" $'0:0\n1000:1001'
	equal "$(stat -c %u:%g "$T/data/new")" 0:0
	config 'del(.mounts[-1].options[1])'
	equal "$(in_container stat -c %u /data/root < /dev/null)" 65534 'without idmap'
}

@test "mappings without the option are one; ro and the tree's attributes go with it" {
	bound '["rbind", "ro", "rnoexec"]' '.uidMappings = [{ containerID: 0, hostID: 5000, size: 1 }] | .gidMappings = .uidMappings'
	in_container sh -c 'stat -c %u /data/root; touch /data/x; grep " /data " /proc/mounts' < /dev/null > "$T/out" 2> "$T/err"
	equal "$(head -1 "$T/out")" 5000
	contains "$(cat "$T/err")" 'Read-only'
	matches "$(tail -1 "$T/out")" 'ro,noexec'
}

@test "idmap is for the mount itself, ridmap for all that is below it" {
	bound '["rbind", "idmap"]' '.uidMappings = [{ containerID: 0, hostID: 5000, size: 1 }] | .gidMappings = .uidMappings'
	args sh -c 'stat -c %u /data/root /data/sub/file'
	cat > "$T/run" <<- EOF
		mount -t tmpfs below '$T/data/sub' && touch '$T/data/sub/file' && exec '$THOLE' --root '$ROOT' run --bundle '$B' '$c'
	EOF
	equal "$(unshare --mount --propagation private sh "$T/run" < /dev/null)" $'5000\n0'
	config '.mounts[-1].options[1] = "ridmap"'
	equal "$(unshare --mount --propagation private sh "$T/run" < /dev/null)" $'5000\n5000'
}

@test "with a joined user namespace: its mappings" {
	own_user
	detached sleep 1000
	local pid owned=$B/rootfs
	pid=$(init_of "$c")
	bundle second
	config --arg r "$owned" --arg p "/proc/$pid/ns/user" '.root.path = $r | .linux.namespaces += [{ type: "user", path: $p }]'
	bound '["bind", "idmap"]'
	args stat -c %u:%g /data/root /data/user
	equal "$(thole run --bundle "$B" "$c-2" < /dev/null)" $'0:0\n1000:1001'
}

@test "what cannot be: refused by the mount's field" {
	local good filter regex
	args true
	bound '["bind", "idmap"]' '.uidMappings = [{ containerID: 0, hostID: 5000, size: 1 }] | .gidMappings = .uidMappings | .at = 1'
	good=$(cat "$B/config.json")
	while IFS='|' read -r filter regex; do
		config "$filter"
		refused 125 "$regex" thole run --bundle "$B" "$c"
		printf '%s' "$good" > "$B/config.json"
	done <<- 'EOF'
		del(.mounts[-1].uidMappings)|mounts\[[0-9]+\]\.uidMappings: is missing
		del(.mounts[-1].gidMappings)|mounts\[[0-9]+\]\.gidMappings: is missing
		del(.mounts[-1].uidMappings, .mounts[-1].gidMappings)|mounts\[[0-9]+\]\.options: 'idmap' needs
		.mounts[-1].uidMappings[0].size = 0|mounts\[[0-9]+\]\.uidMappings\[0\]\.size
		.mounts[-1].gidMappings += .mounts[-1].gidMappings|mounts\[[0-9]+\]\.gidMappings\[1\]\.containerID: .*overlaps
		.mounts[-1] += {type: "tmpfs", options: ["idmap"]}|mounts\[[0-9]+\]: ids can be mapped for bind mounts only
		.mounts[-1].source = "/proc/sys"|/proc/sys at '/data': cannot map its ids.*file system
		.mounts[-1].options += ["remount"]|mounts\[[0-9]+\]\.options: 'idmap' cannot come with 'remount'
	EOF
	wait_for nothing_left
}

@test "features says so" {
	equal "$("$THOLE" features | jq -c '.linux.mountExtensions.idmap.enabled, (.mountOptions | index("idmap") != null and index("ridmap") != null)')" $'true\ntrue'
}
