# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# A log that refuses: the container runs on, clients get everything, what is missing is counted and told, and the log goes on by itself.
load lib

setup_test() {
	bundle
	mkdir "$T/disk"
}

# on_disk KIB SCRIPT: runs SCRIPT in a mount namespace where $T/disk is a tmpfs of that size.
on_disk() {
	cat > "$T/functions" <<'SH'
until_true() { # COMMAND...: at most 20 seconds
	n=0
	until "$@" > /dev/null 2>&1; do
		n=$((n + 1))
		[ $n -lt 400 ] || { echo "never: $*" >> "$T/bad"; return 1; }
		sleep 0.05
	done
}
thole() { "$THOLE" --root "$ROOT" "$@"; }
log_state() { jq -r ".container.log$1" "$ROOT/$c/state.json"; }
failing() { [ "$(log_state .failing)" != null ]; }
fine() { [ "$(log_state .failing)" = null ]; }
go() { touch "$B/rootfs/tmp/$1"; }
SH
	export T B THOLE ROOT c
	unshare -m sh -ec 'mount -t tmpfs -o size="$1"k none "$T/disk"; . "$T/functions"; . "$2"' sh "$1" "$2"
	[ ! -e "$T/bad" ] || fail "$(cat "$T/bad")"
}

# The text of a log: what came from stdout, and the remarks of ours on stderr as they are.
text_of() { # DRIVER FILE
	case $1 in
	k8s-file) perl -ne 'm/^\S+ (stdout|stderr) ([FP]) (.*)\n/s or die "no record: $_"; print $3, $2 eq "F" ? "\n" : ""' "$2" ;;
	json-file) jq -j .log "$2" ;;
	raw) cat "$2" ;;
	esac
}

# Fills the disk, frees it, and looks at the three parts of the log: before, remark, after.
fills_and_is_freed() { # DRIVER [LENGTH]: of a line, 64
	local len=${2:-64} n more
	n=$((1920000 / len)) more=$((64000 / len))
	args sh -c "/usr/bin/records $n $len 2>&1; while [ ! -e /tmp/go ]; do usleep 10000; done; /usr/bin/records $more $len 2>&1; while [ ! -e /tmp/end ]; do usleep 10000; done"
	printf 'DRIVER=%s LAST=%010d\n' "$1" $n > "$T/script"
	cat >> "$T/script" <<'SH'
thole run --keep --log-driver "$DRIVER" --log-path "$T/disk/my.log" --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" &
until_true test -e "$ROOT/$c/state.json"
until_true failing
until_true grep -q "^$LAST" "$T/out"
log_state > "$T/while-full"
cp "$T/disk/my.log" "$T/full.log"
dd if=/dev/zero of="$T/disk/filler" bs=4k 2> /dev/null || true
rm -f "$T/disk/filler"
mount -o remount,size=64m "$T/disk"
go go
until_true fine
go end
wait $! || echo "status $?" >> "$T/bad"
cp "$T/disk/my.log" "$T/my.log"
thole state "$c" | jq -c .thole.log > "$T/after"
thole logs "$c" > "$T/logs" 2>&1
SH
	on_disk 512 "$T/script"
	rm -f "$B/rootfs/tmp/go" "$B/rootfs/tmp/end"
	equal "$(head -$n "$T/out" | "$PROBES/records" --check)" "records=$n last=$n" 'the client'
	equal "$(tail -n +$((n + 1)) "$T/out" | "$PROBES/records" --check)" "records=$more last=$more" 'the client'
	text_of "$1" "$T/my.log" > "$T/text"
	local remark lost
	equal "$(grep -c '^thole:' "$T/text")" 1 remarks
	remark=$(grep '^thole:' "$T/text")
	matches "$remark" '^thole: [0-9]+ bytes of output are missing from the log: No space left on device$'
	lost=$(cut -d' ' -f2 <<< "$remark")
	equal "$(jq -r .failing < "$T/while-full")" 'No space left on device'
	equal "$(jq .lostBytes.stdout < "$T/after")" "$lost" 'lost, says state'
	equal "$(jq .failing < "$T/after")" null
	# Before the remark and after it nothing is missing, damaged or repeated, and the figure is right to the byte. (A raw log may end in the middle of a line, and any that lost the rest of a long one.)
	sed '/^thole:/,$d' "$T/text" > "$T/before"
	sed '1,/^thole:/d' "$T/text" > "$T/rest"
	local bytes
	bytes=$(stat -c %s "$T/before")
	if [ $((bytes % len)) != 0 ]; then
		bytes=$((bytes - 1)) # the newline is ours
	fi
	equal $((bytes + lost + $(stat -c %s "$T/rest"))) $(((n + more) * len)) 'bytes in all'
	cmp -n "$bytes" "$T/before" "$T/out"
	cmp "$T/rest" <(tail -c "$(stat -c %s "$T/rest")" "$T/out")
	[ "$bytes" -gt 100000 ]
	if [ "$1" != raw ]; then
		equal "$(grep -c . "$T/logs")" "$(grep -c . "$T/text")" "lines of logs"
	fi
	thole delete "$c"
}

