/* SPDX-License-Identifier: Apache-2.0 */
/* One operation of criu: `criu swrk`, a child of ours for just this, spoken to over a socketpair.
 *
 * criu runs with our privileges. It looks the numbers of images_dir_fd and work_dir_fd up in the process that made the socketpair (SO_PEERCRED), so that is the shim,
 * at the moment of the start. It may be killed at any point, and then its socket need not end: processes that it was about to restore hold copies. So its pidfd
 * is watched too, and it alone says when criu is over. */
#include "shim/checkpoint/criu.h"

#include <event2/event.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/wire.h"
#include "shim/sandbox/cgroup.h"

#define VERSION_MIN 31500 /* what knows external pid namespaces, and to freeze a v2 group */
#define PACKET_MAX (64 << 10)
#define SOCKET_FD 3
#define SAFE_FD 64 /* above every number that criu is given */

/* Between its last word and its end. */
static const struct timeval leaving_takes = { .tv_sec = 5 };

struct criu {
	struct criu_ops ops;
	void *arg;
	int sock, said_fd, pidfd;
	struct event *readable, *end, *timer;
	uint8_t *request; /* packed, until the version is known */
	size_t request_len;
	CriuType type;
	bool answered, succeeded;
	struct err why; /* code 0: nothing is known yet */
};

/* ---- the child ------------------------------------------------------------------------------------------------------------- */

/* Where the mounts of a restore are made: nothing of them is ever seen outside, nor left behind. */
static int child_mount_root(const char *root, struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "cannot make a mount namespace for criu");
	if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(err, "cannot bind '%s'", root);
	return 0;
}

static int child_cgroups(const struct criu_program *p, struct err *err)
{
	if (p->cgroup && child_cgroup_join(p->cgroup, err) < 0)
		return -1;
	if (p->cgroup_ns_fd >= 0 && setns(p->cgroup_ns_fd, CLONE_NEWCGROUP) < 0)
		return err_sys(err, "cannot join the cgroup namespace");
	if (p->new_cgroup_ns && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, "cannot make a cgroup namespace");
	return 0;
}

