# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# A container whose shim was killed gets another one, which goes on where the first has stopped.
load lib

setup_test() { bundle; }

# Kills the shim of $c and waits until it is gone.
lose_shim() { # [ID]
	local shim c=${1:-$c}
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	wait_for shim_is lost
}

# covers: recover
@test "state and list say that the shim is lost; recover gives it another, once" {
	detached sleep 1000
	local pid first
	pid=$(init_of "$c") first=$(shim_of "$c")
	matches "$(thole list)" 'SHIM.*alive'
	lose_shim
	is "$c" running
	matches "$(thole list)" "$c .*running .* lost"
	equal "$(thole list --format json | jq -r '.[0].thole.shim')" lost
	thole recover "$c"
	shim_is alive
	is "$c" running
	equal "$(init_of "$c")" "$pid"
	[ "$(shim_of "$c")" != "$first" ]
	first=$(shims)
	thole recover "$c"
	thole recover --all
	equal "$(shims)" "$first"
	equal "$(shim_of "$c")" "$first"
}

@test "its log goes on, and what it wrote meanwhile is in it" {
	detached sh -c 'echo before; while [ ! -e /tmp/go ]; do usleep 10000; done; echo meanwhile; echo err >&2; touch /tmp/said; while [ ! -e /tmp/end ]; do usleep 10000; done; echo after; sleep 1000'
	wait_for logged "$c" before
	lose_shim
	touch "$B/rootfs/tmp/go"
	wait_for test -e "$B/rootfs/tmp/said"
	thole recover "$c"
	wait_for grep -q 'stderr F err' "$THOLE_LOG_DIR/$c/ctr.log"
	touch "$B/rootfs/tmp/end"
	wait_for logged "$c" after
	equal "$(thole logs "$c" 2>&1 | sort | tr '\n' ' ')" 'after before err meanwhile '
}

@test "the log's options hold after it: rotation goes on" {
	args sh -c 'while :; do [ -e /tmp/go ] && { rm /tmp/go; i=0; while [ $i -lt 400 ]; do echo "line number $i of many"; i=$((i+1)); done; touch /tmp/done; }; usleep 10000; done'
	thole run -d --log-opt max-size=4k --log-opt max-file=9 --log-path "$T/its.log" --bundle "$B" "$c" < /dev/null
	lose_shim
	thole recover "$c"
	touch "$B/rootfs/tmp/go"
	wait_for test -e "$B/rootfs/tmp/done"
	all_there() { cat "$T"/its.log* | grep -q 'line number 399'; }
	wait_for all_there
	[ -e "$T/its.log.1" ] || fail "$(ls "$T")"
	equal "$(cat "$T"/its.log* | grep -c 'line number')" 400
}

@test "init has redirected its own output, and a child still holds the pipes" {
	detached sh -c '(while [ ! -e /tmp/go ]; do usleep 10000; done; echo from a child; echo its error >&2; sleep 1000) & exec > /dev/null 2> /tmp/file; echo lost to us; touch /tmp/redirected; sleep 1000'
	wait_for test -e "$B/rootfs/tmp/redirected"
	lose_shim
	thole recover "$c"
	touch "$B/rootfs/tmp/go"
	wait_for grep -q 'stderr F its error' "$THOLE_LOG_DIR/$c/ctr.log"
	wait_for logged "$c" 'from a child'
	not logged "$c" 'lost to us'
}

# Two streams that init does not hold, and one of an exec'd process, in a container without groups: who is left in the host's pid namespace nobody ends, so all end by themselves.
redirected_without_groups() {
	local wait='while [ -e /tmp/wait ]; do usleep 10000; done'
	touch "$B/rootfs/tmp/wait" "$B/rootfs/tmp/exec.wait"
	args sh -c "($wait; echo from a child; echo its error >&2) & exec > /dev/null 2> /dev/null; touch /tmp/redirected; wait"
	thole --cgroup-manager disabled run -d --bundle "$B" "$c" < /dev/null
	thole exec -d --log-driver k8s-file --log-path "$T/exec.log" "$c" sh -c "(${wait/wait/exec.wait}; echo from its child) & exec > /dev/null; touch /tmp/exec.redirected; wait" < /dev/null
	wait_for test -e "$B/rootfs/tmp/redirected"
	wait_for test -e "$B/rootfs/tmp/exec.redirected"
	lose_shim
	thole recover "$c"
	rm "$B/rootfs/tmp/exec.wait"
	wait_for grep -q 'from its child' "$T/exec.log"
	rm "$B/rootfs/tmp/"*
	wait_for logged "$c" 'from a child'
	wait_for grep -q 'stderr F its error' "$THOLE_LOG_DIR/$c/ctr.log"
	wait_for is "$c" stopped
	thole delete "$c"
	rm "$T/exec.log"
}

@test "the same without control groups: in a pid namespace of its own, and in the host's" {
	redirected_without_groups
	config '.linux.namespaces |= map(select(.type != "pid"))'
	redirected_without_groups
}

@test "of a stream that nobody has open the shim's log says so" {
	detached sh -c 'exec > /dev/null; touch /tmp/redirected; sleep 1000'
	wait_for test -e "$B/rootfs/tmp/redirected"
	lose_shim
	thole recover "$c"
	grep -q 'no process that was found has its stdout open' "$ROOT/$c/shim.log"
	not grep -q stderr "$ROOT/$c/shim.log"
}

