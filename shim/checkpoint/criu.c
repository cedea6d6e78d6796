/* SPDX-License-Identifier: Apache-2.0 */
/* One operation of criu: `criu swrk`, a child of ours for just this, spoken to over a socketpair.
 *
 * criu runs with our privileges. It looks the numbers of images_dir_fd and work_dir_fd up in the process that made the socketpair (SO_PEERCRED), so that is the shim,
 * at the moment of the start. It may be killed at any point, and then its socket need not end: processes that it was about to restore hold copies. So its pidfd
 * is watched too, and it alone says when criu is over. */
#include "shim/checkpoint/criu.h"

#include <event2/event.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
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
#include "shim/checkpoint/kerndat.h"
#include "shim/checkpoint/left.h"
#include "shim/checkpoint/mapped.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/keyring.h"
#include "shim/sandbox/net_device.h"

#define VERSION_MIN 31500   /* what knows external pid namespaces, and to freeze a v2 group */
#define VERSION_LOCKS 31900 /* and to leave the network alone */
#define ANSWER_TIMEOUT_MS 10000
#define PACKET_MAX (64 << 10)
#define SOCKET_FD 3
#define SAFE_FD 64 /* above every number that criu is given */

static bool wants_anything(const CriuOpts *opts)
{
	return opts != NULL;
}

static bool wants_mount_context(const CriuOpts *opts)
{
	return opts->lsm_mount_context != NULL;
}

static bool wants_network_lock(const CriuOpts *opts)
{
	return opts->has_network_lock;
}

static bool wants_no_lock(const CriuOpts *opts)
{
	return opts->has_network_lock && opts->network_lock == CRIU_NETWORK_LOCK__LOCK_SKIP;
}

/* What some requests take. */
static const struct {
	int version;
	const char *what;
	bool (*wanted)(const CriuOpts *opts);
} versions[] = {
	{ VERSION_MIN, "checkpoints", wants_anything },
	{ 31600, "--lsm-mount-context", wants_mount_context },
	{ 31600, "--network-lock", wants_network_lock },
	{ VERSION_LOCKS, "--network-lock skip", wants_no_lock },
};

#define STDERR_MAX 4096
#define ENDING_TAKES_MS 500

/* Between its last word and its end. */
static const struct timeval leaving_takes = { .tv_sec = 5 };

/* Until it asks whether to go on. */
static const struct timeval giving_up_takes = { .tv_sec = 30 };

struct packed {
	uint8_t *data;
	size_t len;
};

struct criu {
	struct criu_ops ops;
	void *arg;
	int sock, said_fd, stderr_fd, pidfd;
	pid_t pid; /* and the number of its process group */
	struct event *readable, *end, *timer, *deadline;
	unsigned int timeout_s;
	struct packed request, plain; /* until the version is known; plain: for one that knows no other locks */
	int version_min;              /* what the request takes, and what of it does */
	const char *version_for;
	bool needs_mem_track, needs_lazy_pages;
	CriuType type;
	int work_fd; /* borrowed: to be opened again as criu sees it; -1: not */
	char *path;
	struct kerndat kerndat;
	bool answered, succeeded;
	int version;
	struct err why; /* code 0: nothing is known yet */
};

/* ---- the child ------------------------------------------------------------------------------------------------------------- */

