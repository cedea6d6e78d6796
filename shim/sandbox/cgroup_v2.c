/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in the files of cgroup v2, with the conversions that the specification's v1 numbers need. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_internal.h"

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

static void text_or_max(char *buf, size_t size, int64_t v)
{
	if (v < 0)
		snprintf(buf, size, "max");
	else
		snprintf(buf, size, "%" PRId64, v);
}

static int apply_memory(const struct hierarchy *h, const struct oci_resources *r, struct err *err)
{
	char text[32];

	if (r->memory.limit.set) {
		text_or_max(text, sizeof(text), r->memory.limit.v);
		if (cgroup_write(h, "linux.resources.memory.limit", "memory.max", text, err) < 0)
			return -1;
	}
	/* v1 counts memory and swap together, v2 swap alone. */
	if (r->memory.swap.set) {
		int64_t limit = r->memory.limit.set ? r->memory.limit.v : 0;

		if (r->memory.swap.v > 0 && limit > r->memory.swap.v)
			return err_set(err, ERR_CONFIG, "linux.resources.memory.swap: smaller than the memory limit");
		text_or_max(text, sizeof(text), r->memory.swap.v < 0 ? -1 : limit < 0 ? -1 : r->memory.swap.v - limit);
		if (cgroup_write(h, "linux.resources.memory.swap", "memory.swap.max", text, err) < 0)
			return -1;
	}
	if (r->memory.reservation.set) {
		text_or_max(text, sizeof(text), r->memory.reservation.v);
		if (cgroup_write(h, "linux.resources.memory.reservation", "memory.low", text, err) < 0)
			return -1;
	}
	return 0;
}

static int apply_cpu(const struct hierarchy *h, const struct oci_resources *r, struct err *err)
{
	char text[64];

	if (r->cpu.shares.set && r->cpu.shares.v) {
		/* [2, 262144] of v1 onto [1, 10000] of v2, linear at both ends. */
		uint64_t s = r->cpu.shares.v < 2 ? 2 : r->cpu.shares.v > 262144 ? 262144 : r->cpu.shares.v;

		snprintf(text, sizeof(text), "%" PRIu64, 1 + (s - 2) * 9999 / 262142);
		if (cgroup_write(h, "linux.resources.cpu.shares", "cpu.weight", text, err) < 0)
			return -1;
	}
	if (r->cpu.quota.set || r->cpu.period.set) {
		char quota[32] = "max";

		if (r->cpu.quota.set && r->cpu.quota.v > 0)
			snprintf(quota, sizeof(quota), "%" PRId64, r->cpu.quota.v);
		snprintf(text, sizeof(text), "%s %" PRIu64, quota, r->cpu.period.set && r->cpu.period.v ? r->cpu.period.v : 100000);
		if (cgroup_write(h, "linux.resources.cpu.quota", "cpu.max", text, err) < 0)
			return -1;
	}
	if (r->cpu.burst.set) {
		snprintf(text, sizeof(text), "%" PRIu64, r->cpu.burst.v);
		if (cgroup_write(h, "linux.resources.cpu.burst", "cpu.max.burst", text, err) < 0)
			return -1;
	}
	if (r->cpu.idle.set) {
		snprintf(text, sizeof(text), "%" PRId64, r->cpu.idle.v);
		if (cgroup_write(h, "linux.resources.cpu.idle", "cpu.idle", text, err) < 0)
			return -1;
	}
	if (r->cpu.cpus && r->cpu.cpus[0] && cgroup_write(h, "linux.resources.cpu.cpus", "cpuset.cpus", r->cpu.cpus, err) < 0)
		return -1;
	if (r->cpu.mems && r->cpu.mems[0] && cgroup_write(h, "linux.resources.cpu.mems", "cpuset.mems", r->cpu.mems, err) < 0)
		return -1;
	return 0;
}

int cgroup_v2_apply(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	const struct hierarchy *h = cgroup_find_v2(cg);
	char text[32];

	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "no cgroup hierarchy is mounted on the host");
	if (r->memory.swappiness.set || r->memory.disable_oom_killer)
		return err_set(err, ERR_UNSUPPORTED, "linux.resources.memory.%s: cgroup v2 has no such thing",
			       r->memory.swappiness.set ? "swappiness" : "disableOOMKiller");
	if (r->cpu.realtime_period.set || r->cpu.realtime_runtime.set)
		return err_set(err, ERR_UNSUPPORTED, "linux.resources.cpu.realtimeRuntime: cgroup v2 has no such thing");
	for (size_t i = 0; i < r->n_devices; i++)
		if (r->devices[i].allow || r->devices[i].type != 'a')
			return err_set(err, ERR_UNSUPPORTED, "linux.resources.devices: not supported yet on cgroup v2");
	if (r->pids_limit.set) {
		text_or_max(text, sizeof(text), r->pids_limit.v);
		if (cgroup_write(h, "linux.resources.pids.limit", "pids.max", text, err) < 0)
			return -1;
	}
	if (apply_memory(h, r, err) < 0)
		return -1;
	return apply_cpu(h, r, err);
}