@test "exec, attach, kill, pause, update, events and ps each adopt it" {
	local cmd
	detached sh -c 'trap "echo got usr1" USR1; while :; do echo tick; usleep 20000; done'
	for cmd in 'exec %s true' 'pause %s' 'ps --format json %s' 'update --pids-limit 77 %s' 'events --stats %s' 'kill %s USR1'; do
		lose_shim
		# shellcheck disable=SC2046,SC2059 # words
		thole $(printf "$cmd" "$c") > "$T/out" < /dev/null || fail "$cmd"
		shim_is alive || fail "$cmd"
		case $cmd in pause*) is "$c" paused; thole resume "$c";; esac
	done
	wait_for logged "$c" 'got usr1'
	lose_shim
	"$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/ticks" 2>&1 3>&- &
	local pid=$!
	wait_for grep -q tick "$T/ticks"
	kill -KILL $pid
	shim_is alive
}

@test "two that adopt at the same moment: one wins, both are served" {
	detached sleep 1000
	local round i pids
	for round in 1 2 3; do
		lose_shim
		pids=()
		for i in 1 2 3 4; do
			thole exec "$c" echo "served $i" > "$T/out.$i" 2>&1 < /dev/null 3>&- &
			pids+=($!)
		done
		wait "${pids[@]}"
		for i in 1 2 3 4; do
			equal "$(cat "$T/out.$i")" "served $i"
		done
		equal "$(shims | wc -l)" 1
	done
}

@test "the exit status of an adopted container is true where the kernel tells it, else unknown" {
	local want
	for want in 7 137; do
		args sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done; [ "$(cat /tmp/stop)" = 7 ] && exit 7; kill -KILL $$; sleep 100'
		[ $want = 7 ] || args sleep 1000
		thole run -d --bundle "$B" "$c" > /dev/null < /dev/null
		lose_shim
		thole recover "$c"
		if [ $want = 7 ]; then echo 7 > "$T/stop" && mv "$T/stop" "$B/rootfs/tmp/stop"; else thole kill "$c" KILL; fi
		if kernel_tells_status; then
			exits $want thole wait "$c"
			equal "$(thole state "$c" | jq -c '.thole.exit | [.known, .code]')" "[true,$want]"
		else
			exits 125 thole wait "$c" 2> "$T/err"
			matches "$(cat "$T/err")" 'is unknown'
			equal "$(thole state "$c" | jq -r .thole.exit.known)" false
		fi
		thole delete "$c"
		rm -f "$B/rootfs/tmp/stop"
	done
}

@test "wait goes on while shims are killed" {
	detached sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done; exit 9'
	local i waiter
	thole wait "$c" 3>&- 2> "$T/err" &
	waiter=$!
	# Each is followed by one that the waiting command starts.
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		there() { shim_is alive && [ -n "$(shims)" ] && [ "$(shims)" = "$(shim_of "$c")" ]; }
		wait_for there
		kill -KILL "$(shim_of "$c")"
	done
	wait_for shim_is alive
	touch "$B/rootfs/tmp/stop"
	if kernel_tells_status; then exits 9 wait $waiter; else exits 125 wait $waiter; fi
}

@test "a created container is adopted, and then started by its shim" {
	args sh -c 'echo runs; sleep 1000'
	thole create --bundle "$B" "$c" < /dev/null
	lose_shim
	thole recover "$c"
	is "$c" created
	thole start "$c"
	is "$c" running
	wait_for logged "$c" runs
}

# Whoever connects starts the program: as a shim, or a client, that is killed before it has written that down.
start_unseen() {
	perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die; chdir $ARGV[0] and connect($s, pack_sockaddr_un("start")) or die "start: $!"; sysread $s, my $end, 1' "$ROOT/$c"
}

@test "its program was started and its shim killed before it wrote that down: it is running, for everybody" {
	args sh -c 'echo up; sleep 1000'
	thole create --bundle "$B" "$c" < /dev/null
	lose_shim
	start_unseen
	is "$c" running
	matches "$(thole list)" "$c .*running .* lost"
	thole recover "$c"
	is "$c" running
	matches "$(thole list)" "$c .*running .* alive"
	refused 1 'cannot start .*running' thole start "$c"
	refused 1 'running' thole delete "$c"
	is "$c" running
	thole pause "$c"
	is "$c" paused
	thole resume "$c"
	is "$c" running
}

@test "so is one of a foreign monitor whose starter was killed" {
	args sh -c 'echo up; sleep 1000'
	thole create --monitor=foreign --bundle "$B" "$c" < /dev/null > "$T/out"
	is "$c" created
	start_unseen
	is "$c" running
	refused 1 'cannot start .*running' thole start "$c"
	refused 1 'running' thole delete "$c"
	thole pause "$c"
	thole resume "$c"
	is "$c" running
}

@test "a status record that a limit on file sizes would cut off is not written: said, and it stays readable" {
	args sleep 1000
	thole create --monitor=foreign --bundle "$B" "$c" < /dev/null > "$T/out"
	exits 1 sh -c 'ulimit -f 2 && trap "" XFSZ && exec "$0" --root "$1" start "$2"' "$THOLE" "$ROOT" "$c" 2> "$T/err"
	matches "$(cat "$T/err")" 'could not be recorded: cannot write the status record: File too large'
	is "$c" running
	thole delete --force "$c"
	nothing_left
}

