/* SPDX-License-Identifier: Apache-2.0 */
/* What the container's /etc/passwd says, read as a hostile file. */
#ifndef THOLE_SHIM_SANDBOX_USER_H
#define THOLE_SHIM_SANDBOX_USER_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define USER_PASSWD_MAX (1 << 20) /* bytes that are looked at */
#define USER_LINE_MAX 4096        /* a longer line is skipped */

/* Home directory of `uid` into buf (size at least 2): the first line of /etc/passwd below root_fd with that uid and an absolute home
 * that fits, else "/". A missing file, one that is not a regular file, or one that says nothing is no error; failing to read is. buf
 * is untouched on failure. Uses the stack only; does not wait, whatever the file is. */
int user_home(int root_fd, uid_t uid, char *buf, size_t size, struct err *err);

#endif
