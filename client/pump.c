/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a stream: bytes from one descriptor to another, never waiting for either. */
#include "client/pump.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/fd.h"

#define PUMP_BUFFER (64 * 1024)
#define PUMP_ROUNDS 16
#define SPLICE_BYTES (1 << 20)
#define SPLICE_FROM (16 * 1024) /* less is copied: pages with next to nothing in them would fill the caller's pipe */
#define TTY_CHUNK 512           /* what a terminal that says it has room takes, even if each byte becomes two */

static enum pump_kind kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return PUMP_PLAIN;
	if (S_ISFIFO(st.st_mode))
		return PUMP_PIPE;
	if (S_ISSOCK(st.st_mode))
		return PUMP_SOCKET;
	if (S_ISREG(st.st_mode))
		return PUMP_FILE;
	return S_ISCHR(st.st_mode) && isatty(fd) ? PUMP_TTY : PUMP_PLAIN;
}

void pump_init(struct pump *p, int from, int to, struct keys *keys)
{
	*p = (struct pump) { .from = from, .to = to, .keys = keys };
	if (from < 0 || to < 0) {
		p->state = PUMP_ENDED;
		return;
	}
	p->from_kind = kind_of(from);
	p->to_kind = kind_of(to);
}

void pump_release(struct pump *p)
{
	free(p->buf);
	p->buf = NULL;
}

void pump_go_on(struct pump *p, int from, int to)
{
	if (from >= 0) {
		p->from = from;
		p->from_kind = kind_of(from);
	}
	if (to >= 0) {
		p->to = to;
		p->to_kind = kind_of(to);
	}
	p->full = false;
	p->state = PUMP_OPEN;
}

void pump_put_before(struct pump *p, int from)
{
	size_t room = 0;
	ssize_t n;
	int there;
	unsigned char *buf;

	if (ioctl(from, FIONREAD, &there) < 0 || there <= 0)
		return;
	room = (size_t)there + p->len;
	buf = xmalloc(room > PUMP_BUFFER + KEYS_MAX ? room : PUMP_BUFFER + KEYS_MAX);
	n = read(from, buf, (size_t)there);
	if (n <= 0) {
		free(buf);
		return;
	}
	if (p->len > 0)
		memcpy(buf + n, p->buf + p->start, p->len);
	free(p->buf);
	p->buf = buf;
	p->start = 0;
	p->len += (size_t)n;
}

bool pump_pending(const struct pump *p)
{
	return p->state == PUMP_OPEN && (p->len > 0 || p->full);
}

void pump_poll(const struct pump *p, struct pollfd *ret_p)
{
	bool wait = false;

	*ret_p = (struct pollfd) { .fd = -1 };
	if (p->state != PUMP_OPEN)
		return;
	if (pump_pending(p) || (p->source && p->source->is_ready(p->source->arg, &wait)))
		*ret_p = (struct pollfd) { .fd = p->to, .events = POLLOUT };
	else if (wait)
		return;
	else
		*ret_p = (struct pollfd) { .fd = p->from, .events = POLLIN };
}

/* Can this kind be read or written without having been polled? */
static bool needs_poll(enum pump_kind kind)
{
	return kind == PUMP_OLD_PIPE || kind == PUMP_TTY || kind == PUMP_PLAIN;
}

static bool is_ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) > 0;
}

static ssize_t read_some(struct pump *p, void *buf, size_t size)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	ssize_t n;

	if (p->source)
		return p->source->read(p->source->arg, p->from, buf, size);
	if (p->from_kind == PUMP_SOCKET)
		return recv(p->from, buf, size, MSG_DONTWAIT);
	if (p->from_kind != PUMP_PIPE)
		return read(p->from, buf, size);
	n = preadv2(p->from, &iov, 1, -1, RWF_NOWAIT);
	if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
		return n;
	p->from_kind = PUMP_OLD_PIPE;
	errno = EAGAIN;
	return -1;
}

