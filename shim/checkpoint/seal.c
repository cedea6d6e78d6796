/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of an image of a set: its manifest, everything on the disk, and then its name.
 *
 * Runs in a worker. Whoever is killed anywhere here leaves an image without its name, which nobody takes for one, or a whole image: rename is the moment. */
#include "shim/checkpoint/seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "proto/criu.pb-c.h"

#define STATISTICS_FILE "stats-dump"
#define STATISTICS_BYTES 4096 /* more than they take in a manifest */
#define STATISTICS_HEADER 12  /* two magic numbers and the length of what follows */

static int sync_fd(int fd, const char *what, struct err *err)
{
	return fsync(fd) < 0 ? err_sys(err, "cannot sync %s", what) : 0;
}

/* `prefix`: what stands before its name, seen from the image's directory. */
static int add_file(const struct seal *s, int dir_fd, const char *prefix, const char *name, struct err *err)
{
	struct manifest_file f = { .size = 0 };
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot open '%s' of the image", name);
	if (!S_ISREG(st.st_mode) || !manifest_is_name(name))
		return err_set(err, ERR_INTERNAL, "'%s' does not belong into an image", name);
	if ((size_t)snprintf(f.name, sizeof(f.name), "%s%s", prefix, name) >= sizeof(f.name))
		return err_set(err, ERR_UNSUPPORTED, "the name '%s%s' is too long for an image", prefix, name);
	if (sync_fd(fd, name, err) < 0 || sha256_fd(fd, f.sha256, &f.size, err) < 0)
		return -1;
	manifest_add_file(s->m, &f);
	if (s->limit_bytes && s->m->size > s->limit_bytes)
		return err_set(err, ERR_LIMIT, "the image has more than the %llu bytes that it may have",
			       (unsigned long long)s->limit_bytes);
	return 0;
}

static bool is_directory(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Pre-dumps lie one in the other. */
static int add_files(const struct seal *s, int dir_fd, const char *prefix, struct err *err)
{
	cleanup_fd int parent_fd = -1;
	cleanup_dir DIR *dir = fd_list(dir_fd);
	cleanup_free char *deeper = xasprintf("%s" MANIFEST_PARENT "/", prefix);
	const char *name;
	int r;

	if (!dir)
		return err_sys(err, "cannot read the image's directory");
	while ((name = fd_list_next(dir)))
		if ((strcmp(name, MANIFEST_PARENT) != 0 || !is_directory(dir_fd, name)) &&
		    add_file(s, dir_fd, prefix, name, err) < 0)
			return -1;
	r = manifest_open_parent(dir_fd, &parent_fd, err);
	if (r <= 0)
		return r;
	return add_files(s, parent_fd, deeper, err) < 0 ? -1 : sync_fd(parent_fd, "a pre-dump's directory", err);
}

static int write_manifest(int dir_fd, const struct manifest *m, struct err *err)
{
	cleanup_free char *text = manifest_text(m);
	cleanup_fd int fd = -1;

	/* What is not read back is not written. */
	if (m->n_files > MANIFEST_FILES_MAX ||
	    strlen(text) + (m->statistics.known ? 0 : STATISTICS_BYTES) >= MANIFEST_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "the image has too many files: its '" MANIFEST_FILE "' would be larger than %d MiB",
			       MANIFEST_MAX >> 20);
	if (fd_replace_file_at(dir_fd, MANIFEST_FILE, text, strlen(text), 0600, err) < 0)
		return -1;
	fd = openat(dir_fd, MANIFEST_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open '" MANIFEST_FILE "'");
	return sync_fd(fd, MANIFEST_FILE, err) < 0 ? -1 : sync_fd(dir_fd, "the image's directory", err);
}

static int give_name(const struct seal *s, struct err *err)
{
	const char *name = s->m->name;

	if (syscall(SYS_renameat2, s->set_fd, SET_NEW, s->set_fd, name, RENAME_NOREPLACE) < 0)
		return err_sys(err, "cannot give the image its name '%s'", name);
	if (sync_fd(s->set_fd, "the set's directory", err) < 0)
		return -1;
	unlinkat(s->set_fd, SET_NEW_LATEST, 0);
	if (symlinkat(name, s->set_fd, SET_NEW_LATEST) < 0 ||
	    renameat(s->set_fd, SET_NEW_LATEST, s->set_fd, SET_LATEST) < 0) {
		err_sys(err, "image '%s' is complete, but cannot be made the latest", name);
		unlinkat(s->set_fd, SET_NEW_LATEST, 0);
		return -1;
	}
	return sync_fd(s->set_fd, "the set's directory", err);
}

int seal_image(const struct seal *s, struct err *err)
{
	if (add_files(s, s->new_fd, "", err) < 0 || write_manifest(s->new_fd, s->m, err) < 0)
		return -1;
	return give_name(s, err);
}

/* ---- criu's figures -------------------------------------------------------------------------------------------------------- */

void seal_statistics(int dir_fd, struct manifest_statistics *ret)
{
	cleanup_fd int fd = openat(dir_fd, STATISTICS_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint8_t buf[4096];
	StatsEntry *e = NULL;
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
	uint32_t len = 0;

	*ret = (struct manifest_statistics) { 0 };
	unlinkat(dir_fd, STATISTICS_FILE, 0);
	if (n > STATISTICS_HEADER)
		memcpy(&len, buf + STATISTICS_HEADER - sizeof(len), sizeof(len));
	if (len > 0 && (size_t)len <= (size_t)n - STATISTICS_HEADER)
		e = stats_entry__unpack(NULL, len, buf + STATISTICS_HEADER);
	if (e && e->dump)
		*ret = (struct manifest_statistics) {
			.known = true,
			.freezing_us = e->dump->freezing_time,
			.frozen_us = e->dump->frozen_time,
			.memdump_us = e->dump->memdump_time,
			.memwrite_us = e->dump->memwrite_time,
			.pages_scanned = e->dump->pages_scanned,
			.pages_skipped = e->dump->pages_skipped_parent,
			.pages_written = e->dump->pages_written,
			.shared_pages_scanned = e->dump->shpages_scanned,
			.shared_pages_written = e->dump->shpages_written,
		};
	if (e)
		stats_entry__free_unpacked(e, NULL);
}

int seal_add_statistics(int image_fd, const struct manifest_statistics *s, struct err *err)
{
	cleanup_free char *text = NULL;
	struct manifest m;
	int r;

	if (fd_read_file_at(image_fd, MANIFEST_FILE, MANIFEST_MAX, &text, err) < 0)
		return -1;
	r = manifest_parse(text, &m, err);
	m.statistics = *s;
	if (r == 0)
		r = write_manifest(image_fd, &m, err);
	manifest_release(&m);
	return r;
}
