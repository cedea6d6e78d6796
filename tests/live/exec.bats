# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# exec: further processes in a running container.
load lib

setup_test() {
	bundle
	detached sleep 1000
}

# In $T/out for `value`: what the probe says of itself. OPTIONS... before "--".
inside() {
	local status=0
	thole exec "$@" "$c" /usr/bin/inherit > "$T/out" < /dev/null || status=$?
	[ $status = 0 ] || fail "exec $*: exit status $status: $(cat "$T/out")"
}

# covers: exec
@test "output comes apart, status is the process's" {
	local s=0
	thole exec "$c" sh -c 'echo out; echo err >&2; exit 6' > "$T/out" 2> "$T/err" < /dev/null || s=$?
	equal $s 6
	equal "$(cat "$T/out")" out
	equal "$(cat "$T/err")" err
	is "$c" running
}

@test "what follows ID is the command line, options and all" {
	equal "$(thole exec "$c" echo -d --tty -- -x < /dev/null)" '-d --tty -- -x'
	equal "$(thole exec "$c" printf '%s|' 'a b' '' $'c\n"d\\' $'\001\377' < /dev/null | od -An -c)" \
		"$(printf '%s|' 'a b' '' $'c\n"d\\' $'\001\377' | od -An -c)"
}

@test "stdin is passed on, and its end" {
	printf 'a\nb\n' | thole exec "$c" sh -c 'while read l; do echo "got $l"; done; echo eof; exit 3' > "$T/out" || equal $? 3
	equal "$(cat "$T/out")" $'got a\ngot b\neof'
	head -c 5000000 /dev/urandom > "$T/big"
	equal "$(thole exec "$c" cat < "$T/big" | sha256sum)" "$(sha256sum < "$T/big")"
}

@test "half-close: the process goes on writing after its stdin has ended" {
	equal "$(echo x | thole exec "$c" sh -c 'cat > /dev/null; for i in 1 2 3; do usleep 50000; echo $i; done' | xargs)" '1 2 3'
}

# covers: exec --interactive
@test "without a stdin of the caller's it is /dev/null; -i keeps it open" {
	equal "$(thole exec "$c" readlink /proc/self/fd/0 < /dev/null)" /dev/null
	equal "$(thole exec "$c" readlink /proc/self/fd/0 <&-)" /dev/null
	matches "$(thole exec -i "$c" readlink /proc/self/fd/0 < /dev/null)" '^pipe:'
}

@test "end by a signal is 128 + its number" {
	exits 137 thole exec "$c" sh -c 'kill -9 $$' < /dev/null
	exits 143 thole exec "$c" sh -c 'kill -15 $$' < /dev/null
	exits 139 thole exec "$c" sh -c 'kill -11 $$' < /dev/null
}

@test "a command that is not there is 127, one that cannot be executed 126; thole-oci says 255" {
	refused 127 'exec /no/such' thole exec "$c" /no/such
	refused 127 'nosuchcommand' thole exec "$c" nosuchcommand
	refused 126 'exec /etc/passwd' thole exec "$c" /etc/passwd
	refused 126 '/etc' thole exec "$c" /etc
	refused 255 'exec /no/such' "$THOLE_OCI" --root "$ROOT" exec "$c" /no/such
	refused 255 'exec /etc/passwd' "$THOLE_OCI" --root "$ROOT" exec -d "$c" /etc/passwd
	exits 5 "$THOLE_OCI" --root "$ROOT" exec "$c" sh -c 'exit 5' < /dev/null
}

@test "a reader that goes away ends the process by SIGPIPE" {
	timeout 20 "$THOLE" --root "$ROOT" exec "$c" yes < /dev/null | head -1 > "$T/out"
	equal "$(cat "$T/out")" y
	no_yes() { not thole exec "$c" pidof yes < /dev/null; }
	wait_for no_yes
}

@test "a signal to the client reaches the process, not the container's init" {
	in_background "$THOLE" --root "$ROOT" exec "$c" /usr/bin/signals 4 < /dev/null > "$T/out"
	local client=$!
	wait_for grep -q ready "$T/out"
	kill -USR1 $client
	wait_for grep -q 'got 10 USR1' "$T/out"
	kill -HUP $client
	wait_for grep -q 'got 1 HUP' "$T/out"
	kill -TERM $client
	exits 4 wait $client
	is "$c" running
}

# covers: exec --sig-proxy
@test "--sig-proxy=false keeps signals from the process" {
	in_background "$THOLE" --root "$ROOT" exec --sig-proxy=false "$c" /usr/bin/signals < /dev/null > "$T/out"
	local client=$!
	wait_for grep -q ready "$T/out"
	kill -TERM $client
	exits 143 wait $client
	thole exec "$c" pidof signals < /dev/null
	not grep got "$T/out"
}

