/* SPDX-License-Identifier: Apache-2.0 */
/* linux.sysctl: parameters of the kernel that belong to the container's namespaces. */
#ifndef THOLE_SHIM_SANDBOX_SYSCTL_H
#define THOLE_SHIM_SANDBOX_SYSCTL_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"
#include "shim/sandbox/ns.h"

/* In the shim: a namespace that is joined must not be the shim's own. oci_config_check() has seen to the rest. */
int sysctl_check_joined(const struct oci_config *config, const struct ns_joined *joined, struct err *err);

/* In the child, in its namespaces: write those whose entry in `todo` (one for each key) is true, and make it false. may_leave: one that the kernel keeps
 * from us stays true, without failure. Errors name the key, "linux.sysctl.net.ipv4.ip_forward: ...". What was written before a failure stays.
 *
 * In a user namespace it takes two: some belong to its root, some (of older kernels all but net.*) to the host's, and which, depends on the kernel. */
int child_sysctl_apply(const struct oci_config *config, bool *todo, bool may_leave, struct err *err);

/* In the shim: write them into process `pid`'s namespaces, as far as these are new ones of the config's. What is missing there is left out: an interface that is still to come. Errors
 * as above. Waits for a child of its own. */
int sysctl_write_anew(const struct oci_config *config, pid_t pid, struct err *err);

#endif
