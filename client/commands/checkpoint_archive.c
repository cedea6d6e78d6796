/* SPDX-License-Identifier: Apache-2.0 */
/* thole checkpoint export and import: an image as one file.
 *
 * What comes in is hostile. A child without privileges reads it and says, over a pipe, what member follows and then its bytes; we judge the name once more, and write below a temporary
 * directory in the set. Only an image whose manifest and digests are right gets its name. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/checkpoint.h"
#include "client/set.h"
#include "client/tar.h"
#include "client/zstream.h"
#include "client/unprivileged.h"
#include "common/fd.h"
#include "common/path.h"
#include "common/proc.h"

#define COPY_BYTES (256 << 10)

/* What bytes are copied from or to: the archive, or a file. */
struct end {
	struct zstream *archive; /* NULL: it is a file */
	int fd;
};

/* Exactly so many bytes, or it is an error. `what`: whose end comes too early then. */
static int copy(struct end from, struct end to, uint64_t left, const char *what, struct err *err)
{
	cleanup_free char *buf = xmalloc(COPY_BYTES);

	while (left > 0) {
		size_t want = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
		ssize_t n = from.archive ? zstream_read(from.archive, buf, want, err)
					 : fd_read_full(from.fd, buf, want, err);

		if (n < 0)
			return -1;
		if ((size_t)n < want)
			return err_set(err, ERR_CONFIG, "%s ends too early", what);
		if ((to.archive ? zstream_write(to.archive, buf, want, err) : fd_write_all(to.fd, buf, want, err)) < 0)
			return -1;
		left -= want;
	}
	return 0;
}

static int copy_file(int from, struct end to, uint64_t left, const char *name, struct err *err)
{
	cleanup_free char *what = xasprintf("'%s'", name);

	return copy((struct end) { .fd = from }, to, left, what, err);
}

/* ---- out ------------------------------------------------------------------------------------------------------------------- */

static int put_zeros(struct zstream *to, uint64_t n, struct err *err)
{
	static const char zeros[2 * TAR_BLOCK];

	return zstream_write(to, zeros, (size_t)n, err);
}

