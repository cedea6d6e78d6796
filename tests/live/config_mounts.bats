# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# mounts, root.readonly, maskedPaths, readonlyPaths, rootfsPropagation: as /proc/self/mountinfo says from inside.
load lib

setup_test() { bundle; }

teardown_test() {
	[ -z "${LOOP:-}" ] || losetup -d "$LOOP"
}

# mountinfo of the container, one line a mount: POINT TYPE OPTIONS SUPER
mounts_inside() {
	in_container cat /proc/self/mountinfo < /dev/null | awk '{ for (i = 7; $i != "-"; i++); print $5, $(i + 1), $6, $(i + 3) }' > "$T/mounts"
}

has_mount() { # POINT TYPE REQUIRED,OPTIONS [SUPER,OPTIONS]
	local line o
	line=$(awk -v p="$1" -v t="$2" '$1 == p && $2 == t' "$T/mounts" | tail -1)
	[ -n "$line" ] || fail "no $2 at $1: $(cat "$T/mounts")" || return 1
	for o in ${3//,/ }; do
		[[ ,$(awk '{ print $3 }' <<< "$line"), == *,$o,* ]] || fail "$1: no '$o' in: $line" || return 1
	done
	for o in $(tr , ' ' <<< "${4:-}"); do
		[[ ,$(awk '{ print $4 }' <<< "$line"), == *,$o,* ]] || fail "$1: no '$o' in: $line" || return 1
	done
}

bind() { # SRC DST OPTION...
	config --arg s "$1" --arg d "$2" --args '.mounts += [{ destination: $d, source: $s, type: "none", options: $ARGS.positional }]' "${@:3}"
}

@test "the mounts of spec, with their options" {
	mounts_inside
	has_mount /proc proc rw
	has_mount /dev tmpfs nosuid mode=755
	has_mount /dev/pts devpts nosuid,noexec mode=620,ptmxmode=666
	has_mount /dev/shm tmpfs nosuid,nodev,noexec
	has_mount /dev/mqueue mqueue nosuid,nodev,noexec
	has_mount /sys sysfs ro,nosuid,nodev,noexec
	equal "$(jq -r '[.mounts[].destination] | sort | join(" ")' "$B/config.json")" \
		'/dev /dev/mqueue /dev/pts /dev/shm /proc /sys /sys/fs/cgroup'
	has_mount /dev/shm tmpfs '' size=65536k
}

@test "/sys/fs/cgroup shows the container's own groups, read-only" {
	needs cgroup-v1
	mounts_inside
	local controller
	for controller in memory pids devices freezer cpu; do
		grep -qE "^/sys/fs/cgroup/([a-z,]*,)?$controller(,[a-z,]*)? cgroup (.*,)?ro(,| )" "$T/mounts" || fail "$controller: $(cat "$T/mounts")"
	done
	equal "$(in_container sh -c 'cat /sys/fs/cgroup/memory/cgroup.procs' < /dev/null | sort -n | head -1)" 1
	in_container sh -c 'mkdir /sys/fs/cgroup/memory/x 2>/dev/null && echo made; echo done' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" done
}

# covers: mounts[].options
@test "options of cgroup mounts: for the whole tree, for propagation, what only one hierarchy has" {
	local type
	for type in cgroup cgroup2; do
		config --arg t $type '.mounts += [
			{ destination: "/a", type: $t, source: "cgroup", options: ["rro", "rnosymfollow"] },
			{ destination: "/b", type: $t, source: "cgroup", options: ["exec", "rnoatime", "rw"] },
			{ destination: "/c", type: $t, source: "cgroup", options: ["rshared", "nosuid", "noexec", "nodev", "relatime", "ro"] }]'
	done
	in_container sh -c 'for d in /a /a/*; do mkdir $d/x 2> /dev/null && echo made $d; done; cat /proc/self/mountinfo' < /dev/null > "$T/out"
	not grep ^made "$T/out"
	awk '$5 ~ "^/a" && ($6 !~ /^ro/ || $6 !~ /nosymfollow/)' "$T/out" > "$T/wrong"
	awk '$5 ~ "^/b" && ($6 !~ /^rw/ || $6 ~ /noexec/ || $6 !~ /noatime/ || $6 !~ /nosuid/)' "$T/out" >> "$T/wrong"
	awk '$5 ~ "^/c" && ($6 !~ /^ro/ || !/ shared:/)' "$T/out" >> "$T/wrong"
	equal "$(cat "$T/wrong")" ''
	[ "$(grep -cE ' /[abc]' "$T/out")" -ge 6 ]
	args true
	for type in cgroup cgroup2; do
		config --arg t $type '.mounts[-1] = { destination: "/d", type: $t, source: "cgroup", options: ["ro", "nonsense=1"] }'
		refused 125 "cannot mount $type at '/d': cannot set the mount option '?nonsense" thole run --bundle "$B" "$c"
	done
}

