/* SPDX-License-Identifier: Apache-2.0 */
/* The creation of a container: a plan of steps with effects outside, each of which can be undone.
 *
 * Runs in the shim, with the privileges of whoever creates. Distrusts config.json (read once, by descriptor) and the rootfs, which only
 * the container's own process looks into. */
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/path.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"
#include "shim/container/follower.h"
#include "shim/container/sdnotify.h"
#include "shim/container/streams.h"
#include "shim/oci/names.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/lsm.h"
#include "shim/sandbox/sysctl.h"
#include "shim/sandbox/fd_socket.h"

/* ---- the steps --------------------------------------------------------------------------------------------------------- */

static int lock_directory(struct container *c, struct err *err)
{
	if (statedir_open(c->root_fd, c->id, &c->dir_fd, err) < 0 ||
	    statedir_open_lock(c->dir_fd, true, &c->lock_fd, err) < 0)
		return -1;
	return statedir_lock(c->dir_fd, c->lock_fd, STATEDIR_LOCK_SHIM, false, err);
}

/* One that was made, but is not ours. */
static void leave_directory(struct container *c, const struct err *why)
{
	struct err ignored;

	if (c->dir_fd < 0)
		unlinkat(c->root_fd, c->id, AT_REMOVEDIR);
	else if (why->code != ERR_BUSY)
		statedir_remove(c->root_fd, c->dir_fd, c->id, &ignored);
	fd_close(&c->lock_fd);
	fd_close(&c->dir_fd);
}

#define DIRECTORY_TRIES 100

/* Who finds it without a lock takes it for what a killed create has left, and removes it: then it is theirs until it is gone. */
static int step_directory(struct container *c, struct err *err)
{
	for (int i = 0; i < DIRECTORY_TRIES; i++) {
		if (mkdirat(c->root_fd, c->id, 0700) < 0) {
			if (errno == EEXIST)
				return err_set(err, ERR_EXISTS, "container '%s' already exists", c->id);
			return err_sys(err, "cannot make the state directory of container '%s'", c->id);
		}
		if (lock_directory(c, err) == 0) {
			/* Without a log of the caller's: what there is to remark on its config is found there afterwards. */
			container_log_to_file(c, false);
			return 0;
		}
		leave_directory(c, err);
		if (err->code != ERR_BUSY && err->code != ERR_NOT_FOUND)
			break;
	}
	return err_add(err, "container '%s'", c->id);
}

static void undo_directory(struct container *c)
{
	struct err ignored;

	statedir_remove(c->root_fd, c->dir_fd, c->id, &ignored);
	fd_close(&c->lock_fd);
	fd_close(&c->dir_fd);
}

/* Namespaces without which the rest would work on the host. */
static int check_namespaces(const struct oci_config *config, struct err *err)
{
	if (!config->ns[OCI_NS_USER].wanted && !caps_have(CAP_SYS_ADMIN))
		return err_set(err, ERR_PERMISSION,
			       "linux.namespaces: without root's privileges a container needs a user namespace");
	if (!config->ns[OCI_NS_MOUNT].wanted)
		return err_set(err, ERR_UNSUPPORTED,
			       "linux.namespaces: a container without a mount namespace is not supported");
	if (config->hostname && !config->ns[OCI_NS_UTS].wanted)
		return err_set(err, ERR_CONFIG, "hostname: needs a uts namespace");
	return 0;
}

static int find_rootfs(struct container *c, struct err *err)
{
	struct creation *cr = c->creation;
	cleanup_free char *joined = NULL;
	struct stat st;

	if (!c->config->root_path || !c->config->root_path[0])
		return err_set(err, ERR_CONFIG, "root.path: is missing");
	joined = path_join(cr->bundle, c->config->root_path);
	cr->rootfs = path_clean(joined);
	if (c->config->ns[OCI_NS_MOUNT].path)
		return 0; /* it is looked up there */
	if (stat(cr->rootfs, &st) < 0)
		return err_sys(err, "root.path: cannot use '%s'", cr->rootfs);
	if (!S_ISDIR(st.st_mode))
		return err_sysno(err, ENOTDIR, "root.path: cannot use '%s'", cr->rootfs);
	return 0;
}

static int check_terminal(const struct container *c, struct err *err)
{
	bool terminal = c->config->has_process && c->config->process.terminal;

	if (c->creation->params.fds.console_fd >= 0 && !terminal)
		return err_set(err, ERR_CONFIG, "a console socket was given, but process.terminal is false");
	return 0;
}

