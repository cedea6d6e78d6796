# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Hooks: where and when they run, with what, and what their failure does.
load lib

setup_test() {
	bundle
	cat > "$T/hook" <<'SH'
#!/bin/sh
cat > "$1.stdin"
echo "$# $*" > "$1.args"
env | sort > "$1.env"
exit "${2:-0}"
SH
	chmod 755 "$T/hook"
}

hook() { # KIND ARGS...
	config --arg k "$1" --arg p "$T/hook" --args '.hooks[$k] += [{ path: $p, args: (["hook"] + $ARGS.positional), env: ["FROM=config"] }]' "${@:2}"
}

# covers: hooks.poststart[].{path,args,env}
@test "poststart runs after the program began, with the state on stdin, its arguments and its environment only" {
	hook poststart "$T/out" 0
	LEAK=yes detached sleep 1000
	is "$c" running
	wait_for test -s "$T/out.env"
	equal "$(cat "$T/out.args")" "2 $T/out 0"
	grep -qx FROM=config "$T/out.env"
	not grep LEAK "$T/out.env"
	equal "$(jq -r '"\(.id) \(.bundle) \(.pid)"' "$T/out.stdin")" "$c $B $(init_of "$c")"
	equal "$(jq -r .status "$T/out.stdin")" running
	matches "$(jq -r .ociVersion "$T/out.stdin")" '^1\.'
}

@test "a poststart hook that fails stops the container and is the error" {
	hook poststart "$T/out" 3
	args sleep 1000
	refused 125 '(poststart|hook).*3' thole run -d --bundle "$B" "$c"
	wait_for nothing_left
}

@test "run follows the program while its poststart hooks are at it: its output, signals, and then the error or its status" {
	local how run
	for how in 0 7; do
		config --arg t "$T" --arg s $how '.hooks.poststart = [{ path: "/bin/sh", args: ["sh", "-c", "cat > /dev/null; while [ ! -e \($t)/go ]; do sleep 0.02; done; exit \($s)"] }]'
		# More than a pipe holds.
		args sh -c 'trap "echo term; exit 3" TERM; seq 1 100000; echo all; while :; do usleep 1000; done'
		in_background "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/seen" 2> "$T/err"
		run=$!
		wait_for grep -q all "$T/seen"
		if [ $how = 0 ]; then
			kill -TERM $run
			wait_for grep -q term "$T/seen"
			touch "$T/go"
			exits 3 wait $run
		else
			touch "$T/go"
			exits 125 wait $run
			matches "$(cat "$T/err")" '^thole: [^\n]*(poststart|hook).*7'
		fi
		cmp <(grep -v '[a-z]' "$T/seen") <(seq 1 100000)
		rm "$T/go"
		wait_for nothing_left
	done
	# With a foreign monitor, too.
	config --arg t "$T" '.hooks.poststart = [{ path: "/bin/sh", args: ["sh", "-c", "cat > /dev/null; while [ ! -e \($t)/go ]; do sleep 0.02; done"] }]'
	args sh -c 'trap "echo term; exit 3" TERM; echo all; while :; do usleep 1000; done'
	in_background "$THOLE_OCI" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/seen" 2> "$T/err"
	run=$!
	wait_for grep -q all "$T/seen"
	kill -TERM $run
	wait_for grep -q term "$T/seen"
	touch "$T/go"
	exits 3 wait $run
	rm "$T/go"
	wait_for nothing_left
	# What waits for ever in a hook is ended with the container: by a signal once the program has ended, and by force.
	for how in kill delete; do
		config --arg t "$T" '.hooks.poststart = [{ path: "/bin/sh", args: ["sh", "-c", "cat > /dev/null; exec sleep 1000"] }]
			| .hooks.poststop = [{ path: "/bin/sh", args: ["sh", "-c", "echo over >> \($t)/over"] }]'
		args sh -c 'trap "exit 3" TERM; echo all; while :; do usleep 1000; done'
		in_background "$THOLE" --root "$ROOT" run --bundle "$B" "$c" < /dev/null > "$T/seen" 2> "$T/err"
		run=$!
		wait_for grep -q all "$T/seen"
		refused 1 'it is running' thole delete "$c"
		if [ $how = kill ]; then
			kill -TERM $run
			wait_for is "$c" stopped
			refused 1 'its hooks are running' thole delete "$c"
			kill -TERM $run
		else
			timeout 20 "$THOLE" --root "$ROOT" delete --force "$c"
		fi
		exits 125 wait $run
		contains "$(cat "$T/err")" poststart
		wait_for nothing_left
		equal "$(cat "$T/over")" over
		rm "$T/over"
	done
	config 'del(.hooks.poststop)'
	# It has ended before its hook fails.
	args echo prog
	config '.hooks.poststart = [{ path: "/bin/sh", args: ["sh", "-c", "sleep 0.3; exit 7"] }]'
	exits 125 thole run --bundle "$B" "$c" < /dev/null > "$T/seen" 2> "$T/err"
	equal "$(cat "$T/seen")" prog
	contains "$(cat "$T/err")" poststart
	wait_for nothing_left
}

