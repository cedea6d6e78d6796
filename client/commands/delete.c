/* SPDX-License-Identifier: Apache-2.0 */
/* thole delete: remove a container and what belongs to it. */
#include <poll.h>
#include <signal.h>

#include "client/call.h"
#include "client/command.h"
#include "common/fd.h"
#include "common/statedir.h"

#define DELETED_MS 40000 /* a shim waits for half a minute for whom it has killed to end */

/* One that was well at its hello may be stuck now, in what ends with init: with --force that is ended, and the answer comes. */
static int request(struct call *c, const char *id, int dir_fd, Request *req, Reply *ret, struct err *err)
{
	struct wire_fds fds = { 0 };
	struct err ignored;
	int r;

	c->patience_ms = req->body.delete.force ? DELETED_MS : 0;
	if (call_send(c, req, NULL, 0, err) < 0)
		return -1;
	r = call_reply(c, ret, &fds, err);
	if (r < 0 && c->silent) {
		call_signal_init(id, dir_fd, SIGKILL, &ignored);
		c->patience_ms = 0;
		r = call_reply(c, ret, &fds, err);
	}
	if (r == 0)
		wire_fds_release(&fds);
	return r;
}

/* Without the lock file no shim takes the container. Whoever is removing it takes the record away first: a lock file that is missing for that has no record beside it. */
static int remake_lock(int dir_fd, struct err *err)
{
	cleanup_fd int lock_fd = -1;

	if (statedir_inode(dir_fd, STATEDIR_LOCK) || !statedir_inode(dir_fd, STATEDIR_STATUS) ||
	    call_shim_lives(dir_fd))
		return 0;
	return statedir_open_lock(dir_fd, true, &lock_fd, err);
}

static int delete_once(const struct client *cl, const char *id, bool force, struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	Request req = Request_init_zero;
	cleanup_fd int dir_fd = -1;
	Reply reply;

	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return -1;
	if (call_is_leftover(dir_fd)) {
		int r = call_undo(cl, id, err);

		/* It is not what it was a moment ago. */
		if (r < 0 && err->code == ERR_BUSY)
			err->code = ERR_GONE;
		return r;
	}
	if (force && remake_lock(dir_fd, err) < 0)
		return err_add(err, "container '%s'", id);
	req.which_body = Request_delete_tag;
	req.body.delete.force = force;
	c.patience_ms = force ? CALL_HUNG_MS : 0;
	if (call_open(cl, id, dir_fd, CALL_BRIEFLY, &c, err) < 0) {
		/* With its first process ends what it may hang in. */
		if (c.silent && err->code == ERR_STATE && call_signal_init(id, dir_fd, SIGKILL, err) == 0)
			err->code = ERR_GONE;
		return -1;
	}
	if (request(&c, id, dir_fd, &req, &reply, err) < 0)
		return -1;
	if (reply.which_body == Reply_deleted_tag && reply.body.deleted.remark[0])
		client_remark(cl, "%s", reply.body.deleted.remark);
	/* One that was started for this has nothing more to do. */
	call_await_leave(&c);
	return 0;
}

#define DELETE_STEP_MS 20
#define DELETE_TRIES 500
#define GONE_TRIES 20 /* of a shim that ends before it answers */

/* Several may be at it: who loses finds a shim that leaves, or is through. With --force they wait for it. */
static int delete_container(const struct client *cl, const char *id, bool force, struct err *err)
{
	int gone = 0;

	for (int i = 0; i < DELETE_TRIES; i++) {
		if (delete_once(cl, id, force, err) == 0)
			return 0;
		gone += err->code == ERR_GONE;
		if (gone == GONE_TRIES || (err->code != ERR_GONE && !(force && err->code == ERR_BUSY)))
			return -1;
		poll(NULL, 0, DELETE_STEP_MS);
	}
	return -1;
}

static bool is_there(const struct client *cl, const char *id)
{
	cleanup_fd int dir_fd = -1;
	struct err err;

	return client_open_container(cl, id, NULL, &dir_fd, &err) == 0 || err.code != ERR_NOT_FOUND;
}

int cmd_delete(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct delete_options *o = inv->options;

	if (delete_container(cl, inv->operands[0], o->force, err) == 0)
		return 0;
	/* With --force the wish is that it is not there. */
	return o->force && err->code == ERR_NOT_FOUND && !is_there(cl, inv->operands[0]) ? 0 : -1;
}
