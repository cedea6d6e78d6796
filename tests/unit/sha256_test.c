/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256: the standard's own examples, and both ways of computing it against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/sha256.h"

static void of_examples(void **state)
{
	static const struct {
		const char *text, *digest;
	} examples[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	char got[SHA256_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		sha256_text(examples[i].text, strlen(examples[i].text), got);
		assert_string_equal(got, examples[i].digest);
	}
}

static void of_a_million(void **state)
{
	char *a = malloc(1000000), got[SHA256_TEXT_SIZE];

	memset(a, 'a', 1000000);
	sha256_text(a, 1000000, got);
	assert_string_equal(got, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(a);
}

/* In pieces of every length around a block's, by both. */
static void in_pieces(void **state)
{
	uint8_t data[1000];
	char whole[SHA256_TEXT_SIZE], pieces[SHA256_TEXT_SIZE];
	struct sha256 h;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 167 + 13);
	for (size_t len = 0; len < sizeof(data); len += 7) {
		sha256_text(data, len, whole);
		for (size_t step = 1; step < 130; step += 21) {
			sha256_init_portable(&h);
			for (size_t at = 0; at < len; at += step)
				sha256_add(&h, data + at, len - at < step ? len - at : step);
			sha256_end(&h, pieces);
			assert_string_equal(pieces, whole);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_examples),
		cmocka_unit_test(of_a_million),
		cmocka_unit_test(in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
