# SPDX-License-Identifier: Apache-2.0
# needs: root systemd
# The systemd driver: the container is a scope that systemd knows, with its limits; units that start containers may end.
load ../live/lib

setup_test() { bundle; }

teardown_test() {
	user_over
	systemctl stop "thole-test-$c.service" 2> /dev/null || true
	if [ -n "${U:-}" ]; then
		systemctl stop "$U" 2> /dev/null || true
		rm -rf "/etc/thole/$NAME" "/etc/systemd/system/$U.d"
		"$THOLE" --root /run/thole delete --force "$c" > /dev/null 2>&1 || true
		ROOT=$T/state
	fi
}

sd() { "$THOLE" --root "$ROOT" --systemd-cgroup "$@"; }
started() { # CMD...: detached, under systemd
	args "$@"
	sd run -d --bundle "$B" "$c" < /dev/null > "$T/run.out"
}
property() { systemctl show --value -p "$1" "${2:-thole-$c.scope}"; }
file() { cat "$(cgroup_of "$c" memory)/$1"; }
no_unit() { [ "$(property LoadState)" = not-found ]; }

# covers: thole --systemd-cgroup
@test "a scope of its own in system.slice, with the container in it; gone with it" {
	started sleep 1000
	equal "$(property ActiveState) $(property Slice) $(property Delegate)" 'active system.slice yes'
	equal "$(sed 's/^0:://' "/proc/$(init_of "$c")/cgroup")" "/system.slice/thole-$c.scope"
	equal "$(file cgroup.procs)" "$(init_of "$c")"
	equal "$(thole exec "$c" cat /proc/self/cgroup)" 0::/
	thole delete --force "$c"
	wait_for no_unit
	equal "$(own_cgroups)" ''
	# The name is free again at once.
	started sleep 1000
	equal "$(property ActiveState)" active
}

# covers: linux.cgroupsPath
@test "cgroupsPath SLICE:PREFIX:NAME; slices within slices" {
	config --arg p "thole-deep.slice:pre:$c" '.linux.cgroupsPath = $p'
	started sleep 1000
	equal "$(sed 's/^0:://' "/proc/$(init_of "$c")/cgroup")" "/thole.slice/thole-deep.slice/pre-$c.scope"
	equal "$(property Slice "pre-$c.scope")" thole-deep.slice
	thole delete --force "$c"
	config '.linux.cgroupsPath = "/a/path"'
	refused 1 'linux.cgroupsPath: .* is not SLICE:PREFIX:NAME' sd create --bundle "$B" "$c"
}

# covers: linux.resources.{memory.limit,memory.reservation,memory.swap,pids.limit,cpu.shares,cpu.quota,cpu.period}
@test "systemd has the limits too, exactly in the files, and keeps them when it reads its units again" {
	config '.linux.resources = { memory: { limit: 67108864, reservation: 33554432, swap: 67108864 }, pids: { limit: 31 },
		cpu: { shares: 1024, quota: 33333, period: 100000 } }'
	started sleep 1000
	equal "$(property MemoryMax) $(property MemoryLow) $(property MemorySwapMax) $(property TasksMax) $(property CPUWeight)" '67108864 33554432 0 31 100'
	equal "$(file memory.max) $(file pids.max) $(file cpu.max)" '67108864 31 33333 100000'
	systemctl daemon-reload
	equal "$(file memory.max) $(file pids.max)" '67108864 31'
	thole update --memory 134217728 --memory-swap 134217728 --pids-limit 17 "$c"
	equal "$(property MemoryMax) $(property TasksMax)" '134217728 17'
	equal "$(file memory.max) $(file pids.max)" '134217728 17'
}

