/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: the table, and the ones that are joined by path.
 *
 * The shim opens, the child joins: the shim itself never calls setns or unshare. */
#include "shim/sandbox/ns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "common/fd.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const struct ns_row ns_table[OCI_NS_COUNT] = {
	[OCI_NS_USER] = { "user", CLONE_NEWUSER },	[OCI_NS_IPC] = { "ipc", CLONE_NEWIPC },
	[OCI_NS_UTS] = { "uts", CLONE_NEWUTS },		[OCI_NS_NETWORK] = { "net", CLONE_NEWNET },
	[OCI_NS_PID] = { "pid", CLONE_NEWPID },		[OCI_NS_MOUNT] = { "mnt", CLONE_NEWNS },
	[OCI_NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP }, [OCI_NS_TIME] = { "time", CLONE_NEWTIME },
};

uint64_t ns_clone_flags(const struct oci_config *config)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		if (config->ns[i].wanted && !config->ns[i].path && i != OCI_NS_CGROUP)
			flags |= ns_table[i].flag;
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
			err_sys(err, "cannot open the %s namespace '%s'", ns_table[i].name, path);
			ns_joined_release(&j);
			return -1;
		}
		type = ioctl(j.fd[i], NS_GET_NSTYPE);
		if (type < 0 || (uint64_t)type != ns_table[i].flag) {
			err_set(err, ERR_CONFIG, "linux.namespaces: '%s' is no %s namespace", path, ns_table[i].name);
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
		if (j->fd[i] >= 0 && setns(j->fd[i], (int)ns_table[i].flag) < 0)
			return err_sys(err, "cannot join the %s namespace", ns_table[i].name);
	return 0;
}
