# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Where and how the output is kept: k8s-file, json-file, raw, journald, several at once; rotation, logrotate, copytruncate.
load lib

setup_test() { bundle; }

log_of() { thole_state "$c" .container.log.path; }

# What the container wrote to stdout, from all files of a log: k8s_text PATH, json_text PATH
files_of() { # PATH: oldest first
	local n=1 list=()
	while [ -e "$1.$n" ]; do
		list=("$1.$n" "${list[@]}")
		n=$((n + 1))
	done
	printf '%s\n' "${list[@]}" "$1"
}
whole() { files_of "$1" | xargs cat; }
k8s_text() { # PATH STREAM
	whole "$1" | perl -ne 'm/^\S+ (stdout|stderr) ([FP]) (.*)\n/s or die "no record: $_"; print $3, $2 eq "F" ? "\n" : "" if $1 eq "'"$2"'"'
}
json_text() { # PATH STREAM
	whole "$1" | jq -j --arg s "$2" 'select(.stream == $s) | .log'
}

ended() { is "$c" stopped; }

@test "k8s-file: P where a line goes on, F where it ends, at the ends of reads and of the output" {
	# Longer than a read; then pieces of a line; then one without an end.
	args sh -c 'head -c 1000000 /dev/zero | tr "\\0" x; echo; printf a; while [ ! -e /tmp/go ]; do usleep 1000; done; echo b; echo whole; printf last'
	thole run -d --bundle "$B" "$c" < /dev/null
	local log
	log=$(log_of)
	wait_for grep -q ' stdout P a$' "$log"
	touch "$B/rootfs/tmp/go"
	exits 0 thole wait "$c"
	equal "$(tail -4 "$log" | cut -d ' ' -f 2-)" $'stdout P a\nstdout F b\nstdout F whole\nstdout P last'
	[ "$(head -n -4 "$log" | wc -l)" -gt 1 ]
	equal "$(head -n -5 "$log" | cut -d ' ' -f 3 | sort -u)" P
	equal "$(head -n -4 "$log" | tail -1 | cut -d ' ' -f 3)" F
	equal "$(head -n -4 "$log" | cut -d ' ' -f 4 | tr -d '\n' | wc -c)" 1000000
	not grep -qvE '^[0-9-]+T[0-9:.]+\+00:00 std(out|err) [PF] ' "$log"
	thole logs "$c" > "$T/out"
	equal "$(tail -c 13 "$T/out")" $'ab\nwhole\nlast'
}

@test "at the end a log is written to the disk, unless sync=no" {
	needs strace
	local opt
	for opt in yes no; do
		args sh -c 'echo text; while [ ! -e /tmp/go ]; do usleep 1000; done'
		thole run -d --log-opt sync=$opt --bundle "$B" "$c" < /dev/null
		in_background strace -qq -e trace=fdatasync -o "$T/trace" -p "$(shim_of "$c")" 2> "$T/strace.err"
		traced() { ! grep -q '^TracerPid:.0$' "/proc/$(shim_of "$c")/status"; }
		wait_for traced
		touch "$B/rootfs/tmp/go"
		exits 0 thole wait "$c"
		thole delete "$c"
		wait_for pid_gone "${STARTED[-1]}" # it has written everything
		equal "$(grep -q 'fdatasync.* = 0' "$T/trace" && echo yes || echo no)" $opt
		rm "$B/rootfs/tmp/go"
	done
}

@test "at the end those that rotation has moved are on the disk too, and their names" {
	needs strace
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; /usr/bin/records 20000 64'
	thole run -d --log-opt max-size=10k --log-opt max-file=3 --bundle "$B" "$c" < /dev/null
	in_background strace -qq -y -e trace=fdatasync,fsync -o "$T/trace" -p "$(shim_of "$c")" 2> "$T/strace.err"
	traced() { ! grep -q '^TracerPid:.0$' "/proc/$(shim_of "$c")/status"; }
	wait_for traced
	touch "$B/rootfs/tmp/go"
	exits 0 thole wait "$c"
	thole delete "$c"
	wait_for pid_gone "${STARTED[-1]}" # it has written everything
	equal "$(sed -nE 's,^f(data)?sync\([0-9]+<.*/([^/]*)>\) += 0$,\2,p' "$T/trace" | sort -u)" "$(printf '%s\n' ctr.log ctr.log.1 ctr.log.2 "$c")"
}

