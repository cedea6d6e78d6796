/* SPDX-License-Identifier: Apache-2.0 */
/* A further process of a running container, from the clone to execve. */
#ifndef THOLE_SHIM_SANDBOX_CHILD_EXEC_H
#define THOLE_SHIM_SANDBOX_CHILD_EXEC_H

#include "shim/sandbox/child_step.h"

struct child_exec_params {
	struct child_params common;
	int init_pidfd;     /* whose namespaces are joined */
	uint64_t ns_flags;  /* CLONE_NEW*: those that differ from the shim's */
	bool below_init;    /* the process is to be a descendant of the container's init, not our child */
	bool only_chrooted; /* the root is not that of its mount namespace */
	pid_t *cloned; /* memory that the shim sees too: which child of its own the clone made (0: none yet, or none of its own) */
};

/* Runs in the child; never returns. It joins, clones the process itself as the shim's child (CLONE_PARENT), says which one that is, and exits. With below_init it is to be
 * killed once that was heard: when the connection ends instead it kills what it has cloned. */
void child_exec(const struct child_exec_params *p) __attribute__((noreturn));

/* Which namespaces of the process differ from the caller's. */
int child_exec_ns_flags(pid_t pid, uint64_t *ret_flags, struct err *err);

#endif
