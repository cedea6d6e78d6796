# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# checkpoint --to: a set of images, each whole or not there, made for cron: its exit statuses, its lock, retention; restore --from; what damaged images get.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	SET=$T/set
	bundle
}

COUNT='i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'

counting() {
	args sh -c "$COUNT"
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" > "$T/run.out" < /dev/null
	wait_for logged_in "$T/log.1" 'n 20'
}

logged_in() { grep -qF -- "$2" "$1"; }
lines() { sed 's/^[^ ]* stdout F //' "$@"; }
last_logged() { lines "$T/log.1" | tail -1 | sed 's/n //'; }
goes_on() { wait_for logged_in "$T/log.1" "n $(($(last_logged) + 10))"; }
contiguous() { lines "$T/log.1" | awk '$0 != "n " (NR - 1) { print "line " NR ": " $0; exit 1 } END { if (NR < 30) { print NR " lines"; exit 1 } }'; }

to_set() { timeout 120 "$THOLE" --root "$ROOT" checkpoint --to "$SET" "$@" "$c"; }
restore() { timeout 120 "$THOLE" --root "$ROOT" restore "$@" "$c" < /dev/null; }

images() { find "$SET" -mindepth 1 -maxdepth 1 -type d -name '[!.]*' -printf '%f\n' | sort; }
nothing_hidden() { [ -z "$(find "$SET" -mindepth 1 -maxdepth 1 -name '.*')" ]; }

# A criu that says that it has begun, and waits.
slow_criu() {
	printf '#!/bin/sh\n: > "%s/begun"\nwhile [ ! -e "%s/go" ]; do sleep 0.02; done\nexec "%s" "$@"\n' "$T" "$T" "$THOLE_CRIU" > "$T/slow"
	chmod 755 "$T/slow"
}

@test "an image that is being restored is not removed by retention, and by the next one it is" {
	counting
	slow_criu
	to_set --leave-running --rootfs=none --name one
	bundle other
	in_background timeout 120 "$THOLE" --root "$ROOT" --criu "$T/slow" restore --bundle "$B" --from "$SET/one" --rootfs=keep "other.$c" < /dev/null > "$T/restored" 2>&1
	local restoring=$!
	wait_for test -e "$T/begun"
	to_set --leave-running --rootfs=none --keep 1 --name two
	to_set --leave-running --rootfs=none --keep 1 --name three
	equal "$(images | xargs)" 'one three'
	touch "$T/go"
	wait_for is "other.$c" running
	# The client in the foreground goes on, and holds nothing.
	to_set --leave-running --rootfs=none --keep 1 --name four
	equal "$(images | xargs)" four
	thole kill "other.$c" KILL
	wait "$restoring" || true
}

@test "restore --image-path with an image of a set is restore --from: digests first, and it stays whole" {
	counting
	to_set --rootfs=none --name one
	refused 125 "auto-dedup would destroy what is in '$SET/one'" restore -d --image-path "$SET/one" --auto-dedup
	equal "$(thole checkpoints --format json "$SET" | jq -r '.[0].good')" true
	cp -a "$SET/one" "$SET/bad"
	printf x >> "$SET/bad/pages-1.img"
	refused 125 "pages-1.img' is" restore -d --image-path "$SET/bad"
	restore -d --image-path "$SET/one"
	goes_on
}

@test "what means nothing in place is refused by name, and no time is no time limit" {
	: > "$T/file"
	config --arg f "$T/file" '.mounts += [{ destination: "/file", type: "bind", source: $f, options: ["bind"] }]'
	counting
	refused 1 '--timeout: must be at least a second' to_set --timeout 0
	to_set --rootfs=none
	local flag
	for flag in --keep --keeper --sdnotify=ignore --no-pivot --no-new-keyring --detach-keys=ctrl-a; do
		refused 125 "${flag%%=*} means nothing here" restore -d $flag
	done
	refused 125 '--timeout: must be at least a second' restore -d --timeout 0
	refused 125 "container '$c' is back, but: .*/nowhere/" restore -d --pid-file "$T/nowhere/pid"
	is "$c" running
	refused 1 'file. is no directory, and only directories' to_set --include-bind /file
}

