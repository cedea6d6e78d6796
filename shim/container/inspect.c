/* SPDX-License-Identifier: Apache-2.0 */
/* What can be read of a container while it runs: its processes, its statistics. */
#include <json-c/json.h>
#include <stdlib.h>

#include "common/fd.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"

static char *json_take_text(struct json_object *o)
{
	char *text =
		xstrdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return text;
}

char *container_ps(struct container *c)
{
	struct cgroup_pids pids = c->cgroup ? cgroup_pids(c->cgroup) : (struct cgroup_pids) { 0 };
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < pids.n; i++)
		json_object_array_add(list, json_object_new_int64(pids.v[i]));
	free(pids.v);
	return json_take_text(list);
}
