/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/mountinfo (proc_pid_mountinfo(5)): the mounts of our namespace, a line each:
 * "36 35 98:0 /root /mount/point rw,noatime shared:1 - type source options". */
#ifndef THOLE_SHIM_SANDBOX_MOUNTINFO_H
#define THOLE_SHIM_SANDBOX_MOUNTINFO_H

#include <stdint.h>

#include "common/err.h"

/* Its text, which the caller frees. ERR_SYS also when it has more than 16 MiB. */
int mountinfo_read(char **ret, struct err *err);

/* The line of the mount with that id (statx(2), STATX_MNT_ID), without its newline. NULL: there is none, or it cannot be read. Caller frees. */
char *mountinfo_line(uint64_t mount_id);

/* "\040" and the like of a field, in place. */
void mountinfo_unescape(char *field);

#endif
