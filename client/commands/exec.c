/* SPDX-License-Identifier: Apache-2.0 */
/* thole exec: run a further process in a container, in the foreground or detached. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/exec_process.h"
#include "client/fields.h"
#include "client/handover.h"
#include "client/pid_file.h"
#include "client/relay.h"
#include "client/relay_return.h"
#include "client/signals.h"
#include "client/term.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/proc.h"
#include "common/statedir.h"

/* One exec, from its options to the process that runs. */
struct execution {
	const struct client *cl;
	const struct exec_options *o;
	const char *id;
	bool use_stdin;
	bool foreign;  /* the process is our caller's */
	bool launcher; /* it is a launcher that has started it */
	struct call call;
	ExecReply reply;
	struct wire_fds fds; /* the streams, in the order of reply.fd_role */
};

/* ---- usage ------------------------------------------------------------------------------------- */

/* Flags that describe a process say nothing where a file does. runc passes over them in silence, and its callers may rely on that. */
static int refuse_process_flags(const struct exec_options *o, struct err *err)
{
	const struct {
		bool given;
		const char *name;
	} flags[] = {
		{ o->tty, "tty" },
		{ o->cwd, "cwd" },
		{ o->env.n > 0, "env" },
		{ o->user, "user" },
		{ o->additional_gids.n > 0, "additional-gids" },
		{ o->cap.n > 0, "cap" },
		{ o->no_new_privs.set, "no-new-privs" },
		{ o->apparmor, "apparmor" },
		{ o->process_label, "process-label" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].given)
			return err_set(err, ERR_USAGE, "--%s and --process contradict each other: the file says so",
				       flags[i].name);
	return 0;
}

static int check_usage(const struct client *cl, const struct invocation *inv, bool foreign, struct err *err)
{
	const struct exec_options *o = inv->options;
	bool command = inv->n > 1;

	if (!o->process && !command)
		return err_set(err, ERR_USAGE, "exec needs a command, or --process FILE");
	if (!o->detach && o->console_socket)
		return err_set(err, ERR_USAGE, "--console-socket needs --detach: else the terminal is passed on here");
	if (!o->detach && o->print_name)
		return err_set(err, ERR_USAGE, "--print-name needs --detach");
	if (foreign && o->checkpointable)
		return err_set(err, ERR_USAGE,
			       "--checkpointable needs --monitor=shim: else it would be its caller's child");
	if (foreign && (o->log_driver.n > 0 || o->log_opt.n > 0 || o->log_path || o->drain_timeout))
		return err_set(err, ERR_USAGE,
			       "--log-driver, --log-opt, --log-path and --drain-timeout need --monitor=shim: "
			       "else nobody stays who could do it");
	if (o->log_driver.n == 0 && (o->log_opt.n > 0 || o->log_path))
		return err_set(err, ERR_USAGE,
			       "--log-opt and --log-path need --log-driver: without one there is no log");
	if (foreign && o->print_name)
		return err_set(err, ERR_USAGE, "--print-name needs --monitor=shim: else nobody waits for it here");
	if (pid_file_check(o->pid_file, err) < 0)
		return -1;
	if (!o->process || cl->oci || foreign)
		return 0;
	if (command)
		return err_set(err, ERR_USAGE, "--process and a command contradict each other");
	return refuse_process_flags(o, err);
}

/* ---- the request ------------------------------------------------------------------------------- */

/* As it is: the shim judges it. */
static int read_description(const char *path, char **ret_text, size_t *ret_len, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "--process: cannot open '%s'", path);
	if (fd_read_all(fd, EXEC_PROCESS_MAX, ret_text, ret_len, err) < 0)
		return err_add(err, "--process: '%s'", path);
	return 0;
}

#define CAP_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"

/* What is no capability's name the shim refuses; runc passes over it with a warning, as over the name of one that the kernel does not have. The array is the caller's. */
static struct opt_list names_of_caps(const struct client *cl, const struct opt_list *list)
{
	struct opt_list caps = { .v = xcalloc(list->n + 1, sizeof(*caps.v)) };

	for (size_t i = 0; i < list->n; i++) {
		const char *name = list->v[i];
		struct err note;

		if (!cl->oci || (!strncmp(name, "CAP_", 4) && name[4] && !name[4 + strspn(name + 4, CAP_CHARS)])) {
			caps.v[caps.n++] = name;
			continue;
		}
		err_set(&note, ERR_USAGE, "'%s' cannot be given: it is no capability", name);
		err_clean(&note);
		client_remark(cl, "%s", note.text);
	}
	return caps;
}

static int make_description(const struct client *cl, const struct exec_options *o, const char *rootfs, char **command,
			    char **ret_text, size_t *ret_len, struct err *err)
{
	cleanup_json json_object *overlay = NULL;
	struct exec_options usable = *o;
	int r;

	usable.cap = names_of_caps(cl, &o->cap);
	r = exec_process_overlay(&usable, rootfs, command, &overlay, err);
	free(usable.cap.v);
	if (r < 0)
		return -1;
	*ret_text = xstrdup(json_to_text(overlay, JSON_C_TO_STRING_PLAIN));
	*ret_len = strlen(*ret_text);
	return 0;
}

