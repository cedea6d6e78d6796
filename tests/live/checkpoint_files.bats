# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# A checkpoint has the files of its moment: of a plain root, of an overlay, of binds on request; they come back whatever has become of them since. Hostile archives, full disks, whoever is killed.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	SET=$T/set
	bundle
	owned_rootfs 0 0
	ROOTFS=$B/rootfs
}

teardown_test() {
	"$THOLE" --root "$ROOT" delete --force "$c" > /dev/null 2>&1 || true
	if mountpoint -q "$T/merged"; then umount "$T/merged"; fi
	if mountpoint -q "$T/small"; then umount -l "$T/small"; fi
	if mountpoint -q "$T/again"; then umount "$T/again"; fi
	if mountpoint -q "$ROOTFS/etc/group"; then umount "$ROOTFS/etc/group"; fi
}

# Everything that is to be seen of a tree, a line for each of its files.
snapshot() { # DIR
	python3 - "$1" <<-'END'
		import hashlib, os, stat, sys
		top = sys.argv[1]
		first = {}
		def line(path):
		    st = os.lstat(path)
		    rel = os.path.relpath(path, top)
		    what = [rel, oct(st.st_mode), st.st_uid, st.st_gid]
		    if rel not in (".", "tmp"): what.append(st.st_mtime_ns)
		    if stat.S_ISREG(st.st_mode):
		        what += [st.st_size, hashlib.sha256(open(path, "rb").read()).hexdigest()]
		    if stat.S_ISLNK(st.st_mode): what.append(os.readlink(path))
		    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode): what.append(st.st_rdev)
		    if not stat.S_ISDIR(st.st_mode) and st.st_nlink > 1:
		        what.append("same as " + first.setdefault((st.st_dev, st.st_ino), rel))
		    if not stat.S_ISLNK(st.st_mode):
		        what += [(x, os.getxattr(path, x)) for x in sorted(os.listxattr(path)) if not x.startswith("trusted.")]
		    print(*what)
		line(top)
		for where, dirs, files in os.walk(top):
		    dirs.sort()
		    for name in sorted(dirs + files): line(os.path.join(where, name))
	END
}

xattr() { python3 -c 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())' "$@"; }

# A container that appends to a file of its root all the time, by an open descriptor.
writing() {
	args sh -c 'exec 5>> /journal; i=0; while :; do echo "n $i" >&5; i=$((i + 1)); usleep 5000; done'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for grep -q 'n 3' "$1/journal"
}

# One that has a file open to be read and written, whose size criu wants to be right.
holding() {
	args sh -c 'exec 5<> /tmp/held; echo before >&5; echo ready; while [ ! -e /go ]; do usleep 20000; done; cat /tmp/held; echo after >&5; exit 3'
	: > "$ROOTFS/tmp/held"
	thole run -d --keep --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" ready
}

to_set() { timeout 120 "$THOLE" --root "$ROOT" checkpoint --to "$SET" "$@" "$c"; }
restore() { timeout 120 "$THOLE" --root "$ROOT" restore "$@" "$c" < /dev/null; }
capture() { jq -r .capture "$SET/latest/manifest.json"; }
nothing_hidden() { [ -z "$(find "$SET" -mindepth 1 -maxdepth 1 -name '.*')" ]; }

