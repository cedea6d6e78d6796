/* SPDX-License-Identifier: Apache-2.0 */
/* One block of a tar archive. */
#include "common/tar.h"

#include <stdio.h>
#include <string.h>

static unsigned int checksum_of(const struct tar_header *h)
{
	const uint8_t *bytes = (const uint8_t *)h;
	unsigned int sum = 0;

	/* Of the header with blanks in its place. */
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += i >= offsetof(struct tar_header, checksum) && i < offsetof(struct tar_header, type) ? ' '
													   : bytes[i];
	return sum;
}

void tar_put_number(char *field, size_t size, uint64_t value)
{
	size_t digits = size - 1;

	if (3 * digits >= 64 || value < UINT64_C(1) << (3 * digits)) {
		char text[32];

		snprintf(text, sizeof(text), "%0*llo", (int)digits, (unsigned long long)value);
		memcpy(field, text, size);
		return;
	}
	memset(field, 0, size);
	field[0] = (char)0x80;
	for (size_t i = 0; i < 8 && i < size - 1; i++)
		field[size - 1 - i] = (char)(value >> (8 * i));
}

static int take_binary(const char *field, size_t size, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 1; i < size; i++) {
		if (v >> 55)
			return -1;
		v = v << 8 | (uint8_t)field[i];
	}
	*ret = v;
	return 0;
}

int tar_take_number(const char *field, size_t size, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	if ((uint8_t)field[0] == 0x80)
		return take_binary(field, size, ret);
	for (i = 0; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(field[i] - '0');
	*ret = v;
	return i == 0 || (i < size && field[i] != ' ' && field[i] != '\0') ? -1 : 0;
}

void tar_seal(struct tar_header *h)
{
	char sum[8];

	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	snprintf(sum, sizeof(sum), "%06o", checksum_of(h) & 0777777u);
	memcpy(h->checksum, sum, 7);
	h->checksum[7] = ' ';
}

bool tar_is_sound(const struct tar_header *h)
{
	char sum[sizeof(h->checksum) + 1] = "";
	unsigned int said;

	memcpy(sum, h->checksum, sizeof(h->checksum));
	return sscanf(sum, " %6o", &said) == 1 && said == checksum_of(h) && memcmp(h->magic, "ustar", 5) == 0;
}

bool tar_is_empty(const void *block)
{
	const uint8_t *bytes = block;

	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (bytes[i])
			return false;
	return true;
}
