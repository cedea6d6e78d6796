/* SPDX-License-Identifier: Apache-2.0 */
/* config.json as structs: the document, root, process, mounts, hooks. read_linux.c has the rest.
 *
 * Runs in the shim with its full privileges. The file is its caller's, who may make mistakes but gains nothing by malice; reading
 * touches nothing outside the process. Every field of the specification has a row in a table: read, or refused by its name when there
 * is something in it. What has no row is unknown to the specification and ignored, as it demands. */
#include <limits.h>
#include <string.h>

#include "common/fd.h"
#include "common/path.h"
#include "shim/oci/field.h"
#include "shim/oci/names.h"
#include "shim/oci/read.h"
#include "shim/oci/remount.h"

/* ---- root ---- */

static const struct row root_rows[] = {
	ROW("path", read_text, offsetof(struct oci_config, root_path), .required = true),
	ROW("readonly", read_bool, offsetof(struct oci_config, root_readonly)),
};
static const struct table root_table = TABLE(root_rows);

/* ---- process ---- */

static int read_umask(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_process *p = out;
	uint64_t n;

	if (want_u64(at, v, 0777, &n, err) < 0)
		return -1;
	p->umask = (mode_t)n;
	p->has_umask = true;
	return 0;
}

static int read_oom_score_adj(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_i64 *n = out;

	if (want_i64(at, v, -1000, 1000, &n->v, err) < 0)
		return -1;
	n->set = true;
	return 0;
}

/* struct winsize has 16 bits for each. */
static int read_console_side(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t n;

	if (want_u64(at, v, UINT16_MAX, &n, err) < 0)
		return -1;
	*(uint32_t *)out = (uint32_t)n;
	return 0;
}

/* The specification wants a warning, and no failure, for what the kernel does not have: so it is for names that may be a newer one's. */
static bool may_be_capability(const char *name)
{
	return !strncmp(name, "CAP_", 4) && name[4] &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == strlen(name);
}

static int read_capability(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t *set = out;
	const char *name;
	int cap;

	if (want_string(at, v, &name, err) < 0)
		return -1;
	cap = oci_capability_number(name);
	if (cap >= 0)
		*set |= 1ull << cap;
	else if (!may_be_capability(name))
		return refuse(at, err, ERR_CONFIG, "unknown capability '%s'", name);
	return 0;
}

static int read_rlimit_type(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *name;
	int resource;

	if (want_string(at, v, &name, err) < 0)
		return -1;
	resource = oci_rlimit_number(name);
	if (resource < 0)
		return refuse(at, err, ERR_CONFIG, "unknown limit '%s'", name);
	*(int *)out = resource;
	return 0;
}

static int read_rlimit_value(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t n;

	_Static_assert(sizeof(rlim_t) == sizeof(uint64_t), "limits have 64 bits");
	if (want_u64(at, v, UINT64_MAX, &n, err) < 0)
		return -1;
	*(rlim_t *)out = n;
	return 0;
}

static const struct list gid_list = LIST(sizeof(gid_t), read_id);
ASSERT_LIST(struct oci_process, n_additional_gids, additional_gids);

static const struct row user_rows[] = {
	ROW("uid", read_id, offsetof(struct oci_process, uid)),
	ROW("gid", read_id, offsetof(struct oci_process, gid)),
	ROW("umask", read_umask, 0),
	ROW("additionalGids", read_list, offsetof(struct oci_process, n_additional_gids), .arg = &gid_list),
	ROW("username", refuse_other_platform, 0),
};
static const struct table user_table = TABLE(user_rows);

static const struct row console_rows[] = {
	ROW("height", read_console_side, offsetof(struct oci_process, console_rows), .required = true),
	ROW("width", read_console_side, offsetof(struct oci_process, console_columns), .required = true),
};
static const struct table console_table = TABLE(console_rows);
static const struct present console = { offsetof(struct oci_process, has_console_size), 0, &console_table };

static const struct list capability_list = LIST(0, read_capability);

static const struct row capability_rows[] = {
	ROW("bounding", read_list, offsetof(struct oci_caps, bounding), .arg = &capability_list),
	ROW("effective", read_list, offsetof(struct oci_caps, effective), .arg = &capability_list),
	ROW("inheritable", read_list, offsetof(struct oci_caps, inheritable), .arg = &capability_list),
	ROW("permitted", read_list, offsetof(struct oci_caps, permitted), .arg = &capability_list),
	ROW("ambient", read_list, offsetof(struct oci_caps, ambient), .arg = &capability_list),
};
static const struct table capability_table = TABLE(capability_rows);
static const struct present capabilities = { offsetof(struct oci_process, caps.set), offsetof(struct oci_process, caps),
					     &capability_table };

#define UNKNOWN_MAX 64 /* what is beyond goes unmentioned */

static void note_unknown(struct oci_strings *unknown, const char *name)
{
	for (size_t i = 0; i < unknown->n; i++)
		if (!strcmp(unknown->v[i], name))
			return;
	unknown->v = xreallocarray(unknown->v, unknown->n + 2, sizeof(*unknown->v));
	unknown->v[unknown->n++] = xstrdup(name);
	unknown->v[unknown->n] = NULL;
}

