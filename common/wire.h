/* SPDX-License-Identifier: Apache-2.0 */
/* Control packets: one protobuf message per SOCK_SEQPACKET packet, descriptors beside it. */
#ifndef THOLE_COMMON_WIRE_H
#define THOLE_COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "proto/control.pb.h"

#define WIRE_VERSION 1

/* What a shim says in its Hello that it can and older ones cannot, where these would understand a request in another way. */
#define WIRE_FEATURE_FOLLOW (UINT64_C(1) << 0)   /* Attach.follow */
#define WIRE_FEATURE_PRE_COPY (UINT64_C(1) << 1) /* "preCopy" among the options of Checkpoint */
#define WIRE_FEATURE_MANY_FDS (UINT64_C(1) << 2) /* more than WIRE_ROLES_MAX descriptors beside a packet */

#define WIRE_PACKET_MAX 4096 /* bytes of one encoded message */
#define WIRE_FDS_MAX 253     /* descriptors beside one packet: the kernel's SCM_MAX_FD */
#define WIRE_ROLES_MAX 64    /* of them with a role of their own in it */

_Static_assert(sizeof(Request) < WIRE_PACKET_MAX, "decoded messages stay below 4 KiB");
_Static_assert(sizeof(Reply) < WIRE_PACKET_MAX, "decoded messages stay below 4 KiB");

/* Received descriptors, all close-on-exec. Owned by the holder until taken (take_fd on an element). */
struct wire_fds {
	int n;
	int fd[WIRE_FDS_MAX];
};

void wire_fds_release(struct wire_fds *fds); /* close what was not taken */

#define cleanup_wire_fds __attribute__((cleanup(wire_fds_release)))

/* Send one packet; `fds` stay the caller's (n_fds may be 0). Blocks as the socket does; on a non-blocking one
 * EAGAIN comes as ERR_BUSY. No SIGPIPE: a gone peer is ERR_GONE. */
int wire_send_request(int sock, const Request *req, const int *fds, int n_fds, struct err *err);
int wire_send_reply(int sock, const Reply *rep, const int *fds, int n_fds, struct err *err);

/* Receive one packet. Returns 1, or 0 when the peer has closed (an empty packet cannot be told
 * from that), -1 on failure: ERR_PROTOCOL (too large, does not decode, truncated descriptors,
 * descriptors without a message; everything received with it is closed), ERR_BUSY (EAGAIN). ret
 * is undefined unless 1. ret_fds is initialised here. */
int wire_recv_request(int sock, Request *ret, struct wire_fds *ret_fds, struct err *err);
int wire_recv_reply(int sock, Reply *ret, struct wire_fds *ret_fds, struct err *err);

/* struct err <-> message. */
void wire_error_from(Error *ret, const struct err *err);
int wire_error_to(const Error *msg, struct err *err); /* fills err, returns -1 */

/* One struct err as a raw packet (child -> shim, and on the start socket). recv: 1 got one, 0 peer
 * closed, ERR_BUSY (EAGAIN), ERR_PROTOCOL (not of this size). */
int wire_send_err(int sock, const struct err *msg);
int wire_recv_err(int sock, struct err *ret_msg, struct err *err);

/* What a child that sends one such packet, all zero for no error, has come to: 0, or -1 with its err. ERR_INTERNAL: `who` has died before that. */
int wire_recv_outcome(int sock, const char *who, struct err *err);

/* uid of the peer of a unix socket (SO_PEERCRED). */
int wire_peer_uid(int sock, unsigned int *ret_uid, struct err *err);

/* The process that has connected (or made the socketpair). 0: it cannot be seen from here. */
int wire_peer_pid(int sock);

#endif