# covers: checkpoint --rootfs
@test "a file that goes on being written is what it was at the checkpoint's moment, and is gone on with from there" {
	local lines
	writing "$ROOTFS"
	to_set --leave-running
	lines=$(tar xOf "$SET/latest/rootfs.tar" root/journal | wc -l)
	[ "$lines" -ge 3 ]
	matches "$(capture)" '^(copy|reflink)$'
	equal "$(jq -r '.files["rootfs.tar"].sha256' "$SET/latest/manifest.json")" "$(sha256sum < "$SET/latest/rootfs.tar" | cut -d ' ' -f 1)"
	wait_for grep -q "n $((lines + 20))" "$ROOTFS/journal"
	echo late > "$ROOTFS/tmp/late"
	thole delete --force "$c"
	restore -d --from "$SET" --bundle "$B"
	wait_for grep -q "n $((lines + 20))" "$ROOTFS/journal"
	awk '$0 != "n " (NR - 1) { print NR ": " $0; exit 1 }' "$ROOTFS/journal"
	not test -e "$ROOTFS/tmp/late"
	# In place, and out of the same image once more.
	to_set --name second
	echo damaged > "$ROOTFS/journal"
	restore
	wait_for grep -q "n $((lines + 40))" "$ROOTFS/journal"
	awk '$0 != "n " (NR - 1) { print NR ": " $0; exit 1 }' "$ROOTFS/journal"
}

# What a container can have in its root.
fill() { # DIR
	mkdir -p "$1/d/deep/er" "$1/e"
	echo one > "$1/d/one"
	ln "$1/d/one" "$1/d/deep/hard"
	ln -s ../nowhere "$1/d/link"
	ln -s /etc/passwd "$1/e/absolute"
	mkfifo -m 640 "$1/d/fifo"
	mknod -m 660 "$1/d/null" c 1 3
	mknod "$1/d/disk" b 259 70000
	printf 'a\nb' > "$1/d/odd
name"
	truncate -s 3M "$1/d/sparse"
	echo end >> "$1/d/sparse"
	head -c 300000 /dev/urandom > "$1/d/large"
	: > "$1/d/empty"
	xattr "$1/d/one" user.color green
	xattr "$1/d" user.dir "$(printf '\001x')"
	chown 1000:2000 "$1/d/one" "$1/e"
	chown -h 1000:2000 "$1/d/link"
	chmod 4755 "$1/d/large"
	chmod 1777 "$1/e"
	touch -d '2001-02-03 04:05:06.789' "$1/d/empty" "$1/d/deep"
	local long
	long=$(printf 'x%.0s' {1..200})
	mkdir -p "$1/$long/$long"
	echo far > "$1/$long/$long/$long"
}

# And what can become of it.
wreck() { # DIR
	rm -r "$1/d/deep" "$1/e"
	echo file > "$1/e"
	echo changed > "$1/d/one"
	rm "$1/d/link" "$1/d/fifo" "$1/d/null"
	mkdir -p "$1/d/link/dir/below" "$1/new/dir"
	echo new > "$1/new/dir/file"
	ln -s /etc "$1/d/fifo"
	mv "$1/d/empty" "$1/d/moved"
	xattr "$1/d" user.more x
	chmod 700 "$1/d"
	printf x | dd of="$1/d/large" bs=1 seek=1000 conv=notrunc status=none
	printf x | dd of="$1/d/sparse" bs=1 seek=2000000 conv=notrunc status=none
	chown 5:5 "$1/bin/busybox"
	rm -f "$1/bin/ls"
	chmod 600 "$1/etc/passwd"
}

@test "a plain root: what was removed, added, changed, renamed, linked comes back as it was, and what was not touched stays the same file" {
	local inode used
	fill "$ROOTFS"
	writing "$ROOTFS"
	to_set --rootfs=copy
	equal "$(capture)" copy
	snapshot "$ROOTFS" > "$T/before"
	inode=$(stat -c %i "$ROOTFS/etc/group")
	wreck "$ROOTFS"
	restore
	is "$c" running
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/other" --rootfs=none "$c"
	snapshot "$ROOTFS" > "$T/after"
	diff <(grep -v '^journal ' "$T/before") <(grep -v '^journal ' "$T/after")
	equal "$(stat -c %i "$ROOTFS/etc/group")" "$inode"
	# Holes stay holes, in the archive and afterwards.
	used=$(stat -c %b "$ROOTFS/d/sparse")
	[ "$used" -lt 1000 ]
	# tar itself reads it.
	mkdir "$T/x"
	tar xf "$SET/latest/rootfs.tar" -C "$T/x" --xattrs
	rm "$T/x/root/journal"
	touch -r "$ROOTFS" "$T/x/root"
	diff <(grep -v '^journal ' "$T/before") <(snapshot "$T/x/root")
}

