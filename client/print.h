/* SPDX-License-Identifier: Apache-2.0 */
/* What state and list print in the same way: times and owners. */
#ifndef THOLE_CLIENT_PRINT_H
#define THOLE_CLIENT_PRINT_H

#include <stddef.h>
#include <stdint.h>

#include "common/utc.h"

#define PRINT_TIME_SIZE UTC_TEXT_SIZE
#define PRINT_OWNER_SIZE 256

/* Nanoseconds since the epoch as RFC 3339 in UTC, without zeros at the end of the fraction: "2026-11-23T20:30:00.12Z". */
void print_time(uint64_t ns, char ret[PRINT_TIME_SIZE]);

/* The name of a user of the host, else the number. `cache` is zeroed by the caller at the start and remembers the last answer. */
struct print_owner {
	char name[PRINT_OWNER_SIZE];
	uint32_t uid;
};
const char *print_owner(struct print_owner *cache, uint32_t uid);

#endif
