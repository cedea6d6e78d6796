/* SPDX-License-Identifier: Apache-2.0 */
/* Faults on demand, in the programs that are built with FAULTS=1 and in no others: the linker puts __wrap_NAME() in the place of each call in tests/faults/calls, and the named
 * steps ask fault_step().
 *
 * The plan is a file that $THOLE_FAULTS names, mapped by all processes of a command (a shim has its client's environment), so that the calls of all of them are counted together:
 * "the 217th call". tests/faults/sweep writes it. No thread, no allocation, and a plan that is absent costs a comparison. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "common/fault.h"

#define EVERY UINT64_MAX

enum fault_way { FAULT_NONE = 0, FAULT_FAIL = 1, FAULT_KILL = 2, FAULT_AGAIN = 3, FAULT_SHORT = 4, FAULT_CRASH = 5 };

/* As tests/faults/sweep packs it: little endian, without holes. */
struct plan {
	_Atomic uint64_t calls; /* so far, of those that fit */
	uint64_t at;            /* which of them it is to be, from 0 on; EVERY */
	uint32_t way;           /* enum fault_way */
	int32_t error;          /* 0: what the list of calls says */
	char name
		[64]; /* of the call ("openat") or step ("step create: log"); "" for every call, "step" for every step */
	char who[16]; /* "" or the process's name */
	_Atomic uint32_t hits;
	char hit[4096 - 108]; /* a line for each of the first hits */
};
_Static_assert(sizeof(struct plan) == 4096, "one page");

static struct plan *plan;

#define FAULT(name, error, result, ways) long __real_##name(long, long, long, long, long, long, long);
#include "faults/calls.h"
#undef FAULT

__attribute__((constructor)) static void find_plan(void)
{
	const char *path = getenv("THOLE_FAULTS");
	long fd, p;

	if (!path)
		return;
	fd = __real_open((long)path, O_RDWR | O_CLOEXEC, 0, 0, 0, 0, 0);
	if ((int)fd < 0)
		return;
	p = __real_mmap(0, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0, 0);
	close((int)fd);
	if (p != -1)
		plan = (struct plan *)p;
}

/* A name that begins with "step" is one step's or, alone, all steps'; what has none is all calls. */
static bool wanted(const char *name, int error, const char *ways)
{
	char comm[16] = "";

	if (plan->name[0] && strcmp(plan->name, name) != 0 &&
	    !(!strcmp(plan->name, "step") && !strncmp(name, "step ", 5)))
		return false;
	if (!plan->name[0] && !strncmp(name, "step ", 5))
		return false;
	if (plan->way == FAULT_FAIL && !error && !plan->error)
		return false;
	if ((plan->way == FAULT_AGAIN && !strstr(ways, "again")) ||
	    (plan->way == FAULT_SHORT && !strstr(ways, "short")))
		return false;
	if (!plan->who[0])
		return true;
	__real_prctl(PR_GET_NAME, (long)comm, 0, 0, 0, 0, 0);
	return !strcmp(comm, plan->who);
}

static void note(const char *name, const void *caller)
{
	char comm[16] = "", line[160];
	size_t used = strnlen(plan->hit, sizeof(plan->hit) - 1);

	__real_prctl(PR_GET_NAME, (long)comm, 0, 0, 0, 0, 0);
	snprintf(line, sizeof(line), "%s %d %s %p\n", comm, (int)getpid(), name, caller);
	if (used + strlen(line) < sizeof(plan->hit))
		memcpy(plan->hit + used, line, strlen(line) + 1);
	atomic_fetch_add(&plan->hits, 1);
}

/* What is to happen to this call. Sets errno when it is to fail, and does not return when it is the moment of the kill. */
static enum fault_way fault(const char *name, int error, const char *ways, const void *caller)
{
	uint64_t n;

	if (!plan || !plan->way || !wanted(name, error, ways))
		return FAULT_NONE;
	n = atomic_fetch_add(&plan->calls, 1);
	if (plan->at != EVERY && n != plan->at)
		return FAULT_NONE;
	note(name, caller);
	switch ((enum fault_way)plan->way) {
	case FAULT_KILL:
		__real_kill(getpid(), SIGKILL, 0, 0, 0, 0, 0);
		_exit(128 + SIGKILL); /* the first process of a pid namespace cannot do that to itself */
	case FAULT_CRASH:
		raise(SIGSEGV);
		break;
	case FAULT_FAIL:
		errno = plan->error ? plan->error : error;
		break;
	case FAULT_AGAIN:
		errno = plan->error ? plan->error : EINTR;
		return FAULT_FAIL;
	case FAULT_SHORT:
	case FAULT_NONE:
		break;
	}
	return (enum fault_way)plan->way;
}

/* May the kernel read or write less of this than it was asked for? Not of packets, nor write a part of what /proc and groups are told. */
static bool divisible(long fd)
{
	struct stat st;
	struct statfs fs;

	if ((int)__real_fstat(fd, (long)&st, 0, 0, 0, 0, 0) < 0 ||
	    (int)__real_fstatfs(fd, (long)&fs, 0, 0, 0, 0, 0) < 0)
		return false;
	if (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC ||
	    fs.f_type == SYSFS_MAGIC)
		return false;
	return S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode);
}

/* Arguments go on as they came, in registers or on the stack: none of these calls has a floating one. */
#define FAULT(name, error, result, ways)                                                                               \
	long __wrap_##name(long a, long b, long c, long d, long e, long f, long g);                                    \
	long __wrap_##name(long a, long b, long c, long d, long e, long f, long g)                                     \
	{                                                                                                              \
		enum fault_way way = fault(#name, error, ways, __builtin_return_address(0));                           \
                                                                                                                       \
		if (way == FAULT_FAIL)                                                                                 \
			return result;                                                                                 \
		if (way == FAULT_SHORT && c > 1 && divisible(a))                                                       \
			c = 1;                                                                                         \
		return __real_##name(a, b, c, d, e, f, g);                                                             \
	}
#include "faults/calls.h"

int fault_step(const char *whole, const char *name, struct err *err)
{
	char text[64];

	snprintf(text, sizeof(text), "step %s: %s", whole, name);
	if (fault(text, EIO, "", __builtin_return_address(0)) != FAULT_FAIL)
		return 0;
	return err_sys(err, "cannot do '%s'", text);
}
