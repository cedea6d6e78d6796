/* SPDX-License-Identifier: Apache-2.0 */
/* The k8s-file (CRI) log format, written by the shim and read by the client.
 *
 * 2026-11-23T20:30:00.123456789+00:00 stdout F a whole line 2026-11-23T20:30:00.123456789+00:00
 * stderr P the start of a line that goes on in the next record
 *
 * Time is local, one stamp per read. A P record is one whose text did not end in a newline: the
 * reader joins it with the next record of the same stream. */
#ifndef THOLE_COMMON_LOGFMT_H
#define THOLE_COMMON_LOGFMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/err.h"
#include "proto/control.pb.h" /* enum Stream */

#define LOGFMT_PREFIX_MAX 64 /* bytes before the text, at most */

/* Write "TIME STREAM T " for a record into buf (LOGFMT_PREFIX_MAX bytes). `full`: F, else P.
 * Returns its length. The part of the stamp that changes once a second is cached in `cache`
 * (zeroed by the caller at the start). */
struct logfmt_clock {
	time_t second;
	char text[24]; /* 2026-11-23T20:30:00 */
	char zone[8];  /* +00:00 */
};
size_t logfmt_prefix(char *buf, struct logfmt_clock *cache, const struct timespec *now, Stream stream, bool full);

/* A parsed record: pointers into the line given. */
struct logfmt_record {
	struct timespec time; /* UTC */
	const char *stamp;    /* as written, not NUL-terminated */
	size_t stamp_len;
	Stream stream;
	bool full; /* text ended in a newline */
	const char *text;
	size_t text_len;
};

/* "2026-11-23T20:30:00.123456789+00:00", or the same with Z and more, fewer or no decimals. */
bool logfmt_parse_time(const char *s, size_t len, struct timespec *ret);

/* Parse one line (without its newline). false: not such a record (then it is shown as it is, as podman does). */
bool logfmt_parse(const char *line, size_t len, struct logfmt_record *ret);

/* Of any format: the how-manieth the file is since rotation began, as an attribute of it, so that a reader who was overtaken knows how many he has missed. */
uint64_t logfmt_rotation(int fd);             /* 0: the first, or nobody knows */
void logfmt_set_rotation(int fd, uint64_t n); /* where the file system has no attributes nothing happens */

#endif
