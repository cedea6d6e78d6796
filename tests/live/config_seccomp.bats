# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# linux.seccomp: what the filter answers, seen by a program that makes the calls.
load lib

setup_test() { bundle; }

answer() { # NUMBER ARGS...: what the system call gives inside
	in_container /usr/bin/syscall "$@" < /dev/null
}

# covers: linux.seccomp.{defaultAction,architectures}
@test "a filter is loaded: mode 2 inside, 0 without one" {
	probe inherit
	equal "$(value Seccomp)" 0
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [ { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 17 } ] }'
	probe inherit
	equal "$(value Seccomp)" 2
}

# covers: linux.seccomp.syscalls[].{names,action,errnoRet}
@test "errno of a rule, default errno 1" {
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [
		{ names: ["getppid"], action: "SCMP_ACT_ERRNO", errnoRet: 77 }, { names: ["getpgid"], action: "SCMP_ACT_ERRNO" } ] }'
	equal "$(answer 110)" 'ret=-1 errno=77'
	equal "$(answer 121 0)" 'ret=-1 errno=1'
	matches "$(answer 39)" '^ret=1 errno=0$'
}

# covers: linux.seccomp.syscalls[].args
@test "conditions on arguments" {
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [
		{ names: ["lseek"], action: "SCMP_ACT_ERRNO", errnoRet: 99, args: [ { index: 0, value: 77, op: "SCMP_CMP_EQ" } ] },
		{ names: ["personality"], action: "SCMP_ACT_ERRNO", errnoRet: 98, args: [ { index: 0, value: 255, valueTwo: 8, op: "SCMP_CMP_MASKED_EQ" } ] } ] }'
	equal "$(answer 8 77 0 0)" 'ret=-1 errno=99'
	equal "$(answer 8 78 0 0)" 'ret=-1 errno=9'
	equal "$(answer 135 8)" 'ret=-1 errno=98'
}

# covers: linux.seccomp.defaultErrnoRet
@test "a default of errno: what the profile names works, what it does not is refused, newer calls get ENOSYS" {
	# All that a static program and the way into it need.
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1, architectures: ["SCMP_ARCH_X86_64"], syscalls: [ { names: [
		"read", "write", "writev", "close", "fstat", "newfstatat", "mmap", "mprotect", "munmap", "brk", "rt_sigaction", "rt_sigprocmask", "ioctl", "execve",
		"exit", "exit_group", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom", "readlinkat", "readlink", "uname", "getpid",
		"access", "openat", "fcntl", "futex", "getuid", "getgid", "geteuid", "getegid", "capset", "capget", "prctl", "setuid", "setgid", "setgroups", "sendmsg",
		"sendto", "recvfrom", "recvmsg", "close_range", "chdir", "umask", "execveat", "seccomp", "getcwd", "rt_sigreturn", "poll", "ppoll", "getdents64" ],
		action: "SCMP_ACT_ALLOW" } ] }'
	matches "$(answer 39)" '^ret=1 errno=0$'
	equal "$(answer 110)" 'ret=-1 errno=1' getppid
	# 500 does not exist: newer than anything that the profile knows.
	equal "$(answer 500)" 'ret=-1 errno=38' 'a system call newer than the profile'
}

# covers: thole --debug
@test "names that nobody knows are skipped, with a line at debug level" {
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [
		{ names: ["no_such_call", "getppid"], action: "SCMP_ACT_ERRNO", errnoRet: 55 } ] }'
	equal "$(answer 110)" 'ret=-1 errno=55'
	args true
	thole --debug run --bundle "$B" "$c" < /dev/null > "$T/out" 2> "$T/err"
	contains "$(cat "$T/err")" no_such_call
}

@test "kill as an action ends the container by SIGSYS" {
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [
		{ names: ["getppid"], action: "SCMP_ACT_KILL_PROCESS" } ] }'
	args /usr/bin/syscall 110
	exits 159 thole run --bundle "$B" "$c" < /dev/null
}

@test "with no_new_privs and without, as a user without capabilities" {
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [
		{ names: ["getppid"], action: "SCMP_ACT_ERRNO", errnoRet: 66 } ] } | .process.user = { uid: 1000, gid: 1000 } | .process.capabilities = {}'
	config '.process.noNewPrivileges = true'
	equal "$(answer 110)" 'ret=-1 errno=66'
	config '.process.noNewPrivileges = false'
	equal "$(answer 110)" 'ret=-1 errno=66'
}

@test "what is not known is refused by the field's path" {
	args true
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_NOTHING" }'
	refused 125 'linux.seccomp.defaultAction' thole run --bundle "$B" "$c"
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["getppid"], action: "WHAT" } ] }'
	refused 125 'linux.seccomp.syscalls\[0\].action' thole run --bundle "$B" "$c"
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["getppid"], action: "SCMP_ACT_ERRNO",
		args: [ { index: 9, value: 1, op: "SCMP_CMP_EQ" } ] } ] }'
	refused 125 'linux.seccomp.syscalls\[0\].args\[0\].index' thole run --bundle "$B" "$c"
}

