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
		cmocka_unit_test(the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
