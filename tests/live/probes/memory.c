/* SPDX-License-Identifier: Apache-2.0 */
/* Fills so many MiB with what only it knows and prints its sum; on each SIGUSR1 it looks again, and says same=0 or 1. */
#include "tests/live/probes/probe.h"

static uint64_t sum_of(const uint64_t *v, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + v[i];
	return sum;
}

int main(int argc, char **argv)
{
	size_t n = (size_t)(argc > 1 ? atoi(argv[1]) : 1) << 17;
	uint64_t *v = malloc(n * sizeof(*v)), x = (uint64_t)time(NULL) | 1, sum;
	sigset_t usr1;
	int sig;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	if (!v)
		return 1;
	for (size_t i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		v[i] = x;
	}
	sum = sum_of(v, n);
	for (;;) {
		printf("sum=%llu same=%d\n", (unsigned long long)sum, sum_of(v, n) == sum);
		fflush(stdout);
		sigwait(&usr1, &sig);
	}
}
