/* SPDX-License-Identifier: Apache-2.0 */
/* An executable that what it starts cannot change. */
#include "common/sealed.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "common/fd.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* kernel 6.3 */
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020 /* kernel 6.3: the mode's x bits cannot change */
#endif

/* A read-only overlay over the directory `dir_fd`, in no mount namespace.
 *
 * Without an upper layer the kernel wants two lower ones, which may not contain each other. The
 * second is never looked at, since the first has the file; sysfs is always there (procfs is
 * refused: its stacking depth is the maximum). An overlay without an upper layer is read-only
 * whatever its flags say, and cannot be remounted otherwise.
 *
 * The layer is named through /proc/self/fd: one spelling for all kernels (`lowerdir+` takes a
 * descriptor only from 6.13), nothing to escape, and no limit of 255 bytes, which is what
 * fsconfig takes of a string. */
static int mount_overlay(int dir_fd, int *ret_fd, struct err *err)
{
	cleanup_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	char lower[64];
	int mnt;

	if (fs < 0)
		return err_sys(err, "cannot use an overlay");
	snprintf(lower, sizeof(lower), "/proc/self/fd/%d:/sys", dir_fd);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", lower, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "cannot make an overlay");
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mnt < 0)
		return err_sys(err, "cannot mount an overlay");
	*ret_fd = mnt;
	return 0;
}

/* exe_fd: the program, O_PATH. The path is the one behind it, so that a symlink leads to the
 * directory of its target. */
static int open_in_overlay(int exe_fd, int *ret_fd, int *ret_mount_fd, struct err *err)
{
	cleanup_fd int dir_fd = -1, mnt = -1, fd = -1;
	cleanup_free char *dir = NULL;
	struct stat held, seen;
	char *name;

	if (fd_path(exe_fd, &dir, err) < 0)
		return -1;
	name = strrchr(dir, '/');
	if (!name)
		return err_set(err, ERR_UNSUPPORTED, "'%s' has no directory", dir);
	*name++ = '\0';
	dir_fd = open(dir[0] ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, "cannot open '%s'", dir);
	/* Moved or deleted meanwhile, or seen from another root: then the copy in memory is of the right file. */
	if (fstat(exe_fd, &held) < 0 || fstatat(dir_fd, name, &seen, AT_SYMLINK_NOFOLLOW) < 0 ||
	    held.st_ino != seen.st_ino || held.st_dev != seen.st_dev)
		return err_set(err, ERR_UNSUPPORTED, "'%s/%s' is another file by now", dir, name);
	if (mount_overlay(dir_fd, &mnt, err) < 0)
		return -1;
	fd = openat(mnt, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, "cannot open '%s' in its overlay", name);
	*ret_fd = take_fd(&fd);
	*ret_mount_fd = take_fd(&mnt);
	return 0;
}

static int make_memfd(void)
{
	int fd = memfd_create("thole-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("thole-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

static int copy_to_memfd(int exe_fd, const char *path, int *ret_fd, struct err *err)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	cleanup_fd int in = -1, fd = -1;
	char link[64];
	struct stat st;
	off_t done = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", exe_fd);
	in = open(link, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0)
		return err_sys(err, "cannot open '%s'", path);
	fd = make_memfd();
	if (fd < 0)
		return err_sys(err, "cannot make a memfd");
	while (done < st.st_size) {
		ssize_t n = sendfile(fd, in, &done, (size_t)(st.st_size - done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot copy '%s'", path);
		if (n == 0)
			return err_sysno(err, EIO, "cannot copy '%s'", path);
	}
	if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_EXEC) < 0 && fcntl(fd, F_ADD_SEALS, seals) < 0)
		return err_sys(err, "cannot seal the copy of '%s'", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int open_program(const char *path, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (path[0] != '/')
		return err_set(err, ERR_INTERNAL, "cannot execute '%s': not an absolute path", path);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return err_sysno(err, EACCES, "cannot execute '%s'", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

int sealed_exe_open(const char *path, int *ret_fd, int *ret_mount_fd, struct err *err)
{
	cleanup_fd int exe_fd = -1;
	struct err ignored;

	if (open_program(path, &exe_fd, err) < 0)
		return -1;
	*ret_mount_fd = -1;
	if (open_in_overlay(exe_fd, ret_fd, ret_mount_fd, &ignored) == 0)
		return 0;
	return copy_to_memfd(exe_fd, path, ret_fd, err);
}

int sealed_exe_copy(const char *path, int *ret_fd, struct err *err)
{
	cleanup_fd int exe_fd = -1;

	return open_program(path, &exe_fd, err) < 0 ? -1 : copy_to_memfd(exe_fd, path, ret_fd, err);
}
