# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# Files of a checkpoint that are not to be had: hostile archives, full disks, what would not come back, whoever is killed meanwhile.
load lib
load checkpoint_files

setup_file() { make_criu; }

@test "export and import carry the files" {
	writing "$ROOTFS"
	to_set --name one
	thole checkpoint export "$SET/one" "$T/one.tar"
	thole checkpoint import "$T/one.tar" "$T/in"
	cmp "$SET/one/rootfs.tar" "$T/in/one/rootfs.tar"
	thole delete --force "$c"
	rm -r "$ROOTFS/home"
	restore -d --from "$T/in" --bundle "$B"
	[ -d "$ROOTFS/home/user" ]
}

@test "a hostile archive is refused before anything is changed" {
	writing "$ROOTFS"
	to_set --name one
	mkdir "$T/victim"
	echo safe > "$T/victim/file"
	ln -s "$T/victim" "$ROOTFS/way-out"
	snapshot "$ROOTFS" > "$T/before"
	hostile() { # REGEX PROGRAM
		archive "$2"
		with_archive "$T/archive"
		refused 125 "$1" restore --from "$T/bad"
		is "$c" checkpointed
		equal "$(cat "$T/victim/file")" safe
		diff "$T/before" <(snapshot "$ROOTFS")
	}
	hostile 'does not lead into' 'area(); add("root/../../victim/file", data=b"x")'
	hostile 'does not lead into' 'area(); add("/etc/passwd", data=b"x")'
	hostile 'does not lead into' 'area(); add("root//x", data=b"x")'
	hostile 'does not lead into' 'area(); add("other/x", data=b"x")'
	hostile 'is in no directory' 'area(); add("root/way-out/file", data=b"x")'
	hostile 'is in no directory' 'area(); add("root/s", S, linkname="/tmp"); add("root/s/file", data=b"x")'
	hostile 'is another name of' 'area(); add("root/h", L, linkname="/etc/passwd")'
	hostile 'is another name of' 'area(); add("root/h", L, linkname="root/../../victim/file")'
	hostile 'is another name of' 'area(); add("root/d", D); add("root/h", L, linkname="root/d")'
	hostile 'is there twice' 'area(); add("root/d", D); add("root/d", S, linkname="/tmp")'
	hostile 'is there twice' 'area(); area()'
	hostile 'is in no directory' 'add("root/x", data=b"x")'
	hostile 'is no directory of the' 'area("root/../..", "/")'
	hostile "has the files of '/etc', too" 'area(); area("bind/0", "/etc")'
	hostile 'has an attribute' 'add("root", D, mode=0o755, pax={"comment": "thole whole /", "SCHILY.xattr.trusted.x": "y"})'
	hostile 'has an attribute' 'area(); add("root/x", pax={"SCHILY.xattr.trusted.overlay.redirect": "/etc"})'
	hostile 'a header is none' 'area(); add("root/x", pax={"GNU.sparse.name": "y"})'
	hostile 'of a kind that does not belong' 'area(); add("root/x", b"7")'
	hostile 'is no overlay' 'area(form="upper"); add("root/.wh.x")'
	# Numbers that lie, and what is cut off.
	archive 'area(); add("root/x", data=b"x" * 2000)'
	cp "$T/archive" "$T/whole"
	local n
	for n in 512 1500 4096 $(($(stat -c %s "$T/whole") - 512)); do
		head -c "$n" "$T/whole" > "$T/cut"
		with_archive "$T/cut"
		refused 125 'archive of files is damaged' restore --from "$T/bad"
	done
	(cat "$T/whole"; head -c 512 /dev/zero) > "$T/cut"
	with_archive "$T/cut"
	refused 125 'something follows its end' restore --from "$T/bad"
	python3 - "$T/whole" "$T/cut" <<-'END'
		import sys
		d = bytearray(open(sys.argv[1], "rb").read())
		at = d.rindex(b"root/x")
		d[at + 124:at + 136] = b"77777777777\0"
		d[at + 148:at + 156] = b" " * 8
		d[at + 148:at + 156] = b"%06o\0 " % sum(d[at:at + 512])
		open(sys.argv[2], "wb").write(d)
	END
	with_archive "$T/cut"
	refused 125 'it ends too early' restore --from "$T/bad"
	head -c 100000 /dev/urandom > "$T/cut"
	with_archive "$T/cut"
	refused 125 'an entry is none' restore --from "$T/bad"
	diff "$T/before" <(snapshot "$ROOTFS")
	restore --from "$SET"
	is "$c" running
}

