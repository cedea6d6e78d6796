/* SPDX-License-Identifier: Apache-2.0 */
/* Handing the listener of a seccomp filter to whom the config names. */
#ifndef THOLE_SHIM_CONTAINER_NOTIFY_H
#define THOLE_SHIM_CONTAINER_NOTIFY_H

#include "shim/container/container_internal.h"

/* Connect to linux.seccomp.listenerPath of `config`, send it the state of the container's process `pid` with `listener` (it stays the caller's) beside it, and
 * hang up, as the specification wants it. Does not wait: who has no room for a connection is an error. */
int notify_send(struct container *c, const struct oci_config *config, const char *status, pid_t pid, int listener,
		struct err *err);

#endif
