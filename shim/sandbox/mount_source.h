/* SPDX-License-Identifier: Apache-2.0 */
/* What only the shim can get at of the host's files: the sources of bind mounts for a container in another user namespace, those with mapped ids, and file systems on
 * block devices. */
#ifndef THOLE_SHIM_SANDBOX_MOUNT_SOURCE_H
#define THOLE_SHIM_SANDBOX_MOUNT_SOURCE_H

#include <stdbool.h>

#include "common/err.h"
#include "shim/oci/config.h"
#include "shim/sandbox/ns.h"

/* A detached mount for each of config.mounts, complete with its attributes, ready to be attached; -1 where the child makes it itself. All zero: none. */
struct mount_sources {
	size_t n;
	int *fd;
};

/* In the shim, before the clone. Relative sources are relative to the bundle. Errors name the mount as the child's do. */
int mount_sources_open(const struct oci_config *config, const char *bundle, const struct ns_joined *joined,
		       struct mount_sources *ret, struct err *err);

/* The same, of those alone whose ids are mapped. */
int mount_sources_open_mapped(const struct oci_config *config, const char *bundle, const struct ns_joined *joined,
			      struct mount_sources *ret, struct err *err);

/* The rest of the binds, for a shim without privileges: in the child, in its new mount namespace, while it is still whom the host's directories know. */
int child_mount_sources_open(const struct oci_config *config, const char *bundle, const struct mount_sources *s,
			     struct err *err);

void mount_sources_release(struct mount_sources *s);

#endif
