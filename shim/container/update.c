/* SPDX-License-Identifier: Apache-2.0 */
/* New limits for a container that lives. */
#include <json-c/json.h>
#include <stdlib.h>

#include "common/log.h"
#include "shim/container/container_internal.h"
#include "shim/oci/json.h"
#include "shim/sandbox/cgroup.h"

static void cleanup_resources_fn(struct oci_resources **r)
{
	oci_resources_free(*r);
}

/* The limits hold by now; that nobody will know of them later is no reason to take them back. */
static void keep(struct container *c, const char *text, size_t len)
{
	cleanup_json struct json_object *changed = NULL;
	struct err err;

	if (oci_json_parse("resources", text, len, &changed, &err) < 0)
		return;
	json_object_object_del(changed, "devices");
	if (state_merge_resources(c, changed, &err) < 0)
		log_warn("container '%s': its new limits hold, but are not recorded: %s", c->id, err.text);
}

int container_update(struct container *c, const char *text, size_t len, struct err *err)
{
	__attribute__((cleanup(cleanup_resources_fn))) struct oci_resources *r = NULL;
	enum container_status status = container_status(c);

	if (status == STATUS_STOPPED)
		return err_set(err, ERR_STATE, "cannot update container '%s': it is stopped", c->id);
	if (!c->cgroup)
		return err_set(err, ERR_UNSUPPORTED, "cannot update container '%s': it has no cgroup", c->id);
	if (oci_resources_parse("resources", text, len, &r, err) < 0)
		return -1;
	if (groups_update(c, r, err) < 0)
		return -1;
	keep(c, text, len);
	return 0;
}
