/* SPDX-License-Identifier: Apache-2.0 */
/* took PROGRAM [ARG...]: runs it with /dev/null as stdin and stdout, and says how many nanoseconds it took from its start to its end. Exits as it did, or with 255.
 *
 * For the benchmarks: a script's own fork(2) takes as long as some of what is measured, vfork(2) of a small process does not. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;
	long long begin;
	int status;
	pid_t pid;

	if (argc < 2 || posix_spawn_file_actions_init(&actions) != 0 ||
	    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
	    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0)
		return 255;
	begin = now_ns();
	if (posix_spawnp(&pid, argv[1], &actions, NULL, argv + 1, environ) != 0 || waitpid(pid, &status, 0) != pid)
		return 255;
	printf("%lld\n", now_ns() - begin);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}
