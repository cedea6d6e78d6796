/* SPDX-License-Identifier: Apache-2.0 */
/* What has been read from a container and may not be in its logs yet.
 *
 * Runs in the shim, which may be killed between any two instructions. The order of the stores is what counts, so the compiler is kept from changing it; the kernel keeps the pages.
 *
 * Killed within read(2) itself, nobody has noted how much came. The buffer is filled before with a byte that no UTF-8 text has: what is something else was read. Of other data the
 * last bytes may happen to look like the filler, one time in 256 for one byte; that is what can be lost then. */
#include "shim/stdio/unlogged.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "shim/stdio/relay_internal.h"

#define VERSION 1
#define FILLER 0xfe
#define HEAD_BYTES 4096
#define FILE_BYTES (HEAD_BYTES + RELAY_READ_BYTES)

enum phase { PHASE_IDLE = 0, PHASE_READING = 1, PHASE_LOGGING = 2 };

struct head {
	char magic[8]; /* "THOLE\0UN" */
	uint32_t version;
	uint32_t phase;
	uint32_t stream;
	uint32_t len;   /* PHASE_LOGGING: bytes */
	uint32_t dirty; /* so much at the buffer's beginning may not be the filler */
	struct log_mark marks[LOG_DRIVERS_MAX];
};
_Static_assert(sizeof(struct head) <= HEAD_BYTES, "the head is one page");

static const char magic[8] = { 'T', 'H', 'O', 'L', 'E', 0, 'U', 'N' };

struct unlogged {
	int dir_fd;        /* borrowed */
	struct head *head; /* NULL: not mapped */
	bool no_room;      /* until the next time of rest */
};

struct unlogged *unlogged_new(int dir_fd)
{
	struct unlogged *u = xcalloc(1, sizeof(*u));

	u->dir_fd = dir_fd;
	return u;
}

void unlogged_free(struct unlogged *u)
{
	if (u && u->head)
		munmap(u->head, FILE_BYTES);
	free(u);
}

static char *buffer(struct head *head)
{
	return (char *)head + HEAD_BYTES;
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

/* With all its pages there: touching one for which there is no room would be a signal. */
static struct head *map_file(int dir_fd)
{
	cleanup_fd int fd = openat(dir_fd, UNLOGGED_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	void *p;

	if (fd < 0 || posix_fallocate(fd, 0, FILE_BYTES) != 0)
		return NULL;
	p = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

char *unlogged_begin(struct unlogged *u, struct logs *logs, Stream stream)
{
	struct head *head = u->head;

	if (u->no_room)
		return NULL;
	if (!head) {
		head = u->head = map_file(u->dir_fd);
		u->no_room = !head;
		if (!head)
			return NULL;
		set_phase(head, PHASE_IDLE);
		memcpy(head->magic, magic, sizeof(magic));
		head->version = VERSION;
		head->dirty = RELAY_READ_BYTES;
	}
	memset(buffer(head), FILLER, head->dirty);
	head->dirty = 0;
	head->stream = stream;
	logs_mark(logs, head->marks);
	set_phase(head, PHASE_READING);
	return buffer(head);
}

bool unlogged_is_made(const struct unlogged *u)
{
	return u->head != NULL;
}

void unlogged_got(struct unlogged *u, size_t n)
{
	struct head *head = u->head;

	if (!head)
		return;
	head->len = (uint32_t)n;
	head->dirty = (uint32_t)n;
	set_phase(head, n > 0 ? PHASE_LOGGING : PHASE_IDLE);
}

void unlogged_done(struct unlogged *u, struct logs *logs)
{
	if (!u->head)
		return;
	set_phase(u->head, PHASE_IDLE);
	logs_mark(logs, NULL);
}

void unlogged_trim(struct unlogged *u)
{
	u->no_room = false;
	if (!u->head)
		return;
	munmap(u->head, FILE_BYTES);
	u->head = NULL;
	unlinkat(u->dir_fd, UNLOGGED_FILE, 0);
}

/* ---- going on ------------------------------------------------------------------------------------------------------------ */

static size_t came_in(const struct head *head)
{
	const unsigned char *data = (const unsigned char *)head + HEAD_BYTES;
	size_t n = RELAY_READ_BYTES;

	if (head->phase == PHASE_LOGGING)
		return head->len <= RELAY_READ_BYTES ? head->len : 0;
	while (n > 0 && data[n - 1] == FILLER)
		n--;
	return head->phase == PHASE_READING ? n : 0;
}

void unlogged_replay(int dir_fd, struct logs *logs)
{
	cleanup_fd int fd = openat(dir_fd, UNLOGGED_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct head *head;
	struct stat st;
	size_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != FILE_BYTES)
		return;
	head = mmap(NULL, FILE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
	if (head == MAP_FAILED)
		return;
	n = came_in(head);
	if (memcmp(head->magic, magic, sizeof(magic)) == 0 && head->version == VERSION && n > 0)
		logs_write_again(logs, head->marks, head->stream == STREAM_STDERR ? STREAM_STDERR : STREAM_STDOUT,
				 buffer(head), n);
	munmap(head, FILE_BYTES);
	unlinkat(dir_fd, UNLOGGED_FILE, 0);
}
