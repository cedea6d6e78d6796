/* SPDX-License-Identifier: Apache-2.0 */
/* What create and run have in common: a Create request from options, and the shim that it is sent to. */
#include "client/launch.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client/fields.h"
#include "client/handover.h"
#include "client/pid_file.h"
#include "client/rootless.h"
#include "client/term.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/memfd.h"
#include "common/number.h"
#include "common/statedir.h"

#define UNDO_TIMEOUT_MS 30000

void launch_release(struct launch *l)
{
	call_release(&l->call);
	wire_fds_release(&l->fds);
}

/* What only a shim that stays can do. */
static int check_foreign(const struct launch_options *o, struct err *err)
{
	const struct {
		bool given;
		const char *name;
	} flags[] = {
		{ o->log_driver.n > 0, "log-driver" }, { o->log_opt.n > 0, "log-opt" },
		{ o->log_path, "log-path" },           { o->stdin_once, "stdin-once" },
		{ o->drain_timeout, "drain-timeout" }, { o->detach && o->remove, "rm" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].given)
			return err_set(err, ERR_USAGE, "--%s needs --monitor=shim: else nobody stays who could do it",
				       flags[i].name);
	return 0;
}

int launch_check(const struct client *cl, const struct launch_options *o, struct err *err)
{
	bool foreign;

	if (handover_foreign(cl, o->monitor, o->stdio, &foreign, err) < 0 || (foreign && check_foreign(o, err) < 0) ||
	    pid_file_check(o->pid_file, err) < 0)
		return -1;
	if (o->keep && o->remove)
		return err_set(err, ERR_USAGE, "--keep and --rm contradict each other");
	return 0;
}

/* ---- the request ------------------------------------------------------------------------------- */

/* A Create with what rides beside it. */
struct packet {
	Request req;
	struct handover beside;
};

static int fill_log(Create *c, const struct launch_request *r, struct err *err)
{
	const struct launch_options *o = r->options;
	const struct log_flags flags = { &o->log_driver, &o->log_opt, o->log_path };
	const struct log_fields fields = LOG_FIELDS(c);
	cleanup_free char *data_dir = NULL;

	if (client_data_dir(r->id, &data_dir, err) < 0 ||
	    fields_text(c->data_dir, sizeof(c->data_dir), "the path of the data directory", data_dir, err) < 0)
		return -1;
	return fields_logs(&flags, &fields, err);
}

static int add_preserved(const struct client *cl, const struct launch_options *o, struct packet *p, struct err *err)
{
	uint64_t sockets = handover_listen_fds();

	p->req.body.create.listen_fds = (uint32_t)sockets;
	if (handover_add_preserved(&p->beside, cl, FIRST_PRESERVED_FD, sockets, "LISTEN_FDS", err) < 0)
		return -1;
	return handover_add_preserved(&p->beside, cl, FIRST_PRESERVED_FD + sockets, o->preserve_fds.v, "--preserve-fds",
				      err);
}

