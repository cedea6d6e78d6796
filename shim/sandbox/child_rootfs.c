/* SPDX-License-Identifier: Apache-2.0 */
/* The container's view of the file system: its root, its mounts, its devices.
 *
 * Runs as the container's first process in its new mount namespace, with full privileges; distrusts everything below the root. The
 * root is attached first, so that every later step starts from its descriptor; masks and read-only paths come last, since mounts of the
 * config may bring what they cover. */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/path.h"
#include "shim/sandbox/child_init.h"
#include "shim/sandbox/child_internal.h"
#include "shim/sandbox/device.h"
#include "shim/sandbox/lsm.h"
#include "shim/sandbox/mount.h"
#include "shim/sandbox/rootfs.h"

/* The mount that the directory is in, private in this namespace: else the root's mount, and all below it, would appear on the host too, and
 * pivot_root(2) would refuse. It is reached upwards from the descriptor, by no name. */
static int make_parent_private(int dir_fd, struct err *err)
{
	cleanup_fd int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);

	for (int depth = 0; fd >= 0 && depth < PATH_MAX / 2; depth++) {
		struct statx st;
		int up;

		if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
			break;
		if (!(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
			return err_set(err, ERR_UNSUPPORTED, "linux.rootfsPropagation: 'shared' needs kernel 5.8");
		if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
			return mount_change(fd, false, 0, 0, MS_PRIVATE, err);
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(&fd);
		fd = up;
	}
	return err_sys(err, "cannot find the mount that it is in");
}

/* A root that is a mount of its own, in this namespace only. */
static int attach_root(const char *rootfs, unsigned long propagation, bool joined, int *ret_root_fd, struct err *err)
{
	cleanup_fd int dir = -1, tree = -1;

	/* From the host we go on receiving, or nothing at all; we send only if the config wants that. A namespace that is joined is others' too. */
	if (!joined && !(propagation & MS_SHARED) &&
	    mount(NULL, "/", NULL, (propagation & MS_PRIVATE ? MS_PRIVATE : MS_SLAVE) | MS_REC, NULL) < 0)
		return err_sys(err, "cannot change the propagation of '/'");
	dir = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "cannot open the rootfs '%s'", rootfs);
	if (!joined && (propagation & MS_SHARED) && make_parent_private(dir, err) < 0)
		return err_add(err, "cannot keep the rootfs '%s' from the host's mounts", rootfs);
	if (mount_clone(dir, "", true, &tree, err) < 0 || mount_attach(tree, dir, err) < 0)
		return err_add(err, "cannot mount the rootfs '%s'", rootfs);
	if (joined && mount_change(tree, true, 0, 0, MS_PRIVATE, err) < 0)
		return err_add(err, "cannot make the rootfs '%s' private", rootfs);
	*ret_root_fd = take_fd(&tree);
	return 0;
}

static int mount_all(const struct child_init_params *p, int root_fd, struct err *err)
{
	const struct oci_config *c = p->config;
	bool new_cgroup_ns = oci_has_new_ns(c, OCI_NS_CGROUP);

	for (size_t i = 0; i < c->n_mounts; i++) {
		struct oci_mount m = c->mounts[i];
		cleanup_free char *source = m.bind && m.source ? path_join(p->bundle, m.source) : NULL;

		cleanup_free char *data = m.bind || m.remount ? NULL : lsm_mount_data(m.type, m.data, c->mount_label);

		if (source)
			m.source = source;
		if (data)
			m.data = data;
		if (mount_is_late_readonly(&m))
			m.flags_set &= ~(unsigned long)MS_RDONLY;
		if (mount_one(root_fd, &m, p->sources->fd[i], p->common.cgroup, new_cgroup_ns, err) < 0)
			return -1;
		/* What is seen through it between create and start is the container's, but reached past its root. */
		if (p->sources->fd[i] >= 0)
			close(p->sources->fd[i]);
	}
	return 0;
}

/* The mount itself: what is mounted in it is as its own options say. */
static int finish_late_readonly(int root_fd, const struct oci_config *c, struct err *err)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct oci_mount *m = &c->mounts[i];
		struct oci_mount again = {
			.destination = m->destination,
			.source = m->type,
			.bind = true,
			.remount = true,
			.flags_set = MS_RDONLY,
		};

		if (mount_is_late_readonly(m) && mount_one(root_fd, &again, -1, NULL, false, err) < 0)
			return -1;
	}
	return 0;
}

