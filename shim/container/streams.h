/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of a new process: a relay of the shim's between pipes or a pty, or what the caller has, passed straight on. */
#ifndef THOLE_SHIM_CONTAINER_STREAMS_H
#define THOLE_SHIM_CONTAINER_STREAMS_H

#include "shim/container/process.h"

struct logs;
struct relay_client;
struct relay_ends;

struct streams_request {
	StdioMode stdio;
	bool leave; /* nobody stays to relay anything */
	bool open_stdin;
	bool terminal;
	uid_t uid;
	gid_t gid;
	struct logs *logs; /* borrowed; NULL: none */
	struct relay_options options;
};

/* Before the clone. ret_child: the process's ends, the caller's to close once it has them (-1: none; with a terminal all are). What is passed on is taken from `fds`.
 * With a relay p->relay is set. ERR_CONFIG: a terminal that nobody would take. */
int streams_make(struct process *p, const struct streams_request *r, struct container_fds *fds, int ret_child[3],
		 struct err *err);

/* Once the process is ready and waits: send the pty's master to the console socket, or begin to relay. Takes *master_fd and the caller's stdio where it needs them.
 * With a client that follows, ret_ends and ret_client are its (NULL: it has no streams here). */
int streams_connect(struct process *p, const struct streams_request *r, struct container_fds *fds, int *master_fd,
		    struct relay_ends *ret_ends, struct relay_client **ret_client, struct err *err);

/* Does the client stay until the process has ended? */
bool streams_client_follows(const struct streams_request *r);

/* Where a stream leads: see "streams" of state.json in PROTOCOL.md. */
void streams_key(const struct process *p, Stream stream, char ret[PROCESS_STREAM_KEY_MAX]);

#endif
