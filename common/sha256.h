/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), by the processor's own instructions where it has them. */
#ifndef THOLE_COMMON_SHA256_H
#define THOLE_COMMON_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define SHA256_TEXT_SIZE 65 /* 64 hexadecimal digits and NUL */

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t block[64];
	void (*compress)(uint32_t state[8], const uint8_t *data, size_t blocks);
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t len);
void sha256_end(struct sha256 *h, char ret_text[SHA256_TEXT_SIZE]);

/* The same without those instructions: for comparing. */
void sha256_init_portable(struct sha256 *h);

/* Of a text, and of a file from its position to its end. */
void sha256_text(const void *data, size_t len, char ret_text[SHA256_TEXT_SIZE]);
int sha256_fd(int fd, char ret_text[SHA256_TEXT_SIZE], uint64_t *ret_size, struct err *err);

#endif
