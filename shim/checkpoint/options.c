/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a checkpoint or a restore: the client's JSON, judged, and as fields of a request to criu.
 *
 * Runs in the shim. The container's config says what is mounted from outside and which namespaces are shared; nothing of that is taken from an image. */
#include "shim/checkpoint/options.h"

#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "shim/checkpoint/criu.h"
#include "shim/oci/json.h"
#include "shim/oci/names.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/rootfs.h"

#define LOG_EVERYTHING 4
#define EXTERNAL_MAX 4
#define DEFAULT_CONFIG "/etc/criu/runc.conf" /* runc's: what is set there holds for every runtime */
#define CONFIG_ANNOTATION "org.criu.config"

/* ---- the client's JSON ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
	bool text;
} members[] = {
	{ "criu", offsetof(struct checkpoint_options, criu), true },
	{ "leaveRunning", offsetof(struct checkpoint_options, leave_running), false },
	{ "stay", offsetof(struct checkpoint_options, stay), false },
	{ "dropExecs", offsetof(struct checkpoint_options, drop_execs), false },
	{ "tcpEstablished", offsetof(struct checkpoint_options, tcp_established), false },
	{ "tcpClose", offsetof(struct checkpoint_options, tcp_close), false },
	{ "tcpSkipInFlight", offsetof(struct checkpoint_options, tcp_skip_in_flight), false },
	{ "shellJob", offsetof(struct checkpoint_options, shell_job), false },
	{ "extUnixSk", offsetof(struct checkpoint_options, ext_unix_sk), false },
	{ "fileLocks", offsetof(struct checkpoint_options, file_locks), false },
	{ "linkRemap", offsetof(struct checkpoint_options, link_remap), false },
	{ "autoDedup", offsetof(struct checkpoint_options, auto_dedup), false },
	{ "emptyNetwork", offsetof(struct checkpoint_options, empty_network), false },
	{ "manageCgroupsMode", offsetof(struct checkpoint_options, cgroups_mode), true },
	{ "networkLock", offsetof(struct checkpoint_options, network_lock), true },
	{ "lsmProfile", offsetof(struct checkpoint_options, lsm_profile), true },
	{ "lsmMountContext", offsetof(struct checkpoint_options, lsm_mount_context), true },
};

static const struct {
	const char *word;
	int value;
} cgroups_modes[] = { { "ignore", CRIU_CGROUP_MODE__CG_IGNORE },
		      { "soft", CRIU_CGROUP_MODE__CG_SOFT },
		      { "full", CRIU_CGROUP_MODE__CG_FULL },
		      { "strict", CRIU_CGROUP_MODE__CG_STRICT } },
  network_locks[] = { { "iptables", CRIU_NETWORK_LOCK__LOCK_IPTABLES },
		      { "nftables", CRIU_NETWORK_LOCK__LOCK_NFTABLES },
		      { "skip", CRIU_NETWORK_LOCK__LOCK_SKIP } };

static int cgroups_mode(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(cgroups_modes); i++)
		if (!strcmp(word, cgroups_modes[i].word))
			return cgroups_modes[i].value;
	return -1;
}

static int network_lock(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(network_locks); i++)
		if (!strcmp(word, network_locks[i].word))
			return network_locks[i].value;
	return -1;
}

static int take_member(struct checkpoint_options *o, const char *name, struct json_object *v, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		void *place = (char *)o + members[i].offset;

		if (strcmp(name, members[i].name) != 0)
			continue;
		if (!json_object_is_type(v, members[i].text ? json_type_string : json_type_boolean))
			return err_set(err, ERR_PROTOCOL, "option '%s' is of another kind", name);
		if (members[i].text)
			*(char **)place = xstrdup(json_object_get_string(v));
		else
			*(bool *)place = json_object_get_boolean(v);
		return 0;
	}
	return 0; /* a newer client's */
}

