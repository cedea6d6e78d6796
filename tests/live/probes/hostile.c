/* SPDX-License-Identifier: Apache-2.0 */
/* hostile SOCKET MODE [N]: a client of the control socket that means harm.
 *     garbage N   N connections, each with some packets of random bytes
 *     oversized   one packet of 200,000 bytes, then one just above the limit
 *     version     a Hello with a version that does not exist; prints whether the connection is closed after an answer
 *     nohello     a request before the Hello
 *     twice       a second Hello
 *     greedy N    N requests that wait for the container's end
 *     fds         a Hello with 60 descriptors that nobody asked for
 *     silent N    N connections that say nothing, held until stdin ends
 *     deaf        sends Hellos and never reads the answers, until it is stopped from sending; held until stdin ends
 *     attach N    N times, one after the other, attached and then rude: garbage, descriptors, a second attach, half a connection, or simply gone
 *     mute N      N attached clients that read neither their pipes nor the connection; held until stdin ends
 *     gaps        attached; its pipes small and read now and then, so that it is told of gap after gap; never the connection
 *     orphans N   N attached clients that keep their pipes and close the connection; held until stdin ends
 *     leave N     one that owns stdin and fills it, held until stdin ends; then N that say a byte each, for which there is no room, and leave
 * Prints what happened as key=value; "connections=N" is how many the socket took. */
#include <sys/resource.h>

#include "tests/live/probes/probe.h"

static const char *path;

static int dial(void)
{
	struct sockaddr_un addr;
	struct timeval limit = { .tv_sec = 5 };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	probe_address(&addr, path);
	if (sock < 0)
		probe_die("socket");
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(sock);
		return -1;
	}
	return sock;
}

/* Request { serial: 1, hello (field 10): { version, program: "hostile" } } as protobuf, by hand. */
static size_t hello(unsigned char *buf, unsigned char version)
{
	static const unsigned char rest[] = "\x12\x07hostile";
	size_t inner = 2 + sizeof(rest) - 1;
	unsigned char *p = buf;

	*p++ = 0x08, *p++ = 1;
	*p++ = 0x52, *p++ = (unsigned char)inner;
	*p++ = 0x08, *p++ = version;
	memcpy(p, rest, sizeof(rest) - 1);
	return (size_t)(p - buf) + sizeof(rest) - 1;
}

/* Read replies until the other side closes. Prints how many there were, the text of the last one; "closed" when it closed within the time limit. */
static void print_end(const char *name, int sock)
{
	char buf[8192];
	int replies = 0;
	ssize_t n, last = 0;

	while ((n = recv(sock, buf, sizeof(buf), 0)) > 0) {
		replies++;
		last = n;
	}
	printf("%s_replies=%d\n%s_closed=%d\n%s_said=", name, replies, name, n == 0 || errno == ECONNRESET, name);
	for (ssize_t i = 0; i < last; i++)
		if (buf[i] >= ' ' && buf[i] <= '~')
			putchar(buf[i]);
	puts("");
	close(sock);
}

static void garbage(int n)
{
	unsigned char buf[4096];
	unsigned int seed = 12345;
	int taken = 0;

	for (int i = 0; i < n; i++) {
		int sock = dial();

		taken += sock >= 0;
		for (int k = 0; sock >= 0 && k < 4; k++) {
			size_t len = 1 + (size_t)rand_r(&seed) % sizeof(buf);

			for (size_t b = 0; b < len; b++)
				buf[b] = (unsigned char)rand_r(&seed);
			/* Every third starts right, so that it gets past the first check. */
			size_t head = k == 0 && i % 3 == 0 ? hello(buf, 1) : len;

			if (send(sock, buf, head, MSG_NOSIGNAL) < 0)
				break;
		}
		if (sock >= 0)
			close(sock);
	}
	printf("connections=%d\n", taken);
}

static void oversized(void)
{
	static char big[200000];
	int sock = dial();
	unsigned char buf[64];

	if (sock < 0 || send(sock, buf, hello(buf, 1), MSG_NOSIGNAL) < 0)
		probe_die("hello");
	memset(big, 'x', sizeof(big));
	printf("big_sent=%d\n", send(sock, big, sizeof(big), MSG_NOSIGNAL) > 0);
	print_end("big", sock);
	sock = dial();
	if (sock < 0)
		probe_die("connect");
	printf("above_sent=%d\n", send(sock, big, 4097, MSG_NOSIGNAL) > 0);
	print_end("above", sock);
}

