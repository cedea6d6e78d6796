/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets through which a caller is given a descriptor of a new process: its terminal, a pidfd. */
#include "shim/sandbox/fd_socket.h"

#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"

int fd_socket_send(int sock, int fd, const char *text, struct err *err)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot send a descriptor");
	if ((size_t)n != iov.iov_len)
		return err_sysno(err, EMSGSIZE, "cannot send what goes with a descriptor");
	return 0;
}

int fd_socket_send_terminal(int sock, int master_fd, struct err *err)
{
	if (fd_socket_send(sock, master_fd, "/dev/ptmx", err) < 0)
		return err_add(err, "console socket");
	return 0;
}

int fd_socket_send_pidfd(int sock, int pidfd, bool init, struct err *err)
{
	if (sock >= 0 && fd_socket_send(sock, pidfd, init ? "standard" : "setns", err) < 0)
		return err_add(err, "pidfd socket");
	return 0;
}
