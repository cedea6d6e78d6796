/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read config.json share. */
#ifndef THOLE_SHIM_OCI_READ_H
#define THOLE_SHIM_OCI_READ_H

#include "shim/oci/field.h"

/* The members of "linux", read into struct oci_config. */
extern const struct table oci_linux_table;

/* The members of "linux.resources", read into struct oci_resources. */
extern const struct table oci_resources_table;

#endif
