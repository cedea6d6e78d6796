/* SPDX-License-Identifier: Apache-2.0 */
/* AppArmor and SELinux on a fixture of sysfs: what is refused where neither is, and how labels are put into mount options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/path.h"
#include "shim/sandbox/lsm.h"

static void put_file(const char *dir, const char *below, const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, below), *file = xasprintf("%s/%s", path, name);
	cleanup_fd int fd = -1;
	struct err err;

	assert_int_equal(path_mkdir_all(path, 0700, &err), 0);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void remove_tree(const char *dir)
{
	static const char *const files[] = { "module/apparmor/parameters/enabled", "fs/selinux/enforce",
					     "kernel/security/apparmor/profiles" };
	static const char *const dirs[] = {
		"module/apparmor/parameters", "module/apparmor", "module", "fs/selinux", "fs",
		"kernel/security/apparmor",   "kernel/security", "kernel"
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *path = xasprintf("%s/%s", dir, files[i]);

		unlink(path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		cleanup_free char *path = xasprintf("%s/%s", dir, dirs[i]);

		rmdir(path);
	}
	rmdir(dir);
}

static void expect_start(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)) != 0)
		fail_msg("'%s'", text);
}

static void refused(const struct oci_config *c, const char *sys, const char *expected)
{
	struct err err = { 0 };

	assert_int_equal(lsm_check(c, sys, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_string_equal(err.text, expected);
}

static void accepted(const struct oci_config *c, const char *sys)
{
	struct err err = { 0 };

	assert_int_equal(lsm_check(c, sys, &err), 0);
}

/* covers: process.apparmorProfile, linux.mountLabel */
static void refused_where_the_module_is_not_enabled(void **state)
{
	struct oci_config profile = { .process.apparmor_profile = (char *)"p" };
	struct oci_config label = { .process.selinux_label = (char *)"l" };
	struct oci_config mounts = { .mount_label = (char *)"l" }, nothing = { 0 };
	char dir[] = "/tmp/lsm-test.XXXXXX";

	assert_non_null(mkdtemp(dir));
	accepted(&nothing, dir);
	refused(&profile, dir, "process.apparmorProfile: AppArmor is not enabled on this host");
	refused(&label, dir, "process.selinuxLabel: SELinux is not enabled on this host");
	refused(&mounts, dir, "linux.mountLabel: SELinux is not enabled on this host");
	put_file(dir, "module/apparmor/parameters", "enabled", "N\n");
	refused(&profile, dir, "process.apparmorProfile: AppArmor is not enabled on this host");
	put_file(dir, "module/apparmor/parameters", "enabled", "Y\n");
	accepted(&profile, dir);
	refused(&label, dir, "process.selinuxLabel: SELinux is not enabled on this host");
	put_file(dir, "fs/selinux", "enforce", "1");
	accepted(&label, dir);
	accepted(&mounts, dir);
	remove_tree(dir);
}

static void a_profile_is_loaded_or_not(void **state)
{
	static const char *const there[] = { "one", "the last", "unconfined", ":other:one", "one//&two", "one//hat" };
	static const char *const missing[] = { "two", "on", "one (enforce)", "last", "" };
	char dir[] = "/tmp/lsm-test.XXXXXX";
	struct err err = { 0 };

	assert_non_null(mkdtemp(dir));
	assert_int_equal(lsm_check_loaded("two", dir, &err), 0); /* nobody lists them */
	put_file(dir, "kernel/security/apparmor", "profiles",
		 "one (enforce)\nanother one (complain)\nthe last (kill)\n");
	for (size_t i = 0; i < ARRAY_SIZE(there); i++)
		assert_int_equal(lsm_check_loaded(there[i], dir, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		assert_int_equal(lsm_check_loaded(missing[i], dir, &err), -1);
	assert_int_equal(lsm_check_loaded("two", dir, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_string_equal(err.text, "the AppArmor profile 'two' is not loaded");
	remove_tree(dir);
}

/* On a kernel that has the module a profile of that name is missing, on any other there is nothing that takes it. Where it was written to is in the error. */
/* covers: process.selinuxLabel, exec --process-label */
static void what_the_kernel_refuses_names_the_field(void **state)
{
	const struct oci_process none = { 0 }, profile = { .apparmor_profile = (char *)"no such profile" };
	const struct oci_process label = { .selinux_label = (char *)"no:such:label" };
	struct err err = { 0 };

	assert_int_equal(child_lsm_apply(&none, &err), 0);
	assert_int_equal(child_lsm_apply(&profile, &err), -1);
	assert_non_null(strstr(err.text, "process.apparmorProfile: "));
	assert_int_equal(child_lsm_apply(&label, &err), -1);
	expect_start(err.text, "process.selinuxLabel: cannot write 'no:such:label' to '/proc/self/attr/exec': ");
	assert_int_equal(child_lsm_label_keyring(&none, &err), 0);
	assert_int_equal(child_lsm_label_keyring(&label, &err), -1);
	expect_start(err.text, "process.selinuxLabel: cannot write 'no:such:label' to '/proc/self/attr/keycreate': ");
}

/* covers: linux.mountLabel */
static void labels_in_mount_options(void **state)
{
	char *data = lsm_mount_data("tmpfs", "size=1m", "u:r:t:s0:c1,c2");

	assert_string_equal(data, "size=1m,context=\"u:r:t:s0:c1,c2\"");
	free(data);
	data = lsm_mount_data("devpts", NULL, "u:r:t:s0");
	assert_string_equal(data, "context=\"u:r:t:s0\"");
	free(data);
	assert_null(lsm_mount_data("tmpfs", "size=1m", NULL));
	assert_null(lsm_mount_data("proc", NULL, "l"));
	assert_null(lsm_mount_data("sysfs", NULL, "l"));
	assert_null(lsm_mount_data("cgroup2", NULL, "l"));
	assert_null(lsm_mount_data(NULL, NULL, "l"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_where_the_module_is_not_enabled),
		cmocka_unit_test(a_profile_is_loaded_or_not),
		cmocka_unit_test(what_the_kernel_refuses_names_the_field),
		cmocka_unit_test(labels_in_mount_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