@test "hard links: files that look the same are not one, and the other names of a file outside of the root are left alone" {
	echo same > "$ROOTFS/a"
	cp "$ROOTFS/a" "$ROOTFS/b"
	touch -r "$ROOTFS/a" "$ROOTFS/b"
	ln "$ROOTFS/a" "$T/outside"
	writing "$ROOTFS"
	to_set
	ln -f "$ROOTFS/a" "$ROOTFS/b"
	restore
	[ "$(stat -c %i "$ROOTFS/a")" != "$(stat -c %i "$ROOTFS/b")" ]
	to_set --name second
	echo changed > "$T/outside"
	restore
	equal "$(cat "$ROOTFS/a")" same
	equal "$(cat "$T/outside")" changed
}

overlay() {
	mkdir -p "$T/upper" "$T/work" "$T/merged" "$T/lower"
	mkdir -p "$T/lower/l/sub/deep" "$T/lower/gone"
	echo lower > "$T/lower/l/file"
	echo lower > "$T/lower/l/sub/file"
	echo lower > "$T/lower/l/sub/deep/file"
	echo lower > "$T/lower/gone/file"
	echo lower > "$T/lower/covered"
	mount -t overlay -o "lowerdir=$T/lower:$ROOTFS,upperdir=$T/upper,workdir=$T/work" overlay "$T/merged"
	config --arg r "$T/merged" '.root.path = $r'
}

@test "an overlay: its upper layer alone is captured, with whiteouts and opaque directories, and put back through the overlay" {
	needs overlay
	local m=$T/merged
	overlay
	fill "$m"
	rm "$m/l/file" "$m/covered" "$m/bin/ls"
	rm -r "$m/gone"
	mkdir "$m/gone"
	echo upper > "$m/gone/new"
	echo upper > "$m/l/sub/added"
	writing "$m"
	to_set
	tar tf "$SET/latest/rootfs.tar" > "$T/list"
	for f in root/l/.wh.file root/.wh.covered root/bin/.wh.ls root/gone/.wh..wh..opq root/gone/new root/d/one; do
		grep -qxF "$f" "$T/list" || fail "'$f' is not in the archive"
	done
	not grep -q busybox "$T/list"
	snapshot "$m" > "$T/before"
	# The other way round, and more.
	wreck "$m"
	echo back > "$m/l/file"
	mkdir "$m/covered"
	rm -r "$m/gone"
	rm -r "$m/l/sub/deep"
	mkdir "$m/l/sub/deep"
	echo other > "$m/l/sub/deep/other"
	rm -r "$m/usr"
	echo changed > "$m/etc/group"
	chmod 700 "$m/home"
	mkdir "$m/sbin/more"
	restore
	is "$c" running
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/other" --rootfs=none "$c"
	diff <(grep -v '^journal ' "$T/before") <(snapshot "$m" | grep -v '^journal ')
	# Once more, of a directory that has gone altogether.
	rm -r "$m/l" "$m/gone" "$m/d/deep"
	restore --from "$SET"
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/other" --name again --rootfs=none "$c"
	diff <(grep -v '^journal ' "$T/before") <(snapshot "$m" | grep -v '^journal ')
	thole delete --force "$c"
	# On another root that is none.
	config --arg r "$ROOTFS" '.root.path = $r'
	refused 125 "what was in an overlay's upper layer, but '$ROOTFS' is no overlay" restore -d --from "$SET" --bundle "$B"
	umount "$m"
}

