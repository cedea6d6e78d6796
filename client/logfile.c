/* SPDX-License-Identifier: Apache-2.0 */
/* A container's log as one sequence of bytes, across the files that rotation makes of it. */
#include "client/logfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/logfmt.h"
#include "common/logjson.h"

#define ROTATED_MAX 1000

void logfile_release(struct logfile *f)
{
	free(f->path);
	f->path = NULL;
	fd_close(&f->fd);
}

/* Number 0 is the newest. */
static char *numbered(const char *path, int number)
{
	return number ? xasprintf("%s.%d", path, number) : xstrdup(path);
}

/* Open file `number`; -1 when it is not there. */
static int open_number(const char *path, int number, int *ret_fd, struct err *err)
{
	cleanup_free char *name = numbered(path, number);
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no '%s'", name);
	if (fd < 0)
		return err_sys(err, "cannot open log '%s'", name);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return err_set(err, ERR_NOT_FOUND, "'%s' is a directory", name);
	}
	*ret_fd = fd;
	return 0;
}

/* Rotation moves files up one by one: for a moment there may be a gap of one number. */
#define GAP_MAX 2
#define LOOKS 16

static int oldest_number(const char *path)
{
	int oldest = 0;

	for (int number = 1, missing = 0; number <= ROTATED_MAX && missing < GAP_MAX; number++) {
		cleanup_free char *name = numbered(path, number);
		struct stat st;

		missing = stat(name, &st) < 0 || S_ISDIR(st.st_mode) ? missing + 1 : 0;
		if (!missing)
			oldest = number;
	}
	return oldest;
}

static int open_from(struct logfile *f, int number, struct err *err)
{
	/* Renamed between the look and the open: the next one will do. */
	for (; number >= 0; number--) {
		if (open_number(f->path, number, &f->fd, err) == 0)
			break;
		if (err->code != ERR_NOT_FOUND)
			return -1;
	}
	f->offset = 0;
	return 0;
}

/* A file that was looked for at its old number may be at its new one. So one that is still somewhere is looked for again before it counts as taken away by others. */
enum { NUMBER_REMOVED = -1, NUMBER_ELSEWHERE = -2 };

static int look_for(const struct logfile *f, const struct stat *mine)
{
	struct stat other;

	for (int number = 0, missing = 0; number <= ROTATED_MAX && missing < GAP_MAX; number++) {
		cleanup_free char *name = numbered(f->path, number);

		if (stat(name, &other) < 0)
			missing++;
		else if (other.st_ino == mine->st_ino && other.st_dev == mine->st_dev)
			return number;
		else
			missing = 0;
	}
	return NUMBER_ELSEWHERE;
}

/* Which number has the file that we read now? */
static int own_number(const struct logfile *f)
{
	int number = NUMBER_ELSEWHERE;
	struct stat mine;

	for (int i = 0; i < LOOKS && number == NUMBER_ELSEWHERE; i++) {
		if (fstat(f->fd, &mine) < 0 || mine.st_nlink == 0)
			return NUMBER_REMOVED;
		number = look_for(f, &mine);
	}
	return number;
}

int logfile_open(struct logfile *f, const char *path, struct err *err)
{
	free(f->path);
	f->path = xstrdup(path);
	/* The oldest may have moved on before it was opened. */
	for (int i = 0; i < LOOKS; i++) {
		if (open_from(f, oldest_number(path), err) < 0)
			return -1;
		if (f->fd < 0 || own_number(f) == oldest_number(path))
			break;
		fd_close(&f->fd);
	}
	return f->fd < 0 ? open_from(f, oldest_number(path), err) : 0;
}

