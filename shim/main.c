/* SPDX-License-Identifier: Apache-2.0 */
/* thole-shim: one small process per container. Start-up as a list of named steps, then the loop.
 *
 * Runs with the privileges of whoever started it, in a session of its own, from a sealed executable. */
#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fault.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/statedir.h"
#include "common/wire.h"
#include "shim/container/container.h"
#include "shim/control/follow.h"
#include "shim/control/server.h"
#include "shim/check.h"
#include "shim/features.h"
#include "shim/idle.h"
#include "shim/shim.h"
#include "shim/stdio/relay.h"
#include "shim/upgrade.h"

#define CONTROL_FD 3 /* PROTOCOL.md, "How a shim is started" */

/* When the container has been left in peace for this long, memory goes back. */
static const struct timeval tidy_after = { .tv_usec = 200000 };

/* ---- the command line ------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	enum shim_mode mode;
} modes[] = {
	{ "--launch", SHIM_LAUNCH },
	{ "--serve", SHIM_SERVE },
	{ "--exec", SHIM_EXEC },
	{ "--adopt", SHIM_ADOPT },
	{ "--undo", SHIM_UNDO },
	{ "--upgraded", SHIM_UPGRADED },
	{ "--check-state", SHIM_CHECK_STATE },
};

static bool parse_mode(struct shim *shim, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(word, modes[i].name)) {
			shim->mode = modes[i].mode;
			return true;
		}
	return false;
}

/* A descriptor that we are executed with. False: it is another option. */
static bool parse_fd(struct shim *shim, const char *word, const char *value)
{
	const struct {
		const char *name;
		int *to;
	} options[] = {
		{ "--log-fd", &shim->log_fd },       { "--seal-fd", &shim->seal_fd },
		{ "--keeper-fd", &shim->keeper_fd }, { "--caller-fd", &shim->caller_fd },
		{ "--state-fd", &shim->state_fd },   { "--old-fd", &shim->old_fd },
	};

	for (size_t i = 0; value && i < ARRAY_SIZE(options); i++)
		if (!strcmp(word, options[i].name)) {
			*options[i].to = (int)strtol(value, NULL, 10);
			return true;
		}
	return false;
}

static int parse_args(struct shim *shim, int argc, char **argv, struct err *err)
{
	bool mode_seen = false;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;

		if (parse_mode(shim, word)) {
			mode_seen = true;
		} else if (!strcmp(word, "--debug")) {
			shim->debug = true;
		} else if (!strcmp(word, "--root") && next) {
			shim->root_path = argv[++i];
		} else if (parse_fd(shim, word, next)) {
			i++;
		} else if (!strcmp(word, "--because") && next) {
			shim->because = argv[++i];
		} else if (!strcmp(word, "--log-format") && next) {
			shim->json_log = !strcmp(argv[++i], "json");
		} else if (word[0] != '-' && !next) {
			shim->id = word;
		} else {
			return err_set(err, ERR_USAGE, "unknown argument '%s'", word);
		}
	}
	if (!mode_seen || !shim->root_path || shim->root_path[0] != '/' || !shim->id)
		return err_set(err, ERR_USAGE, "thole-shim is started by thole, with a control socket as descriptor 3");
	return 0;
}

/* ---- steps ----------------------------------------------------------------------------------------------------------------- */

/* Nothing that is sent to us as to any process may end us, nor what the kernel sends to who writes or takes too much: the exit status would be lost with us. One call for all, which
 * whoever follows us in this process begins with; who is forked unblocks them. */
static int step_signals(struct shim *shim, struct err *err)
{
	return proc_block_signals() < 0 ? err_sys(err, "cannot block signals") : 0;
}

/* SIGHUP is logrotate's usual way to say that it has moved a log, SIGTERM a service manager's to say that it is time to end. Blocked, they wait in a descriptor, even if an older
 * program that we were upgraded from has ignored them. */