static int child_descriptors(const struct criu_program *p, int sock, int *said, struct err *err)
{
	int high[CRIU_FDS_MAX], null_fd = open("/dev/null", O_RDWR), n = (int)p->n_fds;

	/* First out of the way, since they may have each other's numbers. */
	sock = fcntl(sock, F_DUPFD_CLOEXEC, SAFE_FD);
	*said = fcntl(*said, F_DUPFD_CLOEXEC, SAFE_FD);
	for (int i = 0; i < n; i++)
		high[i] = fcntl(p->fds[i], F_DUPFD_CLOEXEC, SAFE_FD);
	for (int fd = 0; fd < SOCKET_FD; fd++)
		if (dup2(null_fd, fd) < 0)
			return err_sys(err, "cannot give criu its stdio");
	if (dup2(sock, SOCKET_FD) < 0)
		return err_sys(err, "cannot give criu its socket");
	for (int i = 0; i < n; i++)
		if (dup2(high[i], CRIU_FIRST_FD + i) < 0)
			return err_sys(err, "cannot give criu its descriptors");
	if (close_range((unsigned int)(CRIU_FIRST_FD + n), ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, "cannot close descriptors");
	return 0;
}

static void child_run(const struct criu_program *p, int sock, int said) __attribute__((noreturn));
static void child_run(const struct criu_program *p, int sock, int said)
{
	char socket_text[] = "3";
	char *argv[] = { "criu", "swrk", socket_text, NULL };
	sigset_t none;
	struct err err;

	for (size_t i = 0; i < p->n_close_first; i++)
		if (p->close_first[i] >= 0)
			close(p->close_first[i]);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(p->umask);
	if (child_cgroups(p, &err) == 0 && (!p->root || child_mount_root(p->root, &err) == 0) &&
	    child_descriptors(p, sock, &said, &err) == 0) {
		execv(p->path, argv);
		err_sys(&err, "cannot execute criu '%s'", p->path);
	}
	wire_send_err(said, &err);
	_exit(127);
}

static pid_t clone_criu(const struct criu_program *p, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};
	int v2_fd = p->cgroup ? cgroup_v2_fd(p->cgroup) : -1;

	if (v2_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)v2_fd;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* ---- talking --------------------------------------------------------------------------------------------------------------- */

static int send_packet(struct criu *k, const void *data, size_t len, struct err *err)
{
	if (send(k->sock, data, len, MSG_NOSIGNAL) != (ssize_t)len)
		return err_sys(err, "cannot speak to criu");
	return 0;
}

static int send_request(struct criu *k, CriuReq *req, struct err *err)
{
	uint8_t buf[64];

	return send_packet(k, buf, criu_req__pack(req, buf), err);
}

static int ask_version(struct criu *k, struct err *err)
{
	CriuReq req = CRIU_REQ__INIT;

	req.type = CRIU_TYPE__REQ_VERSION;
	req.has_keep_open = 1;
	req.keep_open = 1;
	return send_request(k, &req, err);
}

void criu_answer(struct criu *k, bool go_on)
{
	CriuReq req = CRIU_REQ__INIT;
	struct err err;

	req.type = CRIU_TYPE__REQ_NOTIFY;
	req.has_notify_success = 1;
	req.notify_success = go_on;
	/* One that is dead by now is noticed by its pidfd. */
	if (send_request(k, &req, &err) < 0)
		log_debug("%s", err.text);
}

static void hear_version(struct criu *k, const CriuResp *resp)
{
	const CriuVersion *v = resp->version;
	int number = v ? v->major_number * 10000 + v->minor_number * 100 + (v->has_sublevel ? v->sublevel : 0) : 0;

	if (!resp->success || number < VERSION_MIN) {
		err_set(&k->why, ERR_UNSUPPORTED, "this criu (version %d.%d) is too old: 3.15 is needed",
			v ? v->major_number : 0, v ? v->minor_number : 0);
		criu_kill(k);
		return;
	}
	if (send_packet(k, k->request, k->request_len, &k->why) < 0)
		criu_kill(k);
	free(k->request);
	k->request = NULL;
}

/* Its last word; its end follows. */
static void hear_result(struct criu *k, const CriuResp *resp)
{
	k->answered = true;
	k->succeeded = resp->success;
	if (!resp->success)
		err_set(&k->why, ERR_GONE, "criu has failed (errno %d)", resp->has_cr_errno ? resp->cr_errno : 0);
	event_del(k->readable);
	shutdown(k->sock, SHUT_WR);
	event_add(k->timer, &leaving_takes);
}

static void hear(struct criu *k, const CriuResp *resp, int *fd)
{
	if (resp->type == CRIU_TYPE__REQ_VERSION && k->request)
		hear_version(k, resp);
	else if (resp->type == CRIU_TYPE__REQ_NOTIFY && resp->notify && resp->notify->script)
		k->ops.notify_cb(k->arg, resp->notify->script, resp->notify->has_pid ? resp->notify->pid : 0,
				 take_fd(fd));
	else if (resp->type == k->type || !resp->success)
		hear_result(k, resp);
	else
		log_warn("criu sends what was not asked for (type %d)", (int)resp->type);
}

static ssize_t receive(struct criu *k, uint8_t *buf, size_t size, int *fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen =
			CMSG_LEN(sizeof(int)), /* the padding would take a second descriptor, which nobody closes */
	};
	struct cmsghdr *c;
	ssize_t n = recvmsg(k->sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0)
		return n;
	/* An empty packet may have one too. */
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return n;
}

static void readable_cb(evutil_socket_t sock, short what, void *arg)
{
	struct criu *k = arg;
	cleanup_free uint8_t *buf = xmalloc(PACKET_MAX);
	cleanup_fd int fd = -1;
	ssize_t n = receive(k, buf, PACKET_MAX, &fd);
	CriuResp *resp;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		event_del(k->readable); /* its end says the rest */
		return;
	}
	resp = criu_resp__unpack(NULL, (size_t)n, buf);
	if (!resp) {
		err_set(&k->why, ERR_PROTOCOL, "criu sends what cannot be understood");
		criu_kill(k);
		return;
	}
	hear(k, resp, &fd);
	criu_resp__free_unpacked(resp, NULL);
}