# covers: recover --all
@test "poststop hooks are run by the adopter, and --rm is remembered" {
	config --arg f "$T/hook" '.hooks.poststop = [ { path: "/bin/sh", args: ["sh", "-c", "cat > \($f)"] } ]'
	args sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done'
	thole run -d --rm --bundle "$B" "$c" > /dev/null < /dev/null
	lose_shim
	thole recover --all
	touch "$B/rootfs/tmp/stop"
	wait_for nothing_left
	wait_for test -s "$T/hook"
	equal "$(jq -r .status "$T/hook")" stopped
}

@test "it ended while nobody was there: --rm is done by recover" {
	args sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done'
	thole run -d --rm --bundle "$B" "$c" > /dev/null < /dev/null
	lose_shim
	touch "$B/rootfs/tmp/stop"
	wait_for is "$c" stopped
	thole recover --all
	wait_for nothing_left
}

@test "OOM is told after an adoption" {
	config '.linux.resources.memory.limit = 20000000'
	detached sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; a=x; while :; do a=$a$a; done'
	lose_shim
	thole events --interval 1h "$c" > "$T/events" 3>&- &
	local pid=$!
	wait_for shim_is alive
	touch "$B/rootfs/tmp/go"
	wait $pid
	matches "$(cat "$T/events")" '"type":"oom"'
}

@test "an adopted container is checkpointed and restored" {
	needs criu
	[ -x "$BUILD/criu/bin/criu" ] && export PATH=$BUILD/criu/bin:$PATH
	detached sh -c 'n=0; while :; do echo "n $n"; n=$((n+1)); usleep 20000; done'
	wait_for logged "$c" 'n 3'
	lose_shim
	thole checkpoint --image-path "$T/image" "$c"
	thole restore -d --image-path "$T/image" --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" 'n '
	lose_shim
	thole exec "$c" true < /dev/null
	shim_is alive
}

@test "before a reboot: stopped (reboot), nothing of the present is touched" {
	detached sleep 1000
	local pid shim
	pid=$(init_of "$c")
	lose_shim
	# The record of another boot, with the pid of a process that lives now.
	perl -e 'local $/; open F, "+<", $ARGV[0] or die; binmode F; $_ = <F>; substr($_, 72, 36) = "00000000-0000-0000-0000-000000000000"; substr($_, 12, 4) = "\0" x 4;
		my $h = 0xcbf29ce484222325; { use integer; for my $w (unpack "q*", $_) { $h = ($h ^ $w) * 0x100000001b3; $h ^= ($h >> 32) & 0xffffffff; } $h = ($h ^ (($h >> 32) & 0xffffffff)) & 0xffffffff }
		substr($_, 12, 4) = pack "V", $h; seek F, 0, 0; print F $_' "$ROOT/$c/status"
	sed -i 's/"bootId":"[^"]*"/"bootId":"00000000-0000-0000-0000-000000000000"/' "$ROOT/$c/state.json"
	is "$c" stopped
	matches "$(thole list)" 'stopped \(reboot\)'
	equal "$(thole state "$c" | jq .thole.reboot)" true
	refused 125 'stopped' thole exec "$c" true
	exits 125 thole wait "$c" 2> "$T/err"
	matches "$(cat "$T/err")" 'unknown'
	thole delete "$c"
	[ -d "/proc/$pid" ]
	# What the test has orphaned is its own to remove.
	kill -KILL "$pid"
	wait_for pid_gone "$pid"
	sweep
}

@test "who cannot read the boot's id takes nobody for ended" {
	detached sleep 1000
	local shim
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for shim_is lost
	unshare -m sh -c 'mount --bind /dev/null /proc/sys/kernel/random/boot_id && for w in "list" "state $2" "recover --all"; do "$0" --root "$1" $w || exit; done' "$THOLE" "$ROOT" "$c" > "$T/out" || fail "$(cat "$T/out")"
	matches "$(grep "^$c" "$T/out")" "^$c +[0-9]+ +running "
	grep -q '"status": *"running"' "$T/out" || fail "$(cat "$T/out")"
	is "$c" running
	thole exec "$c" true
}