@test "json-file: docker's format, escapes and all" {
	args sh -c 'printf "a\"b\\\\c\t<&>\r\n\001\177 \303\244 \342\202\254 \360\237\230\200 \342\200\250 \377\303x\n"; printf "no end" >&2'
	thole run -d --log-driver json-file --bundle "$B" "$c" < /dev/null
	exits 0 thole wait "$c"
	local log
	log=$(log_of)
	equal "$(sed 's/"time":"[0-9T:.-]*Z"/T/' "$log" | grep stdout)" \
		'{"log":"a\"b\\c\u0009\u003c\u0026\u003e\r\n","stream":"stdout",T}
{"log":"\u0001'$'\177'' ä € 😀 \u2028 \ufffd\ufffdx\n","stream":"stdout",T}'
	equal "$(sed 's/"time":"[0-9T:.-]*Z"/T/' "$log" | grep stderr)" '{"log":"no end","stream":"stderr",T}'
	equal "$(thole_state "$c" .container.log.driver)" json-file
	thole logs "$c" > "$T/out" 2> "$T/err"
	equal "$(od -An -c < "$T/err" | tr -s ' ')" "$(printf 'no end' | od -An -c | tr -s ' ')"
	equal "$(head -1 "$T/out")" "$(printf 'a"b\\c\t<&>\r')"
	thole logs --timestamps --tail 2 "$c" 2> /dev/null | grep -qE '^20[0-9-]{8}T[0-9:.]+Z '
}

@test "json-file: a character that is cut by the end of a read stays whole, and long lines are pieces" {
	args sh -c 'printf "\303"; usleep 200000; printf "\244\n"; head -c 60000 /dev/zero | tr "\0" x; echo; printf "\342\202"'
	thole run -d --log-driver json-file --bundle "$B" "$c" < /dev/null
	exits 0 thole wait "$c"
	json_text "$(log_of)" stdout > "$T/text"
	equal "$(head -1 "$T/text")" ä
	equal "$(sed -n 2p "$T/text" | wc -c)" 60001
	equal "$(sed -n 3p "$T/text")" $'\357\277\275\357\277\275'
	# How long they are depends on the reads; none is longer than docker's.
	[ "$(whole "$(log_of)" | jq '.log | length' | sort -n | tail -1)" -le 16384 ] || fail "a piece of more than 16 KiB"
	# What is not finished is a line, too.
	equal "$(thole logs --tail 2 "$c" | head -1 | wc -c)" 60001
}

@test "raw: the bytes as they are, in the order in which they came" {
	args sh -c 'printf "one\0\377\n"; usleep 200000; printf "two\n" >&2; usleep 200000; printf "thr"; usleep 200000; printf "ee"'
	thole run -d --log-driver raw --bundle "$B" "$c" < /dev/null
	exits 0 thole wait "$c"
	printf 'one\0\377\ntwo\nthree' > "$T/want"
	cmp "$(log_of)" "$T/want"
	thole logs "$c" | cmp - "$T/want"
	equal "$(thole logs --tail 1 "$c")" three
	equal "$(thole logs --tail 2 "$c")" $'two\nthree'
	refused 1 '--since.*raw' thole logs --since 1m "$c"
	refused 1 '--timestamps.*raw' thole logs -t "$c"
}

