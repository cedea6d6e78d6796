/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits and the OOM score of the container's process, set from outside by the shim. */
#ifndef THOLE_SHIM_SANDBOX_LIMITS_H
#define THOLE_SHIM_SANDBOX_LIMITS_H

#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* process.rlimits into `pid` (0: the caller itself), by prlimit(2). Only while the process still has the shim's own user and group ids
 * (or with CAP_SYS_RESOURCE): before it changes its user. Errors name the limit, "process.rlimits: ...". What was set before the
 * failure stays set. */
int limits_apply(pid_t pid, const struct oci_process *p, struct err *err);

/* process.oomScoreAdj into `pid`, -1000 to 1000. proc_fd: a handle of procfs_open. Lowering takes CAP_SYS_RESOURCE. */
int limits_oom_score_adj(int proc_fd, pid_t pid, int value, struct err *err);
/* The same with what p says, if it says so, and a /proc of its own: the container has none that could be trusted with it. */
int limits_set_oom_score_adj(pid_t pid, const struct oci_process *p, struct err *err);

#endif
