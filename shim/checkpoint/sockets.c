/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and TCP connections of a process, as proc(5) shows them. */
#include "shim/checkpoint/sockets.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fd.h"

int sockets_find(pid_t pid, sockets_cb *cb, void *arg)
{
	cleanup_free char *path = xasprintf("/proc/%d/fd", (int)pid);
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir)
		return -1;
	while ((e = readdir(dir))) {
		char target[64];
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);
		unsigned long long inode;

		target[n > 0 ? n : 0] = '\0';
		if (sscanf(target, "socket:[%llu]", &inode) == 1 && cb((int)strtol(e->d_name, NULL, 10), inode, arg))
			return 1;
	}
	return 0;
}

/* "  SL: ADDRESS:PORT REMOTE ST TX:RX TR:WHEN RETRNSMT UID TIMEOUT INODE ...", after a line of titles. */
static int find_row(FILE *f, sockets_tcp_cb *cb, void *arg)
{
	cleanup_free char *line = NULL;
	size_t size = 0;
	unsigned long long inode;
	struct tcp_row row;

	if (getline(&line, &size, f) < 0)
		return -1;
	while (getline(&line, &size, f) >= 0) {
		if (sscanf(line, "%*s %*[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %llu", &row.port, &row.state, &inode) !=
		    3)
			return -1;
		row.inode = inode;
		if (cb(&row, arg))
			return 1;
	}
	return ferror(f) ? -1 : 0;
}

int sockets_find_tcp(pid_t pid, sockets_tcp_cb *cb, void *arg)
{
	static const char *const names[] = { "tcp", "tcp6" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = xasprintf("/proc/%d/net/%s", (int)pid, names[i]);
		cleanup_file FILE *f = fopen(path, "re");
		int found;

		/* A kernel without IPv6 has no such file. */
		if (!f && errno == ENOENT)
			continue;
		found = f ? find_row(f, cb, arg) : -1;
		if (found != 0)
			return found;
	}
	return 0;
}
