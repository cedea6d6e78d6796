/* SPDX-License-Identifier: Apache-2.0 */
/* Input of the process, where the shim has to pass it on: from the caller's own stdin, from everyone who types at a pty, and from every client but the
 * first.
 *
 * A client that comes when nobody owns the stdin of a process without a terminal writes into its pipe itself. Others get a pipe of their own, which is spliced into
 * that one: only so can the owner's end be the process's, whoever else has an end to write to. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/stdio/relay_internal.h"

/* A piece of a client's pipe that is moved at once: others have their turn. */
#define SPLICE_BYTES (64u << 10)

static void source_free(struct source *s)
{
	struct relay_client *c = s->client;

	LIST_REMOVE(s, link);
	if (s->readable)
		event_free(s->readable);
	fd_close(&s->fd);
	free(s->data);
	free(s);
	if (c && c->gone) {
		LIST_REMOVE(c, link);
		free(c);
	}
}

static void drop_sources(struct relay *r)
{
	while (!LIST_EMPTY(&r->in.sources))
		source_free(LIST_FIRST(&r->in.sources));
}

static void tell_closed(struct relay *r)
{
	if (r->in.fd >= 0 && !r->tty && !r->in.ending && r->ops.closed_cb)
		r->ops.closed_cb(r->arg, STREAM_STDIN);
}

void input_close(struct relay *r)
{
	struct input *in = &r->in;

	if (in->writable)
		event_free(in->writable);
	in->writable = NULL;
	tell_closed(r);
	in->ending = false;
	if (r->tty)
		in->fd = -1; /* the master is output 0's */
	else
		fd_close(&in->fd);
	drop_sources(r);
}

/* ---- the end ----------------------------------------------------------------------------------------------------------------- */

static uint64_t bytes_in(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 || n < 0 ? 0 : (uint64_t)n;
}

/* From now on nobody adds to what is taken from it. */
static void source_limit(struct source *s)
{
	if (s->limited)
		return;
	s->limited = true;
	s->left = bytes_in(s->fd);
}

static bool source_is_done(const struct source *s)
{
	return s->limited && s->left == 0 && s->at == s->len;
}

/* Free it when it is done; when it was what the end waited for, close. */
static void source_judge(struct source *s)
{
	struct relay *r = s->relay;

	if (!source_is_done(s))
		return;
	source_free(s);
	if (r->in.ending && LIST_EMPTY(&r->in.sources))
		input_close(r);
}

/* Whoever holds stdin open for us may let go at once: were we killed now, the process would see its end as it was to. */
void input_end(struct relay *r)
{
	struct input *in = &r->in;
	const struct relay_client *by = in->owner;
	struct source *s, *next;

	if (in->fd < 0 || in->ending)
		return;
	tell_closed(r);
	in->ending = true;
	in->owner = NULL;
	for (s = LIST_FIRST(&in->sources); s; s = next) {
		struct relay_client *c = s->client;

		next = LIST_NEXT(s, link);
		source_limit(s);
		if (c && c != by && c->with_stdin && r->ops.input_end_cb)
			r->ops.input_end_cb(c->arg, c->taken + s->left);
		if (c)
			c->with_stdin = false;
		if (source_is_done(s))
			source_free(s);
	}
	if (LIST_EMPTY(&in->sources))
		input_close(r);
	else
		input_go_on(r);
}

bool input_awaits_owner(struct relay *r)
{
	struct proc_stat st;
	struct err gone;

	if (r->in.awaited &&
	    (proc_stat(r->in.awaited, &st, &gone) < 0 || !proc_stat_alive(&st) || st.start_time != r->in.awaited_start))
		r->in.awaited = 0;
	return r->in.awaited != 0;
}

void input_settle_owner(struct relay *r)
{
	if (!r->in.owner && r->in.awaited && !input_awaits_owner(r))
		input_find_owner(r);
}

/* The source has no more. The caller's stdin carries its end on to the process; someone who leaves a pty does not. */
static void source_ended(struct source *s)
{
	struct relay *r = s->relay;
	struct relay_client *c = s->client;

	input_settle_owner(r);
	/* It has nothing more to say, whether it has told us or not: it is no heir. */
	if (c && r->in.owner != c)
		c->with_stdin = false;
	s->limited = true;
	s->left = 0;
	source_judge(s);
	if (!c && !r->tty)
		input_end(r);
}

