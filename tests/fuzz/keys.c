/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that leave a container: found in what is typed wherever it is cut in pieces. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "client/keys.h"
#include "common/fd.h"

/* Everything at once, or in pieces of 1 to 16 bytes. Returns whether the keys were there; ret_len: what was passed on. */
static bool filter(const struct keys *keys, const uint8_t *typed, size_t len, bool whole, unsigned char *out,
		   size_t *ret_len)
{
	struct keys k = *keys;
	size_t have = 0;

	for (size_t at = 0; at < len;) {
		size_t n = whole ? len - at : 1 + typed[at] % 16, got;

		if (n > len - at)
			n = len - at;
		if (keys_filter(&k, typed + at, n, out + have, &got)) {
			*ret_len = have + got;
			return true;
		}
		have += got;
		at += n;
		FUZZ_CHECK(k.n_held <= k.n && have + k.n_held == at);
	}
	*ret_len = have;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	cleanup_free char *text = fuzz_string(&in);
	cleanup_free unsigned char *at_once = xmalloc(in.left + KEYS_MAX), *pieces = xmalloc(in.left + KEYS_MAX);
	size_t n_at_once, n_pieces;
	struct keys keys = { 0 };
	struct err err = { 0 };
	bool left;

	if (keys_parse(text, &keys, &err) < 0) {
		fuzz_check_err(&err);
		return 0;
	}
	FUZZ_CHECK(keys.n <= KEYS_MAX && keys.n_held == 0);
	left = filter(&keys, in.p, in.left, true, at_once, &n_at_once);
	FUZZ_CHECK(filter(&keys, in.p, in.left, false, pieces, &n_pieces) == left);
	FUZZ_CHECK(n_pieces == n_at_once && !memcmp(pieces, at_once, n_pieces));
	FUZZ_CHECK(!memcmp(at_once, in.p, n_at_once));
	FUZZ_CHECK(keys.n > 0 || !left);
	if (left)
		FUZZ_CHECK(!memcmp(in.p + n_at_once, keys.sequence, keys.n));
	return 0;
}
