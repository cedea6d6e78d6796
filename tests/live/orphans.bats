# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Who inherits what loses its parent in a container without a pid namespace of its own: the run that waits for it, as with runc.
load lib

setup_test() {
	bundle
	config '.linux.namespaces |= map(select(.type != "pid"))'
	# The parent of the sleep is gone at once.
	args sh -c 'sh -c "sleep 1000 & echo \$! > /tmp/orphan" & wait; echo up; read line; exit 7'
	owned_rootfs 0 0
	mkfifo "$T/in"
	exec 7<> "$T/in"
}

teardown_test() { exec 7>&-; }

parent_of() { awk '/^PPid/ { print $2 }' "/proc/$1/status"; }

# RUNTIME COMMAND...: in the foreground, in the background of the test. Sets RUN and ORPHAN.
foreground() {
	in_background "$@" < "$T/in" > "$T/out"
	RUN=$!
	wait_for grep -q up "$T/out"
	ORPHAN=$(cat "$B/rootfs/tmp/orphan")
}

# Init is unharmed by it, and its status the run's.
ends_with_7() {
	echo >&7
	exits 7 wait "$RUN"
}

@test "an orphan is the child of the run in the foreground, which reaps it" {
	foreground "$THOLE" --root "$ROOT" run --bundle "$B" "$c"
	equal "$(parent_of "$ORPHAN")" "$RUN"
	kill -KILL "$ORPHAN"
	gone() { [ ! -e "/proc/$ORPHAN" ]; }
	wait_for gone
	is "$c" running
	ends_with_7
	nothing_left
}

# covers: run --no-subreaper
@test "--no-subreaper leaves it to whoever is above" {
	foreground "$THOLE" --root "$ROOT" run --no-subreaper --bundle "$B" "$c"
	[ "$(parent_of "$ORPHAN")" != "$RUN" ]
	[ "$(parent_of "$ORPHAN")" != "$(shim_of "$c")" ]
	kill -KILL "$ORPHAN"
	ends_with_7
	wait_for pid_gone "$ORPHAN"
}

@test "thole-oci does the same" {
	foreground "$THOLE_OCI" --root "$ROOT" run --bundle "$B" "$c"
	equal "$(parent_of "$ORPHAN")" "$RUN"
	kill -KILL "$ORPHAN"
	wait_for pid_gone "$ORPHAN"
	ends_with_7
	foreground "$THOLE_OCI" --root "$ROOT" run --no-subreaper --bundle "$B" "$c"
	[ "$(parent_of "$ORPHAN")" != "$RUN" ]
	kill -KILL "$ORPHAN"
	ends_with_7
}

# The orphan is made after the restore: before it, it would be nobody's whom criu knows.
# covers: restore --no-subreaper
@test "of a restore in the foreground it is the child; --no-subreaper leaves it to whoever is above" {
	needs criu
	make_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	args sh -c 'echo ready; while [ ! -e /tmp/go ]; do usleep 1000; done; sh -c "sleep 1000 & echo \$! > /tmp/orphan" & wait; echo up; while [ ! -e /tmp/end ]; do usleep 1000; done; exit 7'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for logged "$c" ready
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" "$c"
	local flag
	for flag in '' --no-subreaper; do
		rm -f "$B"/rootfs/tmp/{go,end}
		in_background "$THOLE" --root "$ROOT" restore $flag --bundle "$B" --image-path "$T/img" "$c" < /dev/null > "$T/out"
		RUN=$!
		WAIT_S=60 wait_for is "$c" running
		touch "$B/rootfs/tmp/go"
		wait_for grep -q up "$T/out"
		ORPHAN=$(cat "$B/rootfs/tmp/orphan")
		if [ "$flag" ]; then
			[ "$(parent_of "$ORPHAN")" != "$RUN" ]
			[ "$(parent_of "$ORPHAN")" != "$(shim_of "$c")" ]
		else
			equal "$(parent_of "$ORPHAN")" "$RUN"
		fi
		kill -KILL "$ORPHAN"
		touch "$B/rootfs/tmp/end"
		exits 7 wait "$RUN"
		wait_for pid_gone "$ORPHAN"
	done
}

# covers: exec --no-subreaper
@test "an orphan of an exec goes there too: exec is no subreaper, with --no-subreaper or without" {
	foreground "$THOLE" --root "$ROOT" run --bundle "$B" "$c"
	thole exec --no-subreaper "$c" sh -c 'sh -c "sleep 1000 & echo \$!"' < /dev/null > "$T/pid"
	equal "$(parent_of "$(cat "$T/pid")")" "$RUN"
	kill -KILL "$(cat "$T/pid")" "$ORPHAN"
	ends_with_7
}

# covers: create --no-subreaper
@test "create takes --no-subreaper, as crun's does: it stays for nobody's orphans anyway" {
	"$THOLE_OCI" --root "$ROOT" create --no-subreaper --bundle "$B" "$c" < /dev/null > "$T/out" 2>&1
	is "$c" created
	"$THOLE_OCI" --root "$ROOT" delete --force "$c"
	nothing_left
}

@test "with a pid namespace of its own an orphan is init's" {
	config '.linux.namespaces += [{ "type": "pid" }]'
	args sh -c 'sh -c "sleep 1000 & cut -d \" \" -f 4 /proc/\$!/stat; echo \$! > /tmp/orphan" & wait; cut -d " " -f 4 /proc/$(cat /tmp/orphan)/stat; echo up; read line; exit 7'
	foreground "$THOLE" --root "$ROOT" run --bundle "$B" "$c"
	equal "$(sed -n 2p "$T/out")" 1
	ends_with_7
}
