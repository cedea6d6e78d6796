# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# linux.seccomp: what the filter answers, seen by a program that makes the calls.
load lib

setup_test() { bundle; }

answer() { # NUMBER ARGS...: what the system call gives inside
	in_container /usr/bin/syscall "$@" < /dev/null
}

@test "a filter is loaded: mode 2 inside, 0 without one" {
	probe inherit
	equal "$(value Seccomp)" 0
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [ { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 17 } ] }'
	probe inherit
	equal "$(value Seccomp)" 2
}

@test "errno of a rule, default errno 1" {
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [
		{ names: ["getppid"], action: "SCMP_ACT_ERRNO", errnoRet: 77 }, { names: ["getpgid"], action: "SCMP_ACT_ERRNO" } ] }'
	equal "$(answer 110)" 'ret=-1 errno=77'
	equal "$(answer 121 0)" 'ret=-1 errno=1'
	matches "$(answer 39)" '^ret=1 errno=0$'
}

@test "conditions on arguments" {
	config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [
		{ names: ["lseek"], action: "SCMP_ACT_ERRNO", errnoRet: 99, args: [ { index: 0, value: 77, op: "SCMP_CMP_EQ" } ] },
		{ names: ["personality"], action: "SCMP_ACT_ERRNO", errnoRet: 98, args: [ { index: 0, value: 255, valueTwo: 8, op: "SCMP_CMP_MASKED_EQ" } ] } ] }'
	equal "$(answer 8 77 0 0)" 'ret=-1 errno=99'
	equal "$(answer 8 78 0 0)" 'ret=-1 errno=9'
	equal "$(answer 135 8)" 'ret=-1 errno=98'
}

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