static int step_hangup(struct shim *shim, struct err *err)
{
	sigset_t hangup;

	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	sigaddset(&hangup, SIGTERM);
	sigaddset(&hangup, RELAY_SIGNAL);
	shim->hangup_fd = signalfd(-1, &hangup, SFD_CLOEXEC | SFD_NONBLOCK);
	return shim->hangup_fd < 0 ? err_sys(err, "cannot make a signalfd") : 0;
}

static int step_process(struct shim *shim, struct err *err)
{
	/* Executed by descriptor, the kernel calls us by its number. */
	if (prctl(PR_SET_NAME, "thole-shim", 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "cannot set up the process");
	/* The caller's, which is this process's default: an older program that we were upgraded from has set another, and the container's processes would inherit it. */
	prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0);
	/* For what others look into: the groups, from inside too. What is nobody's business is made with a mode that says so. */
	umask(0022);
	if (chdir("/") < 0)
		return err_sys(err, "cannot enter '/'");
	return 0;
}

static int step_log(struct shim *shim, struct err *err)
{
	log_init(shim->log_fd, shim->json_log ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
		 shim->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (shim->seal_fd >= 0 && fd_set_cloexec(shim->seal_fd, true, err) < 0)
		return -1;
	if (shim->keeper_fd >= 0 && fd_set_cloexec(shim->keeper_fd, true, err) < 0)
		return -1;
	return shim->log_fd < 0 ? 0 : fd_set_cloexec(shim->log_fd, true, err);
}

static int step_control(struct shim *shim, struct err *err)
{
	struct stat st;

	if (shim->mode == SHIM_UPGRADED)
		return 0; /* its connections are in the state */
	if (fstat(CONTROL_FD, &st) < 0 || !S_ISSOCK(st.st_mode))
		return err_set(err, ERR_USAGE, "thole-shim is started by thole, with a control socket as descriptor 3");
	shim->control_fd = CONTROL_FD;
	return fd_set_cloexec(CONTROL_FD, true, err);
}

static int step_caller(struct shim *shim, struct err *err)
{
	cleanup_fd int fd = take_fd(&shim->caller_fd);

	if (fd < 0)
		return fd_read_file_at(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &shim->caller_cgroup, err);
	return fd_read_all(fd, 1 << 20, &shim->caller_cgroup, NULL, err);
}

static int step_root(struct shim *shim, struct err *err)
{
	if (statedir_check_id(shim->id, err) < 0)
		return -1;
	if (shim->mode == SHIM_UPGRADED)
		return upgrade_read(shim, err);
	return statedir_open_root(shim->root_path, shim->mode == SHIM_LAUNCH, &shim->root_fd, err);
}

static void removed(void *arg)
{
	struct shim *shim = arg;

	server_ended(shim->server);
}

static void quiet(void *arg)
{
	struct shim *shim = arg;

	if (shim->server)
		server_leave_if_done(shim->server);
}

static int step_objects(struct shim *shim, struct err *err)
{
	const struct container_ops ops = {
		.gap_cb = follow_gap, .input_end_cb = follow_input_end, .quiet_cb = quiet, .removed_cb = removed
	};
	struct event_config *config = event_config_new();
	int next_fd = fcntl(shim->root_fd, F_DUPFD_CLOEXEC, 0);

	fd_close(&(int) { next_fd });
	if (!config || event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) < 0)
		fatal("out of memory");
	shim->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!shim->base)
		return err_set(err, ERR_SYS, "cannot make an event loop");
	shim->epoll_fd = idle_find_epoll(next_fd);
	shim->container = container_new(shim->base, shim->root_fd, shim->id, &ops, shim);
	shim->keeper_came = shim->keeper_fd >= 0;
	container_set_keeper(shim->container, take_fd(&shim->keeper_fd));
	container_raise_limits(shim->container);
	return 0;
}

/* ---- tidying up ------------------------------------------------------------------------------------------------------------ */