# covers: root.readonly
@test "the root is a mount of its own and read-only when the config says so" {
	config '.root.readonly = true'
	mounts_inside
	equal "$(awk '$1 == "/" { print $3 }' "$T/mounts" | tail -1 | tr , '\n' | grep -x ro)" ro
	equal "$(in_container sh -c 'touch /x 2>/dev/null || echo refused' < /dev/null)" refused
	config '.root.readonly = false'
	in_container touch /x < /dev/null
	[ -e "$B/rootfs/x" ]
}

@test "nothing of the host's tree is left below the root" {
	mounts_inside
	not grep -qF "$T" "$T/mounts"
	equal "$(in_container sh -c 'ls / | grep -c oldroot || true; cd /; cd ..; pwd' < /dev/null)" $'0\n/'
}

@test "the host sees none of the container's mounts" {
	wc -l < /proc/self/mountinfo > "$T/before"
	detached sleep 1000
	wc -l < /proc/self/mountinfo > "$T/during"
	equal "$(cat "$T/during")" "$(cat "$T/before")"
}

# covers: mounts[].{source,destination,type}
@test "binds: read-write, read-only, files, missing targets are made" {
	mkdir -p "$T/src/sub"
	echo content > "$T/src/file"
	bind "$T/src" /mnt/rw bind rw
	bind "$T/src" /mnt/ro bind ro
	bind "$T/src/file" /etc/made/file bind ro,nosuid
	config '(.mounts[] | select(.destination == "/etc/made/file").options) = ["bind", "ro", "nosuid", "nodev", "noexec"]'
	in_container sh -c 'cat /etc/made/file; echo new > /mnt/rw/new; echo x 2>/dev/null > /mnt/ro/new2 || echo refused
		echo x 2>/dev/null >> /etc/made/file || echo refused' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" $'content\nrefused\nrefused'
	equal "$(cat "$T/src/new")" new
	[ ! -e "$T/src/new2" ]
	mounts_inside
	awk '$1 == "/etc/made/file" { print $3 }' "$T/mounts" > "$T/opts"
	for o in ro nosuid nodev noexec; do
		tr , '\n' < "$T/opts" | grep -qx $o || fail "no $o: $(cat "$T/opts")"
	done
}

@test "a bind is not recursive, an rbind is" {
	mkdir -p "$T/src/inner"
	bind "$T/src" /plain bind
	bind "$T/src" /whole rbind
	args sh -c 'ls /plain/inner; echo --; ls /whole/inner'
	unshare -m sh -ec 'mount -t tmpfs none "$1/src/inner"; touch "$1/src/inner/deep"
		exec "$2" --root "$1/state" run --bundle "$1/b" "$3" < /dev/null > "$1/out"' sh "$T" "$THOLE" "$c"
	equal "$(cat "$T/out")" $'--\ndeep'
}

