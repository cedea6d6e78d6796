/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's side of what a container's process says on its way to execve.
 *
 * It comes from our own code in the child, but a child that went wrong must not take the shim along: sizes are checked, and the end of the connection
 * is an answer too. */
#include "shim/container/handshake.h"

#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"

int handshake_receive(int sock, struct child_message *ret, int *fd, struct err *err)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen =
			CMSG_LEN(sizeof(int)), /* the padding would take a second descriptor, which nobody closes */
	};
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n < 0)
		return err_sys(err, "cannot hear from the container's process");
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		int got;

		memcpy(&got, CMSG_DATA(c), sizeof(got));
		if (*fd < 0)
			*fd = got;
		else
			fd_close(&got);
	}
	if (n != (ssize_t)sizeof(*ret))
		return err_set(err, ERR_INTERNAL, "the container's process speaks in riddles");
	ret->err.text[sizeof(ret->err.text) - 1] = '\0';
	return 1;
}

int handshake_order(int sock, enum child_order order, struct err *err)
{
	char byte = (char)order;
	ssize_t n;

	do
		n = send(sock, &byte, 1, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return err_set(err, ERR_GONE, "the container's process has died before it was started");
	return 0;
}
