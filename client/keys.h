/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that leave an attached container: read from text, and found in what is typed. */
#ifndef THOLE_CLIENT_KEYS_H
#define THOLE_CLIENT_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define KEYS_MAX 16
#define KEYS_DEFAULT "ctrl-p,ctrl-q"

struct keys {
	size_t n; /* 0: there is no way to leave */
	unsigned char sequence[KEYS_MAX];
	size_t n_held;
	unsigned char held[KEYS_MAX]; /* typed, and so far the beginning of the sequence */
};

/* "ctrl-p,ctrl-q", "ctrl-a,d", "": keys separated by commas, each one character or ctrl- and one of a-z @ [ \ ] ^ _. ERR_USAGE. */
int keys_parse(const char *text, struct keys *ret, struct err *err);

/* Filter `len` typed bytes: what is to be passed on is written to `out` (room for len + KEYS_MAX bytes), its length to ret_len. True when
 * the sequence is complete; what was typed after it is dropped. */
bool keys_filter(struct keys *k, const unsigned char *in, size_t len, unsigned char *out, size_t *ret_len);

#endif