# covers: mounts[].options
@test "options of mounts: each is seen in mountinfo" {
	config '.mounts += [
		{ destination: "/m/a", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "noexec", "size=1m", "mode=1770", "nr_inodes=100"] },
		{ destination: "/m/b", type: "tmpfs", source: "tmpfs", options: ["ro", "noatime"] },
		{ destination: "/m/c", type: "tmpfs", source: "tmpfs", options: ["strictatime", "rw", "suid", "dev", "exec"] },
		{ destination: "/m/d", type: "tmpfs", source: "tmpfs", options: ["nodiratime", "relatime"] }]'
	mounts_inside
	has_mount /m/a tmpfs rw,nosuid,nodev,noexec size=1024k,mode=1770,nr_inodes=100
	has_mount /m/b tmpfs ro,noatime
	has_mount /m/c tmpfs rw
	has_mount /m/d tmpfs relatime,nodiratime
	grep -E '^/m/c ' "$T/mounts" > "$T/line"
	not grep -qE 'nosuid|nodev|noexec|relatime|noatime' "$T/line"
}

# covers: mounts[].options
@test "remount: what an earlier entry has mounted is changed: the mount, or the file system when it is the container's own" {
	mkdir "$T/src"
	bind "$T/src" /m/bind bind nosuid
	config '.mounts += [
		{ destination: "/m/a", type: "tmpfs", source: "a", options: ["nodev", "size=1m"] },
		{ destination: "/m/a/below", type: "tmpfs", source: "below" },
		{ destination: "/m/a", type: "none", source: "none", options: ["remount", "ro", "size=2m"] },
		{ destination: "/m/b", type: "tmpfs", source: "b", options: ["ro"] },
		{ destination: "/m/b", options: ["remount", "rw", "noexec"] },
		{ destination: "/m/bind", options: ["remount", "bind", "ro"] },
		{ destination: "/dev/shm", options: ["remount", "bind", "ro"] },
		{ destination: "/sys", options: ["remount", "rw"] }]'
	mounts_inside
	has_mount /m/a tmpfs ro,nodev ro,size=2048k
	has_mount /m/a/below tmpfs rw rw
	has_mount /m/b tmpfs rw,noexec rw
	has_mount /m/bind "$(stat -f -c %T "$T" | sed 's,ext2/ext3,ext4,')" ro,nosuid
	has_mount /dev/shm tmpfs ro,nosuid rw
	has_mount /sys sysfs rw,nosuid
	touch "$T/src/the-host-may-write"
}

@test "remount of devpts: what is not named stays as it is" {
	config '.mounts += [{ destination: "/dev/pts", options: ["remount", "mode=600"] }, { destination: "/dev/pts", options: ["remount", "bind", "noexec"] },
		{ destination: "/dev/pts", options: ["remount", "ro"] }]'
	mounts_inside
	has_mount /dev/pts devpts ro,nosuid,noexec ro,mode=600,ptmxmode=666
	equal "$(in_container stat -c %a /dev/pts/ptmx < /dev/null)" 666
	contains "$(grep '^/dev/pts ' "$T/mounts")" "gid=5"
}

@test "remount: of nothing, of what is no mount, with what is another file system's, through a link: one line that says so" {
	local good field message
	mkdir "$T/src"
	good=$(cat "$B/config.json")
	while IFS='|' read -r field message; do
		config ".mounts += [$field]"
		refused 125 "$message" thole run --bundle "$B" "$c"
		printf '%s' "$good" > "$B/config.json"
	done <<- EOF
		{ destination: "/m", options: ["remount", "ro"] }|mounts\[[0-9]+\]\.options: 'remount' needs an earlier entry that is mounted at '/m'
		{ destination: "/m", options: ["remount", "bind", "ro"] }|mounts\[[0-9]+\]\.options: 'remount' needs an earlier entry
		{ destination: "/sys", options: ["remount", "size=1m"] }|mounts\[[0-9]+\]\.options: 'size=1m' is for a file system
		{ destination: "/dev/shm", options: ["remount", "bind", "size=1m"] }|mounts\[[0-9]+\]\.options: 'size=1m' is for a file system
		{ destination: "/dev/shm", options: ["remount", "frob=1"] }|cannot remount tmpfs at '/dev/shm': cannot set the mount option frob
		{ destination: "/dev/shm", options: ["remount", "tmpcopyup"] }|mounts\[[0-9]+\]\.options: 'tmpcopyup' cannot come with 'remount'
	EOF
	mkdir "$B/rootfs/real"
	ln -s real "$B/rootfs/link"
	config '.mounts += [{ destination: "/link", type: "tmpfs" }, { destination: "/link", options: ["remount", "ro"] }]'
	refused 125 "cannot remount tmpfs at '/link'" thole run --bundle "$B" "$c"
}

