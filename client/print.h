/* SPDX-License-Identifier: Apache-2.0 */
/* What several commands print in the same way: owners, and how a container has ended. */
#ifndef THOLE_CLIENT_PRINT_H
#define THOLE_CLIENT_PRINT_H

#include <stddef.h>
#include <stdint.h>

#include "client/json.h"
#include "proto/control.pb.h"

#define PRINT_OWNER_SIZE 256

/* The name of a user of the host, else the number. `cache` is zeroed by the caller at the start and remembers the last answer. */
struct print_owner {
	char name[PRINT_OWNER_SIZE];
	uint32_t uid;
};
const char *print_owner(struct print_owner *cache, uint32_t uid);

/* {known, code, signal, finished, oomKilled}: the first three only of what somebody saw, `finished` when the time is known. The caller puts it. */
json_object *print_exit(const Exit *e);

#endif
