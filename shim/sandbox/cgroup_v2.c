/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in the files of cgroup v2, with the conversions that the specification's v1 numbers need. */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_bpf.h"
#include "shim/sandbox/cgroup_plan.h"

/* Each ancestor hands down what it has; one that refuses (processes in it, EBUSY) shows later, as a missing file with the field's
 * name on it. */
void cgroup_v2_enable_controllers(const struct hierarchy *h)
{
	cleanup_free char *dir = xstrdup(h->dir);

	for (char *p = dir + strlen(h->mount); p; p = strchr(p + 1, '/')) {
		cleanup_free char *have = NULL, *from = NULL, *to = NULL;
		char saved = *p, *save = NULL;
		struct err ignored;

		*p = '\0';
		from = xasprintf("%s/cgroup.controllers", dir);
		to = xasprintf("%s/cgroup.subtree_control", dir);
		*p = saved;
		if (fd_read_file_at(AT_FDCWD, from, 4096, &have, &ignored) < 0)
			return;
		for (char *w = strtok_r(have, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
			cleanup_free char *word = xasprintf("+%s", w);

			fd_write_file_at(AT_FDCWD, to, word, &ignored);
		}
	}
}

/* ---- conversions ----------------------------------------------------------------------------------------------------------------- */

#define SHARES_MIN 2
#define SHARES_MAX 262144

/* Shares, [2, 262144] around 1024, to a weight, [1, 10000] around 100. A straight line would make 1024 a weight of 39: containers with default shares would get
 * less than half of what their neighbours without any have. This curve goes through all three points; it is the one that other runtimes use. */
uint64_t cgroup_v2_weight(uint64_t shares)
{
	double l, exponent;

	if (shares <= SHARES_MIN)
		return 1;
	if (shares >= SHARES_MAX)
		return 10000;
	l = log2((double)shares);
	exponent = (l * l + 125 * l) / 612 - 7.0 / 34;
	return (uint64_t)ceil(pow(10, exponent));
}

static const char *number_or_max(char buf[32], int64_t v)
{
	if (v < 0)
		snprintf(buf, 32, "max");
	else
		snprintf(buf, 32, "%" PRId64, v);
	return buf;
}

/* The number in FILE; -1 for "max", and where there is none. */
static int64_t current(const struct hierarchy *h, const char *file)
{
	cleanup_free char *path = xasprintf("%s/%s", h->dir, file), *text = NULL;
	struct err ignored;

	if (fd_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) < 0 || text[0] < '0' || text[0] > '9')
		return -1;
	return (int64_t)strtoull(text, NULL, 10);
}

/* ---- the plan -------------------------------------------------------------------------------------------------------------------- */

/* v1 counts memory and swap together, v2 swap alone. */
static int plan_swap(const struct hierarchy *h, const struct oci_resources *r, struct cgroup_plan *plan,
		     struct err *err)
{
	static const char field[] = "linux.resources.memory.swap";
	int64_t swap = r->memory.swap.set ? r->memory.swap.v : 0, limit = r->memory.limit.set ? r->memory.limit.v : 0;
	char text[32];

	/* As on v1: without a limit of memory there is none of both. */
	if (swap == 0 && limit < 0)
		swap = -1;
	if (swap == 0)
		return 0;
	if (limit == 0)
		limit = current(h, "memory.max");
	if (swap > 0 && limit < 0)
		return err_set(err, ERR_CONFIG, "%s: cannot be limited without a limit of memory", field);
	if (swap > 0 && limit > swap)
		return err_set(err, ERR_CONFIG, "%s: is below memory.limit", field);
	cgroup_plan_add(plan, h, field, "memory.swap.max", "%s", number_or_max(text, swap < 0 ? -1 : swap - limit));
	return 0;
}

static int check_usage(const struct hierarchy *h, const struct oci_resources *r, struct err *err)
{
	int64_t usage;

	if (!r->memory.check_before_update || !r->memory.limit.set || r->memory.limit.v <= 0)
		return 0;
	usage = current(h, "memory.current");
	if (usage > r->memory.limit.v)
		return err_set(err, ERR_CONFIG, "linux.resources.memory.limit: %" PRId64 " bytes are in use already",
			       usage);
	return 0;
}

static int plan_memory(const struct hierarchy *h, const struct oci_resources *r, struct cgroup_plan *plan,
		       struct err *err)
{
	char text[32];

	if (check_usage(h, r, err) < 0 || plan_swap(h, r, plan, err) < 0)
		return -1;
	if (r->memory.limit.set && r->memory.limit.v)
		cgroup_plan_add(plan, h, "linux.resources.memory.limit", "memory.max", "%s",
				number_or_max(text, r->memory.limit.v));
	if (r->memory.reservation.set && r->memory.reservation.v)
		cgroup_plan_add(plan, h, "linux.resources.memory.reservation", "memory.low", "%s",
				number_or_max(text, r->memory.reservation.v));
	return 0;
}

/* cpu.max has both, and one may be given without the other: then that stays as it is. */
static void plan_quota(const struct hierarchy *h, const struct oci_resources *r, struct cgroup_plan *plan)
{
	bool quota = r->cpu.quota.set && r->cpu.quota.v != 0, period = r->cpu.period.set && r->cpu.period.v != 0;
	char text[32];

	if (quota && period)
		cgroup_plan_add(plan, h, "linux.resources.cpu.quota", "cpu.max", "%s %" PRIu64,
				number_or_max(text, r->cpu.quota.v), r->cpu.period.v);
	else if (quota) /* the kernel keeps the period */
		cgroup_plan_add(plan, h, "linux.resources.cpu.quota", "cpu.max", "%s",
				number_or_max(text, r->cpu.quota.v));
	else if (period)
		cgroup_plan_add(plan, h, "linux.resources.cpu.period", "cpu.max", "%s %" PRIu64,
				number_or_max(text, current(h, "cpu.max")), r->cpu.period.v);
}