@test "a later option wins over an earlier one" {
	config '.mounts += [{ destination: "/m/a", type: "tmpfs", source: "tmpfs", options: ["ro", "rw"] },
		{ destination: "/m/b", type: "tmpfs", source: "tmpfs", options: ["rw", "ro"] }]'
	mounts_inside
	has_mount /m/a tmpfs rw
	has_mount /m/b tmpfs ro
}

@test "mounts are made in the order of the config" {
	mkdir "$T/src"
	touch "$T/src/from-bind"
	config '.mounts += [{ destination: "/m", type: "tmpfs", source: "tmpfs" }]'
	bind "$T/src" /m/in bind
	equal "$(in_container sh -c 'ls /m; ls /m/in' < /dev/null)" $'in\nfrom-bind'
}

@test "a /dev that is read-only is one mount, and what is mounted in it is as its own options say" {
	config '(.mounts[] | select(.destination == "/dev").options) += ["ro"]'
	mounts_inside
	equal "$(grep -c '^/dev ' "$T/mounts")" 1
	equal "$(grep -c '^/dev/shm ' "$T/mounts")" 1
	has_mount /dev tmpfs ro,nosuid
	has_mount /dev/shm tmpfs rw
	has_mount /dev/pts devpts rw
	has_mount /dev/mqueue mqueue rw
	in_container sh -c 'touch /dev/x 2>/dev/null || echo refused; touch /dev/shm/x && echo made; echo x > /dev/null && stat -c %t:%T /dev/zero' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" $'refused\nmade\n1:5'
}

# covers: linux.maskedPaths
@test "masked paths: files read as empty, directories are empty and read-only" {
	mkdir -p "$B/rootfs/secret.d"
	echo secret > "$B/rootfs/secret"
	echo secret > "$B/rootfs/secret.d/file"
	config '.linux.maskedPaths += ["/secret", "/secret.d", "/not/there"]'
	in_container sh -c 'cat /secret; ls /secret.d; touch /secret.d/x 2>/dev/null || echo refused; cat /proc/kcore | wc -c' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" $'refused\n0'
	[ ! -e "$B/rootfs/not" ]
}

@test "what is hidden below a /proc that is itself read-only, or hidden, is hidden" {
	config '.linux.readonlyPaths = ["/proc/bus", "/proc", "/proc/"] | .linux.maskedPaths = ["/proc/version", "/sys/kernel", "/sys", "/proc/uptime"]'
	in_container sh -c 'cat /proc/version /proc/uptime; ls /sys; cat /proc/stat | grep -c ^cpu0; echo x 2> /dev/null > /proc/self/comm || echo refused' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" $'1\nrefused'
}

# What ".." leads to is seen by walking: behind a link it is another place than the text says.
@test "hidden paths that go up: out of /proc and /sys, within them, and behind a link" {
	mkdir -p "$B/rootfs"/{secret,fixed,there/inner}
	echo secret | tee "$B/rootfs/secret/file" "$B/rootfs/there/file" > "$B/rootfs/file"
	ln -s there/inner "$B/rootfs/link"
	config '.linux.maskedPaths = ["/proc/../file", "/sys/../secret", "/proc/self/../version", "/link/../file"] | .linux.readonlyPaths = ["/sys/../fixed", "/proc/self/../sys"]'
	in_container sh -c 'cat /file /there/file /proc/version; ls /secret; for f in /fixed/x /proc/sys/kernel/hostname; do echo x 2> /dev/null > $f || echo refused; done' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" $'refused\nrefused'
}

