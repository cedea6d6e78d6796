/* SPDX-License-Identifier: Apache-2.0 */
/* Further processes in a running container.
 *
 * Each is the shim's own child, as init is, with streams of its own. Until its program runs it belongs to whoever asked for it; afterwards its status is kept until
 * it has been asked for, or 64 others have ended. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"
#include "shim/container/exec_config.h"
#include "shim/container/follower.h"
#include "shim/container/handshake.h"
#include "shim/container/notify.h"
#include "shim/container/streams.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/child_exec.h"
#include "shim/sandbox/idmap.h"
#include "shim/sandbox/limits.h"
#include "shim/sandbox/lsm.h"
#include "shim/sandbox/fd_socket.h"

#define ENDED_MAX 64

struct exec {
	struct process p; /* first: a process of this list is an exec */
	char *ret_name;   /* the caller's; good until the answer */
	struct container_exec params;
	struct oci_config *config; /* until it runs */
	int child_stdio[3];
	int sync_fd, member_fd, master_fd, listener_fd;
	struct event *sync;
	int joiner_fd; /* pidfd of the process that joins and clones; -1: no more */
	struct event *joiner_end;
	pid_t *cloned; /* whom it has cloned, as the kernel told: a mapping that it sees too, until it is dead */
	bool ready, told_to_run;
	bool runs;     /* its program, or it did */
	bool expected; /* out of a checkpoint, which is not through yet */
	bool unreaped; /* init does not reap whom it inherits */
	char *remark;  /* on its description; NULL: none */
	struct streams_request streams;
	uint64_t ns_flags; /* CLONE_NEW*: what the container has of its own */
	struct relay_ends ends;
	struct relay_client *client;
	struct pending done;
};

static const struct process_ops exec_ops;

static struct exec *exec_of(struct process *p)
{
	return (struct exec *)p;
}

/* It has nothing more to do, or nothing more to be waited for. What it has cloned below init only it can find, and the end of the connection tells it to. */
static void joiner_over(struct exec *x)
{
	if (x->joiner_end)
		event_free(x->joiner_end);
	x->joiner_end = NULL;
	if (x->joiner_fd < 0)
		return;
	if (x->params.checkpointable && x->sync_fd < 0)
		process_await_joiner(x->p.c, take_fd(&x->joiner_fd), take_ptr(x->cloned));
	else
		process_kill_joiner(x->p.c, take_fd(&x->joiner_fd), take_ptr(x->cloned));
}

/* What only the launch needs. */
static void launch_over(struct exec *x)
{
	if (x->sync)
		event_free(x->sync);
	x->sync = NULL;
	fd_close(&x->sync_fd); /* a joiner that still waits for us leaves */
	fd_close(&x->master_fd);
	fd_close(&x->listener_fd);
	fd_close(&x->member_fd);
	for (int i = 0; i < 3; i++)
		fd_close(&x->child_stdio[i]);
	container_fds_release(&x->params.fds);
	oci_config_free(x->config);
	x->config = NULL;
	joiner_over(x);
}

static void exec_free(struct exec *x)
{
	LIST_REMOVE(&x->p, link);
	if (x->joiner_fd < 0 && x->cloned)
		munmap(x->cloned, sizeof(*x->cloned)); /* there never was one */
	if (x->p.pidfd >= 0 && (!x->p.exited || x->p.leave))
		process_kill_later(x->p.c, take_fd(&x->p.pidfd));
	if (x->member_fd >= 0)
		process_kill_later(x->p.c, take_fd(&x->member_fd));
	launch_over(x);
	relay_ends_close(&x->ends);
	logging_release(&x->p, !x->runs);
	keep_close_terminal(&x->p);
	process_release(&x->p);
	free(x->remark);
	free(x);
}

