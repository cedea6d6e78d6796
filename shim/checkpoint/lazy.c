/* SPDX-License-Identifier: Apache-2.0 */
/* The server of lazy pages: a `criu lazy-pages` that brings a restored container's memory in while that runs already.
 *
 * It is our child, with our privileges, outside the container's groups: frozen or out of memory with it, it could not go on. The container's processes give it their userfaultfds over its
 * socket. When the last copy of one is closed the kernel takes all that is still missing for zeros, and the process, which would go on with them, does not see that anything is wrong. So we
 * keep copies (pidfd_getfd), which is enough for it to wait until it is killed. What the server has done with, it closes, and then so do we: without that a process that is complete would
 * wait for a page that nobody owes it. There is no event for either, so we look, ten times a second, as long as it works. What has come to the server since we looked last is not covered:
 * the memory of a process that was forked in that tenth of a second. */
#include "shim/checkpoint/lazy.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/wire.h"

#define HELD_MAX 1024
#define LOOK_MS 100
#define USERFAULTFD "anon_inode:[userfaultfd]"

/* As the server numbers what it inherits. */
enum { IMAGES_FD = 4, WORK_FD, STATUS_FD, SAFE_FD = 64 };

struct lazy {
	const struct lazy_ops *ops;
	void *arg;
	pid_t pid;
	int pidfd, said_fd, status_fd;
	struct event *ready, *end, *look;
	bool is_ready;
	size_t n;
	int held[HELD_MAX];
};

/* ---- the child ------------------------------------------------------------------------------------------------------------- */

static int child_descriptors(const struct lazy_program *p, int status, int *said, struct err *err)
{
	const int from[] = { p->images_fd, p->work_fd, status };
	int high[ARRAY_SIZE(from)], null_fd = open("/dev/null", O_RDWR);

	*said = fcntl(*said, F_DUPFD_CLOEXEC, SAFE_FD);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, SAFE_FD);
	for (int fd = 0; fd < IMAGES_FD; fd++)
		if (dup2(null_fd, fd) < 0)
			return err_sys(err, "cannot give criu its stdio");
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		if (dup2(high[i], IMAGES_FD + (int)i) < 0)
			return err_sys(err, "cannot give criu its descriptors");
	if (fd_close_range(STATUS_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, "cannot close descriptors");
	return 0;
}

static void child_run(const struct lazy_program *p, int status, int said) __attribute__((noreturn));
static void child_run(const struct lazy_program *p, int status, int said)
{
	char port[16];
	const char *argv[] = { "criu",
			       "lazy-pages",
			       "--no-default-config",
			       "--images-dir",
			       "/proc/self/fd/4",
			       "--work-dir",
			       "/proc/self/fd/5",
			       "--log-file",
			       LAZY_LOG,
			       "-v4",
			       "--status-fd",
			       "6",
			       NULL,
			       NULL,
			       NULL,
			       NULL,
			       NULL,
			       NULL };
	const char *const server[] = { "--page-server", "--address", p->address, "--port", port };
	struct err err;

	for (size_t i = 0; i < p->n_close_first; i++)
		if (p->close_first[i] >= 0)
			close(p->close_first[i]);
	proc_default_signals();
	umask(0077);
	/* What ends our session's processes is not to end it. */
	setsid();
	snprintf(port, sizeof(port), "%d", p->port);
	for (size_t i = 0; p->address && i < ARRAY_SIZE(server); i++)
		argv[12 + i] = server[i];
	if (child_descriptors(p, status, &said, &err) == 0) {
		execv(p->path, (char *const *)argv);
		err_sys(&err, "cannot execute criu '%s'", p->path);
	}
	wire_send_err(said, &err);
	_exit(127);
}

/* ---- what it has ----------------------------------------------------------------------------------------------------------- */

static bool is_same(const struct lazy *l, int own, int theirs)
{
	return syscall(SYS_kcmp, getpid(), l->pid, KCMP_FILE, own, theirs) == 0;
}

/* Its descriptors of that kind, at most HELD_MAX. */
static size_t their_fds(const struct lazy *l, int *ret)
{
	cleanup_free char *path = xasprintf("/proc/%d/fd", (int)l->pid);
	cleanup_dir DIR *dir = opendir(path);
	char target[sizeof(USERFAULTFD) + 1];
	struct dirent *e;
	size_t n = 0;

	while (dir && n < HELD_MAX && (e = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), e->d_name, target, sizeof(target));

		if (len == (ssize_t)strlen(USERFAULTFD) && !memcmp(target, USERFAULTFD, (size_t)len))
			ret[n++] = atoi(e->d_name);
	}
	return n;
}

/* Does one of ours look at the same memory? */
static bool is_among(const struct lazy *l, int own, const int *theirs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_same(l, own, theirs[i]))
			return true;
	return false;
}

static bool is_held(const struct lazy *l, int theirs)
{
	for (size_t i = 0; i < l->n; i++)
		if (is_same(l, l->held[i], theirs))
			return true;
	return false;
}

/* Has its end begun, which closes everything? Then what it has no more it was not through with. */
static bool is_ending(const struct lazy *l)
{
	struct proc_stat st;
	struct err ignored;

	return proc_stat(l->pid, &st, &ignored) < 0 || !proc_stat_alive(&st) || proc_stat_exiting(&st);
}

