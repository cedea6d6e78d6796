/* SPDX-License-Identifier: Apache-2.0 */
/* One container: the object, and what is asked of it. */
#include "shim/container/container.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/checkpoint/lazy.h"
#include "shim/container/container_internal.h"
#include "shim/container/sdnotify.h"
#include "shim/sandbox/cgroup.h"

/* Connections that wait to be accepted. One more makes connect(2) wait. */
#define CONTROL_BACKLOG 128

struct container *container_new(struct event_base *base, int root_fd, const char *id, const struct container_ops *ops,
				void *arg)
{
	struct container *c = xcalloc(1, sizeof(*c));

	*c = (struct container) {
		.base = base,
		.root_fd = root_fd,
		.id = xstrdup(id),
		.ops = *ops,
		.arg = arg,
		.dir_fd = -1,
		.lock_fd = -1,
		.start_fd = -1,
		.control_fd = -1,
	};
	keep_init(&c->keep);
	process_init(&c->init, c, "init", &init_ops);
	return c;
}

void container_free(struct container *c)
{
	if (!c)
		return;
	launch_free(c->launch);
	creation_free(c->creation);
	start_free(c->starting);
	hooks_free(c->hooking);
	exec_free_all(c);
	pause_free(c->pausing);
	dying_free(c->dying);
	standstill_free(c->standstill);
	checkpoint_free(c->checkpointing);
	free(c->dumping);
	free(c->restoring_log);
	lazy_free(c->lazy);
	park_free(c);
	keep_release(&c->keep);
	process_release(&c->init);
	sdnotify_free(c->sdnotify);
	if (c->seccomp)
		seccomp_program_release(c->seccomp);
	free(c->seccomp);
	logging_close(&c->init);
	logging_forget_losses(c);
	log_plans_release(&c->init.log_plans);
	cgroup_free(c->cgroup);
	free(c->scope_unit);
	free(c->remark);
	free(c->failure);
	resctrl_release(&c->resctrl);
	oci_config_free(c->config);
	fd_close(&c->start_fd);
	fd_close(&c->control_fd);
	fd_close(&c->lock_fd);
	fd_close(&c->dir_fd);
	free(c->data_dir);
	free(c->id);
	free(c);
}

int container_compile_filter(struct container *c, const struct oci_config *config, struct err *err)
{
	struct seccomp_program program;

	if (c->seccomp || !config->seccomp.set)
		return 0;
	if (seccomp_compile(&config->seccomp, &program, err) < 0)
		return -1;
	c->seccomp = xmalloc(sizeof(*c->seccomp));
	*c->seccomp = program;
	return 0;
}

struct container_fds container_fds_none(void)
{
	return (struct container_fds) { .main_fd = -1,
					.config_fd = -1,
					.stdio = { -1, -1, -1 },
					.console_fd = -1,
					.pidfd_fd = -1,
					.images_fd = -1,
					.work_fd = -1,
					.options_fd = -1,
					.status_fd = -1 };
}

struct container_fds container_fds_take(struct container_fds *from)
{
	struct container_fds fds = *from;

	*from = container_fds_none();
	return fds;
}

void container_fds_release(struct container_fds *fds)
{
	fd_close(&fds->main_fd);
	fd_close(&fds->config_fd);
	fd_close(&fds->console_fd);
	fd_close(&fds->pidfd_fd);
	fd_close(&fds->images_fd);
	fd_close(&fds->work_fd);
	fd_close(&fds->options_fd);
	fd_close(&fds->status_fd);
	for (int i = 0; i < 3; i++)
		fd_close(&fds->stdio[i]);
	for (int i = 0; i < fds->n_preserved; i++)
		fd_close(&fds->preserved[i]);
	fds->n_preserved = 0;
}

int container_make_control(struct container *c, struct err *err)
{
	return statedir_listen(c->dir_fd, STATEDIR_CONTROL, CONTROL_BACKLOG, &c->control_fd, err);
}

int container_take_control(struct container *c)
{
	return take_fd(&c->control_fd);
}

