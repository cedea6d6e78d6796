/* SPDX-License-Identifier: Apache-2.0 */
/* Locks on files: those that criu leaves out of an image, and those that have not come back.
 *
 * Of a file that several processes have open in common (inherited over fork(2)) criu (4.2.1) writes the locks of one of them.
 *
 * fcntl(2)'s locks are a process's, and all that it has on a file go when it closes any descriptor of that file. criu (4.2.1) takes them first and then closes those by which it has mapped the
 * process's files: what is locked and mapped, as the shared memory of sqlite's write-ahead log is, comes back without its lock. */
#ifndef THOLE_SHIM_CHECKPOINT_LOCKS_H
#define THOLE_SHIM_CHECKPOINT_LOCKS_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* Add to the image in new_fd the locks of fcntl(2) that the processes `pids` have, which stand still, and that criu has not written. ERR_CRIU when there are some and they are not `wanted`:
 * as criu says it of others. */
int locks_complete(int new_fd, const pid_t *pids, size_t n, bool wanted, struct err *err);

/* How many of the image's locks its processes, which are there and stopped, do not have. find_cb gives the number of the process that the container calls `inner`, 0: it is not there.
 * `restored`: criu was to bring them back; else it has none of any kind. ret_first, the caller's to free, names the first: "'/db/x.db-shm' (process 7)"; untouched if there is none. An image
 * that cannot be read has none. */
size_t locks_lost(int images_fd, bool restored, pid_t (*find_cb)(void *arg, pid_t inner), void *arg, char **ret_first);

#endif
