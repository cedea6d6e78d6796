/* SPDX-License-Identifier: Apache-2.0 */
/* The container's record on disk: `status` for who lists, `state.json` for who takes over or asks for everything. PROTOCOL.md has the keys.
 *
 * Every writer takes the lock on byte 1, reads what is there, changes its own keys and renames. */
#include <json-c/json.h>
#include <string.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/proc.h"
#include "common/utc.h"
#include "shim/container/container_internal.h"
#include "shim/container/follower.h"
#include "shim/container/streams.h"
#include "shim/oci/json.h"
#include "shim/oci/names.h"
#include "shim/sandbox/cgroup.h"

static const char *const stream_names[] = { "stdin", "stdout", "stderr" };

void state_set_text(char *field, size_t size, const char *value)
{
	snprintf(field, size, "%s", value);
}

int state_save_record(struct container *c, struct err *err)
{
	return statedir_write_status(c->dir_fd, &c->rec, err);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static void add_string(struct json_object *o, const char *key, const char *value)
{
	json_add(o, key, json_new_string(value ? value : ""));
}

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_add(o, key, json_new_uint64(v));
}

static void add_time(struct json_object *o, const char *key, uint64_t ns)
{
	char text[UTC_TEXT_SIZE], full[64];

	utc_text(ns, text);
	snprintf(full, sizeof(full), "%s.%09uZ", text, (unsigned int)(ns % 1000000000u));
	add_string(o, key, full);
}

/* The object below `key`, made when it is missing. Borrowed. */
static struct json_object *object_at(struct json_object *o, const char *key)
{
	struct json_object *child;

	if (json_object_object_get_ex(o, key, &child) && json_object_is_type(child, json_type_object))
		return child;
	child = json_new_object();
	json_add(o, key, child);
	return child;
}

static struct json_object *annotations(const struct oci_config *config)
{
	struct json_object *o = json_new_object();

	for (size_t i = 0; i < config->annotation_keys.n; i++)
		add_string(o, config->annotation_keys.v[i], config->annotation_values.v[i]);
	return o;
}

static struct json_object *groups(const struct cgroup *cg)
{
	struct json_object *list = json_new_array();
	struct cgroup_view v;

	for (size_t i = 0; cg && cgroup_view(cg, i, &v); i++) {
		struct json_object *o = json_new_object();

		add_string(o, "subsystem", v.subsystem);
		add_string(o, "path", v.host_path);
		add_u64(o, "baseLength", v.base_len);
		json_append(list, o);
	}
	return list;
}

static struct json_object *one_log(const struct log_plan *p, const struct log *l)
{
	struct json_object *o = json_new_object(), *lost = json_new_object();

	add_string(o, "driver", p ? p->driver->name : "none");
	add_string(o, "path", p ? p->path : "");
	add_u64(lost, "stdout", l ? l->loss.stdout_bytes : 0);
	add_u64(lost, "stderr", l ? l->loss.stderr_bytes : 0);
	json_add(o, "lostBytes", lost);
	if (l && l->loss.failing) {
		add_string(o, "failing", l->loss.reason);
		add_u64(o, "failingErrno", (uint64_t)l->loss.sys_errno);
		add_u64(o, "untoldBytes", l->loss.untold);
	}
	return o;
}

/* "log" is the one that clients can read, if there is one; "otherLogs" are the rest. */
static void put_logs(const struct process *p, struct json_object *o)
{
	struct json_object *others = json_new_array();
	size_t n = p->log_plans.n, main_log = 0;

	while (main_log < n && !p->log_plans.v[main_log].driver->is_file)
		main_log++;
	if (main_log == n)
		main_log = 0;
	for (size_t i = 0; i < n; i++) {
		const struct log_plan *plan = &p->log_plans.v[i];
		const struct log *l = p->logs ? logs_at(p->logs, i) : NULL;

		if (i == main_log)
			json_add(o, "log", one_log(plan, l));
		else
			json_append(others, one_log(plan, l));
	}
	if (n == 0)
		json_add(o, "log", one_log(NULL, NULL));
	if (n > 1)
		json_add(o, "otherLogs", json_object_get(others));
	json_object_put(others);
}

