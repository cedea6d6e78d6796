/* SPDX-License-Identifier: Apache-2.0 */
/* A log that is a file: k8s-file, json-file and raw. Made and written through log.h; this is what clients are told of it. */
#ifndef THOLE_SHIM_STDIO_LOGFILE_H
#define THOLE_SHIM_STDIO_LOGFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "proto/control.pb.h" /* enum Stream */

struct logfile;

/* A new descriptor of the present file, read-only: for a client that reads what it has missed. */
int logfile_reader(const struct logfile *lf, int *ret_fd, struct err *err);

/* Of the present file. */
uint64_t logfile_size(const struct logfile *lf);
uint64_t logfile_inode(const struct logfile *lf);

/* Where the log stands: taken before something is written of which somebody may later ask where it is. */
struct logfile_mark {
	uint64_t stretch; /* 0: nowhere */
	uint64_t position;
	uint64_t offset[2];
};
void logfile_mark(const struct logfile *lf, struct logfile_mark *ret);

/* Bytes [from, to) of a stream, in one file or in none. Who counts the stream's bytes in the file's records from `position` on, where `offset` is, finds them before
 * `end`. */
struct logfile_part {
	uint64_t from, to;
	int fd; /* of the file, read-only, the caller's; -1: no log has them */
	uint64_t inode, position, offset, end;
};

/* The first part of [from, to), which is not empty, from `from` on. `mark`: from which they may be nearer than from the beginning of a part. */
void logfile_find(const struct logfile *lf, Stream stream, uint64_t from, uint64_t to, const struct logfile_mark *mark,
		  struct logfile_part *ret);

/* A part of a file, for who wants both streams in the order in which they came. ret_fd: as above, but never -1. */
struct logfile_span {
	int fd;
	uint64_t inode, position, end;
	uint64_t from[2], to[2]; /* offsets of stdout, stderr */
};
#define LOGFILE_SPANS_MAX 64
/* All that is left, in order, at most LOGFILE_SPANS_MAX; returns how many. The descriptors are the caller's. */
int logfile_spans(const struct logfile *lf, struct logfile_span *ret);

/* While a part may be asked for, files that others rename stay within reach. Calls are counted. */
void logfile_want(struct logfile *lf);
void logfile_unwant(struct logfile *lf);

/* The last bytes of the stream that are not in the file yet, since a character is not complete. Returns how many. */
#define LOGFILE_HELD_MAX 4
int logfile_held(const struct logfile *lf, Stream stream, char ret[LOGFILE_HELD_MAX]);

#endif
