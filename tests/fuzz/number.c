/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, sizes, times and signals as people write them: what is accepted as a number is written just so. */
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/user.h"
#include "common/fd.h"
#include "common/number.h"
#include "common/proc.h"

static void numbers(const char *text)
{
	uint64_t v = 77;
	char again[32];

	if (!number_u64(text, UINT64_MAX, &v)) {
		FUZZ_CHECK(v == 77);
		return;
	}
	snprintf(again, sizeof(again), "%" PRIu64, v);
	FUZZ_CHECK(!strcmp(again, text));
	if (v > 0)
		FUZZ_CHECK(!number_u64(text, v - 1, &(uint64_t) { 0 }));
	FUZZ_CHECK(number_u64(text, v, &(uint64_t) { 0 }));
}

static void sizes(const char *text)
{
	struct err err = { 0 };
	uint64_t v, plain;

	if (number_size("--size", text, &v, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(v <= INT64_MAX && (!number_u64(text, UINT64_MAX, &plain) || v == plain));
	if (number_millionths("--cpus", text, &v, &err) < 0)
		fuzz_check_err(&err);
	if (number_duration_ms("--interval", text, &v, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(v <= 24u * 3600 * 1000);
}

static void moments(const char *text)
{
	const struct timespec now = { .tv_sec = 1700000000, .tv_nsec = 5 };
	struct timespec t;
	struct err err = { 0 };

	if (number_moment("--since", text, &now, &t, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
}

static void signals(const char *text)
{
	int sig = proc_signal_number(text);

	FUZZ_CHECK(sig == -1 || (sig >= 0 && sig <= 64));
	if (sig > 0 && strcmp(proc_signal_name(sig), "?") != 0)
		FUZZ_CHECK(proc_signal_number(proc_signal_name(sig)) == sig);
}

/* Only numbers: no file is looked at. */
static void users(const char *text)
{
	struct user u;
	struct err err = { 0 };

	if (strspn(text, "0123456789:") != strlen(text))
		return;
	if (user_parse("/nonexistent", text, &u, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(u.uid <= USER_ID_MAX && u.gid <= USER_ID_MAX && (text[0] != '0' || u.uid == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	cleanup_free char *text = fuzz_string(&in);

	numbers(text);
	sizes(text);
	moments(text);
	signals(text);
	users(text);
	return 0;
}