@test "--all that fails leaves no directory that it has made" {
	counting
	refused 73 'may have no more than' timeout 120 "$THOLE" --root "$ROOT" checkpoint --all --leave-running --rootfs=none --max-size 1k --to "$T/new"
	[ ! -e "$T/new" ]
}

@test "a filter with SCMP_ACT_NOTIFY cannot be brought back: said before anything is frozen" {
	in_background "$PROBES/notify" "$T/agent.sock" > "$T/agent.out"
	wait_for test -S "$T/agent.sock"
	config --arg p "$T/agent.sock" '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: $p, syscalls: [ { names: ["getppid"], action: "SCMP_ACT_NOTIFY" } ] }'
	counting
	refused 1 'linux.seccomp.syscalls.0.: CRIU cannot bring back SCMP_ACT_NOTIFY' to_set
	is "$c" running
	goes_on
	[ ! -e "$SET" ]
}

# Where criu has no CAP_SYS_RESOURCE it may not ask for another user's limits.
@test "criu's decisive error is told, though it looks like one that always comes" {
	[ $((0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24 & 1)) = 0 ] || skip "CAP_SYS_RESOURCE is there"
	config '.process.user = { uid: 1000, gid: 1000 } | .process.capabilities = {}'
	counting
	refused 70 "Can't get rlimit .*CAP_SYS_RESOURCE" to_set --rootfs=none
	goes_on
}

# covers: checkpoint --to
@test "an image is added: whole, with its manifest, only for its owner; the latest is known; the container stays and comes back" {
	counting
	to_set > "$T/said" 2>&1
	equal "$(cat "$T/said")" ''
	is "$c" checkpointed
	local name n=0 f
	name=$(images)
	matches "$name" '^[0-9]{8}T[0-9]{6}\.[0-9]{3}Z$'
	equal "$(readlink "$SET/latest")" "$name"
	nothing_hidden
	equal "$(find "$SET" -perm /077 ! -type l)" '' 'what others may look at'
	equal "$(jq -r .id "$SET/latest/manifest.json")" "$c"
	equal "$(jq -r .configDigest "$SET/latest/manifest.json")" "$(sha256sum < "$ROOT/$c/config.json" | cut -d ' ' -f 1)"
	equal "$(jq -r '.kernel + " " + .architecture' "$SET/latest/manifest.json")" "$(uname -rm)"
	[ "$(jq -r .statistics.frozenUs "$SET/latest/manifest.json")" -gt 0 ]
	for f in "$SET/latest"/*; do
		f=${f##*/}
		[ "$f" != manifest.json ] || continue
		equal "$(jq -r --arg f "$f" '.files[$f].sha256' "$SET/latest/manifest.json")" "$(sha256sum < "$SET/latest/$f" | cut -d ' ' -f 1)" "$f"
		n=$((n + 1))
	done
	equal "$(jq '.files | length' "$SET/latest/manifest.json")" "$n"
	restore
	goes_on
	contiguous
	equal "$(to_set --leave-running -v)" "$SET/$(readlink "$SET/latest")"
	is "$c" running
	[ "$(jq -r .statistics.frozenUs "$SET/latest/manifest.json")" -gt 0 ]
	goes_on
	to_set --name before-update
	equal "$(images | wc -l)" 3
	equal "$(readlink "$SET/latest")" before-update
	restore --from "$SET"
	goes_on
	contiguous
	refused 1 "there is an image 'before-update' in the set already" to_set --name before-update
	is "$c" running
}

