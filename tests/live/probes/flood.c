/* SPDX-License-Identifier: Apache-2.0 */
/* How fast does somebody take it? For the benchmarks.
 *
 * flood BYTES WRITE LINE TIMES: BYTES to stdout in writes of WRITE, a newline every LINE (0: none). When the pipe's reader has taken the last of it, TIMES gets a
 * line of two numbers, CLOCK_REALTIME in nanoseconds, when it began and when it was over; then it stays until TIMES.go is there, so that its reader, which
 * lives no longer, can be looked at.
 * flood --read BYTES TIMES: reads stdin to its end, and TIMES gets the moment at which BYTES were there. */
#include <sys/ioctl.h>

#include "tests/live/probes/probe.h"

#define CHUNK (64 << 10)
#define STAY_MS 600000

static char buf[CHUNK];

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec) { .tv_nsec = ns }, NULL);
}

/* Whole at once, for those who wait for it. */
static void tell(const char *path, const char *text)
{
	char *temp;
	FILE *f;

	if (asprintf(&temp, "%s.new", path) < 0 || !(f = fopen(temp, "w")) || fputs(text, f) < 0 || fclose(f) != 0 ||
	    rename(temp, path) < 0)
		probe_die("write %s", path);
	free(temp);
}

static int read_all(unsigned long long bytes, const char *times)
{
	unsigned long long n = 0;
	long long end = 0;
	char text[32];
	ssize_t r;

	while ((r = read(STDIN_FILENO, buf, sizeof(buf))) > 0) {
		n += (unsigned long long)r;
		if (n >= bytes && !end)
			end = now_ns();
	}
	if (n != bytes)
		fprintf(stderr, "probe: %llu bytes came, not %llu\n", n, bytes);
	snprintf(text, sizeof(text), "%lld\n", end);
	tell(times, text);
	return n == bytes ? 0 : 1;
}

static void write_all(unsigned long long bytes, size_t unit)
{
	while (bytes > 0) {
		ssize_t n = write(STDOUT_FILENO, buf, bytes < unit ? (size_t)bytes : unit);

		if (n < 0)
			probe_die("write");
		bytes -= (unsigned long long)n;
	}
}

static void stay(const char *times)
{
	int64_t end = probe_now_ms() + STAY_MS;
	char *go;

	if (asprintf(&go, "%s.go", times) < 0)
		probe_die("memory");
	while (access(go, F_OK) < 0 && probe_now_ms() < end)
		pause_ns(1000000);
	free(go);
}

int main(int argc, char **argv)
{
	char text[64];
	long long begin, end;
	int left;

	if (argc == 4 && !strcmp(argv[1], "--read"))
		return read_all(strtoull(argv[2], NULL, 10), argv[3]);
	if (argc != 5)
		return PROBE_FAILED;

	size_t unit = strtoul(argv[2], NULL, 10), line = strtoul(argv[3], NULL, 10);

	if (unit == 0 || unit > sizeof(buf))
		return PROBE_FAILED;
	memset(buf, 'x', sizeof(buf));
	for (size_t i = line; line && i <= unit; i += line)
		buf[i - 1] = '\n';

	begin = now_ns();
	write_all(strtoull(argv[1], NULL, 10), unit);
	while (ioctl(STDOUT_FILENO, FIONREAD, &left) == 0 && left > 0)
		pause_ns(50000);
	end = now_ns();
	snprintf(text, sizeof(text), "%lld %lld\n", begin, end);
	tell(argv[4], text);
	stay(argv[4]);
	return 0;
}
