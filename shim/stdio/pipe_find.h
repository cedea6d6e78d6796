/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes of a container whose shim has died, found among the descriptors of its processes. */
#ifndef THOLE_SHIM_STDIO_PIPE_FIND_H
#define THOLE_SHIM_STDIO_PIPE_FIND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pipe_wanted {
	uint64_t inode; /* 0: nothing is wanted */
	int fd;         /* its read end, non-blocking, the caller's; -1: not found (yet) */
};

/* Look through the descriptors of process `pid` for those that are not found yet. A descriptor's number says nothing: the container chooses what its 1 is. What is opened is a
 * pipe of the kernel's with that inode, or nothing: no file or device of the container's is touched. */
void pipe_find(pid_t pid, struct pipe_wanted *v, size_t n);

/* The inode in "pipe:[INODE]"; 0: it is no pipe. */
uint64_t pipe_inode(const char *key);

#endif