static ssize_t read_here(struct logfile *f, void *buf, size_t size, struct err *err)
{
	struct stat st;
	ssize_t n;

	do
		n = pread(f->fd, buf, size, (off_t)f->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot read log '%s'", f->path);
	if (n == 0 && fstat(f->fd, &st) == 0 && (uint64_t)st.st_size < f->offset) {
		f->offset = 0;
		return read_here(f, buf, size, err);
	}
	f->offset += (uint64_t)n;
	return n;
}

/* What was between ours and the next one that is still there? */
static void note_missed(struct logfile *f, int next_fd, bool removed)
{
	uint64_t mine = logfmt_rotation(f->fd), next = logfmt_rotation(next_fd);

	if (next > mine)
		f->missed_files += next - mine - 1;
	else if (removed)
		f->may_have_missed = true;
}

/* The newest number is not skipped: that its file is not there yet, or any more, is an end. */
static bool is_free(const struct logfile *f, int number)
{
	cleanup_free char *name = numbered(f->path, number);

	return number > 0 && access(name, F_OK) < 0 && errno == ENOENT;
}

/* The number of the file after that with `number`. In the middle of a rotation one is free in between; where somebody has removed a file it stays so. */
static int number_after(const struct logfile *f, int number)
{
	do
		number--;
	while (is_free(f, number));
	return number;
}

/* Of a removed file nobody knows which came after it: the oldest that is left, so that nothing is left out that is still there. */
static int next_number(const struct logfile *f, int number)
{
	if (number == NUMBER_ELSEWHERE)
		return 0;
	return number > 0 ? number_after(f, number) : oldest_number(f->path);
}

/* Returns 1 when there was a next file, 0 when this one is the newest, or the next is not there yet. */
static int go_to_next(struct logfile *f, struct err *err)
{
	for (;;) {
		int number = own_number(f), next, r;
		cleanup_fd int next_fd = -1;

		if (number == 0)
			return 0;
		next = next_number(f, number);
		r = open_number(f->path, next, &next_fd, err);
		if (r < 0 && err->code != ERR_NOT_FOUND)
			return -1;
		/* A rotation in between has moved all of them: what was opened, or was not there, is not the one after ours. */
		if ((number > 0 && number_after(f, number) != next) || own_number(f) != number)
			continue;
		if (r < 0)
			return 0;
		if (number == NUMBER_REMOVED || next < number - 1)
			note_missed(f, next_fd, number == NUMBER_REMOVED);
		fd_close(&f->fd);
		f->fd = take_fd(&next_fd);
		f->offset = 0;
		return 1;
	}
}

ssize_t logfile_read(struct logfile *f, void *buf, size_t size, struct err *err)
{
	for (;;) {
		ssize_t n;
		int r;

		if (f->fd < 0 && open_from(f, 0, err) < 0)
			return -1;
		if (f->fd < 0)
			return 0;
		n = read_here(f, buf, size, err);
		if (n != 0)
			return n;
		/* The end. If the file has been rotated away, what was written to it before that is still to be read: look
		 * once more before leaving it. */
		r = own_number(f);
		if (r == 0)
			return 0;
		n = read_here(f, buf, size, err);
		if (n != 0)
			return n;
		r = go_to_next(f, err);
		if (r <= 0)
			return r;
	}
}

/* ---- the last lines ---------------------------------------------------------------------------- */

#define TAIL_CHUNK (64 * 1024)
#define RECORD_MAX (256 * 1024) /* more than any record that we write */
#define PREFIX_LOOK 64          /* enough to see stamp, stream and kind of a record */

/* A record that goes on in the next does not end a line. */
static bool k8s_ends_line(int fd, uint64_t start, uint64_t end)
{
	struct logfmt_record record;
	char text[PREFIX_LOOK + 1];
	ssize_t n = pread(fd, text, PREFIX_LOOK, (off_t)start);

	return n <= 0 || !logfmt_parse(text, (size_t)n, &record) || record.full;
}

static bool json_ends_line(int fd, uint64_t start, uint64_t end)
{
	size_t len = end > start && end - start < RECORD_MAX ? (size_t)(end - start) : RECORD_MAX;
	cleanup_free char *text = xmalloc(len);
	ssize_t n = pread(fd, text, len, (off_t)start);
	struct logfmt_record record;

	/* Without its newline. */
	return n <= 1 || !logjson_parse(text, (size_t)n - 1, &record) || record.full;
}

static bool k8s_parse(char *line, size_t len, struct logfmt_record *ret)
{
	return logfmt_parse(line, len, ret);
}

static const struct log_format formats[] = {
	{ "k8s-file", k8s_parse, k8s_parse, k8s_ends_line },
	{ "json-file", logjson_parse, logjson_parse_exact, json_ends_line },
	{ "raw", NULL, NULL, NULL },
};

const struct log_format *log_format_find(const char *driver)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(formats[i].driver, driver))
			return &formats[i];
	return NULL;
}

const struct log_format *log_format_guess(const char *path)
{
	cleanup_free char *text = xmalloc(RECORD_MAX);
	struct logfmt_record record;
	const char *newline;
	ssize_t n = 0;
	int fd = -1;
	struct err ignored;

	if (open_number(path, oldest_number(path), &fd, &ignored) == 0)
		n = pread(fd, text, RECORD_MAX, 0);
	fd_close(&fd);
	newline = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	for (size_t i = 0; newline && i < ARRAY_SIZE(formats); i++)
		if (!formats[i].parse || formats[i].parse(text, (size_t)(newline - text), &record))
			return &formats[i];
	return &formats[0];
}

