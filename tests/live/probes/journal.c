/* SPDX-License-Identifier: Apache-2.0 */
/* journal SOCKET: a journald for tests. Prints the fields of each message that comes in, KEY=VALUE a line with control characters as \xNN, and an empty
 * line after each message. Reads what is in a descriptor that comes instead of a datagram ("FD=sealed" or "FD=open" goes before its fields). */
#include <endian.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "tests/live/probes/probe.h"

static char buf[1 << 20];

static void print_value(const char *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)v[i] < 32)
			printf("\\x%02x", (unsigned char)v[i]);
		else
			putchar(v[i]);
	putchar('\n');
}

/* Returns what is left; NULL: broken. */
static const char *print_field(const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p)), *equals;
	uint64_t len;

	if (!nl)
		return NULL;
	equals = memchr(p, '=', (size_t)(nl - p));
	if (equals) {
		print_value(p, (size_t)(nl - p));
		return nl + 1;
	}
	if (end - nl < 9)
		return NULL;
	memcpy(&len, nl + 1, sizeof(len));
	len = le64toh(len);
	if (len > (uint64_t)(end - nl) - 10 || nl[9 + len] != '\n')
		return NULL;
	printf("%.*s=", (int)(nl - p), p);
	print_value(nl + 9, len);
	return nl + 10 + len;
}

static void print_message(size_t n)
{
	for (const char *p = buf; p && p < buf + n;) {
		p = print_field(p, buf + n);
		if (!p)
			puts("BROKEN=1");
	}
	putchar('\n');
	fflush(stdout);
}

static ssize_t read_fd(const struct msghdr *msg)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct stat st;
	ssize_t n;
	int fd;

	if (!c || c->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	printf("FD=%s\n", fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE ? "sealed" : "open");
	n = fstat(fd, &st) == 0 ? pread(fd, buf, sizeof(buf), 0) : -1;
	close(fd);
	return n;
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof(addr.sun_path))
		return PROBE_FAILED;
	strcpy(addr.sun_path, argv[1]);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		probe_die("bind");
	puts("ready\n");
	fflush(stdout);
	for (;;) {
		union {
			struct cmsghdr head;
			char room[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = { buf, sizeof(buf) };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
		};
		ssize_t n = recvmsg(fd, &msg, 0);

		if (n < 0)
			probe_die("recvmsg");
		if (n == 0)
			n = read_fd(&msg);
		print_message(n < 0 ? 0 : (size_t)n);
	}
}
