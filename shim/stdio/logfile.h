/* SPDX-License-Identifier: Apache-2.0 */
/* The container's log on disk, in the k8s-file (CRI) format, whole records only. */
#ifndef THOLE_SHIM_STDIO_LOGFILE_H
#define THOLE_SHIM_STDIO_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "proto/control.pb.h" /* enum Stream */

#define LOGFILE_DEFAULT_MAX_BYTES (64ull << 20)
#define LOGFILE_DEFAULT_MAX_FILES 3

struct logfile;

struct logfile_options {
	const char *path;       /* absolute; its directory must exist */
	bool fresh;             /* an old file of that name is emptied, else continued */
	uint64_t max_bytes;     /* a file that has reached this is rotated; 0: never */
	unsigned int max_files; /* the current one included, at least 1 */
};

/* Open the log, 0600. Refused: a symbolic link, anything but a regular file. ret: logfile_free(). */
int logfile_open(const struct logfile_options *options, struct logfile **ret, struct err *err);

/* Accepts NULL. */
void logfile_free(struct logfile *lf);

/* Append `len` bytes of a stream as records with one time stamp. When the disk refuses, the records that do not fit are dropped whole and
 * counted, and -1 is returned; the next call tries again. Blocks only as the file system does. */
int logfile_write(struct logfile *lf, Stream stream, const char *data, size_t len, struct err *err);

/* A new descriptor of the present file, read-only, and its size and inode: for a client that reads what it has missed. */
int logfile_reader(const struct logfile *lf, int *ret_fd, struct err *err);
uint64_t logfile_size(const struct logfile *lf);
uint64_t logfile_inode(const struct logfile *lf);
uint64_t logfile_lost_bytes(const struct logfile *lf);
const char *logfile_path(const struct logfile *lf);

/* fdatasync(2), at the container's end. */
void logfile_sync(const struct logfile *lf);

/* Give the buffer's memory back to the kernel; it comes again when it is used. */
void logfile_trim(struct logfile *lf);

#endif
