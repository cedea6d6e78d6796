/* SPDX-License-Identifier: Apache-2.0 */
/* What an attached client reads in place of its pipes alone: before them the log from some point on, and where they have a gap, what the log has of that.
 *
 * Offsets and places come from the shim, which is trusted as far as its own container goes: what does not fit together ends the attach. */
#include "client/catchup.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"

#define PIPE_CHUNK (64 * 1024)

struct gap {
	Gap msg;
	int fd; /* -1: no log has it */
};

/* One stream. */
struct feed {
	uint64_t offset;  /* of the next byte that is read */
	struct gap *gaps; /* that are still to come, in order */
	size_t n_gaps;
	char *held; /* read from the pipe, and comes after the first gap */
	size_t held_at, held_len;
	bool playing; /* the first gap, from the log */
	struct logplay play;
	uint64_t skip, left; /* bytes of the stream before it in the log, and of it */
};

struct part {
	LogPart msg;
	int fd;
};

/* What was written before the pipes begin, both streams in the order of the log. */
struct replay {
	bool active;
	struct part *parts;
	size_t n_parts, at; /* at: the next one to open */
	struct logplay play;
	uint64_t told[2]; /* up to which offset each stream has been read or is known to be missing */
};

struct catchup {
	const struct log_format *format; /* NULL: cannot be read */
	const struct catchup_ops *ops;
	void *arg;
	struct feed feed[2]; /* stdout, stderr */
	struct replay replay;
};

static struct feed *feed_of(struct catchup *c, Stream stream)
{
	return &c->feed[stream == STREAM_STDERR];
}

static Stream stream_at(int i)
{
	return i == 1 ? STREAM_STDERR : STREAM_STDOUT;
}

struct catchup *catchup_new(const char *driver, uint64_t stdout_offset, uint64_t stderr_offset,
			    const struct catchup_ops *ops, void *arg)
{
	struct catchup *c = xcalloc(1, sizeof(*c));

	*c = (struct catchup) { .format = log_format_find(driver), .ops = ops, .arg = arg };
	c->feed[0] = (struct feed) { .offset = stdout_offset, .play = LOGPLAY_NONE };
	c->feed[1] = (struct feed) { .offset = stderr_offset, .play = LOGPLAY_NONE };
	c->replay.play = LOGPLAY_NONE;
	return c;
}

void catchup_free(struct catchup *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(c->feed); i++) {
		for (size_t k = 0; k < c->feed[i].n_gaps; k++)
			fd_close(&c->feed[i].gaps[k].fd);
		free(c->feed[i].gaps);
		free(c->feed[i].held);
		logplay_release(&c->feed[i].play);
	}
	for (size_t k = 0; k < c->replay.n_parts; k++)
		fd_close(&c->replay.parts[k].fd);
	free(c->replay.parts);
	logplay_release(&c->replay.play);
	free(c);
}

/* ---- before the pipes ---------------------------------------------------------------------------------------------------- */

void catchup_add_part(struct catchup *c, const LogPart *part, int fd)
{
	struct replay *r = &c->replay;

	r->parts = xreallocarray(r->parts, r->n_parts + 1, sizeof(*r->parts));
	r->parts[r->n_parts++] = (struct part) { *part, fd };
}

int catchup_replay(struct catchup *c, uint64_t lines, struct err *err)
{
	struct replay *r = &c->replay;
	bool last = true;
	uint64_t start;
	int found = 0;

	r->active = true;
	if (lines == UINT64_MAX || !c->format)
		return 0;
	r->at = r->n_parts;
	while (r->at > 0 && !found) {
		struct part *p = &r->parts[--r->at];

		found = logfile_tail_part(p->fd, p->msg.position, p->msg.end, last, c->format, &lines, &start, err);
		if (found < 0)
			return -1;
		r->told[0] = p->msg.stdout_from;
		r->told[1] = p->msg.stderr_from;
		last = last && p->msg.position == p->msg.end;
		if (found)
			p->msg.position = start;
	}
	return 0;
}

static void tell_missing(struct catchup *c, const uint64_t upto[2], const char *why)
{
	struct replay *r = &c->replay;

	for (int i = 0; i < 2; i++) {
		if (upto[i] > r->told[i])
			c->ops->missing(c->arg, stream_at(i), r->told[i], upto[i], why);
		r->told[i] = upto[i];
	}
}

