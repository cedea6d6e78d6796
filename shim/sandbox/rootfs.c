/* SPDX-License-Identifier: Apache-2.0 */
/* Paths below a container's root: resolved once, to a descriptor, never walked a second time.
 *
 * Runs as the container's first process during set-up, with full privileges, on a tree that the container's owner controls.
 * Safe because each step starts from a descriptor and the kernel keeps the walk below the root. */
#include "shim/sandbox/rootfs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "common/fd.h"

/* EAGAIN: the kernel could not prove that ".." stayed inside while something was renamed. Trying again is the documented
 * answer (openat2(2)); an attacker who renames without end gets an error. */
#define OPENAT2_TRIES 64

static int openat2_in_root(int root_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = -1;

	for (int i = 0; i < OPENAT2_TRIES; i++) {
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

int rootfs_open(int root_fd, const char *path, int *ret_fd, struct err *err)
{
	int fd = openat2_in_root(root_fd, path, O_PATH, 0);

	if (fd < 0)
		return err_call(err, "openat2", "cannot open '%s' in the rootfs", path);
	*ret_fd = fd;
	return 0;
}

int rootfs_open_nolinks(int root_fd, const char *path, int *ret_fd, struct err *err)
{
	int fd = openat2_in_root(root_fd, path, O_PATH, RESOLVE_NO_SYMLINKS);

	if (fd < 0)
		return err_call(err, "openat2", "cannot open '%s' in the rootfs without following links", path);
	*ret_fd = fd;
	return 0;
}

int rootfs_open_flags(int root_fd, const char *path, int flags, int *ret_fd, struct err *err)
{
	int fd = openat2_in_root(root_fd, path, flags, 0);

	if (fd < 0)
		return err_call(err, "openat2", "cannot open '%s' in the rootfs", path);
	*ret_fd = fd;
	return 0;
}

bool rootfs_is_chardev(int fd, unsigned int major, unsigned int minor)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(major, minor);
}

static int check_kind(int fd, const char *path, enum rootfs_kind kind, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at '%s' in the rootfs", path);
	if (kind == ROOTFS_DIR && !S_ISDIR(st.st_mode))
		return err_sysno(err, ENOTDIR, "cannot use '%s' in the rootfs", path);
	if (kind == ROOTFS_FILE && S_ISDIR(st.st_mode))
		return err_sysno(err, EISDIR, "cannot use '%s' in the rootfs", path);
	return 0;
}

/* Make one component below dir_fd and open it. Somebody else may have made it in the same moment: what is there then counts,
 * but never a symbolic link. */
static int make_component(int dir_fd, const char *name, bool dir, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = -1;

	if (dir) {
		if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
			return err_sys(err, "cannot make directory '%s'", name);
		fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} else {
		fd = openat(dir_fd, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	}
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", name);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The longest leading part of `path` that exists, opened; ret_rest points behind it (empty: all of it). */
static int open_existing(int root_fd, const char *path, int *ret_fd, const char **ret_rest, struct err *err)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return err_sysno(err, ENAMETOOLONG, "cannot open '%.64s...' in the rootfs", path);
	memcpy(part, path, len + 1);
	for (;;) {
		int fd = openat2_in_root(root_fd, part[0] ? part : "/", O_PATH, 0);

		if (fd >= 0) {
			*ret_fd = fd;
			*ret_rest = path + strlen(part);
			return 0;
		}
		/* A dangling link is ENOENT as well: it then fails below, in make_component, as EEXIST + ELOOP. */
		if (errno != ENOENT || !part[0])
			return err_call(err, "openat2", "cannot open '%s' in the rootfs", part);
		*strrchr(part, '/') = '\0';
	}
}

int rootfs_make(int root_fd, const char *path, enum rootfs_kind kind, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = -1;
	const char *rest;

	if (path[0] != '/')
		return err_set(err, ERR_INTERNAL, "path '%s' is not absolute", path);
	if (open_existing(root_fd, path, &fd, &rest, err) < 0)
		return -1;
	if (!*rest) {
		if (check_kind(fd, path, kind, err) < 0)
			return -1;
		*ret_fd = take_fd(&fd);
		return 0;
	}
	while (*rest) {
		char name[NAME_MAX + 1];
		size_t n;
		int next;

		rest += strspn(rest, "/");
		n = strcspn(rest, "/");
		if (n == 0)
			break;
		if (n > NAME_MAX)
			return err_sysno(err, ENAMETOOLONG, "cannot make '%s' in the rootfs", path);
		memcpy(name, rest, n);
		name[n] = '\0';
		rest += n;
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			return err_sysno(err, EINVAL, "cannot make '%s' in the rootfs", path);
		if (make_component(fd, name, *rest || kind == ROOTFS_DIR, &next, err) < 0)
			return err_add(err, "cannot make '%s' in the rootfs", path);
		fd_close(&fd);
		fd = next;
	}
	if (check_kind(fd, path, kind, err) < 0)
		return -1;
	*ret_fd = take_fd(&fd);
	return 0;
}
