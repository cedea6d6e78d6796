# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Flaws that runtimes have had (the table in SECURITY.md), staged against thole.
load lib

setup_test() {
	bundle
	mkdir -p "$T/outside"
	echo untouched > "$T/outside/file"
	OUTSIDE=$(find "$T/outside" | sort)
}

outside_unharmed() {
	equal "$(find "$T/outside" | sort)" "$OUTSIDE" 'what is outside'
	equal "$(cat "$T/outside/file")" untouched
}

# A link in the root that leads out, by an absolute path and by dots.
link_out() { # PATH-IN-ROOT [BELOW]
	rm -rf "$B/rootfs$1"
	mkdir -p "$(dirname "$B/rootfs$1")"
	ln -s "$T/outside${2:-}" "$B/rootfs$1"
}

attempt() { # CMD...: whatever it does, it must not touch the outside
	args "$@"
	timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" || true
	outside_unharmed
	nothing_left || wait_for nothing_left
}

@test "2023-27561, 2019-19921: /proc is a symlink in the root: refused" {
	rm -rf "$B/rootfs/proc"
	mkdir "$B/rootfs/fake"
	ln -s fake "$B/rootfs/proc"
	args true
	refused 125 '/proc' thole run --bundle "$B" "$c"
	link_out /proc
	refused 125 '/proc' thole run --bundle "$B" "$c"
	outside_unharmed
	# Where nothing is hidden, nobody looks at it a second time.
	config 'del(.linux.maskedPaths, .linux.readonlyPaths)'
	refused 125 '/proc' thole run --bundle "$B" "$c"
	ln -sfn fake "$B/rootfs/proc"
	refused 125 '/proc' thole run --bundle "$B" "$c"
	ln -sfn tmp/fake "$B/rootfs/proc"
	refused 125 '/proc' thole run --bundle "$B" "$c"
	outside_unharmed
}

@test "2023-28642: /sys is a symlink in the root: refused" {
	link_out /sys
	args true
	refused 125 '/sys' thole run --bundle "$B" "$c"
	outside_unharmed
	config 'del(.linux.maskedPaths, .linux.readonlyPaths)'
	refused 125 '/sys' thole run --bundle "$B" "$c"
	ln -sfn tmp "$B/rootfs/sys"
	refused 125 '/sys' thole run --bundle "$B" "$c"
	outside_unharmed
}

@test "2026-41579, 2026-47766, 2019-18837: /dev is a symlink: no device is made outside" {
	link_out /dev
	attempt true
	# Without a mount over /dev the nodes would be made in the root itself.
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	attempt true
	# Nor elsewhere in the root.
	ln -sfn tmp "$B/rootfs/dev"
	refused 125 "'/dev' in the rootfs without following links" thole run --bundle "$B" "$c"
	equal "$(ls -A "$B/rootfs/tmp")" ''
}

@test "2019-19921: /proc is exchanged for a link out while it is looked for, mounted and masked" {
	local i n good=0 swapper
	n=$([ "$THOLE_LONG" ] && echo 300 || echo 20)
	mkdir "$T/outside/self"
	OUTSIDE=$(find "$T/outside" | sort)
	ln -s "$T/outside" "$B/rootfs/link"
	in_background perl -e 'my ($a, $b) = @ARGV; my ($x, $y) = (map { "$_\0" } $a, $b);
		while (getppid() != 1) { syscall(316, -100, $x, -100, $y, 2) }' "$B/rootfs/proc" "$B/rootfs/link"
	swapper=$!
	# What is masked is never empty, and there is time between one look and the next.
	config '.linux.maskedPaths += [("uptime", "loadavg", "version", "meminfo") as $f | ("/proc/missing/\(range(1500))", "/proc/" + $f)]'
	args sh -c 'cat /proc/self/status /link/self/status 2> /dev/null | grep -c ^Seccomp:; cd /proc; cat keys uptime loadavg version meminfo 2> /dev/null; cd /link; cat keys uptime loadavg version meminfo 2> /dev/null; exit 0'
	for ((i = 0; i < n; i++)); do
		# It comes up with a true /proc, masked as ever, or not at all.
		timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" || { equal "$(cat "$T/out")" ''; continue; }
		# Exchanged between the two looks it is seen twice or not at all.
		matches "$(cat "$T/out")" '^[012]$'
		[ "$(cat "$T/out")" = 0 ] || good=$((good + 1))
		outside_unharmed
	done
	kill -KILL $swapper
	outside_unharmed
	not grep -qF "$T/outside" /proc/self/mountinfo
	echo "# $good of $n came up"
}

@test "2019-19921: another directory in the place of /proc or /sys when paths are hidden: refused, nothing stays visible" {
	local dir
	# At this moment the mounts are there, but in the container's namespace only: outside nothing holds the directory.
	printf '#!/bin/sh\nmv "$1" "$1.was" && mkdir "$1"\n' > "$T/exchange"
	chmod +x "$T/exchange"
	args sh -c 'echo came up'
	for dir in proc sys; do
		config --arg h "$T/exchange" --arg d "$B/rootfs/$dir" '.hooks.createRuntime = [{ path: $h, args: ["exchange", $d] }]'
		refused 125 "'/$dir' changed while it was looked at" thole run --bundle "$B" "$c"
	done
}

