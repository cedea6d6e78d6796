# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# What bad input gets: one clear line, the right exit status, nothing left behind.
load lib

setup_test() {
	bundle
	args true
}

bad() { # REGEX: run and create refuse the bundle as it is now
	refused 125 "$1" thole run --bundle "$B" "$c"
	refused 1 "$1" thole create --bundle "$B" "$c"
	nothing_left || wait_for nothing_left
}

# bad_field FILTER REGEX: the same after a change of the config, which is then undone
bad_field() {
	cp "$B/config.json" "$T/good.json"
	config "$1"
	bad "$2"
	cp "$T/good.json" "$B/config.json"
}

@test "bundle: missing, a file, without a config, unreadable" {
	refused 125 "$T/none" thole run --bundle "$T/none" "$c"
	refused 125 "$B/config.json" thole run --bundle "$B/config.json" "$c"
	mkdir "$T/empty"
	refused 125 'config.json' thole run --bundle "$T/empty" "$c"
	mkdir "$T/empty/config.json"
	refused 125 'config.json' thole run --bundle "$T/empty" "$c"
	nothing_left
}

@test "config.json that is not JSON: line and column" {
	printf '{\n  "ociVersion": "1.0.0",\n  "process": { "terminal": tru },\n}' > "$B/config.json"
	bad 'config.json.*line 3'
	bad 'column [0-9]+'
	: > "$B/config.json"
	bad 'config.json'
	printf '{' > "$B/config.json"
	bad 'config.json'
	printf '[]' > "$B/config.json"
	bad 'config.json'
	printf '{} trailing' > "$B/config.json"
	bad 'config.json.*line 1'
	head -c 100000 /dev/urandom > "$B/config.json"
	bad 'config.json'
}

@test "config.json without end: deep nesting, megabytes" {
	perl -e 'print "[" x 100000' > "$B/config.json"
	bad 'config.json'
	perl -e 'print "{\"a\":\"", "x" x (8 << 20), "\"}"' > "$B/config.json"
	bad 'config.json'
}

@test "wrong type or value: the field's path" {
	bad_field '.linux.resources.pids.limit = "many"' 'linux\.resources\.pids\.limit'
	bad_field '.linux.resources.pids.limit = 1.5' 'linux\.resources\.pids\.limit'
	bad_field '.linux.resources.memory.limit = "1G"' 'linux\.resources\.memory\.limit'
	bad_field '.process.args = "true"' 'process\.args'
	bad_field '.process.args = [1]' 'process\.args\[0\]'
	bad_field '.process.env = ["A=1", "B"]' 'process\.env\[1\]'
	bad_field '.process.env = [""]' 'process\.env\[0\]'
	bad_field '.process.user.uid = -1' 'process\.user\.uid'
	bad_field '.process.user.uid = 4294967296' 'process\.user\.uid'
	bad_field '.process.user.uid = "0"' 'process\.user\.uid'
	bad_field '.process.user.umask = 512' 'process\.user\.umask'
	bad_field '.process.terminal = "yes"' 'process\.terminal'
	bad_field '.mounts[0].destination = 5' 'mounts\[0\]\.destination'
	bad_field 'del(.mounts[1].destination)' 'mounts\[1\]\.destination'
	bad_field '.linux.namespaces[0].type = "galaxy"' 'linux\.namespaces\[0\]\.type'
	bad_field '.linux.namespaces += [.linux.namespaces[0]]' 'linux\.namespaces\[[0-9]+\]'
	bad_field '.hostname = ["a"]' 'hostname'
	bad_field '.linux.maskedPaths = [""]' 'linux\.maskedPaths\[0\]'
	bad_field '.linux.rootfsPropagation = "sideways"' 'linux\.rootfsPropagation'
	bad_field 'del(.root)' 'root'
	bad_field '.root.path = 3' 'root\.path'
	bad_field '.root.readonly = 1' 'root\.readonly'
	bad_field 'del(.process.cwd)' 'process\.cwd'
	bad_field '.linux.resources.devices = [{ allow: true, access: "xyz" }]' 'linux\.resources\.devices\[0\]\.access'
}

