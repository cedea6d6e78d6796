/* SPDX-License-Identifier: Apache-2.0 */
/* swap A B [C D]...: exchanges each pair of names, again and again, until it is killed: what a hostile program does while somebody looks a path up. Says "swapping" when it has begun. */
#include <sys/syscall.h>

#include "tests/live/probes/probe.h"

#define EXCHANGE 2 /* RENAME_EXCHANGE, of linux/fs.h */

int main(int argc, char **argv)
{
	if (argc < 3 || argc % 2 == 0)
		return PROBE_FAILED;
	for (int i = 1; i < argc; i += 2)
		if (syscall(SYS_renameat2, AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], EXCHANGE) < 0)
			probe_die("exchange %s and %s", argv[i], argv[i + 1]);
	puts("swapping");
	fflush(stdout);
	for (;;)
		for (int i = 1; i < argc; i += 2)
			syscall(SYS_renameat2, AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], EXCHANGE);
}
