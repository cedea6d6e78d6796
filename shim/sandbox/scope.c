/* SPDX-License-Identifier: Apache-2.0 */
/* Names and properties of a scope of systemd's: what the config says, in the words of systemd.unit(5) and systemd.resource-control(5). */
#include "shim/sandbox/scope.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_plan.h"

#define UNIT_MAX 255 /* bytes of a unit's name (UNIT_NAME_MAX of systemd) */

/* ---- names ------------------------------------------------------------------------------------------------------------------- */

void scope_release(struct scope *s)
{
	free(s->slice);
	free(s->unit);
	free(s->path);
	*s = (struct scope) { 0 };
}

/* What systemd takes in a unit's name: systemd.unit(5). */
static bool is_unit_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@+");

	return n > 0 && !s[n];
}

/* The directories that a slice stands for: "a-b.slice" is a.slice/a-b.slice; "-.slice" is the root. NULL: no slice. */
static char *expand_slice(const char *slice)
{
	size_t len = strlen(slice), name = len > 6 && !strcmp(slice + len - 6, ".slice") ? len - 6 : 0;
	char *path = xstrdup(""), *longer;

	if (name == 1 && slice[0] == '-')
		return path;
	if (name == 0 || slice[0] == '-' || slice[name - 1] == '-' || !is_unit_name(slice) || strstr(slice, "--")) {
		free(path);
		return NULL;
	}
	for (size_t i = 1; i <= name; i++) {
		if (slice[i] != '-' && i != name)
			continue;
		longer = xasprintf("%s/%.*s.slice", path, (int)i, slice);
		free(path);
		path = longer;
	}
	return path;
}

static int is_wrong(const char *cgroups_path, const char *why, struct err *err)
{
	return err_set(err, ERR_CONFIG, "linux.cgroupsPath: '%s' is not SLICE:PREFIX:NAME: %s", cgroups_path, why);
}

int scope_parse(const char *cgroups_path, const char *id, struct scope *ret, struct err *err)
{
	bool given = cgroups_path && cgroups_path[0];
	cleanup_free char *text = xstrdup(given ? cgroups_path : "::"), *parents = NULL;
	char *prefix = strchr(text, ':'), *name = prefix ? strchr(prefix + 1, ':') : NULL;
	struct scope s = { 0 };

	if (!name || strchr(name + 1, ':'))
		return is_wrong(cgroups_path, "it has two colons", err);
	*prefix++ = *name++ = '\0';
	s.slice = xstrdup(text[0] ? text : "system.slice");
	if (!given)
		prefix = "thole";
	s.unit = xasprintf("%s%s%s.scope", prefix, prefix[0] ? "-" : "", name[0] ? name : id);
	parents = expand_slice(s.slice);
	s.path = parents ? xasprintf("%s/%s", parents, s.unit) : NULL;
	if (!parents || !is_unit_name(s.unit) || strlen(s.unit) > UNIT_MAX) {
		bool slice = !parents;

		scope_release(&s);
		return is_wrong(given ? cgroups_path : id,
				slice ? "there is no such slice" : "no name of a unit comes of it", err);
	}
	*ret = s;
	return 0;
}

/* ---- properties -------------------------------------------------------------------------------------------------------------- */

void scope_add(struct oci_strings *s, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		fatal("out of memory");
	va_end(args);
	s->v = xrealloc(s->v, (s->n + 2) * sizeof(*s->v));
	s->v[s->n++] = text;
	s->v[s->n] = NULL;
}

static void add_limit(struct oci_strings *s, const char *name, int64_t value)
{
	if (value < 0)
		scope_add(s, "%s=infinity", name);
	else
		scope_add(s, "%s=%" PRId64, name, value);
}

/* In hundredths of a percent, the finest that systemd takes, rounded up: cpu.max is written exactly by cgroup.c. */
static void add_quota(struct oci_strings *s, int64_t quota, uint64_t period)
{
	uint64_t parts = quota > 0 ? ((uint64_t)quota * 10000 + period - 1) / period : 0;

	if (quota <= 0)
		scope_add(s, "CPUQuota=");
	else
		scope_add(s, "CPUQuota=%" PRIu64 ".%02" PRIu64 "%%", parts / 100, parts % 100);
	scope_add(s, "CPUQuotaPeriodSec=%" PRIu64 "us", period);
}

static void add_cpu(const struct oci_resources *r, struct oci_strings *s)
{
	if (r->cpu.shares.set && r->cpu.shares.v)
		scope_add(s, "CPUWeight=%" PRIu64, cgroup_v2_weight(r->cpu.shares.v));
	if (r->cpu.quota.set || r->cpu.period.set)
		add_quota(s, r->cpu.quota.set ? r->cpu.quota.v : 0,
			  r->cpu.period.set && r->cpu.period.v ? r->cpu.period.v : 100000);
	if (r->cpu.cpus && r->cpu.cpus[0])
		scope_add(s, "AllowedCPUs=%s", r->cpu.cpus);
	if (r->cpu.mems && r->cpu.mems[0])
		scope_add(s, "AllowedMemoryNodes=%s", r->cpu.mems);
}

