/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a created container: its init waits on a socket of its own, so that any shim, or none, can do it. */
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/wire.h"
#include "shim/container/container_internal.h"
#include "shim/container/sdnotify.h"

#include <signal.h>

struct starting {
	struct container *c;
	int fd;
	struct event *event;
	struct pending done;
};

void start_free(struct starting *s)
{
	if (!s)
		return;
	if (s->event)
		event_free(s->event);
	fd_close(&s->fd);
	free(s);
}

static void finish(struct container *c, const struct err *err)
{
	struct pending done = c->starting->done;

	start_free(c->starting);
	c->starting = NULL;
	if (c->init.exited)
		process_news(&c->init);
	done.cb(done.arg, err);
}

/* 1.3 of the specification: a failing poststart hook stops the container. */
static void poststart_done(void *arg, const struct err *err)
{
	struct container *c = arg;
	struct err ignored;

	if (err && !c->init.exited)
		container_kill(c, NULL, SIGKILL, false, &ignored);
	finish(c, err);
}

static int program_runs(struct container *c, struct err *err)
{
	if (!c->init.exited)
		c->rec.status = STATUS_RUNNING;
	sdnotify_runs(c->sdnotify);
	if (state_save(c, err) < 0)
		log_warn("container '%s': %s", c->id, err->text);
	return hooks_run(c, OCI_HOOK_POSTSTART, "running", poststart_done, err);
}

/* The end of the connection: the program runs. A message: it does not, and says why. */
static void answer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct starting *s = arg;
	struct container *c = s->c;
	struct err err, said;
	int n = wire_recv_err(s->fd, &said, &err);

	event_del(s->event);
	if (n > 0) {
		finish(c, &said);
		return;
	}
	if (n == 0)
		n = program_runs(c, &err);
	if (n < 0)
		finish(c, &err);
	else if (n > 0)
		finish(c, NULL);
}

int container_start(struct container *c, container_done_cb *done_cb, void *done_arg, struct err *err)
{
	enum container_status status = container_status(c);
	struct starting *s;

	if (c->starting)
		return err_set(err, ERR_BUSY, "container '%s' is being started", c->id);
	if (status != STATUS_CREATED)
		return err_set(err, ERR_STATE, "cannot start container '%s': it is %s", c->id,
			       container_status_name(status));
	s = xcalloc(1, sizeof(*s));
	*s = (struct starting) { .c = c, .fd = -1, .done = { done_cb, done_arg } };
	if (statedir_connect(c->dir_fd, STATEDIR_START, c->rec.start_inode, &s->fd, err) < 0) {
		start_free(s);
		if (err->code == ERR_GONE)
			return err_set(err, ERR_STATE, "cannot start container '%s': it does not wait to be started",
				       c->id);
		return err_add(err, "cannot start container '%s'", c->id);
	}
	s->event = event_new(c->base, s->fd, EV_READ, answer_cb, s);
	if (!s->event || event_add(s->event, NULL) < 0)
		fatal("out of memory");
	c->starting = s;
	return 0;
}