# covers: checkpoints, checkpoints --format, checkpoints --fast
@test "checkpoints lists and verifies, inspect tells what is in one" {
	counting
	to_set --leave-running --name one
	to_set --leave-running --name two
	thole checkpoints "$SET" > "$T/table"
	equal "$(awk 'NR > 1 { print $1, $3, $6 }' "$T/table")" "two $c good,
one $c good"
	equal "$(thole checkpoints --format json "$SET" | jq -r '.[] | "\(.name) \(.latest) \(.good) \(.id)"')" "two true true $c
one false true $c"
	equal "$(thole checkpoint inspect "$SET/two" | jq -r '.name, .id, .running')" "two
$c
true"
	[ "$(thole checkpoint inspect "$SET/two" | jq '.statistics.pagesWritten')" -gt 0 ]
	[ "$(thole checkpoint inspect "$SET/two" | jq '.files["inventory.img"]')" -gt 0 ]
	# A bit that has changed has no other size.
	printf x | dd of="$SET/one/inventory.img" bs=1 seek=8 conv=notrunc status=none
	thole checkpoints --fast "$SET" > "$T/table"
	exits 1 thole checkpoints "$SET" > "$T/table"
	contains "$(cat "$T/table")" "'inventory.img'"
	rm "$SET/two/inventory.img"
	exits 1 thole checkpoints "$SET" > "$T/table"
	contains "$(cat "$T/table")" "'inventory.img' is missing, latest"
	refused 1 "image '$SET/two': 'inventory.img' is missing" thole checkpoint inspect "$SET/two"
	refused 1 "cannot open directory '$T/none'" thole checkpoints "$T/none"
}

# covers: checkpoint --keep, checkpoint --max-size
@test "retention: --keep and --max-size remove the oldest, never the new one" {
	counting
	local i
	for i in 1 2 3; do
		to_set --leave-running --keep 2 --name "i$i"
	done
	equal "$(images | xargs)" 'i2 i3'
	to_set --leave-running --max-size "$(($(jq .size "$SET/i3/manifest.json") * 3 / 2))" --name i4
	equal "$(images | xargs)" i4
	refused 73 'the image has more than the [0-9]+ bytes that it may have|may have no more than' to_set --leave-running --max-size 1k --name i5
	equal "$(images | xargs)" i4
	nothing_hidden
	refused 1 '--keep 0 would keep nothing' thole checkpoint --to "$SET" --keep 0 "$c"
	refused 1 "--name: an image cannot be called '../x'" thole checkpoint --to "$SET" --name ../x "$c"
	refused 1 "--name: an image cannot be called 'latest'" thole checkpoint --to "$SET" --name latest "$c"
	refused 1 '--keep needs --to' thole checkpoint --keep 2 "$c"
	is "$c" running
}

# covers: checkpoint --verbose
@test "from cron: what is wrong is told by one line and a status of its own; nothing is left behind" {
	refused 69 "container 'none.$c' does not exist" thole checkpoint --to "$SET" "none.$c"
	not test -e "$SET"
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	refused 69 "cannot checkpoint container '$c': it is created" to_set
	not test -e "$SET"
	refused 1 "cannot checkpoint container '$c': it is created" thole checkpoint --image-path "$T/deep/er/img" --work-path "$T/deep/work" "$c"
	not test -e "$T/deep"
	thole start "$c"
	thole checkpoint --leave-running --image-path "$T/deep/er/img" --work-path "$T/deep/work" "$c"
	test -e "$T/deep/er/img/inventory.img"
	test -e "$T/deep/work/dump.log"
	refused 70 "there is no 'no-such-criu' in PATH" thole --criu no-such-criu checkpoint --to "$SET" "$c"
	refused 70 "criu has ended with status 1 before" thole --criu /bin/false checkpoint --to "$SET" "$c"
	refused 70 "cannot use criu '/nowhere': No such file" thole --criu /nowhere checkpoint --to "$SET" "$c"
	printf '#!/bin/sh\nexec sleep 1000\n' > "$T/criu.hangs"
	printf '#!/bin/sh\necho nonsense >&3\nexec sleep 1000\n' > "$T/criu.babbles"
	chmod 755 "$T"/criu.*
	refused 70 'criu was not through within 1 seconds \(--timeout\)' thole --criu "$T/criu.hangs" checkpoint --timeout 1 --to "$SET" "$c"
	refused 70 'criu sends what cannot be understood' thole --criu "$T/criu.babbles" checkpoint --to "$SET" "$c"
	thole exec -d "$c" sleep 1001
	refused 75 "the exec'd process '1'" to_set
	equal "$(to_set --leave-running --drop-execs --verbose)" "$(realpath "$SET/latest")"
	mkfifo "$T/go"
	flock "$SET" sh -c ': > "$0/held"; read x < "$0/go"' "$T" 3>&- &
	wait_for test -e "$T/held"
	refused 75 "somebody else is at '$SET': try again later" to_set
	echo > "$T/go"
	wait $!
	is "$c" running
	nothing_hidden
	# No terminal, no descriptors, no environment: as cron has it.
	env -i PATH=/usr/bin:/bin setsid "$THOLE" --root "$ROOT" --criu "$THOLE_CRIU" checkpoint --leave-running --to "$SET" --keep 1 "$c" <&- >&- 2>&-
	equal "$(images | wc -l)" 1
	thole checkpoints "$SET" > /dev/null
	thole kill "$c" KILL
	refused 69 "cannot checkpoint container '$c': it is stopped" to_set
}

