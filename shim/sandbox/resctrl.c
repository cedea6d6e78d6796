/* SPDX-License-Identifier: Apache-2.0 */
/* linux.intelRdt: the container's group in the resctrl file system.
 *
 * Runs in the shim. Directories of that file system are groups, and are removed whole by rmdir(2); what is written to `tasks` moves one thread, which is all that a
 * new process has. */
#include "shim/sandbox/resctrl.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"

/* "ID PARENT MAJ:MIN ROOT MOUNTPOINT OPTIONS ... - TYPE SOURCE ..." */
static char *find_mount(const char *mountinfo)
{
	char mount[PATH_MAX];

	for (const char *line = mountinfo; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *dash = strstr(line, " - "), *end = strchr(line, '\n');

		if (!dash || (end && dash > end) || strncmp(dash, " - resctrl ", 11) != 0)
			continue;
		if (sscanf(line, "%*d %*d %*s %*s %4095s", mount) == 1)
			return xstrdup(mount);
	}
	return NULL;
}

static bool has_schema(const struct oci_intel_rdt *r)
{
	return r->l3_schema || r->mb_schema || r->schemata.n;
}

int resctrl_plan(const char *mountinfo, const struct oci_intel_rdt *r, const char *id, struct resctrl *ret,
		 struct err *err)
{
	cleanup_free char *root = NULL;
	struct resctrl rc = { 0 };

	if (!r->set)
		return 0;
	root = find_mount(mountinfo);
	if (!root)
		return err_set(err, ERR_UNSUPPORTED, "linux.intelRdt: no resctrl file system is mounted on this host");
	if (r->clos_id && !strcmp(r->clos_id, "/"))
		rc.dir = xstrdup(root);
	else
		rc.dir = xasprintf("%s/%s", root, r->clos_id ? r->clos_id : id);
	rc.is_ours = access(rc.dir, F_OK) < 0;
	if (rc.is_ours && r->clos_id && !has_schema(r)) {
		err_set(err, ERR_CONFIG, "linux.intelRdt.closID: there is no group '%s', and no schema for a new one",
			rc.dir);
		resctrl_release(&rc);
		return -1;
	}
	if (r->monitoring)
		rc.monitor = xasprintf("%s/mon_groups/%s", rc.dir, id);
	*ret = rc;
	return 0;
}

static char *schemata_of(const struct oci_intel_rdt *r)
{
	size_t size = 1;
	const char *first[] = { r->l3_schema, r->mb_schema };
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		size += first[i] ? strlen(first[i]) + 1 : 0;
	for (size_t i = 0; i < r->schemata.n; i++)
		size += strlen(r->schemata.v[i]) + 1;
	text = xcalloc(1, size);
	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		if (first[i])
			strcat(strcat(text, first[i]), "\n");
	for (size_t i = 0; i < r->schemata.n; i++)
		strcat(strcat(text, r->schemata.v[i]), "\n");
	return text;
}

/* The kernel says why in a file of its own. */
static void add_last_status(const struct resctrl *rc, struct err *err)
{
	cleanup_free char *path = NULL, *text = NULL, *parent = xstrdup(rc->dir);
	struct err ignored;
	size_t len = strlen(err->text);

	*strrchr(parent, '/') = '\0';
	path = xasprintf("%s/info/last_cmd_status", parent);
	if (fd_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (text[0] && strcmp(text, "ok") != 0)
		snprintf(err->text + len, sizeof(err->text) - len, " (%s)", text);
}

static int write_schemata(const struct resctrl *rc, const struct oci_intel_rdt *r, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/schemata", rc->dir), *text = schemata_of(r);

	if (!has_schema(r) || fd_write_file_at(AT_FDCWD, path, text, err) == 0)
		return 0;
	add_last_status(rc, err);
	return -1;
}

int resctrl_create(const struct resctrl *rc, const struct oci_intel_rdt *r, struct err *err)
{
	struct err ignored;

	if (!rc->dir)
		return 0;
	if (rc->is_ours && mkdir(rc->dir, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "linux.intelRdt: cannot make the group '%s'", rc->dir);
	if (write_schemata(rc, r, err) == 0) {
		if (!rc->monitor || mkdir(rc->monitor, 0755) == 0 || errno == EEXIST)
			return 0;
		err_sys(err, "enableMonitoring: cannot make the group '%s'", rc->monitor);
	}
	err_add(err, "linux.intelRdt");
	resctrl_remove(rc, &ignored);
	return -1;
}

int resctrl_join(const struct resctrl *rc, pid_t pid, struct err *err)
{
	const char *const dirs[] = { rc->dir, rc->monitor };
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		cleanup_free char *path = dirs[i] ? xasprintf("%s/tasks", dirs[i]) : NULL;

		if (path && fd_write_file_at(AT_FDCWD, path, text, err) < 0)
			return err_add(err, "linux.intelRdt");
	}
	return 0;
}

/* What is written to `tasks` moves one thread. One that has ended meanwhile is no failure. */
static int join_threads(const struct resctrl *rc, pid_t pid, struct err *err)
{
	cleanup_free char *path = xasprintf("/proc/%d/task", (int)pid);
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.' && resctrl_join(rc, (pid_t)strtol(e->d_name, NULL, 10), err) < 0 &&
		    !err_is_sys(err, ESRCH))
			return -1;
	return 0;
}

static int make_late(struct resctrl *rc, const char *mountinfo, const struct oci_intel_rdt *r, const char *id,
		     const pid_t *pids, size_t n_pids, struct err *err)
{
	if (resctrl_plan(mountinfo, r, id, rc, err) < 0)
		return -1;
	if (resctrl_create(rc, r, err) < 0) {
		resctrl_release(rc);
		return -1;
	}
	for (size_t i = 0; i < n_pids; i++)
		if (join_threads(rc, pids[i], err) < 0) {
			resctrl_take_back(rc, NULL);
			return -1;
		}
	return 0;
}

int resctrl_update(struct resctrl *rc, const char *mountinfo, const struct oci_intel_rdt *r, const char *id,
		   const pid_t *pids, size_t n_pids, char **ret_old, struct err *err)
{
	cleanup_free char *path = NULL, *old = NULL;

	*ret_old = NULL;
	if (!rc->dir)
		return make_late(rc, mountinfo, r, id, pids, n_pids, err);
	path = xasprintf("%s/schemata", rc->dir);
	if (fd_read_file_at(AT_FDCWD, path, 65536, &old, err) < 0 || write_schemata(rc, r, err) < 0)
		return err_add(err, "linux.intelRdt");
	*ret_old = take_ptr(old);
	return 0;
}

void resctrl_take_back(struct resctrl *rc, const char *old)
{
	cleanup_free char *path = xasprintf("%s/schemata", rc->dir);
	struct err ignored;

	if (old) {
		fd_write_file_at(AT_FDCWD, path, old, &ignored);
		return;
	}
	resctrl_remove(rc, &ignored);
	resctrl_release(rc);
}

int resctrl_remove(const struct resctrl *rc, struct err *err)
{
	if (rc->monitor && rmdir(rc->monitor) < 0 && errno != ENOENT)
		return err_sys(err, "cannot remove the group '%s'", rc->monitor);
	if (rc->dir && rc->is_ours && rmdir(rc->dir) < 0 && errno != ENOENT)
		return err_sys(err, "cannot remove the group '%s'", rc->dir);
	return 0;
}

void resctrl_release(struct resctrl *rc)
{
	free(rc->dir);
	free(rc->monitor);
	*rc = (struct resctrl) { 0 };
}