char *container_missing_caps(const struct oci_caps *caps)
{
	const struct oci_strings *unknown = &caps->unknown;

	if (unknown->n == 0)
		return NULL;
	if (unknown->n == 1)
		return xasprintf("%s cannot be given: it is not known", unknown->v[0]);
	return xasprintf("%s and %zu more capabilities cannot be given: they are not known", unknown->v[0],
			 unknown->n - 1);
}

/* The specification wants a warning for capabilities that cannot be given, and no failure. Its caller hears of those that are known nowhere: of the others it may be the one who does not have them. */
static void warn_of_missing_caps(struct container *c)
{
	cleanup_free char *unknown = container_missing_caps(&c->config->process.caps);
	uint64_t missing;
	struct err ignored;

	free(c->remark);
	c->remark = unknown ? xasprintf("container '%s': %s", c->id, unknown) : NULL;
	/* In a user namespace of its own it has all of them. */
	if (!c->config->has_process || c->config->ns[OCI_NS_USER].wanted ||
	    caps_missing(&c->config->process.caps, &missing, &ignored) < 0)
		return;
	for (int cap = 0; cap < 64; cap++)
		if (missing & (1ull << cap))
			log_warn("container '%s': %s cannot be given: the caller does not have it", c->id,
				 oci_capability_name(cap));
}

/* As systemd would tell a program that it starts with these sockets. */
static void tell_listen_fds(struct container *c)
{
	struct oci_strings *env = &c->config->process.env;
	unsigned int n = c->creation->params.listen_fds;

	if (n == 0 || !c->config->has_process)
		return;
	env->v = xreallocarray(env->v, env->n + 3, sizeof(*env->v));
	env->v[env->n++] = xasprintf("LISTEN_FDS=%u", n);
	env->v[env->n++] = xstrdup("LISTEN_PID=1");
	env->v[env->n] = NULL;
}

static int read_config(const struct creation *cr, char **ret_text, struct err *err)
{
	size_t len;

	if (cr->params.fds.config_fd >= 0)
		return memfd_read(cr->params.fds.config_fd, OCI_CONFIG_MAX, ret_text, &len, err);
	if (fd_read_file_at(cr->params.fds.main_fd, "config.json", OCI_CONFIG_MAX, ret_text, err) < 0)
		return err_add(err, "bundle '%s'", cr->bundle);
	return 0;
}

static int step_config(struct container *c, struct err *err)
{
	struct creation *cr = c->creation;
	cleanup_free char *text = NULL;

	if (fd_path(cr->params.fds.main_fd, &cr->bundle, err) < 0 || read_config(cr, &text, err) < 0)
		return -1;
	if (oci_config_parse(text, strlen(text), &c->config, err) < 0)
		return -1;
	if (check_namespaces(c->config, err) < 0 || check_terminal(c, err) < 0 ||
	    lsm_check(c->config, "/sys", err) < 0 || find_rootfs(c, err) < 0)
		return -1;
	warn_of_missing_caps(c);
	tell_listen_fds(c);
	return fd_replace_file_at(c->dir_fd, STATEDIR_CONFIG, text, strlen(text), 0600, err);
}

/* From here on whoever finds the directory can undo the rest: the groups are named before they are made. */
static int step_record(struct container *c, struct err *err)
{
	struct creation *cr = c->creation;
	const char *mountinfo = cr->params.mountinfo;

	c->data_dir = xstrdup(cr->data_dir);
	if (logging_plan(c, err) < 0)
		return -1;
	if (groups_plan(c, mountinfo, err) < 0 ||
	    resctrl_plan(mountinfo, &c->config->intel_rdt, c->id, &c->resctrl, err) < 0)
		return -1;
	c->rec = (struct status_record) {
		.status = STATUS_CREATING,
		.owner_uid = geteuid(),
		.created_ns = clock_wall_ns(),
		.terminal = c->config->has_process && c->config->process.terminal,
		.remove_at_exit = cr->params.remove_at_exit,
		.callers_keyring = cr->params.no_new_keyring,
		.foreign = cr->params.leave,
	};
	if (!cr->params.leave)
		container_note_shim(c);
	if (proc_boot_id(c->rec.boot_id, err) < 0)
		return -1;
	state_set_text(c->rec.id, sizeof(c->rec.id), c->id);
	state_set_text(c->rec.freezer, sizeof(c->rec.freezer), cgroup_freezer_dir(c->cgroup));
	state_set_text(c->rec.bundle, sizeof(c->rec.bundle), cr->bundle);
	state_set_text(c->rec.rootfs, sizeof(c->rec.rootfs), cr->rootfs);
	return state_save(c, err);
}

