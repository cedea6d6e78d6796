/* SPDX-License-Identifier: Apache-2.0 */
/* The container's control groups, in every hierarchy of the host: v1, v2, or hybrid (a v1 host whose v2 mount is used for what only
 * v2 has). One front; cgroup_v1.c and cgroup_v2.c know the files.
 *
 * A container never sits in the root group of a hierarchy, nor in the caller's own. */
#ifndef THOLE_SHIM_SANDBOX_CGROUP_H
#define THOLE_SHIM_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

struct cgroup;

/* Work out where the container's groups are. No effect on the system. mountinfo and caller are the texts of /proc/self/mountinfo and of
 * the caller's /proc/self/cgroup (read before the shim moved itself).
 *
 * cgroups_path absolute: from each hierarchy's root. Relative, or NULL ("thole-ID"): on v1 below the caller's group, on v2 beside
 * it (a v2 group with processes cannot enable controllers for children). ERR_CONFIG for a path that is the root or has a component "..". */
int cgroup_new(const char *mountinfo, const char *caller, const char *cgroups_path, const char *id, struct cgroup **ret,
	       struct err *err);

/* Before anything is made: drop what the container is not to have (NONE), or what the calling process may not make and join (IF_ALLOWED). Of the groups that are left, what
 * only privileges could do (device programs) is then done without. `caller` as above. */
enum cgroup_policy { CGROUP_NEEDED, CGROUP_IF_ALLOWED, CGROUP_NONE };
void cgroup_restrict(struct cgroup *cg, const char *caller, enum cgroup_policy policy);

/* Is there no group at all? Limits are refused then. */
bool cgroup_is_absent(const struct cgroup *cg);

/* Its groups have been removed: from here on there is no group at all, whoever makes new ones of the same names. */
void cgroup_forget(struct cgroup *cg);

/* Its groups are to be made once more, at the same places, after somebody has removed some of them: `fresh`, of cgroup_new(), is taken, and what `cg` itself once made stays its own to remove. */
void cgroup_renew(struct cgroup *cg, struct cgroup *fresh);

/* Accepts NULL. Removes nothing. */
void cgroup_free(struct cgroup *cg);

/* Make the groups. An existing group with processes in it or below is refused, unless it is one that somebody has made for us and that `holder` alone sits in (0:
 * there is none); an empty one is taken, and thawed. On failure what was made is gone again. */
int cgroup_create(struct cgroup *cg, pid_t holder, struct err *err);

/* Was any of them there before? Of groups that this process has made. */
bool cgroup_was_found(const struct cgroup *cg);

/* Take back cgroup_create(), before anybody has joined: as cgroup_remove(), but of what was there before a group with others below it stays, with these. */
int cgroup_unmake(struct cgroup *cg, struct err *err);

/* Write the limits. Errors name the field: "linux.resources.memory.limit: ...". */
int cgroup_apply(struct cgroup *cg, const struct oci_resources *r, struct err *err);

/* Change the limits of a container that lives; what is absent stays. All of them or none: when one is refused, those that were written before are set back.
 * Devices are left alone. */
int cgroup_update(struct cgroup *cg, const struct oci_resources *r, struct err *err);

/* On a v2 host, give the container's group to `uid` (as the shim numbers users), with those files that the kernel lists in `list` ("" where it has none: the usual three): then who
 * is that inside may make child groups, and move what is in the container. Does nothing on v1, where that would not be safe. */
#define CGROUP_DELEGATE_LIST "/sys/kernel/cgroup/delegate"
int cgroup_delegate(const struct cgroup *cg, const char *list, uid_t uid, struct err *err);

/* Open, before the clone, what the child joins by. child_cgroup_join: called by the single-threaded child itself, "0" into each v1
 * `tasks`: 0.2 ms where cgroup.procs takes 9 (it waits for an RCU grace period on an idle host). The v2 group is not joined
 * but cloned into: cgroup_v2_fd for CLONE_INTO_CGROUP (-1: none). */
int cgroup_open_join(struct cgroup *cg, struct err *err);
/* The same of groups below the container's own, which have to be there: one GROUP (in the hierarchies that have it, the container's own in the others; ERR_USAGE when none
 * has), or CONTROLLER[,CONTROLLER...]:GROUP each. ERR_USAGE names what is wrong with it, "--cgroup" in front. On failure some are open: cgroup_close_join(). */
int cgroup_open_join_below(struct cgroup *cg, const char *const *groups, size_t n, struct err *err);

/* Instead of the container's v2 group, join the one below it that process `pid` is in: what is open for it is replaced. For a container that has divided its group: then no
 * process may be in the upper one (EBUSY). */
