/* SPDX-License-Identifier: Apache-2.0 */
/* Limits as a list of writes: first worked out from the config, then written, and set back when one of them is refused. */
#ifndef THOLE_SHIM_SANDBOX_CGROUP_PLAN_H
#define THOLE_SHIM_SANDBOX_CGROUP_PLAN_H

#include "shim/sandbox/cgroup_internal.h"

/* One value for one file. All strings are owned. */
struct cgroup_setting {
	const struct hierarchy *h; /* borrowed */
	char *field;               /* of the config, for errors */
	char *file, *value;
	char *reset; /* of files with a line per device: what takes the line away again ("8:0 0"); NULL: the old content is written back */
	bool pair; /* when it is refused with EINVAL, the next one is written before it: each is judged against the other's old value */
	char *old; /* filled by cgroup_plan_run */
};

struct cgroup_plan {
	size_t n;
	struct cgroup_setting *v;
};

/* Append. `field` and `file` are copied, `value` is a format. */
struct cgroup_setting *cgroup_plan_add(struct cgroup_plan *plan, const struct hierarchy *h, const char *field,
				       const char *file, const char *value, ...) __attribute__((format(printf, 5, 6)));

/* Write all of it, in order. `undo`: on failure, set back what was written; what cannot be set back is said in err. */
int cgroup_plan_run(struct cgroup_plan *plan, bool undo, struct err *err);

void cgroup_plan_release(struct cgroup_plan *plan);
#define cleanup_plan __attribute__((cleanup(cgroup_plan_release)))

/* What the config's numbers become in each version; what is absent stays as it is. Devices are not among it. */
int cgroup_v1_plan(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan, struct err *err);
int cgroup_v2_plan(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan, struct err *err);

int cgroup_plan_more(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan,
		     struct err *err); /* both */

/* Is cpu.idle to be 0 before the shares are written? The kernel refuses those of an idle group, and makes them the usual ones when it is none any more. */
bool cgroup_plan_leaves_idle(const struct oci_resources *r);

/* cpu.shares of v1 as cpu.weight. */
uint64_t cgroup_v2_weight(uint64_t shares);

#endif
