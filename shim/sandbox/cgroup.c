/* SPDX-License-Identifier: Apache-2.0 */
/* The container's control groups, in every hierarchy of the host: the front.
 *
 * Runs in the shim (and child_cgroup_join in the container's first process), with the privileges to write to the hierarchies. */
#include "shim/sandbox/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/path.h"
#include "common/proc.h"
#include "shim/sandbox/cgroup_plan.h"

#define REMOVE_TRIES 2000   /* of a millisecond each */
#define PROCS_MAX (4 << 20) /* bytes of a cgroup.procs file */

/* ---- where things are ------------------------------------------------------------------------------------------------ */

/* The group that /proc/self/cgroup text names for `subsystem` ("" for v2). Caller frees; NULL when there is none. */
static char *caller_group(const char *caller, const char *subsystem)
{
	size_t n = strlen(subsystem);

	for (const char *line = caller; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *sub = strchr(line, ':');

		if (sub && !strncmp(sub + 1, subsystem, n) && sub[1 + n] == ':')
			return strndup(sub + 2 + n, strcspn(sub + 2 + n, "\n"));
	}
	return NULL;
}

/* The words of a v1 superblock's options that are controllers: everything that is not a generic option. */
static char *controllers_of(const char *super_options)
{
	static const char *const generic[] = {
		"rw", "ro", "noprefix", "clone_children", "xattr", "cpuset_v2_mode", "favordynmods"
	};
	cleanup_free char *copy = xstrdup(super_options);
	char *out = xcalloc(1, strlen(super_options) + 1), *save = NULL;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		bool skip = !strncmp(w, "release_agent=", 14);

		for (size_t i = 0; i < ARRAY_SIZE(generic) && !skip; i++)
			skip = !strcmp(w, generic[i]);
		if (skip)
			continue;
		if (out[0])
			strcat(out, ",");
		strcat(out, w);
	}
	return out;
}

static void hierarchy_release(struct hierarchy *h)
{
	free(h->subsystem);
	free(h->name);
	free(h->data);
	free(h->mount);
	free(h->dir);
	free(h->link_text);
	fd_close(&h->join_fd);
}

void cgroup_forget(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++)
		hierarchy_release(&cg->h[i]);
	cg->n = 0;
}

void cgroup_renew(struct cgroup *cg, struct cgroup *fresh)
{
	for (size_t i = 0; i < fresh->n; i++)
		for (size_t j = 0; j < cg->n; j++)
			if (!strcmp(fresh->h[i].dir, cg->h[j].dir)) {
				fresh->h[i].base_len = cg->h[j].base_len;
				fresh->h[i].made = cg->h[j].made;
			}
	cgroup_forget(cg);
	*cg = *fresh;
	free(fresh);
}

void cgroup_free(struct cgroup *cg)
{
	if (!cg)
		return;
	cgroup_forget(cg);
	free(cg);
}

/* "cpu,cpuacct" is also known as "cpu" and as "cpuacct". */
static void set_names(struct hierarchy *h, const char *mount_name)
{
	size_t n = 0;
	char *save = NULL;

	h->name = xstrdup(mount_name);
	h->data = !strncmp(h->subsystem, "name=", 5) ? xasprintf("none,%s", h->subsystem) : xstrdup(h->subsystem);
	if (!strchr(h->subsystem, ','))
		return;
	h->link_text = xstrdup(h->subsystem);
	for (char *w = strtok_r(h->link_text, ",", &save); w && n < ARRAY_SIZE(h->links) - 1;
	     w = strtok_r(NULL, ",", &save))
		if (strcmp(w, mount_name) != 0)
			h->links[n++] = w;
}

/* One line of mountinfo: "ID PARENT MAJ:MIN ROOT MOUNTPOINT OPTIONS ... - TYPE SOURCE SUPEROPTIONS". */
struct mount_line {
	char root[PATH_MAX], mount[PATH_MAX], type[32], super[512];
};

