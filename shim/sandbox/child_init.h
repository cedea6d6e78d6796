/* SPDX-License-Identifier: Apache-2.0 */
/* The container's first process, from the clone to execve. */
#ifndef THOLE_SHIM_SANDBOX_CHILD_INIT_H
#define THOLE_SHIM_SANDBOX_CHILD_INIT_H

#include "shim/sandbox/child_step.h"
#include "shim/sandbox/mount_source.h"
#include "shim/sandbox/ns.h"

struct child_init_params {
	struct child_params common;
	const struct oci_config *config;
	const char *bundle; /* absolute path of the host; sources of binds may be relative to it */
	const char *rootfs; /* absolute path of the host */
	const struct ns_joined *joined;
	const struct mount_sources *sources;
	bool leaves_user; /* ns_leaves_user() */
	bool by_joiner;   /* child_join() has done what comes before the session */
	bool no_pivot;
	/* The OCI state as the container's process sees itself, for its hooks: called there. Caller frees. */
	char *(*state_cb)(void *arg, const char *status);
	void *state_arg;
};

/* Runs in the child; never returns. */
void child_init(const struct child_init_params *p) __attribute__((noreturn));

#endif
