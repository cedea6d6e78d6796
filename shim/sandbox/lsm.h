/* SPDX-License-Identifier: Apache-2.0 */
/* AppArmor profiles and SELinux labels. */
#ifndef THOLE_SHIM_SANDBOX_LSM_H
#define THOLE_SHIM_SANDBOX_LSM_H

#include "common/err.h"
#include "shim/oci/config.h"

/* ERR_UNSUPPORTED with the field's name when the config asks for a module that this host's kernel does not have enabled. `sys`: where sysfs is,
 * "/sys" but in tests. */
int lsm_check(const struct oci_config *config, const char *sys, struct err *err);

/* ERR_UNSUPPORTED when the kernel knows no AppArmor profile of this name. Where it does not list them, and of names of more than one profile, nothing is said. `sys` as above. */
int lsm_check_loaded(const char *profile, const char *sys, struct err *err);

/* In the child, with the shim's privileges: the next execve enters the profile, and gets the label. Nothing asked for, nothing done. */
int child_lsm_apply(const struct oci_process *process, struct err *err);

/* The same before a keyring is made: it gets the label. */
int child_lsm_label_keyring(const struct oci_process *process, struct err *err);

/* The options of a mount of this type with the label in them, the caller's to free; NULL: this type takes none, or there is no label. */
char *lsm_mount_data(const char *type, const char *data, const char *label);

#endif
