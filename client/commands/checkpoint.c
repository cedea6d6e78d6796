/* SPDX-License-Identifier: Apache-2.0 */
/* thole checkpoint: write a running container to files, and stop it or let it go on. */
#include "client/call.h"
#include "client/checkpoint.h"
#include "client/handover.h"
#include "client/signals.h"
#include "common/fd.h"

#define CANCEL_TIMEOUT_MS 30000

static int request(const struct client *cl, const char *id, const struct checkpoint_files *f, struct call *c,
		   struct err *err)
{
	cleanup_fd int dir_fd = -1;
	cleanup_handover struct handover beside = { .n = 0 };
	Request req = Request_init_zero;
	FdRole roles[WIRE_FDS_MAX];
	struct wire_fds fds = { 0 };
	Reply reply;

	req.which_body = Request_checkpoint_tag;
	if (checkpoint_files_add(f, &beside, err) < 0)
		return -1;
	handover_roles(&beside, roles, &req.body.checkpoint.fd_role_count);
	for (int i = 0; i < beside.n; i++)
		req.body.checkpoint.fd_role[i] = roles[i];
	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0 ||
	    call_open(cl, id, dir_fd, CALL_SERVE, c, err) < 0 || call_send(c, &req, beside.fd, beside.n, err) < 0 ||
	    call_reply(c, &reply, &fds, err) < 0)
		return -1;
	wire_fds_release(&fds);
	return 0;
}

int cmd_checkpoint(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct criu_options *o = inv->options;
	struct checkpoint_files f cleanup_checkpoint_files = CHECKPOINT_FILES_NONE;
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int signal_fd = -1, dir_fd = -1;

	/* Before a directory is made for one that is not there. */
	if (client_open_container(cl, inv->operands[0], NULL, &dir_fd, err) < 0 ||
	    checkpoint_files_open(cl, o, true, &f, err) < 0 || signals_open(SIGNALS_FOREGROUND, &signal_fd, err) < 0)
		return -1;
	c.signal_fd = signal_fd;
	if (request(cl, inv->operands[0], &f, &c, err) == 0)
		return 0;
	if (!call_interrupted(err))
		return -1;
	call_abandon(&c, CANCEL_TIMEOUT_MS);
	signals_die(c.signal);
	return -1;
}
