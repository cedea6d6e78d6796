/* SPDX-License-Identifier: Apache-2.0 */
/* thole upgrade: another program in the place of running shims, whose containers go on. */
#include "client/all.h"
#include "client/call.h"
#include "client/command.h"
#include "client/shim_exec.h"
#include "common/fd.h"

#define PATIENCE_MS 30000 /* with a shim, or a program, that does not answer: the others are not to wait for ever */

static int add(Upgrade *msg, int fds[3], FdRole role, int fd)
{
	if (fd < 0)
		return 0;
	fds[msg->fd_role_count] = fd;
	msg->fd_role[msg->fd_role_count++] = role;
	return 1;
}

/* The answer comes from the program that is there afterwards. */
static int exchange(struct call *c, const struct shim_program *shim, struct err *err)
{
	Request req = Request_init_zero;
	struct wire_fds fds = { 0 };
	Reply reply;
	int sent[3], n = 0;

	req.which_body = Request_upgrade_tag;
	n += add(&req.body.upgrade, sent, FD_SHIM, shim->exe_fd);
	n += add(&req.body.upgrade, sent, FD_SHIM_MOUNT, shim->seal_fd);
	n += add(&req.body.upgrade, sent, FD_KEEPER, shim->keeper_fd);
	if (call_send(c, &req, sent, n, err) < 0 || call_reply(c, &reply, &fds, err) < 0)
		return -1;
	wire_fds_release(&fds);
	if (reply.which_body != Reply_upgrade_tag)
		return err_set(err, ERR_PROTOCOL, "the shim's reply is not one to an upgrade");
	return 0;
}

/* One that died over it is given another at once: the container is not to pay for our failure. */
static int lost(const struct client *cl, const char *id, struct err *err)
{
	struct err why;

	if (all_recover_one(cl, id, &why) == 0)
		return err_set(err, ERR_GONE, "its shim has died; another one has adopted it");
	if (why.code != ERR_NOT_FOUND)
		return err_set(err, ERR_GONE, "its shim has died, and there is no other: %s", why.text);
	/* It has ended by itself, and been removed. */
	*err = why;
	return -1;
}

/* What is to take a shim's place, and whether somebody has named it. */
struct wish {
	struct shim_program shim;
	bool named;
};

static int upgrade_one(const struct client *cl, const char *id, const struct wish *wish, struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int dir_fd = -1;

	c.patience_ms = PATIENCE_MS;
	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return -1;
	/* Without one there is nothing old: whichever is started is what there is now, unless it is to be another. */
	if (!call_shim_lives(dir_fd)) {
		if (all_recover_one(cl, id, err) < 0)
			return -1;
		if (!wish->named || !call_shim_lives(dir_fd))
			return 0;
	}
	if (call_open(cl, id, dir_fd, CALL_SERVE, &c, err) < 0)
		return -1;
	if (exchange(&c, &wish->shim, err) == 0)
		return 0;
	if (err->code == ERR_GONE)
		lost(cl, id, err);
	/* It names itself. */
	if (err->code == ERR_NOT_FOUND)
		return -1;
	return err_add(err, "container '%s'", id);
}

static int upgrade_wished(const struct client *cl, const char *id, void *wish, struct err *err)
{
	return upgrade_one(cl, id, wish, err);
}

static bool upgrade_or_say(const struct client *cl, const char *id, struct wish *wish, bool named)
{
	struct err err;

	if ((named ? upgrade_one(cl, id, wish, &err) : all_try(cl, id, upgrade_wished, wish, &err)) == 0)
		return true;
	client_report(cl, &err);
	return false;
}

static bool visit(const struct client *cl, const char *id, void *wish)
{
	return upgrade_or_say(cl, id, wish, false);
}

static int upgrade_all(const struct client *cl, struct wish *wish, struct err *err)
{
	int r = all_containers(cl, visit, wish, err);

	return r < 0 ? -1 : !r;
}

static int upgrade_these(const struct client *cl, const struct invocation *inv, struct wish *wish)
{
	bool well = true;

	for (int i = 0; i < inv->n; i++)
		well = upgrade_or_say(cl, inv->operands[i], wish, true) && well;
	return well ? 0 : 1;
}

int cmd_upgrade(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct upgrade_options *o = inv->options;
	struct wish wish = { .named = o->shim };
	int r;

	if (o->all && inv->n > 0)
		return err_set(err, ERR_USAGE, "--all and an ID contradict each other");
	if (!o->all && inv->n == 0)
		return err_set(err, ERR_USAGE, "upgrade needs an ID, or --all");
	if (shim_program_open(o->shim, &wish.shim, err) < 0)
		return -1;
	r = o->all ? upgrade_all(cl, &wish, err) : upgrade_these(cl, inv, &wish);
	shim_program_release(&wish.shim);
	return r;
}