/* ---- copying ----------------------------------------------------------------------------------------------------------------- */

static void source_wait(struct source *s)
{
	if (s->readable)
		event_add(s->readable, NULL);
}

static void count_taken(struct source *s, size_t n)
{
	if (s->client)
		s->client->taken += n;
	if (s->limited)
		s->left -= n < s->left ? n : s->left;
}

static size_t at_most(const struct source *s, size_t n)
{
	return s->limited && s->left < n ? (size_t)s->left : n;
}

/* Everything that it had is written: read it. Returns false when the source was freed. */
static bool source_read(struct source *s)
{
	struct relay *r = s->relay;
	ssize_t n;

	if (source_is_done(s)) {
		source_judge(s);
		return false;
	}
	n = read(s->fd, s->data, at_most(s, RELAY_INPUT_BYTES));
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		source_wait(s);
		return true;
	}
	if (n <= 0) {
		source_ended(s);
		return false;
	}
	count_taken(s, (size_t)n);
	s->len = (size_t)n;
	s->at = 0;
	if (r->in.writable)
		event_add(r->in.writable, NULL);
	return true;
}

static void source_readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct source *s = arg;

	if (s->relay->parked)
		return; /* input_go_on() has it watched again */
	if (!s->splices) {
		source_read(s);
		return;
	}
	s->has = true;
	if (s->relay->in.writable)
		event_add(s->relay->in.writable, NULL);
}

enum progress {
	SOURCE_WAITS, /* it has more, and the process's pipe has no room */
	SOURCE_EMPTY, /* for now */
	SOURCE_GONE,  /* it has ended, and was freed; with it the input may have been closed */
	SOURCE_FAILED /* the process reads no more */
};

static enum progress source_splice(struct source *s)
{
	ssize_t n = splice(s->fd, NULL, s->relay->in.fd, NULL, at_most(s, SPLICE_BYTES), SPLICE_F_NONBLOCK);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return SOURCE_FAILED;
	/* Either of them: nothing here, or no room there. */
	if (n < 0 && bytes_in(s->fd) > 0)
		return SOURCE_WAITS;
	if (n == 0 || (n < 0 && relay_hangs_up(s->fd))) {
		source_ended(s);
		return SOURCE_GONE;
	}
	if (n < 0)
		return SOURCE_EMPTY;
	count_taken(s, (size_t)n);
	if (source_is_done(s)) {
		source_judge(s);
		return SOURCE_GONE;
	}
	return SOURCE_EMPTY; /* epoll says when not */
}

static enum progress source_copy(struct source *s)
{
	ssize_t n = s->at < s->len ? write(s->relay->in.fd, s->data + s->at, s->len - s->at) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return SOURCE_FAILED;
	if (n > 0)
		s->at += (size_t)n;
	if (s->at < s->len)
		return SOURCE_WAITS;
	if (s->always_ready || source_is_done(s))
		return !source_read(s) ? SOURCE_GONE : s->at < s->len ? SOURCE_WAITS : SOURCE_EMPTY;
	return SOURCE_EMPTY;
}

static bool source_has(const struct source *s)
{
	return s->splices ? s->has : s->at < s->len || s->always_ready || source_is_done(s);
}

static void input_writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;
	struct source *s, *next;
	enum progress p;
	bool more = false;

	for (s = r->parked ? NULL : LIST_FIRST(&r->in.sources); s; s = next) {
		next = LIST_NEXT(s, link);
		if (!source_has(s))
			continue;
		p = s->splices ? source_splice(s) : source_copy(s);
		if (p == SOURCE_FAILED) {
			input_close(r);
			return;
		}
		/* With it others may have gone: those that are left have their turn next. */
		if (p == SOURCE_GONE) {
			input_go_on(r);
			return;
		}
		s->has = p == SOURCE_WAITS;
		if (p == SOURCE_WAITS)
			more = true;
		else
			source_wait(s);
	}
	if (more)
		event_add(r->in.writable, NULL);
}

int input_start(struct relay *r, struct err *err)
{
	struct input *in = &r->in;

	if (in->fd < 0)
		return 0;
	if (fd_set_nonblock(in->fd, true, err) < 0)
		return -1;
	in->writable = event_new(r->base, in->fd, EV_WRITE, input_writable_cb, r);
	if (!in->writable)
		return err_set(err, ERR_SYS, "cannot watch a stream");
	return 0;
}

