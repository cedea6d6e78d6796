/* SPDX-License-Identifier: Apache-2.0 */
/* The log drivers, written in pieces that cut lines and characters anywhere: what is read back is what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <endian.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/logfmt.h"
#include "common/logjson.h"
#include "shim/stdio/log.h"

static char dir[] = "/tmp/log_test.XXXXXX";
static char *path;

static int set_up(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	path = xasprintf("%s/log", dir);
	return 0;
}

static int clear(void **state)
{
	unlink(path);
	return 0;
}

static int tear_down(void **state)
{
	clear(state);
	free(path);
	return rmdir(dir);
}

static struct logs *open_log(const char *driver)
{
	struct log_options o = { .path = path, .socket = path, .id = "some-container", .max_files = 1 };
	struct logs *logs = logs_new(NULL, NULL);
	struct err err;

	assert_int_equal(logs_add(logs, log_driver_find(driver), &o, &err), 0);
	return logs;
}

/* Numbered lines of all lengths, some far longer than a record may be, and no newline at the end. */
static char *make_text(size_t *ret_len)
{
	size_t room = 600000, len = 0;
	char *text = xmalloc(room);

	for (int i = 0; len < 400000; i++) {
		len += (size_t)sprintf(text + len, "%d \xe2\x82\xac\"<", i);
		for (int k = i % 97 ? i % 300 : 40000; k > 0; k--)
			text[len++] = i % 3 ? 'x' : '\x01';
		text[len++] = '\n';
	}
	len += (size_t)sprintf(text + len, "the end");
	*ret_len = len;
	return text;
}

static void write_in_pieces(struct logs *logs, const char *text, size_t len, size_t step)
{
	for (size_t at = 0; at < len; at += step)
		logs_write(logs, STREAM_STDOUT, text + at, len - at < step ? len - at : step);
	logs_finish(logs, false);
}

static void expect_text(const char *driver, const char *text, size_t len, size_t step)
{
	cleanup_free char *have = NULL, *got = xmalloc(len + 1);
	bool json = !strcmp(driver, "json-file");
	size_t have_len, got_len = 0;
	struct err err;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct logfmt_record r;

	assert_int_equal(fd_read_all(fd, 64 << 20, &have, &have_len, &err), 0);
	close(fd);
	for (char *p = have, *nl; p < have + have_len; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(have + have_len - p));
		assert_non_null(nl);
		if (!(json ? logjson_parse(p, (size_t)(nl - p), &r) : logfmt_parse(p, (size_t)(nl - p), &r)))
			fail_msg("%s in steps of %zu: no record: %.*s", driver, step, (int)(nl - p), p);
		assert_true(got_len + r.text_len + r.full <= len);
		memcpy(got + got_len, r.text, r.text_len);
		got_len += r.text_len;
		if (r.full)
			got[got_len++] = '\n';
	}
	assert_int_equal(got_len, len);
	assert_memory_equal(got, text, len);
}

static void records_of_any_piece_are_the_text(void **state)
{
	static const char *const names[] = { "k8s-file", "json-file" };
	static const size_t steps[] = { 7, 61, 4096, 16384, 16385, 65535, 65536 };
	size_t len;
	cleanup_free char *text = make_text(&len);

	for (size_t d = 0; d < ARRAY_SIZE(names); d++)
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			struct logs *logs;

			unlink(path);
			logs = open_log(names[d]);
			write_in_pieces(logs, text, len, steps[i]);
			logs_free(logs);
			expect_text(names[d], text, len, steps[i]);
		}
}

/* ---- the journal ------------------------------------------------------------------------------- */

