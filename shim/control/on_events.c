/* SPDX-License-Identifier: Apache-2.0 */
/* Events. */
#include "shim/container/container.h"
#include "shim/control/follow.h"
#include "shim/control/request.h"
#include "shim/control/resume.h"
#include "shim/control/server.h"

static void notice(void *arg, const Notice *notice)
{
	Reply rep = Reply_init_zero;

	rep.which_body = Reply_notice_tag;
	rep.body.notice = *notice;
	call_progress(arg, &rep, NULL, 0);
}

static void ended(void *arg)
{
	struct call *call = arg;
	struct container_notices *n = call->data;
	const struct container_exit *exit = container_exit(server_container(call->server));
	Reply rep = Reply_init_zero;

	call->cancelled = NULL;
	if (exit)
		follow_exit_reply(&rep, exit, NULL);
	call_done(call, &rep, NULL, 0);
	container_notices_free(n);
}

static void cancelled(struct call *call)
{
	container_notices_free(call->data);
}

static void save(const struct call *call, Saved__Call *s)
{
	s->kind_case = SAVED__CALL__KIND_EVENTS;
	s->events = container_notices_save(call->data);
}

static const struct container_notices_ops ops = { .notice_cb = notice, .end_cb = ended };

void events_resume(struct call *call, const Saved__EventsCall *s)
{
	call->data = container_notices_resume(server_container(call->server), s, &ops, call);
	call->cancelled = cancelled;
	call->save = save;
}

void on_events(struct call *call, Request *req, struct wire_fds *fds)
{
	struct err err;

	call->data = container_notices_new(server_container(call->server), req->body.events.pressure, &ops, call, &err);
	if (!call->data) {
		call_fail(call, &err);
		return;
	}
	call->cancelled = cancelled;
	call->save = save;
}
