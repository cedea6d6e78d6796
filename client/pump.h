/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a stream: bytes from one descriptor to another, never waiting for either.
 *
 * Neither end is ever made O_NONBLOCK: the caller's descriptors are open files that others share, and the flag would be theirs too. So
 * each read and write is one that cannot block: by SPLICE_F_NONBLOCK, RWF_NOWAIT or MSG_DONTWAIT where the kernel has that for this kind of file,
 * else by asking poll(2) first and moving little. */
#ifndef THOLE_CLIENT_PUMP_H
#define THOLE_CLIENT_PUMP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/keys.h"

enum pump_kind {
	PUMP_FILE,  /* never blocks */
	PUMP_PLAIN, /* devices: poll(2) knows */
	PUMP_PIPE,
	PUMP_OLD_PIPE, /* one without RWF_NOWAIT: named ones, and all before kernel 6.4 */
	PUMP_SOCKET,
	PUMP_TTY,
};

/* Where bytes come from when it is not just `from`. */
struct pump_source {
	void *arg;
	ssize_t (*read)(void *arg, int from, void *buf, size_t size); /* as read(2), but never waits */
	/* Can it be read now, whatever `from` says? *ret_wait: no, and not by waiting for `from` either. */
	bool (*is_ready)(void *arg, bool *ret_wait);
};

enum pump_state {
	PUMP_OPEN,
	PUMP_ENDED,  /* the source has ended and everything is written */
	PUMP_BROKEN, /* writing failed: nobody takes it any more */
	PUMP_LEFT,   /* the detach keys were typed; what was typed before them is written as far as possible */
};

struct pump {
	int from, to; /* borrowed; -1: there is no such stream */
	enum pump_kind from_kind, to_kind;
	enum pump_state state;
	int sys_errno;                    /* of PUMP_BROKEN */
	int read_errno;                   /* of PUMP_ENDED: the source could not be read to its end; 0: it was */
	struct keys *keys;                /* borrowed; NULL: everything is passed on */
	const struct pump_source *source; /* borrowed; NULL: `from` alone */
	unsigned char *buf;               /* made when first needed */
	size_t start, len;                /* what is read and not yet written */
	bool much;                        /* the last read brought so much that splicing is worth it */
	bool full;                        /* spliced: there is more to read, and no room to write */
	uint64_t got;                     /* bytes read so far */
};

/* from or to may be -1: then the pump is PUMP_ENDED at once. */
void pump_init(struct pump *p, int from, int to, struct keys *keys);
void pump_release(struct pump *p);

/* Go on from another source, or to another sink (-1: as it was), with what is read and not written yet. */
void pump_go_on(struct pump *p, int from, int to);

/* What is in the pipe `from` comes before what it has to write. */
void pump_put_before(struct pump *p, int from);

/* Is there something that it has to write, and cannot yet? */
bool pump_pending(const struct pump *p);

/* What poll(2) should wait for: ret_p is filled, fd -1 when the pump is done. */
void pump_poll(const struct pump *p, struct pollfd *ret_p);

/* Move what can be moved, given what poll(2) said. Changes p->state. Bounded, so that other events get their turn. */
void pump_move(struct pump *p, const struct pollfd *polled);

#endif