static int listen_journal(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* The next message; *ret_file: it came as a sealed file. Returns its length, -1: there is none. */
static ssize_t next_message(int fd, char *buf, size_t size, bool *ret_file)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { buf, size };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(fd, &msg, 0);
	const struct cmsghdr *c;
	int file;

	*ret_file = false;
	if (n != 0)
		return n;
	c = CMSG_FIRSTHDR(&msg);
	assert_non_null(c);
	memcpy(&file, CMSG_DATA(c), sizeof(file));
	assert_int_equal(fcntl(file, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	n = pread(file, buf, size, 0);
	close(file);
	*ret_file = true;
	return n;
}

/* The value of MESSAGE, which comes with its length. */
static const char *message_of(const char *buf, size_t n, size_t *ret_len)
{
	const char *at = memmem(buf, n, "\nMESSAGE\n", 9);
	uint64_t len;

	assert_non_null(at);
	memcpy(&len, at + 9, sizeof(len));
	*ret_len = (size_t)le64toh(len);
	assert_true(at + 17 + *ret_len < buf + n);
	return at + 17;
}

static void a_message_too_large_goes_as_a_sealed_file(void **state)
{
	int journal = listen_journal();
	struct logs *logs = open_log("journald");
	char text[12001], buf[32768];
	const char *message;
	size_t len;
	bool file;
	ssize_t n;

	/* The next descriptor after the socket's is the log's: the least that a socket may send at once is some 2 KiB. */
	assert_int_equal(setsockopt(journal + 1, SOL_SOCKET, SO_SNDBUF, &(int) { 1 }, sizeof(int)), 0);
	memset(text, 'z', sizeof(text));
	text[12000] = '\n';
	logs_write(logs, STREAM_STDOUT, text, sizeof(text));
	n = next_message(journal, buf, sizeof(buf), &file);
	assert_true(n > 0);
	assert_true(file);
	message = message_of(buf, (size_t)n, &len);
	assert_int_equal(len, 12000);
	assert_memory_equal(message, text, len);
	logs_free(logs);
	close(journal);
}

static void a_journal_that_does_not_read_loses_by_count(void **state)
{
	int journal = listen_journal();
	struct logs *logs = open_log("journald");
	const struct log *l = logs_at(logs, 0);
	char buf[4096];
	size_t sent = 0, arrived = 0, len;
	bool file, told = false;
	ssize_t n;

	while (!l->loss.failing && sent < 100000) {
		logs_write(logs, STREAM_STDERR, "0123456789\n", 11);
		sent++;
	}
	assert_true(l->loss.failing);
	assert_int_equal(l->loss.stderr_bytes, 11);
	while ((n = next_message(journal, buf, sizeof(buf), &file)) > 0)
		arrived++;
	assert_int_equal(arrived, sent - 1);
	logs_write(logs, STREAM_STDERR, "back\n", 5);
	assert_false(l->loss.failing);
	while ((n = next_message(journal, buf, sizeof(buf), &file)) > 0) {
		const char *message = message_of(buf, (size_t)n, &len);

		told = told || (len > 30 && !memcmp(message, "thole: 11 bytes of output are missing", 37));
	}
	assert_true(told);
	logs_free(logs);
	close(journal);
}

static void lines_of_any_piece_are_messages(void **state)
{
	static const size_t steps[] = { 1, 7, 100, 16384, 40000 };
	size_t size = 50100;
	cleanup_free char *text = xmalloc(size), *got = xmalloc(size), *buf = xmalloc(65536);

	/* One of 16384 bytes, which just fits, and one that does not. */
	memset(text, 'a', size);
	text[16384] = text[50000] = text[50001] = text[size - 1] = '\n';
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int journal = listen_journal(), messages = 0;
		struct logs *logs = open_log("journald");
		size_t have = 0, len;
		bool file;
		ssize_t n;

		write_in_pieces(logs, text, size, steps[i]);
		while ((n = next_message(journal, buf, 65536, &file)) > 0) {
			const char *message = message_of(buf, (size_t)n, &len);

			assert_true(have + len < size);
			memcpy(got + have, message, len);
			have += len;
			if (!memmem(buf, (size_t)n, "\nCONTAINER_PARTIAL_MESSAGE=true\n", 32))
				got[have++] = '\n';
			messages++;
		}
		assert_int_equal(have, size);
		assert_memory_equal(got, text, size);
		assert_int_equal(messages, 6);
		logs_free(logs);
		close(journal);
		unlink(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(records_of_any_piece_are_the_text, clear),
		cmocka_unit_test_setup(a_message_too_large_goes_as_a_sealed_file, clear),
		cmocka_unit_test_setup(a_journal_that_does_not_read_loses_by_count, clear),
		cmocka_unit_test_setup(lines_of_any_piece_are_messages, clear),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
