/* SPDX-License-Identifier: Apache-2.0 */
/* One file, directory or node of a capture, put back; and what is removed before.
 *
 * Runs in a worker. A new file is made under another name and takes the old one's place at once; one that has other names, which may be outside of the root, is not written to. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "common/fd.h"
#include "shim/checkpoint/capture.h"
#include "shim/checkpoint/replay_internal.h"

#define NEW_NAME ".thole-new"
#define COPY_BYTES (256 << 10)
#define XATTR_BYTES (64 << 10)
#define CLONE_ALIGN 4096

void replay_area_release(struct area *a)
{
	free(a->name);
	free(a->path);
	fd_close(&a->root_fd);
	overlay_close(&a->layers);
	names_release(&a->names);
	names_release(&a->kept);
	names_release(&a->lower_dirs);
}

int replay_give_up_privileges(struct err *err)
{
	static const cap_value_t kept[] = { CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
					    CAP_FSETID, CAP_MKNOD,        CAP_SETFCAP };
	cap_t has = cap_get_proc(), keep = cap_init();
	int r = has && keep ? 0 : -1;

	for (size_t i = 0; i < ARRAY_SIZE(kept) && r == 0; i++) {
		cap_flag_value_t v = CAP_CLEAR;

		r = cap_get_flag(has, kept[i], CAP_PERMITTED, &v);
		if (r == 0 && v == CAP_SET) {
			r = cap_set_flag(keep, CAP_PERMITTED, 1, &kept[i], CAP_SET);
			r = r < 0 ? r : cap_set_flag(keep, CAP_EFFECTIVE, 1, &kept[i], CAP_SET);
		}
	}
	if (r == 0)
		r = cap_set_proc(keep) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : 0;
	if (r < 0)
		err_sys(err, "cannot give up privileges");
	cap_free(has);
	cap_free(keep);
	return r;
}

/* ---- directories' names ---------------------------------------------------------------------------------------------------- */

DIR *replay_list(int dir_fd, struct err *err)
{
	DIR *dir = fd_list(dir_fd);

	if (!dir)
		err_sys(err, "cannot list a directory");
	return dir;
}

int replay_read_names(int dir_fd, struct names *ret, struct err *err)
{
	cleanup_dir DIR *dir = replay_list(dir_fd, err);
	const char *name;

	while (dir && (name = fd_list_next(dir)))
		names_put(ret, name, "");
	return dir ? 0 : -1;
}

/* ---- removing -------------------------------------------------------------------------------------------------------------- */

/* A directory that is being emptied. */
struct level {
	int fd;
	char *name;
	struct names listed;
	size_t at;
};

/* A stack of our own: how deep they are is the container's to choose. */
struct levels {
	size_t n;
	struct level *v;
};

static int go_down(struct levels *s, int dir_fd, const char *name, struct err *err)
{
	struct level l = { .fd = replay_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) };

	if (l.fd < 0)
		return err_sys(err, "cannot open '%s'", name);
	l.name = xstrdup(name);
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = l;
	return replay_read_names(l.fd, &s->v[s->n - 1].listed, err);
}

static void go_up(struct levels *s)
{
	struct level *l = &s->v[--s->n];

	fd_close(&l->fd);
	free(l->name);
	names_release(&l->listed);
}

