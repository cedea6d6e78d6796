/* SPDX-License-Identifier: Apache-2.0 */
/* thole pause, thole resume: stop all processes of a container, and let them go on. */
#include "client/call.h"
#include "client/command.h"

int cmd_pause(const struct client *cl, const struct invocation *inv, struct err *err)
{
	Request req = Request_init_zero;

	req.which_body = Request_pause_tag;
	return call_simple(cl, inv->operands[0], &req, err);
}

int cmd_resume(const struct client *cl, const struct invocation *inv, struct err *err)
{
	Request req = Request_init_zero;

	req.which_body = Request_resume_tag;
	return call_simple(cl, inv->operands[0], &req, err);
}
