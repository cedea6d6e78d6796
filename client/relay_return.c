/* SPDX-License-Identifier: Apache-2.0 */
/* A client whose shim was killed goes on with the one that has adopted the container, or that it starts itself to do so.
 *
 * What the dead shim has written into the client's pipes was read to its end before. */
#include "client/relay_return.h"

#include <stdio.h>

#include "client/term.h"
#include "common/fd.h"

static int open_again(struct relay *r, struct err *err)
{
	cleanup_fd int dir_fd = -1;

	if (client_open_container(r->cl, r->id, NULL, &dir_fd, err) < 0)
		return -1;
	return call_open(r->cl, r->id, dir_fd, CALL_REFUSE, r->call, err);
}

static void fill_follow(const struct relay *r, const uint64_t had[2], Request *req)
{
	Attach *a = &req->body.attach;

	req->which_body = Request_attach_tag;
	a->follow = true;
	a->with_stdin = r->use_stdin;
	a->had_stdout = had[0];
	a->had_stderr = had[1];
	a->stdin_pipe = r->stdin_pipe;
	a->holds = r->held[0] >= 0 || r->held[1] >= 0;
	snprintf(a->name, sizeof(a->name), "%s", r->process ? r->process : "");
	if (r->terminal)
		term_size(&a->rows, &a->columns);
}

/* A process that has ended since then is not read by anybody any more: what is in its pipes is ours. */
static void use_held(int *fd, int *held)
{
	if (*fd < 0 && *held >= 0)
		*fd = take_fd(held);
}

int relay_return_follower(struct relay *r, const uint64_t had[2], struct err *err)
{
	Request req = Request_init_zero;
	struct wire_fds fds = { 0 };
	Reply reply;

	if (open_again(r, err) < 0)
		return -1;
	if (!(r->call->features & WIRE_FEATURE_FOLLOW))
		return err_set(err, ERR_UNSUPPORTED, "the new shim of container '%s' is too old to go on here", r->id);
	fill_follow(r, had, &req);
	if (call_send(r->call, &req, NULL, 0, err) < 0 || call_reply(r->call, &reply, &fds, err) < 0)
		return -1;
	if (reply.which_body != Reply_attach_tag) {
		wire_fds_release(&fds);
		return err_set(err, ERR_PROTOCOL, "the shim's reply is not one to an attach");
	}
	relay_take_streams(r, reply.body.attach.fd_role, reply.body.attach.fd_role_count, &fds);
	if (!reply.body.attach.seamless && (r->stdout_fd >= 0 || r->stderr_fd >= 0))
		client_remark(r->cl, "the shim of container '%s' was killed: some output may be missing here", r->id);
	r->then_held = reply.body.attach.then_held;
	relay_take_stdin(r, &reply.body.attach);
	use_held(&r->stdout_fd, &r->held[0]);
	use_held(&r->stderr_fd, &r->held[1]);
	return 0;
}
