/* SPDX-License-Identifier: Apache-2.0 */
/* A set of texts with a value each: the paths of a capture, the files that have several names. */
#ifndef THOLE_SHIM_CHECKPOINT_NAMES_H
#define THOLE_SHIM_CHECKPOINT_NAMES_H

#include <stddef.h>

struct name {
	char *text;
	char *value; /* never NULL */
};

/* All zero: empty. */
struct names {
	size_t n, room;
	struct name *v;
};
void names_release(struct names *s);

/* Its value, or NULL. */
const char *names_get(const struct names *s, const char *text);

/* Takes copies; replaces the value that it has. */
void names_put(struct names *s, const char *text, const char *value);

#endif
