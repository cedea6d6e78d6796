/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up names in passwd and group files, the host's or one of a root that nobody trusts. */
#ifndef THOLE_CLIENT_PASSWD_H
#define THOLE_CLIENT_PASSWD_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct passwd_user {
	char name[256];
	uint32_t uid, gid;
};

/* Read the file PATH ("etc/passwd") below root_fd: every component is resolved inside that root, only a regular file is read, and
 * at most 1 MiB of it. Caller frees ret_text. ERR_NOT_FOUND when there is none. */
int passwd_read(int root_fd, const char *path, char **ret_text, struct err *err);

/* In the text of a passwd file. ERR_NOT_FOUND. Lines that are not well-formed are passed over. */
int passwd_find_name(const char *text, const char *name, struct passwd_user *ret, struct err *err);
int passwd_find_uid(const char *text, uint32_t uid, struct passwd_user *ret, struct err *err);

/* The number of a group, in the text of a group file. */
int passwd_find_group(const char *text, const char *name, uint32_t *ret_gid, struct err *err);

#endif
