/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes, the links beside them, and the terminal. */
#ifndef THOLE_SHIM_SANDBOX_DEVICE_H
#define THOLE_SHIM_SANDBOX_DEVICE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* All of this runs in the container's first process, before pivot_root, with the privileges to make nodes; umask is 0. */

/* The default devices and links of the specification, and those of linux.devices; bind: the host's own, where nobody may make any (a user namespace). Does nothing when the config binds
 * something over /dev: then it is the caller's. Where it mounts something over one of them, that is there instead. */
int device_make_all(int root_fd, const struct oci_config *config, bool bind, struct err *err);

/* Does the config mount something at just this path, that no later mount covers? */
bool device_is_mounted(const struct oci_config *config, const char *path);

/* The i-th default device, a name below /dev; NULL: there are no more. */
const char *device_default_name(size_t i);

/* Open /dev/null of the container: it is checked to be the real one (CVE-2025-31133). */
int device_open_null(int root_fd, int flags, int *ret_fd, struct err *err);

/* Make a pty in the container's own devpts, owned by uid (CVE-2025-52565: nothing is opened by the name of a terminal). Both descriptors are the
 * caller's. */
int device_make_pty(int root_fd, uid_t uid, uint16_t rows, uint16_t columns, int *ret_master, int *ret_terminal,
		    struct err *err);

/* Show the terminal as /dev/console. */
int device_show_console(int root_fd, int terminal, struct err *err);

#endif
