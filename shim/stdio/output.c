/* SPDX-License-Identifier: Apache-2.0 */
/* Output of the process: read once, then given to the log and to every sink.
 *
 * Runs in the shim's loop. The bytes are the container's: they are copied, never looked at but for newlines. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "common/fd.h"
#include "shim/stdio/log.h"
#include "shim/stdio/relay_internal.h"
#include "shim/stdio/unlogged.h"

/* What is worth splicing. Pages travel as they are: those of a process that writes little at a time are nearly empty, and
 * soon fill the pipe behind. */
#define SPLICE_FROM_BYTES (16u << 10)
#define SPLICE_BYTES (1u << 20)

/* Reads in a row before others have their turn. */
#define READS_AT_ONCE 8

/* Gathering after a short read: see gather(). */
#define GATHER_BELOW_BYTES 8192
#define GATHER_SPLICED_BELOW_BYTES (64u << 10)
#define GATHER_IF_WITHIN_NS 1000000
#define GATHER_NS 20000
#define GATHER_LONGER_MAX 3 /* pauses double, up to 160 us */

/* How long a pty without any open terminal is left alone: epoll says EPOLLHUP all the time. */
static const struct timeval hung_up_pause = { .tv_usec = 100000 };

/* ---- sinks ----------------------------------------------------------------------------------------------------------- */

static struct logfile *readable_log(const struct output *o)
{
	return o->relay->logs ? logs_file(o->relay->logs) : NULL;
}

static void want_log(struct sink *s, bool want)
{
	struct logfile *log = readable_log(s->output);

	if (!log || s->wants_log == want)
		return;
	s->wants_log = want;
	if (want)
		logfile_want(log);
	else
		logfile_unwant(log);
}

static void sink_free(struct sink *s)
{
	want_log(s, false);
	LIST_REMOVE(s, link);
	if (s->writable)
		event_free(s->writable);
	fd_close(&s->fd);
	free(s->pending);
	free(s);
}

/* ---- waiting for output ---------------------------------------------------------------------------------------------------- */

/* Once a pipe has been polled, by epoll too, every write to it goes through a wake-up, if anybody waits or not: a sixth of what a short one costs. So pipes tell by a
 * signal (O_ASYNC) that something has come, or that the last writer has gone, and nothing here asks poll(2) of one.
 *
 * It is SIGURG, which does nothing to a program that does not expect it: the one that an upgrade may go back to. Several that come together are one. It costs whoever
 * writes more than a wake-up, so it is only asked for when a pipe was found empty; until then we look in each round of the loop. */
static bool by_signal(const struct output *o)
{
	return !o->relay->tty;
}

static void set_signal(struct output *o, bool on)
{
	if (o->signals != on)
		fcntl(o->fd, F_SETFL, O_NONBLOCK | (on ? O_ASYNC : 0));
	o->signals = on;
}

void output_watch(struct output *o)
{
	o->watched = true;
	if (by_signal(o))
		output_woken(o);
	else
		event_add(o->readable, NULL);
}

void output_unwatch(struct output *o)
{
	o->watched = false;
	event_del(o->readable);
	if (by_signal(o))
		set_signal(o, false);
}

/* In the next round: an event that makes itself active (event_active) would have the loop for itself. */
void output_woken(struct output *o)
{
	if (o->readable && by_signal(o) && o->watched)
		event_add(o->readable, &(struct timeval) { 0 });
}

/* Of a pipe, which nobody else reads from; -1: it does not say. */
static ssize_t bytes_there(const struct output *o)
{
	int n;

	return o->relay->tty || ioctl(o->fd, FIONREAD, &n) < 0 ? -1 : n;
}

/* The same. 0: from now on a signal tells when there is more. */
static ssize_t bytes_there_or_signal(struct output *o)
{
	ssize_t n = bytes_there(o);

	if (n != 0 || o->signals)
		return n;
	set_signal(o, true);
	return bytes_there(o);
}

void relay_close_probe(struct relay *r)
{
	fd_close(&r->probe[0]);
	fd_close(&r->probe[1]);
}

/* Of an empty pipe: has its last writer gone, perhaps? tee(2) tells without taking anything; but up to some 6.14 a write that has failed with EFAULT leaves a buffer without bytes, which it takes for
 * the end. read(2) knows the difference, and frees it of that. */
