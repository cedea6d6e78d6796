/* SPDX-License-Identifier: Apache-2.0 */
/* Images of a set, looked at by a process that has given up its privileges.
 *
 * The child opens the files of the directory, plain ones with one name only, while it may; then it gives up its user, its capabilities and the right to open anything, and only then reads a
 * byte. What it has to say it writes into memory that it shares with us, and of that we take only what has a fixed size. */
#include "client/image.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "client/unprivileged.h"
#include "common/fd.h"
#include "common/path.h"
#include "common/proc.h"

#define MEMORY_MAX (512ul << 20)

/* What both see. */
struct shared {
	bool done;
	int result;
	struct err err;
	struct manifest m;
	size_t room, n;
	struct manifest_file v[];
};

struct opened {
	int fd;
	char name[MANIFEST_NAME_MAX];
	uint64_t size;
	bool used;
};

struct examination {
	enum image_depth depth;
	size_t n, n_parents;
	struct opened *v;
	struct shared *shared;
};

void image_report_release(struct image_report *r)
{
	free(r->v);
	*r = (struct image_report) { 0 };
}

/* ---- the child: while it may open ------------------------------------------------------------------------------------------ */

static int open_one(int dir_fd, const char *prefix, const char *name, struct opened *o, struct err *err)
{
	struct stat st;

	if ((size_t)snprintf(o->name, sizeof(o->name), "%s%s", prefix, name) >= sizeof(o->name))
		return err_set(err, ERR_CONFIG, "'%s' does not belong into an image", name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot look at '%s'", name);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return err_set(err, ERR_CONFIG, "'%s' is %s", name,
			       S_ISLNK(st.st_mode)   ? "a symbolic link"
			       : S_ISREG(st.st_mode) ? "a file with a further name elsewhere"
						     : "no plain file");
	o->fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (o->fd < 0 || fstat(o->fd, &st) < 0)
		return err_sys(err, "cannot open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "'%s' is no plain file", name);
	o->size = (uint64_t)st.st_size;
	return 0;
}

static void allow_many_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* What begins with a dot is left over from somebody who was killed; nobody opens it. `prefix`: where the directory is in the image. */
static int open_directory(int dir_fd, const char *prefix, bool has_parent, struct examination *x, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(dir_fd);
	struct dirent *e;

	if (!dir)
		return err_sys(err, "cannot read the directory");
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.' || (has_parent && !strcmp(e->d_name, MANIFEST_PARENT)))
			continue;
		if (x->n == x->shared->room)
			return err_set(err, ERR_LIMIT, "the directory changes while it is read");
		if (open_one(dir_fd, prefix, e->d_name, &x->v[x->n], err) < 0)
			return -1;
		x->n++;
	}
	return 0;
}

/* Its pre-dumps lie one in the other. */
static int open_all(int dir_fd, const char *prefix, struct examination *x, struct err *err)
{
	cleanup_free char *deeper = xasprintf("%s" MANIFEST_PARENT "/", prefix);
	cleanup_fd int parent_fd = -1;
	int r = manifest_open_parent(dir_fd, &parent_fd, err);

	if (r < 0 || open_directory(dir_fd, prefix, r > 0, x, err) < 0)
		return -1;
	if (r == 0)
		return 0;
	x->n_parents++;
	return open_all(parent_fd, deeper, x, err);
}

/* ---- the child: when it may nothing ---------------------------------------------------------------------------------------- */

static struct opened *find(struct examination *x, const char *name)
{
	for (size_t i = 0; i < x->n; i++)
		if (!strcmp(x->v[i].name, name))
			return &x->v[i];
	return NULL;
}

static int read_manifest(struct examination *x, struct manifest *m, struct err *err)
{
	cleanup_free char *text = NULL;
	struct opened *o = find(x, MANIFEST_FILE);
	size_t len;

	if (!o)
		return err_set(err, ERR_NOT_FOUND, "there is no '" MANIFEST_FILE "'");
	o->used = true;
	if (fd_read_all(o->fd, MANIFEST_MAX, &text, &len, err) < 0)
		return -1;
	if (strlen(text) != len)
		return err_set(err, ERR_CONFIG, MANIFEST_FILE ": is damaged");
	return manifest_parse(text, m, err);
}

