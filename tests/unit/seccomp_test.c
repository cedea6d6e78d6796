/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp filters: what real system calls get under them, and what every architecture of them would answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/sandbox/seccomp.h"

#define X32 0x40000000u

/* linux.seccomp as config.json has it. */
static int compile(const char *json, struct seccomp_program *ret, struct err *err)
{
	char *text = xasprintf("{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"seccomp\":%s}}", json);
	struct oci_config *c = NULL;
	int r;

	if (oci_config_parse(text, strlen(text), &c, err) < 0)
		fail_msg("%s", err->text);
	r = seccomp_compile(&c->seccomp, ret, err);
	oci_config_free(c);
	free(text);
	return r;
}

static struct seccomp_program must_compile(const char *json)
{
	struct seccomp_program p = { 0 };
	struct err err = { 0 };

	if (compile(json, &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static void refused(const char *json, ErrCode code, const char *text)
{
	struct seccomp_program p = { .len = 7 };
	struct err err = { 0 };

	assert_int_equal(compile(json, &p, &err), -1);
	assert_string_equal(err.text, text);
	assert_int_equal(err.code, code);
	assert_int_equal(p.len, 7);
}

/* ---- system calls under a filter ---- */

struct call {
	long nr;
	unsigned long a, b;
	int expect; /* errno, 0: success */
};

#ifdef __x86_64__
/* System call of the 32-bit table from 64-bit code. */
static long call_i386(long nr)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(0), "c"(0), "d"(0)
			 : "r8", "r9", "r10", "r11", "memory");
	return ret;
}
#endif

/* _exit(2) of the sanitizers looks for leaks, which takes calls that the filter denies. */
static void end_child(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

/* Make the calls in a child under the filter, answers in `ret`. Returns the wait status. */
static int make_calls(const struct seccomp_program *p, const struct call *calls, size_t n, bool i386, int *ret)
{
	int *answers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_ptr_not_equal(answers, MAP_FAILED);
	assert_true(n * sizeof(int) <= 4096);
	for (size_t i = 0; i < n; i++)
		answers[i] = -1;
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		struct err err;

		/* cmocka catches these and would go on with the tests, in the child. */
		signal(SIGSYS, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || child_seccomp_load(p, NULL, &err) < 0)
			end_child(77);
		for (size_t i = 0; i < n; i++) {
			long r;

#ifdef __x86_64__
			if (i386) {
				r = call_i386(calls[i].nr);
				answers[i] = r < 0 ? (int)-r : 0;
				continue;
			}
#endif
			r = syscall(calls[i].nr, calls[i].a, calls[i].b, 0, 0, 0, 0);
			answers[i] = r < 0 ? errno : 0;
		}
		end_child(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	memcpy(ret, answers, n * sizeof(int));
	munmap(answers, 4096);
	return status;
}

static void check_calls(const char *json, const struct call *calls, size_t n, bool i386)
{
	struct seccomp_program p = must_compile(json);
	int answers[64];
	int status = make_calls(&p, calls, n, i386, answers);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (size_t i = 0; i < n; i++)
		if (answers[i] != calls[i].expect)
			fail_msg("call %ld (%#lx, %#lx): errno %d instead of %d", calls[i].nr, calls[i].a, calls[i].b,
				 answers[i], calls[i].expect);
	seccomp_program_release(&p);
	assert_null(p.filter);
}

/* What a child needs to end in good order, also under the sanitizers. */
#define ENDING "\"exit\",\"exit_group\""

/* covers: linux.seccomp.syscalls[].{names,action,errnoRet} */
static void denied_calls_get_their_errno(void **state)
{
	static const struct call calls[] = {
		{ SYS_getppid, 0, 0, EPERM }, { SYS_getpgid, 0, 0, 77 }, { SYS_getsid, 0, 0, 4094 },
		{ SYS_getpid, 0, 0, 0 },      { 10000, 0, 0, ENOSYS }, /* the kernel's own */
	};

	check_calls("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getppid\"],\"action\":\"SCMP_"
		    "ACT_ERRNO\"},"
		    "{\"names\":[\"getpgid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":77},"
		    "{\"names\":[\"getsid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":4094}]}",
		    calls, ARRAY_SIZE(calls), false);
}

