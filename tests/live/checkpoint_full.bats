# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# A disk that becomes full, and memory that does not suffice, at each stage of a checkpoint and of a restore: one line with a status of its own, the container as it was, the set as it was.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	SET=$T/small
	bundle
	mkdir "$SET"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	at never :
}

teardown_test() {
	"$THOLE" --root "$ROOT" delete --force "$c" > /dev/null 2>&1 || true
	if mountpoint -q "$SET"; then umount -l "$SET"; fi
}

# criu runs WHAT when it is at POINT.
at() { # POINT WHAT
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != %s ] || { %s; }\nexit 0\n' "$1" "$2" > "$T/action"
	chmod 755 "$T/action"
}
# Takes all room of the set but KIB, or all inodes but N, or what is left of them once somebody else has had some (":" would end the script then).
room_left() { echo "n=\$((\$(df -k --output=avail $SET | tail -1) - $1)); [ \$n -le 0 ] || fallocate -l \${n}k $SET/filler"; }
inodes_left() { echo "mkdir -p $SET/filler; n=\$((\$(df --output=iavail $SET | tail -1) - $1)); while [ \$n -gt 0 ]; do true > $SET/filler/\$n || break; n=\$((n - 1)); done"; }

counting() {
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 5000; done'
	thole run -d --bundle "$B" --log-path "$T/log" "$c" < /dev/null > "$T/run.out"
	wait_for grep -q 'n 5$' "$T/log"
}
goes_on() { wait_for grep -q "n $(($(wc -l < "$T/log") + 5))\$" "$T/log"; }
to_set() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$SET" "$@" "$c"; }
hidden() { find "$SET" -mindepth 1 -maxdepth 1 -name '.*'; }

# One checkpoint while the set fills up: it is there, and good, or it is not, and 73 is the status.
one_of_both() { # NAME FLAGS...
	local name=$1 s=0
	shift
	to_set --name "$name" "$@" 2> "$T/err" || s=$?
	rm -rf "$SET/filler"
	equal "$(hidden)" '' "what is left, with $(cat "$T/action")"
	if [ $s = 0 ]; then
		thole checkpoints "$SET" > "$T/listed" || fail "not good: $(cat "$T/listed")"
		[ -d "$SET/$name" ] || fail "no image $name"
		equal "$(readlink "$SET/latest")" "$name"
		made=$((made + 1))
	else
		equal "$s" 73 "status ($(cat "$T/err"))"
		equal "$(wc -l < "$T/err")" 1 "lines: $(cat "$T/err")"
		if [ -e "$SET/$name" ]; then
			matches "$(cat "$T/err")" "image '$name' is complete, but cannot be made the latest"
			thole checkpoints "$SET" > "$T/listed" || fail "not good: $(cat "$T/listed")"
		fi
		full=$((full + 1))
	fi
}

@test "the set's disk becomes full: whatever room is left, an image is whole or not there; the container runs on" {
	local left made=0 full=0
	mount -t tmpfs -o size=32m,mode=700 tmpfs "$SET"
	counting
	to_set --leave-running --name first
	for left in 0 4 8 12 16 20 28 60; do
		at post-dump "$(room_left $left)"
		one_of_both "after-$left" --leave-running --rootfs=none
	done
	for left in 0 60 200 500; do
		at pre-dump "$(room_left $left)"
		one_of_both "before-$left" --leave-running --rootfs=none
	done
	[ $made -ge 2 ] && [ $full -ge 4 ] || fail "$made made, $full full"
	is "$c" running
	goes_on
	# Without --leave-running, too: its processes end when the image has its name.
	at pre-dump "$(room_left 60)"
	refused 73 'No space left on device|the disk is full' to_set --rootfs=none --name stays
	rm "$SET/filler"
	equal "$(hidden)" ''
	[ ! -e "$SET/stays" ]
	is "$c" running
	goes_on
	umount -l "$SET"
}

