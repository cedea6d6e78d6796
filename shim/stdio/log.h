/* SPDX-License-Identifier: Apache-2.0 */
/* Where the container's output is kept: one log for each driver that was asked for, all fed with the same bytes.
 *
 * A log that refuses (disk full, directory gone, journald away) holds up neither the container nor the other logs. What it has not taken is
 * counted, every write tries again, and the first that succeeds says how much is missing before it goes on. */
#ifndef THOLE_SHIM_STDIO_LOG_H
#define THOLE_SHIM_STDIO_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/err.h"
#include "common/logjson.h"
#include "proto/control.pb.h" /* enum Stream */
#include "proto/upgrade.pb-c.h"
#include "shim/stdio/held.h"

struct log;
struct logfile;
struct logs;

#define LOG_DEFAULT_MAX_BYTES (64ull << 20)
#define LOG_DEFAULT_MAX_FILES 3

enum log_option {
	LOG_PATH = 1 << 0,
	LOG_MAX_SIZE = 1 << 1,
	LOG_MAX_FILE = 1 << 2,
	LOG_SYNC = 1 << 3,
	LOG_TAG = 1 << 4,
	LOG_LABELS = 1 << 5,
	LOG_SOCKET = 1 << 6,
};

/* What a driver is told. Strings are borrowed for the call. */
struct log_options {
	const char *path; /* absolute; its directory must exist */
	bool fresh;       /* an old file of that name is emptied, else continued */
	bool later; /* taken over from another shim: one that cannot be opened now is opened at the first write that can */
	bool resumed;           /* logs_resume() follows: its file is open already */
	uint64_t max_bytes;     /* a file that has reached this is rotated; 0: never */
	unsigned int max_files; /* the current one included, at least 1 */
	bool no_sync;           /* leave it to the kernel when it comes to the disk */
	const char *tag;        /* NULL: none */
	const char *labels;     /* "K=V,K=V"; NULL: none */
	const char *socket;     /* journald's; NULL: where it always is */
	const char *id;         /* of the container */
};

/* What has not come into a log. */
struct log_loss {
	bool failing;          /* the last write was refused, at least in part */
	uint64_t stdout_bytes; /* since the start */
	uint64_t stderr_bytes;
	uint64_t untold; /* of both, what the log does not say yet */
	int sys_errno;   /* of the last refusal; 0: not the kernel's */
	char reason[128];
};

/* Where a log ended before something was written to it. */
struct log_mark {
	uint64_t inode, size;
	struct logjson_carry carry[2];
	uint8_t done; /* all of that is in it now */
};

struct log_ops {
	int (*open)(const struct log_options *options, struct log **ret, struct err *err);
	/* What does not fit is dropped and counted in loss; then, and when only a rotation has failed, -1. */
	int (*write)(struct log *l, Stream stream, const struct timespec *now, const char *data, size_t len,
		     struct err *err);
	/* NULL for both: it cannot go back. */
	void (*mark)(const struct log *l, struct log_mark *ret);
	bool (*go_back)(struct log *l,
			const struct log_mark
				*mark); /* false: it is another file by now, so all was written before it was moved */
	/* Somebody has renamed the file. On failure the old one goes on. */
	int (*reopen)(struct log *l, struct err *err);
	/* What it holds back of a line or a character that has not ended, and the same taken over from another shim; NULL for both: nothing ever. */
	struct held_text (*held)(const struct log *l, Stream stream);
	void (*hold)(struct log *l, Stream stream, const struct held_text *t);
	/* The end of the output: bring out what is held back. */
	void (*finish)(struct log *l, const struct timespec *now);
	void (*sync)(struct log *l);
	void (*trim)(struct log *l); /* give buffers back to the kernel; they come again when used */
	void (*free)(struct log *l);
	/* Its own part of what logs_save() makes, and back. */
	void (*save)(const struct log *l, Saved__Log *s);
	void (*resume)(struct log *l, const Saved__Log *s);
};

struct log_driver {
	const char *name;
	unsigned int options; /* enum log_option */
	bool is_file;         /* the log is a struct logfile, which clients can read */
	const struct log_ops *ops;
};