static void newer_calls_than_the_profile_get_enosys(void **state)
{
	/* getsid is above getppid in every table. */
	static const struct call calls[] = {
		{ SYS_getpid, 0, 0, 0 }, { SYS_getppid, 0, 0, 13 }, { SYS_exit_group + 1, 0, 0, ENOSYS },
		{ 600, 0, 0, ENOSYS },   { 100000, 0, 0, ENOSYS },
	};
	static const struct call plain[] = { { SYS_getppid, 0, 0, ENOSYS }, { 600, 0, 0, ENOSYS } };
	static const struct call default_errno[] = { { SYS_getppid, 0, 0, EPERM }, { 600, 0, 0, ENOSYS } };

	check_calls("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":13,\"syscalls\":[{\"names\":["
		    "\"getpid\"," ENDING "],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		    calls, ARRAY_SIZE(calls), false);
	check_calls("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"syscalls\":[{\"names\":["
		    "\"getpid\"," ENDING "],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		    plain, ARRAY_SIZE(plain), false);
	check_calls("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[" ENDING
		    "],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		    default_errno, ARRAY_SIZE(default_errno), false);
}

/* A rule that only repeats the default changes no answer, yet the profile knows the call by it. */
static void naming_a_call_makes_it_known(void **state)
{
	static const struct call calls[] = {
		{ SYS_close_range, 3, 2, EPERM },
		{ SYS_close_range + 1, 0, 0, ENOSYS },
	};

	check_calls("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[" ENDING
		    "],\"action\":\"SCMP_ACT_ALLOW\"},"
		    "{\"names\":[\"close_range\"],\"action\":\"SCMP_ACT_ERRNO\"}]}",
		    calls, ARRAY_SIZE(calls), false);
}

/* covers: linux.seccomp.syscalls[].args */
static void arguments_are_compared(void **state)
{
	static const struct call calls[] = {
		{ SYS_personality, 0xffffffff, 0, 0 },
		{ SYS_personality, 5, 0, 71 },
		{ SYS_personality, 0x1000000, 0, 72 },
		{ SYS_personality, 0x3000000, 0, 72 },
		{ SYS_getsid, 0, 0, 0 },
		{ SYS_getsid, 1000000001, 0, 73 },
		{ SYS_getpgid, 0, 0, 74 },
		{ SYS_dup2, 5, 1, 75 },
		{ SYS_dup2, 6, 1, 75 },
		{ SYS_dup2, 7, 1, EBADF },
		{ SYS_kill, 0, 100, EINVAL },
		{ SYS_kill, 1, 100, 76 },
		{ SYS_setpgid, 1000000001, 1, 78 },
		{ SYS_setpgid, 1000000001, 2, ESRCH },
	};

	check_calls("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
		    "{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":71,\"args\":[{\"index\":0,"
		    "\"value\":5,\"op\":\"SCMP_CMP_EQ\"}]},"
		    "{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":72,\"args\":[{\"index\":0,"
		    "\"value\":4278190080,\"valueTwo\":16777216,"
		    "\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
		    "{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":72,\"args\":[{\"index\":0,"
		    "\"value\":50331648,\"op\":\"SCMP_CMP_EQ\"}]},"
		    "{\"names\":[\"getsid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":73,\"args\":[{\"index\":0,"
		    "\"value\":1000000000,\"op\":\"SCMP_CMP_GT\"}]},"
		    "{\"names\":[\"getpgid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":74,\"args\":[{\"index\":0,"
		    "\"value\":1,\"op\":\"SCMP_CMP_LT\"}]},"
		    /* Twice the same argument: one or the other. */
		    "{\"names\":[\"dup2\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":75,\"args\":[{\"index\":0,"
		    "\"value\":5,\"op\":\"SCMP_CMP_EQ\"},"
		    "{\"index\":0,\"value\":6,\"op\":\"SCMP_CMP_EQ\"}]},"
		    "{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":76,\"args\":[{\"index\":0,"
		    "\"value\":0,\"op\":\"SCMP_CMP_NE\"}]},"
		    /* Two arguments: both. */
		    "{\"names\":[\"setpgid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":78,\"args\":[{\"index\":0,"
		    "\"value\":1000000000,\"op\":\"SCMP_CMP_GE\"},"
		    "{\"index\":1,\"value\":1,\"op\":\"SCMP_CMP_LE\"}]}]}",
		    calls, ARRAY_SIZE(calls), false);
}

static int status_of_call(const char *json, long nr)
{
	struct seccomp_program p = must_compile(json);
	struct call call = { .nr = nr };
	int answer, status = make_calls(&p, &call, 1, false, &answer);

	seccomp_program_release(&p);
	return status;
}

static void kill_and_trap_end_in_sigsys(void **state)
{
	static const char *const actions[] = { "KILL", "KILL_THREAD", "KILL_PROCESS", "TRAP" };

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		char *json = xasprintf("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getppid\"],"
				       "\"action\":\"SCMP_ACT_%s\"}]}",
				       actions[i]);
		int status = status_of_call(json, SYS_getppid);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: wait status %#x", actions[i], (unsigned int)status);
		status = status_of_call(json, SYS_getpid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		free(json);
	}
}

/* A default of kill was asked for: newer calls are killed like others. */
static void default_kill_is_not_softened(void **state)
{
	int status = status_of_call(
		"{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",\"syscalls\":[{\"names\":[\"getpid\"," ENDING
		"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		600);

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static void trace_without_tracer_is_enosys(void **state)
{
	static const struct call calls[] = { { SYS_getppid, 0, 0, ENOSYS }, { SYS_getpgid, 0, 0, 0 } };

	check_calls("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getppid\"],\"action\":\"SCMP_"
		    "ACT_TRACE\",\"errnoRet\":65535},"
		    "{\"names\":[\"getpgid\"],\"action\":\"SCMP_ACT_LOG\"}]}",
		    calls, ARRAY_SIZE(calls), false);
}

/* covers: linux.seccomp.flags */
static void flags_reach_the_kernel(void **state)
{
	struct seccomp_program p =
		must_compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_TSYNC\","
			     "\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\","
			     "\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],"
			     "\"syscalls\":[{\"names\":[\"getppid\"],\"action\":\"SCMP_ACT_ERRNO\"}]}");
	struct call call = { .nr = SYS_getppid };
	int answer, status;

	assert_int_equal(p.flags, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	status = make_calls(&p, &call, 1, false, &answer);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(answer, EPERM);
	seccomp_program_release(&p);
}

static void no_filter_is_an_empty_program(void **state)
{
	struct oci_seccomp none = { 0 };
	struct seccomp_program p = { .len = 5 };
	struct err err = { 0 };

	assert_int_equal(seccomp_compile(&none, &p, &err), 0);
	assert_int_equal(p.len, 0);
	assert_null(p.filter);
	assert_int_equal(child_seccomp_load(&p, NULL, &err), 0);
	assert_int_equal(prctl(PR_GET_SECCOMP), 0);
	seccomp_program_release(&p);
}

static void load_says_why_not(void **state)
{
	struct sock_filter nonsense[] = { { 0xffff, 0, 0, 0 } };
	struct seccomp_program p = { 1, nonsense, 0, false };
	struct err err = { 0 };

	assert_int_equal(child_seccomp_load(&p, NULL, &err), -1);
	assert_int_equal(err.code, ERR_SYS);
	assert_non_null(strstr(err.text, "cannot load the seccomp filter"));
}

#ifdef __x86_64__
static void x32_calls_are_told_from_x86_64(void **state)
{
	static const struct call calls[] = {
		{ (long)(X32 | SYS_getpgid), 0, 0, 77 },
		{ (long)(X32 | SYS_getppid), 0, 0, EPERM },
		{ (long)(X32 | 600), 0, 0, ENOSYS },
		{ SYS_getpgid, 0, 0, 77 },
		{ SYS_getppid, 0, 0, EPERM },
		{ 600, 0, 0, ENOSYS },
	};
	static const char rules[] = "\"syscalls\":[{\"names\":[" ENDING "],\"action\":\"SCMP_ACT_ALLOW\"},"
				    "{\"names\":[\"getpgid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":77}]}";
	char *json = xasprintf("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X32\"],%s", rules);
	int status;

	check_calls(json, calls, ARRAY_SIZE(calls), false);
	free(json);
	/* Not in the profile: the wrong architecture, which is never let through. */
	json = xasprintf("{\"defaultAction\":\"SCMP_ACT_ERRNO\",%s", rules);
	status = status_of_call(json, (long)(X32 | SYS_getpgid));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	free(json);
}
#endif

/* ---- every architecture, in an interpreter of the part of BPF that filters use ---- */

static uint32_t run_filter(const struct seccomp_program *p, const struct seccomp_data *data)
{
	uint32_t a = 0, mem[16] = { 0 };

	for (size_t pc = 0; pc < p->len; pc++) {
		const struct sock_filter *f = &p->filter[pc];
		bool taken;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k + 4 <= sizeof(*data) && f->k % 4 == 0);
			memcpy(&a, (const char *)data + f->k, 4);
			continue;
		case BPF_LD | BPF_W | BPF_MEM:
			a = mem[f->k];
			continue;
		case BPF_ST:
			mem[f->k] = a;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			continue;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = a == f->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			taken = a > f->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = a >= f->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			taken = a & f->k;
			break;
		default:
			fail_msg("instruction %#x", f->code);
			return 0;
		}
		pc += taken ? f->jt : f->jf;
	}
	fail_msg("the filter has no end");
	return 0;
}

