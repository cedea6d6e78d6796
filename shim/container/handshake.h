/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's side of what a container's process says on its way to execve. */
#ifndef THOLE_SHIM_CONTAINER_HANDSHAKE_H
#define THOLE_SHIM_CONTAINER_HANDSHAKE_H

#include <stdbool.h>

#include "shim/sandbox/child_step.h"

/* Returns 1 with a message, 0 at the end of the connection. A descriptor that came with it is put into *fd if that is -1, else closed. */
int handshake_receive(int sock, struct child_message *ret, int *fd, struct err *err);

/* ERR_GONE when nobody hears it. */
int handshake_order(int sock, enum child_order order, struct err *err);

#endif