@test "no process, no arguments: run refuses; create may leave it to start" {
	local filter s
	for filter in 'del(.process)' 'del(.process.args)' '.process.args = []'; do
		cp "$B/config.json" "$T/good.json"
		config "$filter"
		refused 125 process thole run --bundle "$B" "$c"
		s=0
		thole create --bundle "$B" "$c" < /dev/null 2> "$T/err" || s=$?
		if [ $s = 0 ]; then
			refused 1 'process' thole start "$c"
			thole delete --force "$c"
		else
			contains "$(cat "$T/err")" process
		fi
		wait_for nothing_left
		cp "$T/good.json" "$B/config.json"
	done
}

# covers: ociVersion
@test "ociVersion: missing, none, not known; minor versions to come are accepted" {
	bad_field 'del(.ociVersion)' 'ociVersion'
	bad_field '.ociVersion = "new"' 'ociVersion'
	bad_field '.ociVersion = "2.0.0"' 'ociVersion.*2\.0\.0'
	bad_field '.ociVersion = "0.9.0"' 'ociVersion.*0\.9\.0'
	local v
	for v in 1.0.0 1.0.2-dev 1.1.0 1.2.1 1.3.0 1.9.0; do
		config --arg v $v '.ociVersion = $v'
		in_container true < /dev/null
	done
}

@test "what the specification does not know is ignored, what is known and not done is refused by name" {
	config '.unknownField = { a: 1 } | .process.alsoUnknown = true | .linux.resources.other = 1'
	in_container true < /dev/null
	grep -q ' - resctrl ' /proc/self/mountinfo || bad_field '.linux.intelRdt = { closID: "x" }' 'linux\.intelRdt: no resctrl file system is mounted'
	bad_field '.linux.intelRdt = { closID: "a/b" }' 'linux\.intelRdt\.closID'
	bad_field '.linux.intelRdt = { closID: ".." }' 'linux\.intelRdt\.closID'
	bad_field '.linux.intelRdt = { l3CacheSchema: "MB:0=1" }' 'linux\.intelRdt\.l3CacheSchema'
	bad_field '.linux.intelRdt = { memBwSchema: "L3:0=1" }' 'linux\.intelRdt\.memBwSchema'
	bad_field '.linux.intelRdt = { schemata: ["L3:0=1", "a\nb"] }' 'linux\.intelRdt\.schemata\[1\]'
	bad_field '.linux.intelRdt = { enableMonitoring: "yes" }' 'linux\.intelRdt\.enableMonitoring'
	bad_field '.linux.sysctl = { "kernel.panic": "1" }' 'linux\.sysctl\.kernel\.panic.*host'
	[ -d /sys/module/apparmor ] || bad_field '.process.apparmorProfile = "some"' 'process\.apparmorProfile: AppArmor is not enabled'
	[ -d /sys/fs/selinux ] || bad_field '.process.selinuxLabel = "some"' 'process\.selinuxLabel: SELinux is not enabled'
	bad_field ".linux.resources.unified = { \"$(v1_or_v2 memory.high no.such)\": \"1\" }" 'unified'
	bad_field '.linux.resources.network = { classID: 1 }' 'network'
	bad_field '.linux.seccomp = { defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/x" }' 'linux\.seccomp\.defaultAction: must not be SCMP_ACT_NOTIFY'
}

@test "ids: characters, length, dots, dashes" {
	local id
	for id in . .. a/b 'a b' '' 'ä' $'a\nb' "$(printf 'x%.0s' {1..256})" 'a:b' '*'; do
		refused 125 '(id|name)' thole run --bundle "$B" -- "$id"
	done
	refused 125 '.' thole run --bundle "$B" -- -x
	exits 0 thole run --bundle "$B" "$c-A.b+c_d" < /dev/null
	exits 0 thole run --bundle "$B" "$c$(printf 'x%.0s' {1..200})" < /dev/null
	nothing_left
}

