/* SPDX-License-Identifier: Apache-2.0 */
/* records N [BYTES [FIRST [FILE]]]: writes N records of BYTES bytes (64), numbered from FIRST (1), each with a checksum, to stdout, every tenth to stderr; but no more once
 * there is a FILE, into which it writes how many they were: a multiple of 1000.
 * records --check: reads them (one stream), says whether the numbers go up and the checksums are right, and how many there are: gaps are seen by that. The last may be
 * cut off: then it says so. A carriage return before the newline is a terminal's. */
#include "tests/live/probes/probe.h"

static uint32_t checksum(const char *s, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h;
}

/* "NUMBER FILLER CHECKSUM\n"; the checksum is over what stands before it. */
static size_t make_record(char *buf, size_t size, unsigned long number)
{
	int n = snprintf(buf, size, "%010lu ", number);
	size_t body = size - 10;

	for (size_t i = (size_t)n; i < body; i++)
		buf[i] = (char)('a' + (number + i) % 26);
	snprintf(buf + body, 11, " %08x", checksum(buf, body));
	buf[size - 1] = '\n';
	return size;
}

static void write_all(int fd, const char *buf, size_t n)
{
	while (n) {
		ssize_t w = write(fd, buf, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			probe_die("write");
		buf += w;
		n -= (size_t)w;
	}
}

static int check(void)
{
	char line[65536];
	unsigned long seen = 0, last = 0;

	while (fgets(line, sizeof(line), stdin)) {
		size_t n = strlen(line);
		unsigned long number = strtoul(line, NULL, 10);

		if (n > 0 && line[n - 1] != '\n' && feof(stdin)) {
			printf("records=%lu last=%lu cut\n", seen, last);
			return 0;
		}
		if (n > 1 && line[n - 2] == '\r')
			line[--n - 1] = '\n';
		if (n < 24 || line[n - 1] != '\n' || strtoul(line + n - 9, NULL, 16) != checksum(line, n - 10)) {
			printf("damaged after %lu: %s\n", last, line);
			return 1;
		}
		if (seen && number <= last) {
			printf("%lu after %lu\n", number, last);
			return 1;
		}
		last = number;
		seen++;
	}
	printf("records=%lu last=%lu\n", seen, last);
	return 0;
}

/* Nobody wants more? */
static bool is_enough(const char *file, unsigned long n)
{
	int fd = file && n % 1000 == 0 ? open(file, O_WRONLY) : -1;

	if (fd < 0)
		return false;
	dprintf(fd, "%lu\n", n);
	close(fd);
	return true;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--check"))
		return check();

	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 64;
	unsigned long first = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	char *buf = calloc(1, size + 16);

	if (!buf || size < 32)
		return PROBE_FAILED;
	for (unsigned long i = first; i < first + n && !is_enough(argc > 4 ? argv[4] : NULL, i - first); i++)
		write_all(i % 10 ? STDOUT_FILENO : STDERR_FILENO, buf, make_record(buf, size, i));
	return 0;
}