/* After all mounts, which may bring what is to be hidden. */
static int hide_paths(struct mount_hiding *h, struct err *err)
{
	const struct oci_config *c = h->config;
	cleanup_fd int null_fd = -1;

	for (size_t i = 0; i < c->readonly_paths.n; i++)
		if (mount_readonly_path(h, c->readonly_paths.v[i], err) < 0)
			return -1;
	if (c->masked_paths.n &&
	    (device_open_null(h->root_fd, O_PATH, &null_fd, err) < 0 || mount_masked_paths(h, null_fd, err) < 0))
		return -1;
	return finish_late_readonly(h->root_fd, c, err);
}

int child_build_rootfs(const struct child_init_params *p, int *ret_root_fd, struct err *err)
{
	cleanup_fd int root_fd = -1;

	/* Paths of the host are looked up as whoever we are there, what is made belongs to the container's root. */
	if (attach_root(p->rootfs, p->config->rootfs_propagation, p->config->ns[OCI_NS_MOUNT].path, &root_fd, err) <
		    0 ||
	    (p->common.unprivileged && child_mount_sources_open(p->config, p->bundle, p->sources, err) < 0) ||
	    (p->leaves_user && child_become_root(err) < 0) || mount_all(p, root_fd, err) < 0 ||
	    device_make_all(root_fd, p->config, p->leaves_user, err) < 0)
		return -1;
	*ret_root_fd = take_fd(&root_fd);
	return 0;
}

/* pivot_root(2) with both names ".": the old root is stacked onto the new one, and then taken away from there. */
static int pivot(int root_fd, struct err *err)
{
	cleanup_fd int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (old < 0 || fchdir(root_fd) < 0)
		return err_sys(err, "cannot enter the rootfs");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(err, "cannot pivot into the rootfs");
	/* "." is still the new root, below the old one; what follows must not reach the container's own mounts. */
	if (fchdir(old) < 0)
		return err_sys(err, "cannot go back to the old root");
	/* What was mounted from the host must not be unmounted there: the old root receives, but does not send. */
	if (mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 || umount2(".", MNT_DETACH) < 0)
		return err_sys(err, "cannot leave the old root");
	return 0;
}

static int move_and_chroot(int root_fd, struct err *err)
{
	if (fchdir(root_fd) < 0)
		return err_sys(err, "cannot enter the rootfs");
	/* What is mounted over a shared '/' would be so on the host. */
	if (mount(NULL, "/", NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(err, "cannot make '/' private");
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_sys(err, "cannot move the rootfs to '/'");
	if (chroot(".") < 0)
		return err_sys(err, "cannot change the root");
	return 0;
}

/* In a mount namespace that others are in too, their root is not ours to move. */
static int only_chroot(int root_fd, struct err *err)
{
	if (fchdir(root_fd) < 0 || chroot(".") < 0)
		return err_sys(err, "cannot change the root");
	return 0;
}

static int change_root(const struct child_init_params *p, int root_fd, struct err *err)
{
	if (p->config->ns[OCI_NS_MOUNT].path)
		return only_chroot(root_fd, err);
	return p->no_pivot ? move_and_chroot(root_fd, err) : pivot(root_fd, err);
}

int child_enter_rootfs(const struct child_init_params *p, int root_fd, struct err *err)
{
	const struct oci_config *c = p->config;
	struct mount_hiding hiding;
	int r;

	if (change_root(p, root_fd, err) < 0)
		return -1;
	if (chdir("/") < 0)
		return err_sys(err, "cannot enter the new root");
	mount_hiding_begin(&hiding, root_fd, c);
	r = hide_paths(&hiding, err);
	mount_hiding_end(&hiding);
	if (r < 0)
		return -1;
	/* After what is hidden, for which mounts are cloned: what is unbindable cannot be. */
	if (c->rootfs_propagation && mount(NULL, "/", NULL, c->rootfs_propagation, NULL) < 0)
		return err_sys(err, "cannot set the propagation of the rootfs");
	/* The directory the program starts in; in a read-only root it has to be there already. */
	if (c->has_process && c->process.cwd) {
		cleanup_fd int cwd = -1;

		if (rootfs_make(root_fd, c->process.cwd, ROOTFS_DIR, &cwd, err) < 0)
			return err_add(err, "cannot make the working directory '%s'", c->process.cwd);
	}
	if ((c->root_readonly || hiding.root_readonly) &&
	    mount_change(root_fd, false, MOUNT_ATTR_RDONLY, 0, 0, err) < 0)
		return err_add(err, "cannot make the root read-only");
	return 0;
}
