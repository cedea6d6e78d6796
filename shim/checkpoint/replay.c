/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a capture, put back, in three passes: the archive is judged, what is not in it is removed or reset, and what is in it is made.
 *
 * Runs in a worker of the shim's that has given up all privileges but those over files. Distrusts the archive, which anybody may have written, and the tree, which the container has made: a
 * path is resolved below its area without links and without leaving its mount, and what it leads to is used by descriptor. What is the same already is left alone, so that files that are
 * shared (hard links, page cache, an overlay's lower layer) stay so. */
#include "shim/checkpoint/replay.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "shim/checkpoint/areas.h"
#include "shim/checkpoint/overlay.h"
#include "shim/checkpoint/pax.h"
#include "shim/checkpoint/replay_internal.h"

#define OPAQUE_KEY "/" /* behind a directory's path, which never ends so: it hides what the lower layers have in it */

/* ---- paths ----------------------------------------------------------------------------------------------------------------- */

int replay_open(int root_fd, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, root_fd, path[0] ? path : ".", &how, sizeof(how));
}

char *replay_below(const char *path, const char *name)
{
	return path[0] ? xasprintf("%s/%s", path, name) : xstrdup(name);
}

const char *replay_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *replay_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash - path)) : xstrdup("");
}

/* ---- judging --------------------------------------------------------------------------------------------------------------- */

static int bad(struct err *err, const char *path, const char *what)
{
	return err_set(err, ERR_CONFIG, CAPTURE_FILE ": '%s' %s", path, what);
}

/* No empty component, no "." or "..". */
static bool is_plain_path(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 0 || len > 255 || (len == 1 && path[0] == '.') || (len == 2 && !strncmp(path, "..", 2)))
			return false;
		path += len;
		if (*path == '/' && !*++path)
			return false;
	}
	return true;
}

static const char *type_at(const struct area *a, const char *path)
{
	return names_get(&a->names, path);
}

static bool is_type(const struct area *a, const char *path, enum pax_type type)
{
	const char *has = type_at(a, path);

	return has && has[0] == (char)type;
}

/* The same path in the same area. NULL: it is elsewhere. */
static const char *within(const struct area *a, const char *path)
{
	size_t len = strlen(a->name);

	return !strncmp(path, a->name, len) && path[len] == '/' ? path + len + 1 : NULL;
}

/* What is mounted there is somebody else's, and has not been captured. */
static bool is_mounted_over(const struct area *a, const char *path)
{
	cleanup_fd int fd = replay_open(a->root_fd, path, O_PATH | O_NOFOLLOW);

	return fd < 0 && errno == EXDEV;
}

static int judge_whiteout(struct area *a, const char *parent, const char *path, const struct pax_entry *e,
			  struct err *err)
{
	const char *name = replay_name(path) + strlen(CAPTURE_WHITEOUT);
	cleanup_free char *what = NULL;

	if (!strcmp(replay_name(path), CAPTURE_OPAQUE)) {
		what = xasprintf("%s" OPAQUE_KEY, parent);
		names_put(&a->names, what, "o");
		return 0;
	}
	if (!name[0] || !strcmp(name, ".") || !strcmp(name, "..") || e->type != PAX_FILE || e->size > 0)
		return bad(err, e->path, "is no mark of something that was removed");
	what = replay_below(parent, name);
	if (type_at(a, what))
		return bad(err, e->path, "is there twice");
	if (is_mounted_over(a, what))
		return bad(err, e->path, "is where something else is mounted now");
	names_put(&a->names, what, REPLAY_GONE);
	return 0;
}

/* null, zero, full, random, urandom: every container has them. */
static bool is_harmless_device(const struct pax_entry *e)
{
	return e->type == PAX_CHAR && e->major == 1 &&
	       (e->minor == 3 || e->minor == 5 || e->minor == 7 || e->minor == 8 || e->minor == 9);
}

static int judge_attributes(const struct replaying *x, const struct area *a, const char *path,
			    const struct pax_entry *e, struct err *err)
{
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (!capture_takes_xattr(e->xattrs[i].name))
			return bad(err, e->path, "has an attribute that does not belong into it");
	if (!replay_may_own(x->r, a, e) && !replay_has_same(a, path, e, x->tar_fd))
		return bad(err, e->path, "has an owner or capabilities that this container could not have given it");
	return 0;
}