static int check_file(struct examination *x, const struct manifest_file *f, struct err *err)
{
	struct opened *o = find(x, f->name);
	char digest[SHA256_TEXT_SIZE];
	uint64_t size;

	if (!o)
		return err_set(err, ERR_CONFIG, "'%s' is missing", f->name);
	o->used = true;
	if (o->size != f->size)
		return err_set(err, ERR_CONFIG, "'%s' is damaged: it has %llu bytes, not %llu", f->name,
			       (unsigned long long)o->size, (unsigned long long)f->size);
	if (x->depth < IMAGE_DIGESTS)
		return 0;
	if (sha256_fd(o->fd, digest, &size, err) < 0)
		return err_add(err, "'%s'", f->name);
	return !strcmp(digest, f->sha256) ? 0
					  : err_set(err, ERR_CONFIG, "'%s' is damaged: its digest is another", f->name);
}

static int check_files(struct examination *x, const struct manifest *m, struct err *err)
{
	if (!manifest_find(m, "inventory.img"))
		return err_set(err, ERR_CONFIG, "it has no inventory.img: that is no image of criu's");
	for (size_t i = 0; i < m->n_files; i++)
		if (check_file(x, &m->files[i], err) < 0)
			return -1;
	for (size_t i = 0; i < x->n; i++)
		if (!x->v[i].used)
			return err_set(err, ERR_CONFIG, "'%s' is not in its manifest", x->v[i].name);
	if (x->n_parents != m->n_pre_dumps)
		return err_set(err, ERR_CONFIG, "it has %zu directories of pre-dumps, not %zu", x->n_parents,
			       m->n_pre_dumps);
	return 0;
}

static int examine(struct examination *x, struct err *err)
{
	struct manifest m = { 0 };
	struct shared *s = x->shared;

	if (read_manifest(x, &m, err) < 0 || (x->depth >= IMAGE_FILES && check_files(x, &m, err) < 0))
		return -1;
	s->n = m.n_files < s->room ? m.n_files : s->room;
	memcpy(s->v, m.files, s->n * sizeof(*s->v));
	s->m = m;
	return 0;
}

static void child_run(int dir_fd, struct examination *x, pid_t parent) __attribute__((noreturn));
static void child_run(int dir_fd, struct examination *x, pid_t parent)
{
	struct shared *s = x->shared;

	x->v = xcalloc(s->room + 1, sizeof(*x->v));
	allow_many_files();
	s->result = open_all(dir_fd, "", x, &s->err);
	if (s->result == 0)
		s->result = unprivileged_become(parent, MEMORY_MAX, &s->err);
	if (s->result == 0)
		s->result = examine(x, &s->err);
	s->done = true;
	_exit(0);
}

/* ---- us -------------------------------------------------------------------------------------------------------------------- */

static int count_entries(int dir_fd, size_t *ret, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(dir_fd);

	if (!dir)
		return err_sys(err, "cannot read the directory");
	while (readdir(dir))
		if (++*ret > MANIFEST_FILES_MAX)
			return err_set(err, ERR_LIMIT, "the directory has more than %d files", MANIFEST_FILES_MAX);
	return 0;
}

/* Whoever can write to it could change it after we have looked. */
static int check_owner(int dir_fd, struct err *err)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return err_sys(err, "cannot look at the directory");
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
		return err_set(err, ERR_PERMISSION, "others may change its directory (owner %u, mode %04o)", st.st_uid,
			       st.st_mode & 07777u);
	return 0;
}

/* The texts of what a process without privileges has filled end where they should. */
static void end_texts(struct manifest *m)
{
#define END(field) m->field[sizeof(m->field) - 1] = '\0'
	END(id);
	END(name);
	END(config);
	END(rootfs);
	END(kernel);
	END(architecture);
	END(criu);
	END(thole);
	END(capture);
#undef END
	m->files = NULL;
	m->open = NULL;
	if (m->n_pre_dumps > MANIFEST_PARENTS_MAX)
		m->n_pre_dumps = 0;
}

