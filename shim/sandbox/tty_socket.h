/* SPDX-License-Identifier: Apache-2.0 */
/* The console socket: how a caller that relays a terminal itself gets the pty. */
#ifndef THOLE_SHIM_SANDBOX_TTY_SOCKET_H
#define THOLE_SHIM_SANDBOX_TTY_SOCKET_H

#include "common/err.h"

/* Send the pty's master over a connected AF_UNIX stream socket, beside its name, as runc does (docs/terminals.md of runc). The descriptor stays
 * the caller's. Does not wait: a socket that takes no byte has nobody
 * who reads it. */
int tty_socket_send(int sock, int master_fd, struct err *err);

#endif
