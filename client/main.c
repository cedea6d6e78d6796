/* SPDX-License-Identifier: Apache-2.0 */
/* The client's way from argv to one command: who am I, which command, its options, its exit status. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/command.h"
#include "client/rootless.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/statedir.h"

#define FIRST_EXTRA_FD 3

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Asked once, before anything of ours is open: what --preserve-fds may name. One poll(2) tells of all of them; it refuses more entries than the limit of open files
 * allows. */
static void note_preserved(struct client *cl)
{
	struct pollfd p[CLIENT_PRESERVED_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = (struct pollfd) { .fd = FIRST_EXTRA_FD + (int)i };
	if (poll(p, ARRAY_SIZE(p), 0) < 0)
		for (size_t i = 0; i < ARRAY_SIZE(p); i++)
			p[i].revents = is_open(p[i].fd) ? 0 : POLLNVAL;
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		cl->inherited_fd[i] = !(p[i].revents & POLLNVAL);
}

/* What is opened later must not become somebody's stdin or stderr. An answer that goes to a closed stdout is to fail, and not to be lost in silence. */
static int note_descriptors(struct client *cl, struct err *err)
{
	bool std_open[FIRST_EXTRA_FD];

	/* Not by poll(2): once a pipe has been polled, every write to it wakes readers that are not there, a sixth of what a short one costs. With another monitor the
	 * caller's pipes are the container's. */
	for (int fd = 0; fd < FIRST_EXTRA_FD; fd++)
		std_open[fd] = is_open(fd);
	note_preserved(cl);
	cl->stdin_open = std_open[0];
	cl->stdout_open = std_open[1];
	for (int fd = 0; fd < FIRST_EXTRA_FD; fd++)
		if (!std_open[fd] && open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) < 0)
			return err_sys(err, "cannot open '/dev/null'");
	return 0;
}

static void find_name(struct client *cl, const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const char *name = slash ? slash + 1 : argv0;

	cl->oci = name && !strcmp(name, "thole-oci");
	cl->program = cl->oci ? "thole-oci" : "thole";
}

