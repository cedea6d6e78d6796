/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people write them: what is taken, and above all what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/number.h"

static void plain_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max, v;
	} good[] = {
		{ "0", 0, 0 },
		{ "1", 10, 1 },
		{ "10", 10, 10 },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX },
		{ "4294967294", 4294967294, 4294967294 },
	};
	static const char *const bad[] = { "",
					   "01",
					   "00",
					   "-1",
					   "+1",
					   " 1",
					   "1 ",
					   "1x",
					   "x1",
					   "0x1",
					   "1.0",
					   "11",
					   "18446744073709551616",
					   "99999999999999999999" };
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(number_u64(good[i].text, good[i].max, &v));
		assert_true(v == good[i].v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		v = 7;
		assert_false(number_u64(bad[i], 10, &v));
		assert_true(v == 7);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t v;
	} good[] = {
		{ "0", 0 },
		{ "512", 512 },
		{ "512b", 512 },
		{ "4k", 4096 },
		{ "64m", 64ULL << 20 },
		{ "64M", 64ULL << 20 },
		{ "2g", 2ULL << 30 },
		{ "1T", 1ULL << 40 },
		{ "9223372036854775807", INT64_MAX },
		{ "8388607t", 8388607ULL << 40 },
		{ "100MB", 100ULL << 20 },
		{ "64MiB", 64ULL << 20 },
		{ "64 mib", 64ULL << 20 },
		{ "4kb", 4096 },
		{ "1.5g", 3ULL << 29 },
		{ "0.5 GB", 1ULL << 29 },
		{ "0.1g", 107374182 },
		{ "1.9", 1 },
		{ "512 ", 512 },
		{ "0.333333333333333333333333333333k", 341 },
		{ "2p", 2ULL << 50 },
		{ "8191.999999999999999999p", INT64_MAX },
	};
	static const char *const bad[] = { "",         "m",
					   "-1",       "1x",
					   "1bb",      "1bib",
					   "1ib",      "1mi",
					   "1mbb",     "1mib2",
					   "1  m",     "1m ",
					   " 1m",      "01m",
					   ".5g",      "1.g",
					   "1.",       "1.5.5g",
					   "1.-5g",    "1e3",
					   "8192p",    "9223372036854775808",
					   "8388608t", "999999999999999999999g" };
	struct err err;
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(number_size("--memory", good[i].text, &v, &err), 0);
		assert_true(v == good[i].v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(number_size("--memory", bad[i], &v, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		assert_non_null(strstr(err.text, "--memory"));
	}
}

static void parts_of_a_processor(void **state)
{
	static const struct {
		const char *text;
		uint64_t v;
	} good[] = {
		{ "1", 1000000 }, { "0.5", 500000 }, { "1.25", 1250000 }, { "0.000001", 1 }, { "16.0", 16000000 },
	};
	static const char *const bad[] = { "",          ".",    ".5",   "1.",  "-1",     "1e3",
					   "1.0000001", "01.5", "1.5x", "1,5", "2000000" };
	struct err err;
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(number_millionths("--cpus", good[i].text, &v, &err), 0);
		assert_true(v == good[i].v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(number_millionths("--cpus", bad[i], &v, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
	}
}

static void moments(void **state)
{
	const struct timespec now = { .tv_sec = 1800000000, .tv_nsec = 500000000 };
	static const struct {
		const char *text;
		time_t sec;
		long nsec;
	} good[] = {
		{ "0", 0, 0 },
		{ "1764016200", 1764016200, 0 },
		{ "1764016200.25", 1764016200, 250000000 },
		{ "10s", 1799999990, 500000000 },
		{ "1h30m", 1800000000 - 5400, 500000000 },
		{ "2d", 1800000000 - 172800, 500000000 },
		{ "500ms", 1800000000, 0 },
		{ "600ms", 1799999999, 900000000 },
		{ "99999d", 0, 0 }, /* before the epoch there was no log */
		{ "2025-11-24T20:30:00Z", 1764016200, 0 },
		{ "2025-11-24T20:30:00.123456789Z", 1764016200, 123456789 },
		{ "2025-11-24T21:30:00+01:00", 1764016200, 0 },
		{ "2025-11-24T15:00:00.5-05:30", 1764016200, 500000000 },
		{ "2025-11-24T20:30:00", 1764016200 - 7200, 0 }, /* local: TZ below */
		{ "2025-11-24 20:30:00", 1764016200 - 7200, 0 },
		{ "2025-11-24", 1763935200, 0 },
	};
	static const char *const bad[] = { "",
					   "x",
					   "10x",
					   "-5m",
					   "yesterday",
					   "2025-13-01",
					   "2025-11-24T25:00:00Z",
					   "2025-11-24T20:30:00+1:00",
					   "2025-11-24T20:30:00Zx",
					   "1h-5m",
					   "5m5" };
	struct timespec t;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(number_moment("--since", good[i].text, &now, &t, &err), 0);
		if (t.tv_sec != good[i].sec || t.tv_nsec != good[i].nsec)
			fail_msg("'%s' is %lld.%09ld", good[i].text, (long long)t.tv_sec, t.tv_nsec);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (number_moment("--since", bad[i], &now, &t, &err) == 0)
			fail_msg("'%s' is taken", bad[i]);
		assert_int_equal(err.code, ERR_USAGE);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} rows[] = {
		{ "5s", 5000 },
		{ "100ms", 100 },
		{ "1m30s", 90000 },
		{ "0.5s", 500 },
		{ "1.25h", 4500000 },
		{ "0s", 0 },
		{ "24h", 86400000 },
		{ ".5s", 500 },
		{ "5", -1 },
		{ "", -1 },
		{ "s", -1 },
		{ "-5s", -1 },
		{ "5x", -1 },
		{ "1s ", -1 },
		{ "1..5s", -1 },
		{ "25h", -1 },
		{ "1e3s", -1 },
		{ "5 s", -1 },
		{ "99999999999999999999h", -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };
		uint64_t ms = 7;
		int r = number_duration_ms("--interval", rows[i].text, &ms, &err);

		if (r != (rows[i].ms < 0 ? -1 : 0) || (r == 0 && ms != (uint64_t)rows[i].ms))
			fail_msg("'%s': %d, %lu ms", rows[i].text, r, (unsigned long)ms);
		if (r < 0)
			assert_int_equal(err.code, ERR_USAGE);
	}
}

/* As many as would make a double infinite. */
static void durations_of_many_digits(void **state)
{
	char text[512];
	struct err err;
	uint64_t ms;

	memset(text, '4', sizeof(text));
	memcpy(text, "1.", 2);
	memcpy(text + sizeof(text) - 2, "s", 2);
	assert_int_equal(number_duration_ms("--interval", text, &ms, &err), 0);
	assert_int_equal(ms, 1444);
	text[1] = '1';
	assert_int_equal(number_duration_ms("--interval", text, &ms, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_of_many_digits),
		cmocka_unit_test(durations),
		cmocka_unit_test(plain_numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(parts_of_a_processor),
		cmocka_unit_test(moments),
	};

	/* Two hours east of Greenwich, without a zone file. */
	setenv("TZ", "TST-2", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