#define EXEC_LOGS_MAX 64

static bool is_running(const struct container *c, const char *name)
{
	const struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	if (!strcmp(p->name, name))
		return !p->exited;
	return false;
}

/* The oldest come first. */
static void drop_old_logs(const struct container *c, struct json_object *logs)
{
	int surplus = json_object_object_length(logs) - EXEC_LOGS_MAX;
	struct json_object *old = json_new_object();

	json_object_object_foreach(logs, name, nothing)
	{
		(void)nothing;
		if (surplus > 0 && !is_running(c, name)) {
			json_add(old, name, NULL);
			surplus--;
		}
	}
	json_object_object_foreach(old, gone, nothing_either)
	{
		(void)nothing_either;
		json_object_object_del(logs, gone);
	}
	json_object_put(old);
}

/* Where what exec'd processes have written is: also those that have ended, for a while. */
static void put_exec_logs(const struct container *c, struct json_object *container)
{
	const struct process *p;
	struct json_object *logs, *o;

	LIST_FOREACH(p, &c->execs, link)
	{
		if (!p->logs)
			continue;
		logs = object_at(container, "execLogs");
		o = object_at(logs, p->name);
		put_logs(p, o);
		if (p->log_setup)
			json_add(o, "logSetup", json_object_get(p->log_setup));
		drop_old_logs(c, logs);
	}
}

static void put_resctrl(const struct container *c, struct json_object *o)
{
	struct json_object *r;

	if (!c->resctrl.dir)
		return;
	r = json_new_object();
	add_string(r, "path", c->resctrl.dir);
	json_add(r, "own", json_new_boolean(c->resctrl.is_ours));
	add_string(r, "monitor", c->resctrl.monitor ? c->resctrl.monitor : "");
	json_add(o, "resctrl", r);
}

struct json_object *state_log_setup(const char *drivers, const char *path, const char *const *options, size_t n)
{
	struct json_object *setup = json_new_object(), *list = json_new_array();

	add_string(setup, "drivers", drivers);
	add_string(setup, "path", path);
	for (size_t i = 0; i < n; i++)
		json_append(list, json_new_string(options[i]));
	json_add(setup, "options", list);
	return setup;
}

static void put_log_setup(const struct container *c, struct json_object *o)
{
	const struct creation *cr = c->creation;
	bool logs = c->init.log_plans.n > 0;

	json_add(o, "logSetup",
		 state_log_setup(logs ? cr->log_driver : "none", cr->log_path, cr->params.log_opts,
				 logs ? cr->params.n_log_opts : 0));
}

/* What does not change after the creation. */
static void put_origin(struct container *c, struct json_object *o)
{
	char owner[24];

	snprintf(owner, sizeof(owner), "%u", c->rec.owner_uid);
	add_string(o, "ociVersion", c->config->version);
	add_string(o, "id", c->id);
	add_string(o, "bundle", c->creation->bundle);
	add_string(o, "rootfs", c->creation->rootfs);
	add_time(o, "created", c->rec.created_ns);
	add_string(o, "owner", c->rec.owner_uid ? owner : "root");
	json_add(o, "annotations", annotations(c->config));
	json_add(o, "terminal", json_new_boolean(c->rec.terminal));
	add_string(o, "dataDir", c->data_dir);
	json_add(o, "cgroups", groups(c->cgroup));
	if (c->scope_unit)
		add_string(o, "systemdUnit", c->scope_unit);
	put_resctrl(c, o);
	put_log_setup(c, o);
	if (c->keep.wanted)
		json_add(o, "keeper", json_new_boolean(true));
}

