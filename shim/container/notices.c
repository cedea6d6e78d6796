/* SPDX-License-Identifier: Apache-2.0 */
/* Telling someone when the container lacks memory, or a log of its loses output, until it has ended. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/cgroup_notice.h"
#include "shim/stdio/saved.h"

struct container_notices {
	LIST_ENTRY(container_notices) link;
	struct container *c;
	struct container_notices_ops ops;
	void *arg;
	MemoryPressure level;
	struct cgroup_notice oom, pressure;
	struct event *oom_event, *pressure_event;
	struct container_watch watch;
	uint64_t oom_kills; /* at the beginning */
	bool oom_told;
};

void container_notices_free(struct container_notices *n)
{
	if (!n)
		return;
	LIST_REMOVE(n, link);
	if (n->watch.process)
		container_unwatch(&n->watch);
	if (n->oom_event)
		event_free(n->oom_event);
	if (n->pressure_event)
		event_free(n->pressure_event);
	if (n->pressure.held_fd >= 0)
		n->c->light_sleepers--;
	cgroup_notice_close(&n->oom);
	cgroup_notice_close(&n->pressure);
	free(n);
}

static void tell_oom(struct container_notices *n)
{
	Notice notice = Notice_init_zero;

	notice.kind = NOTICE_OOM;
	n->oom_told = true;
	n->ops.notice_cb(n->arg, &notice);
}

static void oom_cb(evutil_socket_t fd, short what, void *arg)
{
	struct container_notices *n = arg;

	if (cgroup_notice_read(&n->oom))
		tell_oom(n);
}

static void pressure_cb(evutil_socket_t fd, short what, void *arg)
{
	struct container_notices *n = arg;
	Notice notice = Notice_init_zero;

	notice.kind = NOTICE_PRESSURE;
	notice.pressure = n->level;
	if (cgroup_notice_read(&n->pressure))
		n->ops.notice_cb(n->arg, &notice);
}

/* ---- logs ------------------------------------------------------------------------------------------------------------------ */

static void tell_log(struct container_notices *n, const struct process *p, const struct log *l)
{
	Notice notice = Notice_init_zero;

	notice.kind = l->loss.failing ? NOTICE_LOG_FAILING : NOTICE_LOG_RESUMED;
	if (p != &n->c->init)
		snprintf(notice.process, sizeof(notice.process), "%s", p->name);
	snprintf(notice.log_driver, sizeof(notice.log_driver), "%s", l->driver->name);
	snprintf(notice.reason, sizeof(notice.reason), "%s", l->loss.reason);
	notice.stdout_bytes = l->loss.stdout_bytes;
	notice.stderr_bytes = l->loss.stderr_bytes;
	n->ops.notice_cb(n->arg, &notice);
}

void notices_tell_log(struct container *c, const struct process *p, const struct log *l)
{
	struct container_notices *n;

	LIST_FOREACH(n, &c->notices, link)
	tell_log(n, p, l);
}

static void tell_losses_of(struct container_notices *n, const struct process *p)
{
	const struct log *l;

	for (size_t i = 0; p->logs && (l = logs_at(p->logs, i)); i++)
		if (l->loss.failing)
			tell_log(n, p, l);
}

/* How things stand with those that lose output now. */
static void tell_losses(struct container_notices *n)
{
	const struct process *p;

	tell_losses_of(n, &n->c->init);
	LIST_FOREACH(p, &n->c->execs, link)
	tell_losses_of(n, p);
}

/* ---- beginning and end ------------------------------------------------------------------------------------------------------- */

static bool has_group(const struct container *c)
{
	return c->cgroup && !cgroup_is_absent(c->cgroup);
}

static uint64_t oom_kills(const struct container *c)
{
	return has_group(c) ? cgroup_oom_kills(c->cgroup) : 0;
}

/* What killed it may have killed init, whose end comes through another descriptor: looked at once more. */
static void ended(void *arg, const struct container_exit *exit)
{
	struct container_notices *n = arg;

	if (cgroup_notice_read(&n->oom))
		tell_oom(n);
	else if (!n->oom_told && (exit->oom_killed || oom_kills(n->c) > n->oom_kills))
		tell_oom(n);
	tell_losses(n);
	n->ops.end_cb(n->arg);
}

