/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections that a killed criu has left in its hands. */
#ifndef THOLE_SHIM_CHECKPOINT_TCPREPAIR_H
#define THOLE_SHIM_CHECKPOINT_TCPREPAIR_H

#include <stddef.h>
#include <sys/types.h>

/* criu takes the state of a connection with its socket in repair mode (TCP_REPAIR, tcp(7)), in which it neither sends nor acknowledges, and what is written to it fails. Every socket of
 * these processes that is in it is an ordinary one afterwards. Before they go on: what they do meanwhile fails. Best effort: pidfd_getfd(2) is of kernel 5.6. Does not wait. */
void tcprepair_end(const pid_t *pids, size_t n);

#endif
