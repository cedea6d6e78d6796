/* SPDX-License-Identifier: Apache-2.0 */
/* Moving bytes without ever waiting: every kind of end, a reader that is slow, gone or full, and the detach keys on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "client/pump.h"
#include "common/fd.h"

#define TIMEOUT_S 20 /* a pump that blocks is ended by SIGALRM */

struct ends {
	int from, feed; /* the pump reads `from`, the test writes `feed` */
	int to, sink;   /* the pump writes `to`, the test reads `sink` */
};

enum kind { KIND_PIPE, KIND_FIFO, KIND_SOCKET };

static void make_pair(enum kind kind, int *ret_read, int *ret_write)
{
	int fd[2];

	if (kind == KIND_SOCKET) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	} else if (kind == KIND_PIPE) {
		assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	} else {
		char dir[] = "/tmp/pump_test.XXXXXX", path[64];

		assert_non_null(mkdtemp(dir));
		snprintf(path, sizeof(path), "%s/fifo", dir);
		assert_int_equal(mkfifo(path, 0600), 0);
		fd[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		fd[1] = open(path, O_WRONLY | O_CLOEXEC);
		assert_true(fd[0] >= 0 && fd[1] >= 0);
		assert_int_equal(fcntl(fd[0], F_SETFL, O_RDONLY), 0);
		unlink(path);
		rmdir(dir);
	}
	*ret_read = fd[0];
	*ret_write = fd[1];
}

static void ends_init(struct ends *e, enum kind from, enum kind to)
{
	make_pair(from, &e->from, &e->feed);
	make_pair(to, &e->sink, &e->to);
}

static void ends_release(struct ends *e)
{
	fd_close(&e->from);
	fd_close(&e->feed);
	fd_close(&e->to);
	fd_close(&e->sink);
}

/* One turn of a loop: what poll(2) says within no time, then the pump. */
static void turn(struct pump *p)
{
	struct pollfd polled;

	pump_poll(p, &polled);
	poll(&polled, 1, 0);
	if (polled.fd >= 0 && polled.revents)
		pump_move(p, &polled);
}

static void expect_nonblock_unset(int fd)
{
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

/* More than all buffers hold, fed and drained in turns; then the end. */
static void move_all(enum kind from, enum kind to)
{
	enum { TOTAL = 1 << 20, STEP = 3001 };
	size_t fed = 0, got = 0;
	struct ends e;
	struct pump p;

	ends_init(&e, from, to);
	pump_init(&p, e.from, e.to, NULL);
	while (got < TOTAL) {
		unsigned char buf[STEP];
		struct pollfd feed = { .fd = e.feed, .events = POLLOUT }, sink = { .fd = e.sink, .events = POLLIN };
		ssize_t n;

		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (unsigned char)((fed + i) % 251);
		if (fed < TOTAL && poll(&feed, 1, 0) > 0) {
			n = write(e.feed, buf, TOTAL - fed < sizeof(buf) ? TOTAL - fed : sizeof(buf));
			assert_true(n > 0);
			fed += (size_t)n;
		}
		turn(&p);
		while (poll(&sink, 1, 0) > 0 && (n = read(e.sink, buf, sizeof(buf))) > 0)
			for (ssize_t i = 0; i < n; i++)
				assert_int_equal(buf[i], got++ % 251);
	}
	assert_int_equal(p.state, PUMP_OPEN);
	fd_close(&e.feed);
	turn(&p);
	assert_int_equal(p.state, PUMP_ENDED);
	expect_nonblock_unset(e.from);
	expect_nonblock_unset(e.to);
	pump_release(&p);
	ends_release(&e);
}

static void every_kind_of_end(void **state)
{
	for (int from = KIND_PIPE; from <= KIND_SOCKET; from++)
		for (int to = KIND_PIPE; to <= KIND_SOCKET; to++)
			move_all((enum kind)from, (enum kind)to);
}

/* From pipe to pipe they are not copied: the same bytes all the same, and a full pipe is waited for. */
static void large_pieces_between_pipes(void **state)
{
	enum { TOTAL = 4 << 20, PIECE = 50000 };
	static unsigned char buf[PIECE];
	size_t fed = 0, got = 0, spliced = 0, full = 0;
	struct ends e;
	struct pump p;

	ends_init(&e, KIND_PIPE, KIND_PIPE);
	fcntl(e.feed, F_SETFL, O_WRONLY | O_NONBLOCK);
	pump_init(&p, e.from, e.to, NULL);
	for (int round = 0; got < TOTAL; round++) {
		struct pollfd sink = { .fd = e.sink, .events = POLLIN };
		size_t len = TOTAL - fed < sizeof(buf) ? TOTAL - fed : sizeof(buf);
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			buf[i] = (unsigned char)((fed + i) % 251);
		n = len > 0 ? write(e.feed, buf, len) : 0;
		fed += n > 0 ? (size_t)n : 0;
		turn(&p);
		spliced += p.much;
		full += p.full;
		assert_true(!p.full || pump_pending(&p));
		if (round % 3 || poll(&sink, 1, 0) <= 0)
			continue;
		n = read(e.sink, buf, sizeof(buf));
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], got++ % 251);
	}
	assert_true(spliced > 0 && full > 0);
	fd_close(&e.sink);
	assert_true(write(e.feed, buf, sizeof(buf)) > 0);
	turn(&p);
	turn(&p);
	assert_int_equal(p.state, PUMP_BROKEN);
	pump_release(&p);
	ends_release(&e);
}

