/* SPDX-License-Identifier: Apache-2.0 */
/* A proc file system that is known to be one, for everything that is written below /proc. */
#ifndef THOLE_SHIM_SANDBOX_PROCFS_H
#define THOLE_SHIM_SANDBOX_PROCFS_H

#include "common/err.h"

enum procfs_scope {
	PROCFS_PIDS, /* processes only: no /proc/sys, nothing of the whole system */
	PROCFS_ALL,
};

/* A handle of the root of a proc file system of the calling process's pid namespace. Mounted nowhere, so that nothing can be mounted
 * over parts of it; where that is refused, /proc itself, checked to be the root of a proc mount. ret_fd is close-on-exec and the
 * caller's. A new one costs some 15 microseconds to open and 30 to 150 to close: make it once. */
int procfs_open(enum procfs_scope scope, int *ret_fd, struct err *err);

/* Write `text` with one write(2) to PATH ("123/oom_score_adj", "sys/net/...", "self/...", "thread-self/...") of a handle. PATH leads
 * through no link and no other mount, and what it leads to is in a proc file system, else nothing is written. No memory: also for the
 * container's process. */
int procfs_write(int proc_fd, const char *path, const char *text, struct err *err);

#endif
