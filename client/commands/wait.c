/* SPDX-License-Identifier: Apache-2.0 */
/* thole wait: wait until a container has ended, and exit as it did. */
#include "client/call.h"
#include "client/command.h"
#include "common/fd.h"
#include "common/statedir.h"

#define WAIT_TRIES 8

/* Has somebody recorded the end? Then there is nothing to wait for, and nobody to wake. */
static bool read_recorded(int dir_fd, Exit *ret)
{
	struct status_record rec;
	struct err ignored;

	if (statedir_read_status(dir_fd, &rec, &ignored) < 0 || !rec.exit_recorded)
		return false;
	*ret = (Exit) { .known = rec.exit_known, .code = rec.exit_code, .signal = rec.exit_signal };
	return true;
}

static int ask_shim(const struct client *cl, const char *id, int dir_fd, Exit *ret, struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	Request req = Request_init_zero;
	Reply reply;

	req.which_body = Request_wait_tag;
	if (call_open(cl, id, dir_fd, CALL_SERVE, &c, err) < 0 || call_request(&c, &req, &reply, err) < 0)
		return -1;
	if (reply.which_body != Reply_exit_tag)
		return err_set(err, ERR_PROTOCOL, "the shim's reply is not one to a wait");
	*ret = reply.body.exit;
	return 0;
}

int cmd_wait(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const char *id = inv->operands[0];
	cleanup_fd int dir_fd = -1;
	Exit exit;

	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return -1;
	/* A shim that is killed while we wait is followed by one that serves us. */
	for (int i = 0; i < WAIT_TRIES; i++) {
		if (!call_shim_lives(dir_fd) && read_recorded(dir_fd, &exit))
			return call_exit_status(id, &exit, err);
		if (ask_shim(cl, id, dir_fd, &exit, err) == 0)
			return call_exit_status(id, &exit, err);
		if (err->code != ERR_GONE)
			return -1;
	}
	return read_recorded(dir_fd, &exit) ? call_exit_status(id, &exit, err) : -1;
}
