/* SPDX-License-Identifier: Apache-2.0 */
/* What criu leaves of its lock on a network when it is killed. */
#ifndef THOLE_SHIM_CHECKPOINT_NETLOCK_H
#define THOLE_SHIM_CHECKPOINT_NETLOCK_H

#include <sys/types.h>

#include "common/err.h"

/* Remove criu's tables and chains from the network namespace of process `pid`. Nothing there is success. Waits for that: some milliseconds. */
int netlock_clear(pid_t pid, struct err *err);

#endif