@test "a client that is killed leaves the process running" {
	in_background "$THOLE" --root "$ROOT" exec "$c" sh -c 'echo up; while [ ! -e /tmp/go ]; do usleep 10000; done; echo x; touch /tmp/done' \
		< /dev/null > "$T/out"
	local client=$!
	wait_for grep -q up "$T/out"
	kill -KILL $client
	wait_for pid_gone $client
	touch "$B/rootfs/tmp/go"
	wait_for test -e "$B/rootfs/tmp/done"
}

# ---- terminal

# covers: exec --tty
@test "-t: a terminal of its own, of the container's devpts, with the caller's size" {
	echo end | "$PROBES/pty" -s 33x99 "$THOLE" --root "$ROOT" exec -t "$c" /usr/bin/inherit | tr -d '\r' > "$T/out"
	matches "$(value fd_0)" '^/dev/pts/[0-9]+$'
	equal "$(value fd_1)" "$(value fd_0)"
	equal "$(value fd_2)" "$(value fd_0)"
	equal "$(value tty_0)" 1
	equal "$(value controlling_tty)" 1
	equal "$(value session_leader)" 1
	equal "$(value size)" 33x99
	equal "$(value fds)" 0,1,2,
}

@test "-t: the terminal's size follows" {
	local s=0
	"$PROBES/pty" -s 33x99 "$THOLE" --root "$ROOT" exec -t "$c" \
		sh -c 'stty size; trap "stty size; exit 4" WINCH; echo ready; while :; do usleep 10000; done' > "$T/out" << 'END' || s=$?
expect 33 99
expect ready
size 44x111
expect 44 111
end
END
	equal $s 4
}

@test "-t: ^C becomes SIGINT, ^D is end of file, and the caller's terminal is as it was" {
	local s=0
	"$PROBES/pty" "$THOLE" --root "$ROOT" exec -t "$c" \
		sh -c 'trap "echo interrupted" INT; read a; echo "got <$a>"; read b; cat; echo eof; exit 12' > "$T/out" 2> "$T/err" << 'END' || s=$?
send hello\n
expect got <hello>
send \x03
expect interrupted
send line\n
expect line
send \x04
expect eof
end
END
	equal $s 12
	not grep raw "$T/err"
}

@test "-t without a terminal here works on a pty all the same" {
	local s=0
	thole exec -t "$c" sh -c 'tty; exit 2' < /dev/null > "$T/out" || s=$?
	equal $s 2
	matches "$(tr -d '\r' < "$T/out")" '^/dev/pts/[0-9]+$'
}

# covers: exec --detach-keys
@test "detach keys leave the process running" {
	printf 'expect up\nsend \\x10\\x11\nend\n' | "$PROBES/pty" "$THOLE" --root "$ROOT" exec -t "$c" sh -c 'echo up; exec sleep 1001' > "$T/out"
	thole exec "$c" sh -c 'ps | grep -q "[s]leep 1001"' < /dev/null
	refused 125 'detach' thole exec --detach-keys 'ctrl-~~' "$c" true
}

# covers: exec --console-socket
@test "-d -t --console-socket: the master comes as one descriptor" {
	in_background "$PROBES/console" "$T/console.sock" "$T/ready" > "$T/console.out"
	local console=$!
	wait_for test -e "$T/ready"
	thole exec -d -t --console-socket "$T/console.sock" "$c" sh -c 'tty; echo over the socket' < /dev/null
	wait_for grep -q 'over the socket' "$T/console.out"
	matches "$(head -1 "$T/console.out")" '^fds=1 name=.+'
	wait_for pid_gone $console
	refused 125 'detach' thole exec -t --console-socket "$T/console.sock" "$c" true
	refused 125 '/no/such/socket' thole exec -d -t --console-socket /no/such/socket "$c" true
}

@test "--console-socket without -t is an error" {
	in_background "$PROBES/console" "$T/console.sock" "$T/ready" > "$T/console.out"
	wait_for test -e "$T/ready"
	refused 125 'terminal' thole exec -d --console-socket "$T/console.sock" "$c" true
}

# ---- what it is

@test "it is in the container's namespaces and root, and a child of nobody inside" {
	local init kind
	init=$(init_of "$c")
	for kind in mnt pid net ipc uts cgroup user; do
		equal "$(thole exec "$c" readlink "/proc/self/ns/$kind" < /dev/null)" "$(readlink "/proc/$init/ns/$kind")" "namespace $kind"
	done
	inside
	equal "$(value ppid)" 0
	equal "$(value session_leader)" 1
	equal "$(value cwd)" /
	equal "$(thole exec "$c" hostname < /dev/null)" "$(jq -r .hostname < "$B/config.json")"
}

