/* SPDX-License-Identifier: Apache-2.0 */
/* A further process of a running container, from the clone to execve.
 *
 * Two processes of the shim's, one after the other. The first joins the container's groups and then, by init's pidfd, all of its namespaces at once; only a child of it is
 * in the pid namespace, so it clones one, with CLONE_PARENT: that one is the shim's child as init is. From the join on, what is around is the container's, and hostile:
 * our executable is sealed, we are not dumpable, and no descriptor is open but those that the program will have. */
#include "shim/sandbox/child_exec.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/oci/names.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/child_internal.h"
#include "shim/sandbox/limits.h"
#include "shim/sandbox/sched.h"

#define REAPED_WITHIN_MS 200 /* by an init that reaps at all */

int child_exec_ns_flags(pid_t pid, uint64_t *ret_flags, struct err *err)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		char ours[40], theirs[40];
		struct stat a, b;

		snprintf(ours, sizeof(ours), "/proc/self/ns/%s", oci_ns_proc_name((enum oci_ns)i));
		snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", (int)pid, oci_ns_proc_name((enum oci_ns)i));
		if (stat(ours, &a) < 0)
			continue; /* this kernel has no such namespaces */
		if (stat(theirs, &b) < 0)
			return err_sys(err, "cannot look at the namespaces of process %d", (int)pid);
		if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
			flags |= (uint64_t)oci_ns_clone_flag((enum oci_ns)i);
	}
	*ret_flags = flags;
	return 0;
}

/* Is our root another than that of the mount namespace, as in a chroot? Then the same holds for the container's namespace, since pivot_root(2) has changed what was our
 * root there: setns(2) would lead past the container, into all of the host's files. Entering one's own namespace shows it, and takes us out: back we go. */
static int look_for_chroot(bool *ret_chrooted, struct err *err)
{
	cleanup_fd int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int ns_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	struct statx ours, its;

	*ret_chrooted = false;
	if (root_fd < 0 || ns_fd < 0 || statx(root_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &ours) < 0)
		return err_sys(err, "cannot look at the root");
	/* Who may not do that in his own namespace has no other way to do it either: an ordinary user, whose chroot is root's. */
	if (setns(ns_fd, CLONE_NEWNS) < 0)
		return errno == EPERM ? 0 : err_sys(err, "cannot look at the root of the mount namespace");
	if (statx(AT_FDCWD, "/", 0, STATX_INO | STATX_MNT_ID, &its) < 0)
		return err_sys(err, "cannot look at the root of the mount namespace");
	if (ours.stx_ino == its.stx_ino && ours.stx_dev_major == its.stx_dev_major &&
	    ours.stx_dev_minor == its.stx_dev_minor && ours.stx_mnt_id == its.stx_mnt_id)
		return 0;
	if (fchdir(root_fd) < 0 || chroot(".") < 0)
		return err_sys(err, "cannot go back to the root");
	*ret_chrooted = true;
	return 0;
}

static int open_other_root(int pidfd, int *ret_fd, struct err *err)
{
	char path[40];
	pid_t pid;

	if (proc_pidfd_pid(pidfd, &pid, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	*ret_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(err, "cannot open the container's root") : 0;
}

/* For an ordinary user's shim it is done here, since it can write nothing of who is not dumpable: while this process is where only the same user's see it. What it clones
 * has it, too. */
static int step_oom_score_adj(struct child *ch, struct err *err)
{
	if (!ch->p->unprivileged || !ch->process->oom_score_adj.set)
		return 0;
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return err_sys(err, "cannot become dumpable");
	if (limits_set_oom_score_adj(getpid(), ch->process, err) < 0)
		return -1;
	return child_become_undumpable(err);
}

static int step_join(struct child *ch, struct err *err)
{
	const struct child_exec_params *p = ch->exec;
	cleanup_fd int root_fd = -1;
	bool only_chrooted = p->only_chrooted;

	if (child_sched_affinity(&ch->process->exec_affinity_initial, "process.execCPUAffinity.initial", err) < 0 ||
	    child_cgroup_join(ch->p->cgroup, err) < 0 ||
	    child_sched_affinity(&ch->process->exec_affinity_final, "process.execCPUAffinity.final", err) < 0)
		return -1;
	if (!only_chrooted && (p->ns_flags & CLONE_NEWNS) && look_for_chroot(&only_chrooted, err) < 0)
		return -1;
	if (only_chrooted && open_other_root(p->init_pidfd, &root_fd, err) < 0)
		return -1;
	if (setns(p->init_pidfd, (int)p->ns_flags) < 0)
		return err_sys(err, "cannot join the container's namespaces");
	if (root_fd >= 0 && (fchdir(root_fd) < 0 || chroot(".") < 0))
		return err_sys(err, "cannot change to the container's root");
	return ch->p->in_user_ns ? child_become_root(err) : 0;
}

static int step_open_root(struct child *ch, struct err *err)
{
	ch->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ch->root_fd < 0)
		return err_sys(err, "cannot open the container's root");
	return 0;
}

static const struct child_step before[] = {
	{ "let go", child_step_let_go },
	{ "oomScoreAdj", step_oom_score_adj },
	{ "join", step_join },
	{ "close", child_step_close_others },
};

static const struct child_step after[] = {
	{ "session", child_step_session },
	{ "keyring", child_step_keyring },
	{ "root", step_open_root },
	{ "terminal", child_step_terminal },
	{ "limits", child_step_limits },
	{ "user", child_step_user },
	{ "program", child_step_find_program },
	{ "descriptors", child_step_place_fds },
	{ "notify", child_step_notify },
};

/* The kernel tells the shim itself who that is: we may be killed before we have said it, and the container's init would wait for ever for a child that nobody reaps. */
static pid_t clone_sibling(pid_t *cloned, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PARENT | CLONE_PIDFD | CLONE_PARENT_SETTID,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.parent_tid = (uint64_t)(uintptr_t)cloned,
	};

	return proc_clone(&args);
}

