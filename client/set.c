/* SPDX-License-Identifier: Apache-2.0 */
/* A set: a directory with a container's images, one of which is the latest.
 *
 * Names that begin with a dot are under way or left over; every other directory is an image or a damaged one. An image loses its name before it loses its first file. */
#include "client/set.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/fd.h"

void set_release(struct set *s)
{
	free(s->v);
	*s = (struct set) { 0 };
}

int set_open(const char *path, struct path_made *made, int *ret_fd, struct err *err)
{
	if (made && image_spare(path, err) < 0)
		return -1;
	if (made && mkdir(path, 0700) == 0)
		*made = (struct path_made) { xstrdup(path), xstrdup(path) };
	else if (made && errno != EEXIST)
		return err_sys(err, "cannot make directory '%s'", path);
	return path_open_directory(path, NULL, ret_fd, err);
}

int set_lock(int set_fd, const char *path, struct err *err)
{
	if (flock(set_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, ERR_BUSY, "somebody else is at '%s': try again later", path);
	return err_sys(err, "cannot lock '%s'", path);
}

/* ---- removing -------------------------------------------------------------------------------------------------------------- */

static int remove_directory(int set_fd, const char *name, struct err *err);

/* Its pre-dumps, if it has any, lie one in the other. */
static int remove_files(int dir_fd, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(dir_fd);
	const char *name;

	if (!dir)
		return err_sys(err, "cannot read an image's directory");
	while ((name = fd_list_next(dir))) {
		if (unlinkat(dir_fd, name, 0) == 0)
			continue;
		if (errno != EISDIR)
			return err_sys(err, "cannot remove '%s' of an image", name);
		if (remove_directory(dir_fd, name, err) < 0)
			return -1;
	}
	return 0;
}

static int remove_directory(int set_fd, const char *name, struct err *err)
{
	cleanup_fd int fd = openat(set_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", name);
	if (remove_files(fd, err) < 0)
		return -1;
	return unlinkat(set_fd, name, AT_REMOVEDIR) < 0 ? err_sys(err, "cannot remove '%s'", name) : 0;
}

void set_tidy(int set_fd)
{
	struct err ignored;

	remove_directory(set_fd, SET_NEW, &ignored);
	remove_directory(set_fd, SET_OLD, &ignored);
	unlinkat(set_fd, SET_NEW_LATEST, 0);
	unlinkat(set_fd, "stats-dump", 0); /* of a dump that failed */
}

/* ERR_BUSY: it is being restored. */
static int remove_image(int set_fd, const char *name, struct err *err)
{
	cleanup_fd int fd = -1;

	if (set_open_image(set_fd, name, &fd, err) < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return err_set(err, ERR_BUSY, "image '%s' is being restored", name);
	if (remove_directory(set_fd, SET_OLD, err) < 0)
		return -1;
	if (renameat(set_fd, name, set_fd, SET_OLD) < 0)
		return err_sys(err, "cannot remove image '%s'", name);
	return remove_directory(set_fd, SET_OLD, err);
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

int set_open_image(int set_fd, const char *name, int *ret_fd, struct err *err)
{
	int fd = openat(set_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no image '%s'", name);
	if (fd < 0)
		return err_sys(err, "cannot open image '%s'", name);
	*ret_fd = fd;
	return 0;
}

static bool could_be(int set_fd, const char *name)
{
	struct stat st;

	return manifest_is_name(name) && fstatat(set_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Does this directory have images in it? */
static bool has_images(int dir_fd)
{
	cleanup_dir DIR *dir = fd_list(dir_fd);
	struct dirent *e;

	if (!dir)
		return false;
	while ((e = readdir(dir))) {
		cleanup_free char *manifest = xasprintf("%s/" MANIFEST_FILE, e->d_name);

		if (could_be(dir_fd, e->d_name) && faccessat(dir_fd, manifest, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

static void look_at(int set_fd, enum image_depth depth, struct set_entry *e)
{
	cleanup_fd int fd = -1;
	struct image_report r = { 0 };

	if (set_open_image(set_fd, e->name, &fd, &e->why) < 0)
		return;
	if (image_examine(fd, depth, &r, &e->why) < 0) {
		e->is_set = has_images(fd);
		if (e->is_set)
			err_set(&e->why, ERR_CONFIG, "it is a set of images of its own");
		return;
	}
	e->good = true;
	e->m = r.m;
	e->m.files = NULL;
	e->m.n_files = 0;
	image_report_release(&r);
}

static int newer_first(const void *a, const void *b)
{
	const struct set_entry *x = a, *y = b;

	if (x->good != y->good)
		return x->good ? -1 : 1;
	if (x->m.created_ns != y->m.created_ns)
		return x->m.created_ns > y->m.created_ns ? -1 : 1;
	return -strcmp(x->name, y->name);
}

static void read_latest(int set_fd, char ret[MANIFEST_NAME_MAX])
{
	ssize_t n = readlinkat(set_fd, SET_LATEST, ret, MANIFEST_NAME_MAX - 1);

	ret[n > 0 ? n : 0] = '\0';
	if (!manifest_is_name(ret))
		ret[0] = '\0';
}

int set_read(int set_fd, enum image_depth depth, struct set *ret, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(set_fd);
	struct set s = { 0 };
	struct dirent *e;

	if (!dir)
		return err_sys(err, "cannot read the set's directory");
	while ((e = readdir(dir))) {
		if (!could_be(set_fd, e->d_name))
			continue;
		s.v = xreallocarray(s.v, s.n + 1, sizeof(*s.v));
		s.v[s.n] = (struct set_entry) { .good = false };
		snprintf(s.v[s.n].name, sizeof(s.v[s.n].name), "%s", e->d_name);
		look_at(set_fd, depth, &s.v[s.n++]);
	}
	if (s.n > 0)
		qsort(s.v, s.n, sizeof(*s.v), newer_first);
	read_latest(set_fd, s.latest);
	*ret = s;
	return 0;
}

int set_retain(int set_fd, uint64_t keep, uint64_t max_bytes, const char *spared, struct err *err)
{
	struct set s cleanup_set = { 0 };
	uint64_t bytes = 0;
	size_t left = 0;

	if ((!keep && !max_bytes) || set_read(set_fd, IMAGE_MANIFEST, &s, err) < 0)
		return keep || max_bytes ? -1 : 0;
	for (size_t i = 0; i < s.n; i++) {
		const struct set_entry *e = &s.v[i];
		bool stays = !strcmp(e->name, spared) || !strcmp(e->name, s.latest);

		/* What is damaged is for people to look at. */
		if (!e->good)
			continue;
		left++;
		bytes += e->m.size;
		if (stays || ((!keep || left <= keep) && (!max_bytes || bytes <= max_bytes)))
			continue;
		if (remove_image(set_fd, e->name, err) < 0) {
			if (err->code != ERR_BUSY)
				return -1;
			continue; /* the next time */
		}
		left--;
		bytes -= e->m.size;
	}
	return 0;
}
