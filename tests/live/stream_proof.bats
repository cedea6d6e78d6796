# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# The streams as a whole: numbered records with checksums through every sink at once, while clients are stopped and killed, logs are rotated, and the log's disk fills and is
# freed again. Nothing is lost, repeated or put in another order, and where something has to be lost, it is told to the byte.
load lib

BYTES=256 # of a record

# mib SMALL: how much is written; with THOLE_LONG a GiB
mib() {
	if [ "$THOLE_LONG" ]; then echo 1024; else echo "$1"; fi
}

setup_test() { bundle; }

# checked NAME CMD...: in the background; what its stdout and stderr have been is then in $T/NAME.out and $T/NAME.err
checked() {
	in_background "${@:2}" < /dev/null > >("$PROBES/records" --check > "$T/$1.out" 3>&-) 2> >(tee >(grep -a '^thole:' > "$T/$1.told" 3>&-) 3>&- | grep -av '^thole:' | "$PROBES/records" --check > "$T/$1.err" 3>&-)
}

# counted NAME CMD...: the same, but how many bytes there were, without what the client itself has said, which may stand in the middle of a record
counted() {
	in_background "${@:2}" < /dev/null > >(wc -c > "$T/$1.out" 3>&-) 2> "$T/$1.both"
}

missing() { # NAME STREAM: bytes that it was told are missing
	grep -ao 'thole: [0-9]* bytes of std... are missing here' "$T/$1.both" | sed -n "s/thole: \([0-9]*\) bytes of $2 .*/\1/p" | paste -sd+ | sed 's/^$/0/' | bc
}

printed_err() { perl -0pe 's/thole: \d+ bytes of std[^\n]*\n//g' "$T/$1.both" | wc -c; }

written() { test -e "$B/rootfs/tmp/$1"; }
rotated() { test -e "$log.$1"; }
expect() { # NAME OUT ERR: wait until the checkers have spoken
	wait_for test -s "$T/$1.out" || fail "no verdict on stdout of $1"
	wait_for test -s "$T/$1.err" || fail "no verdict on stderr of $1"
	equal "$(cat "$T/$1.out")" "$2" "stdout of $1" || return 1
	equal "$(cat "$T/$1.err")" "$3" "stderr of $1"
}

# What N records are, of which every tenth goes to stderr; of a terminal all are one stream.
all_out() { # N
	if [ $tty = true ]; then echo "records=$1 last=$1"; else echo "records=$(($1 - $1 / 10)) last=$(($1 % 10 ? $1 : $1 - 1))"; fi
}
all_err() { # N
	if [ $tty = true ] || [ $(($1 / 10)) = 0 ]; then echo 'records=0 last=0'; else echo "records=$(($1 / 10)) last=$(($1 / 10 * 10))"; fi
}

# is_prefix FILE STREAM: all there is, up to where it was cut off
is_prefix() {
	local seen last
	wait_for test -s "$1" || fail "no verdict in $1"
	read -r seen last < <(sed -n 's/^records=\([0-9]*\) last=\([0-9]*\).*/\1 \2/p' "$1")
	if [ $tty = true ]; then equal "$seen" "$last" "$1"
	elif [ "$2" = out ]; then equal "$seen" $((last - last / 10)) "$1"
	else equal "$seen" $((last / 10)) "$1"; fi
}

# attach_all HOW [MORE]: clients 1 to 3 as they are, 4 to 6 to be stopped, 7 and 8 to be killed
attach_all() {
	local i extra=${2:-0}
	client=()
	for i in 1 2 3 4 5 6 7 8; do
		"$1" "$i" "$THOLE" --root "$ROOT" attach --no-stdin "$c"
		client[i]=$!
	done
	local pipes=$((own_pipes + (8 + extra) * streams))
	connected() { [ "$(shared_pipes "$(shim_of "$c")")" -ge $pipes ]; }
	wait_for connected
}

with_streams() { # TTY
	tty=$1 streams=2 own_pipes=2
	[ "$tty" = false ] || streams=1 own_pipes=0
	config ".process.terminal = $tty"
}