/* ---- its end --------------------------------------------------------------------------------------------------------------- */

static void explain_end(struct criu *k)
{
	siginfo_t info = { 0 };
	struct err said, ignored;

	waitid(P_PIDFD, (id_t)k->pidfd, &info, WEXITED | WNOHANG);
	if (k->answered || k->why.code)
		return;
	if (wire_recv_err(k->said_fd, &said, &ignored) == 1)
		k->why = said;
	else if (info.si_code == CLD_EXITED)
		err_set(&k->why, ERR_GONE, "criu has ended with status %d before it was through", info.si_status);
	else
		err_set(&k->why, ERR_GONE, "criu was killed by signal %d before it was through", info.si_status);
}

static void end_cb(evutil_socket_t fd, short what, void *arg)
{
	struct criu *k = arg;

	/* What it has said before it died is still to be read. */
	if (!k->answered && event_pending(k->readable, EV_READ, NULL))
		readable_cb(k->sock, EV_READ, k);
	explain_end(k);
	event_del(k->end);
	k->ops.done_cb(k->arg, k->answered && k->succeeded ? NULL : &k->why);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	criu_kill(arg);
}

void criu_kill(struct criu *k)
{
	struct err ignored;

	if (k->pidfd >= 0)
		proc_pidfd_kill(k->pidfd, SIGKILL, &ignored);
}

void criu_free(struct criu *k)
{
	if (!k)
		return;
	if (k->end && event_pending(k->end, EV_READ, NULL))
		criu_kill(k);
	if (k->readable)
		event_free(k->readable);
	if (k->end)
		event_free(k->end);
	if (k->timer)
		event_free(k->timer);
	fd_close(&k->sock);
	fd_close(&k->said_fd);
	fd_close(&k->pidfd);
	free(k->request);
	free(k);
}

/* ---- its start ------------------------------------------------------------------------------------------------------------- */

static void pack_request(struct criu *k, CriuOpts *opts)
{
	CriuReq req = CRIU_REQ__INIT;

	req.type = k->type;
	req.opts = opts;
	k->request_len = criu_req__get_packed_size(&req);
	k->request = xmalloc(k->request_len);
	criu_req__pack(&req, k->request);
}

static int watch(struct criu *k, struct event_base *base, struct err *err)
{
	k->readable = event_new(base, k->sock, EV_READ | EV_PERSIST, readable_cb, k);
	k->end = event_new(base, k->pidfd, EV_READ, end_cb, k);
	k->timer = evtimer_new(base, timer_cb, k);
	if (!k->readable || !k->end || !k->timer || event_add(k->readable, NULL) < 0 || event_add(k->end, NULL) < 0)
		return err_set(err, ERR_SYS, "cannot watch criu");
	return 0;
}

static int start(struct criu *k, const struct criu_program *p, struct err *err)
{
	int pair[2], said[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a socketpair");
	k->sock = pair[0];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, said) < 0) {
		fd_close(&pair[1]);
		return err_sys(err, "cannot make a socketpair");
	}
	k->said_fd = said[0];
	pid = clone_criu(p, &k->pidfd);
	if (pid == 0)
		child_run(p, pair[1], said[1]);
	if (pid < 0)
		err_sys(err, "cannot clone a process for criu");
	fd_close(&pair[1]);
	fd_close(&said[1]);
	return pid < 0 ? -1 : 0;
}

int criu_start(struct event_base *base, const struct criu_program *program, CriuType type, CriuOpts *opts,
	       const struct criu_ops *ops, void *arg, struct criu **ret, struct err *err)
{
	struct criu *k = xcalloc(1, sizeof(*k));
	struct err unheard;

	*k = (struct criu) { .ops = *ops, .arg = arg, .sock = -1, .said_fd = -1, .pidfd = -1, .type = type };
	pack_request(k, opts);
	if (start(k, program, err) < 0 || watch(k, base, err) < 0) {
		criu_free(k);
		return -1;
	}
	/* One that is dead already says why itself. */
	if (ask_version(k, &unheard) < 0)
		log_debug("%s", unheard.text);
	*ret = k;
	return 0;
}
