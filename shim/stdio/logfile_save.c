/* SPDX-License-Identifier: Apache-2.0 */
/* A log that is a file, handed from one program to the next in the same process (saved.h): the open file itself, whatever its name is by now, and what is known of the
 * ones before it. */
#include <string.h>

#include "common/fd.h"
#include "shim/stdio/logfile_internal.h"
#include "shim/stdio/saved.h"

static Saved__LogPlace *save_place(const struct logmap_place *p)
{
	Saved__LogPlace *s = saved_new(Saved__LogPlace, log_place);

	s->position = p->position;
	s->stdout_offset = p->offset[0];
	s->stderr_offset = p->offset[1];
	return s;
}

static struct logmap_place resume_place(const Saved__LogPlace *s)
{
	return (struct logmap_place) { .position = s->position, .offset = { s->stdout_offset, s->stderr_offset } };
}

static void save_map(const struct logmap *m, Saved__LogFile *s)
{
	s->open = m->open;
	s->last_id = m->last_id;
	s->rotation = m->rotation;
	for (size_t i = 0; i < m->n; i++) {
		Saved__LogStretch *one = saved_new(Saved__LogStretch, log_stretch);

		one->id = m->v[i].id;
		one->dev = m->v[i].dev;
		one->inode = m->v[i].inode;
		one->rotation = m->v[i].rotation;
		one->fd = saved_fd(m->v[i].fd);
		one->start = save_place(&m->v[i].start);
		one->end = save_place(&m->v[i].end);
		saved_append(s->stretches, s->n_stretches, one);
	}
}

static void resume_map(struct logmap *m, const Saved__LogFile *s)
{
	m->open = s->open;
	m->last_id = s->last_id;
	m->rotation = s->rotation;
	for (size_t i = 0; i < s->n_stretches; i++) {
		const Saved__LogStretch *one = s->stretches[i];

		m->v[m->n++] = (struct logmap_stretch) {
			.id = one->id,
			.dev = one->dev,
			.inode = one->inode,
			.rotation = one->rotation,
			.fd = saved_to_fd(one->fd),
			.start = resume_place(one->start),
			.end = resume_place(one->end),
		};
	}
}

void logfile_save(const struct log *l, Saved__Log *log)
{
	const struct logfile *lf = (const struct logfile *)l;
	Saved__LogFile *s = saved_new(Saved__LogFile, log_file);

	log->file = s;
	s->fd = saved_fd(lf->fd);
	s->size = lf->size;
	s->inode = lf->inode;
	s->dev = lf->dev;
	s->torn = lf->torn;
	for (size_t i = 0; i < ARRAY_SIZE(lf->in_line); i++) {
		saved_append(s->in_line, s->n_in_line, lf->in_line[i]);
		saved_append(s->carry, s->n_carry, saved_bytes(lf->carry[i].b, lf->carry[i].n));
		saved_append(s->seen, s->n_seen, lf->seen[i]);
	}
	save_map(&lf->map, s);
}

void logfile_resume(struct log *l, const Saved__Log *log)
{
	struct logfile *lf = (struct logfile *)l;
	const Saved__LogFile *s = log->file;

	if (!s)
		return;
	lf->fd = saved_to_fd(s->fd);
	lf->size = s->size;
	lf->inode = s->inode;
	lf->dev = s->dev;
	lf->torn = s->torn;
	for (size_t i = 0; i < ARRAY_SIZE(lf->in_line); i++) {
		lf->in_line[i] = s->in_line[i];
		lf->carry[i].n = (unsigned char)s->carry[i].len;
		if (s->carry[i].len > 0)
			memcpy(lf->carry[i].b, s->carry[i].data, s->carry[i].len);
		lf->seen[i] = s->seen[i];
	}
	resume_map(&lf->map, s);
}
