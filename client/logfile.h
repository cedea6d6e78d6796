/* SPDX-License-Identifier: Apache-2.0 */
/* A container's log as one sequence of bytes, across the files that rotation makes of it. */
#ifndef THOLE_CLIENT_LOGFILE_H
#define THOLE_CLIENT_LOGFILE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/logfmt.h"

/* How a log is written, by the name of its driver. */
struct log_format {
	const char *driver;
	/* Parse one line (without its newline), which may be changed. NULL: there are no records, lines are what they are. */
	bool (*parse)(char *line, size_t len, struct logfmt_record *ret);
	/* The same with a text of as many bytes as the container wrote: see logjson_parse_exact(). */
	bool (*parse_exact)(char *line, size_t len, struct logfmt_record *ret);
	/* Does the record in [start, end) of the file end a line of the container's? NULL: always. */
	bool (*ends_line)(int fd, uint64_t start, uint64_t end);
};

/* NULL: not one that can be read. */
const struct log_format *log_format_find(const char *driver);

/* By the first bytes of the log at `path`: for one whose container is not known any more. */
const struct log_format *log_format_guess(const char *path);

/* Where a reader stands. PATH is the newest file, PATH.1 the one before it, and so on. */
struct logfile {
	char *path; /* owned */
	int fd;     /* the file that is read now, -1: none yet */
	uint64_t offset;
	/* What rotation, or somebody else, had removed before it was read: set by logfile_read() when what it returns comes after it; for the caller to take back. */
	uint64_t missed_files;
	bool may_have_missed; /* nobody knows how many, if any */
};

#define LOGFILE_NONE ((struct logfile) { .fd = -1 })

void logfile_release(struct logfile *f);
#define cleanup_logfile __attribute__((cleanup(logfile_release)))

/* Stand at the beginning of the oldest file. No file at all is not an error: there is nothing to read yet. `path` is copied. */
int logfile_open(struct logfile *f, const char *path, struct err *err);

/* Stand where the last `n` lines begin: whole lines, a line of several records being one. The last one may lack its end, as with
 * tail(1). */
int logfile_seek_tail(struct logfile *f, const char *path, const struct log_format *format, uint64_t n,
		      struct err *err);

/* In the part [from, to) of a file, of which another part is the continuation: go back over the beginnings of *wanted lines, which becomes what is still to go back. Returns 1
 * when that is 0: ret_start is where they begin. 0: in an earlier part. */
int logfile_tail_part(int fd, uint64_t from, uint64_t to, bool last, const struct log_format *format, uint64_t *wanted,
		      uint64_t *ret_start, struct err *err);

/* Read on. Returns 0 when there is nothing more at the moment: a later call may find more. Goes on to the next file at the end of a
 * rotated one, and to the beginning of one that was truncated. */
ssize_t logfile_read(struct logfile *f, void *buf, size_t size, struct err *err);

#endif
