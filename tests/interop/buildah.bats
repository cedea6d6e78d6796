# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v1 buildah
# The real buildah, Debian's, with thole-oci as its runtime: run, and the RUN lines of a build.
load ../live/lib

setup_test() {
	printf '#!/bin/sh\nexec %s --root %s "$@"\n' "$THOLE_OCI" "$ROOT" > "$T/runtime"
	chmod +x "$T/runtime"
	in_background unshare -m --propagation private sleep 1000
	NS=${STARTED[-1]}
	private() { [ "$(readlink "/proc/$NS/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; }
	wait_for private
	b from --network none --ulimit nofile=1024:1024 --name "$c" scratch > "$T/from"
	cp "$(template_tar)" "$T/root.tar"
	b add "$c" "$T/root.tar" / > "$T/add"
}

b() {
	local command=$1
	shift
	timeout --foreground 100 nsenter -m -t "$NS" buildah --root "$T/store" --runroot "$T/run" --storage-driver vfs "$command" "$@" 3>&-
}

run_buildah() { b run --runtime "$T/runtime" --isolation oci "$@"; }

# interop: run, run --user, run -v, run with an exit status
@test "run: output, stdin, exit status, user, mounts" {
	equal "$(run_buildah "$c" -- echo hello < /dev/null)" hello
	equal "$(echo text | run_buildah "$c" -- cat)" text
	run_buildah "$c" -- sh -c 'exit 7' < /dev/null 2> "$T/err" && fail 'should have failed'
	contains "$(cat "$T/err")" 'exit status 7'
	equal "$(run_buildah --user 1000 "$c" -- id -u < /dev/null)" 1000
	equal "$(run_buildah -v "$T:/host:ro" "$c" -- ls /host/root.tar < /dev/null)" /host/root.tar
	equal "$(ls -A "$ROOT")" '' 'state directory'
	no_shims
}

# interop: run -t
@test "a terminal" {
	declare -f b run_buildah > "$T/run.sh"
	declare -p T NS c >> "$T/run.sh"
	echo 'run_buildah -t "$c" -- sh -c "tty; read line; echo got \$line"' >> "$T/run.sh"
	printf 'expect /dev\nsend hello\\n\nexpect got hello\nend\n' | "$PROBES/pty" -s 20x70 bash "$T/run.sh" > "$T/out"
	contains "$(tr -d '\r' < "$T/out")" 'got hello'
}

# interop: build (RUN lines)
@test "a build with RUN lines" {
	printf 'FROM scratch\nADD root.tar /\nRUN echo built > /made && id -u >> /made\nRUN cat /made && test ! -e /proc/1/nothing\nCMD ["cat", "/made"]\n' > "$T/Containerfile"
	b bud --runtime "$T/runtime" --isolation oci --network none --ulimit nofile=1024:1024 -t "box" -f "$T/Containerfile" "$T" < /dev/null > "$T/out" 2>&1 ||
		fail "$(tail -20 "$T/out")"
	contains "$(cat "$T/out")" built
	equal "$(ls -A "$ROOT")" '' 'state directory'
}