/* They were empty when they were taken: who is in them now is ours, from when the last step has begun to put somebody there. */
static void undo_groups(struct container *c)
{
	const struct creation *cr = c->creation;
	struct err ignored;

	if (cr->steps_done == cr->n_steps || c->init.pid > 0)
		groups_remove(c, &ignored);
	else
		groups_unmake(c);
}

static int step_resctrl(struct container *c, struct err *err)
{
	return resctrl_create(&c->resctrl, &c->config->intel_rdt, err);
}

static void undo_resctrl(struct container *c)
{
	struct err ignored;

	resctrl_remove(&c->resctrl, &ignored);
}

static void undo_log(struct container *c)
{
	struct err ignored;

	logging_close(&c->init);
	remove_log(c, &ignored);
}

static int step_log(struct container *c, struct err *err)
{
	if (logging_open(&c->init, err) == 0)
		return 0;
	undo_log(c);
	return -1;
}

static int step_start_socket(struct container *c, struct err *err)
{
	if (statedir_listen(c->dir_fd, STATEDIR_START, 4, &c->start_fd, err) < 0)
		return -1;
	c->rec.start_inode = statedir_inode(c->dir_fd, STATEDIR_START);
	return 0;
}

static int step_control_socket(struct container *c, struct err *err)
{
	if (c->creation->params.leave)
		return 0; /* nobody will be there */
	return container_make_control(c, err);
}

static struct streams_request streams_request(const struct container *c)
{
	const struct container_create *params = &c->creation->params;
	const struct oci_process *pr = c->config->has_process ? &c->config->process : NULL;

	return (struct streams_request) {
		.stdio = params->stdio,
		.leave = params->leave,
		.open_stdin = params->open_stdin,
		.terminal = pr && pr->terminal,
		.uid = pr ? pr->uid : 0,
		.gid = pr ? pr->gid : 0,
		.logs = c->init.logs,
		.options = params->relay,
	};
}

static int step_streams(struct container *c, struct err *err)
{
	const struct streams_request r = streams_request(c);
	struct creation *cr = c->creation;

	return streams_make(&c->init, &r, &cr->params.fds, cr->child_stdio, err);
}

static void undo_streams(struct container *c)
{
	relay_free(c->init.relay);
	c->init.relay = NULL;
}

/* What would end with the shim alone: an open stdin, a terminal, and outputs whose only reader it is. */
static bool needs_keeper(const struct container *c)
{
	const struct container_create *params = &c->creation->params;
	const struct relay *r = c->init.relay;

	return !params->leave &&
	       (params->keeper || (r && (params->stdio == STDIO_FOREGROUND || relay_is_tty(r) || relay_has_input(r))));
}

static int step_process(struct container *c, struct err *err)
{
	struct creation *cr = c->creation;

	if (container_compile_filter(c, c->config, err) < 0)
		return -1;
	if (ns_open_joined(c->config, &cr->joined, err) < 0 || sysctl_check_joined(c->config, &cr->joined, err) < 0 ||
	    ns_check_names(c->config, &cr->joined, err) < 0 ||
	    mount_sources_open(c->config, cr->bundle, &cr->joined, &cr->sources, err) < 0)
		return -1;
	c->launch = launch_new(c, err);
	if (!c->launch)
		return -1;
	/* While init is at its mounts. A terminal is known only afterwards, and so is who init is where another one clones it. */
	if (needs_keeper(c) && !c->config->process.terminal && !ns_needs_joiner(c->config, &cr->joined))
		keep_begin(c);
	return 0;
}

/* Only what may be left of it: the groups' undo kills whoever else is there. */
static void undo_process(struct container *c)
{
	struct err err;

	hooks_cancel(c);
	launch_free(c->launch);
	c->launch = NULL;
	process_kill_now(&c->init);
	if (net_devices_return(c->config, &c->creation->net_devices, &err) < 0)
		log_warn("container '%s': cannot give network devices back: %s", c->id, err.text);
}