static void put_namespaces(const struct container *c, struct json_object *o)
{
	struct json_object *ns = json_new_object();

	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		cleanup_free char *path =
			xasprintf("/proc/%d/ns/%s", c->rec.init_pid, oci_ns_proc_name((enum oci_ns)i));

		add_string(ns, oci_ns_proc_name((enum oci_ns)i), path);
	}
	json_add(o, "namespaces", ns);
}

static struct json_object *exit_of(struct container_exit exit)
{
	struct json_object *e = json_new_object();

	json_add(e, "known", json_new_boolean(exit.known));
	if (exit.known) {
		add_u64(e, "code", exit.code);
		add_u64(e, "signal", exit.signal);
	}
	add_time(e, "finished", exit.time_ns);
	json_add(e, "oomKilled", json_new_boolean(exit.oom_killed));
	return e;
}

static void put_process(const struct process *p, bool foreign, struct json_object *o)
{
	struct json_object *streams = json_new_object();

	add_u64(o, "pid", (uint64_t)p->pid);
	add_u64(o, "pidNamespace", proc_pid_namespace(0));
	add_u64(o, "startTime", p->start_time);
	add_u64(o, "pidfdInode", p->pidfd_inode);
	json_add(o, "terminal", json_new_boolean(p->terminal));
	add_string(o, "owner", foreign ? "foreign" : "shim");
	json_add(o, "relayed", json_new_boolean(p->relay != NULL));
	if (p->relay_options.stdin_once)
		json_add(o, "stdinOnce", json_new_boolean(true));
	if (p->relay_options.has_drain)
		add_u64(o, "drainMs", p->relay_options.drain_ms);
	if (p->below_init)
		json_add(o, "belowInit", json_new_boolean(true));
	for (size_t i = 0; i < ARRAY_SIZE(stream_names); i++) {
		char key[PROCESS_STREAM_KEY_MAX];

		streams_key(p, (Stream)i, key);
		add_string(streams, stream_names[i], key);
	}
	json_add(o, "streams", streams);
	park_put_dumped(p, o);
	/* Of an exec'd one whose output is not all given on: nobody else will know. */
	if (p->exited && p->exit.known && p != &p->c->init)
		json_add(o, "exit", exit_of(p->exit));
	follower_put(p, o);
}

static void put_shim(struct json_object *o)
{
	struct proc_stat st;
	struct err ignored;

	add_u64(o, "pid", (uint64_t)getpid());
	if (proc_stat(getpid(), &st, &ignored) == 0)
		add_u64(o, "startTime", st.start_time);
	add_string(o, "version", THOLE_VERSION);
}

struct json_object *state_read(int dir_fd, struct err *err)
{
	cleanup_free char *text = NULL;
	struct json_object *o;

	if (statedir_read_file(dir_fd, STATEDIR_STATE, STATEDIR_JSON_MAX, &text, err) < 0)
		return NULL;
	o = json_tokener_parse(text);
	if (!o || !json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		err_set(err, ERR_CONFIG, "state.json is damaged");
		return NULL;
	}
	return o;
}

