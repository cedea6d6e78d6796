/* SPDX-License-Identifier: Apache-2.0 */
/* What init and exec'd processes have in common on their way to execve, and the words that they exchange with the shim. */
#ifndef THOLE_SHIM_SANDBOX_CHILD_STEP_H
#define THOLE_SHIM_SANDBOX_CHILD_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "shim/oci/config.h"
#include "shim/sandbox/seccomp.h"

struct cgroup;

/* The handshake over a SEQPACKET socketpair. The child says READY (with the pty's master beside it if there is one) when everything but the
 * program itself is in place, and then does as it is told. FAILED may come before or after; the end of the connection after an order to
 * run means that the program runs. */
enum child_word {
	CHILD_FAILED = 1, /* err says why; the child exits */
	CHILD_READY = 2,
	CHILD_IS =
		3, /* from a joiner: beside it the pidfd of the process that goes on; the sender exits, or is killed. Of an exec READY may
		       * come before; init waits for GO_ON */
	CHILD_WANTS_HOOKS = 4, /* init only, before READY: its namespaces and mounts are made; it waits for GO_ON */
	CHILD_NOTIFIES =
		6, /* before READY, of an exec perhaps before IS: its filter is loaded; beside it the listener; it waits for GO_ON */
	CHILD_UNREAPED = 7, /* from a joiner, before IS: the container's init does not reap whom it inherits */
	CHILD_WANTS_IDMAP =
		5, /* joiner only: it is in the user namespace, which may have no mappings yet; it waits for GO_ON */
};

struct proc_limits;

struct child_message {
	enum child_word word;
	struct err err;
};

/* From the shim, one byte. A connection that ends before it makes the child exit. */
enum child_order {
	CHILD_GO_ON = 'g',          /* what was wanted is there */
	CHILD_RUN = 'r',            /* execute the program; errors come over this connection */
	CHILD_WAIT_FOR_START = 'w', /* init only: wait on the start socket, on whose connection errors come */
};

struct child_params {
	const struct oci_process *process; /* NULL: none in the config */
	const char *id;
	const struct cgroup *cgroup;
	const struct seccomp_program *seccomp; /* NULL: none */
	int sync_fd;
	int start_fd;         /* listening start socket; -1: none */
	int stdio[3];         /* -1: /dev/null; with a terminal all are -1 */
	bool passed;          /* they are what the caller has, not made for the process */
	const int *preserved; /* become 3, 4, ... */
	int n_preserved;
	const int *close_first; /* what the child must not keep even for a moment: the shim's lock above all */
	int n_close_first;
	const struct proc_limits *limits; /* the caller's, which are the process's where it has no others */
	bool no_new_keyring;
	bool foreign; /* its monitor expects what runc does: once all is checked, what execve(2) refuses is the process's own failure */
	bool in_user_ns; /* another one than the shim's: who sets limits has to be outside, and that is the shim, after READY */
	bool unprivileged; /* the shim is an ordinary user's: what is to be done in a user namespace is done inside, by who is root there */
	uint16_t rows, columns;
};

#endif