@test "exec'd processes are adopted: their status, their signals, and the numbers of new ones" {
	local first second
	detached sleep 1000
	first=$(thole exec -d --print-name "$c" sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done; exit 11' < /dev/null)
	second=$(thole exec -d --print-name "$c" sleep 1000 < /dev/null)
	lose_shim
	thole recover "$c"
	thole wait "$c" "$first" 3>&- 2> "$T/err" &
	local waiter=$!
	touch "$B/rootfs/tmp/stop"
	if kernel_tells_status; then exits 11 wait $waiter; else exits 125 wait $waiter; fi
	[ "$(thole exec -d --print-name "$c" true < /dev/null)" -gt "$second" ]
	lose_shim
	refused 125 'unknown|no process' thole wait "$c" "$first"
	refused 125 'no process' thole wait "$c" 77
}

# A container that numbers its records, as fast as the pipe takes them, into a log of this driver: a kill falls anywhere in reading, logging and rotating.
start_writer() {
	args sh -c 'awk "BEGIN { while ((getline l < \"/tmp/stop\") < 0) for (k = 0; k < 5000; k++) print \"record \" i++ \" of the writer\"; print \"the end after \" i }"; sleep 1000'
	thole run -d --log-driver "$1" --log-opt max-size=1m --log-opt max-file=1000 --log-path "$T/$1.log" --bundle "$B" "$c" < /dev/null
}

written() { stat -c %s "$T/$1.log"* | awk '{ s += $1 } END { print s }'; }

grew() { [ "$(written "$1")" -gt "$2" ]; }

# stop_writer DRIVER: and what is in its log must be all of them, once, in order.
stop_writer() {
	local n
	touch "$B/rootfs/tmp/stop"
	# The last line may have been the last of its file, which has been rotated since.
	all_there() { grep -q 'the end after' "$T/$1.log"*; }
	wait_for all_there "$1" || fail "$1: no end" || return 1
	n=$(grep -ho 'the end after [0-9]*' "$T/$1.log"* | grep -o '[0-9]*')
	thole logs "$c" | grep -o 'record [0-9]* of the writer' | awk -v n="$n" '$2 != want + 0 { print NR ": got " $2 ", wanted " want + 0; exit 1 } { want++ } END { if (want != n) { print want " of " n; exit 1 } }' ||
		fail "$1: not each of them once" || return 1
	thole delete --force "$c"
	rm -f "$T/$1".log* "$B/rootfs/tmp/stop"
}

@test "a writer of numbered records loses nothing and repeats nothing while shims are killed and upgraded" {
	local i kills=5 driver
	[ -z "$THOLE_LONG" ] || kills=50
	for driver in k8s-file raw json-file; do
		start_writer $driver
		for ((i = 0; i < kills; i++)); do
			wait_for grew $driver $((i * 300000))
			lose_shim
			thole recover "$c"
			thole upgrade "$c"
		done
		stop_writer $driver
	done
}

@test "nor does it when the shim is killed in a read that has brought something" {
	local when shim
	for when in 2 9 40; do
		start_writer raw
		wait_for grew raw 1000000
		shim=$(shims)
		strace -qq -o /dev/null -e trace=read -e inject=read:delay_exit=60000000:when=$when -p "$shim" 3>&- &
		local tracer=$!
		stands() { local n; n=$(written raw); sleep 0.3; [ "$n" = "$(written raw)" ]; }
		wait_for stands
		kill -9 "$shim"
		# It may wait for the end of the delay all the same.
		kill $tracer
		wait $tracer || true
		gone() { [ ! -e "/proc/$shim" ]; }
		wait_for gone
		thole recover "$c"
		stop_writer raw
	done
}

# untouched CMD...: runs it, and the container, its files and its processes are afterwards what they were.
untouched() {
	local before after
	before=$(cd "$ROOT/$c" && cksum config.json state.json status 2> /dev/null)
	"$@" || return 1
	after=$(cd "$ROOT/$c" && cksum config.json state.json status 2> /dev/null)
	equal "$after" "$before" files || return 1
	[ -d "/proc/$pid" ] || fail 'init is gone' || return 1
	[ -z "$(shims)" ] || fail 'a shim stays'
}

@test "what cannot be adopted is refused by one line, and untouched" {
	detached sleep 1000
	local pid good=$T/good
	pid=$(init_of "$c")
	lose_shim
	cp -a "$ROOT/$c" "$good"
	bad() { # REGEX SHELL COMMAND in the state directory
		(cd "$ROOT/$c" && eval "$2")
		untouched refused 1 "$1" thole recover "$c" || fail "$2"
		untouched refused 125 "$1" thole exec "$c" true || fail "exec: $2"
		rm -rf "$ROOT/$c/control.sock"
		cp -a "$good/." "$ROOT/$c/"
	}
	bad 'state.json is damaged' ': > state.json'
	bad 'state.json is damaged' 'head -c 300 "$good/state.json" > state.json'
	bad 'state.json is damaged' 'echo "[1]" > state.json'
	bad 'state.json is damaged: it has no format' 'echo "{}" > state.json'
	bad "state.json has format 2, and this program knows 1" 'jq -c ".format = 2" < "$good/state.json" > state.json'
	bad "that of container 'other'" 'jq -c ".container.id = \"other\"" < "$good/state.json" > state.json'
	bad 'different processes as init' 'jq -c ".processes.init.pid = 1" < "$good/state.json" > state.json'
	bad 'different processes as init' 'jq -c "del(.processes)" < "$good/state.json" > state.json'
	bad "log driver 'x' is not known" 'jq -c ".container.logSetup.drivers = \"x\"" < "$good/state.json" > state.json'
	bad "cannot open 'state.json'" 'rm state.json'
	bad "cannot open 'config.json'" 'rm config.json'
	bad "there is no lock file: 'delete --force $c' removes it" 'rm lock'
	bad 'control.sock' 'rm -f control.sock; mkdir control.sock; touch control.sock/x'
	mv "$ROOT/$c/state.json" "$T/state.json"
	mkfifo "$ROOT/$c/state.json"
	refused 1 'state.json is damaged' thole recover "$c"
	mv "$T/state.json" "$ROOT/$c/state.json"
	chown 1000 "$ROOT/$c"
	untouched refused 1 'belongs to uid 1000' thole recover "$c"
	chown 0 "$ROOT/$c"
	untouched refused 1 'does not exist' thole recover "not-$c"
	thole recover "$c"
	shim_is alive
}

@test "delete --force without a shim and with a damaged state: the groups go too, and what nobody knows is said" {
	local how
	for how in ': >' 'head -c 300 "$T/good" >' 'rm'; do
		detached sleep 1000
		pid=$(init_of "$c")
		[ "$(group_dirs | wc -l)" -gt 0 ]
		cp "$ROOT/$c/state.json" "$T/good"
		lose_shim
		eval "$how \"$ROOT/$c/state.json\""
		thole delete --force "$c" 2> "$T/err"
		matches "$(cat "$T/err")" "container '$c': .*state.json.*log"
		[ ! -d "/proc/$pid" ] || wait_for test ! -d "/proc/$pid"
		equal "$(group_dirs)" ''
		[ ! -e "$ROOT/$c" ]
		rm -rf "${THOLE_LOG_DIR:?}/$c"
	done
}

group_dirs() { find /sys/fs/cgroup -type d -name "thole-$c" 2> /dev/null; }

@test "a status record that is missing or another's: said, and the container that has nobody is left as it is" {
	detached sleep 1000
	local pid cmd
	pid=$(init_of "$c")
	cp -p "$ROOT/$c/status" "$T/status"
	lose_shim
	rm "$ROOT/$c/status"
	thole list 2> "$T/err"
	equal "$(cat "$T/err")" "thole: container '$c': its status record is missing"
	for cmd in state 'delete --force' delete kill pause recover start; do
		refused 1 "there is no status record|its status record is missing" thole $cmd "$c"
	done
	for cmd in recover upgrade; do
		refused 1 "container '$c': there is no status record" thole $cmd --all
	done
	refused 125 "container '$c' already exists" thole run -d --bundle "$B" "$c"
	chown 1000 "$T/status"
	cp -p "$T/status" "$ROOT/$c/status"
	for cmd in state 'delete --force' kill recover; do
		refused 1 "'status' belongs to uid 1000, not to uid 0" thole $cmd "$c"
	done
	not pid_gone "$pid"
	chown 0 "$ROOT/$c/status"
	thole recover "$c"
	thole exec "$c" true < /dev/null
}

@test "a status record that is no regular file: nobody waits for it, and list goes on with the others" {
	detached sleep 1000
	local cmd good=$c
	c=$c-b
	detached sleep 1000
	lose_shim
	mv "$ROOT/$c/status" "$T/good"
	mkfifo -m 600 "$ROOT/$c/status"
	for cmd in state recover 'delete --force'; do
		refused 1 "container '$c': .*the status record is no regular file" timeout 60 "$THOLE" --root "$ROOT" $cmd "$c"
	done
	refused 125 "container '$c': .*the status record is no regular file" timeout 60 "$THOLE" --root "$ROOT" exec "$c" true
	timeout 60 "$THOLE" --root "$ROOT" list > "$T/out" 2> "$T/err"
	contains "$(cat "$T/out")" "$good"
	contains "$(cat "$T/err")" "container '$c': the status record is no regular file"
	mv "$T/good" "$ROOT/$c/status"
	thole recover "$c"
	thole delete --force "$c"
	thole delete --force "$good"
}

@test "a lock file that is not the one that the shim has locked: nobody takes its container, and its commands still reach it" {
	local cmd shim pid
	for cmd in 'delete --force' 'kill KILL'; do
		detached sleep 1000
		shim=$(shim_of "$c") pid=$(init_of "$c")
		cp -p "$ROOT/$c/lock" "$T/lock"
		mv "$T/lock" "$ROOT/$c/lock"
		thole recover "$c"
		shim_is alive
		equal "$(shim_of "$c") $(shims)" "$shim $shim"
		case $cmd in
		kill*) thole kill "$c" KILL ;;
		*) thole delete --force "$c" ;;
		esac
		wait_for pid_gone "$pid"
		thole delete --force "$c"
		wait_for pid_gone "$shim"
	done
}