# covers: run --log-driver, run --log-opt
@test "several at once: each has all of it, and state names them" {
	args /usr/bin/records 20000 64
	thole run -d --log-driver k8s-file,json-file --log-driver raw --log-opt raw.max-size=unlimited --bundle "$B" "$c" < /dev/null
	exits 0 thole wait "$c"
	local log
	log=$(log_of)
	equal "$(k8s_text "$log" stdout | "$PROBES/records" --check)" 'records=18000 last=19999'
	equal "$(k8s_text "$log" stderr | "$PROBES/records" --check)" 'records=2000 last=20000'
	equal "$(json_text "$log.json-file" stdout | "$PROBES/records" --check)" 'records=18000 last=19999'
	equal "$(sort "$log.raw" | "$PROBES/records" --check)" 'records=20000 last=20000'
	equal "$(thole state "$c" | jq -c '[.thole.log.driver, .thole.otherLogs[].driver]')" '["k8s-file","json-file","raw"]'
	equal "$(thole state "$c" | jq -c .thole.log.lostBytes)" '{"stdout":0,"stderr":0}'
}

# rotates DRIVER KIB: more than 20 files; the files, `logs`, and a follower all have every record once
rotates() {
	local n=200000 size=$2
	# A GiB, and still no more files than may be kept.
	[ "$THOLE_LONG" ] && n=16000000 size=$(($2 * 16))
	args /usr/bin/records $n 64
	thole create --log-driver "$1" --log-opt max-size="${size}k" --log-opt max-file=1000 --bundle "$B" "$c" < /dev/null
	in_background "$THOLE" --root "$ROOT" logs -f "$c" > "$T/followed" 2> "$T/followed.err"
	local follower=$!
	thole start "$c"
	exits 0 thole wait "$c"
	wait $follower
	[ "$(files_of "$(log_of)" | wc -l)" -gt 20 ] || fail "only $(files_of "$(log_of)" | wc -l) files"
	if [ "$1" = raw ]; then
		sort "$T/followed" > "$T/sorted"
		equal "$("$PROBES/records" --check < "$T/sorted")" "records=$n last=$n" "$1, followed"
		equal "$(thole logs "$c" | sort | "$PROBES/records" --check)" "records=$n last=$n" "$1, logs"
		return
	fi
	equal "$("$PROBES/records" --check < "$T/followed")" "records=$((n - n / 10)) last=$((n - 1))" "$1, followed"
	equal "$("$PROBES/records" --check < "$T/followed.err")" "records=$((n / 10)) last=$n" "$1, followed, stderr"
	equal "$(thole logs "$c" 2> /dev/null | "$PROBES/records" --check)" "records=$((n - n / 10)) last=$((n - 1))" "$1, logs"
	# Which of the two streams is last depends on the reads: each is the end of itself, and together they are 1000.
	thole logs --tail 1000 "$c" > "$T/tail.out" 2> "$T/tail.err"
	equal "$(cat "$T/tail.out" "$T/tail.err" | wc -l)" 1000 "$1, tail"
	cmp "$T/tail.out" <(thole logs "$c" 2> /dev/null | tail -n "$(wc -l < "$T/tail.out")")
	cmp "$T/tail.err" <(thole logs "$c" 2>&1 > /dev/null | tail -n "$(wc -l < "$T/tail.err")")
}

@test "rotation, k8s-file: nothing is lost or repeated, for those who follow neither" { rotates k8s-file 512; }
@test "rotation, json-file" { rotates json-file 512; }
@test "rotation, raw" { rotates raw 256; }

@test "a reader that begins in the middle of a rotation, when a number is free, begins with the oldest file all the same" {
	args /usr/bin/records 20000 64
	thole run -d --log-driver k8s-file --log-opt max-size=64k --log-opt max-file=1000 --bundle "$B" "$c" < /dev/null
	exits 0 thole wait "$c"
	local log n first
	log=$(log_of)
	n=$(files_of "$log" | wc -l)
	[ "$n" -gt 6 ]
	thole logs "$c" > "$T/all" 2> /dev/null
	first=$(head -1 "$T/all")
	for ((n = n - 1; n >= 3; n--)); do
		mv "$log.$n" "$log.$((n + 1))"
	done
	thole logs "$c" > "$T/all" 2> /dev/null
	equal "$(head -1 "$T/all")" "$first"
}

