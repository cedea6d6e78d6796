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
#include "common/manifest.h"
#include "common/path.h"
#include "common/proc.h"
#include "shim/checkpoint/criu.h"
#include "shim/checkpoint/mapped.h"
#include "shim/checkpoint/veth.h"
#include "shim/oci/json.h"
#include "shim/oci/names.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/device.h"
#include "shim/sandbox/lsm.h"
#include "shim/sandbox/rootfs.h"

#define LOG_EVERYTHING 4
#define TIMEOUT_MAX_S (7 * 24 * 3600)
#define DEFAULT_CONFIG "/etc/criu/runc.conf" /* runc's: what is set there holds for every runtime */
#define CONFIG_ANNOTATION "org.criu.config"

/* ---- the client's JSON ----------------------------------------------------------------------------------------------------- */

enum kind { BOOL, TEXT, NUMBER, LIST };

static const struct {
	const char *name;
	size_t offset;
	enum kind kind;
} members[] = {
	{ "criu", offsetof(struct checkpoint_options, criu), TEXT },
	{ "leaveRunning", offsetof(struct checkpoint_options, leave_running), BOOL },
	{ "set", offsetof(struct checkpoint_options, set), BOOL },
	{ "name", offsetof(struct checkpoint_options, name), TEXT },
	{ "maxBytes", offsetof(struct checkpoint_options, max_bytes), TEXT },
	{ "rootfs", offsetof(struct checkpoint_options, rootfs), TEXT },
	{ "includeBinds", offsetof(struct checkpoint_options, include_binds), LIST },
	{ "files", offsetof(struct checkpoint_options, files), TEXT },
	{ "stay", offsetof(struct checkpoint_options, stay), BOOL },
	{ "dropExecs", offsetof(struct checkpoint_options, drop_execs), BOOL },
	{ "tcpEstablished", offsetof(struct checkpoint_options, tcp_established), BOOL },
	{ "tcpClose", offsetof(struct checkpoint_options, tcp_close), BOOL },
	{ "tcpSkipInFlight", offsetof(struct checkpoint_options, tcp_skip_in_flight), BOOL },
	{ "shellJob", offsetof(struct checkpoint_options, shell_job), BOOL },
	{ "extUnixSk", offsetof(struct checkpoint_options, ext_unix_sk), BOOL },
	{ "fileLocks", offsetof(struct checkpoint_options, file_locks), BOOL },
	{ "linkRemap", offsetof(struct checkpoint_options, link_remap), BOOL },
	{ "autoDedup", offsetof(struct checkpoint_options, auto_dedup), BOOL },
	{ "emptyNetwork", offsetof(struct checkpoint_options, empty_network), BOOL },
	{ "preCopy", offsetof(struct checkpoint_options, pre_copy), NUMBER },
	{ "preCopyRequired", offsetof(struct checkpoint_options, pre_copy_required), BOOL },
	{ "preDump", offsetof(struct checkpoint_options, pre_dump), BOOL },
	{ "lazyPages", offsetof(struct checkpoint_options, lazy_pages), BOOL },
	{ "parentPath", offsetof(struct checkpoint_options, parent_path), TEXT },
	{ "pageServer", offsetof(struct checkpoint_options, page_server), TEXT },
	{ "timeout", offsetof(struct checkpoint_options, timeout_s), NUMBER },
	{ "veths", offsetof(struct checkpoint_options, veths), LIST },
	{ "manageCgroupsMode", offsetof(struct checkpoint_options, cgroups_mode), TEXT },
	{ "networkLock", offsetof(struct checkpoint_options, network_lock), TEXT },
	{ "lsmProfile", offsetof(struct checkpoint_options, lsm_profile), TEXT },
	{ "lsmMountContext", offsetof(struct checkpoint_options, lsm_mount_context), TEXT },
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

static int take_list(struct oci_strings *ret, struct json_object *v)
{
	size_t n = json_object_array_length(v);

	ret->v = xcalloc(n + 1, sizeof(*ret->v));
	for (size_t i = 0; i < n; i++) {
		struct json_object *word = json_object_array_get_idx(v, i);

		if (!json_object_is_type(word, json_type_string))
			return -1;
		ret->v[ret->n++] = xstrdup(json_object_get_string(word));
	}
	return 0;
}

static int take_value(enum kind kind, void *place, struct json_object *v)
{
	static const enum json_type types[] = { [BOOL] = json_type_boolean,
						[TEXT] = json_type_string,
						[NUMBER] = json_type_int,
						[LIST] = json_type_array };

	if (!json_object_is_type(v, types[kind]))
		return -1;
	switch (kind) {
	case BOOL:
		*(bool *)place = json_object_get_boolean(v);
		return 0;
	case TEXT:
		free(*(char **)place);
		*(char **)place = xstrdup(json_object_get_string(v));
		return 0;
	case NUMBER:
		*(uint64_t *)place = json_object_get_uint64(v);
		return 0;
	case LIST:
		break;
	}
	return ((struct oci_strings *)place)->v ? -1 : take_list(place, v);
}

static int take_member(struct checkpoint_options *o, const char *name, struct json_object *v, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!strcmp(name, members[i].name))
			return take_value(members[i].kind, (char *)o + members[i].offset, v) == 0
				       ? 0
				       : err_set(err, ERR_PROTOCOL, "option '%s' is of another kind", name);
	return 0; /* a newer client's */
}

