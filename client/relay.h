/* SPDX-License-Identifier: Apache-2.0 */
/* Standing between the caller's stdio and a container's streams: a foreground run, and attach. */
#ifndef THOLE_CLIENT_RELAY_H
#define THOLE_CLIENT_RELAY_H

#include "client/call.h"
#include "client/catchup.h"
#include "client/keys.h"

enum relay_end {
	RELAY_EXIT,    /* the container has ended: ret_exit is filled */
	RELAY_LEFT,    /* the detach keys were typed, or a signal came for a container that is checkpointed */
	RELAY_LOST,    /* the shim is gone: err says so */
	RELAY_UNHEARD, /* an attached client's: who read what it writes is gone */
};

struct relay {
	const struct client *cl;
	struct call *call;   /* the connection, the serial that its Exit will carry, and the signals' descriptor */
	const char *process; /* its name, "" for init: whose are signals and size */
	bool terminal;       /* it has one */
	bool use_stdin;   /* pass on what the caller's stdin brings, and its end; else the container's stays as it is */
	bool always_keys; /* look for the detach keys even if stdin is no terminal */
	struct keys keys;
	int stdin_fd, stdout_fd, stderr_fd; /* pipes from the shim, -1 when absent; the relay closes them */
	int held[2]; /* ends of the process's own stdout and stderr, so that they outlive the shim; -1: none; the relay closes them */
	uint32_t then_held; /* bits, 1 << Stream: after the Exit it is these that are read */
	/* When the shim is gone, and everything that it has written is passed on: go on with another one, and give its streams. NULL, or -1: RELAY_LOST. `had`: bytes of
	 * stdout and stderr so far. See relay_return.h. */
	int (*another)(struct relay *r, const uint64_t had[2], struct err *err);
	const char *id;           /* of the container */
	AttachReply *attached;    /* an attached client's: the pipes may have gaps; NULL: they have none */
	struct relay_part *parts; /* what the log has from before, for a client that wants it; the relay frees them */
	size_t n_parts;
	bool own_stdin;        /* stdin_fd is a pipe to the shim, not the process's */
	uint64_t stdin_pipe;   /* for `another`: inode of the last shim's */
	bool away;             /* from it: the process is in an image, and nobody has what is in that pipe but us */
	uint64_t stdin_dumped; /* then: but for so many bytes at its beginning */
	bool replay;
	uint64_t replay_lines; /* the last ones; UINT64_MAX: all */
};

/* A part of the log, and its file. */
struct relay_part {
	LogPart msg;
	int fd;
};

/* A relay without streams yet. detach_keys: as they were given, NULL for the usual ones (which then only count at a terminal; as thole-oci none). ERR_USAGE for what is no such
 * sequence. */
int relay_prepare(struct relay *r, const struct client *cl, struct call *call, const char *detach_keys,
		  struct err *err);

/* Take the streams out of what came with a reply. The rest is closed. */
/* What a reply to an attach says of stdin. */
void relay_take_stdin(struct relay *r, const AttachReply *reply);

void relay_take_streams(struct relay *r, const FdRole *roles, size_t n_roles, struct wire_fds *fds);

/* Relay until the container has ended and its output is written, the caller leaves, or the shim is gone. Ignores SIGPIPE from then
 * on. The terminal's mode is restored when this returns. */
int relay_run(struct relay *r, enum relay_end *ret_end, Exit *ret_exit, struct err *err);

#endif
