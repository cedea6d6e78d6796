# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v1 podman
# The real podman, Debian's, with --runtime thole-oci. Its storage is the test's own, its mounts are in a namespace of their own.
# interop-not: container checkpoint while an exec session runs: refused, since it would be lost; with runc it is, silently. It has to end first
load ../live/lib

setup_test() {
	mkdir -p "$T/pod"
	# What podman asks for by default may be more than this machine allows.
	cat > "$T/containers.conf" <<- 'EOF'
		[containers]
		default_ulimits = [ "nofile=1024:4096", "nproc=1024:1024" ]
	EOF
	# Options for the runtime are not passed on to the command with which conmon cleans up.
	printf '#!/bin/sh\nexec %s --root %s "$@"\n' "$THOLE_OCI" "$ROOT" > "$T/runtime"
	chmod +x "$T/runtime"
	in_background unshare -m --propagation private sleep 1000
	NS=${STARTED[-1]}
	private() { [ "$(readlink "/proc/$NS/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; }
	wait_for private
	pod import "$(template_tar)" box > "$T/import.out" 2>&1 || fail "$(cat "$T/import.out")"
}

pod() {
	CONTAINERS_CONF=$T/containers.conf timeout --foreground 60 nsenter -m -t "$NS" podman --root "$T/pod/root" --runroot "$T/pod/run" \
		--tmpdir "$T/pod/tmp" --storage-driver vfs --cgroup-manager cgroupfs --events-backend file \
		--runtime "$T/runtime" "$@" 3>&-
}

# run OPTIONS IMAGE CMD: with groups that are the test's own
run_pod() { pod run --cgroups no-conmon --cgroup-parent "/thole-$c" --network none --name "$c" "$@"; }

teardown_test() {
	pod rm -f -t 0 "$c" > "$T/rm.out" 2>&1 || true
	wait_for no_pod_groups || true
}

# podman leaves a pod's groups behind, in which conmon may still be ending.
no_pod_groups() {
	find /sys/fs/cgroup -depth -path "*/thole-$c*" -type d -exec rmdir {} +
	[ -z "$(own_cgroups)" ]
}

inspect() { pod inspect "$c" | jq -r ".[0].$1"; }

# interop: run, run --rm, run -i, run with an exit status
@test "run: output, stdin, exit status, removal" {
	equal "$(run_pod --rm box echo hello < /dev/null)" hello
	exits 7 run_pod --rm box sh -c 'exit 7' < /dev/null
	equal "$(echo text | run_pod --rm -i box cat)" text
	exits 127 run_pod --rm box /no/such < /dev/null 2> "$T/err"
	contains "$(cat "$T/err")" '/no/such'
	exits 127 run_pod --rm box nope < /dev/null 2> "$T/err"
	exits 126 run_pod --rm box /etc < /dev/null 2> "$T/err"
	equal "$(run_pod --rm --user 1000 --tmpfs /made box sh -c 'stat -c %a /made; touch /made/x && echo written' < /dev/null)" $'1777\nwritten'
	contains "$(run_pod --rm box ip link show lo < /dev/null)" LOWER_UP
	exits 126 run_pod --rm box /etc/passwd < /dev/null 2> "$T/err"
	equal "$(ls -A "$ROOT")" '' 'state directory'
	no_shims
}

# interop: run -d, exec, exec -i, exec -d, logs, top, stop, inspect, rm
@test "run -d, exec, logs, top, stop, inspect, rm" {
	run_pod -d box sh -c 'echo from inside; trap "exit 3" TERM; while :; do sleep 0.1; done' < /dev/null > "$T/out"
	equal "$(inspect State.Status)" running
	equal "$(pod exec "$c" echo from exec < /dev/null)" 'from exec'
	exits 9 pod exec "$c" sh -c 'exit 9' < /dev/null
	equal "$(echo text | pod exec -i "$c" cat)" text
	pod exec -d "$c" sh -c 'echo > /tmp/detached; sleep 1000' < /dev/null > "$T/out"
	wait_for pod exec "$c" test -e /tmp/detached < /dev/null
	equal "$(pod exec -u user -w /tmp -e A=b "$c" sh -c 'id -un; pwd; echo $A' < /dev/null | xargs)" 'user /tmp b'
	exits 127 pod exec "$c" nope < /dev/null 2> "$T/err"
	exits 126 pod exec "$c" /etc < /dev/null 2> "$T/err"
	equal "$(pod logs "$c")" 'from inside'
	contains "$(pod top "$c")" 'sleep 1000'
	pod stop -t 20 "$c"
	equal "$(inspect State.Status)" exited
	equal "$(inspect State.ExitCode)" 3
	pod rm "$c"
	equal "$(ls -A "$ROOT")" '' 'state directory'
}

# interop: pause, unpause, update, kill, start
@test "pause, unpause, kill, start again, update" {
	run_pod -d box sleep 1000 < /dev/null > "$T/out"
	pod pause "$c"
	equal "$(inspect State.Status)" paused
	pod unpause "$c"
	equal "$(inspect State.Status)" running
	pod update --memory 64m "$c"
	equal "$(cat "$(find /sys/fs/cgroup/memory -type d -path "*thole-$c/libpod-*")/memory.limit_in_bytes")" $((64 << 20))
	pod kill "$c"
	equal "$(inspect State.ExitCode)" 137
	pod start "$c"
	equal "$(inspect State.Status)" running
}

# interop: run -t
@test "a terminal" {
	# The script is run by a terminal's owner, which knows no functions.
	declare -f pod run_pod > "$T/run.sh"
	declare -p T NS c >> "$T/run.sh"
	echo 'run_pod --rm -it box sh -c "tty; stty size; read line; echo got \$line"' >> "$T/run.sh"
	printf 'expect 20 70\nsend hello\\n\nexpect got hello\nend\n' | "$PROBES/pty" -s 20x70 bash "$T/run.sh" > "$T/out"
	contains "$(tr -d '\r' < "$T/out")" /dev/pts/0
}

# interop: run with limits, users, capabilities, mounts, devices, --read-only
@test "limits, capabilities, read-only, seccomp, devices and users as podman writes them" {
	run_pod --rm --memory 64m --pids-limit 50 --cpus 0.5 --read-only --cap-drop all --user 1000 --device /dev/null:/dev/extra --tmpfs /mnt --hostname there \
		--sysctl net.ipv4.ip_forward=1 --security-opt no-new-privileges -v "$T:/host:ro" --shm-size 1m \
		box sh -c 'id -u; hostname; cat /proc/sys/net/ipv4/ip_forward; grep -E "^(CapEff|Seccomp|NoNewPrivs):" /proc/self/status; touch /x 2> /dev/null || echo ro;
			ls -l /dev/extra | cut -c1; cat /sys/fs/cgroup/memory/memory.limit_in_bytes' < /dev/null > "$T/out"
	equal "$(tr '\t' ' ' < "$T/out" | paste -sd,)" '1000,there,1,CapEff: 0000000000000000,NoNewPrivs: 1,Seccomp: 2,ro,c,67108864'
}

# interop: run --restart
@test "restart: what conmon and podman do with the status" {
	run_pod -d --restart on-failure:2 box sh -c 'exit 4' < /dev/null > "$T/out"
	over() { [ "$(inspect State.Status)" = exited ] && [ "$(inspect RestartCount)" = 2 ]; }
	WAIT_S=30 wait_for over
	equal "$(inspect State.ExitCode)" 4
}

# interop: run --privileged, run --pid host, run --cgroupns host, run --rootfs, run --log-driver passthrough
@test "privileged, the host's namespaces, a root file system of one's own, no log" {
	equal "$(run_pod --rm --privileged box readlink /dev/ptmx < /dev/null)" pts/ptmx
	equal "$(run_pod --rm --privileged box sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status < /dev/null)" 0
	equal "$(run_pod --rm --pid host box readlink /proc/self/ns/pid < /dev/null)" "$(readlink /proc/self/ns/pid)"
	equal "$(run_pod --rm --uts host --ipc host box hostname < /dev/null)" "$(hostname)"
	contains "$(run_pod --rm --cgroupns host box cat /proc/self/cgroup < /dev/null)" "/thole-$c/libpod-"
	equal "$(run_pod --rm --log-driver passthrough box echo passed < /dev/null)" passed
	equal "$(run_pod --rm --rootfs "$(template)" echo rootfs < /dev/null)" rootfs
}

# interop: attach, stats, wait, rename, cp
@test "attach, stats, wait, rename, cp" {
	run_pod -d -i box sh -c 'echo new > /tmp/new; read line; echo got $line; exit 5' < /dev/null > "$T/out"
	equal "$(pod stats --no-stream --format '{{.PIDs}}' "$c")" 1
	pod cp "$c:/tmp/new" "$T/copy"
	equal "$(cat "$T/copy")" new
	pod rename "$c" "$c-new"
	pod rename "$c-new" "$c"
	printf 'hello\n' | pod attach "$c" > "$T/out" || true
	equal "$(pod wait "$c")" 5
	contains "$(pod logs "$c")" 'got hello'
}

# interop: run with a healthcheck
@test "a healthcheck is an exec that tells how it is" {
	run_pod -d --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 box sleep 1000 < /dev/null > "$T/out"
	exits 1 pod healthcheck run "$c" > "$T/out" 2>&1
	pod exec "$c" touch /tmp/well < /dev/null
	pod healthcheck run "$c" > "$T/out" 2>&1 || fail "$(cat "$T/out")"
}

# interop: pod create, run --pod, pod pause, pod stop, pod rm
@test "a pod with an infra container: its members share its namespaces" {
	pod pod create --name "$c-pod" --network none --infra-image box --infra-command 'sleep 1000' --cgroup-parent "/thole-$c" > "$T/out"
	run_in() { pod run --pod "$c-pod" "$@"; }
	equal "$(run_in --rm box readlink /proc/self/ns/net < /dev/null)" "$(run_in --rm box readlink /proc/self/ns/net < /dev/null)"
	[ "$(run_in --rm box readlink /proc/self/ns/net < /dev/null)" != "$(readlink /proc/self/ns/net)" ]
	run_in -d --name "$c" box sleep 1000 < /dev/null > "$T/out"
	pod pod pause "$c-pod" > "$T/out"
	equal "$(inspect State.Status)" paused
	pod pod unpause "$c-pod" > "$T/out"
	pod pod stop -t 0 "$c-pod" > "$T/out"
	equal "$(inspect State.Status)" exited
	pod pod rm -f "$c-pod" > "$T/out"
}

# interop: container checkpoint, container restore, container checkpoint --leave-running, --export, --import
@test "checkpoint and restore, in place and through a file" {
	needs criu
	make_criu
	# podman asks criu itself which version it is, thole-oci is told by the environment
	PATH=$BUILD/criu/bin:$PATH
	export THOLE_CRIU=$BUILD/criu/bin/criu
	mkdir "$T/shared"
	run_pod -d -v "$T/shared:/out" box sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /out/n; sleep 0.05; done' < /dev/null > "$T/out"
	counts
	pod container checkpoint --leave-running "$c" > "$T/out"
	counts
	pod container checkpoint "$c" > "$T/out"
	equal "$(inspect State.Status)" exited
	pod container restore "$c" > "$T/out"
	equal "$(inspect State.Status)" running
	counts
	pod container checkpoint --compress none --export "$T/export.tar" "$c" > "$T/out"
	pod rm -f -t 0 "$c" > "$T/out"
	pod container restore --import "$T/export.tar" > "$T/out"
	equal "$(inspect State.Status)" running
	counts
}

counts() { # it goes on from where it was
	local before
	# It is empty each time until the number is written.
	seen() { before=$(cat "$T/shared/n") && [ "$before" ]; }
	wait_for seen
	further() { [ "$(cat "$T/shared/n")" -gt "$before" ]; }
	wait_for further
}