static void add_memory(const struct oci_resources *r, struct oci_strings *s)
{
	if (r->memory.limit.set)
		add_limit(s, "MemoryMax", r->memory.limit.v);
	if (r->memory.reservation.set)
		add_limit(s, "MemoryLow", r->memory.reservation.v);
	if (r->memory.swap.set && r->memory.swap.v < 0)
		add_limit(s, "MemorySwapMax", -1);
	else if (r->memory.swap.set && r->memory.limit.set && r->memory.limit.v >= 0 &&
		 r->memory.swap.v >= r->memory.limit.v)
		add_limit(s, "MemorySwapMax", r->memory.swap.v - r->memory.limit.v);
}

/* linux.resources.unified, where the file has a property. "max" is systemd's infinity. */
static const struct {
	const char *file, *property;
} unified[] = {
	{ "cpu.weight", "CPUWeight" }, { "cpuset.cpus", "AllowedCPUs" },       { "cpuset.mems", "AllowedMemoryNodes" },
	{ "memory.min", "MemoryMin" }, { "memory.low", "MemoryLow" },          { "memory.high", "MemoryHigh" },
	{ "memory.max", "MemoryMax" }, { "memory.swap.max", "MemorySwapMax" }, { "memory.zswap.max", "MemoryZSwapMax" },
	{ "pids.max", "TasksMax" },
};

static void add_unified(const struct oci_resources *r, struct oci_strings *s)
{
	for (size_t i = 0; i < r->unified_keys.n; i++) {
		const char *value = r->unified_values.v[i];

		for (size_t k = 0; k < ARRAY_SIZE(unified); k++)
			if (!strcmp(unified[k].file, r->unified_keys.v[i]))
				scope_add(s, "%s=%s", unified[k].property,
					  strcmp(value, "max") != 0 ? value : "infinity");
	}
}

void scope_properties(const struct oci_resources *r, struct oci_strings *ret)
{
	add_cpu(r, ret);
	add_memory(r, ret);
	if (r->pids_limit.set)
		add_limit(ret, "TasksMax", r->pids_limit.v);
	add_unified(r, ret);
}

/* One simple value of GVariant's text format, from *p on; NULL when it is none. Moves *p behind it. */
static char *simple_value(const char **p)
{
	static const char *const types[] = { "byte ", "int16 ", "uint16 ", "int32 ", "uint32 ", "int64 ", "uint64 " };
	const char *start = *p, *end;
	char quote = *start;

	if (quote == '\'' || quote == '"') {
		end = strchr(start + 1, quote);
		if (!end || memchr(start, '\\', (size_t)(end - start)))
			return NULL;
		*p = end + 1;
		return xasprintf("%.*s", (int)(end - start - 1), start + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strncmp(start, types[i], strlen(types[i])))
			start += strlen(types[i]);
	if (!strncmp(start, "true", 4) || !strncmp(start, "false", 5)) {
		*p = start + (*start == 't' ? 4 : 5);
		return xstrdup(*start == 't' ? "yes" : "no");
	}
	end = start + (*start == '-');
	end += strspn(end, "0123456789");
	if (end == start || !isdigit((unsigned char)end[-1]))
		return NULL;
	*p = end;
	return xasprintf("%.*s", (int)(end - start), start);
}

static bool add_value(const char *name, const char **p, struct oci_strings *ret)
{
	cleanup_free char *value = simple_value(p);
	size_t len = strlen(name);

	if (!value)
		return false;
	if (len > 4 && !strcmp(name + len - 4, "USec"))
		scope_add(ret, "%.*sSec=%sus", (int)len - 4, name, value);
	else
		scope_add(ret, "%s=%s", name, value);
	return true;
}

int scope_annotation(const char *name, const char *value, struct oci_strings *ret, struct err *err)
{
	const char *p = value;
	bool list = *p == '[', good = true;

	for (size_t i = 0; name[i]; i++)
		good = good && isalpha((unsigned char)name[i]);
	p += list;
	good = good && name[0] && add_value(name, &p, ret);
	while (good && list && *p == ',') {
		p += 1 + strspn(p + 1, " ");
		good = add_value(name, &p, ret);
	}
	good = good && (!list || *p++ == ']') && !*p;
	if (!good)
		return err_set(err, ERR_CONFIG, "annotations.%s%s: '%s' is no value that a property can have",
			       SCOPE_ANNOTATION, name, value);
	return 0;
}
