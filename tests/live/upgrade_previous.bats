# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup previous
# From the oldest version that can be upgraded (tests/interop/PREVIOUS) to the present one, and back: states and requests are understood both ways.
load lib

setup_test() {
	PREVIOUS=$BUILD/previous
	export XDG_RUNTIME_DIR=$T
	bundle
}

previous() { "$PREVIOUS/thole" --root "$ROOT" "$@"; }

shim_version() { thole list --format json | jq -r --arg c "$c" '.[] | select(.id == $c).thole.shimVersion'; }

# there_and_back: what each client does with each shim
there_and_back() {
	local present
	present=$("$BIN/thole-shim" --version | sed 's/.* //')
	equal "$(shim_version)" previous
	thole upgrade "$c"
	equal "$(shim_version)" "$present"
	equal "$(previous exec "$c" echo old client < /dev/null)" 'old client'
	equal "$(thole exec "$c" echo new client < /dev/null)" 'new client'
	thole upgrade --shim "$PREVIOUS/thole-shim" "$c"
	equal "$(shim_version)" previous
	equal "$(thole exec "$c" echo new client < /dev/null)" 'new client'
	previous upgrade --shim "$BIN/thole-shim" "$c"
	equal "$(shim_version)" "$present"
}

@test "there and back: who waits, follows and is attached stays, with nothing lost or twice" {
	args sh -c 'echo begin; /usr/bin/records 100000000 64 1 /tmp/enough; while [ ! -e /tmp/stop ]; do usleep 5000; done; echo end; exit 7'
	previous create --log-opt max-size=unlimited --bundle "$B" "$c" < /dev/null
	in_background "$PREVIOUS/thole" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/attach.out" 2> "$T/attach.err"
	local attach=$! waiter events exec
	in_background "$THOLE" --root "$ROOT" wait "$c"
	waiter=$!
	in_background "$PREVIOUS/thole" --root "$ROOT" events --interval 1h "$c" > "$T/events"
	events=$!
	in_background "$PREVIOUS/thole" --root "$ROOT" exec "$c" sh -c 'while [ ! -e /tmp/leave ]; do usleep 5000; done; exit 9' < /dev/null
	exec=$!
	connected() { [ "$(ls -l "/proc/$(shim_of "$c")/fd" 2> /dev/null | grep -c socket:)" -ge 5 ]; }
	wait_for connected
	previous start "$c"
	there_and_back
	touch "$B/rootfs/tmp/enough"
	enough() { [ -s "$B/rootfs/tmp/enough" ]; }
	wait_for enough
	# One after the other: the end of the first process is the end of all.
	touch "$B/rootfs/tmp/leave"
	exits 9 wait $exec
	touch "$B/rootfs/tmp/stop"
	exits 7 wait $attach
	exits 7 wait $waiter
	exits 0 wait $events
	local n out
	n=$(cat "$B/rootfs/tmp/enough")
	thole logs "$c" > "$T/log.out" 2> "$T/log.err"
	for out in attach log; do
		equal "$(sed '/^begin$/d; /^end$/d' "$T/$out.out" | "$PROBES/records" --check)" "records=$((n - n / 10)) last=$((n - 1))" $out
		equal "$("$PROBES/records" --check < "$T/$out.err")" "records=$((n / 10)) last=$n" $out
	done
}

@test "a client from before beside the owner of stdin: what it says arrives, and the owner's end is no concern of its" {
	args sh -c 'while read -r l; do echo "got $l"; done; exit 3'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	mkfifo "$T/in.1" "$T/in.2"
	exec 7<> "$T/in.1" 8<> "$T/in.2"
	in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/in.1" > "$T/out.1" 7>&- 8>&-
	local owner=$! other
	echo one >&7
	wait_for grep -qx 'got one' "$T/out.1"
	in_background "$PREVIOUS/thole" --root "$ROOT" attach "$c" < "$T/in.2" > "$T/out.2" 2> "$T/err.2" 7>&- 8>&-
	other=$!
	echo two >&8
	wait_for grep -qx 'got two' "$T/out.2"
	exec 7>&-
	exits 3 wait $other
	exits 3 wait $owner
	equal "$(cat "$T/err.2")" ''
}

@test "there and back: a terminal with a keeper, an exec'd process, a container that has ended" {
	config '.process.terminal = true'
	args sh -c 'stty -echo; while read line; do [ "$line" = end ] && exit 3; echo "[$line]"; done'
	previous run -d -i --bundle "$B" "$c" < /dev/null
	equal "$(previous exec -d --print-name "$c" sh -c 'exit 12' < /dev/null)" 1
	exits 12 thole wait "$c" 1
	there_and_back
	exits 12 thole wait "$c" 1
	mkfifo "$T/typed"
	exec 8<> "$T/typed"
	"$THOLE" --root "$ROOT" attach "$c" < "$T/typed" > "$T/seen" 2>&1 3>&- 8>&- &
	local pid=$!
	echo one >&8
	wait_for grep -q '\[one\]' "$T/seen"
	echo end >&8
	exits 3 wait $pid
	exec 8>&-
	thole upgrade --shim "$PREVIOUS/thole-shim" "$c"
	exits 3 previous wait "$c"
	thole upgrade "$c"
	exits 3 thole wait "$c"
}

@test "there and back: an exec'd process with a terminal, which the present one has its keeper hold" {
	detached_by_previous() { args "$@" && previous run -d --bundle "$B" "$c" < /dev/null > "$T/run.out"; }
	detached_by_previous sleep 1000
	previous exec -d -t "$c" sh -c 'trap "touch /tmp/hup" HUP; while [ ! -e /tmp/ask ]; do usleep 10000; done; echo said; touch /tmp/said; exec sleep 1000' < /dev/null
	there_and_back
	local shim
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	adopted() { [ "$(shims | wc -l)" = 1 ] && [ "$(shims)" != "$shim" ] && [ "$(shim_of "$c")" = "$(shims)" ]; }
	wait_for adopted
	touch "$B/rootfs/tmp/ask"
	wait_for test -e "$B/rootfs/tmp/said"
	[ ! -e "$B/rootfs/tmp/hup" ]
}

@test "of an adopted container whose client is in the foreground: an older program would not know what that has, and is refused" {
	args sh -c 'i=0; while [ ! -e /tmp/stop ]; do echo $i; i=$((i + 1)); done; exit 7'
	in_background sh -c 'exec "$0" --root "$1" run --bundle "$2" "$3" < /dev/null > "$4"' "$THOLE" "$ROOT" "$B" "$c" "$T/out"
	local client=$! shim round
	wait_for test -s "$T/out"
	for round in 1 2 3; do
		shim=$(shim_of "$c")
		kill -KILL "$shim"
		adopted() { [ "$(shims | wc -l)" = 1 ] && [ "$(shims)" != "$shim" ]; }
		wait_for adopted
		refused 1 "container '$c': the new shim: .*it has format 2 .*, and format 1 is known" thole upgrade --shim "$PREVIOUS/thole-shim" "$c"
		thole upgrade "$c"
	done
	touch "$B/rootfs/tmp/stop"
	exits 7 wait $client
	awk '$0 != NR - 1 { print "line " NR ": " $0; exit 1 }' "$T/out"
}