# covers: root.path
@test "rootfs: missing, a file, nothing executable in it" {
	bad_field '.root.path = "no-such-root"' 'no-such-root'
	bad_field '.root.path = "config.json"' 'config\.json'
	bad_field '.root.path = ""' 'root\.path'
	mkdir "$B/void"
	config '.root.path = "void"'
	refused 127 'true' thole run --bundle "$B" "$c"
	nothing_left || wait_for nothing_left
}

@test "a state directory of another owner or open to others is refused" {
	mkdir -m 777 "$T/open"
	chmod 777 "$T/open"
	refused 125 "$T/open" "$THOLE" --root "$T/open" run --bundle "$B" "$c"
	refused 1 "$T/open" "$THOLE" --root "$T/open" list
	mkdir -m 700 "$T/other"
	chown 1000 "$T/other"
	refused 125 "$T/other" "$THOLE" --root "$T/other" run --bundle "$B" "$c"
	refused 1 "$T/other" "$THOLE" --root "$T/other" state "$c"
	echo > "$T/file"
	refused 125 "$T/file" "$THOLE" --root "$T/file" run --bundle "$B" "$c"
}

@test "a container's directory with a wrong owner or mode is refused" {
	detached sleep 1000
	chmod 755 "$ROOT/$c"
	refused 1 "$c" thole kill "$c" TERM
	chmod 700 "$ROOT/$c"
	chown 1000 "$ROOT/$c"
	refused 1 "$c" thole kill "$c" TERM
	chown 0 "$ROOT/$c"
	thole kill "$c" KILL
	# list does not promise that delete removes what it refuses.
	mkdir -m 755 "$ROOT/$c.none"
	thole list > "$T/out" 2> "$T/err"
	contains "$(cat "$T/err")" "state directory '$c.none' has mode 0755: open to others"
	refused 1 "state directory '$c.none' has mode 0755: open to others" thole delete "$c.none"
	chmod 700 "$ROOT/$c.none"
	thole list > "$T/out" 2> "$T/err"
	contains "$(cat "$T/err")" "'delete $c.none' removes it"
	thole delete "$c.none"
}

@test "a state file or configuration of another owner is refused, and goes with the container" {
	local f
	detached sleep 1000
	chown 1000 "$ROOT/$c/config.json"
	refused 125 "'config.json' belongs to uid 1000, not to uid 0" thole exec "$c" true
	chown 0 "$ROOT/$c/config.json"
	thole exec "$c" true < /dev/null
	chown 1000 "$ROOT/$c/state.json"
	thole state "$c" > "$T/out" 2> "$T/err"
	contains "$(cat "$T/err")" "'state.json' belongs to uid 1000, not to uid 0"
	refused 1 "'state.json' belongs to uid 1000" thole logs "$c"
	kill -KILL "$(shim_of "$c")"
	refused 125 "'state.json' belongs to uid 1000" thole exec "$c" true
	thole delete --force "$c" 2> "$T/err"
	contains "$(cat "$T/err")" 'where its log is, if it has one of its own, nobody knows'
	rm -r "$T/log/$c"
	nothing_left || wait_for nothing_left
}

@test "a state.json that is missing, another's, newer or none: state says so beside what the record knows, logs refuses" {
	detached sleep 1000
	cp "$ROOT/$c/state.json" "$T/good"
	is_told() { # REGEX
		thole state "$c" > "$T/out" 2> "$T/err"
		matches "$(cat "$T/err")" "$1"
		equal "$(jq -r .status "$T/out")" running
		refused 1 "$1" thole logs "$c"
	}
	jq --arg id other '.container.id = $id' "$T/good" > "$ROOT/$c/state.json"
	is_told "container '$c': state.json is that of container 'other'"
	jq '.format = 99' "$T/good" > "$ROOT/$c/state.json"
	is_told "container '$c': state.json has format 99, and this program knows 1"
	echo null > "$ROOT/$c/state.json"
	is_told "'state.json' has nothing but a null in it"
	echo '{}' > "$ROOT/$c/state.json"
	is_told "container '$c': state.json is damaged"
	rm "$ROOT/$c/state.json"
	is_told "container '$c': state.json is missing"
	cp "$T/good" "$ROOT/$c/state.json"
	thole logs "$c"
}

