/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that judge a config share. */
#ifndef THOLE_SHIM_OCI_CHECK_H
#define THOLE_SHIM_OCI_CHECK_H

#include "shim/oci/config.h"

/* check_ids.c: user, time and network namespaces. */
int oci_check_ids(const struct oci_config *config, struct err *err);

/* Ranges that the kernel takes; `field` is for errors. */
int oci_check_id_maps(const char *field, const struct oci_id_maps *maps, struct err *err);

#endif
