/* SPDX-License-Identifier: Apache-2.0 */
/* mounts[] with the option "remount": a change of what an earlier entry has mounted. */
#ifndef THOLE_SHIM_OCI_REMOUNT_H
#define THOLE_SHIM_OCI_REMOUNT_H

#include <stdbool.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* Give each such entry source, type and bind of the entry before it at the same destination; for a devpts, which would forget them, its options too. ERR_CONFIG when
 * there is none, or when it has options that mean nothing there. After it nobody needs to look for the earlier entry. */
int oci_inherit_remounts(struct oci_config *c, struct err *err);

/* Is the file system itself to be changed, and not only its mount? */
bool oci_remounts_fs(const struct oci_mount *m);

#endif
