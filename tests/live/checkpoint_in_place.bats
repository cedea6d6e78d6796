# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# A container that is checkpointed and stays: its shim, its log and its clients wait, and see a pause when it is restored in place, no gap and no repeat.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	IMG=$T/img
	bundle
}

stay() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --stay --image-path "$IMG" "$@" "$c"; }
restore() { timeout 60 "$THOLE" --root "$ROOT" restore "$@" "$c"; }

# Run it in the foreground, in the background: $!. What is opened may be a fifo.
foreground() { # STDIN STDOUT
	in_background sh -c 'exec "$0" --root "$1" run --keep --bundle "$2" "$3" < "$4" > "$5" 2> "$6"' "$THOLE" "$ROOT" "$B" "$c" "$1" "$2" "$T/err"
}

COUNT='i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'

logged_in() { grep -qF -- "$2" "$1"; }

# These lines are n 0, n 1, ... from the first of them on, each once and in order, and at least 20.
contiguous() { # FILE
	tr -d '\r' < "$1" | awk '/^n / { if (seen && $2 != last + 1) { print "line " NR ": " $0 " after " last; exit 1 } seen = 1; last = $2; k++ } END { if (k < 20) { print k " lines"; exit 1 } }'
}

the_log() { thole logs "$c"; }

last_logged() { the_log | tr -d '\r' | awk '/^n [0-9]+$/ { n = $2 } END { print n }'; }

more_than() { [ "$(last_logged)" -gt "$1" ]; }

last_in() { tr -d '\r' < "$1" | awk '/^n [0-9]+$/ { n = $2 } END { print n + 0 }'; }

reaches() { [ "$(last_in "$1")" -gt "$2" ]; }

@test "its groups are another container's meanwhile, under another root: restore in place is refused, and delete leaves it alone" {
	local other=$T/other
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	stay
	THOLE_LOG_DIR=$T/other-log "$THOLE" --root "$other" run -d --bundle "$B" "$c" < /dev/null > "$T/out"
	refused 125 "cgroup '.*thole-$c' is in use by other processes" restore
	is "$c" checkpointed
	thole delete "$c" 2> "$T/err"
	contains "$(cat "$T/err")" "container '$c' is removed, but not its cgroup"
	equal "$("$THOLE" --root "$other" state "$c" | jq -r .status)" running
	THOLE_LOG_DIR=$T/other-log "$THOLE" --root "$other" delete --force "$c"
	wait_for nothing_left
}

# The directories of the groups that the container has, in every hierarchy.
its_groups() { find /sys/fs/cgroup -type d -name "thole-$c" | sort; }

@test "somebody is in one of its groups meanwhile: delete removes the others, and names that one" {
	local group stranger
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	group=$(thole_state "$c" .freezer)
	[ -d "$group" ] || group=$(its_groups | grep -m 1 freezer) || group=$(its_groups | head -1)
	stay
	sleep 1000 < /dev/null > /dev/null 2>&1 3>&- &
	stranger=$!
	echo "$stranger" > "$group/cgroup.procs"
	thole delete "$c" 2> "$T/err"
	contains "$(cat "$T/err")" "not its cgroup '$group': it is in use"
	equal "$(its_groups)" "$group"
	kill -0 "$stranger"
	kill "$stranger"
	wait "$stranger" || true
	wait_for rmdir "$group"
	wait_for nothing_left
}

@test "the state in between: checkpointed, without processes, with its shim; what needs processes names the state" {
	local shim
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	shim=$(shims)
	stay
	is "$c" checkpointed
	equal "$(thole state "$c" | jq -r .pid)" 0
	equal "$(thole list | awk 'NR == 2 { print $2, $3 }')" '0 checkpointed'
	equal "$(shims)" "$shim"
	equal "$(thole_state "$c" '.container.checkpoint')" "$IMG"
	equal "$(thole_state "$c" '.processes.init')" null
	refused 1 "cannot start container '$c': it is checkpointed" thole start "$c"
	refused 125 "cannot exec in container '$c': it is checkpointed" thole exec "$c" true
	refused 1 "cannot signal container '$c': it is checkpointed" thole kill "$c" KILL
	refused 1 "cannot signal container '$c': it is checkpointed" thole kill --all "$c" TERM
	refused 1 "cannot pause container '$c': it is checkpointed" thole pause "$c"
	refused 1 "cannot resume container '$c': it is checkpointed" thole resume "$c"
	refused 1 "cannot checkpoint container '$c': it is checkpointed" thole checkpoint --image-path "$T/img2" "$c"
	refused 125 "container '$c' already exists" thole restore -d --bundle "$B" --image-path "$IMG" "$c"
	refused 125 "--log-path means nothing here: container '$c' is checkpointed" thole restore --log-path "$T/x" "$c"
	is "$c" checkpointed
	restore --pid-file "$T/pid"
	is "$c" running
	equal "$(cat "$T/pid")" "$(init_of "$c")"
	equal "$(shims)" "$shim"
	exits 3 thole exec "$c" sh -c 'exit 3'
	refused 125 "cannot restore container '$c': it is running" thole restore "$c"
	thole kill "$c" KILL
	exits 137 thole wait "$c"
}