/* What its readers would refuse is not written. */
static int write_json(struct container *c, struct json_object *top, struct err *err)
{
	size_t len;
	const char *text = json_to_text_length(top, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

	if (len > STATEDIR_JSON_MAX)
		return err_set(err, ERR_LIMIT, "state.json would grow beyond %d bytes", STATEDIR_JSON_MAX);
	return fd_replace_file_at(c->dir_fd, STATEDIR_STATE, text, len, 0600, err);
}

bool state_lives(struct json_object *process)
{
	struct json_object *pid, *start;
	struct proc_stat st;
	struct err ignored;

	return json_object_object_get_ex(process, "pid", &pid) &&
	       json_object_object_get_ex(process, "startTime", &start) &&
	       proc_stat((pid_t)json_object_get_int64(pid), &st, &ignored) == 0 && proc_stat_alive(&st) &&
	       st.start_time == json_object_get_uint64(start);
}

/* Its end was seen, and its client may not have everything yet. */
static bool is_awaited(struct json_object *process)
{
	struct json_object *client;

	return json_object_object_get_ex(process, "exit", NULL) &&
	       json_object_object_get_ex(process, "client", &client) && state_lives(client);
}

/* Nobody takes them out at their ends: it is done by whoever writes next. */
static void drop_ended(struct json_object *processes)
{
	struct json_object *kept = json_new_object();

	json_object_object_foreach(processes, key, p)
	{
		if (strcmp(key, "init") != 0 && !state_lives(p) && !is_awaited(p))
			json_add(kept, key, NULL);
	}
	json_object_object_foreach(kept, ended, nothing)
	{
		(void)nothing;
		json_object_object_del(processes, ended);
	}
	json_object_put(kept);
}

static bool is_new(const struct container *c)
{
	return c->creation && !c->creation->in_place;
}

/* Where it is to be found while it has no processes. */
static void put_absence(const struct container *c, struct json_object *top)
{
	struct json_object *o = object_at(top, "container");

	if (c->rec.status != STATUS_CHECKPOINTED) {
		json_object_object_del(o, "checkpoint");
		json_object_object_del(o, "parked");
		return;
	}
	json_object_object_del(o, "namespaces");
	json_object_object_del(object_at(top, "processes"), "init");
	if (park_image(c)[0])
		add_string(o, "checkpoint", park_image(c));
	if (c->parked)
		put_process(&c->init, false, object_at(o, "parked"));
}

/* What criu was at: what a shim that is killed in the middle of it leaves there is for the next one to remove. */
static void put_dump(const struct container *c, struct json_object *o)
{
	struct json_object *dumper;

	json_object_object_del(o, "dumping");
	json_object_object_del(o, "dumper");
	json_object_object_del(o, "restoringLog");
	if (c->restoring_log)
		add_string(o, "restoringLog", c->restoring_log);
	if (c->dumping)
		add_string(o, "dumping", c->dumping);
	if (!c->dumping || !c->dumper.pid)
		return;
	dumper = object_at(o, "dumper");
	add_u64(dumper, "pid", (uint64_t)c->dumper.pid);
	add_u64(dumper, "startTime", c->dumper.start_time);
	add_u64(dumper, "session", (uint64_t)c->dumper.session);
	json_add(dumper, "paused", json_object_new_boolean(c->dumped_paused));
	json_add(dumper, "serves", json_object_new_boolean(c->dumper_serves));
}

static int save_locked(struct container *c, struct err *err)
{
	struct json_object *top = is_new(c) ? json_new_object() : state_read(c->dir_fd, err), *o;
	int r;

	if (!top)
		return -1; /* what we do not understand is not ours to replace */
	if (is_new(c))
		json_add(top, "format", json_new_int64(STATEDIR_STATE_FORMAT));
	add_string(top, "bootId", c->rec.boot_id);
	o = object_at(top, "container");
	if (is_new(c))
		put_origin(c, o);
	if (!c->served) {
		put_logs(&c->init, o);
		put_exec_logs(c, o);
	}
	add_string(o, "status", container_status_name((enum container_status)c->rec.status));
	if (c->rec.init_pid && !c->init.exited)
		put_namespaces(c, o);
	if (c->rec.exit_recorded)
		json_add(o, "exit", exit_of(recorded_exit(&c->rec)));
	if (!c->served && !c->rec.foreign)
		put_shim(object_at(top, "shim"));
	if (c->rec.init_pid && !c->served)
		put_process(&c->init, c->rec.foreign, object_at(object_at(top, "processes"), "init"));
	put_absence(c, top);
	put_dump(c, o);
	if (c->rec.exit_recorded)
		drop_ended(object_at(top, "processes"));
	r = write_json(c, top, err);
	json_object_put(top);
	return r;
}

static int save_json(struct container *c, struct err *err)
{
	struct err ignored;
	int r;

	if (statedir_lock(c->dir_fd, c->lock_fd, STATEDIR_LOCK_STATE, true, err) < 0)
		return -1;
	r = save_locked(c, err);
	statedir_unlock(c->lock_fd, STATEDIR_LOCK_STATE, &ignored);
	return r;
}

/* The record comes last: it says that there is a container, and whoever believes that looks into state.json for who it is. A creation whose state.json
 * could not be written is undone; what has happened to a container is recorded all the same. */
int state_save(struct container *c, struct err *err)
{
	struct err ignored;
	int r = save_json(c, err);

	if (r < 0 && c->creation && !c->creation->in_place)
		return -1;
	return state_save_record(c, r < 0 ? &ignored : err) < 0 ? -1 : r;
}

/* A 0 that only says "as it is" (see Update in PROTOCOL.md). */
static bool is_unset(const char *key, struct json_object *v)
{
	static const char *const words[] = { "limit",  "reservation",     "swap",          "shares", "quota", "period",
					     "weight", "realtimeRuntime", "realtimePeriod" };

	if (!v)
		return true;
	if (json_object_is_type(v, json_type_string))
		return json_object_get_string_len(v) == 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(key, words[i]))
			return json_object_is_type(v, json_type_int) && json_object_get_int64(v) == 0;
	return false;
}