@test "it is in every cgroup of the container's" {
	thole exec -d --pid-file "$T/pid" "$c" sleep 1002 < /dev/null
	equal "$(cat "/proc/$(cat "$T/pid")/cgroup")" "$(cat "/proc/$(init_of "$c")/cgroup")"
	# And so its child from the first moment on.
	equal "$(thole exec "$c" sh -c 'cat /proc/self/cgroup | sort -u' < /dev/null | wc -l)" "$(sort -u "/proc/$(init_of "$c")/cgroup" | wc -l)"
}

@test "rights are the config's: capabilities, no_new_privs, seccomp, user, limits, umask" {
	local key
	config '.process.noNewPrivileges = true'
	thole delete --force "$c"
	detached /usr/bin/inherit
	thole wait "$c"
	thole logs "$c" > "$T/init"
	thole delete --force "$c"
	detached sleep 1000
	inside
	for key in CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp uid gid groups umask ignored blocked nice scheduler \
		rlimit_nofile rlimit_nproc rlimit_core oom_score_adj death_signal dumpable Cpus_allowed_list env_PATH env_HOME timerslack_ns; do
		equal "$(value $key)" "$(value $key "$T/init")" "$key"
	done
	equal "$(value NoNewPrivs)" 1
}

# Those of the one who runs us are nobody's business inside: each process of a container has the container's.
@test "the session keyring is the container's, and with --no-new-keyring the caller's" {
	local serial
	grep -q keyring /proc/keys || skip 'needs: keyrings'
	thole delete --force "$c"
	detached sh -c 'inherit; exec sleep 1000'
	wait_for logged "$c" keyring_serial
	thole logs "$c" > "$T/init"
	inside
	serial=$(value keyring_serial "$T/init")
	equal "$(value keyring_serial)" "$serial"
	matches "$(value keyring)" "keyring;0;0;.*;_ses.$c"
	inside --user 1000:1001
	equal "$(value keyring_serial)" "$serial"
	kill -KILL "$(shim_of "$c")"
	inside
	equal "$(value keyring_serial)" "$serial"
	thole delete --force "$c"
	thole run -d --no-new-keyring --bundle "$B" "$c" < /dev/null
	inside
	not contains "$(value keyring)" "_ses.$c"
}

# covers: exec --user
@test "--user: strictly a number, or a name of the container's passwd" {
	inside --user 1000:1001
	equal "$(value uid)" 1000,1000,1000
	equal "$(value gid)" 1001,1001,1001
	equal "$(value CapEff)" 0000000000000000
	equal "$(value env_HOME)" /home/user
	inside -u user
	equal "$(value uid)" 1000,1000,1000
	equal "$(value gid)" 1000,1000,1000
	inside -u user:extra
	equal "$(value gid)" 2000,2000,2000
	# As runc: a number alone leaves the group.
	inside -u 77
	equal "$(value uid)" 77,77,77
	equal "$(value gid)" 0,0,0
	local bad
	for bad in 01 1x '' ' 1' +1 -1 1: :1 1:01 1:2:3 4294967295 4294967296 99999999999999999999 1:4294967295 nobody-here user:nogroup 0x10; do
		refused 125 "user" thole exec -u "$bad" "$c" touch /tmp/ran
	done
	[ ! -e "$B/rootfs/tmp/ran" ]
}

@test "--user: the streams are the user's to reopen" {
	equal "$(thole exec -u 1000:1000 "$c" sh -c 'echo o > /dev/stdout; echo e > /dev/stderr' 2>&1 < /dev/null | sort | xargs)" 'e o'
}

# covers: exec --cwd, exec --env, exec --additional-gids
@test "--cwd, --env, --additional-gids" {
	inside --cwd /home/user -e A=1 --env 'B=x y=z' -e C= -e A=2 -e PATH=/usr/bin -g 5 --additional-gids 2000
	equal "$(value cwd)" /home/user
	equal "$(value env_A)" 2
	equal "$(grep -c ^env_A= "$T/out")" 1
	equal "$(grep ^env_B= "$T/out")" 'env_B=x y=z'
	equal "$(grep ^env_C= "$T/out")" 'env_C='
	equal "$(grep ^env_PATH= "$T/out")" env_PATH=/usr/bin
	equal "$(value groups | tr , '\n' | sort -n | xargs)" '5 2000'
	refused 125 'env' thole exec -e NOVALUE "$c" true
	refused 125 'env' thole exec -e =x "$c" true
	refused 125 'additional-gids' thole exec -g 01 "$c" true
	refused 125 'additional-gids' thole exec -g -1 "$c" true
	refused 125 'additional-gids' thole exec -g extra "$c" true
	refused 125 'cwd' thole exec --cwd relative "$c" true
	refused 125 'no/such' thole exec --cwd /etc/passwd/no/such "$c" true
}