# covers: checkpoint --stay
@test "in place: log and attached clients see a pause, each line once and in order, several times over" {
	local i n
	args sh -c "$COUNT"
	thole run -d --bundle "$B" "$c" < /dev/null
	in_background sh -c 'exec "$0" --root "$1" attach --no-stdin "$2" > "$3"' "$THOLE" "$ROOT" "$c" "$T/att"
	wait_for reaches "$T/att" 20
	for ((i = 0; i < (THOLE_LONG ? 10 : 3); i++)); do
		stay
		n=$(last_logged)
		restore
		wait_for more_than $((n + 20))
	done
	in_background sh -c 'exec "$0" --root "$1" attach --no-stdin "$2" > "$3"' "$THOLE" "$ROOT" "$c" "$T/att2"
	# It has begun somewhere behind n.
	wait_for grep -q '^n ' "$T/att2"
	n=$(last_in "$T/att2")
	wait_for reaches "$T/att2" $((n + 20))
	the_log > "$T/out"
	equal "$(head -1 "$T/out")" 'n 0'
	contiguous "$T/out"
	contiguous "$T/att"
	contiguous "$T/att2"
}

@test "in the foreground: the client that ran it goes on, with stdin and stdout, and gets its exit status" {
	mkfifo "$T/in"
	args sh -c 'n=0; while read -r x; do echo "n $x"; n=$((n + 1)); [ "$x" != end ] || exit 7; done; exit 9'
	foreground "$T/in" "$T/out"
	local client=$!
	exec 9> "$T/in"
	seq 0 50 >&9
	wait_for logged_in "$T/out" 'n 50'
	stay
	# What is typed while it is away waits for it.
	seq 51 3000 >&9
	restore
	wait_for logged_in "$T/out" 'n 3000'
	stay
	restore
	echo end >&9
	exec 9>&-
	exits 7 wait "$client"
	equal "$(grep -v end "$T/out")" "$(seq -f 'n %g' 0 3000)"
	equal "$(cat "$T/err")" ''
	thole delete "$c"
}

@test "a terminal: output each line once and in order, its size, and what is typed while it is away" {
	config '.process.terminal = true | .process.consoleSize = { height: 33, width: 99 }'
	args sh -c "stty -echo; ($COUNT) & read x; echo \"got \$x\"; stty size; read x; echo \"got \$x\"; stty size; wait"
	thole run -d --bundle "$B" "$c" < /dev/null
	mkfifo "$T/in"
	in_background sh -c 'exec "$0" --root "$1" attach "$2" < "$3" > "$4" 2>&1' "$THOLE" "$ROOT" "$c" "$T/in" "$T/att"
	exec 9> "$T/in"
	wait_for reaches "$T/att" 20
	mkfifo "$T/steps"
	in_background sh -c 'exec "$0" -s 33x99 "$1" --root "$2" attach "$3" < "$4" > /dev/null 2>&1' "$PROBES/pty" "$THOLE" "$ROOT" "$c" "$T/steps"
	exec 8> "$T/steps"
	echo 'expect n ' >&8
	local i n
	for i in 1 2 3; do
		stay
		[ $i != 2 ] || echo one >&9
		# The size of a client's terminal changes meanwhile.
		[ $i != 3 ] || { echo 'size 41x121' >&8; sleep 0.5; }
		n=$(last_logged)
		restore
		wait_for more_than $((n + 20))
	done
	wait_for logged_in "$T/att" 'got one'
	wait_for logged_in "$T/att" '33 99'
	echo two >&9
	wait_for logged_in "$T/att" 'got two'
	wait_for logged_in "$T/att" '41 121'
	wait_for reaches "$T/att" "$n"
	the_log > "$T/out"
	contiguous "$T/out"
	contiguous "$T/att"
	exec 8>&- 9>&-
}

@test "one who reads slowly in the foreground gets all of it, although the container is gone meanwhile" {
	mkfifo "$T/slow"
	args sh -c 'i=0; while [ $i -lt 200000 ]; do echo "n $i"; i=$((i + 1)); done; exit 4'
	foreground /dev/null "$T/slow"
	local client=$!
	exec 8< "$T/slow"
	wait_for is "$c" running
	wait_for more_than 100
	stay
	restore
	cat <&8 > "$T/out"
	exec 8<&-
	exits 4 wait "$client"
	equal "$(md5sum < "$T/out")" "$(seq -f 'n %.0f' 0 199999 | md5sum)"
	thole delete "$c"
}