static int judge_entry(const struct replaying *x, struct area *a, const struct pax_entry *e, struct err *err)
{
	const char *path = within(a, e->path), *target = e->type == PAX_HARDLINK ? within(a, e->link) : NULL;
	const char type[] = { (char)e->type, '\0' };
	cleanup_free char *parent = NULL;

	if (!path || !path[0] || !is_plain_path(path))
		return bad(err, e->path, "does not lead into the container's files");
	parent = replay_parent(path);
	if (!is_type(a, parent, PAX_DIR))
		return bad(err, e->path, "is in no directory of it");
	if (a->upper && !strncmp(replay_name(path), CAPTURE_WHITEOUT, strlen(CAPTURE_WHITEOUT)))
		return judge_whiteout(a, parent, path, e, err);
	if (type_at(a, path))
		return bad(err, e->path, "is there twice");
	if (is_mounted_over(a, path))
		return bad(err, e->path, "is where something else is mounted now");
	if (e->type == PAX_HARDLINK &&
	    (!target || !type_at(a, target) || is_type(a, target, PAX_DIR) || !strcmp(type_at(a, target), REPLAY_GONE)))
		return bad(err, e->path, "is another name of what is not in it");
	if (judge_attributes(x, a, path, e, err) < 0)
		return -1;
	if ((e->type == PAX_CHAR || e->type == PAX_BLOCK) && !x->r->may_make_devices && !is_harmless_device(e) &&
	    !replay_has_device(a->root_fd, path, e))
		return bad(err, e->path, "is a device, which this container could not have made");
	names_put(&a->names, path, type);
	return 0;
}

