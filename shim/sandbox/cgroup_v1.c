/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in the files of cgroup v1. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_internal.h"

/* Device rules as text: "c 1:3 rwm". */
static void device_rule_text(const struct oci_device_rule *d, char *buf, size_t size)
{
	char major[24] = "*", minor[24] = "*";

	if (d->major >= 0)
		snprintf(major, sizeof(major), "%" PRId64, d->major);
	if (d->minor >= 0)
		snprintf(minor, sizeof(minor), "%" PRId64, d->minor);
	snprintf(buf, size, "%c %s:%s %s", d->type, major, minor, d->access);
}

/* What every container may use, whatever its list says: the default devices, its terminals, and making nodes. */
static const char *const default_devices[] = {
	"c *:* m",   "b *:* m",	  "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",  "c 1:8 rwm",
	"c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
};

static int apply_devices(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	static const char field[] = "linux.resources.devices";
	const struct hierarchy *h = cgroup_find(cg, "devices");

	if (!h)
		return r->n_devices ? err_set(err, ERR_UNSUPPORTED, "%s: no devices cgroup is mounted", field) : 0;
	/* Everything is denied first: without a list a container has the default devices only. */
	if (cgroup_write(h, field, "devices.deny", "a", err) < 0)
		return -1;
	for (size_t i = 0; i < r->n_devices; i++) {
		const struct oci_device_rule *d = &r->devices[i];
		char text[80];

		device_rule_text(d, text, sizeof(text));
		if (d->type == 'a')
			snprintf(text, sizeof(text), "a");
		if (cgroup_write(h, field, d->allow ? "devices.allow" : "devices.deny", text, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++)
		if (cgroup_write(h, field, "devices.allow", default_devices[i], err) < 0)
			return -1;
	return 0;
}

/* One number of the config and the file that takes it. */
struct row {
	const char *field, *controller, *file;
	bool set;
	bool is_unsigned;
	int64_t v;
};

static int write_row(struct cgroup *cg, const struct row *row, struct err *err)
{
	const struct hierarchy *h;
	char text[32];

	if (!row->set)
		return 0;
	h = cgroup_find(cg, row->controller);
	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "%s: no %s cgroup is mounted", row->field, row->controller);
	if (row->is_unsigned)
		snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)row->v);
	else
		snprintf(text, sizeof(text), "%" PRId64, row->v);
	return cgroup_write(h, row->field, row->file, text, err);
}

static int apply_numbers(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
#define S(f, c, file, m) { "linux.resources." f, c, file, r->m.set, false, (int64_t)r->m.v }
#define U(f, c, file, m) { "linux.resources." f, c, file, r->m.set, true, (int64_t)r->m.v }
	/* clang-format off */
	/* In this order: the kernel keeps limit <= swap, and quota and runtime are judged against their period. */
	const struct row rows[] = {
		S("memory.limit",        "memory", "memory.limit_in_bytes",      memory.limit),
		S("memory.swap",         "memory", "memory.memsw.limit_in_bytes", memory.swap),
		S("memory.reservation",  "memory", "memory.soft_limit_in_bytes", memory.reservation),
		U("memory.swappiness",   "memory", "memory.swappiness",          memory.swappiness),
		U("cpu.shares",          "cpu",    "cpu.shares",                 cpu.shares),
		U("cpu.period",          "cpu",    "cpu.cfs_period_us",          cpu.period),
		S("cpu.quota",           "cpu",    "cpu.cfs_quota_us",           cpu.quota),
		U("cpu.burst",           "cpu",    "cpu.cfs_burst_us",           cpu.burst),
		U("cpu.realtimePeriod",  "cpu",    "cpu.rt_period_us",           cpu.realtime_period),
		S("cpu.realtimeRuntime", "cpu",    "cpu.rt_runtime_us",          cpu.realtime_runtime),
		S("cpu.idle",            "cpu",    "cpu.idle",                   cpu.idle),
	};
	/* clang-format on */
#undef S
#undef U
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (write_row(cg, &rows[i], err) < 0)
			return -1;
	return 0;
}

static int apply_cpuset(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	const struct hierarchy *h = cgroup_find(cg, "cpuset");

	if (!r->cpu.cpus && !r->cpu.mems)
		return 0;
	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "linux.resources.cpu.cpus: no cpuset cgroup is mounted");
	if (r->cpu.cpus && r->cpu.cpus[0] && cgroup_write(h, "linux.resources.cpu.cpus", "cpuset.cpus", r->cpu.cpus, err) < 0)
		return -1;
	if (r->cpu.mems && r->cpu.mems[0] && cgroup_write(h, "linux.resources.cpu.mems", "cpuset.mems", r->cpu.mems, err) < 0)
		return -1;
	return 0;
}

static int apply_pids(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	const struct hierarchy *h = cgroup_find(cg, "pids");
	char text[32] = "max";

	if (!r->pids_limit.set)
		return 0;
	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "linux.resources.pids.limit: no pids cgroup is mounted");
	if (r->pids_limit.v >= 0)
		snprintf(text, sizeof(text), "%" PRId64, r->pids_limit.v);
	return cgroup_write(h, "linux.resources.pids.limit", "pids.max", text, err);
}

int cgroup_v1_apply(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	const struct hierarchy *memory = cgroup_find(cg, "memory");

	if (apply_devices(cg, r, err) < 0 || apply_numbers(cg, r, err) < 0 || apply_cpuset(cg, r, err) < 0 ||
	    apply_pids(cg, r, err) < 0)
		return -1;
	if (r->memory.disable_oom_killer && memory)
		return cgroup_write(memory, "linux.resources.memory.disableOOMKiller", "memory.oom_control", "1", err);
	return 0;
}

/* A new cpuset has no cpus and no memory nodes: nothing can join it until it has its parent's. */
int cgroup_v1_level_made(const struct hierarchy *h, const char *dir, struct err *err)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	cleanup_free char *parent = NULL;

	if (!strstr(h->subsystem, "cpuset"))
		return 0;
	parent = strndup(dir, (size_t)(strrchr(dir, '/') - dir));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *from = xasprintf("%s/%s", parent, files[i]), *to = xasprintf("%s/%s", dir, files[i]);
		cleanup_free char *text = NULL;

		if (fd_read_file_at(AT_FDCWD, from, 65536, &text, err) < 0 ||
		    fd_write_file_at(AT_FDCWD, to, text, err) < 0)
			return -1;
	}
	return 0;
}
