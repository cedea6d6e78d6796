/* SPDX-License-Identifier: Apache-2.0 */
/* What criu answers: any packets in any order come to one end, and no descriptor that came with them stays open.
 *
 * The file under test is included: what hears criu is its own, and to have it called otherwise a criu would have to be started each time. */
#include "shim/checkpoint/criu.c"

#include "tests/fuzz/fuzz.h"

struct heard {
	struct criu *criu;
	int notified, done;
	bool answers;
};

static void notified(void *arg, const char *what, pid_t pid, int fd)
{
	struct heard *h = arg;

	FUZZ_CHECK(memchr(what, '\0', PACKET_MAX));
	h->notified++;
	fd_close(&fd);
	criu_answer(h->criu, h->answers);
}

static void done(void *arg, const struct err *err)
{
	struct heard *h = arg;

	h->done++;
	if (err)
		fuzz_check_err(err);
}

/* Of a process that is no more: to be killed by it, and to be waited for. */
static int dead_pidfd(void)
{
	static int fd = -1;
	pid_t pid;

	if (fd >= 0)
		return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	pid = fork();
	FUZZ_CHECK(pid >= 0);
	if (pid == 0)
		_exit(0);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	FUZZ_CHECK(fd >= 0);
	waitid(P_PID, (id_t)pid, &(siginfo_t) { 0 }, WEXITED);
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void say(int sock, struct fuzz_input *in)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 2)];
	} control = { 0 };
	uint8_t n_fds = fuzz_byte(in) % 3;
	size_t len;
	const uint8_t *body = fuzz_bytes(in, (size_t)(fuzz_byte(in) << 8 | fuzz_byte(in)), &len);
	struct iovec iov = { .iov_base = (void *)body, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	int fds[] = { sock, sock };

	if (n_fds) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static struct criu *criu_make(struct event_base *base, struct heard *h, int sock, int said)
{
	static const struct criu_ops ops = { .notify_cb = notified, .done_cb = done };
	struct criu *k = xcalloc(1, sizeof(*k));
	CriuOpts opts = CRIU_OPTS__INIT;
	struct err err;

	*k = (struct criu) { .ops = ops,
			     .arg = h,
			     .sock = sock,
			     .said_fd = said,
			     .stderr_fd = -1,
			     .pidfd = dead_pidfd(),
			     .type = CRIU_TYPE__REQ_DUMP };
	pack_request(k, &opts, false);
	FUZZ_CHECK(watch(k, base, &err) == 0);
	/* Not before it has said everything. */
	event_del(k->end);
	h->criu = k;
	return k;
}

/* How it is answered, then packets. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct fuzz_input in = { data, size };
	struct heard h = { .answers = fuzz_byte(&in) & 1 };
	int pair[2], said[2], fds;
	struct criu *k;

	if (!base)
		base = event_base_new();
	fd_close(&(int) { dead_pidfd() });
	fds = fuzz_open_fds();
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, said) == 0);
	k = criu_make(base, &h, pair[0], said[0]);
	while (in.left > 0) {
		say(pair[1], &in);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	fd_close(&pair[1]);
	fd_close(&said[1]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_add(k->end, NULL);
	event_base_loop(base, EVLOOP_NONBLOCK);
	FUZZ_CHECK(h.done == 1);
	criu_free(k);
	FUZZ_CHECK(fuzz_open_fds() == fds);
	return 0;
}