@test "an overlay whose upper layer cannot stand alone, or is not where it was: all of it is captured" {
	needs overlay
	overlay
	echo x > "$T/merged/.wh.odd"
	writing "$T/merged"
	to_set
	tar tf "$SET/latest/rootfs.tar" > "$T/list"
	grep -qxF root/bin/busybox "$T/list"
	grep -qxF root/.wh.odd "$T/list"
	echo changed > "$T/merged/.wh.odd"
	rm "$T/merged/bin/ls"
	restore
	equal "$(cat "$T/merged/.wh.odd")" x
	[ -L "$T/merged/bin/ls" ]
	rm "$T/merged/.wh.odd"
	mv "$T/upper" "$T/upper.moved"
	to_set --name second
	tar tf "$SET/latest/rootfs.tar" | grep -qxF root/bin/busybox
	mv "$T/upper.moved" "$T/upper"
	thole delete --force "$c"
	umount "$T/merged"
}

# covers: checkpoint --include-bind
# covers: restore --include-bind
@test "--include-bind: a bind's files come along, other binds and a root that is read only do not" {
	mkdir "$T/data" "$T/rest"
	echo one > "$T/data/file"
	echo one > "$T/rest/file"
	config --arg d "$T/data" --arg r "$T/rest" '.root.readonly = true | .mounts += [
		{ destination: "/data", type: "bind", source: $d, options: ["bind", "rw"] },
		{ destination: "/rest", type: "bind", source: $r, options: ["bind", "rw"] }]'
	mkdir "$ROOTFS/data" "$ROOTFS/rest"
	args sh -c 'exec 5>> /data/journal; i=0; while :; do echo "n $i" >&5; i=$((i + 1)); usleep 5000; done'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for grep -q 'n 3' "$T/data/journal"
	refused 1 "the container has no bind at '/tmp'" to_set --include-bind /tmp
	refused 1 "the container has no bind at 'data'" to_set --include-bind data
	refused 1 "contradict each other" to_set --include-bind /data --rootfs=none
	refused 1 "--include-bind needs --to" thole checkpoint --include-bind /data "$c"
	is "$c" running
	to_set --include-bind /data/
	equal "$(tar tf "$SET/latest/rootfs.tar" | xargs)" 'bind/0 bind/0/file bind/0/journal'
	echo two > "$T/data/file"
	echo two > "$T/rest/file"
	echo more > "$T/data/more"
	echo x > "$ROOTFS/untouched"
	# Nobody's image says by itself which directories of the host are written to.
	refused 125 "has the files of '/data', too: --include-bind '/data' puts them back" restore
	refused 125 "the image has no files of '/rest'" restore --include-bind /data --include-bind /rest
	refused 125 '--include-bind and --rootfs=keep contradict' restore --include-bind /data --rootfs=keep
	equal "$(cat "$T/data/file")" two
	restore --include-bind /data
	equal "$(cat "$T/data/file")" one
	equal "$(cat "$T/rest/file")" two
	not test -e "$T/data/more"
	[ -e "$ROOTFS/untouched" ]
	thole delete --force "$c"
	config '(.mounts[] | select(.destination == "/data")).options = ["bind", "ro"]'
	refused 125 "the container's bind at '/data' is read only" restore -d --from "$SET" --bundle "$B" --include-bind /data
	config '.mounts |= map(select(.destination != "/data"))'
	refused 125 "the container has no bind at '/data'" restore -d --from "$SET" --bundle "$B" --include-bind /data
	refused 125 "has the files of '/data', too" restore -d --from "$SET" --bundle "$B"
}

