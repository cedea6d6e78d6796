/* SPDX-License-Identifier: Apache-2.0 */
/* Upgrade: another program in this one's place.
 *
 * It is tried out on a copy of the state by a child, while everything goes on. Then, at a moment when nothing is half done, the state is written down once more and the program executed. */
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/memfd.h"
#include "shim/container/container.h"
#include "shim/control/request.h"
#include "shim/control/resume.h"
#include "shim/control/server.h"
#include "shim/control/trial.h"
#include "shim/stdio/saved.h"

/* How long something that is under way is waited for. */
static const struct timeval patience = { .tv_sec = 5 };

struct upgrading {
	struct call *call;
	struct server *server;
	int exe_fd, mount_fd, keeper_fd;
	struct trial *trial;    /* NULL: it is not being tried out */
	bool tried;             /* it has been, and can */
	struct event *go;       /* the next step */
	struct event *deadline; /* the end of our patience */
};

static void upgrading_free(struct upgrading *u)
{
	server_set_upgrading(u->server, NULL);
	trial_free(u->trial);
	if (u->go)
		event_free(u->go);
	if (u->deadline)
		event_free(u->deadline);
	fd_close(&u->exe_fd);
	fd_close(&u->mount_fd);
	fd_close(&u->keeper_fd);
	free(u);
}

static void cancelled(struct call *call)
{
	upgrading_free(call->data);
}

static void fail(struct upgrading *u, const struct err *err)
{
	struct call *call = u->call;

	call->cancelled = NULL;
	upgrading_free(u);
	call_fail(call, err);
}

static void save(const struct call *call, Saved__Call *s)
{
	s->kind_case = SAVED__CALL__KIND_UPGRADE;
	s->upgrade = saved_new(Saved__UpgradeCall, upgrade_call);
}

/* ---- the state ------------------------------------------------------------------------------------------------------------- */

static int write_state(const Saved__Shim *s, int *ret_fd, struct err *err)
{
	cleanup_free void *data = NULL;
	size_t len;

	if (saved_pack(s, &data, &len, err) < 0)
		return -1;
	return memfd_sealed("thole-state", data, len, ret_fd, err);
}

static int obstacle(struct upgrading *u, bool *ret_soon, struct err *err)
{
	if (container_upgrade_obstacle(server_container(u->server), ret_soon, err) < 0)
		return -1;
	*ret_soon = true;
	if (server_is_answering(u->server, u->call))
		return err_set(err, ERR_BUSY, "cannot upgrade the shim of container '%s': a request is being answered",
			       container_id(server_container(u->server)));
	return 0;
}

/* ---- the exchange ---------------------------------------------------------------------------------------------------------- */

static void exchange(struct upgrading *u)
{
	struct server_upgrade x = { .exe_fd = u->exe_fd, .mount_fd = u->mount_fd, .keeper_fd = u->keeper_fd };
	cleanup_fd int state_fd = -1;
	struct err err;
	Saved__Shim *s = server_save(u->server);

	if (write_state(s, &state_fd, &err) == 0) {
		x.state_fd = state_fd;
		x.state = s;
		server_upgrade(u->server, &x, &err);
	}
	/* Still here. */
	saved_free(s);
	fail(u, &err);
}

static int try_out(struct upgrading *u, struct err *err);

/* What is half done has no state that could be handed on, nor tried out. */
static void step(struct upgrading *u, bool patient)
{
	struct err err;
	bool soon;

	if (obstacle(u, &soon, &err) < 0) {
		if (!soon || !patient)
			fail(u, &err);
		return;
	}
	event_del(u->deadline);
	if (u->tried)
		exchange(u);
	else if (try_out(u, &err) < 0)
		fail(u, &err);
}

static void go_cb(evutil_socket_t fd, short what, void *arg)
{
	step(arg, true);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	step(arg, false);
}

static void go(struct upgrading *u)
{
	event_add(u->deadline, &patience);
	event_active(u->go, EV_READ, 0);
}

void upgrading_quiet(struct upgrading *u)
{
	if (!u->trial)
		event_active(u->go, EV_READ, 0);
}

static void tried_cb(void *arg, const struct err *err)
{
	struct upgrading *u = arg;

	if (err) {
		fail(u, err);
		return;
	}
	trial_free(u->trial);
	u->trial = NULL;
	u->tried = true;
	go(u);
}

/* ---- the request ----------------------------------------------------------------------------------------------------------- */

