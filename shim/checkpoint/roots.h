/* SPDX-License-Identifier: Apache-2.0 */
/* What a criu that is killed in a restore leaves in /tmp. */
#ifndef THOLE_SHIM_CHECKPOINT_ROOTS_H
#define THOLE_SHIM_CHECKPOINT_ROOTS_H

#include "shim/sandbox/cgroup.h"

/* Remove the directory that the criu whose log restore.log in dir_fd is had its mounts on, if it is still there. criu has ended, and `killed` (the caller's) are the processes that it was
 * bringing back, which have been killed. Where another process has the mounts it is another restore's, with the same directory for its log, and stays. Nothing is told. */
void roots_drop(int dir_fd, const struct cgroup_pids *killed);

#endif