static void wrong_version(void)
{
	unsigned char buf[64];
	int sock = dial();

	if (sock < 0 || send(sock, buf, hello(buf, 99), MSG_NOSIGNAL) < 0)
		probe_die("send");
	print_end("version", sock);
}

static void no_hello(void)
{
	static const unsigned char wait_request[] = { 0x08, 1, 0x7a, 0 }; /* serial 1, field 15 (wait), empty */
	int sock = dial();

	if (sock < 0 || send(sock, wait_request, sizeof(wait_request), MSG_NOSIGNAL) < 0)
		probe_die("send");
	print_end("nohello", sock);
}

static void twice(void)
{
	unsigned char buf[64];
	size_t n = hello(buf, 1);
	int sock = dial();

	if (sock < 0 || send(sock, buf, n, MSG_NOSIGNAL) < 0 || send(sock, buf, n, MSG_NOSIGNAL) < 0)
		probe_die("send");
	print_end("twice", sock);
}

static void greedy(int n)
{
	unsigned char buf[64];
	unsigned char wait_request[] = { 0x08, 1, 0x7a, 0 };
	int sock = dial();

	if (sock < 0 || send(sock, buf, hello(buf, 1), MSG_NOSIGNAL) < 0)
		probe_die("send");
	for (int i = 0; i < n; i++) {
		wait_request[1] = (unsigned char)(1 + i % 100);
		/* It may have been enough already. */
		if (send(sock, wait_request, sizeof(wait_request), MSG_NOSIGNAL) < 0)
			break;
	}
	print_end("greedy", sock);
}

static void descriptors(void)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 60)];
	} control = { 0 };
	unsigned char buf[64];
	struct iovec iov = { .iov_base = buf, .iov_len = hello(buf, 1) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fds[60], sock = dial();

	for (int i = 0; i < 60; i++)
		fds[i] = STDIN_FILENO;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	if (sock < 0 || sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		probe_die("sendmsg");
	print_end("fds", sock);
}

/* Said once all connections stand, so that the test may look; then until stdin ends. */
static void hold(void)
{
	char c;

	printf("holding=1\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

static void silent(int n)
{
	struct rlimit rl = { 20000, 20000 };
	int taken = 0;

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	for (int i = 0; i < n; i++) {
		struct sockaddr_un addr;
		int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		probe_address(&addr, path);
		if (sock >= 0 && connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			taken++;
		else if (sock >= 0)
			close(sock);
	}
	printf("connections=%d\n", taken);
	hold();
}

static void deaf(void)
{
	unsigned char buf[64];
	int sock = dial(), sent = 0;

	if (sock < 0)
		probe_die("connect");
	while (sent < 100000 && send(sock, buf, hello(buf, 1), MSG_NOSIGNAL) > 0)
		sent++;
	printf("sent=%d errno=%d\n", sent, errno);
	hold();
}

/* ---- attached ---------------------------------------------------------------------------------------------------------- */

#define PIPES_MAX 8

/* Request { serial: 2, attach (field 16): { with_stdin, replay } } */
static const unsigned char attach_request[] = { 0x08, 2, 0x82, 1, 5, 0x08, 1, 0xa0, 1, 1 };
/* Request { serial: 3, closed (field 17): { stream: 99 } } */
static const unsigned char closed_request[] = { 0x08, 3, 0x8a, 1, 2, 0x08, 99 };

static bool say(int sock, const void *buf, size_t len)
{
	return send(sock, buf, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* One packet; its descriptors are added to `fds`. */
static ssize_t hear(int sock, int fds[PIPES_MAX], int *n_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 64)];
	} control = { 0 };
	char buf[8192];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); n > 0 && c; c = CMSG_NXTHDR(&msg, c)) {
		const int *got = (const int *)CMSG_DATA(c);

		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			if (*n_fds < PIPES_MAX)
				fds[(*n_fds)++] = got[i];
			else
				close(got[i]);
		}
	}
	return n;
}

/* -1: it was not let in. */
static int attached(int fds[PIPES_MAX], int *n_fds)
{
	unsigned char buf[64];
	int sock = dial();

	*n_fds = 0;
	if (sock >= 0 && say(sock, buf, hello(buf, 1)) && say(sock, attach_request, sizeof(attach_request)) &&
	    hear(sock, fds, n_fds) > 0 && hear(sock, fds, n_fds) > 0 && *n_fds > 0)
		return sock;
	if (sock >= 0)
		close(sock);
	return -1;
}

static void close_all(int *fds, int n)
{
	while (n > 0)
		close(fds[--n]);
}

