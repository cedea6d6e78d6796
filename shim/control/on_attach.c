/* SPDX-License-Identifier: Apache-2.0 */
/* Attach, and what a client that follows the container says: Closed, Resize. */
#include <stdio.h>

#include "common/fd.h"
#include "shim/container/container.h"
#include "shim/container/follower.h"
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

/* Everything before, and the descriptors are closed. */
static void tell_parts(struct call *call, struct logfile_span *spans, int n)
{
	for (int i = 0; i < n; i++) {
		Reply rep = Reply_init_zero;

		rep.which_body = Reply_log_part_tag;
		rep.body.log_part = (LogPart) {
			.inode = spans[i].inode,
			.position = spans[i].position,
			.end = spans[i].end,
			.stdout_from = spans[i].from[0],
			.stdout_to = spans[i].to[0],
			.stderr_from = spans[i].from[1],
			.stderr_to = spans[i].to[1],
		};
		call_progress(call, &rep, &spans[i].fd, 1);
		fd_close(&spans[i].fd);
	}
}

static void fill_answer(struct call *call, AttachReply *answer, struct relay *r, struct relay_client *client,
			bool replay)
{
	struct container *c = server_container(call->server);
	struct logfile *log = container_log(c);

	answer->terminal = relay_is_tty(r);
	answer->own_stdin = relay_client_has_own_pipe(client);
	answer->stdout_offset = relay_client_begin(client, STREAM_STDOUT, replay);
	answer->stderr_offset = relay_client_begin(client, STREAM_STDERR, replay);
	if (!log)
		return;
	answer->log_inode = logfile_inode(log);
	answer->log_position = logfile_size(log);
	snprintf(answer->log_driver, sizeof(answer->log_driver), "%s", container_log_driver(c));
}

static void answer_attach(struct call *call, const Attach *msg, struct relay *r, struct relay_client *client,
			  const struct relay_ends *ends)
{
	struct logfile *log = container_log(server_container(call->server));
	struct logfile_span spans[LOGFILE_SPANS_MAX];
	cleanup_fd int log_fd = -1;
	Reply rep = Reply_init_zero;
	AttachReply *answer = &rep.body.attach;
	int sent[4], n_spans = 0;
	struct err ignored;

	rep.which_body = Reply_attach_tag;
	fill_answer(call, answer, r, client, msg->replay);
	answer->away = relay_is_away(r, msg->stdin_pipe, &answer->stdin_dumped);
	if (log && logfile_reader(log, &log_fd, &ignored) < 0)
		answer->log_inode = 0;
	if (log && msg->replay)
		n_spans = logfile_spans(log, spans);
	answer->log_parts = (uint32_t)n_spans;
	add_fd(answer, sent, FD_STDIN, ends->stdin_fd);
	add_fd(answer, sent, FD_STDOUT, ends->stdout_fd);
	add_fd(answer, sent, FD_STDERR, ends->stderr_fd);
	add_fd(answer, sent, FD_LOG, log_fd);
	call_progress(call, &rep, sent, answer->fd_role_count);
	tell_parts(call, spans, n_spans);
}

/* Whoever followed it over the death of the shim before. */
static void on_follow(struct call *call, const Attach *msg)
{
	const struct follower_request r = {
		.name = msg->name[0] ? msg->name : "init",
		.pid = call_peer_pid(call),
		.with_stdin = msg->with_stdin,
		.had = { msg->had_stdout, msg->had_stderr },
		.holds = msg->holds,
		.client_arg = call,
	};
	struct container *c = server_container(call->server);
	struct follower_answer followed;
	struct relay_client *client;
	struct relay_ends ends;
	Reply rep = Reply_init_zero;
	AttachReply *answer = &rep.body.attach;
	struct err err, ignored;
	struct relay *relay;
	int sent[3], n;

	if (follow_client(call->conn)) {
		err_set(&err, ERR_PROTOCOL, "this connection is attached already");
		call_fail(call, &err);
		return;
	}
	if (follower_return(c, &r, &ends, &client, &followed, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	answer->seamless = followed.seamless;
	answer->then_held = followed.then_held;
	relay = container_relay(c, r.name);
	if (relay && (msg->rows || msg->columns))
		relay_resize(relay, msg->rows, msg->columns, &ignored);
	rep.which_body = Reply_attach_tag;
	answer->own_stdin = relay_client_has_own_pipe(client);
	answer->away = relay && relay_is_away(relay, msg->stdin_pipe, &answer->stdin_dumped);
	answer->terminal = relay && relay_is_tty(relay);
	n = follow_ends(&ends, answer->fd_role, &answer->fd_role_count, sent);
	call_progress(call, &rep, sent, n);
	relay_ends_close(&ends);
	follow_start(call, r.name, client);
}

void on_attach(struct call *call, Request *req, struct wire_fds *fds)
{
	const Attach *msg = &req->body.attach;
	struct relay_client *client;
	struct relay_ends ends;
	struct err err, ignored;
	struct relay *r;

	if (msg->follow) {
		on_follow(call, msg);
		return;
	}
	r = live_relay(call, "init", &err);
	if (follow_client(call->conn) && r) {
		err_set(&err, ERR_PROTOCOL, "this connection is attached already");
		r = NULL;
	}
	if (!r || relay_attach(r, RELAY_ATTACHED, (pid_t)call_peer_pid(call), msg->with_stdin, call, &ends, &client,
			       &err) < 0) {
		call_fail(call, &err);
		return;
	}
	if (msg->rows || msg->columns)
		relay_resize(r, msg->rows, msg->columns, &ignored);
	if (relay_client_owns(client) && !relay_is_tty(r))
		follower_note_owner(server_container(call->server), (pid_t)call_peer_pid(call));
	answer_attach(call, msg, r, client, &ends);
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
