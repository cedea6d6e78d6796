/* SPDX-License-Identifier: Apache-2.0 */
/* Which image a restore takes. */
#include "client/from.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "client/set.h"
#include "common/fd.h"
#include "common/path.h"

void from_release(struct from *f)
{
	fd_close(&f->set_fd);
	fd_close(&f->image_fd);
}

bool from_is_image(const char *path)
{
	cleanup_free char *file = path_join(path, MANIFEST_FILE);

	return access(file, F_OK) == 0;
}

/* Until the last copy of the descriptor is closed, the shim's too, retention leaves it alone. */
static int hold(int image_fd, struct err *err)
{
	struct stat st;

	if ((flock(image_fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) ||
	    (fstat(image_fd, &st) == 0 && st.st_nlink == 0))
		return err_set(err, ERR_BUSY, "it is being removed");
	return 0;
}

/* All of it is read. */
static int verify(int image_fd, const char *id, struct manifest *ret, struct err *err)
{
	struct image_report r = { 0 };

	if (hold(image_fd, err) < 0)
		return -1;
	if (image_examine(image_fd, IMAGE_DIGESTS, &r, err) < 0)
		return -1;
	*ret = r.m;
	ret->files = NULL;
	ret->n_files = 0;
	image_report_release(&r);
	return image_fits(ret, id, err);
}

static int take_latest(const struct client *cl, const char *path, const char *id, struct from *f, struct err *err)
{
	struct set s cleanup_set = { 0 };
	struct err why;

	if (flock(f->set_fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return err_set(err, ERR_BUSY, "somebody else is at '%s': try again later", path);
	if (set_read(f->set_fd, IMAGE_MANIFEST, &s, err) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		const struct set_entry *e = &s.v[i];

		why = e->why;
		if (e->good && set_open_image(f->set_fd, e->name, &f->image_fd, &why) == 0) {
			if (verify(f->image_fd, id, &f->m, &why) == 0)
				return 0;
			fd_close(&f->image_fd);
		}
		client_remark(cl, "image '%s' is passed over: %s", e->name, why.text);
	}
	return err_set(err, ERR_NOT_FOUND, "there is no good image in '%s'", path);
}

int from_choose(const struct client *cl, const char *path, const char *id, struct from *ret, struct err *err)
{
	struct from f cleanup_from = FROM_NONE;

	if (!from_is_image(path)) {
		if (path_open_directory(path, NULL, &f.set_fd, err) < 0 || take_latest(cl, path, id, &f, err) < 0)
			return -1;
	} else {
		if (path_open_directory(path, NULL, &f.image_fd, err) < 0)
			return -1;
		if (verify(f.image_fd, id, &f.m, err) < 0)
			return err_add(err, "image '%s'", path);
	}
	*ret = f;
	f = FROM_NONE;
	return 0;
}

#define LOG_BYTES (1u << 20) /* of criu's, and more */

static bool has_room(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) < 0 ||
	       (fs.f_bavail >= LOG_BYTES / fs.f_frsize && (fs.f_files == 0 || fs.f_favail > 0));
}

/* The set, unless nothing can be written there. */
static int open_work(int image_fd, const char *id, int *ret, struct err *err)
{
	cleanup_free char *data_dir = NULL;
	cleanup_fd int fd = openat(image_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && faccessat(fd, ".", W_OK, 0) == 0 && has_room(fd)) {
		*ret = take_fd(&fd);
		return 0;
	}
	if (client_data_dir(id, &data_dir, err) < 0 || path_mkdir_all(data_dir, 0700, err) < 0)
		return -1;
	return path_open_directory(data_dir, NULL, ret, err);
}

int from_files(const struct client *cl, const struct from *f, const char *id, const struct criu_options *o,
	       const char *rootfs, struct checkpoint_files *ret, struct err *err)
{
	const bool keep = rootfs && !strcmp(rootfs, "keep"), has = strcmp(f->m.capture, "none") != 0;
	struct criu_options again = *o;
	struct path_made made cleanup_path_made = PATH_MADE_NOTHING;
	cleanup_fd int work_fd = -1;

	if (!has && ((rootfs && !keep) || o->include_bind.n > 0))
		return err_set(err, ERR_USAGE, "--%s: the image has no files",
			       o->include_bind.n > 0 ? "include-bind" : "rootfs=restore");
	if (keep && o->include_bind.n > 0)
		return err_set(err, ERR_USAGE, "--include-bind and --rootfs=keep contradict each other");

	again.tcp_established |= f->m.tcp_established && !again.tcp_close;
	again.tcp_close |= f->m.tcp_close && !again.tcp_established;
	again.shell_job |= f->m.shell_job;
	again.ext_unix_sk |= f->m.ext_unix_sk;
	again.file_locks |= f->m.file_locks;
	again.files = keep ? "keep" : has ? "restore" : "check";
	if (o->work_path && image_spare(o->work_path, err) < 0)
		return -1;
	if ((o->work_path ? path_open_directory(o->work_path, &made, &work_fd, err)
			  : open_work(f->image_fd, id, &work_fd, err)) < 0)
		return -1;
	return checkpoint_image_files(cl, &again, f->image_fd, work_fd, ret, err);
}
