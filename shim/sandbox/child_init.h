/* SPDX-License-Identifier: Apache-2.0 */
/* The container's first process, from the clone to execve. */
#ifndef THOLE_SHIM_SANDBOX_CHILD_INIT_H
#define THOLE_SHIM_SANDBOX_CHILD_INIT_H

#include "shim/sandbox/child_step.h"
#include "shim/sandbox/ns.h"

struct child_init_params {
	struct child_params common;
	const struct oci_config *config;
	const char *bundle; /* absolute path of the host; sources of binds may be relative to it */
	const char *rootfs; /* absolute path of the host */
	const struct ns_joined *joined;
	bool no_pivot;
	const char *state_creating; /* OCI state for the createContainer hooks; NULL without them */
	const char *state_created;  /* for the startContainer hooks */
};

/* Runs in the child; never returns. */
void child_init(const struct child_init_params *p) __attribute__((noreturn));

#endif
