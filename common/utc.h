/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as text, in UTC. Not gmtime_r(3): that reads the file of the time zone first, which makes a tenth of a `thole state`. */
#ifndef THOLE_COMMON_UTC_H
#define THOLE_COMMON_UTC_H

#include <stddef.h>
#include <stdint.h>

#define UTC_TEXT_SIZE 40

/* "2026-11-23T20:30:00" for nanoseconds since the epoch, whose fraction is left out. Returns its length. */
size_t utc_text(uint64_t ns, char ret[UTC_TEXT_SIZE]);

/* The same with its fraction, as RFC 3339 has it, without zeros at its end: "2026-11-23T20:30:00.12Z". */
size_t utc_text_exact(uint64_t ns, char ret[UTC_TEXT_SIZE]);

#endif
