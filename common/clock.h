/* SPDX-License-Identifier: Apache-2.0 */
/* What the time is, as a number. None of it fails: the clocks are those that every kernel has. */
#ifndef THOLE_COMMON_CLOCK_H
#define THOLE_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Of a clock that only goes forward and stands still while the machine sleeps (CLOCK_MONOTONIC): for spans and deadlines. */
static inline int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

/* Since 1970 in UTC (CLOCK_REALTIME): for records and people. */
static inline uint64_t clock_wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