@test "what spec masks in /proc and /sys is masked" {
	local p
	# shellcheck disable=SC2016
	in_container sh -c 'for p; do [ -e $p ] || continue; if [ -d $p ]; then echo "$p $(ls -A $p | wc -l)"; else echo "$p $(cat $p | wc -c)"; fi; done' sh \
		$(jq -r '.linux.maskedPaths[]' "$B/config.json") < /dev/null > "$T/out"
	[ "$(wc -l < "$T/out")" -ge 4 ]
	not grep -v ' 0$' "$T/out"
	contains "$(jq -c .linux.maskedPaths "$B/config.json")" '"/proc/kcore"'
}

# covers: linux.readonlyPaths
@test "read-only paths stay readable and cannot be written, not even by root" {
	mkdir -p "$B/rootfs/fixed"
	echo text > "$B/rootfs/fixed/file"
	config '.linux.readonlyPaths += ["/fixed", "/not/there"]'
	in_container sh -c 'cat /fixed/file; touch /fixed/x 2>/dev/null || echo refused
		echo 1 2>/dev/null > /proc/sys/net/ipv4/ip_forward || echo refused
		echo h 2>/dev/null > /proc/sysrq-trigger || echo refused' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" $'text\nrefused\nrefused\nrefused'
	contains "$(jq -c .linux.readonlyPaths "$B/config.json")" '"/proc/sys"'
}

@test "what the config mounts below a read-only path stays as its own options say" {
	config '.mounts += [{ destination: "/fixed/rw", type: "tmpfs", source: "tmpfs" }, { destination: "/fixed/ro", type: "tmpfs", source: "tmpfs", options: ["ro"] }] |
		.linux.readonlyPaths += ["/fixed"]'
	in_container sh -c 'for d in /fixed /fixed/rw /fixed/ro; do touch $d/x 2>/dev/null && echo made || echo refused; done' < /dev/null > "$T/out"
	equal "$(cat "$T/out")" $'refused\nmade\nrefused'
}

@test "a read-only path that is the root: its mount is read-only, what is mounted in it is not" {
	local p
	ln -s / "$B/rootfs/self"
	config '.process.cwd = "/made/here"'
	for p in / /. //../ /self; do
		config --arg p "$p" '.linux.readonlyPaths = [$p, "/proc/sys"] | .linux.maskedPaths = ["/etc/passwd"]'
		in_container sh -c 'pwd; for d in / /etc /dev/shm; do touch $d/x 2>/dev/null && echo made || echo refused; done; wc -c < /etc/passwd
			cut -d " " -f 5 /proc/self/mountinfo | grep -cx /' < /dev/null > "$T/out"
		equal "$(cat "$T/out")" $'/made/here\nrefused\nrefused\nmade\n0\n1' "with $p"
	done
}

# covers: linux.rootfsPropagation
@test "rootfsPropagation is what the root gets" {
	local p
	for p in private slave unbindable; do
		config --arg p $p '.linux.rootfsPropagation = $p'
		in_container cat /proc/self/mountinfo < /dev/null | awk '$5 == "/" { for (i = 7; $i != "-"; i++) printf "%s ", $i }' > "$T/out"
		case $p in
		private) equal "$(cat "$T/out")" '' ;;
		unbindable) contains "$(cat "$T/out")" unbindable ;;
		slave) not grep -q shared "$T/out" ;;
		esac
	done
}

# covers: linux.rootfsPropagation
@test "an unbindable root, and paths in it that are read-only" {
	mkdir -p "$B/rootfs/there"
	config '.linux.rootfsPropagation = "unbindable" | .linux.readonlyPaths += ["/there"]'
	equal "$(in_container sh -c 'touch /there/x 2>/dev/null || echo refused' < /dev/null)" refused
}

