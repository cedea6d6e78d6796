# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v1 docker
# The real dockerd, Debian's, with thole-oci as its runtime: one daemon for the file, in a mount namespace of its own, without a network.
load ../live/lib

# Short: the paths of its sockets are made from it.
daemon_dir() { D=$BATS_FILE_TMPDIR/d; }

setup_file() {
	daemon_dir
	command -v dockerd > /dev/null || return 0
	mkdir -p "$D/root"
	# dockerd tells its runtime where its state is to be: the wrapper only writes down that it was asked.
	make_criu
	printf '#!/bin/sh\necho "$@" >> %s/asked\nTHOLE_CRIU=%s exec %s "$@"\n' "$D" "$BUILD/criu/bin/criu" "$THOLE_OCI" > "$D/runtime"
	chmod +x "$D/runtime"
	echo '{"experimental": true}' > "$D/daemon.json"
	unshare -m --propagation private dockerd --config-file "$D/daemon.json" --data-root "$D/data" --exec-root "$D/exec" --pidfile "$D/pid" \
		-H "unix://$D/sock" --bridge none --iptables=false --ip6tables=false --storage-driver vfs --default-ulimit nofile=1024:1024 \
		--add-runtime "thole=$D/runtime" --default-runtime thole < /dev/null > "$D/log" 2>&1 3>&- &
	echo $! > "$D/started"
	WAIT_S=60 wait_for d version > "$D/out" || { tail -20 "$D/log" >&2; return 1; }
	d import - box < "$(template_tar)" > "$D/out"
}

teardown_file() {
	daemon_dir
	[ -e "$D/started" ] || return 0
	# dockerd ends its containerd
	kill "$(cat "$D/started")"
	WAIT_S=30 wait_for pid_gone "$(cat "$D/started")" || kill -KILL "$(cat "$D/started")"
	rm -rf --one-file-system "$D"
}

setup_test() {
	daemon_dir
	: > "$D/asked"
}

teardown_test() {
	d rm -f "$c" > "$T/rm.out" 2>&1 || true
	equal "$(ls -A "$D"/exec/runtime-thole/moby 2> /dev/null)" '' 'what is left in the state directory'
}

d() { DOCKER_CONFIG=$D timeout --foreground 60 docker -H "unix://$D/sock" "$@" 3>&-; }

# run OPTIONS IMAGE CMD: with groups that are the test's own
run_docker() { d run --network none --cgroup-parent "/thole-$c" --name "$c" "$@"; }

inspect() { d inspect -f "{{.$1}}" "$c"; }

# interop: run, run --rm, run -i, run with an exit status
@test "run: output, stdin, exit status, removal; failures as docker tells them" {
	equal "$(run_docker --rm box echo hello < /dev/null)" hello
	contains "$(cat "$D/asked")" create
	exits 7 run_docker --rm box sh -c 'exit 7' < /dev/null
	equal "$(echo text | run_docker --rm -i box cat)" text
	exits 127 run_docker --rm box /no/such < /dev/null 2> "$T/err"
	contains "$(cat "$T/err")" 'exec /no/such: no such file or directory'
	exits 127 run_docker --rm box nope < /dev/null 2> "$T/err"
	exits 127 run_docker --rm box '' < /dev/null 2> "$T/err"
	exits 126 run_docker --rm box /etc < /dev/null 2> "$T/err"
	equal "$(run_docker --rm --user 1000 --tmpfs /made box sh -c 'stat -c %a /made; touch /made/x && echo written' < /dev/null)" $'1777\nwritten'
	exits 126 run_docker --rm box /etc/passwd < /dev/null 2> "$T/err"
	contains "$(cat "$T/err")" 'permission denied'
	# all of it through pipes that containerd's shim reads
	run_docker --rm box sh -c 'seq 200000; seq 1000 >&2' < /dev/null > "$T/out" 2> "$T/err"
	equal "$(cksum < "$T/out")" "$(seq 200000 | cksum)"
	equal "$(cksum < "$T/err")" "$(seq 1000 | cksum)"
}