/* All of the plan, while there are the privileges that an overlay's layers take. */
static int open_areas(const struct replay *r, struct replaying *x, struct err *err)
{
	for (size_t i = 0; i < r->areas.n; i++) {
		struct area *a = &x->open[x->n_open++];

		a->plan = &r->areas.v[i];
		a->path = xstrdup(a->plan->path);
		a->layers = OVERLAY_NONE;
		a->root_fd = open(a->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (a->root_fd < 0)
			return err_sys(err, "cannot open '%s'", a->path);
		if (overlay_open(a->root_fd, &a->layers, err) < 0)
			return -1;
	}
	return 0;
}

/* What is not in the archive is removed, and that it is itself. */
static int check_outside(const struct replaying *x, int images_fd, struct err *err)
{
	for (size_t i = 0; i < x->n_open; i++) {
		const struct area *a = &x->open[i];

		if (areas_hold(a->root_fd, images_fd) ||
		    (a->layers.upper_fd >= 0 && areas_hold(a->layers.upper_fd, images_fd)))
			return areas_inside("the image", a->plan, err);
	}
	return 0;
}

/* The open area of this destination, now the archive's next one. NULL: there is none. */
static struct area *take_area(struct replaying *x, const char *destination)
{
	for (size_t i = 0; i < x->n_open; i++) {
		struct area *a = &x->v[x->n];

		if (strcmp(x->open[i].plan->destination, destination) != 0)
			continue;
		*a = x->open[i];
		x->open[i] = x->open[--x->n_open];
		x->n++;
		return a;
	}
	return NULL;
}

static int not_asked(const char *destination, struct err *err)
{
	if (!strcmp(destination, "/"))
		return err_set(err, ERR_CONFIG,
			       "the image has the files of the root, which is read only by the config (--rootfs=keep "
			       "uses what is there)");
	return err_set(err, ERR_CONFIG,
		       "the image has the files of '%s', too: --include-bind '%s' puts them back, --rootfs=keep uses "
		       "what is there",
		       destination, destination);
}

static int begin_area(struct replaying *x, const struct pax_entry *e, struct err *err)
{
	cleanup_free char *bind = xasprintf("bind/%zu", x->n_binds);
	bool is_root = !strcmp(e->destination, "/");
	struct area *a;

	if (strcmp(e->path, is_root ? CAPTURE_ROOT : bind) != 0 || e->type != PAX_DIR || !e->form)
		return bad(err, e->path, "is no directory of the container's");
	for (size_t i = 0; i < x->n; i++)
		if (!strcmp(x->v[i].plan->destination, e->destination))
			return bad(err, e->path, "is there twice");
	a = take_area(x, e->destination);
	if (!a)
		return not_asked(e->destination, err);
	x->n_binds += !is_root;
	a->name = xstrdup(e->path);
	a->upper = !strcmp(e->form, CAPTURE_UPPER);
	if (a->upper && a->layers.lower_fd < 0)
		return err_set(
			err, ERR_UNSUPPORTED,
			"the image has what was in an overlay's upper layer, but '%s' is no overlay whose layers "
			"can be opened (--rootfs=keep uses what is there)",
			a->path);
	names_put(&a->names, "", "5");
	return judge_attributes(x, a, "", e, err);
}

static int judge(struct replaying *x, struct err *err)
{
	uint64_t at = 0;

	for (;;) {
		struct pax_entry e cleanup_pax = { 0 };
		int n = pax_read(x->tar_fd, &at, x->end, &e, err);

		if (n <= 0)
			return n < 0 || x->n > 0 ? n : bad(err, "", "has no files at all");
		if (e.destination ? begin_area(x, &e, err) < 0
		    : x->n == 0   ? bad(err, e.path, "is in no directory of it")
				  : judge_entry(x, &x->v[x->n - 1], &e, err) < 0)
			return -1;
	}
}

/* The root may have been read only then. */
static int check_complete(const struct replaying *x, struct err *err)
{
	for (size_t i = 0; i < x->n_open; i++)
		if (strcmp(x->open[i].plan->destination, "/") != 0)
			return err_set(err, ERR_USAGE, "--include-bind: the image has no files of '%s'",
				       x->open[i].plan->destination);
	return 0;
}

/* ---- removing what is not in it --------------------------------------------------------------------------------------------- */

static int remove_others(struct area *a, int dir_fd, const char *path, struct err *err);

static int remove_other(struct area *a, int dir_fd, const char *path, const char *name, struct err *err)
{
	cleanup_free char *below = replay_below(path, name);
	cleanup_fd int fd = -1;
	struct statx st;

	if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0)
		return err_sys(err, "cannot look at '%s'", below);
	/* Mounts are somebody else's, and sockets are made anew by whoever listens. */
	if ((st.stx_attributes & STATX_ATTR_MOUNT_ROOT) || S_ISSOCK(st.stx_mode))
		return 0;
	if (!type_at(a, below))
		return replay_remove(dir_fd, name, err) < 0 ? err_add(err, "cannot remove '%s'", below) : 0;
	if (!S_ISDIR(st.stx_mode) || !is_type(a, below, PAX_DIR))
		return 0;
	fd = replay_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", below);
	return remove_others(a, fd, below, err);
}

static int remove_others(struct area *a, int dir_fd, const char *path, struct err *err)
{
	cleanup_dir DIR *dir = replay_list(dir_fd, err);
	const char *name;

	while (dir && (name = fd_list_next(dir)))
		if (remove_other(a, dir_fd, path, name, err) < 0)
			return -1;
	return dir ? 0 : -1;
}

/* ---- resetting what differs from the lower layers, and is not in it ----------------------------------------------------------- */

static bool hides(const struct area *a, const char *path)
{
	cleanup_free char *key = xasprintf("%s" OPAQUE_KEY, path);

	return names_get(&a->names, key) != NULL;
}

static int from_lower_below(struct area *a, const char *path, int lower_fd, struct err *err)
{
	cleanup_dir DIR *dir = replay_list(lower_fd, err);
	const char *name;

	while (dir && (name = fd_list_next(dir))) {
		cleanup_free char *below = replay_below(path, name);

		if (replay_from_lower(a, below, err) < 0)
			return -1;
	}
	return dir ? 0 : -1;
}