@test "max-size takes every form in which a size is written" {
	local size
	args /usr/bin/records 4000 64
	for size in 65536 65536b 64k 64K 64kb 64KB 64KiB 0.0625m '0.0625 MiB'; do
		thole run --keep --log-opt max-size="$size" --log-opt max-file=9 --bundle "$B" "$c" > /dev/null 2>&1 < /dev/null
		# No record is cut: what makes a file full is still written to it.
		[ "$(stat -c %s "$(log_of).1")" -ge 65536 ] || fail "$size: rotated at $(stat -c %s "$(log_of).1")"
		[ "$(stat -c %s "$(log_of).1")" -lt 400000 ] || fail "$size: rotated at $(stat -c %s "$(log_of).1")"
		thole delete "$c"
	done
}

@test "rotation: no more files than asked for, and the new one is for the same readers" {
	args sh -c '/usr/bin/records 20000 64; while [ ! -e /tmp/go ]; do usleep 10000; done'
	touch "$T/my.log"
	chmod 640 "$T/my.log"
	chown 0:1000 "$T/my.log"
	thole run -d --log-opt path="$T/my.log" --log-opt max-size=64k --log-opt max-file=2 --bundle "$B" "$c" < /dev/null
	wait_for test -e "$T/my.log.1"
	touch "$B/rootfs/tmp/go"
	exits 0 thole wait "$c"
	equal "$(cd "$T" && echo my.log*)" 'my.log my.log.1'
	equal "$(stat -c '%a %u:%g' "$T/my.log")" '640 0:1000'
}

rotated() { [ "$(stat -c %i "$(log_of)")" != "$1" ]; } # INODE

# follower_stopped LINES OPTIONS...: a follower that has read the first line is stopped until LINES more are written, and the log rotated.
follower_stopped() {
	args sh -c "echo start; while [ ! -e /tmp/go ]; do usleep 1000; done; /usr/bin/records $1 64 2>&1; touch /tmp/written; while [ ! -e /tmp/end ]; do usleep 1000; done; echo end"
	thole run -d "${@:2}" --bundle "$B" "$c" < /dev/null
	in_background "$THOLE" --root "$ROOT" logs -f "$c" > "$T/followed" 2> "$T/said"
	local client=$! inode
	wait_for grep -q start "$T/followed"
	inode=$(stat -c %i "$(log_of)")
	kill -STOP $client
	touch "$B/rootfs/tmp/go"
	wait_for test -e "$B/rootfs/tmp/written"
	wait_for rotated "$inode"
	kill -CONT $client
	touch "$B/rootfs/tmp/end"
	exits 0 wait $client
	thole delete "$c"
	rm "$B"/rootfs/tmp/{go,written,end}
	equal "$(tail -1 "$T/followed")" end
}

@test "logs -f: who was overtaken by rotation is told how many files he has missed, and nothing when it is none" {
	follower_stopped 20000 --log-opt max-size=20k --log-opt max-file=3
	touch "$T/attributes"
	if perl -e 'my ($name, $value) = ("user.t", "1"); exit syscall(188, $ARGV[0], $name, $value, 1, 0) != 0' "$T/attributes"; then
		matches "$(cat "$T/said")" '^thole: output is missing here: files of the log that were rotated away before they were read: [1-9][0-9]*$'
		# The file that it had is gone, and the next one is the oldest.
		follower_stopped 20 --log-driver raw --log-opt max-size=1k --log-opt max-file=1
		equal "$(cat "$T/said")" ''
		equal "$(wc -l < "$T/followed")" 22
	else
		matches "$(cat "$T/said")" '^thole: output may be missing here: '
	fi
}

