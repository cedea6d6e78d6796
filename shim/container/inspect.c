/* SPDX-License-Identifier: Apache-2.0 */
/* What can be read of a container while it runs: its processes, its statistics. */
#include <json-c/json.h>
#include <stdlib.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/net_stats.h"
#include "shim/sandbox/stats.h"

static char *json_take_text(struct json_object *o)
{
	char *text = xstrdup(json_to_text(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return text;
}

char *container_ps(struct container *c, struct err *err)
{
	struct json_object *list;
	struct cgroup_pids pids;

	if (!c->cgroup || cgroup_is_absent(c->cgroup)) {
		err_set(err, ERR_UNSUPPORTED, "cannot list the processes of container '%s': it has no cgroup", c->id);
		return NULL;
	}
	pids = cgroup_pids(c->cgroup);
	list = json_new_array();
	for (size_t i = 0; i < pids.n; i++)
		json_append(list, json_new_int64(pids.v[i]));
	free(pids.v);
	return json_take_text(list);
}

char *container_stats(struct container *c, struct err *err)
{
	enum container_status status = container_status(c);
	struct net_interface *interfaces;
	struct json_object *o;
	size_t n;

	if (status == STATUS_STOPPED || status == STATUS_CHECKPOINTED) {
		err_set(err, ERR_STATE, "container '%s' has no statistics: it is %s", c->id,
			container_status_name(status));
		return NULL;
	}
	if (!c->cgroup || cgroup_is_absent(c->cgroup)) {
		err_set(err, ERR_UNSUPPORTED, "container '%s' has no statistics: it has no cgroup", c->id);
		return NULL;
	}
	n = net_stats(c->rec.init_pid, c->init.pidfd, &interfaces);
	o = stats_read(c->cgroup, interfaces, n);
	free(interfaces);
	return json_take_text(o);
}