@test "a tmpfs has the mode of the directory that it covers, and 1777 where there was none" {
	mkdir -p "$B/rootfs/there"
	chmod 2710 "$B/rootfs/there"
	config '.mounts += [{ destination: "/there", type: "tmpfs", source: "tmpfs" }, { destination: "/not/there", type: "tmpfs", source: "tmpfs", options: ["size=1m"] }]'
	equal "$(in_container stat -c %a /there /not/there < /dev/null)" $'2710\n1777'
}

@test "a destination behind a link that leads nowhere yet is made where it leads, below the root" {
	echo text > "$T/src"
	mkdir -p "$T/dir" "$B/rootfs/etc"
	touch "$T/dir/in"
	ln -sfn ../run/resolve/stub.conf "$B/rootfs/etc/stub.conf"
	ln -sfn /run/deep "$B/rootfs/link"
	ln -sfn loop "$B/rootfs/loop"
	config --arg s "$T/src" --arg d "$T/dir" '.mounts += [{ destination: "/etc/stub.conf", type: "bind", source: $s, options: ["bind"] },
		{ destination: "/link/below", type: "bind", source: $d, options: ["bind"] }]'
	equal "$(in_container sh -c 'cat /etc/stub.conf; ls /run/deep/below; readlink /etc/stub.conf' < /dev/null)" $'text\nin\n../run/resolve/stub.conf'
	[ -f "$B/rootfs/run/resolve/stub.conf" ]
	config --arg s "$T/src" '.mounts += [{ destination: "/loop", type: "bind", source: $s, options: ["bind"] }]'
	refused 125 "/loop.*symbolic links" thole run --bundle "$B" "$c"
}

@test "a source that is missing is an error that names it" {
	bind "$T/no-such-source" /mnt bind
	refused 125 "$T/no-such-source" thole run --bundle "$B" "$c"
	wait_for nothing_left
}

# covers: mounts[].type
@test "an unknown file system is an error that names mount and type" {
	config '.mounts += [{ destination: "/m", type: "nosuchfs", source: "none" }]'
	refused 125 '(/m.*nosuchfs|nosuchfs.*/m)' thole run --bundle "$B" "$c"
}

@test "an option that the file system refuses is an error that names it" {
	config '.mounts += [{ destination: "/m", type: "tmpfs", source: "none", options: ["nosuchoption=1"] }]'
	refused 125 'nosuchoption|/m' thole run --bundle "$B" "$c"
}

@test "iversion and acl are no option of most file systems: without effect there, as for mount(2), and what else is wrong is still told" {
	config '.mounts[0].options += ["iversion", "acl"] | .mounts += [{ destination: "/m", type: "tmpfs", source: "tmpfs", options: ["iversion", "acl", "size=1m"] },
		{ destination: "/m", options: ["remount", "iversion", "acl", "size=2m"] }]'
	in_container grep ' /m ' /proc/self/mountinfo < /dev/null > "$T/out"
	grep -q size=2048k "$T/out"
	config '.mounts[-1].options = ["remount", "acl", "size=x"]'
	refused 125 "cannot remount tmpfs at '/m': .*size" thole run --bundle "$B" "$c"
	config 'del(.mounts[-1]) | .mounts[-1].options = ["iversion", "nosuch"]'
	refused 125 "cannot mount tmpfs at '/m': .*nosuch" thole run --bundle "$B" "$c"
}

