/* SPDX-License-Identifier: Apache-2.0 */
/* criu's lock on a network: whether it is needed, and what is left of it when criu is killed. */
#ifndef THOLE_SHIM_CHECKPOINT_NETLOCK_H
#define THOLE_SHIM_CHECKPOINT_NETLOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* Remove criu's tables and chains from the network namespace of process `pid`. Nothing there is success. Waits for that: some milliseconds. */
int netlock_clear(pid_t pid, struct err *err);

/* Has the network namespace of process `pid` a TCP connection, whose packets are to wait for it? When that cannot be said: yes. Reads /proc/PID/net. */
bool netlock_is_needed(pid_t pid);

#endif