static int step_sdnotify(struct container *c, struct err *err)
{
	const struct creation *cr = c->creation;
	bool restored = cr->params.fds.options_fd >= 0, container = cr->params.sd_notify == SD_NOTIFY_CONTAINER;
	const struct sdnotify_request r = {
		/* What comes out of an image has been ready: that is not for it to say. */
		.mode = restored && container ? SD_NOTIFY_CONMON : cr->params.sd_notify,
		.manager = cr->notify_socket,
		.watchdog_usec = cr->params.watchdog_usec,
	};

	if (sdnotify_new(c->base, c->dir_fd, &r, c->config, &c->sdnotify, err) < 0)
		return -1;
	return restored ? sdnotify_come_back(container ? c->sdnotify : NULL, c->base, c->dir_fd,
					     cr->params.fds.images_fd, c->config, err)
			: 0;
}

static void undo_sdnotify(struct container *c)
{
	sdnotify_free(c->sdnotify);
	c->sdnotify = NULL;
}

static const struct create_step create_steps[] = {
	{ "state directory", step_directory, undo_directory },
	{ "config", step_config, NULL },
	{ "service manager", step_sdnotify, undo_sdnotify },
	{ "record", step_record, NULL },
	{ "control groups", groups_make, undo_groups },
	{ "resctrl", step_resctrl, undo_resctrl },
	{ "log", step_log, undo_log },
	{ "start socket", step_start_socket, NULL },
	{ "control socket", step_control_socket, NULL },
	{ "streams", step_streams, undo_streams },
	{ "process", step_process, undo_process },
};

/* The same of a container that comes out of an image. */
static const struct create_step restore_steps[] = {
	{ "state directory", step_directory, undo_directory },
	{ "config", step_config, NULL },
	{ "service manager", step_sdnotify, undo_sdnotify },
	{ "image", restore_read, NULL },
	{ "record", step_record, NULL },
	{ "control groups", groups_make, undo_groups },
	{ "resctrl", step_resctrl, undo_resctrl },
	{ "log", step_log, undo_log },
	{ "control socket", step_control_socket, NULL },
	{ "streams", step_streams, undo_streams },
	{ "criu", restore_start, restore_undo },
};

void create_undo(struct container *c)
{
	struct creation *cr = c->creation;
	size_t done = cr->steps_done;

	while (done-- > 0)
		if (cr->steps[done].undo)
			cr->steps[done].undo(c);
	cr->steps_done = 0;
}

/* ---- the object -------------------------------------------------------------------------------------------------------- */

static char *copy(const char *s)
{
	return xstrdup(s ? s : "");
}

static struct creation *creation_new(struct container_create *params)
{
	struct creation *cr = xcalloc(1, sizeof(*cr));

	cr->params = *params;
	cr->log_driver = copy(params->log_driver);
	cr->log_path = copy(params->log_path);
	cr->data_dir = copy(params->data_dir);
	cr->caller_cgroup = copy(params->caller_cgroup);
	cr->notify_socket = copy(params->notify_socket);
	for (size_t i = 0; i < params->n_log_opts; i++) {
		cr->log_opts[i] = copy(params->log_opts[i]);
		cr->params.log_opts[i] = cr->log_opts[i];
	}
	cr->params.fds = container_fds_take(&params->fds);
	cr->steps = cr->params.fds.options_fd >= 0 ? restore_steps : create_steps;
	cr->n_steps = cr->steps == restore_steps ? ARRAY_SIZE(restore_steps) : ARRAY_SIZE(create_steps);
	for (int i = 0; i < 3; i++)
		cr->child_stdio[i] = -1;
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		cr->joined.fd[i] = -1;
	cr->ends = (struct relay_ends) { -1, -1, -1 };
	cr->scope_holder = SCOPE_HOLDER_NONE;
	return cr;
}

void creation_free(struct creation *cr)
{
	if (!cr)
		return;
	free(cr->log_driver);
	free(cr->log_path);
	free(cr->data_dir);
	free(cr->caller_cgroup);
	free(cr->notify_socket);
	for (size_t i = 0; i < cr->params.n_log_opts; i++)
		free(cr->log_opts[i]);
	container_fds_release(&cr->params.fds);
	for (int i = 0; i < 3; i++)
		fd_close(&cr->child_stdio[i]);
	ns_joined_release(&cr->joined);
	mount_sources_release(&cr->sources);
	net_devices_release(&cr->net_devices);
	restore_free(cr->restoring);
	relay_ends_close(&cr->ends);
	scope_let_go(&cr->scope_holder);
	scope_release(&cr->scope);
	oci_resources_free(cr->resources);
	free(cr->bundle);
	free(cr->rootfs);
	free(cr);
}

static void creation_over(struct container *c)
{
	creation_free(c->creation);
	c->creation = NULL;
	launch_free(c->launch);
	c->launch = NULL;
	if (c->cgroup)
		cgroup_close_join(c->cgroup);
}