static void look(struct lazy *l)
{
	int theirs[HELD_MAX];
	size_t n = their_fds(l, theirs), kept = 0;
	bool gone[HELD_MAX];

	for (size_t i = 0; i < n && l->n < HELD_MAX; i++) {
		int fd = is_held(l, theirs[i]) ? -1 : (int)syscall(SYS_pidfd_getfd, l->pidfd, theirs[i], 0);

		if (fd >= 0)
			l->held[l->n++] = fd;
	}
	for (size_t i = 0; i < l->n; i++)
		gone[i] = !is_among(l, l->held[i], theirs, n);
	/* Asked last: what was closed before this was not closed by its end. */
	if (is_ending(l))
		return;
	for (size_t i = 0; i < l->n; i++)
		if (gone[i])
			fd_close(&l->held[i]);
		else
			l->held[kept++] = l->held[i];
	l->n = kept;
}

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	look(arg);
}

void lazy_hold(struct lazy *l)
{
	const struct timeval interval = { .tv_usec = LOOK_MS * 1000 };

	look(l);
	if (!event_pending(l->look, EV_TIMEOUT, NULL))
		event_add(l->look, &interval);
}

static void let_go(struct lazy *l)
{
	for (size_t i = 0; i < l->n; i++)
		fd_close(&l->held[i]);
	l->n = 0;
}

/* ---- its life -------------------------------------------------------------------------------------------------------------- */

static void ready_cb(evutil_socket_t fd, short what, void *arg)
{
	struct lazy *l = arg;
	char byte;

	/* An end without a byte is followed by its own. */
	event_del(l->ready);
	if (read(l->status_fd, &byte, 1) != 1)
		return;
	l->is_ready = true;
	l->ops->ready_cb(l->arg);
}

static int reap(const struct lazy *l, struct err *err)
{
	siginfo_t info;
	struct err said, ignored;

	proc_wait_pidfd(l->pidfd, 0, &info);
	if (info.si_code == CLD_EXITED && info.si_status == 0 && l->is_ready)
		return 0;
	if (wire_recv_err(l->said_fd, &said, &ignored) == 1)
		*err = said;
	else if (info.si_code == CLD_EXITED)
		err_set(err, ERR_CRIU, "the server of lazy pages (criu lazy-pages) has ended with status %d",
			info.si_status);
	else
		err_set(err, ERR_CRIU, "the server of lazy pages (criu lazy-pages) was killed by signal %d",
			info.si_status);
	return -1;
}

static void end_cb(evutil_socket_t fd, short what, void *arg)
{
	struct lazy *l = arg;
	struct err err;
	int r = reap(l, &err);

	event_del(l->end);
	event_del(l->look);
	event_del(l->ready);
	fd_close(&l->pidfd);
	if (r == 0)
		let_go(l);
	l->ops->end_cb(l->arg, r < 0 ? &err : NULL);
}

static int clone_server(struct lazy *l, const struct lazy_program *p, struct err *err)
{
	struct clone_args args = { .flags = CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)&l->pidfd,
				   .exit_signal = SIGCHLD };
	int said[2], status[2];

	if (pipe2(status, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	l->status_fd = status[0];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, said) < 0) {
		fd_close(&status[1]);
		return err_sys(err, "cannot make a socketpair");
	}
	l->said_fd = said[0];
	l->pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (l->pid == 0)
		child_run(p, status[1], said[1]);
	fd_close(&status[1]);
	fd_close(&said[1]);
	return l->pid < 0 ? err_sys(err, "cannot clone a process for the server of lazy pages") : 0;
}

int lazy_start(struct event_base *base, const struct lazy_program *program, const struct lazy_ops *ops, void *arg,
	       struct lazy **ret, struct err *err)
{
	struct lazy *l = xcalloc(1, sizeof(*l));

	*l = (struct lazy) { .ops = ops, .arg = arg, .pidfd = -1, .said_fd = -1, .status_fd = -1 };
	if (clone_server(l, program, err) < 0) {
		lazy_free(l);
		return -1;
	}
	l->ready = event_new(base, l->status_fd, EV_READ, ready_cb, l);
	l->end = event_new(base, l->pidfd, EV_READ, end_cb, l);
	l->look = event_new(base, -1, EV_PERSIST, look_cb, l);
	if (!l->ready || !l->end || !l->look || event_add(l->ready, NULL) < 0 || event_add(l->end, NULL) < 0)
		fatal("out of memory");
	*ret = l;
	return 0;
}

/* It ends with whoever has asked it, and somebody has to. One that does not listen yet has nobody to tell that it does, and ends of that. */
void lazy_dismiss(int work_fd)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" LAZY_SOCKET, work_fd);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != ENOENT)
		log_debug("%s: %s", LAZY_SOCKET, strerror(errno));
}

bool lazy_runs(const struct lazy *l)
{
	return l && l->pidfd >= 0;
}

void lazy_free(struct lazy *l)
{
	struct err ignored;

	if (!l)
		return;
	if (l->pidfd >= 0) {
		proc_pidfd_kill(l->pidfd, SIGKILL, &ignored);
		reap(l, &ignored);
	}
	if (l->ready)
		event_free(l->ready);
	if (l->end)
		event_free(l->end);
	if (l->look)
		event_free(l->look);
	let_go(l);
	fd_close(&l->pidfd);
	fd_close(&l->said_fd);
	fd_close(&l->status_fd);
	free(l);
}