# covers: annotations
@test "annotations are properties" {
	config '.annotations = { "org.systemd.property.TimeoutStopUSec": "uint64 7000000", "org.systemd.property.CollectMode": "'"'inactive-or-failed'"'" }'
	started sleep 1000
	equal "$(property TimeoutStopUSec) $(property CollectMode)" '7s inactive-or-failed'
	thole delete --force "$c"
	config '.annotations = { "org.systemd.property.Bad": "[" }'
	refused 1 'annotations.org.systemd.property.Bad' sd create --bundle "$B" "$c"
	config '.annotations = { "org.systemd.property.NoSuchThing": "5" }'
	refused 1 'NoSuchThing' sd create --bundle "$B" "$c"
	nothing_left
	wait_for no_unit
}

@test "stopping the scope ends the container, and its status is known" {
	started sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
	systemctl stop "thole-$c.scope"
	exits 5 thole wait "$c"
}

@test "a service that starts a container can end without ending it" {
	args sleep 1000
	systemd-run --quiet --wait --unit "thole-test-$c" "$THOLE" --root "$ROOT" --systemd-cgroup run -d --bundle "$B" "$c"
	is "$c" running
	not systemctl is-active --quiet "thole-test-$c"
	thole exec "$c" true
}

@test "a create that fails later leaves no scope" {
	config '.hooks.createRuntime = [{ path: "/bin/false" }]'
	args sleep 1000
	refused 1 createRuntime sd create --bundle "$B" "$c"
	wait_for no_unit
	equal "$(own_cgroups)" ''
}

@test "a shim that is killed in create, after the scope: the next delete removes it" {
	config '.hooks.createRuntime = [{ path: "/bin/sleep", args: ["sleep", "1000"] }]'
	args sleep 1000
	in_background "$THOLE" --root "$ROOT" --systemd-cgroup create --bundle "$B" "$c"
	hook_runs() { pgrep -f '^sleep 1000$' > /dev/null; }
	wait_for hook_runs
	# Neither can tidy up after the other.
	kill -STOP "${STARTED[-1]}"
	local pid
	for pid in $(shims); do # the one that runs the hooks too
		kill -KILL "$pid"
	done
	kill -KILL "${STARTED[-1]}"
	wait_for no_shims
	thole delete --force "$c"
	wait_for no_unit
	equal "$(own_cgroups)" ''
}

# ---- a container as a service: contrib/systemd/thole@.service

# The unit as it is, but for the paths of this tree; the bundle is where it says.
service() { # CMD...
	args "$@"
	NAME=$c
	U=thole@$NAME.service
	mkdir -p /etc/thole
	cp -a "$B" "/etc/thole/$NAME"
	sed "s,/usr/local/bin/thole,$THOLE," "$TREE/contrib/systemd/thole@.service" > /etc/systemd/system/thole@.service
	systemctl daemon-reload
	ROOT=/run/thole
	STATE=/run/thole/$NAME
}
show() { systemctl show --value -p "$1" "$U"; }
state_is() { [ "$(show ActiveState)" = "$1" ]; }
no_state() { ! [ -e "$STATE" ]; }

@test "thole@.service: the shim is the main process; reload is SIGHUP, stop SIGTERM and the container's own end; the journal has its lines" {
	service sh -c 'trap "echo again" HUP; trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.1; done'
	systemctl start "$U"
	equal "$(show ActiveState) $(show SubState)" 'active running'
	equal "$(show MainPID)" "$(jq .shim.pid "$STATE/state.json")"
	systemctl reload "$U"
	in_journal() { journalctl -o cat "CONTAINER_NAME=$NAME" | grep -qx "$1"; }
	wait_for in_journal again
	systemctl stop "$U"
	equal "$(show ActiveState) $(show Result)" 'inactive success'
	in_journal bye
	no_state
	equal "$(own_cgroups)" ''
}