/* One step: a name of the innermost directory, or that itself when it is empty. */
static int remove_next(struct levels *s, int dir_fd, struct err *err)
{
	struct level *l = &s->v[s->n - 1];
	const char *name;

	while (l->at < l->listed.room && !l->listed.v[l->at].text)
		l->at++;
	if (l->at == l->listed.room) {
		if (unlinkat(s->n > 1 ? l[-1].fd : dir_fd, l->name, AT_REMOVEDIR) < 0)
			return err_sys(err, "cannot remove '%s'", l->name);
		go_up(s);
		return 0;
	}
	name = l->listed.v[l->at++].text;
	if (unlinkat(l->fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	return errno == EISDIR ? go_down(s, l->fd, name, err) : err_sys(err, "cannot remove '%s'", name);
}

int replay_remove(int dir_fd, const char *name, struct err *err)
{
	struct levels s = { 0 };
	int r;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_sys(err, "cannot remove '%s'", name);
	r = go_down(&s, dir_fd, name, err);
	while (s.n > 0 && r == 0)
		r = remove_next(&s, dir_fd, err);
	while (s.n > 0)
		go_up(&s);
	free(s.v);
	return r;
}

static int open_parent(const struct area *a, const char *path, int *ret, struct err *err)
{
	cleanup_free char *parent = replay_parent(path);

	*ret = replay_open(a->root_fd, parent, O_PATH | O_DIRECTORY);
	return *ret < 0 ? err_sys(err, "cannot open its directory") : 0;
}

int replay_remove_path(struct area *a, const char *path, struct err *err)
{
	cleanup_free char *parent = replay_parent(path);
	cleanup_fd int fd = replay_open(a->root_fd, parent, O_PATH | O_DIRECTORY);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "cannot open '%s'", parent);
	return replay_remove(fd, replay_name(path), err);
}

/* ---- what is there --------------------------------------------------------------------------------------------------------- */

bool replay_has_device(int root_fd, const char *path, const struct pax_entry *e)
{
	cleanup_fd int fd = replay_open(root_fd, path, O_PATH | O_NOFOLLOW);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == (e->type == PAX_CHAR ? S_IFCHR : S_IFBLK) &&
	       st.st_rdev == makedev(e->major, e->minor);
}

/* ---- owners, modes, attributes, times -------------------------------------------------------------------------------------- */

static const struct pax_xattr *find_xattr(const struct pax_entry *e, const char *name)
{
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (!strcmp(e->xattrs[i].name, name))
			return &e->xattrs[i];
	return NULL;
}

static bool same_xattr(int fd, const struct pax_xattr *x)
{
	cleanup_free char *value = xmalloc(XATTR_BYTES);
	ssize_t n = fgetxattr(fd, x->name, value, XATTR_BYTES);

	return n >= 0 && (size_t)n == x->len && !memcmp(value, x->value, x->len);
}

static bool same_xattrs(int fd, const struct pax_entry *e)
{
	cleanup_free char *list = xmalloc(XATTR_BYTES);
	ssize_t n = flistxattr(fd, list, XATTR_BYTES);

	for (const char *name = list; name < list + n; name += strlen(name) + 1)
		if (capture_takes_xattr(name) && !find_xattr(e, name))
			return false;
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (!same_xattr(fd, &e->xattrs[i]))
			return false;
	return true;
}

static int remove_other_xattrs(int fd, const struct pax_entry *e, struct err *err)
{
	cleanup_free char *list = xmalloc(XATTR_BYTES);
	ssize_t n = flistxattr(fd, list, XATTR_BYTES);

	for (const char *name = list; name < list + n; name += strlen(name) + 1)
		if (capture_takes_xattr(name) && !find_xattr(e, name) && fremovexattr(fd, name) < 0 && errno != ENODATA)
			return err_sys(err, "cannot remove its attribute '%s'", name);
	return 0;
}

static int set_xattrs(int fd, const struct pax_entry *e, struct err *err)
{
	if (remove_other_xattrs(fd, e, err) < 0)
		return -1;
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct pax_xattr *x = &e->xattrs[i];

		if (!same_xattr(fd, x) && fsetxattr(fd, x->name, x->value, x->len, 0) < 0)
			return err_sys(err, "cannot set its attribute '%s'", x->name);
	}
	return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What is right already is not set again: an overlay would copy the file up. A change of the owner takes set-id bits and capabilities away, so it comes first. */
static int set_attributes(int fd, const struct pax_entry *e, struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, e->mtime };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at it");
	if ((st.st_uid != e->uid || st.st_gid != e->gid) && (fchown(fd, e->uid, e->gid) < 0 || fstat(fd, &st) < 0))
		return err_sys(err, "cannot set its owner");
	if ((st.st_mode & 07777) != e->mode && fchmod(fd, e->mode) < 0)
		return err_sys(err, "cannot set its mode");
	if (set_xattrs(fd, e, err) < 0)
		return -1;
	if (!same_time(&st.st_mtim, &e->mtime) && futimens(fd, times) < 0)
		return err_sys(err, "cannot set its time");
	return 0;
}