static struct event *watch_fd(struct container_notices *n, int fd, event_callback_fn cb)
{
	struct event *e = event_new(n->c->base, fd, EV_READ | EV_PERSIST, cb, n);

	if (!e || event_add(e, NULL) < 0)
		fatal("out of memory");
	return e;
}

static void watch_all(struct container_notices *n)
{
	struct err err;

	if (n->pressure.held_fd >= 0)
		n->c->light_sleepers++;
	if (container_watch(n->c, "init", &n->watch, &err) < 0)
		fatal("a container without an init");
	if (n->oom.fd >= 0)
		n->oom_event = watch_fd(n, n->oom.fd, oom_cb);
	if (n->pressure.fd >= 0)
		n->pressure_event = watch_fd(n, n->pressure.fd, pressure_cb);
}

struct container_notices *container_notices_new(struct container *c, MemoryPressure level,
						const struct container_notices_ops *ops, void *arg, struct err *err)
{
	enum container_status status = container_status(c);
	struct container_notices *n;

	if (status == STATUS_STOPPED) {
		err_set(err, ERR_STATE, "cannot watch container '%s': it is %s", c->id, container_status_name(status));
		return NULL;
	}
	/* Its logs and its end are told without one. */
	if (level != PRESSURE_NONE && !has_group(c)) {
		err_set(err, ERR_UNSUPPORTED, "cannot watch the memory of container '%s': it has no cgroup", c->id);
		return NULL;
	}
	n = xcalloc(1, sizeof(*n));
	*n = (struct container_notices) { .c = c, .ops = *ops, .arg = arg, .level = level };
	LIST_INSERT_HEAD(&c->notices, n, link);
	n->oom = n->pressure = CGROUP_NOTICE_NONE;
	n->oom_kills = oom_kills(c);
	n->watch = (struct container_watch) { .exit_cb = ended, .arg = n };
	/* One that is away may have no groups, as those of a systemd scope. */
	if ((has_group(c) && cgroup_notice_oom(c->cgroup, &n->oom, err) < 0 && status != STATUS_CHECKPOINTED) ||
	    (level != PRESSURE_NONE && cgroup_notice_pressure(c->cgroup, level, &n->pressure, err) < 0)) {
		container_notices_free(n);
		return NULL;
	}
	watch_all(n);
	tell_losses(n);
	return n;
}

/* ---- from one program to the next ------------------------------------------------------------------------------------ */

static Saved__Notice *save_notice(const struct cgroup_notice *n)
{
	Saved__Notice *s = saved_new(Saved__Notice, notice);

	s->fd = saved_fd(n->fd);
	s->held_fd = saved_fd(n->held_fd);
	s->v2 = n->v2;
	s->oom_kills = n->oom_kills;
	return s;
}

static struct cgroup_notice resume_notice(const Saved__Notice *s, const struct cgroup *cg)
{
	if (!s)
		return CGROUP_NOTICE_NONE;
	return (struct cgroup_notice) {
		.fd = saved_to_fd(s->fd),
		.held_fd = saved_to_fd(s->held_fd),
		.cg = cg,
		.v2 = s->v2,
		.oom_kills = s->oom_kills,
	};
}

Saved__EventsCall *container_notices_save(const struct container_notices *n)
{
	Saved__EventsCall *s = saved_new(Saved__EventsCall, events_call);

	s->pressure = (uint32_t)n->level;
	s->oom_kills = n->oom_kills;
	s->oom_told = n->oom_told;
	s->oom = save_notice(&n->oom);
	if (n->pressure.fd >= 0)
		s->lack = save_notice(&n->pressure);
	return s;
}

struct container_notices *container_notices_resume(struct container *c, const Saved__EventsCall *s,
						   const struct container_notices_ops *ops, void *arg)
{
	struct container_notices *n = xcalloc(1, sizeof(*n));

	*n = (struct container_notices) { .c = c, .ops = *ops, .arg = arg, .level = (MemoryPressure)s->pressure };
	LIST_INSERT_HEAD(&c->notices, n, link);
	n->oom = resume_notice(s->oom, c->cgroup);
	n->pressure = resume_notice(s->lack, NULL);
	n->oom_kills = s->oom_kills;
	n->oom_told = s->oom_told;
	n->watch = (struct container_watch) { .exit_cb = ended, .arg = n };
	watch_all(n);
	return n;
}