struct backwards {
	const struct log_format *format;
	int fd;
	uint64_t wanted;   /* lines still to go back */
	bool begun;        /* the last record has been looked at */
	uint64_t line_end; /* where the line ends whose beginning is looked for: after its newline; 0: not known yet */
	bool found;
	uint64_t start; /* of the oldest line that is taken */
};

/* `start` is where a record begins that ends before `line_end`. */
static void count_line(struct backwards *b, uint64_t start)
{
	/* A line is complete towards the front only when the record before it is the end of another one. The last line may have no end, and counts. */
	bool ends = !b->begun || !b->format->ends_line || b->format->ends_line(b->fd, start, b->line_end);

	b->begun = true;
	if (ends && b->wanted-- == 0) {
		b->found = true;
		b->start = b->line_end;
		return;
	}
	b->line_end = start;
}

/* Look at the newlines of [from, from + n) from the back. */
static void scan_chunk(struct backwards *b, const char *buf, uint64_t from, size_t n)
{
	while (n > 0 && !b->found) {
		const char *nl = memrchr(buf, '\n', n);

		if (!nl)
			return;
		n = (size_t)(nl - buf);
		if (b->line_end == 0)
			b->line_end = from + n + 1;
		else
			count_line(b, from + n + 1);
	}
}

static int scan_part(struct backwards *b, uint64_t from, uint64_t to, struct err *err)
{
	cleanup_free char *buf = xmalloc(TAIL_CHUNK);

	b->line_end = 0;
	for (uint64_t left = to; left > from && !b->found;) {
		size_t n = left - from < TAIL_CHUNK ? (size_t)(left - from) : TAIL_CHUNK;
		ssize_t got = pread(b->fd, buf, n, (off_t)(left - n));

		if (got != (ssize_t)n)
			return got < 0 ? err_sys(err, "cannot read the log") : 0;
		left -= n;
		scan_chunk(b, buf, left, n);
	}
	/* The first line has no newline in front of it. */
	if (!b->found && b->line_end > 0)
		count_line(b, from);
	return 0;
}

/* Of lines without records the last counts even if it has no newline. */
static void count_unfinished(struct backwards *b, uint64_t from, uint64_t to)
{
	char last;

	if (to == from || pread(b->fd, &last, 1, (off_t)(to - 1)) != 1 || last == '\n')
		return;
	if (b->wanted > 0) {
		b->wanted--;
		return;
	}
	b->found = true;
	b->start = to;
}

/* last: nothing stands behind it. A file that has just been begun has nothing yet. */
static int scan_file(struct backwards *b, bool *last, struct err *err)
{
	struct stat st;

	if (fstat(b->fd, &st) < 0)
		return err_sys(err, "cannot look at the log");
	if (*last && !b->format->parse)
		count_unfinished(b, 0, (uint64_t)st.st_size);
	*last = *last && st.st_size == 0;
	return b->found ? 0 : scan_part(b, 0, (uint64_t)st.st_size, err);
}

int logfile_tail_part(int fd, uint64_t from, uint64_t to, bool last, const struct log_format *format, uint64_t *wanted,
		      uint64_t *ret_start, struct err *err)
{
	struct backwards b = { .format = format, .fd = fd, .wanted = *wanted, .begun = !last };

	if (last && !format->parse)
		count_unfinished(&b, from, to);
	if (!b.found && scan_part(&b, from, to, err) < 0)
		return -1;
	*wanted = b.wanted;
	*ret_start = b.start;
	return b.found;
}

int logfile_seek_tail(struct logfile *f, const char *path, const struct log_format *format, uint64_t n, struct err *err)
{
	int oldest = oldest_number(path);
	struct backwards b = { .format = format, .wanted = n };
	bool last = true;

	free(f->path);
	f->path = xstrdup(path);
	for (int number = 0; number <= oldest; number++) {
		int fd = -1;

		if (open_number(path, number, &fd, err) < 0) {
			if (err->code != ERR_NOT_FOUND)
				return -1;
			continue;
		}
		fd_close(&f->fd);
		f->fd = fd;
		f->offset = 0;
		b.fd = fd;
		if (scan_file(&b, &last, err) < 0)
			return -1;
		if (b.found) {
			f->offset = b.start;
			return 0;
		}
	}
	return 0;
}