@test "what a container could only read is neither captured nor written to: a root, and binds by ro and rro" {
	mkdir "$T/one" "$T/two" "$ROOTFS/one" "$ROOTFS/two" "$ROOTFS/data" "$T/data"
	echo safe > "$T/one/file"
	config --arg o "$T/one" --arg t "$T/two" --arg d "$T/data" '.root.readonly = true | .mounts += [
		{ destination: "/one", type: "bind", source: $o, options: ["bind", "ro"] },
		{ destination: "/two", type: "bind", source: $t, options: ["rbind", "rro"] },
		{ destination: "/data", type: "bind", source: $d, options: ["bind"] }]'
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	refused 1 "the container's bind at '/one' is read only" to_set --include-bind /one
	refused 1 "the container's bind at '/two' is read only" to_set --include-bind /two
	is "$c" running
	to_set --include-bind /data --name one
	archive 'area("bind/0", "/one"); add("bind/0/file", data=b"x")'
	with_archive "$T/archive"
	refused 125 "has the files of '/one', too" restore --from "$T/bad"
	refused 125 "the container's bind at '/one' is read only" restore --from "$T/bad" --include-bind /one
	archive 'area(); add("root/x", data=b"x")'
	with_archive "$T/archive"
	refused 125 'has the files of the root, which is read only' restore --from "$T/bad"
	equal "$(cat "$T/one/file")" safe
	not test -e "$ROOTFS/x"
	restore --include-bind /data
	is "$c" running
}

# covers: restore --rootfs
@test "--rootfs=keep uses what is there; what criu would not have is named" {
	holding
	to_set
	echo kept > "$ROOTFS/kept"
	restore --rootfs=keep
	[ -e "$ROOTFS/kept" ]
	is "$c" running
	to_set --name second
	echo longer >> "$ROOTFS/tmp/held"
	refused 125 "a file that it has open has changed since: '/tmp/held'" restore --rootfs=keep
	is "$c" checkpointed
	restore
	: > "$ROOTFS/go"
	exits 3 thole wait "$c"
	logged "$c" before
	equal "$(cat "$ROOTFS/tmp/held")" 'before
after'
}

@test "--rootfs=none: open files and their sizes are in the manifest, and those that have changed are named before criu is asked" {
	holding
	to_set --rootfs=none
	equal "$(capture)" none
	not test -e "$SET/latest/rootfs.tar"
	refused 125 '--rootfs=restore: the image has no files' restore --rootfs=restore
	refused 125 '--include-bind: the image has no files' restore --include-bind /data
	equal "$(jq -c '.openFiles[] | select(.path == "/tmp/held") | .size' "$SET/latest/manifest.json")" 7
	equal "$(jq -r '.openFiles[] | select(.path == "/bin/busybox") | .size' "$SET/latest/manifest.json")" "$(stat -c %s "$ROOTFS/bin/busybox")"
	rm -f "$SET/restore.log"
	printf x | dd of="$ROOTFS/tmp/held" conv=notrunc status=none
	refused 125 "a file that it has open has changed since: '/tmp/held' .--rootfs=keep restores it" restore
	echo longer >> "$ROOTFS/tmp/held"
	refused 125 "has changed since: '/tmp/held'" restore
	not test -e "$SET/restore.log"
	is "$c" checkpointed
	printf 'before\n' > "$ROOTFS/tmp/held"
	refused 125 "has changed since: '/tmp/held'" restore
	restore --rootfs=keep
	is "$c" running
}

@test "--rootfs=reflink: refused where files cannot be cloned, and the container runs on; elsewhere they are" {
	head -c 300000 /dev/urandom > "$ROOTFS/large"
	writing "$ROOTFS"
	if cp --reflink=always "$ROOTFS/large" "$T/large" 2> /dev/null; then
		to_set --leave-running --rootfs=reflink
		equal "$(capture)" reflink
	else
		refused 1 '--rootfs=reflink: its file system cannot clone it' to_set --rootfs=reflink
		is "$c" running
		nothing_hidden
	fi
	refused 1 "'--rootfs' is auto, reflink, copy or none|--rootfs" thole checkpoint --to "$SET" --rootfs=maybe "$c"
	wait_for grep -q "n $(($(wc -l < "$ROOTFS/journal") + 5))" "$ROOTFS/journal"
}

