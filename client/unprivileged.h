/* SPDX-License-Identifier: Apache-2.0 */
/* A child that reads what a stranger may have written. */
#ifndef THOLE_CLIENT_UNPRIVILEGED_H
#define THOLE_CLIENT_UNPRIVILEGED_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* In the child: from here on it is nobody (when it was root), gets no privilege back, and can open, write and fork nothing; what is open stays. `memory`: bytes of address space (RLIMIT_AS), 0: no
 * limit. It is killed when `parent`, who has forked it, ends. */
int unprivileged_become(pid_t parent, uint64_t memory, struct err *err);

#endif
