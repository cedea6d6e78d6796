/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a directory, copied into the tmpfs that will cover it.
 *
 * Runs as the container's first process, with full privileges, on a tree that the container's owner controls. Every step is one name
 * below an open directory, links are not followed, and nothing is opened but what has just been seen to be a directory or a regular file. */
#include "shim/sandbox/copyup.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/fd.h"

#define XATTR_MAX (64 << 10)

static int copy_directory(int from_fd, int to_fd, int depth, struct err *err);

/* What the new file system does not know is not copied: a tmpfs has no user attributes on older kernels. */
static int copy_xattrs(int from_fd, int to_fd, struct err *err)
{
	cleanup_free char *names = xcalloc(1, XATTR_MAX), *value = xcalloc(1, XATTR_MAX);
	ssize_t n = flistxattr(from_fd, names, XATTR_MAX);

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : err_sys(err, "cannot list extended attributes");
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		ssize_t len = fgetxattr(from_fd, name, value, XATTR_MAX);

		if (len < 0 && errno == ENODATA)
			continue;
		if (len < 0)
			return err_sys(err, "cannot read the attribute '%s'", name);
		if (fsetxattr(to_fd, name, value, (size_t)len, 0) < 0 && errno != EOPNOTSUPP)
			return err_sys(err, "cannot set the attribute '%s'", name);
	}
	return 0;
}

/* The owner first: changing it takes the set-id bits away. */
static int copy_attributes(int from_fd, int to_fd, const struct stat *st, struct err *err)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchown(to_fd, st->st_uid, st->st_gid) < 0)
		return err_sys(err, "cannot set the owner");
	if (fchmod(to_fd, st->st_mode & 07777) < 0)
		return err_sys(err, "cannot set the mode");
	if (copy_xattrs(from_fd, to_fd, err) < 0)
		return -1;
	if (futimens(to_fd, times) < 0)
		return err_sys(err, "cannot set the times");
	return 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, struct err *err)
{
	cleanup_fd int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to = -1;
	struct stat st;
	ssize_t n;

	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(err, "cannot open it");
	if (!S_ISREG(st.st_mode))
		return err_sysno(err, ESTALE, "it is another file now");
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(err, "cannot make it");
	do
		n = sendfile(to, from, NULL, 1 << 30);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_sys(err, "cannot copy it");
	return copy_attributes(from, to, &st, err);
}

static int copy_subdirectory(int from_dir, int to_dir, const char *name, int depth, struct err *err)
{
	cleanup_fd int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), to = -1;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(err, "cannot open it");
	if (mkdirat(to_dir, name, 0700) < 0)
		return err_sys(err, "cannot make it");
	to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_sys(err, "cannot open what was made");
	if (copy_directory(from, to, depth + 1, err) < 0)
		return -1;
	return copy_attributes(from, to, &st, err);
}

/* Links, devices and pipes cannot be opened: what they are is made anew. */
static int copy_other(int from_dir, int to_dir, const char *name, const struct stat *st, struct err *err)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	char target[PATH_MAX];

	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

		if (n < 0)
			return err_sys(err, "cannot read the link");
		target[n] = '\0';
		if (symlinkat(target, to_dir, name) < 0)
			return err_sys(err, "cannot make the link");
	} else if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0) {
		return err_sys(err, "cannot make the node");
	}
	if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot set the owner");
	if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return err_sys(err, "cannot set the mode");
	if (utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot set the times");
	return 0;
}

static int copy_entry(int from_dir, int to_dir, const char *name, int depth, struct err *err)
{
	struct stat st;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot look at it");
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (S_ISREG(st.st_mode))
		return copy_file(from_dir, to_dir, name, err);
	if (S_ISDIR(st.st_mode))
		return copy_subdirectory(from_dir, to_dir, name, depth, err);
	return copy_other(from_dir, to_dir, name, &st, err);
}

static int copy_directory(int from_fd, int to_fd, int depth, struct err *err)
{
	cleanup_dir DIR *dir = NULL;
	const char *name;

	if (depth > COPYUP_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "more than %d directories in one another", COPYUP_DEPTH_MAX);
	dir = fd_list(from_fd);
	if (!dir)
		return err_sys(err, "cannot list the directory");
	while ((name = fd_list_next(dir)))
		if (copy_entry(from_fd, to_fd, name, depth, err) < 0)
			return err_add(err, "%s", name);
	return errno ? err_sys(err, "cannot list the directory") : 0;
}

int copyup(int from_fd, int to_fd, struct err *err)
{
	cleanup_fd int from = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), to = -1;

	to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || to < 0)
		return err_sys(err, "tmpcopyup: cannot open the directory");
	if (copy_directory(from, to, 0, err) < 0)
		return err_add(err, "tmpcopyup");
	return 0;
}