@test "on a terminal it shows how far it is, and leaves nothing of that behind" {
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != network-lock ] || read x < "%s/go"\nexit 0\n' "$T" > "$T/action"
	chmod 755 "$T/action"
	mkfifo "$T/go"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	counting
	in_background script -qefc "$(printf '%q ' "$THOLE" --root "$ROOT" checkpoint --leave-running --to "$SET" "$c")" "$T/screen" < /dev/null > /dev/null
	local pid=$!
	wait_for grep -q "$c: writing \[\.*\] 0 of about [0-9]* MiB" "$T/screen"
	echo > "$T/go"
	exits 0 wait "$pid"
	equal "$(sed '/^Script /d' "$T/screen" | tr -d '\n' | tail -c 4 | od -An -c | tr -d ' \n')" '\r033[K'
	equal "$(images | wc -l)" 1
}

@test "a set that cannot be written to, or has nothing above it: said, and the container runs on" {
	counting
	refused 1 "cannot make directory '$T/no/set': No such file" timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/no/set" "$c"
	mkdir "$SET"
	mount -t tmpfs -o ro,mode=700 tmpfs "$SET"
	refused 1 'Read-only file system' to_set || { umount "$SET"; false; }
	umount "$SET"
	is "$c" running
	goes_on
}

@test "the lines of contrib's crontab do what they say, as cron runs them" {
	local line command n=0
	args sleep 1000
	config '.annotations["org.example.checkpoint"] = ""'
	thole run -d --bundle "$B" "$c" < /dev/null
	mkdir "$T/bin"
	printf '#!/bin/sh\nexec "%s" --root "%s" --criu "%s" "$@"\n' "$THOLE" "$ROOT" "$THOLE_CRIU" > "$T/bin/thole"
	chmod 755 "$T/bin/thole"
	while read -r line; do
		command=$(echo "$line" | awk '{ for (i = 1; i <= 6; i++) $i = ""; print }' | sed "s,/var/lib/thole-checkpoints/,$T/,; s, web ||, $c ||,")
		env -i PATH="$T/bin:/usr/bin:/bin" setsid /bin/sh -c "$command" < /dev/null > "$T/said" 2>&1
		equal "$(cat "$T/said")" '' "what cron would send for '$command'"
		n=$((n + 1))
	done < <(grep -E '^[*0-9]' "$TREE/contrib/cron/thole-checkpoint")
	equal "$n" 2
	thole checkpoints "$T/web" > /dev/null
	thole checkpoints "$T/all/$c" > /dev/null
	is "$c" running
}

@test "no room: told before anything is frozen, and at each stage; what was there stays" {
	counting
	local i
	mkdir "$SET"
	unshare -m sh -e -c 'mount -t tmpfs -o size=64k,mode=700 tmpfs "$1"
		s=0; "$2" --root "$3" checkpoint --leave-running --to "$1" "$4" 2> "$5" || s=$?
		[ "$s" = 73 ] || { echo "status $s"; cat "$5"; exit 1; }
		[ "$(ls -A "$1" | grep -v dump.log)" = "" ] || { ls -A "$1"; exit 1; }' sh "$SET" "$THOLE" "$ROOT" "$c" "$T/err"
	contains "$(cat "$T/err")" 'No space left on device'
	equal "$(wc -l < "$T/err")" 1
	is "$c" running
	goes_on
	contiguous
}

