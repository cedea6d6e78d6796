/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of config.json: every option of the specification, alone and together. */
#include "tests/unit/oci.h"

#include <sys/mount.h>

#include "shim/oci/names.h"
#include "shim/oci/remount.h"

/* The whole table of the specification, each alone. */
static void mount_options(void **state)
{
	static const struct {
		const char *option;
		unsigned long set, clear;
		uint64_t tree_set, tree_clear;
	} rows[] = {
		{ "async", 0, MS_SYNCHRONOUS, 0, 0 },
		{ "sync", MS_SYNCHRONOUS, 0, 0, 0 },
		{ "atime", 0, MS_NOATIME, 0, 0 },
		{ "noatime", MS_NOATIME, 0, 0, 0 },
		{ "defaults", 0, 0, 0, 0 },
		{ "dev", 0, MS_NODEV, 0, 0 },
		{ "nodev", MS_NODEV, 0, 0, 0 },
		{ "diratime", 0, MS_NODIRATIME, 0, 0 },
		{ "nodiratime", MS_NODIRATIME, 0, 0, 0 },
		{ "dirsync", MS_DIRSYNC, 0, 0, 0 },
		{ "exec", 0, MS_NOEXEC, 0, 0 },
		{ "noexec", MS_NOEXEC, 0, 0, 0 },
		{ "iversion", MS_I_VERSION, 0, 0, 0 },
		{ "noiversion", 0, MS_I_VERSION, 0, 0 },
		{ "lazytime", MS_LAZYTIME, 0, 0, 0 },
		{ "nolazytime", 0, MS_LAZYTIME, 0, 0 },
		{ "loud", 0, MS_SILENT, 0, 0 },
		{ "silent", MS_SILENT, 0, 0, 0 },
		{ "mand", MS_MANDLOCK, 0, 0, 0 },
		{ "nomand", 0, MS_MANDLOCK, 0, 0 },
		{ "relatime", MS_RELATIME, 0, 0, 0 },
		{ "norelatime", 0, MS_RELATIME, 0, 0 },
		{ "strictatime", MS_STRICTATIME, 0, 0, 0 },
		{ "nostrictatime", 0, MS_STRICTATIME, 0, 0 },
		{ "suid", 0, MS_NOSUID, 0, 0 },
		{ "nosuid", MS_NOSUID, 0, 0, 0 },
		{ "symfollow", 0, 256, 0, 0 },
		{ "nosymfollow", 256, 0, 0, 0 },
		{ "ro", MS_RDONLY, 0, 0, 0 },
		{ "rw", 0, MS_RDONLY, 0, 0 },
		{ "rro", 0, 0, MOUNT_ATTR_RDONLY, 0 },
		{ "rrw", 0, 0, 0, MOUNT_ATTR_RDONLY },
		{ "rnosuid", 0, 0, MOUNT_ATTR_NOSUID, 0 },
		{ "rsuid", 0, 0, 0, MOUNT_ATTR_NOSUID },
		{ "rnodev", 0, 0, MOUNT_ATTR_NODEV, 0 },
		{ "rdev", 0, 0, 0, MOUNT_ATTR_NODEV },
		{ "rnoexec", 0, 0, MOUNT_ATTR_NOEXEC, 0 },
		{ "rexec", 0, 0, 0, MOUNT_ATTR_NOEXEC },
		{ "rnodiratime", 0, 0, MOUNT_ATTR_NODIRATIME, 0 },
		{ "rdiratime", 0, 0, 0, MOUNT_ATTR_NODIRATIME },
		{ "rnosymfollow", 0, 0, 0x200000, 0 },
		{ "rsymfollow", 0, 0, 0, 0x200000 },
		{ "rnoatime", 0, 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME & ~MOUNT_ATTR_NOATIME },
		{ "ratime", 0, 0, 0, MOUNT_ATTR__ATIME },
		{ "rrelatime", 0, 0, 0, MOUNT_ATTR__ATIME },
		{ "rnorelatime", 0, 0, 0, MOUNT_ATTR__ATIME },
		{ "rstrictatime", 0, 0, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME & ~MOUNT_ATTR_STRICTATIME },
		{ "rnostrictatime", 0, 0, 0, MOUNT_ATTR__ATIME },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_mount m = { 0 };

		oci_mount_option(&m, rows[i].option);
		if (m.flags_set != rows[i].set || m.flags_clear != rows[i].clear ||
		    m.rec_attr_set != rows[i].tree_set || m.data)
			fail_msg("wrong flags of '%s'", rows[i].option);
		/* An access time is cleared as a whole, or the kernel refuses the call. */
		if (rows[i].tree_clear & MOUNT_ATTR__ATIME)
			assert_int_equal(m.rec_attr_clear, MOUNT_ATTR__ATIME);
		else
			assert_int_equal(m.rec_attr_clear, rows[i].tree_clear);
	}
}

