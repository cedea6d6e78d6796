/* SPDX-License-Identifier: Apache-2.0 */
/* Logs that are files: opened with care, written in whole records, rotated, and taken up again when others have moved them or the disk was full.
 *
 * Runs in the shim. The path comes from the caller, the bytes from the container. */
#include "shim/stdio/logfile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/stdio/logfile_internal.h"

/* ---- opening --------------------------------------------------------------------------------------------------------- */

static int open_file(const char *path, bool fresh, int *ret_fd, struct stat *ret_st, struct err *err)
{
	/* O_NONBLOCK: the open of a FIFO without a reader must not wait; it fails with ENXIO. */
	cleanup_fd int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_CONFIG, "cannot log to '%s': it is a symbolic link", path);
	if (fd < 0 && errno != ENXIO)
		return err_sys(err, "cannot open the log '%s'", path);
	if (fd < 0 || fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode))
		return err_set(err, ERR_CONFIG, "cannot log to '%s': it is no regular file", path);
	if (fresh && ret_st->st_size > 0) {
		if (ftruncate(fd, 0) < 0)
			return err_sys(err, "cannot empty the log '%s'", path);
		ret_st->st_size = 0;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

uint64_t logfile_settled(const struct logfile *lf, int i)
{
	return lf->seen[i] > lf->carry[i].n ? lf->seen[i] - lf->carry[i].n : 0;
}

static struct logmap_place place_at(const struct logfile *lf, uint64_t position)
{
	return (struct logmap_place) { .position = position,
				       .offset = { logfile_settled(lf, 0), logfile_settled(lf, 1) } };
}

static void begin_stretch(struct logfile *lf, uint64_t position)
{
	struct logmap_place at = place_at(lf, position);

	logmap_begin(&lf->map, lf->dev, lf->inode, &at);
}

static void end_stretch(struct logfile *lf)
{
	struct logmap_place at = place_at(lf, lf->size);

	logmap_end(&lf->map, &at);
}

static void use_file(struct logfile *lf, int fd, const struct stat *st)
{
	end_stretch(lf);
	fd_close(&lf->fd);
	lf->fd = fd;
	lf->size = (uint64_t)st->st_size;
	lf->inode = st->st_ino;
	lf->dev = st->st_dev;
	lf->torn = false;
	if (!lf->log.loss.failing)
		begin_stretch(lf, lf->size);
}

static void finish_rotation(const char *path, unsigned int max_files);

/* Refused at once, before anything runs whose output would be lost. */
static int check_room(const char *path, int fd, struct err *err)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0 || fs.f_blocks == 0 || (geteuid() == 0 ? fs.f_bfree : fs.f_bavail) > 0)
		return 0;
	return err_sysno(err, ENOSPC, "cannot log to '%s'", path);
}

