# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# /dev: the default nodes and links, linux.devices, and what the device controller lets through.
load lib

setup_test() { bundle; }

@test "the default devices, with their numbers, modes and owners" {
	in_container sh -c 'cd /dev && stat -c "%n %F %t:%T %a %u:%g" null zero full random urandom tty' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" "null character special file 1:3 666 0:0
zero character special file 1:5 666 0:0
full character special file 1:7 666 0:0
random character special file 1:8 666 0:0
urandom character special file 1:9 666 0:0
tty character special file 5:0 666 0:0"
}

@test "the default links" {
	in_container sh -c 'cd /dev && for l in fd stdin stdout stderr ptmx; do echo "$l $(readlink $l)"; done' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" "fd /proc/self/fd
stdin /proc/self/fd/0
stdout /proc/self/fd/1
stderr /proc/self/fd/2
ptmx pts/ptmx"
}

@test "/dev/ptmx among the config's devices is the container's own all the same" {
	config '.linux.devices = [{ path: "/dev/ptmx", type: "c", major: 5, minor: 2, fileMode: 438 }, { path: "/dev/other", type: "c", major: 1, minor: 3 }]'
	equal "$(in_container sh -c 'readlink /dev/ptmx; stat -c %t:%T /dev/other' < /dev/null | xargs)" 'pts/ptmx 1:3'
}

@test "they work" {
	in_container sh -c 'echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c
		echo x 2>/dev/null > /dev/full || echo full; echo out > /dev/stdout; echo err > /dev/stderr; echo via > /dev/fd/1' < /dev/null > "$T/out" 2> "$T/err"
	equal "$(cat "$T/out")" $'3\n4\nfull\nout\nvia'
	equal "$(cat "$T/err")" err
}

@test "a new pty can be made inside" {
	equal "$(in_container /usr/bin/pty sh -c 'tty' < <(echo end) | tr -d '\r')" /dev/pts/0
}

# covers: linux.devices
@test "devices of the config: type, numbers, mode, owner, in directories that have to be made" {
	config '.linux.devices = [
		{ path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 },
		{ path: "/dev/sub/disk", type: "b", major: 7, minor: 3, fileMode: 384, uid: 1000, gid: 2000 },
		{ path: "/dev/un", type: "u", major: 1, minor: 5, fileMode: 292 },
		{ path: "/dev/pipe", type: "p", fileMode: 416, uid: 5 }]'
	in_container sh -c 'cd /dev && stat -c "%n %F %t:%T %a %u:%g" fuse sub/disk un pipe' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" "fuse character special file a:e5 666 0:0
sub/disk block special file 7:3 600 1000:2000
un character special file 1:5 444 0:0
pipe fifo 0:0 640 5:0"
}

@test "a device that is listed twice is made once, as it is listed first; as two different devices it is refused" {
	config '.linux.devices = [{ path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438 }, { path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 256 }]'
	equal "$(in_container stat -c '%t:%T %a' /dev/fuse < /dev/null)" 'a:e5 666'
	config '.linux.devices[1].minor = 230'
	refused 125 "linux.devices\[1\].path: '/dev/fuse' is listed twice, as different devices" thole run --bundle "$B" "$c"
}

@test "a default device that the config names too is as the config says" {
	config '.linux.devices = [{ path: "/dev/zero", type: "c", major: 1, minor: 5, fileMode: 384, uid: 7, gid: 8 }]'
	equal "$(in_container stat -c '%a %u:%g' /dev/zero < /dev/null)" '600 7:8'
}

@test "a device whose mount is covered by that of /dev is made all the same" {
	config '.mounts = [{ destination: "/dev/null", type: "bind", source: "/dev/zero", options: ["bind"] }] + .mounts'
	equal "$(in_container sh -c 'echo gone > /dev/null; head -c 1 /dev/null | wc -c')" 0
}