# tail looks at the name: of two rotations at once it would see one. So the next lines come when it has seen the last ones.
# covers: create --log-driver, create --log-opt
@test "tail -F sees every line across rotations" {
	args sh -c 'i=0; while [ $i -lt 2000 ]; do while [ ! -e /tmp/$i ]; do usleep 1000; done; for n in $(seq $((i + 1)) $((i + 50))); do echo "line $n"; done; i=$((i + 50)); done'
	thole create --log-driver raw --log-opt max-size=1k --log-opt max-file=100 --bundle "$B" "$c" < /dev/null
	in_background tail -n +1 -F "$(log_of)" > "$T/tailed" 2> /dev/null
	local tail=$!
	thole start "$c"
	local i
	for i in $(seq 0 50 1950); do
		touch "$B/rootfs/tmp/$i"
		wait_for grep -qx "line $((i + 50))" "$T/tailed" || fail "$(tail -1 "$T/tailed")"
	done
	kill $tail
	seq -f 'line %.0f' 2000 | cmp - "$T/tailed"
	[ -e "$(log_of).10" ]
}

# It opens the new file as soon as it hears of it: of two rotations at once it would see one, too.
@test "a reader like kubelet's sees every line across rotations, and where a line goes on" {
	args sh -c 'i=0; while [ $i -lt 600 ]; do while [ ! -e /tmp/$i ]; do usleep 1000; done
		for n in $(seq $((i + 1)) $((i + 15))); do echo "line $n"; done; printf part >&2; i=$((i + 15)); done'
	thole create --log-opt max-size=1k --log-opt max-file=100 --bundle "$B" "$c" < /dev/null
	in_background "$PROBES/kubelet" "$(log_of)" "$T/stop" > "$T/read" 2> "$T/read.err"
	local kubelet=$! i
	thole start "$c"
	for i in $(seq 0 15 585); do
		touch "$B/rootfs/tmp/$i"
		wait_for grep -qx "line $((i + 15))" "$T/read" || fail "$(tail -1 "$T/read" "$T/read.err")"
	done
	exits 0 thole wait "$c"
	touch "$T/stop"
	exits 0 wait $kubelet
	seq -f 'line %.0f' 600 | cmp - "$T/read"
	equal "$(cat "$T/read.err")" "$(printf 'part%.0s' $(seq 40))"
	[ -e "$(log_of).20" ]
}

# moved DO: rename the log and tell the shim by DO; nothing is lost at the seam
moved() {
	args sh -c '/usr/bin/records 2000000 64'
	thole run -d --log-opt max-size=unlimited --bundle "$B" "$c" < /dev/null
	local log
	log=$(log_of)
	wait_for test -s "$log"
	mv "$log" "$T/rotated"
	"$@"
	exits 0 thole wait "$c"
	[ -s "$log" ]
	cat "$log" >> "$T/rotated"
	equal "$(k8s_text "$T/rotated" stdout | "$PROBES/records" --check)" 'records=1800000 last=1999999'
}
reopen() { thole logs --reopen "$c"; }
hang_up() { kill -HUP "$(shim_of "$c")"; }

@test "logs --reopen: after logrotate has moved the file" { moved reopen; }
@test "SIGHUP to the shim does the same" { moved hang_up; }

# covers: logs --reopen
@test "logs --reopen: what cannot be opened is an error, and the log goes on where it was" {
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; echo after'
	mkdir "$T/d"
	thole run -d --log-path "$T/d/my.log" --bundle "$B" "$c" < /dev/null
	mv "$T/d" "$T/moved"
	refused 1 'No such file' thole logs --reopen "$c"
	touch "$B/rootfs/tmp/go"
	exits 0 thole wait "$c"
	grep -q 'stdout F after' "$T/moved/my.log"
	refused 1 '--reopen' thole logs --reopen -f "$c"
}

@test "copytruncate: the log goes on at its new end, and is not rotated too early" {
	args sh -c '/usr/bin/records 500 64; while [ ! -e /tmp/go ]; do usleep 10000; done; echo after; usleep 100000; echo again'
	thole run -d --log-driver raw --log-opt max-size=40k --bundle "$B" "$c" < /dev/null
	local log
	log=$(log_of)
	wait_for grep -q '^0000000500' "$log"
	truncate -s 0 "$log"
	touch "$B/rootfs/tmp/go"
	exits 0 thole wait "$c"
	equal "$(cat "$log")" $'after\nagain'
	not test -e "$log.1"
}

