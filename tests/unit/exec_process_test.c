/* SPDX-License-Identifier: Apache-2.0 */
/* The description of an exec'd process: what the client makes of the options, and what the shim makes of that and the config. */
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

#include "client/exec_process.h"
#include "common/fd.h"
#include "shim/container/exec_config.h"

static char root[] = "/tmp/exec_process_test.XXXXXX";

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
	write_root("etc/passwd", "root:x:0:0::/root:/bin/sh\nredis:x:101:102::/:/bin/false\n");
	write_root("etc/group", "root:x:0:\nwheel:x:10:root\n");
	return 0;
}

static int tear_down(void **state)
{
	cleanup_free char *command = xasprintf("rm -r %s", root);

	return system(command);
}

/* ret_text: the overlay as one line; the caller frees. */
static int make(const struct exec_options *o, const char *const *command, char **ret_text, struct err *err)
{
	json_object *overlay;

	if (exec_process_overlay(o, root, (char **)command, &overlay, err) < 0)
		return -1;
	*ret_text = xstrdup(
		json_object_to_json_string_ext(overlay, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(overlay);
	return 0;
}

static const char *const ls[] = { "ls", "-l", "", NULL };

static void nothing_is_said_that_was_not_asked_for(void **state)
{
	cleanup_free char *text = NULL;
	struct err err;

	assert_int_equal(make(&(struct exec_options) { 0 }, ls, &text, &err), 0);
	assert_string_equal(text, "{\"args\":[\"ls\",\"-l\",\"\"],\"terminal\":false}");
}

static void every_option_has_its_member(void **state)
{
	const char *env[] = { "A=1", "B=x=y", "A=2" }, *gids[] = { "0", "4294967294" }, *caps[] = { "CAP_CHOWN" };
	const struct exec_options o = {
		.tty = true,
		.cwd = "/w",
		.user = "1:2",
		.env = { .n = 3, .v = env },
		.additional_gids = { .n = 2, .v = gids },
		.cap = { .n = 1, .v = caps },
		.no_new_privs = { .set = true, .v = false },
		.apparmor = "profile",
		.process_label = "label",
	};
	cleanup_free char *text = NULL;
	struct err err;

	assert_int_equal(make(&o, ls, &text, &err), 0);
	assert_string_equal(text, "{\"args\":[\"ls\",\"-l\",\"\"],\"terminal\":true,\"cwd\":\"/w\","
				  "\"apparmorProfile\":\"profile\",\"selinuxLabel\":\"label\","
				  "\"noNewPrivileges\":false,\"addCapabilities\":[\"CAP_CHOWN\"],"
				  "\"env\":[\"B=x=y\",\"A=2\"],\"user\":{\"uid\":1,\"gid\":2},"
				  "\"addGids\":[0,4294967294]}");
}

static void users_come_as_numbers(void **state)
{
	static const struct {
		const char *user, *json;
	} table[] = {
		{ "7", "\"user\":{\"uid\":7}" },
		{ "0:0", "\"user\":{\"uid\":0,\"gid\":0}" },
		{ "redis", "\"user\":{\"uid\":101,\"gid\":102}" },
		{ "redis:wheel", "\"user\":{\"uid\":101,\"gid\":10}" },
		{ "5:wheel", "\"user\":{\"uid\":5,\"gid\":10}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		cleanup_free char *text = NULL;
		struct err err;

		assert_int_equal(make(&(struct exec_options) { .user = table[i].user }, ls, &text, &err), 0);
		if (!strstr(text, table[i].json))
			fail_msg("no '%s' in %s", table[i].json, text);
	}
}

static void refusals_name_the_option(void **state)
{
	const char *no_value[] = { "A" }, *no_name[] = { "=x" }, *gid[] = { "01" }, *big[] = { "1", "4294967295" };
	const struct {
		struct exec_options o;
		const char *says;
	} table[] = {
		{ { .cwd = "w" }, "--cwd" },
		{ { .cwd = "" }, "--cwd" },
		{ { .env = { 1, no_value } }, "--env" },
		{ { .env = { 1, no_name } }, "--env" },
		{ { .additional_gids = { 1, gid } }, "--additional-gids" },
		{ { .additional_gids = { 2, big } }, "--additional-gids" },
		{ { .user = "" }, "--user" },
		{ { .user = "01" }, "--user" },
		{ { .user = "1:" }, "--user" },
		{ { .user = "4294967295" }, "--user" },
		{ { .user = "1:01" }, "--user" },
		{ { .user = "stranger" }, "--user" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char *text = NULL;
		struct err err;

		assert_int_equal(make(&table[i].o, ls, &text, &err), -1);
		if (!strstr(err.text, table[i].says))
			fail_msg("'%s' does not say '%s'", err.text, table[i].says);
	}
}

static void the_memfd_is_sealed_and_whole(void **state)
{
	cleanup_fd int fd = -1;
	struct err err;
	char buf[16];

	assert_int_equal(exec_process_memfd("{}\0x", 4, &fd, &err), 0);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 4);
	assert_memory_equal(buf, "{}\0x", 4);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(exec_process_memfd("", EXEC_PROCESS_MAX + 1, &fd, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

/* ---- laid over a config ------------------------------------------------------------------------ */

static const char config[] =
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"terminal\":true,\"cwd\":\"/old\","
	"\"args\":[\"sh\"],\"env\":[\"A=old\",\"AB=kept\",\"C=old\"],\"noNewPrivileges\":true,"
	"\"user\":{\"uid\":5,\"gid\":6,\"additionalGids\":[7]},"
	"\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"]}}}";

static struct oci_config *lay(const char *description, bool whole)
{
	struct oci_config *c = NULL;
	struct err err;

	if (exec_config_parse(config, description, strlen(description), whole, &c, &err) < 0)
		fail_msg("%s: %s", description, err.text);
	return c;
}

static void an_overlay_leaves_what_it_does_not_name(void **state)
{
	struct oci_config *c = lay("{\"args\":[\"ls\"],\"terminal\":false}", false);

	assert_string_equal(c->process.args.v[0], "ls");
	assert_int_equal(c->process.args.n, 1);
	assert_false(c->process.terminal);
	assert_string_equal(c->process.cwd, "/old");
	assert_true(c->process.no_new_privileges);
	assert_int_equal(c->process.uid, 5);
	assert_int_equal(c->process.gid, 6);
	assert_string_equal(c->process.env.v[0], "A=old");
	oci_config_free(c);
}

static void an_overlay_replaces_and_adds(void **state)
{
	struct oci_config *c =
		lay("{\"args\":[\"ls\"],\"cwd\":\"/new\",\"env\":[\"A=new\",\"D=1\"],\"user\":{\"uid\":9},"
		    "\"addGids\":[8],\"noNewPrivileges\":false,\"addCapabilities\":[\"CAP_CHOWN\"]}",
		    false);

	assert_string_equal(c->process.cwd, "/new");
	assert_false(c->process.no_new_privileges);
	assert_int_equal(c->process.uid, 9);
	assert_int_equal(c->process.gid, 6);
	assert_int_equal(c->process.n_additional_gids, 2);
	assert_int_equal(c->process.additional_gids[1], 8);
	assert_string_equal(c->process.env.v[0], "AB=kept");
	assert_string_equal(c->process.env.v[1], "C=old");
	assert_string_equal(c->process.env.v[2], "A=new");
	assert_string_equal(c->process.env.v[3], "D=1");
	assert_int_equal(c->process.env.n, 4);
	oci_config_free(c);
}

static void a_whole_process_takes_the_place_of_the_configs(void **state)
{
	struct oci_config *c = lay("{\"args\":[\"ls\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}", true);

	assert_false(c->process.terminal);
	assert_false(c->process.no_new_privileges);
	assert_int_equal(c->process.uid, 0);
	assert_int_equal(c->process.n_additional_gids, 0);
	oci_config_free(c);
}

static void a_description_is_judged_as_strictly_as_a_config(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"null",
		"{",
		"{} x",
		"{\"args\":[\"ls\"],\"cwd\":\"/\",\"user\":{\"uid\":18446744073709551616,\"gid\":0}}",
		"{\"args\":[\"ls\"],\"cwd\":\"/"
		"\",\"user\":{\"uid\":0,\"gid\":0},\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\","
		"\"soft\":18446744073709551616,\"hard\":18446744073709551616}]}",
		"{\"args\":[\"ls\\u0000x\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}",
		"{'args':[\"ls\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct oci_config *c = NULL;
		struct err err;

		if (exec_config_parse(config, bad[i], strlen(bad[i]), true, &c, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.text, "process"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_said_that_was_not_asked_for),
		cmocka_unit_test(every_option_has_its_member),
		cmocka_unit_test(users_come_as_numbers),
		cmocka_unit_test(refusals_name_the_option),
		cmocka_unit_test(the_memfd_is_sealed_and_whole),
		cmocka_unit_test(an_overlay_leaves_what_it_does_not_name),
		cmocka_unit_test(an_overlay_replaces_and_adds),
		cmocka_unit_test(a_whole_process_takes_the_place_of_the_configs),
		cmocka_unit_test(a_description_is_judged_as_strictly_as_a_config),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