# covers: exec --cap, exec --no-new-privs
@test "--cap adds, --no-new-privs sets and unsets" {
	inside
	equal "$(value NoNewPrivs)" "$(jq '.process.noNewPrivileges | if . then 1 else 0 end' < "$B/config.json")"
	local bounding effective
	bounding=$(value CapBnd) effective=$(value CapEff)
	inside --cap CAP_SYS_ADMIN -c CAP_NET_ADMIN
	equal "$(printf %016x $((0x$bounding | 1 << 21 | 1 << 12)))" "$(value CapBnd)"
	equal "$(printf %016x $((0x$effective | 1 << 21 | 1 << 12)))" "$(value CapEff)"
	inside --no-new-privs
	equal "$(value NoNewPrivs)" 1
	inside --no-new-privs=false
	equal "$(value NoNewPrivs)" 0
	# One that only a newer kernel may have is left out, with a remark, as with runc; what can be none is refused.
	thole exec --cap CAP_NO_SUCH "$c" true < /dev/null 2> "$T/err"
	equal "$(cat "$T/err")" 'thole: CAP_NO_SUCH cannot be given: it is not known'
	refused 125 "unknown capability 'no_such'" thole exec --cap no_such "$c" true
}

# covers: exec --process
@test "--process: the whole process comes from the file" {
	jq -n '{ args: ["/usr/bin/inherit"], cwd: "/tmp", env: ["ONLY=this"], user: { uid: 33, gid: 44, additionalGids: [55], umask: 63 },
		noNewPrivileges: true, rlimits: [{ type: "RLIMIT_NOFILE", soft: 77, hard: 88 }] }' > "$T/process.json"
	thole exec --process "$T/process.json" "$c" > "$T/out" < /dev/null
	equal "$(value uid)" 33,33,33
	equal "$(value gid)" 44,44,44
	equal "$(value groups)" 55,
	equal "$(value umask)" 0077
	equal "$(value cwd)" /tmp
	equal "$(value NoNewPrivs)" 1
	equal "$(value rlimit_nofile)" 77:88
	equal "$(value CapBnd)" "$(caps_of_container)"
	equal "$(grep -c '^env_PATH=' "$T/out")" 0
	equal "$(value env_ONLY)" this
}

caps_of_container() { awk '/^CapBnd/ { print $2 }' "/proc/$(init_of "$c")/status"; }

@test "--process: what protects others from the container, and where it runs, is the container's unless the file says otherwise" {
	thole delete --force "$c"
	config '.process.scheduler = { policy: "SCHED_OTHER", nice: 7 } | .process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 } | .process.execCPUAffinity = { initial: "0", final: "0" }'
	detached sleep 1000
	runs_with() { # JQ of the process
		jq -n '{ args: ["sleep", "1000"], cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 } } | '"$1" > "$T/process.json"
		thole exec -d --pid-file "$T/pid" --process "$T/process.json" "$c" < /dev/null
		echo "$(awk '/^CapBnd/ { print $2 }' "/proc/$(cat "$T/pid")/status") $(ps -o ni= -p "$(cat "$T/pid")") $(ionice -p "$(cat "$T/pid")") $(taskset -cp "$(cat "$T/pid")" | sed 's/.*: //')"
	}
	equal "$(runs_with .)" "$(caps_of_container)   7 best-effort: prio 6 0"
	equal "$(runs_with '.capabilities = null')" "$(caps_of_container)   7 best-effort: prio 6 0"
	equal "$(runs_with '.capabilities = {} | .scheduler = { policy: "SCHED_OTHER", nice: 3 } | .ioPriority = { class: "IOPRIO_CLASS_IDLE" }')" \
		"0000000000000000   3 idle 0"
}

@test "--process with a terminal; thole-oci takes flags beside it as runc does" {
	jq -n '{ args: ["tty"], cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 }, terminal: true }' > "$T/process.json"
	matches "$(thole exec -p "$T/process.json" "$c" < /dev/null | tr -d '\r')" '^/dev/pts/'
	matches "$("$THOLE_OCI" --root "$ROOT" exec --tty --process "$T/process.json" "$c" < /dev/null | tr -d '\r')" '^/dev/pts/'
	refused 125 'tty.*--process' thole exec --tty --process "$T/process.json" "$c"
	refused 125 'command' thole exec --process "$T/process.json" "$c" true
}