static int read_capabilities(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_process *p = out;

	if (read_present(at, v, out, &capabilities, err) < 0)
		return -1;
	json_object_object_foreach(v, key, list)
	{
		(void)key;
		for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list);
		     i++) {
			const char *name = json_object_get_string(json_object_array_get_idx(list, i));

			if (p->caps.unknown.n < UNKNOWN_MAX && name && oci_capability_number(name) < 0 &&
			    may_be_capability(name))
				note_unknown(&p->caps.unknown, name);
		}
	}
	return 0;
}

static const struct row rlimit_rows[] = {
	ROW("type", read_rlimit_type, offsetof(struct oci_rlimit, resource), .required = true),
	ROW("soft", read_rlimit_value, offsetof(struct oci_rlimit, limit.rlim_cur), .required = true),
	ROW("hard", read_rlimit_value, offsetof(struct oci_rlimit, limit.rlim_max), .required = true),
};
static const struct table rlimit_table = TABLE(rlimit_rows);
static const struct list rlimit_list = LIST(sizeof(struct oci_rlimit), read_object, .arg = &rlimit_table);
ASSERT_LIST(struct oci_process, n_rlimits, rlimits);

static const struct row process_rows[] = {
	ROW("terminal", read_bool, offsetof(struct oci_process, terminal)),
	ROW("consoleSize", read_present, 0, .arg = &console),
	ROW("user", read_object, 0, .arg = &user_table),
	ROW("args", read_strings, offsetof(struct oci_process, args)),
	ROW("commandLine", refuse_other_platform, 0),
	ROW("env", read_env, offsetof(struct oci_process, env)),
	ROW("cwd", read_path, offsetof(struct oci_process, cwd), .required = true),
	ROW("capabilities", read_capabilities, 0),
	ROW("rlimits", read_list, offsetof(struct oci_process, n_rlimits), .arg = &rlimit_list),
	ROW("noNewPrivileges", read_bool, offsetof(struct oci_process, no_new_privileges)),
	ROW("oomScoreAdj", read_oom_score_adj, offsetof(struct oci_process, oom_score_adj)),
	ROW("apparmorProfile", read_string, offsetof(struct oci_process, apparmor_profile)),
	ROW("selinuxLabel", read_string, offsetof(struct oci_process, selinux_label)),
	ROW("ioPriority", read_present, offsetof(struct oci_process, io_priority), .arg = &oci_io_priority_present),
	ROW("scheduler", read_present, offsetof(struct oci_process, scheduler), .arg = &oci_scheduler_present),
	ROW("execCPUAffinity", read_object, 0, .arg = &oci_affinity_table),
};
static const struct table process_table = TABLE(process_rows);
static const struct present process = { offsetof(struct oci_config, has_process), offsetof(struct oci_config, process),
					&process_table };

/* ---- mounts ---- */

/* A relative destination is below the root, says the specification from 1.2 on. */
static int read_destination(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *text;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	if (!text[0])
		return refuse(at, err, ERR_CONFIG, "must not be empty");
	*(char **)out = path_clean(text);
	return 0;
}

static int read_mount_option(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *option;

	if (want_string(at, v, &option, err) < 0)
		return -1;
	oci_mount_option(out, option);
	return 0;
}

static const struct list mount_option_list = LIST(0, read_mount_option, .max = 1000);

static const struct row mount_rows[] = {
	ROW("destination", read_destination, offsetof(struct oci_mount, destination), .required = true),
	ROW("type", read_string, offsetof(struct oci_mount, type)),
	ROW("source", read_string, offsetof(struct oci_mount, source)),
	ROW("options", read_list, 0, .arg = &mount_option_list),
	ROW("uidMappings", read_list, offsetof(struct oci_mount, uid_maps), .arg = &oci_id_map_list),
	ROW("gidMappings", read_list, offsetof(struct oci_mount, gid_maps), .arg = &oci_id_map_list),
};
static const struct table mount_table = TABLE(mount_rows);

static int read_mount(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_mount *m = out;

	if (read_object(at, v, m, &mount_table, err) < 0)
		return -1;
	if (m->type && !strcmp(m->type, "bind"))
		m->bind = true;
	/* Mappings say it as well as the option. */
	m->idmap |= m->uid_maps.n || m->gid_maps.n;
	return 0;
}

static const struct list mount_list = LIST(sizeof(struct oci_mount), read_mount);
ASSERT_LIST(struct oci_config, n_mounts, mounts);

/* ---- hooks ---- */

static int read_timeout(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	int64_t n;

	if (want_i64(at, v, 1, INT_MAX, &n, err) < 0)
		return -1;
	*(int *)out = (int)n;
	return 0;
}

static const struct row hook_rows[] = {
	ROW("path", read_path, offsetof(struct oci_hook, path), .required = true),
	ROW("args", read_strings, offsetof(struct oci_hook, args)),
	ROW("env", read_env, offsetof(struct oci_hook, env)),
	ROW("timeout", read_timeout, offsetof(struct oci_hook, timeout_s)),
};
static const struct table hook_table = TABLE(hook_rows);
static const struct list hook_list = LIST(sizeof(struct oci_hook), read_object, .arg = &hook_table);
ASSERT_LIST(struct oci_hooks, n, v);

