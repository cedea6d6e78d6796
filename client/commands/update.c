/* SPDX-License-Identifier: Apache-2.0 */
/* thole update: new limits for a container, from options or as an OCI resources object. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/json.h"
#include "common/fd.h"
#include "common/memfd.h"
#include "common/number.h"

#define RESOURCES_MAX (1 << 20)

/* ---- from options ---------------------------------------------------------------------------------- */

enum value_kind {
	VALUE_SIZE,   /* bytes with a unit, or -1 */
	VALUE_SIGNED, /* or -1 */
	VALUE_UNSIGNED,
	VALUE_TEXT,
};

struct value_row {
	const char *option, *group, *key;
	enum value_kind kind;
	const char *value;
};

static int to_json(const struct value_row *row, json_object **ret, struct err *err)
{
	uint64_t v;

	if (row->kind == VALUE_TEXT) {
		*ret = json_new_string(row->value);
		return 0;
	}
	if (row->kind != VALUE_UNSIGNED && !strcmp(row->value, "-1")) {
		*ret = json_new_int64(-1);
		return 0;
	}
	if (row->kind == VALUE_SIZE) {
		if (number_size(row->option, row->value, &v, err) < 0)
			return -1;
	} else if (!number_u64(row->value, row->kind == VALUE_SIGNED ? INT64_MAX : UINT64_MAX, &v)) {
		return err_set(err, ERR_USAGE, "%s: '%s' is no number", row->option, row->value);
	}
	*ret = json_new_uint64(v);
	return 0;
}

/* The member of `o`, made when it is missing. Borrowed. */
static json_object *group_of(json_object *o, const char *name)
{
	json_object *group = json_get(o, name);

	if (!group) {
		group = json_new_object();
		json_add(o, name, group);
	}
	return group;
}

static int from_options(const struct update_options *o, char **ret_text, struct err *err)
{
	/* clang-format off */
	const struct value_row rows[] = {
		{ "--blkio-weight",       "blockIO", "weight",          VALUE_UNSIGNED, o->blkio_weight },
		{ "--cpu-period",         "cpu",     "period",          VALUE_UNSIGNED, o->cpu_period },
		{ "--cpu-quota",          "cpu",     "quota",           VALUE_SIGNED,   o->cpu_quota },
		{ "--cpu-burst",          "cpu",     "burst",           VALUE_UNSIGNED, o->cpu_burst },
		{ "--cpu-share",          "cpu",     "shares",          VALUE_UNSIGNED, o->cpu_share },
		{ "--cpu-rt-period",      "cpu",     "realtimePeriod",  VALUE_UNSIGNED, o->cpu_rt_period },
		{ "--cpu-rt-runtime",     "cpu",     "realtimeRuntime", VALUE_SIGNED,   o->cpu_rt_runtime },
		{ "--cpu-idle",           "cpu",     "idle",            VALUE_SIGNED,   o->cpu_idle },
		{ "--cpuset-cpus",        "cpu",     "cpus",            VALUE_TEXT,     o->cpuset_cpus },
		{ "--cpuset-mems",        "cpu",     "mems",            VALUE_TEXT,     o->cpuset_mems },
		{ "--kernel-memory",      "memory",  "kernel",          VALUE_SIZE,     o->kernel_memory },
		{ "--kernel-memory-tcp",  "memory",  "kernelTCP",       VALUE_SIZE,     o->kernel_memory_tcp },
		{ "--memory",             "memory",  "limit",           VALUE_SIZE,     o->memory },
		{ "--memory-reservation", "memory",  "reservation",     VALUE_SIZE,     o->memory_reservation },
		{ "--memory-swap",        "memory",  "swap",            VALUE_SIZE,     o->memory_swap },
		{ "--pids-limit",         "pids",    "limit",           VALUE_SIGNED,   o->pids_limit },
	};
	/* clang-format on */
	cleanup_json json_object *resources = json_new_object();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_object *value;

		if (!rows[i].value)
			continue;
		if (to_json(&rows[i], &value, err) < 0)
			return -1;
		json_add(group_of(resources, rows[i].group), rows[i].key, value);
	}
	*ret_text = xstrdup(json_text(resources));
	return 0;
}

/* ---- from a file ----------------------------------------------------------------------------------- */

static int from_file(const char *path, char **ret_text, struct err *err)
{
	cleanup_fd int fd = -1;
	size_t len;

	if (!strcmp(path, "-"))
		return fd_read_all(STDIN_FILENO, RESOURCES_MAX, ret_text, &len, err) < 0 ? err_add(err, "stdin") : 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", path);
	return fd_read_all(fd, RESOURCES_MAX, ret_text, &len, err) < 0 ? err_add(err, "'%s'", path) : 0;
}

/* These are no limits of a group, and come beside a file too. What is no JSON object the shim refuses. */
static void add_schemata(const struct update_options *o, char **text)
{
	cleanup_json json_object *resources = NULL;
	struct err ignored;
	json_object *rdt;

	if ((!o->l3_cache_schema && !o->mem_bw_schema) || json_parse(*text, "resources", &resources, &ignored) < 0 ||
	    !json_object_is_type(resources, json_type_object))
		return;
	rdt = json_new_object();
	if (o->l3_cache_schema)
		json_add_string(rdt, "l3CacheSchema", o->l3_cache_schema);
	if (o->mem_bw_schema)
		json_add_string(rdt, "memBwSchema", o->mem_bw_schema);
	json_add(resources, "intelRdt", rdt);
	free(*text);
	*text = xstrdup(json_text(resources));
}

int cmd_update(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct update_options *o = inv->options;
	const char *id = inv->operands[0];
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int dir_fd = -1, memfd = -1;
	cleanup_free char *text = NULL;
	Request req = Request_init_zero;
	struct wire_fds fds = { 0 };
	Reply reply;

	/* As with runc: a file makes the other options mean nothing. */
	if ((o->resources ? from_file(o->resources, &text, err) : from_options(o, &text, err)) < 0)
		return -1;
	add_schemata(o, &text);
	if (memfd_sealed("resources", text, strlen(text), &memfd, err) < 0)
		return -1;
	req.which_body = Request_update_tag;
	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0 ||
	    call_open(cl, id, dir_fd, CALL_SERVE, &c, err) < 0 || call_send(&c, &req, &memfd, 1, err) < 0 ||
	    call_reply(&c, &reply, &fds, err) < 0)
		return -1;
	wire_fds_release(&fds);
	return 0;
}
