/* SPDX-License-Identifier: Apache-2.0 */
/* `thole run --rootfs DIR COMMAND`: flags become an ordinary bundle, so that everything after it is the one path. */
#include "client/quick.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#include "client/call.h"
#include "client/config.h"
#include "client/rootless.h"
#include "client/user.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/number.h"
#include "common/path.h"
#include "common/statedir.h"

#define CPU_PERIOD_US 100000
#define TMPFS_OPTIONS_MAX 16

/* What an ordinary service needs that starts as root and then becomes somebody else. */
static const char *const quick_capabilities[] = {
	"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FOWNER",  "CAP_FSETID", "CAP_KILL",       "CAP_NET_BIND_SERVICE",
	"CAP_SETFCAP", "CAP_SETGID",       "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT", NULL,
};

/* ---- names ------------------------------------------------------------------------------------- */

static const char *const adjectives[] = {
	"brisk", "calm", "clear", "eager", "fair",  "fleet", "glad",  "hardy", "keen",  "light", "lucid",
	"merry", "mild", "neat",  "noble", "plain", "proud", "quick", "quiet", "ready", "sharp", "sober",
	"sound", "spry", "still", "stout", "swift", "tidy",  "trim",  "warm",  "wise",  "young",
};
static const char *const nouns[] = {
	"auk",    "bosun",  "buoy", "cape", "cove",  "crane", "delta",  "dory",  "drake",  "egret", "fjord",
	"gannet", "heron",  "keel", "kelp", "mast",  "oar",   "osprey", "otter", "petrel", "pier",  "plover",
	"reef",   "rudder", "sail", "seal", "shoal", "skiff", "sloop",  "tern",  "tide",   "wharf",
};

int quick_name(char **ret_name, struct err *err)
{
	unsigned char r[4];

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return err_sys(err, "cannot get random bytes");
	*ret_name = xasprintf("%s-%s-%02x%02x", adjectives[r[0] % ARRAY_SIZE(adjectives)],
			      nouns[r[1] % ARRAY_SIZE(nouns)], r[2], r[3]);
	return 0;
}

/* ---- flags ------------------------------------------------------------------------------------- */

static int set_user(json_object *config, const struct launch_options *o, struct err *err)
{
	struct user u;

	if (!o->user)
		return 0;
	if (user_parse(o->rootfs, o->user, &u, err) < 0)
		return -1;
	if (!u.has_gid && user_group_of(o->rootfs, u.uid, &u.gid, err) < 0)
		return -1;
	json_add_int(json_get(config, "process.user"), "uid", u.uid);
	json_add_int(json_get(config, "process.user"), "gid", u.gid);
	return 0;
}