static void take_report(const struct shared *s, size_t room, struct image_report *ret)
{
	size_t n = s->n;
	struct image_report r = { .m = s->m, .n = n < room ? n : room };

	end_texts(&r.m);
	r.v = xcalloc(r.n + 1, sizeof(*r.v));
	memcpy(r.v, s->v, r.n * sizeof(*r.v));
	for (size_t i = 0; i < r.n; i++) {
		r.v[i].name[sizeof(r.v[i].name) - 1] = '\0';
		r.v[i].sha256[sizeof(r.v[i].sha256) - 1] = '\0';
	}
	r.m.files = r.v;
	r.m.n_files = r.n;
	*ret = r;
}

static int hear(const struct shared *s, size_t room, pid_t pid, struct image_report *ret, struct err *err)
{
	proc_wait(pid);
	if (!s->done)
		return err_set(err, ERR_CONFIG, "its manifest cannot be read");
	if (s->result < 0) {
		*err = s->err;
		err->text[sizeof(err->text) - 1] = '\0';
		err_clean(err);
		return -1;
	}
	take_report(s, room, ret);
	return 0;
}

/* That of the image, and those of its pre-dumps. */
static int check_directories(int dir_fd, size_t depth, size_t *ret_entries, struct err *err)
{
	cleanup_fd int parent_fd = -1;
	int r;

	if (depth > MANIFEST_PARENTS_MAX)
		return err_set(err, ERR_LIMIT, "it goes on from more than %d pre-dumps", MANIFEST_PARENTS_MAX);
	if (check_owner(dir_fd, err) < 0 || count_entries(dir_fd, ret_entries, err) < 0)
		return -1;
	r = manifest_open_parent(dir_fd, &parent_fd, err);
	return r > 0 ? check_directories(parent_fd, depth + 1, ret_entries, err) : r;
}

int image_examine(int dir_fd, enum image_depth depth, struct image_report *ret, struct err *err)
{
	struct examination x = { .depth = depth };
	const pid_t parent = getpid();
	size_t room = 0, size;
	pid_t pid;
	int r;

	if (check_directories(dir_fd, 0, &room, err) < 0)
		return -1;
	size = sizeof(struct shared) + room * sizeof(struct manifest_file);
	x.shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (x.shared == MAP_FAILED)
		return err_sys(err, "cannot map memory");
	x.shared->room = room;
	pid = fork();
	if (pid == 0)
		child_run(dir_fd, &x, parent);
	r = pid < 0 ? err_sys(err, "cannot fork") : hear(x.shared, room, pid, ret, err);
	munmap(x.shared, size);
	return r;
}

int image_fits(const struct manifest *m, const char *id, struct err *err)
{
	struct utsname u;

	uname(&u);
	if (strcmp(m->architecture, u.machine) != 0)
		return err_set(err, ERR_UNSUPPORTED, "image '%s' is of architecture %s, this is %s", m->name,
			       m->architecture, u.machine);
	if (id && strcmp(m->id, id) != 0)
		return err_set(err, ERR_CONFIG, "image '%s' is of container '%s', not of '%s'", m->name, m->id, id);
	return 0;
}

/* ---- what is written beside it --------------------------------------------------------------------------------------------- */

/* Its directory, or the nearest one above that is there; what cannot be opened has no image. */
static int open_nearest(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *above = NULL;
	struct err ignored;

	if (fd >= 0 || path_absolute(path, &above, &ignored) < 0)
		return fd;
	while (fd < 0 && above[1]) {
		*(strrchr(above, '/') == above ? above + 1 : strrchr(above, '/')) = '\0';
		fd = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd;
}

/* A manifest alone may be anybody's. */
static bool is_image(int fd)
{
	return faccessat(fd, MANIFEST_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	       faccessat(fd, "inventory.img", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Are these a pre-dump and what it lies in? */
static bool lies_in(int fd, int above_fd)
{
	struct stat own, there;

	return fstat(fd, &own) == 0 && fstatat(above_fd, MANIFEST_PARENT, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

int image_spare(const char *path, struct err *err)
{
	cleanup_fd int fd = open_nearest(path);

	for (int i = 0; fd >= 0 && i <= MANIFEST_PARENTS_MAX; i++) {
		int above_fd;

		if (is_image(fd))
			return err_set(err, ERR_USAGE,
				       "'%s' is, or would be in, an image of a set, which stays as it is", path);
		above_fd = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (above_fd >= 0 && !lies_in(fd, above_fd))
			fd_close(&above_fd);
		fd_close(&fd);
		fd = above_fd;
	}
	return 0;
}
