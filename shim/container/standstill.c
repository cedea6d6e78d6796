/* SPDX-License-Identifier: Apache-2.0 */
/* A criu that dumps: noted for whoever follows us, and looked after, since a dump can stand still: it has frozen the group, of v1,
 * and a signal had just stopped one of the processes. That one does not let go of the freezer so that criu could trace it, which
 * waits for that, and with it everything (cgroup_can_trace_frozen() has looked before). The group is thawed then, and criu goes on with those
 * that it has come to; one that was forked meanwhile, which it has not, makes it fail. */
#include <event2/event.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/proc.h"
#include "shim/checkpoint/criu.h"
#include "shim/checkpoint/options.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"

#define LOOK_AFTER_S 1
#define LOOKS 2 /* in a row that find it so: all of it is a matter of milliseconds otherwise */

struct standstill {
	struct event *timer;
	int seen;
};

void standstill_free(struct standstill *s)
{
	if (!s)
		return;
	event_free(s->timer);
	free(s);
}

static bool waits(pid_t pid, const struct proc_stat *st, void *arg)
{
	return st->state == 'D';
}

/* A pre-dump is made by a child of the criu that is known. */
static bool stands_still(const struct container *c)
{
	return c->dumper.pid && c->cgroup && cgroup_frozen(c->cgroup) == CGROUP_FROZEN &&
	       !cgroup_can_trace_frozen(c->cgroup) && proc_group_any(c->dumper.pid, waits, NULL);
}

static void look_again(struct standstill *s)
{
	if (event_add(s->timer, &(struct timeval) { .tv_sec = LOOK_AFTER_S }) < 0)
		fatal("out of memory");
}

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct container *c = arg;
	struct standstill *s = c->standstill;
	struct err err;

	if (!c->checkpointing) {
		standstill_free(s);
		c->standstill = NULL;
		return;
	}
	s->seen = stands_still(c) ? s->seen + 1 : 0;
	if (s->seen == LOOKS && cgroup_set_frozen(c->cgroup, false, &err) < 0)
		log_warn("container '%s': criu stands still: %s", c->id, err.text);
	look_again(s);
}

static void watch(struct container *c)
{
	struct standstill *s;

	standstill_free(c->standstill);
	s = c->standstill = xcalloc(1, sizeof(*s));
	s->timer = evtimer_new(c->base, look_cb, c);
	if (!s->timer)
		fatal("out of memory");
	look_again(s);
}

/* Before it has been told what to do: a criu that nobody knows of has done nothing. */
void standstill_note_criu(struct container *c, const struct criu *k)
{
	struct err err;

	criu_identify(k, &c->dumper);
	watch(c);
	if (state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}
