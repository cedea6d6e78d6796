/* SPDX-License-Identifier: Apache-2.0 */
/* HOME from the container's passwd, whatever that file is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/user.h"

struct root {
	char path[64];
	int fd;
};

static int setup(void **state)
{
	struct root *r = xcalloc(1, sizeof(*r));

	strcpy(r->path, "/tmp/user_test.XXXXXX");
	if (!mkdtemp(r->path))
		return -1;
	r->fd = open(r->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = r;
	return mkdirat(r->fd, "etc", 0755);
}

static int teardown(void **state)
{
	struct root *r = *state;

	unlinkat(r->fd, "etc/passwd", 0);
	unlinkat(r->fd, "etc/passwd", AT_REMOVEDIR);
	unlinkat(r->fd, "etc/real", 0);
	unlinkat(r->fd, "etc", AT_REMOVEDIR);
	close(r->fd);
	rmdir(r->path);
	free(r);
	return 0;
}

static void write_file(const struct root *r, const char *name, const char *text, size_t len)
{
	struct err err;

	if (fd_replace_file_at(r->fd, name, text, len, 0644, &err) < 0)
		fail_msg("%s", err.text);
}

static void passwd(const struct root *r, const char *text, size_t len)
{
	int dir = openat(r->fd, "etc", O_PATH | O_DIRECTORY);
	struct root etc = { .fd = dir };

	write_file(&etc, "passwd", text, len);
	close(dir);
}

static void expect(const struct root *r, uid_t uid, const char *home)
{
	char buf[64] = "untouched";
	struct err err = { 0 };

	if (user_home(r->fd, uid, buf, sizeof(buf), &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf, home);
}

static void expect_in(const struct root *r, const char *text, uid_t uid, const char *home)
{
	passwd(r, text, strlen(text));
	expect(r, uid, home);
}

static void homes_are_found(void **state)
{
	static const char text[] = "root:x:0:0:root:/root:/bin/sh\n"
				   "# a remark\n"
				   "\n"
				   "a:x:1000:5::/home/a:/bin/sh\n"
				   "b:x:1000:5::/home/second\n"
				   "c:x:1001:5:c,,,:/home/c\n"
				   "d:x:4294967294:5::/d:";

	expect_in(*state, text, 0, "/root");
	expect(*state, 1000, "/home/a");
	expect(*state, 1001, "/home/c");
	expect(*state, 4294967294u, "/d");
	expect(*state, 5, "/");
	expect_in(*state, "z:x:7:7::/no/newline", 7, "/no/newline");
}

static void odd_lines_say_nothing(void **state)
{
	static const char *const lines[] = {
		"a:x:+7:7::/h:",
		"a:x: 7:7::/h:",
		"a:x:7x:7::/h:",
		"a:x:0x7:7::/h:",
		"a:x::7::/h:",
		"a:x:4294967303:7::/h:",
		"a:x:18446744073709551623:7::/h:",
		"a:x:-7:7::/h:",
		"a:x:7",
		"a:x:7:",
		"a:x:7:7:/h",
		"a:x:7:7::",
		"a:x:7:7:::/bin/sh",
		"a:x:7:7::relative:",
		":::::",
		"7",
		"a:x:7:7::/a/home/that/is/much/longer/than/the/buffer/of/the/caller/can/take/in:",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char *text = xasprintf("%s\n", lines[i]);

		expect_in(*state, text, 7, "/");
		free(text);
		/* The next line counts. */
		text = xasprintf("%s\nb:x:7:7::/good:/bin/sh\n", lines[i]);
		expect_in(*state, text, 7, "/good");
		free(text);
	}
	passwd(*state, "a:x:7:7::/a\0b:\nb:x:7:7::/good:\n", 32);
	expect(*state, 7, "/good");
}

static void no_file_is_no_error(void **state)
{
	struct root *r = *state;

	expect(r, 0, "/");
	expect_in(r, "", 0, "/");
	unlinkat(r->fd, "etc/passwd", 0);
	unlinkat(r->fd, "etc", AT_REMOVEDIR);
	expect(r, 0, "/");
	write_file(r, "etc", "file", 4);
	expect(r, 0, "/");
	unlinkat(r->fd, "etc", 0);
	mkdirat(r->fd, "etc", 0755);
}