@test "a log that somebody has removed is made again" {
	args sh -c 'echo before; while [ ! -e /tmp/go ]; do usleep 10000; done; echo after'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" before
	rm "$(log_of)"
	touch "$B/rootfs/tmp/go"
	exits 0 thole wait "$c"
	equal "$(thole logs "$c")" after
	equal "$(stat -c %a "$(log_of)")" 600
}

journal_up() { # SOCKET
	in_background "$PROBES/journal" "$1" > "$T/journal"
	JOURNAL=$!
	wait_for grep -q ready "$T/journal"
}
message() { # N: the fields of the Nth message
	awk -v RS= -v n="$(($1 + 1))" 'NR == n' "$T/journal"
}
messages() { grep -c '^MESSAGE=' "$T/journal"; }

@test "journald: a message a line, with the fields that conmon sends" {
	journal_up "$T/j"
	args sh -c 'echo one; usleep 100000; echo "<4>two" >&2; usleep 100000; echo three >&2; usleep 100000; printf "fo"; usleep 100000; printf "ur\n<9>\tfive\n"; printf last'
	thole run -d --log-driver journald --log-opt socket="$T/j" --log-opt tag=mine --log-opt labels=SHIP=boat,OAR_2=a=b --bundle "$B" "$c" < /dev/null
	exits 0 thole wait "$c"
	wait_for grep -q MESSAGE=last "$T/journal"
	equal "$(message 1 | grep -v FULL)" "CONTAINER_ID=${c:0:12}
CONTAINER_NAME=$c
CONTAINER_TAG=mine
SYSLOG_IDENTIFIER=mine
SHIP=boat
OAR_2=a=b
PRIORITY=6
MESSAGE=one"
	equal "$(grep -E '^(PRIORITY|MESSAGE|CONTAINER_PARTIAL)' "$T/journal" | tail -n +3)" 'PRIORITY=4
MESSAGE=two
PRIORITY=3
MESSAGE=three
PRIORITY=6
MESSAGE=four
PRIORITY=6
MESSAGE=<9>\x09five
PRIORITY=6
MESSAGE=last
CONTAINER_PARTIAL_MESSAGE=true'
	refused 1 "journalctl CONTAINER_NAME=$c" thole logs "$c"
}

@test "journald: long lines are pieces of 16 KiB, of which the last alone is not partial; every line arrives, or is told to be missing" {
	journal_up "$T/j"
	args sh -c 'head -c 40000 /dev/zero | tr "\0" x; echo; head -c 16384 /dev/zero | tr "\0" y; echo; /usr/bin/records 100000 64 2> /dev/null'
	thole run -d --log-driver journald --log-opt socket="$T/j" --bundle "$B" "$c" < /dev/null
	exits 0 thole wait "$c"
	# A journal that gets no processor for 200 ms is not waited for any longer.
	local lost
	lost=$(thole_state "$c" .container.log.lostBytes.stdout)
	arrived() { sed -n 's/^MESSAGE=\(0.*\)/\1/p' "$T/journal" | "$PROBES/records" --check | grep -q "^records=$((90000 - lost / 64)) "; }
	wait_for arrived || fail "$lost bytes are lost"
	equal "$(sed -n 's/^MESSAGE=thole: \([0-9]*\) bytes of output are missing.*/\1/p' "$T/journal" | awk '{ n += $1 } END { print n + 0 }')" "$lost"
	equal "$(grep -E '^MESSAGE=[xy]|PARTIAL' "$T/journal" | awk '{ print substr($0, 1, 9), length($0) }')" 'MESSAGE=x 16392
CONTAINER 30
MESSAGE=x 16392
CONTAINER 30
MESSAGE=x 7240
MESSAGE=y 16392'
}

