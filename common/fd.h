/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors and memory with one owner: cleanup attributes, take_ calls, whole reads and writes. */
#ifndef THOLE_COMMON_FD_H
#define THOLE_COMMON_FD_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/err.h"

/* Close *fd if it is open (not -1) and set it to -1. Leaves errno alone. */
void fd_close(int *fd);

/* Give a descriptor away: returns it and leaves -1 behind. */
static inline int take_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

static inline void *take_ptr_impl(void **p)
{
	void *ret = *p;

	*p = NULL;
	return ret;
}

/* Give a pointer away: returns it and leaves NULL behind. */
#define take_ptr(p) ((__typeof__(p))take_ptr_impl((void **)&(p)))

static inline void cleanup_fd_fn(int *fd)
{
	fd_close(fd);
}

static inline void cleanup_free_fn(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_file_fn(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_dir_fn(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* A local that owns: starts as -1 or NULL, closed or freed when it goes out of scope unless taken. */
#define cleanup_fd __attribute__((cleanup(cleanup_fd_fn)))
#define cleanup_free __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_file __attribute__((cleanup(cleanup_file_fn)))
#define cleanup_dir __attribute__((cleanup(cleanup_dir_fn)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Write all of it, through EINTR and short writes. Blocks as the descriptor does. */
int fd_write_all(int fd, const void *buf, size_t len, struct err *err);

/* A listing of a directory, from its beginning, whatever has been read through dir_fd, which stays the caller's. For closedir(3). NULL: errno says why. */
DIR *fd_list(int dir_fd);
/* The next name but "." and "..", until the next call. NULL: that was the last one (errno 0), or it could not be read. */
const char *fd_list_next(DIR *dir);

/* Read until `len` bytes or end of file. Returns the number read. */
ssize_t fd_read_full(int fd, void *buf, size_t len, struct err *err);

/* Read a whole file of at most `max` bytes. ret_data is NUL-terminated beyond ret_len (which may be NULL);
 * caller frees. ERR_LIMIT when it is larger. */
int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_len, struct err *err);

/* Open PATH below dir_fd, read it whole, as fd_read_all. */
int fd_read_file_at(int dir_fd, const char *path, size_t max, char **ret_data, struct err *err);

/* Open PATH below dir_fd for writing (it must exist: /proc, /sys, cgroup files) and write `text` with one write(2). */
int fd_write_file_at(int dir_fd, const char *path, const char *text, struct err *err);

/* The same with a file that is open already; `path` is what it is called in an error. */
int fd_write_file(int fd, const char *path, const char *text, struct err *err);

/* Write `data` to a temporary name beside NAME and rename it over. Mode as given. No fsync. On failure
 * the old file is untouched and the temporary is gone. */
int fd_replace_file_at(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, struct err *err);

/* close_range(2): close every descriptor from `first` to `last`, or with CLOSE_RANGE_CLOEXEC let execve do it. Where a filter denies the call (ENOSYS, EPERM) each one by itself, up to
 * the highest that there can be. 0, or -1 with errno. For children too: no allocation. */
int fd_close_range(unsigned int first, unsigned int last, int flags);

int fd_set_cloexec(int fd, bool on, struct err *err);
int fd_set_nonblock(int fd, bool on, struct err *err);

/* The path behind an open descriptor, as readlink of /proc/self/fd. Caller frees; fatal without /proc is
 * never right here: fails with ERR_SYS. */
int fd_path(int fd, char **ret_path, struct err *err);

#endif