static bool may_have_ended(const struct output *o)
{
	struct relay *r = o->relay;
	ssize_t n;

	if (r->probe[1] < 0 && pipe2(r->probe, O_CLOEXEC) < 0)
		return false; /* asked again, when its process has ended at the latest */
	n = tee(o->fd, r->probe[1], 1, SPLICE_F_NONBLOCK);
	if (n > 0)
		relay_close_probe(r); /* something has just come, and is in there too */
	return n == 0;
}

static void resume_reading(struct output *o)
{
	if (o->readable && o->fd >= 0 && !output_is_held(o))
		output_watch(o);
}

/* Returns what was taken, 0 for "later", -1 when the reader is gone. */
static ssize_t sink_write(const struct sink *s, const char *data, size_t len)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };
	ssize_t n;

	/* A pipe that is writable takes PIPE_BUF bytes without a wait. */
	if (s->careful && (poll(&pfd, 1, 0) != 1 || !(pfd.revents & (POLLOUT | POLLERR))))
		return 0;
	if (s->careful && len > PIPE_BUF)
		len = PIPE_BUF;
	do
		n = s->socket ? send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) : write(s->fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
		return 0;
	return n;
}

static void tell_gap(struct sink *s, uint64_t from, uint64_t to)
{
	struct output *o = s->output;
	struct logfile *log = readable_log(o);

	while (from < to) {
		struct logfile_part part = { .from = from, .to = to, .fd = -1 };

		if (log)
			logfile_find(log, o->stream, from, to, &s->gap_mark, &part);
		if (s->client && o->relay->ops.gap_cb)
			o->relay->ops.gap_cb(s->client->arg, o->stream, &part);
		fd_close(&part.fd);
		from = part.to;
	}
}

/* The gap ends here. What the log holds back of it is not to be found there: those few bytes come from us. */
static void report_gap(struct sink *s)
{
	struct output *o = s->output;
	struct logfile *log = readable_log(o);
	char held[LOGFILE_HELD_MAX];
	uint64_t n = log ? (uint64_t)logfile_held(log, o->stream, held) : 0, rest;

	if (!s->in_gap)
		return;
	s->in_gap = false;
	rest = n < o->offset - s->gap_from ? n : o->offset - s->gap_from;
	tell_gap(s, s->gap_from, o->offset - rest);
	if (rest > 0 && sink_write(s, held + (n - rest), (size_t)rest) != (ssize_t)rest) {
		struct logfile_part lost = { .from = o->offset - rest, .to = o->offset, .fd = -1 };

		if (s->client && o->relay->ops.gap_cb)
			o->relay->ops.gap_cb(s->client->arg, o->stream, &lost);
	}
	want_log(s, false);
}

static void keep_pending(struct sink *s, const char *data, size_t len)
{
	s->pending = xmalloc(len);
	memcpy(s->pending, data, len);
	s->pending_len = len;
	s->pending_at = 0;
}

/* Give it `len` bytes, the last of which is at s->output->offset. False when it is gone. */
static bool sink_deliver(struct sink *s, const char *data, size_t len)
{
	ssize_t n;

	if (s->in_gap)
		return true;
	n = sink_write(s, data, len);
	if (n < 0)
		return false;
	if ((size_t)n == len)
		return true;
	if (s->lossless) {
		keep_pending(s, data + n, len - (size_t)n);
	} else {
		s->in_gap = true;
		s->gap_from = s->output->offset - (len - (size_t)n);
		s->gap_mark = s->output->mark;
		want_log(s, true);
	}
	if (s->writable)
		event_add(s->writable, NULL);
	return true;
}

static void sink_gone(struct sink *s)
{
	struct output *o = s->output;

	sink_free(s);
	if (o->fd < 0)
		relay_output_ended(o->relay);
	else
		resume_reading(o);
}

static void sink_writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct sink *s = arg;
	ssize_t n;

	if (s->full) {
		s->full = false;
		resume_reading(s->output);
		return;
	}
	if (!s->pending) {
		report_gap(s);
		return;
	}
	n = sink_write(s, s->pending + s->pending_at, s->pending_len - s->pending_at);
	if (n < 0) {
		sink_gone(s);
		return;
	}
	s->pending_at += (size_t)n;
	if (s->pending_at < s->pending_len) {
		event_add(s->writable, NULL);
		return;
	}
	free(s->pending);
	s->pending = NULL;
	if (s->output->fd < 0)
		relay_output_ended(s->output->relay);
	else
		resume_reading(s->output);
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