@test "thole@.service: an exit status that is not 0 is the unit's; a failure starts it again; one that will not end is ended" {
	service sh -c 'n=$(cat /n); echo $((n + 1)) > /n; [ $n -lt 2 ] && sleep 1 && exit 3; trap "" TERM; while :; do sleep 0.1; done'
	echo 0 > "/etc/thole/$NAME/rootfs/n"
	mkdir -p "/etc/systemd/system/$U.d"
	printf '[Service]\nRestartSec=10ms\nTimeoutStopSec=2\n' > "/etc/systemd/system/$U.d/a.conf"
	systemctl daemon-reload
	systemctl start "$U"
	third() { [ "$(show NRestarts)" = 2 ] && state_is active && [ "$(cat "/etc/thole/$NAME/rootfs/n")" = 3 ]; }
	WAIT_S=60 wait_for third || fail "$(systemctl status "$U")"
	systemctl stop "$U"
	equal "$(show Result)" timeout
	no_state
	equal "$(own_cgroups)" ''
}

@test "thole@.service: a program that says itself when it is ready" {
	service sh -c 'say STATUS=nearly; while ! [ -e /go ]; do sleep 0.1; done; say READY=1; sleep 1000'
	echo SDNOTIFY=container > "/etc/thole/$NAME/environment"
	systemctl start --no-block "$U"
	nearly() { [ "$(show StatusText)" = nearly ]; }
	wait_for nearly
	equal "$(show ActiveState)" activating
	touch "/etc/thole/$NAME/rootfs/go"
	wait_for state_is active
	# the shim is killed: systemd sees its main process gone, ends the rest and starts it again
	kill -KILL "$(show MainPID)"
	again() { [ "$(show NRestarts)" = 1 ] && state_is active; }
	WAIT_S=60 wait_for again || fail "$(systemctl status "$U")"
	systemctl stop "$U"
	no_state
}

# ---- the same of an ordinary user: contrib/systemd/user/thole@.service

ME=54321

# as_me CMD...: with what a login of his would have
as_me() {
	setpriv --reuid $ME --regid $ME --clear-groups env -i PATH="$PATH" HOME="/home/user$ME" XDG_RUNTIME_DIR="/run/user/$ME" "$@"
}

# A user whose manager runs. There is no pam_systemd here to tell it where its directory is.
user_manager() {
	grep -q "^user$ME:" /etc/passwd || {
		echo "user$ME:x:$ME:$ME::/home/user$ME:/bin/sh" >> /etc/passwd
		echo "user$ME:!:20000::::::" >> /etc/shadow # PAM looks whether it has expired
	}
	mkdir -p "/home/user$ME/.config/thole" /etc/systemd/system/user@.service.d /etc/systemd/user
	chown -R $ME:$ME "/home/user$ME"
	printf '[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%%i\n' > /etc/systemd/system/user@.service.d/a.conf
	systemctl daemon-reload
	loginctl enable-linger user$ME
	manager_runs() { [ -S /run/user/$ME/systemd/private ] && systemctl is-active --quiet user@$ME; }
	WAIT_S=60 wait_for manager_runs || fail "$(systemctl status user@$ME)"
}

# The unit as it is; the programs are where it says, and the user's bundle too.
user_service() { # CMD...
	NAME=$c
	BUNDLE=/home/user$ME/.config/thole/$NAME
	user_manager
	cp "$BIN/thole" "$BIN/thole-shim" "$BIN/thole-keeper" /usr/local/bin
	cp "$TREE/contrib/systemd/user/thole@.service" /etc/systemd/user
	owned_rootfs $ME $ME
	rm "$B/config.json"
	cp -a "$B" "$BUNDLE"
	chown $ME:$ME "$BUNDLE"
	as_me /usr/local/bin/thole spec --rootless --bundle "$BUNDLE"
	B=$BUNDLE
	args "$@"
	config '.process.terminal = false | .root.readonly = false'
	chown $ME:$ME "$BUNDLE/config.json"
	as_me systemctl --user daemon-reload
	UU=thole@$NAME.service
	STATE=/run/user/$ME/thole/$NAME
}
ushow() { as_me systemctl --user show --value -p "$1" "$UU"; }
ustate_is() { [ "$(ushow ActiveState)" = "$1" ]; }
user_over() {
	[ -z "${UU:-}" ] || {
		as_me systemctl --user stop "$UU"
		as_me /usr/local/bin/thole delete --force "$NAME"
		loginctl disable-linger user$ME
		systemctl stop user@$ME
	} > /dev/null 2>&1 || true
}

