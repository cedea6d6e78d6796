/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a directory, copied into the tmpfs that will cover it. */
#ifndef THOLE_SHIM_SANDBOX_COPYUP_H
#define THOLE_SHIM_SANDBOX_COPYUP_H

#include "common/err.h"

#define COPYUP_DEPTH_MAX 128 /* directories in one another; each takes four descriptors */

/* Copy what is in the directory `from_fd` (O_PATH will do) into `to_fd`: directories, files, links, devices, pipes, with owner, mode, times and
 * extended attributes; sockets are left out. Owner and mode of `to_fd` itself are the caller's affair. Both descriptors stay the caller's. Links are never
 * followed, other mounts are entered. A failure leaves half of it. */
int copyup(int from_fd, int to_fd, struct err *err);

#endif
