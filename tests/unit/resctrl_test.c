/* SPDX-License-Identifier: Apache-2.0 */
/* linux.intelRdt on a directory that looks like the resctrl file system: few machines have one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/resctrl.h"

struct fixture {
	char root[64];
	char mountinfo[256];
};

static char *path_of(const struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->root, name);
}

static void make(const struct fixture *f, const char *dir)
{
	cleanup_free char *path = path_of(f, dir);

	assert_int_equal(mkdir(path, 0755), 0);
}

static void put(const struct fixture *f, const char *name, const char *text)
{
	cleanup_free char *path = path_of(f, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_file(const struct fixture *f, const char *name, const char *text)
{
	cleanup_free char *path = path_of(f, name), *found = NULL;
	struct err err;

	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 4096, &found, &err), 0);
	assert_string_equal(found, text);
}

static bool is_there(const struct fixture *f, const char *name)
{
	cleanup_free char *path = path_of(f, name);

	return access(path, F_OK) == 0;
}

/* What the kernel would have put there, and takes away with the directory. */
static void drop(const struct fixture *f, const char *name)
{
	cleanup_free char *path = path_of(f, name);

	assert_int_equal(unlink(path), 0);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	snprintf(f->root, sizeof(f->root), "/tmp/resctrl_test.XXXXXX");
	assert_non_null(mkdtemp(f->root));
	snprintf(f->mountinfo, sizeof(f->mountinfo),
		 "22 1 0:20 / /sys rw shared:1 - sysfs sysfs rw\n40 22 0:44 / %s rw,relatime shared:9 - resctrl "
		 "resctrl rw\n",
		 f->root);
	make(f, "info");
	put(f, "info/last_cmd_status", "mask too wide\n");
	put(f, "schemata", "");
	put(f, "tasks", "");
	make(f, "mon_groups");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *command = xasprintf("rm -rf -- '%s'", f->root);

	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void plan(const struct fixture *f, const struct oci_intel_rdt *r, struct resctrl *ret)
{
	struct err err;

	*ret = (struct resctrl) { 0 };
	assert_int_equal(resctrl_plan(f->mountinfo, r, "box", ret, &err), 0);
}

static void nothing_asked_nothing_done(void **state)
{
	struct oci_intel_rdt none = { 0 };
	struct resctrl rc = { 0 };
	struct err err;

	assert_int_equal(resctrl_plan("", &none, "box", &rc, &err), 0);
	assert_null(rc.dir);
	assert_int_equal(resctrl_create(&rc, &none, &err), 0);
	assert_int_equal(resctrl_join(&rc, 5, &err), 0);
	assert_int_equal(resctrl_remove(&rc, &err), 0);
}

static void not_mounted_is_refused(void **state)
{
	struct oci_intel_rdt r = { .set = true };
	struct resctrl rc = { 0 };
	struct err err;

	assert_int_equal(resctrl_plan("22 1 0:20 / /sys rw - sysfs sysfs rw\n", &r, "box", &rc, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_string_equal(err.text, "linux.intelRdt: no resctrl file system is mounted on this host");
}

/* A new group: its directory is there before its files, which here somebody has to make. */
/* covers: linux.intelRdt.{l3CacheSchema,memBwSchema,schemata} */
static void group_is_joined_and_removed(void **state)
{
	struct fixture *f = *state;
	char *lines[] = { "L2:0=f", "MB:1=30", NULL };
	struct oci_intel_rdt r = {
		.set = true, .l3_schema = "L3:0=ff;1=c0", .mb_schema = "MB:0=20", .schemata = { 2, lines }
	};
	struct resctrl rc;
	struct err err;

	plan(f, &r, &rc);
	assert_true(rc.is_ours);
	make(f, "box");
	put(f, "box/schemata", "");
	put(f, "box/tasks", "");
	assert_int_equal(resctrl_create(&rc, &r, &err), 0);
	assert_file(f, "box/schemata", "L3:0=ff;1=c0\nMB:0=20\nL2:0=f\nMB:1=30\n");
	assert_int_equal(resctrl_join(&rc, 4711, &err), 0);
	assert_file(f, "box/tasks", "4711");
	drop(f, "box/schemata");
	drop(f, "box/tasks");
	assert_int_equal(resctrl_remove(&rc, &err), 0);
	assert_false(is_there(f, "box"));
	assert_int_equal(resctrl_remove(&rc, &err), 0);
	resctrl_release(&rc);
}

/* covers: linux.intelRdt.{closID,enableMonitoring} */
static void group_that_was_there_stays(void **state)
{
	struct fixture *f = *state;
	struct oci_intel_rdt r = { .set = true, .clos_id = "gold", .monitoring = true };
	struct resctrl rc;
	struct err err;

	make(f, "gold");
	make(f, "gold/mon_groups");
	put(f, "gold/schemata", "as it was");
	put(f, "gold/tasks", "");
	plan(f, &r, &rc);
	assert_false(rc.is_ours);
	assert_int_equal(resctrl_create(&rc, &r, &err), 0);
	assert_file(f, "gold/schemata", "as it was");
	assert_true(is_there(f, "gold/mon_groups/box"));
	put(f, "gold/mon_groups/box/tasks", "");
	assert_int_equal(resctrl_join(&rc, 12, &err), 0);
	assert_file(f, "gold/tasks", "12");
	assert_file(f, "gold/mon_groups/box/tasks", "12");
	drop(f, "gold/mon_groups/box/tasks");
	assert_int_equal(resctrl_remove(&rc, &err), 0);
	assert_false(is_there(f, "gold/mon_groups/box"));
	assert_true(is_there(f, "gold"));
	resctrl_release(&rc);
}

static void slash_is_the_root_group(void **state)
{
	struct fixture *f = *state;
	struct oci_intel_rdt r = { .set = true, .clos_id = "/" };
	struct resctrl rc;
	struct err err;

	plan(f, &r, &rc);
	assert_string_equal(rc.dir, f->root);
	assert_int_equal(resctrl_create(&rc, &r, &err), 0);
	assert_int_equal(resctrl_join(&rc, 9, &err), 0);
	assert_file(f, "tasks", "9");
	assert_int_equal(resctrl_remove(&rc, &err), 0);
	assert_true(is_there(f, "tasks"));
	resctrl_release(&rc);
}

static void unknown_group_without_a_schema_is_refused(void **state)
{
	struct fixture *f = *state;
	struct oci_intel_rdt r = { .set = true, .clos_id = "none" };
	struct resctrl rc = { 0 };
	struct err err;

	assert_int_equal(resctrl_plan(f->mountinfo, &r, "box", &rc, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(strncmp(err.text, "linux.intelRdt.closID: there is no group ", 41), 0);
	assert_false(is_there(f, "none"));
}

/* A directory without a `schemata` file refuses the write, as a kernel that does not like the mask. */
static void refusal_is_told_with_the_kernels_words_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct oci_intel_rdt r = { .set = true, .l3_schema = "L3:0=fffffff" };
	struct resctrl rc;
	struct err err;

	plan(f, &r, &rc);
	assert_int_equal(resctrl_create(&rc, &r, &err), -1);
	assert_int_equal(strncmp(err.text, "linux.intelRdt: ", 16), 0);
	assert_non_null(strstr(err.text, " (mask too wide)"));
	assert_false(is_there(f, "box"));
	resctrl_release(&rc);
}

/* covers: update --l3-cache-schema, update --mem-bw-schema */
static void update_writes_into_the_group_and_can_be_taken_back(void **state)
{
	struct fixture *f = *state;
	struct oci_intel_rdt r = { .set = true },
			     change = { .set = true, .l3_schema = "L3:0=3", .mb_schema = "MB:0=50" };
	struct resctrl rc;
	char *old;
	struct err err;

	/* As long as what comes: a real one takes each write as a command, here the rest would stay. */
	make(f, "box");
	put(f, "box/schemata", "L3:0=f\nMB:0=10\n");
	plan(f, &r, &rc);
	assert_int_equal(resctrl_update(&rc, f->mountinfo, &change, "box", NULL, 0, &old, &err), 0);
	assert_file(f, "box/schemata", "L3:0=3\nMB:0=50\n");
	assert_string_equal(old, "L3:0=f\nMB:0=10\n");
	resctrl_take_back(&rc, old);
	assert_file(f, "box/schemata", "L3:0=f\nMB:0=10\n");
	free(old);
	drop(f, "box/schemata");
	assert_int_equal(resctrl_update(&rc, f->mountinfo, &change, "box", NULL, 0, &old, &err), -1);
	assert_int_equal(strncmp(err.text, "linux.intelRdt: ", 16), 0);
	assert_null(old);
	resctrl_release(&rc);
}

static void update_makes_a_group_for_all_threads_when_there_is_none(void **state)
{
	struct fixture *f = *state;
	struct oci_intel_rdt change = { .set = true, .mb_schema = "MB:0=50" };
	const pid_t pids[] = { 0x7ffffffe, getpid() }; /* the first has ended */
	cleanup_free char *us = xasprintf("%d", (int)getpid());
	struct resctrl rc = { 0 };
	char *old;
	struct err err;

	assert_int_equal(resctrl_update(&rc, "", &change, "box", pids, 2, &old, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_null(rc.dir);
	make(f, "box");
	put(f, "box/schemata", "");
	put(f, "box/tasks", "");
	assert_int_equal(resctrl_update(&rc, f->mountinfo, &change, "box", pids, 2, &old, &err), 0);
	assert_null(old);
	assert_file(f, "box/schemata", "MB:0=50\n");
	assert_file(f, "box/tasks", us);
	resctrl_take_back(&rc, NULL);
	assert_null(rc.dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_asked_nothing_done),
		cmocka_unit_test(not_mounted_is_refused),
		TEST(group_is_joined_and_removed),
		TEST(group_that_was_there_stays),
		TEST(slash_is_the_root_group),
		TEST(unknown_group_without_a_schema_is_refused),
		TEST(refusal_is_told_with_the_kernels_words_and_leaves_nothing),
		TEST(update_writes_into_the_group_and_can_be_taken_back),
		TEST(update_makes_a_group_for_all_threads_when_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
