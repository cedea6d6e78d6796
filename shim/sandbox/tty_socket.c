/* SPDX-License-Identifier: Apache-2.0 */
/* The console socket: how a caller that relays a terminal itself gets the pty. */
#include "shim/sandbox/tty_socket.h"

#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"

int tty_socket_send(int sock, int master_fd, struct err *err)
{
	static const char name[] = "/dev/ptmx";
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)name, .iov_len = sizeof(name) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &master_fd, sizeof(master_fd));
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot send the terminal to the console socket");
	return 0;
}
