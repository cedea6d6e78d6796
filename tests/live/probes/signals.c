/* SPDX-License-Identifier: Apache-2.0 */
/* signals [STATUS]: says "ready", then the name of each signal it gets; ends with STATUS (0) at SIGTERM. As a container's first process
 * it shows what arrives: a signal without a handler would not. */
#include "tests/live/probes/probe.h"

int main(int argc, char **argv)
{
	sigset_t all;
	int sig;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (write(1, "ready\n", 6) != 6)
		return PROBE_FAILED;
	while (sigwait(&all, &sig) == 0) {
		dprintf(1, "got %d %s\n", sig, sig < SIGRTMIN ? sigabbrev_np(sig) : "RT");
		if (sig == SIGTERM)
			break;
	}
	return argc > 1 ? atoi(argv[1]) : 0;
}