static bool parse_mount_line(const char *line, struct mount_line *ret)
{
	const char *dash = strstr(line, " - "), *end = strchr(line, '\n');

	if (!dash || (end && dash > end))
		return false;
	if (strncmp(dash + 3, "cgroup", 6) != 0)
		return false;
	return sscanf(line, "%*d %*d %*s %4095s %4095s", ret->root, ret->mount) == 2 &&
	       sscanf(dash + 3, "%31s %*s %511s", ret->type, ret->super) == 2;
}

static char *group_path(bool v2, const char *caller, const char *root, const char *wanted)
{
	cleanup_free char *base = NULL, *joined = NULL;

	if (wanted[0] == '/')
		return path_clean(wanted);
	base = xstrdup(path_is_below(caller, root) && strcmp(root, "/") != 0 ? caller + strlen(root) : caller);
	joined = v2 ? xasprintf("%s/../%s", base, wanted) : xasprintf("%s/%s", base, wanted);
	return path_clean(joined);
}

/* How much of DIR is there already. The leaf does not count: an empty one is ours all the same. */
static size_t existing_length(const char *dir, size_t mount_len)
{
	cleanup_free char *part = xstrdup(dir);
	char *slash = strrchr(part, '/');

	while ((size_t)(slash - part) > mount_len) {
		*slash = '\0';
		if (access(part, F_OK) == 0)
			break;
		slash = strrchr(part, '/');
	}
	return (size_t)(slash - part);
}

static int add_hierarchy(struct cgroup *cg, const struct mount_line *line, const char *caller, const char *wanted,
			 struct err *err)
{
	cleanup_free char *subsystem = NULL, *group = NULL, *path = NULL;
	bool v2 = !strcmp(line->type, "cgroup2");
	const char *name = strrchr(line->mount, '/');
	struct hierarchy *h;

	subsystem = v2 ? xstrdup("") : controllers_of(line->super);
	for (size_t i = 0; i < cg->n; i++)
		if (!strcmp(cg->h[i].subsystem, subsystem))
			return 0; /* mounted twice */
	group = caller_group(caller, subsystem);
	if (!group)
		return 0; /* this kernel does not account it to us */
	if (cg->n == CGROUP_HIERARCHIES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d cgroup hierarchies are mounted", CGROUP_HIERARCHIES_MAX);
	path = group_path(v2, group, line->root, wanted);
	if (!strcmp(path, "/"))
		return err_set(err, ERR_CONFIG, "linux.cgroupsPath: '%s' is the root group", wanted);
	h = &cg->h[cg->n++];
	*h = (struct hierarchy) { .v2 = v2, .join_fd = -1 };
	h->subsystem = take_ptr(subsystem);
	set_names(h, v2 ? "unified" : name ? name + 1 : h->subsystem);
	h->mount = xstrdup(line->mount);
	h->dir = xasprintf("%s%s", line->mount, path);
	h->base_len = existing_length(h->dir, strlen(line->mount));
	return 0;
}

/* A component of it, that is: names may have dots in them. */
static bool leads_upwards(const char *path)
{
	for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
		if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
			return true;
	return false;
}

int cgroup_new(const char *mountinfo, const char *caller, const char *cgroups_path, const char *id, struct cgroup **ret,
	       struct err *err)
{
	cleanup_free char *wanted = cgroups_path && cgroups_path[0] ? xstrdup(cgroups_path) : xasprintf("thole-%s", id);
	struct cgroup *cg = xcalloc(1, sizeof(*cg));
	struct mount_line line;