/* "ADDRESS:PORT", where an address of IPv6 may be in brackets. Returns the address, the caller's to free, or NULL. */
static char *split_address(const char *text, int *ret_port)
{
	const char *colon = strrchr(text, ':');
	char *end;
	long port = colon ? strtol(colon + 1, &end, 10) : 0;
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (len == 0 || port < 1 || port > 65535 || *end)
		return NULL;
	*ret_port = (int)port;
	if (text[0] == '[' && len > 2 && text[len - 1] == ']')
		return xasprintf("%.*s", (int)len - 2, text + 1);
	return xasprintf("%.*s", (int)len, text);
}

char *checkpoint_page_server(const struct checkpoint_options *o, int *ret_port)
{
	return o->page_server ? split_address(o->page_server, ret_port) : NULL;
}

static int check_page_server(const struct checkpoint_options *o, struct err *err)
{
	cleanup_free char *address = NULL;
	int port;

	if (!o->page_server)
		return 0;
	address = split_address(o->page_server, &port);
	return address ? 0 : err_set(err, ERR_USAGE, "--page-server is ADDRESS:PORT, not '%s'", o->page_server);
}

static int check_veths(const struct checkpoint_options *o, struct err *err)
{
	for (size_t i = 0; i < o->veths.n; i++)
		if (!veth_is_pair(o->veths.v[i]))
			return err_set(err, ERR_USAGE, "--veth is HOST=CONTAINER, not '%s'", o->veths.v[i]);
	return 0;
}

static const struct {
	const char *prefix, *path;
} lsm_kinds[] = { { "apparmor:", "/sys/kernel/security/apparmor" }, { "selinux:", "/sys/fs/selinux/enforce" } };

/* A profile of what this kernel does not have would be lost without a word. */
static int check_lsm(const struct checkpoint_options *o, struct err *err)
{
	if (o->lsm_mount_context && access(lsm_kinds[1].path, F_OK) < 0)
		return err_set(err, ERR_UNSUPPORTED, "--lsm-mount-context: SELinux is not in force here");
	for (size_t i = 0; o->lsm_profile && i < ARRAY_SIZE(lsm_kinds); i++)
		if (!strncmp(o->lsm_profile, lsm_kinds[i].prefix, strlen(lsm_kinds[i].prefix)))
			return access(lsm_kinds[i].path, F_OK) == 0
				       ? 0
				       : err_set(err, ERR_UNSUPPORTED, "--lsm-profile: %s is not in force here",
						 i == 0 ? "AppArmor" : "SELinux");
	return o->lsm_profile ? err_set(err, ERR_USAGE, "--lsm-profile is apparmor:NAME or selinux:NAME, not '%s'",
					o->lsm_profile)
			      : 0;
}

