/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and TCP connections of a process, as proc(5) shows them. */
#ifndef THOLE_SHIM_CHECKPOINT_SOCKETS_H
#define THOLE_SHIM_CHECKPOINT_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tcp_row {
	unsigned int port;  /* the local one */
	unsigned int state; /* TCP_ESTABLISHED and its like, netinet/tcp.h */
	uint64_t inode;     /* 0: no descriptor refers to it */
};

/* Whether this is the one that is looked for. */
typedef bool sockets_cb(int fd, uint64_t inode, void *arg);
typedef bool sockets_tcp_cb(const struct tcp_row *row, void *arg);

/* Is one of the sockets that process `pid` has open what `cb` looks for? 1: yes, and no other is looked at; 0: no; -1: that cannot be said. Reads /proc/PID/fd. */
int sockets_find(pid_t pid, sockets_cb *cb, void *arg);

/* The same of the TCP sockets of its network namespace, IPv4 and IPv6; of each of the two listeners come first. Reads /proc/PID/net. */
int sockets_find_tcp(pid_t pid, sockets_tcp_cb *cb, void *arg);

#endif
