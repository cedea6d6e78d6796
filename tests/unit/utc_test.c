/* SPDX-License-Identifier: Apache-2.0 */
/* Text of points in time: what the C library says as well, day by day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/utc.h"

static void check(uint64_t seconds)
{
	char text[UTC_TEXT_SIZE], expected[UTC_TEXT_SIZE];
	time_t t = (time_t)seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm);
	assert_int_equal(utc_text(seconds * 1000000000u + seconds % 1000000000u, text), strlen(expected));
	assert_string_equal(text, expected);
}

static void every_day_until_2500(void **state)
{
	for (uint64_t day = 0; day < 530 * 3652425 / 10000; day++)
		check(day * 86400 + day % 86400);
	check(86399);
	check(86400);
}

static void fractions(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ 1120000000, "1970-01-01T00:00:01.12Z" },
		{ 1000000100, "1970-01-01T00:00:01.0000001Z" },
		{ 10000000000, "1970-01-01T00:00:10Z" },
		{ UINT64_MAX, "2554-07-21T23:34:33.709551615Z" },
	};
	char text[UTC_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(utc_text_exact(rows[i].ns, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
}

static void the_last_one(void **state)
{
	char text[UTC_TEXT_SIZE];

	utc_text(UINT64_MAX, text);
	assert_string_equal(text, "2554-07-21T23:34:33");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_day_until_2500),
		cmocka_unit_test(fractions),
		cmocka_unit_test(the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
