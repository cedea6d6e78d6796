# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# restore --lazy-pages: the container runs before its memory is there; who brings it in, when that ends, and what happens when it cannot be.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	SET=$T/set
	IMG=$T/img
	bundle
}

# With so many MiB that it knows.
remembers() { # MIB
	args memory "$1"
	thole run -d --bundle "$B" --log-path "$T/log.1" "$c" > "$T/run.out" < /dev/null
	wait_for answered 1
}

answered() { [ "$(grep -c ' sum=[0-9]* same=1$' "$T/log.1")" -ge "$1" ]; }

# It is asked, and finds all of it as it was.
is_whole() {
	local n
	n=$(grep -c ' sum=' "$T/log.1")
	thole kill "$c" USR1
	wait_for answered $((n + 1))
	equal "$(grep -c ' same=0$' "$T/log.1")" 0
	equal "$(grep -o 'sum=[0-9]*' "$T/log.1" | sort -u | wc -l)" 1
}

to_set() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --to "$SET" --rootfs none "$@" "$c"; }
checkpoint() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$@" "$c"; }
restore() { timeout 60 "$THOLE" --root "$ROOT" restore "$@" "$c" < /dev/null; }

server() { pgrep -P "$(shims | tail -1)" -f 'criu lazy-pages'; }
no_server() { ! server > /dev/null; }

# Once the server has heard of what is missing, and before anything runs, a command is run, with its pid in $p: so it has not brought in all of it when somebody looks.
meet_the_server() { # COMMAND
	cat > "$T/action" <<-END
		#!/bin/sh
		[ "\$CRTOOLS_SCRIPT_ACTION" != post-restore ] || { p=\$(pgrep -P "\$(cat $T/shim)" -f 'criu lazy-pages'); $1; }
	END
	chmod 755 "$T/action"
	printf 'action-script %s/action\n' "$T" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
}

# It gets a two hundredth of a processor. (Stopped and continued it fails: criu takes that for an error.)
slow_server() {
	SLOW=$(dirname "$(cgroup_of "$c" "$(v1_or_v2 cpu '')")")/slow-$c
	mkdir "$SLOW"
	if has_cgroup-v2; then
		echo 1000 200000 > "$SLOW/cpu.max"
	else
		echo 200000 > "$SLOW/cpu.cfs_period_us"
		echo 1000 > "$SLOW/cpu.cfs_quota_us"
	fi
}

lazily() { # RESTORE'S ARGUMENTS: in place; the server's pid is in $T/pid
	shims > "$T/shim"
	restore --lazy-pages "$@"
	server > "$T/pid"
}

# covers: restore --lazy-pages
@test "--lazy-pages: the memory comes while it runs, in place and as a new one; its server ends by itself, the image stays as it was" {
	meet_the_server "echo \$p > $T/slow/cgroup.procs"
	remembers 24
	slow_server
	ln -s "$SLOW" "$T/slow"
	to_set --name one
	cp -a "$SET/one" "$T/before"
	lazily
	is "$c" running
	equal "$(awk '/^PPid/ { print $2 }' "/proc/$(cat "$T/pid")/status")" "$(shim_of "$c")" parent
	not grep -qx "$(cat "$T/pid")" "$(cgroup_of "$c" "$(v1_or_v2 memory '')")/cgroup.procs"
	is_whole
	wait_for no_server
	rmdir "$SLOW"
	diff -r "$SET/one" "$T/before"
	[ -s "$SET/restore.log" ]
	equal "$(find "$SET" -name 'lazy-pages.socket' -o -type l -name '*.log')" ''
	equal "$(find "$ROOT/$c" -name 'lazy-pages*' -o -type l)" ''
	thole delete --force "$c"
	printf '#!/bin/sh\n' > "$T/action"
	c=$c.new
	restore -d --lazy-pages --from "$SET" --bundle "$B" --log-path "$T/log.1"
	is_whole
	wait_for no_server
	# Then it is as any.
	checkpoint --leave-running
	is_whole
}