static int watch_sink(struct sink *s, struct err *err)
{
	struct output *o = s->output;

	LIST_INSERT_HEAD(&o->sinks, s, link);
	s->pipe = !s->careful && is_pipe(s->fd);
	if (s->always_ready)
		return 0;
	s->writable = event_new(o->relay->base, s->fd, EV_WRITE, sink_writable_cb, s);
	if (!s->writable) {
		sink_free(s);
		return err_set(err, ERR_SYS, "cannot watch a stream");
	}
	return 0;
}

int output_add_sink(struct output *o, int fd, bool lossless, struct relay_client *client, struct err *err)
{
	struct sink *s = xcalloc(1, sizeof(*s));

	*s = (struct sink) { .output = o, .client = client, .fd = fd, .lossless = lossless };
	relay_prepare_fd(&s->fd, O_WRONLY, &s->always_ready, &s->socket, &s->careful);
	return watch_sink(s, err);
}

int output_take_sink(struct output *o, const struct sink *like, struct err *err)
{
	struct sink *s = xcalloc(1, sizeof(*s));

	*s = *like;
	s->output = o;
	if (watch_sink(s, err) < 0)
		return -1;
	if (s->in_gap)
		want_log(s, true);
	if (s->writable && (s->pending || s->in_gap))
		event_add(s->writable, NULL);
	return 0;
}

void output_drop_client(struct output *o, const struct relay_client *client)
{
	struct sink *s, *next;

	for (s = LIST_FIRST(&o->sinks); s; s = next) {
		next = LIST_NEXT(s, link);
		if (s->client == client)
			sink_free(s);
	}
	if (o->fd < 0)
		relay_output_ended(o->relay);
	else
		resume_reading(o);
}

uint64_t output_hold_back(struct output *o, const struct relay_client *client)
{
	struct logfile *log = readable_log(o);
	char held[LOGFILE_HELD_MAX];
	int n = log ? logfile_held(log, o->stream, held) : 0;
	const struct sink *s;

	LIST_FOREACH(s, &o->sinks, link)
	if (s->client == client && sink_write(s, held, (size_t)n) == n)
		return o->offset - (uint64_t)n;
	return o->offset;
}

void output_go_on(struct output *o)
{
	resume_reading(o);
}

void output_give_rest(struct output *o, const struct relay_client *client, uint64_t had)
{
	const struct unlogged_rest *rest = &o->rest;
	uint64_t end = rest->from + rest->len;
	struct sink *s;

	o->base = rest->len > 0 && end > had ? end : had;
	if (o->base == had || had < rest->from)
		return;
	LIST_FOREACH(s, &o->sinks, link)
	if (s->client == client) {
		keep_pending(s, rest->data + (had - rest->from), (size_t)(end - had));
		if (s->writable)
			event_add(s->writable, NULL);
	}
}

void output_forget_logs(struct output *o)
{
	struct sink *s;

	LIST_FOREACH(s, &o->sinks, link)
	s->wants_log = false;
}

bool output_is_held(const struct output *o)
{
	const struct sink *s;

	if (o->relay->awaits)
		return true;
	LIST_FOREACH(s, &o->sinks, link)
	if (s->pending || s->full)
		return true;
	return false;
}

/* ---- the process's end ----------------------------------------------------------------------------------------------- */

/* Is there anybody who is to get everything, also when we are killed with it? */
static bool is_kept(const struct output *o)
{
	const struct relay *r = o->relay;
	const struct sink *s;

	if (!r->unlogged)
		return false;
	if (!logs_empty(r->logs))
		return true;
	LIST_FOREACH(s, &o->sinks, link)
	if (s->lossless && s->client)
		return true;
	return false;
}

/* How much is read at once. To have the pages of a large buffer takes longer than all that many a process ever says; but where a read ends a log has to break a line. */
static size_t read_size(const struct output *o)
{
	return o->talks || !logs_empty(o->relay->logs) ? RELAY_READ_BYTES : RELAY_FIRST_BYTES;
}

static char *read_buffer(struct output *o, bool kept, size_t size, bool there)
{
	struct relay *r = o->relay;
	char *buf = kept ? unlogged_begin(r->unlogged, r->logs, o->stream, o->base + o->offset, size, there) : NULL;

	return buf ? buf : r->buf;
}

static void to_log(struct output *o, const char *data, size_t len)
{
	if (o->relay->logs)
		logs_write(o->relay->logs, o->stream, data, len);
	if (o->relay->unlogged)
		unlogged_done(o->relay->unlogged, o->relay->logs);
}