static int export_file(int image_fd, const char *name, struct zstream *to, uint64_t time_s, struct err *err)
{
	cleanup_fd int fd = openat(image_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct tar_member m = { .size = 0 };
	uint8_t block[TAR_BLOCK];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot open '%s'", name);
	snprintf(m.name, sizeof(m.name), "%s", name);
	m.size = (uint64_t)st.st_size;
	if (tar_encode(&m, time_s, block, err) < 0 || zstream_write(to, block, sizeof(block), err) < 0 ||
	    copy_file(fd, (struct end) { .archive = to }, m.size, name, err) < 0)
		return -1;
	return put_zeros(to, tar_padding(m.size), err);
}

static int export_members(int image_fd, const struct image_report *r, struct zstream *to, struct err *err)
{
	uint64_t time_s = r->m.created_ns / 1000000000u;

	/* The manifest first: whoever reads a stream knows what comes. */
	if (export_file(image_fd, MANIFEST_FILE, to, time_s, err) < 0)
		return -1;
	for (size_t i = 0; i < r->n; i++)
		if (export_file(image_fd, r->v[i].name, to, time_s, err) < 0)
			return -1;
	return put_zeros(to, 2 * TAR_BLOCK, err) < 0 ? -1 : zstream_end(to, err);
}

static int export_all(int image_fd, const struct image_report *r, int to, bool compress, struct err *err)
{
	struct zstream *z = zstream_writer(to, compress);
	int ret = export_members(image_fd, r, z, err);

	zstream_free(z);
	return ret;
}

/* A device, a pipe: what is there is written to, as `> FILE` would. */
static int export_into(int image_fd, const struct image_report *r, const char *path, bool compress, struct err *err)
{
	cleanup_fd int to = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	return to < 0 ? err_sys(err, "cannot open '%s'", path) : export_all(image_fd, r, to, compress, err);
}

/* Without a name as long as it is not whole, so that a killed export leaves nothing; on a file system that has no such files under one that only we can have made. */
static int open_new(const char *path, const char *temporary, bool *ret_named, int *ret_fd, struct err *err)
{
	cleanup_free char *above = path_join(path, ".."), *dir = path_clean(above);

	*ret_named = false;
	*ret_fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (*ret_fd >= 0)
		return 0;
	*ret_named = true;
	*ret_fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *ret_fd < 0 ? err_sys(err, "cannot make '%s'", temporary) : 0;
}

static int give_path(int fd, bool named, const char *temporary, const char *path)
{
	char own[40];

	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	if (!named && linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (!named && (errno != EEXIST || linkat(AT_FDCWD, own, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) < 0))
		return -1;
	if (rename(temporary, path) == 0)
		return 0;
	unlink(temporary);
	return -1;
}

/* Whole or not at all, as everything else. A link stays one. */
static int export_to_file(int image_fd, const struct image_report *r, const char *path, bool compress, struct err *err)
{
	cleanup_free char *real = NULL, *temporary = NULL;
	cleanup_fd int to = -1;
	struct stat st;
	bool named;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return export_into(image_fd, r, path, compress, err);
	real = realpath(path, NULL);
	if (!real && (errno != ENOENT || lstat(path, &st) == 0))
		return err_sys(err, "cannot make '%s'", path);
	if (!real && path_absolute(path, &real, err) < 0)
		return -1;
	if (image_spare(real, err) < 0)
		return -1;
	temporary = xasprintf("%s.%d.tmp", real, (int)getpid());
	if (open_new(real, temporary, &named, &to, err) < 0)
		return -1;
	if (export_all(image_fd, r, to, compress, err) == 0 &&
	    ((fsync(to) == 0 && give_path(to, named, temporary, real) == 0) ||
	     err_sys(err, "cannot write '%s'", path) == 0))
		return 0;
	if (named)
		unlink(temporary);
	return -1;
}

static bool has_zstd_name(const char *file)
{
	size_t n = strlen(file);

	return n > 4 && (!strcmp(file + n - 4, ".zst") || (n > 5 && !strcmp(file + n - 5, ".tzst")));
}

int checkpoint_export(const char *image, const char *file, const char *compression, struct err *err)
{
	bool compress = compression ? !strcmp(compression, "zstd") : has_zstd_name(file);
	struct image_report r = { 0 };
	cleanup_fd int fd = -1;
	int ret;

	if (!strcmp(file, "-") && isatty(STDOUT_FILENO))
		return err_set(err, ERR_USAGE, "an archive does not go to a terminal");
	if (path_open_directory(image, NULL, &fd, err) < 0)
		return -1;
	if (image_examine(fd, IMAGE_DIGESTS, &r, err) < 0)
		return err_add(err, "image '%s'", image);
	ret = !strcmp(file, "-") ? export_all(fd, &r, STDOUT_FILENO, compress, err)
				 : export_to_file(fd, &r, file, compress, err);
	image_report_release(&r);
	return ret;
}

/* ---- in: the child ----------------------------------------------------------------------------------------------------------- */

/* What it says: a member and its bytes, a member with an empty name at the end, or an error. */
struct said {
	bool failed;
	struct tar_member member;
	struct err err;
};

static int skip(struct zstream *from, uint64_t n, struct err *err)
{
	uint8_t block[TAR_BLOCK];
	ssize_t got = zstream_read(from, block, (size_t)n, err);

	return got < 0 ? -1 : (uint64_t)got == n ? 0 : err_set(err, ERR_CONFIG, "the archive ends too early");
}

static int unpack(struct zstream *from, int to, struct said *s)
{
	uint8_t block[TAR_BLOCK];
	int r;

	for (;;) {
		ssize_t n = zstream_read(from, block, sizeof(block), &s->err);

		if (n < 0)
			return -1;
		if (n < TAR_BLOCK)
			return err_set(&s->err, ERR_CONFIG, "the archive ends too early");
		r = tar_decode(block, &s->member, &s->err);
		if (r <= 0)
			return r;
		if (fd_write_all(to, s, sizeof(*s), &s->err) < 0 ||
		    copy((struct end) { .archive = from }, (struct end) { .fd = to }, s->member.size, "the archive",
			 &s->err) < 0 ||
		    skip(from, tar_padding(s->member.size), &s->err) < 0)
			return -1;
	}
}

static void child_run(int from, int to, pid_t parent) __attribute__((noreturn));
static void child_run(int from, int to, pid_t parent)
{
	struct said s = { .failed = false };
	struct zstream *archive = zstream_reader(from);
	struct err ignored;
	int r;

	signal(SIGPIPE, SIG_DFL);
	r = unprivileged_become(parent, 0, &s.err);
	if (r == 0)
		r = unpack(archive, to, &s);
	s.failed = r < 0;
	memset(&s.member, 0, sizeof(s.member));
	fd_write_all(to, &s, sizeof(s), &ignored);
	_exit(0);
}

/* ---- in: us ------------------------------------------------------------------------------------------------------------------ */

/* The directory of a file that is called so, made if it has to be; they are of pre-dumps, one in the other. ret_name: what the file is called in it. */
static int make_directory(int dir_fd, const char *path, int *ret_fd, const char **ret_name, struct err *err)
{
	static const char parent[] = MANIFEST_PARENT "/";
	cleanup_fd int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);

	for (; !strncmp(path, parent, strlen(parent)); path += strlen(parent)) {
		int next_fd;

		if (mkdirat(fd, MANIFEST_PARENT, 0700) < 0 && errno != EEXIST)
			return err_sys(err, "cannot make a directory of the image");
		if (manifest_open_parent(fd, &next_fd, err) <= 0)
			return err_set(err, ERR_CONFIG, "'" MANIFEST_PARENT "' is a file and a directory");
		fd_close(&fd);
		fd = next_fd;
	}
	if (fd < 0)
		return err_sys(err, "cannot duplicate a descriptor");
	*ret_fd = take_fd(&fd);
	*ret_name = path;
	return 0;
}

static int import_member(int from, int image_fd, const struct tar_member *m, struct err *err)
{
	cleanup_fd int fd = -1, dir_fd = -1;
	const char *name;

	if (!memchr(m->name, '\0', sizeof(m->name)) || !manifest_is_path(m->name))
		return err_set(err, ERR_CONFIG, "a member of the archive is not called as a file of an image may be");
	if (make_directory(image_fd, m->name, &dir_fd, &name, err) < 0)
		return -1;
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_CONFIG, "its member '%s' comes twice", m->name);
	if (fd < 0)
		return err_sys(err, "cannot make '%s'", m->name);
	if (copy_file(from, (struct end) { .fd = fd }, m->size, m->name, err) < 0)
		return -1;
	return fsync(fd) < 0 ? err_sys(err, "cannot sync '%s'", m->name) : 0;
}

