/* SPDX-License-Identifier: Apache-2.0 */
/* Pause and Resume. */
#include "shim/container/container.h"
#include "shim/control/request.h"
#include "shim/control/server.h"

static void paused(void *arg, const struct err *err)
{
	struct call *call = arg;

	if (err)
		call_fail(call, err);
	else
		call_done(call, NULL, NULL, 0);
}

static void start(struct call *call, bool pause)
{
	struct err err;

	/* Once begun it comes to an end by itself, soon. */
	call->outlives_conn = true;
	if (container_pause(server_container(call->server), pause, paused, call, &err) < 0)
		call_fail(call, &err);
}

void on_pause(struct call *call, Request *req, struct wire_fds *fds)
{
	start(call, true);
}

void on_resume(struct call *call, Request *req, struct wire_fds *fds)
{
	start(call, false);
}
