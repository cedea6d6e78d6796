/* SPDX-License-Identifier: Apache-2.0 */
/* newuidmap and newgidmap: mappings that an ordinary user may have, but not write.
 *
 * Runs in the shim of a user without privileges. The programs are set-user-id root and judge by /etc/subuid and /etc/subgid; they get an argv, never a shell, and
 * nothing of ours but what they say. */
#include "shim/sandbox/idmap_helper.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/sandbox/child_internal.h"

#define DEADLINE_MS 10000
#define SAID_MAX 200

/* Caller frees the words and the list. */
static char **make_argv(const char *program, pid_t pid, const struct oci_id_maps *maps)
{
	char **argv = xcalloc(2 + 3 * maps->n + 1, sizeof(*argv));
	size_t n = 0;

	argv[n++] = xstrdup(program);
	argv[n++] = xasprintf("%d", (int)pid);
	for (size_t i = 0; i < maps->n; i++) {
		argv[n++] = xasprintf("%" PRIu32, maps->v[i].container);
		argv[n++] = xasprintf("%" PRIu32, maps->v[i].host);
		argv[n++] = xasprintf("%" PRIu32, maps->v[i].size);
	}
	return argv;
}

static void free_argv(char ***argv)
{
	for (size_t i = 0; (*argv)[i]; i++)
		free((*argv)[i]);
	free(*argv);
}

static void execute(char **argv, int said_fd) __attribute__((noreturn));
static void execute(char **argv, int said_fd)
{
	const int keep[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	struct err err;

	if (dup2(said_fd, STDERR_FILENO) < 0 || child_reset_signals(&err) < 0 ||
	    child_close_all_but(keep, ARRAY_SIZE(keep), &err) < 0)
		_exit(1);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "cannot execute it: %s", strerrordesc_np(errno));
	_exit(1);
}

static int outcome(const char *program, int status, bool in_time, int said_fd, struct err *err)
{
	char said[SAID_MAX];
	ssize_t n = pread(said_fd, said, sizeof(said) - 1, 0);

	if (!in_time)
		return err_set(err, ERR_SYS, "%s does not come to an end", program);
	if (status == 0)
		return 0;
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	/* They begin with their own name. */
	return err_set(err, ERR_PERMISSION, "%s%s%s", strncmp(said, program, strlen(program)) ? program : "",
		       strncmp(said, program, strlen(program)) ? ": " : "", said[0] ? said : "it has failed");
}

int idmap_helper_run(const char *program, pid_t pid, const struct oci_id_maps *maps, struct err *err)
{
	__attribute__((cleanup(free_argv))) char **argv = make_argv(program, pid, maps);
	cleanup_fd int said_fd = memfd_create("helper-output", MFD_CLOEXEC), pidfd = -1;
	struct pollfd pfd = { .events = POLLIN };
	pid_t helper;
	int n, status = 0;

	if (said_fd < 0)
		return err_sys(err, "cannot make a memfd");
	helper = fork();
	if (helper < 0)
		return err_sys(err, "cannot fork");
	if (helper == 0)
		execute(argv, said_fd);
	if (proc_pidfd_open(helper, 0, &pidfd, err) < 0)
		return -1;
	pfd.fd = pidfd;
	do
		n = poll(&pfd, 1, DEADLINE_MS);
	while (n < 0 && errno == EINTR);
	/* A program that is root by its file is not ours to kill; its end is not waited for. */
	if (n > 0)
		status = proc_wait(helper);
	return outcome(program, status, n > 0, said_fd, err);
}