@test "--process that is none: one line that says where" {
	local text
	for text in '' '[]' 'null' '{' '{"args":5}' '{"args":["true"]}' '{"args":[],"cwd":"/"}' \
		'{"args":["true"],"cwd":"/","user":{"uid":-1,"gid":0}}' '{"args":["true"],"cwd":"/","user":{"uid":4294967296,"gid":0}}' \
		'{"args":["true"],"cwd":"/","user":{"uid":"0","gid":0}}' '{"args":["true"],"cwd":"relative","user":{"uid":0,"gid":0}}'; do
		printf %s "$text" > "$T/process.json"
		refused 125 'process' thole exec --process "$T/process.json" "$c"
	done
	printf '{"args":["true"],"cwd":"/","user":{"uid":0,"gid":0}}\0x' > "$T/process.json"
	refused 125 'process' thole exec --process "$T/process.json" "$c"
	head -c 5000000 /dev/zero | tr '\0' ' ' > "$T/process.json"
	refused 125 'process' thole exec --process "$T/process.json" "$c"
	refused 125 '/no/such/file' thole exec --process /no/such/file "$c"
	is "$c" running
}

# ---- detached

# covers: exec --detach, exec --pid-file
@test "-d: prints nothing, returns once the program runs; the pid file has its pid, the caller's pipe ends" {
	timeout 10 sh -c '"$0" --root "$1" exec -d --pid-file "$2" "$3" sleep 1003 < /dev/null 2>&1 | cat' \
		"$THOLE" "$ROOT" "$T/pid" "$c" > "$T/out"
	equal "$(cat "$T/out")" ''
	matches "$(cat "$T/pid")" '^[0-9]+$'
	equal "$(tr '\0' ' ' < "/proc/$(cat "$T/pid")/cmdline")" 'sleep 1003 '
	equal "$(readlink "/proc/$(cat "$T/pid")/ns/pid")" "$(readlink "/proc/$(init_of "$c")/ns/pid")"
	equal "$(awk '/^PPid/ { print $2 }' "/proc/$(cat "$T/pid")/status")" "$(shim_of "$c")"
}

@test "a pid file that cannot be written is an error, and the process does not stay" {
	refused 125 'pid file' thole exec -d --pid-file "$T/no/such/dir" "$c" sleep 1004
	refused 125 'pid file' thole exec --pid-file "$T/no/such/dir" "$c" sleep 1004
	gone() { not thole exec "$c" sh -c 'ps | grep -q "[s]leep 1004"' < /dev/null; }
	wait_for gone
}

@test "--pid-file is there when the foreground process speaks" {
	in_background "$THOLE" --root "$ROOT" exec --pid-file "$T/pid" "$c" sh -c 'echo up; exec sleep 1005' < /dev/null > "$T/out"
	wait_for grep -q up "$T/out"
	# The shell has spoken and may not have become sleep yet.
	wait_for grep -qa '^sleep' "/proc/$(cat "$T/pid")/cmdline"
}

# covers: exec --print-name, wait
@test "-d --print-name, and wait for it: status while it runs, afterwards, and by a signal" {
	local name
	name=$(thole exec -d --print-name "$c" sh -c 'while [ ! -e /tmp/go ]; do usleep 10000; done; exit 7' < /dev/null)
	in_background "$THOLE" --root "$ROOT" wait "$c" "$name" < /dev/null
	local waiter=$!
	touch "$B/rootfs/tmp/go"
	exits 7 wait $waiter
	exits 7 thole wait "$c" "$name"
	name=$(thole exec -d --print-name "$c" sh -c 'kill -9 $$' < /dev/null)
	exits 137 thole wait "$c" "$name"
	refused 125 'no process' thole wait "$c" 99999
	refused 125 'name' thole wait "$c" 01
	refused 125 'name' thole wait "$c" nonsense
	refused 125 'print-name' thole exec --print-name "$c" true
}