static bool same_attributes(int fd, const struct stat *st, const struct pax_entry *e)
{
	return st->st_uid == e->uid && st->st_gid == e->gid && (st->st_mode & 07777) == e->mode &&
	       same_time(&st->st_mtim, &e->mtime) && same_xattrs(fd, e);
}

/* ---- files ----------------------------------------------------------------------------------------------------------------- */

/* Of an entry under way: its directory, and what is called so there. */
struct spot {
	int dir_fd;
	const char *name;
	bool exists;
	struct stat st;
	char temp[32]; /* what is made is called so at first */
};

static int find_spot(const struct area *a, const char *path, struct spot *s, struct err *err)
{
	*s = (struct spot) { .dir_fd = -1, .name = replay_name(path) };
	if (open_parent(a, path, &s->dir_fd, err) < 0)
		return -1;
	s->exists = fstatat(s->dir_fd, s->name, &s->st, AT_SYMLINK_NOFOLLOW) == 0;
	return s->exists || errno == ENOENT ? 0 : err_sys(err, "cannot look at it");
}

/* A name that nothing has there: the container's own files may be called as ours, too. */
static void choose_temp(struct spot *s)
{
	struct stat st;

	for (unsigned int i = 0; i == 0 || fstatat(s->dir_fd, s->temp, &st, AT_SYMLINK_NOFOLLOW) == 0; i++)
		snprintf(s->temp, sizeof(s->temp), i ? NEW_NAME ".%u" : NEW_NAME, i);
}

static int take_place(const struct spot *s, struct err *err)
{
	if (s->exists && S_ISDIR(s->st.st_mode) && replay_remove(s->dir_fd, s->name, err) < 0)
		return -1;
	if (renameat(s->dir_fd, s->temp, s->dir_fd, s->name) == 0)
		return 0;
	err_sys(err, "cannot give it its name");
	unlinkat(s->dir_fd, s->temp, 0);
	return -1;
}

static int same_data(int fd, int data_fd, const struct pax_entry *e)
{
	cleanup_free char *a = xmalloc(COPY_BYTES), *b = xmalloc(COPY_BYTES);

	for (uint64_t at = 0; at < e->size;) {
		size_t want = e->size - at < COPY_BYTES ? (size_t)(e->size - at) : COPY_BYTES;
		ssize_t n = pread(fd, a, want, (off_t)at);

		if (n <= 0 || pread(data_fd, b, (size_t)n, (off_t)(e->data + at)) != n || memcmp(a, b, (size_t)n) != 0)
			return 0;
		at += (size_t)n;
	}
	return 1;
}

