/* SPDX-License-Identifier: Apache-2.0 */
/* The journal as a log: one datagram a line, in journald's native protocol, with the fields that conmon sends.
 *
 * Runs in the shim. Lines come from the container: they are sent with their length, so that nothing in them can become a field. */
#include <ctype.h>
#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/memfd.h"
#include "shim/stdio/log.h"
#include "shim/stdio/saved.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define LINE_BYTES (16u << 10)
#define SHORT_ID 12

/* How long one write may wait for a journald that is behind. Then it counts as failing, and is waited for no more until it takes something. */
#define WAIT_MS 200

struct line {
	char *text; /* LINE_BYTES; NULL: nothing is held */
	size_t len;
	bool continues; /* the piece before it was sent already */
};

struct journal {
	struct log log; /* first */
	int fd;
	struct sockaddr_un addr;
	char *fields; /* those that every message has */
	size_t fields_len;
	struct line lines[2]; /* stdout, stderr */
};

/* ---- the socket ------------------------------------------------------------------------------------------------------ */

static int connect_journal(struct journal *j, struct err *err)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&j->addr, sizeof(j->addr)) < 0)
		return err_sys(err, "cannot log to the journal at '%s'", j->addr.sun_path);
	fd_close(&j->fd);
	j->fd = take_fd(&fd);
	return 0;
}

