/* SPDX-License-Identifier: Apache-2.0 */
/* The end of init: recorded on disk before anybody is told, then told in order. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"
#include "shim/container/sdnotify.h"
#include "shim/sandbox/cgroup.h"

/* Below that a program may be killed while the kernel still makes it: execve(2) has no more way back then, and nobody but us can say why. */
#define MEMORY_TO_BEGIN (1 << 20)

static void explain_oom(struct container *c)
{
	uint64_t limit = cgroup_memory_limit(c->cgroup);

	if (!c->remark && limit < MEMORY_TO_BEGIN)
		c->remark = xasprintf("container '%s' was killed: linux.resources.memory.limit, %llu bytes, is too low",
				      c->id, (unsigned long long)limit);
}

/* The kernel counts whom it kills, and does not say who it was. Of those that it has counted while init lives on none was init. */
bool exit_by_oom(const struct container *c)
{
	return c->cgroup && cgroup_oom_kills(c->cgroup) > c->rec.outlived_ooms;
}

void exit_note_outlived(struct container *c)
{
	uint64_t kills = c->cgroup ? cgroup_oom_kills(c->cgroup) : 0;
	struct err err;

	/* The record is not a launcher's. Looked at after the count: who was counted has been killed. */
	if (c->joined || kills == c->rec.outlived_ooms || c->init.exited || proc_is_dying(c->init.pid))
		return;
	c->rec.outlived_ooms = kills;
	if (state_save_record(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

static bool init_died(struct process *p)
{
	struct container *c = p->c;

	if (!c->deletion.cb)
		dying_over(c);
	return !checkpoint_takes_end(c->checkpointing);
}

static void init_ended(struct process *p)
{
	struct container *c = p->c;
	struct status_record *rec = &c->rec;
	struct err err;

	/* One whose end a shim before has seen: its group may have gone since, or have counted somebody else. */
	if (!p->exit_recorded)
		p->exit.oom_killed = p->exit.signal == SIGKILL && exit_by_oom(c);
	rec->status = STATUS_STOPPED;
	rec->exited_ns = p->exit.time_ns;
	rec->exit_known = p->exit.known;
	rec->exit_signal = p->exit.signal;
	rec->exit_code = p->exit.code;
	rec->oom_killed = p->exit.oom_killed;
	rec->exit_recorded = 1;
	if (c->creation)
		return; /* it has not been anybody's container yet */
	if (p->exit.oom_killed)
		explain_oom(c);
	if (state_save_record(c, &err) < 0)
		log_error("container '%s' has ended with status %d, but: %s", c->id, rec->exit_code, err.text);
	if (!rec->remove_at_exit && state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

static void removed_at_exit(void *arg, const struct err *err)
{
	struct container *c = arg;

	if (err)
		log_error("container '%s' has ended, but cannot be removed: %s", c->id, err->text);
	process_tell(&c->init, true);
	if (c->removed && c->ops.removed_cb)
		c->ops.removed_cb(c->arg);
	else
		container_quiet(c);
}

/* A deletion that was only waiting for the end. Those who follow hear of it first: there will be nobody to tell them afterwards. */
static void go_on_deleting(struct container *c)
{
	struct pending done = c->deletion;
	struct process *p;
	struct err err;

	logging_finish(&c->init); /* what its log holds back of a line */
	process_tell(&c->init, true);
	LIST_FOREACH(p, &c->execs, link)
	process_tell(p, true);
	if (remove_now(c, done.cb, done.arg, &err) < 0)
		done.cb(done.arg, &err);
}

static void come_again(void *arg)
{
	process_news(arg);
}

/* Somebody has removed its state directory: nobody can ask for it any more. */
static bool is_out_of_reach(struct container *c)
{
	struct stat st;

	if (fstat(c->dir_fd, &st) < 0 || st.st_nlink > 0)
		return false;
	/* Where its logs are may be another one's by now, of the same id. */
	free(c->data_dir);
	c->data_dir = NULL;
	return true;
}

static void init_news(struct process *p, bool late)
{
	struct container *c = p->c;
	struct err err;

	if (c->creation || c->starting || c->hooking || (c->checkpointing && !c->deletion.cb))
		return;
	process_tell(p, false);
	if (c->deletion.cb && (late || !remove_is_awaited(c))) {
		go_on_deleting(c);
		return;
	}
	if (c->deletion.cb)
		process_hurry(p);
	if (!p->drained)
		return;
	logging_finish(&c->init);
	keep_end(c);
	if ((!c->rec.remove_at_exit && !is_out_of_reach(c)) || c->removed || c->deletion.cb) {
		process_tell(p, true);
		container_quiet(c);
		return;
	}
	/* With the container goes whoever speaks for it. */
	if (!sdnotify_is_through(c->sdnotify, come_again, p))
		return;
	c->rec.remove_at_exit = 0; /* once */
	if (container_delete(c, true, removed_at_exit, c, &err) < 0)
		removed_at_exit(c, &err);
}

const struct process_ops init_ops = { .died_cb = init_died, .ended_cb = init_ended, .news_cb = init_news };

bool container_remove_if_due(struct container *c)
{
	if (!c->served || !c->init.exited || !c->rec.remove_at_exit || c->removed)
		return false;
	process_news(&c->init);
	return true;
}

/* NULL: there is no such process. */
struct process *container_find(struct container *c, const char *name)
{
	struct process *p;

	if (!name[0] || !strcmp(name, c->init.name))
		return &c->init;
	LIST_FOREACH(p, &c->execs, link)
	if (!strcmp(name, p->name))
		return p;
	return exec_revive(c, name);
}

int container_watch(struct container *c, const char *name, struct container_watch *w, struct err *err)
{
	struct process *p = container_find(c, name);

	if (!p)
		return err_set(err, ERR_NOT_FOUND, "container '%s' has no process '%s'", c->id, name);
	w->process = p;
	w->next = p->watches;
	p->watches = w;
	if (p->exited)
		process_news(p);
	return 0;
}

void container_unwatch(struct container_watch *w)
{
	for (struct container_watch **at = &w->process->watches; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			return;
		}
}