@test "2019-19921: another mount in the place of /proc or /sys when paths are hidden: refused, nothing stays visible" {
	local pair
	printf '#!/bin/sh\nmv "$1/$2" "$1/was" && mv "$1/$3" "$1/$2" && mv "$1/was" "$1/$3"\n' > "$T/exchange"
	chmod +x "$T/exchange"
	mkdir "$B/rootfs/mine"
	args sh -c 'echo came up'
	config '.mounts += [{ destination: "/mine", type: "tmpfs", source: "tmpfs" }]'
	for pair in 'proc sys' 'proc mine' 'sys mine'; do
		# shellcheck disable=SC2086 # two words
		config --arg h "$T/exchange" --arg r "$B/rootfs" --arg a ${pair% *} --arg b ${pair#* } '.hooks.createRuntime = [{ path: $h, args: ["exchange", $r, $a, $b] }]'
		refused 125 "'/${pair% *}' changed while it was looked at" thole run --bundle "$B" "$c"
	done
}

@test "2021-30465: a mount target that is a link out, by absolute path, by dots, in the middle, by a link of /proc" {
	local d
	mkdir "$T/src"
	touch "$T/src/inside"
	config --arg s "$T/src" '.mounts += [{ destination: "/mnt/point", type: "none", source: $s, options: ["bind", "rw"] }]'
	link_out /mnt
	attempt sh -c 'echo bad > /mnt/point/new'
	rm "$B/rootfs/mnt"
	link_out /mnt/point
	attempt sh -c 'ls /mnt/point; echo bad > /mnt/point/new'
	rm -rf "$B/rootfs/mnt"
	mkdir "$B/rootfs/mnt"
	ln -s ../../../../../../../../../../..$T/outside "$B/rootfs/mnt/point"
	attempt sh -c 'ls /mnt/point'
	not grep -qF "$T/outside" /proc/self/mountinfo
	# The links of /proc that no path stands behind: before the root is entered, /proc/self/root is the host's. They are not followed at all, wherever they lead.
	for d in self/root 1/root self/cwd self/fd/0 self/exe; do
		ln -sfn "/proc/$d" "$B/rootfs/mnt/point"
		refused 125 '/mnt/point.*symbolic links' thole run --bundle "$B" "$c"
		ln -sfn "/proc/$d$T/outside" "$B/rootfs/mnt/point"
		refused 125 '/mnt/point.*(symbolic links|[Nn]ot a directory)' thole run --bundle "$B" "$c"
		outside_unharmed
	done
}

@test "2024-45310: directories and files that are made for mounts stay inside" {
	echo s > "$T/src"
	config --arg s "$T/src" '.mounts += [{ destination: "/a/b/c/file", type: "none", source: $s, options: ["bind"] }]'
	link_out /a
	attempt true
	rm "$B/rootfs/a"
	mkdir "$B/rootfs/a"
	link_out /a/b
	attempt true
	# The last one, which is a file to be made: where nothing is yet.
	rm "$B/rootfs/a/b"
	mkdir -p "$B/rootfs/a/b/c"
	link_out /a/b/c/file /new
	attempt true
	# As with runc it is made where the link leads, below the root.
	[ -f "$B/rootfs$T/outside/new" ]
	link_out /a/b/c/file /file
	attempt true
}

@test "a mount target of the other kind is refused before anything is mounted" {
	mkdir "$T/dir"
	echo s > "$T/src"
	args true
	touch "$B/rootfs/there"
	config --arg s "$T/dir" '.mounts += [{ destination: "/there", type: "none", source: $s, options: ["bind"] }]'
	refused 125 "cannot use '/there' in the rootfs: Not a directory" thole run --bundle "$B" "$c"
	rm "$B/rootfs/there"
	mkdir "$B/rootfs/there"
	config --arg s "$T/src" '.mounts[-1].source = $s'
	refused 125 "cannot use '/there' in the rootfs: Is a directory" thole run --bundle "$B" "$c"
	config --arg s "$T/dir" '.mounts[-1] = { destination: "/", type: "none", source: $s, options: ["bind"] }'
	refused 125 "cannot mount over '/'" thole run --bundle "$B" "$c"
}

@test "2025-24965: nothing of thole's own is written into the root" {
	local before
	before=$(cd "$B/rootfs" && find . -type f -o -type l | sort)
	link_out /.krun_config.json /new
	args true
	thole run --bundle "$B" "$c" < /dev/null
	thole run -d --bundle "$B" "$c" < /dev/null > "$T/out"
	thole wait "$c"
	thole delete "$c"
	outside_unharmed
	rm "$B/rootfs/.krun_config.json"
	equal "$(cd "$B/rootfs" && find . -type f -o -type l | sort)" "$before"
}

@test "2024-45310: the links are exchanged while it looks" {
	local i n
	n=$([ "$THOLE_LONG" ] && echo 300 || echo 20)
	echo s > "$T/src"
	mkdir -p "$B/rootfs/a/real"
	ln -s "$T/outside" "$B/rootfs/a/link"
	config --arg s "$T/src" '.mounts += [{ destination: "/a/real/made/file", type: "none", source: $s, options: ["bind"] }] |
		.linux.maskedPaths += ["/a/real"] | .process.cwd = "/a/real/cwd"'
	in_background perl -e 'my ($a, $b) = @ARGV; my ($x, $y) = (map { "$_\0" } $a, $b);
		while (getppid() != 1) { syscall(316, -100, $x, -100, $y, 2) }' "$B/rootfs/a/real" "$B/rootfs/a/link"
	local swapper=$!
	args true
	for ((i = 0; i < n; i++)); do
		timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" || true
		outside_unharmed
	done
	kill -KILL $swapper
}

@test "2024-21626: cwd = /proc/self/fd/N leads nowhere" {
	local n
	for n in 3 4 5 6 7 8 9 10 11 12 13 14 15 20; do
		config --arg d "/proc/self/fd/$n" '.process.cwd = $d'
		args sh -c 'cat ../../../../etc/debian_version ../../../../../../../etc/debian_version 2>/dev/null && echo ESCAPED; pwd'
		timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" || true
		not grep ESCAPED "$T/out"
		[ -s "$T/err" ] || not grep -q '^(unreachable)' "$T/out"
	done
	ln -s /proc/self/fd/7 "$B/rootfs/link"
	config '.process.cwd = "/link"'
	in_container sh -c 'cat ../../../etc/debian_version && echo ESCAPED' < /dev/null > "$T/out" 2>&1 || true
	not grep ESCAPED "$T/out"
}

@test "2024-21626: cwd = /proc/self/fd/N of what is exec'd with a directory of the host's passed on: outside, refused" {
	local n seen=0
	detached sleep 1000
	ln -s /proc/self/fd "$B/rootfs/fds"
	for ((n = 0; n < 32; n++)); do
		# What is passed on is open somewhere while the directory is entered.
		bash -c 'exec timeout 20 "$0" --root "$1" exec --preserve-fds 1 --cwd "/fds/$3" "$2" sh -c "cat etc/debian_version ../etc/debian_version 2> /dev/null && echo ESCAPED; pwd" < /dev/null 3< /' \
			"$THOLE" "$ROOT" "$c" $n > "$T/out" 2> "$T/err" || true
		not grep ESCAPED "$T/out"
		! grep -q "^thole: the working directory '/fds/$n' is outside the root" "$T/err" || seen=$((seen + 1))
	done
	[ $seen -gt 0 ]
}

@test "2024-21626: no descriptor of the host's tree in the container, also when the caller leaks them" {
	args /usr/bin/selfexe
	bash -c 'exec 11< / 12< /etc 13< "$2/b"; exec "$0" --root "$1" run --bundle "$2/b" "$3" < /dev/null' "$THOLE" "$ROOT" "$T" "$c" > "$T/out"
	equal "$(tail -1 "$T/out")" 'writable=0 outside=0'
}

@test "2019-5736: /proc/self/exe as the program: the runtime's files are not changed" {
	local before
	before=$(sha256sum "$BIN/thole" "$BIN/thole-shim"; stat -c '%a %u %Y %s' "$BUILD/thole" "$BUILD/thole-shim")
	args /proc/self/exe --version
	timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2>&1 || true
	printf '#!/proc/self/exe\n' > "$B/rootfs/tool"
	chmod 755 "$B/rootfs/tool"
	args /tool
	timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2>&1 || true
	equal "$(sha256sum "$BIN/thole" "$BIN/thole-shim"; stat -c '%a %u %Y %s' "$BUILD/thole" "$BUILD/thole-shim")" "$before"
}

@test "2019-5736: what is seen through /proc/PID/exe between create and start cannot be written" {
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	local pid
	pid=$(init_of "$c")
	not sh -c ': >> "/proc/$1/exe"' sh "$pid" 2> "$T/err"
	[ -s "$T/err" ]
	# Nor from inside its pid and mount namespaces, with all of root's capabilities.
	nsenter -t "$pid" -p /bin/sh -c 'exec "$0" 0 "$1"' "$PROBES/selfexe" "$ROOT" > "$T/out"
	matches "$(tail -1 "$T/out")" '^writable=0 '
}

@test "a watcher with all capabilities finds nothing to write to while containers start" {
	# Without pid namespaces of their own the starting processes can be seen by everybody: the worst place to be.
	config '.linux.namespaces |= map(select(.type != "pid")) |
		.process.capabilities = { bounding: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"], permitted: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"], effective: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"] }'
	args /usr/bin/selfexe 3 "$ROOT"
	in_background "$THOLE" --root "$ROOT" run --bundle "$B" "$c-w" < /dev/null > "$T/watch"
	local watcher=$! i
	bundle third
	config '.linux.namespaces |= map(select(.type != "pid"))'
	args true
	for ((i = 0; i < 20; i++)); do
		thole run --bundle "$B" "$c-$i" < /dev/null
	done
	wait $watcher
	# What runs from the file on disk (a client) is none of the container's: only what the container's own processes run counts.
	matches "$(tail -1 "$T/watch")" '^writable=[0-9]+ '
	not grep -v '/thole$' <(grep '^writable pid' "$T/watch")
}

# Every way that is known from inside, with every capability that helps, while processes come in that are the shim's until they execute their programs.
@test "2019-5736: the executable of what is exec'd cannot be written, truncated, its mode changed or its mount made writable" {
	local caps='["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_SYS_CHROOT", "CAP_MKNOD"]' before i
	before=$(sha256sum "$BIN/thole-shim"; stat -c '%a %u %Y %Z %s' "$BIN/thole-shim")
	config --argjson c "$caps" '.process.capabilities = { bounding: $c, permitted: $c, effective: $c }'
	printf '#!/proc/self/exe\n' > "$B/rootfs/tool"
	chmod 755 "$B/rootfs/tool"
	# An emulated processor comes by an executable of ours in time for it a few times in a minute.
	detached sh -c "/usr/bin/selfexe $([ "$LANE" = vm ] && echo 60 || echo 4) '' harder > /tmp/watched; exec sleep 1000"
	for ((i = 0; i < 500; i++)); do
		! grep -q '^writable=' "$B/rootfs/tmp/watched" || break
		timeout 30 "$THOLE" --root "$ROOT" exec "$c" true < /dev/null
		timeout 30 "$THOLE" --root "$ROOT" exec "$c" /tool < /dev/null > "$T/out" 2>&1 || true
		timeout 30 "$THOLE" --root "$ROOT" exec "$c" /proc/self/exe --version < /dev/null > "$T/out" 2>&1 || true
	done
	wait_for grep -q '^writable=' "$B/rootfs/tmp/watched"
	not grep '^writable pid' "$B/rootfs/tmp/watched"
	matches "$(tail -1 "$B/rootfs/tmp/watched")" '^writable=0 outside=0$'
	# It has looked at something: else this says nothing.
	[ "$(value tried "$B/rootfs/tmp/watched")" -gt 0 ]
	equal "$(sha256sum "$BIN/thole-shim"; stat -c '%a %u %Y %Z %s' "$BIN/thole-shim")" "$before"
}

@test "2025-31133: a masked path is bound from the true /dev/null only" {
	echo secret > "$B/rootfs/secret"
	config '.linux.maskedPaths += ["/secret"] | .mounts |= map(select(.destination != "/dev"))'
	rm -rf "$B/rootfs/dev"
	mkdir -p "$B/rootfs/dev"
	ln -s /proc/sys/kernel/hostname "$B/rootfs/dev/null"
	args sh -c 'cat /secret; echo PWNED > /secret'
	timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" || true
	not grep -E 'secret$|^[a-z]' "$T/out"
	outside_unharmed
	mkfifo "$B/rootfs/dev/fifo"
	rm -f "$B/rootfs/dev/null"
	echo planted > "$B/rootfs/dev/null"
	timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" || true
	not grep -E 'secret|planted' "$T/out"
	# A directory of the caller's over /dev, in which nothing is made: only this look is between what is in it and the mask.
	mkdir "$T/dev"
	config --arg d "$T/dev" '.mounts += [{ destination: "/dev", type: "none", source: $d, options: ["bind", "rw"] }]'
	local kind
	for kind in 'ln -s /secret %s' 'cp '"$T"'/outside/file %s' 'mkfifo %s' 'mknod %s c 1 5' 'mknod %s b 1 3'; do
		rm -f "$T/dev/null"
		# shellcheck disable=SC2046,SC2059 # a command of words
		$(printf "$kind" "$T/dev/null")
		refused 125 "'/dev/null' in the rootfs is not the null device" timeout 20 "$THOLE" --root "$ROOT" run --bundle "$B" "$c"
	done
	rm "$T/dev/null"
	mknod "$T/dev/null" c 1 3
	equal "$(thole run --bundle "$B" "$c" < /dev/null)" ''
}

# Descriptors that lead to what the container likes, where a /proc should be. 0 and more: nobody knows which number is looked for.
plant_descriptors() { # DIR WHAT
	local n
	rm -rf "${1:?}/self"
	mkdir -p "$1/self/fd"
	for ((n = 0; n < 64; n++)); do
		if [ "$2" = fifo ]; then mkfifo "$1/self/fd/$n"; else ln -s "$2" "$1/self/fd/$n"; fi
	done
}

@test "2025-31133: what covers a masked path is not found through a /proc that is the container's own" {
	owned_rootfs 0 0
	echo secret > "$B/rootfs/secret"
	echo planted > "$B/rootfs/planted"
	config '.mounts |= map(select(.destination != "/proc")) | .linux.maskedPaths = ["/secret"] | .linux.readonlyPaths = []'
	args sh -c 'cat /secret; echo end'
	local what
	for what in /secret /planted fifo; do
		plant_descriptors "$B/rootfs/proc" $what
		equal "$(timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null)" end "with $what"
	done
	# The same with a true /proc, exchanged when it is mounted.
	plant_descriptors "$B/rootfs/planted-proc" /planted
	rm -rf "$B/rootfs/proc"
	mkdir "$B/rootfs/proc"
	printf '#!/bin/sh\nmv "$1/proc" "$1/was" && mv "$1/planted-proc" "$1/proc"\n' > "$T/exchange"
	chmod +x "$T/exchange"
	config --arg h "$T/exchange" --arg d "$B/rootfs" '.mounts += [{ destination: "/proc", type: "proc", source: "proc" }] | .hooks.createRuntime = [{ path: $h, args: ["exchange", $d] }]'
	equal "$(thole run --bundle "$B" "$c" < /dev/null)" end
	[ -d "$B/rootfs/was" ]
}

@test "what is exec'd gets /dev/null and a terminal past a /proc that is the container's own: nothing is opened for it, nobody holds it up" {
	owned_rootfs 0 0
	echo secret > "$B/rootfs/secret"
	chmod 600 "$B/rootfs/secret"
	config '.mounts |= map(select(.destination != "/proc")) | del(.linux.maskedPaths, .linux.readonlyPaths)'
	detached sleep 1000
	local what
	for what in /secret /missing fifo; do
		plant_descriptors "$B/rootfs/proc" $what
		rm -f "$B/rootfs/tmp/got"
		exits 0 timeout 20 "$THOLE" --root "$ROOT" exec -d --user 1000 "$c" sh -c 'cat > /tmp/getting; mv /tmp/getting /tmp/got' < /dev/null > "$T/out"
		wait_for test -e "$B/rootfs/tmp/got"
		equal "$(cat "$B/rootfs/tmp/got")" '' "stdin with $what"
		equal "$(timeout 20 "$THOLE" --root "$ROOT" exec "$c" sh -c 'cat; echo end' < /dev/null)" end
		matches "$(timeout 20 "$THOLE" --root "$ROOT" exec -t "$c" sh -c 'tty; test -t 1 && echo end' < /dev/null | tr -d '\r' | tr '\n' ' ')" '^/dev/pts/[0-9]+ end $'
	done
}

# Where a tty is needed and /dev/pts/ptmx is something else.
@test "2025-52565: a /dev/pts/ptmx that is no multiplexer of a devpts is not opened, by a container or what is exec'd" {
	owned_rootfs 0 0
	config '.process.terminal = true | .mounts |= map(select(.destination != "/dev/pts" and .destination != "/dev"))'
	mkdir -p "$B/rootfs/dev/pts"
	args sh -c 'echo came up'
	local kind
	# By its number alone it is one: a node of the host's kind, whose ptys would be those of another devpts.
	for kind in 'mknod %s c 5 2' 'mknod %s c 1 3' 'ln -s ../../tmp/file %s' 'mkfifo %s'; do
		rm -f "$B/rootfs/dev/pts/ptmx"
		touch "$B/rootfs/tmp/file"
		# shellcheck disable=SC2046,SC2059 # a command of words
		$(printf "$kind" "$B/rootfs/dev/pts/ptmx")
		refused 125 "ptmx' in the rootfs is no terminal multiplexer" timeout 20 "$THOLE" --root "$ROOT" run --bundle "$B" "$c"
	done
	config '.process.terminal = false'
	detached sleep 1000
	for kind in 'mknod %s c 5 2' 'mkfifo %s'; do
		rm -f "$B/rootfs/dev/pts/ptmx"
		# shellcheck disable=SC2046,SC2059
		$(printf "$kind" "$B/rootfs/dev/pts/ptmx")
		refused 125 "ptmx' in the rootfs is no terminal multiplexer" timeout 20 "$THOLE" --root "$ROOT" exec -t "$c" true
	done
}

@test "2025-52565: /dev/console of a container whose /dev/pts is replaced" {
	config '.process.terminal = true | .mounts |= map(select(.destination != "/dev/pts" and .destination != "/dev"))'
	rm -rf "$B/rootfs/dev"
	mkdir -p "$B/rootfs/dev/pts"
	ln -s "$T/outside/file" "$B/rootfs/dev/console"
	ln -s "$T/outside/file" "$B/rootfs/dev/pts/0"
	attempt sh -c 'echo bad > /dev/console'
}

@test "2025-52881, 2019-16884: a mount over /proc or inside of it is refused" {
	mkdir "$T/src"
	args true
	local d
	for d in /proc /proc/self /proc/self/attr /proc/sys/kernel; do
		config --arg s "$T/src" --arg d "$d" '.mounts = (.mounts | map(select(.source != $s))) + [{ destination: $d, type: "none", source: $s, options: ["bind"] }]'
		refused 125 "'$d': (only a proc file system may be there|it is inside /proc)" thole run --bundle "$B" "$c"
	done
	config --arg s "$T/src" '.mounts = (.mounts | map(select(.source != $s))) + [{ destination: "/proc", type: "tmpfs", source: "tmpfs" }]'
	refused 125 "'/proc': only a proc file system may be there" thole run --bundle "$B" "$c"
}

@test "2019-16884, 2026-41579: a mount whose target a link of the image leads over /, /dev, /proc or into /proc is refused; no device is made in a volume" {
	mkdir "$T/src"
	args true
	local d
	config --arg s "$T/outside" '.mounts += [{ destination: "/data", type: "none", source: $s, options: ["bind", "rw"] }]'
	for d in / /dev /proc /proc/self /proc/sys/kernel proc/../dev ../../proc/self/attr; do
		ln -sfn "$d" "$B/rootfs/data"
		refused 125 "'/data' leads (in)?to '" thole run --bundle "$B" "$c"
		outside_unharmed
	done
	config '.mounts |= map(if .destination == "/data" then { destination: "/data/below", type: "tmpfs", source: "t" } else . end)'
	mkdir "$B/rootfs/real"
	for d in sys/kernel self; do
		ln -sfn "/proc/$d" "$B/rootfs/real/below"
		ln -sfn real "$B/rootfs/data"
		refused 125 "'/data/below' leads into '/proc'" thole run --bundle "$B" "$c"
	done
	# Where a link leads to what is none of these, it is followed.
	ln -sfn /tmp "$B/rootfs/real/below"
	thole run --bundle "$B" "$c" < /dev/null
}

@test "2023-27561: a bind of the host's /proc or /sys does not go through a link either" {
	args true
	local d
	for d in /proc /sys; do
		config --arg d "$d" '.mounts = [.mounts[] | select(.destination != $d)] + [{ destination: $d, type: "none", source: $d, options: ["rbind", "ro"] }] | del(.linux.maskedPaths, .linux.readonlyPaths)'
		thole run --bundle "$B" "$c" < /dev/null
		rm -rf "${B:?}/rootfs$d"
		ln -s tmp "$B/rootfs$d"
		refused 125 "'$d'" thole run --bundle "$B" "$c"
		rm "$B/rootfs$d"
		mkdir "$B/rootfs$d"
	done
}

@test "2022-29162: nor do those of the caller come along, inheritable or ambient" {
	local caps=(setpriv --inh-caps +net_raw,+chown --ambient-caps +net_raw,+chown "$THOLE" --root "$ROOT")
	# Where the config gives them, but not as ambient, the kernel does not take these away by itself.
	for filter in 'del(.process.capabilities)' '.process.capabilities.inheritable = [] | .process.capabilities.ambient = []' \
		'(.process.capabilities | .inheritable, .permitted, .effective, .bounding) = ["CAP_NET_RAW"] | .process.capabilities.ambient = []'; do
		"$THOLE" spec --bundle "$T" && mv "$T/config.json" "$B/config.json"
		config '.process.terminal = false | .root.readonly = false'
		config "$filter"
		args /usr/bin/inherit
		"${caps[@]}" run --bundle "$B" "$c" < /dev/null > "$T/out"
		matches "$(value CapInh)" "^000000000000$(if [[ $filter = *NET_RAW* ]]; then echo 2; else echo 0; fi)000$" inheritable
		equal "$(value CapAmb)" 0000000000000000
	done
	args sleep 1000
	"${caps[@]}" run -d --bundle "$B" "$c" < /dev/null > "$T/out"
	"${caps[@]}" exec "$c" /usr/bin/inherit > "$T/out" < /dev/null
	equal "$(value CapAmb)" 0000000000000000
}

# 2022-24769, 2022-27649, 2022-27650: the same flaw elsewhere, of containers and of what is exec'd in them.
@test "2022-29162: inheritable and ambient are empty unless the config says so, also of an exec'd process and of its further capabilities" {
	probe inherit
	equal "$(value CapInh)" 0000000000000000
	equal "$(value CapAmb)" 0000000000000000
	detached sleep 1000
	thole exec "$c" /usr/bin/inherit > "$T/out"
	equal "$(value CapInh) $(value CapAmb)" '0000000000000000 0000000000000000'
	thole exec --cap CAP_NET_RAW "$c" /usr/bin/inherit > "$T/out"
	equal "$(value CapInh) $(value CapAmb)" '0000000000000000 0000000000000000'
}

@test "2023-25809: /sys/fs/cgroup is read-only where the config asks for it" {
	equal "$(in_container sh -c 'cd '"$(v1_or_v2 /sys/fs/cgroup/pids /sys/fs/cgroup)"'; mkdir new 2>/dev/null && echo made; echo 1 2>/dev/null > pids.max && echo written; echo end' < /dev/null)" end
}

@test "2026-30892: users are read strictly" {
	local R=$B/rootfs u
	for u in -1 +1 ' 1' '1 ' 01 0x1 1e3 4294967296 1: :1 1:2:3 '' 1:x; do
		refused 125 'user' thole run --name "$c" --rootfs "$R" --user "$u" -- true
	done
	thole run --name "$c" --rootfs "$R" --user 1 -- /usr/bin/inherit < /dev/null > "$T/out"
	equal "$(value uid)" 1,1,1
	thole run --name "$c" --rootfs "$R" --user 1:2 -- /usr/bin/inherit < /dev/null > "$T/out"
	equal "$(value uid) $(value gid)" '1,1,1 2,2,2'
}

@test "2026-47262: an endless passwd or group file of the image does not hold thole up" {
	rm "$B/rootfs/etc/passwd" "$B/rootfs/etc/group"
	truncate -s 20G "$B/rootfs/etc/passwd"
	mkfifo "$B/rootfs/etc/group"
	args true
	status_of timeout 20 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err"
	not grep -x 124 "$T/out"
	status_of timeout 20 "$THOLE" --root "$ROOT" run --name "$c-2" --rootfs "$B/rootfs" --user user -- true < /dev/null > "$T/out" 2> "$T/err"
	not grep -x 124 "$T/out"
	rm "$B/rootfs/etc/passwd"
	mkfifo "$B/rootfs/etc/passwd"
	# Not even opened: who waits for a reader would be let on.
	# shellcheck disable=SC2016 # for the inner shell
	in_background sh -c 'trap "" PIPE; : > "$1"; : > "$2"' sh "$B/rootfs/etc/passwd" "$T/opened"
	status_of timeout 20 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err"
	not grep -x 124 "$T/out"
	not test -e "$T/opened"
	rm "$B/rootfs/etc/passwd"
	ln -s /dev/zero "$B/rootfs/etc/passwd"
	status_of timeout 20 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err"
	not grep -x 124 "$T/out"
}

@test "2026-53488: annotations are data: no command of theirs is run" {
	config --arg f "$T/outside/new" '.annotations = { "run.oci.hooks.stdout": $f, "io.thole.exec": ("touch " + $f), "org.systemd.property.X": $f }'
	attempt true
}

@test "2021-43784: lengths from the config do not overflow: thousands of arguments, variables, mounts" {
	config '.process.args = ["sh", "-c", "echo $#", "sh"] + [range(5000) | tostring] | .process.env += [range(3000) | "V\(.)=x"]'
	equal "$(thole run --bundle "$B" "$c" < /dev/null)" 5000
	config '.process.args = ["sh", "-c", "grep -c /many/ /proc/mounts"] | .mounts += [range(300) | { destination: "/many/\(.)", type: "tmpfs", source: "t" }]'
	equal "$(thole run --bundle "$B" "$c" < /dev/null)" 300
	config '.process.args = ["true", ("x" * 200000)]'
	# Longer than the kernel takes for one argument: an error, no crash.
	refused 126 'true' thole run --bundle "$B" "$c"
}

@test "2020-15257: no abstract socket, which a container with the host's network could reach" {
	config '.linux.namespaces |= map(select(.type != "network"))'
	detached sh -c 'cat /proc/net/unix; echo end; sleep 1000'
	wait_for logged "$c" end
	thole logs "$c" > "$T/out"
	grep -q control.sock "$T/out"
	# The shim's sockets are there to be seen, none of them with a name that could be connected to from inside.
	not grep -E '@.*(thole|'"$c"')' "$T/out"
	not in_there "$ROOT/$c/control.sock"
}
in_there() { thole exec "$c" test -e "$1"; }

@test "2021-41103, 2024-25621: state, bundle and log of a container are nobody else's, whatever the umask" {
	(
		umask 0
		thole run -d --name "$c" --rootfs "$B/rootfs" -- sh -c 'echo said; sleep 1000' < /dev/null > "$T/out"
	)
	wait_for logged "$c" said
	equal "$(find "$ROOT" "$T/log/$c" ! -type l -perm /077 ! -path '*/bundle/*')" ''
	equal "$(stat -c '%a %u' "$T/log/$c/bundle" "$ROOT" "$ROOT/$c" | sort -u)" '700 0'
	# And by looking they cannot be found.
	chmod 711 "$T"
	not setpriv --reuid 1000 --regid 1000 --clear-groups ls "$ROOT/$c" "$T/log/$c/bundle" 2> "$T/err"
}

@test "a created container's start socket belongs to root alone and takes no garbage" {
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	equal "$(stat -c '%a %u' "$ROOT/$c/start")" '600 0'
	local s=0
	setpriv --reuid 1000 --regid 1000 --clear-groups "$PROBES/hostile" "$ROOT/$c/start" version > "$T/out" 2>&1 < /dev/null || s=$?
	[ $s != 0 ]
	is "$c" created
}

@test "between create and start only harmless descriptors are open in the container's process" {
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	find "/proc/$(init_of "$c")/fd" -type l -printf '%l\n' > "$T/fds"
	not grep -vE '^(pipe:|socket:|anon_inode:|/$|/proc$|.*/dev/null$|/dev/pts|/memfd:|/.*thole)' "$T/fds"
	not grep -E "^$T" "$T/fds"
}

# To become somebody else makes a process what fs.suid_dumpable says, on hosts for debugging: "dumpable".
teardown_test() {
	[ -z "${SUID_DUMPABLE:-}" ] || echo "$SUID_DUMPABLE" > /proc/sys/fs/suid_dumpable
}

@test "nobody may look into the container's process before its program, whoever it has become and whatever fs.suid_dumpable is" {
	local user
	SUID_DUMPABLE=$(cat /proc/sys/fs/suid_dumpable)
	echo 1 > /proc/sys/fs/suid_dumpable
	args sleep 1000
	for user in 0 1000; do
		config --argjson u $user '.process.user = { uid: $u, gid: $u }'
		thole create --bundle "$B" "$c" < /dev/null
		# Of somebody who may be looked into it is the user's.
		equal "$(stat -c %u "/proc/$(init_of "$c")/environ")" 0
		not setpriv --reuid 1000 --regid 1000 --clear-groups ls "/proc/$(init_of "$c")/fd" 2> "$T/err"
		thole delete --force "$c"
	done
	in_user_namespace
	for user in 0 1000; do
		config --argjson u $user '.process.user = { uid: $u, gid: $u }'
		thole create --bundle "$B" "$c" < /dev/null
		matches "$(stat -c %u "/proc/$(init_of "$c")/environ")" '^(0|100000)$'
		not setpriv --reuid 101000 --regid 101000 --clear-groups ls "/proc/$(init_of "$c")/fd" 2> "$T/err"
		thole delete --force "$c"
	done
}

@test "while the root is made the container's process has nobody's groups, and nobody may look into it" {
	# Who has all that it has, but not the capability to look into others: only that it is not dumpable is between them.
	cat > "$T/look" << 'EOS'
#!/bin/sh
pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/')
readlink "/proc/$pid/exe" > /dev/null && echo looked
sed -n 's/^Groups:[[:space:]]*/groups /p' "/proc/$pid/status"
stat -c 'owner %u' "/proc/$pid/environ"
EOS
	chmod +x "$T/look"
	printf '#!/bin/sh\n"%s" > "%s" 2>&1\n' "$T/look" "$T/seen" > "$T/hook"
	chmod +x "$T/hook"
	config --arg h "$T/hook" '.hooks.createRuntime = [{ path: $h }]'
	args true
	setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null
	grep -qx 'owner 0' "$T/seen"
	not grep -x looked "$T/seen"
	# Nor into its shim, which hands that on.
	config 'del(.hooks)'
	args sleep 1000
	setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c-2" < /dev/null > "$T/out"
	not setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace readlink "/proc/$(shim_of "$c-2")/exe"
	thole delete --force "$c-2"
	config --arg h "$T/hook" '.hooks.createRuntime = [{ path: $h }]'
	args true
	SUID_DUMPABLE=$(cat /proc/sys/fs/suid_dumpable)
	echo 1 > /proc/sys/fs/suid_dumpable
	in_user_namespace
	setpriv --groups 4,20,27 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null
	equal "$(grep -E '^(groups|owner)' "$T/seen" | sed 's/ *$//' | tr '\n' ' ')" 'groups owner 0 '
}

@test "the container's process cannot trace or signal its shim" {
	config '.process.capabilities = { bounding: ["CAP_SYS_PTRACE", "CAP_KILL"], permitted: ["CAP_SYS_PTRACE", "CAP_KILL"], effective: ["CAP_SYS_PTRACE", "CAP_KILL"] }'
	detached sh -c 'echo $PPID; ls /proc | grep -c "^[0-9]"; kill -9 -1; sleep 1000'
	wait_for logged "$c" 0
	equal "$(thole logs "$c" | head -1)" 0
	[ -d "/proc/$(shim_of "$c")" ]
	is "$c" running
}

# The same with a user namespace, where the container's root is somebody outside, here the owner of what must not be touched.
in_user_namespace() {
	owned_rootfs 100000 100000
	chmod 755 "$T"
	chown -R 100000:100000 "$T/outside"
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
}

@test "in a user namespace: links in the root lead nowhere, for devices, mounts, masks, the console" {
	in_user_namespace
	mkdir "$T/src"
	config --arg s "$T/src" '.process.terminal = true | .linux.devices = [{ path: "/links/kmsg", type: "c", major: 1, minor: 11 }] |
		.mounts += [{ destination: "/mnt/point", type: "none", source: $s, options: ["bind"] }] | .mounts |= map(select(.destination | startswith("/dev") | not))'
	link_out /links
	attempt sh -c 'echo bad > /mnt/point/new'
	link_out /dev
	attempt true
	rm "$B/rootfs/dev"
	mkdir -p "$B/rootfs/dev/pts"
	chown 100000 "$B/rootfs/dev"
	ln -s "$T/outside/file" "$B/rootfs/dev/null"
	ln -s "$T/outside/new" "$B/rootfs/dev/zero"
	attempt sh -c 'echo bad > /dev/zero'
	link_out /mnt
	attempt sh -c 'echo bad > /mnt/point/new'
	config '.process.terminal = false'
	link_out /proc
	args true
	refused 125 /proc thole run --bundle "$B" "$c"
	outside_unharmed
}

@test "what is in the place of a device in the root's own /dev is refused, made or bound: a file, a pipe, a link, another device" {
	local kind
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	args sh -c 'echo came up'
	touch "$B/rootfs/tmp/file"
	for kind in 'cp /etc/hostname %s' 'mkfifo %s' 'ln -s ../tmp/file %s' 'ln -s '"$T"'/outside/file %s' 'mkdir %s' 'mknod %s b 1 5' 'mknod %s c 1 7'; do
		rm -rf "$B/rootfs/dev/zero"
		# shellcheck disable=SC2046,SC2059 # a command of words
		$(printf "$kind" "$B/rootfs/dev/zero")
		refused 125 "cannot make device 'zero': File exists" thole run --bundle "$B" "$c"
		outside_unharmed
	done
	in_user_namespace
	for kind in 'mkfifo %s' 'ln -s ../tmp/file %s' 'ln -s '"$T"'/outside/file %s' 'mkdir %s' 'mknod %s b 1 5' 'mknod %s c 1 7'; do
		rm -rf "$B/rootfs/dev/zero"
		# shellcheck disable=SC2046,SC2059
		$(printf "$kind" "$B/rootfs/dev/zero")
		refused 125 "cannot bind device 'zero': File exists" thole run --bundle "$B" "$c"
		outside_unharmed
	done
}

@test "in a user namespace: only harmless descriptors between create and start, none of the host's tree inside" {
	in_user_namespace
	config --arg s "$T/outside" '.mounts += [{ destination: "/data", type: "none", source: $s, options: ["bind"] }]'
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	find "/proc/$(init_of "$c")/fd" -type l -printf '%l\n' > "$T/fds"
	not grep -vE '^(pipe:|socket:|anon_inode:|/$|/proc$|.*/dev/null$|/dev/pts|/memfd:|/.*thole)' "$T/fds"
	not grep -E "^$T" "$T/fds"
	thole delete --force "$c"
	args /usr/bin/selfexe
	bash -c 'exec 11< / 12< /etc; exec "$0" --root "$1" run --bundle "$2/b" "$3" < /dev/null' "$THOLE" "$ROOT" "$T" "$c" > "$T/out"
	equal "$(tail -1 "$T/out")" 'writable=0 outside=0'
}

@test "who waits in a pid namespace and a user namespace that others join finds nothing to write to" {
	in_user_namespace
	config '.process.capabilities = { bounding: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"], permitted: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"], effective: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"] }'
	local owned=$B/rootfs pid i
	args sh -c '/usr/bin/selfexe 3 "$0" > /tmp/watched; exec sleep 1000' "$ROOT"
	thole run -d --bundle "$B" "$c" < /dev/null > "$T/out"
	pid=$(init_of "$c")
	bundle third
	config --arg r "$owned" --arg u "/proc/$pid/ns/user" --arg p "/proc/$pid/ns/pid" '.root.path = $r |
		.linux.namespaces |= (map(select(.type != "pid")) + [{ type: "user", path: $u }, { type: "pid", path: $p }])'
	args true
	for ((i = 0; i < 10; i++)); do
		thole run --bundle "$B" "$c-$i" < /dev/null
	done
	wait_for grep -q '^writable=' "$owned/tmp/watched"
	not grep '^writable pid' "$owned/tmp/watched"
}
