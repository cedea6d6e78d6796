/* SPDX-License-Identifier: Apache-2.0 */
/* linux.intelRdt: shares of caches and of memory bandwidth. */
#include <string.h>

#include "common/fd.h"
#include "shim/oci/read.h"

/* It becomes a directory beside those of the file system's own; "/" is the file system's root. */
static int read_clos_id(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	static const char *const taken[] = { ".", "..", "info", "mon_groups", "mon_data" };
	char **id = out;

	if (read_string(at, v, id, arg, err) < 0)
		return -1;
	if (!*id || !strcmp(*id, "/"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (!strcmp(*id, taken[i]))
			return refuse(at, err, ERR_CONFIG, "'%s' is no name of a group", *id);
	return strpbrk(*id, "/\n") ? refuse(at, err, ERR_CONFIG, "is no name of a group") : 0;
}

/* Line by line: a schema of code and data has two. */
static int read_l3(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *line;

	if (read_string(at, v, out, arg, err) < 0)
		return -1;
	for (line = *(char **)out; line && *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (strncmp(line, "L3", 2) != 0)
			return refuse(at, err, ERR_CONFIG, "must be lines that begin with 'L3'");
	return 0;
}

static int read_mb(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	const char *text;

	if (read_string(at, v, out, arg, err) < 0)
		return -1;
	text = *(char **)out;
	if (text && (strncmp(text, "MB:", 3) != 0 || strchr(text, '\n')))
		return refuse(at, err, ERR_CONFIG, "must be one line that begins with 'MB:'");
	return 0;
}

static int read_schemata(const struct at *at, struct json_object *v, void *out, const void *arg, struct err *err)
{
	struct oci_strings *lines = out;

	if (read_strings(at, v, lines, arg, err) < 0)
		return -1;
	for (size_t i = 0; i < lines->n; i++) {
		struct at entry = { .up = at, .index = i };

		if (!lines->v[i][0] || strchr(lines->v[i], '\n'))
			return refuse(&entry, err, ERR_CONFIG, "must be one line");
	}
	return 0;
}

static const struct row rdt_rows[] = {
	ROW("closID", read_clos_id, offsetof(struct oci_intel_rdt, clos_id)),
	ROW("schemata", read_schemata, offsetof(struct oci_intel_rdt, schemata)),
	ROW("l3CacheSchema", read_l3, offsetof(struct oci_intel_rdt, l3_schema)),
	ROW("memBwSchema", read_mb, offsetof(struct oci_intel_rdt, mb_schema)),
	ROW("enableMonitoring", read_bool, offsetof(struct oci_intel_rdt, monitoring)),
};
static const struct table rdt_table = TABLE(rdt_rows);
const struct present oci_intel_rdt_present = { offsetof(struct oci_intel_rdt, set), 0, &rdt_table };
