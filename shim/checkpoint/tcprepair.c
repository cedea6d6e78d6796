/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections that a killed criu has left in its hands. */
#include "shim/checkpoint/tcprepair.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"

static bool is_socket(int dir_fd, const char *name)
{
	static const char prefix[] = "socket:[";
	char target[sizeof(prefix)];

	return readlinkat(dir_fd, name, target, sizeof(target) - 1) == sizeof(target) - 1 &&
	       !memcmp(target, prefix, sizeof(target) - 1);
}

static void end_one(int pidfd, pid_t pid, int theirs)
{
	cleanup_fd int fd = (int)syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
	int on = 0, off = 0;
	socklen_t len = sizeof(on);

	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, &len) < 0 || !on)
		return;
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0)
		log_warn("process %d: descriptor %d is a connection that criu has not given back: %s", (int)pid, theirs,
			 strerrordesc_np(errno));
}

static void end_all_of(pid_t pid)
{
	char path[40];
	cleanup_dir DIR *dir = NULL;
	cleanup_fd int pidfd = -1;
	struct dirent *e;
	struct err ignored;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	if (proc_pidfd_open(pid, 0, &pidfd, &ignored) < 0 || !(dir = opendir(path)))
		return;
	while ((e = readdir(dir)))
		if (is_socket(dirfd(dir), e->d_name))
			end_one(pidfd, pid, (int)strtol(e->d_name, NULL, 10));
}

void tcprepair_end(const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		end_all_of(pids[i]);
}