static void to_sinks(struct output *o, const char *data, size_t len)
{
	struct sink *s, *next;

	for (s = LIST_FIRST(&o->sinks); s; s = next) {
		next = LIST_NEXT(s, link);
		if (!sink_deliver(s, data, len))
			sink_free(s);
	}
}

/* Close the read end. Sinks that still hold something stay until it is taken. */
void output_close(struct output *o)
{
	struct sink *s, *next;

	if (o->readable)
		event_free(o->readable);
	o->readable = NULL;
	if (o->relay->tty && o->relay->in.fd == o->fd)
		input_close(o->relay);
	if (o->fd >= 0 && o->relay->ops.closed_cb)
		o->relay->ops.closed_cb(o->relay->arg, o->stream);
	fd_close(&o->fd);
	for (s = LIST_FIRST(&o->sinks); s; s = next) {
		next = LIST_NEXT(s, link);
		report_gap(s);
		if (!s->pending)
			sink_free(s);
	}
}

/* A moment for the process to write more. */
static void pause_to_gather(struct output *o, long ns)
{
	set_signal(o, false);
	/* By default the kernel may add 50 us. Whoever is started by us inherits what is set, so it is set for this moment alone. */
	prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
	nanosleep(&(struct timespec) { .tv_nsec = ns }, NULL);
	prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0);
}

/* Read, and when it was little from a process that writes again and again, give it a moment to write more: otherwise each of its lines costs two wake-ups and
 * a write to the log. A terminal is somebody's who waits for an echo. */
static ssize_t gather(struct output *o, char *buf, size_t size)
{
	struct relay *r = o->relay;
	ssize_t n = read(o->fd, buf, size), more;
	int64_t now;

	o->talks |= n == (ssize_t)size;
	/* Of a packet (O_DIRECT, which the process may have set) that has no room the rest would be lost. */
	if (n <= 0 || n >= GATHER_BELOW_BYTES || size - (size_t)n < PIPE_BUF || r->tty)
		return n;
	now = clock_ns();
	if (now - o->last_read_ns < GATHER_IF_WITHIN_NS) {
		pause_to_gather(o, GATHER_NS << o->gather_longer);
		more = read(o->fd, buf + n, size - (size_t)n);
		if (more > 0)
			n += more; /* an end or an error comes again with the next read */
		/* Much came, and yet not enough to be worth a round: the next pause is longer. */
		if (more > 0 && n < GATHER_BELOW_BYTES && o->gather_longer < GATHER_LONGER_MAX)
			o->gather_longer++;
		else if (more <= 0 || n > 4 * GATHER_BELOW_BYTES)
			o->gather_longer = 0;
	}
	o->last_read_ns = now;
	return n;
}

static bool ended(struct output *o)
{
	output_close(o);
	relay_output_ended(o->relay);
	return false;
}

/* The one sink that everything may go to as it is, without having been looked at; NULL: it takes more than that. */
static struct sink *only_sink(const struct output *o)
{
	struct sink *s = LIST_FIRST(&o->sinks);

	if (!o->much || o->relay->tty || !s || LIST_NEXT(s, link) || !logs_empty(o->relay->logs))
		return NULL;
	return s->pipe && s->lossless && !s->pending ? s : NULL;
}

/* From pipe to pipe without a copy, all that is there. Returns false when there is nothing more for now: epoll says when not, cheaper than another try
 * unless so little came that more of it is worth a pause. */
static bool splice_once(struct output *o, struct sink *s)
{
	ssize_t n = splice(o->fd, NULL, s->fd, NULL, SPLICE_BYTES, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n > 0) {
		o->offset += (uint64_t)n;
		o->much = n >= (ssize_t)SPLICE_FROM_BYTES;
		if (n < (ssize_t)GATHER_SPLICED_BELOW_BYTES)
			pause_to_gather(o, GATHER_NS);
		return true;
	}
	if (n == 0)
		return ended(o);
	if (errno == EINTR)
		return true;
	if (errno == EAGAIN) {
		/* Either of them: nothing here, or no room there. */
		if (bytes_there_or_signal(o) == 0) {
			if (!may_have_ended(o))
				return false;
			o->much = false; /* a read will tell */
			return true;
		}
		s->full = true;
		output_unwatch(o);
		event_add(s->writable, NULL);
		return false;
	}
	if (errno == EPIPE)
		sink_free(s);
	o->much = false; /* whatever it is, a copy will tell */
	return true;
}

