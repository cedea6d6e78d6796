/* SPDX-License-Identifier: Apache-2.0 */
/* The container's first process, from the clone to execve.
 *
 * Runs as the child that clone3 made, single-threaded, in its new namespaces, with the shim's privileges until it becomes the user. It
 * distrusts the root file system and whatever in it has a name. Nothing here uses libevent or stdio; the way out is execve or _exit.
 *
 * The order is forced: the shim's lock is closed first of all (a copy would keep it locked); groups are joined before the cgroup namespace
 * is made (its root is the group at that moment) and before anything is allocated that should be accounted; the root is built
 * before it is entered; limits and the bounding set need privileges and so come before the user; a seccomp filter comes after the wait for
 * the start where no_new_privs allows that, so that the profile need not allow what the wait needs, and before the capabilities
 * go where it does not. */
#include "shim/sandbox/child_init.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/wire.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/child_internal.h"
#include "shim/sandbox/device.h"
#include "shim/sandbox/limits.h"

#define DEFAULT_UMASK 0022

/* What the steps hand on to each other. */
struct child {
	const struct child_init_params *p;
	const struct oci_process *process;
	int sync_fd, start_fd;
	int stdio[3];
	int root_fd;
	int master_fd; /* until it has been sent */
	struct child_program prog;
};

static int step_let_go(struct child *ch, struct err *err)
{
	for (int i = 0; i < ch->p->n_close_first; i++)
		close(ch->p->close_first[i]);
	/* Nobody may look into us through /proc while we are more than the container is. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "cannot become undumpable");
	if (setsid() < 0)
		return err_sys(err, "cannot make a session");
	umask(0);
	return child_reset_signals(err);
}

static int step_join(struct child *ch, struct err *err)
{
	const struct oci_config *c = ch->p->config;

	if (child_cgroup_join(ch->p->cgroup, err) < 0 || child_ns_join(ch->p->joined, err) < 0)
		return -1;
	if (c->ns[OCI_NS_CGROUP].wanted && !c->ns[OCI_NS_CGROUP].path && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, "cannot make a cgroup namespace");
	return 0;
}

static int step_close_others(struct child *ch, struct err *err)
{
	int n = 0;
	cleanup_free int *keep = xcalloc(5 + (size_t)ch->p->n_preserved, sizeof(*keep));

	keep[n++] = ch->sync_fd;
	keep[n++] = ch->start_fd;
	for (int i = 0; i < 3; i++)
		keep[n++] = ch->stdio[i];
	for (int i = 0; i < ch->p->n_preserved; i++)
		keep[n++] = ch->p->preserved[i];
	return child_close_all_but(keep, n, err);
}

static int step_keyring(struct child *ch, struct err *err)
{
	char name[300];

	if (ch->p->no_new_keyring)
		return 0;
	snprintf(name, sizeof(name), "_ses.%s", ch->p->id);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0) < 0 && errno != ENOSYS)
		return err_sys(err, "cannot make a session keyring (--no-new-keyring does without)");
	return 0;
}

static int step_names(struct child *ch, struct err *err)
{
	const struct oci_config *c = ch->p->config;

	if (c->hostname && sethostname(c->hostname, strlen(c->hostname)) < 0)
		return err_sys(err, "cannot set the hostname");
	if (c->domainname && setdomainname(c->domainname, strlen(c->domainname)) < 0)
		return err_sys(err, "cannot set the domainname");
	return 0;
}

static int step_build_rootfs(struct child *ch, struct err *err)
{
	return child_build_rootfs(ch->p, &ch->root_fd, err);
}

static int step_terminal(struct child *ch, struct err *err)
{
	cleanup_fd int terminal = -1;

	if (!ch->process || !ch->process->terminal)
		return ch->stdio[0] >= 0 ? 0 : device_open_null(ch->root_fd, O_RDONLY, &ch->stdio[0], err);
	if (device_make_pty(ch->root_fd, ch->process->uid, ch->p->rows, ch->p->columns, &ch->master_fd, &terminal, err) < 0)
		return -1;
	if (ioctl(terminal, TIOCSCTTY, 0) < 0)
		return err_sys(err, "cannot take the terminal");
	for (int i = 0; i < 3; i++) {
		ch->stdio[i] = fcntl(terminal, F_DUPFD_CLOEXEC, 3);
		if (ch->stdio[i] < 0)
			return err_sys(err, "cannot duplicate the terminal");
	}
	return 0;
}

static int step_enter_rootfs(struct child *ch, struct err *err)
{
	return child_enter_rootfs(ch->p, ch->root_fd, err);
}

static int step_limits(struct child *ch, struct err *err)
{
	const struct oci_process *pr = ch->process;

	if (!pr)
		return 0;
	if (child_make_env(pr, ch->root_fd, &ch->prog, err) < 0 || limits_apply(0, pr, err) < 0)
		return -1;
	umask(pr->has_umask ? pr->umask : DEFAULT_UMASK);
	if (pr->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "cannot set no_new_privs");
	return 0;
}

static int step_user(struct child *ch, struct err *err)
{
	const struct oci_process *pr = ch->process;

	if (!pr)
		return 0;
	if (child_enter_cwd(pr, false, err) < 0 || child_caps_drop_bounding(&pr->caps, err) < 0 ||
	    child_become_user(pr, err) < 0)
		return -1;
	/* With no_new_privs nothing that follows needs a capability. */
	if (pr->no_new_privileges && child_caps_apply(&pr->caps, err) < 0)
		return -1;
	return child_enter_cwd(pr, true, err);
}