@test "start of a created container whose poststart hook fails: an error, and the container is stopped" {
	hook poststart "$T/out" 3
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	local pid
	pid=$(init_of "$c")
	refused 1 '(poststart|hook).*3' thole start "$c"
	wait_for pid_gone "$pid"
	# Stopped, or deleted already.
	matches "$(status "$c")" '^(stopped|)$'
}

@test "hooks run in their order and the first failure ends it" {
	printf '#!/bin/sh\necho "$1" >> "%s/order"\nexit "$2"\n' "$T" > "$T/hook"
	hook poststart a 0
	hook poststart b 1
	hook poststart c 0
	args sleep 1000
	refused 125 hook thole run -d --bundle "$B" "$c"
	equal "$(tr '\n' ' ' < "$T/order")" 'a b '
}

# covers: hooks.poststart[].timeout
@test "a hook that does not end is killed at its timeout" {
	config --arg p "$(command -v sleep)" '.hooks.poststart = [{ path: $p, args: ["sleep", "1000"], timeout: 1 }]'
	args sleep 1000
	refused 125 '(timeout|time|1 s|second)' thole run -d --bundle "$B" "$c"
	wait_for nothing_left
}

@test "a hook that is missing is an error that names it" {
	config '.hooks.poststart = [{ path: "/no/such/hook" }]'
	args sleep 1000
	refused 125 '/no/such/hook' thole run -d --bundle "$B" "$c"
	wait_for nothing_left
}

# covers: hooks.poststop[].{path,args}
@test "poststop runs when the container is deleted, and its failure is only a warning" {
	hook poststop "$T/out" 1
	detached true
	thole wait "$c"
	[ ! -e "$T/out.args" ]
	thole delete "$c" 2> "$T/err"
	matches "$(cat "$T/err")" "container '$c' is removed, but: .*poststop"
	wait_for test -e "$T/out.args"
	equal "$(jq -r '"\(.id) \(.status)"' "$T/out.stdin")" "$c stopped"
	wait_for nothing_left
}

# covers: hooks.poststop[].{env,timeout}
@test "poststop: its environment is its own; one that does not end is killed at its timeout, and the next one runs" {
	config --arg p "$(command -v sleep)" '.hooks.poststop = [{ path: $p, args: ["sleep", "1000"], timeout: 1 }]'
	hook poststop "$T/out"
	LEAK=yes detached true
	thole wait "$c"
	LEAK=yes thole delete "$c"
	wait_for test -s "$T/out.env"
	grep -qx FROM=config "$T/out.env"
	not grep LEAK "$T/out.env"
	wait_for nothing_left
}

@test "a poststop hook that takes its time: the shim is idle meanwhile, and delete is answered" {
	config '.hooks.poststop = [{ path: "/bin/sleep", args: ["sleep", "1"] }]'
	detached true
	thole wait "$c"
	exits 0 thole delete "$c"
	wait_for nothing_left
}

