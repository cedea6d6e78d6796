/* SPDX-License-Identifier: Apache-2.0 */
/* oddly efault|packets N: N numbered lines to stdout, as few programs write them.
 *     efault   before every seventh a write from where there is nothing, which fails
 *     packets  the pipe in packet mode (O_DIRECT, pipe(2)): what a read has no room for of a packet is lost. Every other line has 4,000 bytes. */
#include "tests/live/probes/probe.h"

#define LONG_LINE 4000

int main(int argc, char **argv)
{
	bool packets = argc == 3 && !strcmp(argv[1], "packets");
	const void *volatile nowhere = (const void *)8;
	char line[LONG_LINE];

	if (argc != 3 || (!packets && strcmp(argv[1], "efault") != 0)) {
		fprintf(stderr, "usage: oddly efault|packets N\n");
		return PROBE_FAILED;
	}
	if (packets && fcntl(STDOUT_FILENO, F_SETFL, O_WRONLY | O_DIRECT) < 0)
		probe_die("F_SETFL");
	for (int i = 1, n = atoi(argv[2]); i <= n; i++) {
		size_t len = (size_t)snprintf(line, sizeof(line), "%*d\n", packets && i % 2 ? LONG_LINE - 2 : 1, i);

		if (!packets && i % 7 == 0 && write(STDOUT_FILENO, nowhere, 100) >= 0)
			probe_die("a write from nowhere");
		if (write(STDOUT_FILENO, line, len) != (ssize_t)len)
			probe_die("write");
		/* So that a reader comes to find the pipe empty. */
		if (i % 50 == 0)
			nanosleep(&(struct timespec) { .tv_nsec = 300000 }, NULL);
	}
	return 0;
}