# 2022-31030: and logs that filled the disk. Without anything being asked for they are limited, see log_drivers.bats.
@test "k8s-file: the disk fills and is freed again" { fills_and_is_freed k8s-file; }
@test "k8s-file, lines of 40,000 bytes: the disk fills and is freed again" { fills_and_is_freed k8s-file 40000; }
@test "json-file: the disk fills and is freed again" { fills_and_is_freed json-file; }
@test "raw: the disk fills and is freed again" { fills_and_is_freed raw; }

@test "a line that the loss has cut ends before the remark" {
	args sh -c 'printf begun; while [ ! -e /tmp/go ]; do usleep 10000; done; printf lost; while [ ! -e /tmp/go2 ]; do usleep 10000; done; echo back'
	cat > "$T/script" <<'SH'
thole run -d --log-path "$T/disk/my.log" --bundle "$B" "$c" < /dev/null
until_true grep -q begun "$T/disk/my.log"
dd if=/dev/zero of="$T/disk/filler" bs=4k 2> /dev/null || true
# The rest of the last page: what is free there takes a short line still.
truncate -s 4096 "$T/disk/my.log"
go go
until_true failing
rm -f "$T/disk/filler"
go go2
thole wait "$c"
tr -d '\0' < "$T/disk/my.log" > "$T/my.log"
SH
	on_disk 64 "$T/script"
	equal "$(sed 's/^[^ ]* //' "$T/my.log")" 'stdout P begun
stdout F 
stderr F thole: 4 bytes of output are missing from the log: No space left on device
stdout F back'
	equal "$(jq -c .container.log.lostBytes "$ROOT/$c/state.json")" '{"stdout":4,"stderr":0}'
}

@test "the directory is removed and made again" {
	args sh -c 'echo one; while [ ! -e /tmp/go ]; do usleep 1000; done; echo two; while [ ! -e /tmp/go2 ]; do usleep 10000; done; echo three'
	cat > "$T/script" <<'SH'
mkdir "$T/disk/d"
thole run -d --log-path "$T/disk/d/my.log" --bundle "$B" "$c" < /dev/null
until_true grep -q one "$T/disk/d/my.log"
rm -r "$T/disk/d"
go go
until_true failing
log_state .failing > "$T/reason"
mkdir "$T/disk/d"
go go2
thole wait "$c"
cp "$T/disk/d/my.log" "$T/my.log"
SH
	on_disk 64 "$T/script"
	equal "$(cat "$T/reason")" 'No such file or directory'
	equal "$(sed 's/^[^ ]* //' "$T/my.log")" 'stderr F thole: 4 bytes of output are missing from the log: No such file or directory
stdout F three'
	equal "$(jq -c .container.log.lostBytes "$ROOT/$c/state.json")" '{"stdout":4,"stderr":0}'
}

@test "full until the end: the exit status is right, and state says what was lost" {
	args sh -c '/usr/bin/records 30000 64 2>&1; exit 9'
	cat > "$T/script" <<'SH'
thole run -d --log-path "$T/disk/my.log" --bundle "$B" "$c" < /dev/null
s=0
thole wait "$c" || s=$?
echo $s > "$T/status"
cp "$T/disk/my.log" "$T/my.log"
SH
	on_disk 256 "$T/script"
	equal "$(cat "$T/status")" 9
	text_of k8s-file "$T/my.log" > "$T/text"
	equal "$(grep -c thole: "$T/text")" 0
	equal "$(jq .container.log.lostBytes.stdout "$ROOT/$c/state.json")" $((30000 * 64 - $(stat -c %s "$T/text")))
}

@test "no room for rotation: the log goes on in the old file, and nothing is lost" {
	args sh -c '/usr/bin/records 3000 64 2>&1'
	cat > "$T/script" <<'SH'
mkdir "$T/disk/d"
touch "$T/disk/d/my.log"
mkdir "$T/disk/d/my.log.new"
thole run -d --log-path "$T/disk/d/my.log" --log-opt max-size=64k --bundle "$B" "$c" < /dev/null
thole wait "$c"
ls "$T/disk/d" > "$T/ls"
cp "$T/disk/d/my.log" "$T/my.log"
SH
	on_disk 2048 "$T/script"
	equal "$(text_of k8s-file "$T/my.log" | "$PROBES/records" --check)" 'records=3000 last=3000'
	grep -q 'cannot rotate' "$ROOT/$c/shim.log"
	equal "$(tr '\n' ' ' < "$T/ls")" 'my.log my.log.new '
}

