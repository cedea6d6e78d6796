/* SPDX-License-Identifier: Apache-2.0 */
/* Ps and Stats: a question, and a JSON text beside the answer. */
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/memfd.h"
#include "shim/container/container.h"
#include "shim/control/request.h"
#include "shim/control/server.h"

/* Answer with this text, which is freed. */
static void answer(struct call *call, char *json)
{
	cleanup_fd int fd = -1;
	struct err err;

	if (memfd_sealed("answer", json, strlen(json), &fd, &err) < 0)
		call_fail(call, &err);
	else
		call_done(call, NULL, &fd, 1);
	free(json);
}

void on_ps(struct call *call, Request *req, struct wire_fds *fds)
{
	struct err err;
	char *json = container_ps(server_container(call->server), &err);

	if (json)
		answer(call, json);
	else
		call_fail(call, &err);
}

void on_stats(struct call *call, Request *req, struct wire_fds *fds)
{
	struct err err;
	char *json = container_stats(server_container(call->server), &err);

	if (json)
		answer(call, json);
	else
		call_fail(call, &err);
}