static int check(const struct checkpoint_options *o, struct err *err)
{
	if (!o->criu || o->criu[0] != '/')
		return err_set(err, ERR_PROTOCOL, "the options do not say where criu is");
	if (o->cgroups_mode && cgroups_mode(o->cgroups_mode) < 0)
		return err_set(err, ERR_USAGE, "--manage-cgroups-mode is soft, full, strict or ignore, not '%s'",
			       o->cgroups_mode);
	if (o->network_lock && network_lock(o->network_lock) < 0)
		return err_set(err, ERR_USAGE, "--network-lock is iptables, nftables or skip, not '%s'",
			       o->network_lock);
	if (o->tcp_established && o->tcp_close)
		return err_set(err, ERR_USAGE, "--tcp-established and --tcp-close contradict each other");
	return 0;
}

int checkpoint_options_parse(const char *text, size_t len, struct checkpoint_options *ret, struct err *err)
{
	cleanup_json struct json_object *top = NULL;

	*ret = (struct checkpoint_options) { 0 };
	if (oci_json_parse("options", text, len, &top, err) < 0)
		return -1;
	if (!json_object_is_type(top, json_type_object))
		return err_set(err, ERR_PROTOCOL, "the options are no object");
	json_object_object_foreach(top, name, v)
	{
		if (take_member(ret, name, v, err) < 0)
			return -1;
	}
	return check(ret, err);
}

void checkpoint_options_release(struct checkpoint_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (members[i].text)
			free(*(char **)((char *)o + members[i].offset));
	*o = (struct checkpoint_options) { 0 };
}

/* ---- the request ----------------------------------------------------------------------------------------------------------- */

void criu_plan_release(struct criu_plan *p)
{
	for (size_t i = 0; i < p->n_mounts; i++) {
		free(p->mounts[i].key);
		free(p->mounts[i].val);
	}
	for (size_t i = 0; i < p->n_inherit; i++)
		free(p->inherit[i].key);
	for (size_t i = 0; i < p->n_external; i++)
		free(p->external[i]);
	free(p->mounts);
	free(p->mount_list);
	free(p->inherit);
	free(p->inherit_list);
	free(p->external);
	free(p->join);
	free(p->join_list);
	free(p->root);
	free(p->freezer);
	*p = (struct criu_plan) { 0 };
}

void criu_plan_inherit(struct criu_plan *p, const char *key, int fd)
{
	CriuInheritFd *at;

	/* The arrays may move: the list of pointers is made anew. */
	p->inherit = xreallocarray(p->inherit, p->n_inherit + 1, sizeof(*p->inherit));
	p->inherit_list = xreallocarray(p->inherit_list, p->n_inherit + 1, sizeof(*p->inherit_list));
	at = &p->inherit[p->n_inherit++];
	*at = (CriuInheritFd)CRIU_INHERIT_FD__INIT;
	at->key = xstrdup(key);
	at->fd = fd;
	for (size_t i = 0; i < p->n_inherit; i++)
		p->inherit_list[i] = &p->inherit[i];
	p->opts.n_inherit_fd = p->n_inherit;
	p->opts.inherit_fd = p->inherit_list;
}

static void add_external(struct criu_plan *p, char *text)
{
	p->external = xreallocarray(p->external, p->n_external + 1, sizeof(*p->external));
	p->external[p->n_external++] = text;
	p->opts.n_external = p->n_external;
	p->opts.external = p->external;
}

/* Where a mount of the config is, as criu sees it: below `root`, without links. NULL: it is not there. */
static char *mount_point(int root_fd, const char *root, const char *destination)
{
	cleanup_fd int fd = -1;
	cleanup_free char *path = NULL;
	size_t len = strlen(root);
	struct err ignored;

	if (rootfs_open(root_fd, destination, &fd, &ignored) < 0 || fd_path(fd, &path, &ignored) < 0)
		return NULL;
	if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return xstrdup(path[len] ? path + len : "/");
}

/* Takes the strings. */
static void add_mount(struct criu_plan *p, char *where, char *source)
{
	CriuMountMap *at;

	p->mounts = xreallocarray(p->mounts, p->n_mounts + 1, sizeof(*p->mounts));
	p->mount_list = xreallocarray(p->mount_list, p->n_mounts + 1, sizeof(CriuMountMap *));
	at = &p->mounts[p->n_mounts++];
	*at = (CriuMountMap)CRIU_MOUNT_MAP__INIT;
	at->key = where;
	at->val = source;
	/* The array may have moved. */
	for (size_t i = 0; i < p->n_mounts; i++)
		p->mount_list[i] = &p->mounts[i];
	p->opts.n_ext_mnt = p->n_mounts;
	p->opts.ext_mnt = p->mount_list;
}

