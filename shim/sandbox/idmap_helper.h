/* SPDX-License-Identifier: Apache-2.0 */
/* newuidmap and newgidmap: mappings that an ordinary user may have, but not write. */
#ifndef THOLE_SHIM_SANDBOX_IDMAP_HELPER_H
#define THOLE_SHIM_SANDBOX_IDMAP_HELPER_H

#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* Run `program` (found in PATH) for the user namespace of process `pid`, whose /proc directory has to be ours. What it says is the error's text; it is given ten seconds. */
int idmap_helper_run(const char *program, pid_t pid, const struct oci_id_maps *maps, struct err *err);

#endif