static void send_with_fds(int sock)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 3)];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)closed_request, .iov_len = sizeof(closed_request) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fds[3] = { 0, 1, 2 };

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	sendmsg(sock, &msg, MSG_NOSIGNAL);
}

/* Each way in turn. What it is told from now on does not interest it. */
static void be_rude(int i, int sock, const int *fds, int n_fds)
{
	unsigned char noise[2000];
	char buf[100];

	switch (i % 6) {
	case 0:
		memset(noise, i, sizeof(noise));
		say(sock, noise, sizeof(noise));
		break;
	case 1:
		send_with_fds(sock);
		break;
	case 2:
		say(sock, attach_request, sizeof(attach_request));
		break;
	case 3:
		shutdown(sock, SHUT_WR);
		break;
	case 4:
		say(sock, closed_request, sizeof(closed_request));
		if (read(fds[n_fds - 1], buf, sizeof(buf)) < 0)
			break;
		break;
	default:
		break;
	}
}

static void attach(int n)
{
	int fds[PIPES_MAX], n_fds, taken = 0;

	for (int i = 0; i < n; i++) {
		int sock = attached(fds, &n_fds);

		if (sock >= 0) {
			taken++;
			be_rude(i, sock, fds, n_fds);
			close(sock);
		}
		close_all(fds, n_fds);
	}
	printf("attached=%d\n", taken);
}

static void mute(int n, bool orphans)
{
	int fds[PIPES_MAX], n_fds, taken = 0;

	for (int i = 0; i < n; i++) {
		int sock = attached(fds, &n_fds);

		if (sock < 0)
			continue;
		taken++;
		if (orphans)
			close(sock);
	}
	printf("attached=%d\n", taken);
	hold();
}

static int fill(int fd)
{
	static char page[4096];
	int n = 0;

	memset(page, 'x', sizeof(page));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, page, sizeof(page)) == (ssize_t)sizeof(page))
		n += (int)sizeof(page);
	return n;
}

static void leave(int n)
{
	int fds[PIPES_MAX], n_fds, taken = 0;

	if (attached(fds, &n_fds) < 0)
		probe_die("attach");
	printf("filled=%d\n", fill(fds[0]));
	for (int i = 0; i < n; i++) {
		int sock = attached(fds, &n_fds);

		if (sock < 0)
			continue;
		taken++;
		if (write(fds[0], "y", 1) != 1)
			probe_die("write");
		close_all(fds, n_fds);
		close(sock);
	}
	printf("attached=%d\n", taken);
	hold();
}

/* Its end is seen without reading: what was sent to it stays where it is.
 * A pipe of one page runs over however slow the writer is. */
static void gaps(void)
{
	static char buf[1 << 20];
	int fds[PIPES_MAX], n_fds, sock = attached(fds, &n_fds);
	struct pollfd p = { .fd = sock, .events = POLLRDHUP };

	if (sock < 0)
		probe_die("attach");
	for (int i = 0; i < n_fds; i++)
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	printf("holding=1\n");
	fflush(stdout);
	while (poll(&p, 1, 20) == 0)
		for (int i = 0; i < n_fds; i++) {
			while (read(fds[i], buf, sizeof(buf)) > 0)
				;
			if (errno == EAGAIN)
				fcntl(fds[i], F_SETPIPE_SZ, 4096);
		}
	printf("gaps_closed=%d\n", (p.revents & (POLLRDHUP | POLLHUP)) != 0);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return PROBE_FAILED;
	path = argv[1];
	const char *mode = argv[2];
	int n = argc > 3 ? atoi(argv[3]) : 1;

	if (!strcmp(mode, "garbage"))
		garbage(n);
	else if (!strcmp(mode, "oversized"))
		oversized();
	else if (!strcmp(mode, "version"))
		wrong_version();
	else if (!strcmp(mode, "nohello"))
		no_hello();
	else if (!strcmp(mode, "twice"))
		twice();
	else if (!strcmp(mode, "greedy"))
		greedy(n);
	else if (!strcmp(mode, "fds"))
		descriptors();
	else if (!strcmp(mode, "silent"))
		silent(n);
	else if (!strcmp(mode, "deaf"))
		deaf();
	else if (!strcmp(mode, "attach"))
		attach(n);
	else if (!strcmp(mode, "mute") || !strcmp(mode, "orphans"))
		mute(n, mode[0] == 'o');
	else if (!strcmp(mode, "leave"))
		leave(n);
	else if (!strcmp(mode, "gaps"))
		gaps();
	else
		return PROBE_FAILED;
	return 0;
}
