/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a log's files what is: asked for clients that are behind, or that want what was before them.
 *
 * The files are opened by the names that rotation gives them, and are what they should be only if device and inode say so. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "shim/stdio/logfile_internal.h"

static int reopen(int fd)
{
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return open(link, O_RDONLY | O_CLOEXEC);
}

int logfile_reader(const struct logfile *lf, int *ret_fd, struct err *err)
{
	int fd = reopen(lf->fd);

	if (fd < 0)
		return err_sys(err, "cannot open the log '%s' for reading", lf->path);
	*ret_fd = fd;
	return 0;
}

uint64_t logfile_size(const struct logfile *lf)
{
	return lf->size;
}

uint64_t logfile_inode(const struct logfile *lf)
{
	return lf->inode;
}

static struct logmap_place now(const struct logfile *lf)
{
	return (struct logmap_place) {
		.position = lf->size,
		.offset = { logfile_settled(lf, 0), logfile_settled(lf, 1) },
	};
}

void logfile_mark(const struct logfile *lf, struct logfile_mark *ret)
{
	struct logmap_place at = now(lf);

	*ret = (struct logfile_mark) {
		.stretch = lf->map.open ? lf->map.last_id : 0,
		.position = at.position,
		.offset = { at.offset[0], at.offset[1] },
	};
}

/* -1: it is not there any more. */
static int open_stretch(const struct logfile *lf, const struct logmap_stretch *s)
{
	unsigned int number = lf->map.rotation - s->rotation;
	cleanup_free char *path = number ? xasprintf("%s.%u", lf->path, number) : xstrdup(lf->path);
	/* The present file is known whatever its name is by now. */
	bool present = number == 0 && lf->fd >= 0 && s->inode == lf->inode && s->dev == lf->dev;
	cleanup_fd int fd = -1;
	struct stat st;

	if (s->fd >= 0 || present)
		fd = reopen(s->fd >= 0 ? s->fd : lf->fd);
	else
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != s->inode || st.st_dev != s->dev ||
	    (uint64_t)st.st_size < s->end.position)
		return -1;
	return take_fd(&fd);
}

/* Bytes of a stream in a file without records can be told from those of the other only where there are none. */
static bool can_be_told(const struct logfile *lf, const struct logfile_part *p, uint64_t stream_end)
{
	return !lf->format->direct || p->end - p->position == stream_end - p->offset;
}

void logfile_find(const struct logfile *lf, Stream stream, uint64_t from, uint64_t to, const struct logfile_mark *mark,
		  struct logfile_part *ret)
{
	struct logmap_place at = now(lf);
	struct logmap_stretch s;
	int i = stream == STREAM_STDERR;

	*ret = (struct logfile_part) { .from = from, .to = to, .fd = -1 };
	if (!logmap_find(&lf->map, i, from, &at, &s) || s.start.offset[i] >= to)
		return;
	if (s.start.offset[i] > from) {
		ret->to = s.start.offset[i];
		return;
	}
	if (s.end.offset[i] < to)
		ret->to = s.end.offset[i];
	ret->inode = s.inode;
	ret->position = s.start.position;
	ret->offset = s.start.offset[i];
	ret->end = s.end.position;
	if (mark->stretch == s.id && mark->offset[i] <= from) {
		ret->position = mark->position;
		ret->offset = mark->offset[i];
	}
	if (can_be_told(lf, ret, s.end.offset[i]))
		ret->fd = open_stretch(lf, &s);
}

int logfile_spans(const struct logfile *lf, struct logfile_span *ret)
{
	struct logmap_place at = now(lf);
	int n = 0;

	for (size_t k = 0; k < lf->map.n; k++) {
		struct logmap_stretch s = lf->map.v[k];
		int fd;

		if (lf->map.open && k == lf->map.n - 1)
			s.end = at;
		fd = open_stretch(lf, &s);
		if (fd < 0)
			continue;
		ret[n++] = (struct logfile_span) {
			.fd = fd,
			.inode = s.inode,
			.position = s.start.position,
			.end = s.end.position,
			.from = { s.start.offset[0], s.start.offset[1] },
			.to = { s.end.offset[0], s.end.offset[1] },
		};
	}
	return n;
}

void logfile_want(struct logfile *lf)
{
	logmap_want(&lf->map);
}

void logfile_unwant(struct logfile *lf)
{
	logmap_unwant(&lf->map);
}

int logfile_held(const struct logfile *lf, Stream stream, char ret[LOGFILE_HELD_MAX])
{
	const struct logjson_carry *carry = &lf->carry[stream == STREAM_STDERR];

	memcpy(ret, carry->b, carry->n);
	return carry->n;
}
