# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# What criu would take badly, or silently: processes that are stopped or traced, namespaces that are others than the config's, what is told of a criu that did nothing.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	NS=
	bundle
	args sh -c 'i=0; while :; do echo "n $i"; i=$((i + 1)); usleep 2000; done'
}

checkpoint() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --rootfs=none --to "$T/set" "$@" "$c"; }
in_place() { timeout 60 "$THOLE" --root "$ROOT" restore -d "$c" < /dev/null; }
as_new() { timeout 60 "$THOLE" --root "$ROOT" restore -d --from "$T/set" --bundle "$B" "$c" < /dev/null; }
state_of() { awk '/^State/ { print $2 }' "/proc/$1/status"; }
grows() { [ "$(thole logs "$c" | wc -l)" -gt "$1" ]; }
contiguous() { thole logs "$c" | awk '$0 != "n " (NR - 1) { print "line " NR ": " $0; exit 1 }'; }

@test "a process that a signal has stopped: the checkpoint is taken, and it comes back stopped" {
	local pid n
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for grows 5
	thole kill "$c" STOP
	pid=$(init_of "$c")
	wait_for eval '[ "$(state_of '"$pid"')" = T ]'
	checkpoint --leave-running
	is "$c" running
	equal "$(state_of "$pid")" T
	# criu (4.2.1) leaves one SIGSTOP too many pending, and stumbles over it the next time when there is a SIGCHLD, too
	thole kill "$c" CONT
	wait_for grows "$(thole logs "$c" | wc -l)"
	thole kill "$c" STOP
	wait_for eval '[ "$(state_of '"$pid"')" = T ]'
	checkpoint
	n=$(thole logs "$c" | wc -l)
	in_place
	equal "$(state_of "$(init_of "$c")")" T
	equal "$(thole logs "$c" | wc -l)" "$n"
	thole kill "$c" CONT
	wait_for grows "$n"
	contiguous
}

# It is stopped between the shim's look and criu's freeze: by what is criu to the shim.
@test "a process that a signal stops while criu begins does not hold the container up for ever" {
	local pid n
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for grows 5
	pid=$(init_of "$c")
	printf '#!/bin/sh\nkill -STOP %s\nsleep 0.1\nexec %s "$@"\n' "$pid" "$THOLE_CRIU" > "$T/criu"
	chmod 755 "$T/criu"
	THOLE_CRIU=$T/criu checkpoint --leave-running
	is "$c" running
	n=$(thole logs "$c" | wc -l)
	thole kill "$c" CONT
	wait_for grows "$n"
	contiguous
}

# Who asks has taken the signal out of where it can be seen.
stop_job() {
	job=$(pgrep -P "$(init_of "$c")")
	kill -STOP "$job"
	wait_for eval '[ "$(state_of '"$job"')" = T ] && [ "$(awk "{ print \$52 }" /proc/'"$job"'/stat)" = 0 ]'
}

@test "a stopped job, whose shell has asked how it is: the same" {
	local n job
	args /usr/bin/job
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for grows 5
	stop_job
	checkpoint --leave-running
	equal "$(state_of "$job")" T
	kill -CONT "$job"
	# In between, as above.
	printf '#!/bin/sh\nkill -STOP %s\nsleep 0.1\nexec %s "$@"\n' "$job" "$THOLE_CRIU" > "$T/criu"
	chmod 755 "$T/criu"
	THOLE_CRIU=$T/criu checkpoint --leave-running
	is "$c" running
	equal "$(state_of "$job")" T
	n=$(thole logs "$c" | wc -l)
	wait_for grows "$n"
	contiguous
	kill -CONT "$job"
}

oci() { timeout 60 "$THOLE_OCI" --root "$ROOT" "$@"; }

# One of its processes is stopped.
paused_and_stopped() {
	oci pause "$c"
	if has_cgroup-v2; then
		oci checkpoint --image-path "$T/img" --leave-running "$c"
	else
		refused 1 'a signal has stopped one of its processes' oci checkpoint --image-path "$T/img" --leave-running "$c"
	fi
	is "$c" paused
	oci resume "$c"
}

@test "thole-oci: a stopped job in a paused container is out of criu's reach: said, where the freezer is v1's" {
	local job
	args /usr/bin/job
	oci run -d --bundle "$B" "$c" < /dev/null > >(exec cat > "$T/log.1" 3>&-) 2>&1
	stop_job
	paused_and_stopped
}

