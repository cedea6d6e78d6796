# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# An attached client that is behind, or comes later, reads what it has missed from the log: nothing lost, nothing repeated, or told to the byte.
load lib

setup_test() { bundle; }

written() { test -e "$B/rootfs/tmp/end"; }

# records N [MORE...]: the container waits for /tmp/go, writes N records to both streams, says so, and waits for /tmp/leave
records() {
	echo "while [ ! -e /tmp/go ]; do usleep 1000; done; /usr/bin/records $1 64; touch /tmp/end; while [ ! -e /tmp/leave ]; do usleep 1000; done"
}

# whole N NAME: the two files of a client are all of N records
whole() {
	equal "$("$PROBES/records" --check < "$T/$2.out")" "records=$(($1 - $1 / 10)) last=$(($1 - 1))" "stdout of $2"
	equal "$("$PROBES/records" --check < "$T/$2.err")" "records=$(($1 / 10)) last=$1" "stderr of $2"
}

client() { # NAME OPTIONS...: in the background
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "${@:2}" "$c" < /dev/null > "$T/$1.out" 2> "$T/$1.err"
}

# stopped_client RUN OPTIONS...: one that is stopped from before the first byte until the container has written everything
stopped_client() {
	local n=100000
	args sh -c "$(records $n)"
	thole run -d "$@" --bundle "$B" "$c" < /dev/null
	client stopped
	local pid=$!
	attached 1
	kill -STOP $pid
	touch "$B/rootfs/tmp/go"
	wait_for written
	kill -CONT $pid
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	whole $n stopped
}

@test "k8s-file: a client that was stopped meanwhile has everything" { stopped_client; }
@test "json-file: a client that was stopped meanwhile has everything" { stopped_client --log-driver json-file; }
@test "a client that was stopped while the log was rotated has everything" { stopped_client --log-opt max-size=512k --log-opt max-file=60; }

@test "raw: of one stream everything; of two mixed ones it is told what is missing" {
	# One stream.
	args sh -c "$(records 100000 | sed 's/ 64;/ 64 2>\&1;/')"
	thole run -d --log-driver raw --log-opt max-size=1m --log-opt max-file=60 --bundle "$B" "$c" < /dev/null
	client one
	local pid=$!
	attached 1
	kill -STOP $pid
	touch "$B/rootfs/tmp/go"
	wait_for written
	kill -CONT $pid
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	equal "$("$PROBES/records" --check < "$T/one.out")" 'records=100000 last=100000'
	thole delete "$c"
	rm "$B/rootfs/tmp/"*
	# Two.
	args sh -c "$(records 100000)"
	thole run -d --log-driver raw --bundle "$B" "$c" < /dev/null
	client two
	pid=$!
	attached 1
	kill -STOP $pid
	touch "$B/rootfs/tmp/go"
	wait_for written
	kill -CONT $pid
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	all_told two $((90000 * 64)) $((10000 * 64))
}

# all_told NAME STDOUT STDERR: what the client has printed and what it says is missing are together so many bytes
all_told() {
	local out err
	out=$(sed -n 's/^thole: \([0-9]*\) bytes of stdout are missing here.*/\1/p' "$T/$1.err" | paste -sd+ | bc)
	err=$(sed -n 's/^thole: \([0-9]*\) bytes of stderr are missing here.*/\1/p' "$T/$1.err" | paste -sd+ | bc)
	equal $(($(stat -c %s "$T/$1.out") + ${out:-0})) "$2" "stdout of $1, printed and missing" || return 1
	# A remark may stand in the middle of a record that goes on after it.
	equal $(($(perl -0pe 's/thole: \d+ bytes of std[^\n]*\n//g' "$T/$1.err" | wc -c) + ${err:-0})) "$3" "stderr of $1, printed and missing" || return 1
	[ "${out:-0}" != 0 ] || fail "$1: nothing was missing"
}

@test "what rotation has removed is named, to the byte and with its offset" {
	args sh -c "$(records 100000)"
	thole run -d --log-opt max-size=256k --log-opt max-file=3 --bundle "$B" "$c" < /dev/null
	client late
	local pid=$!
	attached 1
	kill -STOP $pid
	touch "$B/rootfs/tmp/go"
	wait_for written
	kill -CONT $pid
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	all_told late $((90000 * 64)) $((10000 * 64))
	# The bytes before the offset that is named are there, and after it those that follow.
	local from n
	read -r n from < <(sed -n 's/^thole: \([0-9]*\) bytes of stdout are missing here, from byte \([0-9]*\) on: the log does not have them.*/\1 \2/p' "$T/late.err")
	thole logs "$c" 2> /dev/null > "$T/logs"
	cmp <(tail -c +$((from + 1)) "$T/late.out") <(tail -c $(($(stat -c %s "$T/late.out") - from)) "$T/logs")
	equal "$(sed 's/^\(.*\)\(thole: .*\)$/\1/' <(head -c "$from" "$T/late.out" | tail -c 640) | wc -c)" 640
}

