/* SPDX-License-Identifier: Apache-2.0 */
/* thole restore: a container out of the files of a checkpoint, in the foreground or detached; or, of one that has stayed, in place. */
#include <fcntl.h>
#include <string.h>

#include "client/call.h"
#include "client/checkpoint.h"
#include "client/foreground.h"
#include "client/from.h"
#include "client/json.h"
#include "client/pid_file.h"
#include "client/signals.h"
#include "common/fd.h"
#include "common/statedir.h"

#define CANCEL_TIMEOUT_MS 30000

/* An image of thole's own form. `owner`: whose it has to be; NULL: anybody's. Its set may change again as soon as it is open. */
static int open_from(const struct client *cl, const char *id, const char *owner, const char *path,
		     const struct restore_options *o, struct checkpoint_files *ret, struct err *err)
{
	struct from from cleanup_from = FROM_NONE;

	/* It would not be what its manifest says any more. */
	if (o->criu.auto_dedup)
		return err_set(err, ERR_USAGE, "--auto-dedup would destroy what is in '%s': images of a set stay whole",
			       path);
	if (from_choose(cl, path, owner, &from, err) < 0)
		return -1;
	return from_files(cl, &from, id, &o->criu, o->rootfs, ret, err);
}

/* One of criu's form alone, as other runtimes have it; or one of a set, whose owner has to be that. */
static int open_path(const struct client *cl, const char *id, const char *owner, const struct criu_options *criu,
		     const struct restore_options *o, struct checkpoint_files *ret, struct err *err)
{
	const char *path = criu->image_path ? criu->image_path : CHECKPOINT_IMAGE_PATH;

	if (from_is_image(path))
		return open_from(cl, id, owner, path, o, ret, err);
	if (o->rootfs || o->criu.include_bind.n > 0)
		return err_set(err, ERR_USAGE, "--%s means nothing here: '%s' is no image of a set and has no files",
			       o->rootfs ? "rootfs" : "include-bind", path);
	return checkpoint_files_open(cl, criu, false, ret, err);
}

/* ---- in place -------------------------------------------------------------------------------------------------------------- */

/* Is there a container of this id that waits to come back? 0: there is none of this id. */
static int find_stayed(const struct client *cl, const char *id, int *ret_dir_fd, struct err *err)
{
	cleanup_fd int dir_fd = -1;
	enum container_status status;
	struct status_record rec;
	struct err ignored;

	if (client_open_container(cl, id, NULL, &dir_fd, &ignored) < 0 ||
	    statedir_read_status(dir_fd, &rec, &ignored) < 0 || call_is_leftover(dir_fd))
		return 0;
	status = statedir_refresh(&rec);
	if (status != STATUS_CHECKPOINTED)
		return err_set(err, ERR_STATE, "cannot restore container '%s': it is %s%s", id,
			       container_status_name(status),
			       statedir_ended_by_reboot(&rec)
				       ? " (reboot): delete it, and restore it from its image with --bundle"
				       : "");
	*ret_dir_fd = take_fd(&dir_fd);
	return 1;
}

/* It has its streams, its log and its groups. */
static int check_in_place(const char *id, const struct restore_options *o, struct err *err)
{
	const struct launch_options *l = &o->launch;
	const struct {
		bool given;
		const char *name;
	} flags[] = {
		{ l->console_socket, "console-socket" },
		{ l->pidfd_socket, "pidfd-socket" },
		{ l->preserve_fds.set, "preserve-fds" },
		{ l->log_driver.n > 0, "log-driver" },
		{ l->log_opt.n > 0, "log-opt" },
		{ l->log_path, "log-path" },
		{ l->stdio, "stdio" },
		{ l->monitor, "monitor" },
		{ l->shim_cgroup, "shim-cgroup" },
		{ l->interactive, "interactive" },
		{ l->remove, "rm" },
		{ l->stdin_once, "stdin-once" },
		{ l->drain_timeout, "drain-timeout" },
		{ l->keep, "keep" },
		{ l->keeper, "keeper" },
		{ l->sdnotify, "sdnotify" },
		{ l->detach_keys, "detach-keys" },
		{ l->no_pivot, "no-pivot" },
		{ l->no_new_keyring, "no-new-keyring" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].given)
			return err_set(
				err, ERR_USAGE,
				"--%s means nothing here: container '%s' is checkpointed and comes back in place, "
				"with what it had",
				flags[i].name, id);
	return 0;
}

/* Where its image is, unless the caller says. */
static int find_image(const char *id, int dir_fd, char **ret, struct err *err)
{
	cleanup_json json_object *state = NULL;
	const char *path;

	if (client_read_state(id, dir_fd, &state, err) < 0)
		return -1;
	path = json_get_text(state, "container.checkpoint", "");
	if (!path[0])
		return err_set(err, ERR_STATE, "it is not known where the image of container '%s' is: --image-path",
			       id);
	*ret = xstrdup(path);
	return 0;
}