@test "a device comes back only where the container could have made it" {
	mknod "$ROOTFS/disk" b 259 70001
	config '.process.capabilities |= with_entries(.value -= ["CAP_MKNOD"])'
	writing "$ROOTFS"
	to_set --name one
	restore
	to_set --name two
	rm "$ROOTFS/disk"
	refused 125 "'root/disk' is a device, which this container could not have made" restore
	is "$c" checkpointed
	restore --rootfs=keep
}

@test "no room for the files: told before anything is frozen, or the container runs on; nothing half stays" {
	head -c 6M /dev/urandom > "$ROOTFS/large"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	printf '#!/bin/sh\n' > "$T/action"
	chmod 755 "$T/action"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	writing "$ROOTFS"
	mkdir "$T/small"
	mount -t tmpfs -o size=16m,mode=700 tmpfs "$T/small"
	SET=$T/small
	refused 73 'the container has about [0-9]+ MiB of memory and [0-9]+ MiB of files, and [0-9]+ MiB are free' to_set --leave-running
	equal "$(find "$SET" -mindepth 1)" ''
	# A disk that fills up meanwhile: all of it while criu writes, or just not enough for the files.
	umount "$T/small"
	mount -t tmpfs -o size=200m,mode=700 tmpfs "$T/small"
	refused 73 'MiB of files, and the set may have no more than' to_set --leave-running --max-size 5m
	equal "$(find "$SET" -mindepth 1)" ''
	to_set --leave-running --name good
	local left
	for left in 0 9000; do
		printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != pre-dump ] || fallocate -l $(($(df -k --output=avail %s | tail -1) - %d))k %s/filler\n' "$SET" $left "$SET" > "$T/action"
		chmod 755 "$T/action"
		refused 73 'No space left on device|the disk is full' to_set --leave-running --name bad
		[ -e "$SET/filler" ]
		rm "$SET/filler"
		nothing_hidden
		is "$c" running
	done
	printf '#!/bin/sh\n' > "$T/action"
	equal "$(find "$SET" -mindepth 1 -maxdepth 1 -type d -printf '%f\n')" good
	is "$c" running
	wait_for grep -q "n $(($(wc -l < "$ROOTFS/journal") + 5))" "$ROOTFS/journal"
	to_set --name next
	# Nor for what comes back: it stays checkpointed, and another try does it.
	mkdir "$T/more"
	restore
	is "$c" running
	thole delete --force "$c"
	umount "$T/small"
}

@test "files that are seldom: no more is captured than is put back" {
	local long
	long=$(printf 'n%.0s' {1..255})
	echo one > "$ROOTFS/$long"
	echo own > "$ROOTFS/.thole-new"
	echo own > "$ROOTFS/.thole-new.1"
	xattr "$ROOTFS/.thole-new" 'user.a=b%c' 'x=%3D'
	xattr "$ROOTFS/.thole-new" user.overlay.mine y
	echo same > "$ROOTFS/a"
	ln "$ROOTFS/a" "$T/outside"
	writing "$ROOTFS"
	to_set
	snapshot "$ROOTFS" | grep -v '^journal ' > "$T/before"
	chmod 600 "$T/outside"
	rm "$ROOTFS/$long" "$ROOTFS"/.thole-new*
	# Deeper than any stack would reach.
	python3 - "$ROOTFS" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		for i in range(3000):
		    os.mkdir("d"); os.chdir("d")
	END
	restore
	to_set --rootfs=none --name second
	# Nothing has become of another name of a file, outside.
	equal "$(stat -c %a "$T/outside")" 600
	diff <(sed 's/ same as.*//' "$T/before") <(snapshot "$ROOTFS" | grep -v '^journal ')
}