@test "delete of one that is away: nothing is left, and who waited for it or followed it is told" {
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
	in_background thole wait "$c"
	local waiter=$! follower
	in_background sh -c 'exec "$0" --root "$1" attach --no-stdin "$2"' "$THOLE" "$ROOT" "$c"
	follower=$!
	wait_for attached
	stay
	kill -0 "$waiter" "$follower"
	thole delete "$c"
	exits 137 wait "$waiter"
	exits 137 wait "$follower"
	not thole state "$c" 2> /dev/null
	wait_for no_shims
	equal "$(own_cgroups)" ''
	[ -s "$IMG/inventory.img" ]
}

attached() { [ "$(ls -l "/proc/$(shims | head -1)/fd" | grep -c socket)" -ge 3 ]; }

@test "a restore in place that fails leaves it checkpointed, and the next one brings it back" {
	args sh -c "$COUNT"
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for more_than 20
	stay
	local n
	n=$(last_logged)
	cp -r "$IMG" "$T/half"
	rm "$T/half"/core-1.img
	refused 125 "cannot restore container '$c': .*Unexpected EOF" thole restore --image-path "$T/half" "$c"
	is "$c" checkpointed
	refused 125 "there is no checkpoint in '$T'" thole restore --image-path "$T" "$c"
	refused 125 "cannot use criu '/nowhere'" thole --criu /nowhere restore "$c"
	refused 125 "criu has ended with status 1" thole --criu /bin/false restore "$c"
	is "$c" checkpointed
	mv "$IMG" "$T/moved"
	refused 125 "cannot open directory '$IMG'" thole restore "$c"
	restore --image-path "$T/moved"
	wait_for more_than $((n + 20))
	the_log > "$T/out"
	contiguous "$T/out"
}

# The shim of the container is killed, and whoever asks first has another one adopt it.
lose_shim() {
	local shim
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	pid_gone "$shim" || wait_for pid_gone "$shim"
}

@test "the shim dies while the container is away: recover gives it the next one, which brings it back" {
	args sh -c "$COUNT"
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for more_than 20
	local n
	for n in 1 2 3; do
		stay
		n=$(last_logged)
		lose_shim
		is "$c" checkpointed
		matches "$(thole list)" "$c .* checkpointed .* lost"
		thole recover "$c"
		matches "$(thole list)" "$c .* checkpointed .* alive"
		thole recover --all
		equal "$(shims | wc -l)" 1
		restore
		equal "$(thole_state "$c" '.container.parked')" null
		wait_for more_than $((n + 20))
		rm -rf "$IMG"
	done
	the_log > "$T/out"
	contiguous "$T/out"
	thole kill "$c" KILL
	exits 137 thole wait "$c"
}

@test "the shim dies while the container is away: who is attached goes on with the next one, and what was not read is" {
	args sh -c 'while [ ! -e /tmp/go ]; do usleep 1000; done; while read -r l; do echo "n $l"; done; exit 4'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	mkfifo "$T/typed"
	exec 8<> "$T/typed"
	in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/typed" > "$T/out" 2> "$T/err" 8>&-
	local client=$!
	seq 0 20 >&8
	unread() { rm -rf "$T/look" && thole checkpoint --leave-running --image-path "$T/look" "$c" && [ "$(wc -l < "$T/look/thole-stdin.img")" = 21 ]; }
	wait_for unread
	stay
	lose_shim
	wait_for has_shim
	touch "$B/rootfs/tmp/go"
	restore
	seq 21 60 >&8
	wait_for reaches "$T/out" 59
	exec 8>&-
	exits 4 wait $client
	contiguous "$T/out"
	equal "$(last_in "$T/out")" 60
	the_log > "$T/log.out"
	contiguous "$T/log.out"
}

@test "the shim dies while the container is away: who watches its events goes on with the next one, and sees its end" {
	args sh -c 'while [ ! -e /tmp/end ]; do usleep 10000; done; exit 4'
	thole run -d --bundle "$B" "$c" < /dev/null
	in_background timeout 60 "$THOLE" --root "$ROOT" events --interval 50ms "$c" > "$T/events" 2> "$T/err"
	local watcher=$! shim
	wait_for grep -q '"type":"stats"' "$T/events"
	stay
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	wait_for eval '[ "$(shims | wc -l)" = 1 ]'
	restore -d
	touch "$B/rootfs/tmp/end"
	exits 0 wait "$watcher"
	equal "$(cat "$T/err")" ''
	matches "$(tail -1 "$T/events")" '"type":"exit".*"code":4|"exitCode":4|"status":4'
}