/* Returns false when there is none any more: the pipes are next. */
static bool open_part(struct catchup *c)
{
	const uint64_t begin[2] = { c->feed[0].offset, c->feed[1].offset };
	struct replay *r = &c->replay;
	struct part *p = &r->parts[r->at];

	if (r->at == r->n_parts || !c->format) {
		tell_missing(c, begin, c->format ? "the log does not have them" : "there is no log that can be read");
		logplay_release(&r->play);
		r->active = false;
		return false;
	}
	tell_missing(c, (const uint64_t[]) { p->msg.stdout_from, p->msg.stderr_from },
		     "the log does not have them (any more)");
	logplay_open(&r->play, c->format, take_fd(&p->fd), p->msg.position, p->msg.end);
	r->told[0] = p->msg.stdout_to;
	r->told[1] = p->msg.stderr_to;
	r->at++;
	return true;
}

/* Stand at the next text that somebody reads. False: the replay is over. */
static bool replay_peek(struct catchup *c)
{
	struct replay *r = &c->replay;
	struct err ignored;

	while (r->active) {
		if (r->play.fd < 0 && !open_part(c))
			return false;
		/* A file that cannot be read ends where it does: nothing of it is lost to the next one. */
		if (logplay_next(&r->play, &ignored) <= 0) {
			logplay_release(&r->play);
			continue;
		}
		if (c->ops->is_open(c->arg, r->play.stream))
			return true;
		logplay_skip(&r->play, UINT64_MAX);
	}
	return false;
}

static bool replay_is_for(struct catchup *c, Stream stream)
{
	return c->replay.play.stream == stream &&
	       c->ops->is_flushed(c->arg, stream == STREAM_STDERR ? STREAM_STDOUT : STREAM_STDERR);
}

/* As much as there is for this stream before the other one has something. */
static size_t replay_read(struct catchup *c, Stream stream, char *buf, size_t size)
{
	size_t used = 0, n;

	while (size - used >= LOGPLAY_ROOM(1) && replay_peek(c) && replay_is_for(c, stream))
		used += logplay_take(&c->replay.play, buf + used, (size - used) / LOGPLAY_ROOM(1), &n);
	return used;
}

/* ---- gaps ---------------------------------------------------------------------------------------------------------------- */

int catchup_add_gap(struct catchup *c, const Gap *gap, int fd, struct err *err)
{
	cleanup_fd int owned = fd;
	struct feed *f = feed_of(c, gap->stream);
	uint64_t after = f->n_gaps ? f->gaps[f->n_gaps - 1].msg.to : f->offset;

	if (gap->from < after || gap->to <= gap->from || (fd >= 0 && gap->log_offset > gap->from))
		return err_set(err, ERR_PROTOCOL, "the shim tells of a gap that cannot be");
	f->gaps = xreallocarray(f->gaps, f->n_gaps + 1, sizeof(*f->gaps));
	f->gaps[f->n_gaps++] = (struct gap) { *gap, take_fd(&owned) };
	return 0;
}

static void drop_gap(struct feed *f)
{
	f->playing = false;
	f->offset = f->gaps[0].msg.to;
	fd_close(&f->gaps[0].fd);
	logplay_release(&f->play);
	memmove(f->gaps, f->gaps + 1, --f->n_gaps * sizeof(*f->gaps));
}

static void begin_gap(struct catchup *c, struct feed *f)
{
	struct gap *g = &f->gaps[0];

	if (g->fd < 0 || !c->format) {
		c->ops->missing(c->arg, g->msg.stream, g->msg.from, g->msg.to,
				c->format ? "the log does not have them" : "there is no log that can be read");
		drop_gap(f);
		return;
	}
	logplay_open(&f->play, c->format, take_fd(&g->fd), g->msg.log_position, g->msg.log_end);
	f->skip = g->msg.from - g->msg.log_offset;
	f->left = g->msg.to - g->msg.from;
	f->playing = true;
}

