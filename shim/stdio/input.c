/* SPDX-License-Identifier: Apache-2.0 */
/* Input of the process, where the shim has to copy it: from the caller's own stdin, and from everyone who types at a pty.
 *
 * Clients of a process without a terminal write into its pipe themselves. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/fd.h"
#include "shim/stdio/relay_internal.h"

static void source_free(struct source *s)
{
	LIST_REMOVE(s, link);
	if (s->readable)
		event_free(s->readable);
	fd_close(&s->fd);
	free(s);
}

static void drop_sources(struct relay *r)
{
	while (!LIST_EMPTY(&r->in.sources))
		source_free(LIST_FIRST(&r->in.sources));
}

void input_close(struct relay *r)
{
	struct input *in = &r->in;

	if (in->writable)
		event_free(in->writable);
	in->writable = NULL;
	if (in->fd >= 0 && !r->tty && r->ops.closed_cb)
		r->ops.closed_cb(r->arg, STREAM_STDIN);
	if (r->tty)
		in->fd = -1; /* the master is output 0's */
	else
		fd_close(&in->fd);
	drop_sources(r);
}

/* The source has no more. The caller's stdin carries its end on to the process; someone who leaves a pty does not. */
static void source_ended(struct source *s)
{
	struct relay *r = s->relay;
	bool caller = !s->client;

	source_free(s);
	if (caller && !r->tty)
		input_close(r);
}

/* Returns false when the source was freed. */
static bool source_read(struct source *s)
{
	ssize_t n = read(s->fd, s->data, sizeof(s->data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (s->readable)
			event_add(s->readable, NULL);
		return true;
	}
	if (n <= 0) {
		source_ended(s);
		return false;
	}
	s->len = (size_t)n;
	s->at = 0;
	if (s->relay->in.writable)
		event_add(s->relay->in.writable, NULL);
	return true;
}

static void source_readable_cb(evutil_socket_t fd, short what, void *arg)
{
	source_read(arg);
}

/* Returns false when the process reads no more. */
static bool source_write(struct source *s)
{
	ssize_t n = write(s->relay->in.fd, s->data + s->at, s->len - s->at);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0)
		s->at += (size_t)n;
	return true;
}

static void input_writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;
	struct source *s, *next;
	bool more = false;

	for (s = LIST_FIRST(&r->in.sources); s; s = next) {
		next = LIST_NEXT(s, link);
		if (s->at < s->len && !source_write(s)) {
			/* Of a process that comes back, it keeps what it has. */
			if (!r->parked)
				input_close(r);
			return;
		}
		if (s->at < s->len)
			more = true;
		else if (s->always_ready && !source_read(s))
			return; /* its end may have closed the input */
		else if (s->readable)
			event_add(s->readable, NULL);
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
	const struct source *s;

	LIST_FOREACH(s, &r->in.sources, link)
	if (r->in.writable && (s->at < s->len || s->always_ready))
		event_add(r->in.writable, NULL);
}

static int watch_source(struct relay *r, struct source *s, struct err *err)
{
	s->relay = r;
	LIST_INSERT_HEAD(&r->in.sources, s, link);
	if (r->in.writable && (s->always_ready || s->at < s->len))
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

static void owner_left(struct relay *r)
{
	struct relay_client *c;

	r->in.owner = NULL;
	if (r->options.stdin_once && !r->tty) {
		input_close(r);
		return;
	}
	LIST_FOREACH(c, &r->clients, link)
	if (c->with_stdin)
		r->in.owner = c;
}

void input_drop_client(struct relay *r, const struct relay_client *client)
{
	struct source *s, *next;

	for (s = LIST_FIRST(&r->in.sources); s; s = next) {
		next = LIST_NEXT(s, link);
		if (s->client == client)
			source_free(s);
	}
	if (r->in.owner == client)
		owner_left(r);
}

/* ---- what is unread -------------------------------------------------------------------------------------------------------- */

bool relay_has_input(const struct relay *r)
{
	return r->in.fd >= 0;
}

/* The read end is opened for the moment only: held, it would keep the process's own close from being seen. */
static int copy_pipe(int write_fd, char **ret_data, size_t *ret_len, struct err *err)
{
	cleanup_fd int from = -1, near = -1, far = -1;
	char link[40];
	int fds[2], n = 0;
	ssize_t copied = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", write_fd);
	from = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (from < 0 || ioctl(from, FIONREAD, &n) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "cannot look into the stdin of the process");
	near = fds[1];
	far = fds[0];
	if (fcntl(near, F_SETPIPE_SZ, fcntl(from, F_GETPIPE_SZ)) < 0)
		return err_sys(err, "cannot make a pipe as large as the stdin of the process");
	if (n > 0)
		copied = tee(from, near, (size_t)n, SPLICE_F_NONBLOCK);
	if (copied < 0)
		return err_sys(err, "cannot copy the stdin of the process");
	fd_close(&near);
	*ret_data = xmalloc((size_t)copied + 1);
	copied = fd_read_full(far, *ret_data, (size_t)copied, err);
	*ret_len = copied < 0 ? 0 : (size_t)copied;
	return copied < 0 ? -1 : 0;
}

int relay_copy_unread(struct relay *r, char **ret_data, size_t *ret_len, struct err *err)
{
	cleanup_free char *data = NULL;
	struct source *s;
	size_t len = 0;

	if (!r->tty && r->in.fd >= 0) {
		if (copy_pipe(r->in.fd, &data, &len, err) < 0)
			return -1;
		LIST_FOREACH(s, &r->in.sources, link)
		{
			data = xrealloc(data, len + (s->len - s->at) + 1);
			memcpy(data + len, s->data + s->at, s->len - s->at);
			len += s->len - s->at;
		}
	}
	*ret_data = take_ptr(data);
	*ret_len = len;
	return 0;
}

int relay_put_unread(struct relay *r, const char *data, size_t len, struct err *err)
{
	if (r->tty || r->in.fd < 0 || len == 0)
		return 0;
	if (fd_set_nonblock(r->in.fd, true, err) < 0)
		return -1;
	if ((size_t)fcntl(r->in.fd, F_GETPIPE_SZ) < len)
		fcntl(r->in.fd, F_SETPIPE_SZ, (int)len);
	if (write(r->in.fd, data, len) != (ssize_t)len)
		return err_set(err, ERR_LIMIT, "the %zu bytes that its stdin held do not fit into a pipe", len);
	return 0;
}

void relay_drop_unread(struct relay *r)
{
	cleanup_fd int from = -1;
	struct source *s;
	char buf[4096], link[40];

	if (r->tty || r->in.fd < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", r->in.fd);
	from = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	while (from >= 0 && read(from, buf, sizeof(buf)) > 0)
		;
	LIST_FOREACH(s, &r->in.sources, link)
	s->at = s->len;
}
