/* SPDX-License-Identifier: Apache-2.0 */
/* The container's first process, from the clone to execve, and the words it exchanges with the shim. */
#ifndef THOLE_SHIM_SANDBOX_CHILD_INIT_H
#define THOLE_SHIM_SANDBOX_CHILD_INIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "shim/oci/config.h"
#include "shim/sandbox/ns.h"
#include "shim/sandbox/seccomp.h"

struct cgroup;

/* The handshake over a SEQPACKET socketpair. The child says READY (with the pty's master beside it if there is one) when everything but the
 * program itself is in place, and then does as it is told. FAILED may come before or after; the end of the connection after an order to
 * run means that the program runs. */
enum child_word {
	CHILD_FAILED = 1, /* err says why; the child exits */
	CHILD_READY = 2,
};

struct child_message {
	enum child_word word;
	struct err err;
};

/* From the shim, one byte. A connection that ends before it makes the child exit. */
enum child_order {
	CHILD_RUN = 'r',	    /* execute the program; errors come over this connection */
	CHILD_WAIT_FOR_START = 'w', /* wait on the start socket, on whose connection errors come */
};

struct child_init_params {
	const struct oci_config *config;
	const char *id;
	const char *rootfs; /* absolute path of the host */
	const struct cgroup *cgroup;
	const struct ns_joined *joined;
	const struct seccomp_program *seccomp; /* NULL: none */
	int sync_fd;
	int start_fd;	   /* listening start socket */
	int stdio[3];	   /* -1: stdin from /dev/null; with a terminal all are -1 */
	const int *preserved; /* become 3, 4, ... */
	int n_preserved;
	const int *close_first; /* what the child must not keep even for a moment: the shim's lock above all */
	int n_close_first;
	bool no_pivot, no_new_keyring;
	uint16_t rows, columns;
};

/* Runs in the child; never returns. */
void child_init(const struct child_init_params *p) __attribute__((noreturn));

#endif