int cgroup_open_join_of(struct cgroup *cg, pid_t pid, struct err *err);
void cgroup_close_join(struct cgroup *cg);
int cgroup_v2_fd(const struct cgroup *cg);
int child_cgroup_join(const struct cgroup *cg, struct err *err);

/* Send `sig` to every process of the container, those of its child groups included. SIGKILL goes through cgroup.kill where there is
 * one; else the group is frozen meanwhile, so that nobody forks away, and afterwards as it was before (thawed for SIGKILL,
 * with what the container has frozen itself). */
int cgroup_kill(struct cgroup *cg, int sig, struct err *err);

/* The same of a group that will be used again: what is cloned into one after a write to its cgroup.kill is killed too, for ever (seen with Linux 6.18). */
int cgroup_kill_each(struct cgroup *cg, int sig, struct err *err);

/* Ask the kernel to freeze or thaw the container. What comes of it, cgroup_frozen() tells. Does not wait. */
int cgroup_set_frozen(const struct cgroup *cg, bool frozen, struct err *err);
enum cgroup_frozen { CGROUP_THAWED, CGROUP_FREEZING, CGROUP_FROZEN };
enum cgroup_frozen cgroup_frozen(const struct cgroup *cg);

/* A descriptor that becomes readable when cgroup_frozen() may have changed, the caller's to close; -1 where the kernel tells nobody (v1). */
int cgroup_open_frozen_event(const struct cgroup *cg);

/* Someone in it was killed: see that it can die although the container is frozen, or a child group of its own. Who is not dead yet may freeze these again. */
void cgroup_let_die(const struct cgroup *cg);

/* The processes of the container and of its child groups, as this process's pid namespace numbers them. Caller frees v. */
struct cgroup_pids {
	size_t n;
	pid_t *v;
};
struct cgroup_pids cgroup_pids(const struct cgroup *cg);

/* Are there processes in it or below? */
bool cgroup_is_empty(const struct cgroup *cg);

/* Remove the groups, child groups first, and those parents that cgroup_create made. Waits up to two seconds for what is
 * being freed. Success when they are gone already.
 * unused: only those that no process is in or below. */
int cgroup_remove(struct cgroup *cg, bool unused, struct err *err);

/* Is anybody in it or below, whichever pid namespace he is in? v1 counts the zombies, too, and can tell by its pids controller only; false when nobody can tell. */
bool cgroup_is_populated(const struct cgroup *cg);

/* Can whoever is in it be traced (ptrace(2)) while it is frozen? v1's freezer does not let go of a process that a signal has stopped (Ctrl-Z): who begins to trace that one waits for ever. */
bool cgroup_can_trace_frozen(const struct cgroup *cg);

/* Directory for the status record: v1 freezer, else the v2 group. "" when there is none. */
const char *cgroup_freezer_dir(const struct cgroup *cg);

/* How many processes of the container the kernel has killed for lack of memory; 0 where nobody counts. */
uint64_t cgroup_oom_kills(const struct cgroup *cg);

/* Bytes of memory that its group may have now, whoever has said so; UINT64_MAX: there is no limit, or nobody to ask. */
uint64_t cgroup_memory_limit(const struct cgroup *cg);

bool cgroup_is_pure_v2(const struct cgroup *cg);

/* The i-th hierarchy; false when there is no such. Pointers belong to cg. */
struct cgroup_view {
	const char *name;       /* directory name below /sys/fs/cgroup: "memory", "cpu,cpuacct", "systemd", "unified" */
	const char *data;       /* mount option of v1: "memory", "cpu,cpuacct", "none,name=systemd" */
	const char *subsystem;  /* as /proc/self/cgroup says: "memory", "name=systemd", "" for v2 */
	const char *host_path;  /* absolute directory of the container's group */
	const char *group_path; /* the same below the hierarchy's root, of groups that this shim has made */
	size_t base_len;        /* bytes of host_path that were there before: the rest is ours to remove */
	bool is_v2;
	const char *links[4]; /* names that point to `name`, NULL-terminated: co-mounted controllers */
};
bool cgroup_view(const struct cgroup *cg, size_t i, struct cgroup_view *ret);

/* Rebuild from what a state file says, for a shim that did not make them: entries are (subsystem, host_path, base_len). */
struct cgroup *cgroup_rebuild(void);
void cgroup_rebuild_add(struct cgroup *cg, const char *subsystem, const char *host_path, size_t base_len);

/* Move the calling process itself into the shared group of all shims, in the hierarchies by which managers follow processes (v2 and
 * name=systemd), so that the cron job or unit that started it can end. `group`: STATEDIR_SHIMS_GROUP or what the user named. In v2 it is there already when its
 * client could clone it into the group: to write to cgroup.procs waits for an RCU grace period, some 10 ms. */
int cgroup_move_self(const char *mountinfo, const char *group, struct err *err);

#endif
