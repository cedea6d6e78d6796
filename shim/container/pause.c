/* SPDX-License-Identifier: Apache-2.0 */
/* Freezing a container, and thawing it.
 *
 * The kernel takes its time, and v1 tells nobody when it is through: so a timer looks again, at growing distances, until a deadline. What has not frozen by then is
 * thawed: a container half frozen would be neither. */
#include <event2/event.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"

#define PAUSE_DEADLINE_MS 2000
#define PAUSE_STEP_MAX_MS 50

struct pausing {
	struct container *c;
	bool freeze;
	int waited_ms, step_ms;
	int event_fd; /* -1: the kernel tells nothing */
	struct event *timer, *event;
	struct pending done;
};

void pause_free(struct pausing *p)
{
	if (!p)
		return;
	if (p->event)
		event_free(p->event);
	if (p->timer)
		event_free(p->timer);
	fd_close(&p->event_fd);
	free(p);
}

static void finish(struct container *c, const struct err *err)
{
	struct pending done = c->pausing->done;

	pause_free(c->pausing);
	c->pausing = NULL;
	done.cb(done.arg, err);
}

static bool is_reached(const struct pausing *p)
{
	return cgroup_frozen(p->c->cgroup) == (p->freeze ? CGROUP_FROZEN : CGROUP_THAWED);
}

static void give_up(struct pausing *p)
{
	struct err err, ignored;

	if (p->freeze) {
		cgroup_set_frozen(p->c->cgroup, false, &ignored);
		err_set(&err, ERR_BUSY, "cannot pause container '%s': its processes did not stop within %d ms",
			p->c->id, p->waited_ms);
	} else {
		err_set(&err, ERR_BUSY,
			"cannot resume container '%s': it is still frozen, perhaps with a group above its own",
			p->c->id);
	}
	finish(p->c, &err);
}

void pause_cancel(struct container *c)
{
	struct err err, ignored;

	if (!c->pausing)
		return;
	if (c->pausing->freeze && c->cgroup)
		cgroup_set_frozen(c->cgroup, false, &ignored);
	err_set(&err, ERR_STATE, "cannot %s container '%s': it is being deleted",
		c->pausing->freeze ? "pause" : "resume", c->id);
	finish(c, &err);
}

static void set_timer(struct pausing *p)
{
	struct timeval tv = { .tv_usec = p->step_ms * 1000 };

	tv.tv_sec = tv.tv_usec / 1000000;
	tv.tv_usec %= 1000000;
	if (event_add(p->timer, &tv) < 0)
		fatal("out of memory");
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct pausing *p = arg;
	struct err ignored;

	p->waited_ms += p->step_ms;
	if (is_reached(p)) {
		finish(p->c, NULL);
		return;
	}
	if (p->waited_ms >= PAUSE_DEADLINE_MS) {
		give_up(p);
		return;
	}
	/* v1: a child that was forked meanwhile runs on in a group that freezes, until it is told again. */
	if (p->freeze)
		cgroup_set_frozen(p->c->cgroup, true, &ignored);
	p->step_ms = p->step_ms * 2 < PAUSE_STEP_MAX_MS ? p->step_ms * 2 : PAUSE_STEP_MAX_MS;
	set_timer(p);
}

static void event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct pausing *p = arg;
	char buf[4096];

	if (read(fd, buf, sizeof(buf)) > 0 && is_reached(p))
		finish(p->c, NULL);
}

static int check_state(struct container *c, bool pause, struct err *err)
{
	enum container_status status = container_status(c);
	const char *verb = pause ? "pause" : "resume";
	bool fits = pause ? status == STATUS_RUNNING || status == STATUS_CREATED : status == STATUS_PAUSED;

	if (c->pausing || c->deletion.cb || c->checkpointing)
		return err_set(err, ERR_BUSY, "cannot %s container '%s': it is being %s", verb, c->id,
			       c->deletion.cb       ? "deleted"
			       : c->checkpointing   ? "checkpointed"
			       : c->pausing->freeze ? "paused"
						    : "resumed");
	/* What a shim has left that was killed in the middle of a pause. */
	if (!pause && status != STATUS_STOPPED && c->cgroup && cgroup_frozen(c->cgroup) != CGROUP_THAWED)
		fits = true;
	if (!fits)
		return err_set(err, ERR_STATE, "cannot %s container '%s': it is %s", verb, c->id,
			       container_status_name(status));
	if (!c->cgroup || cgroup_is_absent(c->cgroup))
		return err_set(err, ERR_UNSUPPORTED, "cannot %s container '%s': it has no cgroup", verb, c->id);
	return 0;
}

int container_pause(struct container *c, bool pause, container_done_cb *done_cb, void *done_arg, struct err *err)
{
	struct pausing *p;
	int event_fd;
	struct err ignored;

	if (check_state(c, pause, err) < 0)
		return -1;
	event_fd = cgroup_open_frozen_event(c->cgroup);
	if (cgroup_set_frozen(c->cgroup, pause, err) < 0) {
		fd_close(&event_fd);
		if (pause)
			cgroup_set_frozen(c->cgroup, false, &ignored);
		return err_add(err, "cannot %s container '%s'", pause ? "pause" : "resume", c->id);
	}
	p = xcalloc(1, sizeof(*p));
	*p = (struct pausing) { .c = c, .freeze = pause, .event_fd = event_fd, .done = { done_cb, done_arg } };
	c->pausing = p;
	/* Most of the time it has happened already; the first look comes from the loop all the same, since done_cb may free. */
	p->step_ms = is_reached(p) ? 0 : event_fd < 0 ? 1 : PAUSE_DEADLINE_MS;
	p->timer = evtimer_new(c->base, timer_cb, p);
	if (event_fd >= 0)
		p->event = event_new(c->base, event_fd, EV_READ | EV_PERSIST, event_cb, p);
	if (!p->timer || (event_fd >= 0 && (!p->event || event_add(p->event, NULL) < 0)))
		fatal("out of memory");
	set_timer(p);
	return 0;
}
