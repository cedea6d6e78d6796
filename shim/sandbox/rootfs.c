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
#define LINKS_MAX 40 /* as the kernel has it */

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
		/* A dangling link is ENOENT as well: make_component() then finds it. */
		if (errno != ENOENT || !part[0])
			return err_call(err, "openat2", "cannot open '%s' in the rootfs", part);
		*strrchr(part, '/') = '\0';
	}
}

/* The path that a link leads to which has nothing behind it yet: `name` in dir_fd, which is the path's first `dir_len` bytes; `rest` follows. The caller's to free; NULL: it is no link. */
static char *follow_dangling(int dir_fd, const char *name, const char *path, size_t dir_len, const char *rest)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));

	if (n <= 0 || n == (ssize_t)sizeof(target))
		return NULL;
	if (target[0] == '/')
		return xasprintf("%.*s%s", (int)n, target, rest);
	return xasprintf("%.*s/%.*s%s", (int)dir_len, path, (int)n, target, rest);
}

/* ret_instead: where a dangling link leads that is on the way, and then -1; else NULL. */
static int make_path(int root_fd, const char *path, enum rootfs_kind kind, int *ret_fd, char **ret_instead,
		     struct err *err)
{
	cleanup_fd int fd = -1;
	const char *rest;

	*ret_instead = NULL;
	if (path[0] != '/')
		return err_set(err, ERR_INTERNAL, "path '%s' is not absolute", path);
	if (open_existing(root_fd, path, &fd, &rest, err) < 0)
		return -1;
	while (*rest) {
		char name[NAME_MAX + 1];
		const char *at = rest + strspn(rest, "/");
		size_t n = strcspn(at, "/");
		int next;

		if (n == 0)
			break;
		if (n > NAME_MAX)
			return err_sysno(err, ENAMETOOLONG, "cannot make '%s' in the rootfs", path);
		memcpy(name, at, n);
		name[n] = '\0';
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			return err_sysno(err, EINVAL, "cannot make '%s' in the rootfs", path);
		if (make_component(fd, name, at[n] || kind == ROOTFS_DIR, &next, err) < 0) {
			*ret_instead = follow_dangling(fd, name, path, (size_t)(rest - path), at + n);
			return err_add(err, "cannot make '%s' in the rootfs", path);
		}
		rest = at + n;
		fd_close(&fd);
		fd = next;
	}
	if (check_kind(fd, path, kind, err) < 0)
		return -1;
	*ret_fd = take_fd(&fd);
	return 0;
}

int rootfs_make_plain(int root_fd, const char *path, enum rootfs_kind kind, int *ret_fd, struct err *err)
{
	cleanup_free char *instead = NULL;

	return make_path(root_fd, path, kind, ret_fd, &instead, err);
}

int rootfs_make(int root_fd, const char *path, enum rootfs_kind kind, int *ret_fd, struct err *err)
{
	cleanup_free char *instead = NULL;
	int r = make_path(root_fd, path, kind, ret_fd, &instead, err);

	for (int links = 0; r < 0 && instead; links++) {
		cleanup_free char *next = take_ptr(instead);

		if (links == LINKS_MAX)
			return err_sysno(err, ELOOP, "cannot make '%s' in the rootfs", path);
		r = make_path(root_fd, next, kind, ret_fd, &instead, err);
	}
	return r;
}