@test "the same when the status record is another file too: the shim that state.json names is found alive" {
	detached sleep 1000
	local cmd name shim
	shim=$(shim_of "$c")
	for name in lock status; do
		cp -p "$ROOT/$c/$name" "$T/$name"
		mv "$T/$name" "$ROOT/$c/$name"
	done
	for cmd in recover 'delete --force' kill; do
		refused 1 "shim $shim of container '$c' lives, but 'lock' is not the file that it has locked" thole $cmd "$c"
	done
	is "$c" running
	equal "$(shims)" "$shim"
	# One that is dead is in nobody's way.
	lose_shim
	thole recover "$c"
	thole delete --force "$c"
}

@test "without its lock file a container goes with delete --force, also through a shim that lives" {
	local cmd pid shim
	for shim in lives lost; do
		detached sleep 1000
		pid=$(init_of "$c") shim=$shim:$(shim_of "$c")
		case $shim in lost*) lose_shim ;; esac
		rm "$ROOT/$c/lock"
		case $shim in
		lost*)
			for cmd in recover upgrade pause delete kill; do
				refused 1 "container '$c': there is no lock file: 'delete --force $c' removes it" thole $cmd "$c"
			done
			;;
		*) shim_is alive ;;
		esac
		not pid_gone "$pid"
		thole delete --force "$c"
		[ ! -e "$ROOT/$c" ]
		wait_for pid_gone "$pid"
		wait_for pid_gone "${shim#*:}"
	done
	# Nor is it said to be gone while a shim lives that nobody reaches.
	detached sleep 1000
	shim=$(shim_of "$c")
	cp -p "$ROOT/$c/status" "$T/status"
	mv "$T/status" "$ROOT/$c/status"
	rm "$ROOT/$c/lock"
	refused 1 "shim $shim of container '$c' lives" thole delete --force "$c"
	lose_shim
	thole delete --force "$c"
}

