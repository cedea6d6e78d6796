# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Each command in each state of a container: its exit status, what it says, and what the container is afterwards.
load lib

setup_test() {
	bundle
	# runc of Debian 12 knows no newer one.
	config '.ociVersion = "1.0.2"'
	args sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done'
}

STATES=(created running paused stopped absent)

# STATUS in each state; what it leaves behind ">", where that is another state.
TABLE='
state ID                 |0           |0          |0          |0        |1
list                     |0           |0          |0          |0        |0
ps ID                    |0           |0          |0          |0        |1
events --stats ID        |0           |0          |0          |1        |1
exec ID true             |0           |0          |255        |255      |255
exec -d ID true          |0           |0          |255        |255      |255
update --pids-limit 50 ID|0           |0          |0          |1        |1
kill ID 0                |0           |0          |0          |1        |1
create ID                |1           |1          |1          |1        |0>created
run -d ID                |1           |1          |1          |1        |0>running
run ID                   |1           |1          |1          |1        |
start ID                 |0>running   |1          |1          |1        |1
pause ID                 |0>paused    |0>paused   |1          |1        |1
resume ID                |1           |1          |0>running  |1        |1
kill ID                  |0>stopped   |0>stopped  |0          |1        |1
kill ID KILL             |0>stopped   |0>stopped  |0>stopped  |1        |1
kill --all ID KILL       |0>stopped   |0>stopped  |0>stopped  |0        |1
delete ID                |0>absent    |1          |1          |0>absent |1
delete --force ID        |0>absent    |0>absent   |0>absent   |0>absent |0
checkpoint ID            |1           |           |1          |1        |1
restore ID               |1           |1          |1          |1        |1
'

# RUNTIME...: sets NOW to what the container is
look() {
	local json
	json=$("$@" state "$c" 2> /dev/null) || true
	NOW=absent
	[[ ! $json =~ \"status\":\ *\"([a-z]+)\" ]] || NOW=${BASH_REMATCH[1]}
}

becomes() { # STATE RUNTIME...
	look "${@:2}"
	[ "$NOW" = "$1" ]
}

# STATE RUNTIME...: the container is that
bring_to() {
	local state=$1
	shift
	[ "$NOW" != paused ] || "$@" resume "$c" # older versions of runc cannot kill it
	[ "$NOW" = absent ] || "$@" delete --force "$c"
	case $state in
	absent) return ;;
	created) "$@" create --bundle "$B" "$c" ;;
	*) "$@" run -d --bundle "$B" "$c" ;;
	esac < /dev/null > /dev/null 2> "$T/bring.err" || fail "cannot make it $state: $(cat "$T/bring.err")"
	case $state in
	paused) "$@" pause "$c" ;;
	stopped) "$@" kill "$c" KILL ;;
	esac
	wait_for becomes "$state" "$@"
}

# COMMAND: as this runtime takes it, in COMMAND_LINE
command_line() {
	read -ra COMMAND_LINE <<< "${1//ID/$c}"
	case ${COMMAND_LINE[0]} in
	create | run) COMMAND_LINE+=(--bundle "$B") ;;
	checkpoint) COMMAND_LINE+=(--image-path "$T/none") ;;
	restore)
		mkdir -p "$T/none"
		COMMAND_LINE+=(--image-path "$T/none" --bundle "$B")
		;;
	esac
	# Options come before the id.
	local i
	for i in "${!COMMAND_LINE[@]}"; do
		if [ "${COMMAND_LINE[i]}" = "$c" ] && [[ ${COMMAND_LINE[0]} = @(create|run|checkpoint|restore) ]]; then
			unset "COMMAND_LINE[i]"
			COMMAND_LINE=("${COMMAND_LINE[@]}" "$c")
		fi
	done
}

# The one line that says why: it names the state.
names_the_state() { # STATE COMMAND
	local want=$1
	case $2 in
	create* | run* | restore*) want='already exists' ;;
	esac
	[ "$1" != absent ] || want='does not exist'
	[ "$1/${2%% *}" != absent/restore ] || want="$T/none"
	equal "$(wc -l < "$T/err")" 1 "lines of $2 of a container that is $1 ($(cat "$T/err"))"
	contains "$(cat "$T/err")" "$want"
}