# A file system that clones, in a mount namespace of its own ($N), at $T/clones: the bundle's root and the set move there.
cloning_disk() {
	truncate -s 600M "$T/disk"
	mkfs.btrfs -q "$T/disk"
	mkdir "$T/clones"
	in_background unshare -m sleep 1000
	N=$!
	apart() { [ "$(readlink "/proc/$N/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; }
	wait_for apart
	inside mount -o loop "$T/disk" "$T/clones"
	inside cp -a "$ROOTFS" "$T/clones/root"
	config --arg r "$T/clones/root" '.root.path = $r'
	SET=$T/clones/set
}
inside() { nsenter -t "$N" -m "$@"; }
there() { inside timeout 120 "$THOLE" --root "$ROOT" "$@" < /dev/null; }
used_kib() { inside sync -f "$T/clones"; inside df -k --output=used "$T/clones" | tail -1; }

@test "--rootfs=reflink and auto: where files can be cloned the image takes no room for them, and they come back as they were" {
	needs btrfs
	local before how
	cloning_disk
	inside sh -c 'head -c 100M /dev/urandom > "$1/large" && head -c 70001 /dev/urandom > "$1/odd" && truncate -s 1M "$1/hole" && echo small > "$1/small"' sh "$T/clones/root"
	inside sha256sum "$T"/clones/root/{large,odd,hole,small} > "$T/sums"
	args sh -c 'while :; do echo x >> /journal; sleep 0.05; done'
	there run -d --bundle "$B" "$c"
	before=$(used_kib)
	for how in reflink auto; do
		there checkpoint --to "$SET" --leave-running --rootfs=$how --name $how "$c"
		equal "$(inside jq -r .capture "$SET/$how/manifest.json")" reflink
	done
	[ $(($(used_kib) - before)) -lt 51200 ] || fail "two images take $(($(used_kib) - before)) KiB"
	[ "$(inside stat -c %s "$SET/reflink/rootfs.tar")" -gt 104857600 ]
	# tar reads what has been made of clones.
	inside tar -xOf "$SET/reflink/rootfs.tar" root/odd | cmp - <(inside cat "$T/clones/root/odd")
	there delete --force "$c"
	inside sh -c 'cd "$1" && echo other | dd of=large bs=1 seek=70000000 conv=notrunc 2> /dev/null && rm odd small && : > hole' sh "$T/clones/root"
	there restore -d --from "$SET/reflink" --bundle "$B" "$c"
	inside sha256sum --quiet -c "$T/sums"
	is "$c" running
}

# ---- programs that keep their data in files

# How long they go on after the checkpoint that they are brought back to.
GOES_ON_S=2
[ -z "$THOLE_LONG" ] || GOES_ON_S=60

in_network() { nsenter -t "$(init_of "$c")" -n "$@"; }
redis() { in_network chroot "$BUILD/debian-root" redis-cli "$@" 2> /dev/null; }
answers() { [ "$(redis ping)" = PONG ]; }

@test "redis with an append-only file, which goes on after the checkpoint: back to the data of that moment, in memory and in the file" {
	needs debian-root
	BUILD=$BUILD "$TREE/tests/live/make-debian-root" > "$T/debian-root.log" 2>&1 || fail "$(tail -5 "$T/debian-root.log")"
	mkdir "$T/data"
	config --arg r "$BUILD/debian-root" --arg d "$T/data" '.root = { path: $r, readonly: true } | .process.cwd = "/data" |
		.process.capabilities |= with_entries(.value += ["CAP_NET_ADMIN"]) |
		.mounts += [{ destination: "/data", type: "bind", source: $d, options: ["bind", "rw"] }]'
	args sh -c 'ip link set lo up && exec redis-server --bind 127.0.0.1 --port 6379 --dir /data --save "" --appendonly yes --appendfsync always --daemonize no'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for answers
	redis eval 'for i = 1, 500 do redis.call("set", "k" .. i, i) end' 0 > /dev/null
	to_set --leave-running --include-bind /data
	local end=$((SECONDS + $GOES_ON_S))
	while [ $SECONDS -lt $end ]; do
		redis eval 'for i = 1, 500 do redis.call("set", "k" .. i, "late" .. math.random()) end' 0 > /dev/null
	done
	redis set after x > /dev/null
	redis bgrewriteaof > /dev/null
	rewritten() { redis info persistence | grep -q 'aof_rewrite_in_progress:0' && ! ls "$T"/data/appendonlydir/*.1.base.rdb; }
	wait_for rewritten
	thole delete --force "$c"
	restore -d --from "$SET" --bundle "$B" --include-bind /data
	wait_for answers
	equal "$(redis dbsize)" 500
	equal "$(redis get k500)" 500
	redis set more y > /dev/null
	# The file says the same: read by another one.
	thole kill "$c" KILL
	wait_for is "$c" stopped
	thole delete "$c"
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for answers
	equal "$(redis dbsize)" 501
	equal "$(redis get k1) $(redis get more)" '1 y'
}

# Adds a row after the other, each a transaction, and looks whether the file has what it knows; at a SIGTERM it closes the file and ends.
write_database_program() {
	cat > "$ROOTFS/db/writer.py" <<-'END'
		import signal, sqlite3, sys, time
		db = sqlite3.connect("/db/x.db", isolation_level=None)
		print(db.execute("pragma journal_mode=" + sys.argv[1]).fetchone()[0], flush=True)
		db.execute("create table t (n integer primary key, text text)")
		going, n = [True], 0
		signal.signal(signal.SIGTERM, lambda *_: going.clear())
		while going:
		    db.execute("begin immediate")
		    db.execute("insert into t values (?, ?)", (n, "x" * (n % 900)))
		    db.execute("commit")
		    found = db.execute("select count(*), max(n) from t").fetchone()
		    if found != (n + 1, n): sys.exit("%s rows where %s are known" % (found, n + 1))
		    print("n", n, flush=True)
		    n += 1
		    time.sleep(0.01)
		db.close()
	END
}

# What another program finds in it, of a copy: "ok ROWS LAST".
database_has() {
	mkdir "$T/copy"
	cp -a "$ROOTFS"/db/x.db* "$T/copy"
	python3 -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); print(d.execute("pragma integrity_check").fetchone()[0], *d.execute("select count(*), max(n) from t").fetchone())' "$T/copy/x.db"
	rm -r "$T/copy"
}

sqlite_back_to_its_moment() { # JOURNAL
	local moment after
	mkdir -p "$ROOTFS"/db "$ROOTFS"/lib "$ROOTFS"/lib64
	write_database_program
	config '.mounts += [["/usr", "/lib", "/lib64"][] | { destination: ., type: "bind", source: ., options: ["rbind", "ro"] }]'
	args /usr/bin/python3 /db/writer.py "$1"
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	wait_for grep -q " $1\$" "$T/log.1"
	wait_for grep -q 'n 30$' "$T/log.1"
	to_set --leave-running --file-locks
	moment=$(lines_in "$T/log.1")
	after=$SECONDS
	while [ $((SECONDS - after)) -lt $GOES_ON_S ]; do
		wait_for grep -q "n $(($(lines_in "$T/log.1") + 10))\$" "$T/log.1"
	done
	is "$c" running
	thole delete --force "$c"
	[ "$(database_has | cut -d ' ' -f 2)" -gt "$((moment + 5))" ]
	restore -d --keep --from "$SET" --bundle "$B" --log-path "$T/log.2"
	wait_for grep -q 'n [0-9]*[05]$' "$T/log.2"
	# The first that it writes is the one after the last that it had written then: no more than the log shows.
	after=$(sed -n 's/.* n //p' "$T/log.2" | head -1)
	[ "$after" -ge 31 ] && [ "$after" -le $((moment + 1)) ] || fail "it goes on at $after, the checkpoint was at $moment at the latest"
	wait_for grep -q "n $((moment + 50))\$" "$T/log.2"
	thole kill "$c" TERM
	exits 0 thole wait "$c"
	after=$(sed -n 's/.* n //p' "$T/log.2" | tail -1)
	equal "$(database_has)" "ok $((after + 1)) $after"
}

lines_in() { sed -n 's/.* n //p' "$1" | tail -1; }

@test "sqlite with a rollback journal goes on being written after the checkpoint: back to the rows of that moment, in memory and in the file" {
	sqlite_back_to_its_moment delete
}

@test "the same with a write-ahead log and its shared memory, which are mapped files" {
	sqlite_back_to_its_moment wal
}

@test "a root in which another container runs is not written to" {
	writing "$ROOTFS"
	to_set --leave-running
	refused 125 "container '$c' runs in the same root" timeout 60 "$THOLE" --root "$ROOT" restore -d --from "$SET" --bundle "$B" "$c.2"
	is "$c" running
	# By another name, too.
	mkdir "$T/again"
	mount --bind "$ROOTFS" "$T/again"
	config --arg r "$T/again" '.root.path = $r'
	refused 125 "container '$c' runs in the same root" timeout 60 "$THOLE" --root "$ROOT" restore -d --from "$SET" --bundle "$B" "$c.2"
	umount "$T/again"
	is "$c" running
}

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

# An image whose archive is another one, its digests right.
with_archive() { # FILE
	rm -rf "$T/bad"
	cp -a "$SET/one" "$T/bad"
	cp "$1" "$T/bad/rootfs.tar"
	chmod 600 "$T/bad/rootfs.tar"
	jq -c --arg s "$(sha256sum < "$1" | cut -d ' ' -f 1)" --argjson n "$(stat -c %s "$1")" \
		'.size += $n - .files["rootfs.tar"].size | .files["rootfs.tar"] = { size: $n, sha256: $s } | .sha256 = ("0" * 64)' \
		"$T/bad/manifest.json" > "$T/lie"
	sed "s/0\{64\}/$(sha256sum < "$T/lie" | cut -d ' ' -f 1)/" "$T/lie" > "$T/bad/manifest.json"
}

# An archive made of what python's tarfile says: lines of a program that adds members to `a`, after the area's own entry.
archive() {
	python3 - "$T/archive" "$1" <<-'END'
		import io, sys, tarfile
		a = tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT)
		def add(name, type=tarfile.REGTYPE, data=b"", pax={}, **more):
		    m = tarfile.TarInfo(name)
		    m.type, m.size, m.pax_headers = type, len(data), dict(pax)
		    for k, v in more.items(): setattr(m, k, v)
		    a.addfile(m, io.BytesIO(data))
		D, L, S, C = tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE
		def area(name="root", destination="/", form="whole"):
		    add(name, D, mode=0o755, pax={"comment": "thole %s %s" % (form, destination)})
		exec(sys.argv[2])
		a.close()
	END
	# tarfile fills a block of 10 KiB; two empty blocks end what we write.
	python3 - "$T/archive" <<-'END'
		import sys
		d = open(sys.argv[1], "rb").read().rstrip(b"\0")
		n = (len(d) + 511) // 512 * 512
		open(sys.argv[1], "wb").write(d + bytes(n - len(d) + 1024))
	END
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
	refused 73 '--include-bind: more than 63' to_set "${binds[@]}"
	is "$c" running
	mkdir "$T/small"
	mount -t tmpfs tmpfs "$T/small"
	mkdir "$T/small/data"
	: > "$T/small/data/file"
	python3 -c 'import os, sys; [os.setxattr(sys.argv[1], "user.a%d" % i, b"x") for i in range(257)]' "$T/small/data/file"
	thole delete --force "$c"
	config --arg d "$T/small/data" '.mounts |= map(if .destination == "/data/1" then .source = $d else . end)'
	thole run -d --bundle "$B" "$c" < /dev/null
	refused 73 'bind/0/file: it has more than 256 extended attributes' to_set --include-bind /data/1
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
