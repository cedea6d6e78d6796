/* SPDX-License-Identifier: Apache-2.0 */
/* Removal: everything outside that a container has, the record last, so that whoever is interrupted can be followed by another. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/checkpoint/lazy.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"

static bool is_log(const char *name)
{
	size_t n;

	if (!strncmp(name, LOG_NAME_INIT ".log", sizeof(LOG_NAME_INIT ".log") - 1))
		return true;
	if (strncmp(name, LOG_NAME_EXEC, sizeof(LOG_NAME_EXEC) - 1) != 0)
		return false;
	name += sizeof(LOG_NAME_EXEC) - 1;
	n = strspn(name, "0123456789");
	return n > 0 && !strncmp(name + n, ".log", 4);
}

/* Nothing of it will ever be removed by us: whoever has made it so has to. The container is not kept for that. */
static bool is_for_good(int error)
{
	return error == EROFS || error == EACCES || error == EPERM;
}

/* 0 also when it is not there, or holds what is not ours. */
static int remove_name(int dir_fd, const char *name, int flags)
{
	return unlinkat(dir_fd, name, flags) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST ? 0 : -1;
}

static int remove_logs_in(DIR *dir, const char *path)
{
	struct dirent *e;

	while ((e = readdir(dir)))
		if (is_log(e->d_name) && remove_name(dirfd(dir), e->d_name, 0) < 0)
			return -1;
	if (remove_name(dirfd(dir), "bundle/config.json", 0) < 0 || remove_name(dirfd(dir), "bundle", AT_REMOVEDIR) < 0)
		return -1;
	return remove_name(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove_log(struct container *c, struct err *err)
{
	cleanup_fd int dir_fd = -1;
	cleanup_dir DIR *dir = NULL;

	if (!c->data_dir || c->data_dir[0] != '/')
		return 0;
	dir_fd = open(c->data_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
	if (dir)
		take_fd(&dir_fd);
	if (dir && remove_logs_in(dir, c->data_dir) == 0)
		return 0;
	err_sys(err, "cannot remove the logs in '%s'", c->data_dir);
	if (!is_for_good(err->sys_errno))
		return -1;
	log_warn("container '%s': %s", c->id, err->text);
	return 0;
}

/* Relays go on until the shim ends, and what they still read would make the files anew. */
static void close_logs(struct container *c)
{
	struct process *p;

	logging_close(&c->init);
	LIST_FOREACH(p, &c->execs, link)
	logging_close(p);
	logging_forget_losses(c);
}

int remove_everything(struct container *c, struct err *err)
{
	if (groups_remove(c, err) < 0 || resctrl_remove(&c->resctrl, err) < 0)
		return -1;
	keep_end(c);
	close_logs(c);
	if (remove_log(c, err) < 0)
		return -1;
	if (statedir_remove(c->root_fd, c->dir_fd, c->id, err) < 0) {
		/* Without its record nobody finds the container, or us, any more: there is nothing to stay for. */
		c->removed = faccessat(c->dir_fd, STATEDIR_STATUS, F_OK, 0) < 0 && errno == ENOENT;
		return -1;
	}
	c->removed = true;
	return 0;
}

int container_undo(struct container *c, struct err *err)
{
	if (c->rec.status != STATUS_NONE && c->rec.status != STATUS_CREATING)
		return err_set(err, ERR_STATE, "container '%s' is %s, not half created", c->id,
			       container_status_name(statedir_refresh(&c->rec)));
	if (c->rec.status == STATUS_NONE && state_is_complete(c))
		return err_set(err, ERR_CONFIG, "container '%s': its status record is missing", c->id);
	lazy_dismiss(c->dir_fd);
	if (c->init.pidfd >= 0 && proc_pidfd_kill(c->init.pidfd, SIGKILL, err) < 0 && err->code != ERR_STATE)
		return -1;
	if (groups_undo(c, err) < 0)
		return -1;
	container_drop_roots(c);
	return remove_everything(c, err);
}

/* ---- deleting ------------------------------------------------------------------------------------------------------------ */

static void deleted(struct container *c, const struct err *err)
{
	struct pending done = c->deletion;

	c->deletion = (struct pending) { NULL, NULL };
	dying_over(c);
	done.cb(done.arg, err);
}

static void poststop_done(void *arg, const struct err *err)
{
	struct container *c = arg;

	/* The specification: a failing poststop hook is told, and the rest goes on. Our log has gone with the container. */
	if (err) {
		free(c->remark);
		c->remark = xasprintf("container '%s' is removed, but: %s", c->id, err->text);
	}
	deleted(c, NULL);
}

static int kill_first(struct container *c, struct err *err)
{
	struct err gone;

	exit_note_outlived(c);
	if (c->cgroup && !groups_are_anothers(c) && cgroup_kill(c->cgroup, SIGKILL, err) < 0)
		log_debug("container '%s': %s", c->id, err->text);
	if (c->init.pidfd >= 0 && proc_pidfd_kill(c->init.pidfd, SIGKILL, &gone) < 0 && gone.code != ERR_STATE) {
		*err = gone;
		return -1;
	}
	dying_begin(c);
	return 0;
}

bool remove_is_awaited(struct container *c)
{
	return (c->init.relay && !c->init.drained) || exec_is_awaited(c);
}

void remove_goes_on(struct container *c)
{
	if (c->deletion.cb)
		process_news(&c->init);
}

int remove_now(struct container *c, container_done_cb *done_cb, void *done_arg, struct err *err)
{
	int n;

	c->deletion = (struct pending) { done_cb, done_arg };
	n = remove_everything(c, err);
	if (n == 0)
		n = hooks_run(c, OCI_HOOK_POSTSTOP, "stopped", poststop_done, err);
	if (n < 0) {
		c->deletion = (struct pending) { NULL, NULL };
		return -1;
	}
	if (n > 0)
		deleted(c, NULL);
	return 0;
}

int container_delete(struct container *c, bool force, container_done_cb *done_cb, void *done_arg, struct err *err)
{
	enum container_status status = container_status(c);
	bool alive = status != STATUS_STOPPED && status != STATUS_CHECKPOINTED && !c->init.exited;

	if (c->deletion.cb)
		return err_set(err, ERR_BUSY, "container '%s' is being deleted", c->id);
	if (alive && !force && status != STATUS_CREATED)
		return err_set(err, ERR_STATE, "cannot delete container '%s': it is %s", c->id,
			       container_status_name(status));
	if (c->creation)
		return err_set(err, ERR_BUSY, "cannot delete container '%s': it is being restored", c->id);
	if (c->hooking && !force)
		return err_set(err, ERR_BUSY, "cannot delete container '%s': its hooks are running", c->id);
	/* They may wait for ever for what is about to end. */
	hooks_fail(c);
	pause_cancel(c);
	/* Whoever it traces cannot be reaped, and with lazy pages it may wait for somebody who never comes. */
	checkpoint_kill(c->checkpointing);
	if (!c->checkpointing)
		criu_left_end(&c->dumper, NULL);
	c->deletion = (struct pending) { done_cb, done_arg };
	if (c->parked && !c->checkpointing) {
		park_end(c);
		return 0;
	}
	if (!alive && !c->hooking && (!c->init.exited || !remove_is_awaited(c)))
		return remove_now(c, done_cb, done_arg, err);
	if (kill_first(c, err) < 0) {
		c->deletion = (struct pending) { NULL, NULL };
		return -1;
	}
	/* The end of init brings us back, or else what is left of the others. */
	if (!alive)
		process_news(&c->init);
	return 0;
}

void remove_when_drained(struct container *c, container_done_cb *done_cb, void *done_arg)
{
	pause_cancel(c);
	c->deletion = (struct pending) { done_cb, done_arg };
	process_news(&c->init); /* exit.c goes on, now or when its output is through */
}
