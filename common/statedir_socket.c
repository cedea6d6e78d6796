/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of a state directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/statedir.h"

/* sun_path holds 107 bytes; through /proc/self/fd any depth is reached. name NULL: of the descriptor itself. */
static int socket_address(int fd, const char *name, struct sockaddr_un *ret, struct err *err)
{
	int n;

	*ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d%s%s", fd, name ? "/" : "",
		     name ? name : "");
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path))
		return err_set(err, ERR_INTERNAL, "socket name '%s' is too long", name);
	return 0;
}

/* Hold the socket itself, so that what is connected to is what was looked at. */
static int hold_socket(int dir_fd, const char *name, uint64_t inode, struct sockaddr_un *ret, int *ret_fd,
		       struct err *err)
{
	struct stat st;

	*ret_fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0 && errno == ENOENT)
		return err_set(err, ERR_GONE, "nobody listens on '%s'", name);
	if (*ret_fd < 0 || fstat(*ret_fd, &st) < 0)
		return err_sys(err, "cannot look at '%s'", name);
	if (st.st_ino != inode)
		return err_set(err, ERR_PERMISSION, "'%s' is not the container's own socket", name);
	return socket_address(*ret_fd, NULL, ret, err);
}

/* Of one that hangs the queue fills up with those who have given it up, and connect(2) would wait for ever. */
static int connect_within(int fd, const struct sockaddr_un *addr, const struct timeval *limit)
{
	int r;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, limit, sizeof(*limit)) < 0)
		return -1;
	do
		r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval) { 0 }, sizeof(*limit));
}

#define CONNECT_S 10

int statedir_connect(int dir_fd, const char *name, uint64_t inode, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), held = -1;
	struct sockaddr_un addr;
	int r;

	if (fd < 0)
		return err_sys(err, "cannot make a socket");
	r = inode ? hold_socket(dir_fd, name, inode, &addr, &held, err) : socket_address(dir_fd, name, &addr, err);
	if (r < 0)
		return -1;
	r = connect_within(fd, &addr, &(struct timeval) { .tv_sec = CONNECT_S });
	if (r < 0 && errno == EAGAIN)
		return err_set(err, ERR_STATE, "who listens on '%s' has taken nobody for %d s", name, CONNECT_S);
	if (r < 0 && (errno == ECONNREFUSED || errno == ENOENT))
		return err_set(err, ERR_GONE, "nobody listens on '%s'", name);
	if (r < 0)
		return err_sys(err, "cannot connect to '%s'", name);
	*ret_fd = take_fd(&fd);
	return 0;
}

int statedir_listen(int dir_fd, const char *name, int backlog, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;
	mode_t old;
	int r;

	if (fd < 0)
		return err_sys(err, "cannot make a socket");
	if (socket_address(dir_fd, name, &addr, err) < 0)
		return -1;
	unlinkat(dir_fd, name, 0);
	old = umask(0177);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(old);
	if (r < 0)
		return err_sys(err, "cannot make the socket '%s'", name);
	if (listen(fd, backlog) < 0)
		return err_sys(err, "cannot listen on '%s'", name);
	*ret_fd = take_fd(&fd);
	return 0;
}