@test "a status record that is another container's: nobody acts on that one by this one's name" {
	detached sleep 1000
	local pid other=$c
	pid=$(init_of "$c")
	c=$c-b
	detached sleep 1000
	lose_shim
	cp "$ROOT/$c/status" "$T/good"
	cat "$ROOT/$other/status" > "$ROOT/$c/status"
	local cmd
	for cmd in state kill 'delete --force' delete recover pause; do
		refused 1 "container '$c': .*its status record is that of container '$other'" thole $cmd "$c"
	done
	contains "$(thole list 2>&1)" "container '$c': its status record is that of container '$other'"
	not pid_gone "$pid"
	cat "$T/good" > "$ROOT/$c/status"
	thole kill "$c" KILL
	exits 137 thole wait "$c"
	not pid_gone "$pid"
	thole delete --force "$other"
}

@test "contrib/cron/thole-recover: its line gives a container whose shim was killed another, and says nothing" {
	local command
	detached sleep 1000
	lose_shim
	mkdir "$T/bin"
	printf '#!/bin/sh\nexec "%s" --root "%s" "$@"\n' "$THOLE" "$ROOT" > "$T/bin/thole"
	chmod 755 "$T/bin/thole"
	command=$(grep '^[*]' "$TREE/contrib/cron/thole-recover" | awk '{ for (i = 1; i <= 6; i++) $i = ""; print }' | sed "s,/run/thole,$ROOT,; s,/usr/local/bin/thole,$T/bin/thole,")
	env -i PATH=/usr/bin:/bin setsid /bin/sh -c "$command" < /dev/null > "$T/said" 2>&1
	equal "$(cat "$T/said")" ''
	shim_is alive
}

@test "a created container whose shim was killed: all that a quick program says is logged" {
	args sh -c 'echo said; echo in error >&2; exit 3'
	thole create --bundle "$B" "$c" < /dev/null
	lose_shim
	thole start "$c"
	exits 3 thole wait "$c"
	equal "$(thole logs "$c" 2>&1 | sort | xargs)" 'in error said'
}

@test "upgrade --shim of a container that has lost its shim: it gets the named one" {
	detached sleep 1000
	lose_shim
	cp "$BIN/thole-shim" "$T/named-shim"
	V=$("$BIN/thole-shim" --version | sed 's/.* //') perl -0777 -pi -e 's/(?<![0-9.])\Q$ENV{V}\E(?![0-9.])/9.9.9/g' "$T/named-shim"
	thole upgrade --shim "$T/named-shim" "$c"
	equal "$(thole version --shims)" "$c 9.9.9"
}

@test "whoever is in another pid namespace does not take what runs for ended" {
	local cmd
	detached sleep 1000
	lose_shim
	elsewhere() { unshare --pid --fork --mount-proc "$THOLE" --root "$ROOT" "$@"; }
	for cmd in "recover $c" 'recover --all' "delete $c" "delete --force $c" "kill $c KILL"; do
		# shellcheck disable=SC2086 # words
		refused 1 "container '$c': it was started in another pid namespace" elsewhere $cmd
	done
	thole recover "$c"
	is "$c" running
	# Where /proc is still that of before, too.
	lose_shim
	refused 1 "container '$c': it was started in another pid namespace" unshare --pid --fork "$THOLE" --root "$ROOT" ps "$c"
	thole recover "$c"
	thole exec "$c" true < /dev/null
	thole kill "$c" KILL
	cmd=$(shim_of "$c")
	kill -KILL "$cmd"
	wait_for pid_gone "$cmd"
	elsewhere delete "$c"
}

@test "nor of one that is left to somebody else" {
	args sleep 1000
	"$THOLE_OCI" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null > /dev/null 2>&1
	refused 1 "container '$c': it was started in another pid namespace" unshare --pid --fork --mount-proc "$THOLE" --root "$ROOT" delete --force "$c"
	is "$c" running
	thole delete --force "$c"
}

# Somebody else is at its control socket, and does this with S; its own is kept aside.
somebody_listens() { # PERL
	mv "$ROOT/$c/control.sock" "$ROOT/$c/kept.sock"
	perl -MSocket -e 'chdir shift or die; socket S, AF_UNIX, SOCK_SEQPACKET, 0 or die; bind S, sockaddr_un("control.sock") or die; listen S, 8; $| = 1; print "listens\n"; eval shift; die $@ if $@' "$ROOT/$c" "$1" > "$T/listens" 3>&- &
	STARTED+=($!)
	wait_for grep -q listens "$T/listens"
}

