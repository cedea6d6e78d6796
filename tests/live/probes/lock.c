/* SPDX-License-Identifier: Apache-2.0 */
/* Locks a file and keeps it (`lock FILE`), or says whether somebody else has it (`lock FILE try`: locked=0 or 1). */
#include <fcntl.h>
#include <sys/file.h>

#include "tests/live/probes/probe.h"

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1;

	if (fd < 0)
		return 1;
	if (argc > 2) {
		printf("locked=%d\n", flock(fd, LOCK_EX | LOCK_NB) < 0);
		return 0;
	}
	if (flock(fd, LOCK_EX) < 0)
		return 1;
	printf("locked=1\n");
	fflush(stdout);
	for (;;)
		pause();
}
