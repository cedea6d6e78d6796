/* SPDX-License-Identifier: Apache-2.0 */
/* What a container has used, as its control groups count it. */
#ifndef THOLE_SHIM_SANDBOX_STATS_H
#define THOLE_SHIM_SANDBOX_STATS_H

#include "shim/sandbox/cgroup.h"

struct json_object;
struct net_interface;

/* The members of `data` in an event of `runc events --stats`, whatever the version of the groups is: times in nanoseconds, sizes in bytes, no limit is 2^64-1 (v2) or
 * what the kernel says (v1). What a host does not count is absent or 0, as there. Caller puts it. */
struct json_object *stats_read(const struct cgroup *cg, const struct net_interface *interfaces, size_t n_interfaces);

#endif
