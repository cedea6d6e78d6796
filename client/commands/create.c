/* SPDX-License-Identifier: Apache-2.0 */
/* thole create: make a container that waits for its start. */
#include "client/launch.h"

int cmd_create(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct launch_options *o = inv->options;
	cleanup_launch struct launch l = LAUNCH_NONE;
	struct launch_request req = {
		.id = inv->operands[0],
		.bundle = o->bundle ? o->bundle : ".",
		.options = o,
		.open_stdin = o->interactive,
	};

	if (launch_check(cl, o, err) < 0 || launch_container(cl, &req, &l, err) < 0)
		return -1;
	return launch_pid_file(cl, &req, l.reply.pid, err);
}
