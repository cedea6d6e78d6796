/* SPDX-License-Identifier: Apache-2.0 */
/* linux.sysctl: parameters of the kernel that belong to the container's namespaces.
 *
 * Written by the container's first process, with the shim's privileges, before there is a rootfs: through a proc file system of its own that
 * is mounted nowhere. The kernel looks at the writer's namespaces, so a name that is in none of the container's would change the host;
 * oci/sysctl.c knows which are. */
#include "shim/sandbox/sysctl.h"

#include <stdio.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "shim/oci/names.h"
#include "shim/oci/sysctl.h"
#include "shim/sandbox/procfs.h"

static int is_own(enum oci_ns ns, int fd, bool *ret_own, struct err *err)
{
	struct stat ours, theirs;
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", oci_ns_proc_name(ns));
	if (stat(path, &ours) < 0 || fstat(fd, &theirs) < 0)
		return err_sys(err, "cannot look at the %s namespace", oci_ns_name(ns));
	*ret_own = ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
	return 0;
}

int sysctl_check_joined(const struct oci_config *c, const struct ns_joined *joined, struct err *err)
{
	for (size_t i = 0; i < c->sysctl_keys.n; i++) {
		char path[OCI_SYSCTL_PATH_MAX];
		enum oci_ns ns;
		bool own;

		if (oci_sysctl_path(c->sysctl_keys.v[i], path, err) < 0)
			return -1;
		ns = oci_sysctl_ns(path);
		if (ns == OCI_NS_COUNT || joined->fd[ns] < 0)
			continue;
		if (is_own(ns, joined->fd[ns], &own, err) < 0)
			return -1;
		if (own)
			return err_set(err, ERR_CONFIG,
				       "linux.sysctl.%s: the %s namespace that is joined is the host's",
				       c->sysctl_keys.v[i], oci_ns_name(ns));
	}
	return 0;
}

static int apply_one(int proc_fd, const char *key, const char *value, struct err *err)
{
	char path[OCI_SYSCTL_PATH_MAX], below[OCI_SYSCTL_PATH_MAX + sizeof("sys/")];

	if (oci_sysctl_path(key, path, err) < 0)
		return -1;
	snprintf(below, sizeof(below), "sys/%s", path);
	return procfs_write(proc_fd, below, value, err);
}

static bool any(const bool *todo, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (todo[i])
			return true;
	return false;
}

int child_sysctl_apply(const struct oci_config *c, bool *todo, bool may_leave, struct err *err)
{
	cleanup_fd int proc_fd = -1;

	if (!any(todo, c->sysctl_keys.n))
		return 0;
	if (procfs_open(PROCFS_ALL, &proc_fd, err) < 0)
		return err_add(err, "linux.sysctl");
	for (size_t i = 0; i < c->sysctl_keys.n; i++) {
		struct err failed;

		if (!todo[i])
			continue;
		if (apply_one(proc_fd, c->sysctl_keys.v[i], c->sysctl_values.v[i], &failed) == 0) {
			todo[i] = false;
		} else if (!may_leave || !(err_is_sys(&failed, EACCES) || err_is_sys(&failed, EPERM))) {
			*err = failed;
			return err_add(err, "linux.sysctl.%s", c->sysctl_keys.v[i]);
		}
	}
	return 0;
}