# interop: run -d, exec, exec -d, exec -i, logs, top, stop, wait, rm
@test "run -d, exec, logs, top, stop, wait, rm" {
	run_docker -d box sh -c 'echo from inside; trap "exit 3" TERM; while :; do sleep 0.1; done' < /dev/null > "$T/out"
	equal "$(inspect State.Status)" running
	equal "$(d exec "$c" echo from exec < /dev/null)" 'from exec'
	exits 9 d exec "$c" sh -c 'exit 9' < /dev/null
	equal "$(echo text | d exec -i "$c" cat)" text
	d exec -d "$c" sh -c 'echo > /tmp/detached; sleep 1000' < /dev/null > "$T/out"
	wait_for d exec "$c" test -e /tmp/detached < /dev/null
	equal "$(d exec -u 1000 -w /tmp -e A=b "$c" sh -c 'id -u; pwd; echo $A' < /dev/null | xargs)" '1000 /tmp b'
	exits 127 d exec "$c" /no/such < /dev/null > "$T/out" 2>&1 || exits 126 d exec "$c" /no/such < /dev/null > "$T/out" 2>&1
	exits 127 d exec "$c" nope < /dev/null > "$T/out" 2>&1 || exits 126 d exec "$c" nope < /dev/null > "$T/out" 2>&1
	equal "$(d logs "$c")" 'from inside'
	contains "$(d top "$c")" 'sleep 1000'
	d stop -t 20 "$c" > "$T/out"
	equal "$(d wait "$c")" 3
	equal "$(inspect State.Status)" exited
	d rm "$c" > "$T/out"
}

# interop: pause, unpause, kill, kill -s, start, restart, update, stats, run --restart
@test "pause, unpause, kill, start, restart, update, stats" {
	run_docker -d box sh -c 'trap "echo usr1" USR1; while :; do sleep 0.1; done' < /dev/null > "$T/out"
	d pause "$c" > "$T/out"
	equal "$(inspect State.Status)" paused
	d unpause "$c" > "$T/out"
	equal "$(inspect State.Status)" running
	d kill -s USR1 "$c" > "$T/out"
	says() { d logs "$c" | grep -q usr1; }
	wait_for says
	d update --memory 64m --memory-swap -1 "$c" > "$T/out"
	equal "$(cat "$(find /sys/fs/cgroup/memory -type d -path "*thole-$c/*")/memory.limit_in_bytes")" $((64 << 20))
	contains "$(d stats --no-stream --format '{{.MemUsage}}' "$c")" '/ 64MiB'
	local before
	before=$(inspect State.Pid)
	d restart -t 0 "$c" > "$T/out"
	[ "$(inspect State.Pid)" != "$before" ]
	d kill "$c" > "$T/out"
	equal "$(d wait "$c")" 137
	d start "$c" > "$T/out"
	equal "$(inspect State.Status)" running
	d rm -f "$c" > "$T/out"
	run_docker -d --restart on-failure:2 box sh -c 'exit 4' < /dev/null > "$T/out"
	over() { [ "$(inspect State.Status)" = exited ] && [ "$(inspect RestartCount)" = 2 ]; }
	WAIT_S=30 wait_for over
	equal "$(inspect State.ExitCode)" 4
}

# interop: run -t, exec -t, resizing
@test "terminals: of a container and of an exec, with the size of the user's" {
	declare -f d run_docker > "$T/run.sh"
	declare -p T D c >> "$T/run.sh"
	cp "$T/run.sh" "$T/exec.sh"
	echo 'run_docker -it box sh -c "tty; until stty size | grep \"20 70\"; do sleep 0.1; done; read line; echo got \$line; exec sleep 1000"' >> "$T/run.sh"
	echo 'd exec -it "$c" sh -c "tty; until stty size | grep \"21 71\"; do sleep 0.1; done"; d kill "$c"' >> "$T/exec.sh"
	printf 'expect 20 70\nsend hello\\n\nexpect got hello\nend\n' | "$PROBES/pty" -s 20x70 bash "$T/run.sh" > "$T/out" &
	STARTED+=($!)
	local first=$!
	greeted() { grep -q 'got hello' "$T/out"; }
	wait_for greeted
	printf 'expect 21 71\nend\n' | "$PROBES/pty" -s 21x71 bash "$T/exec.sh" > "$T/exec"
	wait "$first" || true
	contains "$(tr -d '\r' < "$T/out")" /dev/pts/0
	contains "$(tr -d '\r' < "$T/exec")" /dev/pts/1
}

