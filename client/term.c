/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's terminal: its size, and raw mode that is undone on every way out. */
#include "client/term.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/fd.h"

/* File-level, since a signal handler has no argument: there is one terminal, as there is one stdin. */
static struct {
	volatile sig_atomic_t raw;
	int fd;
	struct termios before;
	bool hooked;
} terminal;

/* What nobody dies of. All others are ways to die that leave a chance to clean up, but for SIGKILL; those that a relay takes in hand never come here. */
static bool is_survived(int sig)
{
	static const int list[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (list[i] == sig)
			return true;
	return false;
}

bool term_size(uint32_t *ret_rows, uint32_t *ret_columns)
{
	struct winsize ws;

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_row && ws.ws_col) {
			*ret_rows = ws.ws_row;
			*ret_columns = ws.ws_col;
			return true;
		}
	return false;
}

static void put_back(void)
{
	sigset_t ttou, old;

	/* From the background it is still ours to restore, and not a reason to be stopped. */
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	tcsetattr(terminal.fd, TCSADRAIN, &terminal.before);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

void term_restore(void)
{
	if (!terminal.raw)
		return;
	put_back();
	terminal.raw = 0;
}

/* SA_RESETHAND and the raise make us die of it; tcsetattr and sigprocmask are allowed here. */
static void restore_and_die(int sig)
{
	term_restore();
	raise(sig);
}

/* Whoever gets the terminal now gets it as it was. It stays ours to make raw: term_raw_again(). */
static void restore_and_stop(int sig)
{
	struct sigaction stop = { .sa_handler = SIG_DFL }, ours;
	int saved_errno = errno;

	if (terminal.raw && !term_in_background(terminal.fd))
		put_back();
	sigaction(sig, &stop, &ours);
	raise(sig); /* SA_NODEFER: at once */
	sigaction(sig, &ours, NULL);
	errno = saved_errno;
}

static void hook_ways_out(void)
{
	struct sigaction stop = { .sa_handler = restore_and_stop, .sa_flags = SA_NODEFER | SA_RESTART };
	struct sigaction sa = { .sa_handler = restore_and_die, .sa_flags = (int)SA_RESETHAND | SA_NODEFER }, old;

	if (terminal.hooked)
		return;
	terminal.hooked = true;
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (!is_survived(sig) && sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(sig, &sa, NULL);
	if (sigaction(SIGTSTP, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		sigaction(SIGTSTP, &stop, NULL);
	atexit(term_restore);
}

int term_raw(int fd, struct err *err)
{
	struct termios t;

	if (!terminal.raw) {
		if (tcgetattr(fd, &terminal.before) < 0)
			return err_sys(err, "cannot read the terminal's mode");
		terminal.fd = fd;
		hook_ways_out();
	}
	t = terminal.before;
	cfmakeraw(&t);
	terminal.raw = 1;
	if (tcsetattr(fd, TCSADRAIN, &t) < 0) {
		err_sys(err, "cannot put the terminal into raw mode");
		terminal.raw = 0;
		return -1;
	}
	return 0;
}

void term_raw_again(void)
{
	struct err ignored;

	/* From the background the attempt would stop us. */
	if (terminal.raw && !term_in_background(terminal.fd))
		term_raw(terminal.fd, &ignored);
}

bool term_is_raw(void)
{
	return terminal.raw;
}

bool term_in_background(int fd)
{
	pid_t group = tcgetpgrp(fd);

	return group >= 0 && group != getpgrp();
}