# covers: checkpoint --all, checkpoint --label, checkpoint --match
@test "--all: every container that runs, by label and by id, each into its own set" {
	local i
	for i in 1 2 3; do
		bundle "b$i"
		args sleep 1000
		config --arg n "$i" '.annotations = { "org.example.n": $n, "org.example.all": "" }'
		thole run -d --bundle "$B" "$c.$i" < /dev/null
	done
	thole pause "$c.3"
	thole checkpoint --all --leave-running --to "$SET"
	equal "$(images | xargs)" "$c.1 $c.2"
	[ -e "$SET/$c.1/latest/manifest.json" ]
	exits 1 thole checkpoints "$SET" > "$T/table"
	contains "$(cat "$T/table")" "a set of images of its own: 'thole checkpoints $SET/$c.1'"
	equal "$(thole checkpoints --format json "$SET" | jq -r '.[].reason' | grep -c 'a set of images of its own')" 2
	rm "$SET/$c.1/latest"
	exits 1 thole checkpoints "$SET" > "$T/table"
	contains "$(cat "$T/table")" "a set of images of its own: 'thole checkpoints $SET/$c.1'"
	rm -r "$SET"
	thole checkpoint --all --label org.example.n=2 --leave-running --to "$SET"
	equal "$(images | xargs)" "$c.2"
	rm -r "$SET"
	thole checkpoint --all --label org.example.all --match '*.1' --leave-running --to "$SET"
	equal "$(images | xargs)" "$c.1"
	thole exec -d "$c.2" sleep 1001
	refused 75 "cannot checkpoint container '$c.2': the exec'd process" thole checkpoint --all --leave-running --to "$SET"
	equal "$(find "$SET/$c.1" -name manifest.json | wc -l)" 2
	refused 1 '--all and an id' thole checkpoint --all --to "$SET" "$c.1"
	refused 1 '--match needs --all' thole checkpoint --match x --to "$SET" "$c.1"
	refused 1 '--match: an empty pattern' thole checkpoint --all --match '' --to "$SET"
	refused 1 "--label: '=x' has no key" thole checkpoint --all --label =x --to "$SET"
	thole resume "$c.3"
}

# covers: checkpoint --pre-copy
@test "--pre-copy where the kernel does not track dirty pages: one line and a plain image; required, it fails before anything is frozen" {
	! has_dirty-pages || skip 'this kernel tracks them: see tests/vm/checkpoint.bats'
	counting
	to_set --leave-running --pre-copy 3 --name plain > "$T/said" 2>&1
	equal "$(wc -l < "$T/said")" 1
	contains "$(cat "$T/said")" "thole: container '$c': without --pre-copy: the kernel does not say which pages have been written"
	equal "$(jq '.format, (.preDumps | length)' "$SET/plain/manifest.json" | xargs)" '1 0'
	[ ! -e "$SET/plain/parent" ]
	nothing_hidden
	local how
	for how in require 3,require; do
		refused 1 "cannot checkpoint container '$c': the kernel does not say which pages have been written" to_set --leave-running --pre-copy=$how
		[ ! -e "$SET/pre-dump.log" ]
		nothing_hidden
	done
	equal "$(images)" plain
	goes_on
	to_set --pre-copy 1 2> /dev/null
	restore
	goes_on
	contiguous
}

