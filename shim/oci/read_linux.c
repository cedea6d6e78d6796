/* SPDX-License-Identifier: Apache-2.0 */
/* The "linux" part of config.json: namespaces, devices, resources, seccomp, paths. */
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/oci/names.h"
#include "shim/oci/read.h"

/* dev_t of the kernel: 12 bits and 20. */
#define MAJOR_MAX 0xfff
#define MINOR_MAX 0xfffff

/* ---- namespaces ---- */

struct namespace_entry {
	char *type;
	char *path;
};

static void cleanup_entry_fn(struct namespace_entry *e)
{
	free(e->type);
	free(e->path);
}

/* An empty path is none: it is what writers with fixed structs put there. As it is written: it may be a link's. */
static int read_optional_path(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	char **path = out;

	if (read_string(at, v, path, arg, err) < 0)
		return -1;
	if (*path && (*path)[0] != '/')
		return refuse(at, err, ERR_CONFIG, "must be an absolute path");
	return 0;
}

static const struct row namespace_rows[] = {
	ROW("type", read_text, offsetof(struct namespace_entry, type), .required = true),
	ROW("path", read_optional_path, offsetof(struct namespace_entry, path)),
};
static const struct table namespace_table = TABLE(namespace_rows);

static int read_namespace(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	__attribute__((cleanup(cleanup_entry_fn))) struct namespace_entry entry = { 0 };
	struct at type_at = { .up = at, .key = "type" };
	struct oci_config *c = out;
	enum oci_ns ns;

	if (read_object(at, v, &entry, &namespace_table, err) < 0)
		return -1;
	ns = oci_ns_number(entry.type);
	if (ns == OCI_NS_COUNT)
		return refuse(&type_at, err, ERR_CONFIG, "unknown namespace '%s'", entry.type);
	if (c->ns[ns].wanted)
		return refuse(&type_at, err, ERR_CONFIG, "'%s' is listed twice", entry.type);
	c->ns[ns].wanted = true;
	c->ns[ns].path = take_ptr(entry.path);
	return 0;
}

static const struct list namespace_list = LIST(0, read_namespace);

/* ---- devices ---- */

static int read_device_type(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *text;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	if (!text[0] || text[1] || !strchr("cbup", text[0]))
		return refuse(at, err, ERR_CONFIG, "must be 'c', 'b', 'u' or 'p'");
	*(char *)out = text[0] == 'u' ? 'c' : text[0];
	return 0;
}

static int read_major(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return want_i64(at, v, 0, MAJOR_MAX, out, err);
}

static int read_minor(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return want_i64(at, v, 0, MINOR_MAX, out, err);
}

/* Some writers copy st_mode of the host's device, type included. */
static int read_file_mode(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t n;

	if (want_u64(at, v, S_IFMT | 07777, &n, err) < 0)
		return -1;
	*(mode_t *)out = (mode_t)n;
	return 0;
}

static int read_device_path(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	if (read_path(at, v, out, arg, err) < 0)
		return -1;
	return !strcmp(*(char **)out, "/") ? refuse(at, err, ERR_CONFIG, "must be a file in a directory") : 0;
}

static const struct row device_rows[] = {
	ROW("type", read_device_type, offsetof(struct oci_device, type), .required = true),
	ROW("path", read_device_path, offsetof(struct oci_device, path), .required = true),
	ROW("major", read_major, offsetof(struct oci_device, major)),
	ROW("minor", read_minor, offsetof(struct oci_device, minor)),
	ROW("fileMode", read_file_mode, offsetof(struct oci_device, mode)),
	ROW("uid", read_id, offsetof(struct oci_device, uid)),
	ROW("gid", read_id, offsetof(struct oci_device, gid)),
};
static const struct table device_table = TABLE(device_rows);

static mode_t device_type_bits(char type)
{
	return type == 'c' ? S_IFCHR : type == 'b' ? S_IFBLK : S_IFIFO;
}

static int read_device(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct at mode_at = { .up = at, .key = "fileMode" };
	struct oci_device *d = out;

	*d = (struct oci_device) { .major = -1, .minor = -1, .mode = 0666 };
	if (read_object(at, v, d, &device_table, err) < 0)
		return -1;
	if (d->type != 'p' && (d->major < 0 || d->minor < 0)) {
		struct at number_at = { .up = at, .key = d->major < 0 ? "major" : "minor" };

		return refuse(&number_at, err, ERR_CONFIG, "is missing");
	}
	if (d->type == 'p')
		d->major = d->minor = 0;
	if ((d->mode & S_IFMT) && (d->mode & S_IFMT) != device_type_bits(d->type))
		return refuse(&mode_at, err, ERR_CONFIG, "says another type than '%c'", d->type);
	d->mode &= 07777;
	return 0;
}