/* Fill buf from the log. 0: the gap is over. */
static size_t play(struct catchup *c, struct feed *f, char *buf, size_t size)
{
	Stream stream = f->gaps[0].msg.stream;
	size_t used = 0, n;
	struct err why;

	while (f->left > 0 && size - used >= LOGPLAY_ROOM(1)) {
		int r = logplay_next(&f->play, &why);
		size_t max = (size - used) / LOGPLAY_ROOM(1);

		if (r <= 0) {
			c->ops->missing(c->arg, stream, f->gaps[0].msg.to - f->left, f->gaps[0].msg.to,
					r < 0 ? why.text : "the log does not have them any more");
			f->left = 0;
		} else if (c->format->parse_exact && f->play.stream != stream) {
			logplay_skip(&f->play, UINT64_MAX);
		} else if (f->skip > 0) {
			f->skip -= logplay_skip(&f->play, f->skip);
		} else {
			used += logplay_take(&f->play, buf + used, f->left < max ? (size_t)f->left : max, &n);
			f->left -= n;
		}
	}
	return used;
}

/* ---- the pipe ------------------------------------------------------------------------------------------------------------ */

static ssize_t read_pipe(int fd, void *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	/* Nobody else reads it: what poll(2) has seen stays there. */
	if (poll(&p, 1, 0) > 0)
		return read(fd, buf, size);
	errno = EAGAIN;
	return -1;
}

static void hold(struct feed *f, const char *data, size_t len)
{
	if (!f->held)
		f->held = xmalloc(PIPE_CHUNK);
	memcpy(f->held, data, len);
	f->held_at = 0;
	f->held_len = len;
}

/* What may be read before the next gap. */
static size_t before_gap(const struct feed *f, size_t size)
{
	if (f->n_gaps > 0 && f->gaps[0].msg.from - f->offset < size)
		return (size_t)(f->gaps[0].msg.from - f->offset);
	return size < PIPE_CHUNK ? size : PIPE_CHUNK;
}

static ssize_t take_held(struct feed *f, void *buf, size_t size)
{
	size_t n = before_gap(f, size);

	n = n < f->held_len ? n : f->held_len;
	memcpy(buf, f->held + f->held_at, n);
	f->held_at += n;
	f->held_len -= n;
	f->offset += n;
	return (ssize_t)n;
}

/* What was read may have been written after a gap of which the shim told before: it has to be heard first. Returns 0 when what comes next is another thing. */
static ssize_t take_pipe(struct catchup *c, struct feed *f, int pipe_fd, void *buf, size_t size, bool *ret_end,
			 struct err *err)
{
	ssize_t n = read_pipe(pipe_fd, buf, before_gap(f, size));
	size_t usable;

	if (n < 0)
		return -1;
	if (c->ops->hear(c->arg, err) < 0) {
		errno = EPROTO;
		return -1;
	}
	*ret_end = n == 0 && f->n_gaps == 0;
	usable = before_gap(f, (size_t)n);
	if (usable < (size_t)n)
		hold(f, (char *)buf + usable, (size_t)n - usable);
	f->offset += usable;
	return (ssize_t)usable;
}

ssize_t catchup_read(struct catchup *c, Stream stream, int pipe_fd, void *buf, size_t size, struct err *err)
{
	struct feed *f = feed_of(c, stream);
	bool end = false;
	ssize_t n = 0;

	if (replay_peek(c)) {
		n = (ssize_t)replay_read(c, stream, buf, size);
		errno = EAGAIN;
		return n > 0 ? n : -1;
	}
	while (n == 0 && !end) {
		if (f->playing && (n = (ssize_t)play(c, f, buf, size)) == 0)
			drop_gap(f);
		else if (n > 0)
			break;
		else if (f->n_gaps > 0 && f->gaps[0].msg.from == f->offset)
			begin_gap(c, f);
		else if (f->held_len > 0)
			n = take_held(f, buf, size);
		else
			n = take_pipe(c, f, pipe_fd, buf, size, &end, err);
	}
	return n;
}

bool catchup_has(struct catchup *c, Stream stream, bool *ret_wait)
{
	const struct feed *f = feed_of(c, stream);

	*ret_wait = false;
	if (replay_peek(c)) {
		*ret_wait = !replay_is_for(c, stream);
		return !*ret_wait;
	}
	return f->playing || f->held_len > 0 || (f->n_gaps > 0 && f->gaps[0].msg.from == f->offset);
}
