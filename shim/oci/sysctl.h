/* SPDX-License-Identifier: Apache-2.0 */
/* Which sysctls a container may have of its own. */
#ifndef THOLE_SHIM_OCI_SYSCTL_H
#define THOLE_SHIM_OCI_SYSCTL_H

#include <stddef.h>

#include "common/err.h"
#include "shim/oci/config.h"

#define OCI_SYSCTL_PATH_MAX 200

/* "net/ipv4/ip_forward" of "net.ipv4.ip_forward". As sysctl(8) has it: the separator that comes first, dot or slash, separates, and the
 * other one stands for it inside a name ("net.ipv4.conf.eth0/1.forwarding"). ERR_CONFIG without a field's name when the key leads
 * elsewhere than below /proc/sys. */
int oci_sysctl_path(const char *key, char ret[OCI_SYSCTL_PATH_MAX], struct err *err);

/* The namespace that this path belongs to; OCI_NS_COUNT: none, it is the whole system's. */
enum oci_ns oci_sysctl_ns(const char *path);

#endif
