/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: the new ones, and the ones that are joined by path. */
#ifndef THOLE_SHIM_SANDBOX_NS_H
#define THOLE_SHIM_SANDBOX_NS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* The flags for clone3: every new namespace but
 *  - the cgroup one, which the child makes after it has joined its groups (made earlier, its root would be the caller's group);
 *  - the user one, which has to be there, with its mappings, before those that it is to own;
 *  - a time one with offsets, which can be set only while nobody is in it. */
uint64_t ns_clone_flags(const struct oci_config *config);

/* Descriptors of the namespaces to join, opened by the shim before the clone; -1 where there is none, and for the user namespace that the shim
 * is in. ERR_CONFIG when a path is no namespace of its type. */
struct ns_joined {
	int fd[OCI_NS_COUNT];
};
int ns_open_joined(const struct oci_config *config, struct ns_joined *ret, struct err *err);
void ns_joined_release(struct ns_joined *j);

/* Will the container be in another user namespace than the shim's? */
bool ns_leaves_user(const struct oci_config *config, const struct ns_joined *j);

/* Does it take a process between the shim and init (child_join.h)? Also for network devices: then init waits until they are there. */
bool ns_needs_joiner(const struct oci_config *config, const struct ns_joined *j);

/* Process `pid` has come with namespaces that others have made, criu from an image: are they those that the config wants? A new one is any but the shim's own. Not looked at: cgroup and time
 * ones, and mount ones that nobody wants, which criu makes of its own accord. ERR_CONFIG names the namespace. */
int ns_check(const struct oci_config *config, const struct ns_joined *j, pid_t pid, struct err *err);

/* In the child: join all but the user namespace, in the table's order. ret_left: where the bits (1 << OCI_NS_x) go of those that the kernel
 * refuses now, since they take privileges in a user namespace which is entered later; NULL: then that is a failure. */
int child_ns_join(const struct ns_joined *j, unsigned int *ret_left, struct err *err);

/* ERR_CONFIG: a hostname or domainname that would become the host's, whose uts namespace is among the joined ones. */
int ns_check_names(const struct oci_config *config, const struct ns_joined *j, struct err *err);

/* Join those of `left`, from inside the user namespace. */
int child_ns_join_left(const struct ns_joined *j, unsigned int left, struct err *err);

#endif