/* Objects are merged member by member, everything else replaces what was there. */
static void lay_over(struct json_object *o, struct json_object *changed)
{
	json_object_object_foreach(changed, key, v)
	{
		if (is_unset(key, v))
			continue;
		if (json_object_is_type(v, json_type_object))
			lay_over(object_at(o, key), v);
		else
			json_add(o, key, json_object_get(v));
	}
}

/* `o` is the whole of it. */
typedef void state_change(struct container *c, struct json_object *o, void *arg);

/* Change what is there by `change`, and nothing else. */
static int change_locked(struct container *c, state_change *change, void *arg, struct err *err)
{
	struct json_object *top = state_read(c->dir_fd, err);
	int r;

	if (!top)
		return -1;
	change(c, top, arg);
	r = write_json(c, top, err);
	json_object_put(top);
	return r;
}

static int change_state(struct container *c, state_change *change, void *arg, struct err *err)
{
	struct err ignored;
	int r;

	if (statedir_lock(c->dir_fd, c->lock_fd, STATEDIR_LOCK_STATE, true, err) < 0)
		return -1;
	r = change_locked(c, change, arg, err);
	statedir_unlock(c->lock_fd, STATEDIR_LOCK_STATE, &ignored);
	return r;
}

static void merge_resources(struct container *c, struct json_object *o, void *changed)
{
	lay_over(object_at(object_at(o, "container"), "resources"), changed);
}

int state_merge_resources(struct container *c, struct json_object *changed, struct err *err)
{
	return change_state(c, merge_resources, changed, err);
}

char *state_resources(struct container *c, struct err *err)
{
	cleanup_json struct json_object *config = NULL, *top = state_read(c->dir_fd, err);
	cleanup_free char *text = NULL;
	struct json_object *r;

	if (!top || statedir_read_file(c->dir_fd, STATEDIR_CONFIG, OCI_CONFIG_MAX, &text, err) < 0 ||
	    oci_json_parse(STATEDIR_CONFIG, text, strlen(text), &config, err) < 0)
		return NULL;
	r = object_at(object_at(config, "linux"), "resources");
	lay_over(r, object_at(object_at(top, "container"), "resources"));
	return xstrdup(json_to_text(r, JSON_C_TO_STRING_PLAIN));
}

static void refresh_logs(struct container *c, struct json_object *o, void *arg)
{
	struct json_object *container = object_at(o, "container");

	put_logs(&c->init, container);
	put_exec_logs(c, container);
}

