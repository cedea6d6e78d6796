/* SPDX-License-Identifier: Apache-2.0 */
/* linux.sysctl: parameters of the kernel that belong to the container's namespaces.
 *
 * Written by the container's first process, with the shim's privileges, before there is a rootfs: through a proc file system of its own that
 * is mounted nowhere. The kernel looks at the writer's namespaces, so a name that is in none of the container's would change the host;
 * oci/sysctl.c knows which are. What is restored gets them from a child of the shim's. */
#include "shim/sandbox/sysctl.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/proc.h"
#include "common/wire.h"
#include "shim/oci/names.h"
#include "shim/oci/sysctl.h"
#include "shim/sandbox/child_internal.h"
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

static int apply(const struct oci_config *c, bool *todo, bool may_leave, bool may_lack, struct err *err)
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
		if (apply_one(proc_fd, c->sysctl_keys.v[i], c->sysctl_values.v[i], &failed) == 0 ||
		    (may_lack && err_is_sys(&failed, ENOENT))) {
			todo[i] = false;
		} else if (!may_leave || !(err_is_sys(&failed, EACCES) || err_is_sys(&failed, EPERM))) {
			*err = failed;
			return err_add(err, "linux.sysctl.%s", c->sysctl_keys.v[i]);
		}
	}
	return 0;
}

int child_sysctl_apply(const struct oci_config *c, bool *todo, bool may_leave, struct err *err)
{
	return apply(c, todo, may_leave, false, err);
}

/* ---- of what is restored ----------------------------------------------------------------------------------------------------- */

/* Those that have to be written there; ret_flags: the namespaces. */
static bool find_own(const struct oci_config *c, bool *todo, int *ret_flags)
{
	*ret_flags = 0;
	for (size_t i = 0; i < c->sysctl_keys.n; i++) {
		char path[OCI_SYSCTL_PATH_MAX];
		struct err ignored;
		enum oci_ns ns;

		if (oci_sysctl_path(c->sysctl_keys.v[i], path, &ignored) < 0)
			continue;
		ns = oci_sysctl_ns(path);
		if (ns == OCI_NS_COUNT || !oci_has_new_ns(c, ns))
			continue;
		todo[i] = true;
		*ret_flags |= oci_ns_clone_flag(ns);
	}
	return *ret_flags != 0;
}

/* Its user namespace last: from inside nobody enters another one's. */
static int child_write(const struct oci_config *c, bool *todo, int flags, int pidfd, struct err *err)
{
	const bool own_user = oci_has_new_ns(c, OCI_NS_USER);
	const int others = flags & ~CLONE_NEWUSER;

	if (others && setns(pidfd, others) < 0)
		return err_sys(err, "linux.sysctl: cannot enter the namespaces");
	if (others && apply(c, todo, own_user, true, err) < 0)
		return -1;
	if (!own_user || !any(todo, c->sysctl_keys.n))
		return 0;
	if (setns(pidfd, CLONE_NEWUSER) < 0)
		return err_sys(err, "linux.sysctl: cannot enter the user namespace");
	return child_become_root(err) < 0 ? err_add(err, "linux.sysctl") : apply(c, todo, false, true, err);
}

static void run(const struct oci_config *c, bool *todo, int flags, int pidfd, int sock) __attribute__((noreturn));
static void run(const struct oci_config *c, bool *todo, int flags, int pidfd, int sock)
{
	struct err err = { 0 };

	/* A copy of the shim's lock is here. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	child_write(c, todo, flags, pidfd, &err);
	wire_send_err(sock, &err); /* all zero: none */
	_exit(0);
}

int sysctl_write_anew(const struct oci_config *c, pid_t pid, struct err *err)
{
	cleanup_free bool *todo = xcalloc(c->sysctl_keys.n + 1, sizeof(*todo));
	cleanup_fd int pidfd = -1, sock = -1;
	int pair[2], flags, r;
	pid_t child;

	if (!find_own(c, todo, &flags))
		return 0;
	if (proc_pidfd_open(pid, 0, &pidfd, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a socketpair");
	sock = pair[0];
	child = fork();
	if (child == 0)
		run(c, todo, flags, pidfd, pair[1]);
	fd_close(&pair[1]);
	if (child < 0)
		return err_sys(err, "cannot fork");
	r = wire_recv_outcome(sock, "linux.sysctl: the process that writes them", err);
	proc_wait(child);
	return r;
}
