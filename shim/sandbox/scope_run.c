/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, changing and stopping a scope by systemd's own tools. Runs in the shim, which waits for them: nobody else is served before the
 * container is there, and the tools wait for systemd only.
 *
 * systemd-run puts itself into the scope, waits until systemd is done, and executes a program: cat, which answers once and then sits there until
 * we let it go. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/sandbox/child_internal.h"
#include "shim/sandbox/scope.h"

#define WAIT_MS 30000
#define SAID_MAX 300

static void strings_free(struct oci_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

/* In a child of ours: nothing of the shim's stays open. */
static void exec_tool(char *const argv[], const int stdio[3])
{
	struct err err;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && child_reset_signals(&err) == 0 &&
	    child_place_fds(stdio, NULL, 0, &err) == 0)
		execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "cannot execute it: %s", strerrordesc_np(errno));
	_exit(127);
}

static int start_tool(char *const argv[], const int stdio[3], pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(err, "cannot fork");
	if (pid == 0)
		exec_tool(argv, stdio);
	if (proc_pidfd_open(pid, 0, ret_pidfd, err) < 0)
		return -1;
	*ret_pid = pid;
	return 0;
}

/* Wait for one of two; -1: the time is over. */
static int wait_for_either(int a, int b)
{
	struct pollfd p[] = { { .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN } };
	int r;

	do
		r = poll(p, 2, WAIT_MS);
	while (r < 0 && errno == EINTR);
	return r <= 0 ? -1 : p[0].revents ? a : b;
}

/* The first line of what a tool wrote, as the reason. */
static int failed(const char *tool, int said_fd, struct err *err)
{
	char said[SAID_MAX];
	ssize_t n = pread(said_fd, said, sizeof(said) - 1, 0);

	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	return err_set(err, ERR_SYS, "%s: %s", tool, said[0] ? said : "failed without a word");
}

static int run_tool(char *const argv[], struct err *err)
{
	cleanup_fd int said = memfd_create("tool-output", MFD_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC),
		       pidfd = -1;
	const int stdio[3] = { null, said, said };
	pid_t pid;

	if (said < 0 || null < 0)
		return err_sys(err, "cannot prepare '%s'", argv[0]);
	if (start_tool(argv, stdio, &pid, &pidfd, err) < 0)
		return -1;
	if (wait_for_either(pidfd, -1) < 0) {
		kill(pid, SIGKILL);
		proc_wait(pid);
		return err_set(err, ERR_SYS, "%s: no answer after %d s", argv[0], WAIT_MS / 1000);
	}
	return proc_wait(pid) == 0 ? 0 : failed(argv[0], said, err);
}

/* ---- starting ---------------------------------------------------------------------------------------------------------------- */

static int push_annotations(const struct oci_config *config, struct oci_strings *args, struct err *err)
{
	const size_t len = strlen(SCOPE_ANNOTATION);
	struct oci_strings properties = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->annotation_keys.n; i++)
		if (!strncmp(config->annotation_keys.v[i], SCOPE_ANNOTATION, len))
			r = scope_annotation(config->annotation_keys.v[i] + len, config->annotation_values.v[i],
					     &properties, err);
	for (size_t i = 0; r == 0 && i < properties.n; i++) {
		scope_add(args, "-p");
		scope_add(args, "%s", properties.v[i]);
	}
	strings_free(&properties);
	return r;
}

static int start_args(const struct scope *s, const char *id, const struct oci_config *config, struct oci_strings *args,
		      struct err *err)
{
	cleanup_free char *unit = xasprintf("--unit=%s", s->unit), *slice = xasprintf("--slice=%s", s->slice);
	cleanup_free char *description = xasprintf("--description=thole container %s", id);
	const char *const fixed[] = { "systemd-run",
				      "--scope",
				      "--quiet",
				      "--collect",
				      unit,
				      slice,
				      description,
				      "-p",
				      "Delegate=yes",
				      "-p",
				      "DefaultDependencies=no" };

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		scope_add(args, "%s", fixed[i]);
	if (push_annotations(config, args, err) < 0)
		return -1;
	scope_add(args, "--");
	scope_add(args, "cat");
	return 0;
}

void scope_let_go(struct scope_holder *h)
{
	fd_close(&h->fd);
	if (h->pid > 0)
		proc_wait(h->pid);
	h->pid = 0;
}