/* One inode cannot be two files of the capture, even if these look the same. */
static bool is_kept(struct area *a, const struct stat *st)
{
	cleanup_free char *key = NULL;

	if (st->st_nlink < 2)
		return false;
	key = xasprintf("%llx:%llx", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	if (names_get(&a->kept, key))
		return true;
	names_put(&a->kept, key, "");
	return false;
}

bool replay_has_same(const struct area *a, const char *path, const struct pax_entry *e, int data_fd)
{
	cleanup_fd int node_fd = replay_open(a->root_fd, path, O_PATH | O_NOFOLLOW), fd = -1;
	const struct pax_xattr *cap = find_xattr(e, "security.capability");
	struct pax_entry there = { 0 };
	struct stat st;

	if (node_fd < 0 || fstat(node_fd, &st) < 0)
		return false;
	pax_entry_from(&there, &st);
	if (there.type != e->type || there.uid != e->uid || there.gid != e->gid || there.mode != e->mode)
		return false;
	if (e->type != PAX_FILE || (!cap && !(e->mode & (S_ISUID | S_ISGID))))
		return !cap;
	fd = replay_open(a->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	return fd >= 0 && there.size == e->size && (!cap || same_xattr(fd, cap)) && same_data(fd, data_fd, e);
}

/* Is what is there this file already? Its descriptor, or -1. Of one with other names, which may be outside of the root, nothing is changed. */
static int open_same(struct area *a, const struct spot *s, const struct pax_entry *e, int data_fd)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (!s->exists || !S_ISREG(s->st.st_mode) || (uint64_t)s->st.st_size != e->size)
		return -1;
	fd = replay_open(s->dir_fd, s->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !same_data(fd, data_fd, e) ||
	    (st.st_nlink > 1 && !same_attributes(fd, &st, e)) || is_kept(a, &st))
		return -1;
	return take_fd(&fd);
}

/* The whole blocks, where the file system can. */
static uint64_t clone_data(int to, int data_fd, const struct pax_entry *e)
{
	const struct file_clone_range range = {
		.src_fd = data_fd,
		.src_offset = e->data,
		.src_length = e->size / CLONE_ALIGN * CLONE_ALIGN,
	};

	if (e->data % CLONE_ALIGN || !range.src_length || ioctl(to, FICLONERANGE, &range) < 0)
		return 0;
	return range.src_length;
}

static int copy_data(int to, int data_fd, const struct pax_entry *e, struct err *err)
{
	cleanup_free char *buf = xmalloc(COPY_BYTES);
	uint64_t at = clone_data(to, data_fd, e);

	if (ftruncate(to, (off_t)e->size) < 0)
		return err_sys(err, "cannot write it");
	while (at < e->size) {
		off_t next = lseek(data_fd, (off_t)(e->data + at), SEEK_DATA);
		size_t want;
		ssize_t n;

		if (next < 0 && errno != ENXIO)
			return err_sys(err, "cannot read its data");
		if (next < 0 || (uint64_t)next >= e->data + e->size)
			return 0;
		at = (uint64_t)next - e->data;
		want = e->size - at < COPY_BYTES ? (size_t)(e->size - at) : COPY_BYTES;
		n = pread(data_fd, buf, want, next);
		if (n <= 0)
			return n < 0 ? err_sys(err, "cannot read its data")
				     : err_set(err, ERR_CONFIG, "its data ends too early");
		for (ssize_t done = 0, w; done < n; done += w)
			if ((w = pwrite(to, buf + done, (size_t)(n - done), (off_t)at + done)) < 0)
				return err_sys(err, "cannot write it");
		at += (uint64_t)n;
	}
	return 0;
}

/* A file with one name keeps its inode, by which programs know it: sqlite does not write to a database that has become another. Nobody else sees what is in it meanwhile. -1: it cannot be written. */
static int open_again(const struct spot *s)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (!s->exists || !S_ISREG(s->st.st_mode) || s->st.st_nlink != 1)
		return -1;
	fd = replay_open(s->dir_fd, s->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 || ftruncate(fd, 0) < 0)
		return -1;
	return take_fd(&fd);
}

static int put_file(struct area *a, struct spot *s, const struct pax_entry *e, int data_fd, struct err *err)
{
	cleanup_fd int fd = open_same(a, s, e, data_fd);

	if (fd >= 0)
		return set_attributes(fd, e, err);
	fd = open_again(s);
	if (fd >= 0)
		return copy_data(fd, data_fd, e, err) < 0 ? -1 : set_attributes(fd, e, err);
	choose_temp(s);
	fd = openat(s->dir_fd, s->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "cannot make it");
	if (copy_data(fd, data_fd, e, err) < 0 || set_attributes(fd, e, err) < 0) {
		unlinkat(s->dir_fd, s->temp, 0);
		return -1;
	}
	return take_place(s, err);
}

