/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics from the files of cgroup v2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/sandbox/stats_internal.h"

#define NS_PER_US 1000u

/* ---- pressure ---------------------------------------------------------------------------------------- */

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and the same for "full". */
static void add_pressure(const struct hierarchy *h, const char *file, struct json_object *o)
{
	cleanup_free char *text = stats_text(h, file);
	struct json_object *psi;

	if (!text)
		return;
	psi = stats_object(o, "psi");
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		double avg10, avg60, avg300;
		unsigned long long total;
		struct json_object *kind;
		char word[8];

		if (sscanf(line, "%7s avg10=%lf avg60=%lf avg300=%lf total=%llu", word, &avg10, &avg60, &avg300,
			   &total) != 5)
			continue;
		kind = stats_object(psi, word);
		json_add(kind, "avg10", json_new_double(avg10));
		json_add(kind, "avg60", json_new_double(avg60));
		json_add(kind, "avg300", json_new_double(avg300));
		stats_add(kind, "total", total);
	}
}

/* ---- cpu --------------------------------------------------------------------------------------------- */

static void add_cpu(const struct hierarchy *h, struct json_object *data)
{
	cleanup_free char *stat = stats_text(h, "cpu.stat");
	struct json_object *o = stats_object(data, "cpu"), *usage = stats_object(o, "usage"),
			   *throttling = stats_object(o, "throttling");

	stats_add_nonzero(usage, "total", stats_value(stat, "usage_usec") * NS_PER_US);
	stats_add(usage, "kernel", stats_value(stat, "system_usec") * NS_PER_US);
	stats_add(usage, "user", stats_value(stat, "user_usec") * NS_PER_US);
	stats_add_nonzero(throttling, "periods", stats_value(stat, "nr_periods"));
	stats_add_nonzero(throttling, "throttledPeriods", stats_value(stat, "nr_throttled"));
	stats_add_nonzero(throttling, "throttledTime", stats_value(stat, "throttled_usec") * NS_PER_US);
	add_pressure(h, "cpu.pressure", o);
}

static void add_cpuset(const struct hierarchy *h, struct json_object *data)
{
	static const char *const v1_only[] = {
		"cpu_exclusive",   "mem_hardwall",       "mem_exclusive",
		"memory_migrate",  "memory_spread_page", "memory_spread_slab",
		"memory_pressure", "sched_load_balance", "sched_relax_domain_level",
	};
	cleanup_free char *cpus = stats_text(h, "cpuset.cpus"), *mems = stats_text(h, "cpuset.mems");
	struct json_object *o = stats_object(data, "cpuset");

	stats_add_list(o, "cpus", cpus);
	stats_add_list(o, "mems", mems);
	for (size_t i = 0; i < ARRAY_SIZE(v1_only); i++)
		stats_add(o, v1_only[i], 0);
}

/* ---- memory ------------------------------------------------------------------------------------------- */

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a == UINT64_MAX || b == UINT64_MAX ? UINT64_MAX : a + b;
}

/* Readers of this shape know v1, where swap means memory and swap together. */
static void add_memory(const struct hierarchy *h, struct json_object *data)
{
	cleanup_free char *stat = stats_text(h, "memory.stat"), *events = stats_text(h, "memory.events");
	uint64_t usage = stats_number(h, "memory.current"), limit = stats_number(h, "memory.max");
	struct json_object *o = stats_object(data, "memory");

	stats_add_nonzero(o, "cache", stats_value(stat, "file"));
	stats_add_entry(o, "usage", limit, usage, stats_number(h, "memory.peak"), stats_value(events, "max"));
	stats_add_entry(o, "swap", sum(limit, stats_number(h, "memory.swap.max")),
			sum(usage, stats_number(h, "memory.swap.current")), 0, 0);
	stats_add_entry(o, "kernel", 0, 0, 0, 0);
	stats_add_entry(o, "kernelTCP", 0, 0, 0, 0);
	if (stat)
		stats_add_pairs(stats_object(o, "raw"), stat);
	add_pressure(h, "memory.pressure", o);
}

/* ---- the others --------------------------------------------------------------------------------------- */

/* "MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N dbytes=N dios=N" */
static void add_io(const struct hierarchy *h, struct json_object *data)
{
	static const struct {
		const char *word, *key, *op;
	} rows[] = {
		{ "rbytes=", "ioServiceBytesRecursive", "Read" },    { "wbytes=", "ioServiceBytesRecursive", "Write" },
		{ "dbytes=", "ioServiceBytesRecursive", "Discard" }, { "rios=", "ioServicedRecursive", "Read" },
		{ "wios=", "ioServicedRecursive", "Write" },         { "dios=", "ioServicedRecursive", "Discard" },
	};
	cleanup_free char *text = stats_text(h, "io.stat");
	struct json_object *o = stats_object(data, "blkio");
	char *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		unsigned int major, minor;

		if (sscanf(line, "%u:%u ", &major, &minor) != 2)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			const char *at = strstr(line, rows[i].word);

			if (at)
				stats_add_io(o, rows[i].key, major, minor, rows[i].op,
					     strtoull(at + strlen(rows[i].word), NULL, 10));
		}
	}
	add_pressure(h, "io.pressure", o);
}

static void hugetlb_cb(const struct hierarchy *h, const char *size, void *arg)
{
	cleanup_free char *usage = xasprintf("hugetlb.%s.current", size), *file = xasprintf("hugetlb.%s.events", size),
			  *events = stats_text(h, file);
	struct json_object *o = stats_object(arg, size);

	stats_add_nonzero(o, "usage", stats_number(h, usage));
	stats_add(o, "failcnt", stats_value(events, "max"));
}

void stats_v2(const struct cgroup *cg, struct json_object *data)
{
	const struct hierarchy *h = cgroup_find_v2(cg);
	uint64_t limit = stats_number(h, "pids.max");
	struct json_object *o;

	add_cpu(h, data);
	add_cpuset(h, data);
	add_memory(h, data);
	o = stats_object(data, "pids");
	stats_add_nonzero(o, "current", stats_number(h, "pids.current"));
	stats_add_nonzero(o, "limit", limit == UINT64_MAX ? 0 : limit);
	add_io(h, data);
	stats_each_page_size(h, ".current", hugetlb_cb, stats_object(data, "hugetlb"));
}