@test "what would not be read back is refused, and the container runs on" {
	local i binds=()
	mkdir "$T/data" "$ROOTFS/data"
	for i in {1..64}; do
		binds+=(--include-bind "/data/$i")
		mkdir "$ROOTFS/data/$i"
	done
	config --arg d "$T/data" '.mounts += [range(1; 65) | { destination: "/data/\(.)", type: "bind", source: $d, options: ["bind"] }]'
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	refused 1 '--include-bind: more than 63' to_set "${binds[@]}"
	is "$c" running
	mkdir "$T/small"
	mount -t tmpfs tmpfs "$T/small"
	mkdir "$T/small/data"
	: > "$T/small/data/file"
	python3 -c 'import os, sys; [os.setxattr(sys.argv[1], "user.a%d" % i, b"x") for i in range(257)]' "$T/small/data/file"
	thole delete --force "$c"
	config --arg d "$T/small/data" '.mounts |= map(if .destination == "/data/1" then .source = $d else . end)'
	thole run -d --bundle "$B" "$c" < /dev/null
	refused 1 'bind/0/file: it has more than 256 extended attributes' to_set --include-bind /data/1
	is "$c" running
	nothing_hidden
}

@test "what comes and goes while files are measured is no failure" {
	args sh -c 'churn() { while :; do mkdir -p $1/d; i=0; while [ $i -lt 200 ]; do : > $1/$i; i=$((i + 1)); done; rm -rf $1; done; }
		mkdir /churn; for n in 1 2 3; do churn /churn/$n & done; churn /z'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for test -d "$ROOTFS/churn"
	local i
	for i in {1..3}; do to_set --leave-running --name "n$i" > "$T/out" 2>&1 || fail "$(cat "$T/out")"; done
	is "$c" running
}

@test "a restore that is refused has changed no file: what it has open elsewhere is looked at before" {
	mkdir "$T/data" "$ROOTFS/data"
	config --arg d "$T/data" '.mounts += [{ destination: "/data", type: "bind", source: $d, options: ["bind", "rw"] }]'
	args sh -c 'exec 5<> /data/held; echo before >&5; exec sleep 1000'
	: > "$T/data/held"
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for grep -q before "$T/data/held"
	to_set
	echo longer >> "$T/data/held"
	echo late > "$ROOTFS/late"
	refused 125 "a file that it has open has changed since: '/data/held'" restore
	[ -e "$ROOTFS/late" ]
	printf 'before\n' > "$T/data/held"
	restore
	not test -e "$ROOTFS/late"
}

@test "where something else is mounted on the host nothing is put" {
	writing "$ROOTFS"
	to_set
	echo host > "$T/host"
	echo late > "$ROOTFS/late"
	mount --bind "$T/host" "$ROOTFS/etc/group"
	refused 125 "'root/etc/group' is where something else is mounted now" restore
	umount "$ROOTFS/etc/group"
	equal "$(cat "$T/host")" host
	[ -e "$ROOTFS/late" ]
	restore
	is "$c" running
}

@test "owners and capabilities that a user namespace could not have given are refused, unless they are there already" {
	has_userns || skip 'needs user namespaces'
	owned_rootfs 100000 100000
	config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	chmod 711 "$T"
	echo host > "$ROOTFS/host"
	cp "$ROOTFS/bin/busybox" "$ROOTFS/bin/su.host"
	chown 0:0 "$ROOTFS/bin/su.host"
	chmod 4755 "$ROOTFS/bin/su.host"
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	to_set --name one
	snapshot "$ROOTFS" > "$T/before"
	hostile() { # PROGRAM
		archive "$1"
		with_archive "$T/archive"
		refused 125 'has an owner or capabilities that this container could not have given' restore --from "$T/bad"
		is "$c" checkpointed
		diff "$T/before" <(snapshot "$ROOTFS")
	}
	local inside='add("root", D, mode=0o755, uid=100000, gid=100000, pax={"comment": "thole whole /"})'
	hostile "$inside"'; add("root/x", mode=0o4755, uid=0, gid=100000, data=b"x")'
	hostile "$inside"'; add("root/x", uid=100000, gid=165536, data=b"x")'
	hostile "$inside"'; add("root/x", S, uid=99999, gid=100000, linkname="y")'
	hostile "$inside"'; add("root/host", mode=0o4755, uid=0, gid=0, data=b"x")'
	hostile "$inside"'; add("root/bin", D, mode=0o755, uid=100000, gid=100000); add("root/bin/su.host", mode=0o4755, uid=0, gid=0, data=b"x")'
	hostile 'add("root", D, mode=0o777, uid=0, gid=0, pax={"comment": "thole whole /"})'
	hostile "$inside"'; add("root/x", uid=100000, gid=100000, pax={"SCHILY.xattr.security.capability": "\1\0\0\2\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"})'
	hostile "$inside"'; add("root/x", uid=100000, gid=100000, pax={"SCHILY.xattr.security.capability": "\1\0\0\3\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0"})'
	echo host > "$ROOTFS/host"
	restore --from "$SET"
	is "$c" running
}

