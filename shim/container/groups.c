/* SPDX-License-Identifier: Apache-2.0 */
/* The container's control groups, by either driver: made by ourselves (cgroupfs), or first asked of systemd as a scope, and then filled by
 * ourselves all the same. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/mountinfo.h"
#include "shim/sandbox/scope.h"

static enum cgroup_policy policy(const struct container_create *p)
{
	switch (p->cgroup_manager) {
	case CGROUP_MANAGER_DISABLED:
		return CGROUP_NONE;
	case CGROUP_MANAGER_SYSTEMD: /* who asks it is given one, or told why not */
		return CGROUP_NEEDED;
	case CGROUP_MANAGER_CGROUPFS:
		break;
	}
	return p->cgroups_optional ? CGROUP_IF_ALLOWED : CGROUP_NEEDED;
}

int groups_plan(struct container *c, const char *mountinfo, struct err *err)
{
	struct creation *cr = c->creation;
	const char *path = c->config->cgroups_path;

	if (cr->params.cgroup_manager == CGROUP_MANAGER_SYSTEMD) {
		if (scope_parse(path, c->id, &cr->scope, err) < 0)
			return -1;
		path = cr->scope.path;
		c->scope_unit = xstrdup(cr->scope.unit);
	}
	if (cgroup_new(mountinfo, cr->caller_cgroup, path, c->id, &c->cgroup, err) < 0)
		return -1;
	cgroup_restrict(c->cgroup, cr->caller_cgroup, policy(&cr->params));
	return 0;
}

