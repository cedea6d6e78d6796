/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's side of the keeper: starting one, telling it, and taking over what one holds.
 *
 * The child shares our memory until it executes (CLONE_VM | CLONE_VFORK: no page table is copied), so it only makes system calls. */
#include "shim/stdio/keeping.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "common/fd.h"
#include "common/statedir.h"

#define CHILD_STACK_SIZE (16 * 1024)
#define ANSWER_TAKES_S 2
#define BEHIND_MS 100

struct child {
	int fds[KEEPER_FD_FREE - KEEPER_FD_SHIM]; /* by enum keeper_fd */
	char *argv[5];
	const struct proc_limits *limits;
	int sys_errno; /* 0: it was executed */
};

static int child_fail(struct child *c)
{
	c->sys_errno = errno;
	_exit(127);
}

/* Any of them may have a number that another is to get: first all out of the way. */
static int child_exec(void *arg)
{
	struct child *c = arg;

	for (size_t i = 0; i < ARRAY_SIZE(c->fds); i++) {
		c->fds[i] = fcntl(c->fds[i], F_DUPFD_CLOEXEC, KEEPER_FD_FREE);
		if (c->fds[i] < 0)
			return child_fail(c);
	}
	for (size_t i = 0; i < ARRAY_SIZE(c->fds); i++)
		if (dup2(c->fds[i], KEEPER_FD_SHIM + (int)i) < 0)
			return child_fail(c);
	if (fd_close_range(KEEPER_FD_FREE, ~0U, CLOSE_RANGE_CLOEXEC) < 0 || proc_limits_give_back(c->limits) < 0)
		return child_fail(c);
	syscall(SYS_execveat, KEEPER_FD_OWN_EXE, "", c->argv, environ, AT_EMPTY_PATH);
	return child_fail(c);
}

/* With our own mask of signals: no handler runs in it, and it stays deaf to what we are. */
static int start_child(struct child *c, struct err *err)
{
	char stack[CHILD_STACK_SIZE] __attribute__((aligned(16)));
	int pid = clone(child_exec, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_PARENT, c);
	if (pid < 0)
		return err_sys(err, "cannot start the keeper");
	return c->sys_errno ? err_sysno(err, c->sys_errno, "cannot execute the keeper") : 0;
}

int keeper_launch(const struct keeper_launch *p, int *ret_fd, struct err *err)
{
	cleanup_fd int shim_exe = open("/proc/self/exe", O_PATH | O_CLOEXEC), ours = -1, theirs = -1;
	cleanup_free char *path = xasprintf("%s/%s/" STATEDIR_KEEPER, p->root, p->id);
	int pair[2];

	if (shim_exe < 0)
		return err_sys(err, "cannot open '/proc/self/exe'");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(err, "cannot make a socketpair");
	ours = pair[0];
	theirs = pair[1];
	struct child c = {
		.fds = { theirs, p->listen_fd, shim_exe, p->exe_fd },
		.argv = { (char *)"thole-keeper", (char *)p->root, (char *)p->id, path, NULL },
		.limits = p->limits,
	};

	if (start_child(&c, err) < 0)
		return -1;
	*ret_fd = take_fd(&ours);
	return 0;
}

/* Some ten packets may wait for it. It does little else than take them; but it may be stopped. */
static void send_patiently(int to, const struct msghdr *h)
{
	struct pollfd p = { .fd = to, .events = POLLOUT };

	while (sendmsg(to, h, MSG_NOSIGNAL) < 0)
		if (errno != EINTR && (errno != EAGAIN || poll(&p, 1, BEHIND_MS) != 1))
			return;
}

void keeper_tell(int keeper_fd, enum keeper_word word, uint32_t slot, int fd)
{
	struct keeper_message msg = { word, slot };
	struct iovec iov = { &msg, sizeof(msg) };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	if (fd >= 0) {
		h.msg_control = control.space;
		h.msg_controllen = sizeof(control.space);
		cm = CMSG_FIRSTHDR(&h);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	}
	send_patiently(keeper_fd, &h);
}

/* Returns 1 for a message, 0 for the end, -1 on failure. */
static int receive(int from, struct keeper_message *ret, int *ret_fd, struct err *err)
{
	struct iovec iov = { ret, sizeof(*ret) };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)
	};
	struct cmsghdr *cm;
	ssize_t n;

	*ret_fd = -1;
	do
		n = recvmsg(from, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot hear the keeper");
	cm = CMSG_FIRSTHDR(&h);
	if (cm && cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS && cm->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(cm), sizeof(int));
	return n == sizeof(*ret) ? 1 : 0;
}

void keeper_held_init(struct keeper_held *h)
{
	*h = (struct keeper_held) { .n_terminals = 0 };
	for (int i = 0; i < KEEPER_SLOTS; i++)
		h->fd[i] = -1;
}

void keeper_held_release(struct keeper_held *h)
{
	for (int i = 0; i < KEEPER_SLOTS; i++)
		fd_close(&h->fd[i]);
	for (size_t i = 0; i < h->n_terminals; i++)
		fd_close(&h->terminals[i].fd);
	free(h->terminals);
	keeper_held_init(h);
}

/* Takes *fd. False: no keeper holds that. */
static bool put(struct keeper_held *h, uint32_t slot, int *fd)
{
	if (slot < KEEPER_SLOTS) {
		fd_close(&h->fd[slot]);
		h->fd[slot] = take_fd(fd);
		return true;
	}
	if (slot < KEEPER_TERMINAL || h->n_terminals == KEEPER_HELD_MAX)
		return false;
	h->terminals = xrealloc(h->terminals, (h->n_terminals + 1) * sizeof(*h->terminals));
	h->terminals[h->n_terminals++] = (struct keeper_terminal) { slot - KEEPER_TERMINAL, take_fd(fd) };
	return true;
}

static int take_all(int from, struct keeper_held *held, struct err *err)
{
	for (;;) {
		struct keeper_message msg;
		cleanup_fd int fd = -1;
		int n = receive(from, &msg, &fd, err);

		if (n < 0)
			return -1;
		if (n == 0)
			return err_set(err, ERR_GONE, "the keeper has ended");
		if (msg.word == KEEPER_ALL)
			return 0;
		if (msg.word != KEEPER_HOLD || fd < 0 || !put(held, msg.slot, &fd))
			return err_set(err, ERR_PROTOCOL, "the keeper says something else than a keeper does");
	}
}

int keeper_take(int dir_fd, struct keeper_held *ret_held, int *ret_fd, struct err *err)
{
	const struct timeval patience = { .tv_sec = ANSWER_TAKES_S };
	struct keeper_held held;
	cleanup_fd int fd = -1;

	if (statedir_connect(dir_fd, STATEDIR_KEEPER, 0, &fd, err) < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return err_sys(err, "cannot set a deadline");
	keeper_held_init(&held);
	if (take_all(fd, &held, err) < 0 || fd_set_nonblock(fd, true, err) < 0) {
		keeper_held_release(&held);
		return -1;
	}
	*ret_held = held;
	*ret_fd = take_fd(&fd);
	return 0;
}