/* It may be a pipe, which only we may wait for. */
static int add_config(const char *path, struct handover *h, struct err *err)
{
	cleanup_free char *text = NULL;
	cleanup_fd int fd = -1;
	size_t len;
	int memfd;

	if (!path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", path);
	if (fd_read_all(fd, STATEDIR_CONFIG_MAX, &text, &len, err) < 0)
		return err_add(err, "'%s'", path);
	return memfd_sealed("config", text, len, &memfd, err) < 0 ? -1 : handover_give(h, FD_CONFIG, memfd, err);
}

static int add_descriptors(const struct client *cl, const struct launch_request *r, struct packet *p, struct err *err)
{
	const struct launch_options *o = r->options;
	Create *c = &p->req.body.create;
	int bundle_fd = open(r->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (bundle_fd < 0)
		return err_sys(err, "cannot open bundle '%s'", r->bundle);
	if (handover_give(&p->beside, FD_BUNDLE, bundle_fd, err) < 0 || add_config(o->config, &p->beside, err) < 0 ||
	    ((c->stdio == STDIO_INHERIT || c->stdio == STDIO_PASS) && handover_add_stdio(&p->beside, err) < 0) ||
	    handover_add_socket(&p->beside, FD_CONSOLE_SOCKET, o->console_socket, err) < 0 ||
	    handover_add_socket(&p->beside, FD_PIDFD_SOCKET, o->pidfd_socket, err) < 0 ||
	    (r->restore && checkpoint_files_add(r->restore, &p->beside, err) < 0) || add_preserved(cl, o, p, err) < 0)
		return -1;
	c->more_preserved = handover_roles(&p->beside, c->fd_role, &c->fd_role_count);
	return 0;
}

/* What follows processes by their groups follows ours too: systemd drops notifications from outside of the unit's group, and a monitor of its caller's does not leave
 * its group either. A container without groups of its own is in the shim's, which is to be the caller's. */
static const char *shim_cgroup(const struct launch_options *o, bool foreign, CgroupManager manager)
{
	bool followed = getenv("NOTIFY_SOCKET") && !(o->sdnotify && !strcmp(o->sdnotify, "ignore"));

	if (!o->shim_cgroup && (foreign || manager == CGROUP_MANAGER_DISABLED || followed))
		return "keep";
	return o->shim_cgroup;
}

/* What this process's service manager hears, and from whom. */
static int fill_notify(Create *c, const struct launch_options *o, struct err *err)
{
	static const struct {
		const char *name;
		SdNotify mode;
	} modes[] = { { "container", SD_NOTIFY_CONTAINER },
		      { "conmon", SD_NOTIFY_CONMON },
		      { "ignore", SD_NOTIFY_IGNORE } };
	const char *socket = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC"), *name = o->sdnotify;
	size_t i = 0;

	while (name && i < ARRAY_SIZE(modes) && strcmp(name, modes[i].name) != 0)
		i++;
	if (i == ARRAY_SIZE(modes))
		return err_set(err, ERR_USAGE, "--sdnotify is conmon, container or ignore, not '%s'", name);
	/* Who passes everything on and leaves cannot stand in between. */
	if (!socket || !*socket || c->leave)
		return 0;
	c->sd_notify = modes[i].mode;
	if (c->sd_notify == SD_NOTIFY_IGNORE)
		return 0;
	if (*socket != '/' && *socket != '@')
		return err_set(
			err, ERR_USAGE,
			"NOTIFY_SOCKET: '%s' is neither a path nor an abstract socket; --sdnotify=ignore does without",
			socket);
	if (watchdog && !number_u64(watchdog, UINT64_MAX, &c->watchdog_usec))
		return err_set(err, ERR_USAGE, "WATCHDOG_USEC: '%s' is no number", watchdog);
	return fields_text(c->notify_socket, sizeof(c->notify_socket), "NOTIFY_SOCKET", socket, err);
}

static CgroupManager cgroup_manager(const struct global_options *g)
{
	if (g->systemd_cgroup || (g->cgroup_manager && !strcmp(g->cgroup_manager, "systemd")))
		return CGROUP_MANAGER_SYSTEMD;
	if (g->cgroup_manager && !strcmp(g->cgroup_manager, "disabled"))
		return CGROUP_MANAGER_DISABLED;
	return CGROUP_MANAGER_CGROUPFS;
}

static int packet_fill(const struct client *cl, const struct launch_request *r, struct packet *p, struct err *err)
{
	Create *c = &p->req.body.create;
	bool foreign, cgroups_optional;

	p->req = (Request)Request_init_zero;
	p->req.which_body = Request_create_tag;
	c->start = r->start;
	if (handover_foreign(cl, r->options->monitor, r->options->stdio, &foreign, err) < 0 ||
	    rootless_judge(cl->global.rootless, &cgroups_optional, err) < 0)
		return -1;
	c->stdio = handover_stdio_mode(cl, foreign, r->foreground, r->options->stdio);
	c->cgroups_optional = cgroups_optional;
	c->leave = foreign && !r->foreground;
	c->stdin_once = r->options->stdin_once;
	c->open_stdin = r->open_stdin || c->stdin_once || c->stdio == STDIO_INHERIT;
	c->remove_at_exit = r->remove_at_exit;
	c->cgroup_manager = cgroup_manager(&cl->global);
	c->no_pivot = r->options->no_pivot;
	c->no_new_keyring = r->options->no_new_keyring;
	c->keeper = r->options->keeper;
	c->detach = !r->foreground;
	if (r->size)
		term_size(&c->rows, &c->columns);
	if (fields_text(c->id, sizeof(c->id), "container id", r->id, err) < 0 ||
	    fields_text(c->shim_cgroup, sizeof(c->shim_cgroup), "--shim-cgroup",
			shim_cgroup(r->options, foreign, c->cgroup_manager), err) < 0 ||
	    fill_log(c, r, err) < 0 ||
	    fields_drain(r->options->drain_timeout, &c->has_drain_ms, &c->drain_ms, err) < 0 ||
	    fill_notify(c, r->options, err) < 0)
		return -1;
	return add_descriptors(cl, r, p, err);
}

/* ---- the shim ---------------------------------------------------------------------------------- */

/* Where a shim that is asked to be in `where` should be from its beginning. */
static const char *group_of_shim(const char *where)
{
	if (where[0] == '/')
		return where;
	return !where[0] || !strcmp(where, "own") ? STATEDIR_SHIMS_GROUP : NULL;
}

/* since_ns: what was created before that is not ours, but another one of that id. */
static bool passed_on(const struct client *cl, const char *id, uint64_t since_ns, int sig)
{
	cleanup_fd int dir_fd = -1;
	struct status_record rec;
	struct err ignored;

	return client_read_container(cl, id, &dir_fd, &rec, &ignored) == 0 && rec.status == STATUS_RUNNING &&
	       rec.created_ns >= since_ns && call_signal_init(id, dir_fd, sig, &ignored) == 0;
}

/* Its program runs before its poststart hooks are through, which are waited for: signals are the program's by then. */
static int reply_or_pass_on(const struct client *cl, const char *id, uint64_t since_ns, struct call *c, Reply *ret,
			    struct wire_fds *ret_fds, struct err *err)
{
	int r;

	do
		r = call_reply(c, ret, ret_fds, err);
	while (r < 0 && call_interrupted(err) && passed_on(cl, id, since_ns, c->signal));
	return r;
}

static int launch_once(const struct client *cl, const char *id, struct packet *p, struct launch *l, struct err *err)
{
	const Create *create = &p->req.body.create;
	const struct shim_start how = {
		.mode = SHIM_LAUNCH,
		.brief = create->leave,
		.group = group_of_shim(create->shim_cgroup),
		/* A service manager asks who the main process's parent is when it is told of it: ours, who are about to end. */
		.orphan = create->detach && create->notify_socket[0],
	};
	const uint64_t since_ns = clock_wall_ns();
	Reply reply;

	call_release(&l->call);
	if (call_launch(cl, id, &how, &p->req, p->beside.fd, p->beside.n, &l->call, err) < 0 ||
	    (create->start ? reply_or_pass_on(cl, id, since_ns, &l->call, &reply, &l->fds, err)
			   : call_reply(&l->call, &reply, &l->fds, err)) < 0)
		return -1;
	if (reply.which_body != Reply_create_tag)
		return err_set(err, ERR_PROTOCOL, "the shim's reply is not one to a create");
	l->reply = reply.body.create;
	if (l->reply.remark[0])
		client_remark(cl, "%s", l->reply.remark);
	if (p->req.body.create.leave)
		call_await_leave(&l->call);
	return 0;
}

static bool is_leftover(const struct client *cl, const char *id)
{
	cleanup_fd int dir_fd = -1;
	struct err ignored;

	return client_open_container(cl, id, NULL, &dir_fd, &ignored) == 0 && call_is_leftover(dir_fd);
}

static int remove_container(const struct client *cl, const char *id, struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int dir_fd = -1;
	Request req = Request_init_zero;

	req.which_body = Request_delete_tag;
	req.body.delete.force = true;
	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0 || call_open(cl, id, dir_fd, CALL_SERVE, &c, err) < 0)
		return -1;
	return call_request(&c, &req, NULL, err);
}

/* The shim was killed before it answered: nobody else cleans up behind it now. It may have come so far that there is a container,
 * which nobody was told of. */
static void clean_up_lost(const struct client *cl, const char *id)
{
	struct err err;
	int r = call_undo(cl, id, &err);

	if (r < 0 && err.code == ERR_STATE)
		r = remove_container(cl, id, &err);
	/* Nothing there: it had not begun. Busy: it lives, and undoes by itself. */
	if (r < 0 && err.code != ERR_NOT_FOUND && err.code != ERR_BUSY)
		client_remark(cl, "cannot remove what is left of container '%s': %s", id, err.text);
}

static int launch_or_clean(const struct client *cl, const char *id, struct packet *p, struct launch *l, struct err *err)
{
	struct err undo;

	if (launch_once(cl, id, p, l, err) == 0)
		return 0;
	if (err->code == ERR_EXISTS && is_leftover(cl, id)) {
		/* Somebody else may have removed it just now. */
		if (call_undo(cl, id, &undo) < 0 && undo.code != ERR_NOT_FOUND) {
			if (undo.code == ERR_BUSY)
				return -1; /* another create is at it: the id is in use */
			*err = undo;
			return err_add(err, "cannot remove what an earlier create of '%s' left", id);
		}
		if (launch_once(cl, id, p, l, err) == 0)
			return 0;
	}
	if (call_interrupted(err))
		call_abandon(&l->call, UNDO_TIMEOUT_MS);
	if (err->code == ERR_GONE)
		clean_up_lost(cl, id);
	return -1;
}

int launch_container(const struct client *cl, const struct launch_request *req, struct launch *ret, struct err *err)
{
	struct packet p = { .beside = { .n = 0 } };
	int r = packet_fill(cl, req, &p, err);

	if (r == 0)
		r = launch_or_clean(cl, req->id, &p, ret, err);
	handover_release(&p.beside);
	/* Whoever follows it may do so for days; the shim has what it needs. */
	if (r == 0 && req->restore)
		checkpoint_files_close(req->restore);
	return r;
}

/* ---- the pid file ------------------------------------------------------------------------------ */

int launch_pid_file(const struct client *cl, const struct launch_request *req, uint32_t pid, struct err *err)
{
	struct err removal;

	if (pid_file_write(req->options->pid_file, pid, err) == 0)
		return 0;
	if (remove_container(cl, req->id, &removal) < 0 && removal.code != ERR_NOT_FOUND)
		client_remark(cl, "cannot remove container '%s': %s", req->id, removal.text);
	return -1;
}