/* Has cat answered? It does so when it is executed, which is when systemd has made the scope. */
static int wait_for_cat(struct scope_holder *h, int pidfd, int from_cat, int said, const char *unit, struct err *err)
{
	char answer;
	int which;

	if (fd_write_all(h->fd, "\n", 1, err) < 0)
		return -1;
	which = wait_for_either(from_cat, pidfd);
	if (which == from_cat && read(from_cat, &answer, 1) == 1)
		return 0;
	kill(h->pid, SIGKILL);
	scope_let_go(h);
	if (which < 0)
		return err_set(err, ERR_SYS, "systemd has not started '%s' within %d s", unit, WAIT_MS / 1000);
	failed("systemd-run", said, err);
	return err_add(err, "cannot start '%s'", unit);
}

/* Where did systemd put it? What we have said in the state has to be true. */
static int check_place(const struct scope *s, pid_t pid, struct err *err)
{
	cleanup_free char *path = xasprintf("/proc/%d/cgroup", (int)pid), *text = NULL,
			  *line = xasprintf(":%s\n", s->path);

	if (fd_read_file_at(AT_FDCWD, path, 65536, &text, err) < 0)
		return -1;
	if (!strstr(text, line))
		return err_set(err, ERR_INTERNAL, "systemd has put '%s' somewhere else than '%s'", s->unit, s->path);
	return 0;
}

static int make_pipe(int *ret_read, int *ret_write, struct err *err)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	*ret_read = pair[0];
	*ret_write = pair[1];
	return 0;
}

int scope_start(const struct scope *s, const char *id, const struct oci_config *config, struct scope_holder *ret,
		struct err *err)
{
	cleanup_fd int said = memfd_create("tool-output", MFD_CLOEXEC), pidfd = -1;
	cleanup_fd int in_read = -1, in_write = -1, out_read = -1, out_write = -1;
	struct scope_holder h = SCOPE_HOLDER_NONE;
	struct oci_strings args = { 0 };
	int r;

	if (access("/run/systemd/system", F_OK) < 0)
		return err_set(err, ERR_UNSUPPORTED, "the systemd driver needs systemd, which does not run here");
	if (said < 0)
		return err_sys(err, "cannot make a memfd");
	if (make_pipe(&in_read, &in_write, err) < 0 || make_pipe(&out_read, &out_write, err) < 0)
		return -1;
	r = start_args(s, id, config, &args, err);
	if (r == 0)
		r = start_tool(args.v, (const int[]) { in_read, out_write, said }, &h.pid, &pidfd, err);
	strings_free(&args);
	if (r < 0)
		return -1;
	fd_close(&out_write);
	h.fd = take_fd(&in_write);
	if (wait_for_cat(&h, pidfd, out_read, said, s->unit, err) < 0)
		return -1;
	if (check_place(s, h.pid, err) < 0) {
		scope_let_go(&h);
		return -1;
	}
	*ret = h;
	return 0;
}

/* ---- afterwards -------------------------------------------------------------------------------------------------------------- */

int scope_set_limits(const char *unit, const struct oci_resources *r, struct err *err)
{
	struct oci_strings args = { 0 };
	size_t fixed;
	int ret = 0;

	scope_add(&args, "systemctl");
	scope_add(&args, "set-property");
	scope_add(&args, "--runtime");
	scope_add(&args, "%s", unit);
	fixed = args.n;
	scope_properties(r, &args);
	if (args.n > fixed)
		ret = run_tool(args.v, err);
	strings_free(&args);
	return ret < 0 ? err_add(err, "cannot tell systemd the limits of '%s'", unit) : 0;
}

int scope_stop(const char *unit, struct err *err)
{
	char *name = (char *)unit; /* argv is not const */
	char *const stop[] = { "systemctl", "stop", "--quiet", name, NULL };
	char *const forget[] = { "systemctl", "reset-failed", "--quiet", name, NULL };
	char *const load[] = { "systemctl", "is-active", "--quiet", name, NULL };
	struct err ignored;

	run_tool(forget, &ignored); /* most have not failed */
	if (run_tool(stop, err) == 0)
		return 0;
	/* It may have ended, and been forgotten, in between. */
	return run_tool(load, &ignored) < 0 ? 0 : err_add(err, "cannot stop '%s'", unit);
}