static void give_back_scope(struct container *c)
{
	struct err err;

	if (c->creation)
		scope_let_go(&c->creation->scope_holder);
	if (c->scope_unit && scope_stop(c->scope_unit, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

static const struct oci_resources *limits(const struct container *c)
{
	return c->creation->resources ? c->creation->resources : &c->config->resources;
}

static int make(struct container *c, struct err *err)
{
	struct creation *cr = c->creation;

	if (c->scope_unit && scope_start(&cr->scope, c->id, c->config, &cr->scope_holder, err) < 0)
		return -1;
	/* What could not be made may be somebody else's: nobody in it is killed. */
	if (cgroup_create(c->cgroup, cr->scope_holder.pid, err) < 0) {
		give_back_scope(c);
		return c->config->cgroups_path ? err_add(err, "linux.cgroupsPath") : -1;
	}
	c->rec.groups_made = 1;
	/* Groups that were there before have a past. */
	c->rec.outlived_ooms = cgroup_was_found(c->cgroup) ? cgroup_oom_kills(c->cgroup) : 0;
	return 0;
}

static int fill(struct container *c, struct err *err)
{
	return cgroup_apply(c->cgroup, limits(c), err) < 0 ? -1 : cgroup_open_join(c->cgroup, err);
}

/* Who is just ending is still seen there for a moment. */
static bool stay_in_use(const struct container *c)
{
	for (int i = 0; i < 20; i++) {
		if (cgroup_is_empty(c->cgroup))
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

void groups_unmake(struct container *c)
{
	struct err err;

	cgroup_close_join(c->cgroup);
	give_back_scope(c);
	/* Somebody who has come since is not ours. */
	if (!stay_in_use(c) && cgroup_unmake(c->cgroup, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
	cgroup_forget(c->cgroup);
}

int groups_make(struct container *c, struct err *err)
{
	if (make(c, err) < 0)
		return -1;
	if (fill(c, err) == 0 && state_save_record(c, err) == 0)
		return 0;
	groups_unmake(c);
	return -1;
}

/* As they were last, and not as the config has them: what comes back may need more than that. ret is the caller's. */
static int read_limits(struct container *c, struct oci_resources **ret, struct err *err)
{
	cleanup_free char *text = state_resources(c, err);

	return text ? oci_resources_parse(STATEDIR_CONFIG, text, strlen(text), ret, err) : -1;
}

static int plan_again(struct container *c, struct err *err)
{
	cleanup_free char *mountinfo = NULL, *own = NULL;
	struct scope *scope = &c->creation->scope;
	struct cgroup *fresh;

	if (scope_parse(c->config->cgroups_path, c->id, scope, err) < 0 || mountinfo_read(&mountinfo, err) < 0 ||
	    fd_read_file_at(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &own, err) < 0 ||
	    cgroup_new(mountinfo, own, scope->path, c->id, &fresh, err) < 0)
		return -1;
	cgroup_restrict(fresh, own, CGROUP_NEEDED);
	cgroup_renew(c->cgroup, fresh);
	return 0;
}

int groups_make_again(struct container *c, struct err *err)
{
	if (!c->scope_unit && stay_in_use(c))
		return err_set(err, ERR_EXISTS, "cgroup '%s' is in use by other processes",
			       cgroup_freezer_dir(c->cgroup));
	if (!c->scope_unit) {
		c->rec.outlived_ooms = cgroup_oom_kills(c->cgroup);
		return cgroup_open_join(c->cgroup, err);
	}
	/* It may be about to end still, and then its name is not free. */
	if (read_limits(c, &c->creation->resources, err) < 0 || plan_again(c, err) < 0 ||
	    scope_stop(c->scope_unit, err) < 0 || make(c, err) < 0)
		return -1;
	if (fill(c, err) == 0)
		return 0;
	groups_leave(c);
	return -1;
}

void groups_leave(struct container *c)
{
	cgroup_close_join(c->cgroup);
	give_back_scope(c);
}

int groups_settle(struct container *c, struct err *err)
{
	if (!c->scope_unit)
		return 0;
	/* What systemd rounds is written again as it was asked for. */
	if (scope_set_limits(c->scope_unit, limits(c), err) < 0 || cgroup_apply(c->cgroup, limits(c), err) < 0)
		return -1;
	scope_let_go(&c->creation->scope_holder);
	return 0;
}

static void cleanup_resources_fn(struct oci_resources **r)
{
	oci_resources_free(*r);
}

int groups_limit_processes(struct container *c, bool limited, struct err *err)
{
	__attribute__((cleanup(cleanup_resources_fn))) struct oci_resources *last = NULL;
	struct oci_resources change = { 0 };

	if (cgroup_is_absent(c->cgroup))
		return 0;
	if (c->creation->in_place && read_limits(c, &last, err) < 0)
		return -1;
	change.pids_limit = last ? last->pids_limit : c->config->resources.pids_limit;
	if (!change.pids_limit.set)
		return 0;
	if (!limited)
		change.pids_limit.v = -1;
	return cgroup_update(c->cgroup, &change, err);
}

/* A group that is idle has forgotten its shares, and takes none: those that are recorded hold again when it is to be idle no more. */
static int judge_shares(struct container *c, struct oci_resources *r, struct err *err)
{
	const bool shares = r->cpu.shares.set && r->cpu.shares.v, leaves = r->cpu.idle.set && r->cpu.idle.v == 0;
	__attribute__((cleanup(cleanup_resources_fn))) struct oci_resources *now = NULL;
	cleanup_free char *text = NULL;

	if (shares ? r->cpu.idle.set : !leaves)
		return 0;
	text = state_resources(c, err);
	if (!text || oci_resources_parse(STATEDIR_CONFIG, text, strlen(text), &now, err) < 0)
		return -1;
	if (!shares)
		r->cpu.shares = now->cpu.shares;
	else if (now->cpu.idle.set && now->cpu.idle.v == 1)
		return err_set(err, ERR_STATE, "linux.resources.cpu.shares: means nothing while cpu.idle is 1");
	return 0;
}

int groups_update(struct container *c, const struct oci_resources *asked, struct err *err)
{
	struct oci_resources copy = *asked, *r = &copy; /* what it points to is the caller's */

	if (judge_shares(c, r, err) < 0)
		return -1;
	if (cgroup_update(c->cgroup, r, err) < 0)
		return -1;
	if (!c->scope_unit)
		return 0;
	if (scope_set_limits(c->scope_unit, r, err) < 0)
		return -1;
	return cgroup_update(c->cgroup, r, err);
}

int groups_undo(struct container *c, struct err *err)
{
	if (!c->cgroup || c->rec.groups_made)
		return 0;
	/* Named, and perhaps refused because a container below another root has them: nobody of ours can be in there yet. A scope ends by itself, with the shim. */
	if (cgroup_is_empty(c->cgroup) && cgroup_remove(c->cgroup, false, err) < 0)
		return -1;
	cgroup_free(c->cgroup);
	c->cgroup = NULL;
	return 0;
}

bool groups_are_anothers(struct container *c)
{
	struct err ignored;

	/* Of a creation nobody can say yet who was first. */
	if (!c->cgroup || c->rec.status <= STATUS_CREATING || cgroup_is_empty(c->cgroup))
		return false;
	if (!c->init.exited && !c->rec.exit_recorded && c->rec.status != STATUS_CHECKPOINTED)
		return false;
	return load_config(c, &ignored) == 0 && oci_has_new_ns(c->config, OCI_NS_PID);
}

/* What nobody uses is removed, and the rest is named. */
static void leave_to_others(struct container *c)
{
	cleanup_free char *used = xstrdup("");
	struct cgroup_view v;
	struct err err;

	if (cgroup_remove(c->cgroup, true, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
	for (size_t i = 0; cgroup_view(c->cgroup, i, &v); i++) {
		cleanup_free char *before = used;

		used = access(v.host_path, F_OK) < 0
			       ? take_ptr(before)
			       : xasprintf("%s%s'%s'", before, before[0] ? ", " : "", v.host_path);
	}
	if (used[0]) {
		free(c->remark);
		c->remark =
			xasprintf("container '%s' is removed, but not its cgroup %s: it is in use by other processes",
				  c->id, used);
		log_warn("%s", c->remark);
	}
	cgroup_forget(c->cgroup);
}

int groups_remove(struct container *c, struct err *err)
{
	if (!c->cgroup)
		return 0;
	cgroup_close_join(c->cgroup);
	if (groups_are_anothers(c) && stay_in_use(c)) {
		leave_to_others(c);
		return 0;
	}
	if (!cgroup_is_empty(c->cgroup) && cgroup_kill(c->cgroup, SIGKILL, err) < 0)
		return -1;
	give_back_scope(c);
	if (cgroup_remove(c->cgroup, false, err) < 0)
		return -1;
	/* Whoever is in groups of these names from now on is of another container. */
	cgroup_forget(c->cgroup);
	return 0;
}

/* ---- when nobody knows them any more --------------------------------------------------------------------------------------- */

static bool is_known(const struct cgroup *cg, const char *dir)
{
	struct cgroup_view v;

	for (size_t i = 0; cgroup_view(cg, i, &v); i++)
		if (!strcmp(v.host_path, dir))
			return true;
	return false;
}

/* Of the groups that a container of ours with that path would have been given, those that are there and end in `leaf`. ret_mount_len: of where the freezer's hierarchy is mounted. */
static void guess(struct container *c, const char *mountinfo, const char *path, const char *leaf, size_t *ret_mount_len)
{
	cleanup_free char *own = NULL;
	struct cgroup *planned;
	struct cgroup_view v;
	struct err ignored;

	if (fd_read_file_at(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &own, &ignored) < 0 ||
	    cgroup_new(mountinfo, own, path, c->id, &planned, &ignored) < 0)
		return;
	for (size_t i = 0; cgroup_view(planned, i, &v); i++) {
		size_t len = strlen(v.host_path), leaf_len = strlen(leaf), mount_len = len - strlen(v.group_path);

		if (!strncmp(c->rec.freezer, v.host_path, mount_len) && (!strcmp(v.subsystem, "freezer") || v.is_v2))
			*ret_mount_len = mount_len;
		if (len > leaf_len && !strcmp(v.host_path + len - leaf_len, leaf) &&
		    !is_known(c->cgroup, v.host_path) && access(v.host_path, F_OK) == 0)
			cgroup_rebuild_add(c->cgroup, v.subsystem, v.host_path, len - leaf_len);
	}
	cgroup_free(planned);
}

void groups_guess(struct container *c)
{
	const char *leaf = strrchr(c->rec.freezer, '/');
	cleanup_free char *mountinfo = NULL;
	size_t mount_len = 0;
	struct err ignored;

	if (c->cgroup || !leaf || mountinfo_read(&mountinfo, &ignored) < 0)
		return;
	c->cgroup = cgroup_rebuild();
	guess(c, mountinfo, c->config ? c->config->cgroups_path : NULL, leaf, &mount_len);
	/* Where its caller was another one's: as the freezer's is, of which the record tells. */
	if (mount_len > 0)
		guess(c, mountinfo, c->rec.freezer + mount_len, leaf, &mount_len);
}
