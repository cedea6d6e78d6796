/* SPDX-License-Identifier: Apache-2.0 */
/* What has been read from a process and may not be where it belongs yet.
 *
 * Runs in the shim, which may be killed between any two instructions. The order of the stores is what counts, so the compiler is kept from changing it; the kernel keeps the pages.
 *
 * Killed within read(2) itself, nobody has noted how much came. Where it is known before that so much is there, a read gives all of it or never began: a mark at the buffer's end that nobody
 * can guess tells which. Else the buffer is filled before with a byte that no UTF-8 text has: what is something else was read. Of other data the last bytes may happen to look like the filler, one
 * time in 256 for one byte; that is what can be lost then. */
#include "shim/stdio/unlogged.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "shim/stdio/relay_internal.h"

#define VERSION 2
#define FILLER 0xfe
#define HEAD_BYTES 4096
#define MARK_BYTES 16
#define STREAMS 2
/* Pages that nobody writes to are not there: a stream without a word has none. */
#define FILE_BYTES (HEAD_BYTES + STREAMS * RELAY_READ_BYTES)

enum phase {
	PHASE_IDLE = 0,
	PHASE_READING = 1,
	PHASE_LOGGING = 2,
	PHASE_TAKING = 3 /* all that was asked for, or nothing */
};

struct head {
	char magic[8]; /* "THOLE\0UN" */
	uint32_t version;
	uint32_t phase;
	uint32_t stream;
	uint32_t len;   /* PHASE_LOGGING: bytes */
	uint32_t asked; /* PHASE_READING, PHASE_TAKING: so much was asked for */
	struct log_mark marks[LOG_DRIVERS_MAX];
	struct kept {
		uint64_t from; /* the offset in the stream of the buffer's first byte */
		uint32_t len;
		uint32_t dirty; /* so much at the buffer's beginning may not be the filler */
	} kept[STREAMS];
	char mark[MARK_BYTES]; /* PHASE_TAKING: the end of what was asked for, as long as that has not come */
};
_Static_assert(sizeof(struct head) <= HEAD_BYTES, "the head is one page");

static const char magic[8] = { 'T', 'H', 'O', 'L', 'E', 0, 'U', 'N' };

struct unlogged {
	int dir_fd;        /* borrowed */
	char *name;        /* of the file */
	struct head *head; /* NULL: not mapped */
	size_t room
		[STREAMS]; /* bytes of each buffer whose pages are there; all of them are the filler but the dirty ones */
	bool no_room;      /* until the next time of rest */
	bool has_mark;
	bool reading; /* the last read was into it */
	bool left;    /* the file is there, of a shim before, though it is not mapped */
};

static char *file_name(const char *process)
{
	return process[0] ? xasprintf(UNLOGGED_FILE ".%s", process) : xstrdup(UNLOGGED_FILE);
}

struct unlogged *unlogged_new(int dir_fd, const char *process)
{
	struct unlogged *u = xcalloc(1, sizeof(*u));

	u->dir_fd = dir_fd;
	u->name = file_name(process);
	u->left = faccessat(dir_fd, u->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	return u;
}

void unlogged_free(struct unlogged *u)
{
	if (!u)
		return;
	if (u->head)
		munmap(u->head, FILE_BYTES);
	free(u->name);
	free(u);
}

static size_t index_of(Stream stream)
{
	return stream == STREAM_STDERR;
}

static char *buffer(struct head *head, Stream stream)
{
	return (char *)head + HEAD_BYTES + index_of(stream) * RELAY_READ_BYTES;
}

static void in_this_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void set_phase(struct head *head, enum phase phase)
{
	in_this_order();
	*(volatile uint32_t *)&head->phase = phase;
	in_this_order();
}

#define VERSION_1_BYTES (HEAD_BYTES + RELAY_READ_BYTES) /* one buffer for both streams, and only the logs are served */

static bool is_ours(const struct head *head, off_t size)
{
	return memcmp(head->magic, magic, sizeof(magic)) == 0 &&
	       ((head->version == VERSION && size == FILE_BYTES) || (head->version == 1 && size == VERSION_1_BYTES));
}

/* Have the pages there: touching one for which there is no room on the disk would be a signal. */
static bool have_pages(void *p, size_t len)
{
	return madvise(p, len, MADV_POPULATE_WRITE) == 0;
}

static struct head *map_file(const struct unlogged *u)
{
	cleanup_fd int fd = openat(u->dir_fd, u->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	void *p;

	if (fd < 0 || ftruncate(fd, FILE_BYTES) < 0)
		return NULL;
	p = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (have_pages(p, HEAD_BYTES))
		return p;
	munmap(p, FILE_BYTES);
	return NULL;
}

static bool make_file(struct unlogged *u)
{
	u->head = map_file(u);
	u->no_room = !u->head;
	if (!u->head)
		return false;
	memset(u->room, 0, sizeof(u->room));
	set_phase(u->head, PHASE_IDLE);
	/* Of the program before us, in the same process: a client may still lack what is in a buffer that is not used again yet. */
	if (!is_ours(u->head, FILE_BYTES)) {
		memset(u->head, 0, sizeof(*u->head));
		memcpy(u->head->magic, magic, sizeof(magic));
		u->head->version = VERSION;
	}
	u->has_mark = getrandom(u->head->mark, MARK_BYTES, GRND_NONBLOCK) == MARK_BYTES;
	return true;
}

/* So that it shows afterwards what has come of these `size` bytes. */
static enum phase prepare(const struct unlogged *u, struct kept *kept, char *buf, size_t size, bool there)
{
	size_t fill = MIN(kept->dirty, size);