/* For --debug: what is over by now, and how long it took since the last time. */
static void phase_over(struct container *c, const char *what)
{
	struct creation *cr = c->creation;
	int64_t ns = clock_ns();

	if (what)
		log_debug("create '%s': %s (%lld us)", c->id, what, (long long)(ns - cr->phase_ns) / 1000);
	cr->phase_ns = ns;
}

static int run_steps(struct container *c, struct err *err)
{
	struct creation *cr = c->creation;
	int r;

	phase_over(c, NULL);
	for (; cr->steps_done < cr->n_steps; cr->steps_done++) {
		r = fault_step("create", cr->steps[cr->steps_done].name, err);
		if (r == 0)
			r = cr->steps[cr->steps_done].run(c, err);
		phase_over(c, cr->steps[cr->steps_done].name);
		if (r < 0) {
			create_undo(c);
			creation_over(c);
			return -1;
		}
	}
	return 0;
}

int container_create(struct container *c, struct container_create *params, container_done_cb *done_cb, void *done_arg,
		     struct err *err)
{
	struct creation *cr = c->creation = creation_new(params);

	cr->done = (struct pending) { done_cb, done_arg };
	c->passes = cr->params.stdio == STDIO_PASS;
	follower_note(&c->init, cr->params.client_pid);
	return run_steps(c, err);
}

int create_come_back(struct container *c, struct container_fds *fds, const struct create_step *steps, size_t n_steps,
		     struct pending done, struct err *err)
{
	struct container_create params = { .stdio = STDIO_LOG, .fds = container_fds_take(fds) };
	struct creation *cr = c->creation = creation_new(&params);

	cr->in_place = true;
	cr->steps = steps;
	cr->n_steps = n_steps;
	cr->done = done;
	return run_steps(c, err);
}

void container_cancel_create(struct container *c)
{
	if (!c->creation)
		return;
	/* Nobody waits for an answer any more, nor for the poststop hooks. */
	if (c->creation->why.code) {
		hooks_free(c->hooking);
		c->hooking = NULL;
	} else {
		create_undo(c);
		if (!c->creation->in_place)
			hooks_leave(c);
	}
	creation_over(c);
}

bool container_take_foreground(struct container *c, const char *name, struct relay_ends *ret_ends,
			       struct relay_client **ret_client)
{
	struct process *p = container_find(c, name);
	struct creation *cr = c->creation;

	if (p != &c->init)
		return exec_take_foreground(p, ret_ends, ret_client);
	*ret_ends = cr->ends;
	*ret_client = cr->client;
	cr->ends = (struct relay_ends) { -1, -1, -1 };
	cr->client = NULL;
	return streams_client_follows(
		&(struct streams_request) { .stdio = cr->params.stdio, .leave = cr->params.leave });
}

/* ---- what init says ---------------------------------------------------------------------------------------------------- */

static void failed(struct container *c)
{
	struct pending done = c->creation->done;
	struct err why = c->creation->why;

	creation_over(c);
	if (done.cb)
		done.cb(done.arg, &why);
}

static void poststop_done(void *arg, const struct err *err)
{
	struct container *c = arg;

	if (err)
		log_warn("container '%s': %s", c->id, err->text);
	failed(c);
}

/* What there was of the container has ended, says the specification, and that is when poststop hooks run. */
static void fail(struct container *c, const struct err *err)
{
	struct err ignored;
	int n;

	c->creation->why = *err;
	create_undo(c);
	if (c->creation->in_place) {
		failed(c);
		return;
	}
	n = hooks_run(c, OCI_HOOK_POSTSTOP, "stopped", poststop_done, &ignored);
	if (n < 0)
		log_warn("container '%s': %s", c->id, ignored.text);
	if (n != 0)
		failed(c);
}

static void finish(struct container *c, const struct err *err)
{
	struct pending done = c->creation->done;

	if (err) {
		fail(c, err);
		return;
	}
	keep_arm(c);
	if (done.cb)
		done.cb(done.arg, NULL);
	creation_over(c);
	if (c->init.exited)
		process_news(&c->init);
	container_quiet(c);
}

/* ---- the runtime's hooks, while init waits ---- */

static void create_runtime_done(void *arg, const struct err *failure)
{
	struct container *c = arg;
	struct err err;

	if (c->creation->restoring) {
		restore_hooks_done(c, failure);
		return;
	}
	if (!failure && launch_order(c->launch, CHILD_GO_ON, &err) == 0)
		return;
	finish(c, failure ? failure : &err);
}

