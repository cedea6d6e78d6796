# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# SIGKILL of the client or of the shim at random moments of create and run: after the next create or delete nothing is left.
load lib

setup_test() {
	bundle
	args sleep 1000
	moments=$([ "$THOLE_LONG" ] && echo 300 || echo 20)
}

# How long a create takes here, in microseconds.
create_takes() {
	local start end
	start=${EPOCHREALTIME/./}
	thole create --bundle "$B" "$c" < /dev/null
	end=${EPOCHREALTIME/./}
	thole delete --force "$c"
	echo $((end - start))
}

# Nothing but a container that is whole, or one that the next command cleans up.
check_after() { # WHAT
	case $(status "$c") in
	created | running)
		thole delete --force "$c" || fail "$1: cannot delete"
		;;
	*)
		if [ $((RANDOM % 2)) = 0 ]; then
			# The next create takes the id, and cleans up first.
			thole create --bundle "$B" "$c" < /dev/null || fail "$1: the next create is refused; status: $(thole state "$c" 2>&1 | jq -r .status), record: $(head -c 40 "$ROOT/$c/status" | od -An -tx4 | head -2), shims: $(shims)"
			is "$c" created
		fi
		thole delete --force "$c" || fail "$1: cannot delete"
		;;
	esac
	nothing_left || wait_for nothing_left || fail "$1: left: $(leftovers)"
}

@test "the client is killed in the middle of create" {
	local i us takes
	takes=$(create_takes)
	for ((i = 0; i < moments; i++)); do
		us=$((RANDOM * 32768 + RANDOM))
		us=$((us % (takes * 3 / 2)))
		kill_after $us client "$ROOT" "$THOLE" --root "$ROOT" create --bundle "$B" "$c"
		# A shim whose client's connection ended before the reply undoes by itself.
		settled() { [ -z "$(own_processes)" ] || [ "$(status "$c")" = created ]; }
		wait_for settled || fail "client killed after $us us: $(leftovers)"
		check_after "client killed after $us us"
	done
}

@test "the shim is killed in the middle of create" {
	local i us takes
	takes=$(create_takes)
	for ((i = 0; i < moments; i++)); do
		us=$((RANDOM * 32768 + RANDOM))
		us=$((us % (takes * 3 / 2)))
		kill_after $us shim "$ROOT" "$THOLE" --root "$ROOT" create --bundle "$B" "$c"
		check_after "shim killed after $us us"
	done
}

@test "the shim is killed in the middle of run -d" {
	local i us takes
	takes=$(create_takes)
	for ((i = 0; i < moments; i++)); do
		us=$((RANDOM * 32768 + RANDOM))
		us=$((us % (takes * 3 / 2)))
		kill_after $us shim "$ROOT" "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c"
		check_after "shim killed after $us us of run -d"
	done
}

@test "a client that loses its shim says so and has cleaned up before it ends" {
	local i us takes
	takes=$(create_takes)
	for ((i = 0; i < moments; i++)); do
		us=$((RANDOM * 32768 + RANDOM))
		us=$((us % takes))
		kill_after $us shim "$ROOT" sh -c '"$0" "$@" 2> '"$T/err"'; echo $? > '"$T/status" "$THOLE" --root "$ROOT" create --bundle "$B" "$c"
		[ "$(cat "$T/status")" != 0 ] || { thole delete --force "$c"; continue; }
		equal "$(wc -l < "$T/err")" 1 "lines: $(cat "$T/err")"
		nothing_left || wait_for nothing_left || fail "after $us us: $(cat "$T/err"): $(leftovers)"
	done
}

@test "thole-shim --undo refuses a container that is whole" {
	thole create --bundle "$B" "$c" < /dev/null
	kill -KILL "$(shim_of "$c")"
	perl -MSocket -MPOSIX -e 'socketpair(my $a, my $b, AF_UNIX, SOCK_SEQPACKET, 0) or die; defined(my $pid = fork) or die;
		if (!$pid) { POSIX::dup2(fileno $b, 3); exec @ARGV; POSIX::_exit(127) } close $b; while (sysread $a, my $x, 4096) { } waitpid $pid, 0;' \
		"$BIN/thole-shim" --undo --root "$ROOT" "$c" 3>&- < /dev/null > "$T/out" 2>&1 || true
	is "$c" created
}

# half_made ROOT BYTE: there, a creation of $c that was killed, which has (1) or has not (0) made the groups that it names: those of the one that runs
half_made() {
	mkdir -m 700 -p "$1" "$1/$c"
	cp "$ROOT/$c/config.json" "$1/$c"
	: > "$1/$c/lock"
	chmod 600 "$1/$c/lock"
	jq --arg dir "$T/log2" '.container.status = "creating" | .container.dataDir = $dir | del(.shim, .processes)' "$ROOT/$c/state.json" > "$1/$c/state.json"
	# common/statedir.h has the layout.
	perl -e 'open my $f, "<", $ARGV[0] or die; read $f, my $r, 4096; substr $r, 12, 12, pack "LLl", 0, 1, 0; substr $r, 3648, 1, chr $ARGV[1];
		my $h = 0xcbf29ce484222325;
		for my $w (unpack "Q*", $r) { $h ^= $w; { use integer; $h *= 0x100000001b3 } $h = $h & ~0 ^ ($h & ~0) >> 32 }
		substr $r, 12, 4, pack "L", ($h ^ $h >> 32) & 0xffffffff; print $r' "$ROOT/$c/status" "$2" > "$1/$c/status"
}

@test "killed before it was told that the groups are somebody else's, it is undone without harm to them" {
	detached sleep 1000
	half_made "$ROOT-2" 0
	equal "$(jq -r .status <<< "$("$THOLE" --root "$ROOT-2" state "$c")")" creating
	"$THOLE" --root "$ROOT-2" delete --force "$c"
	[ ! -e "$ROOT-2/$c" ]
	is "$c" running
	half_made "$ROOT-2" 0
	refused 1 'in use|has processes|is not empty' "$THOLE" --root "$ROOT-2" create --bundle "$B" "$c"
	is "$c" running
	# Those that it has made it takes with it.
	half_made "$ROOT-2" 1
	"$THOLE" --root "$ROOT-2" delete --force "$c"
	wait_for is "$c" stopped
}