/* Larger than a datagram may be: as a file that nobody can change any more. */
static ssize_t send_file(const struct journal *j, const struct iovec *iov, size_t n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_control = &control, .msg_controllen = sizeof(control.room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	cleanup_free char *whole = NULL;
	cleanup_fd int fd = -1;
	struct err err;
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += iov[i].iov_len;
	whole = xmalloc(len);
	len = 0;
	for (size_t i = 0; i < n; i++) {
		memcpy(whole + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	if (memfd_sealed("journal", whole, len, &fd, &err) < 0) {
		errno = err.sys_errno ? err.sys_errno : EMSGSIZE;
		return -1;
	}
	*c = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(j->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t send_once(const struct journal *j, struct iovec *iov, size_t n)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t r;

	do
		r = sendmsg(j->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 && (errno == EMSGSIZE || errno == ENOBUFS) ? send_file(j, iov, n) : r;
}

/* Wait until it takes more, at most until the deadline; none: set one. */
static bool wait_for_room(const struct journal *j, int64_t *deadline)
{
	struct pollfd p = { .fd = j->fd, .events = POLLOUT };

	if (j->log.loss.failing)
		return false;
	if (!*deadline)
		*deadline = clock_ms() + WAIT_MS;
	return *deadline > clock_ms() && poll(&p, 1, (int)(*deadline - clock_ms())) == 1;
}

static int send_all(struct journal *j, struct iovec *iov, size_t n, int64_t *deadline, struct err *err)
{
	bool connected_again = false;

	while (send_once(j, iov, n) < 0) {
		if (errno == EAGAIN) {
			if (wait_for_room(j, deadline))
				continue;
			return err_set(err, ERR_LIMIT, "the journal does not keep up");
		}
		/* journald was started again: its socket is another one. */
		if (connected_again || (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET &&
					errno != EPIPE && errno != EBADF))
			return err_sys(err, "cannot send to the journal");
		connected_again = true;
		if (connect_journal(j, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

/* "<N>" in front of a line is its priority. */
static int take_priority(const char **text, size_t *len, int otherwise)
{
	const char *t = *text;

	if (*len < 3 || t[0] != '<' || t[1] < '0' || t[1] > '7' || t[2] != '>')
		return otherwise;
	*text += 3;
	*len -= 3;
	return t[1] - '0';
}

/* One line, or a piece of one. `partial`: it goes on in the next. */
static int send_text(struct journal *j, Stream stream, const char *text, size_t len, bool begins, bool partial,
		     int64_t *deadline, struct err *err)
{
	static const char partial_field[] = "CONTAINER_PARTIAL_MESSAGE=true\n";
	int priority = stream == STREAM_STDERR ? 3 : 6;
	char head[64];
	uint64_t size;
	int n;
	struct iovec iov[6];

	if (begins)
		priority = take_priority(&text, &len, priority);
	n = snprintf(head, sizeof(head), "PRIORITY=%d\nMESSAGE\n", priority);
	size = htole64(len);
	iov[0] = (struct iovec) { j->fields, j->fields_len };
	iov[1] = (struct iovec) { head, (size_t)n };
	iov[2] = (struct iovec) { &size, sizeof(size) };
	iov[3] = (struct iovec) { (void *)(uintptr_t)text, len };
	iov[4] = (struct iovec) { (void *)(uintptr_t) "\n", 1 };
	iov[5] = (struct iovec) { (void *)(uintptr_t)partial_field, sizeof(partial_field) - 1 };
	return send_all(j, iov, partial ? 6 : 5, deadline, err);
}

static int send_remark(struct journal *j, int64_t *deadline, struct err *err)
{
	char text[LOG_REMARK_MAX];
	size_t len = log_remark(&j->log, text);

	if (send_text(j, STREAM_STDERR, text, len, false, false, deadline, err) < 0)
		return -1;
	log_resumed(&j->log);
	return 0;
}

static void hold(struct line *line, const char *data, size_t len)
{
	if (!line->text)
		line->text = xmalloc(LINE_BYTES);
	memcpy(line->text + line->len, data, len);
	line->len += len;
}

/* The first line of data, or as much of it as a message takes; ret_n: how much of data that was. What has no end yet is held. */
static int put_line(struct journal *j, Stream stream, const char *data, size_t len, size_t *ret_n, int64_t *deadline,
		    struct err *err)
{
	struct line *line = &j->lines[stream == STREAM_STDERR];
	size_t room = LINE_BYTES - line->len, n = len < room ? len : room;
	const char *newline = memchr(data, '\n', n), *text = data;
	bool begins = !line->continues;

	/* The newline that does not fit into the message need not. */
	if (!newline && n < len && data[n] == '\n')
		newline = data + n;
	if (newline)
		n = (size_t)(newline - data);
	*ret_n = n + (newline != NULL);
	/* A line that just fits is one message: what comes next tells. */
	if (!newline && n == len) {
		hold(line, data, n);
		return 0;
	}
	line->continues = !newline;
	if (line->len > 0) {
		hold(line, data, n);
		text = line->text;
		n = line->len;
	}
	if (send_text(j, stream, text, n, begins, !newline, deadline, err) < 0)
		return -1;
	line->len = 0;
	return 0;
}

static int journal_write(struct log *l, Stream stream, const struct timespec *now, const char *data, size_t len,
			 struct err *err)
{
	struct journal *j = (struct journal *)l;
	struct line *line = &j->lines[stream == STREAM_STDERR];
	size_t at = 0, n, held = line->len;
	int64_t deadline = 0;
	int r = l->loss.failing ? send_remark(j, &deadline, err) : 0;

	while (r == 0 && at < len) {
		held = line->len;
		r = put_line(j, stream, data + at, len - at, &n, &deadline, err);
		at += r == 0 ? n : 0;
	}
	if (r == 0)
		return 0;
	log_lost(l, stream, len - at + held, err);
	line->len = 0;
	line->continues = false;
	return -1;
}

static void journal_finish(struct log *l, const struct timespec *now)
{
	struct journal *j = (struct journal *)l;
	int64_t deadline = 0;
	struct err err;
	bool told = !l->loss.failing || send_remark(j, &deadline, &err) == 0;

	for (size_t i = 0; i < ARRAY_SIZE(j->lines); i++) {
		struct line *line = &j->lines[i];
		Stream stream = log_stream_at(i);

		if (line->len > 0 &&
		    (!told || send_text(j, stream, line->text, line->len, !line->continues, true, &deadline, &err) < 0))
			log_lost(l, stream, line->len, &err);
		line->len = 0;
	}
}

static int journal_reopen(struct log *l, struct err *err)
{
	return connect_journal((struct journal *)l, err);
}

static void journal_sync(struct log *l)
{
	/* What journald has is journald's. */
}

static void journal_trim(struct log *l)
{
	struct journal *j = (struct journal *)l;

	for (size_t i = 0; i < ARRAY_SIZE(j->lines); i++)
		if (j->lines[i].len == 0) {
			free(j->lines[i].text);
			j->lines[i].text = NULL;
		}
}

static void journal_free(struct log *l)
{
	struct journal *j = (struct journal *)l;

	for (size_t i = 0; i < ARRAY_SIZE(j->lines); i++)
		free(j->lines[i].text);
	fd_close(&j->fd);
	free(j->fields);
	free(j);
}

static struct held_text journal_held(const struct log *l, Stream stream)
{
	const struct line *line = &((const struct journal *)l)->lines[stream == STREAM_STDERR];

	return (struct held_text) { line->text, line->len, line->continues };
}

static void journal_hold(struct log *l, Stream stream, const struct held_text *t)
{
	struct line *line = &((struct journal *)l)->lines[stream == STREAM_STDERR];

	line->len = 0;
	if (t->len > 0 && t->len <= LINE_BYTES)
		hold(line, t->data, t->len);
	line->continues = t->continues;
}

/* The lines that are begun; the socket is made anew. */
static void journal_save(const struct log *l, Saved__Log *s)
{
	const struct journal *j = (const struct journal *)l;

	for (size_t i = 0; i < ARRAY_SIZE(j->lines); i++) {
		Saved__LogLine *line = saved_new(Saved__LogLine, log_line);

		line->text = saved_bytes(j->lines[i].text, j->lines[i].len);
		line->continues = j->lines[i].continues;
		saved_append(s->lines, s->n_lines, line);
	}
}

static void journal_resume(struct log *l, const Saved__Log *s)
{
	struct journal *j = (struct journal *)l;

	for (size_t i = 0; i < s->n_lines; i++) {
		if (s->lines[i]->text.len > 0)
			hold(&j->lines[i], (const char *)s->lines[i]->text.data, s->lines[i]->text.len);
		j->lines[i].continues = s->lines[i]->continues;
	}
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

/* Of a client journald takes names of capitals, digits and underscores that begin with a capital. */
static bool is_field(const char *label)
{
	const char *c = label;

	if (!isupper((unsigned char)*c))
		return false;
	while (isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_')
		c++;
	return *c == '=' && c - label <= 64;
}

static int add_labels(FILE *f, const char *labels, struct err *err)
{
	cleanup_free char *copy = xstrdup(labels ? labels : "");
	char *rest = copy, *label;

	while ((label = strsep(&rest, ","))) {
		if (!*label)
			continue;
		if (!is_field(label))
			return err_set(
				err, ERR_USAGE,
				"log label '%s' is no field of the journal: A-Z, 0-9 and _, then = and its value",
				label);
		fprintf(f, "%s\n", label);
	}
	return 0;
}

static int make_fields(struct journal *j, const struct log_options *o, struct err *err)
{
	FILE *f = open_memstream(&j->fields, &j->fields_len);
	int r;

	if (!f)
		fatal("out of memory");
	fprintf(f, "CONTAINER_ID=%.*s\n", SHORT_ID, o->id);
	if (strlen(o->id) > SHORT_ID)
		fprintf(f, "CONTAINER_ID_FULL=%s\n", o->id);
	fprintf(f, "CONTAINER_NAME=%s\n", o->id);
	if (o->tag)
		fprintf(f, "CONTAINER_TAG=%s\n", o->tag);
	fprintf(f, "SYSLOG_IDENTIFIER=%s\n", o->tag ? o->tag : o->id);
	r = add_labels(f, o->labels, err);
	fclose(f);
	return r;
}

static int journal_open(const struct log_options *options, struct log **ret, struct err *err)
{
	const char *path = options->socket ? options->socket : JOURNAL_SOCKET;
	struct journal *j;

	if (strlen(path) >= sizeof(j->addr.sun_path))
		return err_set(err, ERR_LIMIT, "the path of the journal's socket is longer than %zu bytes",
			       sizeof(j->addr.sun_path) - 1);
	j = xcalloc(1, sizeof(*j));
	j->fd = -1;
	j->addr.sun_family = AF_UNIX;
	memcpy(j->addr.sun_path, path, strlen(path) + 1);
	if (make_fields(j, options, err) < 0 || (connect_journal(j, err) < 0 && !options->resumed)) {
		journal_free(&j->log);
		return -1;
	}
	*ret = &j->log;
	return 0;
}

const struct log_ops log_journal_ops = {
	.open = journal_open,
	.write = journal_write,
	.held = journal_held,
	.hold = journal_hold,
	.reopen = journal_reopen,
	.finish = journal_finish,
	.sync = journal_sync,
	.trim = journal_trim,
	.free = journal_free,
	.save = journal_save,
	.resume = journal_resume,
};