@test "of an overlay with many lower layers of long paths, too, the upper layer alone is captured; names that no mark can have are not lost" {
	needs overlay
	local i lower='' long name
	long=$(printf 'l%.0s' {1..200})
	name=$(printf 'n%.0s' {1..253})
	for i in {1..6}; do
		mkdir -p "$T/$long$i"
		echo "$i" > "$T/$long$i/from$i"
		lower+=$T/$long$i:
	done
	echo x > "$T/${long}1/$name"
	mkdir "$T/upper" "$T/work" "$T/merged"
	python3 - "$T/merged" "$lower$ROOTFS" "$T/upper" "$T/work" <<-'END'
		import ctypes, os, sys
		libc = ctypes.CDLL(None, use_errno=True)
		o = "lowerdir=%s,upperdir=%s,workdir=%s" % tuple(sys.argv[2:])
		if libc.mount(b"overlay", sys.argv[1].encode(), b"overlay", 0, o.encode()): sys.exit(os.strerror(ctypes.get_errno()))
	END
	config --arg r "$T/merged" '.root.path = $r'
	rm "$T/merged/from3"
	writing "$T/merged"
	to_set --name one
	tar tf "$SET/one/rootfs.tar" > "$T/list"
	grep -qxF root/.wh.from3 "$T/list"
	not grep -q busybox "$T/list"
	echo back > "$T/merged/from3"
	echo changed > "$T/merged/from4"
	restore
	not test -e "$T/merged/from3"
	equal "$(cat "$T/merged/from4")" 4
	rm "$T/merged/$name"
	to_set --name two
	tar tf "$SET/two/rootfs.tar" | grep -qxF root/bin/busybox
	echo back > "$T/merged/$name"
	restore
	not test -e "$T/merged/$name"
	thole delete --force "$c"
	umount "$T/merged"
}

@test "--max-size: the holes of a file count, and that is told before anything is written" {
	truncate -s 1G "$ROOTFS/sparse"
	writing "$ROOTFS"
	refused 73 'MiB of files \(their holes count\), and the set may have no more than 100 MiB' to_set --leave-running --max-size 100m
	equal "$(find "$SET" -mindepth 1)" ''
	is "$c" running
}

@test "--rootfs and --include-bind are refused where they would mean nothing" {
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/plain" --stay "$c"
	refused 125 "--rootfs means nothing here: '.*plain' is no image of a set" restore --image-path "$T/plain" --rootfs=keep
	refused 125 '--rootfs means nothing here' restore --rootfs=restore
	refused 125 '--include-bind means nothing here' restore --include-bind /data
	refused 125 '--stdin-once means nothing here' restore --stdin-once
	refused 125 '--drain-timeout means nothing here' restore --drain-timeout 1s
	restore
	is "$c" running
}

among() { echo "among the container's own files, below '$1'"; }

@test "a set among the container's own files is refused before anything is frozen, by whatever path: its own restore would remove it" {
	mkdir "$T/data" "$T/again" "$ROOTFS/data"
	config --arg d "$T/data" '.mounts += [{ destination: "/data", type: "bind", source: $d, options: ["bind", "rw"] }]'
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	mount --bind "$ROOTFS" "$T/again"
	mkdir "$T/part of it"
	mount --bind "$ROOTFS/tmp" "$T/part of it"
	refused 1 "$(among "$ROOTFS")" timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/part of it/backup" "$c"
	umount "$T/part of it"
	refused 1 "$(among "$ROOTFS")" timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$ROOTFS/backup" "$c"
	refused 1 "$(among "$ROOTFS")" timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/again/tmp/backup" "$c"
	refused 1 "$(among "$T/data")" timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/data/backup" --include-bind /data "$c"
	equal "$(find "$ROOTFS" "$T/data" -name backup)" ''
	is "$c" running
	# What is not captured is not put back.
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/data/backup" "$c"
	restore -d
	is "$c" running
	# One that was moved there.
	to_set
	mv "$SET" "$ROOTFS/backup"
	refused 125 "$(among "$ROOTFS")" restore -d --from "$ROOTFS/backup"
	mv "$ROOTFS/backup" "$T/data/moved"
	refused 125 'among|no bind' restore -d --from "$T/data/moved" --include-bind /data
	mv "$T/data/moved" "$SET"
	restore -d --from "$SET"
	is "$c" running
	umount "$T/again"
}

