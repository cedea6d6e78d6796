/* SPDX-License-Identifier: Apache-2.0 */
/* Long work on files, done by a child of the shim so that the loop goes on.
 *
 * The child is a fork: it has the shim's memory and privileges, and of its descriptors only those that the work is about. A copy of the lock, or of an attached client's pipe,
 * would outlive the shim's own. */
#include "shim/checkpoint/worker.h"

#include <event2/event.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "common/proc.h"
#include "common/wire.h"

#define KEPT_MAX 16

struct worker {
	struct worker_task task;
	int said_fd, pidfd;
	struct event *end;
};

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void close_others(const struct worker_task *task, int said)
{
	int kept[KEPT_MAX + 1];
	size_t n = 0;
	unsigned int from = 0;

	for (size_t i = 0; i < task->n_fds && i < KEPT_MAX; i++)
		if (task->fds[i] >= 0)
			kept[n++] = task->fds[i];
	kept[n++] = said;
	qsort(kept, n, sizeof(*kept), by_number);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned int)kept[i] > from)
			fd_close_range(from, (unsigned int)kept[i] - 1, 0);
		from = (unsigned int)kept[i] + 1;
	}
	fd_close_range(from, ~0u, 0);
}

static void child_run(const struct worker_task *task, int said, pid_t parent) __attribute__((noreturn));
static void child_run(const struct worker_task *task, int said, pid_t parent)
{
	struct err err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	close_others(task, said);
	proc_default_signals();
	umask(0077);
	if (task->run(task->arg, &err) >= 0)
		_exit(0);
	wire_send_err(said, &err);
	_exit(1);
}

static int reap(const struct worker *w, struct err *err)
{
	siginfo_t info;
	struct err said, ignored;

	proc_wait_pidfd(w->pidfd, 0, &info);
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	if (wire_recv_err(w->said_fd, &said, &ignored) == 1)
		*err = said;
	else
		err_set(err, ERR_GONE, "the process that writes the image was killed by signal %d", info.si_status);
	return -1;
}

static void end_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct err err;
	int r = reap(w, &err);

	event_del(w->end);
	fd_close(&w->pidfd);
	w->task.done_cb(w->task.done_arg, r < 0 ? &err : NULL);
}

int worker_start(struct event_base *base, const struct worker_task *task, struct worker **ret, struct err *err)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	pid_t pid, self = getpid();
	int said[2];
	struct clone_args args = { .flags = CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)&w->pidfd,
				   .exit_signal = SIGCHLD };

	*w = (struct worker) { .task = *task, .said_fd = -1, .pidfd = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, said) < 0) {
		free(w);
		return err_sys(err, "cannot make a socketpair");
	}
	w->said_fd = said[0];
	pid = proc_clone(&args);
	if (pid == 0)
		child_run(task, said[1], self);
	fd_close(&said[1]);
	if (pid < 0) {
		err_sys(err, "cannot clone a process to write the image");
		worker_free(w);
		return -1;
	}
	w->end = event_new(base, w->pidfd, EV_READ, end_cb, w);
	if (!w->end || event_add(w->end, NULL) < 0)
		fatal("out of memory");
	*ret = w;
	return 0;
}

void worker_kill(struct worker *w)
{
	struct err ignored;

	if (w->pidfd >= 0)
		proc_pidfd_kill(w->pidfd, SIGKILL, &ignored);
}

void worker_free(struct worker *w)
{
	struct err ignored;

	if (!w)
		return;
	worker_kill(w);
	if (w->pidfd >= 0)
		reap(w, &ignored);
	if (w->end)
		event_free(w->end);
	fd_close(&w->said_fd);
	fd_close(&w->pidfd);
	free(w);
}
