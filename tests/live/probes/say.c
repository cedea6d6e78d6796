/* SPDX-License-Identifier: Apache-2.0 */
/* say [--fd] TEXT: sends TEXT to NOTIFY_SOCKET in one message, with --fd beside a descriptor of a pipe; says "gone" once nobody has that any more. */
#include "tests/live/probes/probe.h"

int main(int argc, char **argv)
{
	bool with_fd = argc == 3 && !strcmp(argv[1], "--fd");
	const char *where = getenv("NOTIFY_SOCKET");
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), fds[2];
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { 0 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct iovec iov = { argv[argc - 1], strlen(argv[argc - 1]) };
	struct msghdr msg = { .msg_name = &addr, .msg_namelen = sizeof(addr), .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd p;

	if (argc != 2 + with_fd || !where || strlen(where) >= sizeof(addr.sun_path))
		return PROBE_FAILED;
	strcpy(addr.sun_path, where);
	if (pipe2(fds, O_CLOEXEC) < 0)
		probe_die("pipe");
	if (with_fd) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.buf);
		control.head = (struct cmsghdr) { .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS,
						  .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(&control.head), &fds[1], sizeof(int));
	}
	if (sendmsg(sock, &msg, 0) < 0)
		probe_die("send to %s", where);
	close(fds[1]);
	p = (struct pollfd) { .fd = fds[0] };
	if (with_fd && poll(&p, 1, 10000) == 1 && (p.revents & POLLHUP))
		puts("gone");
	return 0;
}
