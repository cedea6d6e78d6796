/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the container has open or mapped, and that are not in criu's image.
 *
 * criu restores a process whose files have changed only if their sizes have not, and says no more than "bad size". */
#include "shim/checkpoint/openfiles.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "shim/checkpoint/names.h"
#include "shim/checkpoint/replay_internal.h"
#include "shim/sandbox/rootfs.h"

#define MAPS_MAX (64 << 20)
#define NAMED_MAX 3
#define NOTES_MAX (MANIFEST_MAX / 2) /* bytes of the manifest for them */
#define GONE " (deleted)"            /* what the kernel adds to a name that is no more */
#define REMAP "link_remap."          /* how criu's own names for such files begin (--link-remap) */

struct noting {
	const struct areas *areas;
	struct manifest *m;
	struct names seen;
	size_t bytes;         /* that they take in the manifest, at most */
	int proc_fd, root_fd; /* of the process */
	bool appended;        /* what is to be noted: those that are only appended to, or the others */
};

static uint64_t mtime_of(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
}

/* As JSON has it. */
static size_t text_bytes(const char *path)
{
	size_t n = 128; /* its figures, and what is around them */

	for (; *path; path++)
		n += (unsigned char)*path < ' ' ? 6 : strchr("\"\\/", *path) ? 2 : 1;
	return n;
}