	if (leads_upwards(wanted)) {
		free(cg);
		return err_set(err, ERR_CONFIG, "linux.cgroupsPath: '%s' has '..' in it", wanted);
	}
	for (const char *p = mountinfo; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		if (!parse_mount_line(p, &line))
			continue;
		if (add_hierarchy(cg, &line, caller, wanted, err) < 0) {
			cgroup_free(cg);
			return -1;
		}
	}
	cg->pure_v2 = cg->n == 1 && cg->h[0].v2;
	*ret = cg;
	return 0;
}

/* A process moves only where whoever moves it may write to the group that has both, the old and the new one, in it. */
static bool may_move_into(const struct hierarchy *h, const char *caller)
{
	cleanup_free char *group = caller_group(caller, h->subsystem);
	cleanup_free char *from = xasprintf("%s%s/", h->mount, group && strcmp(group, "/") != 0 ? group : "");
	cleanup_free char *procs = NULL;
	size_t common = strlen(h->mount);

	for (size_t i = common; from[i] && from[i] == h->dir[i]; i++)
		if (from[i + 1] == '/' && (h->dir[i + 1] == '/' || !h->dir[i + 1]))
			common = i + 1;
	procs = xasprintf("%.*s/cgroup.procs", (int)common, h->dir);
	return faccessat(AT_FDCWD, procs, W_OK, AT_EACCESS) == 0;
}

static bool may_make(const struct hierarchy *h, const char *caller)
{
	cleanup_free char *base = strndup(h->dir, h->base_len);

	return base && faccessat(AT_FDCWD, base, W_OK, AT_EACCESS) == 0 && (!h->v2 || may_move_into(h, caller));
}

void cgroup_restrict(struct cgroup *cg, const char *caller, enum cgroup_policy policy)
{
	size_t kept = 0;

	cg->lenient = policy != CGROUP_NEEDED;
	for (size_t i = 0; i < cg->n && cg->lenient; i++) {
		struct hierarchy *h = &cg->h[i];

		if (policy == CGROUP_IF_ALLOWED && may_make(h, caller)) {
			cg->h[kept++] = *h;
			continue;
		}
		log_debug("no cgroup '%s': %s", h->dir,
			  policy == CGROUP_NONE ? "none are wanted" : "it may not be made");
		hierarchy_release(h);
	}
	if (cg->lenient)
		cg->n = kept;
	cg->pure_v2 = cg->pure_v2 && cg->n;
}

bool cgroup_is_absent(const struct cgroup *cg)
{
	return cg->n == 0;
}

struct cgroup *cgroup_rebuild(void)
{
	return xcalloc(1, sizeof(struct cgroup));
}

void cgroup_rebuild_add(struct cgroup *cg, const char *subsystem, const char *host_path, size_t base_len)
{
	struct hierarchy *h;

	if (cg->n == CGROUP_HIERARCHIES_MAX || base_len > strlen(host_path))
		return;
	h = &cg->h[cg->n++];
	*h = (struct hierarchy) { .v2 = !subsystem[0], .join_fd = -1, .made = true, .base_len = base_len };
	h->subsystem = xstrdup(subsystem);
	/* As they are called below /sys/fs/cgroup. */
	set_names(h, h->v2 ? "unified" : !strncmp(subsystem, "name=", 5) ? subsystem + 5 : subsystem);
	h->dir = xstrdup(host_path);
	cg->pure_v2 = cg->n == 1 && h->v2;
}

const struct hierarchy *cgroup_find(const struct cgroup *cg, const char *controller)
{
	size_t n = strlen(controller);

	for (size_t i = 0; i < cg->n; i++) {
		for (const char *p = cg->h[i].subsystem; *p; p += strcspn(p, ","), p += *p == ',')
			if (!strncmp(p, controller, n) && (p[n] == ',' || !p[n]))
				return &cg->h[i];
	}
	return NULL;
}

const struct hierarchy *cgroup_find_v2(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++)
		if (cg->h[i].v2)
			return &cg->h[i];
	return NULL;
}

bool cgroup_is_pure_v2(const struct cgroup *cg)
{
	return cg->pure_v2;
}

const char *cgroup_freezer_dir(const struct cgroup *cg)
{
	const struct hierarchy *h = cgroup_find(cg, "freezer");

	if (!h)
		h = cgroup_find_v2(cg);
	return h ? h->dir : "";
}