int state_save_logs(struct container *c, struct err *err)
{
	return change_state(c, refresh_logs, NULL, err);
}

static void refresh_resctrl(struct container *c, struct json_object *o, void *arg)
{
	put_resctrl(c, object_at(o, "container"));
}

int state_save_resctrl(struct container *c, struct err *err)
{
	return change_state(c, refresh_resctrl, NULL, err);
}

static unsigned int last_process(struct json_object *container)
{
	struct json_object *last;

	return json_object_object_get_ex(container, "lastProcess", &last) ? (unsigned int)json_object_get_uint64(last)
									  : 0;
}

/* A shim counts in its memory, launchers count here: a number that a launcher was quicker to take is not given twice. */
static void add_process(struct container *c, struct json_object *o, void *arg)
{
	struct json_object *container = object_at(o, "container"), *processes = object_at(o, "processes");
	struct process *p = arg;
	unsigned int last = last_process(container), n;

	drop_ended(processes);
	n = (unsigned int)strtoul(p->name, NULL, 10);
	if ((c->joined && n <= last) || json_object_object_get_ex(processes, p->name, NULL)) {
		c->last_exec = (c->last_exec > last ? c->last_exec : last) + 1;
		n = c->last_exec;
		snprintf(p->name, sizeof(p->name), "%u", n);
	}
	add_u64(container, "lastProcess", n > last ? n : last);
	put_process(p, c->joined, object_at(processes, p->name));
	put_exec_logs(c, container);
}

int state_add_process(struct container *c, struct process *p, struct err *err)
{
	return change_state(c, add_process, p, err);
}

static void refresh_process(struct container *c, struct json_object *o, void *arg)
{
	const struct process *p = arg;
	bool absent = c->rec.status == STATUS_CHECKPOINTED && p == &c->init;

	put_process(p, false,
		    absent ? object_at(object_at(o, "container"), "parked")
			   : object_at(object_at(o, "processes"), p->name));
}

int state_save_process(struct container *c, struct process *p, struct err *err)
{
	return change_state(c, refresh_process, p, err);
}

char *state_oci_json(struct container *c, const struct oci_config *config, const char *status)
{
	struct json_object *o = json_new_object();
	char *text;

	add_string(o, "ociVersion", config->version);
	add_string(o, "id", c->id);
	add_string(o, "status", status);
	if (!c->init.exited && c->rec.init_pid)
		add_u64(o, "pid", (uint64_t)c->rec.init_pid);
	add_string(o, "bundle", c->rec.bundle);
	json_add(o, "annotations", annotations(config));
	text = xstrdup(json_to_text(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return text;
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

static const char *string_at(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
		       ? json_object_get_string(v)
		       : "";
}

/* Its groups are there from the first time on that it is written, be it none of them. */
static int load_groups(struct container *c, struct json_object *o, struct err *err)
{
	struct json_object *list;

	if (!json_object_object_get_ex(o, "cgroups", &list) || !json_object_is_type(list, json_type_array))
		return err_set(err, ERR_CONFIG, "state.json is damaged: container.cgroups is not a list");
	c->cgroup = cgroup_rebuild();
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *group = json_object_array_get_idx(list, i), *base;
		const char *path = json_object_is_type(group, json_type_object) ? string_at(group, "path") : "";

		if (path[0] != '/' || !json_object_object_get_ex(group, "baseLength", &base)) {
			cgroup_free(c->cgroup);
			c->cgroup = NULL;
			return err_set(err, ERR_CONFIG, "state.json is damaged: container.cgroups[%zu] is no group", i);
		}
		cgroup_rebuild_add(c->cgroup, string_at(group, "subsystem"), path,
				   (size_t)json_object_get_uint64(base));
	}
	return 0;
}

static void load_resctrl(struct container *c, struct json_object *o)
{
	const char *dir = string_at(o, "path"), *monitor = string_at(o, "monitor");
	struct json_object *own;

	c->resctrl = (struct resctrl) {
		.dir = dir[0] == '/' ? xstrdup(dir) : NULL,
		.monitor = monitor[0] == '/' ? xstrdup(monitor) : NULL,
		.is_ours = json_object_object_get_ex(o, "own", &own) && json_object_get_boolean(own),
	};
}

/* What a checkpoint has to know of streams that are not here. */
static uint64_t number_at(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v) : 0;
}

static void load_init(struct container *c, struct json_object *top)
{
	struct json_object *processes, *init, *streams;

	if (!json_object_object_get_ex(top, "processes", &processes) ||
	    !json_object_object_get_ex(processes, "init", &init))
		return;
	c->init_pid_ns = (ino_t)number_at(init, "pidNamespace");
	if (!json_object_object_get_ex(init, "streams", &streams))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(stream_names); i++)
		state_set_text(c->init.passed[i], sizeof(c->init.passed[i]), string_at(streams, stream_names[i]));
}