@test "thole-oci: one that is stopped in a paused container is out of criu's reach: said, where the freezer is v1's" {
	oci run -d --bundle "$B" "$c" < /dev/null > >(exec cat > "$T/log.1" 3>&-) 2>&1
	oci kill "$c" STOP
	wait_for eval '[ "$(state_of "$(init_of "$c")")" = T ]'
	paused_and_stopped
}

@test "a process that is traced is named, and nothing is frozen for it" {
	local tracer
	needs strace
	thole run -d --bundle "$B" "$c" < /dev/null
	strace -qq -o /dev/null -p "$(init_of "$c")" 3>&- &
	tracer=$!
	STARTED+=($tracer)
	wait_for eval '[ "$(awk "/^TracerPid/ { print \$2 }" "/proc/$(init_of "$c")/status")" = '$tracer' ]'
	refused 75 "process $(init_of "$c") is being traced by process $tracer" thole checkpoint --rootfs=none --to "$T/set" "$c"
	is "$c" running
	kill $tracer
	wait_for pid_gone $tracer
	checkpoint
}

# The config without this kind of namespace.
without() { # TYPE
	config --arg n "$1" '.linux.namespaces |= map(select(.type != $n)) | if $n == "uts" then del(.hostname) else . end'
}

@test "namespaces are those that the config wants, or the restore is refused by name" {
	local n own
	cp "$B/config.json" "$T/own.json"
	for n in network ipc uts; do
		cp "$T/own.json" "$B/config.json"
		without $n
		cp "$B/config.json" "$T/hosts.json"
		for own in own hosts; do
			rm -rf "$T/set"
			cp "$T/$own.json" "$B/config.json"
			thole run -d --bundle "$B" "$c" < /dev/null
			checkpoint
			thole delete "$c"
			cp "$T/$([ $own = own ] && echo hosts || echo own).json" "$B/config.json"
			refused 125 "linux.namespaces: the container of the checkpoint had $([ $own = own ] && echo its own || echo "the host's") $n namespace" \
				thole restore -d --from "$T/set" --bundle "$B" "$c"
			equal "$(thole list -q)" ''
			cp "$T/$own.json" "$B/config.json"
			as_new
			thole delete --force "$c"
		done
	done
}

teardown_test() {
	[ -z "${NS:-}" ] || { thole delete --force "$c" > /dev/null 2>&1; ip netns del "$NS"; } || true
}

@test "a network namespace by its path: not for one that had its own, nor the other way round" {
	NS=thole-check-$$-$BATS_TEST_NUMBER
	ip netns add "$NS"
	thole run -d --bundle "$B" "$c" < /dev/null
	checkpoint
	thole delete "$c"
	cp "$B/config.json" "$T/own.json"
	config --arg p "/run/netns/$NS" '.linux.namespaces |= map(if .type == "network" then .path = $p else . end)'
	refused 125 "was in no network namespace of others, and cannot be brought back in '/run/netns/$NS'" thole restore -d --from "$T/set" --bundle "$B" "$c"
	thole run -d --bundle "$B" "$c" < /dev/null
	rm -rf "$T/set"
	checkpoint
	thole delete "$c"
	as_new
	thole delete --force "$c"
	cp "$T/own.json" "$B/config.json"
	refused 125 'linux.namespaces has to give one by its path' thole restore -d --from "$T/set" --bundle "$B" "$c"
}

@test "a criu that does nothing: what an earlier one has logged is not told of it" {
	thole run -d --preserve-fds 1 --bundle "$B" "$c" < /dev/null 4< /etc/passwd 3< /etc/passwd
	refused 70 'an open file is on no mount' thole checkpoint --rootfs=none --to "$T/set" "$c"
	refused 70 'before it was through$' env THOLE_CRIU=/bin/true "$THOLE" --root "$ROOT" checkpoint --rootfs=none --to "$T/set" "$c"
	thole delete --force "$c"
	thole run -d --bundle "$B" "$c" < /dev/null
	checkpoint
	thole delete "$c"
	as_new
	thole delete --force "$c"
	refused 125 'before it was through$' env THOLE_CRIU=/bin/true "$THOLE" --root "$ROOT" restore -d --from "$T/set" --bundle "$B" "$c"
}

@test "an exec'd process has ended, and one that it has left holds its output: busy until that is read to its end" {
	local n
	thole run -d --bundle "$B" "$c" < /dev/null
	n=$(thole exec -d --print-name --drain-timeout 30s "$c" sh -c 'while [ ! -e /tmp/leave ]; do usleep 1000; done & exit 0' < /dev/null)
	exits 0 thole wait "$c" "$n"
	refused 75 "from an exec'd process that has ended, and is still being read" thole checkpoint --rootfs=none --to "$T/set" "$c"
	touch "$B/rootfs/tmp/leave"
	wait_for checkpoint
}

