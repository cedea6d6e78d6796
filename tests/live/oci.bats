# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# thole-oci: the same program under the name by which managers call it, with runc's exit statuses.
load lib

setup_test() { bundle; }

oci() { "$THOLE_OCI" --root "$ROOT" "$@"; }

@test "every failure is 1; run gives the container's status" {
	args sh -c 'exit 7'
	exits 7 oci run --bundle "$B" "$c" < /dev/null
	args /no-such-program
	refused 1 '/no-such-program' oci run --bundle "$B" "$c"
	refused 1 "$T/none" oci run --bundle "$T/none" "$c"
	refused 1 'does not exist' oci state "$c"
	nothing_left || wait_for nothing_left
}

@test "a failed exec is 255, as runc's; every other failed command 1" {
	refused 255 'does not exist' oci exec "$c" true
	refused 1 'does not exist' oci checkpoint "$c"
	refused 1 'does not exist' oci recover "$c"
	# A line that it cannot read is no failed exec, to runc; one without a command is.
	refused 1 'unknown option' oci exec --bogus "$c" true
	refused 1 'preserve-fds' oci exec --preserve-fds x "$c" true
	refused 1 'too few operands' oci exec
	refused 255 'exec needs a command' oci exec "$c"
	refused 125 'unknown option' thole exec --bogus "$c" true
}

# covers: exec --user
@test "an empty word is none, as with runc: of a user, of a signal" {
	detached sh -c 'trap "exit 7" TERM; while :; do sleep 0.1; done'
	equal "$(oci exec -u '' "$c" id -u < /dev/null)" 0
	refused 1 "'' is no signal" thole kill "$c" ''
	oci kill "$c" ''
	exits 7 timeout 20 "$THOLE" --root "$ROOT" wait "$c"
}

@test "an empty word is none, as with runc: of every option that takes text" {
	args sleep 1000
	(cd "$B" && oci --log '' --log-format '' --rootless '' create --bundle '' --pid-file '' --console-socket '' --pidfd-socket '' "$c" < /dev/null > /dev/null 2>&1)
	oci start "$c"
	equal "$(oci exec --cwd '' --cgroup '' --process '' --apparmor '' --process-label '' --pid-file '' --console-socket '' "$c" echo there < /dev/null)" there
	oci update --memory '' --memory-swap '' --cpu-quota '' --cpu-share '' --cpuset-cpus '' --resources '' --l3-cache-schema '' "$c"
	# What runc refuses, too.
	refused 255 '--env is K=V' oci exec --env '' "$c" true
	refused 1 'preserve-fds' oci exec --preserve-fds '' "$c" true
}

@test "exec --cap: what is no capability is left out with a warning, as with runc" {
	detached sleep 1000
	oci exec --cap SYS_ADMIN --cap '' --cap cap_kill --cap CAP_NO_SUCH --cap CAP_NET_ADMIN "$c" grep CapEff /proc/self/status < /dev/null > "$T/out" 2> "$T/err"
	equal $((0x$(awk '{ print $2 }' "$T/out") & (1 << 12 | 1 << 21))) $((1 << 12))
	equal "$(sort "$T/err")" "$(printf '%s\n' "'' cannot be given: it is no capability" "'SYS_ADMIN' cannot be given: it is no capability" \
		"'cap_kill' cannot be given: it is no capability" 'CAP_NO_SUCH cannot be given: it is not known' | sort)"
}

@test "thole itself takes no empty word for a pid file, and starts nothing then" {
	detached sleep 1000
	refused 125 "--pid-file is the path of a file, not ''" thole exec --pid-file '' "$c" touch /started
	refused 125 "--pid-file is the path of a file, not ''" thole run -d --pid-file '' --bundle "$B" "$c-2"
	[ ! -e "$B/rootfs/started" ]
}

@test "without a command it prints its help and succeeds, of an unknown one it says 3, as runc" {
	"$THOLE_OCI" > "$T/out" 2> "$T/err"
	contains "$(cat "$T/out")" COMMAND
	equal "$(cat "$T/err")" ''
	refused 3 "unknown command 'nope'" "$THOLE_OCI" nope
}

@test "state, list, delete and kill of a container that thole made, and the other way round" {
	detached sleep 1000
	equal "$(oci state "$c" | jq -r .status)" running
	equal "$(oci list -q)" "$c"
	oci kill "$c" KILL
	wait_for is "$c" stopped
	oci delete "$c"
	wait_for nothing_left
}

# covers: thole --systemd-cgroup, thole --rootless
@test "the global options that managers give are taken" {
	equal "$(oci --systemd-cgroup=false --log "$T/log.json" --log-format json --rootless auto list -q)" ''
	local s=0
	oci --log "$T/log.json" --log-format json state "$c" > "$T/out" 2> "$T/err" || s=$?
	equal $s 1
	equal "$(tail -1 "$T/log.json" | jq -r .level)" error
}

@test "options as runc's parser has them: one dash for two, two for one, a letter with '='" {
	equal "$("$THOLE_OCI" -root "$ROOT" list -format json)" null
	equal "$("$THOLE_OCI" -root="$ROOT" -log "$T/log" -log-format=json list -f=json -q=0)" null
	equal "$("$THOLE_OCI" --root "$ROOT" list --f json --q=false)" null
	"$THOLE_OCI" -root "$ROOT" delete -force "$c"
	refused 1 "is one of table.json, not 'xml'" "$THOLE_OCI" --root "$ROOT" list -format=xml
}

@test "no keys leave what is run, as with runc, unless --detach-keys names some" {
	detached sleep 1000
	printf 'expect up\nsend \\x10\nexpect 10\nsend \\x10\\x11\nexpect 10\nexpect 11\nend\n' |
		"$PROBES/pty" "$THOLE_OCI" --root "$ROOT" exec -t "$c" sh -c 'stty raw -echo; echo up; for n in 1 2 3; do dd bs=1 count=1 2> /dev/null | od -An -tx1; done' > "$T/out"
	printf 'expect up\nsend \\x10\\x11\nend\n' |
		"$PROBES/pty" "$THOLE_OCI" --root "$ROOT" exec --detach-keys ctrl-p,ctrl-q -t "$c" sh -c 'echo up; exec sleep 1001' > "$T/out"
	oci exec "$c" sh -c 'ps | grep -q "[s]leep 1001"' < /dev/null
}
