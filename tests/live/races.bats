# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# A container exchanges directories and links in a volume that is the root, or a part of it, of others, while those start, exec and are checkpointed. Nothing outside is touched or seen.
load lib

setup_test() {
	bundle
	mkdir -p "$T/outside/dev" "$T/outside/sub"
	echo secret-of-the-host > "$T/outside/file"
	echo secret-of-the-host > "$T/outside/sub/file"
	rounds=$([ "$THOLE_LONG" ] && echo 200 || echo 12)
	R=$B/rootfs
}

# Links that lead out beside real directories of the root, and somebody inside who exchanges them: swap_in_container REAL LINK ...
swap_in_container() {
	local i
	for ((i = 1; i <= $#; i += 2)); do
		local real=${!i} j=$((i + 1))
		mkdir -p "$R$real"
		ln -sfn "$T/outside" "$R${!j}"
	done
	attack "$@"
}

# attack A B ...: somebody inside exchanges what is there.
attack() {
	OUTSIDE=$(find "$T/outside" | sort)
	local victim=$B
	bundle "attacker${2//\//-}"
	config --arg s "$R" '.mounts += [{ destination: "/shared", type: "none", source: $s, options: ["bind", "rw"] }]'
	args /usr/bin/swap "${@/#/\/shared}"
	thole run -d --bundle "$B" "$c-attacker" < /dev/null > "$T/attacker.out"
	wait_for logged "$c-attacker" swapping
	B=$victim
}

unharmed() {
	equal "$(find "$T/outside" | sort)" "$OUTSIDE" 'what is outside'
	equal "$(cat "$T/outside/file" "$T/outside/sub/file" | sort -u)" secret-of-the-host
	not grep -qF "$T/outside" /proc/self/mountinfo
	is "$c-attacker" running
}

# A start that may be refused, and whose program says what it sees; nothing may be left of it.
start_one() {
	timeout 30 "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" || [ "$(wc -l < "$T/err")" -le 1 ] || fail "$(cat "$T/err")"
	not grep -q secret-of-the-host "$T/out"
	unharmed
}

@test "mount targets, /dev, /proc and the working directory of containers that start" {
	local i up=0
	echo s > "$T/src"
	swap_in_container /vol/a /vol/link /dev /dev-link /proc /proc-link /work/dir /work/link
	config --arg s "$T/src" '.mounts += [{ destination: "/vol/a/made/file", type: "none", source: $s, options: ["bind"] }, { destination: "/vol/a/tmp", type: "tmpfs", source: "t" }] |
		.linux.maskedPaths += ["/vol/a"] | .linux.readonlyPaths += ["/work/dir"] | .process.cwd = "/work/dir" | .linux.devices = [{ path: "/dev/extra", type: "c", major: 1, minor: 3 }]'
	args sh -c 'cat /vol/a/* /vol/link/* /work/dir/* ./* ../../../../../../../../..'"$T"'/outside/file 2> /dev/null; echo x > /work/dir/planted; echo up'
	for ((i = 0; i < rounds; i++)); do
		start_one
		! grep -qx up "$T/out" || up=$((up + 1))
	done
	echo "# $up of $rounds came up"
}

@test "the same without mounts over /dev and /proc, in the root itself" {
	local i
	swap_in_container /dev /dev-link /sys /sys-link
	config '.mounts |= map(select(.destination | startswith("/dev") | not)) | .linux.devices = [{ path: "/dev/extra", type: "c", major: 1, minor: 3 }] | .process.terminal = false'
	args sh -c 'echo planted > /dev/null; echo up'
	for ((i = 0; i < rounds; i++)); do
		start_one
	done
}

@test "the working directory and the program of what is exec'd" {
	local i in=0
	swap_in_container /work/dir /work/link
	detached sleep 1000
	for ((i = 0; i < rounds; i++)); do
		timeout 30 "$THOLE" --root "$ROOT" exec --cwd /work/dir "$c" sh -c 'cat ./file sub/file 2> /dev/null; cat ../../../../../../../../../../..'"$T"'/outside/file 2> /dev/null; echo x > planted; pwd' < /dev/null > "$T/out" 2> "$T/err" ||
			[ "$(wc -l < "$T/err")" -le 1 ] || fail "$(cat "$T/err")"
		not grep -q secret-of-the-host "$T/out"
		! grep -qx /work/dir "$T/out" || in=$((in + 1))
		unharmed
	done
	echo "# $in of $rounds were in it"
}

@test "what a tmpfs begins with (tmpcopyup): files and directories that are exchanged for links out are never those" {
	local i up=0
	mkdir -p "$R/copied/dir"
	echo own > "$R/copied/file"
	echo own > "$R/copied/dir/file"
	ln -s "$T/outside/file" "$R/copied/link"
	ln -s "$T/outside/sub" "$R/copied/dir-link"
	attack /copied/file /copied/link /copied/dir /copied/dir-link
	# Several times the same directory: the moment between the look at a file and its opening is short.
	config --arg s "$R/copied" '.mounts += [range(6) | "/copies/\(.)" as $d | { destination: $d, type: "none", source: $s, options: ["bind"] },
		{ destination: $d, type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }]'
	args sh -c 'cat /copies/*/* /copies/*/*/* 2> /dev/null; echo up'
	for ((i = 0; i < 2 * rounds; i++)); do
		start_one
		! grep -qx up "$T/out" || up=$((up + 1))
	done
	echo "# $up of $((2 * rounds)) came up"
}

@test "/dev/null of what is exec'd is never another file" {
	local i in=0
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	owned_rootfs 0 0
	detached sleep 1000
	local kind
	for kind in file fifo; do
		if [ $kind = fifo ]; then mkfifo "$R/dev/fifo"; else echo planted > "$R/dev/file"; fi
		attack /dev/null /dev/$kind
		for ((i = 0; i < rounds; i++)); do
			# With the other one before it, it is refused, and does not wait for a FIFO's other end.
			timeout 20 "$THOLE" --root "$ROOT" exec -d "$c" sh -c 'cat > /tmp/getting; mv /tmp/getting /tmp/got' < /dev/null > "$T/out" 2> "$T/err" || {
				equal "$(cat "$T/err")" "thole: '/dev/null' in the rootfs is not the null device"
				continue
			}
			in=$((in + 1))
			wait_for test -e "$R/tmp/got"
			equal "$(cat "$R/tmp/got")" ''
			rm "$R/tmp/got"
		done
		thole delete --force "$c-attacker"
	done
	echo "# $in of $((2 * rounds)) ran"
}

@test "a checkpoint takes the files of a root in which links are exchanged, and a restore puts them back: nothing from outside, nothing there" {
	needs criu
	make_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	local i n=$([ "$THOLE_LONG" ] && echo 20 || echo 2)
	owned_rootfs 0 0
	swap_in_container /work/dir /work/link /work/a /work/b
	detached sleep 1000
	mkdir -p "$T/set"
	for ((i = 0; i < n; i++)); do
		# What changes while it is read may be refused, in one line; what is written has nothing of the host's.
		thole checkpoint --to "$T/set" --leave-running "$c" > "$T/out" 2> "$T/err" || [ "$(wc -l < "$T/err")" = 1 ] || fail "$(cat "$T/err")"
		not grep -rqa secret-of-the-host "$T/set"
		unharmed
	done
	thole checkpoint --to "$T/set" "$c" > "$T/out" 2> "$T/err" || return 0
	for ((i = 0; i < n; i++)); do
		timeout 60 "$THOLE" --root "$ROOT" restore "$c" < /dev/null > "$T/out" 2> "$T/err" || [ "$(wc -l < "$T/err")" = 1 ] || fail "$(cat "$T/err")"
		unharmed
		is "$c" running || continue
		thole checkpoint --to "$T/set" "$c" > "$T/out" 2> "$T/err" || break
	done
}