static const struct list device_list = LIST(sizeof(struct oci_device), read_device);
ASSERT_LIST(struct oci_config, n_devices, devices);

/* ---- resources.devices ---- */

static int read_rule_type(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *text;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	if (!text[0])
		return 0;
	if (text[1] || !strchr("acb", text[0]))
		return refuse(at, err, ERR_CONFIG, "must be 'a', 'c' or 'b'");
	*(char *)out = text[0];
	return 0;
}

static int read_rule_number(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return want_i64(at, v, -1, UINT32_MAX, out, err);
}

static int read_access(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	char *access = out;
	const char *text;
	size_t n = 0;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	if (text[strspn(text, "rwm")])
		return refuse(at, err, ERR_CONFIG, "must be made of 'r', 'w' and 'm'");
	for (const char *c = "rwm"; *c; c++)
		if (strchr(text, *c))
			access[n++] = *c;
	access[n] = '\0';
	return 0;
}

static const struct row rule_rows[] = {
	ROW("allow", read_bool, offsetof(struct oci_device_rule, allow), .required = true),
	ROW("type", read_rule_type, offsetof(struct oci_device_rule, type)),
	ROW("major", read_rule_number, offsetof(struct oci_device_rule, major)),
	ROW("minor", read_rule_number, offsetof(struct oci_device_rule, minor)),
	ROW("access", read_access, offsetof(struct oci_device_rule, access)),
};
static const struct table rule_table = TABLE(rule_rows);

static int read_device_rule(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct at type_at = { .up = at, .key = "type" }, access_at = { .up = at, .key = "access" };
	struct oci_device_rule *r = out;

	*r = (struct oci_device_rule) { .type = 'a', .major = -1, .minor = -1 };
	if (read_object(at, v, r, &rule_table, err) < 0)
		return -1;
	/* The kernel looks at nothing behind an 'a': what was meant for one device would open all. */
	if (r->type == 'a' && (r->major >= 0 || r->minor >= 0))
		return refuse(&type_at, err, ERR_CONFIG, "must be 'c' or 'b' when there is a device number");
	/* Forbidding without saying what means everything; allowing has to say it. */
	if (!r->access[0] && r->allow)
		return refuse(&access_at, err, ERR_CONFIG, "is missing");
	if (!r->access[0])
		memcpy(r->access, "rwm", sizeof("rwm"));
	return 0;
}

static const struct list rule_list = LIST(sizeof(struct oci_device_rule), read_device_rule);
ASSERT_LIST(struct oci_resources, n_devices, devices);

/* ---- resources ---- */

static int read_disable_oom_killer(const struct at *at, struct json_object *v, void *out, const void *arg,
				   struct err *err)
{
	struct oci_resources *r = out;

	r->memory.disable_oom_killer_set = true;
	return read_bool(at, v, &r->memory.disable_oom_killer, arg, err);
}

static int read_use_hierarchy(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_resources *r = out;

	r->memory.use_hierarchy_set = true;
	return read_bool(at, v, &r->memory.use_hierarchy, arg, err);
}

static int read_swappiness(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_u64 *n = out;

	if (want_u64(at, v, 100, &n->v, err) < 0)
		return -1;
	n->set = true;
	return 0;
}

/* Limits of the kernel's own memory are no more in the kernel, and no longer recommended: every runtime ignores them. */
static int read_kernel_memory(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	if (read_i64(at, v, out, arg, err) < 0)
		return -1;
	log_debug("linux.resources.memory.%s is ignored: kernels have it no more", at->key);
	return 0;
}

#define MEMORY(field) offsetof(struct oci_resources, memory.field)
static const struct row memory_rows[] = {
	ROW("limit", read_i64, MEMORY(limit)),
	ROW("reservation", read_i64, MEMORY(reservation)),
	ROW("swap", read_i64, MEMORY(swap)),
	ROW("kernel", read_kernel_memory, MEMORY(kernel)),
	ROW("kernelTCP", read_kernel_memory, MEMORY(kernel_tcp)),
	ROW("swappiness", read_swappiness, MEMORY(swappiness)),
	ROW("disableOOMKiller", read_disable_oom_killer, 0),
	ROW("useHierarchy", read_use_hierarchy, 0),
	ROW("checkBeforeUpdate", read_bool, MEMORY(check_before_update)),
};
static const struct table memory_table = TABLE(memory_rows);

