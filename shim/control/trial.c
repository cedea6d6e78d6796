/* SPDX-License-Identifier: Apache-2.0 */
/* Trying out a shim's program.
 *
 * The child runs with our privileges, as the program would after the upgrade; it may be anything, so what it says is cut off, it is killed at the deadline, and of our descriptors it
 * has a copy of the state alone: above all not the lock. */
#include "shim/control/trial.h"

#include <event2/event.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "common/proc.h"

#define ANSWER_MAX 1024
#define STATE_FD 3
#define FIRST_FREE_FD 10

static const struct timeval deadline = { .tv_sec = 5 };

struct trial {
	void (*done_cb)(void *arg, const struct err *err);
	void *arg;
	int pidfd, answer_fd;
	struct event *end;
	char answer[ANSWER_MAX];
};

void trial_free(struct trial *t)
{
	struct err ignored;
	siginfo_t info;

	if (!t)
		return;
	if (t->end)
		event_free(t->end);
	if (t->pidfd >= 0) {
		proc_pidfd_kill(t->pidfd, SIGKILL, &ignored);
		proc_wait_pidfd(t->pidfd, 0, &info);
	}
	fd_close(&t->pidfd);
	fd_close(&t->answer_fd);
	free(t);
}

/* ---- the child ------------------------------------------------------------------------------------------------------------- */

static void run_child(const struct trial_request *req, int answer_fd) __attribute__((noreturn));
static void run_child(const struct trial_request *req, int answer_fd)
{
	char *const argv[] = { (char *)"thole-shim", (char *)"--state-fd", (char *)"3",     (char *)"--check-state",
			       (char *)"--root",     (char *)req->root,    (char *)req->id, NULL };
	int exe_fd = fcntl(req->exe_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	int state_fd = fcntl(req->state_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	int out_fd = fcntl(answer_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

	proc_default_signals();
	if (exe_fd >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0 && dup2(out_fd, STDERR_FILENO) >= 0 &&
	    dup2(state_fd, STATE_FD) >= 0 && fd_close_range(STATE_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		syscall(SYS_execveat, exe_fd, "", argv, environ, AT_EMPTY_PATH);
	dprintf(STDOUT_FILENO, "thole-shim: cannot be executed: %s\n",
		errno == ENOENT ? "it is a script, or its interpreter is missing" : strerrordesc_np(errno));
	_exit(127);
}

static int start(struct trial *t, const struct trial_request *req, struct err *err)
{
	cleanup_fd int write_fd = -1;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, "cannot make a pipe");
	t->answer_fd = fds[0];
	write_fd = fds[1];
	pid = fork();
	if (pid < 0)
		return err_sys(err, "cannot fork");
	if (pid == 0)
		run_child(req, write_fd);
	t->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (t->pidfd >= 0)
		return 0;
	err_sys(err, "cannot watch the program that is tried out");
	kill(pid, SIGKILL);
	proc_wait(pid);
	return -1;
}

/* ---- its answer ------------------------------------------------------------------------------------------------------------ */

static const char yes[] = "thole-shim can go on";
static const char no[] = "thole-shim: ";
static const char too_old[] = "thole-shim: unknown argument";

static bool begins_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* One line of it that can be shown. */
static void cut_answer(char *text)
{
	text[strcspn(text, "\n")] = '\0';
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static int judge(struct trial *t, const siginfo_t *info, struct err *err)
{
	size_t have = 0;
	ssize_t n;

	/* All that is there: the descriptor does not wait. */
	do {
		n = read(t->answer_fd, t->answer + have, sizeof(t->answer) - 1 - have);
		have += n > 0 ? (size_t)n : 0;
	} while ((n < 0 && errno == EINTR) || (n > 0 && have < sizeof(t->answer) - 1));
	t->answer[have] = '\0';
	cut_answer(t->answer);
	if (info->si_code != CLD_EXITED)
		return err_set(err, ERR_STATE, "the new shim was ended by signal %d when it was tried out",
			       info->si_status);
	if (info->si_status == 0 && begins_with(t->answer, yes))
		return 0;
	if (begins_with(t->answer, too_old))
		return err_set(err, ERR_UNSUPPORTED,
			       "the new shim is of a version that cannot take the place of another");
	if (begins_with(t->answer, no))
		return err_set(err, ERR_STATE, "the new shim: %s", t->answer + strlen(no));
	return err_set(
		err, ERR_STATE,
		"the new shim is another program: tried out, it exits with status %d and without a word of a shim's",
		info->si_status);
}

static void end_cb(evutil_socket_t fd, short what, void *arg)
{
	struct trial *t = arg;
	siginfo_t info = { 0 };
	struct err err;

	if (what & EV_TIMEOUT) {
		err_set(&err, ERR_STATE, "the new shim has not answered within %d s when it was tried out",
			(int)deadline.tv_sec);
		t->done_cb(t->arg, &err);
		return;
	}
	if (proc_wait_pidfd(t->pidfd, 0, &info) < 0 && err_sys(&err, "cannot wait for the new shim") < 0) {
		t->done_cb(t->arg, &err);
		return;
	}
	fd_close(&t->pidfd); /* it is reaped */
	t->done_cb(t->arg, judge(t, &info, &err) < 0 ? &err : NULL);
}

struct trial *trial_new(const struct trial_request *req, struct err *err)
{
	struct trial *t = xcalloc(1, sizeof(*t));

	*t = (struct trial) { .done_cb = req->done_cb, .arg = req->arg, .pidfd = -1, .answer_fd = -1 };
	if (start(t, req, err) < 0) {
		trial_free(t);
		return NULL;
	}
	t->end = event_new(req->base, t->pidfd, EV_READ, end_cb, t);
	if (!t->end || event_add(t->end, &deadline) < 0)
		fatal("out of memory");
	return t;
}
