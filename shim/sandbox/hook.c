/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: programs that are told about the container.
 *
 * The shim's loop must not wait for them, so a forked child runs them one after the other; those of the container are run by its own first
 * process, which waits. They are trusted as the config that names them is: createContainer and those of the runtime run with the shim's
 * privileges, startContainer with the container's. */
#include "shim/sandbox/hook.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/proc.h"
#include "common/wire.h"
#include "shim/sandbox/child_internal.h"

#define SAID_MAX 200 /* bytes of a failed hook's output that go into the error */

static void exec_hook(const struct oci_hook *hook, const struct hook_run *run, int in, int out)
{
	char *const only_path[] = { hook->path, NULL }, *const no_env[] = { NULL };
	const int stdio[3] = { in, out, out };
	struct err err;

	/* Whoever ends us means the hook. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && child_reset_signals(&err) == 0 &&
	    (!run->limits || proc_limits_give_back(run->limits) == 0) && child_place_fds(stdio, NULL, 0, &err) == 0 &&
	    chdir(run->cwd) == 0 && (!run->prepare || run->prepare(run->prepare_arg, &err) == 0))
		execve(hook->path, hook->args.n ? hook->args.v : only_path, hook->env.v ? hook->env.v : no_env);
	dprintf(STDERR_FILENO, "%s", strerrordesc_np(errno));
	_exit(127);
}

/* Returns false when the time is over. */
static bool wait_for_end(int pidfd, int timeout_s)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	int64_t deadline = timeout_s ? clock_ms() + (int64_t)timeout_s * 1000 : 0;

	for (;;) {
		int64_t left = timeout_s ? deadline - clock_ms() : -1;
		int n;

		if (timeout_s && left < 0)
			return false;
		n = poll(&pfd, 1, left > INT32_MAX ? INT32_MAX : (int)left);
		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
	}
}

/* The first line of what it wrote. */
static void read_said(int out, char said[SAID_MAX])
{
	ssize_t n = pread(out, said, SAID_MAX - 1, 0);

	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
}

static int run_one(const struct oci_hook *hook, const struct hook_run *run, struct err *err)
{
	cleanup_fd int in = memfd_create("hook-stdin", MFD_CLOEXEC), out = memfd_create("hook-output", MFD_CLOEXEC);
	cleanup_fd int pidfd = -1;
	char said[SAID_MAX];
	bool in_time;
	int status;
	pid_t pid;

	if (in < 0 || out < 0)
		return err_sys(err, "cannot make a memfd");
	if (fd_write_all(in, run->state, strlen(run->state), err) < 0 || lseek(in, 0, SEEK_SET) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return err_sys(err, "cannot fork");
	if (pid == 0)
		exec_hook(hook, run, in, out);
	if (proc_pidfd_open(pid, 0, &pidfd, err) < 0)
		return -1;
	in_time = wait_for_end(pidfd, hook->timeout_s);
	if (!in_time)
		proc_pidfd_kill(pidfd, SIGKILL, err);
	status = proc_wait(pid);
	if (status < 0)
		return err_sys(err, "cannot wait for the hook");
	if (!in_time)
		return err_set(err, ERR_SYS, "timed out after %d s", hook->timeout_s);
	if (status == 0)
		return 0;
	read_said(out, said);
	if (WIFSIGNALED(status))
		return err_set(err, ERR_SYS, "killed by signal %d%s%s", WTERMSIG(status), said[0] ? ": " : "", said);
	return err_set(err, ERR_SYS, "exit status %d%s%s", WEXITSTATUS(status), said[0] ? ": " : "", said);
}

int hook_run_all(const struct hook_run *run, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < run->hooks->n && (r == 0 || run->every); i++) {
		struct err failure;

		if (run_one(&run->hooks->v[i], run, &failure) == 0 || r < 0)
			continue;
		*err = failure;
		r = err_add(err, "%s hook '%s' failed", run->kind, run->hooks->v[i].path);
	}
	return r;
}

static void run_all(const struct hook_run *run, int sock)
{
	struct err err = { 0 };
	const int keep[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, sock }; /* the first three are /dev/null */

	close(run->close_first);
	umask(HOOK_UMASK);
	if (child_close_all_but(keep, ARRAY_SIZE(keep), &err) == 0)
		hook_run_all(run, &err);
	wire_send_err(sock, &err); /* all zero: none */
	_exit(0);
}

int hook_start(const struct hook_run *run, pid_t *ret_pid, int *ret_fd, struct err *err)
{
	cleanup_fd int ours = -1, theirs = -1;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a socketpair");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return err_sys(err, "cannot fork");
	if (pid == 0)
		run_all(run, theirs);
	*ret_pid = pid;
	*ret_fd = take_fd(&ours);
	return 0;
}

void hook_kill(pid_t pid)
{
	cleanup_fd int pidfd = -1;
	struct err ignored;

	if (proc_pidfd_open(pid, 0, &pidfd, &ignored) < 0 || proc_pidfd_kill(pidfd, SIGKILL, &ignored) < 0)
		return;
	proc_wait(pid);
}

int hook_result(pid_t pid, int fd, struct err *err)
{
	int r = wire_recv_outcome(fd, "the process that runs the hooks", err);

	proc_wait(pid);
	return r;
}
