/* SPDX-License-Identifier: Apache-2.0 */
/* reaper [-k] CMD ARGS...: runs CMD as a subreaper, as a container manager's monitor does, and stays until it has no children any more. For each that has ended it prints
 * "command STATUS" or "orphan PID STATUS" (128 + signal). -k: it reaps nobody but CMD before it gets SIGUSR1. */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/live/probes/probe.h"

static int shell_status(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		probe_die("fork");
	if (pid == 0) {
		execvp(argv[0], argv);
		probe_die("exec %s", argv[0]);
	}
	return pid;
}

int main(int argc, char **argv)
{
	bool keep = argc > 1 && !strcmp(argv[1], "-k");
	siginfo_t info;
	sigset_t usr1;
	pid_t command;
	int sig;

	if (argc < 2 + keep)
		return PROBE_FAILED;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		probe_die("become a subreaper");
	command = start(argv + 1 + keep);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	if (keep) {
		if (waitid(P_PID, (id_t)command, &info, WEXITED) < 0)
			probe_die("wait");
		printf("command %d\n", shell_status(&info));
		sigwait(&usr1, &sig);
	}
	while (waitid(P_ALL, 0, &info, WEXITED) == 0) {
		if (info.si_pid == command)
			printf("command %d\n", shell_status(&info));
		else
			printf("orphan %d %d\n", info.si_pid, shell_status(&info));
	}
	return 0;
}