# interop: run with limits, users, capabilities, mounts, devices, --read-only, --privileged, --pid host, --init, --ipc container
@test "what docker writes into config.json: limits, users, capabilities, mounts, devices, read-only, privileged, shared namespaces" {
	run_docker --rm --memory 64m --pids-limit 50 --cpus 0.5 --read-only --cap-drop all --user 1000 --device /dev/null:/dev/extra --tmpfs /mnt \
		--hostname there --sysctl net.ipv4.ip_forward=1 --security-opt no-new-privileges -v "$T:/host:ro" --shm-size 1m \
		box sh -c 'id -u; hostname; cat /proc/sys/net/ipv4/ip_forward; grep -E "^(CapEff|Seccomp|NoNewPrivs):" /proc/self/status; touch /x 2> /dev/null || echo ro;
			ls -l /dev/extra | cut -c1; cat /sys/fs/cgroup/memory/memory.limit_in_bytes' < /dev/null > "$T/out"
	equal "$(tr '\t' ' ' < "$T/out" | paste -sd,)" '1000,there,1,CapEff: 0000000000000000,NoNewPrivs: 1,Seccomp: 2,ro,c,67108864'
	equal "$(run_docker --rm --privileged box sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status < /dev/null)" 0
	equal "$(run_docker --rm --pid host box readlink /proc/self/ns/pid < /dev/null)" "$(readlink /proc/self/ns/pid)"
	run_docker -d box sleep 1000 < /dev/null > "$T/out"
	equal "$(d run --rm --network "container:$c" --pid "container:$c" box \
		sh -c 'readlink /proc/self/ns/pid; readlink /proc/self/ns/net' < /dev/null)" \
		"$(readlink "/proc/$(inspect State.Pid)/ns/pid" "/proc/$(inspect State.Pid)/ns/net")"
}

# interop: the kernel's OOM killer, told in inspect
@test "a container without memory ends with 137 and OOMKilled" {
	exits 137 run_docker --memory 32m --memory-swap 32m box memory 200 < /dev/null > "$T/out" 2>&1
	equal "$(inspect State.OOMKilled)" true
}

# interop: commit, cp, diff, rename
@test "cp, diff and commit on a running container" {
	run_docker -d box sh -c 'echo new > /tmp/new; exec sleep 1000' < /dev/null > "$T/out"
	made() { [ "$(d exec "$c" cat /tmp/new < /dev/null)" = new ]; }
	wait_for made
	d cp "$c:/tmp/new" "$T/copy"
	equal "$(cat "$T/copy")" new
	contains "$(d diff "$c")" 'A /tmp/new'
	d commit "$c" "box:$BATS_TEST_NUMBER" > "$T/out"
	equal "$(d run --rm --network none "box:$BATS_TEST_NUMBER" cat /tmp/new < /dev/null)" new
}

# interop: checkpoint create, checkpoint ls, start --checkpoint
@test "checkpoint and start from it (an experimental feature of docker's)" {
	mkdir "$T/shared"
	run_docker -d -v "$T/shared:/out" --security-opt seccomp=unconfined box sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /out/n; sleep 0.05; done' \
		< /dev/null > "$T/out"
	further() { [ -s "$T/shared/n" ] && [ "$(cat "$T/shared/n")" -gt "$1" ]; }
	wait_for further 5
	d checkpoint create "$c" one > "$T/out"
	contains "$(d checkpoint ls "$c")" one
	over() { [ "$(inspect State.Status)" = exited ]; }
	wait_for over
	local at
	at=$(cat "$T/shared/n")
	# As long as containerd has not collected what the checkpoint left in its store dockerd says "already exists", before it asks us.
	start_it() { d start --checkpoint one "$c" > "$T/out" 2>&1; }
	WAIT_S=30 wait_for start_it || fail "$(cat "$T/out")"
	wait_for further "$at"
	[ "$(cat "$T/shared/n")" -lt $((at + 400)) ]
}
