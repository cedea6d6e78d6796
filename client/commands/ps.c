/* SPDX-License-Identifier: Apache-2.0 */
/* thole ps: the processes of a container, as ps(1) of the host shows them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "client/call.h"
#include "client/command.h"
#include "client/json.h"
#include "common/fd.h"
#include "common/proc.h"

#define PS_OUTPUT_MAX (64 << 20)

static int ask(const struct client *cl, const char *id, char **ret_text, struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	Request req = Request_init_zero;
	cleanup_fd int dir_fd = -1;

	req.which_body = Request_ps_tag;
	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0 || call_open(cl, id, dir_fd, CALL_SERVE, &c, err) < 0)
		return -1;
	return call_request_text(&c, &req, ret_text, err);
}

/* ---- ps(1) --------------------------------------------------------------------------------------- */

/* options: of its command line, none: "-ef". Caller frees the array alone. */
static char **new_argv(char *const *options, int n)
{
	char **argv = xcalloc((size_t)n + 3, sizeof(*argv));

	argv[0] = "ps";
	if (n == 0)
		argv[1] = "-ef";
	for (int i = 0; i < n; i++)
		argv[i + 1] = options[i];
	return argv;
}

/* What it has to complain of goes to our stderr. */
static int run_ps(char *const *options, int n, char **ret_output, struct err *err)
{
	cleanup_free char **argv = new_argv(options, n);
	cleanup_fd int in = -1, out = -1;
	int fds[2], status, r;
	size_t len;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	in = fds[0];
	out = fds[1];
	pid = fork();
	if (pid < 0)
		return err_sys(err, "cannot fork");
	if (pid == 0) {
		if (dup2(out, STDOUT_FILENO) >= 0)
			execvp("ps", argv);
		_exit(127);
	}
	fd_close(&out);
	r = fd_read_all(in, PS_OUTPUT_MAX, ret_output, &len, err);
	fd_close(&in);
	status = proc_wait(pid);
	if (status < 0)
		return err_sys(err, "cannot wait for ps");
	if (r < 0)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(err, ERR_NOT_FOUND, "there is no 'ps' in PATH");
	/* 1 is also how it says that nothing matched. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, ERR_USAGE, "ps failed");
	return 0;
}

/* ---- its rows that are ours ------------------------------------------------------------------------ */

/* The n-th word of a line (from 0), NULL when it has not so many. */
static const char *word_at(const char *line, int n)
{
	for (;;) {
		line += strspn(line, " \t");
		if (!*line || n-- == 0)
			return *line ? line : NULL;
		line += strcspn(line, " \t");
	}
}

static int pid_column(const char *header)
{
	const char *w;

	for (int i = 0; (w = word_at(header, i)); i++)
		if (!strncmp(w, "PID", 3) && strcspn(w, " \t") == 3)
			return i;
	return -1;
}

static bool is_listed(json_object *pids, const char *word)
{
	int64_t pid = word ? strtoll(word, NULL, 10) : 0;

	for (size_t i = 0; i < json_object_array_length(pids); i++)
		if (json_object_get_int64(json_object_array_get_idx(pids, i)) == pid)
			return true;
	return false;
}

static int print_rows(char *output, json_object *pids, struct err *err)
{
	char *save = NULL, *line = strtok_r(output, "\n", &save);
	int column = line ? pid_column(line) : -1;

	if (column < 0)
		return err_set(
			err, ERR_USAGE,
			"ps with these options prints no column PID, by which the container's processes are known");
	puts(line);
	while ((line = strtok_r(NULL, "\n", &save)))
		if (is_listed(pids, word_at(line, column)))
			puts(line);
	return 0;
}

int cmd_ps(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct ps_options *o = inv->options;
	cleanup_free char *text = NULL, *output = NULL;
	cleanup_json json_object *pids = NULL;

	if (ask(cl, inv->operands[0], &text, err) < 0 || json_parse(text, "the shim's reply", &pids, err) < 0)
		return -1;
	if (!json_object_is_type(pids, json_type_array))
		return err_set(err, ERR_PROTOCOL, "the shim's reply is no list");
	if (o->format && !strcmp(o->format, "json")) {
		/* What runc prints for none. */
		puts(cl->oci && json_object_array_length(pids) == 0 ? "null" : text);
		return 0;
	}
	if (run_ps(inv->operands + 1, inv->n - 1, &output, err) < 0)
		return -1;
	return print_rows(output, pids, err);
}