static void note(struct noting *n, const char *path, const struct stat *st)
{
	const struct manifest_open_file f = { (char *)path, (uint64_t)st->st_size, mtime_of(st), n->appended };
	cleanup_free char *dir = NULL;
	const char *rest;

	if (path[0] != '/' || !S_ISREG(st->st_mode) || st->st_nlink == 0 || n->m->n_open == MANIFEST_FILES_MAX ||
	    names_get(&n->seen, path) || areas_locate(n->areas, path, &dir, &rest) < 0)
		return;
	names_put(&n->seen, path, "");
	n->bytes += text_bytes(path);
	if (n->bytes > NOTES_MAX)
		return;
	manifest_add_open(n->m, &f);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Something of a container may be called "x (deleted)" as well. */
static bool has_lost_name(int root_fd, const char *path, const struct stat *st)
{
	size_t len = strlen(path), end = strlen(GONE);
	cleanup_fd int fd = -1;
	struct stat found;
	struct err ignored;

	if (len <= end || strcmp(path + len - end, GONE) != 0)
		return false;
	return rootfs_open(root_fd, path, &fd, &ignored) < 0 || fstat(fd, &found) < 0 || !is_same(&found, st);
}

/* It has another name, which cannot be found. The one that criu has made for it in its directory is the one by which it will be opened. NULL: there is none. */
static char *remapped_name(int root_fd, const char *path, const struct stat *st)
{
	cleanup_free char *above = xasprintf("%.*s", (int)(strrchr(path, '/') - path), path);
	cleanup_fd int fd = -1;
	cleanup_dir DIR *dir = NULL;
	const char *name;
	struct stat found;
	struct err ignored;

	if (rootfs_open_flags(root_fd, above[0] ? above : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC, &fd, &ignored) < 0)
		return NULL;
	dir = fd_list(fd);
	while (dir && (name = fd_list_next(dir)))
		if (!strncmp(name, REMAP, strlen(REMAP)) && fstatat(fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
		    is_same(&found, st))
			return xasprintf("%s/%s", above, name);
	return NULL;
}

static void note_descriptor(struct noting *n, const char *path, const struct stat *st)
{
	cleanup_free char *remapped = NULL;

	if (path[0] != '/' || !S_ISREG(st->st_mode) || st->st_nlink == 0)
		return;
	if (!has_lost_name(n->root_fd, path, st)) {
		note(n, path, st);
		return;
	}
	remapped = remapped_name(n->root_fd, path, st);
	if (remapped)
		note(n, remapped, st);
}

static bool is_only_appended(int proc_fd, const char *number)
{
	cleanup_free char *name = xasprintf("fdinfo/%s", number), *text = NULL;
	const char *at;
	struct err ignored;
	unsigned long flags;

	if (fd_read_file_at(proc_fd, name, 1 << 20, &text, &ignored) < 0 || !(at = strstr(text, "flags:")))
		return false;
	flags = strtoul(at + strlen("flags:"), NULL, 8);
	return (flags & O_ACCMODE) == O_WRONLY && (flags & O_APPEND);
}

static void note_descriptors(struct noting *n)
{
	cleanup_fd int fd = openat(n->proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *dir = fd < 0 ? NULL : fd_list(fd);
	const char *name;

	while (dir && (name = fd_list_next(dir))) {
		char path[PATH_MAX];
		ssize_t len = readlinkat(fd, name, path, sizeof(path) - 1);
		struct stat st;

		if (len <= 0 || fstatat(fd, name, &st, 0) < 0 || is_only_appended(n->proc_fd, name) != n->appended)
			continue;
		path[len] = '\0';
		note_descriptor(n, path, &st);
	}
}

/* 7f0000000000-7f0000001000 r-xp 00000000 08:01 1234   /usr/lib/libc.so.6 */
static void note_maps(struct noting *n)
{
	cleanup_free char *text = NULL;
	struct err ignored;
	char *rest = NULL;

	if (fd_read_file_at(n->proc_fd, "maps", MAPS_MAX, &text, &ignored) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *path = strchr(line, '/');
		cleanup_fd int fd = -1;
		struct stat st;

		if (path && !names_get(&n->seen, path) && rootfs_open(n->root_fd, path, &fd, &ignored) == 0 &&
		    fstat(fd, &st) == 0)
			note(n, path, &st);
	}
}

static void note_process(struct noting *n, pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d", (int)pid);
	cleanup_fd int proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int root_fd = proc_fd < 0 ? -1 : openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return;
	n->proc_fd = proc_fd;
	n->root_fd = root_fd;
	note_descriptors(n);
	if (!n->appended)
		note_maps(n);
}

void openfiles_note(const struct areas *a, const pid_t *pids, size_t n, struct manifest *m)
{
	struct noting x = { .areas = a, .m = m };

	for (size_t i = 0; i < n; i++)
		note_process(&x, pids[i]);
	/* What somebody else has open in another way is noted by now. */
	x.appended = true;
	for (size_t i = 0; i < n; i++)
		note_process(&x, pids[i]);
	names_release(&x.seen);
}

/* ---- afterwards ------------------------------------------------------------------------------------------------------------ */

static bool is_as_it_was(const struct areas *a, const struct manifest_open_file *f, bool times,
			 const struct replaying *outside_of)
{
	cleanup_free char *dir = NULL;
	cleanup_fd int dir_fd = -1, fd = -1;
	const char *rest;
	struct stat st;
	struct err ignored;

	/* The config mounts a file system there now: what is in it comes from the image. */
	if (areas_locate(a, f->path, &dir, &rest) < 0 || (outside_of && replay_has(outside_of, dir)))
		return true;
	dir_fd = open(dir, O_PATH | O_CLOEXEC);
	if (dir_fd < 0 || (rest[0] && rootfs_open(dir_fd, rest, &fd, &ignored) < 0) ||
	    fstat(rest[0] ? fd : dir_fd, &st) < 0)
		return false;
	if (!S_ISREG(st.st_mode))
		return false;
	if (f->appended)
		return !times || (uint64_t)st.st_size >= f->size;
	return (uint64_t)st.st_size == f->size && (!times || mtime_of(&st) == f->mtime_ns);
}

static int compare(const struct areas *a, const struct manifest *m, bool times, const struct replaying *outside_of,
		   struct err *err)
{
	char named[ERR_TEXT_MAX / 2] = "";
	size_t n = 0;

	for (size_t i = 0; i < m->n_open; i++) {
		size_t used = strlen(named);

		if (is_as_it_was(a, &m->open[i], times, outside_of))
			continue;
		if (n++ < NAMED_MAX)
			snprintf(named + used, sizeof(named) - used, "%s'%s'", used ? ", " : "", m->open[i].path);
	}
	if (n == 0)
		return 0;
	if (n > NAMED_MAX)
		return err_set(err, ERR_STATE, "files that it has open have changed since: %s and %zu more", named,
			       n - NAMED_MAX);
	return err_set(err, ERR_STATE, "%s open %s changed since: %s%s",
		       n > 1 ? "files that it has" : "a file that it has", n > 1 ? "have" : "has", named,
		       times ? " (--rootfs=keep restores it all the same when the sizes are right)" : "");
}

int openfiles_check(const struct areas *a, int images_fd, bool times, const struct replaying *outside_of,
		    struct err *err)
{
	cleanup_free char *text = NULL;
	struct manifest m = { 0 };
	int r;

	if (replay_give_up_privileges(err) < 0 ||
	    fd_read_file_at(images_fd, MANIFEST_FILE, MANIFEST_MAX, &text, err) < 0)
		return -1;
	r = manifest_parse(text, &m, err);
	if (r == 0)
		r = compare(a, &m, times, outside_of, err);
	manifest_release(&m);
	return r;
}