	if (there && u->has_mark && size > MARK_BYTES) {
		memcpy(buf + size - MARK_BYTES, u->head->mark, MARK_BYTES);
		kept->dirty = (uint32_t)MAX(kept->dirty, size);
		return PHASE_TAKING;
	}
	memset(buf, FILLER, fill);
	if (fill == kept->dirty)
		kept->dirty = 0;
	return PHASE_READING;
}

char *unlogged_begin(struct unlogged *u, struct logs *logs, Stream stream, uint64_t from, size_t size, bool there)
{
	enum phase phase;
	struct kept *kept;
	char *buf;

	u->reading = false;
	if (u->no_room || (!u->head && !make_file(u)))
		return NULL;
	kept = &u->head->kept[index_of(stream)];
	buf = buffer(u->head, stream);
	kept->len = 0;
	in_this_order();
	if (u->room[index_of(stream)] < size) {
		if (!have_pages(buf, size))
			return NULL;
		u->room[index_of(stream)] = size;
		kept->dirty = (uint32_t)size;
	}
	phase = prepare(u, kept, buf, size, there);
	kept->from = from;
	u->head->asked = (uint32_t)size;
	u->head->stream = stream;
	if (logs)
		logs_mark(logs, u->head->marks);
	set_phase(u->head, phase);
	u->reading = true;
	return buf;
}

void unlogged_got(struct unlogged *u, size_t n)
{
	struct head *head = u->head;
	struct kept *kept;

	if (!u->reading)
		return;
	kept = &head->kept[index_of((Stream)head->stream)];
	kept->len = head->len = (uint32_t)n;
	kept->dirty = (uint32_t)MAX(kept->dirty, n);
	set_phase(head, n > 0 ? PHASE_LOGGING : PHASE_IDLE);
}

void unlogged_done(struct unlogged *u, struct logs *logs)
{
	if (!u->reading)
		return;
	set_phase(u->head, PHASE_IDLE);
	if (logs)
		logs_mark(logs, NULL);
}

void unlogged_trim(struct unlogged *u)
{
	u->no_room = u->reading = false;
	if (!u->head && !u->left)
		return;
	if (u->head)
		munmap(u->head, FILE_BYTES);
	u->head = NULL;
	u->left = false;
	unlinkat(u->dir_fd, u->name, 0);
}

/* ---- going on ------------------------------------------------------------------------------------------------------------ */

static char *present_buffer(struct head *head)
{
	return buffer(head, head->version == 1 || head->stream != STREAM_STDERR ? STREAM_STDOUT : STREAM_STDERR);
}

/* With the last read, if it was not through with the logs. */
static size_t came_in(struct head *head)
{
	const unsigned char *data = (const unsigned char *)present_buffer(head);
	size_t n = head->version == 1 || head->asked > RELAY_READ_BYTES ? RELAY_READ_BYTES : head->asked;

	if (head->phase == PHASE_LOGGING)
		return head->len <= RELAY_READ_BYTES ? head->len : 0;
	if (head->phase == PHASE_TAKING)
		return n > MARK_BYTES && memcmp(data + n - MARK_BYTES, head->mark, MARK_BYTES) != 0 ? n : 0;
	while (n > 0 && data[n - 1] == FILLER)
		n--;
	return head->phase == PHASE_READING ? n : 0;
}

static bool give_rests(struct head *head, struct unlogged_rest ret[2])
{
	bool any = false;

	for (size_t i = 0; i < STREAMS; i++) {
		const struct kept *kept = &head->kept[i];

		if (kept->len == 0 || kept->len > RELAY_READ_BYTES)
			continue;
		ret[i] = (struct unlogged_rest) { .from = kept->from, .len = kept->len, .data = xmalloc(kept->len) };
		memcpy(ret[i].data, buffer(head, i ? STREAM_STDERR : STREAM_STDOUT), kept->len);
		any = true;
	}
	return any;
}

/* The logs have it now. A client may lack it as long as it has not come back, and we may be killed, too. */
static void settle(struct head *head, size_t last)
{
	if (head->phase == PHASE_IDLE)
		return;
	head->kept[head->stream == STREAM_STDERR].len = (uint32_t)last;
	set_phase(head, PHASE_IDLE);
}

void unlogged_replay(int dir_fd, const char *process, struct logs *logs, struct unlogged_rest ret_rest[2])
{
	cleanup_free char *name = file_name(process);
	cleanup_fd int fd = openat(dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	bool wanted = false;
	struct head *head;
	struct stat st;
	size_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (st.st_size != FILE_BYTES && st.st_size != VERSION_1_BYTES))
		return;
	head = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (head == MAP_FAILED)
		return;
	n = is_ours(head, st.st_size) ? came_in(head) : 0;
	if (n > 0 && logs)
		logs_write_again(logs, head->marks, head->stream == STREAM_STDERR ? STREAM_STDERR : STREAM_STDOUT,
				 present_buffer(head), n);
	if (ret_rest && is_ours(head, st.st_size) && head->version != 1) {
		settle(head, n);
		wanted = give_rests(head, ret_rest);
	}
	munmap(head, (size_t)st.st_size);
	if (!wanted)
		unlinkat(dir_fd, name, 0);
}

void unlogged_drop(int dir_fd, const char *process)
{
	cleanup_free char *name = file_name(process);

	unlinkat(dir_fd, name, 0);
}

void unlogged_rest_release(struct unlogged_rest *r)
{
	free(r->data);
	*r = (struct unlogged_rest) { 0 };
}
