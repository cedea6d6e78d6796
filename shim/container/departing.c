/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that have gone into an image and whose pid namespace stays.
 *
 * Children of the container's first process become those of the namespace's, and a zombie keeps its number, and those of its session and group, which are the container's first process's: "Can't fork
 * for 2: File exists" is what criu says then. When somebody is reaped his pidfd wakes those who poll it once more (Linux 6.9); before that there is only the deadline. */
#include "shim/container/departing.h"

#include <event2/event.h>
#include <stdlib.h>

#include "common/fd.h"
#include "common/proc.h"

struct leaver {
	struct departing *d;
	int pidfd;
	struct event *event;
};

struct departing {
	struct event_base *base;
	struct event *timer;
	void (*done_cb)(void *arg, size_t left);
	void *arg;
	size_t n;
	struct leaver v[];
};

struct departing *departing_new(struct event_base *base, const pid_t *pids, size_t n)
{
	struct departing *d = xcalloc(1, sizeof(*d) + n * sizeof(d->v[0]));
	struct err ignored;

	d->base = base;
	for (size_t i = 0; i < n; i++) {
		struct leaver *l = &d->v[d->n];

		*l = (struct leaver) { .d = d, .pidfd = -1 };
		if (proc_pidfd_open(pids[i], 0, &l->pidfd, &ignored) == 0)
			d->n++;
	}
	return d;
}

void departing_free(struct departing *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		if (d->v[i].event)
			event_free(d->v[i].event);
		fd_close(&d->v[i].pidfd);
	}
	if (d->timer)
		event_free(d->timer);
	free(d);
}

/* A zombie can still be signalled. */
static size_t count_left(const struct departing *d)
{
	struct err err;
	size_t left = 0;

	for (size_t i = 0; i < d->n; i++)
		left += proc_pidfd_kill(d->v[i].pidfd, 0, &err) == 0 || err.code != ERR_STATE;
	return left;
}

static void over(struct departing *d, size_t left)
{
	for (size_t i = 0; i < d->n; i++)
		event_del(d->v[i].event);
	event_del(d->timer);
	d->done_cb(d->arg, left);
}

static void leaver_cb(evutil_socket_t fd, short what, void *arg)
{
	struct leaver *l = arg;

	if (count_left(l->d) == 0)
		over(l->d, 0);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct departing *d = arg;

	over(d, count_left(d));
}

int departing_await(struct departing *d, unsigned int timeout_ms, void (*done_cb)(void *arg, size_t left), void *arg)
{
	const struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };

	d->done_cb = done_cb;
	d->arg = arg;
	d->timer = evtimer_new(d->base, timer_cb, d);
	for (size_t i = 0; i < d->n; i++) {
		struct leaver *l = &d->v[i];

		/* A zombie can be read all the time: only what changes is of interest. */
		l->event = event_new(d->base, l->pidfd, EV_READ | EV_ET | EV_PERSIST, leaver_cb, l);
		if (!l->event || event_add(l->event, NULL) < 0)
			fatal("out of memory");
	}
	if (!d->timer || event_add(d->timer, &limit) < 0)
		fatal("out of memory");
	if (count_left(d) > 0)
		return 0;
	for (size_t i = 0; i < d->n; i++)
		event_del(d->v[i].event);
	event_del(d->timer);
	return 1;
}
