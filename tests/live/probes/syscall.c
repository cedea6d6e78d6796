/* SPDX-License-Identifier: Apache-2.0 */
/* syscall NUMBER [ARG...]: makes one system call and prints "ret=N errno=N". For what a seccomp filter answers. */
#include <sys/syscall.h>

#include "tests/live/probes/probe.h"

int main(int argc, char **argv)
{
	long a[6] = { 0 };

	if (argc < 2 || argc > 8)
		return PROBE_FAILED;
	for (int i = 2; i < argc; i++)
		a[i - 2] = strtol(argv[i], NULL, 0);
	errno = 0;
	long ret = syscall(strtol(argv[1], NULL, 0), a[0], a[1], a[2], a[3], a[4], a[5]);

	printf("ret=%ld errno=%d\n", ret, ret < 0 ? errno : 0);
	return 0;
}
