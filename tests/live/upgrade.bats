# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Another program in a shim's place: the container, and whoever is connected, notice nothing.
load lib

setup_test() { bundle; }

# Another version of the shim: the same program, which calls itself 9.9.9.
another_shim() {
	local version
	version=$("$BIN/thole-shim" --version | sed 's/.* //')
	[ ${#version} = 5 ] || fail "a version of five characters is wanted, not '$version'"
	mkdir -p "$T/other"
	V=$version perl -0777 -pe 's/(?<![0-9.])\Q$ENV{V}\E(?![0-9.])/9.9.9/g' "$BIN/thole-shim" > "$T/other/thole-shim"
	cp "$BIN/thole-keeper" "$T/other/"
	chmod 755 "$T/other"/*
}

shim_version() { thole list --format json | jq -r --arg c "$c" '.[] | select(.id == $c).thole.shimVersion'; }

# covers: upgrade, upgrade --shim, version --shims
@test "another program runs in the shim's place: same pid, same parent, the version is told" {
	another_shim
	detached sleep 1000
	local pid shim old
	pid=$(init_of "$c") shim=$(shim_of "$c") old=$(shim_version)
	thole upgrade --shim "$T/other/thole-shim" "$c"
	equal "$(shim_of "$c")" "$shim"
	equal "$(init_of "$c")" "$pid"
	equal "$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")" "$shim"
	equal "$(shim_version)" 9.9.9
	matches "$(thole list)" "$c .* alive +9\.9\.9"
	equal "$(thole version --shims)" "$c 9.9.9"
	equal "$(thole_state "$c" .shim.version)" 9.9.9
	thole upgrade "$c"
	equal "$(shim_version)" "$old"
	equal "$(shims)" "$shim"
	thole exec "$c" true
	thole kill "$c" KILL
	exits 137 thole wait "$c"
}

# target WORD: a program that behaves so (probes/target.c), in $T/WORD
target() {
	{ cat "$PROBES/target"; printf '%-16s' "$1" | tr ' ' '\0'; } > "$T/$1"
	chmod 755 "$T/$1"
}

# The container, its shim and its version are what they were before.
untouched() { # SHIM VERSION
	equal "$(shims)" "$1"
	equal "$(shim_version)" "$2"
	is "$c" running
	equal "$(thole exec "$c" echo served < /dev/null)" served
}

@test "a target that is none, cannot run, refuses, says nothing or dies: it says why and nothing has happened" {
	detached sleep 1000
	local shim version word
	shim=$(shim_of "$c") version=$(shim_version)
	for word in crash mute refuse; do target $word; done
	echo '#!/bin/sh' > "$T/script"
	echo text > "$T/plain"
	chmod 755 "$T/script"
	mkdir "$T/dir"
	refused 1 'absent.*No such file' thole upgrade --shim "$T/absent" "$c"
	refused 1 "cannot execute '.*/plain'.*Permission" thole upgrade --shim "$T/plain" "$c"
	refused 1 "cannot execute '.*/dir'.*Permission" thole upgrade --shim "$T/dir" "$c"
	refused 1 "container '$c': the new shim: cannot be executed: it is a script" thole upgrade --shim "$T/script" "$c"
	refused 1 "container '$c': the new shim is another program.*status 0" thole upgrade --shim "$T/mute" "$c"
	refused 1 "container '$c': the new shim: applet not found" thole upgrade --shim "$(command -v busybox)" "$c"
	refused 1 "container '$c': the new shim was ended by signal 6" thole upgrade --shim "$T/crash" "$c"
	refused 1 "container '$c': the new shim: it is not for me" thole upgrade --shim "$T/refuse" "$c"
	refused 1 "container 'nobody' does not exist" thole upgrade nobody
	refused 1 'needs an ID, or --all' thole upgrade
	refused 1 'contradict' thole upgrade --all "$c"
	untouched "$shim" "$version"
}

@test "a target that hangs is given up at its deadline, and everything goes on meanwhile" {
	detached sleep 1000
	local shim version pid
	shim=$(shim_of "$c") version=$(shim_version)
	target hang
	"$THOLE" --root "$ROOT" upgrade --shim "$T/hang" "$c" > "$T/out" 2>&1 < /dev/null 3>&- &
	pid=$!
	equal "$(thole exec "$c" echo served < /dev/null)" served
	refused 1 'is being upgraded' thole upgrade "$c"
	exits 1 wait $pid
	matches "$(cat "$T/out")" "container '$c': the new shim has not answered within 5 s"
	untouched "$shim" "$version"
}

@test "a client that is killed while a target is tried out takes the upgrade with it" {
	detached sleep 1000
	local shim version pid
	shim=$(shim_of "$c") version=$(shim_version)
	target hang
	"$THOLE" --root "$ROOT" upgrade --shim "$T/hang" "$c" > "$T/out" 2>&1 < /dev/null 3>&- &
	pid=$!
	tried_out() { pgrep -P "$shim" > /dev/null && grep -lqa -- --check-state $(pgrep -P "$shim" | sed 's,.*,/proc/&/cmdline,'); }
	wait_for tried_out
	kill -KILL $pid
	not_tried_out() { ! tried_out; }
	wait_for not_tried_out
	untouched "$shim" "$version"
	thole upgrade "$c"
	untouched "$shim" "$version"
}

@test "a program that cannot go on gives its place back: same shim, whoever is connected stays" {
	args sh -c 'while [ ! -e /tmp/stop ]; do echo tick; usleep 10000; done; exit 5'
	thole run -d --bundle "$B" "$c" < /dev/null
	local shim version waiter
	shim=$(shim_of "$c") version=$(shim_version)
	thole wait "$c" 3>&- &
	waiter=$!
	target yes-back
	refused 1 "the new shim could not go on, and the old one does: it had rather not" thole upgrade --shim "$T/yes-back" "$c"
	untouched "$shim" "$version"
	thole upgrade "$c"
	touch "$B/rootfs/tmp/stop"
	exits 5 wait $waiter
}

@test "a program that dies in the shim's place: another shim adopts the container, and that is said" {
	detached sh -c 'while :; do echo tick; usleep 10000; done'
	local pid
	pid=$(init_of "$c")
	target yes-crash
	refused 1 "container '$c': its shim has died; another one has adopted it" thole upgrade --shim "$T/yes-crash" "$c"
	equal "$(init_of "$c")" "$pid"
	equal "$(shims)" "$(shim_of "$c")"
	is "$c" running
	thole exec "$c" true < /dev/null
}

@test "what is soon over is waited for, and what is not is not: a start with hooks" {
	config --arg t "$T" '.hooks.poststart = [{path: "/bin/sh", args: ["sh", "-c", "touch \($t)/hook; while [ ! -e \($t)/go ]; do sleep 0.05; done"]}]'
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	in_background "$THOLE" --root "$ROOT" start "$c" < /dev/null
	wait_for test -e "$T/hook"
	refused 1 'something else is under way' thole upgrade "$c"
	in_background "$THOLE" --root "$ROOT" upgrade "$c"
	local upgrade=${STARTED[-1]}
	asked() { [ "$(ls -l "/proc/$(shim_of "$c")/fd" | grep -c socket:)" -ge 3 ]; }
	wait_for asked
	touch "$T/go"
	exits 0 wait "$upgrade"
	thole exec "$c" true < /dev/null
}

@test "a state that does not decode, or is of a later format, is refused by --check-state" {
	detached sleep 1000
	check() { "$BIN/thole-shim" --state-fd 3 --check-state --root "$ROOT" "$c" 3< "$T/copy" > "$T/out"; }
	head -c 500 /dev/urandom > "$T/copy"
	exits 1 check
	matches "$(cat "$T/out")" '^thole-shim: .*(does not decode|is wrong)'
	: > "$T/copy"
	exits 1 check
	printf '\x08\x63' > "$T/copy"
	exits 1 check
	matches "$(cat "$T/out")" 'it has format 99'
}

kept() { # wait, events, attach, exec and run of one container, over an upgrade
	args sh -c 'echo begin; while [ ! -e /tmp/stop ]; do usleep 5000; done; echo end; exit 7'
	in_background "$THOLE" --root "$ROOT" run --keep --bundle "$B" "$c" > "$T/run" 2>&1 < /dev/null
	local run=$! waiter attach events exec
	wait_for grep -q begin "$T/run"
	in_background "$THOLE" --root "$ROOT" wait "$c"
	waiter=$!
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" > "$T/attach" 2>&1 < /dev/null
	attach=$!
	in_background "$THOLE" --root "$ROOT" events --interval 1h "$c" > "$T/events"
	events=$!
	in_background "$THOLE" --root "$ROOT" exec "$c" sh -c 'echo exec; while [ ! -e /tmp/stop.exec ]; do usleep 5000; done; echo its end; exit 9' > "$T/exec" 2>&1 < /dev/null
	exec=$!
	wait_for grep -q exec "$T/exec"
	connected() { [ "$(ls -l "/proc/$(shim_of "$c")/fd" 2> /dev/null | grep -c socket:)" -ge 7 ]; }
	wait_for connected
	"$@"
	touch "$B/rootfs/tmp/stop.exec"
	exits 9 wait $exec
	equal "$(tr '\n' ' ' < "$T/exec")" 'exec its end '
	"$@"
	touch "$B/rootfs/tmp/stop"
	exits 7 wait $run
	exits 7 wait $waiter
	exits 7 wait $attach
	exits 0 wait $events
	equal "$(tr '\n' ' ' < "$T/run")" 'begin end '
	equal "$(cat "$T/attach")" end
	equal "$(thole wait "$c" 1 > /dev/null; echo $?)" 9
}

@test "wait, events, attach, a foreground run and exec go on over upgrades" {
	upgraded() { thole upgrade "$c"; }
	kept upgraded
}

@test "an upgrade without an end: 20 in a row, with clients connected" {
	upgraded() { for _ in 1 2 3 4 5 6 7 8 9 10; do thole upgrade "$c" || return 1; done; }
	kept upgraded
}

@test "a terminal, its size, and what is typed at it" {
	needs tmux
	config '.process.terminal = true'
	args sh -c 'stty -echo; while read line; do [ "$line" = end ] && exit 3; echo "[$line]"; done'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	# What types is a fifo that stays open.
	mkfifo "$T/typed"
	exec 8<> "$T/typed"
	"$THOLE" --root "$ROOT" attach "$c" < "$T/typed" > "$T/seen" 2>&1 3>&- 8>&- &
	local pid=$!
	echo one >&8
	wait_for grep -q '\[one\]' "$T/seen"
	thole upgrade "$c"
	echo two >&8
	wait_for grep -q '\[two\]' "$T/seen"
	thole upgrade "$c"
	echo end >&8
	exits 3 wait $pid
	exec 8>&-
	equal "$(grep -c '\[one\]' "$T/seen")" 1
}

@test "stdin stays open, and its end is still the container's" {
	args sh -c 'while read line; do echo "got $line"; done; echo closed; exit 4'
	mkfifo "$T/in"
	exec 8<> "$T/in"
	"$THOLE" --root "$ROOT" run --bundle "$B" "$c" < "$T/in" > "$T/seen" 2>&1 3>&- 8>&- &
	local pid=$!
	exec 9> "$T/in" 8>&-
	echo one >&9
	wait_for grep -q 'got one' "$T/seen"
	thole upgrade "$c"
	echo two >&9
	wait_for grep -q 'got two' "$T/seen"
	exec 9>&-
	exits 4 wait $pid
	equal "$(tr '\n' ' ' < "$T/seen")" 'got one got two closed '
}

@test "its keeper is exchanged too, and starts the new shim" {
	another_shim
	args sh -c 'while read line; do echo "got $line"; done'
	thole run -d -i --bundle "$B" "$c" < /dev/null
	keepers() { local p; for p in $(own_processes); do tr '\0' '\n' < "/proc/$p/cmdline" | head -1 | grep -q thole-keeper && echo "$p"; done; return 0; }
	local before shim
	before=$(keepers) shim=$(shim_of "$c")
	[ -n "$before" ]
	thole upgrade --shim "$T/other/thole-shim" "$c"
	wait_for pid_gone "$before"
	equal "$(keepers | wc -l)" 1
	kill -KILL "$shim"
	adopted() { [ "$(shims | wc -l)" = 1 ] && [ "$(shims)" != "$shim" ] && [ "$(shim_of "$c")" = "$(shims)" ]; }
	wait_for adopted
	equal "$(shim_version)" 9.9.9
	echo hello | timeout 10 "$THOLE" --root "$ROOT" attach "$c" > "$T/seen" 2>&1 || true
	wait_for logged "$c" 'got hello'
}

# covers: upgrade --all
@test "--all upgrades every container; one line for each that cannot be" {
	local i other
	another_shim
	args sleep 1000
	for i in 1 2 3 4 5; do thole run -d --bundle "$B" "$c-$i" < /dev/null; done
	thole upgrade --all --shim "$T/other/thole-shim"
	equal "$(thole version --shims | sort | tr '\n' ' ')" "$(for i in 1 2 3 4 5; do echo "$c-$i 9.9.9"; done | tr '\n' ' ')"
	# One whose state is damaged, one whose shim is gone.
	cp "$ROOT/$c-2/state.json" "$T/kept"
	echo '{' > "$ROOT/$c-2/state.json"
	kill -KILL "$(shim_of "$c-4")"
	wait_for pid_gone "$(shim_of "$c-4")"
	refused 1 "container '$c-2': the new shim: state.json is damaged" thole upgrade --all
	cp "$T/kept" "$ROOT/$c-2/state.json"
	for i in 1 3 4 5; do
		other=$(thole list --format json | jq -r --arg c "$c-$i" '.[] | select(.id == $c).thole.shimVersion')
		[ "$other" != 9.9.9 ] || fail "$c-$i is still 9.9.9"
	done
	equal "$(thole version --shims | grep -c 9.9.9)" 1
	for i in 1 2 3 4 5; do thole delete --force "$c-$i"; done
}

@test "one that has been checkpointed and stays is refused, and so is one that is checkpointed just now" {
	needs criu
	[ -x "$BUILD/criu/bin/criu" ] && export PATH=$BUILD/criu/bin:$PATH
	detached sleep 1000
	thole checkpoint --stay --image-path "$T/image" "$c"
	refused 1 "cannot upgrade the shim of container '$c': it is checkpointed" thole upgrade "$c"
	thole restore -d --image-path "$T/image" "$c" < /dev/null
	thole upgrade "$c"
	# criu waits where it is asked to: in a dump that a wrapper holds.
	mkdir "$T/bin"
	printf '#!/bin/sh\ntouch "%s"\nwhile [ ! -e "%s" ]; do sleep 0.02; done\nexec "%s" "$@"\n' "$T/dumping" "$T/go" "$(command -v criu)" > "$T/bin/criu"
	chmod 755 "$T/bin/criu"
	"$THOLE" --root "$ROOT" --criu "$T/bin/criu" checkpoint --leave-running --image-path "$T/image2" "$c" < /dev/null > "$T/out" 2>&1 3>&- &
	local pid=$!
	wait_for test -e "$T/dumping"
	refused 1 'it is being checkpointed' thole upgrade "$c"
	touch "$T/go"
	exits 0 wait $pid
	thole upgrade "$c"
	is "$c" running
}

@test "created, paused and stopped containers are upgraded and go on from there" {
	args sh -c 'echo runs; exec sleep 1000'
	thole create --bundle "$B" "$c" < /dev/null
	thole upgrade "$c"
	is "$c" created
	thole start "$c"
	wait_for logged "$c" runs
	thole pause "$c"
	thole upgrade "$c"
	is "$c" paused
	thole resume "$c"
	thole kill "$c" TERM
	thole kill "$c" KILL
	exits 137 thole wait "$c"
	thole upgrade "$c"
	is "$c" stopped
	exits 137 thole wait "$c"
	thole delete "$c"
	is "$c" ''
}

@test "what an adopted, an --rm and a hooked container were to do at their ends they do" {
	config --arg f "$T/hook" '.hooks.poststop = [ { path: "/bin/sh", args: ["sh", "-c", "cat > \($f)"] } ]'
	args sh -c 'while [ ! -e /tmp/stop ]; do usleep 10000; done'
	thole run -d --rm --bundle "$B" "$c" > /dev/null < /dev/null
	kill -KILL "$(shim_of "$c")"
	thole upgrade "$c"
	thole upgrade "$c"
	touch "$B/rootfs/tmp/stop"
	wait_for nothing_left
	wait_for test -s "$T/hook"
	equal "$(jq -r .status "$T/hook")" stopped
}

@test "the memory of an idle shim is as before" {
	detached sleep 1000
	local shim before
	shim=$(shim_of "$c")
	# Until it has tidied up and sleeps.
	[ "${THOLE_FLAVOUR:-}" != san ] || skip "the sanitizers have a memory of their own"
	resident() { awk '/^Private/ { n += $2 } END { print n }' "/proc/$shim/smaps_rollup"; }
	small() { [ "$(resident)" -le "$1" ]; }
	wait_for small 300
	before=$(resident)
	thole upgrade "$c"
	thole upgrade "$c"
	wait_for small $((before + 40)) || fail "$before KiB before, $(resident) KiB after"
	thole run -d --bundle "$B" "$c-2" < /dev/null > /dev/null
	# Both without what only their beginning needed.
	as_many() { [ "$(ls "/proc/$shim/fd" | wc -l)" = "$(ls "/proc/$(shim_of "$c-2")/fd" | wc -l)" ]; }
	wait_for as_many || fail "$(ls -l "/proc/$shim/fd" "/proc/$(shim_of "$c-2")/fd")"
	thole delete --force "$c-2"
}

@test "OOM is told after an upgrade, once" {
	config '.linux.resources.memory.limit = 20000000'
	detached sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; a=x; while :; do a=$a$a; done'
	in_background "$THOLE" --root "$ROOT" events --interval 1h --memory-pressure low "$c" > "$T/events"
	local pid=$!
	watched() { ls -l "/proc/$(shim_of "$c")/fd" | grep -qE 'eventfd|inotify'; }
	wait_for watched
	thole upgrade "$c"
	touch "$B/rootfs/tmp/go"
	exits 0 wait $pid
	equal "$(grep -c '"type":"oom"' "$T/events")" 1
	equal "$(thole state "$c" | jq .thole.exit.oomKilled)" true
}

@test "a service manager is told by the new program, and the container still reaches it" {
	export NOTIFY_SOCKET=$T/manager
	: > "$T/told"
	in_background perl -MSocket -e '$| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die;
		print STDERR "ready\n"; while (defined recv($s, my $b, 65536, 0)) { $b =~ s/\n/;/g; print "$b\n" }' "$NOTIFY_SOCKET" >> "$T/told" 2> "$T/listens"
	wait_for grep -q ready "$T/listens"
	args sh -c 'say READY=1; while [ ! -e /tmp/go ]; do usleep 5000; done; say STATUS=after; trap "exit 8" TERM; while :; do usleep 5000; done'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for grep -q 'READY=1;' "$T/told"
	thole upgrade "$c"
	touch "$B/rootfs/tmp/go"
	wait_for grep -q 'STATUS=after;' "$T/told"
	# SIGTERM to the main process of the unit is the container's.
	kill -TERM "$(shim_of "$c")"
	exits 8 thole wait "$c"
}

@test "journald and a line that is begun: one message" {
	in_background "$PROBES/journal" "$T/j" > "$T/journal"
	wait_for grep -q ready "$T/journal"
	args sh -c 'printf "half of "; touch /tmp/half; while [ ! -e /tmp/go ]; do usleep 5000; done; echo it; sleep 1000'
	thole run -d --log-driver journald --log-opt socket="$T/j" --bundle "$B" "$c" < /dev/null
	wait_for test -e "$B/rootfs/tmp/half"
	thole upgrade "$c"
	touch "$B/rootfs/tmp/go"
	wait_for grep -q '^MESSAGE=' "$T/journal"
	equal "$(grep '^MESSAGE=' "$T/journal")" 'MESSAGE=half of it'
}

@test "json-file and a character that is begun; logrotate has moved the file meanwhile" {
	args sh -c 'printf "\342\202"; touch /tmp/half; while [ ! -e /tmp/go ]; do usleep 5000; done; printf "\254\n"; touch /tmp/end; sleep 1000'
	thole run -d --log-driver json-file --log-path "$T/its.log" --bundle "$B" "$c" < /dev/null
	wait_for test -e "$B/rootfs/tmp/half"
	mv "$T/its.log" "$T/moved.log"
	thole upgrade "$c"
	[ ! -e "$T/its.log" ] || fail 'the upgrade has made a log'
	touch "$B/rootfs/tmp/go"
	wait_for grep -q . "$T/moved.log"
	equal "$(jq -rj .log < "$T/moved.log" | od -An -tx1 | tr -d ' ')" e282ac0a
}

@test "100 containers in one command" {
	local i n
	n=$(long 20 100)
	args sleep 1000
	for ((i = 0; i < n; i++)); do thole run -d --bundle "$B" "$c-$i" < /dev/null; done
	another_shim
	thole upgrade --all --shim "$T/other/thole-shim"
	equal "$(thole version --shims | grep -c ' 9.9.9$')" "$n"
	equal "$(thole list --format json | jq '[.[] | select(.thole.shim == "alive")] | length')" "$n"
	for ((i = 0; i < n; i++)); do thole delete --force "$c-$i"; done
}

@test "what came with the upgrade is closed: mounts, programs, states" {
	detached sleep 1000
	local shim before
	shim=$(shim_of "$c")
	open_files() { find "/proc/$shim/fd" -type l -printf '%l\n' | sed 's/[0-9]*\]$//' | sort; }
	thole upgrade "$c"
	tidied() { ! open_files | grep -qE '^/$|thole-state'; }
	wait_for tidied
	before=$(open_files)
	for _ in 1 2 3 4 5; do thole upgrade "$c"; done
	wait_for tidied
	equal "$(open_files)" "$before"
	# Nothing leaks into what is started afterwards.
	equal "$(thole exec "$c" ls /proc/self/fd < /dev/null | tr '\n' ' ')" '0 1 2 3 '
}

# ---- at full speed

whole() { # N NAME
	equal "$("$PROBES/records" --check < "$T/$2.out")" "records=$(($1 - $1 / 10)) last=$(($1 - 1))" "stdout of $2"
	equal "$("$PROBES/records" --check < "$T/$2.err")" "records=$(($1 / 10)) last=$1" "stderr of $2"
}

# upgrades N: while the container writes, and $SEEN has become larger each time; then it is told that it is enough, and N is how many records there were
upgrades() {
	local i before
	more() { [ "$(stat -c %s "$SEEN")" -gt "$before" ]; }
	for ((i = 0; i < $1; i++)); do
		before=$(stat -c %s "$SEEN")
		wait_for more
		thole upgrade "$c" || return 1
	done
	touch "$B/rootfs/tmp/enough"
	written() { [ -e "$B/rootfs/tmp/end" ]; }
	WAIT_S=60 wait_for written
	N=$(cat "$B/rootfs/tmp/enough")
}

at_full_speed() { # DRIVER UPGRADES OPTIONS...
	[ "${THOLE_FLAVOUR:-}" != san ] || skip "full speed is for the release build"
	local driver=$1 upgrades=$2 attach late before
	args sh -c "while [ ! -e /tmp/go ]; do usleep 1000; done; /usr/bin/records 100000000 64 1 /tmp/enough; touch /tmp/end; while [ ! -e /tmp/leave ]; do usleep 1000; done"
	thole run -d --log-driver "$driver" --log-opt max-size=unlimited "${@:3}" --bundle "$B" "$c" < /dev/null
	pipes() { find "/proc/$(shim_of "$c")/fd" -lname 'pipe:*' 2> /dev/null | wc -l; }
	before=$(pipes)
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/attach.out" 2> "$T/attach.err"
	attach=$!
	# One that falls behind and catches up from the log.
	in_background "$THOLE" --root "$ROOT" attach --no-stdin "$c" < /dev/null > "$T/late.out" 2> "$T/late.err"
	late=$!
	# Two of the shim's ends for each.
	attached() { [ "$(pipes)" -ge $((before + 4)) ]; }
	wait_for attached
	kill -STOP $late
	touch "$B/rootfs/tmp/go"
	SEEN=$T/attach.out
	upgrades "$upgrades"
	kill -CONT $late
	touch "$B/rootfs/tmp/leave"
	exits 0 wait $attach || fail "$(tail -3 "$T/attach.err")"
	exits 0 wait $late || fail "$(tail -3 "$T/late.err")"
	thole logs "$c" > "$T/log.out" 2> "$T/log.err"
	whole "$N" log
	whole "$N" attach
	whole "$N" late
}

# long SHORT LONG
long() { if [ "$THOLE_LONG" ]; then echo "$2"; else echo "$1"; fi; }

@test "k8s-file: records at full speed over upgrades: nothing lost, nothing twice, in log and attach" {
	at_full_speed k8s-file "$(long 5 50)"
}

@test "json-file: the same" {
	at_full_speed json-file "$(long 3 25)"
}

@test "with rotation: the same" {
	# Who is behind by more than 64 files is told what is missing: that is not meant here.
	at_full_speed k8s-file "$(long 3 25)" --log-opt max-size="$(long 8m 64m)" --log-opt max-file=500
}

@test "a foreground client, its files and its reader's pace: nothing lost, nothing twice" {
	args sh -c "/usr/bin/records 100000000 64 1 /tmp/enough; touch /tmp/end"
	# The reader stops now and then: the container waits for it.
	in_background "$THOLE" --root "$ROOT" run --keep --log-driver none --bundle "$B" "$c" < /dev/null > "$T/run.out" 2> "$T/run.err"
	local run=$!
	wait_for test -s "$T/run.out"
	kill -STOP $run
	thole upgrade "$c"
	kill -CONT $run
	SEEN=$T/run.out
	upgrades "$(long 3 25)"
	exits 0 wait $run
	whole "$N" run
}

# Records in pieces, so that hundreds of kills do not fill the disk; numbered through, with where it ends in FILE.
writes() { # FILE
	echo "i=1; while [ ! -e /tmp/enough ]; do /usr/bin/records 200 64 \$i; i=\$((i + 200)); usleep 3000; done; echo \$((i - 1)) > /tmp/$1.new; mv /tmp/$1.new /tmp/$1"
}

@test "the shim is killed at a random moment of an upgrade: the container runs on and is adopted, and not a record is lost" {
	[ "${THOLE_FLAVOUR:-}" != san ] || skip "moments are those of the release build"
	local i n pid us run begin took=20000
	n=$(long 20 200)
	args sh -c "trap 'exit 6' TERM; $(writes end); while :; do usleep 5000; done"
	thole run -d --log-driver k8s-file --log-opt max-size=unlimited --bundle "$B" "$c" < /dev/null
	pid=$(init_of "$c")
	in_background "$THOLE" --root "$ROOT" exec "$c" sh -c "$(writes exec_end); exit 7" < /dev/null > "$T/exec.out" 2> "$T/exec.err"
	run=$!
	wait_for test -s "$T/exec.out"
	for ((i = 0; i < n; i++)); do
		us=$((RANDOM % (took + took / 4)))
		kill_after $us shim "$ROOT" "$THOLE" --root "$ROOT" upgrade "$c"
		thole recover "$c"
		equal "$(init_of "$c")" "$pid" "killed after $us us"
		equal "$(thole exec "$c" echo served < /dev/null)" served "killed after $us us"
		begin=${EPOCHREALTIME/[.,]/}
		thole upgrade "$c"
		took=$((${EPOCHREALTIME/[.,]/} - begin)) # a moment of the next one
	done
	touch "$B/rootfs/tmp/enough"
	WAIT_S=60 wait_for test -e "$B/rootfs/tmp/end"
	WAIT_S=60 wait_for test -e "$B/rootfs/tmp/exec_end"
	kernel_tells_status() { [ "$(printf '%s\n6.15\n' "$(uname -r | grep -o '^[0-9]*\.[0-9]*')" | sort -V | head -1)" = 6.15 ]; }
	if kernel_tells_status; then exits 7 wait $run; else wait $run || sed -i '/nobody saw it/d' "$T/exec.err"; fi
	whole "$(cat "$B/rootfs/tmp/exec_end")" exec
	thole logs "$c" > "$T/log.out" 2> "$T/log.err"
	whole "$(cat "$B/rootfs/tmp/end")" log
	thole kill "$c" TERM
	if kernel_tells_status; then exits 6 thole wait "$c"; fi
}