@test "state.json knows what runs, for whoever takes over from the shim; --print-name says its name" {
	local name pid
	name=$(thole exec -d --print-name --pid-file "$T/pid" "$c" sleep 1000)
	pid=$(cat "$T/pid")
	equal "$(thole_state "$c" ".processes[\"$name\"] | \"\(.pid) \(.owner) \(.terminal) \(.streams.stdin)\"")" "$pid shim false /dev/null"
	matches "$(thole_state "$c" ".processes[\"$name\"].streams.stdout")" '^pipe:\[[0-9]+\]$'
	equal "$(thole_state "$c" ".processes[\"$name\"].startTime")" "$(awk '{ print $22 }' "/proc/$pid/stat")"
	equal "$(thole_state "$c" ".processes[\"$name\"].streams.stdout")" "$(readlink "/proc/$pid/fd/1")"
	thole exec -t "$c" true < /dev/null
	equal "$(thole_state "$c" '.processes | keys | join(" ")')" '1 2 init'
	equal "$(thole_state "$c" '.processes["2"].terminal')" true
	# What has ended is taken out by the next one, and no name is given twice, whoever starts it.
	"$THOLE_OCI" --root "$ROOT" exec -d --pid-file "$T/pid" "$c" sleep 1000 < /dev/null > "$T/out" 2>&1
	equal "$(thole_state "$c" '.processes | keys | join(" ")')" '1 3 init'
	equal "$(thole_state "$c" '.processes["3"] | "\(.pid) \(.owner)"')" "$(cat "$T/pid") foreign"
	equal "$(thole exec -d --print-name "$c" sleep 1000)" 4
	equal "$(thole_state "$c" '.processes | keys | join(" ")')" '1 3 4 init'
	equal "$(thole_state "$c" .container.lastProcess)" 4
	thole kill "$c" KILL
	wait_for is "$c" stopped
	equal "$(thole_state "$c" '.processes | keys | join(" ")')" init
}

@test "the last 64 statuses are kept" {
	local i first name
	first=$(thole exec -d --print-name "$c" sh -c 'exit 9' < /dev/null)
	exits 9 thole wait "$c" "$first"
	for ((i = 0; i < 80; i++)); do
		name=$(thole exec -d --print-name "$c" sh -c 'exit 8' < /dev/null)
		exits 8 thole wait "$c" "$name"
	done
	exits 8 thole wait "$c" $((name - 40))
	refused 125 'no process' thole wait "$c" "$first"
}

@test "statuses outlast the shim's rest, which is in little memory" {
	needs x86-64
	local i shim name first
	shim=$(shim_of "$c")
	# In its rest it waits in poll(2), else in epoll_wait(2).
	rests() { [ "$(cut -d ' ' -f 1 "/proc/$shim/syscall")" = 7 ]; }
	heap_kib() { awk '/\[heap\]/ { heap = 1 } heap && /^Private_Dirty:/ { print $2; exit }' "/proc/$shim/smaps"; }
	wait_for rests
	local before
	before=$(heap_kib)
	first=$(thole exec -d --print-name "$c" sh -c 'exit 9' < /dev/null)
	for ((i = 0; i < 64; i++)); do
		name=$(thole exec -d --print-name "$c" sh -c 'exit 8' < /dev/null)
	done
	exits 8 thole wait "$c" "$name"
	wait_for rests
	[ "$(heap_kib)" -le $((before + 48)) ] || fail "$before KiB of heap before, $(heap_kib) after"
	exits 8 thole wait "$c" "$name"
	exits 8 thole wait "$c" $((first + 1))
	wait_for rests
	exits 8 thole wait "$c" "$name"
	refused 125 'no process' thole wait "$c" "$first"
}

# covers: exec --stdio
@test "-d --stdio=inherit: the caller's descriptors, until the process has ended" {
	mkfifo "$T/pipe"
	in_background cat "$T/pipe" > "$T/out"
	local reader=$!
	printf 'from the caller\n' | "$THOLE" --root "$ROOT" exec -d --stdio=inherit "$c" \
		sh -c 'cat; echo err >&2; while [ ! -e /tmp/go ]; do usleep 10000; done; echo last' > "$T/pipe" 2> "$T/err"
	wait_for grep -q 'from the caller' "$T/out"
	kill -0 $reader
	touch "$B/rootfs/tmp/go"
	wait_for pid_gone $reader
	equal "$(cat "$T/out")" $'from the caller\nlast'
	equal "$(cat "$T/err")" err
}

@test "thole-oci exec -d inherits, as runc does" {
	"$THOLE_OCI" --root "$ROOT" exec -d "$c" sh -c 'echo text' < /dev/null > "$T/out"
	wait_for grep -q text "$T/out"
}

# ---- what it must not see

# covers: exec --preserve-fds
@test "descriptors: 0 to 2 only; --preserve-fds passes on what it names" {
	inside
	equal "$(value fds)" 0,1,2,
	echo three > "$T/three"
	echo nine > "$T/nine"
	thole exec --preserve-fds 2 "$c" sh -c 'cat <&3; cat <&4; ls /proc/self/fd | xargs' < /dev/null 3< "$T/three" 4< "$T/nine" 9< "$T/nine" > "$T/out"
	equal "$(cat "$T/out")" $'three\nnine\n0 1 2 3 4 5'
	refused 125 'descriptor 5' thole exec --preserve-fds 3 "$c" true 3< "$T/three" 4< "$T/nine" 5<&-
}

