/* SPDX-License-Identifier: Apache-2.0 */
/* console SOCKET READY: listens on SOCKET as a console socket's owner does, makes the file READY, takes one terminal's master from whoever
 * connects, prints "fds=N name=TEXT" and then what the terminal prints, until it hangs up. Of a pidfd that comes instead it prints "pid=N". */
#include <sys/stat.h>

#include "tests/live/probes/probe.h"

static int receive(int sock)
{
	char text[256] = "", control[CMSG_SPACE(sizeof(int) * 8)];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	int fds[8], n = 0;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) < 0)
		probe_die("recvmsg");
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)n);
	}
	printf("fds=%d name=%s\n", n, text);
	fflush(stdout);
	return n > 0 ? fds[0] : -1;
}

/* Whose pidfd it is; nothing when it is none. */
static void print_pid(int fd)
{
	char path[64], text[512] = "";
	const char *line;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	int info = open(path, O_RDONLY | O_CLOEXEC);

	if (info < 0 || read(info, text, sizeof(text) - 1) < 0)
		probe_die("read %s", path);
	close(info);
	line = strstr(text, "\nPid:");
	if (line)
		printf("pid=%ld\n", strtol(line + 5, NULL, 10));
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr;
	char buf[4096];
	ssize_t n;

	if (argc != 3)
		return PROBE_FAILED;
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	probe_address(&addr, argv[1]);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 1) < 0)
		probe_die("listen at %s", argv[1]);
	close(open(argv[2], O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (sock < 0)
		probe_die("accept");
	int master = receive(sock);

	close(sock);
	if (master < 0)
		return 1;
	print_pid(master);
	while ((n = read(master, buf, sizeof(buf))) > 0)
		if (write(STDOUT_FILENO, buf, (size_t)n) != n)
			probe_die("write");
	return 0;
}
