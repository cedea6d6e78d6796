/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in the files of cgroup v1. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_plan.h"

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

/* What every container may use, whatever its list says: the default devices, its terminals, tunnels (as runc
 * and crun: /dev/net/tun reaches no further than its network namespace), and making nodes. */
static const char *const default_devices[] = {
	"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",   "c 1:8 rwm",
	"c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm", "c 10:200 rwm",
};

static const char devices_field[] = "linux.resources.devices";

/* The file that takes what is denied, and the one that takes what is allowed: some of the rules go into either. */
struct device_files {
	char *path[2];
	int fd[2];
};

static void device_files_close(struct device_files *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->fd); i++) {
		free(f->path[i]);
		fd_close(&f->fd[i]);
	}
}

static int device_files_open(struct device_files *f, const struct hierarchy *h, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->fd); i++) {
		f->path[i] = xasprintf("%s/devices.%s", h->dir, i ? "allow" : "deny");
		f->fd[i] = open(f->path[i], O_WRONLY | O_CLOEXEC);
		if (f->fd[i] < 0)
			return err_sys(err, "%s: cannot open '%s'", devices_field, f->path[i]);
	}
	return 0;
}

static int write_rule(const struct device_files *f, bool allow, const char *text, struct err *err)
{
	if (fd_write_file(f->fd[allow], f->path[allow], text, err) < 0)
		return err_add(err, "%s", devices_field);
	return 0;
}

int cgroup_v1_devices(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	__attribute__((cleanup(device_files_close))) struct device_files f = { .fd = { -1, -1 } };
	const struct hierarchy *h = cgroup_find(cg, "devices");

	if (!h)
		return r->n_devices ? err_set(err, ERR_UNSUPPORTED, "%s: no devices cgroup is mounted", devices_field)
				    : 0;
	/* Everything is denied first: without a list a container has the default devices only. */
	if (device_files_open(&f, h, err) < 0 || write_rule(&f, false, "a", err) < 0)
		return -1;
	for (size_t i = 0; i < r->n_devices; i++) {
		const struct oci_device_rule *d = &r->devices[i];
		char text[80];

		device_rule_text(d, text, sizeof(text));
		if (d->type == 'a')
			snprintf(text, sizeof(text), "a");
		if (write_rule(&f, d->allow, text, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++)
		if (write_rule(&f, true, default_devices[i], err) < 0)
			return -1;
	return 0;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------------------- */

/* One number of the config and the file that takes it. 0 is what writers with fixed structs leave behind where there is nothing. */
struct row {
	const char *field, *controller, *file;
	bool set, pair;
	bool is_unsigned;
	int64_t v;
};

static int plan_row(const struct cgroup *cg, const struct row *row, struct cgroup_plan *plan, struct err *err)
{
	const struct hierarchy *h;
	struct cgroup_setting *s;

	if (!row->set)
		return 0;
	h = cgroup_find(cg, row->controller);
	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "%s: no %s cgroup is mounted", row->field, row->controller);
	if (row->is_unsigned)
		s = cgroup_plan_add(plan, h, row->field, row->file, "%" PRIu64, (uint64_t)row->v);
	else
		s = cgroup_plan_add(plan, h, row->field, row->file, "%" PRId64, row->v);
	s->pair = row->pair;
	return 0;
}

/* Not every kernel has been told to. */
static bool counts_swap(const struct cgroup *cg)
{
	const struct hierarchy *h = cgroup_find(cg, "memory");
	cleanup_free char *path = h ? xasprintf("%s/memory.memsw.limit_in_bytes", h->dir) : NULL;

	return path && access(path, F_OK) == 0;
}

static int plan_numbers(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan,
			struct err *err)
{
#define U(f, c, file, m)                                                                                               \
	{                                                                                                              \
		"linux.resources." f, c, file, r->m.set, false, true, (int64_t)r->m.v                                  \
	}
#define NONZERO(m) (r->m.set && r->m.v != 0)
	const bool both_memory = NONZERO(memory.limit) && NONZERO(memory.swap);
	const bool unlimited = NONZERO(memory.limit) && r->memory.limit.v < 0 && counts_swap(cg);
	const bool both_quota = NONZERO(cpu.period) && NONZERO(cpu.quota);
	/* clang-format off */
	/* The kernel keeps limit <= swap, and judges quota and runtime against their period: hence the pairs. Without a limit of memory there can be
	 * none of memory and swap together, so it goes with it. */
	const struct row rows[] = {
		{ "linux.resources.memory.limit", "memory", "memory.memsw.limit_in_bytes", unlimited && !both_memory, false, false, -1 },
		{ "linux.resources.memory.limit", "memory", "memory.limit_in_bytes", NONZERO(memory.limit), both_memory, false, r->memory.limit.v },
		{ "linux.resources.memory.swap", "memory", "memory.memsw.limit_in_bytes", NONZERO(memory.swap), false, false, r->memory.swap.v },
		{ "linux.resources.memory.reservation", "memory", "memory.soft_limit_in_bytes", NONZERO(memory.reservation), false, false, r->memory.reservation.v },
		U("memory.swappiness",   "memory", "memory.swappiness",          memory.swappiness),
		{ "linux.resources.cpu.idle", "cpu", "cpu.idle", cgroup_plan_leaves_idle(r), false, false, 0 },
		{ "linux.resources.cpu.shares", "cpu", "cpu.shares", NONZERO(cpu.shares), false, true, (int64_t)r->cpu.shares.v },
		{ "linux.resources.cpu.period", "cpu", "cpu.cfs_period_us", NONZERO(cpu.period), both_quota, true, (int64_t)r->cpu.period.v },
		{ "linux.resources.cpu.quota", "cpu", "cpu.cfs_quota_us", NONZERO(cpu.quota), false, false, r->cpu.quota.v },
		U("cpu.burst",           "cpu",    "cpu.cfs_burst_us",           cpu.burst),
		{ "linux.resources.cpu.realtimePeriod", "cpu", "cpu.rt_period_us", NONZERO(cpu.realtime_period), NONZERO(cpu.realtime_runtime), true, (int64_t)r->cpu.realtime_period.v },
		{ "linux.resources.cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", NONZERO(cpu.realtime_runtime), false, false, r->cpu.realtime_runtime.v },
		{ "linux.resources.cpu.idle", "cpu", "cpu.idle", r->cpu.idle.set && r->cpu.idle.v != 0, false, false, r->cpu.idle.v },
	};
	/* clang-format on */
#undef U
#undef NONZERO
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (plan_row(cg, &rows[i], plan, err) < 0)
			return -1;
	return 0;
}

static int plan_texts(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan, struct err *err)
{
	const struct {
		const char *field, *file, *value;
	} rows[] = {
		{ "linux.resources.cpu.cpus", "cpuset.cpus", r->cpu.cpus },
		{ "linux.resources.cpu.mems", "cpuset.mems", r->cpu.mems },
	};
	const struct hierarchy *h = cgroup_find(cg, "cpuset");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].value || !rows[i].value[0])
			continue;
		if (!h)
			return err_set(err, ERR_UNSUPPORTED, "%s: no cpuset cgroup is mounted", rows[i].field);
		cgroup_plan_add(plan, h, rows[i].field, rows[i].file, "%s", rows[i].value);
	}
	return 0;
}

