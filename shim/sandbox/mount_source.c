/* SPDX-License-Identifier: Apache-2.0 */
/* What only the shim can get at of the host's files: the sources of bind mounts for a container in another user namespace, those with mapped ids, and file systems on
 * block devices.
 *
 * Runs in the shim, before the clone. The container's root may not search the directories that lead to a source, and may not map ids, and its groups may not open
 * a device whose file system it is to have. What the child then gets is a detached mount: it attaches it, and needs to look up nothing. */
#include "shim/sandbox/mount_source.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/path.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/idmap.h"
#include "shim/sandbox/lsm.h"
#include "shim/sandbox/mount.h"

/* The user namespace whose mappings the mount gets. */
static int open_maps(const struct oci_config *c, const struct oci_mount *m, const struct ns_joined *joined, int *ret_fd,
		     struct err *err)
{
	int fd = joined->fd[OCI_NS_USER];

	if (m->uid_maps.n)
		return idmap_open(&m->uid_maps, &m->gid_maps, ret_fd, err);
	if (!c->ns[OCI_NS_USER].path)
		return idmap_open(&c->uid_maps, &c->gid_maps, ret_fd, err);
	if (fd < 0)
		return err_set(err, ERR_CONFIG, "the user namespace is the caller's: there is nothing to map");
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "cannot duplicate a descriptor");
	*ret_fd = fd;
	return 0;
}

static int map_ids(const struct oci_config *c, const struct oci_mount *m, const struct ns_joined *joined, int tree,
		   struct err *err)
{
	cleanup_fd int ns_fd = -1;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };

	if (open_maps(c, m, joined, &ns_fd, err) < 0)
		return -1;
	attr.userns_fd = (uint64_t)ns_fd;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | (m->idmap_recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) == 0)
		return 0;
	return err_sys(err, "cannot map its ids%s",
		       errno == EINVAL ? ", its file system (or one below) may not support that" : "");
}

static int open_one(const struct oci_config *c, const struct oci_mount *m, const char *bundle,
		    const struct ns_joined *joined, int *ret_fd, struct err *err)
{
	cleanup_free char *source = path_join(bundle, m->source);
	cleanup_fd int fd = -1;

	/* Such a user cannot clone the source here either, and that would be blamed on the source. */
	if (m->idmap && !caps_have(CAP_SYS_ADMIN))
		return err_set(err, ERR_PERMISSION, "cannot mount %s at '%s': mapping its ids needs CAP_SYS_ADMIN",
			       m->source, m->destination);
	if (mount_bind_tree(m, source, &fd, err) < 0 || (m->idmap && map_ids(c, m, joined, fd, err) < 0))
		return err_add(err, "cannot mount %s at '%s'", m->source, m->destination);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* A type that needs no device belongs to the namespaces of who makes it (proc, mqueue), whatever its source is called. One that the kernel does not know yet is not of these. */
static bool needs_device(const char *type)
{
	cleanup_free char *known = NULL, *line = xasprintf("nodev\t%s\n", type);
	struct err ignored;

	return fd_read_file_at(AT_FDCWD, "/proc/filesystems", 1 << 20, &known, &ignored) == 0 && !strstr(known, line);
}

/* Whoever gives the container a mount namespace or a user namespace has the device looked up there, and the kernel asked whether that may be. */
static bool is_on_device(const struct oci_config *c, const struct oci_mount *m)
{
	struct stat st;

	return !m->bind && !m->remount && m->source && m->source[0] == '/' && m->type && !c->ns[OCI_NS_MOUNT].path &&
	       stat(m->source, &st) == 0 && S_ISBLK(st.st_mode) && needs_device(m->type);
}

static int open_device(const struct oci_config *c, const struct oci_mount *m, int *ret_fd, struct err *err)
{
	cleanup_free char *labelled = lsm_mount_data(m->type, m->data, c->mount_label);
	unsigned long flags = m->flags_set;

	if (mount_is_late_readonly(m))
		flags &= ~(unsigned long)MS_RDONLY;
	if (mount_new_fs(m->type, m->source, labelled ? labelled : m->data, flags, ret_fd, err) < 0)
		return err_add(err, "cannot mount %s at '%s'", m->type, m->destination);
	return 0;
}

/* all: binds without mapped ids, too. */
static int open_those(const struct oci_config *config, const char *bundle, const struct ns_joined *joined, bool all,
		      bool devices, struct mount_sources *ret, struct err *err)
{
	struct mount_sources s = { .n = config->n_mounts, .fd = xcalloc(config->n_mounts, sizeof(int)) };

	for (size_t i = 0; i < s.n; i++)
		s.fd[i] = -1;
	for (size_t i = 0; i < s.n; i++) {
		const struct oci_mount *m = &config->mounts[i];
		int r = 0;

		if (m->bind && !m->remount && (all || m->idmap))
			r = open_one(config, m, bundle, joined, &s.fd[i], err);
		else if (devices && is_on_device(config, m))
			r = open_device(config, m, &s.fd[i], err);
		if (r < 0) {
			mount_sources_release(&s);
			return -1;
		}
	}
	*ret = s;
	return 0;
}

int mount_sources_open(const struct oci_config *config, const char *bundle, const struct ns_joined *joined,
		       struct mount_sources *ret, struct err *err)
{
	bool leaves_user = ns_leaves_user(config, joined);

	return open_those(config, bundle, joined, leaves_user && caps_have(CAP_SYS_ADMIN), !leaves_user, ret, err);
}

int mount_sources_open_mapped(const struct oci_config *config, const char *bundle, const struct ns_joined *joined,
			      struct mount_sources *ret, struct err *err)
{
	return open_those(config, bundle, joined, false, false, ret, err);
}

int child_mount_sources_open(const struct oci_config *config, const char *bundle, const struct mount_sources *s,
			     struct err *err)
{
	for (size_t i = 0; i < s->n; i++)
		if (config->mounts[i].bind && !config->mounts[i].remount && s->fd[i] < 0 &&
		    open_one(config, &config->mounts[i], bundle, NULL, &s->fd[i], err) < 0)
			return -1;
	return 0;
}

void mount_sources_release(struct mount_sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		fd_close(&s->fd[i]);
	free(s->fd);
	*s = (struct mount_sources) { 0 };
}
