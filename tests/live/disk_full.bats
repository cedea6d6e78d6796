# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# The state directory or the log's directory is full.
load lib

setup_test() {
	bundle
	mkdir -m 700 "$ROOT" "$T/log"
}

# in_full DIR KIB SCRIPT: runs SCRIPT in a mount namespace where DIR is a tmpfs of that size
with_small() {
	unshare -m sh -ec 'mount -t tmpfs -o mode=700,size="$2"k none "$1"; shift 2; exec "$@"' sh "$@"
}

@test "no room in the state directory: create is an error that says so, and nothing is left" {
	args sleep 1000
	cat > "$T/script" <<'SH'
set -u
dd if=/dev/zero of="$2/filler" bs=4k 2> /dev/null
s=0
"$1" --root "$2" run -d --bundle "$3" "$4" < /dev/null 2> "$5/err" || s=$?
echo "$s" > "$5/status"
ls "$2" > "$5/ls"
SH
	with_small "$ROOT" 64 sh "$T/script" "$THOLE" "$ROOT" "$B" "$c" "$T"
	equal "$(cat "$T/status")" 125
	equal "$(wc -l < "$T/err")" 1
	contains "$(cat "$T/err")" 'No space left'
	equal "$(cat "$T/ls")" filler
	wait_for nothing_left
}

@test "every amount of room: create works or fails whole" {
	args sleep 1000
	cat > "$T/script" <<'SH'
set -u
s=0
dd if=/dev/zero of="$2/filler" bs=4k 2> /dev/null
truncate -s "-$6" "$2/filler" 2> /dev/null
"$1" --root "$2" create --bundle "$3" "$4" < /dev/null 2> "$5/err" || s=$?
if [ $s = 0 ]; then
	"$1" --root "$2" state "$4" | grep -q created || echo "no state" >> "$5/bad"
	"$1" --root "$2" delete --force "$4" || echo "no delete" >> "$5/bad"
fi
[ "$(ls "$2")" = filler ] || ls "$2" >> "$5/bad"
SH
	local room
	for room in 0 4096 8192 12288 16384 20480 24576 32768; do
		with_small "$ROOT" 64 sh "$T/script" "$THOLE" "$ROOT" "$B" "$c" "$T" "$room"
		[ ! -e "$T/bad" ] || fail "with $room bytes: $(cat "$T/bad" "$T/err")"
		wait_for nothing_left || fail "with $room bytes: $(leftovers)"
	done
}

@test "the state directory fills up while the container runs: its exit status is not lost" {
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; exit 13'
	cat > "$T/script" <<'SH'
set -u
"$1" --root "$2" run -d --bundle "$3" "$4" < /dev/null
dd if=/dev/zero of="$2/filler" bs=4k 2> /dev/null
touch "$3/rootfs/tmp/go"
s=0
"$1" --root "$2" wait "$4" 2> "$5/err" || s=$?
echo "$s" > "$5/status"
"$1" --root "$2" state "$4" > "$5/state.json"
rm "$2/filler"
"$1" --root "$2" delete "$4" && echo deleted > "$5/deleted"
SH
	with_small "$ROOT" 256 sh "$T/script" "$THOLE" "$ROOT" "$B" "$c" "$T"
	equal "$(cat "$T/status")" 13
	equal "$(jq -r .status "$T/state.json")" stopped
	equal "$(cat "$T/deleted")" deleted
}

@test "the log's directory is full: the container goes on, and clients still get its output" {
	args sh -c '/usr/bin/records 20000 64 2>&1; echo done'
	cat > "$T/script" <<'SH'
set -u
"$1" --root "$2" run --bundle "$3" "$4" < /dev/null > "$5/out" 2> "$5/err"
echo $? > "$5/status"
SH
	with_small "$T/log" 64 sh "$T/script" "$THOLE" "$ROOT" "$B" "$c" "$T"
	equal "$(cat "$T/status")" 0
	equal "$(tail -1 "$T/out")" 'done'
	equal "$(head -20000 "$T/out" | "$PROBES/records" --check)" 'records=20000 last=20000'
}