bool cgroup_view(const struct cgroup *cg, size_t i, struct cgroup_view *ret)
{
	const struct hierarchy *h = &cg->h[i];

	if (i >= cg->n)
		return false;
	*ret = (struct cgroup_view) {
		.name = h->name,
		.data = h->data,
		.subsystem = h->subsystem,
		.host_path = h->dir,
		.group_path = h->dir + (h->mount ? strlen(h->mount) : 0),
		.base_len = h->base_len,
		.is_v2 = h->v2,
	};
	memcpy(ret->links, h->links, sizeof(ret->links));
	return true;
}

/* ---- making and removing ------------------------------------------------------------------------------------------------- */

int cgroup_write(const struct hierarchy *h, const char *field, const char *file, const char *value, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/%s", h->dir, file);

	if (fd_write_file_at(AT_FDCWD, path, value, err) == 0)
		return 0;
	if (err_is_sys(err, EBUSY) && !strncmp(file, "memory.", strlen("memory.")))
		return err_set(err, ERR_SYS, "%s: more than %s bytes are in use, and the kernel cannot free them",
			       field, value);
	if (err_is_sys(err, EINVAL) && !strcmp(file, "memory.limit_in_bytes"))
		return cgroup_v1_above_swap(h, field, value, err);
	return err_add(err, "%s", field);
}

static int read_procs(const char *dir, char **ret_text, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/cgroup.procs", dir);

	return fd_read_file_at(AT_FDCWD, path, PROCS_MAX, ret_text, err);
}

char *cgroup_next_child(const char *dir, DIR *d)
{
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			return xasprintf("%s/%s", dir, e->d_name);
	return NULL;
}

static bool tree_is_empty(const char *dir)
{
	cleanup_free char *procs = NULL;
	cleanup_dir DIR *d = NULL;
	bool empty = true;
	char *child;
	struct err err;

	if (read_procs(dir, &procs, &err) < 0)
		return true;
	if (procs[0])
		return false;
	d = opendir(dir);
	while (empty && (child = cgroup_next_child(dir, d))) {
		empty = tree_is_empty(child);
		free(child);
	}
	return empty;
}

/* Somebody else's group is not ours to fill, nor one with somebody else's below it: who kills all of the container would kill those too. */
static int check_members(struct hierarchy *h, pid_t holder, struct err *err)
{
	cleanup_free char *procs = NULL, *only_holder = xasprintf("%d\n", (int)holder);

	if (read_procs(h->dir, &procs, err) < 0)
		return -1;
	if (holder > 0 && !strcmp(procs, only_holder)) {
		h->base_len = (size_t)(strrchr(h->dir, '/') - h->dir); /* its parents stay */
		return 0;
	}
	if (!tree_is_empty(h->dir))
		return err_set(err, ERR_EXISTS, "cgroup '%s' is in use by other processes", h->dir);
	return 0;
}

/* Make dir with its missing parents. Somebody may have removed one of those that were there: then all of them are tried. */
static int make_group(struct hierarchy *h, size_t from, pid_t holder, struct err *err)
{
	cleanup_free char *part = xstrdup(h->dir);
	char *p = part + from;

	for (;;) {
		char end;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		end = *p;
		*p = '\0';
		if (mkdir(part, 0755) == 0) {
			h->made = true;
			if (!h->v2 && cgroup_v1_fill_cpuset(h, part, true, err) < 0)
				return -1;
		} else if (errno == ENOENT && from > strlen(h->mount)) {
			return make_group(h, strlen(h->mount), holder, err);
		} else if (errno != EEXIST) {
			return err_sys(err, "cannot make cgroup '%s'", part);
		} else if (!end) {
			if (check_members(h, holder, err) < 0 ||
			    (!h->v2 && cgroup_v1_fill_cpuset(h, part, false, err) < 0))
				return -1;
			h->found = true;
		}
		if (!end)
			break;
		*p = end;
	}
	h->made = true;
	return 0;
}

