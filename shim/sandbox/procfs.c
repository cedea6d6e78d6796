/* SPDX-License-Identifier: Apache-2.0 */
/* A proc file system that is known to be one, for everything that is written below /proc.
 *
 * Runs in the shim and in the container's process, with privileges. A write that is meant for /proc/self/attr/exec, or for a sysctl,
 * and ends in another file because somebody mounted over the path or raced a link into it, has let containers out more than once
 * (CVE-2019-16884, CVE-2025-52881). */
#include "shim/sandbox/procfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "common/fd.h"

#define PROC_ROOT_INODE 1

static int check_is_proc(int fd, const char *path, struct err *err)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return err_sys(err, "cannot look at '%s'", path);
	if (fs.f_type != PROC_SUPER_MAGIC)
		return err_set(err, ERR_PERMISSION, "'%s' is not in a proc file system", path);
	return 0;
}

/* -1 with errno. subset=pid is in kernels from 5.8 on. */
static int open_detached(enum procfs_scope scope)
{
	cleanup_fd int fs_fd = fsopen("proc", FSOPEN_CLOEXEC);

	if (fs_fd < 0)
		return -1;
	if (scope == PROCFS_PIDS)
		fsconfig(fs_fd, FSCONFIG_SET_STRING, "subset", "pid", 0);
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/* The root of a proc file system has a number of its own: a directory of one, bound onto /proc, has not. */
static int open_mounted(int *ret_fd, struct err *err)
{
	cleanup_fd int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(err, "cannot open '/proc'");
	if (check_is_proc(fd, "/proc", err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at '/proc'");
	if (st.st_ino != PROC_ROOT_INODE)
		return err_set(err, ERR_PERMISSION, "'/proc' is not the root of a proc file system");
	*ret_fd = take_fd(&fd);
	return 0;
}

int procfs_open(enum procfs_scope scope, int *ret_fd, struct err *err)
{
	int fd = open_detached(scope);

	if (fd < 0)
		return open_mounted(ret_fd, err);
	*ret_fd = fd;
	return 0;
}

/* "self/x" as "123/x": links are not followed below, and these two are links. They are read from the handle: it may show other
 * numbers than getpid(2) when it belongs to another pid namespace. */
static int resolve_self(int proc_fd, const char *path, char *buf, size_t size, struct err *err)
{
	const char *rest = strchr(path, '/');
	char name[16], target[64];
	ssize_t n;

	if (!rest || (strncmp(path, "self/", 5) != 0 && strncmp(path, "thread-self/", 12) != 0)) {
		n = snprintf(buf, size, "%s", path);
	} else {
		snprintf(name, sizeof(name), "%.*s", (int)(rest - path), path);
		n = readlinkat(proc_fd, name, target, sizeof(target) - 1);
		if (n < 0)
			return err_sys(err, "cannot read '%s' in proc", name);
		target[n] = '\0';
		n = snprintf(buf, size, "%s%s", target, rest);
	}
	if (n < 0 || (size_t)n >= size)
		return err_sysno(err, ENAMETOOLONG, "cannot open '%.64s...' in proc", path);
	return 0;
}

int procfs_write(int proc_fd, const char *path, const char *text, struct err *err)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	cleanup_fd int fd = -1;
	char real[256];
	ssize_t n;

	if (resolve_self(proc_fd, path, real, sizeof(real), err) < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, proc_fd, real, &how, sizeof(how));
	if (fd < 0)
		return err_call(err, "openat2", "cannot open '/proc/%s'", path);
	if (check_is_proc(fd, path, err) < 0)
		return -1;
	do
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot write '%s' to '/proc/%s'", text, path);
	if ((size_t)n != strlen(text))
		return err_sysno(err, EIO, "cannot write all of '%s' to '/proc/%s'", text, path);
	return 0;
}