void input_stop(struct relay *r)
{
	if (r->in.writable)
		event_free(r->in.writable);
	r->in.writable = NULL;
	r->in.fd = -1;
}

void input_go_on(struct relay *r)
{
	struct source *s;

	LIST_FOREACH(s, &r->in.sources, link)
	if (!source_has(s))
		source_wait(s);
	else if (r->in.writable)
		event_add(r->in.writable, NULL);
}

static int watch_source(struct relay *r, struct source *s, struct err *err)
{
	s->relay = r;
	s->splices = s->client && !r->tty && s->len == 0;
	if (!s->splices)
		s->data = s->data ? s->data : xmalloc(RELAY_INPUT_BYTES);
	LIST_INSERT_HEAD(&r->in.sources, s, link);
	if (r->in.writable && source_has(s))
		event_add(r->in.writable, NULL);
	if (s->always_ready)
		return 0;
	s->readable = event_new(r->base, s->fd, EV_READ, source_readable_cb, s);
	/* What it has brought is written before it is read again. */
	if (!s->readable || (s->at == s->len && event_add(s->readable, NULL) < 0)) {
		source_free(s);
		return err_set(err, ERR_SYS, "cannot watch a stream");
	}
	return 0;
}

int input_add_source(struct relay *r, int fd, struct relay_client *client, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));
	bool is_socket, careful; /* it is read only when epoll says so */

	s->client = client;
	s->fd = fd;
	relay_prepare_fd(&s->fd, O_RDONLY, &s->always_ready, &is_socket, &careful);
	return watch_source(r, s, err);
}

int input_take_source(struct relay *r, const struct source *like, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));

	*s = *like;
	return watch_source(r, s, err);
}

bool input_has_caller(const struct relay *r)
{
	const struct source *s;

	LIST_FOREACH(s, &r->in.sources, link)
	if (!s->client)
		return true;
	return false;
}

bool input_is_crowded(const struct relay *r)
{
	const struct source *s;
	int n = 0;

	LIST_FOREACH(s, &r->in.sources, link)
	n++;
	return n >= RELAY_SOURCES_MAX;
}

void input_find_owner(struct relay *r)
{
	struct relay_client *c;

	LIST_FOREACH(c, &r->clients, link)
	if (c->with_stdin)
		r->in.owner = c;
}

static void owner_left(struct relay *r)
{
	r->in.owner = NULL;
	if (r->options.stdin_once && !r->tty)
		input_end(r);
	else
		input_find_owner(r);
}

static struct source *source_of(const struct relay *r, const struct relay_client *client)
{
	struct source *s;

	LIST_FOREACH(s, &r->in.sources, link)
	if (s->client == client)
		return s;
	return NULL;
}

bool input_drop_client(struct relay *r, struct relay_client *client)
{
	struct source *s = source_of(r, client);

	client->with_stdin = false;
	client->arg = NULL;
	if (s) {
		source_limit(s);
		if (source_is_done(s))
			source_free(s);
	}
	if (r->in.owner == client)
		owner_left(r);
	/* Both may have closed the input. */
	client->gone = source_of(r, client) != NULL;
	if (client->gone)
		input_go_on(r);
	return !client->gone;
}

/* ---- what is unread -------------------------------------------------------------------------------------------------------- */

bool relay_has_input(const struct relay *r)
{
	return r->in.fd >= 0;
}

int input_end_of(const struct relay *r)
{
	return r->in.fd >= 0 ? r->in.fd : r->in.held_fd;
}

int relay_hold_stdin(struct relay *r, struct err *err)
{
	if (r->tty || r->in.fd < 0 || r->in.held_fd >= 0)
		return 0;
	r->in.held_fd = fcntl(r->in.fd, F_DUPFD_CLOEXEC, 0);
	return r->in.held_fd < 0 ? err_sys(err, "cannot duplicate a descriptor") : 0;
}

void relay_release_stdin(struct relay *r)
{
	fd_close(&r->in.held_fd);
}

static uint64_t dumped_of(const struct relay *r, uint64_t pipe)
{
	for (size_t i = 0; i < r->in.n_dumped; i++)
		if (r->in.dumped[i].pipe == pipe)
			return r->in.dumped[i].bytes;
	return 0;
}