# through_everything TTY MIB DRIVER: a foreground client, eight that are attached, two logs that are rotated twenty times
through_everything() {
	with_streams "$1"
	local n=$(($2 * 1048576 / BYTES)) i
	args sh -c "while [ ! -e /tmp/go ]; do usleep 1000; done; /usr/bin/records $n $BYTES; touch /tmp/end; while [ ! -e /tmp/leave ]; do usleep 1000; done"
	checked foreground "$THOLE" --root "$ROOT" run --keep --log-driver "$3,json-file" --log-opt max-size=$(($2 * 40))k --log-opt max-file=60 --log-opt sync=no --bundle "$B" "$c"
	local foreground=$!
	log=$T/log/$c/ctr.log
	wait_for test -e "$log"
	wait_for is "$c" running
	attach_all checked 1
	kill -STOP "${client[4]}"
	touch "$B/rootfs/tmp/go"
	WAIT_S=300 wait_for rotated 3
	kill -STOP "${client[5]}" "${client[6]}"
	WAIT_S=300 wait_for rotated 8
	kill -KILL "${client[7]}" "${client[8]}"
	WAIT_S=600 wait_for written end
	kill -CONT "${client[4]}" "${client[5]}" "${client[6]}"
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $foreground
	for i in 1 2 3 4 5 6; do
		exits 0 wait "${client[i]}"
	done
	for i in foreground 1 2 3 4 5 6; do
		WAIT_S=60 expect "$i" "$(all_out $n)" "$(all_err $n)"
		equal "$(cat "$T/$i.told")" '' "what $i was told"
	done
	for i in 7 8; do
		is_prefix "$T/$i.out" out
		is_prefix "$T/$i.err" err
	done
	[ -e "$log.20" ] || fail "rotated only $(find "${log%/*}" -name 'ctr.log.[0-9]*' | wc -l) times"
	equal "$(thole state "$c" | jq -c '.thole.log.lostBytes, .thole.otherLogs[0].lostBytes')" $'{"stdout":0,"stderr":0}\n{"stdout":0,"stderr":0}'
	thole logs "$c" > >("$PROBES/records" --check > "$T/log.out") 2> >("$PROBES/records" --check > "$T/log.err")
	expect log "$(all_out $n)" "$(all_err $n)"
	# docker's format: the files from the oldest on.
	for i in out err; do
		# shellcheck disable=SC2046 # names without blanks
		perl -ne 'if (/^\{"log":"((?:[^"\\]|\\.)*)","stream":"std'$i'"/) { $_ = $1; s/\\r/\r/; s/\\n/\n/; print }' $(find "${log%/*}" -name 'ctr.log.json-file.*' | sort -Vr) "$log.json-file" |
			"$PROBES/records" --check > "$T/json.$i"
	done
	expect json "$(all_out $n)" "$(all_err $n)"
}

@test "pipes: eight clients, three of them stopped and two killed, and twenty rotations" { through_everything false "$(mib 48)" k8s-file; }
@test "a terminal: the same" { through_everything true "$(mib 16)" raw; }

text_of() { perl -ne 'm/^\S+ '"$1"' ([FP]) (.*)\n/s or next; print $2, $1 eq "F" ? "\n" : ""'; }

# on_a_disk_that_fills TTY MIB DRIVER: it takes half of it, is freed, and takes the rest
on_a_disk_that_fills() {
	with_streams "$1"
	local n=$(($2 * 1048576 / BYTES)) half i ns out err lost_out lost_err all_out all_err
	half=$((n / 2))
	all_out=$(((n - n / 10) * BYTES)) all_err=$((n / 10 * BYTES))
	[ "$1" = false ] || all_out=$((n * (BYTES + 1))) all_err=0
	mkdir "$T/disk"
	# Room for a third; when that is freed, for all.
	in_background unshare -m sh -c 'mount -t tmpfs -o size="$1"m none "$0/disk" && head -c "$2"m /dev/zero > "$0/disk/filler" && touch "$0/mounted" && exec sleep 1000' "$T" $(($2 * 2)) $(($2 * 2 - $2 / 4))
	ns=$!
	wait_for test -e "$T/mounted"
	args sh -c "while [ ! -e /tmp/go ]; do usleep 1000; done; /usr/bin/records $half $BYTES; touch /tmp/end; while [ ! -e /tmp/go2 ]; do usleep 1000; done
		/usr/bin/records $((n - half)) $BYTES $((half + 1)); touch /tmp/end2; while [ ! -e /tmp/leave ]; do usleep 1000; done"
	nsenter -m -t $ns "$THOLE" --root "$ROOT" run -d --log-driver "$3" --log-path "$T/disk/my.log" --log-opt max-size=unlimited --bundle "$B" "$c" < /dev/null
	attach_all counted
	kill -STOP "${client[4]}" "${client[5]}" "${client[6]}"
	touch "$B/rootfs/tmp/go"
	failing() { [ "$(thole_state "$c" .container.log.failing)" = 'No space left on device' ]; }
	WAIT_S=300 wait_for failing
	kill -KILL "${client[7]}" "${client[8]}"
	WAIT_S=300 wait_for written end
	nsenter -m -t $ns rm "$T/disk/filler"
	touch "$B/rootfs/tmp/go2"
	WAIT_S=300 wait_for written end2
	kill -CONT "${client[4]}" "${client[5]}" "${client[6]}"
	touch "$B/rootfs/tmp/leave"
	for i in 1 2 3 4 5 6; do
		exits 0 wait "${client[i]}"
	done
	# The loss: what state says, what the log's own line says, what is not in the log, and what those who were stopped were told.
	exits 0 thole wait "$c"
	lost_out=$(thole_state "$c" .container.log.lostBytes.stdout)
	lost_err=$(thole_state "$c" .container.log.lostBytes.stderr)
	[ "$lost_out" -gt 1000000 ]
	nsenter -m -t $ns cp "$T/disk/my.log" "$T/my.log"
	# An empty end of a line that is not as long as a record is ours: it ends one that was cut off.
	read -r out err < <(awk -v whole=$((BYTES - (streams == 2))) '
		/ stderr F thole: / { n["stdout"] -= ours; next }
		{ l = length($0) - length($1) - length($2) - length($3) - 3; line[$2] += l; n[$2] += l + ($3 == "F") }
		{ ours = $3 == "F" && l == 0 && line[$2] < whole }
		$3 == "F" { line[$2] = 0 }
		END { print n["stdout"] + 0, n["stderr"] + 0 }' "$T/my.log")
	equal $((lost_out + out)) "$all_out" 'stdout lost and kept'
	equal $((lost_err + err)) "$all_err" 'stderr lost and kept'
	# One line says it; a terminal's pieces may be so small that the full disk takes one of them in between.
	equal "$(sed -n 's/^.* stderr F thole: \([0-9]*\) bytes of output are missing from the log: No space left on device$/\1/p' "$T/my.log" | paste -sd+ | bc)" $((lost_out + lost_err)) 'lost, says the log'
	[ $streams = 1 ] || equal "$(grep -ac ' stderr F thole:' "$T/my.log")" 1
	# Before and behind the gap every record is there. (Of a terminal one may be cut on each side: it is not read by the record.)
	sed '/ stderr F thole: /,$d' "$T/my.log" | text_of stdout | head -n $([ $streams = 1 ] && echo -1 || echo -0) | "$PROBES/records" --check > "$T/before"
	tac "$T/my.log" | sed '/ stderr F thole: /,$d' | tac | text_of stdout | tail -n +$((streams == 1 ? 2 : 1)) | "$PROBES/records" --check > "$T/behind"
	is_prefix "$T/before" out
	equal "$(sed 's/.*last=//' "$T/behind")" "$(all_out $n | sed 's/.*last=//')"
	for i in 1 2 3 4 5 6; do
		wait_for test -s "$T/$i.out"
		equal $(($(cat "$T/$i.out") + $(missing "$i" stdout))) "$all_out" "stdout of $i: printed and missing"
		equal $(($(printed_err "$i") + $(missing "$i" stderr))) "$all_err" "stderr of $i: printed and missing"
		[ "$i" -lt 4 ] || equal "$(missing "$i" stdout) $(missing "$i" stderr)" "$lost_out $lost_err" "what $i was told"
	done
}

@test "pipes: the log's disk fills and is freed again; whatever is missing anywhere is told" { on_a_disk_that_fills false "$(mib 32)" k8s-file; }
@test "a terminal: the log's disk fills and is freed again" { on_a_disk_that_fills true "$(mib 16)" k8s-file; }
