/* SPDX-License-Identifier: Apache-2.0 */
/* Update. */
#include <stdlib.h>

#include "common/fd.h"
#include "common/memfd.h"
#include "shim/container/container.h"
#include "shim/control/request.h"
#include "shim/control/server.h"

#define RESOURCES_MAX (1 << 20) /* bytes */

static int update(struct container *c, const struct wire_fds *fds, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len;

	if (fds->n != 1)
		return err_set(err, ERR_PROTOCOL, "an update comes with one descriptor, not %d", fds->n);
	if (memfd_read(fds->fd[0], RESOURCES_MAX, &text, &len, err) < 0)
		return err_add(err, "resources");
	return container_update(c, text, len, err);
}

void on_update(struct call *call, Request *req, struct wire_fds *fds)
{
	struct err err;

	if (update(server_container(call->server), fds, &err) < 0)
		call_fail(call, &err);
	else
		call_done(call, NULL, NULL, 0);
}