@test "the state directory is made 0700, everything in it 0600 or less" {
	detached sleep 1000
	equal "$(stat -c %a "$ROOT" "$ROOT/$c" | tr '\n' ' ')" '700 700 '
	equal "$(find "$ROOT/$c" -mindepth 1 -perm /077)" ''
	equal "$(find "$T/log" -type f -perm /027; find "$T/log/$c" -maxdepth 0 -perm /077)" ''
}

# covers: delete --force
@test "a damaged status or state file is an error, not a crash, and delete --force still cleans up" {
	detached sleep 1000
	local shim pid f
	shim=$(shim_of "$c") pid=$(init_of "$c")
	for f in status state.json; do
		cp "$ROOT/$c/$f" "$T/$f.good"
		head -c 4096 /dev/urandom > "$ROOT/$c/$f"
		local s=0
		thole state "$c" > "$T/out" 2> "$T/err" || s=$?
		[ $s = 1 ] || [ "$f" = state.json ] || fail "state with a damaged $f: $s"
		[ $s = 0 ] || equal "$(wc -l < "$T/err")" 1
		thole list > "$T/out" 2> "$T/err"
		cp "$T/$f.good" "$ROOT/$c/$f"
	done
	: > "$ROOT/$c/status"
	thole delete --force "$c"
	wait_for pid_gone "$pid"
	wait_for pid_gone "$shim"
}

@test "options: unknown ones, missing arguments, operands too many or too few" {
	refused 125 'no-such-option' thole run --no-such-option "$c"
	refused 1 'no-such-option' thole list --no-such-option
	refused 125 bundle thole run --bundle
	refused 1 'yaml' thole list --format yaml
	refused 1 . thole state
	refused 1 . thole state a b
	refused 1 'no-such-command' thole no-such-command
	refused 1 . thole --log-format xml list
}

# covers: thole --root, run --bundle, run --pid-file
@test "a relative bundle, root and pid file are taken from the caller's directory" {
	cd "$T"
	config '.process.args = ["sleep", "1000"]'
	"$THOLE" --root state run -d --bundle b --pid-file pid "$c-2" < /dev/null
	cd /
	equal "$(cat "$T/pid")" "$(init_of "$c-2")"
	equal "$(thole state "$c-2" | jq -r .bundle)" "$B"
}

@test "a path of the state directory that is longer than a socket's address" {
	local long
	long=$T/$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})
	ROOT=$long
	detached sh -c 'while read l; do echo "$l"; done; sleep 1000'
	is "$c" running
	thole kill "$c" KILL
	exits 137 thole wait "$c"
	thole delete "$c"
	rm -rf "${long%/*}"
	ROOT=$T/state
}

@test "a pid file that cannot be written is an error and nothing is left" {
	args sleep 1000
	refused 125 '/no/such/dir/pid' thole run -d --bundle "$B" --pid-file /no/such/dir/pid "$c"
	wait_for nothing_left
}

# covers: thole --log, thole --log-format
@test "errors as JSON, as runc writes them, to stderr or the log file" {
	local s=0
	"$THOLE" --root "$ROOT" --log "$T/log.json" --log-format json state "$c" 2> "$T/err" || s=$?
	equal $s 1
	equal "$(jq -r .level "$T/log.json")" error
	contains "$(jq -r .msg "$T/log.json")" 'does not exist'
	matches "$(jq -r .time "$T/log.json")" '^20.*Z$'
	equal "$(wc -l < "$T/err")" 1
	"$THOLE" --root "$ROOT" --log "$T/log.text" state "$c" 2> "$T/err" || true
	matches "$(cat "$T/log.text")" '^time="20.*" level=error msg=".*does not exist"$'
	"$THOLE" --root "$ROOT" --log-format json state "$c" 2> "$T/err" || true
	contains "$(jq -r .msg "$T/err")" 'does not exist'
}

@test "control characters of a path do not break the line" {
	refused 125 'no.such' thole run --bundle "$T/no"$'\n'"such"$'\033'"[31m" "$c"
	not grep -q $'\033' "$T/refused.err"
}
