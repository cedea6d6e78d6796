/* SPDX-License-Identifier: Apache-2.0 */
/* What of a message to the service manager may come from inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shim/container/sdnotify.h"

static const char *filtered(const char *message, size_t len)
{
	static char out[64];
	size_t n = sdnotify_filter(message, len, out, sizeof(out) - 1);

	out[n] = '\0';
	return out;
}

#define FILTERED(text) filtered(text, sizeof(text) - 1)

static void test_what_passes(void **state)
{
	assert_string_equal(FILTERED("READY=1"), "READY=1\n");
	assert_string_equal(FILTERED("READY=1\n"), "READY=1\n");
	assert_string_equal(FILTERED("RELOADING=1\nMONOTONIC_USEC=7"), "RELOADING=1\nMONOTONIC_USEC=7\n");
	assert_string_equal(FILTERED("STOPPING=1\nSTATUS=a = b\nERRNO=2"), "STOPPING=1\nSTATUS=a = b\nERRNO=2\n");
	assert_string_equal(FILTERED("WATCHDOG=trigger"), "WATCHDOG=trigger\n");
}

static void test_what_does_not(void **state)
{
	assert_string_equal(FILTERED("MAINPID=1"), "");
	assert_string_equal(FILTERED("MAINPID=1\nREADY=1\nMAINPID=2"), "READY=1\n");
	assert_string_equal(FILTERED("WATCHDOG_USEC=1\nEXTEND_TIMEOUT_USEC=1\nFDSTORE=1\nFDNAME=x\nBARRIER=1"), "");
	assert_string_equal(FILTERED("READY\nready=1\n READY=1\nXREADY=1\n\n="), "");
	assert_string_equal(FILTERED(""), "");
	assert_string_equal(FILTERED("\n\n\n"), "");
	/* A NUL must not hide what follows it from somebody who reads text. */
	assert_string_equal(FILTERED("STATUS=a\0MAINPID=1\nREADY=1"), "READY=1\n");
}

/* Who sends a string with its NUL (sizeof) means the string. */
static void test_one_nul_at_the_end_is_cut(void **state)
{
	assert_string_equal(FILTERED("READY=1\0"), "READY=1\n");
	assert_string_equal(FILTERED("READY=1\n\0"), "READY=1\n");
	assert_string_equal(FILTERED("STATUS=a\nREADY=1\0"), "STATUS=a\nREADY=1\n");
	assert_string_equal(FILTERED("STATUS=a\nREADY=1\0\0"), "STATUS=a\n");
	assert_string_equal(FILTERED("\0"), "");
}

static void test_what_does_not_fit_is_left_out_whole(void **state)
{
	char message[200];

	memset(message, 'x', sizeof(message));
	memcpy(message, "STATUS=", 7);
	memcpy(message + 190, "\nREADY=1\n ", 10);
	assert_string_equal(filtered(message, sizeof(message)), "READY=1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_passes),
		cmocka_unit_test(test_what_does_not),
		cmocka_unit_test(test_one_nul_at_the_end_is_cut),
		cmocka_unit_test(test_what_does_not_fit_is_left_out_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