static int add_process(const struct client *cl, const struct invocation *inv, const char *rootfs, struct handover *h,
		       struct err *err)
{
	const struct exec_options *o = inv->options;
	cleanup_free char *text = NULL;
	size_t len = 0;
	int fd, r;

	if (o->process)
		r = read_description(o->process, &text, &len, err);
	else
		r = make_description(cl, o, rootfs, inv->operands + 1, &text, &len, err);
	if (r < 0)
		return -1;
	return exec_process_memfd(text, len, &fd, err) < 0 ? -1 : handover_give(h, FD_PROCESS, fd, err);
}

/* `oci`: an empty word is none, as with runc. */
static int add_cgroups(Exec *e, const struct opt_list *groups, bool oci, struct err *err)
{
	for (size_t i = 0; i < groups->n; i++) {
		if (oci && !groups->v[i][0])
			continue;
		if (e->cgroup_count == ARRAY_SIZE(e->cgroup))
			return err_set(err, ERR_LIMIT, "more than %zu options --cgroup", ARRAY_SIZE(e->cgroup));
		if (strlen(groups->v[i]) >= sizeof(e->cgroup[i]))
			return err_set(err, ERR_LIMIT, "--cgroup is longer than %zu bytes", sizeof(e->cgroup[i]) - 1);
		memcpy(e->cgroup[e->cgroup_count++], groups->v[i], strlen(groups->v[i]) + 1);
	}
	return 0;
}

static int fill_request(struct execution *x, const struct invocation *inv, const char *rootfs, Request *req,
			struct handover *h, struct err *err)
{
	const struct exec_options *o = x->o;
	const struct log_flags flags = { &o->log_driver, &o->log_opt, o->log_path };
	Exec *e = &req->body.exec;
	const struct log_fields fields = LOG_FIELDS(e);

	req->which_body = Request_exec_tag;
	e->stdio = handover_stdio_mode(x->cl, x->foreign, !o->detach, o->stdio);
	e->leave = x->foreign && o->detach;
	e->open_stdin = e->stdio == STDIO_INHERIT || x->use_stdin;
	e->whole = o->process != NULL;
	e->ignore_paused = o->ignore_paused;
	e->checkpointable = o->checkpointable;
	e->hold = e->stdio == STDIO_FOREGROUND;
	if (!o->detach)
		term_size(&e->rows, &e->columns);
	if (fields_logs(&flags, &fields, err) < 0 ||
	    fields_drain(o->drain_timeout, &e->has_drain_ms, &e->drain_ms, err) < 0 ||
	    add_cgroups(e, &o->cgroup, x->cl->oci, err) < 0 || add_process(x->cl, inv, rootfs, h, err) < 0 ||
	    ((e->stdio == STDIO_INHERIT || e->stdio == STDIO_PASS) && handover_add_stdio(h, err) < 0) ||
	    handover_add_socket(h, FD_CONSOLE_SOCKET, o->console_socket, err) < 0 ||
	    handover_add_socket(h, FD_PIDFD_SOCKET, o->pidfd_socket, err) < 0 ||
	    handover_add_preserved(h, x->cl, FIRST_PRESERVED_FD, o->preserve_fds.v, "--preserve-fds", err) < 0)
		return -1;
	e->more_preserved = handover_roles(h, e->fd_role, &e->fd_role_count);
	return 0;
}

static int receive_reply(struct execution *x, struct err *err)
{
	Reply reply;

	if (call_reply(&x->call, &reply, &x->fds, err) < 0)
		return -1;
	if (reply.which_body != Reply_exec_tag) {
		wire_fds_release(&x->fds);
		return err_set(err, ERR_PROTOCOL, "the shim's reply is not one to an exec");
	}
	x->reply = reply.body.exec;
	if (x->reply.note[0])
		client_remark(x->cl, "%s", x->reply.note);
	return 0;
}

/* What a shim would say too; but a container that has ended may have none, and that is not what is wrong then. */
static int check_state(const char *id, const struct status_record *rec, struct err *err)
{
	enum container_status status = statedir_refresh(rec);

	if (status == STATUS_CREATED || status == STATUS_RUNNING || status == STATUS_PAUSED)
		return 0;
	return err_set(err, ERR_STATE, "cannot exec in container '%s': it is %s", id, container_status_name(status));
}

/* A process of its caller's must be the child of a launcher below that caller: an orphan goes to the nearest subreaper above. Such a launcher also does for a container
 * that has no shim (any more). */
static int open_call(struct execution *x, int dir_fd, struct err *err)
{
	x->launcher = true;
	if (x->foreign)
		return call_exec(x->cl, x->id, x->o->detach, &x->call, err);
	x->launcher = false;
	if (call_open(x->cl, x->id, dir_fd, CALL_REFUSE, &x->call, err) == 0)
		return 0;
	x->launcher = err->code == ERR_STATE;
	return x->launcher ? call_exec(x->cl, x->id, false, &x->call, err) : -1;
}

