/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that init and exec'd processes share, and what they say to the shim.
 *
 * Runs as the container's process, between the clone and execve. Nothing here uses libevent or stdio; the way out is execve or _exit. child_init.c and
 * child_exec.c say in which order, and why. */
#include "shim/sandbox/child_step.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/fault.h"
#include "common/fd.h"
#include "common/proc.h"
#include "shim/oci/names.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/child_internal.h"
#include "shim/sandbox/device.h"
#include "shim/sandbox/hook.h"
#include "shim/sandbox/keyring.h"
#include "shim/sandbox/limits.h"
#include "shim/sandbox/lsm.h"
#include "shim/sandbox/sched.h"

#define DEFAULT_UMASK 0022

void child_begin(struct child *ch, const struct child_params *p)
{
	*ch = (struct child) {
		.p = p,
		.process = p->process,
		.sync_fd = p->sync_fd,
		.start_fd = p->start_fd,
		.root_fd = -1,
		.master_fd = -1,
	};
	memcpy(ch->stdio, p->stdio, sizeof(ch->stdio));
}

void child_run_steps(struct child *ch, const struct child_step *steps, size_t n)
{
	struct err err = { 0 };

	for (size_t i = 0; i < n; i++)
		if (fault_step("child", steps[i].name, &err) < 0 || steps[i].run(ch, &err) < 0)
			child_fail(ch->sync_fd, &err);
}

int child_step_let_go(struct child *ch, struct err *err)
{
	for (int i = 0; i < ch->p->n_close_first; i++)
		close(ch->p->close_first[i]);
	/* Nobody may look into us through /proc while we are more than the container is. */
	if (child_become_undumpable(err) < 0)
		return -1;
	umask(0);
	if (proc_limits_give_back(ch->p->limits) < 0)
		return err_sys(err, "cannot go back to the caller's limits");
	return child_reset_signals(err);
}

int child_step_session(struct child *ch, struct err *err)
{
	if (setsid() < 0)
		return err_sys(err, "cannot make a session");
	return 0;
}

int child_step_close_others(struct child *ch, struct err *err)
{
	const struct mount_sources none = { 0 }, *sources = ch->init ? ch->init->sources : &none;
	int n = 0;
	cleanup_free int *keep = xcalloc(5 + (size_t)ch->p->n_preserved + sources->n, sizeof(*keep));

	keep[n++] = ch->sync_fd;
	keep[n++] = ch->start_fd;
	for (int i = 0; i < 3; i++)
		keep[n++] = ch->stdio[i];
	for (int i = 0; i < ch->p->n_preserved; i++)
		keep[n++] = ch->p->preserved[i];
	for (size_t i = 0; i < sources->n; i++)
		keep[n++] = sources->fd[i];
	return child_close_all_but(keep, n, err);
}

int child_step_keyring(struct child *ch, struct err *err)
{
	const struct keyring k = { .id = ch->p->id, .process = ch->process, .others_search = ch->p->in_user_ns };

	return ch->p->no_new_keyring ? 0 : child_keyring_join(&k, err);
}

/* What the caller has passed on. As with runc, the null device becomes the container's own (the host's would be a mount of the host's), and the process's user
 * the owner of the rest, who can then open it by name: echo x >/dev/stderr. */
static int adopt_stream(struct child *ch, int i, struct err *err)
{
	struct stat st;
	int null_fd;

	if (fstat(ch->stdio[i], &st) < 0)
		return err_sys(err, "cannot look at descriptor %d", i);
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) {
		/* A container without one keeps what it got. */
		if (device_open_null(ch->root_fd, O_RDWR, &null_fd, err) < 0)
			return 0;
		fd_close(&ch->stdio[i]);
		ch->stdio[i] = null_fd;
		return 0;
	}
	if (!ch->process || st.st_uid == ch->process->uid || fchown(ch->stdio[i], ch->process->uid, (gid_t)-1) == 0)
		return 0;
	/* A file of somebody whom this user namespace does not know, or on a read-only mount, stays as it is. */
	if (errno == EPERM || errno == EINVAL || errno == EROFS)
		return 0;
	return err_sys(err, "cannot give descriptor %d to uid %u", i, ch->process->uid);
}

static int use_streams(struct child *ch, struct err *err)
{
	for (int i = 0; i < 3; i++) {
		if (ch->stdio[i] < 0 &&
		    device_open_null(ch->root_fd, i == STDIN_FILENO ? O_RDONLY : O_WRONLY, &ch->stdio[i], err) < 0)
			return -1;
		if ((ch->p->passed || ch->p->unprivileged) && adopt_stream(ch, i, err) < 0)
			return -1;
	}
	return 0;
}

