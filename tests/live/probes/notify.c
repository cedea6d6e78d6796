/* SPDX-License-Identifier: Apache-2.0 */
/* Outside: listens on a socket for the listeners of seccomp filters, prints what comes with them and which calls are asked about, and answers all with errno 77. */
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "probe.h"

#define ANSWER 77

static int receive(int conn)
{
	static char text[65536];
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	struct ucred peer;
	socklen_t len = sizeof(peer);
	ssize_t n = recvmsg(conn, &msg, 0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd;

	if (n <= 0 || !c || c->cmsg_type != SCM_RIGHTS)
		return -1; /* somebody looked whether we are there */
	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		probe_die("peer");
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	text[n] = '\0';
	printf("peer=%u\nstate=%s\n", peer.uid, text);
	return fd;
}

static void answer(int fd)
{
	struct seccomp_notif ask = { 0 };
	struct seccomp_notif_resp reply = { 0 };

	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &ask) < 0)
		return;
	reply.id = ask.id;
	reply.error = -ANSWER;
	ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	printf("syscall=%d\n", ask.data.nr);
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct pollfd fds[64] = { { .fd = socket(AF_UNIX, SOCK_STREAM, 0), .events = POLLIN } };
	nfds_t n = 1;

	if (argc != 2)
		probe_die("usage: notify SOCKET");
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", argv[1]);
	if (bind(fds[0].fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fds[0].fd, 16) < 0)
		probe_die("socket");
	while (poll(fds, n, -1) > 0) {
		for (nfds_t i = 1; i < n; i++) {
			if (fds[i].revents & POLLIN)
				answer(fds[i].fd);
			else if (fds[i].revents)
				fds[i].fd = -1;
		}
		if (fds[0].revents && n < 64) {
			int conn = accept(fds[0].fd, NULL, NULL), fd = receive(conn);

			if (fd >= 0)
				fds[n++] = (struct pollfd) { .fd = fd, .events = POLLIN };
			close(conn);
		}
	}
	return 0;
}
