/* SPDX-License-Identifier: Apache-2.0 */
/* Which directories of the host hold the files of a container.
 *
 * Only the config says so, never an image. */
#include "shim/checkpoint/areas.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/path.h"
#include "shim/checkpoint/overlay.h"
#include "shim/sandbox/mountinfo.h"

/* The last one that was mounted there is the one that is seen. */
static const struct oci_mount *mount_at(const struct oci_config *c, const char *destination)
{
	for (size_t i = c->n_mounts; i-- > 0;)
		if (!strcmp(c->mounts[i].destination, destination))
			return &c->mounts[i];
	return NULL;
}

/* What the container could not have written to is nobody's to change for it. */
static bool is_read_only(const struct oci_mount *m)
{
	return (m->flags_set & MS_RDONLY) || (m->rec_attr_set & MOUNT_ATTR_RDONLY);
}

static bool has(const struct capture_plan *p, const char *destination)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i].destination, destination))
			return true;
	return false;
}

static int plan_bind(const struct areas *a, const char *asked, struct capture_plan *ret, struct err *err)
{
	cleanup_free char *destination = asked[0] == '/' ? path_clean(asked) : xstrdup("");
	const struct oci_mount *m = mount_at(a->config, destination);
	cleanup_free char *source = m && m->bind ? path_join(a->bundle, m->source) : NULL;
	struct stat st;

	if (!source)
		return err_set(err, ERR_USAGE, "--include-bind: the container has no bind at '%s'", asked);
	if (is_read_only(m))
		return err_set(err, ERR_USAGE, "--include-bind: the container's bind at '%s' is read only", asked);
	if (stat(source, &st) < 0)
		return err_sys(err, "--include-bind: cannot look at '%s'", source);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "--include-bind: '%s' is no directory, and only directories come along",
			       source);
	if (has(ret, destination))
		return 0;
	if (ret->n == CAPTURE_AREAS_MAX)
		return err_set(err, ERR_USAGE, "--include-bind: more than %d", CAPTURE_AREAS_MAX - 1);
	capture_plan_add(ret, destination, source);
	if (m->idmap) {
		ret->v[ret->n - 1].uids = m->uid_maps.n ? &m->uid_maps : &a->config->uid_maps;
		ret->v[ret->n - 1].gids = m->gid_maps.n ? &m->gid_maps : &a->config->gid_maps;
	}
	return 0;
}

int areas_plan(const struct areas *a, const struct oci_strings *binds, struct capture_plan *ret, struct err *err)
{
	if (!a->config->root_readonly)
		capture_plan_add(ret, "/", a->rootfs);
	for (size_t i = 0; i < binds->n; i++)
		if (plan_bind(a, binds->v[i], ret, err) < 0)
			return -1;
	return 0;
}

bool areas_is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '/' || path[len] == '\0');
}

int areas_locate(const struct areas *a, const char *path, char **ret_dir, const char **ret_rest)
{
	const struct oci_mount *found = NULL;

	for (size_t i = 0; i < a->config->n_mounts; i++) {
		const struct oci_mount *m = &a->config->mounts[i];

		if (areas_is_below(path, m->destination) &&
		    (!found || strlen(m->destination) >= strlen(found->destination)))
			found = m;
	}
	if (found && !found->bind)
		return -1;
	*ret_dir = found ? path_join(a->bundle, found->source) : xstrdup(a->rootfs);
	*ret_rest = found ? path + strlen(found->destination) : path;
	return 0;
}

static int look(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, ret);
}

static bool is_same(const struct statx *a, const struct statx *b)
{
	return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor && a->stx_ino == b->stx_ino;
}

/* Up from the directory as long as it is on its mount. */
static bool is_climbed_to(int area_fd, int dir_fd)
{
	cleanup_fd int fd = openat(dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statx area, at, above;
	int up_fd;

	if (fd < 0 || look(area_fd, &area) < 0 || look(fd, &at) < 0)
		return false;
	while (!is_same(&at, &area)) {
		up_fd = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(&fd);
		fd = up_fd;
		if (fd < 0 || look(fd, &above) < 0 || above.stx_mnt_id != at.stx_mnt_id || is_same(&above, &at))
			return false;
		at = above;
	}
	return true;
}

/* Where a directory is in its file system, whichever mount it was opened through: "MAJOR:MINOR/PATH"; NULL: nobody says. Caller frees. */
static char *place_of(int fd)
{
	cleanup_free char *line = NULL, *path = NULL, *device = NULL, *root = NULL, *mount = NULL;
	struct statx st;
	struct err ignored;

	if (look(fd, &st) < 0 || fd_path(fd, &path, &ignored) < 0)
		return NULL;
	line = mountinfo_line(st.stx_mnt_id);
	if (!line || sscanf(line, " %*u %*u %ms %ms %ms", &device, &root, &mount) != 3)
		return NULL;
	mountinfo_unescape(root);
	mountinfo_unescape(mount);
	if (!strcmp(mount, "/"))
		mount[0] = '\0';
	if (!areas_is_below(path, mount))
		return NULL;
	return xasprintf("%s%s%s", device, strcmp(root, "/") ? root : "", path + strlen(mount));
}

bool areas_hold(int area_fd, int dir_fd)
{
	cleanup_free char *area = NULL, *dir = NULL;

	if (is_climbed_to(area_fd, dir_fd))
		return true;
	area = place_of(area_fd);
	dir = place_of(dir_fd);
	return area && dir && areas_is_below(dir, area);
}

int areas_inside(const char *what, const struct capture_area *a, struct err *err)
{
	return err_set(err, ERR_USAGE,
		       "%s is among the container's own files, below '%s': to put these back would remove it", what,
		       a->path);
}

int areas_refuse_inside(const struct capture_plan *p, int dir_fd, const char *what, struct err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		cleanup_fd int fd = open(p->v[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct overlay o cleanup_overlay = OVERLAY_NONE;

		if (fd < 0)
			return err_sys(err, "cannot open '%s'", p->v[i].path);
		if (overlay_open(fd, &o, err) < 0)
			return -1;
		if (areas_hold(fd, dir_fd) || (o.upper_fd >= 0 && areas_hold(o.upper_fd, dir_fd)))
			return areas_inside(what, &p->v[i], err);
	}
	return 0;
}