static int ask(const struct client *cl, const char *id, struct call *c, const struct checkpoint_files *f,
	       uint32_t *ret_pid, struct err *err)
{
	cleanup_handover struct handover beside = { .n = 0 };
	Request req = Request_init_zero;
	FdRole roles[WIRE_ROLES_MAX];
	struct wire_fds fds = { 0 };
	Reply reply;

	req.which_body = Request_restore_tag;
	if (checkpoint_files_add(f, &beside, err) < 0)
		return -1;
	handover_roles(&beside, roles, &req.body.restore.fd_role_count);
	for (int i = 0; i < beside.n; i++)
		req.body.restore.fd_role[i] = roles[i];
	if (call_send(c, &req, beside.fd, beside.n, err) < 0 || call_reply(c, &reply, &fds, err) < 0)
		return -1;
	wire_fds_release(&fds);
	if (reply.which_body != Reply_restore_tag)
		return err_set(err, ERR_PROTOCOL, "the reply of the shim of '%s' is not one to a restore", id);
	*ret_pid = reply.body.restore.pid;
	if (reply.body.restore.remark[0])
		client_remark(cl, "%s", reply.body.restore.remark);
	return 0;
}

/* --from, --image-path, or where it went. */
static int open_image_in_place(const struct client *cl, const char *id, int dir_fd, const struct restore_options *o,
			       struct checkpoint_files *ret, struct err *err)
{
	struct criu_options criu = o->criu;
	cleanup_free char *image = NULL;

	if (o->from)
		return open_from(cl, id, id, o->from, o, ret, err);
	if (!criu.image_path) {
		if (find_image(id, dir_fd, &image, err) < 0)
			return -1;
		criu.image_path = image;
	}
	return open_path(cl, id, id, &criu, o, ret, err);
}

static int restore_in_place(const struct client *cl, const char *id, int dir_fd, const struct restore_options *o,
			    struct err *err)
{
	struct checkpoint_files f cleanup_checkpoint_files = CHECKPOINT_FILES_NONE;
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int signal_fd = -1;
	uint32_t pid;

	if (check_in_place(id, o, err) < 0 || pid_file_check(o->launch.pid_file, err) < 0 ||
	    open_image_in_place(cl, id, dir_fd, o, &f, err) < 0 ||
	    signals_open(SIGNALS_FOREGROUND, &signal_fd, err) < 0)
		return -1;
	c.signal_fd = signal_fd;
	if (call_open(cl, id, dir_fd, CALL_SERVE, &c, err) == 0 && ask(cl, id, &c, &f, &pid, err) == 0)
		return pid_file_write(o->launch.pid_file, pid, err) < 0
			       ? err_add(err, "container '%s' is back, but", id)
			       : 0;
	if (!call_interrupted(err))
		return -1;
	call_abandon(&c, CANCEL_TIMEOUT_MS);
	signals_die(c.signal);
	return -1;
}

/* ---- a new one ------------------------------------------------------------------------------------------------------------- */

static int restore_new(const struct client *cl, const char *id, const struct restore_options *o, struct err *err)
{
	struct checkpoint_files f cleanup_checkpoint_files = CHECKPOINT_FILES_NONE;
	struct launch_request req = {
		.id = id,
		.bundle = o->launch.bundle ? o->launch.bundle : ".",
		.options = &o->launch,
		.start = true,
		.restore = &f,
	};

	if (launch_check(cl, &o->launch, err) < 0)
		return -1;
	if (!o->launch.detach && o->launch.console_socket)
		return err_set(err, ERR_USAGE, "--console-socket needs --detach: else the terminal is passed on here");
	if ((o->from ? open_from(cl, id, NULL, o->from, o, &f, err) : open_path(cl, id, NULL, &o->criu, o, &f, err)) <
	    0)
		return -1;
	return launch_and_follow(cl, &req, err);
}

int cmd_restore(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct restore_options *o = inv->options;
	const char *id = inv->operands[0];
	cleanup_fd int dir_fd = -1;
	int stayed;

	if (o->criu.page_server && !o->criu.lazy_pages)
		return err_set(err, ERR_USAGE, "--page-server means nothing without --lazy-pages");
	if (o->from && o->criu.image_path)
		return err_set(err, ERR_USAGE, "--from and --image-path contradict each other");
	stayed = o->launch.bundle || o->launch.config ? 0 : find_stayed(cl, id, &dir_fd, err);

	if (stayed < 0)
		return -1;
	return stayed ? restore_in_place(cl, id, dir_fd, o, err) : restore_new(cl, id, o, err);
}
