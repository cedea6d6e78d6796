/* SPDX-License-Identifier: Apache-2.0 */
/* What an attached client reads in place of its pipes alone: before them the log from some point on, and where they have a gap, what the log has of that.
 *
 * Every byte of a stream has an offset. The pipe brings them in order, but for the gaps of which the shim tells on the control connection before it
 * writes what comes after. */
#ifndef THOLE_CLIENT_CATCHUP_H
#define THOLE_CLIENT_CATCHUP_H

#include "client/logplay.h"

struct catchup_ops {
	/* Take what the control connection has brought, before what was read from a pipe is used: it may be of a gap in it. */
	int (*hear)(void *arg, struct err *err);
	/* Bytes [from, to) of a stream are not to be had. `why`: as the end of a sentence. */
	void (*missing)(void *arg, Stream stream, uint64_t from, uint64_t to, const char *why);
	/* Does anybody read this stream (still)? */
	bool (*is_open)(void *arg, Stream stream);
	/* Has everything that was read of it been written, or is it not open? */
	bool (*is_flushed)(void *arg, Stream stream);
};

/* Caller frees with catchup_free(). `driver`: how the log is written. stdout_offset, stderr_offset: with which the pipes begin. */
struct catchup;
struct catchup *catchup_new(const char *driver, uint64_t stdout_offset, uint64_t stderr_offset,
			    const struct catchup_ops *ops, void *arg);
void catchup_free(struct catchup *c); /* accepts NULL */

/* A part of the log that was written before the pipes begin, in order; takes fd. */
void catchup_add_part(struct catchup *c, const LogPart *part, int fd);

/* Begin with these parts: all of them, or their last `lines` lines (UINT64_MAX: all). */
int catchup_replay(struct catchup *c, uint64_t lines, struct err *err);

/* The shim has told of a gap; takes fd (-1: no log has it). ERR_PROTOCOL. */
int catchup_add_gap(struct catchup *c, const Gap *gap, int fd, struct err *err);

/* Read on from a stream whose pipe this is. Returns as read(2): 0 at its end, -1 with EAGAIN when there is nothing at the moment, with another errno and err when it failed. */
#define CATCHUP_READ_MIN 4096
ssize_t catchup_read(struct catchup *c, Stream stream, int pipe_fd, void *buf, size_t size, struct err *err);

/* Is there something to read that is not in the pipe? *ret_wait: neither, and the pipe is not to be waited for, since something else comes first. */
bool catchup_has(struct catchup *c, Stream stream, bool *ret_wait);

#endif
