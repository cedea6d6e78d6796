# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup debian-root
# A Debian root made by debootstrap, in which redis-server runs detached on the loopback of its own network namespace.
load lib

setup_test() {
	BUILD=$BUILD "$TREE/tests/live/make-debian-root" > "$THOLE_TEST_TMP/debian-root.log" 2>&1 || fail "$(tail -5 "$THOLE_TEST_TMP/debian-root.log")"
	B=$T/b
	mkdir "$B"
	"$THOLE" spec --bundle "$B"
	# The root stays as it is: redis writes to a tmpfs.
	config --arg r "$BUILD/debian-root" '.process.terminal = false | .root = { path: $r, readonly: true } |
		.mounts += [{ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["mode=1777", "nosuid", "nodev"] }] |
		.process.capabilities |= with_entries(.value += ["CAP_NET_ADMIN"]) | .process.cwd = "/data"'
	# The loopback of a new namespace is down; sbin/ip of the root brings it up, then the server takes the pid.
	args sh -c 'ip link set lo up && exec redis-server --bind 127.0.0.1 --port 6379 --dir /data --save "" --daemonize no'
}

# What a client says inside the container's network namespace.
redis() {
	nsenter -t "$(init_of "$c")" -n chroot "$BUILD/debian-root" redis-cli "$@" 2> /dev/null
}

answers() { [ "$(redis ping)" = PONG ]; }

@test "redis-server: detached, logged, answering, reattached, ended by SIGTERM with status 0" {
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for answers
	wait_for logged "$c" 'Ready to accept connections'
	is "$c" running
	equal "$(redis set harbour open)" OK
	equal "$(redis get harbour)" open
	# It is in its own network namespace: not on the host's loopback.
	not timeout 2 bash -c 'exec 3<> /dev/tcp/127.0.0.1/6379' 2> /dev/null
	# Come back to it, and leave again.
	in_background "$THOLE" --root "$ROOT" attach --no-stdin --sig-proxy=false "$c" < /dev/null > "$T/attached"
	local client=$!
	redis config set save '' > /dev/null
	redis debug log 'seen by the client' > /dev/null || true
	kill -TERM $client
	wait_for pid_gone $client
	is "$c" running
	equal "$(redis get harbour)" open
	# A second client stays until the end and gets the true status.
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/attached"
	client=$!
	attached 1
	thole kill "$c" TERM
	exits 0 wait $client
	exits 0 thole wait "$c"
	contains "$(cat "$T/attached")" 'bye bye'
	contains "$(thole logs "$c")" 'bye bye'
}

@test "as the redis user, killed by the kernel's own hand: 137" {
	local uid gid
	uid=$(awk -F: '$1 == "redis" { print $3 }' "$BUILD/debian-root/etc/passwd")
	gid=$(awk -F: '$1 == "redis" { print $4 }' "$BUILD/debian-root/etc/passwd")
	config --argjson u "$uid" --argjson g "$gid" '.process.user = { uid: $u, gid: $g } | .process.capabilities.ambient = ["CAP_NET_ADMIN"] |
		.process.capabilities.inheritable = ["CAP_NET_ADMIN"]'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for answers
	equal "$(awk '/^Uid:/ { print $2 }' "/proc/$(init_of "$c")/status")" "$uid"
	thole kill "$c" KILL
	exits 137 thole wait "$c"
}

@test "what Debian's own tools show inside" {
	args bash -c '. /etc/os-release; echo $ID; id -un; mount | grep -c "on /proc "; findmnt -no FSTYPE /dev/shm; dpkg -l redis-server | tail -1 | cut -c1-2'
	equal "$(thole run --bundle "$B" "$c" < /dev/null)" $'debian\nroot\n1\ntmpfs\nii'
}