/* Nothing was said: that is as good. */
static bool is_one_of(const char *word, const char *const *words)
{
	while (word && *words && strcmp(word, *words) != 0)
		words++;
	return !word || *words;
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
	if (o->name && !manifest_is_image_name(o->name))
		return err_set(err, ERR_USAGE, "--name: an image cannot be called '%s'", o->name);
	if (!is_one_of(o->rootfs, (const char *const[]) { "auto", "reflink", "copy", "none", NULL }))
		return err_set(err, ERR_USAGE, "--rootfs is auto, reflink, copy or none, not '%s'", o->rootfs);
	if (!is_one_of(o->files, (const char *const[]) { "restore", "keep", "check", NULL }))
		return err_set(err, ERR_PROTOCOL, "the options do not say what becomes of the files");
	if (o->tcp_established && o->tcp_close)
		return err_set(err, ERR_USAGE, "--tcp-established and --tcp-close contradict each other");
	if (o->pre_dump && o->lazy_pages)
		return err_set(err, ERR_USAGE, "--pre-dump and --lazy-pages contradict each other");
	if (o->pre_copy && (o->pre_dump || o->parent_path || o->lazy_pages || o->page_server))
		return err_set(err, ERR_USAGE, "--pre-copy and --%s contradict each other",
			       o->pre_dump      ? "pre-dump"
			       : o->parent_path ? "parent-path"
			       : o->lazy_pages  ? "lazy-pages"
						: "page-server");
	if (o->pre_copy > MANIFEST_PARENTS_MAX)
		return err_set(err, ERR_USAGE, "--pre-copy: at most %d", MANIFEST_PARENTS_MAX);
	if (o->parent_path && (o->parent_path[0] == '/' || !o->parent_path[0]))
		return err_set(err, ERR_USAGE, "--parent-path is relative to --image-path, not '%s'", o->parent_path);
	if (o->timeout_s > TIMEOUT_MAX_S)
		return err_set(err, ERR_USAGE, "--timeout: at most %d seconds", TIMEOUT_MAX_S);
	if (check_page_server(o, err) < 0 || check_veths(o, err) < 0)
		return -1;
	return check_lsm(o, err);
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

static void free_list(struct oci_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
}

void checkpoint_options_release(struct checkpoint_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (members[i].kind == TEXT)
			free(*(char **)((char *)o + members[i].offset));
	free_list(&o->veths);
	free_list(&o->include_binds);
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
	for (size_t i = 0; i < p->n_roots; i++) {
		free(p->roots[i].ctrl);
		free(p->roots[i].path);
	}
	free(p->roots);
	free(p->root_list);
	free(p->root);
	free(p->freezer);
	free(p->parent);
	free(p->address);
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

void criu_plan_external(struct criu_plan *p, const char *key)
{
	add_external(p, xstrdup(key));
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

static void add_host_node(struct criu_plan *p, const char *path, const char *source, bool restore)
{
	add_mount(p, xstrdup(path), xstrdup(restore ? source : path));
}

/* Directories are masked by a file system of their own. /proc and /sys are not there before a restore, but the host's have the same. */
static bool is_directory(int root_fd, const char *path, bool restore)
{
	bool kernels = restore && (!strncmp(path, "/proc/", 6) || !strncmp(path, "/sys/", 5));
	cleanup_fd int fd = -1;
	struct stat st;
	struct err ignored;

	if (kernels)
		return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	return rootfs_open(root_fd, path, &fd, &ignored) == 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* In a user namespace nobody can make devices: they are the host's own there, and so is what masks files. Those that criu does not meet it ignores. */
static void add_nodes(struct criu_plan *p, const struct oci_config *config, int root_fd, bool restore)
{
	const char *name;

	for (size_t i = 0; (name = device_default_name(i)); i++) {
		cleanup_free char *path = xasprintf("/dev/%s", name);

		if (!device_is_mounted(config, path))
			add_host_node(p, path, path, restore);
	}
	for (size_t i = 0; i < config->n_devices; i++)
		if (!device_is_mounted(config, config->devices[i].path))
			add_host_node(p, config->devices[i].path, config->devices[i].path, restore);
	for (size_t i = 0; i < config->masked_paths.n; i++)
		if (!is_directory(root_fd, config->masked_paths.v[i], restore))
			add_host_node(p, config->masked_paths.v[i], "/dev/null", restore);
}

/* In a user namespace whoever is restored is not in a cgroup namespace of its own, and may mount nothing of it. */
static bool binds_groups(const struct oci_config *config)
{
	return !config->ns[OCI_NS_CGROUP].wanted || config->ns[OCI_NS_USER].wanted;
}

/* Of config.mounts[i]. criu follows no link in what it binds; mount(2), which made it at first, did. What is not there is told by criu. */
static char *bind_source(const struct criu_plan *p, const struct oci_config *config, size_t i)
{
	char *mapped = p->mapped ? mapped_binds_path(p->mapped, i) : NULL;
	char *real = mapped ? mapped : realpath(config->mounts[i].source, NULL);

	return real ? real : xstrdup(config->mounts[i].source);
}

/* What the config binds from outside. Masked paths are binds of the container's own files, and in a cgroup namespace its groups are mounts of their own: criu knows them. */
static int add_mounts(struct criu_plan *p, const struct oci_config *config, const struct cgroup *cgroup, int root_fd,
		      const char *root, bool restore, struct err *err)
{
	if (config->ns[OCI_NS_USER].wanted)
		add_nodes(p, config, root_fd, restore);
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];
		char *where;

		if (m->remount)
			continue;
		if (!m->bind && m->type && !strncmp(m->type, "cgroup", 6) && binds_groups(config))
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
		add_mount(p, where, restore ? bind_source(p, config, i) : xstrdup(where));
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

bool criu_plan_default_lock(const struct checkpoint_options *o)
{
	return !o->network_lock;
}

static void add_pages(struct criu_plan *p, const struct checkpoint_options *o)
{
	int port;

	if (o->lazy_pages)
		SET(&p->opts, lazy_pages, 1);
	if (!o->page_server)
		return;
	p->page_server = (CriuPageServer)CRIU_PAGE_SERVER__INIT;
	p->address = split_address(o->page_server, &port);
	p->page_server.address = p->address;
	SET(&p->page_server, port, port);
	p->opts.ps = &p->page_server;
}

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

void criu_plan_pre_copy(struct criu_plan *p, bool goes_on)
{
	SET(&p->opts, track_mem, 1);
	if (goes_on)
		p->opts.parent_img = (char *)MANIFEST_PARENT;
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

int criu_plan_check(const struct oci_config *config, struct err *err)
{
	const struct oci_seccomp *s = &config->seccomp;

	if (config->ns[OCI_NS_USER].path)
		return err_set(err, ERR_UNSUPPORTED,
			       "linux.namespaces: its user namespace is somebody else's, and CRIU only makes new ones");
	/* The filter is loaded again without its listener: each of those calls would fail from then on. */
	for (size_t i = 0; i < s->n_rules; i++)
		if (!strcmp(s->rules[i].action, "SCMP_ACT_NOTIFY"))
			return err_set(err, ERR_UNSUPPORTED,
				       "linux.seccomp.syscalls[%zu]: CRIU cannot bring back SCMP_ACT_NOTIFY", i);
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
	/* With a parent, too: else criu takes all pages for written. */
	SET(&p->opts, track_mem, o->pre_dump || o->parent_path);
	add_pages(p, o);
	/* criu writes into a directory below the image's. */
	if (o->parent_path)
		p->parent = p->opts.parent_img = xasprintf("../%s", o->parent_path);
	/* criu would wait for ever for one of them; without a group it stops them one by one. */
	if (freezer[0] && cgroup_can_trace_frozen(cgroup)) {
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

/* criu moves what it restores itself then: to the groups that we have made, whatever they were called at the dump. */
static void add_cgroup_roots(struct criu_plan *p, const struct oci_config *config, const struct cgroup *cgroup)
{
	/* criu is in that namespace itself, and the groups are its roots. */
	bool own = config->ns[OCI_NS_CGROUP].wanted;
	struct cgroup_view v;

	for (size_t i = 0; cgroup_view(cgroup, i, &v); i++) {
		p->roots = xreallocarray(p->roots, i + 1, sizeof(*p->roots));
		p->roots[i] = (CriuCgroupRoot)CRIU_CGROUP_ROOT__INIT;
		p->roots[i].ctrl = v.is_v2 ? NULL : xstrdup(v.subsystem);
		p->roots[i].path = xstrdup(own ? "/" : v.group_path);
		p->n_roots++;
	}
	p->root_list = xcalloc(p->n_roots + 1, sizeof(CriuCgroupRoot *));
	for (size_t i = 0; i < p->n_roots; i++)
		p->root_list[i] = &p->roots[i];
	p->opts.n_cg_root = p->n_roots;
	p->opts.cg_root = p->root_list;
}

/* In a user namespace criu asks the kernel from its own network namespace for an interface with the number that the container's end had, and fails where another one has that number there. */
bool criu_plan_own_network(const struct checkpoint_options *o, const struct oci_config *config)
{
	return config->ns[OCI_NS_USER].wanted && oci_has_new_ns(config, OCI_NS_NETWORK) && o->veths.n > 0 &&
	       !o->empty_network;
}

static void add_veths(struct criu_plan *p, const struct checkpoint_options *o, const struct oci_config *config)
{
	const char *end = criu_plan_own_network(o, config) ? "@=" : "=";

	for (size_t i = 0; i < o->veths.n; i++) {
		const char *pair = o->veths.v[i];

		add_external(p, xasprintf("veth[%s]:%.*s", strchr(pair, '=') + 1, (int)strcspn(pair, end), pair));
	}
}

/* Does `path` lie below a mount that criu is still to restore? */
static bool is_mounted_over(const struct oci_config *config, const char *path)
{
	for (size_t i = 0; i < config->n_mounts; i++) {
		const char *dir = config->mounts[i].destination;

		if (strcmp(dir, "/") != 0 && strcmp(dir, path) != 0 && path_is_below(path, dir))
			return true;
	}
	return false;
}

/* A root that is made anew may lack what is mounted on: as with create, it is made. */
static int make_mount_points(const struct oci_config *config, int root_fd, struct err *err)
{
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];
		cleanup_free char *clean = path_clean(m->destination);
		cleanup_fd int fd = -1;
		struct stat st = { .st_mode = S_IFDIR };
		struct err ignored;

		if (is_mounted_over(config, clean) || rootfs_open(root_fd, clean, &fd, &ignored) == 0)
			continue;
		if (m->bind && stat(m->source, &st) < 0)
			return err_sys(err, "mounts[%zu].source: '%s'", i, m->source);
		if (rootfs_make(root_fd, clean, S_ISDIR(st.st_mode) ? ROOTFS_DIR : ROOTFS_FILE, &fd, err) < 0)
			return err_add(err, "mounts[%zu].destination", i);
	}
	return 0;
}

/* criu (4.2.1) waits for ever for a process that could not get its profile. */
static int check_profile(const struct checkpoint_options *o, const struct oci_config *config, struct err *err)
{
	const char *prefix = lsm_kinds[0].prefix, *name = config->process.apparmor_profile;

	if (o->lsm_profile && !strncmp(o->lsm_profile, prefix, strlen(prefix)))
		name = o->lsm_profile + strlen(prefix);
	return name ? lsm_check_loaded(name, "/sys", err) : 0;
}

int criu_plan_restore(struct criu_plan *p, const struct checkpoint_options *o, const struct oci_config *config,
		      const char *rootfs, const struct cgroup *cgroup, int *ret_fds, size_t *ret_n, struct err *err)
{
	cleanup_fd int root_fd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	add_common(p, o, config, rootfs, "restore.log");
	if (check_profile(o, config, err) < 0)
		return -1;
	if (root_fd < 0)
		return err_sys(err, "cannot open '%s'", rootfs);
	if (make_mount_points(config, root_fd, err) < 0)
		return -1;
	SET(&p->opts, evasive_devices, 1);
	SET(&p->opts, rst_sibling, 1);
	p->opts.lsm_profile = o->lsm_profile;
	p->opts.lsm_mount_context = o->lsm_mount_context;
	if (o->lazy_pages)
		SET(&p->opts, lazy_pages, 1);
	if (p->opts.manage_cgroups_mode != CRIU_CGROUP_MODE__CG_IGNORE)
		add_cgroup_roots(p, config, cgroup);
	add_veths(p, o, config);
	add_joined(p, config);
	/* In runc's images that is the name of whatever masks a file. */
	if (config->masked_paths.n > 0)
		add_mount(p, xstrdup("/dev/null"), xstrdup("/dev/null"));
	if (inherit_namespaces(p, config, ret_fds, ret_n, err) < 0)
		return -1;
	return add_mounts(p, config, cgroup, root_fd, rootfs, true, err);
}
