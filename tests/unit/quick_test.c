/* SPDX-License-Identifier: Apache-2.0 */
/* Quick-run flags to config.json, and the passwd files that --user is looked up in. */
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

#include "client/passwd.h"
#include "client/quick.h"
#include "common/fd.h"

static char root[] = "/tmp/quick_test.XXXXXX";

static void write_root(const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", root, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int set_up(void **state)
{
	cleanup_free char *etc = NULL;

	if (!mkdtemp(root))
		return -1;
	etc = xasprintf("%s/etc", root);
	if (mkdir(etc, 0755) < 0)
		return -1;
	write_root("etc/passwd",
		   "root:x:0:0::/root:/bin/sh\nbroken\n:x:5:5::\nshort:x:7\nredis:x:101:102::/:/bin/false\n"
		   "big:x:4294967295:1::/:\nzero:x:01:1::/:\nneg:x:-1:1::/:\nlast:x:9:9");
	write_root("etc/group", "root:x:0:\nwheel:x:10:root\nnonum:x:x:\n");
	return 0;
}

static int tear_down(void **state)
{
	cleanup_free char *command = xasprintf("rm -r %s", root);

	return system(command);
}

static char *const command[] = { (char *)"sh", (char *)"-c", (char *)"exit 3", NULL };

/* ret_text: the config as one line, the caller frees. */
static int make(struct launch_options *o, char **ret_text, struct err *err)
{
	json_object *config;

	o->rootfs = root;
	if (quick_config(o, "some-id", (char **)command, &config, err) < 0)
		return -1;
	*ret_text = xstrdup(
		json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(config);
	return 0;
}

static void expect(struct launch_options *o, const char *contains)
{
	cleanup_free char *text = NULL;
	struct err err;

	if (make(o, &text, &err) < 0)
		fail_msg("%s", err.text);
	if (!strstr(text, contains))
		fail_msg("no '%s' in %s", contains, text);
}

static void expect_not(struct launch_options *o, const char *lacks)
{
	cleanup_free char *text = NULL;
	struct err err;

	assert_int_equal(make(o, &text, &err), 0);
	if (strstr(text, lacks))
		fail_msg("'%s' in %s", lacks, text);
}

static void expect_refused(struct launch_options *o, const char *says)
{
	char *text;
	struct err err = { 0 };

	assert_int_equal(make(o, &text, &err), -1);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
}

static void flags_arrive_in_the_config(void **state)
{
	expect(&(struct launch_options) { 0 }, "\"args\":[\"sh\",\"-c\",\"exit 3\"]");
	expect(&(struct launch_options) { 0 }, "\"terminal\":false");
	expect(&(struct launch_options) { 0 }, "\"readonly\":false");
	expect(&(struct launch_options) { 0 }, root);
	expect(&(struct launch_options) { 0 }, "\"hostname\":\"some-id\"");
	expect(&(struct launch_options) { 0 }, "{\"type\":\"network\"}");
	expect_not(&(struct launch_options) { 0 }, "rlimits");
	expect_not(&(struct launch_options) { 0 }, "\"memory\"");
	expect_not(&(struct launch_options) { 0 }, "TERM=");
	expect(&(struct launch_options) { .tty = true }, "\"terminal\":true");
	expect(&(struct launch_options) { .tty = true }, "TERM=");
	expect(&(struct launch_options) { .read_only = true }, "\"readonly\":true");
	expect(&(struct launch_options) { .hostname = "h" }, "\"hostname\":\"h\"");
	expect(&(struct launch_options) { .workdir = "/srv" }, "\"cwd\":\"/srv\"");
	expect_not(&(struct launch_options) { .network = "host" }, "{\"type\":\"network\"}");
	expect(&(struct launch_options) { .network = "host" }, "{\"type\":\"cgroup\"}");
	expect(&(struct launch_options) { .network = "none" }, "{\"type\":\"network\"}");
}

static void limits_arrive_in_the_config(void **state)
{
	expect(&(struct launch_options) { .memory = "64m" }, "\"memory\":{\"limit\":67108864}");
	expect(&(struct launch_options) { .cpus = "1.5" }, "\"cpu\":{\"period\":100000,\"quota\":150000}");
	expect(&(struct launch_options) { .pids_limit = { true, 12 } }, "\"pids\":{\"limit\":12}");
	expect_not(&(struct launch_options) { .pids_limit = { true, 0 } }, "\"pids\":");
	expect_refused(&(struct launch_options) { .memory = "1x" }, "--memory");
	expect_refused(&(struct launch_options) { .cpus = "0.001" }, "--cpus");
	expect_refused(&(struct launch_options) { .pids_limit = { true, UINT64_MAX } }, "--pids-limit");
}

static void lists_arrive_in_the_config(void **state)
{
	const char *env[] = { "A=1", "B=" }, *bad_env[] = { "A" }, *no_name[] = { "=x" };
	const char *bind[] = { "/src:/dst:ro", "/s2:/d2" }, *tmpfs[] = { "/scratch" }, *relative[] = { "scratch" };
	const char *bad_bind[][1] = { { "/x" }, { ":/x" }, { "/x:y" }, { "/x:/y:rx" }, { "/x:/y:ro:z" } };

	expect(&(struct launch_options) { .env = { 2, env } }, "\"A=1\",\"B=\"]");
	expect_refused(&(struct launch_options) { .env = { 1, bad_env } }, "--env");
	expect_refused(&(struct launch_options) { .env = { 1, no_name } }, "--env");
	expect(&(struct launch_options) { .bind = { 2, bind } },
	       "{\"destination\":\"/dst\",\"type\":\"bind\",\"source\":\"/"
	       "src\",\"options\":[\"rbind\",\"rprivate\",\"ro\"]}");
	expect(&(struct launch_options) { .bind = { 2, bind } },
	       "\"source\":\"/s2\",\"options\":[\"rbind\",\"rprivate\",\"rw\"]");
	for (size_t i = 0; i < ARRAY_SIZE(bad_bind); i++)
		expect_refused(&(struct launch_options) { .bind = { 1, bad_bind[i] } }, "--bind");
	expect(&(struct launch_options) { .tmpfs = { 1, tmpfs } }, "{\"destination\":\"/scratch\",\"type\":\"tmpfs\"");
	expect_refused(&(struct launch_options) { .tmpfs = { 1, relative } }, "--tmpfs");
	expect_refused(&(struct launch_options) { .workdir = "srv" }, "--workdir");
}

/* CVE-2026-30892: a lax reading made root of what was not. */
static void users_are_read_strictly(void **state)
{
	static const struct {
		const char *user, *json;
	} good[] = {
		{ "0", "{\"uid\":0,\"gid\":0}" },
		{ "1", "{\"uid\":1,\"gid\":0}" },
		{ "1:2", "{\"uid\":1,\"gid\":2}" },
		{ "101", "{\"uid\":101,\"gid\":102}" },
		{ "101:0", "{\"uid\":101,\"gid\":0}" },
		{ "redis", "{\"uid\":101,\"gid\":102}" },
		{ "redis:7", "{\"uid\":101,\"gid\":7}" },
		{ "redis:wheel", "{\"uid\":101,\"gid\":10}" },
		{ "1000:wheel", "{\"uid\":1000,\"gid\":10}" },
		{ "last", "{\"uid\":9,\"gid\":9}" },
		{ "4294967294", "{\"uid\":4294967294,\"gid\":0}" },
	};
	static const char *const bad[] = {
		"",
		"01",
		"1x",
		"0x1",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1:",
		":1",
		"1:01",
		"1:1x",
		"1:-1",
		"1:2:3",
		"nobody-here",
		"big",
		"zero",
		"neg",
		"short",
		"broken",
		"redis:nonum",
		"redis:nogroup",
		"4294967295",
		"4294967296",
		"1:4294967295",
		"../x",
		"a/b",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		expect(&(struct launch_options) { .user = good[i].user }, good[i].json);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_refused(&(struct launch_options) { .user = bad[i] }, "--user");
}

static int root_fd_of(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void passwd_does_not_lead_out_of_the_root(void **state)
{
	cleanup_fd int fd = root_fd_of(root);
	cleanup_free char *outside = xasprintf("%s.outside", root), *link = xasprintf("%s/etc/link", root);
	cleanup_free char *up = xasprintf("%s/etc/up", root), *fifo = xasprintf("%s/etc/fifo", root);
	char *text = NULL;
	struct err err;
	FILE *f = fopen(outside, "w");

	assert_non_null(f);
	fclose(f);
	assert_int_equal(symlink(outside, link), 0);
	assert_int_equal(passwd_read(fd, "etc/link", &text, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(symlink("../../../../../../etc/passwd", up), 0);
	assert_int_equal(passwd_read(fd, "etc/up", &text, &err), 0);
	assert_non_null(strstr(text, "redis:x:101")); /* the root's own */
	free(text);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(passwd_read(fd, "etc/fifo", &text, &err), -1); /* and does not wait for a writer */
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(unlink(outside), 0);
}

static void passwd_is_read_up_to_a_limit(void **state)
{
	cleanup_fd int fd = root_fd_of(root);
	cleanup_free char *path = xasprintf("%s/etc/huge", root);
	char *text;
	struct err err;

	write_root("etc/huge", "x");
	assert_int_equal(truncate(path, (1 << 20) + 1), 0);
	assert_int_equal(passwd_read(fd, "etc/huge", &text, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

static void names_are_ids(void **state)
{
	for (int i = 0; i < 200; i++) {
		cleanup_free char *name = NULL;
		struct err err;

		assert_int_equal(quick_name(&name, &err), 0);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(name));
		assert_true(strlen(name) > 8 && strlen(name) < 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_arrive_in_the_config),
		cmocka_unit_test(limits_arrive_in_the_config),
		cmocka_unit_test(lists_arrive_in_the_config),
		cmocka_unit_test(users_are_read_strictly),
		cmocka_unit_test(passwd_does_not_lead_out_of_the_root),
		cmocka_unit_test(passwd_is_read_up_to_a_limit),
		cmocka_unit_test(names_are_ids),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
