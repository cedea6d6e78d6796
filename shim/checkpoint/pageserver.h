/* SPDX-License-Identifier: Apache-2.0 */
/* A criu that has dumped with --lazy-pages, and has the memory for whoever restores the image. */
#ifndef THOLE_SHIM_CHECKPOINT_PAGESERVER_H
#define THOLE_SHIM_CHECKPOINT_PAGESERVER_H

#include <stdbool.h>
#include <sys/types.h>

/* Has somebody come for the memory: is a TCP connection of this process open? When that cannot be said: yes. Reads /proc/PID. */
bool pageserver_is_asked(pid_t pid);

#endif