@test "without a log that can be read it is told what is missing" {
	args sh -c "$(records 100000)"
	thole run -d --log-driver none --bundle "$B" "$c" < /dev/null
	client poor
	local pid=$!
	attached 1
	kill -STOP $pid
	touch "$B/rootfs/tmp/go"
	wait_for written
	kill -CONT $pid
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	all_told poor $((90000 * 64)) $((10000 * 64))
	grep -q 'bytes of stdout are missing here, from byte [1-9][0-9]* on: there is no log that can be read$' "$T/poor.err"
}

@test "a log that somebody has moved away stays within reach of who is behind" {
	args sh -c "$(records 60000); "'rm /tmp/end; while [ ! -e /tmp/go2 ]; do usleep 1000; done; echo second; touch /tmp/end; while [ ! -e /tmp/leave2 ]; do usleep 1000; done'
	thole run -d --bundle "$B" "$c" < /dev/null
	client moved
	local pid=$! log
	log=$(thole_state "$c" .container.log.path)
	attached 1
	kill -STOP $pid
	touch "$B/rootfs/tmp/go"
	wait_for written
	mv "$log" "$T/moved.log"
	thole logs --reopen "$c"
	rm "$T/moved.log"
	touch "$B/rootfs/tmp/leave"
	wait_for not written
	touch "$B/rootfs/tmp/go2"
	wait_for written
	kill -CONT $pid
	touch "$B/rootfs/tmp/leave2"
	exits 0 wait $pid
	equal "$(tail -1 "$T/moved.out")" second
	equal "$(head -n -1 "$T/moved.out" | "$PROBES/records" --check)" 'records=54000 last=59999'
	equal "$("$PROBES/records" --check < "$T/moved.err")" 'records=6000 last=60000'
	# Nobody wants it any more.
	[ "$(find "/proc/$(shim_of "$c")/fd" -lname '*moved.log*' | wc -l)" = 0 ]
}

@test "a log that somebody has emptied is no source any more, and that is told" {
	args sh -c "$(records 60000)"
	thole run -d --bundle "$B" "$c" < /dev/null
	client emptied
	local pid=$! log
	log=$(thole_state "$c" .container.log.path)
	attached 1
	kill -STOP $pid
	touch "$B/rootfs/tmp/go"
	wait_for written
	truncate -s 0 "$log"
	kill -CONT $pid
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	all_told emptied $((54000 * 64)) $((6000 * 64))
}

