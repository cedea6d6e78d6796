/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest of an image: written and read it is the same; what somebody else has written is judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/manifest.h"

static struct manifest example(void)
{
	struct manifest m = {
		.id = "web",
		.name = "20261125T031500.123Z",
		.created_ns = 1764040500123456789u,
		.rootfs = "/srv/\"web\"/rootfs",
		.kernel = "6.18.0",
		.architecture = "x86_64",
		.criu = "4.2.1",
		.thole = "0.1.0",
		.running = true,
		.tcp_established = true,
		.capture = "none",
		.statistics = { .known = true, .frozen_us = 12345, .pages_written = 7 },
	};
	struct manifest_file f = { .name = "inventory.img", .size = 12 },
			     g = { .name = "pages-1.img", .size = 1u << 20 };
	const struct manifest_open_file x = { .path = (char *)"/var/log/x", .size = 17, .mtime_ns = 18 },
					y = { .path = (char *)"/var/log/y", .size = 19, .appended = true };

	sha256_text("c", 1, m.config);
	sha256_text("f", 1, f.sha256);
	sha256_text("g", 1, g.sha256);
	manifest_add_file(&m, &f);
	manifest_add_file(&m, &g);
	manifest_add_open(&m, &x);
	manifest_add_open(&m, &y);
	return m;
}

static void comes_back_as_it_was(void **state)
{
	struct manifest m = example(), n;
	char *text = manifest_text(&m), *again;
	struct err err;

	assert_int_equal(manifest_parse(text, &n, &err), 0);
	assert_string_equal(n.id, m.id);
	assert_string_equal(n.rootfs, m.rootfs);
	assert_true(n.created_ns == m.created_ns && n.running && n.tcp_established && !n.tcp_close);
	assert_true(n.size == (1u << 20) + 12 && n.n_files == 2);
	assert_true(n.n_open == 2 && n.open[0].mtime_ns == 18 && !n.open[0].appended);
	assert_true(n.open[1].size == 19 && n.open[1].appended);
	assert_true(n.statistics.known && n.statistics.frozen_us == 12345);
	assert_string_equal(manifest_find(&n, "pages-1.img")->sha256, m.files[1].sha256);
	assert_null(manifest_find(&n, "pages-2.img"));
	again = manifest_text(&n);
	assert_string_equal(again, text);
	free(again);
	free(text);
	manifest_release(&m);
	manifest_release(&n);
}