/* Returns false when there is nothing more for now. */
static bool read_once(struct output *o)
{
	struct relay *r = o->relay;
	struct sink *only = only_sink(o);
	bool kept = is_kept(o);
	size_t size = read_size(o);
	char *buf;
	ssize_t n, there;

	if (only)
		return splice_once(o, only);
	there = bytes_there_or_signal(o);
	if (there == 0 && !may_have_ended(o))
		return false;
	if (!kept || !o->much)
		there = -1;
	if (there >= GATHER_BELOW_BYTES)
		size = MIN(size, (size_t)there);
	buf = read_buffer(o, kept, size, there >= (ssize_t)size);
	n = gather(o, buf, size);
	if (kept)
		unlogged_got(r->unlogged, n > 0 ? (size_t)n : 0);
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0 && errno == EIO && r->tty && r->gone) {
		relay_hung_up(r);
		return false;
	}
	/* A pty says EIO while nobody has its terminal open. The process may open it again. */
	if (n < 0 && errno == EIO && r->tty && !r->process_ended) {
		output_unwatch(o);
		event_add(r->timer, &hung_up_pause);
		return false;
	}
	if (n <= 0)
		return ended(o);
	o->much = n >= (ssize_t)SPLICE_FROM_BYTES;
	if (!LIST_EMPTY(&o->sinks) && readable_log(o))
		logfile_mark(readable_log(o), &o->mark);
	o->offset += (uint64_t)n;
	to_log(o, buf, (size_t)n);
	to_sinks(o, buf, (size_t)n);
	if (output_is_held(o)) {
		output_unwatch(o);
		return false;
	}
	/* Of a terminal epoll says when there is more. One signal may have told of these bytes, and that they were the last ones. */
	return by_signal(o) || (size_t)n == size;
}

static void output_readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct output *o = arg;
	int i = 0;

	while (i < READS_AT_ONCE && read_once(o))
		i++;
	/* There may be more, and nobody who tells of it. */
	if (i == READS_AT_ONCE || !o->signals)
		output_woken(o);
}

/* Of a pty nobody tells how much there is in all: what the kernel keeps for it at most, and a line discipline's buffer. */
#define PTY_HOLDS_BYTES (72u << 10)

/* Also with others who write on and on; a pty gives some 4 KiB at a time, and a process that writes little gives less. */
#define REST_READS 1024

static uint64_t rest_end(const struct output *o)
{
	int n = 0;

	if (o->relay->tty)
		return o->offset + PTY_HOLDS_BYTES;
	return ioctl(o->fd, FIONREAD, &n) < 0 ? o->offset : o->offset + (uint64_t)n;
}

void output_take_rest(struct output *o)
{
	uint64_t end = o->fd < 0 ? 0 : rest_end(o);

	for (int i = 0; i < REST_READS && o->fd >= 0 && o->readable && o->offset < end && !output_is_held(o); i++) {
		struct pollfd pfd = { .fd = o->fd, .events = POLLIN };

		/* That read_once() is not for another at once does not mean that nothing is left. */
		if (o->relay->tty && poll(&pfd, 1, 0) != 1)
			break;
		read_once(o);
	}
	/* With nobody there who could write more, that is its end. */
	if (o->fd >= 0 && o->readable && !o->relay->tty && !output_is_held(o))
		read_once(o);
	output_woken(o); /* whether a signal tells of more is not known here */
}

int output_start(struct output *o, struct err *err)
{
	struct stat st;

	if (o->fd < 0)
		return 0;
	if (fd_set_nonblock(o->fd, true, err) < 0)
		return -1;
	if (fstat(o->fd, &st) == 0)
		o->inode = st.st_ino;
	o->readable = by_signal(o) ? evtimer_new(o->relay->base, output_readable_cb, o)
				   : event_new(o->relay->base, o->fd, EV_READ | EV_PERSIST, output_readable_cb, o);
	if (!o->readable)
		return err_set(err, ERR_SYS, "cannot watch a stream");
	/* A program before us may have asked for the signal. */
	if (by_signal(o) && (fcntl(o->fd, F_SETOWN, getpid()) < 0 || fcntl(o->fd, F_SETSIG, RELAY_SIGNAL) < 0 ||
			     fcntl(o->fd, F_SETFL, O_NONBLOCK) < 0))
		return err_sys(err, "cannot watch a stream");
	output_watch(o);
	return 0;
}

void output_release(struct output *o)
{
	if (o->readable)
		event_free(o->readable);
	o->readable = NULL;
	fd_close(&o->fd);
	while (!LIST_EMPTY(&o->sinks))
		sink_free(LIST_FIRST(&o->sinks));
}
