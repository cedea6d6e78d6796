/* SPDX-License-Identifier: Apache-2.0 */
/* The process between the shim and the container's first one. */
#ifndef THOLE_SHIM_SANDBOX_CHILD_JOIN_H
#define THOLE_SHIM_SANDBOX_CHILD_JOIN_H

#include "shim/sandbox/child_init.h"

/* Runs in the child; never returns. Enters what must be entered before init is made, says CHILD_WANTS_IDMAP when it has a user namespace and waits for
 * GO_ON, clones init as the shim's child (CLONE_PARENT), says with CHILD_IS which one that is, and exits. Init waits for GO_ON of its own. */
void child_join(const struct child_init_params *p) __attribute__((noreturn));

#endif
