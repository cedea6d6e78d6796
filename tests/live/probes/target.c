/* SPDX-License-Identifier: Apache-2.0 */
/* What `upgrade --shim` is pointed at and should not be: a program whose last word, appended to its file, says how it behaves.
 *
 * hang: says nothing for ever; crash: dies; mute: exits with success and without a word; refuse: says that it cannot; yes-crash: says that it can, and dies in
 * the shim's place; yes-back: says that it can, and executes the old one again. */
#include <stdlib.h>
#include <sys/syscall.h>

#include "tests/live/probes/probe.h"

static char word[16];

static void read_word(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	if (fd < 0 || lseek(fd, -(off_t)sizeof(word), SEEK_END) < 0 || read(fd, word, sizeof(word) - 1) < 0)
		_exit(PROBE_FAILED);
}

static const char *option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return "-1";
}

static void go_back(int argc, char **argv)
{
	const char *state = option(argc, argv, "--state-fd"), *root = option(argc, argv, "--root");
	char *const args[] = { (char *)"thole-shim",
			       (char *)"--state-fd",
			       (char *)state,
			       (char *)"--because",
			       (char *)"it had rather not",
			       (char *)"--upgraded",
			       (char *)"--root",
			       (char *)root,
			       argv[argc - 1],
			       NULL };

	syscall(SYS_execveat, atoi(option(argc, argv, "--old-fd")), "", args, environ, AT_EMPTY_PATH);
}

int main(int argc, char **argv)
{
	bool trial = false;

	for (int i = 1; i < argc; i++)
		trial |= !strcmp(argv[i], "--check-state");
	read_word();
	if (!strcmp(word, "hang"))
		pause();
	if (!strcmp(word, "crash"))
		abort();
	if (!strcmp(word, "refuse")) {
		puts("thole-shim: it is not for me");
		return 1;
	}
	while (!strcmp(word, "flood"))
		puts("thole-shim can go on");
	if (!strncmp(word, "yes", 3) && trial)
		puts("thole-shim can go on");
	if (!strcmp(word, "yes-back") && !trial)
		go_back(argc, argv);
	if (!strcmp(word, "yes-crash") && !trial)
		abort();
	return 0;
}
