# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# thole run --rootfs DIR: no config.json; an ordinary bundle is written and everything else is the one path.
load lib

setup_test() {
	R=$T/rootfs
	cp -al "$(template)" "$R" 2> /dev/null || cp -a "$(template)" "$R"
}

quick() {
	thole run --name "$c" --rootfs "$R" "$@"
}

# covers: run --rootfs
@test "a command and its output" {
	equal "$(quick -- echo hello < /dev/null)" hello
	exits 6 quick -- sh -c 'exit 6' < /dev/null
	refused 127 'no-such' thole run --name "$c" --rootfs "$R" -- /no-such
	nothing_left
}

# covers: run --name
@test "without a name it gets one, and says it when it is detached" {
	local id
	id=$(thole run -d --rootfs "$R" -- sleep 1000 < /dev/null)
	matches "$id" '^[A-Za-z0-9_+.-]+$'
	is "$id" running
	equal "$(thole list -q)" "$id"
	thole delete --force "$id"
	nothing_left || wait_for nothing_left
}

# covers: run --env, run --workdir, run --user, run --hostname
@test "environment, directory, user, hostname" {
	quick --env A=1 --env 'B=two words' -- /usr/bin/inherit < /dev/null > "$T/out"
	equal "$(value env_A)" 1
	equal "$(value env_B)" 'two words'
	[ -n "$(value env_PATH)" ]
	quick --workdir /srv/new -- /usr/bin/inherit < /dev/null > "$T/out"
	equal "$(value cwd)" /srv/new
	quick --user 1000:2000 -- /usr/bin/inherit < /dev/null > "$T/out"
	equal "$(value uid)" 1000,1000,1000
	equal "$(value gid)" 2000,2000,2000
	quick --user user -- /usr/bin/inherit < /dev/null > "$T/out"
	equal "$(value uid)" 1000,1000,1000
	equal "$(value gid)" 1000,1000,1000
	equal "$(value env_HOME)" /home/user
	equal "$(quick --hostname pier -- hostname < /dev/null)" pier
	refused 125 'nobody-of-that-name' thole run --name "$c" --rootfs "$R" --user nobody-of-that-name -- true
}

# covers: run --bind, run --tmpfs
@test "binds and tmpfs" {
	mkdir "$T/src"
	echo data > "$T/src/file"
	equal "$(quick --bind "$T/src:/mnt" -- sh -c 'cat /mnt/file; echo new > /mnt/new' < /dev/null)" data
	equal "$(cat "$T/src/new")" new
	equal "$(quick --bind "$T/src:/mnt:ro" -- sh -c 'touch /mnt/x 2>/dev/null || echo refused' < /dev/null)" refused
	equal "$(quick --tmpfs /scratch -- sh -c 'touch /scratch/x; grep -c " /scratch tmpfs " /proc/mounts' < /dev/null)" 1
	[ ! -e "$R/scratch/x" ]
	equal "$(quick --tmpfs /scratch:size=64k,mode=700,noexec -- sh -c 'stat -c %a /scratch; grep -o " /scratch tmpfs .*noexec.*size=64k" /proc/mounts | wc -l' < /dev/null)" $'700\n1'
	refused 125 bogus thole run --name "$c" --rootfs "$R" --tmpfs /scratch:bogus -- true
	refused 125 'mount options' thole run --name "$c" --rootfs "$R" --tmpfs /scratch: -- true
	refused 125 "$T/none" thole run --name "$c" --rootfs "$R" --bind "$T/none:/mnt" -- true
	refused 125 'bind' thole run --name "$c" --rootfs "$R" --bind "$T/src" -- true
}

# covers: run --memory, run --cpus, run --pids-limit
@test "memory, cpus, pids" {
	thole run -d --name "$c" --rootfs "$R" --memory 64m --cpus 1.5 --pids-limit 17 -- sleep 1000 < /dev/null > "$T/out"
	equal "$(cat "$(cgroup_of "$c" memory)/$(v1_or_v2 memory.limit_in_bytes memory.max)")" $((64 << 20))
	equal "$(cat "$(cgroup_of "$c" pids)/pids.max")" 17
	local quota period
	read -r quota period <<< "$(cd "$(cgroup_of "$c" cpu)" && cat $(v1_or_v2 'cpu.cfs_quota_us cpu.cfs_period_us' cpu.max) | tr '\n' ' ')"
	equal $((quota * 10 / period)) 15
	refused 125 'memory' thole run --name "$c-2" --rootfs "$R" --memory lots -- true
	refused 125 'cpus' thole run --name "$c-2" --rootfs "$R" --cpus x -- true
}

# covers: run --read-only
@test "--read-only" {
	equal "$(quick --read-only -- sh -c 'touch /x 2>/dev/null || echo refused; touch /dev/shm/y && echo but shm' < /dev/null)" $'refused\nbut shm'
}

# covers: run --network
@test "--network: host is the caller's, none has a loopback only" {
	equal "$(quick --network host -- readlink /proc/self/ns/net < /dev/null)" "$(readlink /proc/self/ns/net)"
	equal "$(quick --network none -- sh -c 'ls /sys/class/net' < /dev/null)" lo
	refused 125 'network' thole run --name "$c" --rootfs "$R" --network bridge -- true
}

# covers: run --tty, run --interactive
@test "-t gives a terminal, -i an open stdin" {
	echo end | "$PROBES/pty" "$THOLE" --root "$ROOT" run -t --name "$c" --rootfs "$R" -- tty | tr -d '\r' > "$T/out"
	contains "$(cat "$T/out")" /dev/pts/0
	equal "$(echo text | quick -i -- cat)" text
}

@test "it writes an ordinary bundle config, and delete removes it" {
	thole run -d --name "$c" --rootfs "$R" --env X=1 -- sleep 1000 < /dev/null > "$T/out"
	local bundle
	bundle=$(thole state "$c" | jq -r .bundle)
	equal "$(jq -r '.process.args | join(" ")' "$bundle/config.json")" 'sleep 1000'
	equal "$(jq -r .root.path "$bundle/config.json")" "$R"
	contains "$(jq -c .process.env "$bundle/config.json")" '"X=1"'
	thole delete --force "$c"
	[ ! -e "$bundle/config.json" ]
	[ -d "$R/bin" ]
}

@test "detached with --rm: gone at the end, bundle too" {
	thole run -d --rm --name "$c" --rootfs "$R" -- sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done' < /dev/null > "$T/out"
	is "$c" running
	touch "$R/tmp/go"
	wait_for nothing_left
}

@test "its own container capabilities: few, no_new_privs, masks" {
	quick -- /usr/bin/inherit < /dev/null > "$T/out"
	equal "$(value CapInh)" 0000000000000000
	[ "$(value CapBnd)" != "$(awk '/^CapBnd/ { print $2 }' /proc/self/status)" ]
	equal "$(quick -- sh -c 'cat /proc/kcore | wc -c' < /dev/null)" 0
}

@test "missing root, missing command" {
	refused 125 "$T/none" thole run --name "$c" --rootfs "$T/none" -- true
	refused 125 . thole run --name "$c" --rootfs "$R"
	refused 125 . thole run --name "$c" --bundle "$T" --rootfs "$R" -- true
}
