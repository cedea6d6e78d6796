/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of shim/oci/ share: configs that are accepted, and those that are refused with these words. They run from the top of the tree. */
#ifndef THOLE_TESTS_UNIT_OCI_H
#define THOLE_TESTS_UNIT_OCI_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/fd.h"
#include "shim/oci/config.h"

#define FIXTURES "tests/fixtures/oci/"

static inline char *fixture(const char *name)
{
	char path[256];
	struct err err;
	char *text;

	snprintf(path, sizeof(path), FIXTURES "%s", name);
	if (fd_read_file_at(AT_FDCWD, path, OCI_CONFIG_MAX, &text, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

/* A config with `members` beside what every config needs. */
static inline char *with(const char *members)
{
	return xasprintf("{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"}%s%s}", members[0] ? "," : "",
			 members);
}

static inline struct oci_config *accept(const char *text)
{
	struct oci_config *c = NULL;
	struct err err = { 0 };

	if (oci_config_parse(text, strlen(text), &c, &err) < 0)
		fail_msg("refused: %s\n%s", err.text, text);
	assert_non_null(c);
	assert_int_equal(err.code, ERR_NONE);
	return c;
}

static inline struct oci_config *accept_with(const char *members)
{
	char *text = with(members);
	struct oci_config *c = accept(text);

	free(text);
	return c;
}

static inline void refuse_len(const char *text, size_t len, ErrCode code, const char *expected)
{
	struct oci_config *c = (void *)1;
	struct err err = { 0 };

	if (oci_config_parse(text, len, &c, &err) == 0)
		fail_msg("accepted, instead of '%s': %.2000s", expected, text);
	assert_ptr_equal(c, (void *)1);
	assert_string_equal(err.text, expected);
	assert_int_equal(err.code, code);
}

static inline void refuse_text(const char *text, ErrCode code, const char *expected)
{
	refuse_len(text, strlen(text), code, expected);
}

static inline void refuse_with(const char *members, ErrCode code, const char *expected)
{
	char *text = with(members);

	refuse_text(text, code, expected);
	free(text);
}

/* What stands between the braces, and the one line that it gets. */
struct refusal {
	const char *members;
	const char *error;
};

static inline void refuse_rows(const struct refusal *rows, size_t n, ErrCode code)
{
	for (size_t i = 0; i < n; i++)
		refuse_with(rows[i].members, code, rows[i].error);
}

/* How the members of some rows begin. */
#define P "\"process\":{\"cwd\":\"/\","
#define L "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],"
#define R "\"linux\":{\"resources\":{"

#endif