void exec_free_all(struct container *c)
{
	struct process *p;

	/* They are not killed: a shim that leaves says nothing of them. */
	while ((p = LIST_FIRST(&c->execs))) {
		struct exec *x = exec_of(p);

		LIST_REMOVE(p, link);
		launch_over(x);
		logging_release(p, false);
		process_release(p);
		free(x->remark);
		free(x);
	}
	free(c->ended);
	c->ended = NULL;
	c->n_ended = 0;
}

/* ---- its end ------------------------------------------------------------------------------------------------------------- */

/* Of one that has ended, and of whom everybody who asked was told. */
struct exec_ended {
	char name[PROCESS_NAME_MAX];
	struct container_exit exit;
};

static void forget(struct container *c, size_t i)
{
	c->n_ended--;
	memmove(&c->ended[i], &c->ended[i + 1], (c->n_ended - i) * sizeof(*c->ended));
}

/* The list is in the order of what happened last: the start, or the end. */
static void move_to_newest(struct process *p)
{
	LIST_REMOVE(p, link);
	LIST_INSERT_HEAD(&p->c->execs, p, link);
}

static void drop_oldest(struct container *c)
{
	struct process *p, *oldest = NULL;
	size_t n = 0;

	LIST_FOREACH(p, &c->execs, link)
	if (p->exited && p->drained && !p->watches && !exec_of(p)->config) {
		oldest = p;
		n++;
	}
	if (n + c->n_ended <= ENDED_MAX)
		return;
	if (c->n_ended > 0)
		forget(c, 0);
	else
		exec_free(exec_of(oldest));
}

static bool is_over(struct process *p)
{
	const struct exec *x = exec_of(p);

	return p->exited && p->drained && p->pidfd < 0 && !p->watches && !x->config && !x->done.cb &&
	       !event_pending(p->news, EV_READ | EV_TIMEOUT, NULL);
}

static void remember(struct container *c, const struct process *p)
{
	struct exec_ended *e;

	if (!c->ended)
		c->ended = xcalloc(ENDED_MAX, sizeof(*c->ended));
	if (c->n_ended == ENDED_MAX)
		forget(c, 0);
	e = &c->ended[c->n_ended++];
	memcpy(e->name, p->name, sizeof(e->name));
	e->exit = p->exit;
}

/* Objects that stay are between others that went, and each of them holds a page of memory. */
void exec_retire_ended(struct container *c)
{
	struct process *p, *oldest;

	do {
		oldest = NULL;
		LIST_FOREACH(p, &c->execs, link)
		if (is_over(p))
			oldest = p;
		if (oldest) {
			remember(c, oldest);
			exec_free(exec_of(oldest));
		}
	} while (oldest);
}

struct process *exec_revive(struct container *c, const char *name)
{
	for (size_t i = 0; i < c->n_ended; i++) {
		struct process *p;

		if (strcmp(c->ended[i].name, name) != 0)
			continue;
		p = exec_adopt(c, name);
		p->exited = p->drained = true;
		p->exit = c->ended[i].exit;
		forget(c, i);
		return p;
	}
	return NULL;
}

static bool died(struct process *p)
{
	return !p->away; /* else it is criu's doing: it is in the image */
}

static void ended(struct process *p)
{
	log_debug("container '%s': process %s has ended with status %d", container_id(p->c), p->name, p->exit.code);
	/* As a shell tells it too, of its child. */
	if (p->exit.code == 128 + SIGKILL)
		exit_note_outlived(p->c);
}

/* Its client is slow, or others hold its pipes: nobody else knows how it has ended, should we be killed before all is through. */
static void save_end(struct process *p)
{
	struct err err;

	if (p->drained || !p->follower.pid || !p->relay || p->c->joined)
		return;
	if ((relay_is_held(p->relay) || relay_fd(p->relay, STREAM_STDOUT) >= 0 ||
	     relay_fd(p->relay, STREAM_STDERR) >= 0) &&
	    state_save_process(p->c, p, &err) < 0)
		log_warn("container '%s': %s", container_id(p->c), err.text);
}

