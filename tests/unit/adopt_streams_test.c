/* SPDX-License-Identifier: Apache-2.0 */
/* What a shim that was killed has left, and how the next one goes on: bytes between read and log, a half finished rotation, pipes among a process's descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/stdio/log.h"
#include "shim/stdio/pipe_find.h"
#include "shim/stdio/relay_internal.h"
#include "shim/stdio/unlogged.h"

static char dir[64];
static char *path;
static int dir_fd;

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/adopt_streams_test.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	path = xasprintf("%s/ctr.log", dir);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	cleanup_free char *command = xasprintf("rm -rf '%s'", dir);

	free(path);
	close(dir_fd);
	return system(command);
}

static struct logs *open_logs(bool fresh)
{
	struct logs *logs = logs_new(NULL, NULL);
	struct log_options o = { .path = path, .fresh = fresh, .later = !fresh, .max_files = 4 };
	struct err err;

	assert_int_equal(logs_add(logs, log_driver_find("raw"), &o, &err), 0);
	return logs;
}

static void put(const char *name, const char *text)
{
	struct err err;

	assert_int_equal(fd_replace_file_at(dir_fd, name, text, strlen(text), 0600, &err), 0);
}

static void check(const char *name, const char *text)
{
	cleanup_free char *found = NULL;
	struct err err;

	assert_int_equal(fd_read_file_at(dir_fd, name, 1 << 20, &found, &err), 0);
	assert_string_equal(found, text);
}

static void replay(void)
{
	struct logs *logs = open_logs(false);

	unlogged_replay(dir_fd, "", logs, NULL);
	logs_free(logs);
	assert_int_equal(faccessat(dir_fd, UNLOGGED_FILE, F_OK, 0), -1);
}

/* As far as a shim comes with some bytes before it is killed. */
enum moment { IN_READ, BEFORE_LOG, IN_LOG, AFTER_LOG, ALL_DONE };

static void killed_at(enum moment moment, const char *text)
{
	struct logs *logs = open_logs(true);
	struct unlogged *u = unlogged_new(dir_fd, "");
	char *buf;

	logs_write(logs, STREAM_STDOUT, "before\n", 7);
	buf = unlogged_begin(u, logs, STREAM_STDOUT, 0, RELAY_READ_BYTES, false);
	assert_non_null(buf);
	memcpy(buf, text, strlen(text));
	if (moment >= BEFORE_LOG)
		unlogged_got(u, strlen(text));
	if (moment == IN_LOG) {
		cleanup_fd int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

		assert_int_equal(write(fd, text, 3), 3);
	}
	if (moment >= AFTER_LOG)
		logs_write(logs, STREAM_STDOUT, text, strlen(text));
	if (moment >= ALL_DONE)
		unlogged_done(u, logs);
	unlogged_free(u);
	logs_free(logs);
}

static void nothing_is_lost_or_repeated(void **state)
{
	for (int moment = IN_READ; moment <= ALL_DONE; moment++) {
		killed_at((enum moment)moment, "some text\n");
		replay();
		check("ctr.log", "before\nsome text\n");
	}
}

static void a_second_use_is_as_good_as_the_first(void **state)
{
	struct logs *logs = open_logs(true);
	struct unlogged *u = unlogged_new(dir_fd, "");
	char *buf = unlogged_begin(u, logs, STREAM_STDOUT, 0, RELAY_READ_BYTES, false);

	memcpy(buf, "a long line of text\n", 20);
	unlogged_got(u, 20);
	logs_write(logs, STREAM_STDOUT, buf, 20);
	unlogged_done(u, logs);
	buf = unlogged_begin(u, logs, STREAM_STDERR, 0, RELAY_READ_BYTES, false);
	memcpy(buf, "short\n", 6);
	unlogged_free(u);
	logs_free(logs);
	replay();
	check("ctr.log", "a long line of text\nshort\n");
}

/* Killed within a read that was sure to give all of it: whatever that ends with, it is there whole or not at all, and nothing of what was in the buffer before. */
static void what_was_there_came_whole_or_not_at_all(void **state)
{
	char text[100];

	memset(text, 0xfe, sizeof(text));
	for (int came = 0; came < 2; came++) {
		struct logs *logs = open_logs(true);
		struct unlogged *u = unlogged_new(dir_fd, "");
		cleanup_free char *said = NULL;
		char *buf = unlogged_begin(u, logs, STREAM_STDOUT, 0, RELAY_READ_BYTES, false);
		struct err err;
		size_t len;

		memset(buf, 'b', 200);
		unlogged_got(u, 200);
		unlogged_done(u, logs);
		buf = unlogged_begin(u, logs, STREAM_STDOUT, 200, sizeof(text), true);
		if (came)
			memcpy(buf, text, sizeof(text));
		unlogged_free(u);
		logs_free(logs);
		replay();
		assert_int_equal(fd_read_file_at(dir_fd, "ctr.log", 1000, &said, &err), 0);
		len = strlen(said);
		assert_int_equal(len, came ? sizeof(text) : 0);
		assert_memory_equal(said, text, len);
	}
}

