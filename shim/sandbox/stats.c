/* SPDX-License-Identifier: Apache-2.0 */
/* What a container has used, as its control groups count it: the parts that both versions have.
 *
 * Runs in the shim. The files are the kernel's, but whoever is in the container makes the numbers. */
#include "shim/sandbox/stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/sandbox/net_stats.h"
#include "shim/sandbox/stats_internal.h"

#define FILE_MAX (4 << 20)
#define LIST_MAX 65536

char *stats_text(const struct hierarchy *h, const char *file)
{
	cleanup_free char *path = h ? xasprintf("%s/%s", h->dir, file) : NULL;
	struct err ignored;
	char *text;

	return h && fd_read_file_at(AT_FDCWD, path, FILE_MAX, &text, &ignored) == 0 ? text : NULL;
}

uint64_t stats_number(const struct hierarchy *h, const char *file)
{
	cleanup_free char *text = stats_text(h, file);

	if (!text)
		return 0;
	return !strncmp(text, "max", 3) ? UINT64_MAX : strtoull(text, NULL, 10);
}

uint64_t stats_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line && *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, key, n) && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
	return 0;
}

struct json_object *stats_object(struct json_object *o, const char *key)
{
	struct json_object *child = json_new_object();

	json_add(o, key, child);
	return child;
}

void stats_add(struct json_object *o, const char *key, uint64_t v)
{
	json_add(o, key, json_new_uint64(v));
}

void stats_add_nonzero(struct json_object *o, const char *key, uint64_t v)
{
	if (v)
		stats_add(o, key, v);
}

void stats_add_pairs(struct json_object *o, const char *text)
{
	for (const char *line = text; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t n = strcspn(line, " \n");
		cleanup_free char *key = strndup(line, n);

		if (line[n] == ' ')
			stats_add(o, key, strtoull(line + n + 1, NULL, 10));
	}
}

void stats_add_entry(struct json_object *memory, const char *key, uint64_t limit, uint64_t usage, uint64_t max,
		     uint64_t failcnt)
{
	struct json_object *o = stats_object(memory, key);

	stats_add(o, "limit", limit);
	stats_add_nonzero(o, "usage", usage);
	stats_add_nonzero(o, "max", max);
	stats_add(o, "failcnt", failcnt);
}

void stats_add_io(struct json_object *blkio, const char *key, unsigned int major, unsigned int minor, const char *op,
		  uint64_t value)
{
	struct json_object *list, *o = json_new_object();

	if (!json_object_object_get_ex(blkio, key, &list)) {
		list = json_new_array();
		json_add(blkio, key, list);
	}
	stats_add_nonzero(o, "major", major);
	stats_add_nonzero(o, "minor", minor);
	if (op[0])
		json_add(o, "op", json_new_string(op));
	stats_add_nonzero(o, "value", value);
	json_append(list, o);
}

void stats_add_list(struct json_object *o, const char *key, const char *list)
{
	struct json_object *array = json_new_array();
	const char *p = list ? list : "";

	while (*p >= '0' && *p <= '9') {
		char *end;
		unsigned long from = strtoul(p, &end, 10), to = *end == '-' ? strtoul(end + 1, &end, 10) : from;

		for (unsigned long i = from; i <= to && i < LIST_MAX; i++)
			json_append(array, json_new_int64((int64_t)i));
		p = *end == ',' ? end + 1 : end;
	}
	if (json_object_array_length(array) > 0)
		json_add(o, key, array);
	else
		json_object_put(array);
}

void stats_each_page_size(const struct hierarchy *h, const char *suffix,
			  void (*each_cb)(const struct hierarchy *h, const char *size, void *arg), void *arg)
{
	cleanup_dir DIR *d = h ? opendir(h->dir) : NULL;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		const char *name = e->d_name + strlen("hugetlb."), *dot;

		if (strncmp(e->d_name, "hugetlb.", strlen("hugetlb.")) != 0)
			continue;
		dot = strchr(name, '.');
		if (dot && !strcmp(dot, suffix)) {
			cleanup_free char *size = strndup(name, (size_t)(dot - name));

			each_cb(h, size, arg);
		}
	}
}

/* As runc writes it: names of Go's fields, and null for none. */
static struct json_object *network(const struct net_interface *v, size_t n)
{
	struct json_object *list = n ? json_new_array() : NULL;

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_new_object();

		json_add(o, "Name", json_new_string(v[i].name));
		stats_add(o, "RxBytes", v[i].rx.bytes);
		stats_add(o, "RxPackets", v[i].rx.packets);
		stats_add(o, "RxErrors", v[i].rx.errors);
		stats_add(o, "RxDropped", v[i].rx.dropped);
		stats_add(o, "TxBytes", v[i].tx.bytes);
		stats_add(o, "TxPackets", v[i].tx.packets);
		stats_add(o, "TxErrors", v[i].tx.errors);
		stats_add(o, "TxDropped", v[i].tx.dropped);
		json_append(list, o);
	}
	return list;
}

struct json_object *stats_read(const struct cgroup *cg, const struct net_interface *interfaces, size_t n_interfaces)
{
	struct json_object *data = json_new_object();

	if (cgroup_is_pure_v2(cg))
		stats_v2(cg, data);
	else
		stats_v1(cg, data);
	stats_object(data, "intel_rdt");
	json_add(data, "network_interfaces", network(interfaces, n_interfaces));
	return data;
}