/* That of a container that is made: what was not there before is not there after a failure. */
static int open_first(const struct log_options *options, int *ret_fd, struct stat *ret_st, struct err *err)
{
	bool is_new = lstat(options->path, ret_st) < 0;
	cleanup_fd int fd = -1;

	if (open_file(options->path, options->fresh, &fd, ret_st, err) < 0)
		return -1;
	if (!options->later && check_room(options->path, fd, err) < 0) {
		if (is_new)
			unlink(options->path);
		return -1;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

int logfile_new(const struct logfile_format *format, const struct log_options *options, struct logfile **ret,
		struct err *err)
{
	struct logfile *lf;
	struct stat st;
	void *out;
	int fd = -1;

	if (options->later)
		finish_rotation(options->path, options->max_files);
	if (!options->resumed && open_first(options, &fd, &st, err) < 0 && !options->later)
		return -1;
	out = mmap(NULL, LOGFILE_OUT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (out == MAP_FAILED)
		fatal("out of memory");
	lf = xcalloc(1, sizeof(*lf));
	*lf = (struct logfile) {
		.format = format,
		.fd = -1,
		.path = xstrdup(options->path),
		.max_bytes = options->max_bytes,
		.max_files = options->max_files ? options->max_files : 1,
		.no_sync = options->no_sync,
		.out = out,
	};
	if (fd >= 0)
		use_file(lf, fd, &st);
	*ret = lf;
	return 0;
}

void logfile_free(struct log *l)
{
	struct logfile *lf = (struct logfile *)l;

	fd_close(&lf->fd);
	logmap_release(&lf->map);
	munmap(lf->out, LOGFILE_OUT_BYTES);
	free(lf->attrs);
	free(lf->path);
	free(lf);
}

static int open_again(struct logfile *lf, struct err *err)
{
	struct stat st;
	int fd;

	if (open_file(lf->path, false, &fd, &st, err) < 0)
		return -1;
	end_stretch(lf);
	if (lf->fd >= 0 && (st.st_ino != lf->inode || st.st_dev != lf->dev))
		logmap_moved(&lf->map, lf->dev, lf->inode, lf->fd);
	use_file(lf, fd, &st);
	return 0;
}

int logfile_reopen(struct log *l, struct err *err)
{
	return open_again((struct logfile *)l, err);
}

/* ---- rotating -------------------------------------------------------------------------------------------------------- */

/* A new file beside the log, for the same readers as the old one. */
static int make_successor(const struct logfile *lf, const char *name, int *ret_fd, struct stat *ret_st, struct err *err)
{
	cleanup_fd int fd = -1;
	struct stat old;

	if (fstat(lf->fd, &old) < 0)
		return err_sys(err, "cannot rotate the log '%s'", lf->path);
	if (unlink(name) < 0 && errno != ENOENT)
		return err_sys(err, "cannot rotate the log '%s'", lf->path);
	fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "cannot rotate the log '%s'", lf->path);
	/* Where that is refused it stays ours alone, which is no less safe. */
	if (fchown(fd, old.st_uid, old.st_gid) == 0)
		fchmod(fd, old.st_mode & 0777);
	logfmt_set_rotation(fd, logfmt_rotation(lf->fd) + 1);
	if (fstat(fd, ret_st) < 0)
		return err_sys(err, "cannot rotate the log '%s'", lf->path);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The log itself is number 0. */
static char *numbered(const char *path, unsigned int i)
{
	return i > 0 ? xasprintf("%s.%u", path, i) : xstrdup(path);
}

/* Numbers below `to` become one more each: `to` itself is free, or is the oldest, which goes. */
static int move_aside(const char *path, unsigned int to, struct err *err)
{
	for (unsigned int i = to; i > 0; i--) {
		cleanup_free char *older = numbered(path, i), *newer = numbered(path, i - 1);

		if (rename(newer, older) < 0 && errno != ENOENT)
			return err_sys(err, "cannot rotate the log '%s'", newer);
	}
	return 0;
}

static bool exists(const char *path, unsigned int i)
{
	cleanup_free char *name = numbered(path, i);
	struct stat st;

	return lstat(name, &st) == 0;
}

/* A shim was killed while it rotated: the new file is still beside the others, and one number may be free among them. What comes after that is done now. */
static void finish_rotation(const char *path, unsigned int max_files)
{
	cleanup_free char *successor = xasprintf("%s.new", path);
	unsigned int gap = 0;
	struct err ignored;
	struct stat st;

	if (lstat(successor, &st) < 0)
		return;
	while (gap + 1 < max_files && (exists(path, gap) || !exists(path, gap + 1)))
		gap++;
	if (gap + 1 >= max_files && exists(path, 0))
		unlink(successor); /* nothing had been moved yet */
	else if (gap + 1 >= max_files || move_aside(path, gap, &ignored) == 0)
		rename(successor, path);
}

/* PATH.1 becomes PATH.2 and so on; the oldest is replaced. The new file is there before anything is moved: when there is no room for it the log
 * goes on in the old one. Nothing is written to a file after it has been moved, so that who follows it by inotify has read all of it. */
static int rotate(struct logfile *lf, struct err *err)
{
	cleanup_free char *name = xasprintf("%s.new", lf->path);
	cleanup_fd int fd = -1;
	struct stat st;

	/* Somebody else has moved it, and not said so yet: the name is not for us to move. */
	if (lstat(lf->path, &st) < 0 || st.st_ino != lf->inode || st.st_dev != lf->dev)
		return open_again(lf, err);
	if (make_successor(lf, name, &fd, &st, err) < 0)
		return -1;
	if (move_aside(lf->path, lf->max_files - 1, err) < 0 ||
	    (rename(name, lf->path) < 0 && err_sys(err, "cannot rotate the log '%s'", lf->path) < 0)) {
		unlink(name);
		return -1;
	}
	end_stretch(lf);
	logmap_rotated(&lf->map, lf->max_files);
	use_file(lf, take_fd(&fd), &st);
	return 0;
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

/* What others may have done: removed the file, truncated it (copytruncate), or appended to it. Before every write: what goes into a
 * removed file is lost and counted by nobody. */
static void look(struct logfile *lf)
{
	struct stat st;

	if (lf->fd < 0 || fstat(lf->fd, &st) < 0 || (st.st_nlink > 0 && (uint64_t)st.st_size == lf->size))
		return;
	end_stretch(lf);
	if (st.st_nlink == 0 || (uint64_t)st.st_size < lf->size) {
		lf->in_line[0] = lf->in_line[1] = false; /* nothing there that could go on */
		logmap_emptied(&lf->map, lf->dev, lf->inode);
	}
	lf->size = (uint64_t)st.st_size;
	if (st.st_nlink == 0)
		fd_close(&lf->fd);
	else if (!lf->log.loss.failing)
		begin_stretch(lf, lf->size);
}

/* Cut off what is half a record: the next one must not be glued to it. */
static void cut(struct logfile *lf, size_t surplus)
{
	struct stat st;

	if (fstat(lf->fd, &st) < 0)
		return;
	lf->size = (uint64_t)st.st_size;
	if (surplus == 0)
		return;
	if (lf->size >= surplus && ftruncate(lf->fd, (off_t)(lf->size - surplus)) == 0)
		lf->size -= surplus;
	else
		lf->torn = true;
}

enum keep { KEEP_NOTHING, KEEP_RECORDS, KEEP_BYTES };

/* All of it, or -1. Then ret_kept of it are in the file, by what is worth keeping: of more than one part nothing is. Uses up `v`. */
static int put_out(struct logfile *lf, struct iovec *v, int n_v, enum keep keep, size_t *ret_kept, struct err *err)
{
	const char *buf = v[0].iov_base, *newline;
	size_t done = 0, kept;
	ssize_t n = 0;

	for (;;) {
		for (; n_v > 0 && (size_t)n >= v->iov_len; v++, n_v--)
			n -= (ssize_t)v->iov_len;
		if (n_v == 0) {
			lf->size += done;
			return 0;
		}
		*v = (struct iovec) { .iov_base = (char *)v->iov_base + n, .iov_len = v->iov_len - (size_t)n };
		do
			n = writev(lf->fd, v, n_v);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	err_sysno(err, n < 0 ? errno : ENOSPC, "cannot write to the log '%s'", lf->path);
	newline = keep == KEEP_RECORDS ? memrchr(buf, '\n', done) : NULL;
	kept = keep == KEEP_BYTES ? done : newline ? (size_t)(newline + 1 - buf) : 0;
	cut(lf, done - kept);
	*ret_kept = kept;
	return -1;
}

/* In front of what is written next: that something is missing here, and before that the ends of lines whose own are missing. */
static void put_remark(struct logfile *lf, const struct timespec *now)
{
	char text[LOG_REMARK_MAX];
	size_t len = log_remark(&lf->log, text);

	if (lf->torn)
		lf->out[lf->used++] = '\n';
	lf->format->remark(lf, now, text, len);
}

static int find_file(struct logfile *lf, struct err *err)
{
	/* A full disk is that of the file we have, and so is one that may not grow. After anything else the way to it may be another one: remounted, made again. */
	int why = lf->log.loss.sys_errno;
	bool doubt = lf->log.loss.failing && why != ENOSPC && why != EDQUOT && why != EFBIG;

	if (lf->fd >= 0 && !doubt)
		return 0;
	return open_again(lf, err);
}

/* How much of `data` the first records of buf, which was made from it, stand for. */
static size_t data_of_records(const struct logfile *lf, const char *data, size_t len, const char *buf, size_t buf_len)
{
	size_t at = 0;

	for (const char *end = buf + buf_len; buf < end && at < len;) {
		const char *newline = memchr(buf, '\n', (size_t)(end - buf));

		if (!newline)
			break;
		at += logfile_piece(data + at, len - at, lf->format->piece_max);
		buf = newline + 1;
	}
	return at;
}

/* Write what fits into the buffer, or a long piece from where it is. ret_n: how much of `data` is dealt with; on failure, what of it is in the log. */
static int write_some(struct logfile *lf, Stream stream, const struct timespec *now, const char *data, size_t len,
		      size_t *ret_n, struct err *err)
{
	bool resuming = lf->log.loss.failing, direct = lf->format->direct && !resuming && !lf->torn;
	enum keep keep = resuming ? KEEP_NOTHING : direct ? KEEP_BYTES : KEEP_RECORDS;
	struct iovec v[LOGFILE_PARTS];
	struct logmap_place resumed;
	size_t n = 0, kept;
	int n_v = 1;

	*ret_n = 0;
	if (find_file(lf, err) < 0)
		return -1;
	lf->used = 0;
	if (resuming)
		put_remark(lf, now);
	resumed = place_at(lf, lf->size + lf->used);
	if (direct) {
		v[0] = (struct iovec) { .iov_base = (char *)data, .iov_len = n = len };
	} else if (!resuming && lf->format->frame && (n = lf->format->frame(lf, stream, now, data, len, v)) > 0) {
		keep = KEEP_NOTHING;
		n_v = LOGFILE_PARTS;
	} else {
		n = lf->format->put(lf, stream, now, data, len);
		v[0] = (struct iovec) { .iov_base = lf->out, .iov_len = lf->used };
	}
	/* After a remark all or nothing: a disk that takes a line now and then would be full of remarks. */
	if (put_out(lf, v, n_v, keep, &kept, err) < 0) {
		*ret_n = direct ? kept : data_of_records(lf, data, len, lf->out, kept);
		return -1;
	}
	if (resuming) {
		log_resumed(&lf->log);
		lf->in_line[0] = lf->in_line[1] = lf->torn = false;
		logmap_begin(&lf->map, lf->dev, lf->inode, &resumed);
	}
	*ret_n = n;
	return 0;
}

int logfile_write(struct log *l, Stream stream, const struct timespec *now, const char *data, size_t len,
		  struct err *err)
{
	struct logfile *lf = (struct logfile *)l;
	bool *in_line = &lf->in_line[stream == STREAM_STDERR];
	struct logjson_carry *carry = &lf->carry[stream == STREAM_STDERR];
	size_t at = 0, n, held;
	int r = 0;

	look(lf);
	while (r == 0 && at < len) {
		held = carry->n;
		r = write_some(lf, stream, now, data + at, len - at, &n, err);
		at += n;
		lf->seen[stream == STREAM_STDERR] += n;
		if (n > 0)
			*in_line = data[at - 1] != '\n';
	}
	if (r < 0) {
		end_stretch(lf);
		log_lost(l, stream, len - at + (n == 0 ? held : 0), err);
		carry->n = 0;
		lf->seen[stream == STREAM_STDERR] += len - at;
		return -1;
	}
	if (lf->max_bytes && lf->size >= lf->max_bytes)
		return rotate(lf, err);
	return 0;
}

/* Characters that have begun, and will not go on. */
static void lose_held(struct logfile *lf, const unsigned char held[2], const struct err *err)
{
	for (int i = 0; i < 2; i++) {
		if (held[i] > 0)
			log_lost(&lf->log, log_stream_at((size_t)i), held[i], err);
		lf->carry[i].n = 0;
	}
}

void logfile_finish(struct log *l, const struct timespec *now)
{
	struct logfile *lf = (struct logfile *)l;
	const unsigned char held[2] = { lf->carry[0].n, lf->carry[1].n };
	struct iovec v = { .iov_base = lf->out };
	struct err err;
	size_t kept;

	if (lf->log.loss.failing && find_file(lf, &err) < 0) {
		lose_held(lf, held, &err);
		return;
	}
	lf->used = 0;
	if (lf->log.loss.failing)
		put_remark(lf, now);
	if (lf->format->finish && lf->fd >= 0)
		lf->format->finish(lf, now);
	v.iov_len = lf->used;
	if (lf->used == 0)
		return;
	if (put_out(lf, &v, 1, KEEP_NOTHING, &kept, &err) == 0)
		log_resumed(&lf->log);
	else
		lose_held(lf, held, &err);
}

struct held_text logfile_held_back(const struct log *l, Stream stream)
{
	const struct logjson_carry *carry = &((const struct logfile *)l)->carry[stream == STREAM_STDERR];

	return (struct held_text) { (const char *)carry->b, carry->n, false };
}

void logfile_hold(struct log *l, Stream stream, const struct held_text *t)
{
	struct logjson_carry *carry = &((struct logfile *)l)->carry[stream == STREAM_STDERR];

	if (t->len >= sizeof(carry->b))
		return;
	memcpy(carry->b, t->data, t->len);
	carry->n = (unsigned char)t->len;
}

/* ---- going back ------------------------------------------------------------------------------------------------------ */

void logfile_note_end(const struct log *l, struct log_mark *ret)
{
	const struct logfile *lf = (const struct logfile *)l;

	ret->inode = lf->inode;
	ret->size = lf->size;
	ret->carry[0] = lf->carry[0];
	ret->carry[1] = lf->carry[1];
}

bool logfile_go_back(struct log *l, const struct log_mark *mark)
{
	struct logfile *lf = (struct logfile *)l;

	if (lf->fd < 0 || lf->inode != mark->inode)
		return false;
	if (lf->size > mark->size && ftruncate(lf->fd, (off_t)mark->size) == 0) {
		lf->size = mark->size;
		end_stretch(lf);
		begin_stretch(lf, lf->size);
	}
	lf->carry[0] = mark->carry[0];
	lf->carry[1] = mark->carry[1];
	return true;
}

/* ---- to the disk ----------------------------------------------------------------------------------------------------- */

/* Nobody can be told of a failure but the disk's own log. */
static bool sync_number(const char *path, unsigned int i)
{
	cleanup_free char *name = numbered(path, i);
	cleanup_fd int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		fdatasync(fd);
	return fd >= 0;
}

/* The names, too: rotation has moved them. */
static void sync_directory(const char *path)
{
	cleanup_free char *dir = xasprintf("%.*s", (int)(strrchr(path, '/') + 1 - path), path);
	cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		fsync(fd);
}

/* All that is left of it: those that rotation has moved were left to the kernel until now, and what is on the disk already costs nothing. */
void logfile_sync(struct log *l)
{
	const struct logfile *lf = (const struct logfile *)l;
	unsigned int n = 1;

	if (lf->no_sync)
		return;
	while (n < lf->max_files && sync_number(lf->path, n))
		n++;
	if (n > 1)
		sync_directory(lf->path);
	if (lf->fd >= 0)
		fdatasync(lf->fd);
}

void logfile_trim(struct log *l)
{
	madvise(((struct logfile *)l)->out, LOGFILE_OUT_BYTES, MADV_DONTNEED);
}