# STATE ROW CELL RUNTIME...: one command in one state. SAYS: called with STATE COMMAND when it fails. MAP: from the table's status to this runtime's.
check_cell() {
	local state=$1 row=$2 want=${3// /} after=$1 got=0
	shift 3
	[[ $want != *'>'* ]] || after=${want#*>} want=${want%>*}
	[ "$NOW" = "$state" ] || bring_to "$state" "$@"
	command_line "$row"
	timeout 60 "$@" "${COMMAND_LINE[@]}" < /dev/null > "$T/out" 2> "$T/err" || got=$?
	$MAP "$want" "$row"
	equal "$got" "$STATUS" "$row of a container that is $state ($(cat "$T/err"))"
	[ "$got" = 0 ] || $SAYS "$state" "$row"
	wait_for becomes "$after" "$@" || fail "$row of a container that is $state left it $NOW, not $after"
}

# RUNTIME...: state by state, so that what changes nothing needs no new container.
check_table() {
	local row cells i
	look "$@"
	for i in "${!STATES[@]}"; do
		while IFS='|' read -ra cells; do
			row=${cells[0]:-}
			[ -z "${cells[*]}" ] || [ -z "${cells[i + 1]// /}" ] || check_cell "${STATES[i]}" "${row%"${row##*[! ]}"}" "${cells[i + 1]}" "$@"
		done <<< "${ROWS:-$TABLE}"
	done
	bring_to absent "$@"
}

as_runc() { STATUS=$1; }
# What cannot be run is 125 with podman.
as_thole() {
	STATUS=$1
	case $2 in
	exec*) STATUS=${1/255/125} ;;
	run* | restore*) STATUS=${1/1/125} ;;
	esac
}

@test "thole: the table" {
	MAP=as_thole SAYS=names_the_state check_table "$THOLE" --root "$ROOT"
}

@test "thole-oci: the table" {
	local rows=$TABLE
	# Below somebody else's monitor one that is paused is checkpointed, as with runc.
	rows=$(sed '/^checkpoint/s/1 *|1 *|1$/            |1        |1/' <<< "$rows")
	# What a shim answers and what one answers that was started for it differ by little; exec and run by their status.
	[ "$THOLE_LONG" ] || rows=$(grep -E '^(start|ps|exec|run ID|kill ID 0|kill --all|delete ID)' <<< "$rows")
	ROWS=$rows MAP=as_runc SAYS=names_the_state check_table "$THOLE_OCI" --root "$ROOT"
}

@test "the table is what runc does" {
	needs runc
	local runc=(runc --root "$T/runc") rows
	# Where the v2 mount has controllers runc is measured, and works, without it.
	! has_hybrid || runc=(unshare -m sh -c 'umount /sys/fs/cgroup/unified && exec "$0" "$@"' "${runc[@]}")
	look "${runc[@]}"
	bring_to running "${runc[@]}" || skip 'runc does not work here'
	# Where nobody but --force can end it; criu is looked for first.
	rows=$(grep -Ev '^(checkpoint|restore|list|$)' <<< "$TABLE")
	# Otherwise those by which versions and runtimes differ.
	[ "$THOLE_LONG" ] || rows=$(grep -E '^(kill ID 0|kill --all|kill ID  |start|ps)' <<< "$rows")
	ROWS=$rows MAP=as_runc SAYS=true check_table "${runc[@]}"
}

@test "list shows each state" {
	local state
	look "$THOLE" --root "$ROOT"
	for state in created running paused stopped; do
		bring_to "$state" "$THOLE" --root "$ROOT"
		matches "$(thole list | tail -1)" "^$c +[0-9]+ +$state +"
		equal "$(thole list --format json | jq -r '.[].status')" "$state"
	done
	bring_to absent "$THOLE" --root "$ROOT"
	equal "$(thole list | wc -l)" 1
}

@test "restore over one that is there is refused, whatever it is" {
	needs criu
	local criu=() state
	command -v criu > /dev/null || criu=(--criu "$BUILD/criu/bin/criu")
	look "$THOLE" --root "$ROOT"
	bring_to running "$THOLE" --root "$ROOT"
	thole "${criu[@]}" checkpoint --image-path "$T/image" "$c"
	for state in created running paused stopped; do
		bring_to "$state" "$THOLE" --root "$ROOT"
		refused 125 "container '$c' already exists" thole "${criu[@]}" restore -d --image-path "$T/image" --bundle "$B" "$c"
		becomes "$state" "$THOLE" --root "$ROOT"
	done
	bring_to absent "$THOLE" --root "$ROOT"
}

@test "without a pid namespace of its own SIGKILL ends all of it, also when init has gone before" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	args sh -c 'sleep 1000 & echo $! > /tmp/pid; wait'
	owned_rootfs 0 0
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for [ -s "$B/rootfs/tmp/pid" ]
	thole kill "$c" KILL
	is "$c" stopped
	wait_for pid_gone "$(cat "$B/rootfs/tmp/pid")"
	thole delete "$c"
	rm "$B/rootfs/tmp/pid"
	args sh -c 'sleep 1000 & echo $! > /tmp/pid'
	thole run -d --bundle "$B" "$c" < /dev/null
	wait_for is "$c" stopped
	not pid_gone "$(cat "$B/rootfs/tmp/pid")"
	refused 1 "cannot signal container '$c': it is stopped" thole kill "$c" TERM
	thole kill "$c" KILL
	wait_for pid_gone "$(cat "$B/rootfs/tmp/pid")"
	refused 1 "cannot signal container '$c': it is stopped" thole kill "$c" KILL
	thole kill --all "$c" KILL
}

@test "a created container that gets SIGTERM ends with 143" {
	look "$THOLE" --root "$ROOT"
	bring_to created "$THOLE" --root "$ROOT"
	thole kill "$c" TERM
	exits 143 thole wait "$c"
}