@test "--pre-copy: what it says is judged, and that the shim is as new" {
	local bad
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	for bad in 0 11 x '' 3,x require,3 3, ,require -1 3,require,; do
		refused 1 "--pre-copy is a number from 1 to 10, require or both \\(3,require\\), not '$bad'" to_set --pre-copy "$bad"
		[ ! -e "$SET" ]
	done
	for bad in --pre-dump --lazy-pages '--parent-path x' '--page-server 127.0.0.1:99'; do
		# shellcheck disable=SC2086 # words
		refused 1 "--pre-copy and ${bad%% *} contradict each other" thole checkpoint --image-path "$T/img" --pre-copy 2 $bad "$c"
	done
	is "$c" running
	needs previous
	THOLE_LIBEXEC='' "$BUILD/previous/thole" --root "$ROOT" run -d --bundle "$B" "$c.old" < /dev/null
	refused 1 "the shim of container '$c.old' is older than --pre-copy" thole checkpoint --image-path "$T/img" --pre-copy 2 "$c.old"
	is "$c.old" running
}

@test "restored from its own latest image again and again" {
	counting
	local i
	for ((i = 0; i < (THOLE_LONG ? 20 : 3); i++)); do
		to_set --keep 2
		restore --from "$SET"
		goes_on
	done
	contiguous
	equal "$(images | wc -l)" 2
}

# covers: restore --from, checkpoint --name
@test "--from: the latest good image, a named one, in place or as a new container with -b" {
	counting
	to_set --leave-running --name one
	goes_on
	to_set --name two
	# In place and out of the older one: back to its moment.
	restore --from "$SET/one"
	is "$c" running
	wait_for went_back
	thole delete --force "$c"
	printf x >> "$SET/two/pages-1.img"
	c=$c.new
	restore -d --from "$SET" --bundle "$B" --log-path "$T/log.1" 2> "$T/err"
	contains "$(cat "$T/err")" "image 'two' is passed over: 'pages-1.img' is damaged"
	goes_on
	refused 125 "'pages-1.img' is damaged" thole restore -d --from "$SET/two" --bundle "$B" "$c.2"
	refused 125 "container '$c' already exists" thole restore -d --from "$SET/one" --bundle "$B" "$c"
	refused 125 "cannot restore container '$c': it is running" thole restore --from "$SET" "$c"
	refused 1 "'$SET' has images of container '${c%.new}', not of '$c'" to_set --leave-running
	thole delete --force "$c"
	c=${c%.new}
}

# All that the commands leave in a set beside images.
own_files() { find "$SET" -mindepth 1 -maxdepth 1 ! -type d -printf '%f\n' | sort; }

@test "an image is not called as something else in its set" {
	local name
	counting
	to_set --leave-running --name first
	to_set --name one
	restore
	equal "$(own_files | xargs)" 'dump.log latest restore.log stats-restore'
	thole checkpoint export "$SET/one" "$T/one.tar"
	for name in $(own_files) stats-dump pre-dump.log lazy-pages.log lazy-pages.socket manifest.json; do
		refused 1 "--name: an image cannot be called '$name'" thole checkpoint --to "$SET" --name "$name" "$c"
		refused 1 "--name: an image cannot be called '$name'" thole checkpoint import --name "$name" "$T/one.tar" "$T/in"
		rm -rf "$T/bad"
		cp -a "$SET/one" "$T/bad"
		lie ".name = \"$name\""
		tar cf "$T/bad.tar" -C "$T/bad" $(ls "$T/bad")
		refused 1 "cannot import '$T/bad.tar': an image cannot be called '$name'" thole checkpoint import "$T/bad.tar" "$T/in"
		not test -e "$T/in"
	done
	is "$c" running
	equal "$(images | xargs)" 'first one'
}

@test "--auto-dedup is refused where it would punch holes into an image of a set, before anything happens" {
	counting
	to_set --name one
	rm -f "$SET/restore.log"
	refused 125 "--auto-dedup would destroy what is in '.*/set/one': images of a set stay whole" restore --auto-dedup
	refused 125 "--auto-dedup would destroy what is in '$SET'" restore --auto-dedup --from "$SET"
	refused 125 "--auto-dedup would destroy what is in '$SET/one'" thole restore -d --auto-dedup --from "$SET/one" --bundle "$B" "$c.new"
	not test -e "$SET/restore.log"
	is "$c" checkpointed
	thole checkpoints "$SET" > /dev/null
	restore
	goes_on
	contiguous
}