@test "the set's disk has no inodes: whatever is left, an image is whole or not there; the container runs on" {
	local left made=0 full=0 all
	mount -t tmpfs -o size=64m,mode=700,nr_inodes=3000 tmpfs "$SET"
	counting
	to_set --leave-running --rootfs=none --name first
	all=$(($(find "$SET/first" | wc -l) + 4))
	# The last one is for a process more, if the first image happened to be of the shell alone.
	for left in 0 1 $(seq $((all - ${THOLE_LONG:+$all - } 8)) $all) $((all + 16)); do
		at pre-dump "$(inodes_left "$left")"
		one_of_both "left-$left" --leave-running --rootfs=none --keep 3
	done
	[ $made -ge 1 ] && [ $full -ge 2 ] || fail "$made made, $full full"
	is "$c" running
	goes_on
	umount -l "$SET"
}

@test "a restore whose root's disk is full: named, nothing runs, the next one does it; the same without room for criu's log" {
	mkdir "$T/work"
	mount -t tmpfs -o size=64m,mode=700 tmpfs "$SET"
	cp -a "$B/rootfs" "$SET/root"
	config --arg r "$SET/root" '.root.path = $r'
	SET=$T/set
	counting
	head -c 3M /dev/urandom > "$T/small/root/large"
	to_set --name one
	rm "$T/small/root/large"
	SET=$T/small
	eval "$(room_left 1000)"
	refused 125 "cannot restore container '$c': .*No space left on device" timeout 60 "$THOLE" --root "$ROOT" restore -d --from "$T/set" "$c"
	is "$c" checkpointed
	rm "$SET/filler"
	# All of it comes back, though the log of criu's finds no room.
	timeout 60 "$THOLE" --root "$ROOT" restore -d --from "$T/set" "$c" < /dev/null
	goes_on
	equal "$(stat -c %s "$SET/root/large")" $((3 << 20))
	to_elsewhere() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$T/set" --name two "$c"; }
	to_elsewhere
	mkdir "$SET/work"
	eval "$(room_left 0)"
	# criu has ip(8) say there that the loopback has its addresses already, and ip(8) takes that for an error when it cannot be said.
	refused 125 "cannot restore container '$c': .*the disk is full" timeout 60 "$THOLE" --root "$ROOT" restore -d --rootfs=keep --from "$T/set" --work-path "$SET/work" "$c"
	is "$c" checkpointed
	rm "$SET/filler"
	timeout 60 "$THOLE" --root "$ROOT" restore -d --rootfs=keep --from "$T/set" --work-path "$SET/work" "$c" < /dev/null
	goes_on
	thole delete --force "$c"
	umount -l "$SET"
}

@test "not enough memory for what comes back: it is told, nothing is left, and with more it works" {
	args sh -c 'x=$(head -c 50000000 /dev/zero | tr "\0" a); echo ready; while :; do sleep 0.1; done'
	thole run -d --bundle "$B" "$c" < /dev/null > "$T/run.out"
	WAIT_S=30 wait_for logged "$c" ready
	to_set --name one --rootfs=none
	thole delete --force "$c"
	config '.linux.resources.memory = { limit: 20000000, swap: 20000000 }'
	refused 125 "cannot restore container '$c': " timeout 60 "$THOLE" --root "$ROOT" restore -d --from "$SET" --bundle "$B" "$c"
	equal "$(thole list -q)" ''
	wait_for no_shims
	equal "$(own_cgroups)" ''
	config 'del(.linux.resources.memory)'
	timeout 60 "$THOLE" --root "$ROOT" restore -d --from "$SET" --bundle "$B" "$c" < /dev/null
	is "$c" running
}

@test "a restore from a set on a full disk: criu's log goes elsewhere" {
	export THOLE_LOG_DIR=$T/elsewhere # the other is a file here
	local what
	mount -t tmpfs -o size=64m,nr_inodes=400,mode=700 tmpfs "$SET"
	counting
	to_set --rootfs=none --name one
	for what in "$(room_left 0)" "$(inodes_left 0)"; do
		eval "$what"
		timeout 60 "$THOLE" --root "$ROOT" restore -d --from "$SET" "$c" < /dev/null
		goes_on
		rm -rf "$SET/filler"
		to_set --rootfs=none
	done
	thole delete --force "$c"
	umount -l "$SET"
}
