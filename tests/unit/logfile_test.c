/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a log across rotation and truncation, and finding its last lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "client/logfile.h"
#include "common/fd.h"
#include "common/logfmt.h"

static char dir[] = "/tmp/logfile_test.XXXXXX";
static char *path, *path1, *path2, *path3;

static int set_up(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	path = xasprintf("%s/ctr.log", dir);
	path1 = xasprintf("%s.1", path);
	path2 = xasprintf("%s.2", path);
	path3 = xasprintf("%s.3", path);
	return 0;
}

static int tear_down(void **state)
{
	unlink(path);
	unlink(path1);
	unlink(path2);
	unlink(path3);
	free(path);
	free(path1);
	free(path2);
	free(path3);
	return rmdir(dir);
}

static int clear(void **state)
{
	unlink(path);
	unlink(path1);
	unlink(path2);
	unlink(path3);
	return 0;
}

static void append(const char *to, const char *text)
{
	FILE *f = fopen(to, "a");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Oldest first: 1, 2, 3. */
static void three_files(void)
{
	append(path2, "1");
	append(path1, "2");
	append(path, "3");
}

static void rotate(void)
{
	rename(path1, path2);
	assert_int_equal(rename(path, path1), 0);
}

static void number_rotation(const char *of, uint64_t n)
{
	cleanup_fd int fd = open(of, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	logfmt_set_rotation(fd, n);
	assert_int_equal(logfmt_rotation(fd), n);
}

/* Everything from here on. */
static void expect(struct logfile *f, const char *text)
{
	char buf[256];
	size_t have = 0;
	struct err err;
	ssize_t n;

	while ((n = logfile_read(f, buf + have, sizeof(buf) - 1 - have, &err)) > 0)
		have += (size_t)n;
	assert_int_equal(n, 0);
	buf[have] = '\0';
	assert_string_equal(buf, text);
}

static void rotation_loses_nothing(void **state)
{
	cleanup_logfile struct logfile f = LOGFILE_NONE;
	struct err err;

	append(path, "a");
	assert_int_equal(logfile_open(&f, path, &err), 0);
	expect(&f, "a");
	append(path, "b");
	rotate();
	append(path, "c");
	rotate(); /* twice between two reads */
	append(path, "d");
	expect(&f, "bcd");
	rotate();
	append(path1, "e"); /* a writer that had it still open */
	expect(&f, "e");
	append(path, "f");
	expect(&f, "f");
	expect(&f, "");
}

static void old_files_come_first(void **state)
{
	cleanup_logfile struct logfile f = LOGFILE_NONE;
	struct err err;

	three_files();
	assert_int_equal(logfile_open(&f, path, &err), 0);
	expect(&f, "123");
}

/* In the middle of a rotation, or since somebody removed a file. */
static void a_number_that_is_free_ends_nothing(void **state)
{
	cleanup_logfile struct logfile f = LOGFILE_NONE;
	struct err err;

	three_files();
	assert_int_equal(logfile_open(&f, path, &err), 0);
	assert_int_equal(rename(path2, path3), 0);
	expect(&f, "123");
	assert_false(f.may_have_missed);
	assert_int_equal(rename(path, path1), 0);
	expect(&f, "");
	append(path, "4");
	expect(&f, "4");
	assert_int_equal(f.missed_files, 0);
}

static void a_file_that_was_removed_in_between_is_told(void **state)
{
	cleanup_logfile struct logfile f = LOGFILE_NONE;
	struct err err;

	three_files();
	number_rotation(path2, 4);
	number_rotation(path1, 5);
	number_rotation(path, 6);
	assert_int_equal(logfile_open(&f, path, &err), 0);
	assert_int_equal(unlink(path1), 0);
	expect(&f, "13");
	assert_int_equal(f.missed_files, 1);
	assert_false(f.may_have_missed);
}

static void a_truncated_log_is_read_from_its_start(void **state)
{
	cleanup_logfile struct logfile f = LOGFILE_NONE;
	struct err err;

	append(path, "abcdef");
	assert_int_equal(logfile_open(&f, path, &err), 0);
	expect(&f, "abcdef");
	assert_int_equal(truncate(path, 0), 0);
	append(path, "xy");
	expect(&f, "xy");
}

static void a_log_may_not_be_there_yet(void **state)
{
	cleanup_logfile struct logfile f = LOGFILE_NONE;
	struct err err;

	assert_int_equal(logfile_open(&f, path, &err), 0);
	expect(&f, "");
	append(path, "x");
	expect(&f, "x");
}

/* "F" and "P" records of stdout whose text is the letter. */
static void record(const char *to, char kind, const char *text)
{
	cleanup_free char *line = xasprintf("2026-11-23T20:30:00.000000000+00:00 stdout %c %s\n", kind, text);

	append(to, line);
}

static void expect_tail(uint64_t n, const char *first, int lines)
{
	cleanup_logfile struct logfile f = LOGFILE_NONE;
	char buf[4096];
	size_t have = 0;
	struct err err;
	ssize_t got;
	int newlines = 0;

	assert_int_equal(logfile_seek_tail(&f, path, log_format_find("k8s-file"), n, &err), 0);
	while ((got = logfile_read(&f, buf + have, sizeof(buf) - 1 - have, &err)) > 0)
		have += (size_t)got;
	buf[have] = '\0';
	for (const char *p = buf; *p; p++)
		newlines += *p == '\n';
	if (newlines != lines)
		fail_msg("tail %llu has %d records: %s", (unsigned long long)n, newlines, buf);
	if (first && strncmp(strchr(buf, '+') + 16, first, strlen(first)) != 0)
		fail_msg("tail %llu begins with: %s", (unsigned long long)n, buf);
}

static void tails(void **state)
{
	record(path1, 'F', "a");
	record(path1, 'F', "b");
	record(path, 'F', "c");
	record(path, 'P', "d");
	record(path, 'P', "d2");
	record(path, 'F', "d3");
	record(path, 'F', "e");
	expect_tail(0, NULL, 0);
	expect_tail(1, "e", 1);
	expect_tail(2, "d", 4); /* three records are one line */
	expect_tail(3, "c", 5);
	expect_tail(4, "b", 6); /* from the rotated file */
	expect_tail(5, "a", 7);
	expect_tail(99, "a", 7);
}

static void tail_of_lines_that_are_no_records(void **state)
{
	append(path, "one\ntwo\nthree\n");
	expect_tail(2, NULL, 2);
	expect_tail(3, NULL, 3);
	append(path, "unfinished");
	expect_tail(1, NULL, 1); /* what is not finished comes on top */
}

static void expect_raw_tail(uint64_t n, const char *text)
{
	cleanup_logfile struct logfile f = LOGFILE_NONE;
	struct err err;

	assert_int_equal(logfile_seek_tail(&f, path, log_format_find("raw"), n, &err), 0);
	expect(&f, text);
}

static void an_unfinished_line_is_the_last_also_before_a_file_that_is_new(void **state)
{
	append(path1, "one\ntwo\npart");
	append(path, "");
	expect_raw_tail(0, "");
	expect_raw_tail(1, "part");
	expect_raw_tail(2, "two\npart");
	append(path, "ing\n");
	expect_raw_tail(1, "parting\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rotation_loses_nothing, clear),
		cmocka_unit_test_setup(old_files_come_first, clear),
		cmocka_unit_test_setup(a_number_that_is_free_ends_nothing, clear),
		cmocka_unit_test_setup(a_file_that_was_removed_in_between_is_told, clear),
		cmocka_unit_test_setup(a_truncated_log_is_read_from_its_start, clear),
		cmocka_unit_test_setup(a_log_may_not_be_there_yet, clear),
		cmocka_unit_test_setup(tails, clear),
		cmocka_unit_test_setup(tail_of_lines_that_are_no_records, clear),
		cmocka_unit_test_setup(an_unfinished_line_is_the_last_also_before_a_file_that_is_new, clear),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
