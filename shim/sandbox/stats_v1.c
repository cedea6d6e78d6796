/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics from the files of cgroup v1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/sandbox/stats_internal.h"

#define NS_PER_S 1000000000u

/* ---- cpu ------------------------------------------------------------------------------------------ */

static void add_numbers(struct json_object *o, const char *key, const char *text)
{
	struct json_object *list = json_new_array();
	char *end;

	for (const char *p = text; p && *p; p = end) {
		uint64_t v = strtoull(p, &end, 10);

		if (end == p)
			break;
		json_append(list, json_new_uint64(v));
	}
	if (json_object_array_length(list) > 0)
		json_add(o, key, list);
	else
		json_object_put(list);
}

/* cpuacct.usage_all: a line of headings, then "CPU USER SYSTEM" for each. */
static void add_modes(struct json_object *usage, const char *text)
{
	struct json_object *kernel, *user;
	const char *line = text ? strchr(text, '\n') : NULL;
	unsigned long long u, k;

	if (!line)
		return;
	kernel = json_new_array();
	user = json_new_array();
	for (; line && sscanf(line, " %*u %llu %llu", &u, &k) == 2; line = strchr(line + 1, '\n')) {
		json_append(user, json_new_uint64(u));
		json_append(kernel, json_new_uint64(k));
	}
	json_add(usage, "percpu_kernel", kernel);
	json_add(usage, "percpu_user", user);
}

static void add_cpu(const struct cgroup *cg, struct json_object *data)
{
	const struct hierarchy *acct = cgroup_find(cg, "cpuacct"), *cpu = cgroup_find(cg, "cpu");
	cleanup_free char *percpu = stats_text(acct, "cpuacct.usage_percpu"),
			  *all = stats_text(acct, "cpuacct.usage_all"), *stat = stats_text(acct, "cpuacct.stat"),
			  *throttled = stats_text(cpu, "cpu.stat");
	struct json_object *o = stats_object(data, "cpu"), *usage = stats_object(o, "usage"),
			   *throttling = stats_object(o, "throttling");
	uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

	stats_add_nonzero(usage, "total", stats_number(acct, "cpuacct.usage"));
	add_numbers(usage, "percpu", percpu);
	add_modes(usage, all);
	stats_add(usage, "kernel", stats_value(stat, "system") * tick_ns);
	stats_add(usage, "user", stats_value(stat, "user") * tick_ns);
	stats_add_nonzero(throttling, "periods", stats_value(throttled, "nr_periods"));
	stats_add_nonzero(throttling, "throttledPeriods", stats_value(throttled, "nr_throttled"));
	stats_add_nonzero(throttling, "throttledTime", stats_value(throttled, "throttled_time"));
}

static void add_cpuset(const struct cgroup *cg, struct json_object *data)
{
	static const struct {
		const char *key, *file;
	} rows[] = {
		{ "cpu_exclusive", "cpuset.cpu_exclusive" },
		{ "mem_hardwall", "cpuset.mem_hardwall" },
		{ "mem_exclusive", "cpuset.mem_exclusive" },
		{ "memory_migrate", "cpuset.memory_migrate" },
		{ "memory_spread_page", "cpuset.memory_spread_page" },
		{ "memory_spread_slab", "cpuset.memory_spread_slab" },
		{ "memory_pressure", "cpuset.memory_pressure" },
		{ "sched_load_balance", "cpuset.sched_load_balance" },
	};
	const struct hierarchy *h = cgroup_find(cg, "cpuset");
	cleanup_free char *cpus = stats_text(h, "cpuset.cpus"), *mems = stats_text(h, "cpuset.mems"),
			  *level = stats_text(h, "cpuset.sched_relax_domain_level");
	struct json_object *o = stats_object(data, "cpuset");

	stats_add_list(o, "cpus", cpus);
	stats_add_list(o, "mems", mems);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		stats_add(o, rows[i].key, stats_number(h, rows[i].file));
	json_add(o, "sched_relax_domain_level", json_new_int64(level ? strtoll(level, NULL, 10) : 0));
}

/* ---- memory ---------------------------------------------------------------------------------------- */

static void add_entry(struct json_object *memory, const struct hierarchy *h, const char *key, const char *prefix)
{
	char limit[64], usage[64], max[64], failcnt[64];

	snprintf(limit, sizeof(limit), "%s.limit_in_bytes", prefix);
	snprintf(usage, sizeof(usage), "%s.usage_in_bytes", prefix);
	snprintf(max, sizeof(max), "%s.max_usage_in_bytes", prefix);
	snprintf(failcnt, sizeof(failcnt), "%s.failcnt", prefix);
	stats_add_entry(memory, key, stats_number(h, limit), stats_number(h, usage), stats_number(h, max),
			stats_number(h, failcnt));
}

