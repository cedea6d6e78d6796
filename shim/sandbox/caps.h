/* SPDX-License-Identifier: Apache-2.0 */
/* The five capability sets of the container's process. */
#ifndef THOLE_SHIM_SANDBOX_CAPS_H
#define THOLE_SHIM_SANDBOX_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* Is this capability effective in the calling process? */
bool caps_have(int cap);

/* Capabilities of the config that the calling process does not have and so cannot give: a bit each. The specification wants a warning
 * for them and no failure. For the shim, before the clone; meaningless for a container with a user namespace of its own. */
int caps_missing(const struct oci_caps *caps, uint64_t *ret_missing, struct err *err);

/* Two steps around the change of user, in this order:
 *
 *     child_caps_drop_bounding(caps)      needs CAP_SETPCAP
 *     prctl(PR_SET_KEEPCAPS, 1), setgroups, setgid, setuid
 *     child_caps_apply(caps)
 *
 * Afterwards bounding, permitted, effective and inheritable are exactly those of the config, less what the process did not have before
 * or the kernel does not know; ambient is what the config names and the kernel can grant, that is, what is also permitted and
 * inheritable. No memory, no stdio. */
int child_caps_drop_bounding(const struct oci_caps *caps, struct err *err);
int child_caps_apply(const struct oci_caps *caps, struct err *err);

#endif