@test "tmpcopyup: the tmpfs begins with what it covers, owners, modes, links and all; the rootfs stays as it is" {
	mkdir -p "$B/rootfs/data/deep/er"
	echo one > "$B/rootfs/data/a"
	head -c 3000000 /dev/urandom > "$B/rootfs/data/deep/er/big"
	chown 1000:2000 "$B/rootfs/data/a"
	chmod 4755 "$B/rootfs/data/a"
	chmod 710 "$B/rootfs/data/deep"
	chmod 1777 "$B/rootfs/data"
	touch -d 2001-02-03 "$B/rootfs/data/deep"
	ln -s /etc/passwd "$B/rootfs/data/link"
	mkfifo "$B/rootfs/data/fifo"
	setfattr -n security.thole -v x "$B/rootfs/data/a" 2> /dev/null || true
	config '.mounts += [{ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "nosuid", "size=16m"] }]'
	in_container sh -c 'cd /data; stat -c "%n %A %u:%g" . a deep link fifo; stat -c %y deep; readlink link; cat a; md5sum < deep/er/big;
		grep -c " /data .*tmpfs" /proc/self/mountinfo; echo new > a; rm -r deep' < /dev/null > "$T/out"
	equal "$(head -9 "$T/out" | sed 's/ 00:00:00.*//')" ". drwxrwxrwt 0:0
a -rwsr-xr-x 1000:2000
deep drwx--x--- 0:0
link lrwxrwxrwx 0:0
fifo prw-r--r-- 0:0
2001-02-03
/etc/passwd
one
$(md5sum < "$B/rootfs/data/deep/er/big")"
	equal "$(sed -n 10p "$T/out")" 1
	equal "$(cat "$B/rootfs/data/a")" one
}

@test "tmpcopyup: an owner and a group that the options name are the tmpfs's, each by itself" {
	mkdir "$B/rootfs/data"
	chown 1000:2000 "$B/rootfs/data"
	config '.mounts += [
		{ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "uid=7", "gid=8"] },
		{ destination: "/a", type: "tmpfs", source: "tmpfs", options: ["uid=7", "tmpcopyup"] },
		{ destination: "/b", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "size=1m", "gid=8"] },
		{ destination: "/c", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }]'
	local d
	for d in a b c; do
		cp -a "$B/rootfs/data" "$B/rootfs/$d"
	done
	equal "$(in_container stat -c %u:%g /data /a /b /c < /dev/null | xargs)" '7:8 7:2000 1000:8 1000:2000'
}

@test "tmpcopyup of a read-only tmpfs; of more than it holds; of a link that leads out" {
	mkdir "$B/rootfs/data"
	echo one > "$B/rootfs/data/a"
	ln -s "$T/outside" "$B/rootfs/data/out"
	config '.mounts += [{ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["ro", "tmpcopyup", "size=64k"] }]'
	in_container sh -c 'cat /data/a; ! echo > /data/b' < /dev/null > "$T/out" 2> "$T/err"
	equal "$(cat "$T/out")" one
	contains "$(cat "$T/err")" 'Read-only'
	[ ! -e "$T/outside" ]
	head -c 200000 /dev/zero > "$B/rootfs/data/big"
	args true
	refused 125 "/data.*tmpcopyup.*big.*[Nn]o space" thole run --bundle "$B" "$c"
	wait_for nothing_left
}

# In a mount namespace of the test's own, where everything is shared: what the container sends, it sends there.
in_shared_world() { # SCRIPT
	BUNDLE=$B ID=$c THOLE=$THOLE STATE=$ROOT unshare -m --propagation private sh -ec "mount --make-rshared /
		mount -t tmpfs outside \$BUNDLE/volume; mount --make-shared \$BUNDLE/volume; $1"
}