static void mount_options_together(void **state)
{
	struct oci_config *c = accept_with(
		"\"mounts\":["
		"{\"destination\":\"rel/./x//\",\"source\":\"/"
		"s\",\"options\":[\"rbind\",\"ro\",\"rw\",\"noatime\",\"strictatime\",\"rslave\",\"shared\"]},"
		"{\"destination\":\"/b\",\"type\":\"bind\",\"source\":\"/s\"},"
		"{\"destination\":\"/c\",\"type\":\"overlay\",\"options\":[\"lowerdir=/a:/"
		"b\",\"\",\"rro\",\"rnodev\",\"rrw\",\"exec\",\"noexec\"]}],"
		"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}");

	assert_string_equal(c->mounts[0].destination, "/rel/x");
	assert_null(c->mounts[0].type);
	assert_true(c->mounts[0].bind && c->mounts[0].recursive);
	assert_int_equal(c->mounts[0].flags_set, MS_STRICTATIME);
	assert_int_equal(c->mounts[0].flags_clear, MS_RDONLY);
	assert_int_equal(c->mounts[0].propagation, MS_SHARED);
	assert_null(c->mounts[0].data);
	assert_true(c->mounts[1].bind && !c->mounts[1].recursive);
	assert_false(c->mounts[2].bind);
	assert_string_equal(c->mounts[2].data, "lowerdir=/a:/b");
	assert_int_equal(c->mounts[2].rec_attr_set, MOUNT_ATTR_NODEV);
	assert_int_equal(c->mounts[2].rec_attr_clear, MOUNT_ATTR_RDONLY);
	assert_int_equal(c->mounts[2].flags_set, MS_NOEXEC);
	assert_int_equal(c->mounts[2].flags_clear, 0);
	oci_config_free(c);
}

/* A remount has what is mounted there from the entry before it, and its own flags. */
static void remounts(void **state)
{
	struct oci_config *c =
		accept_with("\"mounts\":["
			    "{\"destination\":\"/b\",\"source\":\"/s\",\"options\":[\"rbind\",\"ro\",\"nosuid\"]},"
			    "{\"destination\":\"b/\",\"type\":\"none\",\"options\":[\"remount\",\"noexec\"]},"
			    "{\"destination\":\"/b\",\"options\":[\"remount\",\"bind\",\"rw\"]},"
			    "{\"destination\":\"/t\",\"type\":\"tmpfs\",\"options\":[\"mode=755\"]},"
			    "{\"destination\":\"/t\",\"options\":[\"remount\",\"size=1m\"]},"
			    "{\"destination\":\"/t\",\"options\":[\"bind\",\"remount\",\"ro\"]}],"
			    "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}");

	assert_false(c->mounts[0].remount);
	assert_true(c->mounts[1].remount && c->mounts[1].bind);
	assert_string_equal(c->mounts[1].source, "/s");
	assert_null(c->mounts[1].type);
	assert_int_equal(c->mounts[1].flags_set, MS_NOEXEC | MS_RDONLY);
	assert_string_equal(c->mounts[2].source, "/s");
	assert_int_equal(c->mounts[2].flags_set, 0);
	assert_int_equal(c->mounts[2].flags_clear, MS_RDONLY);
	assert_false(oci_remounts_fs(&c->mounts[2]));
	assert_string_equal(c->mounts[4].data, "size=1m");
	assert_true(oci_remounts_fs(&c->mounts[4]));
	assert_false(c->mounts[5].bind || oci_remounts_fs(&c->mounts[5]));
	oci_config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mount_options),
		cmocka_unit_test(mount_options_together),
		cmocka_unit_test(remounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