@test "thole@.service of a user's manager: ready, reload, a failure, a shim that is killed, stop; nothing is left" {
	user_service sh -c 'n=$(cat /n); echo $((n + 1)) > /n; trap "echo again" HUP; trap "echo bye; exit 0" TERM; echo up; while :; do [ ! -e /fail ] || { rm /fail; exit 3; }; sleep 0.1; done'
	echo 0 > "$BUNDLE/rootfs/n"
	chown $ME "$BUNDLE/rootfs/n"
	as_me mkdir -p "/home/user$ME/.config/systemd/user/$UU.d"
	printf '[Service]\nRestartSec=10ms\n' > "/home/user$ME/.config/systemd/user/$UU.d/a.conf"
	as_me systemctl --user daemon-reload
	as_me systemctl --user enable --now "$UU" 2> "$T/enable.err" || fail "$(as_me systemctl --user status "$UU"; journalctl -n 40)"
	equal "$(ushow ActiveState) $(ushow SubState)" 'active running'
	equal "$(ushow MainPID)" "$(jq .shim.pid "$STATE/state.json")"
	equal "$(awk '/^Uid:/ { print $2, $3 }' "/proc/$(jq .processes.init.pid "$STATE/state.json")/status")" "$ME $ME"
	as_me systemctl --user reload "$UU"
	in_journal() { journalctl -o cat "CONTAINER_NAME=$NAME" | grep -qx "$1"; }
	wait_for in_journal again
	as_me touch "$BUNDLE/rootfs/fail"
	times() { [ "$(ushow NRestarts)" = "$1" ] && ustate_is active && [ "$(cat "$BUNDLE/rootfs/n")" = $((1 + $1)) ]; }
	WAIT_S=60 wait_for times 1 || fail "$(as_me systemctl --user status "$UU")"
	kill -KILL "$(ushow MainPID)"
	WAIT_S=60 wait_for times 2 || fail "$(as_me systemctl --user status "$UU")"
	as_me systemctl --user restart "$UU"
	equal "$(cat "$BUNDLE/rootfs/n")" 4
	as_me systemctl --user disable --now "$UU" 2> "$T/enable.err"
	equal "$(ushow ActiveState) $(ushow Result)" 'inactive success'
	in_journal bye
	no_state
	equal "$(own_cgroups)" ''
}

own_criu() { [ -x "$BUILD/criu/bin/criu" ] && grep -q '^nf_tables ' /proc/modules || skip "needs: $BUILD/criu, and modules for it"; }

# In a scope, with limits of which one has been changed since.
in_scope() {
	# criu asks for programs that this Debian lacks when it looks at a network of the container's own.
	config '.linux.namespaces |= map(select(.type != "network")) | .linux.resources = { memory: { limit: 67108864 }, pids: { limit: 31 } }'
	rm -rf "$B/rootfs/usr/bin"
	started sh -c 'n=0; while :; do echo n $n; n=$((n + 1)); sleep 0.1; done'
	thole update --memory 134217728 "$c"
}
is_back() {
	is "$c" running
	equal "$(property ActiveState)" active
	equal "$(sed 's/^0:://' "/proc/$(init_of "$c")/cgroup")" "/system.slice/thole-$c.scope"
	file cgroup.procs | grep -qx "$(init_of "$c")"
	equal "$(file memory.max) $(file pids.max) $(property MemoryMax) $(property TasksMax)" "$1 31 $1 31" limits
}
n_lines() { thole logs "$c" | wc -l; }
goes_on() {
	local n
	n=$(n_lines)
	more() { [ "$(n_lines)" -gt $((n + 2)) ]; }
	wait_for more
	thole logs "$c" | awk '$2 != NR - 1 { print "line " NR ": " $0; exit 1 }'
}

