/* SPDX-License-Identifier: Apache-2.0 */
/* The binds with mapped ids of what is restored: criu binds paths, so each is mounted for it, with its mapping, where only criu sees it. */
#ifndef THOLE_SHIM_CHECKPOINT_MAPPED_H
#define THOLE_SHIM_CHECKPOINT_MAPPED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "shim/sandbox/mount_source.h"

/* All zero: none. Released with mapped_binds_release(). */
struct mapped_binds {
	bool any;
	struct mount_sources sources;
};

/* In the shim. Errors name the mount. ret: untouched on failure. */
int mapped_binds_open(const struct oci_config *config, const char *bundle, const struct ns_joined *joined,
		      struct mapped_binds *ret, struct err *err);
void mapped_binds_release(struct mapped_binds *m);

/* What criu binds for config.mounts[i], the caller's to free; NULL: it has no mapping. */
char *mapped_binds_path(const struct mapped_binds *m, size_t i);

/* In the process that becomes criu, in its own mount namespace. */
int child_mapped_binds_mount(const struct mapped_binds *m, struct err *err);

#endif