/* Where the mounts of a restore are made, and criu's own: nothing of them is ever seen outside, nor left behind. */
static int child_mounts(const struct criu_program *p, const struct kerndat *kerndat, struct err *err)
{
	if (!p->root && !(p->own_mounts && kerndat->wanted))
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, "cannot make a mount namespace for criu");
	child_kerndat_mount(kerndat);
	if (p->root && mount(p->root, p->root, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(err, "cannot bind '%s'", p->root);
	return p->mapped ? child_mapped_binds_mount(p->mapped, err) : 0;
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

static int child_keyring(const struct criu_program *p, struct err *err)
{
	return p->keyring ? child_keyring_join(p->keyring, err) : 0;
}

static int child_network(const struct criu_program *p, struct err *err)
{
	if (!p->own_network)
		return 0;
	return unshare(CLONE_NEWNET) < 0 ? err_sys(err, "cannot make a network namespace for criu")
					 : child_loopback_up(err);
}

static int child_descriptors(const struct criu_program *p, int sock, int stderr_fd, int *said, struct err *err)
{
	int high[CRIU_FDS_MAX], null_fd = open("/dev/null", O_RDWR), n = (int)p->n_fds;

	/* First out of the way, since they may have each other's numbers. */
	sock = fcntl(sock, F_DUPFD_CLOEXEC, SAFE_FD);
	stderr_fd = fcntl(stderr_fd, F_DUPFD_CLOEXEC, SAFE_FD);
	*said = fcntl(*said, F_DUPFD_CLOEXEC, SAFE_FD);
	for (int i = 0; i < n; i++)
		high[i] = fcntl(p->fds[i], F_DUPFD_CLOEXEC, SAFE_FD);
	for (int fd = 0; fd < SOCKET_FD; fd++)
		if (dup2(null_fd, fd) < 0)
			return err_sys(err, "cannot give criu its stdio");
	if (dup2(stderr_fd, STDERR_FILENO) < 0 || dup2(sock, SOCKET_FD) < 0)
		return err_sys(err, "cannot give criu its socket");
	for (int i = 0; i < n; i++)
		if (dup2(high[i], CRIU_FIRST_FD + i) < 0)
			return err_sys(err, "cannot give criu its descriptors");
	if (fd_close_range((unsigned int)(CRIU_FIRST_FD + n), ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, "cannot close descriptors");
	return 0;
}

static void child_run(const struct criu_program *p, const struct kerndat *kerndat, int sock, int stderr_fd, int said)
	__attribute__((noreturn));
static void child_run(const struct criu_program *p, const struct kerndat *kerndat, int sock, int stderr_fd, int said)
{
	char socket_text[] = "3";
	char *argv[] = { "criu", "swrk", socket_text, NULL };
	struct err err;

	for (size_t i = 0; i < p->n_close_first; i++)
		if (p->close_first[i] >= 0)
			close(p->close_first[i]);
	setpgid(0, 0); /* end_helpers() */
	proc_default_signals();
	umask(p->umask);
	if (child_keyring(p, &err) == 0 && child_network(p, &err) == 0 && child_cgroups(p, &err) == 0 &&
	    child_mounts(p, kerndat, &err) == 0 && child_descriptors(p, sock, stderr_fd, &said, &err) == 0) {
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
	return proc_clone(&args);
}

/* ---- talking --------------------------------------------------------------------------------------------------------------- */

static int send_packet(struct criu *k, const void *data, size_t len, struct err *err)
{
	ssize_t n;

	do
		n = send(k->sock, data, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EPIPE)
		return 0; /* it has ended, and how is what tells why */
	if (n != (ssize_t)len)
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

/* One that is dead by now is noticed by its pidfd, and says why itself; one that lives would wait for our word for ever. */
static void not_heard(struct criu *k, const struct err *err)
{
	log_debug("%s", err->text);
	if (!k->why.code && !err_is_sys(err, EPIPE) && !err_is_sys(err, ECONNRESET))
		k->why = *err;
	criu_kill(k);
}

void criu_answer(struct criu *k, bool go_on)
{
	CriuReq req = CRIU_REQ__INIT;
	struct err err;

	req.type = CRIU_TYPE__REQ_NOTIFY;
	req.has_notify_success = 1;
	req.notify_success = go_on;
	if (send_request(k, &req, &err) < 0)
		not_heard(k, &err);
}

static int ask_features(struct criu *k, struct err *err)
{
	CriuReq req = CRIU_REQ__INIT;
	CriuFeatures features = CRIU_FEATURES__INIT;

	req.type = CRIU_TYPE__REQ_FEATURE_CHECK;
	req.has_keep_open = 1;
	req.keep_open = 1;
	features.has_mem_track = k->needs_mem_track;
	features.mem_track = k->needs_mem_track;
	features.has_lazy_pages = k->needs_lazy_pages;
	features.lazy_pages = k->needs_lazy_pages;
	req.features = &features;
	return send_request(k, &req, err);
}

static void ask_for_it(struct criu *k)
{
	if (send_packet(k, k->request.data, k->request.len, &k->why) < 0)
		criu_kill(k);
	free(k->request.data);
	k->request.data = NULL;
}

/* 0: it says none, or numbers that are none. */
static int version_of(const CriuResp *resp)
{
	const CriuVersion *v = resp->success ? resp->version : NULL;
	int sublevel = v && v->has_sublevel ? v->sublevel : 0;

	if (!v || v->major_number < 0 || v->major_number > 9999 || v->minor_number < 0 || v->minor_number > 99 ||
	    sublevel < 0 || sublevel > 99)
		return 0;
	return v->major_number * 10000 + v->minor_number * 100 + sublevel;
}

static void say_too_old(int version, int needed, const char *what, struct err *err)
{
	const char *need = needed == VERSION_MIN ? "need" : "needs";
	int major = needed / 10000, minor = needed / 100 % 100;

	if (version == 0)
		err_set(err, ERR_UNSUPPORTED, "this criu does not say its version: %s %s %d.%d", what, need, major,
			minor);
	else
		err_set(err, ERR_UNSUPPORTED, "this criu (version %d.%d) is too old: %s %s %d.%d", version / 10000,
			version / 100 % 100, what, need, major, minor);
}

/* criu is in its mount namespace by now: put what it finds there at the directory's path in its place. */
static int enter_work_dir(struct criu *k, struct err *err)
{
	cleanup_free char *path = NULL, *there = NULL;
	cleanup_fd int fd = -1;
	struct stat a, b;
	pid_t pid;

	if (k->work_fd < 0)
		return 0;
	if (proc_pidfd_pid(k->pidfd, &pid, err) < 0 || fd_path(k->work_fd, &path, err) < 0)
		return -1;
	there = xasprintf("/proc/%d/root%s", (int)pid, path);
	fd = open(there, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &a) < 0 || fstat(k->work_fd, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return err_sys(err, "cannot find the directory '%s' again", path);
	return dup3(fd, k->work_fd, O_CLOEXEC) < 0 ? err_sys(err, "cannot hand over '%s'", path) : 0;
}

void criu_identify(const struct criu *k, struct criu_left *ret)
{
	struct proc_stat st;
	struct err ignored;

	*ret = (struct criu_left) { 0 };
	if (proc_stat(k->pid, &st, &ignored) == 0)
		*ret = (struct criu_left) { .pid = k->pid, .session = st.session, .start_time = st.start_time };
}

int criu_version(const struct criu *k)
{
	return k->version;
}

static void hear_version(struct criu *k, const CriuResp *resp)
{
	int number = version_of(resp);

	k->version = number;
	if (number < k->version_min) {
		say_too_old(number, k->version_min, k->version_for, &k->why);
		criu_kill(k);
		return;
	}
	if (k->plain.data && number < VERSION_LOCKS) {
		free(k->request.data);
		k->request = k->plain;
		k->plain = (struct packed) { NULL, 0 };
	}
	if (enter_work_dir(k, &k->why) < 0) {
		criu_kill(k);
		return;
	}
	if (!k->needs_mem_track && !k->needs_lazy_pages) {
		ask_for_it(k);
	} else if (ask_features(k, &k->why) < 0) {
		criu_kill(k);
	}
}

/* What it lacks it does not name: it only leaves it out. */
static void hear_features(struct criu *k, const CriuResp *resp)
{
	const CriuFeatures *f = resp->success ? resp->features : NULL;

	if (k->needs_mem_track && !(f && f->has_mem_track && f->mem_track))
		err_set(&k->why, ERR_UNSUPPORTED,
			"the kernel does not say which pages have been written (CONFIG_MEM_SOFT_DIRTY): no "
			"pre-dump and no parent image");
	else if (k->needs_lazy_pages && !(f && f->has_lazy_pages && f->lazy_pages))
		err_set(&k->why, ERR_UNSUPPORTED,
			"the kernel cannot bring pages in later (userfaultfd): no --lazy-pages");
	if (k->why.code)
		criu_kill(k);
	else
		ask_for_it(k);
}

/* Its last word; its end follows. */
static void hear_result(struct criu *k, const CriuResp *resp)
{
	k->answered = true;
	k->succeeded = resp->success;
	if (!resp->success)
		err_set(&k->why, ERR_CRIU, "criu has failed (errno %d)", resp->has_cr_errno ? resp->cr_errno : 0);
	event_del(k->readable);
	shutdown(k->sock, SHUT_WR);
	event_add(k->timer, &leaving_takes);
}

static void keep_kerndat(struct criu *k)
{
	struct err ignored;
	pid_t pid;

	if (k->kerndat.wanted && proc_pidfd_pid(k->pidfd, &pid, &ignored) == 0)
		kerndat_keep(&k->kerndat, k->path, pid);
}

static void hear_notice(struct criu *k, const CriuNotify *notify, int *fd)
{
	keep_kerndat(k);
	k->ops.notify_cb(k->arg, notify->script, notify->has_pid ? notify->pid : 0, take_fd(fd));
}

static void hear(struct criu *k, const CriuResp *resp, int *fd)
{
	if (resp->type == CRIU_TYPE__REQ_VERSION && k->request.data)
		hear_version(k, resp);
	else if (resp->type == CRIU_TYPE__REQ_FEATURE_CHECK && k->request.data)
		hear_features(k, resp);
	else if (resp->type == CRIU_TYPE__REQ_NOTIFY && resp->notify && resp->notify->script)
		hear_notice(k, resp->notify, fd);
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
	if (n < 0) {
		/* As one that cannot be answered. */
		if (errno != ECONNRESET)
			err_sys(&k->why, "cannot hear criu");
		criu_kill(k);
	}
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

/* When it has failed: its action scripts go with it, whatever they wait for. Its number is its own until it is reaped. */
static void end_helpers(const struct criu *k)
{
	if (k->pid > 0 && !(k->answered && k->succeeded))
		kill(-k->pid, SIGKILL);
}

/* It is dead. What it has said before it had a log: of its own arguments, and of the kernel. */
static void add_complaint(const struct criu *k, struct err *err)
{
	char text[STDERR_MAX + 1];
	ssize_t n = read(k->stderr_fd, text, STDERR_MAX);
	char *rest = NULL;

	text[n > 0 ? n : 0] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct err said = *err;

		if (strncmp(line, "criu: ", 6) != 0 && !strstr(line, "Error (criu/"))
			continue;
		err_set(err, said.code, "%s: %s", said.text, line);
		err_clean(err);
		return;
	}
}

static void explain_end(struct criu *k)
{
	siginfo_t info;
	struct err said, ignored;

	end_helpers(k);
	proc_wait_pidfd(k->pidfd, WNOHANG, &info);
	if (k->answered && !k->succeeded)
		add_complaint(k, &k->why);
	if (k->answered || k->why.code)
		return;
	if (wire_recv_err(k->said_fd, &said, &ignored) == 1)
		k->why = said;
	else if (info.si_code == CLD_EXITED)
		err_set(&k->why, ERR_CRIU, "criu has ended with status %d before it was through", info.si_status);
	else
		err_set(&k->why, ERR_CRIU, "criu was killed by signal %d before it was through", info.si_status);
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

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct criu *k = arg;

	if (k->answered)
		return; /* the other timer sees to its end */
	err_set(&k->why, ERR_LIMIT, "criu was not through within %u seconds (--timeout)", k->timeout_s);
	criu_kill(k);
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

void criu_end_soon(struct criu *k)
{
	if (!k->answered)
		event_add(k->timer, &giving_up_takes);
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
	if (k->deadline)
		event_free(k->deadline);
	fd_close(&k->sock);
	fd_close(&k->stderr_fd);
	fd_close(&k->said_fd);
	fd_close(&k->pidfd);
	kerndat_release(&k->kerndat);
	free(k->path);
	free(k->request.data);
	free(k->plain.data);
	free(k);
}

/* ---- its start ------------------------------------------------------------------------------------------------------------- */

static void note_needs(struct criu *k, const CriuOpts *opts)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (versions[i].wanted(opts)) {
			k->version_min = versions[i].version;
			k->version_for = versions[i].what;
		}
	k->needs_mem_track = opts->track_mem || opts->parent_img;
	k->needs_lazy_pages = opts->lazy_pages;
}

static struct packed pack(const struct criu *k, CriuOpts *opts)
{
	CriuReq req = CRIU_REQ__INIT;
	struct packed p;

	req.type = k->type;
	req.opts = opts;
	p.len = criu_req__get_packed_size(&req);
	p.data = xmalloc(p.len);
	criu_req__pack(&req, p.data);
	return p;
}

static void pack_request(struct criu *k, CriuOpts *opts, bool default_lock)
{
	CriuOpts plain = *opts;

	k->request = pack(k, opts);
	plain.has_network_lock = default_lock ? 0 : opts->has_network_lock;
	note_needs(k, &plain);
	if (default_lock)
		k->plain = pack(k, &plain);
}

static int watch(struct criu *k, struct event_base *base, struct err *err)
{
	const struct timeval timeout = { .tv_sec = k->timeout_s };

	k->readable = event_new(base, k->sock, EV_READ | EV_PERSIST, readable_cb, k);
	k->end = event_new(base, k->pidfd, EV_READ, end_cb, k);
	k->timer = evtimer_new(base, timer_cb, k);
	k->deadline = evtimer_new(base, deadline_cb, k);
	if (!k->readable || !k->end || !k->timer || !k->deadline || event_add(k->readable, NULL) < 0 ||
	    event_add(k->end, NULL) < 0 || (k->timeout_s && event_add(k->deadline, &timeout) < 0))
		return err_set(err, ERR_SYS, "cannot watch criu");
	return 0;
}

static int start(struct criu *k, const struct criu_program *p, struct err *err)
{
	cleanup_fd int sock = -1, said_fd = -1, stderr_fd = -1;
	int pair[2], said[2], said_there[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a socketpair");
	k->sock = pair[0];
	sock = pair[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, said) < 0)
		return err_sys(err, "cannot make a socketpair");
	k->said_fd = said[0];
	said_fd = said[1];
	/* Nobody reads it before the end: what does not fit is not written, and not waited for. */
	if (pipe2(said_there, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, "cannot make a pipe");
	k->stderr_fd = said_there[0];
	stderr_fd = said_there[1];
	k->pid = clone_criu(p, &k->pidfd);
	if (k->pid == 0)
		child_run(p, &k->kerndat, sock, stderr_fd, said_fd);
	return k->pid < 0 ? err_sys(err, "cannot clone a process for criu") : 0;
}

int criu_check_privileges(struct err *err)
{
	return caps_have(CAP_SYS_ADMIN) ? 0 : err_set(err, ERR_PERMISSION, "CRIU needs root's privileges");
}

int criu_start(struct event_base *base, const struct criu_program *program, CriuType type, CriuOpts *opts,
	       const struct criu_ops *ops, void *arg, struct criu **ret, struct err *err)
{
	struct criu *k;
	struct err unheard;

	if (criu_check_privileges(err) < 0)
		return -1;
	k = xcalloc(1, sizeof(*k));
	*k = (struct criu) { .ops = *ops,
			     .arg = arg,
			     .sock = -1,
			     .said_fd = -1,
			     .stderr_fd = -1,
			     .pidfd = -1,
			     .type = type,
			     .timeout_s = program->timeout_s };
	k->work_fd = program->mounts_in_work_dir ? opts->work_dir_fd : -1;
	k->path = xstrdup(program->path);
	kerndat_open(k->path, &k->kerndat);
	pack_request(k, opts, program->default_lock);
	if (start(k, program, err) < 0 || watch(k, base, err) < 0) {
		criu_free(k);
		return -1;
	}
	if (ask_version(k, &unheard) < 0)
		not_heard(k, &unheard);
	*ret = k;
	return 0;
}

/* ---- questions --------------------------------------------------------------------------------------------------------------- */

/* The caller frees it; NULL: err says why. */
static CriuResp *await(struct criu *k, struct err *err)
{
	cleanup_free uint8_t *buf = xmalloc(PACKET_MAX);
	struct pollfd p = { .fd = k->sock, .events = POLLIN };
	struct err said, ignored;
	CriuResp *resp;
	ssize_t n;

	if (poll(&p, 1, ANSWER_TIMEOUT_MS) == 0) {
		err_set(err, ERR_GONE, "criu does not answer");
		return NULL;
	}
	n = recv(k->sock, buf, PACKET_MAX, 0);
	resp = n > 0 ? criu_resp__unpack(NULL, (size_t)n, buf) : NULL;
	if (resp)
		return resp;
	err_set(err, ERR_GONE, "criu ends without an answer");
	if (wire_recv_err(k->said_fd, &said, &ignored) == 1)
		*err = said;
	return NULL;
}

static int question(struct criu *k, struct criu_abilities *ret, struct err *err)
{
	CriuResp *resp;

	if (ask_version(k, err) < 0 || !(resp = await(k, err)))
		return -1;
	ret->version = version_of(resp);
	criu_resp__free_unpacked(resp, NULL);
	if (ret->version < VERSION_MIN) {
		say_too_old(ret->version, VERSION_MIN, "checkpoints", err);
		return -1;
	}
	k->needs_mem_track = k->needs_lazy_pages = true;
	if (ask_features(k, err) < 0 || !(resp = await(k, err)))
		return -1;
	if (!resp->success) {
		err_set(err, ERR_CRIU, "criu %d.%d cannot work with this kernel", ret->version / 10000,
			ret->version / 100 % 100);
		criu_resp__free_unpacked(resp, NULL);
		return -1;
	}
	if (resp->features) {
		ret->mem_track = resp->features->has_mem_track && resp->features->mem_track;
		ret->lazy_pages = resp->features->has_lazy_pages && resp->features->lazy_pages;
	}
	criu_resp__free_unpacked(resp, NULL);
	return 0;
}

int criu_ask(const char *path, struct criu_abilities *ret, struct err *err)
{
	struct criu k = { .sock = -1, .said_fd = -1, .stderr_fd = -1, .pidfd = -1 };
	const struct criu_program program = { .path = path, .cgroup_ns_fd = -1, .umask = 0077 };
	siginfo_t info;
	int r;

	*ret = (struct criu_abilities) { 0 };
	r = start(&k, &program, err);
	if (r == 0)
		r = question(&k, ret, err);
	/* Without us it ends by itself, and says the rest of what it was at. */
	if (r < 0 && k.pidfd >= 0) {
		shutdown(k.sock, SHUT_RDWR);
		poll(&(struct pollfd) { .fd = k.pidfd, .events = POLLIN }, 1, ENDING_TAKES_MS);
	}
	end_helpers(&k);
	criu_kill(&k);
	if (k.pidfd >= 0)
		proc_wait_pidfd(k.pidfd, 0, &info);
	if (r < 0 && err->code == ERR_CRIU)
		add_complaint(&k, err);
	fd_close(&k.sock);
	fd_close(&k.said_fd);
	fd_close(&k.stderr_fd);
	fd_close(&k.pidfd);
	return r;
}
