/* SPDX-License-Identifier: Apache-2.0 */
/* --pre-copy: pre-dumps before a dump, so that less is left to be written while the container stands still.
 *
 * Each is a criu of its own, which freezes the container only while it takes its pages into pipes. All of them are in the directory of the dump that follows: whoever is killed meanwhile
 * leaves nothing but what the next one removes there, and the image that comes of it needs no other. */
#include "shim/container/precopy.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "shim/checkpoint/criu.h"
#include "shim/checkpoint/image.h"
#include "shim/checkpoint/options.h"
#include "shim/checkpoint/rounds.h"
#include "shim/checkpoint/seal.h"
#include "shim/container/container_internal.h"

struct precopy {
	struct container *c;
	const struct checkpoint_options *options;
	int new_fd, work_fd, parent_fd;
	struct criu *criu;
	int64_t began_ns;
	size_t n;
	struct manifest_statistics rounds[MANIFEST_PARENTS_MAX];
	char note[ERR_TEXT_MAX];
	struct pending done;
};

void precopy_free(struct precopy *p)
{
	if (!p)
		return;
	criu_free(p->criu);
	fd_close(&p->parent_fd);
	free(p);
}

size_t precopy_made(const struct precopy *p)
{
	return p ? p->n : 0;
}

const char *precopy_note(const struct precopy *p)
{
	return p && p->note[0] ? p->note : NULL;
}

bool precopy_runs(const struct precopy *p)
{
	return p && p->criu;
}

unsigned int precopy_time_left(const struct precopy *p)
{
	const uint64_t limit = p->options->timeout_s;
	uint64_t passed = (uint64_t)(clock_ns() - p->began_ns) / 1000000000u;

	return limit == 0 ? 0 : passed < limit ? (unsigned int)(limit - passed) : 1;
}

void precopy_tell(const struct precopy *p, struct manifest *m)
{
	m->n_pre_dumps = p->n;
	memcpy(m->pre_dumps, p->rounds, sizeof(p->rounds));
}

void precopy_kill(struct precopy *p)
{
	criu_kill(p->criu);
}

static int next_round(struct precopy *p, struct err *err);

static void over(struct precopy *p, const struct err *failure)
{
	fd_close(&p->parent_fd);
	p->done.cb(p->done.arg, failure);
}

/* It has done nothing yet, and never will here. */
static bool does_without(struct precopy *p, const struct err *failure)
{
	if (p->n > 0 || failure->code != ERR_UNSUPPORTED || p->options->pre_copy_required)
		return false;
	image_drop_parents(p->new_fd);
	snprintf(p->note, sizeof(p->note), "%s", failure->text);
	return true;
}

static void round_done(void *arg, const struct err *failure)
{
	struct precopy *p = arg;
	struct manifest_statistics *s;
	struct err err;

	criu_free(p->criu);
	p->criu = NULL;
	if (failure) {
		err = *failure;
		over(p, does_without(p, &err) ? NULL : &err);
		return;
	}
	s = &p->rounds[p->n++];
	seal_statistics(p->work_fd, s);
	log_debug("container '%s': pre-dump %zu: %llu pages", p->c->id, p->n, (unsigned long long)s->pages_written);
	if (!rounds_go_on(p->rounds, p->n, p->options->pre_copy))
		over(p, NULL);
	else if (next_round(p, &err) < 0)
		over(p, &err);
}

static void notified(void *arg, const char *what, pid_t pid, int fd)
{
	struct precopy *p = arg;

	fd_close(&fd);
	log_debug("container '%s': criu, of a pre-dump: %s", p->c->id, what);
	criu_answer(p->criu, true);
}

static int next_round(struct precopy *p, struct err *err)
{
	static const struct criu_ops ops = { .notify_cb = notified, .done_cb = round_done };
	struct container *c = p->c;
	const int close_first[] = { c->lock_fd };
	const struct criu_program program = {
		.path = p->options->criu,
		.cgroup_ns_fd = -1,
		.umask = 0077,
		.close_first = close_first,
		.n_close_first = ARRAY_SIZE(close_first),
		.timeout_s = precopy_time_left(p),
		.default_lock = criu_plan_default_lock(p->options),
	};
	struct criu_plan plan = { 0 };
	int r;

	fd_close(&p->parent_fd);
	if (image_begin_parent(p->new_fd, &p->parent_fd, err) < 0)
		return -1;
	r = criu_plan_dump(&plan, p->options, c->config, c->init.pid, c->rec.rootfs, c->cgroup, err);
	criu_plan_pre_copy(&plan, p->n > 0);
	plan.opts.log_file = (char *)PRECOPY_LOG;
	plan.opts.images_dir_fd = p->parent_fd;
	plan.opts.has_work_dir_fd = 1;
	plan.opts.work_dir_fd = p->work_fd;
	if (r == 0)
		image_forget_log(p->work_fd, PRECOPY_LOG);
	if (r == 0)
		r = criu_start(c->base, &program, CRIU_TYPE__REQ_PRE_DUMP, &plan.opts, &ops, p, &p->criu, err);
	if (r == 0)
		standstill_note_criu(c, p->criu);
	criu_plan_release(&plan);
	return r;
}

int precopy_start(struct container *c, const struct checkpoint_options *o, int new_fd, int work_fd,
		  container_done_cb *done_cb, void *done_arg, struct precopy **ret, struct err *err)
{
	struct precopy *p = xcalloc(1, sizeof(*p));

	*p = (struct precopy) { .c = c,
				.options = o,
				.new_fd = new_fd,
				.work_fd = work_fd,
				.parent_fd = -1,
				.began_ns = clock_ns(),
				.done = { done_cb, done_arg } };
	if (next_round(p, err) < 0) {
		precopy_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}
