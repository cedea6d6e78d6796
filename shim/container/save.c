/* SPDX-License-Identifier: Apache-2.0 */
/* A container handed from one program to the next in the same process: an adoption that keeps its descriptors.
 *
 * What the state directory says (who it is, its groups, its config, what its logs were asked to be) is read from there again, as an adoption does; what only
 * the memory has comes in the state. */
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/checkpoint/lazy.h"
#include "shim/container/container_internal.h"
#include "shim/container/sdnotify.h"
#include "shim/stdio/log.h"
#include "shim/stdio/saved.h"

/* ---- may it be? ---------------------------------------------------------------------------------------------------------- */

static int busy(const struct container *c, const char *with, struct err *err)
{
	return err_set(err, ERR_BUSY, "cannot upgrade the shim of container '%s': %s", c->id, with);
}

/* What ends when it ends: a dump, hooks of the user's. */
static int long_obstacle(const struct container *c, struct err *err)
{
	if (c->checkpointing)
		return busy(c, "it is being checkpointed", err);
	if (c->creation)
		return busy(c, c->creation->restoring ? "it is being restored" : "it is being created", err);
	if (lazy_runs(c->lazy))
		return busy(c, "its memory is still being brought in (--lazy-pages)", err);
	if (c->deletion.cb || c->removed)
		return busy(c, "it is being deleted", err);
	if (c->parked)
		return err_set(err, ERR_STATE,
			       "cannot upgrade the shim of container '%s': it is checkpointed, and its shim holds its "
			       "streams",
			       c->id);
	return 0;
}

static bool streams_are_settled(const struct container *c)
{
	const struct process *p;

	if (c->init.relay && !relay_is_settled(c->init.relay))
		return false;
	LIST_FOREACH(p, &c->execs, link)
	if (p->relay && !relay_is_settled(p->relay))
		return false;
	return true;
}

int container_upgrade_obstacle(struct container *c, bool *ret_soon, struct err *err)
{
	*ret_soon = false;
	if (long_obstacle(c, err) < 0)
		return -1;
	*ret_soon = true;
	if (exec_under_way(c))
		return busy(c, "a process is being launched", err);
	if (c->starting || c->pausing || c->dying || c->n_dying > 0)
		return busy(c, "something else is under way", err);
	if (c->hooking)
		return busy(c, "its hooks are running", err);
	if (c->failure)
		return busy(c, "its poststart hook has failed, and its client is not told yet", err);
	if (!streams_are_settled(c))
		return busy(c, "its streams are about to change: it was restored, or its stdin ends", err);
	return 0;
}

/* ---- leaving it ------------------------------------------------------------------------------------------------------------ */

static void save_execs(struct container *c, Saved__Container *s)
{
	struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	saved_append(s->execs, s->n_execs, process_save(p));
	for (size_t i = c->n_ended; i-- > 0;)
		saved_append(s->execs, s->n_execs, exec_save_ended(c, i));
	/* The newest has come first. */
	for (size_t i = 0; i < s->n_execs / 2; i++) {
		Saved__Process *swap = s->execs[i];

		s->execs[i] = s->execs[s->n_execs - 1 - i];
		s->execs[s->n_execs - 1 - i] = swap;
	}
}

static void save_limits(const struct proc_limits *limits, Saved__Container *s)
{
	for (size_t i = 0; limits->known && i < PROC_LIMITS; i++) {
		Saved__Limit *l = saved_new(Saved__Limit, limit);

		l->resource = (uint32_t)limits->v[i].resource;
		l->soft = limits->v[i].caller.rlim_cur;
		l->hard = limits->v[i].caller.rlim_max;
		saved_append(s->limits, s->n_limits, l);
	}
}

Saved__Container *container_save(struct container *c)
{
	Saved__Container *s = saved_new(Saved__Container, container);

	s->id = xstrdup(c->id);
	s->dir_fd = saved_fd(c->dir_fd);
	s->lock_fd = saved_fd(c->lock_fd);
	s->adopted = c->adopted;
	s->passes = c->passes;
	s->remove_at_exit = c->rec.remove_at_exit;
	s->last_exec = c->last_exec;
	s->init = process_save(&c->init);
	save_execs(c, s);
	s->keeper = keep_save(c);
	s->notifying = sdnotify_save(c->sdnotify);
	save_limits(&c->limits, s);
	return s;
}

/* ---- becoming it ----------------------------------------------------------------------------------------------------------- */

/* dir_fd is open. */
static int read_files(struct container *c, const Saved__Container *s, struct err *err)
{
	if (strcmp(s->id, c->id) != 0)
		return err_set(err, ERR_CONFIG, "the state of the shim is that of container '%s'", s->id);
	if (statedir_read_status(c->dir_fd, &c->rec, err) < 0 || adopt_check(c, err) < 0 || state_load(c, err) < 0)
		return -1;
	return 0;
}

static int check_drivers(const Saved__Process *p, struct err *err)
{
	for (size_t i = 0; i < p->n_logs; i++)
		if (!log_driver_find(p->logs[i]->driver))
			return err_set(err, ERR_UNSUPPORTED, "log driver '%s' is not known", p->logs[i]->driver);
	return 0;
}

int container_check_saved(struct container *c, const Saved__Container *s, struct err *err)
{
	if (check_drivers(s->init, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_execs; i++)
		if (check_drivers(s->execs[i], err) < 0)
			return -1;
	if (statedir_open(c->root_fd, c->id, &c->dir_fd, err) < 0 || read_files(c, s, err) < 0)
		return -1;
	return adopt_plan_logs(&c->init, err);
}

static int resume_processes(struct container *c, const Saved__Container *s, struct err *err)
{
	if (process_resume(&c->init, s->init, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_execs; i++)
		if (process_resume(exec_adopt(c, s->execs[i]->name), s->execs[i], err) < 0)
			return -1;
	return 0;
}

/* What we have found ourselves was raised already. */
static void resume_limits(struct proc_limits *limits, const Saved__Container *s)
{
	for (size_t i = 0; i < s->n_limits; i++)
		for (size_t k = 0; k < PROC_LIMITS; k++)
			if (s->limits[i]->resource == (uint32_t)limits->v[k].resource)
				limits->v[k].caller = (struct rlimit) { s->limits[i]->soft, s->limits[i]->hard };
}

int container_resume(struct container *c, const Saved__Container *s, struct err *err)
{
	c->dir_fd = saved_to_fd(s->dir_fd);
	c->lock_fd = saved_to_fd(s->lock_fd);
	if (read_files(c, s, err) < 0)
		return -1;
	c->adopted = s->adopted;
	c->passes = s->passes;
	c->rec.remove_at_exit = s->remove_at_exit;
	c->last_exec = s->last_exec;
	resume_limits(&c->limits, s);
	if (resume_processes(c, s, err) < 0 || keep_resume(c, s->keeper, err) < 0)
		return -1;
	return sdnotify_resume(c->base, s->notifying, &c->sdnotify, err);
}

void container_resumed(struct container *c, bool renew)
{
	struct err err;

	container_note_shim(c);
	if (renew)
		keep_renew(c);
	if (state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
	/* Ended, and not removed: it waits for something that this program has to look at first. */
	if (c->init.exited && c->rec.remove_at_exit)
		process_news(&c->init);
}