@test "the shim has no filter" {
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [
		{ names: ["getppid"], action: "SCMP_ACT_ERRNO" } ] } | .process.noNewPrivileges = true'
	detached sleep 1000
	grep -q '^Seccomp:[[:space:]]*0$' "/proc/$(shim_of "$c")/status"
	grep -q '^NoNewPrivs:[[:space:]]*0$' "/proc/$(shim_of "$c")/status"
	equal "$(awk '/^CapBnd/ { print $2 }' "/proc/$(shim_of "$c")/status")" "$(awk '/^CapBnd/ { print $2 }' /proc/self/status)"
}

# agent: answers in the background what filters ask; what it is told goes to $T/agent.out
agent() {
	in_background "$PROBES/notify" "$T/agent.sock" > "$T/agent.out"
	wait_for test -S "$T/agent.sock"
	config --arg p "$T/agent.sock" '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: $p, listenerMetadata: "some data",
		syscalls: [ { names: ["getppid"], action: "SCMP_ACT_NOTIFY" } ] } | .annotations = { "org.example.a": "b" }'
}

# covers: linux.seccomp.{listenerPath,listenerMetadata}
@test "notify: the listener gets the state and the descriptor, and answers the container" {
	agent
	equal "$(answer 110)" 'ret=-1 errno=77'
	wait_for grep -q '^syscall=110$' "$T/agent.out"
	sed -n 's/^state=//p' "$T/agent.out" > "$T/told"
	equal "$(jq -c '[.fds, .metadata, .ociVersion, .state.id, .state.status, .state.bundle, .state.annotations["org.example.a"], .pid == .state.pid]' < "$T/told")" \
		"[[\"seccompFd\"],\"some data\",\"$(jq -r .ociVersion "$B/config.json")\",\"$c\",\"creating\",\"$B\",\"b\",true]"
	equal "$(value peer "$T/agent.out")" "$(id -u)"
}

@test "notify: with create and start, with no_new_privs, as a user, in a user namespace" {
	agent
	config '.process.noNewPrivileges = true | .process.user = { uid: 1000, gid: 1000 } | .process.capabilities = {}'
	args /usr/bin/syscall 110
	thole create --bundle "$B" "$c" < /dev/null
	wait_for grep -q '^state=' "$T/agent.out"
	equal "$(sed -n 's/^state=//p' "$T/agent.out" | jq .pid)" "$(init_of "$c")"
	not grep -q '^syscall=' "$T/agent.out"
	thole start "$c"
	wait_for is "$c" stopped
	contains "$(thole logs "$c")" 'ret=-1 errno=77'
	thole delete "$c"
	config '.process.noNewPrivileges = false | .linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	owned_rootfs 100000 100000
	equal "$(answer 110)" 'ret=-1 errno=77'
}

@test "notify: each exec'd process is told of, with its own pid" {
	agent
	detached sleep 1000
	equal "$(thole exec "$c" /usr/bin/syscall 110 < /dev/null)" 'ret=-1 errno=77'
	thole exec -d --pid-file "$T/pid" "$c" sleep 1000 < /dev/null
	wait_for eval '[ "$(grep -c ^state= "$T/agent.out")" = 3 ]'
	sed -n 's/^state=//p' "$T/agent.out" | tail -1 > "$T/told"
	equal "$(jq -c '[.pid, .state.pid, .state.status]' < "$T/told")" "[$(cat "$T/pid"),$(init_of "$c"),\"running\"]"
}

@test "notify: nobody listens, no path, no way: refused by the field" {
	args true
	config --arg p "$T/none.sock" '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: $p, syscalls: [ { names: ["getppid"], action: "SCMP_ACT_NOTIFY" } ] }'
	refused 125 "linux\.seccomp\.listenerPath: cannot connect to '$T/none.sock'" thole run --bundle "$B" "$c"
	config 'del(.linux.seccomp.listenerPath)'
	refused 125 'linux\.seccomp\.listenerPath: is missing' thole run --bundle "$B" "$c"
	config '.linux.seccomp.listenerMetadata = "x"'
	refused 125 'linux\.seccomp\.listenerPath: is missing: listenerMetadata' thole run --bundle "$B" "$c"
	config '.linux.seccomp.listenerPath = "relative"'
	refused 125 'linux\.seccomp\.listenerPath: must be an absolute path' thole run --bundle "$B" "$c"
	config '.linux.seccomp.listenerPath = "/x" | .linux.seccomp.syscalls[0].names = ["sendmsg"]'
	refused 125 'linux\.seccomp\.syscalls\[0\]\.names\[0\]: .*sendmsg' thole run --bundle "$B" "$c"
	config '.linux.seccomp.defaultAction = "SCMP_ACT_NOTIFY"'
	refused 125 'linux\.seccomp\.defaultAction' thole run --bundle "$B" "$c"
	wait_for nothing_left
	# Without the action the path says nothing.
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/no/such" }'
	thole run --bundle "$B" "$c" < /dev/null
}

# covers: linux.seccomp.flags
@test "all flags, with and without a listener" {
	agent
	config '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]'
	equal "$(answer 110)" 'ret=-1 errno=77'
	config '.linux.seccomp.syscalls[0].action = "SCMP_ACT_ERRNO"'
	equal "$(answer 110)" 'ret=-1 errno=1'
	equal "$("$THOLE" features | jq -c '.linux.seccomp | [(.actions | index("SCMP_ACT_NOTIFY") != null), (.supportedFlags | index("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") != null)]')" '[true,true]'
}