/* It is full when the end comes, and nobody reads from it. */
static void the_end_is_seen_past_a_full_pipe(void **state)
{
	static char page[4096];
	struct ends e;
	struct pump p;

	ends_init(&e, KIND_PIPE, KIND_PIPE);
	pump_init(&p, e.from, e.to, NULL);
	for (int i = 0; i < 16; i++)
		assert_int_equal(write(e.feed, page, sizeof(page)), sizeof(page));
	for (int i = 0; i < 16; i++)
		turn(&p);
	p.much = true;
	fd_close(&e.feed);
	turn(&p);
	assert_int_equal(p.state, PUMP_ENDED);
	assert_int_equal(p.got, 65536);
	pump_release(&p);
	ends_release(&e);
}

static void a_reader_that_does_not_read_blocks_nobody(void **state)
{
	for (int to = KIND_PIPE; to <= KIND_SOCKET; to++) {
		char buf[4096] = { 0 };
		struct ends e;
		struct pump p;
		size_t fed = 0;

		ends_init(&e, KIND_PIPE, (enum kind)to);
		pump_init(&p, e.from, e.to, NULL);
		fcntl(e.feed, F_SETFL, O_WRONLY | O_NONBLOCK);
		for (int idle = 0; idle < 100; idle++) {
			ssize_t n = write(e.feed, buf, sizeof(buf));

			if (n > 0) {
				fed += (size_t)n;
				idle = 0;
			}
			turn(&p);
		}
		/* The writer is held back: all buffers are full, and not one byte more was taken. */
		assert_int_equal(p.state, PUMP_OPEN);
		assert_true(p.len > 0 && fed < (8 << 20));
		pump_release(&p);
		ends_release(&e);
	}
}

static void a_reader_that_is_gone_is_told(void **state)
{
	struct ends e;
	struct pump p;

	ends_init(&e, KIND_PIPE, KIND_PIPE);
	pump_init(&p, e.from, e.to, NULL);
	fd_close(&e.sink);
	turn(&p);
	assert_int_equal(p.state, PUMP_OPEN); /* nothing to write: nothing to notice */
	assert_int_equal(write(e.feed, "x", 1), 1);
	turn(&p);
	assert_int_equal(p.state, PUMP_BROKEN);
	assert_int_equal(p.sys_errno, EPIPE);
	pump_release(&p);
	ends_release(&e);
}

static void a_full_disk_is_told(void **state)
{
	struct ends e;
	struct pump p;

	ends_init(&e, KIND_PIPE, KIND_PIPE);
	fd_close(&e.to);
	e.to = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(e.to >= 0);
	pump_init(&p, e.from, e.to, NULL);
	assert_int_equal(write(e.feed, "x", 1), 1);
	turn(&p);
	assert_int_equal(p.state, PUMP_BROKEN);
	assert_int_equal(p.sys_errno, ENOSPC);
	pump_release(&p);
	ends_release(&e);
}

static void files_are_read_to_their_end(void **state)
{
	char path[] = "/tmp/pump_test.XXXXXX", buf[8];
	int file = mkstemp(path);
	struct ends e;
	struct pump p;

	assert_true(file >= 0);
	assert_int_equal(write(file, "hello", 5), 5);
	lseek(file, 0, SEEK_SET);
	ends_init(&e, KIND_PIPE, KIND_PIPE);
	pump_init(&p, file, e.to, NULL);
	turn(&p);
	assert_int_equal(p.state, PUMP_ENDED);
	assert_int_equal(read(e.sink, buf, sizeof(buf)), 5);
	pump_release(&p);
	ends_release(&e);
	close(file);
	unlink(path);
}

static void a_stream_that_is_not_there_has_ended(void **state)
{
	struct pollfd polled;
	struct pump p;

	pump_init(&p, -1, STDOUT_FILENO, NULL);
	assert_int_equal(p.state, PUMP_ENDED);
	pump_poll(&p, &polled);
	assert_int_equal(polled.fd, -1);
	pump_release(&p);
}

static void keys_leave_and_what_came_before_goes_through(void **state)
{
	struct keys keys;
	struct ends e;
	struct pump p;
	struct err err;
	char buf[8];

	assert_int_equal(keys_parse(KEYS_DEFAULT, &keys, &err), 0);
	ends_init(&e, KIND_PIPE, KIND_PIPE);
	pump_init(&p, e.from, e.to, &keys);
	assert_int_equal(write(e.feed, "a\020", 2), 2);
	turn(&p);
	assert_int_equal(p.state, PUMP_OPEN);
	assert_int_equal(read(e.sink, buf, sizeof(buf)), 1);
	assert_int_equal(write(e.feed, "b\020\021c", 4), 4);
	turn(&p);
	assert_int_equal(p.state, PUMP_LEFT);
	assert_int_equal(read(e.sink, buf, sizeof(buf)), 2);
	assert_memory_equal(buf, "\020b", 2);
	pump_release(&p);
	ends_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_end),
		cmocka_unit_test(large_pieces_between_pipes),
		cmocka_unit_test(the_end_is_seen_past_a_full_pipe),
		cmocka_unit_test(a_reader_that_does_not_read_blocks_nobody),
		cmocka_unit_test(a_reader_that_is_gone_is_told),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(files_are_read_to_their_end),
		cmocka_unit_test(a_stream_that_is_not_there_has_ended),
		cmocka_unit_test(keys_leave_and_what_came_before_goes_through),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(TIMEOUT_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
