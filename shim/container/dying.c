/* SPDX-License-Identifier: Apache-2.0 */
/* From the SIGKILL to the end: v1's freezer holds even the killed, and who is in the container may have frozen groups of its own, and does so until it is dead itself. So
 * they are let go again and again. Nor does a deletion wait for ever for what does not die: what somebody has frozen from above, or the kernel does not let go. */
#include <event2/event.h>
#include <stdlib.h>

#include "common/log.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"

#define DYING_STEP_MS 10
#define DYING_STEP_MAX_MS 500
#define DYING_DEADLINE_MS 30000

struct dying {
	struct event *timer;
	int waited_ms, step_ms;
};

void dying_free(struct dying *d)
{
	if (!d)
		return;
	event_free(d->timer);
	free(d);
}

void dying_over(struct container *c)
{
	dying_free(c->dying);
	c->dying = NULL;
}

static void set_timer(struct dying *d)
{
	struct timeval tv = { .tv_usec = d->step_ms * 1000 };

	if (event_add(d->timer, &tv) < 0)
		fatal("out of memory");
}

static void give_up(struct container *c)
{
	struct pending done = c->deletion;
	struct err err;

	err_set(&err, ERR_STATE,
		"it was killed %d seconds ago, and has not ended: frozen from outside, or held by the kernel",
		DYING_DEADLINE_MS / 1000);
	dying_over(c);
	c->deletion = (struct pending) { NULL, NULL };
	if (!done.cb) {
		log_warn("container '%s': %s", c->id, err.text);
		return;
	}
	err_add(&err, "cannot delete container '%s'", c->id);
	done.cb(done.arg, &err);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct container *c = arg;
	struct dying *d = c->dying;

	if (c->cgroup)
		cgroup_let_die(c->cgroup);
	d->waited_ms += d->step_ms;
	/* Once init has ended a deletion waits for output, which has a deadline of its own, and for exec'd processes. */
	if (c->init.exited && !c->deletion.cb) {
		dying_over(c);
		return;
	}
	if (!c->init.exited && d->waited_ms >= DYING_DEADLINE_MS) {
		give_up(c);
		return;
	}
	d->step_ms = d->step_ms * 2 < DYING_STEP_MAX_MS ? d->step_ms * 2 : DYING_STEP_MAX_MS;
	set_timer(d);
}

void dying_begin(struct container *c)
{
	struct dying *d;

	/* Who is killed once more is not given more time for that. */
	if (c->dying) {
		c->dying->step_ms = DYING_STEP_MS;
		return;
	}
	d = c->dying = xcalloc(1, sizeof(*d));
	d->step_ms = DYING_STEP_MS;
	d->timer = evtimer_new(c->base, timer_cb, c);
	if (!d->timer)
		fatal("out of memory");
	set_timer(d);
}