static int open_log(const struct client *cl, struct err *err)
{
	const struct global_options *g = &cl->global;
	enum log_format format = g->log_format && !strcmp(g->log_format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
	int fd = STDERR_FILENO;

	if (g->log) {
		fd = open(g->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
		if (fd < 0)
			return err_sys(err, "cannot open log file '%s'", g->log);
	}
	log_init(fd, format, g->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	return 0;
}

static int check_operands(const struct client *cl, const struct command *cmd, const struct parsed *p, struct err *err)
{
	if (p->n_operands < cmd->min_operands || (cmd->max_operands >= 0 && p->n_operands > cmd->max_operands))
		return err_set(err, ERR_USAGE, "too %s operands: the usage is '%s %s%s%s'",
			       p->n_operands < cmd->min_operands ? "few" : "many", cl->program, cmd->name,
			       cmd->operands[0] ? " " : "", cmd->operands);
	return cmd->needs & NEEDS_ID ? statedir_check_id(p->operands[0], err) : 0;
}

/* A container, and what comes out of one, may do without somebody's stdout. */
static int open_stdout(const struct client *cl, struct err *err)
{
	cleanup_fd int fd = cl->stdout_open ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!cl->stdout_open && (fd < 0 || dup2(fd, STDOUT_FILENO) < 0))
		return err_sys(err, "cannot open '/dev/null'");
	return 0;
}

/* The command's operands and options are parsed: judge them and run it. */
static int dispatch(struct client *cl, const struct command *cmd, const void *values, const struct parsed *p,
		    struct err *err)
{
	struct invocation inv = { .options = values, .n = p->n_operands, .operands = p->operands };

	if (p->help) {
		command_help(cl, cmd, stdout);
		return 0;
	}
	if (!cl->root_path && !(cmd->needs & NEEDS_NO_ROOT) &&
	    statedir_root_path(cl->global.root, &cl->root_path, err) < 0)
		return -1;
	if (check_operands(cl, cmd, p, err) < 0)
		return -1;
	if (cmd->needs & NEEDS_STREAMS && open_stdout(cl, err) < 0)
		return -1;
	cl->line_is_right = true;
	return cmd->run(cl, &inv, err);
}

/* As runc has it an empty word is none: scripts write --pid-file "$FILE". */
static unsigned int how_options_are_read(const struct client *cl, bool stop_early)
{
	return (stop_early ? OPTIONS_STOP_EARLY : 0) | (cl->oci ? OPTIONS_EMPTY_IS_NONE : 0);
}

static int run_command(struct client *cl, const struct command *cmd, int argc, char **argv, struct err *err)
{
	static const struct option_row no_options[] = { { .name = NULL } };
	const struct option_row *rows = cmd->options ? cmd->options : no_options;
	cleanup_free void *values = xcalloc(1, cmd->options_size);
	unsigned int how = how_options_are_read(cl, cmd->needs & NEEDS_EARLY_STOP);
	struct parsed p = { 0 };
	int status = -1;

	if (options_parse(rows, values, argc, argv, how, &p, err) == 0)
		status = dispatch(cl, cmd, values, &p, err);
	parsed_release(&p);
	options_release(rows, values);
	return status;
}

/* An answer that did not arrive is a failure. */
static int flush_stdout(int status, struct err *err)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return status > 0 ? status : err_sys(err, "cannot write to stdout");
}

static int judge_globals(struct client *cl, struct err *err)
{
	struct global_options *g = &cl->global;
	struct err nobody_has_said;

	if (open_log(cl, err) < 0)
		return -1;
	if (g->systemd_cgroup && g->cgroup_manager && strcmp(g->cgroup_manager, "systemd") != 0)
		return err_set(err, ERR_USAGE, "--systemd-cgroup and --cgroup-manager %s contradict each other",
			       g->cgroup_manager);
	if (rootless_judge(g->rootless, NULL, err) < 0)
		return -1;
	if (g->root)
		return statedir_root_path(g->root, &cl->root_path, err);
	/* Whether that matters depends on the command. */
	statedir_root_path(NULL, &cl->root_path, &nobody_has_said);
	return 0;
}

/* runc has a status of its own for this. */
#define OCI_UNKNOWN_COMMAND 3

static int unknown_command(const struct client *cl, const char *name, struct err *err)
{
	err_set(err, ERR_USAGE, "unknown command '%s': see '%s help'", name, cl->program);
	if (!cl->oci)
		return -1;
	client_report(cl, err);
	return OCI_UNKNOWN_COMMAND;
}

/* ret_cmd: set as soon as it is known, since the failure's exit status depends on it. */
static int run_words(struct client *cl, const struct parsed *p, const struct command **ret_cmd, struct err *err)
{
	bool asked = p->help || (cl->oci && p->n_operands == 0);
	int status;

	if (asked || p->n_operands == 0) {
		command_help_all(cl, asked ? stdout : stderr);
		return flush_stdout(asked ? 0 : 1, err);
	}
	*ret_cmd = command_find(p->operands[0]);
	if (!*ret_cmd)
		return unknown_command(cl, p->operands[0], err);
	if (judge_globals(cl, err) < 0)
		return -1;
	status = run_command(cl, *ret_cmd, p->n_operands - 1, p->operands + 1, err);
	return status < 0 ? -1 : flush_stdout(status, err);
}

static int run_program(struct client *cl, int argc, char **argv, const struct command **ret_cmd, struct err *err)
{
	struct invocation none = { 0 };
	struct parsed p = { 0 };
	int status;

	if (options_parse(global_option_rows, &cl->global, argc, argv, how_options_are_read(cl, true), &p, err) < 0)
		return -1;
	if (cl->global.version && !p.help) {
		status = cmd_version(cl, &none, err);
		status = status < 0 ? -1 : flush_stdout(status, err);
	} else {
		status = run_words(cl, &p, ret_cmd, err);
	}
	parsed_release(&p);
	return status;
}

int main(int argc, char **argv)
{
	const struct command *cmd = NULL;
	struct client cl = { 0 };
	struct err err = { 0 };
	int status = -1;

	signal(SIGXFSZ, SIG_IGN); /* what is beyond the limit is an error, as a full disk is */
	find_name(&cl, argv[0]);
	if (note_descriptors(&cl, &err) == 0)
		status = run_program(&cl, argc > 0 ? argc - 1 : 0, argv + (argc > 0), &cmd, &err);
	if (status < 0) {
		client_report(&cl, &err);
		status = command_failure_status(&cl, cmd, &err);
	}
	free(cl.root_path);
	return status;
}
