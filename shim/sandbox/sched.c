/* SPDX-License-Identifier: Apache-2.0 */
/* How the kernel treats the container's process: scheduler, I/O priority, affinity, memory policy, personality.
 *
 * Runs as the container's process while it still has the shim's privileges, but for what a restored process is given from outside. Everything here is kept over execve. */
#include "shim/sandbox/sched.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_SHIFT 13

/* As sched_setattr(2) has it: newer C libraries declare it, older ones do not. */
struct attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int apply_scheduler(const struct oci_scheduler *s, struct err *err)
{
	struct attributes a = {
		.size = sizeof(a),
		.policy = (uint32_t)s->policy,
		.flags = s->flags,
		.nice = s->nice,
		.priority = s->priority,
		.runtime = s->runtime_ns,
		.deadline = s->deadline_ns,
		.period = s->period_ns,
	};

	if (s->set && syscall(SYS_sched_setattr, 0, &a, 0) < 0)
		return err_sys(err, "process.scheduler: cannot set it");
	return 0;
}

/* thread 0: the calling one. 0, or -1 with errno. */
static int set_io_priority(pid_t thread, const struct oci_io_priority *p)
{
	int value = (int)p->class << IOPRIO_CLASS_SHIFT | (int)p->priority;

	return (int)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, thread, value);
}

static int apply_io_priority(const struct oci_io_priority *p, struct err *err)
{
	if (p->set && set_io_priority(0, p) < 0)
		return err_sys(err, "process.ioPriority: cannot set it");
	return 0;
}

int sched_give_io_priority(pid_t pid, const struct oci_io_priority *priority, struct err *err)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *e;
	char path[40];

	if (!priority->set)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.' && set_io_priority(atoi(e->d_name), priority) < 0 && errno != ESRCH)
			return err_sys(err, "process.ioPriority: cannot set it");
	return 0;
}

/* The kernel takes one bit less than it is told. */
static int apply_memory_policy(const struct oci_memory_policy *p, struct err *err)
{
	const unsigned long *nodes = p->nodes.set ? p->nodes.bits : NULL;

	if (p->set && syscall(SYS_set_mempolicy, (int)(p->mode | p->flags), nodes, nodes ? OCI_BITSET_MAX + 1 : 0) < 0)
		return err_sys(err, "linux.memoryPolicy: cannot set it");
	return 0;
}

static int apply_personality(const struct oci_personality *p, struct err *err)
{
	if (p->set && personality((unsigned long)p->domain) < 0)
		return err_sys(err, "linux.personality: cannot set it");
	return 0;
}

int child_sched_apply(const struct oci_process *p, struct err *err)
{
	if (apply_scheduler(&p->scheduler, err) < 0 || apply_io_priority(&p->io_priority, err) < 0 ||
	    apply_memory_policy(&p->memory_policy, err) < 0 || apply_personality(&p->personality, err) < 0)
		return -1;
	return 0;
}

void child_sched_anywhere(void)
{
	unsigned char all[8192 / 8];

	memset(all, 0xff, sizeof(all));
	syscall(SYS_sched_setaffinity, 0, sizeof(all), all); /* where it is refused, what it has must do */
}

int child_sched_affinity(const struct oci_bitset *cpus, const char *field, struct err *err)
{
	if (cpus->set && syscall(SYS_sched_setaffinity, 0, sizeof(cpus->bits), cpus->bits) < 0)
		return err_sys(err, "%s: cannot set it", field);
	return 0;
}
