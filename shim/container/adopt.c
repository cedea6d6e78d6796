/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming the shim of a container whose own has died: what its files say, and what of its streams the kernel still has.
 *
 * The pipes live on in the container's processes, with what they hold: they are opened again from there. Its stdin and its terminal have ended with the shim that held their
 * other ends, unless somebody holds them for us. */
#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/number.h"
#include "common/proc.h"
#include "shim/checkpoint/distrust.h"
#include "shim/checkpoint/execs.h"
#include "shim/container/container_internal.h"
#include "shim/container/follower.h"
#include "shim/container/sdnotify.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/mountinfo.h"
#include "shim/stdio/pipe_find.h"
#include "shim/stdio/unlogged.h"

/* ---- what the files say ------------------------------------------------------------------------------------------------ */

static struct json_object *at(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static const char *text_at(struct json_object *o, const char *key)
{
	struct json_object *v = at(o, key);

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

static int check_record(const struct container *c, struct err *err)
{
	if (c->rec.status == STATUS_CREATING || c->rec.status == STATUS_NONE)
		return err_set(err, ERR_STATE, "its creation never came to an end: delete removes what there is");
	if (c->rec.foreign)
		return err_set(err, ERR_STATE, "its shim has left on purpose: init is somebody else's child");
	return 0;
}

static int check_state(const struct container *c, struct json_object *top, struct err *err)
{
	struct json_object *container = at(top, "container"), *init = at(at(top, "processes"), "init");
	int64_t format = json_object_get_int64(at(top, "format"));

	if (format > STATEDIR_STATE_FORMAT)
		return err_set(err, ERR_UNSUPPORTED, "state.json has format %lld, and this program knows %d",
			       (long long)format, STATEDIR_STATE_FORMAT);
	if (format < 1)
		return err_set(err, ERR_CONFIG, "state.json is damaged: it has no format");
	if (strcmp(text_at(container, "id"), c->id) != 0)
		return err_set(err, ERR_CONFIG, "state.json is that of container '%s'", text_at(container, "id"));
	if (strcmp(text_at(top, "bootId"), c->rec.boot_id) != 0)
		return err_set(err, ERR_CONFIG, "state.json and the status record are of different boots");
	/* What was coming back, and what has gone into an image meanwhile, is in one of them only. */
	if (c->rec.status != STATUS_CHECKPOINTED && statedir_init_alive(&c->rec) &&
	    (json_object_get_int64(at(init, "pid")) != c->rec.init_pid ||
	     json_object_get_uint64(at(init, "startTime")) != c->rec.init_start_time))
		return err_set(err, ERR_CONFIG, "state.json and the status record name different processes as init");
	return 0;
}

int adopt_check(struct container *c, struct err *err)
{
	struct json_object *top;
	int r;

	if (check_record(c, err) < 0)
		return -1;
	top = state_read(c->dir_fd, err);
	if (!top)
		return -1;
	r = check_state(c, top, err);
	json_object_put(top);
	return r == 0 ? load_config(c, err) : -1;
}

/* ---- logs ---------------------------------------------------------------------------------------------------------------- */

static void use_path(struct process *p, struct json_object *log)
{
	const char *driver = text_at(log, "driver"), *path = text_at(log, "path");

	for (size_t i = 0; i < p->log_plans.n; i++) {
		struct log_plan *plan = &p->log_plans.v[i];

		if (path[0] != '/' || !plan->path || strcmp(plan->driver->name, driver) != 0)
			continue;
		free(plan->path);
		plan->path = xstrdup(path);
		plan->options.path = plan->path;
	}
}

/* A log is made before its process is sure of its name: the number in its path may be another. */
static void use_recorded_paths(struct process *p, struct json_object *o)
{
	struct json_object *others = at(o, "otherLogs");

	use_path(p, at(o, "log"));
	for (size_t i = 0; json_object_is_type(others, json_type_array) && i < json_object_array_length(others); i++)
		use_path(p, json_object_array_get_idx(others, i));
}

/* As it was asked for at create. */
static int plan_logs(struct process *p, struct json_object *setup, struct err *err)
{
	struct json_object *list = at(setup, "options");
	cleanup_free char *name = p == &p->c->init ? xstrdup(LOG_NAME_INIT) : xasprintf(LOG_NAME_EXEC "%s", p->name);
	const char *options[CONTAINER_LOG_OPTS_MAX];
	struct log_request req = {
		.drivers = text_at(setup, "drivers"),
		.path = text_at(setup, "path"),
		.data_dir = p->c->data_dir,
		.name = name,
		.id = p->c->id,
		.no_sync = p != &p->c->init,
		.options = options,
	};

	for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (req.n_options < CONTAINER_LOG_OPTS_MAX && json_object_is_type(o, json_type_string))
			options[req.n_options++] = json_object_get_string(o);
	}
	return log_plans_make(&req, &p->log_plans, err);
}

static void take_loss(struct process *p, struct json_object *log)
{
	struct json_object *lost = at(log, "lostBytes");
	struct log_loss loss = {
		.stdout_bytes = json_object_get_uint64(at(lost, "stdout")),
		.stderr_bytes = json_object_get_uint64(at(lost, "stderr")),
		.untold = json_object_get_uint64(at(log, "untoldBytes")), /* not of an older shim */
		.sys_errno = (int)json_object_get_int64(at(log, "failingErrno")),
	};

	loss.failing = loss.untold > 0;
	snprintf(loss.reason, sizeof(loss.reason), "%s", text_at(log, "failing"));
	logs_lost_before(p->logs, text_at(log, "driver"), &loss);
}

/* What the shim before has lost, as far as it has come to record it, counts on, and what the log does not say of it yet is said by us. */
static void take_losses(struct process *p, struct json_object *o)
{
	struct json_object *others = at(o, "otherLogs");

	take_loss(p, at(o, "log"));
	for (size_t i = 0; json_object_is_type(others, json_type_array) && i < json_object_array_length(others); i++)
		take_loss(p, json_object_array_get_idx(others, i));
}

/* ---- streams ------------------------------------------------------------------------------------------------------------- */

#define OUTPUTS 2

static const char *const stream_names[] = { "stdin", "stdout", "stderr" };

static bool all_found(const struct pipe_wanted *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].inode && v[i].fd < 0)
			return false;
	return true;
}

