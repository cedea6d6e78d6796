/* SPDX-License-Identifier: Apache-2.0 */
/* A container that somebody else has created: what its files say, held against what the kernel says.
 *
 * The files are ours alone (statedir.h), but old: the init that they name may have ended, and its pid may be another's by now. So it is taken for the same only with
 * the same boot, start time and, from kernel 6.9 on, pidfd inode; and it is only ever reached through the pidfd that was compared. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/path.h"
#include "common/proc.h"
#include "shim/checkpoint/image.h"
#include "shim/checkpoint/lazy.h"
#include "shim/checkpoint/netlock.h"
#include "shim/checkpoint/roots.h"
#include "shim/container/container_internal.h"
#include "shim/container/sdnotify.h"
#include "shim/sandbox/cgroup.h"

int load_config(struct container *c, struct err *err)
{
	cleanup_free char *text = NULL;
	struct oci_config *config;

	if (c->config)
		return 0;
	if (statedir_read_file(c->dir_fd, STATEDIR_CONFIG, OCI_CONFIG_MAX, &text, err) < 0 ||
	    oci_config_parse(text, strlen(text), &config, err) < 0)
		return -1;
	if (sdnotify_add_again(c->dir_fd, config, err) < 0) {
		oci_config_free(config);
		return -1;
	}
	c->config = config;
	return 0;
}

static int open_directory(struct container *c, enum container_load how, struct err *err)
{
	if (statedir_open(c->root_fd, c->id, &c->dir_fd, err) < 0)
		return -1;
	if (statedir_open_lock(c->dir_fd, how == CONTAINER_LOAD_UNDO, &c->lock_fd, err) < 0) {
		if (err->code == ERR_NOT_FOUND && statedir_inode(c->dir_fd, STATEDIR_STATUS))
			return err_set(err, ERR_CONFIG,
				       "container '%s': there is no lock file: 'delete --force %s' removes it", c->id,
				       c->id);
		return err_add(err, "container '%s'", c->id);
	}
	if (how == CONTAINER_LOAD_JOIN)
		return 0;
	if (statedir_lock(c->dir_fd, c->lock_fd, STATEDIR_LOCK_SHIM, false, err) == 0) {
		/* Its client finds that one at the next try. */
		if (!statedir_is_locked_elsewhere(c->dir_fd, c->lock_fd))
			return 0;
		err_set(err, ERR_BUSY, "has a shim");
	}
	if (err->code == ERR_BUSY)
		return err_set(err, ERR_BUSY, "container '%s' has a shim", c->id);
	return err_add(err, "container '%s'", c->id);
}

/* The files. What cannot be read cannot be removed either: the directory still can. */
static int read_files(struct container *c, enum container_load how, struct err *err)
{
	bool damaged;

	if (statedir_read_status(c->dir_fd, &c->rec, err) < 0) {
		if (err->code == ERR_NOT_FOUND && how != CONTAINER_LOAD_UNDO)
			return err_set(err, ERR_CONFIG, "container '%s': its status record is missing", c->id);
		if (err->code != ERR_NOT_FOUND)
			return err_add(err, "container '%s'", c->id);
	} else if (strcmp(c->rec.id, c->id) != 0) {
		return err_set(err, ERR_CONFIG, "container '%s': its status record is that of container '%s'", c->id,
			       c->rec.id);
	}
	if (how == CONTAINER_LOAD_ADOPT && adopt_check(c, err) < 0)
		return err_add(err, "cannot adopt container '%s'", c->id);
	damaged = state_load(c, err) < 0;
	if (damaged) {
		if (how == CONTAINER_LOAD_JOIN || how == CONTAINER_LOAD_ADOPT)
			return err_add(err, "container '%s'", c->id);
		log_warn("container '%s': %s", c->id, err->text);
		free(c->remark);
		c->remark = xasprintf("container '%s': %s: where its log is, if it has one of its own, nobody knows",
				      c->id, err->text);
	}
	if (how != CONTAINER_LOAD_JOIN && load_config(c, err) < 0)
		log_debug("container '%s': %s", c->id, err->text);
	/* Of a creation that was killed they may be somebody else's. */
	if (damaged && how == CONTAINER_LOAD_SERVE)
		groups_guess(c);
	return 0;
}

struct container_exit recorded_exit(const struct status_record *rec)
{
	return (struct container_exit) {
		.known = rec->exit_known,
		.code = rec->exit_code,
		.signal = rec->exit_signal,
		.oom_killed = rec->oom_killed,
		.time_ns = rec->exited_ns,
	};
}

/* As long as its parent has not reaped it, the kernel still tells how it has ended. */
static bool read_zombie(const struct status_record *rec, int *ret_wait_status)
{
	char boot_id[PROC_BOOT_ID_SIZE];
	struct proc_stat st;
	struct err ignored;

	if (rec->init_pid <= 0 || proc_boot_id(boot_id, &ignored) < 0 || strcmp(boot_id, rec->boot_id) != 0 ||
	    proc_stat(rec->init_pid, &st, &ignored) < 0 || st.start_time != rec->init_start_time || st.state != 'Z')
		return false;
	*ret_wait_status = st.exit_status;
	return true;
}

