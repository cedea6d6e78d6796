# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup dirty-pages
# Checkpoints on a kernel that says which pages have been written: --pre-copy, pre-dumps and parent images; and what criu's server of pages does not do on newer ones.
load ../live/lib

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	SET=$T/set
	IMG=$T/img
	bundle
}

# So many MiB that stay as they are, and KiB that are written all the time.
writes() { # MIB KIB
	args memory "$@"
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" > "$T/run.out" < /dev/null
	wait_for answered 1
}

answered() { [ "$(grep -c ' sum=[0-9]* same=1$' "$T/log.1")" -ge "$1" ]; }

# It is asked, and finds all of it as it was.
is_whole() {
	local n
	n=$(grep -c ' sum=' "$T/log.1")
	thole kill "$c" USR1
	wait_for answered $((n + 1))
	equal "$(grep -c ' same=0$' "$T/log.1")" 0
	equal "$(grep -o 'sum=[0-9]*' "$T/log.1" | sort -u | wc -l)" 1
}

to_set() { timeout 300 "$THOLE" --root "$ROOT" checkpoint --to "$SET" --rootfs none "$@" "$c"; }
checkpoint() { timeout 300 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$@" "$c"; }
restore() { timeout 300 "$THOLE" --root "$ROOT" restore "$@" "$c" < /dev/null; }

images() { find "$SET" -mindepth 1 -maxdepth 1 -type d -name '[!.]*' -printf '%f\n' | sort; }
nothing_hidden() { equal "$(find "$SET" -mindepth 1 -name '.*')" ''; }
figure() { thole checkpoint inspect "$SET/latest" | jq "$@"; }

# covers: checkpoint --pre-copy
@test "--pre-copy: the memory is written before, the rest is small; the image needs no other and comes back as any" {
	writes 24 128
	to_set --leave-running --pre-copy 4 > "$T/said" 2>&1
	equal "$(cat "$T/said")" ''
	nothing_hidden
	# All of it at first, then what is written all the time; a third time would gain nothing.
	[ "$(figure '.preDumps[0].pagesWritten')" -gt 6000 ]
	[ "$(figure '.preDumps | length')" -ge 2 ]
	[ "$(figure '.preDumps[1].pagesWritten')" -lt 1000 ]
	[ "$(figure '.statistics.pagesWritten')" -lt 1000 ]
	[ "$(figure '.statistics.pagesSkipped')" -gt 6000 ]
	equal "$(find "$SET/latest/" -type l)" '' links
	equal "$(find "$SET/latest/" -perm /077)" '' 'what others may look at'
	equal "$(cd "$SET/latest" && find . -type f -printf '%P\n' | grep -v manifest.json | sort)" "$(figure -r '.files | keys[]' | sort)"
	is_whole
	to_set --pre-copy=2,require --keep 1
	equal "$(images | wc -l)" 1
	is "$c" checkpointed
	restore
	is_whole
	# As a new container, out of an image that nothing else is left of.
	mv "$SET/$(images)" "$T/alone"
	rm -r "$SET"
	thole delete --force "$c"
	c=$c.new
	restore -d --from "$T/alone" --bundle "$B" --log-path "$T/log.1"
	is_whole
}

@test "an image with pre-dumps is exported and imported, listed and verified; damage in any of its files is seen" {
	writes 8 64
	to_set --name one --pre-copy 2,require
	thole checkpoint export "$SET/one" "$T/one.tar.zst"
	equal "$(zstd -dc "$T/one.tar.zst" | tar tf - | grep -c '^parent/parent/pages-1.img$')" 1
	thole checkpoint import --name two "$T/one.tar.zst" "$T/other"
	thole checkpoints "$T/other" > "$T/table"
	contains "$(cat "$T/table")" good
	diff -r "$SET/one" "$T/other/two"
	local f
	again() { rm -rf "$T/bad"; cp -a "$SET/one" "$T/bad"; }
	bad() { # REGEX
		refused 125 "$1" thole restore --from "$T/bad" "$c"
		is "$c" checkpointed
	}
	for f in parent/pages-1.img parent/parent/pages-1.img parent/parent/inventory.img; do
		again
		perl -e 'open my $f, "+<", $ARGV[0]; my $at = int((-s $f) / 2); seek $f, $at, 0; read $f, my $b, 1; seek $f, $at, 0; print $f chr(ord($b) ^ 4)' "$T/bad/$f"
		bad "image '$T/bad': '$f' is damaged"
	done
	again; rm -r "$T/bad/parent/parent"; bad "'parent/parent/[a-z0-9-]*.img' is missing"
	again; rm -r "$T/bad/parent"; bad 'is missing'
	again; mkdir "$T/bad/parent/parent/parent"; bad 'it has 3 directories of pre-dumps, not 2'
	again; mv "$T/bad/parent" "$T/parent"; ln -s "$T/parent" "$T/bad/parent"; bad "'parent' is a symbolic link"
	again; ln -s /etc/passwd "$T/bad/parent/x.img"; bad "'x.img' is a symbolic link"
	again; : > "$T/bad/parent/x.img"; bad "'parent/x.img' is not in its manifest"
	again; mkdir "$T/bad/parent/dir"; bad "'dir' is no plain file"
	again; chmod 777 "$T/bad/parent"; bad 'others may change its directory'
	restore --from "$T/other"
	is_whole
}

# covers: checkpoint --pre-dump, checkpoint --parent-path
@test "pre-dump and parent-path, as with runc: the second one has only what was written meanwhile" {
	writes 16 64
	checkpoint --pre-dump
	is "$c" running
	checkpoint_to() { timeout 300 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/$1" "${@:2}" "$c"; }
	checkpoint_to img2 --pre-dump --parent-path ../img
	checkpoint_to img3 --parent-path ../img2
	equal "$(readlink "$T/img3/parent")" ../img2
	[ "$(cat "$T/img"/pages-*.img | wc -c)" -gt 16000000 ]
	[ "$(cat "$T/img3"/pages-*.img | wc -c)" -lt 4000000 ]
	restore -d --bundle "$B" --image-path "$T/img3" --log-path "$T/log.1"
	is_whole
}

@test "--pre-copy with --image-path: in the image's own directory, and it takes the place of one that was there" {
	writes 8 64
	checkpoint --leave-running --pre-copy 3
	[ -e "$IMG/parent/parent/pages-1.img" ]
	is_whole
	checkpoint --leave-running
	[ ! -e "$IMG/parent" ]
	checkpoint --stay --pre-copy 3
	equal "$(find "$IMG" -name '.*')" ''
	restore
	is_whole
	# What somebody else has there is left alone.
	rm -r "$IMG/parent"
	mkdir "$IMG/parent"
	: > "$IMG/parent/mine"
	refused 1 "'parent' in the image's directory is none of pre-dumps" checkpoint --leave-running
	[ -e "$IMG/parent/mine" ]
	is "$c" running
	# Such an image is made anew by the next one, too, if it is not the last of its own.
	refused 1 "parent-path: 'parent' has the place of the link to it" checkpoint --parent-path parent
}

@test "the client, criu and the shim are killed while pre-dumps are made: the set is good, and the container runs on or is checkpointed" {
	writes 8 64
	to_set --leave-running --name old --pre-copy 2
	local i pid
	for ((i = 0; i < (THOLE_LONG ? 30 : 6); i++)); do
		in_background "$THOLE" --root "$ROOT" checkpoint --to "$SET" --rootfs none --name "r$i" --pre-copy 3 --leave-running "$c" 2> /dev/null
		pid=$!
		perl -e 'select undef, undef, undef, rand 2.5'
		if [ $((i % 2)) = 0 ]; then
			kill -KILL "$pid" 2> /dev/null || true
		else
			# shellcheck disable=SC2046 # pids
			kill -KILL $(own_criu) 2> /dev/null || true
		fi
		wait "$pid" || true
		wait_for is_settled
		thole checkpoints "$SET" > "$T/checkpoints" || { cat "$T/checkpoints"; return 1; }
		[ -e "$SET/old/manifest.json" ]
		# While criu changes a process's registers that dies with it.
		if [ $((i % 2)) = 1 ] && is "$c" stopped; then
			thole delete "$c"
			rm "$T/log.1"
			writes 8 64
		fi
		is "$c" running || fail "$i: $(thole state "$c")"
		equal "$(awk '/^TracerPid/ { print $2 }' "/proc/$(init_of "$c")/status")" 0 tracer
		is_whole
	done
	in_background "$THOLE" --root "$ROOT" checkpoint --to "$SET" --rootfs none --name shim --pre-copy 3 "$c" 2> /dev/null
	pid=$!
	wait_for test -e "$SET/.thole-dump/parent"
	kill -KILL "$(shims)"
	wait "$pid" || true
	wait_for no_shims
	wait_for is_not_frozen
	thole checkpoints "$SET" > /dev/null
	[ ! -e "$SET/shim" ]
	is_whole
	to_set --pre-copy 2
	nothing_hidden
	restore
	is_whole
}

is_settled() {
	! "$THOLE" --root "$ROOT" pause "$c" 2>&1 | grep -q 'being checkpointed' && { "$THOLE" --root "$ROOT" resume "$c" 2> /dev/null || true; }
}
is_not_frozen() { [[ $(status "$c") =~ ^(running|stopped|checkpointed)$ ]]; }
own_criu() {
	local p
	for p in $(shims); do
		pgrep -P "$p" -f 'criu(: | swrk)'
	done
}

# covers: restore --page-server, checkpoint --{lazy-pages,page-server,status-fd}
@test "lazy pages from the other end: the memory is brought over from where the container was" {
	local port=$((20000 + RANDOM % 20000)) first=$c
	writes 24 0
	# criu 4.2.1 takes every page for one of the stack, which is not lazy, where the stack pointer is at the beginning of a page (is_stack(): one process in 256).
	while has_even_stack; do
		thole delete --force "$c"
		rm "$T/log.1"
		writes 24 0
	done
	mkfifo "$T/ready"
	in_background sh -c 'exec timeout 300 "$@" 7> "$0"' "$T/ready" "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" --lazy-pages --page-server 127.0.0.1:$port --status-fd 7 "$c" 2> "$T/source.err"
	local source=$!
	equal "$(head -c 1 "$T/ready" | od -An -tx1 | tr -d ' ')" 00
	[ "$(cat "$IMG"/pages-*.img | wc -c)" -lt 4000000 ] || fail "$(ls -l "$IMG"; grep -a 'Pagemap generated\|lazy\|uffd\|userfault' "$IMG/dump.log" | tail -40; cat "$T/source.err")"
	c=$first.there
	restore -d --lazy-pages --page-server 127.0.0.1:$port --bundle "$B" --image-path "$IMG" --log-path "$T/log.1"
	is_whole
	wait_for no_server
	exits 0 wait "$source"
	not thole state "$first" 2> /dev/null
}

has_even_stack() { [[ $(awk '{ print $(NF - 1) }' "/proc/$(init_of "$c")/syscall") == *000 ]]; }
no_server() { ! pgrep -P "$(shim_of "$c")" -f 'criu lazy-pages' > /dev/null; }
