/* SPDX-License-Identifier: Apache-2.0 */
/* The container's log on disk, in the k8s-file (CRI) format, whole records only.
 *
 * Runs in the shim. The path comes from the caller, the bytes from the container. */
#include "shim/stdio/logfile.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "common/fd.h"
#include "common/logfmt.h"

/* Larger than any record: relay.h reads less than half of this at a time. */
#define OUT_BYTES (128u << 10)

struct logfile {
	int fd;
	char *path;
	uint64_t size, inode, lost_bytes;
	uint64_t max_bytes;
	unsigned int max_files;
	struct logfmt_clock clock;
	char *out; /* OUT_BYTES, from mmap, so that it can be given back */
	size_t used;
};

static int open_file(const char *path, bool fresh, int *ret_fd, struct stat *ret_st, struct err *err)
{
	/* O_NONBLOCK: the open of a FIFO without a reader must not wait; it fails with ENXIO. */
	cleanup_fd int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_CONFIG, "cannot log to '%s': it is a symbolic link", path);
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return err_sys(err, "cannot open the log '%s'", path);
	if (!S_ISREG(ret_st->st_mode))
		return err_set(err, ERR_CONFIG, "cannot log to '%s': it is no regular file", path);
	if (fresh && ret_st->st_size > 0) {
		if (ftruncate(fd, 0) < 0)
			return err_sys(err, "cannot empty the log '%s'", path);
		ret_st->st_size = 0;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

int logfile_open(const struct logfile_options *options, struct logfile **ret, struct err *err)
{
	struct logfile *lf;
	struct stat st;
	void *out;
	int fd;

	if (open_file(options->path, options->fresh, &fd, &st, err) < 0)
		return -1;
	out = mmap(NULL, OUT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (out == MAP_FAILED)
		fatal("out of memory");
	lf = xcalloc(1, sizeof(*lf));
	*lf = (struct logfile) {
		.fd = fd,
		.path = xstrdup(options->path),
		.size = (uint64_t)st.st_size,
		.inode = st.st_ino,
		.max_bytes = options->max_bytes,
		.max_files = options->max_files ? options->max_files : 1,
		.out = out,
	};
	*ret = lf;
	return 0;
}

void logfile_free(struct logfile *lf)
{
	if (!lf)
		return;
	fd_close(&lf->fd);
	munmap(lf->out, OUT_BYTES);
	free(lf->path);
	free(lf);
}

/* PATH.1 becomes PATH.2 and so on; the oldest is replaced. What cannot be renamed is kept, and the log goes on in the old file. */
static int rotate(struct logfile *lf, struct err *err)
{
	struct stat st;
	int fd;

	for (unsigned int i = lf->max_files - 1; i > 0; i--) {
		cleanup_free char *from = i > 1 ? xasprintf("%s.%u", lf->path, i - 1) : xstrdup(lf->path);
		cleanup_free char *to = xasprintf("%s.%u", lf->path, i);

		if (rename(from, to) < 0 && errno != ENOENT)
			return err_sys(err, "cannot rotate the log '%s'", from);
	}
	if (open_file(lf->path, true, &fd, &st, err) < 0)
		return -1;
	fd_close(&lf->fd);
	lf->fd = fd;
	lf->size = 0;
	lf->inode = st.st_ino;
	return 0;
}

/* Write the buffer. A record that is only half on disk is cut off again: the next one must not be glued to it. */
static int flush(struct logfile *lf, struct err *err)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < lf->used) {
		n = write(lf->fd, lf->out + done, lf->used - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done < lf->used) {
		err_sysno(err, n < 0 ? errno : ENOSPC, "cannot write to the log '%s'", lf->path);
		if (done > 0 && ftruncate(lf->fd, (off_t)lf->size) < 0)
			lf->size += done;
		lf->lost_bytes += lf->used;
		lf->used = 0;
		return -1;
	}
	lf->size += lf->used;
	lf->used = 0;
	if (lf->max_bytes && lf->size >= lf->max_bytes)
		return rotate(lf, err);
	return 0;
}

int logfile_write(struct logfile *lf, Stream stream, const char *data, size_t len, struct err *err)
{
	char prefix[2][LOGFMT_PREFIX_MAX];
	size_t prefix_len[2];
	struct timespec now;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	for (int full = 0; full < 2; full++)
		prefix_len[full] = logfmt_prefix(prefix[full], &lf->clock, &now, stream, full);
	while (len > 0) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline ? (size_t)(newline - data) : len;
		int full = newline != NULL;

		if (lf->used + prefix_len[full] + n + 1 > OUT_BYTES && flush(lf, err) < 0)
			ret = -1;
		memcpy(lf->out + lf->used, prefix[full], prefix_len[full]);
		lf->used += prefix_len[full];
		memcpy(lf->out + lf->used, data, n);
		lf->used += n;
		lf->out[lf->used++] = '\n';
		n += (size_t)full;
		data += n;
		len -= n;
	}
	return flush(lf, err) < 0 ? -1 : ret;
}

int logfile_reader(const struct logfile *lf, int *ret_fd, struct err *err)
{
	char link[40];
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", lf->fd);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open the log '%s' for reading", lf->path);
	*ret_fd = fd;
	return 0;
}

uint64_t logfile_size(const struct logfile *lf)
{
	return lf->size;
}

uint64_t logfile_inode(const struct logfile *lf)
{
	return lf->inode;
}

uint64_t logfile_lost_bytes(const struct logfile *lf)
{
	return lf->lost_bytes;
}

const char *logfile_path(const struct logfile *lf)
{
	return lf->path;
}

void logfile_sync(const struct logfile *lf)
{
	/* Nobody can be told but the disk's own log. */
	if (fdatasync(lf->fd) < 0)
		return;
}

void logfile_trim(struct logfile *lf)
{
	madvise(lf->out, OUT_BYTES, MADV_DONTNEED);
}
