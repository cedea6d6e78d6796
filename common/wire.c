/* SPDX-License-Identifier: Apache-2.0 */
/* Control packets: one protobuf message per SOCK_SEQPACKET packet, descriptors beside it. */
#include "common/wire.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"

void wire_fds_release(struct wire_fds *fds)
{
	for (int i = 0; i < fds->n; i++)
		fd_close(&fds->fd[i]);
	fds->n = 0;
}

static int send_packet(int sock, const void *data, size_t len, const int *fds, int n_fds, struct err *err)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > WIRE_FDS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d descriptors in one packet", WIRE_FDS_MAX);
	if (n_fds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EAGAIN)
		return err_set(err, ERR_BUSY, "the peer does not read");
	if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
		return err_set(err, ERR_GONE, "the peer has closed the connection");
	return err_sys(err, "cannot send");
}

static int send_message(int sock, const pb_msgdesc_t *fields, const void *message, const int *fds, int n_fds,
			struct err *err)
{
	uint8_t buf[WIRE_PACKET_MAX];
	pb_ostream_t out = pb_ostream_from_buffer(buf, sizeof(buf));

	if (!pb_encode(&out, fields, message))
		return err_set(err, ERR_INTERNAL, "cannot encode a control packet: %s", PB_GET_ERROR(&out));
	/* An empty packet would look like the end of the connection: every message has a serial, which is never 0. */
	if (out.bytes_written == 0)
		return err_set(err, ERR_INTERNAL, "a control packet without content");
	return send_packet(sock, buf, out.bytes_written, fds, n_fds, err);
}

int wire_send_request(int sock, const Request *req, const int *fds, int n_fds, struct err *err)
{
	return send_message(sock, Request_fields, req, fds, n_fds, err);
}

int wire_send_reply(int sock, const Reply *rep, const int *fds, int n_fds, struct err *err)
{
	return send_message(sock, Reply_fields, rep, fds, n_fds, err);
}

static void take_rights(struct msghdr *msg, struct wire_fds *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (fds->n < WIRE_FDS_MAX)
				fds->fd[fds->n++] = fd;
			else
				close(fd);
		}
	}
}

/* Returns the number of bytes, 0 at the end of the connection, -1. */
static ssize_t recv_packet(int sock, void *buf, size_t size, struct wire_fds *fds, struct err *err)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	ssize_t n;

	fds->n = 0;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return err_set(err, ERR_BUSY, "nothing to receive");
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0)
		return err_sys(err, "cannot receive");
	take_rights(&msg, fds);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == MSG_CTRUNC) {
		wire_fds_release(fds);
		return err_set(err, ERR_LIMIT,
			       "not all descriptors beside a packet have arrived: the limit of open files "
			       "(RLIMIT_NOFILE) leaves no room for them");
	}
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		wire_fds_release(fds);
		return err_set(err, ERR_PROTOCOL, "a packet that is too large");
	}
	if (n == 0 && fds->n > 0) {
		wire_fds_release(fds);
		return err_set(err, ERR_PROTOCOL, "descriptors without a message");
	}
	/* An empty packet looks like the end of the connection, and is taken for it. */
	return n;
}

static int recv_message(int sock, const pb_msgdesc_t *fields, void *message, size_t size, struct wire_fds *fds,
			struct err *err)
{
	uint8_t buf[WIRE_PACKET_MAX];
	pb_istream_t in;
	ssize_t n = recv_packet(sock, buf, sizeof(buf), fds, err);

	if (n <= 0)
		return (int)n;
	memset(message, 0, size);
	in = pb_istream_from_buffer(buf, (size_t)n);
	if (!pb_decode(&in, fields, message) || in.bytes_left > 0) {
		wire_fds_release(fds);
		return err_set(err, ERR_PROTOCOL, "a packet that does not decode: %s", PB_GET_ERROR(&in));
	}
	return 1;
}

int wire_recv_request(int sock, Request *ret, struct wire_fds *ret_fds, struct err *err)
{
	return recv_message(sock, Request_fields, ret, sizeof(*ret), ret_fds, err);
}

int wire_recv_reply(int sock, Reply *ret, struct wire_fds *ret_fds, struct err *err)
{
	return recv_message(sock, Reply_fields, ret, sizeof(*ret), ret_fds, err);
}

void wire_error_from(Error *ret, const struct err *err)
{
	ret->code = err->code;
	ret->sys_errno = (uint32_t)err->sys_errno;
	snprintf(ret->text, sizeof(ret->text), "%s", err->text);
}

int wire_error_to(const Error *msg, struct err *err)
{
	err->code = msg->code == ERR_NONE ? ERR_INTERNAL : msg->code;
	err->sys_errno = (int)msg->sys_errno;
	snprintf(err->text, sizeof(err->text), "%s", msg->text);
	err_clean(err);
	return -1;
}

int wire_send_err(int sock, const struct err *msg)
{
	struct err copy = { .code = msg->code, .sys_errno = msg->sys_errno };
	ssize_t n;

	/* What lies in the buffer behind the text stays in this process. */
	memcpy(copy.text, msg->text, strnlen(msg->text, sizeof(copy.text) - 1));
	do
		n = send(sock, &copy, sizeof(copy), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

int wire_recv_err(int sock, struct err *ret_msg, struct err *err)
{
	struct err msg;
	ssize_t n;

	do
		n = recv(sock, &msg, sizeof(msg), MSG_TRUNC); /* the packet's whole length */
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return err_set(err, ERR_BUSY, "nothing to receive");
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n < 0)
		return err_sys(err, "cannot receive");
	if (n != (ssize_t)sizeof(msg))
		return err_set(err, ERR_PROTOCOL, "a packet of the wrong size");
	msg.text[sizeof(msg.text) - 1] = '\0';
	err_clean(&msg);
	*ret_msg = msg;
	return 1;
}

int wire_recv_outcome(int sock, const char *who, struct err *err)
{
	struct err outcome;
	int n = wire_recv_err(sock, &outcome, err);

	if (n < 0)
		return -1;
	if (n == 0)
		return err_set(err, ERR_INTERNAL, "%s has died", who);
	if (outcome.code == ERR_NONE)
		return 0;
	*err = outcome;
	return -1;
}

int wire_peer_uid(int sock, unsigned int *ret_uid, struct err *err)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return err_sys(err, "cannot ask who the peer is");
	*ret_uid = cred.uid;
	return 0;
}

int wire_peer_pid(int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ? 0 : cred.pid;
}