/* Is it in that namespace (0: in none), below init or below `p`? Or below one that is: namespaces may be nested. */
static bool belongs(pid_t pid, const struct process *p, ino_t ns)
{
	struct proc_stat st;
	struct err ignored;

	while (pid > 1) {
		if (pid == p->pid || pid == p->c->init.pid || (ns && proc_pid_namespace(pid) == ns))
			return true;
		if (proc_stat(pid, &st, &ignored) < 0)
			return false;
		pid = st.ppid;
	}
	return false;
}

static void find_without_groups(const struct process *p, struct pipe_wanted *v, size_t n)
{
	cleanup_dir DIR *dir = opendir("/proc");
	ino_t ns = proc_pid_namespace(p->c->init.pid);
	struct dirent *e;

	if (ns == proc_pid_namespace(getpid()))
		ns = 0; /* the host's */
	while (dir && !all_found(v, n) && (e = readdir(dir))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid > 1 && belongs(pid, p, ns))
			pipe_find(pid, v, n);
	}
}

static void find_in_groups(const struct cgroup *cg, struct pipe_wanted *v, size_t n)
{
	struct cgroup_pids pids = cgroup_pids(cg);

	for (size_t i = 0; i < pids.n; i++)
		pipe_find(pids.v[i], v, n);
	free(pids.v);
}

