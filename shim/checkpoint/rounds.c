/* SPDX-License-Identifier: Apache-2.0 */
/* When a container's memory has been written often enough while it goes on. */
#include "shim/checkpoint/rounds.h"

#define SMALL_PAGES 256 /* a MiB: freezing and thawing take longer than writing that */
#define SMALL_PART 100  /* of the first */
#define GAIN_AT_LEAST 4 /* a quarter less than the one before */

static uint64_t written(const struct manifest_statistics *s)
{
	return s->pages_written + s->shared_pages_written;
}

bool rounds_go_on(const struct manifest_statistics *rounds, size_t n, size_t max)
{
	uint64_t last;

	if (n >= max)
		return false;
	if (n == 0)
		return true;
	if (!rounds[n - 1].known)
		return false;
	last = written(&rounds[n - 1]);
	/* The first one writes all there is. */
	if (last <= SMALL_PAGES)
		return false;
	if (n == 1)
		return true;
	return last > written(&rounds[0]) / SMALL_PART &&
	       last <= written(&rounds[n - 2]) - written(&rounds[n - 2]) / GAIN_AT_LEAST;
}