@test "bytes that json-file cannot keep do not shift the others" {
	# Lines with invalid bytes and cut characters; the client has some from its pipe, and the rest from the log.
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); printf "%06d \377\303\244\302 x\303(\342\202\254\n" $i; done; printf "end \342\202"; touch /tmp/end; while [ ! -e /tmp/leave ]; do usleep 1000; done; printf "\254\n"'
	thole run -d --log-driver json-file --bundle "$B" "$c" < /dev/null
	client bytes
	local pid=$!
	attached 1
	kill -STOP $pid
	touch "$B/rootfs/tmp/go"
	WAIT_S=60 wait_for written
	kill -CONT $pid
	wait_for grep -qa '^end' "$T/bytes.out"
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	equal "$(grep -ac . "$T/bytes.out")" 20001
	equal "$(tail -1 "$T/bytes.out")" 'end €'
	# As they were, or as the log keeps them.
	equal "$(perl -ne 'chomp; print "$.: $_\n" unless $. == 20001 or /^(\d{6}) (.*)$/ && $1 == $. && ($2 eq "\xff\xc3\xa4\xc2 x\xc3(\xe2\x82\xac" || $2 eq "\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd x\xef\xbf\xbd(\xe2\x82\xac" || $seam++ < 2)' "$T/bytes.out")" ''
}

@test "a slow client is never ahead of itself: it goes to and fro between pipe and log" {
	args sh -c "$(records 400000)"
	thole run -d --bundle "$B" "$c" < /dev/null
	mkfifo "$T/slow"
	# A reader that takes 4 KiB at a time, each behind a process of its own.
	in_background sh -c 'while dd bs=4096 count=40 iflag=fullblock 2> /dev/null > "$1/piece" && [ -s "$1/piece" ]; do cat "$1/piece" >> "$1/slow.out"; done < "$1/slow"' sh "$T"
	local reader=$!
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/slow" 2> "$T/slow.err"
	local pid=$!
	attached 1
	touch "$B/rootfs/tmp/go"
	WAIT_S=60 wait_for written
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	wait $reader
	whole 400000 slow
}

# ---- replay

# replayed OPTIONS...: clients that come while the container writes at full speed have everything from its beginning
replayed() {
	local i pids=()
	args sh -c "$(records 400000)"
	thole run -d "$@" --bundle "$B" "$c" < /dev/null
	local log
	log=$(thole_state "$c" .container.log.path)
	touch "$B/rootfs/tmp/go"
	for i in 1 2 3 4; do
		wait_for test -s "$log"
		client "$i" --since-start
		pids+=($!)
	done
	wait_for written
	client last --since-start
	pids+=($!)
	attached 1
	touch "$B/rootfs/tmp/leave"
	for i in "${pids[@]}"; do
		exits 0 wait "$i"
	done
	for i in 1 2 3 4 last; do
		whole 400000 "$i"
	done
}

@test "--since-start at full speed and with rotation: no gap and no repeat at the seam, k8s-file" { replayed --log-opt max-size=2m --log-opt max-file=60; }
@test "--since-start at full speed and with rotation: no gap and no repeat at the seam, json-file" { replayed --log-driver json-file --log-opt max-size=2m --log-opt max-file=60; }

# covers: attach --since-start
@test "--since-start: both streams in the order of the log, and a log that was there before is not of this container" {
	echo '2026-11-23T20:30:00.000000000+00:00 stdout F of another one' > "$T/my.log"
	args sh -c 'echo 1; usleep 50000; echo 2 >&2; usleep 50000; printf 3; usleep 50000; echo 4 >&2; usleep 50000; echo 5; touch /tmp/end; while [ ! -e /tmp/leave ]; do usleep 1000; done; echo live'
	thole run -d --log-path "$T/my.log" --bundle "$B" "$c" < /dev/null
	wait_for written
	in_background "$THOLE" --root "$ROOT" attach --no-stdin --since-start "$c" < /dev/null > "$T/both" 2>&1
	local pid=$!
	attached 1
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid || fail "$(cat "$T/both")"
	equal "$(tr '\n' ' ' < "$T/both")" '1 2 34 5 live '
}

@test "--since-start: what rotation has removed is named first" {
	args sh -c "$(records 100000)"
	thole run -d --log-opt max-size=256k --log-opt max-file=3 --bundle "$B" "$c" < /dev/null
	touch "$B/rootfs/tmp/go"
	wait_for written
	client late --since-start
	local pid=$!
	attached 1
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	all_told late $((90000 * 64)) $((10000 * 64))
	matches "$(head -1 "$T/late.err")" '^thole: [0-9]+ bytes of stdout are missing here, from byte 0 on: the log does not have them'
}

# covers: attach --tail
@test "--tail N: the last lines, then what follows; across rotation; raw and json-file too" {
	local driver n
	for driver in k8s-file json-file raw; do
		args sh -c 'seq 1 20000; printf part; touch /tmp/end; while [ ! -e /tmp/leave ]; do usleep 1000; done; echo ing; seq 20001 20010'
		thole run -d --log-driver $driver --log-opt max-size=32k --log-opt max-file=60 --bundle "$B" "$c" < /dev/null
		wait_for written
		wait_for logged "$c" part
		local pids=()
		for n in 0 3 9000; do
			client "$n" --tail "$n"
			pids+=($!)
		done
		attached 3
		touch "$B/rootfs/tmp/leave"
		for n in "${pids[@]}"; do
			exits 0 wait "$n"
		done
		equal "$(cat "$T"/{0,3,9000}.err)" '' "$driver"
		# The unfinished line is one of those that were asked for, as with tail(1).
		equal "$(tail -11 "$T/0.out" | head -1)" ing "$driver 0"
		equal "$(tail -n +2 "$T/3.out" | head -1)" 20000 "$driver 3"
		cmp "$T/9000.out" <(seq 11002 20000; echo parting; seq 20001 20010)
		thole delete "$c"
		rm "$B/rootfs/tmp/"*
	done
}

@test "--since-start and --tail: bad input, and a container without a log" {
	args sh -c 'echo early; touch /tmp/end; while [ ! -e /tmp/leave ]; do usleep 1000; done; echo late'
	thole run -d --log-driver none --bundle "$B" "$c" < /dev/null
	wait_for written
	refused 1 '--since-start and --tail' thole attach --since-start --tail 3 "$c"
	refused 1 "--tail is a number of lines, not '-3'" thole attach --tail=-3 "$c"
	client none --since-start
	local pid=$!
	attached 1
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $pid
	equal "$(cat "$T/none.out")" late
	equal "$(cat "$T/none.err")" 'thole: 6 bytes of stdout are missing here, from byte 0 on: there is no log that can be read'
}
