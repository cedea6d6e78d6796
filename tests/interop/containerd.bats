# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v1 containerd
# The real containerd, Debian's, with io.containerd.runc.v2 and thole-oci as its binary, through ctr: one daemon for the file, in a mount namespace of its own.
# interop-not: tasks checkpoint while an exec'd process runs: refused, since it would be lost; with runc it is, silently. It has to end first
load ../live/lib

daemon_dir() { D=$BATS_FILE_TMPDIR/d; }

setup_file() {
	daemon_dir
	command -v containerd > /dev/null || return 0
	mkdir -p "$D/image"
	make_criu
	# containerd's monitor knows no place for criu
	printf '#!/bin/sh\nTHOLE_CRIU=%s exec %s "$@"\n' "$BUILD/criu/bin/criu" "$THOLE_OCI" > "$D/runtime"
	chmod +x "$D/runtime"
	cat > "$D/config.toml" <<- EOF
		version = 2
		root = "$D/root"
		state = "$D/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]
		[grpc]
		  address = "$D/sock"
		[ttrpc]
		  address = "$D/ttrpc"
	EOF
	# It leaves what it has made an image of.
	TMPDIR=$D unshare -m --propagation private containerd -c "$D/config.toml" < /dev/null > "$D/log" 2>&1 3>&- &
	echo $! > "$D/started"
	WAIT_S=60 wait_for ctl version > "$D/out" || { tail -20 "$D/log" >&2; return 1; }
	make_image
	ctl images import --snapshotter native "$D/image.tar" > "$D/out"
}

# An image as `docker save` writes it.
make_image() {
	local digest
	cp "$(template_tar)" "$D/image/layer.tar"
	digest=$(sha256sum < "$D/image/layer.tar" | cut -d ' ' -f 1)
	printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["sh"],"Env":["PATH=/bin:/usr/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		"$digest" > "$D/image/config.json"
	echo '[{"Config":"config.json","RepoTags":["thole.test/box:1"],"Layers":["layer.tar"]}]' > "$D/image/manifest.json"
	tar -C "$D/image" -cf "$D/image.tar" manifest.json config.json layer.tar
}

teardown_file() {
	daemon_dir
	[ -e "$D/started" ] || return 0
	kill "$(cat "$D/started")"
	WAIT_S=30 wait_for pid_gone "$(cat "$D/started")" || kill -KILL "$(cat "$D/started")"
	rm -rf --one-file-system "$D"
}

setup_test() { daemon_dir; }

teardown_test() {
	ctl task kill -s KILL "$c" > "$T/rm.out" 2>&1 || true
	ctl task rm -f "$c" > "$T/rm.out" 2>&1 || true
	ctl containers rm "$c" > "$T/rm.out" 2>&1 || true
	equal "$(ls -A "$D/runc/default" 2> /dev/null)" '' 'what is left in the state directory'
}

ctl() { timeout --foreground 60 ctr -a "$D/sock" "$@" 3>&-; }

# run OPTIONS -- CMD: with groups that are the test's own
run_ctr() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	ctl run --snapshotter native --runc-root "$D/runc" --runc-binary "$D/runtime" --cgroup "/thole-$c" "${options[@]}" thole.test/box:1 "$c" "$@"
}

task_is() { # STATUS
	[ "$(ctl task ls | awk -v c="$c" '$1 == c { print $3 }')" = "$1" ]
}

counting() {
	run_ctr -d --mount "type=bind,src=$T,dst=/out,options=rbind:rw" -- sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /out/n; sleep 0.05; done'
	counts
}

counts() { # it goes on from where it was
	local before
	wait_for test -s "$T/n"
	before=$(cat "$T/n")
	further() { [ "$(cat "$T/n")" -gt "$before" ]; }
	wait_for further
}

# interop: run, run --rm, run with an exit status
@test "run: output, exit status, removal; failures as ctr tells them" {
	equal "$(run_ctr --rm -- echo hello < /dev/null)" hello
	exits 5 run_ctr --rm -- sh -c 'exit 5' < /dev/null
	run_ctr --rm -- /no/such < /dev/null > "$T/out" 2>&1 && fail 'should have failed'
	contains "$(cat "$T/out")" 'exec /no/such: no such file or directory'
	ctl containers rm "$c" > "$T/out" 2>&1 || true
	run_ctr --rm -- sh -c 'seq 200000; seq 1000 >&2' < /dev/null > "$T/out" 2> "$T/err"
	equal "$(cksum < "$T/out")" "$(seq 200000 | cksum)"
}

# interop: run -d, tasks exec, tasks ps, tasks pause, tasks resume, tasks metrics, tasks kill, tasks rm
@test "run -d, exec, ps, pause, resume, metrics, kill, rm" {
	run_ctr -d -- sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done' < /dev/null
	task_is RUNNING
	equal "$(ctl task exec --exec-id a "$c" echo from exec < /dev/null)" 'from exec'
	exits 6 ctl task exec --exec-id b "$c" sh -c 'exit 6' < /dev/null
	contains "$(ctl task ps "$c")" "$(ctl task ls | awk -v c="$c" '$1 == c { print $2 }')"
	ctl task pause "$c"
	task_is PAUSED
	ctl task resume "$c"
	task_is RUNNING
	matches "$(ctl task metrics "$c" | awk '/memory.usage_in_bytes/ { print $2 }')" '^[1-9][0-9]+$'
	ctl task kill -s TERM "$c"
	wait_for task_is STOPPED
	ctl task rm "$c" 2> "$T/err"
	contains "$(cat "$T/err")" 'exit code 3'
	ctl containers rm "$c"
}

# interop: run -t
@test "a terminal" {
	declare -f ctl run_ctr > "$T/run.sh"
	declare -p T D c >> "$T/run.sh"
	echo 'run_ctr --rm -t -- sh -c "tty; read line; echo got \$line"' >> "$T/run.sh"
	printf 'expect /dev/pts\nsend hello\\n\nexpect got hello\nend\n' | "$PROBES/pty" -s 20x70 bash "$T/run.sh" > "$T/out"
	contains "$(tr -d '\r' < "$T/out")" /dev/pts/0
}

# interop: tasks checkpoint, tasks checkpoint --exit
@test "checkpoint: containerd pauses before it asks; the container goes on, or is gone" {
	counting
	ctl task checkpoint --image-path "$T/img" "$c"
	[ -s "$T/img/inventory.img" ]
	task_is RUNNING
	counts
	ctl task checkpoint --exit --image-path "$T/img2" "$c" > "$T/out" 2>&1
	[ -s "$T/img2/inventory.img" ]
	wait_for task_is STOPPED
}

# interop: containers checkpoint --task, containers restore --live
@test "checkpoint into containerd's store and restore from it" {
	counting
	ctl containers checkpoint --task --image --rw "$c" "thole.test/saved:$BATS_TEST_NUMBER"
	local at
	at=$(cat "$T/n")
	ctl task kill -s KILL "$c"
	wait_for task_is STOPPED
	ctl task rm -f "$c" 2> "$T/err" || true
	ctl containers rm "$c"
	rm -f "$T/n"
	# ctr stays, as with run
	in_background timeout 60 ctr -a "$D/sock" containers restore --live --rw "$c" "thole.test/saved:$BATS_TEST_NUMBER" < /dev/null > "$T/restore" 2>&1
	wait_for task_is RUNNING
	counts
	[ "$(cat "$T/n")" -lt $((at + 400)) ]
}