/* Who may hold them: whoever is in the container. */
static void find_pipes(const struct process *p, struct pipe_wanted *v, size_t n)
{
	struct container *c = p->c;

	pipe_find(p->pid, v, n); /* most of the time that is all */
	if (all_found(v, n))
		return;
	if (c->cgroup && !cgroup_is_absent(c->cgroup))
		find_in_groups(c->cgroup, v, n);
	else
		find_without_groups(p, v, n);
	container_log_to_file(c, false);
	for (size_t i = 0; i < n; i++)
		if (v[i].inode && v[i].fd < 0 && !p->exited)
			log_info("container '%s': process %s: no process that was found has its %s open: whatever is "
				 "still written to it is lost",
				 c->id, p->name, stream_names[i + 1]);
}

void adopt_new_relay(struct process *p, struct logs *logs)
{
	struct relay_ops ops = {
		.drained_cb = process_drained_cb,
		.closed_cb = process_closed_cb,
		.gap_cb = p->c->ops.gap_cb,
		.input_end_cb = p->c->ops.input_end_cb,
	};

	p->relay = relay_new(p->c->base, logs, &ops, p);
	relay_configure(p->relay, &p->relay_options);
	relay_keep_unlogged(p->relay, p->c->dir_fd, p == &p->c->init ? "" : p->name);
}

/* What the keeper does not hold has been closed on purpose. */
static void take_kept_streams(struct process *p, struct json_object *streams, struct logs *logs)
{
	int *held = p->c->keep.held.fd;

	if (p->terminal && held[KEEPER_STDIN] < 0)
		return;
	adopt_new_relay(p, logs);
	if (p->terminal) {
		relay_use_pty(p->relay, take_fd(&held[KEEPER_STDIN]));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(stream_names); i++)
		relay_adopt(p->relay, (Stream)i, take_fd(&held[i]), pipe_inode(text_at(streams, stream_names[i])));
}

static void take_kept_terminal(struct process *p, struct logs *logs)
{
	cleanup_fd int master = keep_take_terminal(p);

	if (master < 0)
		return;
	adopt_new_relay(p, logs);
	relay_use_pty(p->relay, take_fd(&master));
}

static void find_streams(struct process *p, struct json_object *streams, struct logs *logs)
{
	struct pipe_wanted wanted[OUTPUTS];

	for (size_t i = 0; i < OUTPUTS; i++)
		wanted[i] =
			(struct pipe_wanted) { .inode = pipe_inode(text_at(streams, stream_names[i + 1])), .fd = -1 };
	find_pipes(p, wanted, OUTPUTS);
	adopt_new_relay(p, logs);
	relay_adopt(p->relay, STREAM_STDIN, -1, pipe_inode(text_at(streams, stream_names[0])));
	for (size_t i = 0; i < OUTPUTS; i++)
		relay_adopt(p->relay, i ? STREAM_STDERR : STREAM_STDOUT, wanted[i].fd, wanted[i].inode);
}

static void read_relay_options(struct process *p, struct json_object *o)
{
	p->relay_options = (struct relay_options) {
		.stdin_once = json_object_get_boolean(at(o, "stdinOnce")),
		.has_drain = at(o, "drainMs") != NULL,
		.drain_ms = (uint32_t)json_object_get_uint64(at(o, "drainMs")),
	};
}

/* What was passed on is its caller's, and a terminal that nobody has held is gone. */
static void adopt_streams(struct process *p, struct json_object *o, struct logs *logs)
{
	bool kept = p == &p->c->init && p->c->keep.taken;

	if (!json_object_get_boolean(at(o, "relayed")))
		return;
	read_relay_options(p, o);
	if (kept)
		take_kept_streams(p, at(o, "streams"), logs);
	else if (!p->terminal)
		find_streams(p, at(o, "streams"), logs);
	else if (p != &p->c->init)
		take_kept_terminal(p, logs);
}

/* From where the shim before has stopped. `file`: as for unlogged_new(). */
static int go_on_reading(struct process *p, struct json_object *o, const char *file, struct err *err)
{
	struct unlogged_rest rest[OUTPUTS] = { 0 };

	unlogged_replay(p->c->dir_fd, file, p->logs, rest);
	adopt_streams(p, o, p->logs);
	if (!p->relay)
		unlogged_drop(p->c->dir_fd,
			      file); /* a terminal that nobody has held: there is nothing to be put before */
	if (p->relay && relay_start(p->relay, err) < 0)
		return -1;
	follower_expect(p, o, rest);
	return 0;
}