/* What is left in the buffer by such a read is not taken for what a later, smaller one has brought. */
static void what_was_there_before_is_not_taken_for_new(void **state)
{
	struct logs *logs = open_logs(true);
	struct unlogged *u = unlogged_new(dir_fd, "");
	char *buf = unlogged_begin(u, logs, STREAM_STDOUT, 0, 5000, true);

	memset(buf, 'o', 5000);
	unlogged_got(u, 5000);
	unlogged_done(u, logs);
	buf = unlogged_begin(u, logs, STREAM_STDOUT, 5000, 40, false);
	memcpy(buf, "a few bytes\n", 12);
	unlogged_got(u, 12);
	unlogged_done(u, logs);
	buf = unlogged_begin(u, logs, STREAM_STDOUT, 5012, RELAY_READ_BYTES, false);
	memcpy(buf, "the last\n", 9);
	unlogged_free(u);
	logs_free(logs);
	replay();
	check("ctr.log", "the last\n");
}

static void what_a_client_may_lack_is_kept_of_both_streams(void **state)
{
	struct unlogged *u = unlogged_new(dir_fd, "7");
	struct unlogged_rest rest[2] = { 0 };
	char *buf = unlogged_begin(u, NULL, STREAM_STDERR, 5, 4096, false);

	memcpy(buf, "an old error", 12);
	unlogged_got(u, 12);
	unlogged_done(u, NULL);
	buf = unlogged_begin(u, NULL, STREAM_STDOUT, 100, 4096, false);
	memcpy(buf, "given to it only in part", 24);
	unlogged_got(u, 24);
	unlogged_done(u, NULL);
	buf = unlogged_begin(u, NULL, STREAM_STDERR, 17, RELAY_READ_BYTES, false);
	memcpy(buf, "err", 3); /* killed within the read */
	unlogged_free(u);

	unlogged_replay(dir_fd, "", NULL, rest);
	assert_int_equal(rest[0].len + rest[1].len, 0); /* that is another process */
	/* Whoever goes on may be killed, too, before the client is back. */
	for (int times = 0; times < 2; times++) {
		unlogged_replay(dir_fd, "7", NULL, rest);
		assert_int_equal(rest[0].from, 100);
		assert_int_equal(rest[0].len, 24);
		assert_memory_equal(rest[0].data, "given to it only in part", 24);
		assert_int_equal(rest[1].from, 17);
		assert_int_equal(rest[1].len, 3);
		assert_memory_equal(rest[1].data, "err", 3);
		for (int i = 0; i < 2; i++)
			unlogged_rest_release(&rest[i]);
	}
	u = unlogged_new(dir_fd, "7");
	unlogged_trim(u);
	unlogged_free(u);
	assert_int_equal(faccessat(dir_fd, UNLOGGED_FILE ".7", F_OK, 0), -1);
}

static void what_is_damaged_is_passed_over(void **state)
{
	put("ctr.log", "as it was\n");
	put(UNLOGGED_FILE, "xx");
	struct logs *logs = open_logs(false);

	unlogged_replay(dir_fd, "", logs, NULL);
	logs_free(logs);
	check("ctr.log", "as it was\n");
}

static void a_rotation_is_finished(void **state)
{
	/* Killed after .1 became .2: the log itself has not been moved yet. */
	put("ctr.log", "3\n");
	put("ctr.log.2", "2\n");
	put("ctr.log.3", "1\n");
	put("ctr.log.new", "");
	logs_free(open_logs(false));
	check("ctr.log", "");
	check("ctr.log.1", "3\n");
	check("ctr.log.2", "2\n");
	/* Killed before the last step. */
	put("ctr.log.new", "");
	unlink(path);
	logs_free(open_logs(false));
	check("ctr.log", "");
	check("ctr.log.1", "3\n");
	/* Killed before the first one. */
	put("ctr.log", "4\n");
	put("ctr.log.new", "");
	logs_free(open_logs(false));
	check("ctr.log", "4\n");
	check("ctr.log.1", "3\n");
	assert_int_equal(faccessat(dir_fd, "ctr.log.new", F_OK, 0), -1);
}

static void pipes_are_found_by_what_they_are(void **state)
{
	struct pipe_wanted wanted[2] = { { .fd = -1 }, { .fd = -1 } };
	int fds[2], ends[2];
	char text[8] = "";
	struct stat st;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fstat(fds[1], &st), 0);
	wanted[0].inode = st.st_ino;
	wanted[1].inode = 1; /* nobody's */
	assert_int_equal(write(fds[1], "kept", 4), 4);
	close(fds[0]);
	pipe_find(getpid(), wanted, 2);
	assert_true(wanted[0].fd >= 0);
	assert_int_equal(read(wanted[0].fd, text, sizeof(text)), 4);
	assert_string_equal(text, "kept");
	assert_int_equal(wanted[1].fd, -1);
	close(wanted[0].fd);
	close(fds[1]);
	close(ends[0]);
	close(ends[1]);
}

static void keys(void **state)
{
	assert_int_equal(pipe_inode("pipe:[77]"), 77);
	assert_int_equal(pipe_inode("/pipe:[77]"), 0);
	assert_int_equal(pipe_inode("pipe:[77"), 0);
	assert_int_equal(pipe_inode("socket:[77]"), 0);
	assert_int_equal(pipe_inode(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_lost_or_repeated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_use_is_as_good_as_the_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_there_came_whole_or_not_at_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_there_before_is_not_taken_for_new, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_client_may_lack_is_kept_of_both_streams, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_damaged_is_passed_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_rotation_is_finished, set_up, tear_down),
		cmocka_unit_test(pipes_are_found_by_what_they_are),
		cmocka_unit_test(keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
