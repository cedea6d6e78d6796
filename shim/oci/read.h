/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read config.json share. */
#ifndef THOLE_SHIM_OCI_READ_H
#define THOLE_SHIM_OCI_READ_H

#include "shim/oci/field.h"

/* The members of "linux", read into struct oci_config. */
extern const struct table oci_linux_table;

/* The members of "linux.resources", read into struct oci_resources. */
extern const struct table oci_resources_table;

/* read_resources.c: members of it, read into the same struct. */
extern const struct table oci_block_io_table, oci_network_table;
extern const struct list oci_hugepage_list;
reader_fn read_rdma;
reader_fn read_unified;

/* read_ids.c */
extern const struct list oci_id_map_list;            /* of struct oci_id_maps */
extern const struct present oci_time_offset_present; /* of struct oci_time_offset */

/* read_net.c: into struct oci_config. */
reader_fn read_net_devices;

/* read_rdt.c */
extern const struct present oci_intel_rdt_present; /* of struct oci_intel_rdt */

/* read_sched.c */
extern const struct present oci_scheduler_present, oci_io_priority_present; /* of structs of those names */
extern const struct present oci_memory_policy_present, oci_personality_present;
extern const struct table oci_affinity_table; /* of struct oci_process */

#endif
