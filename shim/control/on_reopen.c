/* SPDX-License-Identifier: Apache-2.0 */
/* Reopen: somebody has moved the log files. */
#include "shim/container/container.h"
#include "shim/control/request.h"
#include "shim/control/server.h"

void on_reopen(struct call *call, Request *req, struct wire_fds *fds)
{
	struct err err;

	if (container_reopen_logs(server_container(call->server), &err) < 0)
		call_fail(call, &err);
	else
		call_done(call, NULL, NULL, 0);
}
