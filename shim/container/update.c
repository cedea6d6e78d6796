/* SPDX-License-Identifier: Apache-2.0 */
/* New limits for a container that lives. */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/container/container_internal.h"
#include "shim/oci/json.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/mountinfo.h"

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
	json_object_object_del(changed, "intelRdt");
	if (state_merge_resources(c, changed, &err) < 0)
		log_warn("container '%s': its new limits hold, but are not recorded: %s", c->id, err.text);
}

/* The kernel keeps the shares, and the group is recorded: nothing of them belongs to the limits. */
static void keep_group(struct container *c)
{
	struct err err;

	if (state_save_resctrl(c, &err) < 0)
		log_warn("container '%s': its resctrl group is not recorded: %s", c->id, err.text);
}

static int change_shares(struct container *c, const struct oci_intel_rdt *rdt, char **ret_old, struct err *err)
{
	cleanup_free char *mountinfo = NULL;
	struct cgroup_pids pids;
	int r;

	if (mountinfo_read(&mountinfo, err) < 0)
		return -1;
	pids = cgroup_pids(c->cgroup);
	r = resctrl_update(&c->resctrl, mountinfo, rdt, c->id, pids.v, pids.n, ret_old, err);
	free(pids.v);
	return r;
}

/* Shares first: they can be taken back. */
static int apply(struct container *c, const struct oci_resources *r, const struct oci_intel_rdt *rdt, struct err *err)
{
	cleanup_free char *old = NULL;

	if (!rdt->set)
		return groups_update(c, r, err);
	if (change_shares(c, rdt, &old, err) < 0)
		return -1;
	if (groups_update(c, r, err) < 0) {
		resctrl_take_back(&c->resctrl, old);
		return -1;
	}
	keep_group(c);
	return 0;
}

int container_update(struct container *c, const char *text, size_t len, struct err *err)
{
	__attribute__((cleanup(cleanup_resources_fn))) struct oci_resources *r = NULL;
	__attribute__((cleanup(oci_intel_rdt_release))) struct oci_intel_rdt rdt = { 0 };
	enum container_status status = container_status(c);

	if (status == STATUS_STOPPED)
		return err_set(err, ERR_STATE, "cannot update container '%s': it is stopped", c->id);
	if (status == STATUS_CHECKPOINTED && c->scope_unit)
		return err_set(
			err, ERR_STATE,
			"cannot update container '%s': it is checkpointed, and its scope is gone until it comes back",
			c->id);
	if (!c->cgroup)
		return err_set(err, ERR_UNSUPPORTED, "cannot update container '%s': it has no cgroup", c->id);
	if (oci_resources_parse("resources", text, len, &r, err) < 0 ||
	    oci_intel_rdt_parse("resources", text, len, &rdt, err) < 0 || apply(c, r, &rdt, err) < 0)
		return -1;
	keep(c, text, len);
	return 0;
}