static int plan_pids(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan, struct err *err)
{
	const struct hierarchy *h = cgroup_find(cg, "pids");

	if (!r->pids_limit.set)
		return 0;
	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "linux.resources.pids.limit: no pids cgroup is mounted");
	if (r->pids_limit.v < 0)
		cgroup_plan_add(plan, h, "linux.resources.pids.limit", "pids.max", "max");
	else
		cgroup_plan_add(plan, h, "linux.resources.pids.limit", "pids.max", "%" PRId64, r->pids_limit.v);
	return 0;
}

int cgroup_v1_plan(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan, struct err *err)
{
	const struct hierarchy *memory = cgroup_find(cg, "memory");

	if (plan_numbers(cg, r, plan, err) < 0 || plan_texts(cg, r, plan, err) < 0 || plan_pids(cg, r, plan, err) < 0)
		return -1;
	if (r->memory.disable_oom_killer && memory)
		cgroup_plan_add(plan, memory, "linux.resources.memory.disableOOMKiller", "memory.oom_control", "1");
	return 0;
}

/* What a cpuset has in FILE; where that is nothing, what is above it, which it is given. */
static int fill_file(const struct hierarchy *h, const char *dir, bool made, const char *file, char **ret_text,
		     struct err *err)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, file), *parent = NULL, *text = NULL, *above = NULL;

	if (!made && fd_read_file_at(AT_FDCWD, path, 65536, &text, err) < 0)
		return -1;
	if (text && (text[strspn(text, "\n")] || strlen(dir) <= strlen(h->mount))) {
		*ret_text = take_ptr(text);
		return 0;
	}
	parent = strndup(dir, (size_t)(strrchr(dir, '/') - dir));
	if (fill_file(h, parent, false, file, &above, err) < 0 || fd_write_file_at(AT_FDCWD, path, above, err) < 0)
		return -1;
	*ret_text = take_ptr(above);
	return 0;
}

/* A new cpuset has no cpus and no memory nodes: nothing can join it until it has its parent's, and that may be as empty. */
int cgroup_v1_fill_cpuset(const struct hierarchy *h, const char *dir, bool made, struct err *err)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	if (!strstr(h->subsystem, "cpuset"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *text = NULL;

		if (fill_file(h, dir, made, files[i], &text, err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_v1_above_swap(const struct hierarchy *h, const char *field, const char *value, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/memory.memsw.limit_in_bytes", h->dir), *text = NULL;
	struct err ignored;

	if (fd_read_file_at(AT_FDCWD, path, 64, &text, &ignored) < 0 ||
	    strtoull(text, NULL, 10) >= strtoull(value, NULL, 10))
		return err_add(err, "%s", field);
	err_set(err, ERR_SYS, "%s: %s is above the limit of memory and swap together, which is %.*s", field, value,
		(int)strcspn(text, "\n"), text);
	err->sys_errno = EINVAL; /* of a pair the other one is tried first, then */
	return -1;
}