static void add_memory(const struct cgroup *cg, struct json_object *data)
{
	const struct hierarchy *h = cgroup_find(cg, "memory");
	cleanup_free char *stat = stats_text(h, "memory.stat");
	struct json_object *o = stats_object(data, "memory");

	stats_add_nonzero(o, "cache", stats_value(stat, "cache"));
	add_entry(o, h, "usage", "memory");
	add_entry(o, h, "swap", "memory.memsw");
	add_entry(o, h, "kernel", "memory.kmem");
	add_entry(o, h, "kernelTCP", "memory.kmem.tcp");
	if (stat)
		stats_add_pairs(stats_object(o, "raw"), stat);
}

/* ---- the others ------------------------------------------------------------------------------------- */

/* Lines "MAJOR:MINOR OP VALUE" or "MAJOR:MINOR VALUE"; the sum at the end has no device. */
static bool add_io_file(const struct hierarchy *h, const char *file, const char *key, struct json_object *o)
{
	cleanup_free char *text = stats_text(h, file);
	bool any = false;

	for (const char *line = text; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
		unsigned int major, minor;
		unsigned long long value;
		char op[16] = "";

		if (sscanf(line, "%u:%u %15[A-Za-z] %llu", &major, &minor, op, &value) != 4) {
			op[0] = '\0';
			if (sscanf(line, "%u:%u %llu", &major, &minor, &value) != 3)
				continue;
		}
		stats_add_io(o, key, major, minor, op, value);
		any = true;
	}
	return any;
}

static void add_blkio(const struct cgroup *cg, struct json_object *data)
{
	/* Which of them counts depends on the disks' scheduler: bfq, the old cfq, or none of both. */
	static const char *const prefixes[] = { "blkio.bfq", "blkio", "blkio.throttle" };
	static const struct {
		const char *key, *file;
	} rows[] = {
		{ "ioServiceBytesRecursive", "io_service_bytes_recursive" },
		{ "ioServicedRecursive", "io_serviced_recursive" },
		{ "ioQueueRecursive", "io_queued_recursive" },
		{ "ioServiceTimeRecursive", "io_service_time_recursive" },
		{ "ioWaitTimeRecursive", "io_wait_time_recursive" },
		{ "ioMergedRecursive", "io_merged_recursive" },
		{ "ioTimeRecursive", "time_recursive" },
		{ "sectorsRecursive", "sectors_recursive" },
	};
	const struct hierarchy *h = cgroup_find(cg, "blkio");
	struct json_object *o = stats_object(data, "blkio");
	bool any = false;

	for (size_t p = 0; p < ARRAY_SIZE(prefixes) && !any; p++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			char file[64];

			snprintf(file, sizeof(file), "%s.%s", prefixes[p], rows[i].file);
			any |= add_io_file(h, file, rows[i].key, o);
		}
}

static void hugetlb_cb(const struct hierarchy *h, const char *size, void *arg)
{
	cleanup_free char *usage = xasprintf("hugetlb.%s.usage_in_bytes", size),
			  *max = xasprintf("hugetlb.%s.max_usage_in_bytes", size),
			  *failcnt = xasprintf("hugetlb.%s.failcnt", size);
	struct json_object *o = stats_object(arg, size);

	stats_add_nonzero(o, "usage", stats_number(h, usage));
	stats_add_nonzero(o, "max", stats_number(h, max));
	stats_add(o, "failcnt", stats_number(h, failcnt));
}

void stats_v1(const struct cgroup *cg, struct json_object *data)
{
	const struct hierarchy *pids = cgroup_find(cg, "pids");
	uint64_t limit = stats_number(pids, "pids.max");
	struct json_object *o;

	add_cpu(cg, data);
	add_cpuset(cg, data);
	add_memory(cg, data);
	o = stats_object(data, "pids");
	stats_add_nonzero(o, "current", stats_number(pids, "pids.current"));
	stats_add_nonzero(o, "limit", limit == UINT64_MAX ? 0 : limit); /* 0: none, says runc */
	add_blkio(cg, data);
	stats_each_page_size(cgroup_find(cg, "hugetlb"), ".usage_in_bytes", hugetlb_cb, stats_object(data, "hugetlb"));
}
