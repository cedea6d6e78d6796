/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections that a killed criu has left in its hands. */
#include "shim/checkpoint/tcprepair.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/checkpoint/sockets.h"

struct holder {
	pid_t pid;
	int pidfd;
};

static bool end_one(int theirs, uint64_t inode, void *arg)
{
	const struct holder *h = arg;
	cleanup_fd int fd = (int)syscall(SYS_pidfd_getfd, h->pidfd, theirs, 0);
	int on = 0, off = 0;
	socklen_t len = sizeof(on);

	(void)inode;
	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, &len) < 0 || !on)
		return false;
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0)
		log_warn("process %d: descriptor %d is a connection that criu has not given back: %s", (int)h->pid,
			 theirs, strerrordesc_np(errno));
	return false;
}

static void end_all_of(pid_t pid)
{
	cleanup_fd int pidfd = -1;
	struct err ignored;

	if (proc_pidfd_open(pid, 0, &pidfd, &ignored) == 0)
		sockets_find(pid, end_one, &(struct holder) { .pid = pid, .pidfd = pidfd });
}

void tcprepair_end(const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		end_all_of(pids[i]);
}