int cgroup_unmake(struct cgroup *cg, struct err *err)
{
	for (size_t i = 0; i < cg->n; i++) {
		if (!cg->h[i].found)
			continue;
		/* Empty, it would hand what was written into it to whoever takes it next. */
		rmdir(cg->h[i].dir);
		cg->h[i].made = false;
	}
	return cgroup_remove(cg, false, err);
}

bool cgroup_was_found(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++)
		if (cg->h[i].found)
			return true;
	return false;
}

int cgroup_create(struct cgroup *cg, pid_t holder, struct err *err)
{
	struct err ignored;

	for (size_t i = 0; i < cg->n; i++) {
		struct hierarchy *h = &cg->h[i];

		if (make_group(h, h->base_len, holder, err) < 0) {
			cgroup_unmake(cg, &ignored);
			return -1;
		}
		/* On the levels that were just made too: what a group hands down its children get at once. */
		if (cg->pure_v2)
			cgroup_v2_enable_controllers(h);
	}
	/* One that somebody has left frozen would hold its first process before it can do anything. */
	if (cgroup_was_found(cg))
		cgroup_set_frozen(cg, false, &ignored);
	return 0;
}

/* The first limit that is asked for is the one to name: of hierarchies that have everything, at no place. Device rules are none: without a group whoever is inside has what the
 * host's files allow. */
static int refuse_limits(const struct oci_resources *r, struct err *err)
{
	cleanup_plan struct cgroup_plan plan = { 0 };
	struct cgroup nowhere = { .n = 2 };
	char none[] = "", all[] = "memory,cpu,cpuset,pids,hugetlb,rdma,net_cls,net_prio,blkio";

	nowhere.h[0] = (struct hierarchy) { .join_fd = -1, .subsystem = all, .dir = none, .mount = none };
	nowhere.h[1] = (struct hierarchy) { .v2 = true, .join_fd = -1, .subsystem = none, .dir = none, .mount = none };
	if (cgroup_v1_plan(&nowhere, r, &plan, err) < 0 || cgroup_plan_more(&nowhere, r, &plan, err) < 0)
		return -1;
	if (plan.n == 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "%s: the container has no cgroup", plan.v[0].field);
}

static int make_plan(const struct cgroup *cg, const struct oci_resources *r, struct cgroup_plan *plan, struct err *err)
{
	if ((cg->pure_v2 ? cgroup_v2_plan : cgroup_v1_plan)(cg, r, plan, err) < 0)
		return -1;
	return cgroup_plan_more(cg, r, plan, err);
}

static int set_devices(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	if ((cg->pure_v2 ? cgroup_v2_devices : cgroup_v1_devices)(cg, r, err) == 0)
		return 0;
	/* It takes privileges, and who has none can open no device that he could not open outside. */
	if (!cg->lenient ||
	    (!err_is_sys(err, EPERM) && !err_is_sys(err, EACCES) && (cg->pure_v2 || cgroup_find(cg, "devices"))))
		return -1;
	log_debug("device rules are left out: %s", err->text);
	return 0;
}

int cgroup_apply(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	cleanup_plan struct cgroup_plan plan = { 0 };
	const struct hierarchy *v2 = cgroup_find_v2(cg);

	if (cg->n == 0 && cg->lenient)
		return refuse_limits(r, err);
	/* On a hybrid host the controllers of v2 are only handed down to who asks for them. */
	if (v2 && !cg->pure_v2 && v2->mount && (r->unified_keys.n || r->n_hugepages || r->n_rdma))
		cgroup_v2_enable_controllers(v2);
	if (set_devices(cg, r, err) < 0 || make_plan(cg, r, &plan, err) < 0)
		return -1;
	return cgroup_plan_run(&plan, false, err);
}

int cgroup_update(struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	cleanup_plan struct cgroup_plan plan = { 0 };

	if (cg->n == 0)
		return refuse_limits(r, err);
	if (make_plan(cg, r, &plan, err) < 0)
		return -1;
	return cgroup_plan_run(&plan, true, err);
}

