/* SPDX-License-Identifier: Apache-2.0 */
/* A set of texts with a value each: a table with open addressing, at most half full. */
#include "shim/checkpoint/names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define ROOM_FIRST 256

void names_release(struct names *s)
{
	for (size_t i = 0; i < s->room; i++) {
		free(s->v[i].text);
		free(s->v[i].value);
	}
	free(s->v);
	*s = (struct names) { 0 };
}

/* FNV-1a. Whoever chooses the names so that they meet makes his own restore slow. */
static size_t hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32);
}

/* Where it is, or where it would be. */
static struct name *place(const struct names *s, const char *text)
{
	size_t i = hash(text) & (s->room - 1);

	while (s->v[i].text && strcmp(s->v[i].text, text) != 0)
		i = (i + 1) & (s->room - 1);
	return &s->v[i];
}

const char *names_get(const struct names *s, const char *text)
{
	return s->room ? place(s, text)->value : NULL;
}

static void grow(struct names *s)
{
	struct names bigger = { .n = s->n, .room = s->room ? 2 * s->room : ROOM_FIRST };

	bigger.v = xcalloc(bigger.room, sizeof(*bigger.v));
	for (size_t i = 0; i < s->room; i++)
		if (s->v[i].text)
			*place(&bigger, s->v[i].text) = s->v[i];
	free(s->v);
	*s = bigger;
}

void names_put(struct names *s, const char *text, const char *value)
{
	struct name *at;

	if (2 * (s->n + 1) > s->room)
		grow(s);
	at = place(s, text);
	if (!at->text) {
		at->text = xstrdup(text);
		s->n++;
	}
	free(at->value);
	at->value = xstrdup(value);
}