#ifdef __x86_64__
/* Some hosts have no 32-bit calls: a program that makes one dies. */
static bool has_i386_calls(void)
{
	struct seccomp_program none = { 0 };
	struct call call = { .nr = 20 };
	int answer;

	return WIFEXITED(make_calls(&none, &call, 1, true, &answer)) && answer == 0;
}

/* In the interpreter, and for real where the host has them. */
/* covers: linux.seccomp.architectures */
static void i386_calls_have_a_table_of_their_own(void **state)
{
	/* Of asm/unistd_32.h: getpid 20, getppid 64, exit_group 252; 253 was never used there, 500 is in the future. */
	static const struct call calls[] = {
		{ 20, 0, 0, 0 },       { 64, 0, 0, EPERM },   { 251, 0, 0, EPERM },
		{ 253, 0, 0, ENOSYS }, { 500, 0, 0, ENOSYS },
	};
	static const char json[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],"
		"\"syscalls\":[{\"names\":[\"getpid\"," ENDING "],\"action\":\"SCMP_ACT_ALLOW\"}]}";
	struct seccomp_program p = must_compile(json);

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct seccomp_data data = { .nr = (int)calls[i].nr, .arch = AUDIT_ARCH_I386 };
		uint32_t expect = calls[i].expect ? SECCOMP_RET_ERRNO | (uint32_t)calls[i].expect : SECCOMP_RET_ALLOW;

		assert_int_equal(run_filter(&p, &data), expect);
	}
	seccomp_program_release(&p);
	if (has_i386_calls())
		check_calls(json, calls, ARRAY_SIZE(calls), true);
}
#endif