# The config that criu is given beside its options.
criu_config() { # LINE...
	printf '%s\n' "$@" > "$T/criu.conf"
	config --arg f "$T/criu.conf" '.annotations["org.criu.config"] = $f'
}

@test "deleted by force when its image is complete and it is to stay: at once, and the set has the image" {
	local form
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ] || { touch "%s/written"; sleep 1; }\n' "$T" > "$T/action"
	chmod 755 "$T/action"
	criu_config "action-script $T/action"
	for form in "--rootfs=none --to $T/set" "--stay --image-path $T/img" "--image-path $T/img2"; do
		rm -f "$T/written"
		thole run -d --bundle "$B" "$c" < /dev/null
		# shellcheck disable=SC2086 # words
		in_background timeout 60 "$THOLE" --root "$ROOT" checkpoint $form "$c" > "$T/out" 2>&1
		local checkpoint=$!
		wait_for test -e "$T/written"
		timeout 20 "$THOLE" --root "$ROOT" delete --force "$c" || fail "$form: $(cat "$T/out")"
		wait $checkpoint || true
		wait_for nothing_left
	done
	contains "$(thole checkpoints "$T/set")" good
}

@test "criu's config file says that it is to run on: it is checkpointed all the same" {
	criu_config leave-running
	thole run -d --bundle "$B" "$c" < /dev/null
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" "$c"
	wait_for nothing_left
	thole run -d --bundle "$B" "$c" < /dev/null
	checkpoint
	is "$c" checkpointed
	thole delete "$c"
}

@test "an image whose pages are cut off, or a map of them: refused by the file's name before criu reads on and on" {
	thole run -d --bundle "$B" "$c" < /dev/null
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" "$c"
	restore_refused() { # REGEX
		refused 125 "$1" timeout 30 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$T/bad" "$c"
		rm -rf "$T/bad"
		cp -a "$T/img" "$T/bad"
	}
	cp -a "$T/img" "$T/bad"
	truncate -s 4096 "$T/bad/pages-1.img"
	restore_refused "the image is damaged: 'pages-1.img' has 4096 bytes, and 'pagemap-1.img' speaks of [0-9]+"
	rm "$T/bad/pages-1.img"
	restore_refused "'pages-1.img' has 0 bytes"
	truncate -s -1 "$T/bad/pagemap-1.img"
	restore_refused "'pagemap-1.img' is no map of pages"
	: > "$T/bad/pagemap-1.img"
	restore_refused "'pagemap-1.img' is no map of pages"
	# criu says this in other words than an error's.
	rm "$T/bad/pagemap-1.img"
	restore_refused 'criu has failed.*No pagemap-1.img image'
	thole delete --force "$c" 2> "$T/err" || true
	timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$T/img" "$c" < /dev/null
}

@test "a criu that is killed in the middle of a restore leaves no directory in /tmp" {
	local n
	thole run -d --bundle "$B" "$c" < /dev/null
	timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$T/img" "$c"
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != post-restore ] || sleep 100\n' > "$T/action"
	chmod 755 "$T/action"
	criu_config "action-script $T/action"
	refused 125 'not through within 2 seconds' thole restore -d --timeout 2 --bundle "$B" --image-path "$T/img" "$c"
	n=$(grep -o '/tmp/\.criu\.mntns\.[A-Za-z0-9]*' "$T/img/restore.log" | sort -u)
	matches "$n" '^/tmp/.criu.mntns.[A-Za-z0-9]{6}$'
	[ ! -e "$n" ]
}

@test "no inode left for criu's log: no room, as with a full disk" {
	needs root
	mkdir "$T/small"
	unshare -m sh -c 'mount -t tmpfs -o size=64m,nr_inodes=3 none "$1/small" && shift && exec "$@"' sh "$T" sleep 100 3>&- &
	STARTED+=($!)
	wait_for eval '[ "$(stat -f -c %T "/proc/'$!'/root$T/small")" = tmpfs ]'
	nsenter -t $! -m "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null
	refused 73 'No space left on device' nsenter -t $! -m "$THOLE" --root "$ROOT" checkpoint --leave-running --rootfs none --to "$T/small/s" "$c"
	is "$c" running
}
