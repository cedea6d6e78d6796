/* SPDX-License-Identifier: Apache-2.0 */
/* Exec, and the foreground client that follows from it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "shim/container/container.h"
#include "shim/control/follow.h"
#include "shim/control/request.h"
#include "shim/control/server.h"
#include "shim/stdio/relay.h"

/* What the call holds until the program runs. */
struct execing {
	char name[PROCESS_NAME_MAX];
	bool leave;
	bool hold;
};

static void cancelled(struct call *call)
{
	struct execing *e = call->data;

	container_cancel_exec(server_container(call->server), e->name);
	free(e);
}

/* Between two shims somebody has to have the reader's end of its pipes: else the process gets a SIGPIPE. Of init, and of terminals, that is the keeper. */
static int add_held(const struct relay *r, ExecReply *answer, int *fds, int n)
{
	const FdRole roles[] = { FD_HELD_STDOUT, FD_HELD_STDERR };

	for (int i = 0; r && !relay_is_tty(r) && i < 2; i++) {
		int fd = relay_fd(r, i ? STREAM_STDERR : STREAM_STDOUT);

		if (fd < 0)
			continue;
		answer->fd_role[answer->fd_role_count++] = roles[i];
		fds[n++] = fd;
	}
	return n;
}

static void runs(void *arg, const struct err *failed)
{
	struct call *call = arg;
	struct server *server = call->server;
	struct container *c = server_container(server);
	struct execing *e = call->data;
	struct relay_ends ends = { -1, -1, -1 };
	struct relay_client *client = NULL;
	const char *note;
	Reply rep = Reply_init_zero;
	ExecReply *answer = &rep.body.exec;
	bool leave = e->leave, follows;
	int fds[6], n;

	call->cancelled = NULL;
	call->data = NULL;
	if (failed) {
		free(e);
		call_fail(call, failed);
		return;
	}
	rep.which_body = Reply_exec_tag;
	memcpy(answer->name, e->name, sizeof(answer->name));
	answer->pid = (uint32_t)container_pid(c, e->name);
	answer->terminal = container_terminal(c, e->name);
	note = container_exec_note(c, e->name);
	if (note)
		snprintf(answer->note, sizeof(answer->note), "%s", note);
	follows = container_take_foreground(c, e->name, &ends, &client);
	n = follow_ends(&ends, answer->fd_role, &answer->fd_role_count, fds);
	if (leave) {
		answer->fd_role[answer->fd_role_count++] = FD_PIDFD;
		fds[n++] = container_pidfd(c, e->name);
	}
	if (e->hold)
		n = add_held(container_relay(c, e->name), answer, fds, n);
	if (follows) {
		call_progress(call, &rep, fds, n);
		follow_start(call, e->name, client);
	} else {
		call_done(call, &rep, fds, n);
	}
	relay_ends_close(&ends);
	free(e);
	if (leave)
		server_ended(server); /* once the exec has tidied up */
	else if (server_mode(server) == SERVER_EXEC)
		server_settled(server);
}

void on_exec(struct call *call, Request *req, struct wire_fds *fds)
{
	const Exec *msg = &req->body.exec;
	struct container_exec p = {
		.stdio = msg->stdio,
		.leave = msg->leave,
		.n_cgroups = msg->cgroup_count,
		.open_stdin = msg->open_stdin,
		.whole = msg->whole,
		.ignore_paused = msg->ignore_paused,
		.checkpointable = msg->checkpointable,
		.relay = { .has_drain = msg->has_drain_ms, .drain_ms = msg->drain_ms },
		.client_pid = msg->stdio == STDIO_FOREGROUND ? call_peer_pid(call) : 0,
		.log_driver = msg->log_driver,
		.log_path = msg->log_path,
		.n_log_opts = msg->log_opt_count,
		.rows = (uint16_t)msg->rows,
		.columns = (uint16_t)msg->columns,
		.fds = container_fds_none(),
	};
	struct execing *e = xcalloc(1, sizeof(*e));
	struct err err;

	for (pb_size_t i = 0; i < msg->cgroup_count; i++)
		p.cgroups[i] = msg->cgroup[i];
	for (pb_size_t i = 0; i < msg->log_opt_count; i++)
		p.log_opts[i] = msg->log_opt[i];
	e->leave = msg->leave;
	e->hold = msg->hold && msg->stdio == STDIO_FOREGROUND;
	call->data = e;
	call->cancelled = cancelled;
	if (msg->rows > USHRT_MAX || msg->columns > USHRT_MAX)
		err_set(&err, ERR_USAGE, "a terminal of %u rows and %u columns is too large", msg->rows, msg->columns);
	else if (msg->leave && (msg->stdio != STDIO_PASS || server_mode(call->server) != SERVER_EXEC))
		err_set(&err, ERR_PROTOCOL, "only a launcher that relays nothing can leave");
	else if (msg->log_driver[0] && server_mode(call->server) == SERVER_EXEC)
		err_set(&err, ERR_UNSUPPORTED,
			"the process can have no log: container '%s' has no shim that could keep it",
			container_id(server_container(call->server)));
	else if (msg->checkpointable && msg->leave)
		err_set(&err, ERR_PROTOCOL, "a process that is to be checkpointed has no launcher that could leave");
	else if (request_sort_fds(msg->fd_role, msg->fd_role_count, msg->more_preserved, msg->stdio, FD_PROCESS, fds,
				  &p.fds, &err) == 0 &&
		 container_exec(server_container(call->server), &p, runs, call, e->name, &err) == 0)
		return;
	container_fds_release(&p.fds);
	call->cancelled = NULL;
	free(e);
	call_fail(call, &err);
}