@test "a checkpoint of a container in a scope: it goes on, and restored it has a scope again" {
	own_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	in_scope
	sd checkpoint --to "$T/set" --leave-running "$c"
	is_back 134217728
	sd checkpoint --image-path "$T/img" "$c"
	wait_for no_unit
	sd restore -d --bundle "$B" --image-path "$T/img" "$c" < /dev/null
	is_back 67108864
	thole delete --force "$c"
	wait_for no_unit
}

@test "a checkpoint that stays: the scope goes with the last process, and comes back with them, with the limits of then" {
	own_criu
	export THOLE_CRIU=$BUILD/criu/bin/criu
	in_scope
	sd checkpoint --to "$T/set" "$c"
	is "$c" checkpointed
	wait_for no_unit
	refused 1 'it is checkpointed, and its scope is gone until it comes back' thole update --pids-limit 5 "$c"
	thole restore --from "$T/set" "$c"
	is_back 134217728
	goes_on
	# One that fails after the scope was made leaves it as it was.
	thole checkpoint --stay --image-path "$T/img" "$c"
	cp "$T/img/core-1.img" "$T/core"
	echo x > "$T/img/core-1.img"
	refused 125 'criu has failed' thole restore --image-path "$T/img" "$c"
	is "$c" checkpointed
	wait_for no_unit
	equal "$(own_cgroups)" ''
	cp "$T/core" "$T/img/core-1.img"
	# From another program, too.
	thole restore --image-path "$T/img" "$c"
	is_back 134217728
	thole upgrade "$c"
	thole checkpoint --stay --image-path "$T/img" "$c"
	thole restore --image-path "$T/img" "$c"
	is_back 134217728
	goes_on
	# And with nothing to come back to.
	thole checkpoint --stay --image-path "$T/img" "$c"
	wait_for no_unit
	thole delete "$c"
	nothing_left
	wait_for no_unit
}

# ---- checkpoints by a timer: contrib/systemd/thole-checkpoint@.{service,timer}