@test "hooks of create run in their order, before the container's root is entered; those of start with start" {
	local k
	printf '#!/bin/sh\necho "$1" >> "%s/order"\n' "$T" > "$T/hook"
	printf '#!/bin/sh\necho startContainer >> /order\n' > "$B/rootfs/bin/inner"
	chmod 755 "$B/rootfs/bin/inner"
	for k in createContainer createRuntime poststart prestart; do
		hook $k $k
	done
	config '.hooks.startContainer = [{ path: "/bin/inner" }]'
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	equal "$(tr '\n' ' ' < "$T/order")" 'prestart createRuntime createContainer '
	[ ! -e "$B/rootfs/order" ]
	thole start "$c"
	equal "$(cat "$B/rootfs/order")" startContainer
	equal "$(tail -1 "$T/order")" poststart
}

# covers: hooks.{prestart,createRuntime}[].{path,args,env}
@test "prestart and createRuntime: the runtime's namespaces, the state with the pid as the host sees it" {
	local k
	printf '#!/bin/sh\ncat > "$1.stdin"\nreadlink /proc/self/ns/mnt /proc/self/ns/pid > "$1.ns"\npwd > "$1.cwd"\nenv | grep -v "^PWD=\|^_=\|^SHLVL=" | sort > "$1.env"; [ -d "/proc/$(jq -r .pid "$1.stdin")/ns" ]\n' > "$T/hook"
	for k in prestart createRuntime; do
		hook $k "$T/$k"
	done
	config '.annotations = { "org.example.a": "b" } | .hooks[][].env += ["PATH=/usr/bin:/bin"]'
	args sleep 1000
	thole create --bundle "$B" "$c" < /dev/null
	for k in prestart createRuntime; do
		equal "$(jq -r '"\(.id) \(.status) \(.pid) \(.bundle) \(.annotations["org.example.a"])"' "$T/$k.stdin")" \
			"$c creating $(init_of "$c") $B b"
		equal "$(cat "$T/$k.ns")" "$(readlink /proc/self/ns/mnt /proc/self/ns/pid)"
		equal "$(cat "$T/$k.cwd")" "$B"
		equal "$(cat "$T/$k.env")" $'FROM=config\nPATH=/usr/bin:/bin'
	done
}

# covers: hooks.createContainer[].{path,args,env}
@test "createContainer: the container's namespaces, the host's paths; what it mounts below the rootfs is there afterwards" {
	printf '#!/bin/sh\ncat > "$1.stdin"\nreadlink /proc/self/ns/net > "$1.ns"\nmount -t tmpfs extra "%s/rootfs/mnt" && echo in > "%s/rootfs/mnt/file"\nhostname > "$1.host"\n' "$B" "$B" > "$T/hook"
	mkdir "$B/rootfs/mnt"
	hook createContainer "$T/out"
	config '.hostname = "inside" | .hooks[][].env += ["PATH=/usr/bin:/bin"]'
	detached sh -c 'cat /mnt/file; sleep 1000'
	wait_for logged "$c" in
	equal "$(jq -r '"\(.id) \(.status) \(.pid)"' "$T/out.stdin")" "$c creating 1"
	equal "$(cat "$T/out.ns")" "$(readlink "/proc/$(init_of "$c")/ns/net")"
	equal "$(cat "$T/out.host")" inside
	not grep -F "$B" /proc/self/mountinfo
}

