/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing from the kernel that a container lacks memory. */
#ifndef THOLE_SHIM_SANDBOX_CGROUP_NOTICE_H
#define THOLE_SHIM_SANDBOX_CGROUP_NOTICE_H

#include "proto/control.pb.h" /* MemoryPressure */
#include "shim/sandbox/cgroup.h"

struct cgroup_notice {
	int fd; /* readable when there is something: then call cgroup_notice_read(). -1: none */
	int held_fd; /* v2's pressure: the trigger, or -1; then fd is to be waited for directly, not through an epoll set of more */
	const struct cgroup *cg; /* borrowed */
	bool v2;
	uint64_t oom_kills; /* as last seen */
};

#define CGROUP_NOTICE_NONE ((struct cgroup_notice) { .fd = -1, .held_fd = -1 })

/* The kernel found no memory for a process of the container. v1: an eventfd at memory.oom_control; v2: inotify on memory.events. ERR_UNSUPPORTED: nobody counts
 * memory here. */
int cgroup_notice_oom(const struct cgroup *cg, struct cgroup_notice *ret, struct err *err);

/* Memory is scarce, at least at this level. v1: memory.pressure_level knows the three; v2: stalls for lack of memory, of 50, 150 and 400 ms (the last of all
 * processes at once) within a second. */
int cgroup_notice_pressure(const struct cgroup *cg, MemoryPressure level, struct cgroup_notice *ret, struct err *err);

/* Has it happened since? False also for what else wakes the descriptor: the end of the group, other counters of the file. */
bool cgroup_notice_read(struct cgroup_notice *n);

void cgroup_notice_close(struct cgroup_notice *n);

#endif