/* What every driver's object begins with. */
struct log {
	const struct log_driver *driver;
	struct log_loss loss;
	bool in_trouble; /* the last write said -1, and that was reported */
	bool losing;     /* it loses, and that was reported */
};

/* NULL: there is none of that name. "none" has no ops. */
const struct log_driver *log_driver_find(const char *name);
#define LOG_DRIVER_NAMES "k8s-file, json-file, raw, journald and none"
#define LOG_DRIVERS_MAX 4

/* What a write has shown of a log. */
enum log_news {
	LOG_FAILS,    /* it has begun to lose what is written */
	LOG_LOSES,    /* it goes on to: comes with every write that loses something */
	LOG_RESUMES,  /* it takes everything again */
	LOG_HINDERED, /* nothing is lost, but something has failed, such as a rotation */
	LOG_FREE,     /* that is over */
};

/* `err`: why it fails or is hindered, borrowed; else NULL. Called from the write. */
typedef void log_news_cb(void *arg, const struct log *l, enum log_news news, const struct err *err);

struct logs *logs_new(log_news_cb *news_cb, void *arg); /* news_cb may be NULL */
void logs_free(struct logs *logs);                      /* accepts NULL */
int logs_add(struct logs *logs, const struct log_driver *driver, const struct log_options *options, struct err *err);

/* Keep what they hold back in dir_fd (borrowed as long as there are logs), for who follows; `process`: as for unlogged_new(). After the last logs_add(). */
enum logs_held {
	LOGS_HELD_NOTHING, /* they are new */
	LOGS_HELD_READ,    /* what is kept there is taken over */
	LOGS_HELD_NOTED,   /* they have it by other ways: what is kept there may be an older time's */
};
void logs_keep_held(struct logs *logs, int dir_fd, const char *process, enum logs_held what);

/* What another shim had lost of the log of this driver before anything is written to it here; unknown drivers are passed over. When it is failing, it goes on to: the
 * next write that succeeds says how much is missing. */
void logs_lost_before(struct logs *logs, const char *driver, const struct log_loss *loss);

/* One time for all of them. Blocks only as the file system does, and for a journald that is behind a fifth of a second. */
void logs_write(struct logs *logs, Stream stream, const char *data, size_t len);

/* Note in `marks` (LOG_DRIVERS_MAX of them, borrowed until the next call; NULL: no more) where each stands, and with the next write which of them has it. */
void logs_mark(struct logs *logs, struct log_mark *marks);

/* Write what may be there already: to those logs that have not noted it as done in `marks`, after cutting off what is there of it. */
void logs_write_again(struct logs *logs, const struct log_mark *marks, Stream stream, const char *data, size_t len);

/* All are tried, the first error is returned. */
int logs_reopen(struct logs *logs, struct err *err);

/* No more output comes. `sync`: unless a log's options say no, it is on the disk when this returns, with the files that rotation has left. */
void logs_finish(struct logs *logs, bool sync);

void logs_trim(struct logs *logs);
bool logs_empty(const struct logs *logs);                     /* also NULL */
const struct log *logs_at(const struct logs *logs, size_t i); /* in the order of logs_add; NULL: no more */
struct logfile *logs_file(const struct logs *logs);           /* the first that clients can read; NULL: none */

/* All that the i-th is, for the program that follows this one; NULL: no more. The caller's. */
Saved__Log *logs_save(const struct logs *logs, size_t i);

/* Make the last one that was added, with options.resumed, so again; `s` has been judged (saved.h) and is of the same driver. */
void logs_resume(struct logs *logs, const Saved__Log *s);

/* ---- for drivers ---- */

/* 0: stdout, 1: stderr, as in all that they keep of both. */
static inline Stream log_stream_at(size_t i)
{
	return i == 1 ? STREAM_STDERR : STREAM_STDOUT;
}

void log_lost(struct log *l, Stream stream, uint64_t bytes, const struct err *err);
void log_resumed(struct log *l);

/* "thole: N bytes of output are missing from the log: REASON", without a newline; returns its length. */
#define LOG_REMARK_MAX 256
size_t log_remark(const struct log *l, char buf[LOG_REMARK_MAX]);

extern const struct log_ops log_k8s_ops, log_json_ops, log_raw_ops, log_journal_ops;

#endif