static void news(struct process *p, bool late)
{
	struct exec *x = exec_of(p);
	struct container *c = p->c;

	if (x->done.cb)
		return; /* it is not known yet whether its program has run */
	save_end(p);
	process_tell(p, false);
	if (!p->drained)
		return;
	logging_finish(p);
	process_tell(p, true);
	if (p->pidfd >= 0)
		move_to_newest(p); /* not one that is asked for once more */
	process_settle(p);
	logging_close(p);
	drop_oldest(c);
	remove_goes_on(c);
	container_quiet(c);
}

static const struct process_ops exec_ops = { .died_cb = died, .ended_cb = ended, .news_cb = news };

/* ---- its launch ------------------------------------------------------------------------------------------------------------ */

/* The answer. On failure nothing is left of it. */
static void finish(struct exec *x, const struct err *err)
{
	struct pending done = x->done;
	struct container *c = x->p.c;

	x->done = (struct pending) { NULL, NULL };
	if (err)
		exec_free(x);
	if (!err)
		x->runs = true;
	done.cb(done.arg, err);
	remove_goes_on(c);
	if (err)
		return;
	launch_over(x);
	if (x->p.exited)
		process_news(&x->p);
	container_quiet(c);
}

static int has_died(struct err *err)
{
	return err_set(err, ERR_GONE, "the exec'd process has died before its program ran");
}

static int order(struct exec *x, enum child_order word, struct err *err)
{
	return handshake_order(x->sync_fd, word, err) < 0 ? has_died(err) : 0;
}

/* Both are known now: who it is, and that it waits for our word. */
static int let_it_run(struct exec *x, struct err *err)
{
	struct container *c = x->p.c;
	struct err unsaid;
	pid_t pid;

	if (!x->ready || x->member_fd < 0 || x->told_to_run)
		return 0;
	x->p.leave = x->params.leave;
	for (int i = 0; i < 3; i++)
		fd_close(&x->child_stdio[i]);
	if (proc_pidfd_pid(x->member_fd, &pid, err) < 0)
		return has_died(err);
	if (process_set_pid(&x->p, pid, take_fd(&x->member_fd), err) < 0 ||
	    /* Of who is not dumpable an ordinary user can write nothing: then the process has done it itself. */
	    (caps_have(CAP_SYS_ADMIN) && limits_set_oom_score_adj(pid, &x->config->process, err) < 0) ||
	    resctrl_join(&x->p.c->resctrl, pid, err) < 0 ||
	    ((x->ns_flags & CLONE_NEWUSER) && limits_apply(pid, &x->config->process, err) < 0) ||
	    streams_connect(&x->p, &x->streams, &x->params.fds, &x->master_fd, &x->ends, &x->client, err) < 0 ||
	    fd_socket_send_pidfd(x->params.fds.pidfd_fd, x->p.pidfd, false, err) < 0 ||
	    process_watch_end(&x->p, err) < 0)
		return -1;
	keep_terminal(&x->p);
	x->told_to_run = true;
	if (order(x, CHILD_RUN, err) < 0)
		return -1;
	/* While it executes its program, and before anybody is told: a shim that adopts the container, or who checkpoints it, wants to know of it. */
	if (state_add_process(c, &x->p, &unsaid) < 0)
		log_warn("container '%s': process %d is not recorded: %s", c->id, pid, unsaid.text);
	if (x->p.relay && !c->joined)
		relay_keep_unlogged(x->p.relay, c->dir_fd, x->p.name); /* this is its name at last */
	memcpy(x->ret_name, x->p.name, PROCESS_NAME_MAX);
	return 0;
}

/* Its filter is loaded; who it is may still be on its way. */
static int hand_over_listener(struct exec *x, struct err *err)
{
	cleanup_fd int listener = -1;
	pid_t pid;

	if (x->member_fd < 0)
		return 0;
	listener = take_fd(&x->listener_fd);
	if (proc_pidfd_pid(x->member_fd, &pid, err) < 0 ||
	    notify_send(x->p.c, x->config, "running", pid, listener, err) < 0)
		return -1;
	return order(x, CHILD_GO_ON, err);
}