@test "somebody else listens at its control socket: said, the container is left as it is" {
	detached sleep 1000
	somebody_listens 'sleep 100'
	refused 1 "container '$c': who listens at control.sock is not its shim" thole kill "$c" KILL
	refused 1 "container '$c': who listens at control.sock is not its shim" thole delete --force "$c"
	rm "$ROOT/$c/control.sock"
	mv "$ROOT/$c/kept.sock" "$ROOT/$c/control.sock"
	thole exec "$c" true < /dev/null
}

@test "whoever listens at its control socket and closes at once is not its shim either" {
	detached sleep 1000
	somebody_listens 'while (accept C, S) { close C }'
	refused 1 "container '$c': who listens at control.sock is not its shim" thole ps "$c"
	refused 1 "container '$c': who listens at control.sock is not its shim" thole recover "$c"
	mv -f "$ROOT/$c/kept.sock" "$ROOT/$c/control.sock"
	thole exec "$c" true < /dev/null
}

# A frozen process of v1 does not die of its SIGKILL; those of v2 do, and nothing else keeps one between life and death.
@test "its shim is dying, but not dead, and somebody is at its socket: no stranger, the command has its answer when it is" {
	local shim asked=1 group=/sys/fs/cgroup/freezer/thole-check-$$-$BATS_TEST_NUMBER
	[ -e /sys/fs/cgroup/freezer/cgroup.procs ] || skip 'needs: the freezer of v1'
	detached sleep 1000
	somebody_listens 'while (accept C, S) { close C; print "asked\n" }'
	shim=$(shim_of "$c")
	mkdir "$group"
	echo "$shim" > "$group/cgroup.procs"
	echo FROZEN > "$group/freezer.state"
	kill -KILL "$shim"
	thole ps "$c" > "$T/ps" 2>&1 3>&- &
	STARTED+=($!)
	wait_for grep -q asked "$T/listens" || asked=
	sleep 0.3
	echo THAWED > "$group/freezer.state"
	[ "$asked" ]
	wait_for pid_gone "$shim"
	kill "${STARTED[0]}" && rm -f "$ROOT/$c/kept.sock"
	exits 0 wait "${STARTED[1]}"
	grep -q 'sleep 1000' "$T/ps"
	wait_for rmdir "$group"
}

@test "the control socket of another container in the place of its own: nothing is done to either" {
	local other=$c.other how command
	detached sleep 1000
	thole run -d --bundle "$B" "$other" < /dev/null > /dev/null
	mv "$ROOT/$c/control.sock" "$ROOT/$c/kept.sock"
	for how in "ln -s ../$other/control.sock" "ln $ROOT/$other/control.sock"; do
		$how "$ROOT/$c/control.sock"
		for command in "kill $c KILL" "delete --force $c" "pause $c" "ps $c" "upgrade $c" "recover $c" "attach $c" "update --pids-limit 100 $c"; do
			# shellcheck disable=SC2086 # words
			refused 1 "container '$c': who listens at control.sock is not its shim" thole $command
		done
		for command in "wait $c" "exec $c true"; do
			# shellcheck disable=SC2086 # words
			refused 125 "container '$c': who listens at control.sock is not its shim" thole $command
		done
		is "$c" running
		is "$other" running
		rm "$ROOT/$c/control.sock"
	done
	mv "$ROOT/$c/kept.sock" "$ROOT/$c/control.sock"
	thole exec "$c" true < /dev/null
	thole delete --force "$other"
}

@test "the start socket of another container in the place of its own: neither is started, with their shims and without" {
	local other=$c.other how who id
	for who in shim lost foreign; do
		args sleep 1000
		for id in "$c" "$other"; do
			if [ $who = foreign ]; then
				thole create --monitor=foreign --bundle "$B" "$id" < /dev/null > /dev/null 2>&1
			else
				thole create --bundle "$B" "$id" < /dev/null
			fi
		done
		[ $who != lost ] || { lose_shim "$c"; lose_shim "$other"; }
		mv "$ROOT/$c/start" "$ROOT/$c/kept"
		for how in "ln -s ../$other/start" "ln $ROOT/$other/start"; do
			$how "$ROOT/$c/start"
			refused 1 "cannot start container '$c': 'start' is not the container's own socket" thole start "$c"
			is "$c" created
			is "$other" created
			rm "$ROOT/$c/start"
		done
		mv "$ROOT/$c/kept" "$ROOT/$c/start"
		thole start "$c"
		is "$c" running
		is "$other" created
		thole delete --force "$c"
		thole delete --force "$other"
	done
}

