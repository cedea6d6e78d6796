/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a container's streams out of a part of its log: what an attached client reads in place of what it has missed. */
#ifndef THOLE_CLIENT_LOGPLAY_H
#define THOLE_CLIENT_LOGPLAY_H

#include <stdint.h>
#include <sys/types.h>

#include "client/logfile.h"

/* A part of a file, and where in it we are. Begins as LOGPLAY_NONE. */
struct logplay {
	const struct log_format *format;
	int fd;           /* owned */
	uint64_t at, end; /* in the file: what is to be read next, and where the part ends */
	char *buf;        /* owned; [start, start + len) is read and not yet parsed */
	size_t start, len;
	Stream stream; /* of the present record, in `buf` */
	const char *text;
	size_t text_len; /* 0: there is none */
};

#define LOGPLAY_NONE ((struct logplay) { .fd = -1 })

/* Takes fd. */
void logplay_open(struct logplay *p, const struct log_format *format, int fd, uint64_t from, uint64_t to);
void logplay_release(struct logplay *p);

/* Stand at the next record that has text, unless the present one still has. Returns 1, or 0 at the end of the part. Without records everything is stdout's. */
int logplay_next(struct logplay *p, struct err *err);

/* Go on by `n` bytes of the stream at most, without copying them. Returns by how many: within the present record. */
size_t logplay_skip(struct logplay *p, uint64_t n);

/* Copy at most `max` bytes of the present record's text into buf, in which LOGPLAY_ROOM(max) fit: a byte that the log could not keep becomes U+FFFD. ret_n: how many bytes of the
 * stream that is; returns how many are in buf. */
#define LOGPLAY_ROOM(max) (3 * (max))
size_t logplay_take(struct logplay *p, char *buf, size_t max, size_t *ret_n);

#endif