static int hear(struct exec *x, struct err *err)
{
	struct child_message msg;
	int fd = -1, n = handshake_receive(x->sync_fd, &msg, &fd, err);

	if (n < 0)
		return -1;
	if (n == 0 && x->told_to_run) {
		finish(x, NULL);
		return 0;
	}
	if (n == 0)
		return has_died(err);
	switch (msg.word) {
	case CHILD_IS:
		if (fd < 0 || x->joiner_fd < 0) {
			fd_close(&fd);
			return err_set(err, ERR_GONE, "the exec'd process is there, but no descriptor of it has come");
		}
		x->member_fd = fd;
		*x->cloned = 0; /* from here on it is ours */
		joiner_over(x);
		break;
	case CHILD_READY:
		x->master_fd = fd;
		x->ready = true;
		break;
	case CHILD_UNREAPED:
		fd_close(&fd);
		x->unreaped = true;
		break;
	case CHILD_NOTIFIES:
		x->listener_fd = fd;
		break;
	case CHILD_FAILED:
		fd_close(&fd);
		*err = msg.err;
		return -1;
	case CHILD_WANTS_HOOKS:
	case CHILD_WANTS_IDMAP:
		fd_close(&fd);
		return err_set(err, ERR_INTERNAL, "the exec'd process speaks out of turn");
	}
	return x->listener_fd >= 0 ? hand_over_listener(x, err) : let_it_run(x, err);
}

static void sync_cb(evutil_socket_t fd, short what, void *arg)
{
	struct exec *x = arg;
	struct err err;

	if (hear(x, &err) < 0)
		finish(x, &err);
}

/* What it has cloned holds the other end of the socket as well: that it was killed before it said so has to be seen. What was said before is heard first. */
static void joiner_end_cb(evutil_socket_t fd, short what, void *arg)
{
	struct exec *x = arg;
	struct err err;
	char byte;

	if (recv(x->sync_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
		event_add(x->joiner_end, NULL);
		return;
	}
	has_died(&err);
	finish(x, &err);
}

static void run_child(struct exec *x, int sync_fd) __attribute__((noreturn));
static void run_child(struct exec *x, int sync_fd)
{
	struct container *c = x->p.c;
	const int close_first[] = { c->lock_fd };
	const struct oci_process *pr = &x->config->process;
	bool own_size = !x->params.rows && !x->params.columns && pr->has_console_size;
	struct child_exec_params p = {
		.common = {
			.process = pr,
			.id = c->id,
			.cgroup = c->cgroup,
			.seccomp = c->seccomp,
			.sync_fd = sync_fd,
			.start_fd = -1,
			.stdio = { x->child_stdio[0], x->child_stdio[1], x->child_stdio[2] },
			.passed = x->params.stdio == STDIO_PASS,
			.preserved = x->params.fds.preserved,
			.n_preserved = x->params.fds.n_preserved,
			.close_first = close_first,
			.n_close_first = ARRAY_SIZE(close_first),
			.limits = &c->limits,
			.rows = own_size ? (uint16_t)pr->console_rows : x->params.rows,
			.columns = own_size ? (uint16_t)pr->console_columns : x->params.columns,
			.no_new_keyring = c->rec.callers_keyring,
			.foreign = c->rec.foreign,
			.in_user_ns = x->ns_flags & CLONE_NEWUSER,
			.unprivileged = !caps_have(CAP_SYS_ADMIN),
		},
		.init_pidfd = c->init.pidfd,
		.below_init = x->params.checkpointable,
		.ns_flags = x->ns_flags,
		.cloned = x->cloned,
		.only_chrooted = x->config->ns[OCI_NS_MOUNT].path,
	};

	child_exec(&p);
}

static int open_groups(struct exec *x, struct err *err)
{
	struct cgroup *cg = x->p.c->cgroup;

	if (x->params.n_cgroups > 0)
		return cgroup_open_join_below(cg, x->params.cgroups, x->params.n_cgroups, err);
	return cgroup_open_join(cg, err);
}

static pid_t clone_into(const struct cgroup *cg, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};
	int v2_fd = cgroup_v2_fd(cg);

	if (v2_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)v2_fd;
	}
	return proc_clone(&args);
}