int child_step_terminal(struct child *ch, struct err *err)
{
	cleanup_fd int terminal = -1;

	if (!ch->process || !ch->process->terminal)
		return use_streams(ch, err);
	if (device_make_pty(ch->root_fd, ch->process->uid, ch->p->rows, ch->p->columns, &ch->master_fd, &terminal,
			    err) < 0)
		return -1;
	if (ch->init && device_show_console(ch->root_fd, terminal, err) < 0)
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

int child_step_limits(struct child *ch, struct err *err)
{
	const struct oci_process *pr = ch->process;

	if (!pr)
		return 0;
	if (!ch->exec || (!pr->exec_affinity_initial.set && !pr->exec_affinity_final.set))
		child_sched_anywhere();
	if (child_make_env(pr, ch->root_fd, &ch->prog, err) < 0 ||
	    (!ch->p->in_user_ns && limits_apply(0, pr, err) < 0) || child_sched_apply(pr, err) < 0 ||
	    child_lsm_apply(pr, err) < 0)
		return -1;
	umask(pr->has_umask ? pr->umask : DEFAULT_UMASK);
	if (pr->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "cannot set no_new_privs");
	return 0;
}

int child_step_user(struct child *ch, struct err *err)
{
	const struct oci_process *pr = ch->process;

	if (!pr)
		return 0;
	if (child_enter_cwd(pr, false, err) < 0 || child_caps_drop_bounding(&pr->caps, err) < 0 ||
	    child_become_user(pr, ch->p->in_user_ns, err) < 0)
		return -1;
	/* With no_new_privs nothing that follows needs a capability. */
	if (pr->no_new_privileges && child_caps_apply(&pr->caps, err) < 0)
		return -1;
	return child_enter_cwd(pr, true, err);
}

int child_step_find_program(struct child *ch, struct err *err)
{
	return ch->process ? child_find_program(ch->process, &ch->prog, err) : 0;
}

int child_step_place_fds(struct child *ch, struct err *err)
{
	int n = ch->p->n_preserved;

	fd_close(&ch->root_fd);
	if (child_move_fd_up(&ch->sync_fd, n, err) < 0 || child_move_fd_up(&ch->start_fd, n, err) < 0 ||
	    child_move_fd_up(&ch->master_fd, n, err) < 0)
		return -1;
	return child_place_fds(ch->stdio, ch->p->preserved, n, err);
}

/* A filter whose calls somebody else answers is loaded as soon as that is possible: it is the shim that brings the listener to whom the config names, and the
 * shim may be gone when the container is started. */
int child_step_notify(struct child *ch, struct err *err)
{
	int listener = -1;

	if (!ch->process || !ch->p->seccomp || !ch->p->seccomp->notifies)
		return 0;
	if (child_seccomp_load(ch->p->seccomp, &listener, err) < 0)
		return -1;
	ch->filtered = true;
	child_say(ch->sync_fd, CHILD_NOTIFIES, NULL, listener);
	if (child_await_order(ch->sync_fd) != CHILD_GO_ON)
		_exit(1);
	fd_close(&listener);
	return 0;
}

/* ---- talking to the shim ---------------------------------------------------------------------------------------------------- */

bool child_tell(int sync_fd, enum child_word word, const struct err *err, int fd)
{
	struct child_message msg = { .word = word };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = &msg, .iov_len = sizeof(msg) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

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
	do
		n = sendmsg(sync_fd, &head, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

void child_say(int sync_fd, enum child_word word, const struct err *err, int fd)
{
	if (!child_tell(sync_fd, word, err, fd))
		_exit(1);
}

void child_fail(int sync_fd, const struct err *err)
{
	child_say(sync_fd, CHILD_FAILED, err, -1);
	_exit(1);
}

void child_fail_as_program(const struct child *ch, const struct err *err)
{
	if (!ch->p->foreign || (err->code != ERR_COMMAND_NOT_FOUND && err->code != ERR_NOT_EXECUTABLE))
		return;
	dprintf(STDERR_FILENO, "%s\n", err->text);
	_exit(1);
}

char child_await_order(int sync_fd)
{
	struct err err;
	char order;
	ssize_t n;

	do
		n = recv(sync_fd, &order, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		err_sys(&err, "cannot hear that it goes on");
		child_fail(sync_fd, &err);
	}
	if (n != 1)
		_exit(1); /* the shim is gone before the container was */
	return order;
}

/* ---- the end ------------------------------------------------------------------------------------------------------------ */

static int load_filter(const struct child *ch, struct err *err)
{
	return ch->p->seccomp && !ch->filtered ? child_seccomp_load(ch->p->seccomp, NULL, err) : 0;
}

static int give_up_caps(const void *arg, struct err *err)
{
	return child_caps_apply(arg, err);
}

/* As the container's user with the container's capabilities, as its program will run, but without its filter: that need not allow what
 * running hooks takes. */
static int run_start_hooks(const struct child *ch, struct err *err)
{
	struct hook_run run = {
		.hooks = &ch->init->config->hooks[OCI_HOOK_START_CONTAINER],
		.kind = oci_hook_name(OCI_HOOK_START_CONTAINER),
		.cwd = "/",
		.prepare = give_up_caps,
		.prepare_arg = &ch->process->caps,
	};
	cleanup_free char *state = NULL;

	if (run.hooks->n == 0)
		return 0;
	run.state = state = ch->init->state_cb(ch->init->state_arg, "created");

	return hook_run_all(&run, err);
}

/* Only comes back when something failed. */
int child_run_program(struct child *ch, struct err *err)
{
	const struct oci_process *pr = ch->process;

	if (!pr)
		return err_set(err, ERR_CONFIG, "the config has no process to start");
	if (ch->init && run_start_hooks(ch, err) < 0)
		return -1;
	if (!pr->no_new_privileges && (load_filter(ch, err) < 0 || child_caps_apply(&pr->caps, err) < 0))
		return -1;
	if (pr->no_new_privileges && load_filter(ch, err) < 0)
		return -1;
	return child_execve(pr, &ch->prog, err);
}
