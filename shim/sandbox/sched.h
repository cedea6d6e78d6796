/* SPDX-License-Identifier: Apache-2.0 */
/* How the kernel treats the container's process: scheduler, I/O priority, affinity, memory policy, personality. */
#ifndef THOLE_SHIM_SANDBOX_SCHED_H
#define THOLE_SHIM_SANDBOX_SCHED_H

#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* All of it but the affinity, for the calling process and what it will execute. Before it becomes its user: most of it takes privileges.
 * Errors begin with the field's name. */
int child_sched_apply(const struct oci_process *process, struct err *err);

/* In the shim: the I/O priority of each thread of process `pid`, when one is set. Who has ended has none. */
int sched_give_io_priority(pid_t pid, const struct oci_io_priority *priority, struct err *err);

/* Every processor that the groups which it is in leave it, whatever its caller is bound to: as runc does since 1.3.1. The groups come first. */
void child_sched_anywhere(void);

/* `field` ("process.execCPUAffinity.final") is for the error. A set that is absent does nothing. */
int child_sched_affinity(const struct oci_bitset *cpus, const char *field, struct err *err);

#endif