/* Whose program is a file that its user may execute and not read, and that belongs to nobody of the user namespace, is closed to everybody but the host's root. */
static int explain_refusal(struct container *c, struct err *err)
{
	if (!err_is_sys(err, EACCES) || caps_have(CAP_SYS_ADMIN))
		return -1;
	return err_set(err, ERR_PERMISSION,
		       "cannot run a process in container '%s': only root may enter what its first process is in, "
		       "which is not dumpable",
		       c->id);
}

static int map_cloned(struct exec *x, struct err *err)
{
	void *p = mmap(NULL, sizeof(*x->cloned), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(err, "cannot map memory");
	x->cloned = p;
	return 0;
}

static int clone_joiner(struct exec *x, struct err *err)
{
	struct container *c = x->p.c;
	int pair[2], pidfd = -1;
	pid_t pid;

	if (child_exec_ns_flags(c->init.pid, &x->ns_flags, err) < 0)
		return explain_refusal(c, err);
	if (x->params.checkpointable && !(x->ns_flags & CLONE_NEWPID))
		return err_set(err, ERR_UNSUPPORTED, "--checkpointable: container '%s' has no pid namespace of its own",
			       c->id);
	if (open_groups(x, err) < 0)
		return -1;
	if ((x->ns_flags & CLONE_NEWUSER) && idmap_chown(c->init.pid, &x->config->process, x->child_stdio, 3, err) < 0)
		return -1;
	if (map_cloned(x, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a socketpair");
	x->sync_fd = pair[0];
	pid = clone_into(c->cgroup, &pidfd);
	/* An init that is a manager itself (systemd) has divided the group, which may then have no processes of its own: beside it there is room. */
	if (pid < 0 && errno == EBUSY && x->params.n_cgroups == 0) {
		if (cgroup_open_join_of(c->cgroup, c->init.pid, err) == 0)
			pid = clone_into(c->cgroup, &pidfd);
		else
			errno = EBUSY;
	}
	if (pid == 0)
		run_child(x, pair[1]);
	if (pid < 0)
		err_sys(err, "cannot clone a process for the container");
	fd_close(&pair[1]);
	if (pid < 0)
		return -1;
	x->joiner_fd = pidfd;
	return 0;
}

static int launch(struct exec *x, struct err *err)
{
	struct container *c = x->p.c;
	int r = clone_joiner(x, err);

	cgroup_close_join(c->cgroup);
	if (r < 0)
		return -1;
	x->sync = event_new(c->base, x->sync_fd, EV_READ | EV_PERSIST, sync_cb, x);
	x->joiner_end = event_new(c->base, x->joiner_fd, EV_READ, joiner_end_cb, x);
	if (!x->sync || event_add(x->sync, NULL) < 0 || !x->joiner_end || event_add(x->joiner_end, NULL) < 0)
		fatal("out of memory");
	return 0;
}

static int read_config(struct exec *x, struct err *err)
{
	cleanup_free char *config = NULL, *description = NULL;
	size_t len;

	if (memfd_read(x->params.fds.main_fd, EXEC_CONFIG_MAX, &description, &len, err) < 0)
		return err_add(err, "the process's description");
	if (statedir_read_file(x->p.c->dir_fd, STATEDIR_CONFIG, OCI_CONFIG_MAX, &config, err) < 0)
		return -1;
	if (exec_config_parse(config, description, len, x->params.whole, &x->config, err) < 0)
		return -1;
	if (lsm_check(x->config, "/sys", err) < 0)
		return -1;
	x->remark = container_missing_caps(&x->config->process.caps);
	x->p.terminal = x->config->process.terminal;
	if (x->params.checkpointable && x->p.terminal)
		return err_set(err, ERR_UNSUPPORTED, "--checkpointable: not with a terminal");
	if (x->params.fds.console_fd >= 0 && !x->p.terminal)
		return err_set(err, ERR_CONFIG, "a console socket was given, but the process has no terminal");
	return container_compile_filter(x->p.c, x->config, err);
}

static int make_streams(struct exec *x, struct err *err)
{
	const struct oci_process *pr = &x->config->process;

	if (logging_begin_exec(&x->p, &x->params, err) < 0)
		return -1;
	x->streams = (struct streams_request) {
		.stdio = x->params.stdio,
		.leave = x->params.leave,
		.open_stdin = x->params.open_stdin,
		.terminal = pr->terminal,
		.uid = pr->uid,
		.gid = pr->gid,
		.logs = x->p.logs,
		.options = x->params.relay,
	};
	return streams_make(&x->p, &x->streams, &x->params.fds, x->child_stdio, err);
}

struct process *exec_adopt(struct container *c, const char *name)
{
	struct exec *x = xcalloc(1, sizeof(*x));

	process_init(&x->p, c, name, &exec_ops);
	x->runs = true;
	x->params.fds = container_fds_none();
	for (int i = 0; i < 3; i++)
		x->child_stdio[i] = -1;
	x->sync_fd = x->member_fd = x->master_fd = x->listener_fd = x->joiner_fd = -1;
	x->ends = (struct relay_ends) { -1, -1, -1 };
	LIST_INSERT_HEAD(&c->execs, &x->p, link);
	return &x->p;
}

Saved__Process *exec_save_ended(const struct container *c, size_t i)
{
	return process_save_status(c->ended[i].name, &c->ended[i].exit);
}

bool exec_is_awaited(struct container *c)
{
	struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	if (p->watches || exec_of(p)->done.cb)
		return true;
	return false;
}

bool exec_under_way(struct container *c)
{
	struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	{
		const struct exec *x = exec_of(p);

		if (x->done.cb || x->config || x->expected || x->sync_fd >= 0 || x->joiner_fd >= 0)
			return true;
	}
	return false;
}

static struct exec *exec_new(struct container *c, const char *name, struct container_exec *params)
{
	struct exec *x = xcalloc(1, sizeof(*x));

	process_init(&x->p, c, name, &exec_ops);
	x->p.below_init = params->checkpointable;
	follower_note(&x->p, params->client_pid);
	x->params = *params;
	x->params.fds = container_fds_take(&params->fds);
	for (int i = 0; i < 3; i++)
		x->child_stdio[i] = -1;
	x->sync_fd = x->member_fd = x->master_fd = x->listener_fd = x->joiner_fd = -1;
	x->ends = (struct relay_ends) { -1, -1, -1 };
	LIST_INSERT_HEAD(&c->execs, &x->p, link);
	return x;
}

int container_exec(struct container *c, struct container_exec *params, container_done_cb *done_cb, void *done_arg,
		   char ret_name[PROCESS_NAME_MAX], struct err *err)
{
	enum container_status status = container_status(c);
	char name[PROCESS_NAME_MAX];
	struct exec *x;

	if (c->checkpointing)
		return err_set(err, ERR_BUSY, "cannot exec in container '%s': it is being checkpointed", c->id);
	if (status == STATUS_PAUSED && !params->ignore_paused)
		return err_set(err, ERR_STATE,
			       "cannot exec in container '%s': it is paused (--ignore-paused does it all the same)",
			       c->id);
	if (status != STATUS_RUNNING && status != STATUS_CREATED && status != STATUS_PAUSED)
		return err_set(err, ERR_STATE, "cannot exec in container '%s': it is %s", c->id,
			       container_status_name(status));
	snprintf(name, sizeof(name), "%u", ++c->last_exec);
	x = exec_new(c, name, params);
	x->done = (struct pending) { done_cb, done_arg };
	if (read_config(x, err) < 0 || make_streams(x, err) < 0 || launch(x, err) < 0) {
		exec_free(x);
		return -1;
	}
	x->ret_name = ret_name;
	memcpy(ret_name, x->p.name, PROCESS_NAME_MAX);
	return 0;
}

/* From kernel 6.15 a pidfd tells the exit status of somebody else's child. */
static bool statuses_are_told(int pidfd)
{
	struct err err;
	int status;

	return proc_pidfd_exit_status(pidfd, &status, &err) == 0 || err.code != ERR_UNSUPPORTED;
}

const char *container_exec_note(struct container *c, const char *name)
{
	struct process *p = container_find(c, name);
	const struct exec *x = p && p != &c->init ? exec_of(p) : NULL;

	if (!x || !x->params.checkpointable)
		return x ? x->remark : NULL;
	if (x->unreaped)
		return "the container's first process does not reap: when this one has ended it will stay a zombie";
	if (p->pidfd >= 0 && !statuses_are_told(p->pidfd))
		return "this kernel does not tell the exit status of a process that is not the shim's child: it may "
		       "stay unknown";
	return x->remark;
}

void container_cancel_exec(struct container *c, const char *name)
{
	struct process *p = container_find(c, name);

	if (p && p != &c->init)
		exec_free(exec_of(p));
}

/* ---- one that comes out of a checkpoint ------------------------------------------------------------------------------------ */

struct process *exec_expect(struct container *c, const char *name, bool open_stdin, int ret_stdio[3], struct err *err)
{
	struct container_exec params = {
		.stdio = STDIO_LOG, .checkpointable = true, .open_stdin = open_stdin, .fds = container_fds_none()
	};
	unsigned int number = (unsigned int)strtoul(name, NULL, 10);
	const struct oci_process *pr = &c->config->process;
	struct process *away = park_expect_exec(c, name, ret_stdio);
	struct exec *x;

	if (away)
		return away;
	x = exec_new(c, name, &params);
	c->last_exec = number > c->last_exec ? number : c->last_exec;
	x->expected = true;
	x->streams = (struct streams_request) {
		.stdio = STDIO_LOG, .open_stdin = open_stdin, .uid = pr->uid, .gid = pr->gid
	};
	if (streams_make(&x->p, &x->streams, &x->params.fds, x->child_stdio, err) < 0) {
		exec_free(x);
		return NULL;
	}
	memcpy(ret_stdio, x->child_stdio, sizeof(x->child_stdio));
	return &x->p;
}

int exec_came_back(struct process *p, pid_t pid, int pidfd, struct err *err)
{
	struct exec *x = exec_of(p);

	if (process_set_pid(p, pid, pidfd, err) < 0)
		return -1;
	if (p->away)
		return 0; /* park_came_back() has the rest */
	x->expected = false;
	x->runs = true;
	for (int i = 0; i < 3; i++)
		fd_close(&x->child_stdio[i]);
	if (streams_connect(p, &x->streams, &x->params.fds, &x->master_fd, &x->ends, &x->client, err) < 0)
		return -1;
	return process_watch_end(p, err);
}

void exec_drop_expected(struct container *c)
{
	struct process *next;

	for (struct process *p = LIST_FIRST(&c->execs); p; p = next) {
		next = LIST_NEXT(p, link);
		if (exec_of(p)->expected)
			exec_free(exec_of(p));
	}
}

bool exec_take_foreground(struct process *p, struct relay_ends *ret_ends, struct relay_client **ret_client)
{
	struct exec *x = exec_of(p);

	*ret_ends = x->ends;
	*ret_client = x->client;
	x->ends = (struct relay_ends) { -1, -1, -1 };
	x->client = NULL;
	return streams_client_follows(&x->streams);
}
