/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors and memory with one owner: cleanup attributes, take_ calls, whole reads and writes. */
#include "common/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_write_all(int fd, const void *buf, size_t len, struct err *err)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

DIR *fd_list(int dir_fd)
{
	cleanup_fd int own_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own_fd < 0 ? NULL : fdopendir(own_fd);

	if (dir)
		take_fd(&own_fd);
	return dir;
}

const char *fd_list_next(DIR *dir)
{
	struct dirent *e;

	do {
		errno = 0;
		e = readdir(dir);
	} while (e && (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")));
	return e ? e->d_name : NULL;
}

ssize_t fd_read_full(int fd, void *buf, size_t len, struct err *err)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, (char *)buf + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read");
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_len, struct err *err)
{
	cleanup_free char *data = NULL;
	size_t size = 4096, have = 0;
	struct stat st;

	/* Files of /proc and cgroups say 0: start with a page and double. */
	if (fstat(fd, &st) == 0 && st.st_size > 0 && (size_t)st.st_size < max)
		size = (size_t)st.st_size + 1;
	for (;;) {
		ssize_t n;

		if (size > max + 1)
			size = max + 1;
		data = xrealloc(data, size + 1);
		n = fd_read_full(fd, data + have, size - have, err);
		if (n < 0)
			return -1;
		have += (size_t)n;
		if (have < size)
			break;
		if (have > max)
			return err_set(err, ERR_LIMIT, "larger than %zu bytes", max);
		size *= 2;
	}
	data[have] = '\0';
	*ret_data = take_ptr(data);
	if (ret_len)
		*ret_len = have;
	return 0;
}

int fd_read_file_at(int dir_fd, const char *path, size_t max, char **ret_data, struct err *err)
{
	/* A FIFO that somebody has put there would be waited for. */
	cleanup_fd int fd = openat(dir_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "cannot open '%s'", path);
	if (fd_read_all(fd, max, ret_data, NULL, err) < 0)
		return err_add(err, "'%s'", path);
	return 0;
}

int fd_write_file(int fd, const char *path, const char *text, struct err *err)
{
	ssize_t n;

	do
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot write '%s' to '%s'", text, path);
	if ((size_t)n != strlen(text))
		return err_sysno(err, EIO, "cannot write all of '%s' to '%s'", text, path);
	return 0;
}

int fd_write_file_at(int dir_fd, const char *path, const char *text, struct err *err)
{
	cleanup_fd int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, "cannot open '%s'", path) : fd_write_file(fd, path, text, err);
}

int fd_replace_file_at(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	char temp[NAME_MAX + 1];
	cleanup_fd int fd = -1;

	snprintf(temp, sizeof(temp), ".%s.%d.tmp", name, (int)getpid());
	fd = openat(dir_fd, temp, flags, mode);
	if (fd < 0 && errno == EEXIST && unlinkat(dir_fd, temp, 0) == 0)
		fd = openat(dir_fd, temp, flags, mode);
	if (fd < 0)
		return err_sys(err, "cannot create '%s'", temp);
	/* The umask is the caller's, and may take away more than others' rights. */
	if (fchmod(fd, mode) < 0) {
		err_sys(err, "cannot set the mode of '%s'", temp);
		unlinkat(dir_fd, temp, 0);
		return -1;
	}
	if (fd_write_all(fd, data, len, err) < 0) {
		unlinkat(dir_fd, temp, 0);
		return err_add(err, "'%s'", name);
	}
	if (renameat(dir_fd, temp, dir_fd, name) < 0) {
		err_sys(err, "cannot rename '%s' to '%s'", temp, name);
		unlinkat(dir_fd, temp, 0);
		return -1;
	}
	return 0;
}

static int change_flag(int fd, int get, int set, int flag, bool on, struct err *err)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return err_sys(err, "cannot read the flags of a descriptor");
	if (fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0)
		return err_sys(err, "cannot change the flags of a descriptor");
	return 0;
}

/* A limit may have been higher when a descriptor was opened: at least what the kernel allows by itself (fs.nr_open). */
#define FD_END_MIN (1u << 20)

int fd_close_range(unsigned int first, unsigned int last, int flags)
{
	struct rlimit limit;
	unsigned int end = FD_END_MIN;

	if (syscall(SYS_close_range, first, last, flags) == 0)
		return 0;
	if ((errno != ENOSYS && errno != EPERM) || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	if (limit.rlim_max > end && limit.rlim_max < INT_MAX)
		end = (unsigned int)limit.rlim_max;
	for (unsigned int fd = first; fd <= last && fd < end; fd++) {
		if (!(flags & CLOSE_RANGE_CLOEXEC))
			close((int)fd);
		else if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0 && errno != EBADF)
			return -1;
	}
	return 0;
}

int fd_set_cloexec(int fd, bool on, struct err *err)
{
	return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on, err);
}

int fd_set_nonblock(int fd, bool on, struct err *err)
{
	return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on, err);
}

int fd_path(int fd, char **ret_path, struct err *err)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return err_sys(err, "cannot read '%s'", link);
	path[n] = '\0';
	*ret_path = xstrdup(path);
	return 0;
}