#define HOOKS(name, kind) ROW(name, read_list, offsetof(struct oci_config, hooks[kind]), .arg = &hook_list)
static const struct row hooks_rows[] = {
	HOOKS("prestart", OCI_HOOK_PRESTART),
	HOOKS("createRuntime", OCI_HOOK_CREATE_RUNTIME),
	HOOKS("createContainer", OCI_HOOK_CREATE_CONTAINER),
	HOOKS("startContainer", OCI_HOOK_START_CONTAINER),
	HOOKS("poststart", OCI_HOOK_POSTSTART),
	HOOKS("poststop", OCI_HOOK_POSTSTOP),
};
static const struct table hooks_table = TABLE(hooks_rows);

/* ---- the document ---- */

static int read_annotations(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_config *c = out;

	return read_pairs(at, v, &c->annotation_keys, &c->annotation_values, err);
}

static const struct row config_rows[] = {
	ROW("ociVersion", read_text, offsetof(struct oci_config, version), .required = true),
	ROW("root", read_object, 0, .arg = &root_table, .required = true),
	ROW("process", read_present, 0, .arg = &process),
	ROW("hostname", read_string, offsetof(struct oci_config, hostname)),
	ROW("domainname", read_string, offsetof(struct oci_config, domainname)),
	ROW("mounts", read_list, offsetof(struct oci_config, n_mounts), .arg = &mount_list),
	ROW("hooks", read_object, 0, .arg = &hooks_table),
	ROW("annotations", read_annotations, 0),
	ROW("linux", read_object, 0, .arg = &oci_linux_table),
	ROW("windows", refuse_other_platform, 0),
	ROW("solaris", refuse_other_platform, 0),
	ROW("vm", refuse_other_platform, 0),
	ROW("zos", refuse_other_platform, 0),
	ROW("freebsd", refuse_present_platform, 0),
};
static const struct table config_table = TABLE(config_rows);

static void cleanup_config_fn(struct oci_config **c)
{
	oci_config_free(*c);
}

/* Managers list a device again that was asked for twice. The first one counts, as with runc, which leaves what it finds. */
static void drop_repeated_devices(struct oci_config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_devices; i++) {
		bool known = false;

		for (size_t k = 0; k < n && !known; k++)
			known = !strcmp(config->devices[i].path, config->devices[k].path);
		if (known)
			free(config->devices[i].path);
		else
			config->devices[n++] = config->devices[i];
	}
	config->n_devices = n;
}

int oci_config_parse(const char *text, size_t len, struct oci_config **ret_config, struct err *err)
{
	__attribute__((cleanup(cleanup_config_fn))) struct oci_config *config = NULL;
	cleanup_json struct json_object *root = NULL;
	struct at document = { 0 };

	if (len > OCI_CONFIG_MAX)
		return err_set(err, ERR_LIMIT, "config.json: larger than %d bytes", OCI_CONFIG_MAX);
	if (oci_json_parse("config.json", text, len, &root, err) < 0)
		return -1;
	config = xcalloc(1, sizeof(*config));
	if (read_object(&document, root, config, &config_table, err) < 0 || oci_inherit_remounts(config, err) < 0 ||
	    oci_config_check(config, err) < 0)
		return -1;
	drop_repeated_devices(config);
	*ret_config = take_ptr(config);
	return 0;
}

static void cleanup_resources_fn(struct oci_resources **r)
{
	oci_resources_free(*r);
}

int oci_resources_parse(const char *name, const char *text, size_t len, struct oci_resources **ret, struct err *err)
{
	__attribute__((cleanup(cleanup_resources_fn))) struct oci_resources *r = NULL;
	struct at document = { 0 }, in_linux = { .up = &document, .key = "linux" },
		  at = { .up = &in_linux, .key = "resources" };
	cleanup_json struct json_object *root = NULL;

	if (oci_json_parse(name, text, len, &root, err) < 0)
		return -1;
	r = xcalloc(1, sizeof(*r));
	if (read_object(&at, root, r, &oci_resources_table, err) < 0 || oci_resources_check(r, err) < 0)
		return -1;
	*ret = take_ptr(r);
	return 0;
}

int oci_intel_rdt_parse(const char *name, const char *text, size_t len, struct oci_intel_rdt *ret, struct err *err)
{
	struct at document = { 0 }, in_linux = { .up = &document, .key = "linux" },
		  at = { .up = &in_linux, .key = "intelRdt" };
	cleanup_json struct json_object *root = NULL;
	struct json_object *member;

	*ret = (struct oci_intel_rdt) { 0 };
	if (oci_json_parse(name, text, len, &root, err) < 0)
		return -1;
	if (!json_object_object_get_ex(root, "intelRdt", &member) ||
	    read_filled(&at, member, ret, &oci_intel_rdt_present, err) == 0)
		return 0;
	oci_intel_rdt_release(ret);
	return -1;
}
