/* SPDX-License-Identifier: Apache-2.0 */
/* What the container's /etc/passwd says, read as a hostile file.
 *
 * Runs in the container's first process while it still has its privileges. The file belongs to the image: it may be a link that leads
 * outside, a FIFO nobody writes to, a device, or endless (CVE-2026-47262). So: resolved below the root, looked at before it is opened,
 * opened without waiting, read in a fixed buffer up to a limit. */
#include "shim/sandbox/user.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "shim/sandbox/rootfs.h"

/* The home of a line "name:password:uid:gid:comment:home:shell" when it is for `uid`. ret_home points into the line. */
static bool line_home(char *line, size_t len, uid_t uid, char **ret_home, size_t *ret_len)
{
	enum { FIELD_UID = 2, FIELD_HOME = 5 };
	char *field = line, *end = line + len;
	uint64_t number = 0;

	for (int i = 0; i <= FIELD_HOME; i++) {
		char *colon = memchr(field, ':', (size_t)(end - field));
		char *stop = colon ? colon : end;

		if (i == FIELD_HOME) {
			*ret_home = field;
			*ret_len = (size_t)(stop - field);
			return *ret_len > 0 && field[0] == '/' && !memchr(field, '\0', *ret_len);
		}
		if (!colon)
			return false;
		if (i == FIELD_UID) {
			if (stop == field)
				return false;
			for (; field < stop; field++) {
				if (*field < '0' || *field > '9')
					return false;
				number = number * 10 + (uint64_t)(*field - '0');
				if (number > UINT32_MAX)
					return false;
			}
			if (number != uid)
				return false;
		}
		field = colon + 1;
	}
	return false;
}

/* Opening a device or a FIFO can have effects of its own: the kind is known before. */
static int open_regular(int root_fd, const char *path, int *ret_fd, struct err *err)
{
	cleanup_fd int seen = -1, fd = -1;
	struct stat a, b;

	*ret_fd = -1;
	if (rootfs_open(root_fd, path, &seen, err) < 0) {
		if (err_is_sys(err, ENOENT) || err_is_sys(err, ENOTDIR) || err_is_sys(err, ELOOP))
			return 0;
		return -1;
	}
	if (fstat(seen, &a) < 0)
		return err_sys(err, "cannot look at '%s' in the rootfs", path);
	if (!S_ISREG(a.st_mode))
		return 0;
	if (rootfs_open_flags(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd, err) < 0)
		return -1;
	if (fstat(fd, &b) < 0)
		return err_sys(err, "cannot look at '%s' in the rootfs", path);
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return err_set(err, ERR_CONFIG, "'%s' in the rootfs was exchanged while it was opened", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* A window on the file that moves by whole lines. */
struct lines {
	int fd;
	size_t start, end, total;
	bool skip, eof; /* skip: inside a line that was too long */
	char buf[USER_LINE_MAX];
};

static int lines_fill(struct lines *l, struct err *err)
{
	ssize_t n;

	memmove(l->buf, l->buf + l->start, l->end - l->start);
	l->end -= l->start;
	l->start = 0;
	if (l->end == sizeof(l->buf)) {
		l->skip = true;
		l->end = 0;
	}
	do
		n = read(l->fd, l->buf + l->end, sizeof(l->buf) - l->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot read '/etc/passwd' in the rootfs");
	l->end += (size_t)n;
	l->total += (size_t)n;
	l->eof = n == 0 || l->total > USER_PASSWD_MAX;
	return 0;
}

/* The next whole line, without its newline. 1, 0 at the end, -1. */
static int lines_next(struct lines *l, char **ret_line, size_t *ret_len, struct err *err)
{
	for (;;) {
		char *line = l->buf + l->start;
		char *newline = memchr(line, '\n', l->end - l->start);
		bool skip = l->skip;

		if (newline || (l->eof && l->start < l->end)) {
			*ret_len = newline ? (size_t)(newline - line) : l->end - l->start;
			l->start += *ret_len + (newline != NULL);
			l->skip = false;
			*ret_line = line;
			if (skip)
				continue;
			return 1;
		}
		if (l->eof)
			return 0;
		if (lines_fill(l, err) < 0)
			return -1;
	}
}

int user_home(int root_fd, uid_t uid, char *buf, size_t size, struct err *err)
{
	cleanup_fd int fd = -1;
	struct lines l = { .fd = -1 };
	size_t len, home_len;
	char *line, *home;
	int r = 0;

	if (open_regular(root_fd, "/etc/passwd", &fd, err) < 0)
		return -1;
	l.fd = fd;
	while (fd >= 0 && (r = lines_next(&l, &line, &len, err)) > 0) {
		if (line_home(line, len, uid, &home, &home_len) && home_len < size) {
			memcpy(buf, home, home_len);
			buf[home_len] = '\0';
			return 0;
		}
	}
	if (r < 0)
		return -1;
	memcpy(buf, "/", 2);
	return 0;
}
