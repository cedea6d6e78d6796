/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a container's streams out of a part of its log: what an attached client reads in place of what it has missed.
 *
 * The file is one that the shim writes and may be read by anybody who can read it: what is no record is passed over, and nothing in it is trusted to be
 * of any length. */
#include "client/logplay.h"

#include <string.h>

#include "common/fd.h"
#include "common/logjson.h"

#define BUFFER_BYTES (1 << 20) /* longer than any record that we write */

void logplay_open(struct logplay *p, const struct log_format *format, int fd, uint64_t from, uint64_t to)
{
	logplay_release(p);
	p->format = format;
	p->fd = fd;
	p->at = from;
	p->end = to;
}

void logplay_release(struct logplay *p)
{
	fd_close(&p->fd);
	free(p->buf);
	*p = LOGPLAY_NONE;
}

/* Returns 0 when there is nothing more, or no room: a line that long is none of ours. */
static int read_more(struct logplay *p, struct err *err)
{
	size_t room;
	ssize_t n;

	if (!p->buf)
		p->buf = xmalloc(BUFFER_BYTES);
	memmove(p->buf, p->buf + p->start, p->len);
	p->start = 0;
	room = BUFFER_BYTES - p->len;
	if (room > p->end - p->at)
		room = (size_t)(p->end - p->at);
	if (room == 0)
		return 0;
	do
		n = pread(p->fd, p->buf + p->len, room, (off_t)p->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot read the log");
	p->at += (uint64_t)n;
	p->len += (size_t)n;
	return n > 0;
}

static void take_all(struct logplay *p)
{
	p->stream = STREAM_STDOUT;
	p->text = p->buf + p->start;
	p->text_len = p->len;
	p->start = p->len = 0;
}

/* The text and its newline stand in the buffer one after the other. */
static bool take_line(struct logplay *p, size_t line_len)
{
	char *line = p->buf + p->start;
	struct logfmt_record r;

	p->start += line_len + 1;
	p->len -= line_len + 1;
	if (!p->format->parse_exact(line, line_len, &r))
		return false;
	p->stream = r.stream;
	p->text = r.text;
	p->text_len = r.text_len + r.full;
	return p->text_len > 0;
}

int logplay_next(struct logplay *p, struct err *err)
{
	while (p->text_len == 0) {
		const char *newline = NULL;
		int r = 1;

		if (p->len > 0 && p->format->parse_exact)
			newline = memchr(p->buf + p->start, '\n', p->len);
		if (newline)
			take_line(p, (size_t)(newline - (p->buf + p->start)));
		else if (p->len > 0 && !p->format->parse_exact)
			take_all(p);
		else
			r = read_more(p, err);
		if (r <= 0)
			return r;
	}
	return 1;
}

size_t logplay_skip(struct logplay *p, uint64_t n)
{
	size_t skipped = n < p->text_len ? (size_t)n : p->text_len;

	p->text += skipped;
	p->text_len -= skipped;
	return skipped;
}

size_t logplay_take(struct logplay *p, char *buf, size_t max, size_t *ret_n)
{
	size_t n = max < p->text_len ? max : p->text_len, used = 0;
	bool exact = p->format->parse_exact == logjson_parse_exact;

	if (!exact || !memchr(p->text, LOGJSON_LOST, n)) {
		memcpy(buf, p->text, n);
		used = n;
	} else {
		for (size_t i = 0; i < n; i++) {
			if ((unsigned char)p->text[i] != LOGJSON_LOST) {
				buf[used++] = p->text[i];
				continue;
			}
			memcpy(buf + used, "\xef\xbf\xbd", 3);
			used += 3;
		}
	}
	logplay_skip(p, n);
	*ret_n = n;
	return used;
}
