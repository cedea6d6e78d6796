# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# What makes checkpoints quick, each by what it does: what criu knows of the kernel is kept, a network is locked only if it has a connection. How quick they are is for tests/bench/checkpoint.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	IMG=$T/img
	bundle
}

teardown_test() {
	"$THOLE" --root "$ROOT" delete --force "$c" > /dev/null 2>&1 || true
}

# A mount namespace with another /run.
own_run() {
	in_background unshare -m sleep 1000
	N=$!
	wait_for is_apart
	inside mount --bind "$T/run" /run
}
is_apart() { [ "$(readlink "/proc/$N/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; }
inside() { nsenter -t "$N" -m "$@"; }
mounts_in_run() { inside awk '$5 ~ "^/run(/|$)" { print $5 }' /proc/self/mountinfo; }
there() { inside timeout 60 "$THOLE" --root "$ROOT" "$@" < /dev/null; }

@test "what criu finds out about the kernel is kept: by itself where /run is a tmpfs, by thole where it is not" {
	[ "$(stat -fc %T "$T")" != tmpfs ] || skip 'needs: tests on another file system than a tmpfs'
	mkdir -p "$T/run/dir/sub"
	echo text > "$T/run/file"
	ln -s file "$T/run/link"
	own_run
	inside mount -t tmpfs mounted /run/dir/sub
	inside touch /run/dir/sub/deep
	local mounts
	mounts=$(mounts_in_run)
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ] || { cat /run/file /run/link; ls /run/dir/sub; stat -fc %%T /run; } > "%s/seen" 2>&1\nexit 0\n' "$T" > "$T/action"
	chmod 755 "$T/action"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	# What the container has of it is the same for criu.
	cp -a "$B/rootfs" "$T/run/root"
	config '.root.path = "/run/root" | .mounts += [{ destination: "/data", type: "bind", source: "/run/dir", options: ["rbind", "ro"] }]'
	args sleep 1000
	there run -d --bundle "$B" "$c"
	there checkpoint --leave-running --image-path "$IMG" "$c"
	not grep -q 'Loaded kdat cache' "$IMG/dump.log"
	equal "$(stat -c '%a %u' "$T/run/thole-criu.kdat")" '600 0'
	# criu sees all that is in /run.
	equal "$(tr '\n' ' ' < "$T/seen")" 'text text deep tmpfs '
	there checkpoint --leave-running --image-path "$IMG" "$c"
	grep -q 'Loaded kdat cache' "$IMG/dump.log"
	# Of another boot: it is found out again.
	cp "$T/run/thole-criu.kdat" "$T/kept"
	LC_ALL=C sed -i '1s/^./x/' "$T/run/thole-criu.kdat"
	there checkpoint --leave-running --image-path "$IMG" "$c"
	not grep -q 'Loaded kdat cache' "$IMG/dump.log"
	equal "$(head -1 "$T/run/thole-criu.kdat")" "$(head -1 "$T/kept")"
	# Cut off: criu says so itself, and the next one is right again.
	truncate -s -100 "$T/run/thole-criu.kdat"
	there checkpoint --leave-running --image-path "$IMG" "$c"
	not grep -q 'Loaded kdat cache' "$IMG/dump.log"
	there checkpoint --image-path "$IMG" "$c"
	grep -q 'Loaded kdat cache' "$IMG/dump.log"
	there restore -d --bundle "$B" --image-path "$IMG" "$c"
	grep -q 'Loaded kdat cache' "$IMG/restore.log"
	equal "$(there exec "$c" ls /data/sub)" deep
	# Of all these mounts none has stayed, and nothing else is in /run.
	equal "$(mounts_in_run)" "$mounts"
	equal "$(ls -A "$T/run" | grep -vx -e 'criu.kdat.*' -e mount | tr '\n' ' ')" 'dir file link root thole-criu.kdat '
	inside mount -t tmpfs none /run
	there checkpoint --leave-running --image-path "$IMG" "$c"
	inside test -s /run/criu.kdat
	not inside test -e /run/thole-criu.kdat
}

# ---- the network

in_network() { nsenter -t "$(init_of "$c")" -n "$@"; }
listens() { in_network busybox netstat -ltn | grep -q ':7000'; }
connected() { in_network busybox netstat -tn | grep -q ':7000.*ESTABLISHED'; }

# criu runs WHAT at POINT; at its end it is seen whether packets get through.
at() { # POINT WHAT
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != %s ] || { %s; }\n[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ] || nsenter -t "$CRTOOLS_INIT_PID" -n busybox ping -c 1 -w 1 127.0.0.1 > "%s/seen" 2>&1\nexit 0\n' \
		"$1" "$2" "$T" > "$T/action"
	chmod 755 "$T/action"
}
locked() { not grep -q ' 0% packet loss' "$T/seen"; }
to_image() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" --leave-running "$@" "$c"; }

@test "--tcp-established: the network is locked if there is a connection, also one that comes at the last moment" {
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
	args sh -c 'while :; do nc -l -p 7000 -e cat; done'
	thole run -d --bundle "$B" "$c" < /dev/null
	in_network ip link set lo up
	wait_for listens
	at none :
	to_image --tcp-established
	not locked
	# When it is looked at, before anything is frozen, there is none yet. The criu that is given up for it takes its process group along.
	at pre-dump "[ -e $T/echoed ] || setsid nsenter -t $(init_of "$c") -n busybox nc 127.0.0.1 7000 < $T/fifo > $T/echoed & until nsenter -t $(init_of "$c") -n busybox netstat -tn | grep -q ':7000.*ESTABLISHED'; do :; done"
	mkfifo "$T/fifo"
	exec 8<> "$T/fifo"
	to_image --tcp-established
	locked
	connected
	at none :
	to_image --tcp-established
	locked
	to_image --tcp-established --network-lock skip
	not locked
	echo hello >&8
	wait_for grep -q hello "$T/echoed"
	exec 8>&-
	is "$c" running
}
