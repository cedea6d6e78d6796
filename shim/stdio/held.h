/* SPDX-License-Identifier: Apache-2.0 */
/* What logs hold back of lines and characters that have not ended, kept for the shim that follows one that is killed.
 *
 * It is in a file of the state directory, `held` or for an exec'd process `held.N`, which is there as long as something is held back. Killed between the log's own write and the note here a
 * shim leaves what was held before: of a log that cannot go back (journald) that piece may come twice then. */
#ifndef THOLE_SHIM_STDIO_HELD_H
#define THOLE_SHIM_STDIO_HELD_H

#include <stdbool.h>
#include <stddef.h>

#define HELD_FILE "held"
#define HELD_LOGS 4
#define HELD_STREAMS 2
#define HELD_MAX (16u << 10) /* bytes of one log and stream */

struct held {
	int dir_fd; /* borrowed */
	char *name;
	bool any[HELD_LOGS][HELD_STREAMS]; /* the file says so */
};

struct held_text {
	const char *data;
	size_t len;
	bool continues; /* what comes next is no begin of a line, though nothing may be held of it */
};

/* `process`: "" for init. */
void held_init(struct held *h, int dir_fd, const char *process);

/* What log `i` holds back of this stream by now. A failure is not told: it is not known here whether it matters. */
void held_note(struct held *h, size_t i, size_t stream, const struct held_text *t);

/* What was noted. False: nothing. buf has HELD_MAX bytes, into which ret points. */
bool held_find(struct held *h, size_t i, size_t stream, char *buf, struct held_text *ret);

/* Nothing is held back any more: the file goes. */
void held_drop(struct held *h);

void held_release(struct held *h); /* the file stays */

#endif