/* Its init is gone. If nobody has recorded how, that is done now, as far as it can be known. */
static void note_end(struct container *c)
{
	bool half_made = c->rec.status == STATUS_CREATING || c->rec.status == STATUS_NONE;
	struct err err;
	int status;

	c->init.exited = true;
	c->init.drained = true;
	if (c->rec.status == STATUS_CHECKPOINTED && !statedir_ended_by_reboot(&c->rec))
		return; /* the image is all there is of it */
	if (c->rec.exit_recorded) {
		c->init.exit = recorded_exit(&c->rec);
		return;
	}
	c->rec.exit_recorded = 1;
	c->rec.exit_known = read_zombie(&c->rec, &status);
	if (c->rec.exit_known) {
		c->rec.exited_ns = clock_wall_ns();
		c->rec.exit_signal = WIFSIGNALED(status) ? (uint8_t)WTERMSIG(status) : 0;
		c->rec.exit_code =
			WIFSIGNALED(status) ? (uint8_t)(128 + WTERMSIG(status)) : (uint8_t)WEXITSTATUS(status);
		c->rec.oom_killed = c->rec.exit_signal == SIGKILL && exit_by_oom(c);
	}
	c->init.exit = recorded_exit(&c->rec);
	if (half_made)
		return;
	c->rec.status = STATUS_STOPPED;
	if (state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

static bool is_of_former_boot(const struct container *c)
{
	char boot_id[PROC_BOOT_ID_SIZE];
	struct err ignored;

	return c->rec.boot_id[0] && proc_boot_id(boot_id, &ignored) == 0 && strcmp(boot_id, c->rec.boot_id) != 0;
}

/* Groups have not outlived a reboot: what has their names now is somebody else's. */
static void forget_former_boot(struct container *c)
{
	if (!is_of_former_boot(c))
		return;
	cgroup_free(c->cgroup);
	c->cgroup = NULL;
	free(c->scope_unit);
	c->scope_unit = NULL;
	resctrl_release(&c->resctrl);
	c->dumper = (struct criu_left) { 0 };
	free(c->restoring_log);
	c->restoring_log = NULL;
}

void container_drop_roots(struct container *c)
{
	cleanup_fd int dir_fd = c->restoring_log ? open(c->restoring_log, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	struct cgroup_pids killed = { 0 };
	struct err ignored;

	/* What uses them has to be killed before, and has been but for what nobody knows. */
	if (dir_fd >= 0 && c->cgroup) {
		cgroup_kill_each(c->cgroup, SIGKILL, &ignored);
		killed = cgroup_pids(c->cgroup);
	}
	if (dir_fd >= 0)
		roots_drop(dir_fd, &killed);
	free(killed.v);
	free(c->restoring_log);
	c->restoring_log = NULL;
}

/* A shim was killed while it brought the container back: what there is of it goes again, and criu with it, so that it can be brought back from its image. */
static void drop_half_restored(struct container *c)
{
	struct err err;

	if (c->rec.status != STATUS_CHECKPOINTED)
		return;
	lazy_dismiss(c->dir_fd);
	if (c->cgroup && !cgroup_is_empty(c->cgroup) && cgroup_kill_each(c->cgroup, SIGKILL, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
	if (!c->rec.init_pid && !c->restoring_log)
		return;
	container_drop_roots(c);
	c->rec.init_pid = 0;
	c->rec.init_start_time = c->rec.init_pidfd_inode = 0;
	if (state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

/* criu does that itself if it can. */
static void thaw_half_dumped(struct container *c)
{
	struct err err;

	checkpoint_end_repair(c);
	if (statedir_init_alive(&c->rec) && netlock_clear(c->rec.init_pid, &err) < 0)
		log_warn("container '%s': its network may still be locked: %s", c->id, err.text);
	if (c->cgroup && !cgroup_is_absent(c->cgroup) && cgroup_set_frozen(c->cgroup, c->dumped_paused, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

/* The same in the middle of a dump: the container goes on. */
static void drop_half_dumped(struct container *c)
{
	struct err err;

	/* Or somebody else has it by now, but for the memory. */
	if (!c->dumping || (c->dumper_serves && criu_left_lives(&c->dumper)))
		return;
	if (c->dumper.pid) {
		criu_left_end(&c->dumper, c->cgroup);
		thaw_half_dumped(c);
		c->dumper = (struct criu_left) { 0 };
	}
	image_abandon(c->dumping);
	free(c->dumping);
	c->dumping = NULL;
	if (state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

/* From another pid namespace than that of who has started it a process that runs looks as if it had ended. */
static int check_sight(const struct container *c, struct err *err)
{
	if (!c->init_pid_ns || c->init_pid_ns == proc_pid_namespace(0) || c->rec.exit_recorded ||
	    statedir_init_alive(&c->rec) || !c->cgroup || !cgroup_is_populated(c->cgroup))
		return 0;
	return err_set(err, ERR_STATE,
		       "container '%s': it was started in another pid namespace, and its processes cannot be seen from "
		       "here",
		       c->id);
}

static bool former_lives(const struct container *c)
{
	struct proc_stat st;
	struct err ignored;

	return proc_stat(c->former.pid, &st, &ignored) == 0 && st.start_time == c->former.start_time &&
	       !proc_is_dying(c->former.pid);
}

#define FORMER_MS 2000 /* for one that has given up its lock to end */

/* Two shims are kept apart by the lock, but not where another file has been put in its place. Start times are of one boot, pids of one pid namespace. */
static int check_former(const struct container *c, struct err *err)
{
	cleanup_fd int pidfd = -1;
	struct err ignored;

	if (c->former.pid <= 0 || !c->former.start_time || is_of_former_boot(c) ||
	    (c->init_pid_ns && c->init_pid_ns != proc_pid_namespace(0)) || !former_lives(c))
		return 0;
	if (proc_pidfd_open(c->former.pid, c->former.start_time, &pidfd, &ignored) == 0)
		poll(&(struct pollfd) { .fd = pidfd, .events = POLLIN }, 1, FORMER_MS);
	if (!former_lives(c))
		return 0;
	return err_set(err, ERR_STATE,
		       "shim %d of container '%s' lives, but '" STATEDIR_LOCK "' is not the file that it has locked",
		       (int)c->former.pid, c->id);
}

/* It has ended while nobody was there but its keeper, whose pidfd still tells how; or before, and its output has not been read to the end, for which the keeper stays. */
static bool kept_init(struct container *c)
{
	int *held = &c->keep.held.fd[KEEPER_INIT];

	if (*held < 0 || proc_pidfd_inode(*held) != c->rec.init_pidfd_inode)
		return false;
	if (c->rec.exit_recorded) {
		c->init.exit = recorded_exit(&c->rec);
		c->init.exit_recorded = true;
	}
	c->init.pid = c->rec.init_pid;
	c->init.start_time = c->rec.init_start_time;
	c->init.pidfd_inode = c->rec.init_pidfd_inode;
	c->init.pidfd = take_fd(held);
	c->init.terminal = c->rec.terminal;
	return true;
}

/* A shim, or who needed none, was killed after it had started the program. Adoption writes it down itself. */
static void note_start(struct container *c, enum container_load how)
{
	struct err err;

	if (!statedir_has_started(&c->rec))
		return;
	c->rec.status = STATUS_RUNNING;
	if (how == CONTAINER_LOAD_SERVE && state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

int container_load(struct container *c, enum container_load how, struct err *err)
{
	int pidfd;

	c->served = true;
	c->joined = how == CONTAINER_LOAD_JOIN;
	if (open_directory(c, how, err) < 0 || read_files(c, how, err) < 0)
		return -1;
	if (how != CONTAINER_LOAD_JOIN && check_former(c, err) < 0)
		return -1;
	forget_former_boot(c);
	if (how != CONTAINER_LOAD_UNDO && check_sight(c, err) < 0)
		return -1;
	/* Whoever comes meanwhile is to find us: what follows may take its time. */
	if ((how == CONTAINER_LOAD_SERVE || how == CONTAINER_LOAD_ADOPT) && container_make_control(c, err) < 0)
		return -1;
	if (how != CONTAINER_LOAD_JOIN) {
		drop_half_restored(c);
		drop_half_dumped(c);
		keep_take(c);
	}
	if (statedir_open_init(&c->rec, &pidfd, err) < 0)
		return err_add(err, "container '%s'", c->id);
	if (pidfd < 0 && how == CONTAINER_LOAD_ADOPT && kept_init(c))
		return adopt_living(c, err);
	if (pidfd < 0 && how == CONTAINER_LOAD_JOIN)
		return err_set(err, ERR_STATE, "cannot exec in container '%s': it is %s", c->id,
			       container_status_name(statedir_refresh(&c->rec)));
	if (pidfd < 0 && how == CONTAINER_LOAD_ADOPT && container_status(c) == STATUS_CHECKPOINTED &&
	    adopt_absent(c, err) < 0)
		return -1;
	if (pidfd < 0) {
		if (!c->adopted)
			note_end(c);
		return 0;
	}
	if (process_set_pid(&c->init, c->rec.init_pid, pidfd, err) < 0)
		return -1;
	c->init.terminal = c->rec.terminal;
	note_start(c, how);
	if (how == CONTAINER_LOAD_ADOPT)
		return adopt_living(c, err);
	return c->joined ? 0 : process_watch_end(&c->init, err);
}
