/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's log format, json-file: one object a line, written by the shim and read by the client.
 *
 * {"log":"a whole line\n","stream":"stdout","time":"2026-11-23T20:30:00.123456789Z"}
 *
 * A text that does not end in a newline goes on in the next object of the same stream. */
#ifndef THOLE_COMMON_LOGJSON_H
#define THOLE_COMMON_LOGJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "common/logfmt.h"

/* Docker's own limit: what is longer is several objects. */
#define LOGJSON_PIECE_MAX (16u << 10)

/* Bytes of a character that is cut off by the end of a piece: they belong in front of the next one. Zeroed at the start. */
struct logjson_carry {
	unsigned char b[4];
	unsigned char n;
};

/* What logjson_escape() writes at most for `len` bytes and a carry. */
#define LOGJSON_ESCAPED_MAX(len) (6 * ((len) + 4))

/* Write `data` as the inside of a JSON string, escaped as docker does; each byte that is no UTF-8 becomes U+FFFD. `end`: nothing follows,
 * so an incomplete character is none. Returns the length. */
size_t logjson_escape(char *out, struct logjson_carry *carry, const char *data, size_t len, bool end);

/* "2026-11-23T20:30:00.123456789Z" into buf (LOGFMT_PREFIX_MAX bytes); returns its length. */
size_t logjson_time(char *buf, struct logfmt_clock *cache, const struct timespec *now);

/* Parse one line (without its newline), which is changed: texts are decoded in place, and the record points into it. false: no such object. */
bool logjson_parse(char *line, size_t len, struct logfmt_record *ret);

/* The same, but each byte that was no UTF-8 is one byte LOGJSON_LOST, which no other of the text is: so the text has as many bytes as what was written. */
#define LOGJSON_LOST 0xff
bool logjson_parse_exact(char *line, size_t len, struct logfmt_record *ret);

#endif