/* Lines around the size of the buffer, and the one behind them. */
static void long_lines_are_skipped(void **state)
{
	for (size_t len = USER_LINE_MAX - 3; len < USER_LINE_MAX * 3 + 3;
	     len += len == USER_LINE_MAX + 3 ? USER_LINE_MAX * 2 - 6 : 1) {
		char *text = xmalloc(len + 64);
		static const char head[] = "a:x:7:7:", tail[] = ":/long:", next[] = "\nb:x:7:7::/good:/bin/sh\n";

		memset(text, 'c', len);
		memcpy(text, head, strlen(head));
		memcpy(text + len - strlen(tail), tail, strlen(tail));
		strcpy(text + len, next);
		expect_in(*state, text, 7, len < USER_LINE_MAX ? "/long" : "/good");
		free(text);
	}
}

static void endless_files_are_read_to_a_limit(void **state)
{
	size_t len = USER_PASSWD_MAX + 3 * USER_LINE_MAX;
	static const char line[] = "\nb:x:7:7::/good:/bin/sh\n";
	char *text = xmalloc(len);
	int fd;

	memset(text, 'x', len);
	passwd(*state, text, len);
	expect(*state, 7, "/");
	memcpy(text + USER_PASSWD_MAX - 2 * USER_LINE_MAX, line, strlen(line));
	passwd(*state, text, len);
	expect(*state, 7, "/good");
	memset(text, 'x', len);
	memcpy(text + len - strlen(line), line, strlen(line));
	passwd(*state, text, len);
	expect(*state, 7, "/");
	memset(text, '\n', len);
	passwd(*state, text, len);
	expect(*state, 7, "/");
	memset(text, 0, len);
	passwd(*state, text, len);
	expect(*state, 7, "/");
	free(text);
	/* A hole of a terabyte. */
	fd = openat(((struct root *)*state)->fd, "etc/passwd", O_WRONLY);
	assert_int_equal(ftruncate(fd, 1ll << 40), 0);
	close(fd);
	expect(*state, 7, "/");
}

static void links_stay_inside(void **state)
{
	static const char *const out[] = { "/etc/passwd", "../../../../../../etc/passwd", "passwd",
					   "/proc/self/root/etc/passwd", "/no/such" };
	struct root *r = *state;

	/* Every one of them leads to this very file, or nowhere: the host's, where uid 0 has a home, is not seen. */
	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		unlinkat(r->fd, "etc/passwd", 0);
		assert_int_equal(symlinkat(out[i], r->fd, "etc/passwd"), 0);
		expect(r, 0, "/");
	}
	unlinkat(r->fd, "etc/passwd", 0);
	assert_int_equal(symlinkat("/etc/real", r->fd, "etc/passwd"), 0);
	write_file(r, "real", "a:x:0:0::/inside:\n", 18);
	assert_int_equal(renameat(r->fd, "real", r->fd, "etc/real"), 0);
	expect(r, 0, "/inside");
}

static void other_kinds_of_files_are_left_alone(void **state)
{
	struct root *r = *state;

	/* Nobody writes to it: opening or reading it would wait for ever. */
	assert_int_equal(mkfifoat(r->fd, "etc/passwd", 0644), 0);
	alarm(20);
	expect(r, 0, "/");
	alarm(0);
	unlinkat(r->fd, "etc/passwd", 0);
	assert_int_equal(mkdirat(r->fd, "etc/passwd", 0755), 0);
	expect(r, 0, "/");
	unlinkat(r->fd, "etc/passwd", AT_REMOVEDIR);
	if (mknodat(r->fd, "etc/passwd", S_IFCHR | 0644, makedev(1, 5)) == 0)
		expect(r, 0, "/");
}

static void failing_to_read_is_an_error(void **state)
{
	char buf[64] = "untouched";
	struct err err = { 0 };

	assert_int_equal(user_home(-1, 0, buf, sizeof(buf), &err), -1);
	assert_int_equal(err.sys_errno, EBADF);
	assert_string_equal(buf, "untouched");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(homes_are_found),
		TEST(odd_lines_say_nothing),
		TEST(no_file_is_no_error),
		TEST(long_lines_are_skipped),
		TEST(endless_files_are_read_to_a_limit),
		TEST(links_stay_inside),
		TEST(other_kinds_of_files_are_left_alone),
		TEST(failing_to_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