void container_log_to_file(struct container *c, bool debug)
{
	int fd;

	if (log_fd() >= 0 || c->dir_fd < 0)
		return;
	fd = openat(c->dir_fd, STATEDIR_SHIM_LOG, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	log_init(fd, LOG_FORMAT_TEXT, debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
}

static uint64_t moved(const struct process *p)
{
	return p->relay ? relay_offset(p->relay, STREAM_STDOUT) + relay_offset(p->relay, STREAM_STDERR) : 0;
}

uint64_t container_moved(const struct container *c)
{
	const struct process *p;
	uint64_t sum = moved(&c->init) + c->last_exec;

	LIST_FOREACH(p, &c->execs, link)
	sum += moved(p);
	return sum;
}

bool container_may_sleep(const struct container *c)
{
	return c->light_sleepers == 0;
}

void container_trim(struct container *c)
{
	struct process *p;

	exec_retire_ended(c);
	if (c->init.relay)
		relay_trim(c->init.relay);
	LIST_FOREACH(p, &c->execs, link)
	if (p->relay)
		relay_trim(p->relay);
}

static bool hooks_follow(const struct oci_config *config)
{
	return config->hooks[OCI_HOOK_POSTSTART].n || config->hooks[OCI_HOOK_POSTSTOP].n;
}

void container_settle(struct container *c)
{
	if (!c->config || c->creation || c->checkpointing || hooks_follow(c->config))
		return;
	oci_config_free(c->config);
	c->config = NULL;
}

/* ---- what is asked ---------------------------------------------------------------------------------------------------------- */

enum container_status container_status(struct container *c)
{
	if (c->init.exited && c->rec.status != STATUS_CREATING && c->rec.status != STATUS_CHECKPOINTED)
		return STATUS_STOPPED;
	return statedir_refresh(&c->rec);
}

bool exec_holds(const struct container *c, pid_t pid)
{
	const struct process *p;
	struct proc_stat st;
	struct err ignored;

	while (pid > 1 && pid != c->init.pid) {
		LIST_FOREACH(p, &c->execs, link)
		if (p->pid == pid)
			return true;
		if (proc_stat(pid, &st, &ignored) < 0)
			return false;
		pid = st.ppid;
	}
	return false;
}

static int kill_exec(const struct process *p, int sig, struct err *err)
{
	if (p->away)
		return err_set(err, ERR_STATE, "cannot signal process '%s': it is checkpointed", p->name);
	if (p->exited || p->pidfd < 0)
		return err_set(err, ERR_STATE, "cannot signal process '%s': it has ended", p->name);
	return proc_pidfd_kill(p->pidfd, sig, err);
}

/* In a pid namespace of its own all die with init; else, as with runc, SIGKILL is for all of the group, so that nobody is left. */
static bool shares_pids(struct container *c)
{
	struct err err;

	if (load_config(c, &err) < 0) {
		log_warn("container '%s': %s", c->id, err.text);
		return false;
	}
	return !oci_has_new_ns(c->config, OCI_NS_PID);
}

/* With nobody there success, as with runc: there is nobody left to be signalled. */
static int kill_group(struct container *c, int sig, struct err *err)
{
	if (!c->cgroup || cgroup_is_empty(c->cgroup) || groups_are_anothers(c))
		return 0;
	if (sig == SIGKILL)
		exit_note_outlived(c);
	if (cgroup_kill(c->cgroup, sig, err) < 0)
		return -1;
	if (sig == SIGKILL && !c->init.exited)
		dying_begin(c);
	return 0;
}

static int kill_init(struct container *c, int sig, enum container_status status, struct err *err)
{
	if (status == STATUS_STOPPED || c->init.pidfd < 0)
		return err_set(err, ERR_STATE, "cannot signal container '%s': it is stopped (container not running)",
			       c->id);
	if (sig == SIGKILL)
		exit_note_outlived(c);
	if (proc_pidfd_kill(c->init.pidfd, sig, err) < 0)
		return err_add(err, "cannot signal container '%s'", c->id);
	if (sig != SIGKILL)
		return 0;
	/* Not only of one that is paused: the rest of it may be frozen in groups of its own, and init ends last. */
	if (c->cgroup)
		cgroup_let_die(c->cgroup);
	dying_begin(c);
	return 0;
}

int container_kill(struct container *c, const char *name, int sig, bool all, struct err *err)
{
	enum container_status status = container_status(c);
	struct process *p = container_find(c, name ? name : "init");
	bool has_group = c->cgroup && !cgroup_is_absent(c->cgroup);

	if (!p)
		return err_set(err, ERR_NOT_FOUND, "container '%s' has no process '%s'", c->id, name);
	if (p != &c->init)
		return kill_exec(p, sig, err);
	if (status == STATUS_CHECKPOINTED)
		return err_set(err, ERR_STATE, "cannot signal container '%s': it is checkpointed", c->id);
	/* What its end is held up by is all that is left of it. */
	if (c->init.exited && c->hooking && !c->creation) {
		hooks_fail(c);
		return 0;
	}
	if (all && !has_group && status != STATUS_STOPPED)
		return err_set(err, ERR_UNSUPPORTED, "cannot signal all processes of container '%s': it has no cgroup",
			       c->id);
	if (all || (sig == SIGKILL && has_group && !cgroup_is_empty(c->cgroup) && shares_pids(c)))
		return kill_group(c, sig, err);
	return kill_init(c, sig, status, err);
}

pid_t container_pid(struct container *c, const char *name)
{
	struct process *p = container_find(c, name);

	return p ? p->pid : 0;
}

struct relay *container_relay(struct container *c, const char *name)
{
	struct process *p = container_find(c, name);

	return p ? p->relay : NULL;
}

struct event_base *container_base(const struct container *c)
{
	return c->base;
}

const struct container_exit *container_exit(const struct container *c)
{
	return c->init.exited ? &c->init.exit : NULL;
}

const char *container_remark(const struct container *c)
{
	return c->remark;
}

const struct err *container_failure(const struct container *c)
{
	return c->failure;
}

char *container_take_remark(struct container *c)
{
	char *remark = c->remark;

	c->remark = NULL;
	return remark;
}

bool container_terminal(struct container *c, const char *name)
{
	struct process *p = container_find(c, name);

	return p && p->terminal;
}

int container_pidfd(struct container *c, const char *name)
{
	struct process *p = container_find(c, name);

	return p ? p->pidfd : -1;
}

bool container_is_foreign(const struct container *c)
{
	return c->rec.foreign;
}

void container_set_keeper(struct container *c, int exe_fd)
{
	c->keep.exe_fd = exe_fd;
}

void container_raise_limits(struct container *c)
{
	proc_limits_raise(&c->limits);
}

bool container_is_adopted(const struct container *c)
{
	return c->adopted;
}

const char *container_id(const struct container *c)
{
	return c->id;
}

int container_root_fd(const struct container *c)
{
	return c->root_fd;
}

void container_state_directory(const struct container *c, uint64_t *ret_dev, uint64_t *ret_ino)
{
	struct stat st = { 0 };

	if (c->dir_fd >= 0 && fstat(c->dir_fd, &st) < 0)
		st = (struct stat) { 0 };
	*ret_dev = st.st_dev;
	*ret_ino = st.st_ino;
}

bool container_is_removed(const struct container *c)
{
	return c->removed;
}

bool container_is_idle(const struct container *c)
{
	return !c->creation && !c->starting && !c->hooking && !c->pausing && !c->checkpointing && !c->deletion.cb &&
	       !c->n_dying;
}

bool container_is_over(const struct container *c)
{
	return c->passes && c->init.exited && c->init.drained;
}

bool container_carries_streams(const struct container *c)
{
	const struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	if (p->relay)
		return true;
	return false;
}

void container_woken(struct container *c)
{
	struct process *p;

	if (c->init.relay)
		relay_woken(c->init.relay);
	LIST_FOREACH(p, &c->execs, link)
	if (p->relay)
		relay_woken(p->relay);
}

void container_asked_to_end(struct container *c)
{
	struct err err;

	if (c->sdnotify && c->init.pidfd >= 0 && !c->init.exited && proc_pidfd_kill(c->init.pidfd, SIGTERM, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

int container_unit_status(const struct container *c)
{
	return c->sdnotify && c->init.exited && c->init.exit.known ? c->init.exit.code : 0;
}

void container_note_shim(struct container *c)
{
	c->rec.shim_pid = getpid();
	state_set_text(c->rec.shim_version, sizeof(c->rec.shim_version), THOLE_VERSION);
}

void container_quiet(struct container *c)
{
	if (c->ops.quiet_cb && container_is_idle(c))
		c->ops.quiet_cb(c->arg);
}