@test "several logs: one that fails does not hold up the other" {
	args sh -c '/usr/bin/records 30000 64 2>&1'
	cat > "$T/script" <<'SH'
thole run -d --log-driver k8s-file,raw --log-path "$T/disk/my.log" --log-opt raw.path="$T/raw.log" --bundle "$B" "$c" < /dev/null
thole wait "$c"
SH
	on_disk 256 "$T/script"
	equal "$("$PROBES/records" --check < "$T/raw.log")" 'records=30000 last=30000'
	equal "$(jq -c '[.container.log.lostBytes.stdout > 0, .container.otherLogs[0].lostBytes.stdout]' "$ROOT/$c/state.json")" '[true,0]'
}

@test "events tells when a log begins to fail and when it works again, and state shows the loss while it grows" {
	args sh -c 'echo begun; while [ ! -e /tmp/go ]; do usleep 10000; done; /usr/bin/records 5000 64; while [ ! -e /tmp/more ]; do usleep 10000; done; /usr/bin/records 10 64
		while [ ! -e /tmp/back ]; do usleep 10000; done; echo back; while [ ! -e /tmp/end ]; do usleep 10000; done'
	cat > "$T/script" <<'SH'
log_events() { grep '"type":"log"' "$T/$1"; }
told() { log_events "$1" | jq -r .data.status | grep -qx "$2"; }
# What is in the log (the part that was cut off is zeros) and what is lost are together all that was written, of each stream.
all_accounted_for() {
	tr -d '\0' < "$T/disk/my.log" | awk '{ n[$2] += length($0) - length($1) - length($2) - length($3) - 3 + ($3 == "F") }
		END { print n["stdout"] + 0, n["stderr"] + 0 }' > "$T/logged"
	read -r out err < "$T/logged"
	[ $((out + $(log_state .lostBytes.stdout))) = $((6 + 4509 * 64)) ] && [ $((err + $(log_state .lostBytes.stderr))) = $((501 * 64)) ]
}
thole run -d --log-path "$T/disk/my.log" --bundle "$B" "$c" < /dev/null
until_true grep -q begun "$T/disk/my.log"
thole events --interval 50ms "$c" > "$T/events" &
first=$!
until_true test -s "$T/events"
dd if=/dev/zero of="$T/disk/filler" bs=4k 2> /dev/null || true
truncate -s 4096 "$T/disk/my.log"
go go
until_true told events failing
go more
until_true all_accounted_for
failing || echo 'not failing any more' >> "$T/bad"
# Who comes later hears of it at once.
thole events --interval 1h "$c" > "$T/late" &
second=$!
until_true told late failing
rm -f "$T/disk/filler"
go back
until_true told events resumed
until_true told late resumed
log_state .lostBytes > "$T/lost"
go end
wait $first || echo "events: $?" >> "$T/bad"
wait $second || echo "events: $?" >> "$T/bad"
SH
	on_disk 64 "$T/script"
	equal "$(jq -c 'select(.type == "log") | [.id, .data.status, .data.driver, .data.reason]' "$T/events")" "[\"$c\",\"failing\",\"k8s-file\",\"No space left on device\"]
[\"$c\",\"resumed\",\"k8s-file\",\"No space left on device\"]"
	equal "$(jq -c 'select(.type == "log").data.lostBytes' "$T/late" | tail -1)" "$(jq -c . "$T/lost")" 'lost, say events and state'
	equal "$(jq -c '.data | [.status, .lostBytes.stdout >= 576]' "$T/late" | head -1)" '["failing",true]'
	equal "$(jq -s '[.[] | select(.type == "log")] | [.[0].data.lostBytes.stdout <= .[1].data.lostBytes.stdout, (.[1].data.lostBytes.stdout > 0)] | all' "$T/events")" true
}

@test "a log that is full until the end: events says so before it ends" {
	args sh -c 'echo begun; while [ ! -e /tmp/go ]; do usleep 10000; done; /usr/bin/records 30000 64 2>&1'
	cat > "$T/script" <<'SH'
thole run -d --log-path "$T/disk/my.log" --bundle "$B" "$c" < /dev/null
thole events --interval 50ms "$c" > "$T/events" &
events=$!
until_true test -s "$T/events"
go go
wait $events || echo "events: $?" >> "$T/bad"
SH
	on_disk 256 "$T/script"
	grep '"type":"log"' "$T/events" | jq -r .data.status > "$T/statuses"
	equal "$(sort -u "$T/statuses")" failing
	[ "$(wc -l < "$T/statuses")" -ge 1 ]
}

@test "create on a full disk, on one without inodes, in a directory that is read-only or missing: refused, nothing left" {
	args true
	cat > "$T/script" <<'SH'
no() { # REGEX PATH
	s=0
	thole run -d --log-path "$2" --bundle "$B" "$c" < /dev/null > "$T/refused" 2>&1 || s=$?
	[ $s = 125 ] && grep -qE "$1" "$T/refused" && [ "$(wc -l < "$T/refused")" = 1 ] || echo "$2: $s: $(cat "$T/refused")" >> "$T/bad"
	[ ! -e "$2" ] || echo "$2 is left" >> "$T/bad"
	[ ! -e "$ROOT/$c" ] || echo "the container is left" >> "$T/bad"
}
dd if=/dev/zero of="$T/disk/filler" bs=4k 2> /dev/null || true
no 'No space left on device' "$T/disk/my.log"
rm "$T/disk/filler"
no 'No such file or directory' "$T/disk/none/my.log"
mkdir "$T/disk/inodes" "$T/disk/ro"
mount -t tmpfs -o nr_inodes=1 none "$T/disk/inodes"
no 'No space left on device' "$T/disk/inodes/my.log"
mount -t tmpfs -o ro none "$T/disk/ro"
no 'Read-only file system' "$T/disk/ro/my.log"
# One that was there before is not removed.
echo old > "$T/disk/my.log"
dd if=/dev/zero of="$T/disk/filler" bs=4k 2> /dev/null || true
s=0
thole run -d --log-path "$T/disk/my.log" --bundle "$B" "$c" < /dev/null > "$T/refused" 2>&1 || s=$?
[ $s = 125 ] && [ "$(cat "$T/disk/my.log")" = old ] || echo "the old one: $s" >> "$T/bad"
SH
	on_disk 64 "$T/script"
}

@test "the log's place becomes read-only, and can be written again" {
	args sh -c 'echo one; while [ ! -e /tmp/go ]; do usleep 1000; done; echo two; while [ ! -e /tmp/go2 ]; do usleep 10000; done; echo three'
	cat > "$T/script" <<'SH'
mkdir "$T/disk/d"
thole run -d --log-path "$T/disk/d/my.log" --bundle "$B" "$c" < /dev/null
until_true grep -q one "$T/disk/d/my.log"
# A file that is open for writing keeps its file system from that: it has been replaced.
rm "$T/disk/d/my.log"
nsenter -m -t "$(jq .shim.pid "$ROOT/$c/state.json")" mount -t tmpfs -o ro none "$T/disk/d"
go go
until_true failing
log_state .failing > "$T/reason"
nsenter -m -t "$(jq .shim.pid "$ROOT/$c/state.json")" umount "$T/disk/d"
go go2
thole wait "$c"
cp "$T/disk/d/my.log" "$T/my.log"
SH
	on_disk 64 "$T/script"
	equal "$(cat "$T/reason")" 'Read-only file system'
	equal "$(sed 's/^[^ ]* //' "$T/my.log")" 'stderr F thole: 4 bytes of output are missing from the log: Read-only file system
stdout F three'
}

@test "the file system fails (EIO): the container runs on, and the log goes on where there is another" {
	needs loop
	args sh -c 'echo one; while [ ! -e /tmp/go ]; do usleep 1000; done; echo two; echo error >&2; while [ ! -e /tmp/go2 ]; do usleep 10000; done; echo three; while [ ! -e /tmp/end ]; do usleep 10000; done'
	truncate -s 16M "$T/image"
	mkfs.ext4 -q "$T/image"
	cat > "$T/script" <<'SH'
told() { grep '"type":"log"' "$T/events" | jq -r .data.status | grep -qx "$1"; }
lost() { [ "$(log_state .lostBytes.stdout) $(log_state .lostBytes.stderr)" = '4 6' ]; }
mkdir "$T/disk/d"
mount -o loop "$T/image" "$T/disk/d"
thole run --keep --log-path "$T/disk/d/my.log" --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err" &
client=$!
until_true grep -q one "$T/disk/d/my.log"
thole events --interval 50ms "$c" > "$T/events" &
events=$!
until_true test -s "$T/events"
# EXT4_IOC_SHUTDOWN: from now on it answers EIO, as after an error of its disk.
perl -e 'open F, "<", $ARGV[0] or die $!; my $how = pack "L", 1; ioctl F, 0x8004587D, $how or die $!' "$T/disk/d"
go go
until_true failing
log_state .failing > "$T/reason"
until_true told failing
until_true lost
umount -l "$T/disk/d"
go go2
until_true told resumed
until_true fine
go end
wait $client || echo "status $?" >> "$T/bad"
wait $events || echo "events: $?" >> "$T/bad"
cp "$T/disk/d/my.log" "$T/my.log"
SH
	on_disk 64 "$T/script"
	equal "$(cat "$T/reason")" 'Input/output error'
	equal "$(sed 's/^[^ ]* //' "$T/my.log")" 'stderr F thole: 10 bytes of output are missing from the log: Input/output error
stdout F three'
	equal "$(cat "$T/out")" $'one\ntwo\nthree' 'the client'
	equal "$(cat "$T/err")" error 'the client'
	equal "$(jq -c .container.log.lostBytes "$ROOT/$c/state.json")" '{"stdout":4,"stderr":6}'
	equal "$(jq -c 'select(.type == "log") | [.data.status, .data.reason, .data.lostBytes]' "$T/events" | tail -1)" '["resumed","Input/output error",{"stdout":4,"stderr":6}]'
	# Its device goes with the mount.
	gone() { ! losetup -n -O BACK-FILE | grep -qF "$T/image"; }
	wait_for gone
}

@test "what was lost before its shim died counts on with the next" {
	args sh -c 'echo one; while [ ! -e /tmp/go ]; do usleep 1000; done; echo two; while [ ! -e /tmp/go2 ]; do usleep 1000; done; echo three; while [ ! -e /tmp/go3 ]; do usleep 1000; done; echo four'
	mkdir "$T/disk/d"
	thole run -d --log-path "$T/disk/d/my.log" --bundle "$B" "$c" < /dev/null
	wait_for grep -q one "$T/disk/d/my.log"
	rm -r "$T/disk/d"
	touch "$B/rootfs/tmp/go"
	lost() { [ "$(thole_state "$c" .container.log.lostBytes.stdout)" = "$1" ]; }
	wait_for lost 4
	local shim
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	thole recover "$c"
	lost 4
	equal "$(thole_state "$c" .container.log.failing)" 'No such file or directory'
	touch "$B/rootfs/tmp/go2"
	wait_for lost 10
	# What both have lost is told by the one that can.
	mkdir "$T/disk/d"
	touch "$B/rootfs/tmp/go3"
	thole wait "$c"
	equal "$(sed 's/^[^ ]* //' "$T/disk/d/my.log")" 'stderr F thole: 10 bytes of output are missing from the log: No such file or directory
stdout F four'
	equal "$(thole_state "$c" .container.log.failing)" null
}

@test "the log's directory is another one, by removal and by a move: who follows sees every line" {
	args sh -c 'echo l1; n=2; while [ ! -e /tmp/end ]; do if [ -e "/tmp/$n" ]; then echo "l$n"; n=$((n + 1)); fi; usleep 5000; done'
	mkdir "$T/ld"
	thole run -d --bundle "$B" --log-path "$T/ld/x.log" "$c" < /dev/null
	in_background "$THOLE" --root "$ROOT" logs -f "$c" > "$T/followed" 2> "$T/said"
	local client=$!
	shows() { grep -qx "$1" "$T/followed"; }
	logged() { grep -q "F $1\$" "$T/ld/x.log"; }
	next() { touch "$B/rootfs/tmp/$1" && wait_for logged "l$1" && wait_for shows "l$1"; }
	wait_for shows l1
	mv "$T/ld" "$T/ld.old"
	mkdir "$T/ld"
	thole logs --reopen "$c"
	next 2
	next 3
	rm -r "$T/ld"
	mkdir "$T/ld"
	thole logs --reopen "$c"
	next 4
	next 5
	touch "$B/rootfs/tmp/end"
	exits 0 wait $client
	equal "$(grep -c '^l' "$T/followed")" 5
}

@test "a directory has the name of a rotated file: logs shows the files" {
	args sh -c 'echo one; while [ ! -e /tmp/go ]; do usleep 1000; done; echo two'
	thole run -d --bundle "$B" --log-path "$T/x.log" "$c" < /dev/null
	mkdir "$T/x.log.1" "$T/x.log.2"
	touch "$B/rootfs/tmp/go"
	thole wait "$c" > "$T/out"
	equal "$(thole logs "$c" | tr '\n' ' ')" 'one two '
	equal "$(thole logs --tail 1 "$c")" two
	equal "$(thole logs -f "$c" | tr '\n' ' ')" 'one two '
}