@test "the server is killed: whoever waits for memory never goes on without it, and is killed" {
	meet_the_server 'kill -STOP $p'
	remembers 24
	checkpoint --stay
	lazily
	local pid still=no
	pid=$(cat "$T/pid")
	refused 1 "cannot checkpoint container '$c': its memory is still being brought in" checkpoint --leave-running
	refused 1 "cannot upgrade the shim of container '$c': its memory is still being brought in" thole upgrade "$c"
	is "$c" running
	# It looks at all of it now, and cannot.
	thole kill "$c" USR1
	wait_for is_waiting "$(init_of "$c")"
	# Not because it is killed in time: it goes on waiting when there is nobody to kill it.
	kill -STOP "$(cat "$T/shim")"
	kill -KILL "$pid"
	wait_for is_gone "$pid"
	! is_waiting "$(init_of "$c")" || still=yes
	kill -CONT "$(cat "$T/shim")"
	equal "$still" yes 'still waiting'
	exits 137 thole wait "$c"
	is "$c" stopped
	equal "$(grep -c ' same=0$' "$T/log.1")" 0
	equal "$(grep -c ' same=1$' "$T/log.1")" 1
	# What it was is still in the image.
	thole delete "$c"
	printf '#!/bin/sh\n' > "$T/action"
	restore -d --bundle "$B" --image-path "$IMG" --log-path "$T/log.1"
	is_whole
}

is_waiting() { # PID: for a page
	grep -q handle_userfault "/proc/$1/stack"
}

@test "the shim is killed: the server goes on, and so does the container" {
	meet_the_server "echo \$p > $T/slow/cgroup.procs"
	remembers 24
	slow_server
	ln -s "$SLOW" "$T/slow"
	checkpoint --stay
	lazily
	local pid
	pid=$(cat "$T/pid")
	kill -KILL "$(cat "$T/shim")"
	wait_for no_shims
	not is_gone "$pid"
	is_whole
	wait_for is_gone "$pid"
	is "$c" running
	wait_for rmdir "$SLOW"
}

is_gone() { [ ! -e "/proc/$1" ] || [ "$(awk '{ print $3 }' "/proc/$1/stat")" = Z ]; }

# A container that is frozen, with its memory, until somebody asks for that at $port; the byte of --status-fd goes to $T/byte.
serves() {
	port=$((20000 + RANDOM % 20000))
	meet_the_server true
	cat >> "$T/action" <<-END
		[ "\$CRTOOLS_SCRIPT_ACTION" != post-dump ] || [ -e "$T/go" ] || { : > "$T/at"; while ! [ -e "$T/go" ]; do sleep 0.1; done; }
	END
	remembers 4
	in_background sh -c 'exec timeout 100 "$@" 7> "$0"' "$T/byte" "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" --lazy-pages --page-server 127.0.0.1:$port --status-fd 7 "$c" > "$T/source.err" 2>&1
	source=$!
	shims > "$T/shim.source"
	wait_for test -e "$T/at"
}

# covers: checkpoint --{lazy-pages,page-server,status-fd}
@test "--status-fd: its byte comes when all but the memory is in the image and somebody listens who has that, and not before" {
	local port source
	serves
	equal "$(stat -c %s "$T/byte")" 0
	not listens "$port"
	: > "$T/go"
	wait_for test -s "$T/byte" || fail "$(cat "$T/source.err")"
	equal "$(od -An -tx1 "$T/byte" | tr -d ' ')" 00
	listens "$port"
	[ -s "$IMG/inventory.img" ]
	# That it has it, and gives it: tests/vm/checkpoint.bats.
}

@test "nobody comes for the memory: delete --force ends the container and who has it" {
	local port source
	serves
	: > "$T/go"
	wait_for test -s "$T/byte"
	listens "$port"
	thole delete --force "$c"
	exits 1 wait "$source"
	equal "$(wc -l < "$T/source.err")" 1
	wait_for nothing_left
	not listens "$port"
}

@test "who has the memory is killed: the container goes on, and the image, which is not whole, is gone" {
	local port source
	serves
	: > "$T/go"
	wait_for test -s "$T/byte"
	kill -KILL "$(pgrep -P "$(cat "$T/shim.source")" -f 'criu: dump')"
	exits 1 wait "$source"
	matches "$(cat "$T/source.err")" "^thole: cannot checkpoint container '$c': criu was killed by signal 9 before it was through [^
]*$"
	equal "$(ls -A "$IMG")" dump.log
	is_whole
	checkpoint --leave-running
	is_whole
}

@test "nobody comes for the memory, and the shim is killed: who has it goes on; delete --force ends both" {
	local port source
	serves
	: > "$T/go"
	wait_for test -s "$T/byte"
	kill -KILL "$(cat "$T/shim.source")"
	exits 1 wait "$source"
	thole recover --all
	listens "$port"
	is "$c" running
	timeout 30 "$THOLE" --root "$ROOT" delete --force "$c"
	wait_for nothing_left
	not listens "$port"
}

listens() { cat /proc/net/tcp /proc/net/tcp6 | grep -q ": [0-9A-F]*:$(printf %04X "$1") [0-9A-F:]* 0A"; } # PORT

