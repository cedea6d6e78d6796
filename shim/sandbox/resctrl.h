/* SPDX-License-Identifier: Apache-2.0 */
/* linux.intelRdt: the container's group in the resctrl file system. */
#ifndef THOLE_SHIM_SANDBOX_RESCTRL_H
#define THOLE_SHIM_SANDBOX_RESCTRL_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* All of this runs in the shim. All zero: none. Strings are owned. */
struct resctrl {
	char *dir;     /* absolute */
	bool is_ours;  /* it was not there: it goes with the container */
	char *monitor; /* group of its own in dir/mon_groups; NULL: none */
};

/* Where it is, for the container `id`; no effect. mountinfo: text of /proc/self/mountinfo. ERR_UNSUPPORTED when no resctrl is mounted. Errors name
 * linux.intelRdt. */
int resctrl_plan(const char *mountinfo, const struct oci_intel_rdt *r, const char *id, struct resctrl *ret,
		 struct err *err);

/* Make what is missing and write the schemata. On failure what was made is gone again. */
int resctrl_create(const struct resctrl *rc, const struct oci_intel_rdt *r, struct err *err);

/* Put a process in. */
int resctrl_join(const struct resctrl *rc, pid_t pid, struct err *err);

/* New schemata for a container that lives, in its group, or in one that is made for it (with all threads of `pids`). ret_old: those before, for resctrl_take_back(); NULL
 * when the group is new; caller frees. On failure nothing has changed. */
int resctrl_update(struct resctrl *rc, const char *mountinfo, const struct oci_intel_rdt *r, const char *id,
		   const pid_t *pids, size_t n_pids, char **ret_old, struct err *err);

/* Undo that. */
void resctrl_take_back(struct resctrl *rc, const char *old);

/* Remove what is the container's own; success when it is gone already. */
int resctrl_remove(const struct resctrl *rc, struct err *err);

void resctrl_release(struct resctrl *rc);

#endif