/* What is there without any upper layer, but for what the capture has. */
int replay_from_lower(struct area *a, const char *path, struct err *err)
{
	const char *type = type_at(a, path);
	cleanup_fd int fd = -1;
	struct stat st;

	if (type && type[0] != (char)PAX_DIR)
		return 0;
	fd = replay_open(a->layers.lower_fd, path, O_PATH | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? 0
			       : err_sys(err, "cannot look at '%s' in the lower layer", path);
	if (!S_ISDIR(st.st_mode))
		return type ? 0 : replay_copy_lower(a, path, err);
	if (replay_make_directory(a, path, err) < 0)
		return -1;
	if (!type)
		names_put(&a->lower_dirs, path, "");
	if (hides(a, path))
		return 0;
	fd_close(&fd);
	fd = replay_open(a->layers.lower_fd, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return err_sys(err, "cannot open '%s' in the lower layer", path);
	return from_lower_below(a, path, fd, err);
}

static bool lower_has_directory(const struct area *a, const char *path)
{
	cleanup_fd int fd = replay_open(a->layers.lower_fd, path, O_PATH | O_DIRECTORY);

	return fd >= 0;
}

static int reset_below(struct area *a, const char *path, int upper_fd, bool hidden, struct err *err);

/* It is gone from the upper layer, as far as one can see through the overlay. */
static int reset_wholly(struct area *a, const char *path, bool hidden, struct err *err)
{
	if (replay_remove_path(a, path, err) < 0)
		return -1;
	return hidden ? 0 : replay_from_lower(a, path, err);
}

/* What this directory of the upper layer still hides, since it has once been removed. */
static int show_lower(struct area *a, const char *path, struct err *err)
{
	cleanup_fd int lower_fd = replay_open(a->layers.lower_fd, path, O_RDONLY | O_DIRECTORY);
	cleanup_fd int fd = replay_open(a->root_fd, path, O_PATH | O_DIRECTORY);
	cleanup_dir DIR *dir = lower_fd < 0 ? NULL : replay_list(lower_fd, err);
	const char *name;
	struct stat st;

	while (dir && (name = fd_list_next(dir))) {
		cleanup_free char *below = replay_below(path, name);

		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && replay_from_lower(a, below, err) < 0)
			return -1;
	}
	return dir || lower_fd < 0 ? 0 : -1;
}

static int reset_directory(struct area *a, const char *path, int fd, bool hidden, struct err *err)
{
	bool captured = is_type(a, path, PAX_DIR);

	if (!captured && (hidden || !lower_has_directory(a, path)))
		return reset_wholly(a, path, hidden, err);
	if (!captured)
		names_put(&a->lower_dirs, path, "");
	hidden = hidden || hides(a, path);
	if (reset_below(a, path, fd, hidden, err) < 0)
		return -1;
	return hidden ? 0 : show_lower(a, path, err);
}

static int reset_one(struct area *a, const char *path, int upper_fd, bool hidden, struct err *err)
{
	const char *type = type_at(a, path), *name = replay_name(path);
	cleanup_fd int fd = -1;
	struct stat st;

	/* What the capture has there takes its place anyway. */
	if (type && type[0] != (char)PAX_DIR)
		return 0;
	if (fstatat(upper_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot look at '%s' in the upper layer", path);
	if (S_ISSOCK(st.st_mode) && !type)
		return 0;
	if (!S_ISDIR(st.st_mode))
		return reset_wholly(a, path, hidden, err);
	fd = openat(upper_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open '%s' in the upper layer", path);
	return reset_directory(a, path, fd, hidden, err);
}

/* The upper layer changes by what is done through the overlay: what is in it is read first. */
static int reset_below(struct area *a, const char *path, int upper_fd, bool hidden, struct err *err)
{
	struct names listed = { 0 };
	int r = replay_read_names(upper_fd, &listed, err);

	for (size_t i = 0; i < listed.room && r == 0; i++) {
		cleanup_free char *below = listed.v[i].text ? replay_below(path, listed.v[i].text) : NULL;

		if (below)
			r = reset_one(a, below, upper_fd, hidden, err);
	}
	names_release(&listed);
	return r;
}

static int clear(struct area *a, struct err *err)
{
	return a->upper ? reset_below(a, "", a->layers.upper_fd, hides(a, ""), err)
			: remove_others(a, a->root_fd, "", err);
}

/* ---- making what is in it -------------------------------------------------------------------------------------------------- */

/* An opaque directory shows nothing but what the capture has. */
static int make_opaque(struct area *a, const char *dir, struct err *err)
{
	cleanup_fd int fd = replay_open(a->root_fd, dir, O_RDONLY | O_DIRECTORY);
	struct names listed = { 0 };
	int r;

	if (fd < 0)
		return err_sys(err, "cannot open '%s'", dir);
	r = replay_read_names(fd, &listed, err);
	for (size_t i = 0; i < listed.room && r == 0; i++) {
		cleanup_free char *below = listed.v[i].text ? replay_below(dir, listed.v[i].text) : NULL;

		if (below && !type_at(a, below))
			r = replay_remove(fd, listed.v[i].text, err);
	}
	names_release(&listed);
	return r;
}

static int make_gone(struct area *a, const char *path, struct err *err)
{
	const char *name = replay_name(path) + strlen(CAPTURE_WHITEOUT);
	cleanup_free char *parent = replay_parent(path), *what = NULL;

	if (!strcmp(replay_name(path), CAPTURE_OPAQUE))
		return make_opaque(a, parent, err);
	what = replay_below(parent, name);
	return replay_remove_path(a, what, err);
}

static int make(struct replaying *x, struct area *a, const struct pax_entry *e, bool finish, struct err *err)
{
	const char *path = e->destination ? "" : within(a, e->path);
	bool mark = a->upper && !strncmp(replay_name(path), CAPTURE_WHITEOUT, strlen(CAPTURE_WHITEOUT));

	if (finish)
		return e->type == PAX_DIR ? replay_finish_directory(a, path, e, err) : 0;
	if (e->destination)
		return 0;
	return mark ? make_gone(a, path, err) : replay_put(a, path, e, x->tar_fd, err);
}

/* finish: directories get their owners and times, when nothing is made in them any more. */
static int make_all(struct replaying *x, bool finish, struct err *err)
{
	uint64_t at = 0;
	size_t area = 0;

	for (;;) {
		struct pax_entry e cleanup_pax = { 0 };
		int n = pax_read(x->tar_fd, &at, x->end, &e, err);

		if (n <= 0)
			return n;
		area += e.destination != NULL;
		if (make(x, &x->v[area - 1], &e, finish, err) < 0)
			return err_add(err, "cannot put back '%s'", e.path);
	}
}

static int finish_lower(struct area *a, struct err *err)
{
	for (size_t i = 0; i < a->lower_dirs.room; i++)
		if (a->lower_dirs.v[i].text && replay_finish_lower(a, a->lower_dirs.v[i].text, err) < 0)
			return -1;
	return 0;
}

/* ---- as a whole ------------------------------------------------------------------------------------------------------------ */

static int open_archive(struct replaying *x, int images_fd, struct err *err)
{
	struct stat st;

	x->tar_fd = openat(images_fd, CAPTURE_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (x->tar_fd < 0 || fstat(x->tar_fd, &st) < 0)
		return err_sys(err, "cannot open '" CAPTURE_FILE "'");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "'" CAPTURE_FILE "' is no plain file");
	x->end = (uint64_t)st.st_size;
	return 0;
}

int replay_judge(const struct replay *r, struct replaying **ret, struct err *err)
{
	struct replaying *x = *ret = xcalloc(1, sizeof(*x));

	x->r = r;
	x->tar_fd = -1;
	capture_allow_depth();
	if (open_archive(x, r->images_fd, err) < 0 || open_areas(r, x, err) < 0 ||
	    check_outside(x, r->images_fd, err) < 0 || replay_give_up_privileges(err) < 0)
		return -1;
	return judge(x, err) < 0 ? -1 : check_complete(x, err);
}

bool replay_has(const struct replaying *x, const char *dir)
{
	for (size_t i = 0; i < x->n; i++)
		if (areas_is_below(dir, x->v[i].path))
			return true;
	return false;
}

int replay_run(struct replaying *x, struct err *err)
{
	for (size_t i = 0; i < x->n; i++)
		if (clear(&x->v[i], err) < 0)
			return -1;
	if (make_all(x, false, err) < 0)
		return -1;
	for (size_t i = 0; i < x->n; i++)
		if (finish_lower(&x->v[i], err) < 0)
			return -1;
	return make_all(x, true, err);
}

void replay_free(struct replaying *x)
{
	for (size_t i = 0; i < x->n; i++)
		replay_area_release(&x->v[i]);
	for (size_t i = 0; i < x->n_open; i++)
		replay_area_release(&x->open[i]);
	fd_close(&x->tar_fd);
	free(x);
}
