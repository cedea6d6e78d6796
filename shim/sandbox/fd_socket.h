/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets through which a caller is given a descriptor of a new process: its terminal, a pidfd. */
#ifndef THOLE_SHIM_SANDBOX_FD_SOCKET_H
#define THOLE_SHIM_SANDBOX_FD_SOCKET_H

#include <stdbool.h>

#include "common/err.h"

/* Send one descriptor over a connected stream socket, with a name beside it, as runc does. Both descriptors stay the caller's. Does not wait: a peer
 * that does not read is an error. */

/* With this text. */
int fd_socket_send(int sock, int fd, const char *text, struct err *err);

/* The master of a pty; the name is that of ptmx. */
int fd_socket_send_terminal(int sock, int master_fd, struct err *err);

/* A pidfd; the name is "standard" for a container's first process, "setns" for a further one. sock -1: nobody wants it. */
int fd_socket_send_pidfd(int sock, int pidfd, bool init, struct err *err);

#endif