static void plan_cpu(const struct hierarchy *h, const struct oci_resources *r, struct cgroup_plan *plan)
{
	if (cgroup_plan_leaves_idle(r))
		cgroup_plan_add(plan, h, "linux.resources.cpu.idle", "cpu.idle", "0");
	if (r->cpu.shares.set && r->cpu.shares.v)
		cgroup_plan_add(plan, h, "linux.resources.cpu.shares", "cpu.weight", "%" PRIu64,
				cgroup_v2_weight(r->cpu.shares.v));
	plan_quota(h, r, plan);
	if (r->cpu.burst.set)
		cgroup_plan_add(plan, h, "linux.resources.cpu.burst", "cpu.max.burst", "%" PRIu64, r->cpu.burst.v);
	if (r->cpu.idle.set && r->cpu.idle.v != 0)
		cgroup_plan_add(plan, h, "linux.resources.cpu.idle", "cpu.idle", "%" PRId64, r->cpu.idle.v);
	if (r->cpu.cpus && r->cpu.cpus[0])
		cgroup_plan_add(plan, h, "linux.resources.cpu.cpus", "cpuset.cpus", "%s", r->cpu.cpus);
	if (r->cpu.mems && r->cpu.mems[0])
		cgroup_plan_add(plan, h, "linux.resources.cpu.mems", "cpuset.mems", "%s", r->cpu.mems);
}

static int refuse_v1_only(const struct oci_resources *r, struct err *err)
{
	const struct {
		const char *field;
		bool used;
	} rows[] = {
		{ "memory.swappiness", r->memory.swappiness.set },
		{ "memory.disableOOMKiller", r->memory.disable_oom_killer },
		{ "cpu.realtimePeriod", r->cpu.realtime_period.set && r->cpu.realtime_period.v },
		{ "cpu.realtimeRuntime", r->cpu.realtime_runtime.set && r->cpu.realtime_runtime.v },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].used)
			return err_set(err, ERR_UNSUPPORTED, "linux.resources.%s: cgroup v2 has no such thing",
				       rows[i].field);
	return 0;
}

int cgroup_v2_plan(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan, struct err *err)
{
	const struct hierarchy *h = cgroup_find_v2(cg);
	char text[32];

	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "no cgroup hierarchy is mounted on the host");
	if (refuse_v1_only(r, err) < 0)
		return -1;
	if (r->pids_limit.set)
		cgroup_plan_add(plan, h, "linux.resources.pids.limit", "pids.max", "%s",
				number_or_max(text, r->pids_limit.v));
	if (plan_memory(h, r, plan, err) < 0)
		return -1;
	plan_cpu(h, r, plan);
	return 0;
}

/* ---- devices ------------------------------------------------------------------------------------------------------------------------- */

#define ANY (-1)
#define ALLOW(t, major, minor, access)                                                                                 \
	{                                                                                                              \
		true, t, major, minor, access                                                                          \
	}

/* What every container may use, whatever its list says: the default devices, its terminals, tunnels (as runc
 * and crun: /dev/net/tun reaches no further than its network namespace), and making nodes. */
static const struct oci_device_rule default_devices[] = {
	ALLOW('c', ANY, ANY, "m"), ALLOW('b', ANY, ANY, "m"), ALLOW('c', 1, 3, "rwm"),     ALLOW('c', 1, 5, "rwm"),
	ALLOW('c', 1, 7, "rwm"),   ALLOW('c', 1, 8, "rwm"),   ALLOW('c', 1, 9, "rwm"),     ALLOW('c', 5, 0, "rwm"),
	ALLOW('c', 5, 1, "rwm"),   ALLOW('c', 5, 2, "rwm"),   ALLOW('c', 136, ANY, "rwm"), ALLOW('c', 10, 200, "rwm"),
};

/* Without a list a container has the default devices only, as on v1. */
int cgroup_v2_devices(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	const struct hierarchy *h = cgroup_find_v2(cg);
	struct bpf_program program;
	cleanup_fd int fd = h ? open(h->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int n;

	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "no cgroup hierarchy is mounted on the host");
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", h->dir);
	bpf_device_program(r->devices, r->n_devices, default_devices, ARRAY_SIZE(default_devices), &program);
	n = bpf_device_attach(fd, &program, err);
	free(program.v);
	return n < 0 ? err_add(err, "linux.resources.devices") : 0;
}

int cgroup_delegate(const struct cgroup *cg, const char *list, uid_t uid, struct err *err)
{
	static const char usual[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";
	const struct hierarchy *h = cg->pure_v2 && !cg->lenient ? cgroup_find_v2(cg) : NULL;
	cleanup_free char *names = NULL;
	cleanup_fd int dir = -1;
	struct err ignored;
	char *save = NULL;

	if (!h)
		return 0;
	if (fd_read_file_at(AT_FDCWD, list, 4096, &names, &ignored) < 0)
		names = xstrdup(usual);
	dir = open(h->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fchown(dir, uid, (gid_t)-1) < 0)
		return err_sys(err, "cannot give cgroup '%s' to uid %u", h->dir, uid);
	/* Which of them there are depends on the controllers. */
	for (char *name = strtok_r(names, "\n", &save); name; name = strtok_r(NULL, "\n", &save))
		if (fchownat(dir, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return err_sys(err, "cannot give '%s' of cgroup '%s' to uid %u", name, h->dir, uid);
	return 0;
}
