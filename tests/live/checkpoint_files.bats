# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# A checkpoint has the files of its moment: of a plain root, of an overlay, of binds on request; they come back whatever has become of them since.
load lib
load checkpoint_files

setup_file() { make_criu; }

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

@test "--rootfs=none: a file that is only appended to may have grown; gone, of another kind or shorter it is named before criu is asked" {
	args sh -c 'exec 5>> /tmp/log 6>> /tmp/both 7<> /tmp/both; echo before >&5; while [ ! -e /go ]; do usleep 20000; done; echo after >&5; exit 3'
	thole run -d --keep --bundle "$B" "$c" < /dev/null
	wait_for grep -q before "$ROOTFS/tmp/log"
	to_set --rootfs=none
	equal "$(jq -c '.appendedFiles[] | [.path, .size]' "$SET/latest/manifest.json")" '["/tmp/log",7]'
	equal "$(jq -r '.openFiles[] | select(.path == "/tmp/both") | .size' "$SET/latest/manifest.json")" 0
	rm -f "$SET/restore.log"
	changed() { # [FLAG...]
		refused 125 "a file that it has open has changed since: '/tmp/log'" restore "$@"
		not test -e "$SET/restore.log"
		is "$c" checkpointed
	}
	rm "$ROOTFS/tmp/log"
	changed
	changed --rootfs=keep
	mkfifo "$ROOTFS/tmp/log"
	changed
	changed --rootfs=keep
	rm "$ROOTFS/tmp/log"
	echo short > "$ROOTFS/tmp/log"
	changed
	printf 'before\nlater\n' > "$ROOTFS/tmp/log"
	restore
	to_set --rootfs=none --name shrinks
	: > "$ROOTFS/tmp/log"
	refused 125 "has changed since: '/tmp/log'" restore
	restore --rootfs=keep
	: > "$ROOTFS/go"
	exits 3 thole wait "$c"
	equal "$(cat "$ROOTFS/tmp/log")" after
}

@test "--link-remap: a file that has lost the name it was opened by comes back, with its files and without, in place and as a new one" {
	local mode in_place
	data() { find "$ROOTFS/data" -type f -printf '%f %n\n' | sort | xargs; }
	has_other() { [ "$(data)" = 'other 1' ]; }
	for mode in none copy; do
		for in_place in yes ''; do
			rm -rf "$ROOTFS/go" "$ROOTFS/data" "$SET"
			mkdir "$ROOTFS/data"
			# Another one is really called so.
			args sh -c 'exec 5<> /data/gone 6<> "/tmp/x (deleted)"; echo before >&5; ln /data/gone /data/other; rm /data/gone; while [ ! -e /go ]; do usleep 20000; done; echo after >&5; exec sleep 1000'
			thole run -d --keep --bundle "$B" "$c" < /dev/null
			wait_for has_other
			to_set --link-remap "--rootfs=$mode"
			equal "$(jq -r '.openFiles[].path' "$SET/latest/manifest.json" | grep -v /bin/ | sed 's/[0-9]*$//' | xargs -d '\n')" '/data/link_remap. /tmp/x (deleted)'
			[ "$mode" = none ] || rm -r "$ROOTFS/data"
			if [ "$in_place" ]; then
				restore
			else
				thole delete --force "$c"
				restore -d --from "$SET" --bundle "$B"
			fi
			equal "$(data)" 'other 1'
			: > "$ROOTFS/go"
			wait_for grep -qx after "$ROOTFS/data/other"
			thole delete --force "$c"
			# criu's name for it is gone with the restore: what it was comes with its files, or not at all.
			rm "$ROOTFS/go"
			printf 'before\n' > "$ROOTFS/data/other"
			if [ "$mode" = none ]; then
				refused 125 "a file that it has open has changed since: '/data/link_remap.[0-9]+'" restore -d --from "$SET" --bundle "$B"
			else
				restore -d --from "$SET" --bundle "$B"
				equal "$(data)" 'other 1'
				thole delete --force "$c"
			fi
		done
	done
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