/* On success the process's program runs. */
static int start_process(struct execution *x, const struct invocation *inv, struct err *err)
{
	cleanup_handover struct handover h = { .n = 0 };
	Request req = Request_init_zero;
	cleanup_fd int dir_fd = -1;
	struct status_record rec;

	if (client_read_container(x->cl, x->id, &dir_fd, &rec, err) < 0 || check_state(x->id, &rec, err) < 0 ||
	    fill_request(x, inv, rec.rootfs, &req, &h, err) < 0 || open_call(x, dir_fd, err) < 0)
		return -1;
	if (h.n > WIRE_ROLES_MAX && !(x->call.features & WIRE_FEATURE_MANY_FDS))
		return err_set(err, ERR_UNSUPPORTED,
			       "the shim of container '%s' is older than --preserve-fds with more than some %d "
			       "('thole upgrade' changes that)",
			       x->id, WIRE_ROLES_MAX);
	return call_send(&x->call, &req, h.fd, h.n, err) < 0 ? -1 : receive_reply(x, err);
}

/* ---- what runs --------------------------------------------------------------------------------- */

/* A process that its caller could not find by its pid file is one that nobody has asked for. */
static int write_pid_file(struct execution *x, struct err *err)
{
	Request req = Request_init_zero;
	struct err kill_err;

	if (pid_file_write(x->o->pid_file, x->reply.pid, err) == 0)
		return 0;
	/* The launcher leaves: it has given us what is needed. */
	if (x->foreign && x->o->detach) {
		if (x->fds.n == 1 && proc_pidfd_kill(x->fds.fd[0], SIGKILL, &kill_err) < 0)
			client_remark(x->cl, "cannot kill process %u: %s", x->reply.pid, kill_err.text);
		return -1;
	}
	req.which_body = Request_kill_tag;
	req.body.kill.signal = SIGKILL;
	memcpy(req.body.kill.name, x->reply.name, sizeof(req.body.kill.name));
	if (call_send(&x->call, &req, NULL, 0, &kill_err) < 0)
		client_remark(x->cl, "cannot kill process %s of container '%s': %s", x->reply.name, x->id,
			      kill_err.text);
	return -1;
}

static int relay_process(struct execution *x, struct relay *r, struct err *err)
{
	enum relay_end end;
	Exit exit;

	r->process = x->reply.name;
	r->terminal = x->reply.terminal;
	r->use_stdin = x->use_stdin;
	r->id = x->id;
	/* A launcher's process is nobody's to adopt. */
	if (!x->launcher)
		r->another = relay_return_follower;
	relay_take_streams(r, x->reply.fd_role, x->reply.fd_role_count, &x->fds);
	if (relay_run(r, &end, &exit, err) < 0)
		return -1;
	if (end == RELAY_LEFT)
		return 0;
	if (end == RELAY_LOST)
		return -1;
	if (x->foreign) {
		call_release(&x->call);
		call_await_leave(&x->call);
	}
	if (!exit.known)
		return err_set(err, ERR_GONE, "the exit status of the process is unknown: nobody saw it");
	return (int)(exit.code & 0xff);
}

static int exec_detached(struct execution *x, const struct invocation *inv, struct err *err)
{
	if (start_process(x, inv, err) < 0)
		return -1;
	if (x->foreign)
		call_await_leave(&x->call);
	if (write_pid_file(x, err) < 0)
		return -1;
	if (x->o->print_name)
		puts(x->reply.name);
	return 0;
}

static int exec_foreground(struct execution *x, const struct invocation *inv, struct err *err)
{
	cleanup_fd int signal_fd = -1;
	struct relay r;

	if (relay_prepare(&r, x->cl, &x->call, x->o->detach_keys, err) < 0)
		return -1;
	/* Before there is a process: a signal that comes when there is one is meant for it. */
	if (signals_open(x->o->no_sig_proxy ? SIGNALS_WINDOW : SIGNALS_FOREGROUND, &signal_fd, err) < 0)
		return -1;
	x->call.signal_fd = signal_fd;
	if (start_process(x, inv, err) < 0 || write_pid_file(x, err) < 0) {
		if (call_interrupted(err))
			signals_die(x->call.signal);
		return -1;
	}
	return relay_process(x, &r, err);
}

int cmd_exec(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct exec_options *o = inv->options;
	struct execution x = {
		.cl = cl,
		.o = o,
		.id = inv->operands[0],
		.use_stdin = o->interactive || (!o->detach && handover_has_stdin(cl)),
		.call = CALL_NONE,
	};
	int status;

	if (handover_foreign(cl, o->monitor, o->stdio, &x.foreign, err) < 0 || check_usage(cl, inv, x.foreign, err) < 0)
		return -1;
	status = o->detach ? exec_detached(&x, inv, err) : exec_foreground(&x, inv, err);
	call_release(&x.call);
	wire_fds_release(&x.fds);
	return status;
}
