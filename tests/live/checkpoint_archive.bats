# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu strace
# checkpoint export and import: an image as one file, which anybody may have written.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	bundle
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	wait_for grep -q 'n 5' "$T/log.1"
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --leave-running --name one --to "$T/set" "$c"
}

import_refused() { # REGEX FILE
	refused 1 "$1" thole checkpoint import "$2" "$T/in"
	equal "$(find "$T/in" -mindepth 1)" ''
}

@test "an image goes out as a plain tar, comes in elsewhere, and is restored" {
	thole checkpoint export "$T/set/one" "$T/one.tar"
	equal "$(stat -c %a "$T/one.tar")" 600
	equal "$(tar tf "$T/one.tar" | head -1)" manifest.json
	mkdir "$T/x"
	tar xf "$T/one.tar" -C "$T/x"
	diff -r "$T/set/one" "$T/x"
	thole checkpoint export "$T/set/one" - | cmp - "$T/one.tar"
	thole checkpoint import "$T/one.tar" "$T/in"
	thole checkpoint import --name two - "$T/in" < "$T/one.tar"
	diff -r "$T/set/one" "$T/in/one"
	equal "$(find "$T/in" -perm /077)" '' 'what others may look at'
	thole checkpoints "$T/in" > /dev/null
	refused 1 "there is an image 'one' in the set already" thole checkpoint import "$T/one.tar" "$T/in"
	equal "$(find "$T/in" -mindepth 1 -name '.*')" ''
	# What tar itself makes of a directory is as good.
	tar cf "$T/by-tar" -C "$T/x" $(ls "$T/x")
	thole checkpoint import --name three "$T/by-tar" "$T/in"
	thole delete --force "$c"
	timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --from "$T/in" "$c" < /dev/null
	is "$c" running
	refused 1 "cannot open directory '$T/none'" thole checkpoint export "$T/none" "$T/y"
	printf x >> "$T/set/one/core-1.img"
	refused 1 "image '$T/set/one': 'core-1.img' is damaged" thole checkpoint export "$T/set/one" "$T/y"
	not test -e "$T/y"
}

# covers: checkpoint --compress
@test "compressed by zstd: by the file's name or when it is said; import sees for itself; what is damaged is refused" {
	thole checkpoint export "$T/set/one" "$T/one.tar"
	thole checkpoint export "$T/set/one" "$T/one.tar.zst"
	zstd -dqc "$T/one.tar.zst" | cmp - "$T/one.tar"
	[ "$(stat -c %s "$T/one.tar.zst")" -lt "$(stat -c %s "$T/one.tar")" ]
	thole checkpoint export --compress none "$T/set/one" "$T/plain.zst"
	cmp "$T/plain.zst" "$T/one.tar"
	thole checkpoint export --compress zstd "$T/set/one" - > "$T/stream"
	thole checkpoint import - "$T/in" < "$T/stream"
	diff -r "$T/set/one" "$T/in/one"
	rm -r "$T/in"
	# Several frames are one stream.
	head -c 100000 "$T/one.tar" | zstd -qc > "$T/a"
	tail -c +100001 "$T/one.tar" | zstd -qc >> "$T/a"
	thole checkpoint import "$T/a" "$T/in"
	diff -r "$T/set/one" "$T/in/one"
	rm -r "$T/in"
	mkdir "$T/in"
	head -c 20000 "$T/one.tar.zst" > "$T/a"
	import_refused 'ends too early' "$T/a"
	cp "$T/one.tar.zst" "$T/a"
	printf '\377\377\377\377' | dd of="$T/a" bs=1 seek=3000 conv=notrunc status=none
	import_refused 'is damaged|no tar archive|ends too early' "$T/a"
	printf '\050\265\057\375' > "$T/a"
	import_refused 'ends too early|is damaged' "$T/a"
	head -c 1000000 /dev/zero | zstd -qc > "$T/a"
	import_refused "there is no 'manifest.json'" "$T/a"
	refused 1 "--compress is for 'checkpoint export'" thole checkpoint --compress zstd --to "$T/x" "$c"
}