/* Child groups that the container made inside come first. */
static int remove_tree(const char *dir)
{
	cleanup_dir DIR *d = NULL;
	char *child;

	if (rmdir(dir) == 0 || errno == ENOENT)
		return 0;
	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -1;
	while ((child = cgroup_next_child(dir, d))) {
		int r = remove_tree(child);

		free(child);
		if (r < 0)
			return -1;
	}
	return rmdir(dir) == 0 || errno == ENOENT ? 0 : -1;
}

static int remove_group(struct hierarchy *h, struct err *err)
{
	cleanup_free char *dir = xstrdup(h->dir);

	/* v1 has no event for "the last task is gone": an exiting task leaves its groups a moment after it was reaped. */
	for (int i = 0; remove_tree(dir) < 0; i++) {
		struct timespec ms = { .tv_nsec = 1000000 };

		if (errno != EBUSY || i == REMOVE_TRIES)
			return err_sys(err, "cannot remove cgroup '%s'", dir);
		nanosleep(&ms, NULL);
	}
	/* Parents that we made, while nobody else uses them. */
	for (char *p = strrchr(dir, '/'); p && (size_t)(p - dir) > h->base_len; p = strrchr(dir, '/')) {
		*p = '\0';
		if (rmdir(dir) < 0)
			break;
	}
	h->made = false;
	return 0;
}

int cgroup_remove(struct cgroup *cg, bool unused, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < cg->n; i++)
		if (cg->h[i].made && (!unused || tree_is_empty(cg->h[i].dir)) && remove_group(&cg->h[i], err) < 0)
			ret = -1;
	return ret;
}

/* ---- joining -------------------------------------------------------------------------------------------------------------- */

int cgroup_open_join_at(struct hierarchy *h, const char *dir, struct err *err)
{
	cleanup_free char *tasks = xasprintf("%s/tasks", dir);

	h->join_fd = h->v2 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : open(tasks, O_WRONLY | O_CLOEXEC);
	return h->join_fd < 0 ? err_sys(err, "cannot open '%s'", h->v2 ? dir : tasks) : 0;
}

int cgroup_open_join(struct cgroup *cg, struct err *err)
{
	for (size_t i = 0; i < cg->n; i++)
		if (cgroup_open_join_at(&cg->h[i], cg->h[i].dir, err) < 0)
			return -1;
	return 0;
}

void cgroup_close_join(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++)
		fd_close(&cg->h[i].join_fd);
}

int cgroup_v2_fd(const struct cgroup *cg)
{
	const struct hierarchy *h = cgroup_find_v2(cg);

	return h ? h->join_fd : -1;
}

/* By its file: the group may be one below the container's. */
static int cannot_join(const struct hierarchy *h, int sys_errno, struct err *err)
{
	cleanup_free char *path = NULL;
	struct err ignored;

	return err_sysno(err, sys_errno, "cannot join cgroup by '%s'",
			 fd_path(h->join_fd, &path, &ignored) == 0 ? path : h->dir);
}

