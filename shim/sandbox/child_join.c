/* SPDX-License-Identifier: Apache-2.0 */
/* The process between the shim and the container's first one.
 *
 * Only a child of whoever joined it is in a pid namespace; namespaces belong to the user namespace that their maker is in; the offsets of a time
 * namespace can be set only while nobody is in it. So a process of the shim's joins, unshares, and clones init with CLONE_PARENT: init is the
 * shim's child all the same.
 *
 * Runs with the shim's privileges until it enters the user namespace, with those of that one's root afterwards. The order: groups first, whom init inherits;
 * what is joined next, since that takes privileges over the namespaces' owners, which the shim has and the container has not (where it is the
 * other way round, the join is tried again from inside); then the user namespace; what is new last, so that it belongs to it. */
#include "shim/sandbox/child_join.h"

#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/child_internal.h"
#include "shim/sandbox/procfs.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static int step_join(struct child *ch, struct err *err)
{
	const struct child_init_params *p = ch->init;

	if (child_cgroup_join(ch->p->cgroup, err) < 0)
		return -1;
	return child_ns_join(p->joined, p->leaves_user ? &ch->left : NULL, err);
}

static int step_user(struct child *ch, struct err *err)
{
	const struct child_init_params *p = ch->init;
	int fd = p->joined->fd[OCI_NS_USER];

	if (!p->leaves_user)
		return 0;
	if (fd >= 0 && setns(fd, CLONE_NEWUSER) < 0)
		return err_sys(err, "cannot join the user namespace");
	if (fd < 0 && unshare(CLONE_NEWUSER) < 0)
		return err_sys(err, "cannot make a user namespace");
	/* An ordinary user's shim can write only to the files of somebody dumpable. Nobody of the container is there yet, and this process is in no namespace where it could be
	 * seen by others than those of the same user. */
	if (ch->p->unprivileged && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return err_sys(err, "cannot become dumpable");
	child_say(ch->sync_fd, CHILD_WANTS_IDMAP, NULL, -1);
	if (child_await_order(ch->sync_fd) != CHILD_GO_ON)
		_exit(1);
	if (ch->p->unprivileged && prctl(PR_SET_DUMPABLE, oci_has_time_offsets(ch->init->config), 0, 0, 0) < 0)
		return err_sys(err, "cannot become undumpable");
	return child_ns_join_left(p->joined, ch->left, err);
}

/* It is this process's children that will be in it. */
static int step_time(struct child *ch, struct err *err)
{
	const struct oci_time_offset *m = &ch->init->config->monotonic, *b = &ch->init->config->boottime;
	cleanup_fd int proc_fd = -1;
	char text[128];

	if (!oci_has_time_offsets(ch->init->config))
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(err, "cannot make a time namespace");
	snprintf(text, sizeof(text), "monotonic %" PRId64 " %" PRIu32 "\nboottime %" PRId64 " %" PRIu32 "\n", m->secs,
		 m->nanosecs, b->secs, b->nanosecs);
	if (procfs_open(PROCFS_PIDS, &proc_fd, err) < 0 || procfs_write(proc_fd, "self/timens_offsets", text, err) < 0)
		return err_is_sys(err, ERANGE)
			       ? err_set(err, ERR_CONFIG, "linux.timeOffsets: the clock would be before 0 or too late")
			       : err_add(err, "linux.timeOffsets");
	return child_become_undumpable(err);
}

static const struct child_step steps[] = {
	{ "let go", child_step_let_go },
	{ "join", step_join },
	{ "user", step_user },
	{ "time", step_time },
};

static pid_t clone_init(const struct child_init_params *p, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = ns_clone_flags(p->config) | CLONE_PARENT | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
	};

	return proc_clone(&args);
}

static int explain(const struct child_init_params *p, struct err *err)
{
	if (errno == ENOMEM && p->joined->fd[OCI_NS_PID] >= 0)
		return err_set(err, ERR_GONE,
			       "linux.namespaces: the pid namespace '%s' is over: its first process has ended",
			       p->config->ns[OCI_NS_PID].path);
	return err_sys(err, "cannot clone the container's first process");
}

void child_join(const struct child_init_params *p)
{
	struct err err = { 0 };
	struct child ch;
	int pidfd = -1;
	pid_t pid;

	child_begin(&ch, &p->common);
	ch.init = p;
	child_run_steps(&ch, steps, ARRAY_SIZE(steps));
	pid = clone_init(p, &pidfd);
	if (pid == 0) {
		/* The shim has to know who we are before we say anything. */
		if (child_await_order(ch.sync_fd) != CHILD_GO_ON)
			_exit(1);
		child_init(p);
	}
	if (pid < 0) {
		explain(p, &err);
		child_fail(ch.sync_fd, &err);
	}
	child_say(ch.sync_fd, CHILD_IS, NULL, pidfd);
	_exit(0);
}