@test "what comes in is judged: cut off, no archive, names, links, devices, what the manifest does not know" {
	thole checkpoint export "$T/set/one" "$T/one.tar"
	mkdir "$T/in"
	: > "$T/a"
	import_refused 'the archive ends too early' "$T/a"
	head -c 100000 /dev/urandom > "$T/a"
	import_refused 'is no tar archive, or a damaged one' "$T/a"
	head -c 5000 "$T/one.tar" > "$T/a"
	import_refused 'ends too early' "$T/a"
	tr '\000' '\001' < "$T/one.tar" > "$T/a"
	import_refused 'is no tar archive' "$T/a"
	member() { # NAME-PATTERN: an archive with one more member, called so
		cp "$T/one.tar" "$T/a"
		mkdir -p "$T/m"
		echo x > "$T/m/x"
		tar rf "$T/a" -P --transform "s,^.*\$,$1," -C "$T/m" x
	}
	member ../../x
	import_refused "its member '../../x' is not called" "$T/a"
	member /tmp/x
	import_refused "its member '/tmp/x' is not called" "$T/a"
	member .x
	import_refused "its member '.x' is not called" "$T/a"
	member core-1.img
	import_refused "its member 'core-1.img' comes twice" "$T/a"
	member parent
	import_refused "'parent' is not in its manifest" "$T/a"
	rm -rf "$T/m"
	mkdir "$T/m"
	ln -s /etc "$T/m/link"
	mknod "$T/m/null" c 1 3
	mkfifo "$T/m/fifo"
	mkdir "$T/m/dir"
	local f
	for f in link null fifo; do
		cp "$T/one.tar" "$T/a"
		tar rf "$T/a" -C "$T/m" "$f"
		import_refused "its member '$f' is no plain file" "$T/a"
	done
	cp "$T/one.tar" "$T/a"
	tar rf "$T/a" -C "$T/m" dir
	import_refused "its member 'dir/' is not called" "$T/a"
	tar cf "$T/a" -C "$T/set/one" core-1.img inventory.img
	import_refused "there is no 'manifest.json'" "$T/a"
	tar cf "$T/a" --exclude core-1.img -C "$T/set/one" $(ls "$T/set/one")
	import_refused "'core-1.img' is missing" "$T/a"
	cp "$T/one.tar" "$T/a"
	# A byte of the memory.
	local at=$(($(tar tRf "$T/a" | sed -n 's/^block \([0-9]*\): pages-1.img$/\1/p') * 512 + 1512))
	printf '\377\377' | dd of="$T/a" bs=1 seek="$at" conv=notrunc status=none
	printf '\376\376' | dd of="$T/a" bs=1 seek="$((at + 8))" conv=notrunc status=none
	import_refused "'pages-1.img' is damaged: its digest is another" "$T/a"
	refused 1 "an image cannot be called '../x'" thole checkpoint import --name ../x "$T/one.tar" "$T/in"
	equal "$(find "$T/in" -mindepth 1)" ''
}

@test "what export, import and inspect lack is said; a container may be called so" {
	few() { # USAGE CMD...
		refused 1 "too few operands: the usage is 'thole checkpoint $1'" thole checkpoint "${@:2}"
	}
	few 'import FILE DIR' import
	few 'import FILE DIR' import "$T/one.tar"
	few 'export IMG FILE' export
	few 'export IMG FILE' export "$T/set/one"
	few 'inspect IMG' inspect
	refused 1 "too many operands: the usage is 'thole checkpoint inspect IMG'" thole checkpoint inspect "$T/set/one" "$T/set/one"
	refused 1 "^thole: --keep is not for 'checkpoint import'$" thole checkpoint import --keep 1 "$T/one.tar" "$T/set"
	refused 1 "^thole: --compress is not for 'checkpoint import'$" thole checkpoint import --name x --compress zstd "$T/one.tar" "$T/set"
	refused 1 "^thole: --name is not for 'checkpoint export'$" thole checkpoint export --name x "$T/set/one" "$T/two.tar"
	refused 1 "^thole: --leave-running is not for 'checkpoint inspect'$" thole checkpoint inspect --leave-running "$T/set/one"
	refused 69 "container 'import' does not exist" thole checkpoint --to "$T/set" import
	thole delete --force "$c"
	config --arg p "/$c" '.linux.cgroupsPath = $p'
	thole run -d --bundle "$B" export < /dev/null
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" export
	test -e "$T/img/inventory.img"
}

@test "an import that is killed leaves nobody who holds the set, and the next one takes what it has left away" {
	thole checkpoint export "$T/set/one" "$T/one.tar"
	mkfifo "$T/fifo"
	exec 8<> "$T/fifo"
	in_background "$THOLE" --root "$ROOT" checkpoint import - "$T/in" < "$T/fifo" 8>&-
	local client=$! child
	head -c 20000 "$T/one.tar" >&8
	has_child() { child=$(pgrep -P "$client"); }
	wait_for has_child
	wait_for test -e "$T/in/.thole-dump/manifest.json"
	kill -KILL "$client"
	wait_for pid_gone "$child"
	exec 8>&-
	thole checkpoint import "$T/one.tar" "$T/in"
	equal "$(find "$T/in" -mindepth 1 -maxdepth 1 -name '.*')" ''
	diff -r "$T/set/one" "$T/in/one"
}