/* For each architecture: named calls as named, unnamed ones the default up to the highest named, ENOSYS above. */
static void every_architecture_has_its_own_end(void **state)
{
	static const struct {
		const char *word;
		uint32_t token, audit_arch;
	} archs[] = {
		{ "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64 },
		{ "SCMP_ARCH_X86", SCMP_ARCH_X86, AUDIT_ARCH_I386 },
		{ "SCMP_ARCH_X32", SCMP_ARCH_X32, AUDIT_ARCH_X86_64 },
		{ "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64 },
		{ "SCMP_ARCH_ARM", SCMP_ARCH_ARM, AUDIT_ARCH_ARM },
		{ "SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64, AUDIT_ARCH_RISCV64 },
	};
	static const char *const names[] = { "read", "getppid", "exit_group", "pidfd_open", "openat2" };
	struct seccomp_program p =
		must_compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":99,\"architectures\":[\"SCMP_"
			     "ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\","
			     "\"SCMP_ARCH_AARCH64\",\"SCMP_ARCH_ARM\",\"SCMP_ARCH_RISCV64\",\"SCMP_ARCH_X86\"],"
			     "\"syscalls\":[{\"names\":[\"read\",\"getppid\",\"exit_group\",\"pidfd_open\",\"openat2\"]"
			     ",\"action\":\"SCMP_ACT_ALLOW\"}]}");

	for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
		uint32_t base = archs[i].token == SCMP_ARCH_X32 ? X32 : 0;
		uint32_t highest = (uint32_t)seccomp_syscall_resolve_name_arch(archs[i].token, "openat2");

		assert_in_range(highest, base + 400, base + 500);
		for (uint32_t nr = base; nr < base + 1000; nr++) {
			struct seccomp_data data = { .nr = (int)nr, .arch = archs[i].audit_arch };
			uint32_t expect = nr > highest ? SECCOMP_RET_ERRNO | ENOSYS : SECCOMP_RET_ERRNO | 99;

			for (size_t k = 0; k < ARRAY_SIZE(names); k++)
				if (nr == (uint32_t)seccomp_syscall_resolve_name_arch(archs[i].token, names[k]))
					expect = SECCOMP_RET_ALLOW;
			if (run_filter(&p, &data) != expect)
				fail_msg("%s, call %u: %#x instead of %#x", archs[i].word, nr - base,
					 run_filter(&p, &data), expect);
		}
		/* A call that a tracer has cancelled is no newer call. */
		assert_int_equal(run_filter(&p, &(struct seccomp_data) { .nr = -1, .arch = archs[i].audit_arch }),
				 SECCOMP_RET_ERRNO | 99);
	}
	/* An architecture that is not in the profile: whatever libseccomp does with it, not ENOSYS. */
	assert_int_equal(run_filter(&p, &(struct seccomp_data) { .nr = 900, .arch = AUDIT_ARCH_S390X }),
			 SECCOMP_RET_KILL_THREAD);
	seccomp_program_release(&p);
}

/* A profile that names nothing for an architecture has no newest call there. */
static void nothing_is_newer_than_nothing(void **state)
{
	struct seccomp_program p = must_compile(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X86_64\"],"
		"\"syscalls\":[{\"names\":[\"vm86old\",\"no_such_call\"],\"action\":\"SCMP_ACT_ALLOW\"}]}");

	assert_int_equal(run_filter(&p, &(struct seccomp_data) { .nr = 600, .arch = AUDIT_ARCH_X86_64 }),
			 SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(run_filter(&p, &(struct seccomp_data) { .nr = 113, .arch = AUDIT_ARCH_I386 }),
			 SECCOMP_RET_ALLOW);
	assert_int_equal(run_filter(&p, &(struct seccomp_data) { .nr = 112, .arch = AUDIT_ARCH_I386 }),
			 SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(run_filter(&p, &(struct seccomp_data) { .nr = 114, .arch = AUDIT_ARCH_I386 }),
			 SECCOMP_RET_ERRNO | ENOSYS);
	seccomp_program_release(&p);
}

/* ---- what is not known ---- */

#define RULE(r)                                                                                                        \
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_KILL\"}," r \
	"]}"

static void unknown_words_are_refused_by_field(void **state)
{
	refused("{\"defaultAction\":\"SCMP_ACT_NOTHING\"}", ERR_CONFIG,
		"linux.seccomp.defaultAction: unknown action 'SCMP_ACT_NOTHING'");
	refused("{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", ERR_CONFIG,
		"linux.seccomp.defaultAction: must not be SCMP_ACT_NOTIFY: nobody could answer the first call");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}", ERR_CONFIG,
		"linux.seccomp.defaultAction: 'SCMP_ACT_ALLOW' cannot carry an errno");
	refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":4095}", ERR_CONFIG,
		"linux.seccomp.defaultAction: its errnoRet must be at most 4094");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_PDP11\"]}",
		ERR_CONFIG, "linux.seccomp.architectures[1]: unknown architecture 'SCMP_ARCH_PDP11'");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_X\"]}", ERR_CONFIG,
		"linux.seccomp.flags[0]: unknown flag 'SECCOMP_FILTER_FLAG_X'");
	refused(RULE("{\"names\":[\"getppid\"],\"action\":\"x\"}"), ERR_CONFIG,
		"linux.seccomp.syscalls[1].action: unknown action 'x'");
	refused(RULE("{\"names\":[\"getppid\"],\"action\":\"SCMP_ACT_NOTIFY\"}"), ERR_CONFIG,
		"linux.seccomp.listenerPath: is missing: SCMP_ACT_NOTIFY needs it");
	refused(RULE("{\"names\":[\"getppid\",\"sendmsg\"],\"action\":\"SCMP_ACT_NOTIFY\"}"), ERR_CONFIG,
		"linux.seccomp.syscalls[1].names[1]: SCMP_ACT_NOTIFY is not possible for 'sendmsg': it carries the "
		"descriptor "
		"to who answers");
	refused(RULE("{\"names\":[\"getppid\"],\"action\":\"SCMP_ACT_KILL\",\"errnoRet\":5}"), ERR_CONFIG,
		"linux.seccomp.syscalls[1].action: 'SCMP_ACT_KILL' cannot carry an errno");
	refused(RULE("{\"names\":[\"getppid\"],\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":0,\"value\":1,\"op\":"
		     "\"SCMP_CMP_IS\"}]}"),
		ERR_CONFIG, "linux.seccomp.syscalls[1].args[0].op: unknown operator 'SCMP_CMP_IS'");
}

