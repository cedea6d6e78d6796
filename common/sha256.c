/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), by the processor's own instructions where it has them: an image is as large as the container's memory. */
#include "common/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "common/fd.h"

#define READ_BYTES (1 << 20)

static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t right(uint32_t v, int n)
{
	return v >> n | v << (32 - n);
}

static void schedule(const uint8_t *data, uint32_t w[64])
{
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 | (uint32_t)data[4 * i + 2] << 8 |
		       data[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (right(a, 7) ^ right(a, 18) ^ a >> 3) +
		       (right(b, 17) ^ right(b, 19) ^ b >> 10);
	}
}

static void compress_portable(uint32_t state[8], const uint8_t *data, size_t blocks)
{
	uint32_t w[64], v[8];

	for (; blocks > 0; blocks--, data += 64) {
		schedule(data, w);
		memcpy(v, state, sizeof(v));
		for (int i = 0; i < 64; i++) {
			uint32_t t1 = v[7] + (right(v[4], 6) ^ right(v[4], 11) ^ right(v[4], 25)) +
				      ((v[4] & v[5]) ^ (~v[4] & v[6])) + constants[i] + w[i];
			uint32_t t2 = (right(v[0], 2) ^ right(v[0], 13) ^ right(v[0], 22)) +
				      ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

			memmove(v + 1, v, 7 * sizeof(*v));
			v[4] += t1;
			v[0] = t1 + t2;
		}
		for (int i = 0; i < 8; i++)
			state[i] += v[i];
	}
}

#ifdef __x86_64__
/* Four rounds with the message words in m[i % 4], and the next words of the schedule. */
__attribute__((target("sha,sse4.1,ssse3"))) static void compress_x86(uint32_t state[8], const uint8_t *data,
								     size_t blocks)
{
	const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	__m128i t = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
	__m128i abef = _mm_alignr_epi8(t, efgh, 8), cdgh = _mm_blend_epi16(efgh, t, 0xf0);

	for (; blocks > 0; blocks--, data += 64) {
		__m128i m[4], abef0 = abef, cdgh0 = cdgh;

		for (int i = 0; i < 4; i++)
			m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), order);
		for (int i = 0; i < 16; i++) {
			__m128i k = _mm_add_epi32(m[i % 4], _mm_loadu_si128((const __m128i *)(constants + 4 * i)));

			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0e));
			if (i < 12)
				m[i % 4] = _mm_sha256msg2_epu32(
					_mm_add_epi32(_mm_sha256msg1_epu32(m[i % 4], m[(i + 1) % 4]),
						      _mm_alignr_epi8(m[(i + 3) % 4], m[(i + 2) % 4], 4)),
					m[(i + 3) % 4]);
		}
		abef = _mm_add_epi32(abef, abef0);
		cdgh = _mm_add_epi32(cdgh, cdgh0);
	}
	t = _mm_shuffle_epi32(abef, 0x1b);
	cdgh = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(t, cdgh, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(cdgh, t, 8));
}

static bool has_instructions(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) && __get_cpuid(1, &a, &b, &c, &d) &&
	       (c & bit_SSE4_1);
}
#endif

void sha256_init_portable(struct sha256 *h)
{
	*h = (struct sha256) { .state = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
					  0x1f83d9ab, 0x5be0cd19 },
			       .compress = compress_portable };
}

void sha256_init(struct sha256 *h)
{
	sha256_init_portable(h);
#ifdef __x86_64__
	if (has_instructions())
		h->compress = compress_x86;
#endif
}

void sha256_add(struct sha256 *h, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t used = h->bytes % 64, n;

	h->bytes += len;
	if (used) {
		n = len < 64 - used ? len : 64 - used;
		memcpy(h->block + used, p, n);
		p += n;
		len -= n;
		if (used + n < 64)
			return;
		h->compress(h->state, h->block, 1);
	}
	if (len >= 64)
		h->compress(h->state, p, len / 64);
	memcpy(h->block, p + len / 64 * 64, len % 64);
}

void sha256_end(struct sha256 *h, char ret_text[SHA256_TEXT_SIZE])
{
	uint64_t bits = h->bytes * 8;
	size_t pad = (h->bytes % 64 < 56 ? 56 : 120) - h->bytes % 64;
	uint8_t tail[72] = { 0x80 };

	for (int i = 0; i < 8; i++)
		tail[pad + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_add(h, tail, pad + 8);
	for (int i = 0; i < 8; i++)
		snprintf(ret_text + 8 * i, 9, "%08x", h->state[i]);
}

void sha256_text(const void *data, size_t len, char ret_text[SHA256_TEXT_SIZE])
{
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, data, len);
	sha256_end(&h, ret_text);
}

int sha256_fd(int fd, char ret_text[SHA256_TEXT_SIZE], uint64_t *ret_size, struct err *err)
{
	cleanup_free char *buf = xmalloc(READ_BYTES);
	struct sha256 h;
	ssize_t n;

	sha256_init(&h);
	while ((n = fd_read_full(fd, buf, READ_BYTES, err)) > 0)
		sha256_add(&h, buf, (size_t)n);
	if (n < 0)
		return -1;
	*ret_size = h.bytes;
	sha256_end(&h, ret_text);
	return 0;
}
