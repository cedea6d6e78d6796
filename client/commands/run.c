/* SPDX-License-Identifier: Apache-2.0 */
/* thole run: create and start in one, in the foreground or detached, from a bundle or from flags. */
#include <stdio.h>
#include <string.h>

#include "client/foreground.h"
#include "client/quick.h"
#include "common/fd.h"
#include "common/statedir.h"

/* Flags that make a config.json say nothing where there is one. */
static int refuse_quick_flags(const struct launch_options *o, struct err *err)
{
	const struct {
		bool given;
		const char *name;
	} flags[] = {
		{ o->name, "name" },
		{ o->tty, "tty" },
		{ o->read_only, "read-only" },
		{ o->env.n > 0, "env" },
		{ o->bind.n > 0, "bind" },
		{ o->tmpfs.n > 0, "tmpfs" },
		{ o->workdir, "workdir" },
		{ o->user, "user" },
		{ o->hostname, "hostname" },
		{ o->memory, "memory" },
		{ o->cpus, "cpus" },
		{ o->network, "network" },
		{ o->pids_limit.set, "pids-limit" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].given)
			return err_set(err, ERR_USAGE, "--%s needs --rootfs: with a bundle its config.json says so",
				       flags[i].name);
	return 0;
}

static int check_usage(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct launch_options *o = inv->options;

	if (launch_check(cl, o, err) < 0)
		return -1;
	if (!o->detach && o->console_socket)
		return err_set(err, ERR_USAGE, "--console-socket needs --detach: else the terminal is passed on here");
	if (!o->rootfs) {
		if (inv->n != 1)
			return err_set(err, ERR_USAGE,
				       inv->n ? "run takes one ID, or --rootfs DIR and a command"
					      : "run needs an ID, or --rootfs DIR and a command");
		return refuse_quick_flags(o, err);
	}
	if (o->bundle || o->config)
		return err_set(err, ERR_USAGE, "--%s and --rootfs contradict each other",
			       o->bundle ? "bundle" : "config");
	if (inv->n == 0)
		return err_set(err, ERR_USAGE, "run --rootfs needs a command");
	return 0;
}

static int run_request(const struct client *cl, const struct launch_options *o, const char *id, const char *bundle,
		       struct err *err)
{
	struct launch_request req = { .id = id, .bundle = bundle, .options = o, .start = true };

	return launch_and_follow(cl, &req, err);
}

/* Was it made and is it only that something else failed afterwards? Then the bundle belongs to it. */
static bool container_exists(const struct client *cl, const char *id)
{
	cleanup_fd int dir_fd = -1;
	struct err ignored;

	return client_open_container(cl, id, NULL, &dir_fd, &ignored) == 0;
}

static int run_quick(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct launch_options *o = inv->options;
	cleanup_quick struct quick q = QUICK_NONE;
	cleanup_free char *made_up = NULL;
	const char *id = o->name;
	int status;

	if (!id && quick_name(&made_up, err) < 0)
		return -1;
	id = id ? id : made_up;
	if (statedir_check_id(id, err) < 0 || quick_write(cl, o, id, inv->operands, &q, err) < 0)
		return -1;
	status = run_request(cl, o, id, q.bundle, err);
	if (status < 0 && !container_exists(cl, id))
		quick_remove(&q);
	return status;
}

int cmd_run(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct launch_options *o = inv->options;

	if (check_usage(cl, inv, err) < 0)
		return -1;
	if (o->rootfs)
		return run_quick(cl, inv, err);
	if (statedir_check_id(inv->operands[0], err) < 0)
		return -1;
	return run_request(cl, o, inv->operands[0], o->bundle ? o->bundle : ".", err);
}