@test "journald: one that is restarted gets the rest, and what was lost meanwhile is told" {
	journal_up "$T/j"
	args sh -c 'echo one; while [ ! -e /tmp/go ]; do usleep 10000; done; echo lost; echo lost2 >&2; while [ ! -e /tmp/go2 ]; do usleep 10000; done; echo back'
	thole run -d --log-driver journald,k8s-file --log-opt socket="$T/j" --bundle "$B" "$c" < /dev/null
	wait_for grep -q MESSAGE=one "$T/journal"
	kill "$JOURNAL"
	wait_for pid_gone "$JOURNAL"
	rm "$T/j"
	touch "$B/rootfs/tmp/go"
	wait_for logged "$c" lost
	thole logs "$c" > "$T/both" 2>&1
	wait_for grep -q lost2 "$T/both" || thole logs "$c" > "$T/both" 2>&1
	equal "$(thole_state "$c" '.container.otherLogs[0].failing')" 'No such file or directory'
	journal_up "$T/j"
	touch "$B/rootfs/tmp/go2"
	exits 0 thole wait "$c"
	wait_for grep -q MESSAGE=back "$T/journal"
	equal "$(sed -n 's/^MESSAGE=//p' "$T/journal")" 'thole: 11 bytes of output are missing from the log: No such file or directory
back'
	equal "$(jq -c '.container.otherLogs[0].lostBytes' "$ROOT/$c/state.json")" '{"stdout":5,"stderr":6}'
}

@test "what a log holds back of a line, or of a character, is there for the next shim" {
	local shim driver
	for driver in "journald --log-opt socket=$T/j" json-file; do
		journal_up "$T/j"
		rm -f "$B/rootfs/tmp/go"
		args sh -c 'printf "Pass\342\202"; printf "err" >&2; while [ ! -e /tmp/go ]; do usleep 10000; done; printf "\254word\n"; echo or >&2'
		# shellcheck disable=SC2086 # words
		thole run -d --log-driver $driver --bundle "$B" "$c" < /dev/null
		wait_for test -s "$ROOT/$c/held"
		held() { [ "$(wc -c < "$ROOT/$c/held")" -gt 4096 ]; }
		wait_for held
		shim=$(shim_of "$c")
		kill -KILL "$shim"
		wait_for pid_gone "$shim"
		thole recover "$c"
		touch "$B/rootfs/tmp/go"
		thole wait "$c" > "$T/out" 2>&1 || true
		if [ "$driver" = json-file ]; then
			equal "$(thole logs "$c" 2> /dev/null)" 'Pass€word'
			equal "$(thole logs "$c" 2>&1 > /dev/null)" error
		else
			wait_for grep -q 'MESSAGE=error' "$T/journal"
			equal "$(grep -a '^MESSAGE=' "$T/journal" | sort)" "MESSAGE=Pass€word
MESSAGE=error"
		fi
		kept() { [ -e "$ROOT/$c/held" ]; }
		wait_for eval '! kept'
		thole delete "$c"
		kill "$JOURNAL"
		wait_for pid_gone "$JOURNAL"
		rm -f "$T/j"
	done
}

@test "journald: what has no end yet when it goes is counted with the rest, of either stream, and told" {
	journal_up "$T/j"
	args sh -c 'printf partial >&2; printf pa; while [ ! -e /tmp/go ]; do usleep 10000; done; echo one; [ ! -e /tmp/more ] || echo more >&2; exit 3'
	lost() { jq -c '.container.log.lostBytes' "$ROOT/$c/state.json"; }
	gone() {
		thole run -d --log-driver journald --log-opt socket="$T/j" --bundle "$B" "$c" < /dev/null
		thole events "$c" > "$T/events" 3>&- &
		wait_for test -s "$T/events"
		[ -z "${JOURNAL:-}" ] || { kill "$JOURNAL"; wait_for pid_gone "$JOURNAL"; JOURNAL=; }
		rm -f "$T/j"
		touch "$B/rootfs/tmp/go"
		exits 3 thole wait "$c"
		wait $! || true
	}
	gone
	equal "$(lost)" '{"stdout":6,"stderr":7}'
	equal "$(jq -r 'select(.type == "log") | .data.status' "$T/events" | sort -u)" failing
	thole delete "$c"
	rm "$B/rootfs/tmp/go"
	touch "$B/rootfs/tmp/more"
	journal_up "$T/j"
	gone
	equal "$(lost)" '{"stdout":6,"stderr":12}'
	thole delete "$c"
	rm "$B/rootfs/tmp/go"
	journal_up "$T/j"
	args sh -c 'printf partial; while [ ! -e /tmp/go ]; do usleep 10000; done; exit 3'
	gone
	equal "$(lost)" '{"stdout":7,"stderr":0}'
	# Later than the exit, which ends events.
	grep -q 'log driver journald: No such file' "$ROOT/$c/shim.log"
}

