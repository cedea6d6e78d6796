/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the files of a container into its image.
 *
 * Runs in a worker of the shim's, with its privileges, on trees that the container has made. Each step is one name below an open directory, links are not followed, mounts are not entered,
 * and nothing is opened but what has just been seen to be a directory or a file. How much is to come is found out by the same walk, which then writes nothing. */
#include "shim/checkpoint/capture.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "common/fd.h"
#include "common/tar.h"
#include "shim/checkpoint/names.h"
#include "shim/checkpoint/overlay.h"
#include "shim/checkpoint/pax.h"

#define COPY_BYTES (256 << 10)
#define ENTRY_BYTES (4 * TAR_BLOCK) /* of headers, about */
#define CLONE_ALIGN 4096
#define CLONE_FROM (64 << 10) /* smaller files are not worth the gap before them */
#define XATTR_BYTES (64 << 10)

struct writer {
	bool measure;
	int tar_fd;
	uint64_t at, holes; /* holes: when it is measured, what `at` leaves out */
	bool clones, must_clone, cloned;
	bool upper;         /* what is read is an overlay's layer */
	bool userxattr;     /* which marks files so */
	bool unfit;         /* and has what this form cannot say */
	bool named;         /* the error says of which file it is */
	struct names links; /* of files with several names: "DEV:INO" to the first path */
	char *buf, *list, *value;
};

/* An open directory, and what it is called in the archive. */
struct place {
	int fd;
	const char *path;
	int depth;
};

void capture_plan_release(struct capture_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].destination);
		free(p->v[i].path);
	}
	free(p->v);
	*p = (struct capture_plan) { 0 };
}

void capture_plan_add(struct capture_plan *p, const char *destination, const char *path)
{
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = (struct capture_area) { .destination = xstrdup(destination), .path = xstrdup(path) };
}

bool capture_takes_xattr(const char *name)
{
	return !strncmp(name, "user.", 5) || !strcmp(name, "security.capability") ||
	       !strcmp(name, "system.posix_acl_access") || !strcmp(name, "system.posix_acl_default");
}