@test "a working directory that leads out through a descriptor is refused" {
	local n
	for n in 3 4 5 6 7 8 9 10 11 12; do
		not thole exec --cwd "/proc/self/fd/$n" "$c" ls -a ../../.. > "$T/out" 2> "$T/err" < /dev/null
		equal "$(cat "$T/out")" ''
	done
	# With a host directory that is really passed on.
	refused 125 'fd/3' thole exec --preserve-fds 1 --cwd /proc/self/fd/3 "$c" ls 3< /
}

@test "nothing of the host's can be reached through other processes while exec goes on" {
	in_background "$THOLE" --root "$ROOT" exec "$c" /usr/bin/selfexe 2 < /dev/null > "$T/self.out"
	local looker=$! i
	for ((i = 0; i < 40; i++)); do
		thole exec "$c" true < /dev/null
	done
	exits 0 wait $looker
	equal "$(tail -1 "$T/self.out")" 'writable=0 outside=0'
}

# ---- states

@test "exec in a created container, which is started later" {
	args sleep 1000
	thole create --bundle "$B" "$c-2" < /dev/null
	equal "$(thole exec "$c-2" echo early < /dev/null)" early
	is "$c-2" created
	thole start "$c-2"
	equal "$(thole exec "$c-2" echo late < /dev/null)" late
}

@test "thole is in a chroot: exec enters the container's root, not that of the host around it" {
	args sh -c 'sleep 1000'
	echo inside > "$B/rootfs/marker"
	# shellcheck disable=SC2016 # for the inner shell
	mkdir "$T/host"
	unshare --mount --propagation private sh -c 'mount --rbind / "$1/host" && exec chroot "$1/host" "$2" --root "$3" run -d --bundle "$4" "$5" < /dev/null > /dev/null' - \
		"$T" "$THOLE" "$ROOT" "$B" "$c-2"
	equal "$(thole exec "$c-2" cat /marker < /dev/null)" inside
	equal "$(thole exec "$c-2" ls / < /dev/null)" "$(ls -1 "$B/rootfs")"
	equal "$(thole exec "$c-2" sh -c 'cd /..; pwd; cat marker' < /dev/null | xargs)" '/ inside'
	thole kill "$c-2" KILL
	thole delete "$c-2"
}

@test "a stopped container, a missing one, none at all" {
	thole kill "$c" KILL
	wait_for is "$c" stopped
	refused 125 'stopped' thole exec "$c" true
	refused 255 'stopped' "$THOLE_OCI" --root "$ROOT" exec "$c" true
	refused 125 'does not exist' thole exec "$c-2" true
	refused 255 'does not exist' "$THOLE_OCI" --root "$ROOT" exec "$c-2" true
	refused 125 'command' thole exec "$c"
	refused 125 'operands' thole exec
	refused 125 'id' thole exec ../x true
}

@test "an init that has divided its v2 group is joined where it is" {
	needs hybrid
	local group
	group=$(grep -oE '^[^ ]+ [^ ]+ cgroup2' /proc/mounts | cut -d' ' -f2 | head -1)$(sed -n 's/^0:://p' "/proc/$(init_of "$c")/cgroup")
	[ -n "$(cat "$group/cgroup.controllers")" ] || skip 'no v2 controller to divide a group for'
	mkdir "$group/inner"
	init_of "$c" > "$group/inner/cgroup.procs"
	sed 's/[a-z_]*/+&/g' < "$group/cgroup.controllers" > "$group/cgroup.subtree_control"
	equal "$(thole exec "$c" sed -n 's/^0:://p' /proc/self/cgroup < /dev/null)" /inner
}

@test "its shim is gone: exec gives the container another, and goes on" {
	kill -KILL "$(shim_of "$c")"
	wait_for no_shims
	equal "$(thole exec "$c" echo works < /dev/null)" works
	exits 6 thole exec "$c" sh -c 'exit 6' < /dev/null
	equal "$("$PROBES/pty" "$THOLE" --root "$ROOT" exec -t "$c" tty <<< end | tr -d '\r')" /dev/pts/0
	equal "$(shims | wc -l)" 1
	# Whoever reads what the command says, to its end, is not held.
	timeout 20 "$THOLE" --debug --root "$ROOT" exec -d "$c" sh -c 'yes | head -c 1000000; while [ ! -e /tmp/go ]; do usleep 10000; done' < /dev/null 2>&1 |
		timeout 20 cat > "$T/out"
	equal "$(shims | wc -l)" 1
	touch "$B/rootfs/tmp/go"
	refused 127 'exec /no/such' thole exec "$c" /no/such
	equal "$(shims | wc -l)" 1
}

@test "the container's end ends its exec'd processes, with their status" {
	in_background "$THOLE" --root "$ROOT" exec "$c" sleep 1006 < /dev/null > "$T/out"
	local client=$!
	running() { thole exec "$c" pidof sleep < /dev/null | grep -q ' '; }
	wait_for running
	thole kill "$c" KILL
	exits 137 wait $client
	wait_for is "$c" stopped
}

