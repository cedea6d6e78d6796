/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: the new ones, and the ones that are joined by path. */
#ifndef THOLE_SHIM_SANDBOX_NS_H
#define THOLE_SHIM_SANDBOX_NS_H

#include <stdint.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* The flags for clone3: every new namespace but the cgroup one, which the child makes after it has joined its groups (made earlier, its
 * root would be the caller's group). */
uint64_t ns_clone_flags(const struct oci_config *config);

/* Descriptors of the namespaces to join, opened by the shim before the clone; -1 where there is none. ERR_CONFIG when a path is no
 * namespace of its type. */
struct ns_joined {
	int fd[OCI_NS_COUNT];
};
int ns_open_joined(const struct oci_config *config, struct ns_joined *ret, struct err *err);
void ns_joined_release(struct ns_joined *j);

/* In the child: join them, in the table's order. */
int child_ns_join(const struct ns_joined *j, struct err *err);

#endif