@test "a lock that somebody else holds: nobody listens, and that is said" {
	detached sleep 1000
	lose_shim
	perl -e 'open F, "+<", shift or die; my $l = pack("s s x4 q q i x4", 1, 0, 0, 1, 0); fcntl F, 6, $l or die $!; $| = 1; print "held\n"; sleep 100' "$ROOT/$c/lock" > "$T/held" 3>&- &
	STARTED+=($!)
	local holder=$!
	wait_for grep -q held "$T/held"
	refused 1 'somebody holds its lock, but no shim listens' thole pause "$c"
	refused 1 "container '$c': somebody holds its lock, but no shim listens" thole recover "$c"
	refused 1 "container '$c': somebody holds its lock, but no shim listens" thole recover --all
	kill -KILL $holder
	thole exec "$c" true < /dev/null
	# The whole file, while a shim has its own byte of it.
	lose_shim
	perl -e 'open F, "+<", shift or die; my $l = pack("s s x4 q q i x4", 1, 0, 1, 0, 0); fcntl F, 6, $l or die $!; $| = 1; print "held\n"; sleep 100' "$ROOT/$c/lock" > "$T/held" 3>&- &
	STARTED+=($!)
	holder=$!
	wait_for grep -q held "$T/held"
	exits 0 timeout 60 "$THOLE" --root "$ROOT" exec "$c" true < /dev/null 2> "$T/err" || contains "$(cat "$T/err")" 'somebody else holds the lock'
	kill -KILL $holder
	thole exec "$c" true < /dev/null
}

@test "shims that leave just when a client comes to them: however often, the client is served" {
	detached sleep 1000
	lose_shim
	# What many clients that each start a shim for a moment look like to one more.
	perl -MSocket -e 'chdir shift or die; open F, "+<", "lock" or die; my $l = pack("s s x4 q q i x4", 1, 0, 0, 1, 0); fcntl F, 6, $l or die $!; unlink "control.sock";
		socket S, AF_UNIX, SOCK_SEQPACKET, 0 or die; bind S, sockaddr_un("control.sock") or die; listen S, 8; $| = 1; print "held\n"; for (1 .. 12) { accept C, S or die; close C; print "left\n" }' \
		"$ROOT/$c" > "$T/held" 3>&- &
	STARTED+=($!)
	wait_for grep -q held "$T/held"
	thole pause "$c"
	equal "$(grep -c left "$T/held")" 12
	thole resume "$c"
}

@test "a created container that was killed in the middle of its creation is removed by recover --all" {
	args sleep 1000
	mkdir -p "$ROOT/$c"
	chmod 700 "$ROOT" "$ROOT/$c"
	: > "$ROOT/$c/lock"
	thole recover --all
	[ ! -e "$ROOT/$c" ]
}

# One round: a command under way, and SIGKILL to the shim somewhere in it.
kill_in() { # PHASE MICROSECONDS
	case $1 in
	create) kill_after "$2" shim "$ROOT" "$THOLE" --root "$ROOT" create --bundle "$B" "$c" ;;
	start)
		thole create --bundle "$B" "$c" < /dev/null
		kill_after "$2" shim "$ROOT" "$THOLE" --root "$ROOT" start "$c"
		;;
	*)
		thole run -d --log-opt max-size=64k --bundle "$B" "$c" < /dev/null > /dev/null
		case $1 in
		exec) kill_after "$2" shim "$ROOT" "$THOLE" --root "$ROOT" exec "$c" true ;;
		terminal) kill_after "$2" shim "$ROOT" "$THOLE" --root "$ROOT" exec -t "$c" true ;;
		attach) kill_after "$2" shim "$ROOT" timeout 2 "$THOLE" --root "$ROOT" attach --no-stdin "$c" ;;
		rotation) kill_after "$2" shim "$ROOT" true ;;
		end) kill_after "$2" shim "$ROOT" "$THOLE" --root "$ROOT" kill "$c" TERM ;;
		delete) kill_after "$2" shim "$ROOT" "$THOLE" --root "$ROOT" delete --force "$c" ;;
		esac
		;;
	esac
}

# It never started and nothing is left, or it runs on and is adopted, or it has ended with its true status.
check_after_kill() { # WHAT
	local s said
	thole recover --all || fail "$1: recover"
	case $(status "$c") in
	created | running)
		# One that has just been killed may not have let go of its lock yet.
		recovered() { thole recover --all && shim_is alive && [ "$(shims | wc -l)" = 1 ]; }
		wait_for recovered || [ "$(status "$c")" = stopped ] || fail "$1: no shim"
		# Its own end may have come in between: it has been asked for, and comes when somebody takes what it writes.
		[ "$(status "$c")" = created ] || { said=$(thole exec "$c" echo inside < /dev/null 2>&1) && [ "$said" = inside ]; } || [ "$(status "$c")" = stopped ] || fail "$1: $said"
		;;
	esac
	if [ "$(status "$c")" = stopped ]; then
		s=$(status_of thole wait "$c" 2> "$T/err")
		# Nobody was there when it ended: then it may be unknown, and says so.
		[ "$s" = 5 ] || [ "$s" = 137 ] || { [ "$s" = 125 ] && grep -q unknown "$T/err"; } || fail "$1: status $s"
	fi
	thole delete --force "$c" || fail "$1: delete"
	nothing_left || wait_for nothing_left || fail "$1: left: $(leftovers)"
}

@test "SIGKILL to the shim at random moments of create, start, exec with and without a terminal, attach, rotation, an end and delete" {
	local i us phases=(create start exec terminal attach rotation end delete) moments=24 phase
	[ -z "$THOLE_LONG" ] || moments=200
	args sh -c 'trap "exit 5" TERM; while :; do echo "some text that fills a log, again and again"; done'
	for ((i = 0; i < moments; i++)); do
		phase=${phases[i % 8]} us=$(((RANDOM * 32768 + RANDOM) % 60000))
		kill_in "$phase" $us
		check_after_kill "$phase, killed after $us us"
	done
}
