/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: the new ones, and the ones that are joined by path.
 *
 * The shim opens, the child joins: the shim itself never calls setns or unshare. */
#include "shim/sandbox/ns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/oci/names.h"

uint64_t ns_clone_flags(const struct oci_config *config)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		if (!config->ns[i].wanted || config->ns[i].path || i == OCI_NS_CGROUP || i == OCI_NS_USER)
			continue;
		if (i != OCI_NS_TIME || !oci_has_time_offsets(config))
			flags |= (uint64_t)oci_ns_clone_flag((enum oci_ns)i);
	}
	return flags;
}

bool ns_leaves_user(const struct oci_config *config, const struct ns_joined *j)
{
	const struct oci_namespace *user = &config->ns[OCI_NS_USER];

	return user->wanted && (!user->path || j->fd[OCI_NS_USER] >= 0);
}

bool ns_needs_joiner(const struct oci_config *config, const struct ns_joined *j)
{
	return ns_leaves_user(config, j) || j->fd[OCI_NS_PID] >= 0 || oci_has_time_offsets(config) ||
	       config->n_net_devices > 0;
}

/* Is it that of process `pid`, 0: our own? */
static bool is_of(pid_t pid, enum oci_ns ns, int fd)
{
	struct stat its, other;
	char path[40], number[16] = "self";

	if (pid)
		snprintf(number, sizeof(number), "%d", (int)pid);
	snprintf(path, sizeof(path), "/proc/%s/ns/%s", number, oci_ns_proc_name(ns));
	return stat(path, &its) == 0 && fstat(fd, &other) == 0 && its.st_dev == other.st_dev &&
	       its.st_ino == other.st_ino;
}

static bool is_own(enum oci_ns ns, int fd)
{
	return is_of(0, ns, fd);
}

int ns_check_names(const struct oci_config *config, const struct ns_joined *j, struct err *err)
{
	struct utsname now;

	if (j->fd[OCI_NS_UTS] < 0 || !is_own(OCI_NS_UTS, j->fd[OCI_NS_UTS]) || uname(&now) < 0)
		return 0;
	if (config->hostname && strcmp(config->hostname, now.nodename) != 0)
		return err_set(err, ERR_CONFIG, "hostname: the uts namespace that is joined is the host's");
	if (config->domainname && strcmp(config->domainname, now.domainname) != 0)
		return err_set(err, ERR_CONFIG, "domainname: the uts namespace that is joined is the host's");
	return 0;
}

static int open_one(enum oci_ns ns, const char *path, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_sys(err, "linux.namespaces: cannot open the %s namespace '%s'", oci_ns_proc_name(ns), path);
	if (ioctl(fd, NS_GET_NSTYPE) != oci_ns_clone_flag(ns))
		return err_set(err, ERR_CONFIG, "linux.namespaces: '%s' is no %s namespace", path,
			       oci_ns_proc_name(ns));
	/* The kernel refuses to enter the user namespace that one is in: that would give capabilities back. */
	if (ns == OCI_NS_USER && is_own(ns, fd))
		return 0;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* An example of the specification has devices and no namespace: it is read, but nothing can be made of it. */
static int check_net_devices(const struct oci_config *config, const struct ns_joined *j, struct err *err)
{
	if (!config->n_net_devices)
		return 0;
	if (!config->ns[OCI_NS_NETWORK].wanted)
		return err_set(err, ERR_CONFIG, "linux.netDevices: needs a network namespace");
	if (is_own(OCI_NS_NETWORK, j->fd[OCI_NS_NETWORK]))
		return err_set(err, ERR_CONFIG, "linux.netDevices: the network namespace that is joined is the host's");
	return 0;
}

int ns_open_joined(const struct oci_config *config, struct ns_joined *ret, struct err *err)
{
	struct ns_joined j;

	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		j.fd[i] = -1;
	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		const char *path = config->ns[i].path;

		if (path && open_one((enum oci_ns)i, path, &j.fd[i], err) < 0) {
			ns_joined_release(&j);
			return -1;
		}
	}
	if (check_net_devices(config, &j, err) < 0) {
		ns_joined_release(&j);
		return -1;
	}
	*ret = j;
	return 0;
}

void ns_joined_release(struct ns_joined *j)
{
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		fd_close(&j->fd[i]);
}

static int join(const struct ns_joined *j, unsigned int want, unsigned int *ret_left, struct err *err)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < OCI_NS_COUNT; i++) {
		if (!(want & (1u << i)) || j->fd[i] < 0)
			continue;
		if (setns(j->fd[i], oci_ns_clone_flag((enum oci_ns)i)) == 0)
			continue;
		if (!ret_left || errno != EPERM)
			return err_sys(err, "cannot join the %s namespace", oci_ns_proc_name((enum oci_ns)i));
		left |= 1u << i;
	}
	if (ret_left)
		*ret_left = left;
	return 0;
}

int child_ns_join(const struct ns_joined *j, unsigned int *ret_left, struct err *err)
{
	return join(j, ~(1u << OCI_NS_USER), ret_left, err);
}

int child_ns_join_left(const struct ns_joined *j, unsigned int left, struct err *err)
{
	return join(j, left, NULL, err);
}

static int check_one(const struct oci_config *config, enum oci_ns ns, int joined_fd, pid_t pid, struct err *err)
{
	const char *name = oci_ns_name(ns);
	const struct oci_namespace *wish = &config->ns[ns];
	char path[40];
	cleanup_fd int fd = -1;

	if (wish->path)
		return joined_fd < 0 || is_of(pid, ns, joined_fd)
			       ? 0
			       : err_set(err, ERR_CONFIG,
					 "linux.namespaces: the container of the checkpoint was in no %s namespace of "
					 "others, and "
					 "cannot be brought back in '%s'",
					 name, wish->path);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, oci_ns_proc_name(ns));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot look at the %s namespace", name);
	if (wish->wanted && is_own(ns, fd))
		return err_set(err, ERR_CONFIG,
			       "linux.namespaces: the container of the checkpoint had the host's %s namespace, and the "
			       "config wants a new one",
			       name);
	if (!wish->wanted && ns != OCI_NS_MOUNT && !is_own(ns, fd))
		return err_set(err, ERR_CONFIG,
			       "linux.namespaces: the container of the checkpoint had its own %s namespace, and the "
			       "config wants the host's",
			       name);
	return 0;
}

int ns_check(const struct oci_config *config, const struct ns_joined *j, pid_t pid, struct err *err)
{
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		if (i != OCI_NS_CGROUP && i != OCI_NS_TIME && check_one(config, (enum oci_ns)i, j->fd[i], pid, err) < 0)
			return -1;
	return 0;
}