void capture_allow_depth(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* ---- data ------------------------------------------------------------------------------------------------------------------ */

static int put(struct writer *w, const void *data, size_t len, struct err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(w->tar_fd, (const char *)data + done, len - done, (off_t)(w->at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot write '" CAPTURE_FILE "'");
		done += (size_t)n;
	}
	w->at += len;
	return 0;
}

static int put_header(struct writer *w, const struct pax_entry *e, struct err *err)
{
	cleanup_free void *header = NULL;
	size_t len;

	if (w->measure) {
		w->at += ENTRY_BYTES;
		return 0;
	}
	header = pax_encode(e, w->at, w->clones && e->size >= CLONE_FROM ? CLONE_ALIGN : 0, &len);
	return put(w, header, len, err);
}

/* From one place that has data to the next: what lies between is a hole here too. */
static int copy_data(struct writer *w, int fd, uint64_t size, struct err *err)
{
	uint64_t begin = w->at;
	off_t at = 0, end = 0;

	while ((at = lseek(fd, end, SEEK_DATA)) >= 0 && (uint64_t)at < size) {
		end = lseek(fd, at, SEEK_HOLE);
		if (end < 0 || (uint64_t)end > size)
			end = (off_t)size;
		w->at = begin + (uint64_t)at;
		while (at < end) {
			size_t want = end - at < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
			ssize_t n = pread(fd, w->buf, want, at);

			if (n < 0)
				return err_sys(err, "cannot read it");
			if (n == 0)
				return err_set(err, ERR_BUSY, "it becomes shorter while it is read");
			if (put(w, w->buf, (size_t)n, err) < 0)
				return -1;
			at += n;
		}
	}
	if (at < 0 && errno != ENXIO)
		return err_sys(err, "cannot read it");
	w->at = begin + size;
	return 0;
}

/* Returns 1: the data is the archive's, too; 0: it has to be copied. */
static int clone_data(struct writer *w, int fd, uint64_t size, struct err *err)
{
	const struct file_clone_range range = { .src_fd = fd, .dest_offset = w->at };

	if (!w->clones || size < CLONE_FROM)
		return 0;
	if (ioctl(w->tar_fd, FICLONERANGE, &range) == 0) {
		w->cloned = true;
		w->at += size;
		return 1;
	}
	if (w->must_clone && errno != EINVAL)
		return err_sysno(err, errno, "--rootfs=reflink: its file system cannot clone it into the image");
	if (!w->cloned)
		w->clones = false;
	return 0;
}

static int put_data(struct writer *w, int fd, uint64_t size, struct err *err)
{
	int r = clone_data(w, fd, size, err);

	if (r < 0 || (r == 0 && copy_data(w, fd, size, err) < 0))
		return -1;
	w->at += tar_padding(size);
	return 0;
}

/* ---- one file -------------------------------------------------------------------------------------------------------------- */

/* What an overlay keeps in a layer's attributes, and an archive of that layer has no words for. */
static bool is_unfit_mark(const char *name, const char *value, ssize_t len)
{
	static const char *const harmless[] = { ".origin", ".impure", ".nlink", ".upper", ".uuid" };

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (strstr(name, harmless[i]))
			return false;
	return !strstr(name, ".opaque") || len != 1 || value[0] != 'y';
}

static bool is_opaque(const struct writer *w, int fd)
{
	const char *name = w->userxattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
	char value[2];

	return fgetxattr(fd, name, value, sizeof(value)) == 1 && value[0] == 'y';
}

/* No more than are read back. */
static int add_xattr(struct pax_entry *e, const char *name, const void *value, size_t len, struct err *err)
{
	size_t bytes = 0;

	if (e->n_xattrs == PAX_XATTRS_MAX)
		return err_set(err, ERR_UNSUPPORTED, "it has more than %d extended attributes", PAX_XATTRS_MAX);
	pax_add_xattr(e, name, value, len);
	for (size_t i = 0; i < e->n_xattrs; i++)
		bytes += pax_xattr_bytes(&e->xattrs[i]);
	return bytes > PAX_XATTRS_BYTES ? err_set(err, ERR_UNSUPPORTED, "its extended attributes have more than %d KiB",
						  PAX_XATTRS_BYTES >> 10)
					: 0;
}

static int add_xattrs(struct writer *w, int fd, struct pax_entry *e, struct err *err)
{
	ssize_t n = flistxattr(fd, w->list, XATTR_BYTES);

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : err_sys(err, "cannot list its extended attributes");
	for (const char *name = w->list; name < w->list + n; name += strlen(name) + 1) {
		bool mark = w->upper && overlay_is_mark(name, w->userxattr);
		ssize_t len;

		if (!mark && !capture_takes_xattr(name))
			continue;
		len = fgetxattr(fd, name, w->value, XATTR_BYTES);
		if (len < 0 && errno == ENODATA)
			continue;
		if (len < 0)
			return err_sys(err, "cannot read its attribute '%s'", name);
		if (!mark && add_xattr(e, name, w->value, (size_t)len, err) < 0)
			return -1;
		if (mark && is_unfit_mark(name, w->value, len)) {
			w->unfit = true;
			return err_set(err, ERR_UNSUPPORTED, "it is of a layer that is not complete by itself");
		}
	}
	return 0;
}

/* Another name of one that is there already? Returns 1. */
static int put_hardlink(struct writer *w, const struct stat *st, struct pax_entry *e, struct err *err)
{
	cleanup_free char *key = NULL;
	const char *first;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return 0;
	key = xasprintf("%llx:%llx", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	first = names_get(&w->links, key);
	if (!first) {
		names_put(&w->links, key, e->path);
		return 0;
	}
	e->type = PAX_HARDLINK;
	e->link = xstrdup(first);
	e->size = 0;
	return put_header(w, e, err) < 0 ? -1 : 1;
}

static int open_as_seen(const struct place *in, const char *name, int flags, struct stat *st, struct err *err)
{
	const mode_t type = st->st_mode & S_IFMT;
	cleanup_fd int fd = openat(in->fd, name, flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC);

	if (fd < 0 && errno == EPERM)
		fd = openat(in->fd, name, flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, st) < 0)
		return err_sys(err, "cannot open it");
	if ((st->st_mode & S_IFMT) != type)
		return err_sysno(err, ESTALE, "it is another file now");
	return take_fd(&fd);
}

static int put_file(struct writer *w, const struct place *in, const char *name, struct stat *st, struct pax_entry *e,
		    struct err *err)
{
	cleanup_fd int fd = -1;

	if (w->measure) {
		uint64_t blocks = (uint64_t)st->st_blocks * 512;

		w->at += ENTRY_BYTES + (blocks < e->size ? blocks : e->size + tar_padding(e->size));
		w->holes += blocks < e->size ? e->size - blocks : 0;
		return 0;
	}
	fd = open_as_seen(in, name, 0, st, err);
	if (fd < 0)
		return -1;
	pax_entry_from(e, st);
	if (add_xattrs(w, fd, e, err) < 0 || put_header(w, e, err) < 0)
		return -1;
	return put_data(w, fd, e->size, err);
}

static int put_symlink(struct writer *w, const struct place *in, const char *name, struct pax_entry *e, struct err *err)
{
	char target[PAX_PATH_MAX];
	ssize_t n = readlinkat(in->fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(err, "cannot read the link");
	target[n] = '\0';
	e->link = xstrdup(target);
	return put_header(w, e, err);
}

/* ".wh.NAME": it is no more there, whatever is in the layers below. */
static int put_whiteout(struct writer *w, const char *in, const char *name, struct err *err)
{
	struct pax_entry e cleanup_pax = { .type = PAX_FILE };

	if (strlen(CAPTURE_WHITEOUT) + strlen(name) > NAME_MAX) {
		w->unfit = true;
		return err_set(err, ERR_UNSUPPORTED, "what has been removed has too long a name");
	}
	e.path = xasprintf("%s/" CAPTURE_WHITEOUT "%s", in, name);
	return put_header(w, &e, err);
}

/* ---- directories ----------------------------------------------------------------------------------------------------------- */

static int put_children(struct writer *w, const struct place *in, struct err *err);

static int put_directory(struct writer *w, const struct place *in, const char *name, struct stat *st,
			 struct pax_entry *e, struct err *err)
{
	cleanup_fd int fd = open_as_seen(in, name, O_DIRECTORY, st, err);
	struct place inside = { .fd = fd, .path = e->path, .depth = in->depth + 1 };

	if (fd < 0)
		return -1;
	if (inside.depth > CAPTURE_DEPTH_MAX)
		return err_set(err, ERR_UNSUPPORTED, "more than %d directories in one another", CAPTURE_DEPTH_MAX);
	if (add_xattrs(w, fd, e, err) < 0 || put_header(w, e, err) < 0)
		return -1;
	if (w->upper && is_opaque(w, fd) &&
	    put_whiteout(w, e->path, &CAPTURE_OPAQUE[strlen(CAPTURE_WHITEOUT)], err) < 0)
		return -1;
	return put_children(w, &inside, err);
}

/* The root of a mount, here in the shim's mount namespace, is somebody else's. */
static int look_at(const struct place *in, const char *name, struct stat *st, bool *ret_mount, struct err *err)
{
	struct statx x;

	if (statx(in->fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &x) < 0 ||
	    fstatat(in->fd, name, st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return err_sys(err, "cannot look at it");
	*ret_mount = x.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return 0;
}

static int put_entry(struct writer *w, const struct place *in, const char *name, struct err *err)
{
	struct pax_entry e cleanup_pax = { 0 };
	struct stat st;
	bool mount = false;
	int r;

	if (look_at(in, name, &st, &mount, err) < 0)
		return -1;
	/* A socket is its listener's to make, and criu does. */
	if (mount || S_ISSOCK(st.st_mode))
		return 0;
	if (w->upper && S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0))
		return put_whiteout(w, in->path, name, err);
	if (w->upper && !strncmp(name, CAPTURE_WHITEOUT, strlen(CAPTURE_WHITEOUT))) {
		w->unfit = true;
		return err_set(err, ERR_UNSUPPORTED, "it is called as what has been removed");
	}
	e.path = xasprintf("%s/%s", in->path, name);
	if (strlen(e.path) >= PAX_PATH_MAX)
		return err_set(err, ERR_UNSUPPORTED, "its path is longer than %d bytes", PAX_PATH_MAX - 1);
	pax_entry_from(&e, &st);
	r = put_hardlink(w, &st, &e, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (S_ISREG(st.st_mode))
		return put_file(w, in, name, &st, &e, err);
	if (S_ISDIR(st.st_mode))
		return put_directory(w, in, name, &st, &e, err);
	return S_ISLNK(st.st_mode) ? put_symlink(w, in, name, &e, err) : put_header(w, &e, err);
}

/* While it is measured, the container goes on, and what it removes is no failure. */
static bool has_vanished(const struct writer *w, const struct err *err)
{
	return w->measure && !w->unfit &&
	       (err_is_sys(err, ENOENT) || err_is_sys(err, ENOTDIR) || err_is_sys(err, ELOOP) ||
		err_is_sys(err, ESTALE));
}

#define PATH_TOLD_MAX 255 /* bytes */

/* In front of the reason, for which the line has to have room: of a long path its end. */
static void add_path(const char *dir, const char *name, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, name);
	const size_t len = strlen(path);
	const char *end = len > PATH_TOLD_MAX ? path + len - PATH_TOLD_MAX : path;

	while ((*end & 0xc0) == 0x80)
		end++; /* not from within a character */
	err_add(err, "%s%s", end > path ? "..." : "", end);
}

static int put_children(struct writer *w, const struct place *in, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(in->fd);
	const char *name;

	if (!dir)
		return err_sys(err, "cannot list the directory");
	while ((name = fd_list_next(dir))) {
		if (put_entry(w, in, name, err) == 0 || has_vanished(w, err)) {
			w->named = false;
			continue;
		}
		if (!w->named)
			add_path(in->path, name, err);
		w->named = true;
		return -1;
	}
	return errno ? err_sys(err, "cannot list the directory") : 0;
}

/* ---- areas ----------------------------------------------------------------------------------------------------------------- */

static int put_area_as(struct writer *w, const struct capture_area *a, const char *name, int fd, bool upper,
		       struct err *err)
{
	struct pax_entry e cleanup_pax = { 0 };
	const struct place in = { .fd = fd, .path = name, .depth = 0 };
	struct stat st;

	w->upper = upper;
	w->unfit = false;
	names_release(&w->links);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at '%s'", a->path);
	pax_entry_from(&e, &st);
	e.path = xstrdup(name);
	e.destination = xstrdup(a->destination);
	e.form = xstrdup(upper ? CAPTURE_UPPER : CAPTURE_WHOLE);
	if (add_xattrs(w, fd, &e, err) < 0 || put_header(w, &e, err) < 0)
		return -1;
	return put_children(w, &in, err);
}

/* What the container has for its root today, and what its config calls so, can be two things. */
static int check_root(int fd, pid_t init, struct err *err)
{
	cleanup_free char *path = xasprintf("/proc/%d/root", (int)init);
	struct stat here, there;

	if (fstat(fd, &here) < 0 || stat(path, &there) < 0)
		return err_sys(err, "cannot look at the container's root");
	if (here.st_dev == there.st_dev && here.st_ino == there.st_ino)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "the container's root is not to be found by its path any more, so its files cannot be captured "
		       "(--rootfs=none)");
}

static int put_area(struct writer *w, const struct capture_area *a, const char *name, pid_t init, struct err *err)
{
	cleanup_fd int fd = open(a->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct overlay o cleanup_overlay = OVERLAY_NONE;
	const uint64_t begin = w->at, holes = w->holes;
	bool is_root = !strcmp(a->destination, "/");
	int r;

	if (fd < 0)
		return err_sys(err, "cannot open '%s'", a->path);
	if (is_root && check_root(fd, init, err) < 0)
		return -1;
	r = overlay_open(fd, &o, err);
	if (r < 0)
		return -1;
	w->userxattr = o.userxattr;
	if (r > 0) {
		if (put_area_as(w, a, name, o.upper_fd, true, err) == 0)
			return 0;
		if (!w->unfit)
			return -1;
	}
	/* All of it, then. */
	w->at = begin;
	w->holes = holes;
	w->named = false;
	if (!w->measure && ftruncate(w->tar_fd, (off_t)begin) < 0)
		return err_sys(err, "cannot write '" CAPTURE_FILE "'");
	return put_area_as(w, a, name, fd, false, err);
}

static int put_areas(struct writer *w, const struct capture_plan *p, struct err *err)
{
	size_t binds = 0;
	int r = 0;

	capture_allow_depth();
	w->buf = xmalloc(COPY_BYTES);
	w->list = xmalloc(XATTR_BYTES);
	w->value = xmalloc(XATTR_BYTES);
	for (size_t i = 0; i < p->n && r == 0; i++) {
		bool is_root = !strcmp(p->v[i].destination, "/");
		cleanup_free char *name = is_root ? xstrdup(CAPTURE_ROOT) : xasprintf("bind/%zu", binds++);

		r = put_area(w, &p->v[i], name, p->init, err);
	}
	names_release(&w->links);
	free(w->buf);
	free(w->list);
	free(w->value);
	return r < 0 ? err_add(err, "cannot capture the container's files") : 0;
}

int capture_measure(const struct capture_plan *p, struct capture_size *ret, struct err *err)
{
	struct writer w = { .measure = true, .tar_fd = -1 };

	if (put_areas(&w, p, err) < 0)
		return -1;
	*ret = (struct capture_size) { w.at, w.at + w.holes };
	return 0;
}

int capture_write(const struct capture_plan *p, enum capture_how how, int dir_fd, bool *ret_cloned, struct err *err)
{
	static const char zeros[2 * TAR_BLOCK];
	cleanup_fd int fd = openat(dir_fd, CAPTURE_FILE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct writer w = { .tar_fd = fd, .clones = how != CAPTURE_COPY, .must_clone = how == CAPTURE_REFLINK };

	if (fd < 0)
		return err_sys(err, "cannot make '" CAPTURE_FILE "'");
	if (put_areas(&w, p, err) < 0 || put(&w, zeros, sizeof(zeros), err) < 0)
		return -1;
	*ret_cloned = w.cloned;
	return 0;
}