/* A pipe that is ready takes PIPE_BUF bytes whatever else is in it. */
static ssize_t write_some(struct pump *p, const void *buf, size_t len)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	ssize_t n;

	switch (p->to_kind) {
	case PUMP_SOCKET:
		return send(p->to, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case PUMP_OLD_PIPE:
		return write(p->to, buf, len < PIPE_BUF ? len : PIPE_BUF);
	case PUMP_TTY:
		return write(p->to, buf, len < TTY_CHUNK ? len : TTY_CHUNK);
	case PUMP_FILE:
	case PUMP_PLAIN:
		return write(p->to, buf, len);
	case PUMP_PIPE:
		break;
	}
	n = pwritev2(p->to, &iov, 1, -1, RWF_NOWAIT);
	if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
		return n;
	p->to_kind = PUMP_OLD_PIPE;
	errno = EAGAIN;
	return -1;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* What was read is in the second part of the buffer when it has to go through the keys' filter. */
static void take_input(struct pump *p, size_t n)
{
	p->start = 0;
	p->len = n;
	if (p->keys && keys_filter(p->keys, p->buf + KEYS_MAX, n, p->buf, &p->len))
		p->state = PUMP_LEFT;
}

/* A terminal that hung up, a connection that was reset: the end, as for any reader. */
static bool is_end(const struct pump *p)
{
	return (errno == EIO && p->from_kind == PUMP_TTY) || (errno == ECONNRESET && p->from_kind == PUMP_SOCKET);
}

/* False: there is nothing at the moment. */
static bool fill(struct pump *p)
{
	ssize_t n;

	if (!p->buf)
		p->buf = xmalloc(PUMP_BUFFER + KEYS_MAX);
	n = read_some(p, p->buf + (p->keys ? KEYS_MAX : 0), PUMP_BUFFER);
	if (n < 0 && would_block())
		return false;
	if (n <= 0) {
		p->read_errno = n < 0 && !is_end(p) ? errno : 0;
		p->state = PUMP_ENDED;
	} else {
		p->got += (uint64_t)n;
		take_input(p, (size_t)n);
	}
	p->much = n >= SPLICE_FROM;
	return n > 0;
}

/* False: it takes nothing at the moment, or never again. */
static bool drain(struct pump *p)
{
	ssize_t n = write_some(p, p->buf + p->start, p->len);

	if (n < 0 && would_block())
		return false;
	if (n < 0) {
		p->sys_errno = errno;
		p->state = PUMP_BROKEN;
		return false;
	}
	p->start += (size_t)n;
	p->len -= (size_t)n;
	return true;
}

static bool is_pipe(enum pump_kind kind)
{
	return kind == PUMP_PIPE || kind == PUMP_OLD_PIPE;
}

static bool can_splice(const struct pump *p)
{
	return p->much && !p->keys && !p->source && p->len == 0 && is_pipe(p->from_kind) && is_pipe(p->to_kind);
}

/* splice(2) looks for room first: into a full pipe it does not tell of the end. */
static bool has_hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents == POLLHUP;
}

/* From pipe to pipe without a copy, all that is there. */
static void splice_some(struct pump *p)
{
	ssize_t n = splice(p->from, NULL, p->to, NULL, SPLICE_BYTES, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	int available = 0;

	p->full = false;
	if (n > 0) {
		p->got += (uint64_t)n;
		p->much = n >= SPLICE_FROM;
	} else if (n == 0)
		p->state = PUMP_ENDED;
	else if (!would_block())
		p->much = false; /* whatever it is, a copy will tell */
	else if (ioctl(p->from, FIONREAD, &available) == 0 && available > 0)
		p->full = true; /* not empty, so it is the other that has no room */
	else if (has_hung_up(p->from))
		p->state = PUMP_ENDED;
}

void pump_move(struct pump *p, const struct pollfd *polled)
{
	bool ready_from = p->len == 0 && !p->full && polled->revents, ready_to = p->len > 0 && polled->revents;

	for (int i = 0; i < PUMP_ROUNDS && p->state == PUMP_OPEN; i++) {
		if (can_splice(p)) {
			splice_some(p);
			return; /* poll(2) says when there is more, cheaper than another try */
		}
		if (p->len == 0) {
			if (!p->source && needs_poll(p->from_kind) && !ready_from)
				return;
			ready_from = false;
			if (!fill(p))
				return;
			if (p->len == 0)
				continue;
		}
		if (needs_poll(p->to_kind) && !ready_to && !is_ready(p->to, POLLOUT))
			return;
		ready_to = false;
		if (!drain(p))
			return;
	}
	if (p->state == PUMP_LEFT && p->len > 0)
		drain(p);
}