# The units as they are, but for the paths of this tree and for the times: every five seconds.
checkpoint_units() { # CMD...
	args "$@"
	# criu asks for programs that this Debian lacks when it looks at a network of the container's own. Digests take their time here.
	config '.linux.namespaces |= map(select(.type != "network"))'
	rm -rf "$B/rootfs/usr/bin"
	NAME=$c
	ROOT=/run/thole
	SET=/var/lib/thole-checkpoints/$NAME
	U=thole-checkpoint@$NAME.service
	sed "s,^ExecStart=thole ,ExecStart=$THOLE --criu $BUILD/criu/bin/criu ," "$TREE/contrib/systemd/thole-checkpoint@.service" > /etc/systemd/system/thole-checkpoint@.service
	cp "$TREE/contrib/systemd/thole-checkpoint@.timer" /etc/systemd/system
	mkdir -p "/etc/systemd/system/thole-checkpoint@$NAME.timer.d"
	printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/5\nRandomizedDelaySec=0\nAccuracySec=100ms\n' > "/etc/systemd/system/thole-checkpoint@$NAME.timer.d/a.conf"
	systemctl daemon-reload
}
images() { find "$SET" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' 2> /dev/null | wc -l; }
at_least() { [ "$(images)" -ge "$1" ]; }
# What the service's processes have said, and not what systemd says of it.
said() { journalctl -o cat -u "$U" _TRANSPORT=stdout; }

@test "thole-checkpoint@.timer: it fires, each time an image is added, nothing is said, the container runs on" {
	own_criu
	checkpoint_units sh -c 'while :; do sleep 0.1; done'
	thole run -d --bundle "$B" "$c" < /dev/null > "$T/run.out"
	local pid
	pid=$(init_of "$c")
	systemctl enable --now "thole-checkpoint@$NAME.timer" 2> "$T/enable.err"
	WAIT_S=200 wait_for at_least 2 || fail "$(systemctl status "$U"; journalctl -u "$U"; cat "$SET/dump.log")"
	systemctl disable --now "thole-checkpoint@$NAME.timer" 2> "$T/enable.err"
	is_over() { [ "$(show ActiveState)" = inactive ]; }
	WAIT_S=100 wait_for is_over
	equal "$(show Result)" success
	equal "$(said)" ''
	thole checkpoints --fast "$SET" > /dev/null
	equal "$(init_of "$c")" "$pid"
	is "$c" running
	equal "$(stat -c %a "$SET/latest/")" 700
	thole delete --force "$c"
	rm -rf "$SET" "/etc/systemd/system/thole-checkpoint@$NAME.timer.d"
}

@test "thole-checkpoint@.service: somebody else is at it, which is no failure, and systemd has the status that says so; what is one is one" {
	own_criu
	checkpoint_units sh -c 'while :; do sleep 0.1; done'
	thole run -d --bundle "$B" "$c" < /dev/null > "$T/run.out"
	# systemd forgets at once how a unit has ended that nothing refers to, and has 0 then: its timer does, which is not due.
	printf '[Timer]\nOnCalendar=\nOnCalendar=2099-01-01\n' > "/etc/systemd/system/thole-checkpoint@$NAME.timer.d/a.conf"
	systemctl daemon-reload
	systemctl start "thole-checkpoint@$NAME.timer"
	mkdir -p "$SET"
	exec 9< "$SET"
	flock 9
	systemctl start "$U"
	equal "$(show ActiveState) $(show Result) $(show ExecMainCode) $(show ExecMainStatus)" 'inactive success 1 75'
	equal "$(said)" "thole: somebody else is at '$SET': try again later"
	equal "$(images)" 0
	flock -u 9
	systemctl start "$U"
	equal "$(show Result) $(show ExecMainStatus) $(images)" 'success 0 1'
	thole pause "$c"
	exits 1 systemctl start "$U" 2> "$T/start.err"
	equal "$(show ActiveState) $(show Result) $(show ExecMainStatus)" 'failed exit-code 69'
	thole resume "$c"
	systemctl start "$U"
	equal "$(show Result) $(show ExecMainStatus) $(images)" 'success 0 2'
	systemctl stop "thole-checkpoint@$NAME.timer"
	thole delete --force "$c"
	rm -rf "$SET" "/etc/systemd/system/thole-checkpoint@$NAME.timer.d"
}

# ---- contrib/systemd/thole-recover.{service,timer}

@test "thole-recover.timer: a container whose shim was killed gets another one, which outlives the service" {
	local unit
	ROOT=/run/thole
	args sh -c 'while :; do sleep 0.1; done'
	thole run -d --bundle "$B" "$c" < /dev/null > "$T/run.out"
	for unit in service timer; do
		sed "s,/usr/local/bin/thole,$THOLE,; s,1min,2s,; s,^AccuracySec=.*,AccuracySec=100ms," "$TREE/contrib/systemd/thole-recover.$unit" > "/etc/systemd/system/thole-recover.$unit"
	done
	systemctl daemon-reload
	systemctl start thole-recover.timer
	kill -KILL "$(shim_of "$c")"
	has_another() { [ "$(thole list --format json | jq -r '.[0].thole.shim')" = alive ]; }
	WAIT_S=100 wait_for has_another
	U=thole-recover.service
	is_over() { [ "$(show ActiveState)" = inactive ]; }
	systemctl stop thole-recover.timer
	WAIT_S=100 wait_for is_over
	equal "$(show Result)" success
	has_another
	thole exec "$c" true < /dev/null
	unset U
	thole delete --force "$c"
	rm /etc/systemd/system/thole-recover.*
	ROOT=$T/state
}
