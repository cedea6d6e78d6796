/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller hands to a new process: descriptors that ride beside a Create or an Exec, each with its role. */
#include "client/handover.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>

#include "common/fd.h"
#include "common/number.h"

void handover_release(struct handover *h)
{
	while (h->n_owned > 0)
		fd_close(&h->owned[--h->n_owned]);
}

int handover_add(struct handover *h, FdRole role, int fd, struct err *err)
{
	if (h->n == WIRE_FDS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d descriptors to pass on", WIRE_FDS_MAX);
	h->role[h->n] = role;
	h->fd[h->n++] = fd;
	return 0;
}

int handover_give(struct handover *h, FdRole role, int fd, struct err *err)
{
	if (h->n_owned == (int)ARRAY_SIZE(h->owned))
		fatal("a handover owns no more than %zu descriptors", ARRAY_SIZE(h->owned));
	h->owned[h->n_owned++] = fd;
	return handover_add(h, role, fd, err);
}

int handover_add_stdio(struct handover *h, struct err *err)
{
	static const FdRole roles[] = { FD_STDIN, FD_STDOUT, FD_STDERR };

	for (int i = 0; i < (int)ARRAY_SIZE(roles); i++)
		if (handover_add(h, roles[i], i, err) < 0)
			return -1;
	return 0;
}

#define CONNECT_TAKES_S 5

/* A path of any length is reached through its directory. */
static int connect_path(const char *what, const char *path, int *ret_fd, struct err *err)
{
	cleanup_free char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	const char *name = slash ? path + (slash - dir) + 1 : path;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), dir_fd = -1;
	const struct timeval patience = { .tv_sec = CONNECT_TAKES_S }, none = { 0 };
	int n;

	if (slash)
		slash[slash == dir] = '\0';
	dir_fd = open(slash ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dir_fd < 0)
		return err_sys(err, "cannot connect to %s socket '%s'", what, path);
	n = snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return err_sysno(err, ENAMETOOLONG, "cannot connect to %s socket '%s'", what, path);
	/* connect(2) waits while there are more who want to than listen(2) allows: for ever, and signals are blocked here. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)) < 0)
		return errno == EAGAIN
			       ? err_set(err, ERR_STATE, "%s socket '%s': nobody has accepted a connection for %d s",
					 what, path, CONNECT_TAKES_S)
			       : err_sys(err, "cannot connect to %s socket '%s'", what, path);
	*ret_fd = take_fd(&fd);
	return 0;
}

int handover_add_socket(struct handover *h, FdRole role, const char *path, struct err *err)
{
	const char *what = role == FD_CONSOLE_SOCKET ? "console" : "pidfd";
	int fd;

	if (!path)
		return 0;
	return connect_path(what, path, &fd, err) < 0 ? -1 : handover_give(h, role, fd, err);
}

int handover_add_preserved(struct handover *h, const struct client *cl, uint64_t first, uint64_t n, const char *what,
			   struct err *err)
{
	const uint64_t from = first - FIRST_PRESERVED_FD;

	if (n > CLIENT_PRESERVED_MAX || from > CLIENT_PRESERVED_MAX - n)
		return err_set(err, ERR_LIMIT, "%s %llu: no more than %d descriptors can be passed on", what,
			       (unsigned long long)n, CLIENT_PRESERVED_MAX);
	for (uint64_t i = from; i < from + n; i++) {
		if (!cl->inherited_fd[i])
			return err_set(err, ERR_USAGE, "%s %llu: descriptor %llu is not open", what,
				       (unsigned long long)n, (unsigned long long)i + FIRST_PRESERVED_FD);
		if (handover_add(h, FD_PRESERVED, (int)i + FIRST_PRESERVED_FD, err) < 0)
			return -1;
	}
	return 0;
}

uint64_t handover_listen_fds(void)
{
	const char *pid_text = getenv("LISTEN_PID"), *n_text = getenv("LISTEN_FDS");
	uint64_t pid, n;

	if (!pid_text || !n_text || !number_u64(pid_text, INT32_MAX, &pid) || !number_u64(n_text, INT32_MAX, &n))
		return 0;
	return (pid_t)pid == getpid() ? n : 0;
}

uint32_t handover_roles(const struct handover *h, FdRole *ret_roles, pb_size_t *ret_n)
{
	int n = h->n < WIRE_ROLES_MAX ? h->n : WIRE_ROLES_MAX;

	memcpy(ret_roles, h->role, (size_t)n * sizeof(h->role[0]));
	*ret_n = (pb_size_t)n;
	return (uint32_t)(h->n - n);
}

int handover_foreign(const struct client *cl, const char *monitor, const char *stdio, bool *ret_foreign,
		     struct err *err)
{
	bool foreign = monitor ? !strcmp(monitor, "foreign") : cl->oci;

	if (foreign && stdio && !strcmp(stdio, "log"))
		return err_set(err, ERR_USAGE,
			       "--stdio=log needs --monitor=shim: else nobody stays who could write one");
	*ret_foreign = foreign;
	return 0;
}

StdioMode handover_stdio_mode(const struct client *cl, bool foreign, bool foreground, const char *stdio)
{
	if (foreign)
		return STDIO_PASS;
	if (foreground)
		return STDIO_FOREGROUND;
	if (stdio)
		return !strcmp(stdio, "inherit") ? STDIO_INHERIT : STDIO_LOG;
	return cl->oci ? STDIO_INHERIT : STDIO_LOG;
}

bool handover_has_stdin(const struct client *cl)
{
	struct stat st;

	if (!cl->stdin_open || fstat(STDIN_FILENO, &st) < 0)
		return false;
	return !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3);
}
