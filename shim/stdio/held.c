/* SPDX-License-Identifier: Apache-2.0 */
/* What logs hold back, kept for the shim that follows. */
#include "shim/stdio/held.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"

static const char magic[8] = { 'T', 'H', 'O', 'L', 'E', 'H', 'L', '1' };

struct entry {
	uint32_t len;
	uint32_t continues;
};

struct head {
	char magic[sizeof(magic)];
	struct entry v[HELD_LOGS][HELD_STREAMS];
};

#define TEXTS_AT 4096

static off_t text_at(size_t i, size_t stream)
{
	return (off_t)(TEXTS_AT + (i * HELD_STREAMS + stream) * HELD_MAX);
}

void held_init(struct held *h, int dir_fd, const char *process)
{
	*h = (struct held) { .dir_fd = dir_fd,
			     .name = process[0] ? xasprintf(HELD_FILE ".%s", process) : xstrdup(HELD_FILE) };
}

static bool is_anything(const struct held_text *t)
{
	return t->len > 0 || t->continues;
}

static bool have_head(int fd)
{
	struct head head = { 0 };

	if (pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) && !memcmp(head.magic, magic, sizeof(magic)))
		return true;
	head = (struct head) { 0 };
	memcpy(head.magic, magic, sizeof(magic));
	return pwrite(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head);
}

void held_note(struct held *h, size_t i, size_t stream, const struct held_text *t)
{
	const struct entry e = { (uint32_t)t->len, t->continues };
	cleanup_fd int fd = -1;

	if (i >= HELD_LOGS || stream >= HELD_STREAMS || t->len > HELD_MAX || !h->name ||
	    (!is_anything(t) && !h->any[i][stream]))
		return;
	fd = openat(h->dir_fd, h->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || !have_head(fd) || pwrite(fd, t->data, t->len, text_at(i, stream)) != (ssize_t)t->len)
		return;
	if (pwrite(fd, &e, sizeof(e), (off_t)offsetof(struct head, v[i][stream])) == (ssize_t)sizeof(e))
		h->any[i][stream] = is_anything(t);
}

bool held_find(struct held *h, size_t i, size_t stream, char *buf, struct held_text *ret)
{
	cleanup_fd int fd = openat(h->dir_fd, h->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct head head;
	struct entry e;

	if (i >= HELD_LOGS || stream >= HELD_STREAMS || fd < 0 ||
	    pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) || memcmp(head.magic, magic, sizeof(magic)) != 0)
		return false;
	e = head.v[i][stream];
	*ret = (struct held_text) { buf, e.len, e.continues != 0 };
	if (!is_anything(ret) || e.len > HELD_MAX || pread(fd, buf, e.len, text_at(i, stream)) != (ssize_t)e.len)
		return false;
	h->any[i][stream] = true;
	return true;
}

void held_drop(struct held *h)
{
	if (h->name)
		unlinkat(h->dir_fd, h->name, 0);
	memset(h->any, 0, sizeof(h->any));
}

void held_release(struct held *h)
{
	free(h->name);
	h->name = NULL;
}