/* Without a cgroup namespace its groups are binds of the host's directories: see mount_one(). */
static void add_group_mounts(struct criu_plan *p, const struct oci_mount *m, const struct cgroup *cgroup, bool restore)
{
	struct cgroup_view v;

	for (size_t i = 0; cgroup_view(cgroup, i, &v); i++) {
		char *where = cgroup_is_pure_v2(cgroup) ? xstrdup(m->destination)
							: xasprintf("%s/%s", m->destination, v.name);

		add_mount(p, where, xstrdup(restore ? v.host_path : where));
	}
}

/* What the config binds from outside. Masked paths are binds of the container's own files, and in a cgroup namespace its groups are mounts of their own: criu knows them. */
static int add_mounts(struct criu_plan *p, const struct oci_config *config, const struct cgroup *cgroup, int root_fd,
		      const char *root, bool restore, struct err *err)
{
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];
		char *where;

		if (!m->bind && m->type && !strcmp(m->type, "cgroup") && !config->ns[OCI_NS_CGROUP].wanted)
			add_group_mounts(p, m, cgroup, restore);
		if (!m->bind)
			continue;
		where = mount_point(root_fd, root, m->destination);
		/* Below a file system that criu is still to restore. */
		if (!where && restore)
			where = xstrdup(m->destination);
		if (!where)
			return err_set(err, ERR_STATE, "the mount at '%s' is not to be found in the container",
				       m->destination);
		add_mount(p, where, xstrdup(restore ? m->source : where));
	}
	return 0;
}

static const char *annotation(const struct oci_config *config, const char *key)
{
	for (size_t i = 0; i < config->annotation_keys.n; i++)
		if (!strcmp(config->annotation_keys.v[i], key))
			return config->annotation_values.v[i];
	return NULL;
}

#define SET(opts, field, value)                                                                                        \
	do {                                                                                                           \
		(opts)->has_##field = 1;                                                                               \
		(opts)->field = (value);                                                                               \
	} while (0)

static void add_common(struct criu_plan *p, const struct checkpoint_options *o, const struct oci_config *config,
		       const char *rootfs, const char *log)
{
	const char *file = annotation(config, CONFIG_ANNOTATION);
	CriuOpts *opts = &p->opts;

	*opts = (CriuOpts)CRIU_OPTS__INIT;
	p->root = xstrdup(rootfs);
	opts->root = p->root;
	opts->log_file = (char *)log;
	SET(opts, log_level, LOG_EVERYTHING);
	SET(opts, notify_scripts, 1);
	SET(opts, orphan_pts_master, 1);
	SET(opts, tcp_established, o->tcp_established);
	SET(opts, tcp_close, o->tcp_close);
	SET(opts, shell_job, o->shell_job);
	SET(opts, ext_unix_sk, o->ext_unix_sk);
	SET(opts, file_locks, o->file_locks);
	SET(opts, auto_dedup, o->auto_dedup);
	if (o->empty_network)
		SET(opts, empty_ns, CLONE_NEWNET);
	/* Where its processes go is the shim's business: it is in the groups before they are. */
	SET(opts, manage_cgroups_mode,
	    o->cgroups_mode ? (CriuCgroupMode)cgroups_mode(o->cgroups_mode) : CRIU_CGROUP_MODE__CG_IGNORE);
	/* With no connection there is nothing to be locked, and it costs more than the rest of a small dump. */
	SET(opts, network_lock,
	    o->network_lock      ? (CriuNetworkLock)network_lock(o->network_lock)
	    : o->tcp_established ? CRIU_NETWORK_LOCK__LOCK_NFTABLES
				 : CRIU_NETWORK_LOCK__LOCK_SKIP);
	if (!file)
		opts->config_file = DEFAULT_CONFIG;
	else if (file[0])
		opts->config_file = (char *)file;
}

/* Namespaces that criu leaves alone: their keys, as runc names them. */
static const struct {
	enum oci_ns ns;
	const char *key;
} outside[] = { { OCI_NS_NETWORK, "extRootNetNS" }, { OCI_NS_PID, "extRootPidNS" } };

