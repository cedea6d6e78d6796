/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's log format: escapes, characters that are cut, and reading back what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/logjson.h"

/* Escape `data` in pieces of `step` bytes. Caller frees. */
static char *escape(const char *data, size_t len, size_t step)
{
	char *out = xmalloc(LOGJSON_ESCAPED_MAX(len) + 64);
	struct logjson_carry carry = { .n = 0 };
	size_t used = 0;

	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		size_t got = logjson_escape(out + used, &carry, data + at, n, false);

		assert_true(got <= LOGJSON_ESCAPED_MAX(n));
		used += got;
	}
	used += logjson_escape(out + used, &carry, "", 0, true);
	assert_int_equal(carry.n, 0);
	out[used] = '\0';
	return out;
}

static void escapes_as_docker_does_wherever_it_is_cut(void **state)
{
	static const struct {
		const char *data, *want;
	} rows[] = {
		{ "plain", "plain" },
		{ "\"\\/", "\\\"\\\\/" },
		{ "a\nb\rc\td\x01\x1f\x7f", "a\\nb\\rc\\u0009d\\u0001\\u001f\x7f" },
		{ "<b>&", "\\u003cb\\u003e\\u0026" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa" },
		{ "\xff", "\\ufffd" },
		{ "\x80x", "\\ufffdx" },
		{ "\xc3x", "\\ufffdx" },
		{ "\xc3\"", "\\ufffd\\\"" },
		{ "\xc0\x80", "\\ufffd\\ufffd" }, /* overlong */
		{ "\xe0\x80\x80", "\\ufffd\\ufffd\\ufffd" },
		{ "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" }, /* a surrogate */
		{ "\xed\x9f\xbf", "\xed\x9f\xbf" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
		{ "\xf0\x9f\x98", "\\ufffd\\ufffd\\ufffd" }, /* ends too early */
		{ "\xf0\x9f\xf0\x9f\x98\x80", "\\ufffd\\ufffd\xf0\x9f\x98\x80" },
		{ "\xe2\xe2\x82\xac", "\\ufffd\xe2\x82\xac" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t step = 1; step <= 5; step++) {
			cleanup_free char *got = escape(rows[i].data, strlen(rows[i].data), step);

			if (strcmp(got, rows[i].want) != 0)
				fail_msg("row %zu in steps of %zu: '%s', wanted '%s'", i, step, got, rows[i].want);
		}
}

static void what_was_written_is_read_again(void **state)
{
	unsigned int seed = 12345;

	for (int round = 0; round < 2000; round++) {
		char data[64], line[1024];
		struct logjson_carry carry = { .n = 0 };
		struct logfmt_record r;
		size_t len = (size_t)(rand_r(&seed) % 60), n;

		/* Any ASCII, NUL too: that comes back byte for byte. */
		for (size_t i = 0; i < len; i++)
			data[i] = (char)(rand_r(&seed) % 128);
		n = (size_t)sprintf(line, "{\"log\":\"");
		n += logjson_escape(line + n, &carry, data, len, true);
		n += (size_t)sprintf(line + n, "\",\"stream\":\"stderr\",\"attrs\":{\"a\":\"}\",\"b\":[1,{}]},"
					       "\"time\":\"2026-11-23T20:30:00.5Z\"}");
		assert_true(logjson_parse(line, n, &r));
		assert_int_equal(r.stream, STREAM_STDERR);
		assert_int_equal(r.time.tv_nsec, 500000000);
		assert_int_equal(r.full, len > 0 && data[len - 1] == '\n');
		assert_int_equal(r.text_len, len - r.full);
		assert_memory_equal(r.text, data, r.text_len);
	}
}

static bool parses(const char *text, const char *want)
{
	cleanup_free char *line = xstrdup(text);
	struct logfmt_record r;

	if (!logjson_parse(line, strlen(line), &r))
		return false;
	if (want)
		assert_memory_equal(r.text, want, strlen(want));
	return true;
}

static void reads_what_others_write(void **state)
{
	assert_true(parses(
		"{\"stream\":\"stdout\",\"time\":\"2026-11-23T20:30:00Z\",\"log\":\"\\u00e4\\ud83d\\ude00\\/\\t\"}",
		"\xc3\xa4\xf0\x9f\x98\x80/\t"));
	assert_true(parses("{ \"log\" : \"x\" , \"n\":null,\"stream\":\"stdout\", \"time\":\"2026-11-23T20:30:00Z\" }",
			   "x"));
	assert_true(parses("{\"log\":\"\\ud83d\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T20:30:00Z\"}",
			   "\xef\xbf\xbd"));
	assert_false(parses("", NULL));
	assert_false(parses("{", NULL));
	assert_false(parses("{}", NULL));
	assert_false(parses("no object", NULL));
	assert_false(parses("{\"log\":\"x", NULL));
	assert_false(parses("{\"log\":\"x\\", NULL));
	assert_false(parses("{\"log\":\"x\\u00", NULL));
	assert_false(parses("{\"log\":\"x\\q\",\"stream\":\"stdout\",\"time\":\"2026-11-23T20:30:00Z\"}", NULL));
	assert_false(parses("{\"log\":\"x\",\"stream\":\"stdout\"}", NULL));
	assert_false(parses("{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"yesterday\"}", NULL));
	assert_false(parses("{\"log\":\"x\",\"stream\":\"stdout\",\"a\":[", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_as_docker_does_wherever_it_is_cut),
		cmocka_unit_test(what_was_written_is_read_again),
		cmocka_unit_test(reads_what_others_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
