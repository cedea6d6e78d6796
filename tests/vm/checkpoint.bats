# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup dirty-pages
# Checkpoints on a kernel that says which pages have been written: pre-dumps and parent images.
load ../live/lib

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
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

checkpoint() { timeout 300 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$@" "$c"; }
restore() { timeout 300 "$THOLE" --root "$ROOT" restore "$@" "$c" < /dev/null; }

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
