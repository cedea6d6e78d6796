/* SPDX-License-Identifier: Apache-2.0 */
/* The container's mounts, made detached and moved onto descriptors: no path below the root is used twice. */
#ifndef THOLE_SHIM_SANDBOX_MOUNT_H
#define THOLE_SHIM_SANDBOX_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "shim/oci/config.h"

struct cgroup;

/* All of this runs in the container's first process, in its new mount namespace, with the privileges of its user namespace; what makes detached mounts also in
 * the shim. */

/* Make a file system of `type` (fsopen), configured with the comma-separated `data` (NULL: nothing) and the superblock part of
 * `flags` (MS_RDONLY, MS_SYNCHRONOUS, ...), mounted nowhere yet, with the mount part of `flags`. */
int mount_new_fs(const char *type, const char *source, const char *data, unsigned long flags, int *ret_fd,
		 struct err *err);

/* A detached copy of what is mounted (or simply is) at dir_fd/path; recursive: with everything below it. Empty path: dir_fd itself. */
int mount_clone(int dir_fd, const char *path, bool recursive, int *ret_fd, struct err *err);

/* Attach a detached mount onto the very object that target_fd holds. */
int mount_attach(int mount_fd, int target_fd, struct err *err);

/* Change attributes (MOUNT_ATTR_*) of the mount at mount_fd. */
int mount_change(int mount_fd, bool recursive, uint64_t attr_set, uint64_t attr_clear, uint64_t propagation,
		 struct err *err);

/* MS_* flags as MOUNT_ATTR_*: what to set and what must be cleared with it (the atime family is one field). */
void mount_attr_from_flags(unsigned long set, unsigned long clear, uint64_t *ret_set, uint64_t *ret_clear);

/* The detached mount of a bind, complete but for its propagation. `source` is a path of the host. */
int mount_bind_tree(const struct oci_mount *m, const char *source, int *ret_fd, struct err *err);

/* A read-only /dev is made writable, and becomes read-only when the devices are in it. */
bool mount_is_late_readonly(const struct oci_mount *m);

/* One entry of config.mounts. tree_fd: its mount_bind_tree() or mount_new_fs(), when the shim has made it (it stays the caller's), else -1: sources are paths of
 * the host, still visible. */
int mount_one(int root_fd, const struct oci_mount *m, int tree_fd, const struct cgroup *cgroup, bool new_cgroup_ns,
	      struct err *err);

/* The hiding of paths: what it needs more than once. Ended before the program runs. */
#define MOUNT_BASES 2
struct mount_hiding {
	int root_fd; /* borrowed, as is the config */
	const struct oci_config *config;
	int base_fd[MOUNT_BASES]; /* the mounts of the config at /proc and /sys, once something below is wanted */
	int tmpfs_fd;             /* what masked directories show */
	bool root_readonly;       /* the root is among the read-only paths: the caller makes it so, last of all */
};
void mount_hiding_begin(struct mount_hiding *h, int root_fd, const struct oci_config *c);
void mount_hiding_end(struct mount_hiding *h);

/* linux.readonlyPaths and linux.maskedPaths: a missing path is no error, but a /proc or /sys of the config's that has been moved away is. Read-only is the
 * mount of the path alone, not what is mounted below it. null_fd: the container's verified /dev/null. */
int mount_readonly_path(struct mount_hiding *h, const char *path, struct err *err);
int mount_masked_paths(struct mount_hiding *h, int null_fd, struct err *err);

#endif