#define SHARES_MIN 2
#define SHARES_MAX 262144

/* The kernel's v1 takes what is beyond for the nearest it has, and says nothing. 0 is what writers with fixed structs leave behind where there is none. */
static int read_shares(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_u64 *n = out;

	if (read_u64(at, v, out, arg, err) < 0)
		return -1;
	if (n->v != 0 && (n->v < SHARES_MIN || n->v > SHARES_MAX))
		return refuse(at, err, ERR_CONFIG, "must be between %d and %d", SHARES_MIN, SHARES_MAX);
	return 0;
}

#define CPU(field) offsetof(struct oci_resources, cpu.field)
static const struct row cpu_rows[] = {
	ROW("shares", read_shares, CPU(shares)),
	ROW("quota", read_i64, CPU(quota)),
	ROW("burst", read_u64, CPU(burst)),
	ROW("period", read_u64, CPU(period)),
	ROW("realtimeRuntime", read_i64, CPU(realtime_runtime)),
	ROW("realtimePeriod", read_u64, CPU(realtime_period)),
	ROW("cpus", read_string, CPU(cpus)),
	ROW("mems", read_string, CPU(mems)),
	ROW("idle", read_i64, CPU(idle)),
};
static const struct table cpu_table = TABLE(cpu_rows);

static const struct row pids_rows[] = {
	ROW("limit", read_i64, offsetof(struct oci_resources, pids_limit)),
};
static const struct table pids_table = TABLE(pids_rows);

static const struct row resources_rows[] = {
	ROW("devices", read_list, offsetof(struct oci_resources, n_devices), .arg = &rule_list),
	ROW("memory", read_object, 0, .arg = &memory_table),
	ROW("cpu", read_object, 0, .arg = &cpu_table),
	ROW("pids", read_object, 0, .arg = &pids_table),
	ROW("blockIO", read_object, 0, .arg = &oci_block_io_table),
	ROW("network", read_object, 0, .arg = &oci_network_table),
	ROW("hugepageLimits", read_list, offsetof(struct oci_resources, n_hugepages), .arg = &oci_hugepage_list),
	ROW("rdma", read_rdma, 0),
	ROW("unified", read_unified, 0),
};
const struct table oci_resources_table = TABLE(resources_rows);

/* ---- seccomp: words stay words here, shim/sandbox/seccomp.c knows what they mean ---- */

static int read_arg_index(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	uint64_t n;

	if (want_u64(at, v, 5, &n, err) < 0)
		return -1;
	*(unsigned int *)out = (unsigned int)n;
	return 0;
}

static int read_arg_value(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	return want_u64(at, v, UINT64_MAX, out, err);
}

static int read_names(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	if (read_strings(at, v, out, arg, err) < 0)
		return -1;
	return ((struct oci_strings *)out)->n > 0 ? 0 : refuse(at, err, ERR_CONFIG, "must not be empty");
}

static const struct row arg_rows[] = {
	ROW("index", read_arg_index, offsetof(struct oci_seccomp_arg, index), .required = true),
	ROW("value", read_arg_value, offsetof(struct oci_seccomp_arg, value), .required = true),
	ROW("valueTwo", read_arg_value, offsetof(struct oci_seccomp_arg, value_two)),
	ROW("op", read_text, offsetof(struct oci_seccomp_arg, op), .required = true),
};
static const struct table arg_table = TABLE(arg_rows);
static const struct list arg_list = LIST(sizeof(struct oci_seccomp_arg), read_object, .arg = &arg_table);
ASSERT_LIST(struct oci_seccomp_rule, n_args, args);

static const struct row syscall_rows[] = {
	ROW("names", read_names, offsetof(struct oci_seccomp_rule, names), .required = true),
	ROW("action", read_text, offsetof(struct oci_seccomp_rule, action), .required = true),
	ROW("errnoRet", read_u64, offsetof(struct oci_seccomp_rule, errno_ret)),
	ROW("args", read_list, offsetof(struct oci_seccomp_rule, n_args), .arg = &arg_list),
};
static const struct table syscall_table = TABLE(syscall_rows);
static const struct list syscall_list = LIST(sizeof(struct oci_seccomp_rule), read_object, .arg = &syscall_table);
ASSERT_LIST(struct oci_seccomp, n_rules, rules);

