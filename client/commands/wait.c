/* SPDX-License-Identifier: Apache-2.0 */
/* thole wait: wait until a container, or a process that exec has started in it, has ended, and exit as it did. */
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "common/fd.h"
#include "common/number.h"

/* `name`: the process; "" for init. ret_heard: there was a shim that we could ask. */
static int ask_shim(const struct client *cl, const char *id, int dir_fd, const char *name, Exit *ret, bool *ret_heard,
		    struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	Request req = Request_init_zero;
	Reply reply;

	req.which_body = Request_wait_tag;
	snprintf(req.body.wait.name, sizeof(req.body.wait.name), "%s", name);
	/* What serves a container knows nothing of its other processes. */
	*ret_heard = call_open(cl, id, dir_fd, name[0] ? CALL_REFUSE : CALL_SERVE, &c, err) == 0;
	if (!*ret_heard || call_request(&c, &req, &reply, err) < 0)
		return -1;
	if (reply.which_body != Reply_exit_tag)
		return err_set(err, ERR_PROTOCOL, "the shim's reply is not one to a wait");
	*ret = reply.body.exit;
	return 0;
}

static int wait_process(const struct client *cl, const char *id, int dir_fd, const char *name, struct err *err)
{
	uint64_t number;
	int tries = 0;
	bool heard;
	Exit exit;

	if (!number_u64(name, UINT32_MAX, &number))
		return err_set(err, ERR_USAGE, "'%s' is not the name of a process: a number, as exec --print-name says",
			       name);
	/* A shim that is killed while we wait is followed by one that adopts the process. */
	while (ask_shim(cl, id, dir_fd, name, &exit, &heard, err) < 0)
		if (!call_again(&tries, heard, err))
			return -1;
	if (!exit.known)
		return err_set(
			err, ERR_GONE,
			"the exit status of process %s is unknown: its shim was killed, before or after it ended",
			name);
	return (int)(exit.code & 0xff);
}

static int wait_init(const struct client *cl, const char *id, int dir_fd, struct err *err)
{
	bool heard;
	int tries = 0;
	Exit exit;

	/* The same. */
	do {
		/* Has somebody recorded the end? Then there is nothing to wait for, and nobody to wake. */
		if (!call_shim_lives(dir_fd) && call_recorded_exit(dir_fd, &exit))
			return call_exit_status(id, &exit, err);
		if (ask_shim(cl, id, dir_fd, "", &exit, &heard, err) == 0)
			return call_exit_status(id, &exit, err);
	} while (call_again(&tries, heard, err));
	if (err->code != ERR_GONE)
		return -1;
	return call_recorded_exit(dir_fd, &exit) ? call_exit_status(id, &exit, err) : -1;
}

int cmd_wait(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const char *id = inv->operands[0], *name = inv->n > 1 ? inv->operands[1] : "init";
	cleanup_fd int dir_fd = -1;

	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return -1;
	return strcmp(name, "init") ? wait_process(cl, id, dir_fd, name, err) : wait_init(cl, id, dir_fd, err);
}
