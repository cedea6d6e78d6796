/* SPDX-License-Identifier: Apache-2.0 */
/* What the test programs share: they print key=value lines and say clearly why they could not. */
#ifndef THOLE_TESTS_PROBE_H
#define THOLE_TESTS_PROBE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PROBE_FAILED 99 /* an exit status that no test expects */

__attribute__((format(printf, 1, 2), noreturn)) static inline void probe_die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "probe: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", strerror(err));
	va_end(ap);
	exit(PROBE_FAILED);
}

static inline int64_t probe_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A unix socket address, whatever the path's length: through the directory's descriptor, which stays open. */
static inline void probe_address(struct sockaddr_un *addr, const char *path)
{
	const char *slash = strrchr(path, '/');

	*addr = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (strlen(path) < sizeof(addr->sun_path)) {
		strcpy(addr->sun_path, path);
		return;
	}
	char *dir = strndup(path, slash ? (size_t)(slash - path) : 0);
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || !slash)
		probe_die("open %s", dir);
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s", fd, slash + 1);
	free(dir);
}

#endif