@test "export writes into what is no plain file, and through a link; a killed one leaves nothing" {
	thole checkpoint export "$T/set/one" "$T/one.tar"
	mknod "$T/null" c 1 3
	mkfifo "$T/pipe"
	ln -s target.tar "$T/link"
	: > "$T/target.tar"
	ln -s nowhere "$T/dangling"
	thole checkpoint export "$T/set/one" "$T/null"
	[ -c "$T/null" ]
	cmp - "$T/one.tar" < "$T/pipe" &
	thole checkpoint export "$T/set/one" "$T/pipe"
	wait $!
	[ -p "$T/pipe" ]
	thole checkpoint export "$T/set/one" "$T/link"
	[ -L "$T/link" ]
	cmp "$T/target.tar" "$T/one.tar"
	thole checkpoint export "$T/set/one" /dev/stdout | cmp - "$T/one.tar"
	# Over one that is there, which is whole until the other is.
	echo old > "$T/two.tar"
	run strace -qq -o "$T/trace" -e trace=fsync -e inject=fsync:signal=KILL "$THOLE" --root "$ROOT" checkpoint export "$T/set/one" "$T/two.tar"
	grep -q 'killed by SIGKILL' "$T/trace"
	equal "$(cat "$T/two.tar")" old
	equal "$(find "$T" -maxdepth 1 -name 'two.tar?*')" ''
	thole checkpoint export "$T/set/one" "$T/two.tar"
	cmp "$T/two.tar" "$T/one.tar"
	equal "$(stat -c %a "$T/two.tar")" 600
	refused 1 "cannot make '$T/dangling': No such file" thole checkpoint export "$T/set/one" "$T/dangling"
	refused 1 "cannot open '$T/set': Is a directory" thole checkpoint export "$T/set/one" "$T/set"
	equal "$(find "$T" -maxdepth 1 -name '*tmp')" ''
}

# Prints what is in the set, and its digests.
contents() { (cd "$T/set" && find . -type f -exec sha256sum {} + && find . ! -type f) | sort; }

@test "an image stays as it is: whatever another command would write there is refused, and names it" {
	local before to
	thole checkpoint export "$T/set/one" "$T/one.tar"
	rm -f "$T/set"/*.log
	before=$(contents)
	mkdir "$T/set/one/parent"
	for to in one latest one/sub one/parent; do
		refused 1 "'$T/set/$to' is, or would be in, an image" timeout 60 "$THOLE" --root "$ROOT" checkpoint --leave-running --to "$T/set/$to" "$c"
		refused 1 "'$T/set/$to' is, or would be in, an image" timeout 60 "$THOLE" --root "$ROOT" checkpoint --leave-running --image-path "$T/set/$to" "$c"
		refused 1 "'$T/set/$to' is, or would be in, an image" timeout 60 "$THOLE" --root "$ROOT" checkpoint --pre-dump --image-path "$T/set/$to" "$c"
		refused 1 "'$T/set/$to' is, or would be in, an image" timeout 60 "$THOLE" --root "$ROOT" checkpoint --leave-running --image-path "$T/plain" --work-path "$T/set/$to" "$c"
		refused 1 "'$T/set/$to' is, or would be in, an image" thole checkpoint import "$T/one.tar" "$T/set/$to"
	done
	rmdir "$T/set/one/parent"
	for to in one/x.tar latest/x.tar one/core-1.img; do
		refused 1 'is, or would be in, an image' thole checkpoint export "$T/set/one" "$T/set/$to"
	done
	refused 125 "'$T/set/one' is, or would be in, an image" timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --from "$T/set/one" --work-path "$T/set/one" "$c.new"
	equal "$(contents)" "$before"
	not test -e "$T/plain"
	thole checkpoint inspect "$T/set/one" > /dev/null
	# A plain one is replaced, and another program's manifest.json is no image.
	mkdir "$T/plain"
	echo '{}' > "$T/plain/manifest.json"
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --leave-running --image-path "$T/img" "$c"
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --leave-running --image-path "$T/img" --work-path "$T/plain" "$c"
	thole checkpoint export "$T/set/one" "$T/plain/x.tar"
}

@test "what is made is its owner's alone, whatever the umask" {
	local umask
	thole checkpoint export "$T/set/one" "$T/one.tar"
	for umask in 777 000; do
		(umask $umask && timeout 60 "$THOLE" --root "$ROOT" checkpoint --leave-running --rootfs=none --to "$T/to.$umask" "$c")
		(umask $umask && timeout 60 "$THOLE" --root "$ROOT" checkpoint --leave-running --image-path "$T/img.$umask/a" --work-path "$T/work.$umask/a" "$c")
		(umask $umask && thole checkpoint import "$T/one.tar" "$T/in.$umask" && thole checkpoint export "$T/set/one" "$T/out.$umask")
		equal "$(find "$T"/*."$umask" ! -type l -printf '%y%m\n' | sort -u | xargs)" 'd700 f600'
	done
}
