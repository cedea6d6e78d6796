/* SPDX-License-Identifier: Apache-2.0 */
/* Start, Kill, Delete, Wait. */
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "shim/container/container.h"
#include "shim/container/process.h"
#include "shim/control/follow.h"
#include "shim/control/request.h"
#include "shim/control/resume.h"
#include "shim/control/server.h"
#include "shim/stdio/saved.h"

static void started(void *arg, const struct err *err)
{
	struct call *call = arg;

	if (err)
		call_fail(call, err);
	else
		call_done(call, NULL, NULL, 0);
}

void on_start(struct call *call, Request *req, struct wire_fds *fds)
{
	struct err err;

	/* Once begun it cannot be taken back. */
	call->outlives_conn = true;
	if (container_start(server_container(call->server), started, call, &err) < 0)
		call_fail(call, &err);
}

/* Someone who has sent SIGKILL finds the container stopped when the command returns: so the answer waits for the end, but not for ever, since a
 * process may be stuck in the kernel. */
static const struct timeval death_takes = { .tv_sec = 1 };

struct killing {
	struct call *call;
	struct container_watch watch;
	struct event *timer;
};

static void killing_free(struct killing *k)
{
	container_unwatch(&k->watch);
	event_free(k->timer);
	free(k);
}

static void kill_cancelled(struct call *call)
{
	killing_free(call->data);
}

static void kill_over(struct killing *k)
{
	struct call *call = k->call;

	call->cancelled = NULL;
	killing_free(k);
	call_done(call, NULL, NULL, 0);
}

static void killed(void *arg, const struct container_exit *exit)
{
	kill_over(arg);
}

static void kill_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	kill_over(arg);
}

static void kill_save(const struct call *call, Saved__Call *s);

static void await_death(struct call *call)
{
	struct killing *k = xcalloc(1, sizeof(*k));
	struct err err;

	k->call = call;
	k->watch = (struct container_watch) { .exit_cb = killed, .arg = k };
	k->timer = evtimer_new(server_base(call->server), kill_timer_cb, k);
	if (!k->timer || event_add(k->timer, &death_takes) < 0)
		fatal("out of memory");
	call->data = k;
	call->cancelled = kill_cancelled;
	call->save = kill_save;
	if (container_watch(server_container(call->server), "init", &k->watch, &err) < 0)
		fatal("a container without an init");
}

static void kill_save(const struct call *call, Saved__Call *s)
{
	s->kind_case = SAVED__CALL__KIND_KILL;
	s->kill = saved_new(Saved__KillCall, kill_call);
}

void kill_resume(struct call *call)
{
	await_death(call);
}

void on_kill(struct call *call, Request *req, struct wire_fds *fds)
{
	const Kill *msg = &req->body.kill;
	struct err err;

	if (msg->signal > (uint32_t)SIGRTMAX)
		err_set(&err, ERR_USAGE, "there is no signal %u", msg->signal);
	else if (container_kill(server_container(call->server), msg->name, (int)msg->signal, msg->all, &err) == 0) {
		if (msg->signal == SIGKILL && !msg->name[0])
			await_death(call);
		else
			call_done(call, NULL, NULL, 0);
		return;
	}
	call_fail(call, &err);
}

static void say_deleted(struct call *call, const char *remark)
{
	Reply rep = Reply_init_zero;

	if (remark) {
		rep.which_body = Reply_deleted_tag;
		snprintf(rep.body.deleted.remark, sizeof(rep.body.deleted.remark), "%s", remark);
	}
	call_done(call, &rep, NULL, 0);
}

static void deleted(void *arg, const struct err *err)
{
	struct call *call = arg;
	struct server *server = call->server;

	if (err)
		call_fail(call, err);
	else
		say_deleted(call, container_remark(server_container(server)));
	/* Also where the last of it could not be removed: nobody finds us any more, and the next delete can do the rest. */
	if (container_is_removed(server_container(server)))
		server_ended(server);
}

void on_delete(struct call *call, Request *req, struct wire_fds *fds)
{
	struct err err;

	call->outlives_conn = true;
	if (container_delete(server_container(call->server), req->body.delete.force, deleted, call, &err) < 0)
		deleted(call, &err);
}

static void wait_cancelled(struct call *call)
{
	struct container_watch *w = call->data;

	container_unwatch(w);
	free(w);
}

static void wait_over(void *arg, const struct container_exit *exit)
{
	struct call *call = arg;
	Reply rep = Reply_init_zero;

	call->cancelled = NULL;
	free(call->data);
	follow_exit_reply(&rep, exit, container_remark(server_container(call->server)));
	call_done(call, &rep, NULL, 0);
}

static void wait_save(const struct call *call, Saved__Call *s)
{
	const struct container_watch *w = call->data;

	s->kind_case = SAVED__CALL__KIND_WAIT;
	s->wait = saved_new(Saved__WaitCall, wait_call);
	s->wait->process = xstrdup(w->process->name);
	s->wait->drained = w->drained;
}

static int wait_for(struct call *call, const char *name, bool drained, struct err *err)
{
	struct container_watch *w = xcalloc(1, sizeof(*w));

	*w = (struct container_watch) { .exit_cb = wait_over, .arg = call, .drained = drained };
	if (container_watch(server_container(call->server), name, w, err) < 0) {
		free(w);
		return -1;
	}
	call->data = w;
	call->cancelled = wait_cancelled;
	call->save = wait_save;
	return 0;
}

void wait_resume(struct call *call, const Saved__WaitCall *s)
{
	struct err err;

	if (wait_for(call, s->process, s->drained, &err) < 0)
		fatal("a process without a record is waited for"); /* the state has been judged */
}

void on_wait(struct call *call, Request *req, struct wire_fds *fds)
{
	struct err err;

	if (wait_for(call, req->body.wait.name, req->body.wait.drained, &err) < 0)
		call_fail(call, &err);
}