@test "rootfsPropagation shared: mounts below a shared bind reach the host, the rootfs and what is in it do not" {
	mkdir -p "$B/volume"
	config --arg v "$B/volume" '.linux.rootfsPropagation = "rshared" | .linux.maskedPaths = [] | .process.noNewPrivileges = false |
		.process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN"]) |
		.mounts += [{ destination: "/volume", type: "bind", source: $v, options: ["rbind", "rshared"] }]'
	args sh -c 'mkdir /volume/in && mount -t tmpfs inner /volume/in && grep " / rw.*shared:" /proc/self/mountinfo; mkdir /x; mount -t tmpfs private /x; sleep 1000'
	in_shared_world '$THOLE --root $STATE run -d --bundle $BUNDLE $ID < /dev/null
		n=0; until $THOLE --root $STATE logs $ID > $BUNDLE/log; grep -q " / rw.*shared:" $BUNDLE/log || [ $n = 200 ]; do n=$((n + 1)); sleep 0.02; done
		cat /proc/self/mountinfo' > "$T/out"
	grep -q ' / rw.*shared:' "$B/log"
	grep -q " $B/volume/in .*inner" "$T/out"
	not grep -q " $B/rootfs" "$T/out"
	not grep -q ' private ' "$T/out"
	thole delete --force "$c"
	config '.linux.rootfsPropagation = "rslave"'
	rmdir "$B/volume/in" 2> /dev/null || true
	in_shared_world '$THOLE --root $STATE run -d --bundle $BUNDLE $ID < /dev/null
		n=0; until $THOLE --root $STATE exec $ID grep -q inner /proc/self/mountinfo || [ $n = 100 ]; do n=$((n + 1)); sleep 0.02; done
		cat /proc/self/mountinfo' > "$T/out"
	not grep -q 'inner' "$T/out"
}

@test "rootfsPropagation shared with --no-pivot, and a rootfs that is a mount: nothing of the container's reaches the host" {
	mkdir -p "$B/volume"
	config '.linux.rootfsPropagation = "shared"'
	args sleep 1000
	in_shared_world 'mount --bind $BUNDLE/rootfs $BUNDLE/rootfs; mount --make-shared $BUNDLE/rootfs; cat /proc/self/mountinfo > $BUNDLE/before
		$THOLE --root $STATE run -d --no-pivot --bundle $BUNDLE $ID < /dev/null
		$THOLE --root $STATE run -d --bundle $BUNDLE $ID-2 < /dev/null
		cat /proc/self/mountinfo' > "$T/out"
	equal "$(cat "$T/out")" "$(cat "$B/before")"
}

@test "a file system on a block device is mounted for a container that may not open the device itself" {
	needs loop
	truncate -s 4M "$T/image"
	mkfs.ext4 -q "$T/image"
	LOOP=$(losetup -f --show "$T/image")
	config --arg l "$LOOP" '.mounts += [{ destination: "/disk", type: "ext4", source: $l, options: ["noexec", "errors=continue"] },
		{ destination: "/not", type: "tmpfs", source: $l, options: ["size=64k"] }] |
		.process.capabilities |= with_entries(.value += ["CAP_MKNOD"]) | .linux.resources.devices = [{ allow: false, access: "rwm" }]'
	in_container sh -c 'echo text > /disk/file; cat /disk/file; mknod /tmp/d b 7 '"${LOOP#/dev/loop}"' && head -c 1 /tmp/d; grep -E " /(disk|not) " /proc/self/mountinfo' < /dev/null > "$T/out" 2> "$T/err"
	equal "$(head -1 "$T/out")" text
	contains "$(cat "$T/err")" 'Operation not permitted'
	matches "$(cat "$T/out")" ' /disk rw,noexec,.* - ext4 '
	matches "$(cat "$T/out")" ' /not .* - tmpfs .*size=64k'
	config '(.mounts[] | select(.destination == "/disk").options) = ["nosuch=1"]'
	refused 125 "cannot mount ext4 at '/disk': .*nosuch" thole run --bundle "$B" "$c"
}

@test "an option of a file system may be in quotes, which keep commas in" {
	config '.mounts += [{ destination: "/m", type: "tmpfs", source: "tmpfs", options: ["mode=\"751\"", "nr_inodes=\"10\",size=64k"] }]'
	in_container sh -c 'stat -c %a /m; grep " /m " /proc/self/mountinfo' < /dev/null > "$T/out"
	equal "$(head -1 "$T/out")" 751
	matches "$(tail -1 "$T/out")" 'size=64k,nr_inodes=10'
	config '.mounts[-1].options = ["size=\"64k,mode=751\""]'
	refused 125 '/m' thole run --bundle "$B" "$c"
}