@test "a set in the upper layer of the container's root is refused, too; one in a lower layer, or in what is mounted there, is not" {
	needs overlay
	mkdir -p "$T/upper" "$T/work" "$T/merged" "$ROOTFS/small"
	mount -t overlay -o "lowerdir=$ROOTFS,upperdir=$T/upper,workdir=$T/work" overlay "$T/merged"
	config --arg r "$T/merged" '.root.path = $r'
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	refused 1 "$(among "$T/merged")" timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/merged/backup" "$c"
	refused 1 "$(among "$T/merged")" timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/upper/backup" "$c"
	mount -t tmpfs small "$T/merged/small"
	SET=$T/merged/small/set
	to_set
	restore -d
	is "$c" running
	SET=$ROOTFS/backup
	to_set
	restore -d
	is "$c" running
}

# Forks of the shim, which look like it.
own_workers() { pgrep -P "$(shims | head -1)" -f thole-shim || true; }

@test "the client or the worker is killed while files are captured or put back: nothing half, and the next try does it" {
	local i who
	head -c 20M /dev/urandom > "$ROOTFS/large"
	writing "$ROOTFS"
	to_set --leave-running --name old
	for who in client worker client worker; do
		in_background "$THOLE" --root "$ROOT" checkpoint --to "$SET" --name "k$who" "$c"
		i=$!
		wait_for test -e "$SET/.thole-dump/rootfs.tar"
		if [ $who = client ]; then kill -KILL $i 2> /dev/null || true; else own_workers | xargs -r kill -KILL || true; fi
		wait $i || true
		settled() { is "$c" checkpointed || ! thole pause "$c" 2>&1 | grep -q 'being checkpointed'; }
		wait_for settled
		thole resume "$c" 2> /dev/null || true
		thole checkpoints "$SET" > /dev/null
		if is "$c" checkpointed; then restore; fi
		is "$c" running
		rm -rf "$SET/k$who"
		ln -sfn old "$SET/latest"
	done
	to_set --name full
	snapshot "$ROOTFS" > "$T/before"
	head -c 20M /dev/zero > "$T/zeros"
	for who in client worker; do
		wreck_large
		in_background "$THOLE" --root "$ROOT" restore --from "$SET/full" "$c"
		i=$!
		wait_for being_put_back
		if [ $who = client ]; then kill -KILL $i 2> /dev/null || true; else own_workers | xargs -r kill -KILL || true; fi
		wait $i || true
		back() { is "$c" running || restore --from "$SET/full"; }
		wait_for back
		is "$c" running
		to_set --rootfs=none --name "r$who"
		equal "$(sha256sum < "$ROOTFS/large")" "$(tar xOf "$SET/full/rootfs.tar" root/large | sha256sum)"
		not test -e "$ROOTFS/.thole-new"
	done
}

being_put_back() { ! cmp -s "$ROOTFS/large" "$T/zeros"; }
wreck_large() { head -c 20M /dev/zero > "$ROOTFS/large"; }

@test "the shim is killed while files are captured: the container runs on, and the set has nothing half" {
	head -c 20M /dev/urandom > "$ROOTFS/large"
	writing "$ROOTFS"
	to_set --leave-running --name old
	in_background "$THOLE" --root "$ROOT" checkpoint --leave-running --to "$SET" --name late "$c"
	wait_for test -e "$SET/.thole-dump/rootfs.tar"
	kill -KILL $(shims | head -1)
	wait $! || true
	# Whole, if it is there at all.
	thole checkpoints "$SET" > /dev/null
	thaws() { [ "$(status "$c")" = running ]; }
	wait_for thaws
	wait_for grep -q "n $(($(wc -l < "$ROOTFS/journal") + 5))" "$ROOTFS/journal"
	thole recover "$c"
	to_set --name next
	nothing_hidden
}

@test "a path that is too long: the error has its end, and the reason" {
	writing "$ROOTFS"
	python3 - "$ROOTFS" <<- 'END'
		import os, sys
		os.chdir(sys.argv[1])
		for _ in range(30):
		    os.mkdir("d" * 200)
		    os.chdir("d" * 200)
	END
	refused 1 "container.s files: \.\.\.d+/d{200}: its path is longer than [0-9]+ bytes" to_set --leave-running --name one
	rm -r "$ROOTFS/$(printf 'd%.0s' {1..200})"
}
