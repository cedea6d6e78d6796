/* SPDX-License-Identifier: Apache-2.0 */
/* Attach, and what a client that follows the container says: Closed, Resize. */
#include "common/fd.h"
#include "shim/container/container.h"
#include "shim/control/follow.h"
#include "shim/control/request.h"
#include "shim/control/server.h"
#include "shim/stdio/logfile.h"
#include "shim/stdio/relay.h"

static struct relay *live_relay(struct call *call, const char *name, struct err *err)
{
	struct container *c = server_container(call->server);
	struct relay *r = container_relay(c, name);
	enum container_status status = container_status(c);

	if (status == STATUS_STOPPED) {
		err_set(err, ERR_STATE, "container '%s' is stopped", container_id(c));
		return NULL;
	}
	if (!r)
		err_set(err, ERR_STATE,
			"the streams of container '%s' are not here: there is no such process, or its terminal was "
			"given to a "
			"console socket",
			container_id(c));
	return r;
}

static void add_fd(AttachReply *msg, int fds[4], FdRole role, int fd)
{
	if (fd < 0)
		return;
	fds[msg->fd_role_count] = fd;
	msg->fd_role[msg->fd_role_count++] = role;
}

void on_attach(struct call *call, Request *req, struct wire_fds *fds)
{
	const Attach *msg = &req->body.attach;
	struct container *c = server_container(call->server);
	struct logfile *log = container_log(c);
	struct relay_client *client;
	struct relay_ends ends;
	cleanup_fd int log_fd = -1;
	Reply rep = Reply_init_zero;
	AttachReply *answer = &rep.body.attach;
	struct err err, ignored;
	struct relay *r = live_relay(call, "init", &err);
	int sent[4];

	if (follow_client(call->conn) && r) {
		err_set(&err, ERR_PROTOCOL, "this connection is attached already");
		r = NULL;
	}
	if (!r || relay_attach(r, RELAY_ATTACHED, msg->with_stdin, call, &ends, &client, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	if (msg->rows || msg->columns)
		relay_resize(r, msg->rows, msg->columns, &ignored);
	rep.which_body = Reply_attach_tag;
	answer->terminal = relay_is_tty(r);
	answer->stdout_offset = relay_offset(r, STREAM_STDOUT);
	answer->stderr_offset = relay_offset(r, STREAM_STDERR);
	if (log && logfile_reader(log, &log_fd, &ignored) == 0)
		answer->log_position = logfile_size(log);
	add_fd(answer, sent, FD_STDIN, ends.stdin_fd);
	add_fd(answer, sent, FD_STDOUT, ends.stdout_fd);
	add_fd(answer, sent, FD_STDERR, ends.stderr_fd);
	add_fd(answer, sent, FD_LOG, log_fd);
	call_progress(call, &rep, sent, answer->fd_role_count);
	relay_ends_close(&ends);
	follow_start(call, "init", client);
}

void on_closed(struct call *call, Request *req, struct wire_fds *fds)
{
	struct relay_client *client = follow_client(call->conn);
	struct err err;

	if (!client) {
		err_set(&err, ERR_STATE, "this connection has no streams");
		call_fail(call, &err);
		return;
	}
	relay_client_closed(client, req->body.closed.stream);
	call_done(call, NULL, NULL, 0);
}

void on_resize(struct call *call, Request *req, struct wire_fds *fds)
{
	const Resize *msg = &req->body.resize;
	struct err err;
	struct relay *r = live_relay(call, msg->name, &err);

	if (!r || relay_resize(r, msg->rows, msg->columns, &err) < 0)
		call_fail(call, &err);
	else
		call_done(call, NULL, NULL, 0);
}
