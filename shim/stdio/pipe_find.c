/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes of a container whose shim has died, found among the descriptors of its processes.
 *
 * Runs in the shim, with its privileges. Distrusts the processes: while we look they may put something else behind a number, a device that acts when it is opened, a file whose
 * file system answers never. So a descriptor is first taken with O_PATH, which opens nothing, and named by the kernel; only what is called a pipe then is looked at and opened. */
#include "shim/stdio/pipe_find.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"

uint64_t pipe_inode(const char *key)
{
	unsigned long long inode;
	char end;

	return sscanf(key, "pipe:[%llu%c", &inode, &end) == 2 && end == ']' ? inode : 0;
}

/* No path of a file system is ever spelt like this: they begin with '/'. */
static uint64_t pipe_behind(int dir_fd, const char *name)
{
	char target[64];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return 0;
	target[n] = '\0';
	return pipe_inode(target);
}

/* The device of all pipes. */
static bool pipe_device(dev_t *ret)
{
	int fds[2], r;
	struct stat st;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	r = fstat(fds[0], &st);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	*ret = st.st_dev;
	return r == 0;
}

static int open_pipe(int dir_fd, const char *name, uint64_t inode)
{
	cleanup_fd int held = openat(dir_fd, name, O_PATH | O_CLOEXEC);
	char link[40];
	struct stat st;
	dev_t dev;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", held);
	if (held < 0 || pipe_behind(AT_FDCWD, link) != inode || fstat(held, &st) < 0 || !pipe_device(&dev) ||
	    !S_ISFIFO(st.st_mode) || st.st_ino != inode || st.st_dev != dev)
		return -1;
	return open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

void pipe_find(pid_t pid, struct pipe_wanted *v, size_t n)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *e;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		uint64_t inode = e->d_name[0] == '.' ? 0 : pipe_behind(dirfd(dir), e->d_name);

		for (size_t i = 0; inode && i < n; i++)
			if (v[i].inode == inode && v[i].fd < 0)
				v[i].fd = open_pipe(dirfd(dir), e->d_name, inode);
	}
}