static int set_env(json_object *config, const struct launch_options *o, struct err *err)
{
	json_object *env = json_new_array();

	json_append(env, json_new_string("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	if (o->tty)
		json_append(env, json_new_string("TERM=xterm"));
	json_add(json_get(config, "process"), "env", env);
	for (size_t i = 0; i < o->env.n; i++) {
		const char *equals = strchr(o->env.v[i], '=');

		if (!equals || equals == o->env.v[i])
			return err_set(err, ERR_USAGE, "--env is K=V, not '%s'", o->env.v[i]);
		json_append(env, json_new_string(o->env.v[i]));
	}
	return 0;
}

/* "SRC:DST", "SRC:DST:ro", "SRC:DST:rw". */
static int add_bind(json_object *config, const char *text, struct err *err)
{
	cleanup_free char *copy = xstrdup(text), *source = NULL;
	char *destination = strchr(copy, ':'), *mode;
	const char *options[] = { "rbind", "rprivate", "rw", NULL };

	if (!destination || destination == copy || destination[1] != '/')
		return err_set(err, ERR_USAGE, "--bind is SRC:DST or SRC:DST:ro with an absolute DST, not '%s'", text);
	*destination++ = '\0';
	mode = strchr(destination, ':');
	if (mode) {
		*mode++ = '\0';
		if (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
			return err_set(err, ERR_USAGE, "--bind '%s': it ends in ':ro', ':rw' or the destination", text);
		options[2] = mode;
	}
	if (path_absolute(copy, &source, err) < 0)
		return -1;
	config_add_mount(config, destination, "bind", source, options);
	return 0;
}

/* DST or DST:OPTION,... */
static int add_tmpfs(json_object *config, const char *text, struct err *err)
{
	const char *options[TMPFS_OPTIONS_MAX + 4] = { "nosuid", "nodev", "mode=1777" };
	cleanup_free char *copy = xstrdup(text);
	char *rest = strchr(copy, ':');
	size_t n = 3;

	if (copy[0] != '/')
		return err_set(err, ERR_USAGE, "--tmpfs is an absolute path, not '%s'", text);
	if (rest)
		*rest++ = '\0';
	for (char *option; rest && (option = strsep(&rest, ","));) {
		if (!option[0] || n == ARRAY_SIZE(options) - 1)
			return err_set(err, ERR_USAGE,
				       "--tmpfs '%s': after ':' comes a list of mount options, at most %d", text,
				       TMPFS_OPTIONS_MAX);
		options[n++] = option;
	}
	config_add_mount(config, copy, "tmpfs", "tmpfs", options);
	return 0;
}

static int add_mounts(json_object *config, const struct launch_options *o, struct err *err)
{
	for (size_t i = 0; i < o->tmpfs.n; i++)
		if (add_tmpfs(config, o->tmpfs.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < o->bind.n; i++)
		if (add_bind(config, o->bind.v[i], err) < 0)
			return -1;
	return 0;
}

static int set_memory(json_object *resources, const char *text, struct err *err)
{
	json_object *memory;
	uint64_t bytes;

	if (!text)
		return 0;
	if (number_size("--memory", text, &bytes, err) < 0)
		return -1;
	memory = json_new_object();
	json_add_int(memory, "limit", (int64_t)bytes);
	json_add(resources, "memory", memory);
	return 0;
}

static int set_cpus(json_object *resources, const char *text, struct err *err)
{
	json_object *cpu;
	uint64_t millionths, quota;

	if (!text)
		return 0;
	if (number_millionths("--cpus", text, &millionths, err) < 0)
		return -1;
	quota = millionths * CPU_PERIOD_US / 1000000;
	/* The kernel takes no quota below a millisecond. */
	if (quota < 1000)
		return err_set(err, ERR_USAGE, "--cpus is at least 0.01, not '%s'", text);
	cpu = json_new_object();
	json_add_int(cpu, "period", CPU_PERIOD_US);
	json_add_int(cpu, "quota", (int64_t)quota);
	json_add(resources, "cpu", cpu);
	return 0;
}

static int set_pids(json_object *resources, const struct opt_uint *limit, struct err *err)
{
	json_object *pids;

	if (!limit->set || limit->v == 0)
		return 0;
	if (limit->v > INT64_MAX)
		return err_set(err, ERR_USAGE, "--pids-limit is too large");
	pids = json_new_object();
	json_add_int(pids, "limit", (int64_t)limit->v);
	json_add(resources, "pids", pids);
	return 0;
}

static int set_resources(json_object *config, const struct launch_options *o, struct err *err)
{
	json_object *resources = json_get(config, "linux.resources");

	if (set_memory(resources, o->memory, err) < 0 || set_cpus(resources, o->cpus, err) < 0)
		return -1;
	return set_pids(resources, &o->pids_limit, err);
}

/* On the host's network there is no namespace of its own. */
static void set_network(json_object *config, const char *network)
{
	json_object *namespaces = json_get(config, "linux.namespaces");

	for (size_t i = 0; network && !strcmp(network, "host") && i < json_object_array_length(namespaces); i++)
		if (!strcmp(json_get_text(json_object_array_get_idx(namespaces, i), "type", ""), "network")) {
			json_object_array_del_idx(namespaces, i, 1);
			return;
		}
}

/* Limits that were asked for stay: who may make no cgroup is told so. */
static void set_user_namespace(json_object *config, const struct launch_options *o)
{
	json_object *resources = json_object_get(json_get(config, "linux.resources"));

	rootless_config(config, o->network && !strcmp(o->network, "host"));
	json_add(json_get(config, "linux"), "resources", resources);
}

static int set_root(json_object *config, const struct launch_options *o, struct err *err)
{
	cleanup_free char *path = NULL;

	if (path_absolute(o->rootfs, &path, err) < 0)
		return -1;
	json_add_string(json_get(config, "root"), "path", path);
	json_add_bool(json_get(config, "root"), "readonly", o->read_only);
	return 0;
}

static int set_process(json_object *config, const struct launch_options *o, char **command, struct err *err)
{
	json_object *process = json_get(config, "process");

	if (o->workdir && o->workdir[0] != '/')
		return err_set(err, ERR_USAGE, "--workdir is an absolute path, not '%s'", o->workdir);
	json_add_bool(process, "terminal", o->tty);
	json_add(process, "args", json_new_strings((const char *const *)command));
	json_add_string(process, "cwd", o->workdir ? o->workdir : "/");
	json_add_bool(process, "noNewPrivileges", false);
	json_object_object_del(process, "rlimits"); /* the caller's */
	config_set_capabilities(config, quick_capabilities);
	if (set_user(config, o, err) < 0)
		return -1;
	return set_env(config, o, err);
}

#define HOSTNAME_MAX 64

int quick_config(const struct launch_options *o, const char *id, char **command, json_object **ret, struct err *err)
{
	cleanup_json json_object *config = config_new();
	char hostname[HOSTNAME_MAX + 1];

	if (set_root(config, o, err) < 0 || set_process(config, o, command, err) < 0 ||
	    add_mounts(config, o, err) < 0 || set_resources(config, o, err) < 0)
		return -1;
	set_network(config, o->network);
	if (geteuid() != 0)
		set_user_namespace(config, o);
	snprintf(hostname, sizeof(hostname), "%s", id);
	json_add_string(config, "hostname", o->hostname ? o->hostname : hostname);
	*ret = take_ptr(config);
	return 0;
}

/* ---- the bundle -------------------------------------------------------------------------------- */

void quick_release(struct quick *q)
{
	free(q->bundle);
	free(q->data_dir);
	fd_close(&q->lock_fd);
	*q = QUICK_NONE;
}

static int check_unused(const struct client *cl, const char *id, struct err *err)
{
	cleanup_fd int dir_fd = -1;

	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	/* What a create has left unfinished is removed by the next one. */
	if (call_is_leftover(dir_fd))
		return 0;
	return err_set(err, ERR_EXISTS, "container '%s' already exists", id);
}

/* The lock is on the directory, so that two quick runs of one name do not write over each other's config between here and the
 * shim's reading it. */
static int lock_bundle(struct quick *q, const char *id, struct err *err)
{
	if (path_mkdir_all(q->bundle, 0700, err) < 0)
		return -1;
	q->lock_fd = open(q->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->lock_fd < 0)
		return err_sys(err, "cannot open '%s'", q->bundle);
	if (flock(q->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_EXISTS, "container '%s' is being created by somebody else", id);
	return 0;
}

int quick_write(const struct client *cl, const struct launch_options *o, const char *id, char **command,
		struct quick *ret, struct err *err)
{
	cleanup_json json_object *config = NULL;
	cleanup_quick struct quick q = QUICK_NONE;

	if (quick_config(o, id, command, &config, err) < 0 || client_data_dir(id, &q.data_dir, err) < 0)
		return -1;
	q.bundle = path_join(q.data_dir, "bundle");
	if (lock_bundle(&q, id, err) < 0 || check_unused(cl, id, err) < 0)
		return -1;
	if (config_write(config, q.lock_fd, false, err) < 0)
		return err_add(err, "cannot write the bundle '%s'", q.bundle);
	*ret = q;
	q = QUICK_NONE;
	return 0;
}

void quick_remove(struct quick *q)
{
	if (q->lock_fd < 0)
		return;
	unlinkat(q->lock_fd, STATEDIR_CONFIG, 0);
	/* Only if nothing else is in there: checkpoints, logs of an earlier one. */
	rmdir(q->bundle);
	rmdir(q->data_dir);
}
