/* SPDX-License-Identifier: Apache-2.0 */
/* Create, and the foreground client that follows from it. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/container/container.h"
#include "shim/control/follow.h"
#include "shim/control/request.h"
#include "shim/control/server.h"
#include "shim/sandbox/cgroup.h"
#include "shim/stdio/relay.h"

#define SHARED_GROUP "/thole-shims" /* one for all shims: nothing is left behind per container */

/* Where a role's descriptor goes; NULL: the role has no place here. */
static int *place_of(struct container_create *p, FdRole role)
{
	switch (role) {
	case FD_BUNDLE:
		return &p->bundle_fd;
	case FD_STDIN:
		return &p->stdio_fd[0];
	case FD_STDOUT:
		return &p->stdio_fd[1];
	case FD_STDERR:
		return &p->stdio_fd[2];
	case FD_CONSOLE_SOCKET:
		return &p->console_fd;
	case FD_NONE:
	case FD_PRESERVED:
	case FD_LOG:
	case FD_PIDFD:
	case FD_PROCESS:
		break;
	}
	return NULL;
}

/* Descriptors by their roles. `preserved` has room for all of them. */
static int sort_fds(const Create *msg, struct wire_fds *fds, struct container_create *p, struct err *err)
{
	if (fds->n != msg->fd_role_count)
		return err_set(err, ERR_PROTOCOL, "%d descriptors came with %d roles", fds->n, (int)msg->fd_role_count);
	for (int i = 0; i < fds->n; i++) {
		int *place = place_of(p, msg->fd_role[i]);

		if (msg->fd_role[i] == FD_PRESERVED)
			p->preserved[p->n_preserved++] = take_fd(&fds->fd[i]);
		else if (place && *place < 0)
			*place = take_fd(&fds->fd[i]);
		else
			return err_set(err, ERR_PROTOCOL, "descriptor %d has no place", i);
	}
	if (p->bundle_fd < 0)
		return err_set(err, ERR_PROTOCOL, "no bundle came with the request");
	if (msg->stdio != STDIO_INHERIT && (p->stdio_fd[0] >= 0 || p->stdio_fd[1] >= 0 || p->stdio_fd[2] >= 0))
		return err_set(err, ERR_PROTOCOL, "stdio came with the request, but is not inherited");
	return 0;
}

static void release_fds(struct container_create *p)
{
	fd_close(&p->bundle_fd);
	fd_close(&p->console_fd);
	for (int i = 0; i < 3; i++)
		fd_close(&p->stdio_fd[i]);
	for (int i = 0; i < p->n_preserved; i++)
		fd_close(&p->preserved[i]);
}

static void cancelled(struct call *call)
{
	log_debug("the client is gone: the creation is undone");
	container_cancel_create(server_container(call->server));
}

/* The far ends of the client's pipes, and the roles that name them. */
static int collect(struct relay_ends *ends, FdRole *roles, pb_size_t *n_roles, int fds[3])
{
	const struct {
		int fd;
		FdRole role;
	} all[] = { { ends->stdin_fd, FD_STDIN }, { ends->stdout_fd, FD_STDOUT }, { ends->stderr_fd, FD_STDERR } };
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].fd >= 0) {
			roles[n] = all[i].role;
			fds[n++] = all[i].fd;
		}
	*n_roles = (pb_size_t)n;
	return n;
}

static void forsaken(void *arg, const struct err *err)
{
	if (err)
		log_error("nobody has heard that the container is created, and it cannot be removed: %s", err->text);
	server_ended(arg);
}

/* The client died before it could hear of its container: it has said nothing to anybody, so there is none. */
static void forsake(struct server *server)
{
	struct err err;

	if (container_delete(server_container(server), true, forsaken, server, &err) < 0)
		forsaken(server, &err);
}

