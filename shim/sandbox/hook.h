/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: programs that are told about the container. */
#ifndef THOLE_SHIM_SANDBOX_HOOK_H
#define THOLE_SHIM_SANDBOX_HOOK_H

#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

struct proc_limits;

#define HOOK_UMASK 0022 /* outside the container, where the config has no say */

struct hook_run {
	const struct oci_hooks *hooks;
	const char *kind;                 /* "poststart", for errors */
	const char *state;                /* the OCI state, as JSON: their stdin */
	const char *cwd;                  /* the bundle */
	int close_first;                  /* hook_start(): the shim's lock; a child's copy would keep it locked */
	const struct proc_limits *limits; /* those that the hooks have; NULL: ours */
	bool every; /* those behind one that fails are run all the same; the first failure is the outcome */
	/* Called in the hook's process before it is executed, and may be NULL: what it gives up. */
	int (*prepare)(const void *arg, struct err *err);
	const void *prepare_arg;
};

/* Start a child that runs the hooks one after the other, until one fails or exceeds its timeout (it is killed then; see `every`). ret_pid is the caller's to
 * reap. ret_fd (the caller's) becomes readable when the child is through: read the outcome with hook_result(). */
int hook_start(const struct hook_run *run, pid_t *ret_pid, int *ret_fd, struct err *err);

/* Run them here and now, one after the other. For a process that waits for nothing else, such as the container's own. */
int hook_run_all(const struct hook_run *run, struct err *err);

/* Kill and reap a child of hook_start(), and the hook that it runs. */
void hook_kill(pid_t pid);

/* The outcome, and the end of the child: call it once ret_fd is readable. 0: all of them succeeded. */
int hook_result(pid_t pid, int fd, struct err *err);

#endif
