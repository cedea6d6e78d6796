/* SPDX-License-Identifier: Apache-2.0 */
/* Fills so many MiB with what only it knows and prints its sum; on each SIGUSR1 it looks again, and says same=0 or 1. With a second number it writes so many KiB more anew all the time, and knows what has to
 * be in them, too. */
#include "tests/live/probes/probe.h"

static uint64_t sum_of(const uint64_t *v, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + v[i];
	return sum;
}

static bool are_all(const uint64_t *v, size_t n, uint64_t x)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] != x)
			return false;
	return true;
}

static uint64_t *fill(size_t n, uint64_t x)
{
	uint64_t *v = malloc(n * sizeof(*v));

	if (!v)
		probe_die("no memory");
	for (size_t i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		v[i] = x;
	}
	return v;
}

int main(int argc, char **argv)
{
	size_t n = (size_t)(argc > 1 ? atoi(argv[1]) : 1) << 17, n_hot = (size_t)(argc > 2 ? atoi(argv[2]) : 0) << 7;
	uint64_t *v = fill(n, (uint64_t)time(NULL) | 1), *hot = malloc(n_hot * sizeof(*hot) + 1), now = 0;
	const uint64_t sum = sum_of(v, n);
	const struct timespec pause = { .tv_nsec = 1000000 };
	bool asked = true;
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	if (!hot)
		probe_die("no memory");
	for (;;) {
		if (asked) {
			bool same = sum_of(v, n) == sum && (!now || are_all(hot, n_hot, now));

			printf("sum=%llu same=%d\n", (unsigned long long)sum, same);
			fflush(stdout);
		}
		now++;
		for (size_t i = 0; i < n_hot; i++)
			hot[i] = now;
		asked = sigtimedwait(&usr1, NULL, n_hot ? &pause : NULL) == SIGUSR1;
	}
}
