/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and OOM score, set from outside into a child, and what is said when the kernel refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/limits.h"
#include "shim/sandbox/procfs.h"

static pid_t sleeping_child(void)
{
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void limits_arrive_in_the_other_process(void **state)
{
	struct rlimit before, now;
	struct oci_rlimit limits[] = {
		{ RLIMIT_NOFILE, { 64, 128 } },
		{ RLIMIT_CORE, { 0, 0 } },
		{ RLIMIT_NPROC, { 5, 5 } },
	};
	struct oci_process p = { .n_rlimits = ARRAY_SIZE(limits), .rlimits = limits };
	pid_t pid = sleeping_child();
	struct err err = { 0 };

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	if (limits_apply(pid, &p, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		assert_int_equal(prlimit(pid, limits[i].resource, NULL, &now), 0);
		assert_int_equal(now.rlim_cur, limits[i].limit.rlim_cur);
		assert_int_equal(now.rlim_max, limits[i].limit.rlim_max);
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(now.rlim_cur, before.rlim_cur);
	end(pid);
}

/* As on a host that keeps CAP_SYS_RESOURCE to itself. */
static void give_up_sys_resource(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &header, data);
	data[0].effective &= ~(1u << CAP_SYS_RESOURCE);
	data[0].permitted &= ~(1u << CAP_SYS_RESOURCE);
	syscall(SYS_capset, &header, data);
}

static void in_child(void (*act)(struct err *err), struct err *ret_err)
{
	struct err *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	assert_ptr_not_equal(shared, MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		give_up_sys_resource();
		act(shared);
		for (;;)
			syscall(SYS_exit_group, 0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	*ret_err = *shared;
	munmap(shared, sizeof(*shared));
}

static void raise_hard_limit(struct err *err)
{
	struct oci_rlimit limits[] = { { RLIMIT_CORE, { 10, 10 } }, { RLIMIT_NOFILE, { 100, RLIM_INFINITY } } };
	struct oci_process p = { .n_rlimits = 2, .rlimits = limits };

	setrlimit(RLIMIT_NOFILE, &(struct rlimit) { 100, 200 });
	limits_apply(0, &p, err);
}

static void raise_above_system(struct err *err)
{
	struct oci_rlimit limit = { RLIMIT_NICE, { 5, 1 } };
	struct oci_process p = { .n_rlimits = 1, .rlimits = &limit };

	limits_apply(0, &p, err);
}

static void refusals_name_limit_and_values(void **state)
{
	struct err err;

	in_child(raise_hard_limit, &err);
	assert_int_equal(err.code, ERR_SYS);
	assert_int_equal(err.sys_errno, EPERM);
	assert_string_equal(
		err.text, "process.rlimits: cannot raise the hard limit of RLIMIT_NOFILE from 200 to unlimited without "
			  "CAP_SYS_RESOURCE: Operation not permitted");
	in_child(raise_above_system, &err);
	assert_int_equal(err.sys_errno, EINVAL);
	assert_string_equal(err.text, "process.rlimits: cannot set RLIMIT_NICE to 5, hard 1: Invalid argument");
}

static int score_of(pid_t pid)
{
	char path[64];
	int score;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &score), 1);
	fclose(f);
	return score;
}

static void oom_score_arrives(void **state)
{
	pid_t pid = sleeping_child();
	struct err err = { 0 };
	int proc, own = score_of(getpid());

	assert_int_equal(procfs_open(PROCFS_PIDS, &proc, &err), 0);
	if (limits_oom_score_adj(proc, pid, 765, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(score_of(pid), 765);
	assert_int_equal(score_of(getpid()), own);
	end(pid);
	/* Gone: an error, and not somebody else's score. */
	assert_int_equal(limits_oom_score_adj(proc, pid, 1, &err), -1);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_int_equal(strncmp(err.text, "process.oomScoreAdj: cannot open '/proc/", 40), 0);
	close(proc);
}

static void lower_oom_score(struct err *err)
{
	int proc;

	if (procfs_open(PROCFS_PIDS, &proc, err) == 0)
		limits_oom_score_adj(proc, getpid(), -1000, err);
}

static void lowering_the_oom_score_needs_a_capability(void **state)
{
	struct err err;

	in_child(lower_oom_score, &err);
	assert_int_equal(err.sys_errno, EACCES);
	assert_int_equal(
		strncmp(err.text,
			"process.oomScoreAdj: lowering it takes CAP_SYS_RESOURCE: cannot write '-1000' to '/proc/", 88),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_arrive_in_the_other_process),
		cmocka_unit_test(refusals_name_limit_and_values),
		cmocka_unit_test(oom_score_arrives),
		cmocka_unit_test(lowering_the_oom_score_needs_a_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
