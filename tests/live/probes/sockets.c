/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets in odd states. `sockets listen PORT`: connections are made, and never accepted. `sockets unix PATH`: sends "n 0", "n 1", ... to a datagram socket, `sockets stream
 * PATH` the same over a connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/live/probes/probe.h"

static int listen_only(const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, 16) < 0)
		return 1;
	for (;;)
		pause();
}

static int send_numbers(const char *path, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return 1;
	for (unsigned int n = 0;; n++) {
		char text[32];
		int len = snprintf(text, sizeof(text), "n %u\n", n);

		if (send(fd, text, (size_t)len, 0) < 0 && errno != EINTR)
			return 2;
		poll(NULL, 0, 5);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 1;
	if (!strcmp(argv[1], "listen"))
		return listen_only(argv[2]);
	return send_numbers(argv[2], strcmp(argv[1], "stream") ? SOCK_DGRAM : SOCK_STREAM);
}
