/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the specification and the kernel's numbers for them. */
#ifndef THOLE_SHIM_OCI_NAMES_H
#define THOLE_SHIM_OCI_NAMES_H

#include <stdbool.h>

#include "shim/oci/config.h"

/* CAP_x of "CAP_CHOWN", -1 when there is no such name. The name of a number, "CAP_?" when it has none; static storage. */
int oci_capability_number(const char *name);
const char *oci_capability_name(int cap);

/* RLIMIT_x of "RLIMIT_NOFILE", -1 when there is no such name. */
int oci_rlimit_number(const char *name);
const char *oci_rlimit_name(int resource);

/* OCI_NS_x of "network", OCI_NS_COUNT when there is no such name. */
enum oci_ns oci_ns_number(const char *name);
const char *oci_ns_name(enum oci_ns ns);
int oci_ns_clone_flag(enum oci_ns ns);        /* CLONE_NEWx */
const char *oci_ns_proc_name(enum oci_ns ns); /* below /proc/PID/ns: "net", "mnt" */

/* "createRuntime". */
const char *oci_hook_name(enum oci_hook_kind kind);

/* MS_x | MS_REC of "rslave"; false when there is no such name. */
bool oci_propagation_flags(const char *name, unsigned long *ret_flags);

/* The options that oci_mount_option() knows, one by one; NULL at the end. */
const char *oci_mount_option_name(size_t i);

/* Sort one word of mounts[].options into `m`. What is not in the table goes to m->data. */
void oci_mount_option(struct oci_mount *m, const char *option);

#endif