@test "what the config mounts over a default device, or over one of its own, is there in its place" {
	echo a file > "$T/file"
	config --arg f "$T/file" '.linux.devices = [{ path: "/dev/zero", type: "c", major: 1, minor: 5 }, { path: "/dev/other", type: "c", major: 1, minor: 3 }] |
		.mounts += ([["/dev/urandom", "/dev/random"], ["/dev/null", "/dev/tty"], [$f, "/dev/zero"], [$f, "/dev/other"]] | map({ source: .[0], destination: .[1], type: "bind", options: ["bind"] }))'
	args sh -c 'stat -c %t:%T /dev/random /dev/urandom /dev/tty /dev/full; cat /dev/zero /dev/other'
	equal "$(thole run --bundle "$B" "$c" < /dev/null | xargs)" '1:9 1:9 1:3 1:7 a file a file'
	needs userns
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 0, size: 1000 }] | .linux.gidMappings = .linux.uidMappings'
	equal "$(thole run --bundle "$B" "$c" < /dev/null | xargs)" '1:9 1:9 1:3 1:7 a file a file'
}

# covers: linux.resources.devices
@test "the device controller: everything denied but the default devices and what is allowed" {
	config '.process.capabilities |= with_entries(.value += ["CAP_MKNOD"]) |
		.linux.resources.devices = [ { allow: false, access: "rwm" }, { allow: true, type: "b", major: 7, minor: 250, access: "m" } ]'
	# shellcheck disable=SC2016
	in_container sh -c 'cd /tmp
		mknod loop b 7 250 && echo made
		(: < loop) 2> err || grep -o "Operation not permitted" err
		mknod kmsg c 1 11
		(: < kmsg) 2> err || grep -o "Operation not permitted" err
		(: > kmsg) 2> err || grep -o "Operation not permitted" err
		mknod null c 1 3 && echo x > null && echo null works' < /dev/null > "$T/out" 2> "$T/err"
	equal "$(cat "$T/out")" "made
Operation not permitted
Operation not permitted
Operation not permitted
null works"
}

@test "an allowed device can be opened" {
	config '.process.capabilities |= with_entries(.value += ["CAP_MKNOD"]) |
		.linux.resources.devices = [ { allow: false, access: "rwm" }, { allow: true, type: "c", major: 1, minor: 11, access: "rwm" } ]'
	equal "$(in_container sh -c 'mknod /tmp/kmsg c 1 11 && (: > /tmp/kmsg) && echo opened' < /dev/null)" opened
}

@test "a device outside of /dev is made too, one with a bad type is refused" {
	config '.linux.devices = [{ path: "/opt/dev/zero", type: "c", major: 1, minor: 5, fileMode: 438 }]'
	equal "$(in_container sh -c 'head -c 2 /opt/dev/zero | wc -c' < /dev/null)" 2
	config '.linux.devices = [{ path: "/dev/x", type: "z", major: 1, minor: 5 }]'
	refused 125 'linux.devices\[0\].type' thole run --bundle "$B" "$c"
}

@test "a device of the config's that the container's rules do not let be made: the message says so" {
	needs cgroup-v1
	config '.linux.devices = [{ path: "/dev/not-the-hosts", type: "c", major: 1, minor: 11 }] |
		.linux.resources.devices = [{ allow: true, access: "rwm" }, { allow: false, type: "c", major: 1, minor: 11, access: "rwm" }]'
	refused 125 "linux.devices\[0\]: cannot make device '/dev/not-the-hosts': linux.resources.devices denies 'm' of c 1:11" thole run --bundle "$B" "$c"
	# What the host has is shown, and cannot be used.
	config '.linux.devices[0].path = "/dev/kmsg"'
	[ ! -c /dev/kmsg ] || equal "$(in_container sh -c 'stat -c %t:%T /dev/kmsg; (: < /dev/kmsg) 2>/dev/null || echo denied' < /dev/null | xargs)" '1:b denied'
}
