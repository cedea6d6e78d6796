/* SPDX-License-Identifier: Apache-2.0 */
/* A criu that has dumped with --lazy-pages, and has the memory for whoever restores the image. */
#include "shim/checkpoint/pageserver.h"

#include <dirent.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"

#define SOCKETS_MAX 64

struct sockets {
	size_t n;
	uint64_t inode[SOCKETS_MAX];
};

static int find_sockets(pid_t pid, struct sockets *ret)
{
	cleanup_free char *path = xasprintf("/proc/%d/fd", (int)pid);
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir)
		return -1;
	while ((e = readdir(dir)) && ret->n < SOCKETS_MAX) {
		char target[64];
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);
		unsigned long long inode;

		target[n > 0 ? n : 0] = '\0';
		if (sscanf(target, "socket:[%llu]", &inode) == 1)
			ret->inode[ret->n++] = inode;
	}
	return 0;
}

static bool is_one_of(const struct sockets *s, uint64_t inode)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->inode[i] == inode)
			return true;
	return false;
}

/* Of a connection that is not accepted yet there is no socket: it is known by the port that is listened at. */
struct listeners {
	size_t n;
	unsigned int port[SOCKETS_MAX];
};

static bool is_ours(const struct sockets *s, struct listeners *l, unsigned int port, unsigned int state, uint64_t inode)
{
	if (state == TCP_LISTEN && is_one_of(s, inode) && l->n < SOCKETS_MAX)
		l->port[l->n++] = port;
	if (state != TCP_ESTABLISHED)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (l->port[i] == port)
			return true;
	return is_one_of(s, inode);
}

/* "  SL: ADDRESS:PORT REMOTE ST TX:RX TR:WHEN RETRNSMT UID TIMEOUT INODE ...", after a line of titles; listeners come first. */
static bool has_connection(FILE *f, const struct sockets *s)
{
	cleanup_free char *line = NULL;
	struct listeners l = { 0 };
	size_t size = 0;
	unsigned int port, state;
	unsigned long long inode;

	while (getline(&line, &size, f) >= 0)
		if (sscanf(line, "%*s %*[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %llu", &port, &state, &inode) == 3 &&
		    is_ours(s, &l, port, state, inode))
			return true;
	return ferror(f);
}

bool pageserver_is_asked(pid_t pid)
{
	static const char *const names[] = { "tcp", "tcp6" };
	struct sockets s = { 0 };

	if (find_sockets(pid, &s) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = xasprintf("/proc/%d/net/%s", (int)pid, names[i]);
		cleanup_file FILE *f = fopen(path, "re");

		/* Without IPv6 there is no second file. */
		if ((!f && errno != ENOENT) || (f && has_connection(f, &s)))
			return true;
	}
	return false;
}
