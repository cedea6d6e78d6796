/* SPDX-License-Identifier: Apache-2.0 */
/* What create and run have in common: a Create request from options, and the shim that it is sent to. */
#ifndef THOLE_CLIENT_LAUNCH_H
#define THOLE_CLIENT_LAUNCH_H

#include "client/call.h"
#include "client/checkpoint.h"
#include "client/command.h"

struct launch_request {
	const char *id;
	const char *bundle; /* a directory's path */
	const struct launch_options *options;
	bool start;
	bool foreground;
	bool open_stdin;
	bool remove_at_exit;
	struct checkpoint_files *restore; /* out of these, which are closed once it is there; NULL: a new one */
	bool size;                        /* tell the size of the caller's terminal */
};

/* A container that was made. */
struct launch {
	struct call call; /* signal_fd is the caller's to set before; open on success */
	CreateReply reply;
	struct wire_fds fds; /* the streams, in the order of reply.fd_role */
};

#define LAUNCH_NONE ((struct launch) { .call = CALL_NONE })

void launch_release(struct launch *l);
#define cleanup_launch __attribute__((cleanup(launch_release)))

/* Options that contradict each other, or that are refused by name. */
int launch_check(const struct client *cl, const struct launch_options *o, struct err *err);

/* Start a shim and let it create the container; what an earlier create of this id left unfinished is removed first. On failure nothing
 * is left behind. A signal while waiting: call_interrupted(err), and everything is undone. */
int launch_container(const struct client *cl, const struct launch_request *req, struct launch *ret, struct err *err);

/* Write --pid-file, if there is one. On failure the container is killed and removed. */
int launch_pid_file(const struct client *cl, const struct launch_request *req, uint32_t pid, struct err *err);

#endif