int child_cgroup_join(const struct cgroup *cg, struct err *err)
{
	for (size_t i = 0; i < cg->n; i++) {
		ssize_t n = 1;

		do {
			if (!cg->h[i].v2)
				n = write(cg->h[i].join_fd, "0", 1);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return cannot_join(&cg->h[i], errno, err);
	}
	return 0;
}

/* Is the calling process in `group` of the v2 hierarchy? */
static bool is_in_v2(const char *group)
{
	cleanup_free char *text = NULL, *own = NULL;
	struct err ignored;

	if (fd_read_file_at(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &text, &ignored) < 0)
		return false;
	own = caller_group(text, "");
	return own && !strcmp(own, group);
}

int cgroup_move_self(const char *mountinfo, const char *group, struct err *err)
{
	struct mount_line line;

	for (const char *p = mountinfo; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		cleanup_free char *dir = NULL, *file = NULL;
		bool v2;

		if (!parse_mount_line(p, &line))
			continue;
		v2 = !strcmp(line.type, "cgroup2");
		if ((!v2 && !strstr(line.super, "name=systemd")) || (v2 && is_in_v2(group)))
			continue;
		dir = xasprintf("%s%s", line.mount, group);
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return err_sys(err, "cannot make cgroup '%s'", dir);
		file = xasprintf("%s/%s", dir, v2 ? "cgroup.procs" : "tasks");
		if (fd_write_file_at(AT_FDCWD, file, "0", err) < 0)
			return -1;
	}
	return 0;
}

/* ---- all processes ----------------------------------------------------------------------------------------------------------- */

/* Any hierarchy will do; the freezer's is the one from which nothing may be moved out while it is frozen. */
bool cgroup_is_empty(const struct cgroup *cg)
{
	const char *dir = cgroup_freezer_dir(cg);

	return !dir[0] || tree_is_empty(dir);
}

static void signal_tree(const char *dir, int sig)
{
	cleanup_free char *procs = NULL;
	cleanup_dir DIR *d = opendir(dir);
	char *child;
	struct err err;

	if (read_procs(dir, &procs, &err) == 0) {
		char *save = NULL;

		for (char *w = strtok_r(procs, "\n", &save); w; w = strtok_r(NULL, "\n", &save)) {
			cleanup_fd int pidfd = -1;

			/* The pid was in the group a moment ago; frozen, it cannot have been reused. */
			if (proc_pidfd_open((pid_t)strtol(w, NULL, 10), 0, &pidfd, &err) == 0)
				proc_pidfd_kill(pidfd, sig, &err);
		}
	}
	while ((child = cgroup_next_child(dir, d))) {
		signal_tree(child, sig);
		free(child);
	}
}

int cgroup_kill_each(struct cgroup *cg, int sig, struct err *err)
{
	const struct hierarchy *h = cgroup_find(cg, "freezer");
	bool was_frozen;
	struct err ignored;

	if (!h)
		h = cgroup_find_v2(cg);
	if (!h)
		return err_set(err, ERR_UNSUPPORTED,
			       "the container has no cgroup in which its processes could be found");
	/* A group that refuses (gone, or no permission) is signalled unfrozen. */
	was_frozen = cgroup_frozen(cg) != CGROUP_THAWED;
	cgroup_set_frozen(cg, true, &ignored);
	signal_tree(h->dir, sig);
	if (!was_frozen || sig == SIGKILL)
		cgroup_set_frozen(cg, false, &ignored);
	if (sig == SIGKILL)
		cgroup_let_die(cg);
	return 0;
}

int cgroup_kill(struct cgroup *cg, int sig, struct err *err)
{
	const struct hierarchy *v2 = cgroup_find_v2(cg);

	if (!v2 || sig != SIGKILL || cgroup_write(v2, "cgroup", "cgroup.kill", "1", err) < 0)
		return cgroup_kill_each(cg, sig, err);
	cgroup_let_die(cg);
	return 0;
}

/* ---- who is in it -------------------------------------------------------------------------------------------------------------- */

static void add_pids(const char *dir, struct cgroup_pids *pids)
{
	cleanup_free char *procs = NULL;
	cleanup_dir DIR *d = NULL;
	char *child;
	struct err err;

	/* A threaded child group has no cgroup.procs to read; its processes are listed above it. */
	if (read_procs(dir, &procs, &err) == 0) {
		char *save = NULL;

		for (char *w = strtok_r(procs, "\n", &save); w; w = strtok_r(NULL, "\n", &save)) {
			pids->v = xreallocarray(pids->v, pids->n + 1, sizeof(*pids->v));
			pids->v[pids->n++] = (pid_t)strtol(w, NULL, 10);
		}
	}
	d = opendir(dir);
	while ((child = cgroup_next_child(dir, d))) {
		add_pids(child, pids);
		free(child);
	}
}

struct cgroup_pids cgroup_pids(const struct cgroup *cg)
{
	struct cgroup_pids pids = { 0 };
	const char *dir = cgroup_freezer_dir(cg);

	if (dir[0])
		add_pids(dir, &pids);
	return pids;
}
