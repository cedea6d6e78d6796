/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes of the streams are where in a log's files: for clients that read there what they have missed. */
#include "shim/stdio/logmap.h"

#include <fcntl.h>
#include <string.h>

#include "common/fd.h"

static void drop(struct logmap *m, size_t i)
{
	fd_close(&m->v[i].fd);
	memmove(&m->v[i], &m->v[i + 1], (m->n - i - 1) * sizeof(m->v[0]));
	m->n--;
}

void logmap_release(struct logmap *m)
{
	while (m->n > 0)
		drop(m, m->n - 1);
	m->open = false;
}

void logmap_begin(struct logmap *m, dev_t dev, uint64_t inode, const struct logmap_place *at)
{
	if (m->n == LOGMAP_MAX)
		drop(m, 0);
	m->v[m->n++] = (struct logmap_stretch) {
		.id = ++m->last_id, .dev = dev, .inode = inode, .rotation = m->rotation, .fd = -1, .start = *at
	};
	m->open = true;
}

static bool is_empty(const struct logmap_stretch *s)
{
	return s->end.offset[0] == s->start.offset[0] && s->end.offset[1] == s->start.offset[1];
}

void logmap_end(struct logmap *m, const struct logmap_place *at)
{
	struct logmap_stretch *last;

	if (!m->open)
		return;
	m->open = false;
	last = &m->v[m->n - 1];
	last->end = *at;
	if (is_empty(last))
		drop(m, m->n - 1);
}

void logmap_rotated(struct logmap *m, unsigned int max_files)
{
	m->rotation++;
	while (m->n > 0 && m->rotation - m->v[0].rotation >= max_files)
		drop(m, 0);
}

static bool is_of(const struct logmap_stretch *s, dev_t dev, uint64_t inode)
{
	return s->fd < 0 && s->dev == dev && s->inode == inode;
}

void logmap_moved(struct logmap *m, dev_t dev, uint64_t inode, int fd)
{
	for (size_t i = m->n; i-- > 0;) {
		if (!is_of(&m->v[i], dev, inode))
			continue;
		if (m->wanted)
			m->v[i].fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (m->v[i].fd < 0)
			drop(m, i);
	}
}

void logmap_emptied(struct logmap *m, dev_t dev, uint64_t inode)
{
	for (size_t i = m->n; i-- > 0;)
		if (is_of(&m->v[i], dev, inode))
			drop(m, i);
}

void logmap_want(struct logmap *m)
{
	m->wanted++;
}

void logmap_unwant(struct logmap *m)
{
	if (--m->wanted > 0)
		return;
	for (size_t i = m->n; i-- > 0;)
		if (m->v[i].fd >= 0)
			drop(m, i);
}

bool logmap_find(const struct logmap *m, int i, uint64_t from, const struct logmap_place *now,
		 struct logmap_stretch *ret)
{
	for (size_t k = 0; k < m->n; k++) {
		struct logmap_stretch s = m->v[k];

		if (m->open && k == m->n - 1)
			s.end = *now;
		if (s.end.offset[i] <= from || s.end.offset[i] == s.start.offset[i])
			continue;
		*ret = s;
		return true;
	}
	return false;
}
