/* SPDX-License-Identifier: Apache-2.0 */
/* --user: who a process is to be, as number or by name in the container's own passwd and group. */
#ifndef THOLE_CLIENT_USER_H
#define THOLE_CLIENT_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define USER_ID_MAX 4294967294U /* 2^32-1 means "no id" to the kernel */

struct user {
	uint32_t uid, gid;
	bool has_gid; /* false: the text has only a number, gid is 0 */
};

/* "UID", "UID:GID", "NAME", "NAME:GROUP", numbers strictly decimal. Names are looked up below the directory `rootfs`, whose files nobody
 * trusts; a user's name brings its group along. Reads nothing when there are only numbers. */
int user_parse(const char *rootfs, const char *text, struct user *ret, struct err *err);

/* The group of a uid as the root's passwd has it; 0 when that does not know the uid, as everywhere. */
int user_group_of(const char *rootfs, uint32_t uid, uint32_t *ret_gid, struct err *err);

#endif