static void prestart_done(void *arg, const struct err *failure)
{
	struct container *c = arg;
	struct err err;
	int n = failure ? 1 : hooks_run(c, OCI_HOOK_CREATE_RUNTIME, "creating", create_runtime_done, &err);

	if (n != 0)
		create_runtime_done(c, n < 0 ? &err : failure);
}

void create_wants_hooks(struct container *c)
{
	struct err err;
	int n = hooks_run(c, OCI_HOOK_PRESTART, "creating", prestart_done, &err);

	if (n != 0)
		prestart_done(c, n < 0 ? &err : NULL);
}

/* Init is there, its streams are known: connect everything. */
static int connect_init(struct container *c, int *master, struct err *err)
{
	const struct streams_request r = streams_request(c);
	struct creation *cr = c->creation;

	c->init.leave = cr->params.leave;
	if (process_watch_end(&c->init, err) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		fd_close(&cr->child_stdio[i]);
	fd_close(&c->start_fd); /* only init holds it: when it is gone, connecting fails */
	if (groups_settle(c, err) < 0 ||
	    streams_connect(&c->init, &r, &cr->params.fds, master, &cr->ends, &cr->client, err) < 0)
		return -1;
	c->keep.wanted = needs_keeper(c);
	if (c->keep.wanted)
		keep_begin(c);
	return fd_socket_send_pidfd(cr->params.fds.pidfd_fd, c->init.pidfd, true, err);
}

static int ready(struct container *c, struct err *err)
{
	cleanup_fd int master = launch_take_master(c->launch);

	phase_over(c, "init: mounts, devices, root");
	if (connect_init(c, &master, err) < 0)
		return -1;
	phase_over(c, "streams connected, keeper");
	sdnotify_created(c->sdnotify);
	return launch_order(c->launch, c->creation->params.start ? CHILD_RUN : CHILD_WAIT_FOR_START, err);
}

void create_launched(struct container *c, const struct err *failure)
{
	struct err err;

	if (failure) {
		finish(c, failure);
		return;
	}
	if (ready(c, &err) < 0) {
		finish(c, &err);
		return;
	}
	if (c->creation->params.start)
		return; /* create_runs() follows */
	if (!c->init.exited)
		c->rec.status = STATUS_CREATED;
	if (state_save(c, &err) < 0)
		finish(c, &err);
	else
		finish(c, NULL);
}

static void poststart_done(void *arg, const struct err *err)
{
	finish(arg, err);
}

/* Its client is there already, and gets what the program has written before the error. */
static void followed_poststart_done(void *arg, const struct err *err)
{
	struct container *c = arg;
	struct err ignored;

	if (err) {
		c->failure = xmalloc(sizeof(*err));
		*c->failure = *err;
		if (!c->init.exited)
			container_kill(c, NULL, SIGKILL, false, &ignored);
	}
	process_news(&c->init);
	container_quiet(c);
}

void create_runs(struct container *c, const struct err *failure)
{
	bool followed = c->creation->params.stdio == STDIO_FOREGROUND;
	struct err err;
	int n;

	if (failure) {
		finish(c, failure);
		return;
	}
	phase_over(c, "init: user, limits, program executed");
	if (!c->init.exited)
		c->rec.status = STATUS_RUNNING;
	sdnotify_runs(c->sdnotify);
	if (state_save(c, &err) < 0) {
		finish(c, &err);
		return;
	}
	/* The hooks may wait for what it does, and that for somebody who reads its output and passes on signals. */
	n = hooks_run(c, OCI_HOOK_POSTSTART, "running", followed ? followed_poststart_done : poststart_done, &err);
	if (n != 0 || followed)
		finish(c, n < 0 ? &err : NULL);
}

void create_restored(struct container *c, const struct err *failure)
{
	cleanup_fd int master = restore_take_master(c->creation->restoring);
	struct err err;

	if (failure) {
		finish(c, failure);
		return;
	}
	if (!c->init.exited)
		c->rec.status = STATUS_RUNNING;
	if ((c->creation->in_place ? park_came_back(c, &master, &err) : connect_init(c, &master, &err)) < 0 ||
	    ((state_save(c, &err) < 0 || restore_save_execs(c, &err) < 0) && !c->creation->in_place)) {
		finish(c, &err);
		return;
	}
	if (!c->creation->in_place)
		sdnotify_runs(c->sdnotify);
	finish(c, NULL);
}