static void created(void *arg, const struct err *failed)
{
	struct call *call = arg;
	struct server *server = call->server;
	struct container *c = server_container(server);
	struct relay_ends ends = { -1, -1, -1 };
	struct relay_client *client = NULL;
	Reply rep = Reply_init_zero;
	bool heard;
	int fds[3], n;

	call->cancelled = NULL;
	if (failed) {
		call_fail(call, failed);
		return;
	}
	rep.which_body = Reply_create_tag;
	rep.body.create.pid = (uint32_t)container_init_pid(c);
	rep.body.create.terminal = container_terminal(c);
	container_take_foreground(c, &ends, &client);
	n = collect(&ends, rep.body.create.fd_role, &rep.body.create.fd_role_count, fds);
	heard = client ? call_progress(call, &rep, fds, n) : call_done(call, &rep, fds, n);
	if (client)
		follow_start(call, "init", client);
	fd_close(&ends.stdin_fd);
	fd_close(&ends.stdout_fd);
	fd_close(&ends.stderr_fd);
	server_created(server);
	if (!heard)
		forsake(server);
}

static int check_sizes(const Create *msg, struct err *err)
{
	if (msg->rows > USHRT_MAX || msg->columns > USHRT_MAX)
		return err_set(err, ERR_USAGE, "a terminal of %u rows and %u columns is too large", msg->rows, msg->columns);
	if (msg->log_path[0] && msg->log_path[0] != '/')
		return err_set(err, ERR_USAGE, "log path '%s' is not absolute", msg->log_path);
	return 0;
}

/* Leave the caller's groups, so that the cron job or unit that it is can end. Where that is refused we stay. */
static int leave_groups(const char *where, struct err *err)
{
	cleanup_free char *mountinfo = NULL;

	if (!strcmp(where, "keep"))
		return 0;
	if (where[0] && where[0] != '/' && strcmp(where, "own") != 0)
		return err_set(err, ERR_USAGE, "--shim-cgroup is own, keep or an absolute path, not '%s'", where);
	if (fd_read_file_at(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &mountinfo, err) < 0)
		return -1;
	if (cgroup_move_self(mountinfo, where[0] == '/' ? where : SHARED_GROUP, err) == 0)
		return 0;
	if (where[0] == '/')
		return err_add(err, "--shim-cgroup");
	log_debug("the shim stays in its caller's cgroup: %s", err->text);
	return 0;
}

void on_create(struct call *call, Request *req, struct wire_fds *fds)
{
	const Create *msg = &req->body.create;
	struct container *c = server_container(call->server);
	int preserved[WIRE_FDS_MAX];
	struct container_create p = {
		.stdio = msg->stdio,
		.start = msg->start,
		.open_stdin = msg->open_stdin,
		.remove_at_exit = msg->remove_at_exit,
		.no_pivot = msg->no_pivot,
		.no_new_keyring = msg->no_new_keyring,
		.rows = (uint16_t)msg->rows,
		.columns = (uint16_t)msg->columns,
		.log_driver = msg->log_driver,
		.log_path = msg->log_path,
		.data_dir = msg->data_dir,
		.n_log_opts = msg->log_opt_count,
		.caller_cgroup = server_caller_cgroup(call->server),
		.bundle_fd = -1,
		.stdio_fd = { -1, -1, -1 },
		.console_fd = -1,
		.preserved = preserved,
	};
	struct err err;

	for (pb_size_t i = 0; i < msg->log_opt_count; i++)
		p.log_opts[i] = msg->log_opt[i];
	if (!container_is_idle(c))
		err_set(&err, ERR_BUSY, "a creation is under way");
	else if (strcmp(msg->id, container_id(c)) != 0)
		err_set(&err, ERR_PROTOCOL, "this shim was started for '%s'", container_id(c));
	else if (check_sizes(msg, &err) == 0 && sort_fds(msg, fds, &p, &err) == 0 && leave_groups(msg->shim_cgroup, &err) == 0) {
		call->cancelled = cancelled;
		if (container_create(c, &p, created, call, &err) == 0)
			return;
		call->cancelled = NULL;
	}
	release_fds(&p);
	call_fail(call, &err);
}
