/* SPDX-License-Identifier: Apache-2.0 */
/* A criu that has dumped with --lazy-pages, and has the memory for whoever restores the image. */
#include "shim/checkpoint/pageserver.h"

#include <netinet/tcp.h>
#include <stddef.h>

#include "shim/checkpoint/sockets.h"

#define SOCKETS_MAX 64

struct server {
	size_t n_sockets, n_ports;
	uint64_t socket[SOCKETS_MAX];
	unsigned int port[SOCKETS_MAX]; /* that it listens at */
};

static bool note_socket(int fd, uint64_t inode, void *arg)
{
	struct server *s = arg;

	(void)fd;
	s->socket[s->n_sockets++] = inode;
	return s->n_sockets == SOCKETS_MAX;
}

static bool has_socket(const struct server *s, uint64_t inode)
{
	for (size_t i = 0; i < s->n_sockets; i++)
		if (s->socket[i] == inode)
			return true;
	return false;
}

static bool has_port(const struct server *s, unsigned int port)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->port[i] == port)
			return true;
	return false;
}

/* Of a connection that is not accepted yet there is no socket: it is known by the port that is listened at. */
static bool is_connection(const struct tcp_row *row, void *arg)
{
	struct server *s = arg;
	bool own = has_socket(s, row->inode);

	if (row->state == TCP_LISTEN && own && s->n_ports < SOCKETS_MAX)
		s->port[s->n_ports++] = row->port;
	return row->state == TCP_ESTABLISHED && (own || has_port(s, row->port));
}

bool pageserver_is_asked(pid_t pid)
{
	struct server s = { 0 };

	return sockets_find(pid, note_socket, &s) < 0 || sockets_find_tcp(pid, is_connection, &s) != 0;
}