static int import_members(int from, int dir_fd, struct err *err)
{
	for (size_t n = 0; n <= MANIFEST_FILES_MAX; n++) {
		struct said s;
		ssize_t got = fd_read_full(from, &s, sizeof(s), err);

		if (got < 0)
			return -1;
		if (got != sizeof(s))
			return err_set(err, ERR_CONFIG, "the archive cannot be read");
		if (s.failed) {
			*err = s.err;
			err->text[sizeof(err->text) - 1] = '\0';
			err_clean(err);
			return -1;
		}
		if (!s.member.name[0])
			return 0;
		if (import_member(from, dir_fd, &s.member, err) < 0)
			return -1;
	}
	return err_set(err, ERR_LIMIT, "the archive has more than %d members", MANIFEST_FILES_MAX);
}

static int receive(int archive_fd, int dir_fd, struct err *err)
{
	const pid_t parent = getpid();
	cleanup_fd int near = -1;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	near = fds[0];
	pid = fork();
	if (pid == 0) {
		fd_close(&near);
		child_run(archive_fd, fds[1], parent);
	}
	fd_close(&fds[1]);
	if (pid < 0)
		return err_sys(err, "cannot fork");
	r = import_members(near, dir_fd, err);
	if (r < 0)
		kill(pid, SIGKILL); /* our own child, not reaped yet */
	proc_wait(pid);
	return r;
}

static int sync_directories(int dir_fd, struct err *err)
{
	cleanup_fd int parent_fd = -1;
	int r = manifest_open_parent(dir_fd, &parent_fd, err);

	if (r > 0)
		r = sync_directories(parent_fd, err);
	return r < 0 || fsync(dir_fd) == 0 ? r : err_sys(err, "cannot sync the image");
}

/* `name` NULL: as it was called. */
static int give_name(int set_fd, int dir_fd, const char *name, struct image_report *r, struct err *err)
{
	if (!name)
		name = r->m.name;
	if (!manifest_is_image_name(name))
		return err_set(err, ERR_CONFIG, "an image cannot be called '%s'", name);
	if (sync_directories(dir_fd, err) < 0)
		return -1;
	if (renameat2(set_fd, SET_NEW, set_fd, name, RENAME_NOREPLACE) < 0) {
		if (errno == EEXIST)
			return err_set(err, ERR_EXISTS, "there is an image '%s' in the set already", name);
		return err_sys(err, "cannot give the image its name '%s'", name);
	}
	return fsync(set_fd) < 0 ? err_sys(err, "cannot sync the set") : 0;
}

static int import_into(int archive_fd, int set_fd, const char *name, struct err *err)
{
	cleanup_fd int dir_fd = -1;
	struct image_report r = { 0 };
	int ret;

	if (mkdirat(set_fd, SET_NEW, 0700) < 0)
		return err_sys(err, "cannot make a directory in the set");
	if (set_open_image(set_fd, SET_NEW, &dir_fd, err) < 0 || receive(archive_fd, dir_fd, err) < 0 ||
	    image_examine(dir_fd, IMAGE_DIGESTS, &r, err) < 0)
		return -1;
	ret = give_name(set_fd, dir_fd, name, &r, err);
	image_report_release(&r);
	return ret;
}

int checkpoint_import(const char *file, const char *set, const char *name, struct err *err)
{
	struct path_made made cleanup_path_made = PATH_MADE_NOTHING;
	cleanup_fd int archive_fd = -1, set_fd = -1;

	if (name && !manifest_is_image_name(name))
		return err_set(err, ERR_USAGE, "--name: an image cannot be called '%s'", name);
	archive_fd = !strcmp(file, "-") ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (archive_fd < 0)
		return err_sys(err, "cannot open '%s'", file);
	if (set_open(set, &made, &set_fd, err) < 0 || set_lock(set_fd, set, err) < 0)
		return -1;
	set_tidy(set_fd);
	if (import_into(archive_fd, set_fd, name, err) == 0)
		return 0;
	set_tidy(set_fd);
	path_unmake(&made);
	return err_add(err, "cannot import '%s'", file);
}
