/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as events: which ones the client takes in hand, and reading them one by one. */
#include "client/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "common/fd.h"

/* What is left alone. The faults say something about this program; the stops keep their meaning for the job that we are
 * (a stopped client reads nothing, which holds the container back). */
static const int not_taken[] = {
	SIGKILL, SIGSTOP, SIGCHLD, SIGURG, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU,
	SIGILL,  SIGTRAP, SIGABRT, SIGBUS, SIGFPE,  SIGSEGV, SIGSYS,
};

static bool is_ignored(int sig)
{
	struct sigaction sa;

	return sigaction(sig, NULL, &sa) < 0 || sa.sa_handler == SIG_IGN;
}

static void choose(enum signals_for what, sigset_t *set)
{
	sigemptyset(set);
	for (int sig = 1; what != SIGNALS_WINDOW && sig < NSIG; sig++)
		if ((sig != SIGHUP && what != SIGNALS_OWN) || !is_ignored(sig))
			sigaddset(set, sig);
	for (size_t i = 0; i < ARRAY_SIZE(not_taken); i++)
		sigdelset(set, not_taken[i]);
	if (what == SIGNALS_ATTACHED)
		sigdelset(set, SIGHUP);
	sigaddset(set, SIGWINCH);
	sigaddset(set, SIGCONT);
}

int signals_open(enum signals_for what, int *ret_fd, struct err *err)
{
	sigset_t set;
	int fd;

	choose(what, &set);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(err, "cannot make a signalfd");
	sigprocmask(SIG_BLOCK, &set, NULL);
	*ret_fd = fd;
	return 0;
}

int signals_next(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		/* That we have written beyond the limit is nobody else's business, and the write has told us. */
		if (info.ssi_signo != SIGXFSZ || info.ssi_pid != (uint32_t)getpid())
			return (int)info.ssi_signo;
	return 0;
}

void signals_die(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + sig);
}
