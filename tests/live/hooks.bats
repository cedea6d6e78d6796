# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup-v1
# poststart and poststop hooks.
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

@test "poststop runs when the container is deleted, and its failure is only a warning" {
	hook poststop "$T/out" 1
	detached true
	thole wait "$c"
	[ ! -e "$T/out.args" ]
	thole delete "$c"
	wait_for test -e "$T/out.args"
	equal "$(jq -r '"\(.id) \(.status)"' "$T/out.stdin")" "$c stopped"
	wait_for nothing_left
}

@test "kinds of hooks that are not there yet are refused by name" {
	local k
	for k in prestart createRuntime createContainer startContainer; do
		config --arg k $k '.hooks = { ($k): [{ path: "/bin/true" }] }'
		refused 125 "hooks.$k" thole run --bundle "$B" "$c"
	done
}