# ---- many

@test "ten at once with heavy output do not mix" {
	local i clients=() n=20000
	[ -z "$THOLE_LONG" ] || n=200000
	for i in 0 1 2 3 4 5 6 7 8 9; do
		in_background "$THOLE" --root "$ROOT" exec "$c" sh -c "/usr/bin/records $n $((64 + i)); exit $i" < /dev/null > "$T/out.$i" 2> "$T/err.$i"
		clients+=($!)
	done
	for i in 0 1 2 3 4 5 6 7 8 9; do
		exits "$i" wait "${clients[i]}"
	done
	for i in 0 1 2 3 4 5 6 7 8 9; do
		equal "$("$PROBES/records" --check < "$T/out.$i")" "records=$((n * 9 / 10)) last=$((n - 1))" "stdout of $i"
		equal "$("$PROBES/records" --check < "$T/err.$i")" "records=$((n / 10)) last=$n" "stderr of $i"
		equal "$(awk '{ print length($0) }' "$T/out.$i" | sort -u)" $((63 + i)) "records of $i"
	done
}

# What it has written to: its clean pages come and go with what it is just doing.
dirty_kib() { # PID
	awk '/^Private_Dirty/ { n += $2 } END { print n }' "/proc/$1/smaps_rollup"
}

@test "many execs leave nothing behind in the shim: memory, descriptors, zombies" {
	local n=100 i shim before after fds
	[ -z "$THOLE_LONG" ] || n=1000
	shim=$(shim_of "$c")
	some() {
		for ((i = 0; i < $1; i++)); do
			if ((i % 4)); then
				thole exec "$c" true < /dev/null
			else
				thole exec -d "$c" true < /dev/null
			fi
		done
	}
	settled() {
		[ "$(ls "/proc/$shim/fd" | wc -l)" -le "$fds" ] && [ "$(ps -o pid= --ppid "$shim" | wc -l)" = 1 ]
	}
	left() {
		fail "left: $(ls -l "/proc/$shim/fd") (at first $fds descriptors); children: $(ps -o pid=,stat=,args= --ppid "$shim")"
	}
	fds=$(ls "/proc/$shim/fd" | wc -l)
	# The first ones fill the list of statuses that are kept.
	some 80
	wait_for settled || left
	before=$(dirty_kib "$shim")
	some $n
	wait_for settled || left
	# It gives back what it needed as soon as it has nothing to do.
	as_before() { after=$(dirty_kib "$shim") && [ "$after" -le $((before + 16)) ]; }
	wait_for as_before || fail "private memory of the shim grew from $before to $after KiB over $n execs"
	# Init and, until somebody else comes, the last one.
	equal "$(jq '.processes | length' < "$ROOT/$c/state.json")" 2 "processes in state.json"
}

# covers: exec --ignore-paused
@test "exec in a paused container is refused; --ignore-paused: it runs when the container goes on" {
	thole pause "$c"
	refused 125 'it is paused' thole exec "$c" true
	in_background "$THOLE" --root "$ROOT" exec --ignore-paused "$c" echo went on > "$T/out"
	local client=$!
	in_group() { [ "$(thole ps --format json "$c" | jq length)" -gt 1 ]; }
	wait_for in_group
	equal "$(cat "$T/out")" ''
	thole resume "$c"
	exits 0 wait $client
	equal "$(cat "$T/out")" 'went on'
}

@test "--process-label where there is no SELinux: refused by name" {
	[ ! -e /sys/fs/selinux/enforce ] || skip 'needs: a host without SELinux'
	refused 125 'process.selinuxLabel: SELinux is not enabled' thole exec --process-label system_u:system_r:x:s0 "$c" true
}

# covers: process.oomScoreAdj
@test "oom_score_adj: the process's own, else the container's" {
	thole delete --force "$c"
	config '.process.oomScoreAdj = 321'
	detached sleep 1000
	equal "$(thole exec "$c" cat /proc/self/oom_score_adj)" 321
	echo '{ "args": ["cat", "/proc/self/oom_score_adj"], "cwd": "/", "oomScoreAdj": 400 }' > "$T/process.json"
	equal "$(thole exec --process "$T/process.json" "$c")" 400
	equal "$("$THOLE_OCI" --root "$ROOT" exec --process "$T/process.json" "$c" < /dev/null)" 400
	echo '{ "args": ["cat", "/proc/self/oom_score_adj"], "cwd": "/" }' > "$T/process.json"
	equal "$(thole exec --process "$T/process.json" "$c")" 321
}