const struct relay_dumped *relay_dumped(const struct relay *r, size_t *ret_n)
{
	*ret_n = r->parked ? r->in.n_dumped : 0;
	return r->in.dumped;
}

bool relay_is_away(const struct relay *r, uint64_t pipe, uint64_t *ret_dumped)
{
	*ret_dumped = r->gone ? dumped_of(r, pipe) : 0;
	return r->gone;
}

void relay_set_dumped(struct relay *r, const struct relay_dumped *v, size_t n)
{
	free(r->in.dumped);
	r->in.dumped = xcalloc(n + 1, sizeof(*v));
	if (n > 0)
		memcpy(r->in.dumped, v, n * sizeof(*v));
	r->in.n_dumped = n;
}

/* Instead of what was noted of this pipe before. */
static void note_dumped(struct relay *r, uint64_t pipe, uint64_t bytes)
{
	struct input *in = &r->in;

	for (size_t i = 0; i < in->n_dumped; i++)
		if (in->dumped[i].pipe == pipe) {
			in->dumped[i].bytes = bytes;
			return;
		}
	if (bytes == 0)
		return;
	in->dumped = xreallocarray(in->dumped, in->n_dumped + 1, sizeof(*in->dumped));
	in->dumped[in->n_dumped++] = (struct relay_dumped) { pipe, bytes };
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

bool relay_input_ends(const struct relay *r)
{
	return r->in.ending;
}

/* Append what is in this pipe, `limit` bytes at most; it stays there. */
static int copy_pipe(int read_fd, uint64_t limit, char **data, size_t *len, struct err *err)
{
	cleanup_fd int near = -1, far = -1;
	int fds[2];
	uint64_t n = bytes_in(read_fd);
	ssize_t copied = 0;

	if (n == 0 || limit == 0)
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "cannot look into the stdin of the process");
	near = fds[1];
	far = fds[0];
	if (fcntl(near, F_SETPIPE_SZ, fcntl(read_fd, F_GETPIPE_SZ)) < 0)
		return err_sys(err, "cannot make a pipe as large as the stdin of the process");
	copied = tee(read_fd, near, (size_t)(n < limit ? n : limit), SPLICE_F_NONBLOCK);
	if (copied < 0)
		return err_sys(err, "cannot copy the stdin of the process");
	fd_close(&near);
	*data = xrealloc(*data, *len + (size_t)copied + 1);
	copied = fd_read_full(far, *data + *len, (size_t)copied, err);
	if (copied < 0)
		return -1;
	*len += (size_t)copied;
	return 0;
}

/* The read end of stdin's pipe, for the moment only: held, it would keep the process's own close from being seen. */
static int open_read_end(const struct relay *r)
{
	return relay_reopen(input_end_of(r), O_RDONLY | O_NONBLOCK);
}

/* What has been read of it, and what is in a client's pipe: the caller's own stdin stays the caller's. */
static int copy_source(struct relay *r, struct source *s, char **data, size_t *len, struct err *err)
{
	size_t n = s->len - s->at, before;

	if (n > 0) {
		*data = xrealloc(*data, *len + n + 1);
		memcpy(*data + *len, s->data + s->at, n);
		*len += n;
	}
	s->dumped = n;
	if (!s->client)
		return 0;
	before = *len;
	if (copy_pipe(s->fd, s->limited ? s->left : UINT64_MAX, data, len, err) < 0)
		return -1;
	note_dumped(r, inode_of(s->fd), *len - before);
	return 0;
}

static int copy_unread(struct relay *r, char **data, size_t *len, struct err *err)
{
	cleanup_fd int from = open_read_end(r);
	struct source *s;

	if (from < 0)
		return err_sys(err, "cannot look into the stdin of the process");
	r->in.n_dumped = 0;
	if (copy_pipe(from, UINT64_MAX, data, len, err) < 0)
		return -1;
	note_dumped(r, r->in.inode, *len);
	LIST_FOREACH(s, &r->in.sources, link)
	if (copy_source(r, s, data, len, err) < 0)
		return -1;
	return 0;
}

int relay_copy_unread(struct relay *r, char **ret_data, size_t *ret_len, struct err *err)
{
	cleanup_free char *data = xmalloc(1);
	size_t len = 0;

	if (!r->tty && input_end_of(r) >= 0 && copy_unread(r, &data, &len, err) < 0)
		return -1;
	*ret_data = take_ptr(data);
	*ret_len = len;
	return 0;
}