static int put_hardlink(struct area *a, struct spot *s, const struct pax_entry *e, struct err *err)
{
	const char *target = e->link + strlen(a->name) + 1;
	cleanup_fd int fd = -1;
	struct stat st;

	if (open_parent(a, target, &fd, err) < 0)
		return -1;
	if (fstatat(fd, replay_name(target), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot look at its other name");
	if (s->exists && s->st.st_dev == st.st_dev && s->st.st_ino == st.st_ino)
		return 0;
	choose_temp(s);
	if (linkat(fd, replay_name(target), s->dir_fd, s->temp, 0) < 0)
		return err_sys(err, "cannot give it another name");
	return take_place(s, err);
}

static bool is_same_symlink(const struct spot *s, const struct pax_entry *e)
{
	char target[PAX_PATH_MAX];
	ssize_t n;

	if (!s->exists || !S_ISLNK(s->st.st_mode))
		return false;
	n = readlinkat(s->dir_fd, s->name, target, sizeof(target));
	return n >= 0 && (size_t)n == strlen(e->link) && !memcmp(target, e->link, (size_t)n);
}

static bool is_same_node(const struct spot *s, const struct pax_entry *e, mode_t type)
{
	return s->exists && (s->st.st_mode & S_IFMT) == type && (s->st.st_mode & 07777) == e->mode &&
	       (type == S_IFIFO || s->st.st_rdev == makedev(e->major, e->minor));
}

/* By a descriptor of what has just been made, which is not opened: nothing else can take its place, and no link leads elsewhere. */
static int set_node(const struct spot *s, const struct pax_entry *e, mode_t type, struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, e->mtime };
	cleanup_fd int fd = replay_open(s->dir_fd, s->temp, O_PATH | O_NOFOLLOW);
	char self[40];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot open it");
	if ((st.st_mode & S_IFMT) != type ||
	    ((type == S_IFCHR || type == S_IFBLK) && st.st_rdev != makedev(e->major, e->minor)))
		return err_sysno(err, ESTALE, "it is another file now");
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fchownat(fd, "", e->uid, e->gid, AT_EMPTY_PATH) < 0 || (type != S_IFLNK && chmod(self, e->mode) < 0) ||
	    utimensat(fd, "", times, AT_EMPTY_PATH) < 0)
		return err_sys(err, "cannot set its owner, mode or time");
	return 0;
}

/* Links, devices and pipes are not opened: one that is not quite the same is made anew. */
static int put_node(struct spot *s, const struct pax_entry *e, struct err *err)
{
	const bool link = e->type == PAX_SYMLINK;
	const mode_t type = link ? S_IFLNK : e->type == PAX_CHAR ? S_IFCHR : e->type == PAX_BLOCK ? S_IFBLK : S_IFIFO;
	bool same = link ? is_same_symlink(s, e) : is_same_node(s, e, type);

	if (same && s->st.st_uid == e->uid && s->st.st_gid == e->gid && same_time(&s->st.st_mtim, &e->mtime))
		return 0;
	choose_temp(s);
	if ((link ? symlinkat(e->link, s->dir_fd, s->temp)
		  : mknodat(s->dir_fd, s->temp, type | 0600, type == S_IFIFO ? 0 : makedev(e->major, e->minor))) < 0)
		return err_sys(err, "cannot make it");
	if (set_node(s, e, type, err) < 0) {
		unlinkat(s->dir_fd, s->temp, 0);
		return -1;
	}
	return take_place(s, err);
}