/* Of the other byte order: libseccomp refuses to put it into the same filter. */
static void impossible_architectures_are_refused_by_field(void **state)
{
	struct seccomp_program p = { 0 };
	struct err err = { 0 };

	assert_int_equal(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_S390X\"]}", &p,
				 &err),
			 -1);
	assert_int_equal(
		strncmp(err.text, "linux.seccomp.architectures[0]: cannot filter for 'SCMP_ARCH_S390X' here", 72), 0);
}

static void unknown_names_are_skipped_with_a_debug_line(void **state)
{
	static const struct call calls[] = { { SYS_getppid, 0, 0, EPERM } };
	int fds[2];
	char text[1024];
	ssize_t n;

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	log_init(fds[1], LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	check_calls("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"no_such_call\",\"getppid\"],"
		    "\"action\":\"SCMP_ACT_ERRNO\"}]}",
		    calls, ARRAY_SIZE(calls), false);
	log_init(-1, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	n = read(fds[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "level=debug"));
	assert_non_null(strstr(text, "linux.seccomp.syscalls[0].names[0]: 'no_such_call'"));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied_calls_get_their_errno),
		cmocka_unit_test(newer_calls_than_the_profile_get_enosys),
		cmocka_unit_test(naming_a_call_makes_it_known),
		cmocka_unit_test(arguments_are_compared),
		cmocka_unit_test(kill_and_trap_end_in_sigsys),
		cmocka_unit_test(default_kill_is_not_softened),
		cmocka_unit_test(trace_without_tracer_is_enosys),
		cmocka_unit_test(flags_reach_the_kernel),
		cmocka_unit_test(no_filter_is_an_empty_program),
		cmocka_unit_test(load_says_why_not),
#ifdef __x86_64__
		cmocka_unit_test(i386_calls_have_a_table_of_their_own),
		cmocka_unit_test(x32_calls_are_told_from_x86_64),
#endif
		cmocka_unit_test(every_architecture_has_its_own_end),
		cmocka_unit_test(nothing_is_newer_than_nothing),
		cmocka_unit_test(unknown_words_are_refused_by_field),
		cmocka_unit_test(impossible_architectures_are_refused_by_field),
		cmocka_unit_test(unknown_names_are_skipped_with_a_debug_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