# covers: hooks.startContainer[].{path,args,env}
@test "startContainer: in the container, as its user with its capabilities, the pid as it sees itself" {
	printf '#!/bin/sh\ncat > /tmp/stdin\nid -u > /tmp/uid\ngrep CapEff /proc/self/status > /tmp/caps\npwd > /tmp/cwd\ncat /proc/self/mountinfo | wc -l > /tmp/mounts; echo "$*" > /tmp/args; ls /proc/self/fd | wc -l > /tmp/fds\n' > "$B/rootfs/bin/inner"
	chmod 755 "$B/rootfs/bin/inner"
	config '.process.user = { uid: 1000, gid: 1000 } | .process.capabilities = { bounding: ["CAP_KILL"], permitted: ["CAP_KILL"],
		inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"], effective: ["CAP_KILL"] } |
		.hooks.startContainer = [{ path: "/bin/inner", args: ["inner", "a", "b c"], env: ["PATH=/bin"] }]'
	local nnp
	for nnp in true false; do
		config ".process.noNewPrivileges = $nnp"
		in_container cat /tmp/stdin /tmp/uid /tmp/caps /tmp/args /tmp/cwd < /dev/null > "$T/out"
		equal "$(head -1 "$T/out" | sed 's/}1000$/}/' | jq -r '"\(.id) \(.status) \(.pid)"')" "$c created 1"
		contains "$(cat "$T/out")" 1000
		contains "$(cat "$T/out")" $'CapEff:\t0000000000000020'
		contains "$(cat "$T/out")" 'a b c'
		equal "$(cat "$B/rootfs/tmp/fds")" 4 # 0 to 2 and that of ls itself
		rm "$B"/rootfs/tmp/*
	done
}

@test "a hook of create that fails: create is undone, the error names it, poststop hooks run" {
	local k
	for k in prestart createRuntime createContainer; do
		config 'del(.hooks)'
		hook $k "$T/$k" 7
		hook poststop "$T/$k-stop"
		args sleep 1000
		refused 1 "$k hook '$T/hook' failed.*7" thole create --bundle "$B" "$c"
		nothing_left || wait_for nothing_left
		wait_for test -e "$T/$k-stop.args"
		equal "$(jq -r '"\(.id) \(.status)"' "$T/$k-stop.stdin")" "$c stopped"
		refused 125 "$k hook '$T/hook' failed.*7" thole run --bundle "$B" "$c"
		wait_for nothing_left
	done
}

@test "a startContainer hook that fails: the program does not run, start is an error, the container is stopped" {
	config '.hooks.startContainer = [{ path: "/bin/false" }]'
	args touch /ran
	thole create --bundle "$B" "$c" < /dev/null
	refused 1 "startContainer hook '/bin/false' failed.*1" thole start "$c"
	wait_for is "$c" stopped
	[ ! -e "$B/rootfs/ran" ]
	thole delete "$c"
	refused 125 "startContainer hook '/bin/false' failed.*1" thole run --bundle "$B" "$c"
	config '.hooks.startContainer[0].path = "/no/such"'
	refused 125 "startContainer hook '/no/such' failed" thole run --bundle "$B" "$c"
	[ ! -e "$B/rootfs/ran" ]
	wait_for nothing_left
}

# covers: hooks.{prestart,createRuntime,createContainer,startContainer}[].timeout
@test "hooks of create that do not end are killed at their timeout, whichever process runs them" {
	local k
	for k in prestart createRuntime createContainer; do
		config --arg p "$(command -v sleep)" --arg k $k '.hooks = { ($k): [{ path: $p, args: ["sleep", "1234567"], timeout: 1 }] }'
		args true
		refused 125 "$k hook .*timed out" thole run --bundle "$B" "$c"
		wait_for nothing_left
	done
	config '.hooks = { startContainer: [{ path: "/bin/sleep", args: ["sleep", "1234567"], timeout: 1 }] }'
	refused 125 'startContainer hook .*timed out' thole run --bundle "$B" "$c"
	wait_for nothing_left
	not pgrep -f 'sleep 1234567'
}

@test "a client that leaves while a createRuntime hook runs: the hook is killed, everything is undone" {
	printf '#!/bin/sh\necho $$ > "%s/pid"\nexec sleep 1000\n' "$T" > "$T/hook"
	hook createRuntime x
	config '.hooks[][].env += ["PATH=/usr/bin:/bin"]'
	args true
	in_background "$THOLE" --root "$ROOT" create --bundle "$B" "$c"
	local client=$!
	wait_for test -s "$T/pid"
	kill -KILL "$client"
	wait_for pid_gone "$(cat "$T/pid")"
	wait_for nothing_left
}