@test "options: what is unknown, wrong or without meaning is refused by name, and nothing is left" {
	args true
	refused 125 'k8s-file, json-file, raw, journald and none' thole run --log-driver syslog --bundle "$B" "$c"
	refused 125 "'nonsense'.*max-size" thole run --log-opt nonsense=1 --bundle "$B" "$c"
	refused 125 "'max-size' is a size such as 64m or 1.5GiB, not '10x'" thole run --log-opt max-size=10x --bundle "$B" "$c"
	refused 125 'max-size' thole run --log-opt max-size=many --bundle "$B" "$c"
	refused 125 'max-file' thole run --log-opt max-file=0 --bundle "$B" "$c"
	refused 125 'max-file' thole run --log-opt max-file=02 --bundle "$B" "$c"
	refused 125 'max-size' thole run --log-opt max-size=010k --bundle "$B" "$c"
	refused 125 "'sync' is yes or no" thole run --log-opt sync=maybe --bundle "$B" "$c"
	refused 125 "'tag' means nothing to log driver k8s-file" thole run --log-opt tag=x --bundle "$B" "$c"
	refused 125 "'labels' means nothing to log driver raw" thole run --log-driver json-file,raw --log-opt raw.labels=A=b --bundle "$B" "$c"
	refused 125 "'max-size' means nothing to log driver none" thole run --log-driver none --log-opt max-size=1m --bundle "$B" "$c"
	refused 125 'control character' thole run --log-driver journald --log-opt tag=$'a\nMESSAGE=x' --bundle "$B" "$c"
	refused 125 'no field of the journal' thole run --log-driver journald --log-opt labels=_PID=1 --bundle "$B" "$c"
	refused 125 'named twice' thole run --log-driver raw --log-driver raw --bundle "$B" "$c"
	refused 125 'two logs' thole run --log-driver raw,json-file --log-opt path="$T/x" --log-opt json-file.path="$T/x" --bundle "$B" "$c"
	refused 125 "journal at '$T/none'" thole run --log-driver journald --log-opt socket="$T/none" --bundle "$B" "$c"
	ln -s "$T/y" "$T/link"
	mkfifo "$T/fifo"
	local kind
	for kind in k8s-file json-file raw; do
		refused 125 'symbolic link' thole run --log-driver "$kind" --log-path "$T/link" --bundle "$B" "$c"
		refused 125 "fifo': it is no regular file" thole run --log-driver "$kind" --log-path "$T/fifo" --bundle "$B" "$c"
		refused 125 "$T/b'" thole run --log-driver "$kind" --log-path "$T/b" --bundle "$B" "$c"
	done
	not test -e "$T/y"
	wait_for nothing_left
}

@test "json-file: tag and labels are attributes; sync=no; path relative to the caller" {
	args echo hello
	(cd "$T" && thole run -d --log-driver json-file --log-opt path=rel.log --log-opt tag='a "tag"' --log-opt labels=ship=boat --log-opt sync=no --bundle "$B" "$c" < /dev/null)
	exits 0 thole wait "$c"
	equal "$(jq -c 'del(.time)' "$T/rel.log")" '{"log":"hello\n","stream":"stdout","attrs":{"tag":"a \"tag\"","ship":"boat"}}'
	equal "$(thole logs "$c")" hello
}
