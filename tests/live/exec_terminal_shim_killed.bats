# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# An exec'd process with a terminal outlives the shim that has made it: the keeper holds the terminal's other side.
load lib

setup_test() { bundle; }

# Kills the shim, and waits for the one that comes by itself.
lose_shim() {
	local shim
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	replaced() { [ "$(shims | wc -l)" = 1 ] && [ "$(shims)" != "$shim" ] && [ "$(shim_of "$c")" = "$(shims)" ]; }
	wait_for replaced
}

in_file() { grep -q "$1" "$B/rootfs/tmp/$2" 2> /dev/null; }

@test "its shell goes on with its client: what is typed, what it says, its size, its exit status" {
	detached sleep 1000
	in_background "$PROBES/pty" -s 30x90 "$THOLE" --root "$ROOT" exec -t "$c" sh -c '
		trap "echo hung up >> /tmp/hup" HUP
		trap "stty size" WINCH
		stty -echo
		echo up
		while l=; read -r l || [ ! -e /tmp/hup ]; do # a signal ends a read
			[ "$l" ] || continue
			[ "$l" != leave ] || exit 9
			echo "got $l, $(stty size)"
		done' > "$T/seen" 2> "$T/err" < <(
		echo 'expect up'
		wait_for grep -q up "$T/seen"
		lose_shim
		printf '%s\n' 'send one\n' 'expect got one, 30 90' 'size 40x100' 'expect 40 100'
		wait_for grep -q '40 100' "$T/seen"
		lose_shim
		thole upgrade "$c" > /dev/null
		printf '%s\n' 'send two\n' 'expect got two, 40 100'
		wait_for grep -q 'got two' "$T/seen"
		lose_shim
		printf '%s\n' 'send leave\n' end
	)
	if kernel_tells_status; then exits 9 wait $!; else wait $! || true; fi
	[ ! -e "$B/rootfs/tmp/hup" ]
	equal "$(grep -c 'got one' "$T/seen")" 1
	if kernel_tells_status; then equal "$(cat "$T/err")" ''; fi
}

@test "one that nobody follows goes on too, and so does its log" {
	detached sleep 1000
	local name
	name=$(thole exec -d -t --print-name --log-driver raw --log-path "$T/its.log" "$c" sh -c '
		trap "echo hung up > /tmp/hup" HUP
		i=0; while [ ! -e /tmp/stop ]; do i=$((i + 1)); echo "line $i"; usleep 10000; done; exit 4' < /dev/null)
	wait_for grep -q 'line 3' "$T/its.log"
	lose_shim
	lose_shim
	n=$(tail -1 "$T/its.log" | tr -dc '0-9')
	wait_for grep -q "line $((n + 20))" "$T/its.log"
	[ ! -e "$B/rootfs/tmp/hup" ]
	touch "$B/rootfs/tmp/stop"
	if kernel_tells_status; then exits 4 thole wait "$c" "$name"; fi
	tr -d '\r' < "$T/its.log" | awk '$2 != NR { print; exit 1 }'
}

@test "records at full speed through a terminal over kills: nothing lost, nothing twice" {
	local i before run kills=4
	[ -z "$THOLE_LONG" ] || kills=50
	detached sleep 1000
	in_background "$THOLE" --root "$ROOT" exec -t --log-driver raw --log-opt max-size=unlimited --log-path "$T/its.log" "$c" \
		sh -c 'stty raw -echo; /usr/bin/records 100000000 64 1 /tmp/enough; touch /tmp/end; exit 12' < /dev/null > "$T/seen" 2> "$T/err"
	run=$!
	wait_for test -s "$T/seen"
	more() { [ "$(stat -c %s "$T/seen")" -gt "$1" ]; }
	for ((i = 0; i < kills; i++)); do
		before=$(stat -c %s "$T/seen")
		wait_for more "$before" || fail "nothing comes any more after $i kills: $(cat "$T/err")"
		lose_shim
	done
	touch "$B/rootfs/tmp/enough"
	WAIT_S=60 wait_for test -e "$B/rootfs/tmp/end"
	if kernel_tells_status; then exits 12 wait $run; else wait $run || true; fi
	local n
	n=$(cat "$B/rootfs/tmp/enough")
	equal "$("$PROBES/records" --check < "$T/seen")" "records=$n last=$n" 'client'
	equal "$("$PROBES/records" --check < "$T/its.log")" "records=$n last=$n" 'log'
	if kernel_tells_status; then equal "$(cat "$T/err")" ''; fi
}

@test "it ends while nobody is there: the client still gets its last words" {
	detached sleep 1000
	in_background "$THOLE" --root "$ROOT" exec -t --pid-file "$T/pid" "$c" sh -c 'echo up; while [ ! -e /tmp/stop ]; do usleep 1000; done; echo last words' < /dev/null > "$T/seen" 2> "$T/err"
	local run=$! shim keeper
	wait_for grep -q up "$T/seen"
	shim=$(shim_of "$c") keeper=$(keepers)
	kill -STOP "$keeper"
	kill -STOP $run
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	touch "$B/rootfs/tmp/stop"
	wait_for pid_gone "$(cat "$T/pid")"
	kill -CONT "$keeper" $run
	wait $run || true
	contains "$(cat "$T/seen")" 'last words'
}

@test "with the last such terminal its keeper leaves, unless the container has one itself" {
	detached sleep 1000
	has_no_keeper
	in_background "$THOLE" --root "$ROOT" exec -t "$c" sh -c 'touch /tmp/up; while [ ! -e /tmp/stop ]; do usleep 1000; done' < /dev/null > /dev/null
	local first=$!
	wait_for test -e "$B/rootfs/tmp/up"
	has_keeper
	thole exec -t "$c" true < /dev/null
	has_keeper
	thole upgrade "$c"
	has_keeper
	touch "$B/rootfs/tmp/stop"
	wait $first
	wait_for has_no_keeper
	not thole exec -t "$c" /no/such/program < /dev/null 2> /dev/null
	wait_for has_no_keeper
	is "$c" running
	thole delete --force "$c"
	thole run -d --keeper --bundle "$B" "$c" < /dev/null
	local keeper
	keeper=$(keepers)
	thole exec -t "$c" true < /dev/null
	equal "$(keepers)" "$keeper"
}

@test "many terminals, and a keeper that is killed: the next one holds them too" {
	detached sleep 1000
	local i n=20
	for ((i = 1; i <= n; i++)); do
		thole exec -d -t "$c" sh -c "trap 'touch /tmp/hup' HUP; touch /tmp/up.$i; while :; do if [ -e /tmp/ask ]; then echo said; touch /tmp/said.$i; sleep 1000; fi; usleep 100000; done" < /dev/null
	done
	all() { [ "$(find "$B/rootfs/tmp" -name "$1.*" | wc -l)" = $n ]; }
	wait_for all up
	local before
	before=$(keepers)
	kill -KILL "$before"
	other() { has_keeper && [ "$(keepers)" != "$before" ]; }
	wait_for other
	lose_shim
	thole upgrade "$c"
	lose_shim
	touch "$B/rootfs/tmp/ask"
	wait_for all said
	[ ! -e "$B/rootfs/tmp/hup" ]
}
