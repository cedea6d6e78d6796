/* SPDX-License-Identifier: Apache-2.0 */
/* Create, and the foreground client that follows from it. */
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/container/container.h"
#include "shim/control/follow.h"
#include "shim/control/request.h"
#include "shim/control/server.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/mountinfo.h"
#include "shim/stdio/relay.h"

static void cancelled(struct call *call)
{
	log_debug("the client is gone: the creation is undone");
	container_cancel_create(server_container(call->server));
}

static void forsaken(void *arg, const struct err *err)
{
	if (err)
		log_error("nobody has heard that the container is created, and it cannot be removed: %s", err->text);
	server_ended(arg);
}

/* The client died before it could hear of its container: it has said nothing to anybody, so there is none. */
static void forsake_cb(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct err err;

	if (container_delete(server_container(server), true, forsaken, server, &err) < 0)
		forsaken(server, &err);
}

/* Once the creation, which calls us, is over. */
static void forsake(struct server *server)
{
	const struct timeval at_once = { 0 };

	if (event_base_once(container_base(server_container(server)), -1, EV_TIMEOUT, forsake_cb, server, &at_once) < 0)
		fatal("out of memory");
}

static void created(void *arg, const struct err *failed)
{
	struct call *call = arg;
	struct server *server = call->server;
	struct container *c = server_container(server);
	struct relay_ends ends = { -1, -1, -1 };
	struct relay_client *client = NULL;
	cleanup_free char *remark = NULL;
	Reply rep = Reply_init_zero;
	bool heard, follows;
	int fds[3], n;

	call->cancelled = NULL;
	if (failed) {
		call_fail(call, failed);
		return;
	}
	rep.which_body = Reply_create_tag;
	rep.body.create.pid = (uint32_t)container_pid(c, "init");
	rep.body.create.terminal = container_terminal(c, "init");
	remark = container_take_remark(c);
	if (remark)
		snprintf(rep.body.create.remark, sizeof(rep.body.create.remark), "%s", remark);
	follows = container_take_foreground(c, "init", &ends, &client);
	n = follow_ends(&ends, rep.body.create.fd_role, &rep.body.create.fd_role_count, fds);
	heard = follows ? call_progress(call, &rep, fds, n) : call_done(call, &rep, fds, n);
	if (follows)
		follow_start(call, "init", client);
	relay_ends_close(&ends);
	if (!container_is_foreign(c))
		server_created(server);
	if (!heard)
		forsake(server);
	else if (container_is_foreign(c))
		server_ended(server); /* once the creation has tidied up */
}

static int check_request(const Create *msg, struct err *err)
{
	if (msg->leave && (msg->stdio != STDIO_PASS || msg->remove_at_exit))
		return err_set(err, ERR_PROTOCOL,
			       "a shim that leaves can neither relay streams nor remove a container");
	if (msg->cgroup_manager > CGROUP_MANAGER_DISABLED)
		return err_set(err, ERR_PROTOCOL, "cgroup manager %d is not known", (int)msg->cgroup_manager);
	if (msg->rows > USHRT_MAX || msg->columns > USHRT_MAX)
		return err_set(err, ERR_USAGE, "a terminal of %u rows and %u columns is too large", msg->rows,
			       msg->columns);
	if (msg->log_path[0] && msg->log_path[0] != '/')
		return err_set(err, ERR_USAGE, "log path '%s' is not absolute", msg->log_path);
	return 0;
}

static int check_listen_fds(const Create *msg, const struct container_fds *fds, struct err *err)
{
	if (msg->listen_fds > (uint32_t)fds->n_preserved)
		return err_set(err, ERR_PROTOCOL, "%u sockets of %d preserved descriptors", msg->listen_fds,
			       fds->n_preserved);
	return 0;
}

/* Leave the caller's groups, so that the cron job or unit that it is can end. Where that is refused we stay. */
static int leave_groups(const char *where, const char *mountinfo, struct err *err)
{
	if (!strcmp(where, "keep"))
		return 0;
	if (where[0] && where[0] != '/' && strcmp(where, "own") != 0)
		return err_set(err, ERR_USAGE, "--shim-cgroup is own, keep or an absolute path, not '%s'", where);
	if (cgroup_move_self(mountinfo, where[0] == '/' ? where : STATEDIR_SHIMS_GROUP, err) == 0)
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
	cleanup_free char *mountinfo = NULL;
	struct container_create p = {
		.stdio = msg->stdio,
		.start = msg->start,
		.leave = msg->leave,
		.cgroup_manager = msg->cgroup_manager,
		.listen_fds = msg->listen_fds,
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
		.cgroups_optional = msg->cgroups_optional,
		.sd_notify = msg->sd_notify,
		.notify_socket = msg->notify_socket,
		.watchdog_usec = msg->watchdog_usec,
		.keeper = msg->keeper,
		.relay = { .stdin_once = msg->stdin_once, .has_drain = msg->has_drain_ms, .drain_ms = msg->drain_ms },
		.client_pid = msg->stdio == STDIO_FOREGROUND ? call_peer_pid(call) : 0,
		.caller_cgroup = server_caller_cgroup(call->server),
		.fds = container_fds_none(),
	};
	struct err err;

	for (pb_size_t i = 0; i < msg->log_opt_count; i++)
		p.log_opts[i] = msg->log_opt[i];
	if (!container_is_idle(c))
		err_set(&err, ERR_BUSY, "a creation is under way");
	else if (strcmp(msg->id, container_id(c)) != 0)
		err_set(&err, ERR_PROTOCOL, "this shim was started for '%s'", container_id(c));
	else if (check_request(msg, &err) == 0 &&
		 request_sort_fds(msg->fd_role, msg->fd_role_count, msg->more_preserved, msg->stdio, FD_BUNDLE, fds,
				  &p.fds, &err) == 0 &&
		 check_listen_fds(msg, &p.fds, &err) == 0 && mountinfo_read(&mountinfo, &err) == 0 &&
		 leave_groups(msg->shim_cgroup, mountinfo, &err) == 0) {
		p.mountinfo = mountinfo;
		call->cancelled = cancelled;
		if (container_create(c, &p, created, call, &err) == 0)
			return;
		call->cancelled = NULL;
	}
	container_fds_release(&p.fds);
	call_fail(call, &err);
}