static const struct row seccomp_rows[] = {
	ROW("defaultAction", read_string, offsetof(struct oci_seccomp, default_action)),
	ROW("defaultErrnoRet", read_u64, offsetof(struct oci_seccomp, default_errno_ret)),
	ROW("architectures", read_strings, offsetof(struct oci_seccomp, architectures)),
	ROW("flags", read_strings, offsetof(struct oci_seccomp, flags)),
	ROW("listenerPath", read_optional_path, offsetof(struct oci_seccomp, listener_path)),
	ROW("listenerMetadata", read_string, offsetof(struct oci_seccomp, listener_metadata)),
	ROW("syscalls", read_list, offsetof(struct oci_seccomp, n_rules), .arg = &syscall_list),
};
static const struct table seccomp_table = TABLE(seccomp_rows);

/* Neither a default nor a rule is how some writers say "no filter". */
static int read_seccomp(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct at action_at = { .up = at, .key = "defaultAction" }, path_at = { .up = at, .key = "listenerPath" };
	struct oci_seccomp *s = out;

	if (read_object(at, v, s, &seccomp_table, err) < 0)
		return -1;
	if (!s->default_action && s->n_rules > 0)
		return refuse(&action_at, err, ERR_CONFIG, "is missing");
	if (s->listener_metadata && !s->listener_path)
		return refuse(&path_at, err, ERR_CONFIG, "is missing: listenerMetadata is for it");
	s->set = s->default_action != NULL;
	return 0;
}

/* ---- linux ---- */

static int read_propagation(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *text;

	if (want_string(at, v, &text, err) < 0)
		return -1;
	if (text[0] && !oci_propagation_flags(text, out))
		return refuse(at, err, ERR_CONFIG, "must be 'private', 'slave', 'shared' or 'unbindable'");
	return 0;
}

static const struct row time_offsets_rows[] = {
	ROW("monotonic", read_filled, offsetof(struct oci_config, monotonic), .arg = &oci_time_offset_present),
	ROW("boottime", read_filled, offsetof(struct oci_config, boottime), .arg = &oci_time_offset_present),
};
static const struct table time_offsets_table = TABLE(time_offsets_rows);

/* The keys are the names of clocks, and there are no others. */
static int read_time_offsets(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	if (read_object(at, v, out, &time_offsets_table, err) < 0)
		return -1;
	json_object_object_foreach(v, key, value)
	{
		struct at member = { .up = at, .key = key };

		if (value && strcmp(key, "monotonic") != 0 && strcmp(key, "boottime") != 0)
			return refuse(&member, err, ERR_CONFIG, "must be of 'monotonic' or 'boottime'");
	}
	return 0;
}

/* It is put between quotes for the kernel. */
static int read_label(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	if (read_string(at, v, out, arg, err) < 0)
		return -1;
	if (*(char **)out && strchr(*(char **)out, '"'))
		return refuse(at, err, ERR_CONFIG, "must not have quotes in it");
	return 0;
}

static int read_sysctl(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_config *c = out;

	return read_pairs(at, v, &c->sysctl_keys, &c->sysctl_values, err);
}

static const struct row linux_rows[] = {
	ROW("namespaces", read_list, 0, .arg = &namespace_list),
	ROW("devices", read_list, offsetof(struct oci_config, n_devices), .arg = &device_list),
	ROW("cgroupsPath", read_string, offsetof(struct oci_config, cgroups_path)),
	ROW("resources", read_object, offsetof(struct oci_config, resources), .arg = &oci_resources_table),
	ROW("seccomp", read_seccomp, offsetof(struct oci_config, seccomp)),
	ROW("rootfsPropagation", read_propagation, offsetof(struct oci_config, rootfs_propagation)),
	ROW("maskedPaths", read_paths, offsetof(struct oci_config, masked_paths)),
	ROW("readonlyPaths", read_paths, offsetof(struct oci_config, readonly_paths)),
	ROW("uidMappings", read_list, offsetof(struct oci_config, uid_maps), .arg = &oci_id_map_list),
	ROW("gidMappings", read_list, offsetof(struct oci_config, gid_maps), .arg = &oci_id_map_list),
	ROW("timeOffsets", read_time_offsets, 0),
	ROW("sysctl", read_sysctl, 0),
	ROW("mountLabel", read_label, offsetof(struct oci_config, mount_label)),
	ROW("netDevices", read_net_devices, 0),
	ROW("intelRdt", read_filled, offsetof(struct oci_config, intel_rdt), .arg = &oci_intel_rdt_present),
	ROW("memoryPolicy", read_present, offsetof(struct oci_config, process.memory_policy),
	    .arg = &oci_memory_policy_present),
	ROW("personality", read_present, offsetof(struct oci_config, process.personality),
	    .arg = &oci_personality_present),
};
const struct table oci_linux_table = TABLE(linux_rows);