@test "the shim is killed before anybody asks its server: the server goes too, as a new one and in place" {
	remembers 1
	checkpoint --stay
	# The server listens, and is told nothing.
	printf '#!/bin/sh\n[ "$1" != swrk ] || kill -KILL $PPID\nexec "%s" "$@"\n' "$THOLE_CRIU" > "$T/criu"
	chmod 755 "$T/criu"
	timeout 60 "$THOLE" --root "$ROOT" --criu "$T/criu" restore --lazy-pages "$c" < /dev/null 2> "$T/err" && return 1
	thole recover --all
	wait_for no_server_of_ours
	thole delete "$c"
	timeout 60 "$THOLE" --root "$ROOT" --criu "$T/criu" restore -d --lazy-pages --bundle "$B" --image-path "$IMG" "$c" < /dev/null 2> "$T/err" && return 1
	thole recover --all
	wait_for no_server_of_ours
	wait_for nothing_left
	restore -d --lazy-pages --bundle "$B" --image-path "$IMG" --log-path "$T/log.1"
	is_whole
}

# Nobody's child any more: it has the image.
no_server_of_ours() { ! for p in $(pgrep -f 'criu lazy-pages'); do readlink "/proc/$p/fd/4"; done | grep -qF "$T/"; }

# covers: restore --page-server
@test "a server that cannot serve: one line says why, and nothing is left" {
	remembers 1
	checkpoint
	refused 125 '--page-server means nothing without --lazy-pages' thole restore -d --bundle "$B" --image-path "$IMG" --page-server 127.0.0.1:9 "$c"
	refused 125 "page-server is ADDRESS:PORT, not 'x'" thole restore -d --lazy-pages --bundle "$B" --image-path "$IMG" --page-server x "$c"
	refused 125 "cannot restore container '$c': the server of lazy pages .* has ended with status 1: Can.t connect to server 127.0.0.1:9" thole restore -d --lazy-pages --bundle "$B" --image-path "$IMG" --page-server 127.0.0.1:9 "$c"
	[ -s "$IMG/lazy-pages.log" ]
	printf '#!/bin/sh\n[ "$1" != lazy-pages ] || exit 3\nexec "%s" "$@"\n' "$THOLE_CRIU" > "$T/criu"
	chmod 755 "$T/criu"
	refused 125 "the server of lazy pages .* has ended with status 3" thole --criu "$T/criu" restore -d --lazy-pages --bundle "$B" --image-path "$IMG" "$c"
	wait_for no_shims
	equal "$(own_cgroups)" ''
	restore -d --lazy-pages --bundle "$B" --image-path "$IMG" --log-path "$T/log.1"
	is_whole
}

@test "as with runc: a server that the caller has started is used; without one and with nobody who stays it is refused" {
	remembers 4
	checkpoint
	refused 1 'start .criu lazy-pages. before' oci restore -d --lazy-pages --bundle "$B" --image-path "$IMG" "$c"
	in_background "$THOLE_CRIU" lazy-pages --images-dir "$IMG" --work-dir "$IMG" -o lp.log -v4 > /dev/null 2>&1
	local pid=$!
	wait_for test -S "$IMG/lazy-pages.socket"
	restore -d --lazy-pages --bundle "$B" --image-path "$IMG" --log-path "$T/log.1"
	not server
	is_whole
	exits 0 wait "$pid"
}

oci() { "$THOLE_OCI" --root "$ROOT" "$@" < /dev/null; }

# lazy_source PORT: a dump that waits for who takes the memory; its client is $source.
lazy_source() {
	rm -rf "$T/ready" "$IMG"
	mkfifo "$T/ready"
	in_background sh -c 'exec "$@" 7> "$0"' "$T/ready" "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" --lazy-pages --page-server "127.0.0.1:$1" --status-fd 7 "$c" 2> "$T/source.err"
	source=$!
	equal "$(head -c 1 "$T/ready" | od -An -tx1 | tr -d ' ')" 00
}

goes_on() { thole exec "$c" true < /dev/null 2> /dev/null && [ "$(awk '/^TracerPid/ { print $2 }' "/proc/$(init_of "$c")/status")" = 0 ]; }

@test "who leaves a dump with --lazy-pages before anybody has come for the memory has the container go on; afterwards it is the taker's" {
	local port=$((20000 + RANDOM % 20000)) source sig
	remembers 4
	for sig in HUP TERM KILL; do
		lazy_source $port
		kill -$sig "$source"
		wait_for goes_on
		is_whole
		not test -e "$IMG/inventory.img"
		port=$((port + 1))
	done
	lazy_source $port
	exec 8<> "/dev/tcp/127.0.0.1/$port"
	kill -KILL "$source"
	wait_for pid_gone "$source"
	refused 125 'it is being checkpointed' thole exec "$c" true
	exec 8>&-
}