@test "the shim of a terminal dies while the container is away: it comes back with another one" {
	config '.process.terminal = true'
	args sh -c 'stty -echo; while read -r line; do [ "$line" = end ] && exit 3; echo "[$line]"; done'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	stay --shell-job
	lose_shim
	mkfifo "$T/typed"
	exec 8<> "$T/typed"
	# Who attaches meanwhile waits for it.
	in_background "$THOLE" --root "$ROOT" attach "$c" < "$T/typed" > "$T/seen" 2>&1 8>&-
	local client=$!
	wait_for has_shim
	restore --shell-job
	echo one >&8
	wait_for grep -q '\[one\]' "$T/seen"
	echo end >&8
	exits 3 wait $client
	exec 8>&-
}

@test "the shim dies while the container is away: where it had a keeper, it has one when it is back" {
	local option shim
	has_another() { [ -n "$(shims)" ] && [ "$(shims)" != "$shim" ]; }
	args sleep 1000
	for option in -i --keeper -t; do
		[ "$option" != -t ] || config '.process.terminal = true'
		thole run -d ${option#-t} --bundle "$B" "$c" < /dev/null
		has_keeper || fail "$option"
		stay --shell-job
		wait_for has_no_keeper || fail "$option: away"
		lose_shim
		restore --shell-job
		has_keeper || fail "$option: it has none"
		shim=$(shims)
		kill -KILL "$shim"
		wait_for has_another || fail "$option: it starts no shim"
		is "$c" running
		thole delete --force "$c"
		rm -rf "$IMG"
	done
}

has_shim() { [ "$(shims | wc -l)" = 1 ]; }

@test "the shim dies while the container is away: it can be deleted, and restored from its image" {
	args sh -c "$COUNT"
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	wait_for logged_in "$T/log.1" 'n 20'
	stay
	lose_shim
	thole delete "$c"
	timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" --log-path "$T/log.2" "$c" < /dev/null
	wait_for logged_in "$T/log.2" 'n '
	cat "$T/log.1" "$T/log.2" | sed 's/^[^ ]* stdout F //' > "$T/out"
	contiguous "$T/out"
}

# Under another boot's id, as after a reboot.
rebooted() { # CMD...
	[ -e "$T/boot_id" ] || cat /proc/sys/kernel/random/uuid > "$T/boot_id"
	unshare -m --propagation private sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$T/boot_id" "$THOLE" --root "$ROOT" "$@"
}

@test "the machine is started again while the container is away: stopped (reboot), and its image can be restored" {
	args sh -c "$COUNT"
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" < /dev/null
	wait_for logged_in "$T/log.1" 'n 20'
	stay
	lose_shim
	local way
	for way in before recovered; do
		matches "$(rebooted list)" "$c +0 +stopped \(reboot\)" "$way"
		equal "$(rebooted state "$c" | jq -c '[.status, .thole.reboot]')" '["stopped",true]' "$way"
		refused 125 "cannot restore container '$c': it is stopped \(reboot\): delete it, and restore it from its image with --bundle" rebooted restore "$c"
		rebooted recover --all
	done
	equal "$(rebooted state "$c" | jq -r .thole.shim)" left
	wait_for no_shims
	rebooted delete "$c"
	thole restore -d --bundle "$B" --image-path "$IMG" --log-path "$T/log.2" "$c" < /dev/null
	wait_for logged_in "$T/log.2" 'n '
}

@test "who runs it in the foreground sees it come back, though its shim was killed while it was away" {
	args sh -c "$COUNT"
	mkfifo "$T/in"
	foreground /dev/null "$T/out"
	local client=$! n
	wait_for reaches "$T/out" 20
	stay
	lose_shim
	wait_for has_shim
	n=$(last_in "$T/out")
	restore
	wait_for reaches "$T/out" $((n + 20))
	thole kill "$c" KILL
	exits 137 wait $client
	contiguous "$T/out"
	the_log > "$T/log.out"
	contiguous "$T/log.out"
}

@test "who cannot stay is told so, and runs on" {
	config '.process.args = ["sleep", "1000"]'
	timeout 60 "$THOLE_OCI" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null > /dev/null 2>&1
	refused 1 "cannot keep container '$c': it has no shim that stays \(--leave-running lets it go on\)" thole checkpoint --stay --image-path "$IMG" "$c"
	is "$c" running
}

@test "a signal at a client while the container is away: it says so and leaves, and the container is left alone" {
	local sig client
	args sh -c "trap 'echo ended; exit 3' TERM INT; $COUNT"
	foreground /dev/null "$T/out"
	client=$!
	wait_for reaches "$T/out" 5
	for sig in TERM INT; do
		stay
		kill -$sig $client
		wait_for pid_gone $client
		exits 0 wait $client
		equal "$(cat "$T/err")" "thole: cannot signal container '$c': it is checkpointed; it is left alone"
		restore
		in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" > "$T/out" 2> "$T/err"
		client=$!
		wait_for reaches "$T/out" 5
	done
	kill -TERM $client
	exits 3 wait $client
	contiguous <(the_log)
}