# Some line has a smaller number than the one before.
went_back() { lines "$T/log.1" | awk '/^n / { if ($2 + 0 < last) found = 1; last = $2 + 0 } END { exit !found }'; }

@test "a damaged image is refused before anything happens: missing, cut off, a bit in any file, foreign, lying, with links" {
	counting
	to_set --name one
	local f n=0 bad
	bad() { # REGEX
		refused 125 "$1" thole restore --from "$T/bad" "$c"
		is "$c" checkpointed
	}
	for f in "$SET/one"/*; do
		rm -rf "$T/bad"
		cp -a "$SET/one" "$T/bad"
		# Files that are empty have no bit to turn.
		[ -s "$f" ] || continue
		perl -e 'open my $f, "+<", $ARGV[0]; my $at = int((-s $f) / 2); seek $f, $at, 0; read $f, my $b, 1; seek $f, $at, 0; print $f chr(ord($b) ^ 4)' "$T/bad/${f##*/}"
		bad "image '$T/bad': .*${f##*/}"
		n=$((n + 1))
	done
	[ "$n" -gt 8 ]
	again() { rm -rf "$T/bad"; cp -a "$SET/one" "$T/bad"; }
	again; rm "$T/bad/manifest.json"; bad "there is no good image in '$T/bad'"
	again; : > "$T/bad/manifest.json"; bad 'manifest.json: does not begin with its digest'
	again; truncate -s -1 "$T/bad/pages-1.img"; bad "'pages-1.img' is damaged: it has [0-9]+ bytes"
	again; rm "$T/bad/core-1.img"; bad "'core-1.img' is missing"
	again; : > "$T/bad/parent"; bad "'parent' is not in its manifest"
	again; mv "$T/bad/core-1.img" "$T/core"; ln -s "$T/core" "$T/bad/core-1.img"; bad "'core-1.img' is a symbolic link"
	again; ln "$T/bad/core-1.img" "$T/core2"; bad "'core-1.img' is a file with a further name"
	again; mkdir "$T/bad/dir"; bad "'dir' is no plain file"
	again; mkfifo "$T/bad/fifo"; bad "'fifo' is no plain file"
	again; chmod 777 "$T/bad"; bad 'others may change its directory'
	again; lie '.architecture = "sparc"'; bad 'is of architecture sparc'
	again; lie '.id = "somebody"'; bad "is of container 'somebody', not of '$c'"
	again; lie '.files["../x"] = .files["core-1.img"]'; bad "'files' has an entry that is none"
	again; lie '.size = 1'; bad "'size' is not that of its files"
	again; lie '.files = {} | .size = 0'; bad 'it has no inventory.img'
	again; lie 'del(.kernel)'; bad "'kernel' is missing"
	again; lie '.format = 99'; bad 'is of a format that is not known'
	again; lie '.id = ("x" * 5000)'; bad "'id' is missing, too long"
	rm -rf "$T/bad"; mkdir "$T/bad"; bad "there is no good image in '$T/bad'"
	restore
	goes_on
	contiguous
}

# Another manifest, with its digest right.
lie() { # FILTER
	jq -c "$1 | .sha256 = (\"0\" * 64)" "$T/bad/manifest.json" > "$T/lie"
	sed "s/0\{64\}/$(sha256sum < "$T/lie" | cut -d ' ' -f 1)/" "$T/lie" > "$T/bad/manifest.json"
}

@test "what is not criu's failure is not called so: a name that is taken meanwhile" {
	args sleep 1000
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ] || mkdir "%s/one"\nexit 0\n' "$SET" > "$T/action"
	chmod 755 "$T/action"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	thole run -d --bundle "$B" "$c" < /dev/null
	refused 1 "cannot give the image its name 'one': File exists" to_set --leave-running --name one
	is "$c" running
	# Nor is anything left of directories that could not be made.
	refused 1 'File name too long' thole checkpoint --image-path "$T/new/sub/$(printf 'x%.0s' {1..300})" "$c"
	not test -e "$T/new"
}