static void go_on(struct child *ch) __attribute__((noreturn));
static void go_on(struct child *ch)
{
	struct err err = { 0 };

	child_run_steps(ch, after, ARRAY_SIZE(after));
	child_say(ch->sync_fd, CHILD_READY, NULL, ch->master_fd);
	fd_close(&ch->master_fd);
	if (child_await_order(ch->sync_fd) != CHILD_RUN)
		_exit(1);
	child_run_program(ch, &err);
	child_fail_as_program(ch, &err);
	child_fail(ch->sync_fd, &err);
}

/* ---- below init ------------------------------------------------------------------------------------------------------------- */

/* The number of a pidfd is written before the clone has come to anything. */
static bool is_there(int fd)
{
	return fd >= 0 && fcntl(fd, F_GETFD) >= 0;
}

static void kill_found(int *found)
{
	struct err ignored;

	if (is_there(*found))
		proc_pidfd_kill(*found, SIGKILL, &ignored);
	fd_close(found);
}

/* Until `fd` (-1: none) says that its process has ended. False: the shim has given up, or is gone. */
static bool await_end(const struct child *ch, int fd)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = ch->sync_fd } };

	while (poll(p, ARRAY_SIZE(p), -1) < 0)
		if (errno != EINTR)
			return false;
	return p[0].revents;
}

/* An orphan goes to the init of its pid namespace: we clone one that clones another and leaves. `found`: memory that both see. Returns 0 in the grandchild, which runs on;
 * 1 here, when the one between is gone.
 *
 * The container can stop both, or kill them, and us it does not even see: so it is we who kill them when the shim wants no more of them. */
static int clone_orphan(const struct child *ch, int *found, struct err *err)
{
	int middle_fd = -1, status;
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)found,
		.exit_signal = SIGCHLD,
	};
	struct clone_args between = {
		.flags = CLONE_FILES | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&middle_fd,
		.exit_signal = SIGCHLD,
	};
	pid_t middle = proc_clone(&between), pid;

	if (middle == 0) {
		pid = proc_clone(&args);
		if (pid == 0)
			return 0;
		_exit(pid < 0 ? errno : 0);
	}
	if (middle < 0)
		return err_sys(err, "cannot clone a process in the container");
	if (!await_end(ch, middle_fd)) {
		proc_pidfd_kill(middle_fd, SIGKILL, err);
		proc_wait(middle);
		kill_found(found);
		_exit(1);
	}
	status = proc_wait(middle);
	fd_close(&middle_fd);
	if (is_there(*found))
		return 1;
	*found = -1;
	if (WIFEXITED(status))
		return err_sysno(err, WEXITSTATUS(status), "cannot clone a process in the container");
	return err_set(err, ERR_GONE, "the exec'd process has died before its program ran");
}

/* One that ends at once: does anybody notice? Only the end of its end is asked for: POLLHUP, which comes when it is reaped. */
static bool init_reaps(const struct child *ch, int *found, struct err *err)
{
	struct pollfd p = { .events = 0 };
	int r = clone_orphan(ch, found, err);

	/* A zombie whose session leads outside of its pid namespace is one that criu refuses. */
	if (r == 0) {
		setsid();
		_exit(0);
	}
	p.fd = *found;
	r = r < 0 ? 1 : poll(&p, 1, REAPED_WITHIN_MS);
	kill_found(found); /* it may have been stopped before it could end */
	return r > 0;
}

static void exec_below_init(struct child *ch) __attribute__((noreturn));
static void exec_below_init(struct child *ch)
{
	int *found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct err err;
	int r;

	if (found == MAP_FAILED) {
		err_sys(&err, "cannot map memory");
		child_fail(ch->sync_fd, &err);
	}
	*found = -1;
	if (!init_reaps(ch, found, &err))
		child_say(ch->sync_fd, CHILD_UNREAPED, NULL, -1);
	r = clone_orphan(ch, found, &err);
	if (r == 0)
		go_on(ch);
	if (r < 0)
		child_fail(ch->sync_fd, &err);
	/* The shim kills us once it has heard it. */
	if (child_tell(ch->sync_fd, CHILD_IS, NULL, *found))
		await_end(ch, -1);
	kill_found(found);
	_exit(1);
}

void child_exec(const struct child_exec_params *p)
{
	struct child ch;
	struct err err;
	int pidfd = -1;
	pid_t pid;

	child_begin(&ch, &p->common);
	ch.exec = p;
	child_run_steps(&ch, before, ARRAY_SIZE(before));
	if (p->below_init)
		exec_below_init(&ch);
	pid = clone_sibling(p->cloned, &pidfd);
	if (pid == 0)
		go_on(&ch);
	if (pid < 0) {
		err_sys(&err, "cannot clone a process in the container");
		child_fail(ch.sync_fd, &err);
	}
	child_say(ch.sync_fd, CHILD_IS, NULL, pidfd);
	_exit(0);
}