static int add_external_namespaces(struct criu_plan *p, const struct oci_config *config, pid_t init, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		const char *name = oci_ns_proc_name(outside[i].ns);
		cleanup_free char *path = xasprintf("/proc/%d/ns/%s", (int)init, name);
		struct stat st;

		if (!config->ns[outside[i].ns].path)
			continue;
		if (stat(path, &st) < 0)
			return err_sys(err, "cannot look at the %s namespace", name);
		add_external(p, xasprintf("%s[%llu]:%s", name, (unsigned long long)st.st_ino, outside[i].key));
	}
	return 0;
}

int criu_plan_dump(struct criu_plan *p, const struct checkpoint_options *o, const struct oci_config *config, pid_t init,
		   const char *rootfs, const struct cgroup *cgroup, struct err *err)
{
	const char *freezer = cgroup_freezer_dir(cgroup);
	cleanup_free char *path = xasprintf("/proc/%d/root", (int)init);
	cleanup_fd int root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	add_common(p, o, config, rootfs, "dump.log");
	if (root_fd < 0)
		return err_sys(err, "cannot open the container's root");
	SET(&p->opts, pid, init);
	SET(&p->opts, leave_running, o->leave_running);
	SET(&p->opts, tcp_skip_in_flight, o->tcp_skip_in_flight);
	SET(&p->opts, link_remap, o->link_remap);
	if (freezer[0]) {
		p->freezer = xstrdup(freezer);
		p->opts.freeze_cgroup = p->freezer;
	}
	if (add_external_namespaces(p, config, init, err) < 0)
		return -1;
	return add_mounts(p, config, cgroup, root_fd, "", false, err);
}

static bool is_outside(enum oci_ns ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
		if (outside[i].ns == ns)
			return true;
	return false;
}

/* The others that are joined by path: criu joins them itself. */
static void add_joined(struct criu_plan *p, const struct oci_config *config)
{
	p->join = xcalloc(OCI_NS_COUNT, sizeof(*p->join));
	p->join_list = xcalloc(OCI_NS_COUNT, sizeof(*p->join_list));
	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		const struct oci_namespace *ns = &config->ns[i];

		/* criu itself is put into the cgroup namespace. */
		if (!ns->path || is_outside((enum oci_ns)i) || i == OCI_NS_CGROUP)
			continue;
		p->join[p->n_join] = (CriuJoinNs)CRIU_JOIN_NS__INIT;
		p->join[p->n_join].ns = (char *)oci_ns_proc_name((enum oci_ns)i);
		p->join[p->n_join].ns_file = ns->path;
		p->join_list[p->n_join] = &p->join[p->n_join];
		p->n_join++;
	}
	p->opts.n_join_ns = p->n_join;
	p->opts.join_ns = p->join_list;
}

static int inherit_namespaces(struct criu_plan *p, const struct oci_config *config, int *ret_fds, size_t *ret_n,
			      struct err *err)
{
	*ret_n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		const char *path = config->ns[outside[i].ns].path;

		if (!path)
			continue;
		ret_fds[*ret_n] = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (ret_fds[*ret_n] < 0)
			return err_sys(err, "cannot open the %s namespace '%s'", oci_ns_proc_name(outside[i].ns), path);
		criu_plan_inherit(p, outside[i].key, CRIU_FIRST_FD + (int)*ret_n);
		(*ret_n)++;
	}
	return 0;
}

int criu_plan_restore(struct criu_plan *p, const struct checkpoint_options *o, const struct oci_config *config,
		      const char *rootfs, const struct cgroup *cgroup, int *ret_fds, size_t *ret_n, struct err *err)
{
	cleanup_fd int root_fd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	add_common(p, o, config, rootfs, "restore.log");
	if (root_fd < 0)
		return err_sys(err, "cannot open '%s'", rootfs);
	SET(&p->opts, evasive_devices, 1);
	SET(&p->opts, rst_sibling, 1);
	p->opts.lsm_profile = o->lsm_profile;
	p->opts.lsm_mount_context = o->lsm_mount_context;
	add_joined(p, config);
	if (inherit_namespaces(p, config, ret_fds, ret_n, err) < 0)
		return -1;
	return add_mounts(p, config, cgroup, root_fd, rootfs, true, err);
}
