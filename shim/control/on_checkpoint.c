/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoint, and Restore of a container that has stayed. */
#include <stdio.h>

#include "common/fd.h"
#include "shim/container/container.h"
#include "shim/control/request.h"
#include "shim/control/server.h"

static void checkpointed(void *arg, const struct err *err)
{
	struct call *call = arg;
	struct server *server = call->server;
	bool gone = container_is_removed(server_container(server));

	call->cancelled = NULL;
	if (err)
		call_fail(call, err);
	else
		call_done(call, NULL, NULL, 0);
	if (gone)
		server_ended(server);
}

static void noted(void *arg, const char *text)
{
	Reply rep = Reply_init_zero;

	rep.which_body = Reply_checkpoint_tag;
	snprintf(rep.body.checkpoint.note, sizeof(rep.body.checkpoint.note), "%s", text);
	call_progress(arg, &rep, NULL, 0);
}

/* Until the image is complete the end of the connection takes everything back; after that it goes on without a listener. */
static void cancelled(struct call *call)
{
	if (!container_cancel_checkpoint(server_container(call->server)))
		call->outlives_conn = true;
}

void on_checkpoint(struct call *call, Request *req, struct wire_fds *fds)
{
	const Checkpoint *msg = &req->body.checkpoint;
	struct container_fds sorted = container_fds_none();
	Reply rep = Reply_init_zero;
	struct err err;

	if (request_sort_fds(msg->fd_role, msg->fd_role_count, 0, STDIO_LOG, FD_IMAGES, fds, &sorted, &err) == 0) {
		call->cancelled = cancelled;
		rep.which_body = Reply_checkpoint_tag;
		rep.body.checkpoint.total_bytes = msg->progress ? container_memory(server_container(call->server)) : 0;
		if (container_checkpoint(server_container(call->server), &sorted, noted, checkpointed, call, &err) ==
		    0) {
			if (msg->progress)
				call_progress(call, &rep, NULL, 0);
			return;
		}
		call->cancelled = NULL;
	}
	container_fds_release(&sorted);
	call_fail(call, &err);
}

static void restored(void *arg, const struct err *err)
{
	struct call *call = arg;
	cleanup_free char *remark = NULL;
	Reply rep = Reply_init_zero;

	call->cancelled = NULL;
	if (err) {
		call_fail(call, err);
		return;
	}
	rep.which_body = Reply_restore_tag;
	rep.body.restore.pid = (uint32_t)container_pid(server_container(call->server), "init");
	remark = container_take_remark(server_container(call->server));
	if (remark)
		snprintf(rep.body.restore.remark, sizeof(rep.body.restore.remark), "%s", remark);
	call_done(call, &rep, NULL, 0);
}

static void restore_cancelled(struct call *call)
{
	container_cancel_create(server_container(call->server));
}

void on_restore(struct call *call, Request *req, struct wire_fds *fds)
{
	const Restore *msg = &req->body.restore;
	struct container_fds sorted = container_fds_none();
	struct err err;

	if (request_sort_fds(msg->fd_role, msg->fd_role_count, 0, STDIO_LOG, FD_IMAGES, fds, &sorted, &err) == 0) {
		call->cancelled = restore_cancelled;
		if (container_restore(server_container(call->server), &sorted, restored, call, &err) == 0)
			return;
		call->cancelled = NULL;
	}
	container_fds_release(&sorted);
	call_fail(call, &err);
}