static int too_much(size_t len, struct err *err)
{
	return err_set(err, ERR_LIMIT, "the %zu bytes that its stdin held do not fit into a pipe", len);
}

/* All of it, at once. */
static int fill(int fd, const char *data, size_t len, struct err *err)
{
	return len == 0 || write(fd, data, len) == (ssize_t)len ? 0 : too_much(len, err);
}

/* Two pieces of data leave room unused between them. */
static void make_room(int fd, size_t len)
{
	if ((size_t)fcntl(fd, F_GETPIPE_SZ) < len + PIPE_BUF)
		fcntl(fd, F_SETPIPE_SZ, (int)(len + PIPE_BUF));
}

int relay_put_unread(struct relay *r, const char *data, size_t len, struct err *err)
{
	if (r->tty || r->in.fd < 0 || len == 0)
		return 0;
	if (fd_set_nonblock(r->in.fd, true, err) < 0)
		return -1;
	make_room(r->in.fd, len);
	return fill(r->in.fd, data, len, err);
}

static uint64_t empty(int fd, uint64_t limit)
{
	char buf[4096];
	uint64_t done = 0;
	ssize_t n;

	while (done < limit && (n = read(fd, buf, limit - done < sizeof(buf) ? limit - done : sizeof(buf))) > 0)
		done += (uint64_t)n;
	return done;
}

/* Of a pipe of ours. */
static uint64_t drop_dumped(struct relay *r, int fd)
{
	uint64_t pipe = inode_of(fd), n = empty(fd, dumped_of(r, pipe));

	note_dumped(r, pipe, 0);
	return n;
}

/* What is in the image of what waits here. */
static void drop_in_sources(struct relay *r)
{
	struct source *s;

	LIST_FOREACH(s, &r->in.sources, link)
	{
		s->at += s->dumped;
		s->dumped = 0;
		if (s->client)
			count_taken(s, drop_dumped(r, s->fd));
	}
}

/* From now on what is written to `near` is what the process reads. */
static int use_pipe(struct relay *r, int near, struct err *err)
{
	if (r->in.writable)
		event_free(r->in.writable);
	r->in.writable = NULL;
	fd_close(&r->in.fd);
	r->in.inode = inode_of(near);
	r->in.fd = near;
	return input_start(r, err);
}

/* Nobody writes to it, so it has an end. */
static int move_rest(int from, int to, size_t before, struct err *err)
{
	size_t len = bytes_in(from);
	cleanup_free char *data = xmalloc(len + 1);
	ssize_t n;

	make_room(to, before + len);
	if ((size_t)fcntl(to, F_GETPIPE_SZ) < before + len + PIPE_BUF)
		return too_much(before + len, err); /* it stays where it is */
	n = len > 0 ? read(from, data, len) : 0;
	return n > 0 ? fill(to, data, (size_t)n, err) : 0;
}

int relay_renew_stdin(struct relay *r, int far, const char *data, size_t len, int *ret_far, struct err *err)
{
	struct relay_client *direct = r->in.owner && !r->in.owner->own_pipe ? r->in.owner : NULL;
	cleanup_fd int child = -1, near = -1, from = -1;
	int fds[2];
	struct stat st;

	from = relay_reopen(far, O_RDONLY | O_NONBLOCK);
	if (from < 0 || fstat(far, &st) < 0)
		return err_sys(err, "cannot look into the stdin of the process");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	child = fds[0];
	near = fds[1];
	if (relay_give(child, st.st_uid, st.st_gid) < 0)
		return err_sys(err, "cannot give a pipe to uid %u", st.st_uid);
	if (fd_set_nonblock(near, true, err) < 0)
		return -1;
	make_room(near, len);
	if (fill(near, data, len, err) < 0)
		return -1;
	drop_dumped(r, from);
	drop_in_sources(r);
	if (!direct && move_rest(from, near, len, err) < 0)
		return -1;
	note_dumped(r, inode_of(near), len);
	*ret_far = take_fd(&child);
	if (r->in.fd < 0)
		return 0; /* it was ended meanwhile */
	if (use_pipe(r, take_fd(&near), err) < 0)
		return -1;
	if (!direct)
		return 0;
	direct->own_pipe = true;
	return input_add_source(r, take_fd(&from), direct, err);
}
