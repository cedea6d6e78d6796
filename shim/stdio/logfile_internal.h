/* SPDX-License-Identifier: Apache-2.0 */
/* What logfile.c and the formats in logformat.c share. */
#ifndef THOLE_SHIM_STDIO_LOGFILE_INTERNAL_H
#define THOLE_SHIM_STDIO_LOGFILE_INTERNAL_H

#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/logfmt.h"
#include "common/logjson.h"
#include "shim/stdio/log.h"
#include "shim/stdio/logfile.h"
#include "shim/stdio/logmap.h"

/* Larger than any record: what the relay reads at a time may be one line. */
#define LOGFILE_OUT_BYTES (192u << 10)

#define LOGFILE_PARTS 3

struct logfile;

/* A format makes records, one of each piece of data: a line, or what there is of it. */
struct logfile_format {
	size_t piece_max; /* a longer line is several pieces; 0: any length */
	bool direct;      /* the records are the data itself */
	/* Append to lf->out what fits of `data` in whole records. Returns how much of it that is, which is not 0. */
	size_t (*put)(struct logfile *lf, Stream stream, const struct timespec *now, const char *data, size_t len);
	/* Where the first piece is so long that a copy of it is worth saving: its record in LOGFILE_PARTS parts, with `data` in the middle and lf->out for the rest. Returns how much of
	 * `data` that is, 0 when it is not so long. NULL: no format for that. */
	size_t (*frame)(struct logfile *lf, Stream stream, const struct timespec *now, const char *data, size_t len,
			struct iovec *ret);
	/* The same as put() with a remark of ours, for which there is always room, after ending the lines that are begun (lf->in_line). */
	void (*remark)(struct logfile *lf, const struct timespec *now, const char *text, size_t len);
	/* What is held back; NULL: nothing ever is. */
	void (*finish)(struct logfile *lf, const struct timespec *now);
};

struct logfile {
	struct log log; /* first */
	const struct logfile_format *format;
	int fd; /* -1: somebody has removed it, and it could not be made again yet */
	char *path;
	uint64_t size, inode;
	dev_t dev;
	uint64_t max_bytes;
	unsigned int max_files;
	bool no_sync;
	bool torn;       /* it ends in half a record */
	bool in_line[2]; /* the last record of stdout, stderr was not the end of its line */
	struct logfmt_clock clock;
	struct logjson_carry carry[2]; /* json-file */
	uint64_t seen[2];              /* bytes of stdout, stderr so far, taken or lost */
	struct logmap map;
	char *attrs; /* json-file: what is the same in each object; NULL: nothing */
	char *out;   /* LOGFILE_OUT_BYTES, from mmap, so that it can be given back */
	size_t used;
};

/* The length of the first piece of `data`, its newline included. */
static inline size_t logfile_piece(const char *data, size_t len, size_t max)
{
	size_t n = max && len > max ? max : len;
	const char *newline = memchr(data, '\n', n);

	return newline ? (size_t)(newline + 1 - data) : n;
}

/* Open the log, 0600. Refused: a symbolic link, anything but a regular file. */
int logfile_new(const struct logfile_format *format, const struct log_options *options, struct logfile **ret,
		struct err *err);

/* The operations that are the same for all formats. */
int logfile_write(struct log *l, Stream stream, const struct timespec *now, const char *data, size_t len,
		  struct err *err);
int logfile_reopen(struct log *l, struct err *err);

/* How much of stdout or stderr is in the file or lost: not what is held back until a character is complete, which another shim may have read. */
uint64_t logfile_settled(const struct logfile *lf, int i);
struct held_text logfile_held_back(const struct log *l, Stream stream);
void logfile_hold(struct log *l, Stream stream, const struct held_text *t);
void logfile_note_end(const struct log *l, struct log_mark *ret);
bool logfile_go_back(struct log *l, const struct log_mark *mark);
void logfile_finish(struct log *l, const struct timespec *now);
void logfile_sync(struct log *l);
void logfile_trim(struct log *l);
void logfile_free(struct log *l);
void logfile_save(const struct log *l, Saved__Log *s);
void logfile_resume(struct log *l, const Saved__Log *s);

#endif