/* Every byte of it, with one bit turned. */
static void a_turned_bit_is_seen(void **state)
{
	struct manifest m = example(), n;
	char *text = manifest_text(&m);
	struct err err;

	for (size_t i = 0; text[i]; i++) {
		text[i] ^= 1;
		assert_int_equal(manifest_parse(text, &n, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		manifest_release(&n);
		text[i] ^= 1;
	}
	/* And cut off anywhere. */
	for (size_t i = strlen(text); i-- > 0;) {
		text[i] = '\0';
		assert_int_equal(manifest_parse(text, &n, &err), -1);
		manifest_release(&n);
	}
	free(text);
	manifest_release(&m);
}

static void names_are_judged(void **state)
{
	static const char *const good[] = { "pages-1.img", "a", "20261125T031500.123Z", "x+y_z" };
	static const char *const bad[] = { "", ".", "..", ".x", "-x", "a/b", "a b", "a\n", "/x" };
	char longest[MANIFEST_NAME_MAX + 1];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(manifest_is_name(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(manifest_is_name(bad[i]));
	memset(longest, 'x', sizeof(longest));
	longest[MANIFEST_NAME_MAX] = '\0';
	assert_false(manifest_is_name(longest));
	longest[MANIFEST_NAME_MAX - 1] = '\0';
	assert_true(manifest_is_name(longest));
}

static void names_in_a_set_are_judged(void **state)
{
	static const char *const good[] = { "one", "20261125T031500.123Z", "dump.log.1", "stats", "inventory.img" };
	static const char *const bad[] = { "",
					   ".x",
					   "a/b",
					   "latest",
					   "manifest.json",
					   "dump.log",
					   "pre-dump.log",
					   "restore.log",
					   "lazy-pages.log",
					   "stats-dump",
					   "stats-restore",
					   "lazy-pages.socket" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(manifest_is_image_name(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(manifest_is_image_name(bad[i]));
}

/* The text with something cut out of it, and the digest that it has then. */
static char *without(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from), *end = at ? strstr(at, to) : NULL;
	char digest[SHA256_TEXT_SIZE], *ret, *place;

	assert_non_null(end);
	ret = calloc(1, strlen(text) + 1);
	assert_non_null(ret);
	memcpy(ret, text, (size_t)(at - text));
	strcat(ret, end);
	place = strstr(ret, "\"sha256\":\"") + strlen("\"sha256\":\"");
	memset(place, '0', SHA256_TEXT_SIZE - 1);
	sha256_text(ret, strlen(ret), digest);
	memcpy(place, digest, SHA256_TEXT_SIZE - 1);
	return ret;
}

/* Who does not know of files that may have grown is not told of them as of others; an image of his has none. */
static void what_is_appended_stands_apart(void **state)
{
	struct manifest m = example(), n;
	char *text = manifest_text(&m), *older = without(text, "\"appendedFiles\":", "\"files\":");
	struct err err;

	assert_non_null(strstr(text, "\"openFiles\":[{\"path\":\"/var/log/x\",\"size\":17,\"mtimeNs\":18}],"));
	assert_int_equal(manifest_parse(older, &n, &err), 0);
	assert_true(n.n_open == 1 && !n.open[0].appended && n.n_files == 2);
	manifest_release(&n);
	free(older);
	older = without(text, "\"openFiles\":", "\"appendedFiles\":");
	assert_int_equal(manifest_parse(older, &n, &err), -1);
	manifest_release(&n);
	free(older);
	free(text);
	manifest_release(&m);
}

static struct manifest example_with_pre_dumps(void)
{
	struct manifest m = example();
	struct manifest_file f = { .name = "parent/pages-1.img", .size = 5 },
			     g = { .name = "parent/parent/pages-1.img", .size = 6 };

	sha256_text("p", 1, f.sha256);
	sha256_text("q", 1, g.sha256);
	manifest_add_file(&m, &f);
	manifest_add_file(&m, &g);
	m.n_pre_dumps = 2;
	m.pre_dumps[0] = (struct manifest_statistics) { .known = true, .pages_written = 1000 };
	m.pre_dumps[1] = (struct manifest_statistics) { .known = true, .pages_written = 10, .frozen_us = 3 };
	return m;
}

static void pre_dumps_come_back(void **state)
{
	struct manifest m = example_with_pre_dumps(), n;
	char *text = manifest_text(&m);
	struct err err;

	/* Not for those who do not look into "parent". */
	assert_non_null(strstr(text, "\"format\":2,"));
	assert_int_equal(manifest_parse(text, &n, &err), 0);
	assert_int_equal(n.n_pre_dumps, 2);
	assert_true(n.pre_dumps[0].pages_written == 1000 && n.pre_dumps[1].frozen_us == 3);
	assert_string_equal(manifest_find(&n, "parent/parent/pages-1.img")->sha256, m.files[3].sha256);
	assert_true(n.size == m.size);
	free(text);
	manifest_release(&n);
	/* As many of them as directories. */
	for (m.n_pre_dumps = 0; m.n_pre_dumps < 4; m.n_pre_dumps++) {
		text = manifest_text(&m);
		assert_int_equal(manifest_parse(text, &n, &err), m.n_pre_dumps == 2 ? 0 : -1);
		manifest_release(&n);
		free(text);
	}
	manifest_release(&m);
}

static void paths_are_judged(void **state)
{
	static const char *const good[] = { "pages-1.img", "parent/pages-1.img", "parent/parent/x", "parent",
					    "parent/parent" };
	static const char *const bad[] = {
		"",         "/x",         "x/y",        "parent/", "parent/../x", "parent//x", "parent/.hidden",
		"Parent/x", "./parent/x", "parent/x/y", "../x",    "parent/x/"
	};
	char deep[MANIFEST_NAME_MAX] = "";

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(manifest_is_path(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(manifest_is_path(bad[i]));
	for (size_t i = 0; i < MANIFEST_PARENTS_MAX; i++)
		strcat(deep, "parent/");
	/* The longest name that criu gives a file of a pre-dump, in the deepest of them: an archive's name has 99 bytes. */
	strcat(deep, "pagemap-shmem-4294967295.img");
	assert_true(manifest_is_path(deep) && strlen(deep) <= 99);
	snprintf(deep, sizeof(deep), "parent/parent/parent/parent/parent/parent/parent/parent/parent/parent/parent/x");
	assert_false(manifest_is_path(deep));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),      cmocka_unit_test(a_turned_bit_is_seen),
		cmocka_unit_test(names_are_judged),          cmocka_unit_test(pre_dumps_come_back),
		cmocka_unit_test(paths_are_judged),          cmocka_unit_test(what_is_appended_stands_apart),
		cmocka_unit_test(names_in_a_set_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