static int take_fds(struct upgrading *u, const Upgrade *msg, struct wire_fds *fds, struct err *err)
{
	if (msg->fd_role_count != fds->n)
		return err_set(err, ERR_PROTOCOL, "%d descriptors came with %d roles", fds->n, (int)msg->fd_role_count);
	for (int i = 0; i < fds->n; i++) {
		int *to = msg->fd_role[i] == FD_SHIM         ? &u->exe_fd
			  : msg->fd_role[i] == FD_SHIM_MOUNT ? &u->mount_fd
			  : msg->fd_role[i] == FD_KEEPER     ? &u->keeper_fd
							     : NULL;

		if (!to || *to >= 0)
			return err_set(err, ERR_PROTOCOL, "a descriptor of role %d is not for an upgrade",
				       (int)msg->fd_role[i]);
		*to = take_fd(&fds->fd[i]);
	}
	return u->exe_fd < 0 ? err_set(err, ERR_PROTOCOL, "an upgrade without a program") : 0;
}

/* What runs inside must not reach a file that it could change, as of the program that we are now (sealed.h). */
static int check_sealed(int fd, struct err *err)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct statvfs st;

	if ((seals >= 0 && (seals & wanted) == wanted) || (fstatvfs(fd, &st) == 0 && (st.f_flag & ST_RDONLY)))
		return 0;
	return err_set(err, ERR_PROTOCOL, "the new shim's program is not sealed");
}

static int try_out(struct upgrading *u, struct err *err)
{
	struct container *c = server_container(u->server);
	cleanup_free char *root = NULL;
	cleanup_fd int state_fd = -1;
	Saved__Shim *s;
	int r;

	if (fd_path(container_root_fd(c), &root, err) < 0)
		return -1;
	s = server_save(u->server);
	r = write_state(s, &state_fd, err);
	saved_free(s);
	if (r < 0)
		return -1;
	u->trial = trial_new(
		&(struct trial_request) {
			.base = server_base(u->server),
			.exe_fd = u->exe_fd,
			.state_fd = state_fd,
			.root = root,
			.id = container_id(c),
			.done_cb = tried_cb,
			.arg = u,
		},
		err);
	return u->trial ? 0 : -1;
}

static int begin(struct upgrading *u, const Upgrade *msg, struct wire_fds *fds, struct err *err)
{
	if (take_fds(u, msg, fds, err) < 0 || check_sealed(u->exe_fd, err) < 0)
		return -1;
	if (u->keeper_fd >= 0 && check_sealed(u->keeper_fd, err) < 0)
		return -1;
	go(u);
	return 0;
}

void on_upgrade(struct call *call, Request *req, struct wire_fds *fds)
{
	struct upgrading *u;
	struct err err;

	if (server_upgrading(call->server)) {
		err_set(&err, ERR_BUSY, "the shim of container '%s' is being upgraded",
			container_id(server_container(call->server)));
		call_fail(call, &err);
		return;
	}
	u = xcalloc(1, sizeof(*u));
	*u = (struct upgrading) { .call = call, .server = call->server, .exe_fd = -1, .mount_fd = -1, .keeper_fd = -1 };
	u->go = evtimer_new(server_base(call->server), go_cb, u);
	u->deadline = evtimer_new(server_base(call->server), deadline_cb, u);
	if (!u->go || !u->deadline)
		fatal("out of memory");
	server_set_upgrading(call->server, u);
	call->data = u;
	call->cancelled = cancelled;
	call->save = save;
	if (begin(u, &req->body.upgrade, fds, &err) < 0)
		fail(u, &err);
}

/* ---- after it -------------------------------------------------------------------------------------------------------------- */

void upgrade_resume(struct call *call)
{
	call->save = save;
}

static bool is_upgrade(const struct call *call)
{
	return call->save == save;
}

void resume_answer(struct conn *conn, const char *because)
{
	struct call *call = conn_find_call(conn, is_upgrade);
	Reply rep = Reply_init_zero;
	struct err err;

	if (!call)
		return;
	if (because) {
		err_set(&err, ERR_STATE, "the new shim could not go on, and the old one does: %s", because);
		call_fail(call, &err);
		return;
	}
	rep.which_body = Reply_upgrade_tag;
	snprintf(rep.body.upgrade.version, sizeof(rep.body.upgrade.version), "%s", THOLE_VERSION);
	call_done(call, &rep, NULL, 0);
}
