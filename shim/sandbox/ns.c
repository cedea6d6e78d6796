/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: the new ones, and the ones that are joined by path.
 *
 * The shim opens, the child joins: the shim itself never calls setns or unshare. */
#include "shim/sandbox/ns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "common/fd.h"
#include "shim/oci/names.h"

uint64_t ns_clone_flags(const struct oci_config *config)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		if (config->ns[i].wanted && !config->ns[i].path && i != OCI_NS_CGROUP)
			flags |= (uint64_t)oci_ns_clone_flag((enum oci_ns)i);
	return flags;
}

int ns_open_joined(const struct oci_config *config, struct ns_joined *ret, struct err *err)
{
	struct ns_joined j;

	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		j.fd[i] = -1;
	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		const char *path = config->ns[i].path;
		int type;

		if (!path)
			continue;
		j.fd[i] = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (j.fd[i] < 0) {
			err_sys(err, "cannot open the %s namespace '%s'", oci_ns_proc_name((enum oci_ns)i), path);
			ns_joined_release(&j);
			return -1;
		}
		type = ioctl(j.fd[i], NS_GET_NSTYPE);
		if (type < 0 || type != oci_ns_clone_flag((enum oci_ns)i)) {
			err_set(err, ERR_CONFIG, "linux.namespaces: '%s' is no %s namespace", path,
				oci_ns_proc_name((enum oci_ns)i));
			ns_joined_release(&j);
			return -1;
		}
	}
	*ret = j;
	return 0;
}

void ns_joined_release(struct ns_joined *j)
{
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		fd_close(&j->fd[i]);
}

int child_ns_join(const struct ns_joined *j, struct err *err)
{
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		if (j->fd[i] >= 0 && setns(j->fd[i], oci_ns_clone_flag((enum oci_ns)i)) < 0)
			return err_sys(err, "cannot join the %s namespace", oci_ns_proc_name((enum oci_ns)i));
	return 0;
}
