/* SPDX-License-Identifier: Apache-2.0 */
/* Locks on files that have not come back: the image's, compared with what the kernel says of each descriptor.
 *
 * Runs in the shim. The image is hostile: its numbers are only ever used to read below /proc of a process of the container's. */
#include "shim/checkpoint/locks.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/fd.h"
#include "proto/criu.pb-c.h"

#define LOCKS_FILE "filelocks.img"
#define HEADER_BYTES 8 /* two magic numbers; then each entry with its length before it */
#define FILE_MAX (1 << 20)
#define FDINFO_MAX (256 << 10)
#define KIND_POSIX 1

/* "lock:	1: POSIX  ADVISORY  READ 3394 fe:00:11077089 128 128" */
static bool holds(pid_t pid, const FileLockEntry *e)
{
	cleanup_free char *path = xasprintf("/proc/%d/fdinfo/%d", (int)pid, (int)e->fd), *text = NULL;
	struct err ignored;
	char *rest = NULL, kind[16];
	long long start;

	if (fd_read_file_at(AT_FDCWD, path, FDINFO_MAX, &text, &ignored) < 0)
		return false;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (sscanf(line, "lock: %*d: %15s %*s %*s %*d %*s %lld", kind, &start) == 2 && !strcmp(kind, "POSIX") &&
		    start == e->start)
			return true;
	return false;
}

static char *name_of(pid_t pid, const FileLockEntry *e)
{
	cleanup_free char *path = xasprintf("/proc/%d/fd/%d", (int)pid, (int)e->fd);
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	return xasprintf("'%.*s' (process %d)", n > 0 ? (int)n : 1, n > 0 ? target : "?", (int)e->pid);
}

size_t locks_lost(int images_fd, pid_t (*find_cb)(void *arg, pid_t inner), void *arg, char **ret_first)
{
	cleanup_fd int fd = openat(images_fd, LOCKS_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_free char *data = NULL;
	size_t len = 0, lost = 0;
	pid_t inner = 0, pid = 0;
	struct err ignored;
	uint32_t size;

	if (fd < 0 || fd_read_all(fd, FILE_MAX, &data, &len, &ignored) < 0)
		return 0;
	for (size_t at = HEADER_BYTES; at + sizeof(size) <= len; at += size) {
		FileLockEntry *e;

		memcpy(&size, data + at, sizeof(size));
		at += sizeof(size);
		e = size <= len - at ? file_lock_entry__unpack(NULL, size, (const uint8_t *)data + at) : NULL;
		if (!e)
			break;
		if (e->pid != inner)
			pid = find_cb(arg, inner = e->pid);
		if (e->flag == KIND_POSIX && pid > 0 && !holds(pid, e) && lost++ == 0)
			*ret_first = name_of(pid, e);
		file_lock_entry__free_unpacked(e, NULL);
	}
	return lost;
}