/* ---- exec'd processes ---------------------------------------------------------------------------------------------------- */

/* ret_pidfd: -1 when it is gone, or another process by now. */
static int open_process(struct json_object *o, int *ret_pidfd, struct err *err)
{
	uint64_t start = json_object_get_uint64(at(o, "startTime")),
		 inode = json_object_get_uint64(at(o, "pidfdInode")), now;
	pid_t pid = (pid_t)json_object_get_int64(at(o, "pid"));
	cleanup_fd int pidfd = -1;

	*ret_pidfd = -1;
	if (pid <= 0 || !start)
		return 0;
	if (proc_pidfd_open(pid, start, &pidfd, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	now = proc_pidfd_inode(pidfd);
	if (!inode || !now || now == inode)
		*ret_pidfd = take_fd(&pidfd);
	return 0;
}

/* One whose plan is not understood goes on without. */
static void adopt_exec_logs(struct process *p, struct json_object *logs)
{
	struct json_object *setup = at(logs, "logSetup");
	struct err err;

	if (!setup)
		return;
	if (plan_logs(p, setup, &err) < 0) {
		log_warn("container '%s': process %s: %s", p->c->id, p->name, err.text);
		log_plans_release(&p->log_plans);
		return;
	}
	use_recorded_paths(p, logs);
	p->log_setup = json_object_get(setup);
	logging_continue(p);
	take_losses(p, logs);
}

static struct container_exit seen_exit(struct json_object *exit)
{
	struct timespec at_end = { 0 };
	struct err ignored;

	number_moment("finished", text_at(exit, "finished"), &at_end, &at_end, &ignored);
	return (struct container_exit) {
		.time_ns = (uint64_t)at_end.tv_sec * 1000000000u + (uint64_t)at_end.tv_nsec,
		.known = json_object_get_boolean(at(exit, "known")),
		.code = (uint8_t)json_object_get_int64(at(exit, "code")),
		.signal = (uint8_t)json_object_get_int64(at(exit, "signal")),
		.oom_killed = json_object_get_boolean(at(exit, "oomKilled")),
	};
}

/* How it ended is known if the shim before has seen it, and not all of its output was taken then. What it has written to a terminal that was held for it is still there, and what was read of its pipes
 * and not given to its client is in a file; what is in them its client has itself. */
static int note_end(struct process *p, struct json_object *o, struct json_object *logs, struct err *err)
{
	p->exited = true;
	p->exit = seen_exit(at(o, "exit"));
	p->drained = !json_object_get_boolean(at(o, "relayed")) || !(p->terminal || state_lives(at(o, "client")));
	if (p->drained) {
		unlogged_drop(p->c->dir_fd, p->name);
		return 0;
	}
	adopt_exec_logs(p, logs);
	if (go_on_reading(p, o, p->name, err) < 0)
		return -1;
	if (p->relay)
		relay_process_ended(p->relay);
	else
		p->drained = true;
	return 0;
}

static int adopt_exec(struct container *c, const char *name, struct json_object *o, struct json_object *logs,
		      struct err *err)
{
	struct process *p = exec_adopt(c, name);
	int pidfd;

	if (open_process(o, &pidfd, err) < 0)
		return -1;
	p->terminal = json_object_get_boolean(at(o, "terminal"));
	p->below_init = json_object_get_boolean(at(o, "belowInit"));
	if (pidfd < 0 || process_set_pid(p, (pid_t)json_object_get_int64(at(o, "pid")), pidfd, err) < 0)
		return note_end(p, o, at(logs, name), err);
	if (json_object_get_boolean(at(o, "relayed")))
		adopt_exec_logs(p, at(logs, name));
	return go_on_reading(p, o, name, err) < 0 ? -1 : process_watch_end(p, err);
}

/* Names are numbers, and in the order of the file the older ones come first. */
static int adopt_execs(struct container *c, struct json_object *processes, struct json_object *logs, struct err *err)
{
	json_object_object_foreach(processes, name, o)
	{
		size_t n = strlen(name);

		if (n > 0 && n < PROCESS_NAME_MAX && strspn(name, "0123456789") == n &&
		    strcmp(text_at(o, "owner"), "shim") == 0 && adopt_exec(c, name, o, logs, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- what was asked for, of one that is there ---------------------------------------------------------------------------- */

int adopt_plan_logs(struct process *p, struct err *err)
{
	struct json_object *top = state_read(p->c->dir_fd, err), *container = at(top, "container"), *setup, *exec_log;
	int r = 0;

	if (!top)
		return -1;
	read_relay_options(p, at(at(top, "processes"), p->name));
	follower_load(p, at(at(top, "processes"), p->name));
	exec_log = at(at(container, "execLogs"), p->name);
	setup = p == &p->c->init ? at(container, "logSetup") : at(exec_log, "logSetup");
	if (p != &p->c->init)
		p->log_setup = json_object_get(setup);
	if (p == &p->c->init || setup)
		r = plan_logs(p, setup, err);
	if (r == 0 && p != &p->c->init)
		use_recorded_paths(p, exec_log);
	json_object_put(top);
	return r;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------- */

/* Whoever called us may be a cron job or a unit that is to end. */
static void leave_groups(void)
{
	cleanup_free char *mountinfo = NULL;
	struct err err;

	if (mountinfo_read(&mountinfo, &err) < 0 || cgroup_move_self(mountinfo, STATEDIR_SHIMS_GROUP, &err) < 0)
		log_debug("the shim stays in its caller's cgroup: %s", err.text);
}

static int take_logs(struct container *c, struct json_object *top, struct err *err)
{
	if (plan_logs(&c->init, at(at(top, "container"), "logSetup"), err) < 0)
		return -1;
	logging_continue(&c->init);
	take_losses(&c->init, at(top, "container"));
	return 0;
}

static int take_over(struct container *c, struct json_object *top, struct err *err)
{
	struct json_object *processes = at(top, "processes");

	if (take_logs(c, top, err) < 0 || go_on_reading(&c->init, at(processes, "init"), "", err) < 0)
		return -1;
	return adopt_execs(c, processes, at(at(top, "container"), "execLogs"), err);
}

static void become_its_shim(struct container *c)
{
	c->served = false;
	c->adopted = true;
	container_note_shim(c);
}

void container_log_adoption(const struct container *c)
{
	if (c->adopted && sdnotify_has_socket(c->dir_fd))
		log_warn(
			"container '%s': what it tells a service manager is lost from now on, and SIGTERM to this shim "
			"is not passed on",
			c->id);
}

int adopt_living(struct container *c, struct err *err)
{
	struct json_object *top = state_read(c->dir_fd, err);
	int r;

	if (!top)
		return -1;
	leave_groups();
	r = take_over(c, top, err);
	json_object_put(top);
	if (r < 0)
		return err_add(err, "cannot adopt container '%s'", c->id);
	keep_drop_rest(c);
	become_its_shim(c);
	if (process_watch_end(&c->init, err) < 0)
		return -1;
	if (c->keep.wanted) {
		keep_begin(c); /* its own may have been killed, too */
		keep_arm(c);
	}
	return state_save(c, err) < 0 ? err_add(err, "cannot adopt container '%s'", c->id) : 0;
}

/* ---- of one that is in an image ------------------------------------------------------------------------------------------ */

/* As far as there can be streams without a process. `file`: as for unlogged_new(). */
static void begin_absent(struct process *p, struct json_object *o, const char *file, struct unlogged_rest rest[OUTPUTS])
{
	unlogged_replay(p->c->dir_fd, file, p->logs, rest);
	read_relay_options(p, o);
	adopt_new_relay(p, p->logs);
}

static int adopt_absent_init(struct container *c, struct json_object *container, struct json_object *init,
			     struct err *err)
{
	struct unlogged_rest rest[OUTPUTS] = { 0 };
	bool open_stdin = pipe_inode(text_at(at(init, "streams"), stream_names[0])) != 0;

	c->init.terminal = c->rec.terminal;
	if (c->init.terminal || open_stdin)
		c->keep.wanted = true; /* older shims have not recorded it */
	begin_absent(&c->init, init, "", rest);
	if (park_adopt(c, text_at(container, "checkpoint"), open_stdin, err) < 0)
		return -1;
	park_load_dumped(&c->init, init);
	follower_expect(&c->init, init, rest);
	return 0;
}

/* Its stdin is open as the image has it: it may have been closed since state.json was written. */
static int adopt_absent_exec(struct container *c, const struct checkpoint_exec *e, struct json_object *o,
			     struct json_object *logs, struct err *err)
{
	struct process *p = exec_adopt(c, e->name);
	struct unlogged_rest rest[OUTPUTS] = { 0 };

	if (json_object_get_boolean(at(o, "relayed"))) {
		adopt_exec_logs(p, at(logs, p->name));
		begin_absent(p, o, p->name, rest);
	}
	if (park_adopt_exec(p, descriptors_is_pipe(e->streams.key[0]), err) < 0)
		return -1;
	park_load_dumped(p, o);
	follower_expect(p, o, rest);
	return 0;
}

static bool goes_along(struct json_object *process)
{
	return json_object_get_boolean(at(process, "belowInit")) && strcmp(text_at(process, "owner"), "shim") == 0;
}

static bool any_goes_along(struct json_object *processes)
{
	if (!json_object_is_type(processes, json_type_object))
		return false;
	json_object_object_foreach(processes, name, o)
	{
		(void)name;
		if (goes_along(o))
			return true;
	}
	return false;
}

static int read_image_execs(const char *image, struct checkpoint_exec ret[EXECS_MAX], size_t *ret_n, struct err *err)
{
	cleanup_fd int fd = open(image, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "cannot open '%s'", image);
	return distrust_image(fd, err) == 0 ? execs_read(fd, ret, ret_n, err) : -1;
}

/* Who is not in the image had ended before. When nobody can say who is, the container is adopted all the same: its image may have been moved, and is named at the restore. */
static int adopt_absent_execs(struct container *c, struct json_object *top, struct err *err)
{
	struct json_object *processes = at(top, "processes"), *container = at(top, "container");
	struct checkpoint_exec execs[EXECS_MAX];
	struct err why;
	size_t n = 0;

	if (!any_goes_along(processes))
		return 0;
	if (read_image_execs(text_at(container, "checkpoint"), execs, &n, &why) < 0) {
		log_warn("container '%s': who of its exec'd processes is in its image is not known: %s", c->id,
			 why.text);
		return 0;
	}
	/* In the image the newest comes first, in the list too. */
	while (n-- > 0) {
		struct json_object *o = at(processes, execs[n].name);

		if (goes_along(o) && adopt_absent_exec(c, &execs[n], o, at(container, "execLogs"), err) < 0)
			return -1;
	}
	return 0;
}

static int take_over_absent(struct container *c, struct json_object *top, struct json_object *init, struct err *err)
{
	if (take_logs(c, top, err) < 0 || adopt_absent_init(c, at(top, "container"), init, err) < 0)
		return -1;
	return adopt_absent_execs(c, top, err);
}

int adopt_absent(struct container *c, struct err *err)
{
	struct json_object *top = state_read(c->dir_fd, err), *init = at(at(top, "container"), "parked");
	int r = 0;

	if (!top)
		return -1;
	if (init) {
		leave_groups();
		r = take_over_absent(c, top, init, err);
	}
	if (init && r == 0)
		become_its_shim(c);
	json_object_put(top);
	if (r < 0)
		return err_add(err, "cannot adopt container '%s'", c->id);
	return c->adopted ? state_save(c, err) : 0;
}