static void tidy_cb(evutil_socket_t fd, short what, void *arg)
{
	struct shim *shim = arg;

	/* Tidying up while something moves would only make it slow. But what the start alone has needed goes once it is over. */
	if (shim->moved != container_moved(shim->container)) {
		shim->moved = container_moved(shim->container);
		event_add(shim->tidy, &tidy_after);
		if (!shim->lean)
			idle_drop();
		shim->lean = true;
		return;
	}
	container_settle(shim->container);
	fd_close(&shim->seal_fd); /* slow: sealed.h */
	container_trim(shim->container);
	malloc_trim(0);
	/* Down to the bone, if nothing is due: the loop ends for that, and begins again with the next event. */
	if (shim->epoll_fd < 0)
		return;
	if (idle_has_work(shim->base) || !container_may_sleep(shim->container)) {
		event_add(shim->tidy, &tidy_after);
		return;
	}
	shim->idle = true;
	shim->lean = false;
	event_base_loopbreak(shim->base);
}

/* From now on the caller's descriptors are not ours to keep: remarks go to a file of the container's. */
static void settled(void *arg)
{
	struct shim *shim = arg;

	if (shim->log_fd >= 0) {
		log_init(-1, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
		fd_close(&shim->log_fd);
	}
	container_log_to_file(shim->container, shim->debug);
	if (!shim->tidy && shim->mode == SHIM_ADOPT)
		container_log_adoption(shim->container);
	if (!shim->tidy)
		shim->tidy = evtimer_new(shim->base, tidy_cb, shim);
	if (shim->tidy)
		event_add(shim->tidy, &tidy_after);
}

static void hangup_cb(evutil_socket_t fd, short what, void *arg)
{
	struct shim *shim = arg;
	struct signalfd_siginfo info;
	struct err err;

	if (read((int)fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == RELAY_SIGNAL) {
		container_woken(shim->container);
		return;
	}
	if (info.ssi_signo == SIGTERM) {
		container_asked_to_end(shim->container);
		return;
	}
	if (container_reopen_logs(shim->container, &err) < 0)
		log_warn("%s", err.text);
}

static int watch_hangup(struct shim *shim, struct err *err)
{
	shim->hangup = event_new(shim->base, shim->hangup_fd, EV_READ | EV_PERSIST, hangup_cb, shim);
	if (!shim->hangup || event_add(shim->hangup, NULL) < 0)
		return err_set(err, ERR_SYS, "cannot watch for SIGHUP");
	return 0;
}

static void leave(void *arg)
{
	struct shim *shim = arg;

	shim->leaving = true;
	event_base_loopbreak(shim->base);
}

/* ---- modes ----------------------------------------------------------------------------------------------------------------- */

static int undo(struct shim *shim, struct err *err)
{
	Reply rep = Reply_init_zero;

	if (container_load(shim->container, CONTAINER_LOAD_UNDO, err) < 0 || container_undo(shim->container, err) < 0)
		return -1;
	rep.serial = 1;
	return wire_send_reply(shim->control_fd, &rep, NULL, 0, err);
}

static int load(struct shim *shim, struct err *err)
{
	switch (shim->mode) {
	case SHIM_SERVE:
		return container_load(shim->container, CONTAINER_LOAD_SERVE, err);
	case SHIM_EXEC:
		return container_load(shim->container, CONTAINER_LOAD_JOIN, err);
	case SHIM_ADOPT:
		return container_load(shim->container, CONTAINER_LOAD_ADOPT, err);
	case SHIM_UPGRADED:
		return container_resume(shim->container, shim->saved->container, err);
	case SHIM_LAUNCH:
	case SHIM_UNDO:
	case SHIM_CHECK_STATE:
		break;
	}
	return 0;
}

/* A container that has ended meanwhile needs nobody who stays. */
static enum server_mode server_mode_of(const struct shim *shim)
{
	if (shim->mode == SHIM_EXEC)
		return SERVER_EXEC;
	if (shim->mode == SHIM_LAUNCH || shim->mode == SHIM_UPGRADED)
		return SERVER_LAUNCH;
	return container_is_adopted(shim->container) ? SERVER_LAUNCH : SERVER_SERVE;
}

static void upgrade(void *arg, const struct server_upgrade *u, struct err *err)
{
	upgrade_execute(arg, u, err);
}

static int loop(struct shim *shim, struct err *err)
{
	while (!shim->leaving) {
		if (event_base_loop(shim->base, 0) != 0)
			return err_set(err, ERR_INTERNAL, "the event loop has failed");
		if (!shim->idle)
			continue;
		idle_wait(shim->epoll_fd);
		shim->idle = false;
		event_add(shim->tidy, &tidy_after);
	}
	return 0;
}

/* What another program has left. */
static int go_on(struct shim *shim, struct err *err)
{
	server_resume(shim->server, shim->saved);
	if (watch_hangup(shim, err) < 0)
		return -1;
	upgrade_over(shim);
	settled(shim);
	return 0;
}

static int serve_caller(struct shim *shim, enum server_mode mode, struct err *err)
{
	if (container_is_adopted(shim->container))
		server_created(shim->server);
	else if (mode == SERVER_SERVE)
		server_listen(shim->server, container_take_control(shim->container));
	if (server_add_socket(shim->server, take_fd(&shim->control_fd), err) < 0)
		return -1;
	return watch_hangup(shim, err);
}

static int serve(struct shim *shim, struct err *err)
{
	struct server_options options = {
		.base = shim->base,
		.container = shim->container,
		.caller_cgroup = shim->caller_cgroup,
		.upgrade_cb = upgrade,
		.leave_cb = leave,
		.settled_cb = settled,
		.arg = shim,
	};

	if (load(shim, err) < 0)
		return -1;
	options.mode = server_mode_of(shim);
	shim->server = server_new(&options);
	if ((shim->mode == SHIM_UPGRADED ? go_on(shim, err) : serve_caller(shim, options.mode, err)) < 0)
		return -1;
	return loop(shim, err);
}

static const struct {
	const char *name;
	int (*run)(struct shim *shim, struct err *err);
} steps[] = {
	{ "guard", upgrade_guard },  { "signals", step_signals }, { "hangup", step_hangup },
	{ "process", step_process }, { "log", step_log },         { "control", step_control },
	{ "caller", step_caller },   { "root", step_root },       { "objects", step_objects },
};

/* Nobody reads our stderr: the error goes to whoever started us, as a reply to the request that it may be waiting with. */
static void report(struct shim *shim, const struct err *err)
{
	Reply rep = Reply_init_zero;
	struct err ignored;

	if (shim->mode == SHIM_UPGRADED)
		upgrade_go_back(shim, err);
	rep.serial = 1;
	rep.which_body = Reply_error_tag;
	wire_error_from(&rep.body.error, err);
	if (shim->control_fd >= 0)
		wire_send_reply(shim->control_fd, &rep, NULL, 0, &ignored);
	else if (shim->log_fd >= 0)
		log_error("%s", err->text);
	else
		dprintf(STDERR_FILENO, "thole-shim: %s\n", err->text);
}

int main(int argc, char **argv)
{
	struct shim shim = {
		.log_fd = -1,
		.seal_fd = -1,
		.keeper_fd = -1,
		.caller_fd = -1,
		.state_fd = -1,
		.old_fd = -1,
		.control_fd = -1,
		.root_fd = -1,
		.hangup_fd = -1,
	};
	struct err err;

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("thole-shim version %s\n", THOLE_VERSION);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "--features"))
		return features_print();
	if (argc == 2 && !strcmp(argv[1], "--check"))
		return check_print(getenv("THOLE_CRIU"), getenv("THOLE_NO_CRIU"));
	if (parse_args(&shim, argc, argv, &err) < 0) {
		report(&shim, &err);
		return 1;
	}
	if (shim.mode == SHIM_CHECK_STATE)
		return upgrade_check(&shim);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (fault_step("shim", steps[i].name, &err) < 0 || steps[i].run(&shim, &err) < 0) {
			report(&shim, &err);
			return 1;
		}
	if ((shim.mode == SHIM_UNDO ? undo(&shim, &err) : serve(&shim, &err)) < 0) {
		report(&shim, &err);
		return 1;
	}
	/* What is still open ends with the process. */
	return shim.mode == SHIM_UNDO ? 0 : container_unit_status(shim.container);
}