static int step_find_program(struct child *ch, struct err *err)
{
	return ch->process ? child_find_program(ch->process, &ch->prog, err) : 0;
}

static int step_place_fds(struct child *ch, struct err *err)
{
	int n = ch->p->n_preserved;

	fd_close(&ch->root_fd);
	if (child_move_fd_up(&ch->sync_fd, n, err) < 0 || child_move_fd_up(&ch->start_fd, n, err) < 0 ||
	    child_move_fd_up(&ch->master_fd, n, err) < 0)
		return -1;
	return child_place_fds(ch->stdio, ch->p->preserved, n, err);
}

static const struct {
	const char *name;
	int (*run)(struct child *ch, struct err *err);
} steps[] = {
	{ "let go", step_let_go },
	{ "join", step_join },
	{ "close", step_close_others },
	{ "keyring", step_keyring },
	{ "names", step_names },
	{ "rootfs", step_build_rootfs },
	{ "terminal", step_terminal },
	{ "enter", step_enter_rootfs },
	{ "limits", step_limits },
	{ "user", step_user },
	{ "program", step_find_program },
	{ "descriptors", step_place_fds },
};

/* ---- talking to the shim, and to whoever starts ---------------------------------------------------------------------- */

static void send_word(int sync_fd, enum child_word word, const struct err *err, int fd)
{
	struct child_message msg = { .word = word };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = &msg, .iov_len = sizeof(msg) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (err)
		msg.err = *err;
	if (fd >= 0) {
		struct cmsghdr *c;

		head.msg_control = control.buf;
		head.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&head);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (sendmsg(sync_fd, &head, MSG_NOSIGNAL) < 0)
		_exit(1); /* nobody is there any more */
}

static void fail(int sync_fd, const struct err *err) __attribute__((noreturn));
static void fail(int sync_fd, const struct err *err)
{
	send_word(sync_fd, CHILD_FAILED, err, -1);
	_exit(1);
}

static char await_order(int sync_fd)
{
	char order;
	ssize_t n;

	do
		n = recv(sync_fd, &order, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(1); /* the shim is gone before the container was */
	return order;
}

/* The connection of whoever starts us. */
static int await_start(int start_fd)
{
	struct pollfd pfd = { .fd = start_fd, .events = POLLIN };

	for (;;) {
		int fd;

		if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
			_exit(1);
		fd = accept4(start_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
			_exit(1);
	}
}

/* ---- the end --------------------------------------------------------------------------------------------------------- */

static int load_filter(const struct child *ch, struct err *err)
{
	return ch->p->seccomp ? child_seccomp_load(ch->p->seccomp, err) : 0;
}

/* Only comes back when something failed. */
static int run_program(struct child *ch, struct err *err)
{
	const struct oci_process *pr = ch->process;

	if (!pr)
		return err_set(err, ERR_CONFIG, "the config has no process to start");
	if (!pr->no_new_privileges && (load_filter(ch, err) < 0 || child_caps_apply(&pr->caps, err) < 0))
		return -1;
	if (pr->no_new_privileges && load_filter(ch, err) < 0)
		return -1;
	return child_exec(pr, &ch->prog, err);
}

void child_init(const struct child_init_params *p)
{
	struct child ch = {
		.p = p,
		.process = p->config->has_process ? &p->config->process : NULL,
		.sync_fd = p->sync_fd,
		.start_fd = p->start_fd,
		.root_fd = -1,
		.master_fd = -1,
	};
	struct err err = { 0 };
	int conn;

	memcpy(ch.stdio, p->stdio, sizeof(ch.stdio));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i].run(&ch, &err) < 0)
			fail(ch.sync_fd, &err);
	send_word(ch.sync_fd, CHILD_READY, NULL, ch.master_fd);
	fd_close(&ch.master_fd);
	if (await_order(ch.sync_fd) == CHILD_RUN) {
		fd_close(&ch.start_fd);
		run_program(&ch, &err);
		fail(ch.sync_fd, &err);
	}
	fd_close(&ch.sync_fd);
	conn = await_start(ch.start_fd);
	fd_close(&ch.start_fd);
	run_program(&ch, &err);
	wire_send_err(conn, &err);
	_exit(err.code == ERR_COMMAND_NOT_FOUND ? 127 : err.code == ERR_NOT_EXECUTABLE ? 126 : 1);
}
