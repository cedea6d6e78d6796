/* SPDX-License-Identifier: Apache-2.0 */
/* job: counts aloud ("n 0", "n 1", ...) and asks all the time how its child is, which sleeps: as a shell with job control, which has been told of a stop before anybody else can look. */
#include <sys/wait.h>

#include "tests/live/probes/probe.h"

int main(void)
{
	pid_t child = fork();

	if (child < 0)
		probe_die("fork");
	while (child == 0)
		pause();
	for (int i = 0;; i++) {
		int status;

		while (waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED) > 0)
			;
		if (dprintf(STDOUT_FILENO, "n %d\n", i) < 0)
			probe_die("write");
		usleep(1000);
	}
}
