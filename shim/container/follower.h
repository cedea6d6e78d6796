/* SPDX-License-Identifier: Apache-2.0 */
/* The client that follows a process in the foreground, over the death of the shim: it is recorded, and who adopts the process waits until it is back. */
#ifndef THOLE_SHIM_CONTAINER_FOLLOWER_H
#define THOLE_SHIM_CONTAINER_FOLLOWER_H

#include "shim/container/process.h"
#include "shim/stdio/relay.h"
#include "shim/stdio/unlogged.h"

/* It is client `pid` (0: one that cannot be seen from here, or none). To be recorded with the process: state_save(), state_add_process(). */
void follower_note(struct process *p, pid_t pid);

/* Of a process that is adopted and whose relay has been started: who owned its stdin is awaited, and if the client that `o` (its object in state.json) names lives, wait for it, and keep `rest` for it, which is taken in any
 * case. */
void follower_expect(struct process *p, struct json_object *o, struct unlogged_rest rest[2]);

/* The client that `o` names is (still) there: after an upgrade. */
void follower_load(struct process *p, struct json_object *o);

/* As Attach.follow of PROTOCOL.md asks for it, of the process of this name: what comes from now on goes to this client, number `pid`. `seamless`: nothing was read since it has lost the
 * other shim. A process that has ended, or has its streams elsewhere, has no ends and no client. ERR_NOT_FOUND: there is no such process. */
struct follower_request {
	const char *name;
	pid_t pid;
	bool with_stdin;
	uint64_t had[2]; /* bytes of stdout, stderr */
	bool holds;      /* it has the process's own pipes, too */
	void *client_arg;
};
struct follower_answer {
	bool seamless;
	unsigned int
		then_held; /* bits, 1 << Stream: nobody reads these of its pipes any more: what comes after its ends is the client's to read */
};
int follower_return(struct container *c, const struct follower_request *req, struct relay_ends *ret_ends,
		    struct relay_client **ret_client, struct follower_answer *ret, struct err *err);

/* It is client `pid` that owns init's stdin from now on: recorded at once, so that it does so again when this shim is killed. */
void follower_note_owner(struct container *c, pid_t pid);

/* For state.json: sets or removes "client" in the process's object. */
void follower_put(const struct process *p, struct json_object *o);

/* Accepts one that was never noted. */
void follower_release(struct follower *f);

#endif