int replay_put(struct area *a, const char *path, const struct pax_entry *e, int data_fd, struct err *err)
{
	struct spot s;
	int r;

	if (e->type == PAX_DIR)
		return replay_make_directory(a, path, err);
	r = find_spot(a, path, &s, err);
	if (r == 0)
		r = e->type == PAX_FILE       ? put_file(a, &s, e, data_fd, err)
		    : e->type == PAX_HARDLINK ? put_hardlink(a, &s, e, err)
					      : put_node(&s, e, err);
	fd_close(&s.dir_fd);
	return r;
}

/* ---- directories ----------------------------------------------------------------------------------------------------------- */

int replay_make_directory(struct area *a, const char *path, struct err *err)
{
	struct spot s;
	int r;

	if (!path[0])
		return 0;
	r = find_spot(a, path, &s, err);
	if (r == 0 && s.exists && !S_ISDIR(s.st.st_mode)) {
		r = replay_remove(s.dir_fd, s.name, err);
		s.exists = false;
	}
	if (r == 0 && !s.exists && mkdirat(s.dir_fd, s.name, 0700) < 0)
		r = err_sys(err, "cannot make the directory");
	fd_close(&s.dir_fd);
	return r;
}

int replay_finish_directory(struct area *a, const char *path, const struct pax_entry *e, struct err *err)
{
	cleanup_fd int fd = replay_open(a->root_fd, path, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? err_sys(err, "cannot open the directory") : set_attributes(fd, e, err);
}

/* ---- from the lower layers ------------------------------------------------------------------------------------------------- */

static int add_xattrs(int fd, struct pax_entry *e, struct err *err)
{
	cleanup_free char *list = xmalloc(XATTR_BYTES), *value = xmalloc(XATTR_BYTES);
	ssize_t n = flistxattr(fd, list, XATTR_BYTES);

	for (const char *name = list; name < list + n; name += strlen(name) + 1) {
		ssize_t len = capture_takes_xattr(name) ? fgetxattr(fd, name, value, XATTR_BYTES) : 0;

		if (len < 0)
			return err_sys(err, "cannot read its attribute '%s'", name);
		if (capture_takes_xattr(name))
			pax_add_xattr(e, name, value, (size_t)len);
	}
	return 0;
}

int replay_copy_lower(struct area *a, const char *path, struct err *err)
{
	struct pax_entry e cleanup_pax = { 0 };
	cleanup_fd int node_fd = replay_open(a->layers.lower_fd, path, O_PATH | O_NOFOLLOW), fd = -1;
	struct stat st;
	char target[PAX_PATH_MAX];
	ssize_t n;

	if (node_fd < 0 || fstat(node_fd, &st) < 0)
		return err_sys(err, "cannot look at '%s' in the lower layer", path);
	/* A mark of something removed, of the only lower layer, shows nothing. */
	if (S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev == 0))
		return 0;
	pax_entry_from(&e, &st);
	if (e.type == PAX_FILE) {
		fd = replay_open(a->layers.lower_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0)
			return err_sys(err, "cannot open '%s' in the lower layer", path);
		if (add_xattrs(fd, &e, err) < 0)
			return -1;
	} else if (e.type == PAX_SYMLINK) {
		n = readlinkat(node_fd, "", target, sizeof(target) - 1);
		if (n < 0)
			return err_sys(err, "cannot read '%s' in the lower layer", path);
		target[n] = '\0';
		e.link = xstrdup(target);
	}
	return replay_put(a, path, &e, fd, err);
}

int replay_finish_lower(struct area *a, const char *path, struct err *err)
{
	struct pax_entry e cleanup_pax = { 0 };
	cleanup_fd int fd = replay_open(a->layers.lower_fd, path, O_RDONLY | O_DIRECTORY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at '%s' in the lower layer", path);
	pax_entry_from(&e, &st);
	return add_xattrs(fd, &e, err) < 0 ? -1 : replay_finish_directory(a, path, &e, err);
}
