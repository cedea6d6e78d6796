/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, sizes, times and durations as people write them, read strictly. */
#ifndef THOLE_COMMON_NUMBER_H
#define THOLE_COMMON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/err.h"

/* Decimal digits only: no sign, no blanks, no leading zero but "0" itself, at most `max`. ret_v untouched when false. */
bool number_u64(const char *text, uint64_t max, uint64_t *ret_v);

/* Bytes, as runc takes them: "64m", "1.5 GiB", "100MB". A number, a blank if there is one, and an optional b, k, m, g, t or p (powers of 1024), which "b" or "ib" may follow;
 * either case. Parts of a byte are dropped; no leading zero, at most INT64_MAX. ERR_USAGE names `what`. */
int number_size(const char *what, const char *text, uint64_t *ret_bytes, struct err *err);

/* "1.5" processors in millionths, at most six decimals. ERR_USAGE names `what`. */
int number_millionths(const char *what, const char *text, uint64_t *ret_v, struct err *err);

/* A moment: "2026-11-23T20:30:00[.5][Z|+01:00]" (local time without a zone; "2026-11-23" is its midnight), seconds since the
 * epoch, or a duration before `now` such as "90s", "10m", "1h30m", "2d". ERR_USAGE names `what`. */
int number_moment(const char *what, const char *text, const struct timespec *now, struct timespec *ret,
		  struct err *err);

/* A length of time as Go writes it: "5s", "1m30s", "0.5s", "100ms", without a sign; in milliseconds, at most a day. ERR_USAGE names `what`. */
int number_duration_ms(const char *what, const char *text, uint64_t *ret_ms, struct err *err);

#endif