static void load_shim(struct container *c, struct json_object *top)
{
	struct json_object *shim;

	if (!json_object_object_get_ex(top, "shim", &shim) || !json_object_is_type(shim, json_type_object))
		return;
	c->former.pid = (pid_t)number_at(shim, "pid");
	c->former.start_time = number_at(shim, "startTime");
}

static void load_dump(struct container *c, struct json_object *o)
{
	struct json_object *dumper;

	if (string_at(o, "dumping")[0] == '/')
		c->dumping = xstrdup(string_at(o, "dumping"));
	if (string_at(o, "restoringLog")[0] == '/')
		c->restoring_log = xstrdup(string_at(o, "restoringLog"));
	if (!json_object_object_get_ex(o, "dumper", &dumper) || !json_object_is_type(dumper, json_type_object))
		return;
	c->dumper = (struct criu_left) { .pid = (pid_t)number_at(dumper, "pid"),
					 .session = (pid_t)number_at(dumper, "session"),
					 .start_time = number_at(dumper, "startTime") };
	c->dumped_paused = number_at(dumper, "paused") != 0;
	c->dumper_serves = number_at(dumper, "serves") != 0;
}

bool state_is_complete(const struct container *c)
{
	struct json_object *top, *o;
	struct err ignored;
	bool complete;

	top = state_read(c->dir_fd, &ignored);
	if (!top)
		return !err_is_sys(&ignored, ENOENT);
	complete = json_object_object_get_ex(top, "container", &o) && json_object_is_type(o, json_type_object) &&
		   string_at(o, "status")[0] &&
		   strcmp(string_at(o, "status"), container_status_name(STATUS_CREATING)) != 0;
	json_object_put(top);
	return complete;
}

int state_load(struct container *c, struct err *err)
{
	struct json_object *top = state_read(c->dir_fd, err), *o, *list;

	if (!top)
		return -1;
	if (!json_object_object_get_ex(top, "container", &o) || !json_object_is_type(o, json_type_object)) {
		json_object_put(top);
		return err_set(err, ERR_CONFIG, "state.json is damaged: it has no container");
	}
	c->data_dir = xstrdup(string_at(o, "dataDir"));
	if (load_groups(c, o, err) < 0) {
		json_object_put(top);
		return -1;
	}
	if (string_at(o, "systemdUnit")[0])
		c->scope_unit = xstrdup(string_at(o, "systemdUnit"));
	load_dump(c, o);
	if (json_object_object_get_ex(o, "keeper", &list))
		c->keep.wanted = json_object_get_boolean(list);
	if (json_object_object_get_ex(o, "resctrl", &list) && json_object_is_type(list, json_type_object))
		load_resctrl(c, list);
	load_init(c, top);
	load_shim(c, top);
	c->last_exec = last_process(o);
	json_object_put(top);
	return 0;
}
