/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough of tar: plain files in one directory.
 *
 * Decoding runs in a process without privileges, on what anybody may have written. */
#include "client/tar.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* POSIX's ustar header. */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
	char type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is one block");

static unsigned int checksum_of(const struct header *h)
{
	const uint8_t *bytes = (const uint8_t *)h;
	unsigned int sum = 0;

	/* Of the header with blanks in its place. */
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += i >= offsetof(struct header, checksum) && i < offsetof(struct header, type) ? ' ' : bytes[i];
	return sum;
}

static void put_size(char field[12], uint64_t size)
{
	if (size < UINT64_C(1) << 33) {
		snprintf(field, 12, "%011llo", (unsigned long long)size);
		return;
	}
	memset(field, 0, 12);
	field[0] = (char)0x80;
	for (int i = 0; i < 8; i++)
		field[11 - i] = (char)(size >> (8 * i));
}

int tar_encode(const struct tar_member *m, uint64_t time_s, uint8_t block[TAR_BLOCK], struct err *err)
{
	struct header h = { .type = '0' };
	char sum[8];

	if (strlen(m->name) >= sizeof(h.name))
		return err_set(err, ERR_LIMIT, "the name '%s' is too long for an archive", m->name);
	memcpy(h.name, m->name, strlen(m->name));
	memcpy(h.mode, "0000600", 7);
	memcpy(h.uid, "0000000", 7);
	memcpy(h.gid, "0000000", 7);
	put_size(h.size, m->size);
	put_size(h.mtime, time_s);
	memcpy(h.magic, "ustar", 6);
	memcpy(h.version, "00", 2);
	snprintf(sum, sizeof(sum), "%06o", checksum_of(&h) & 0777777u);
	memcpy(h.checksum, sum, 7);
	h.checksum[7] = ' ';
	memcpy(block, &h, sizeof(h));
	return 0;
}

/* Octal digits up to a blank or NUL; or GNU's binary. */
static int take_size(const char field[12], uint64_t *ret)
{
	uint64_t v = 0;
	int i;

	if ((uint8_t)field[0] == 0x80) {
		for (i = 1; i < 4; i++)
			if (field[i])
				return -1;
		for (i = 4; i < 12; i++)
			v = v << 8 | (uint8_t)field[i];
		*ret = v;
		return v > INT64_MAX ? -1 : 0;
	}
	for (i = 0; i < 12 && field[i] >= '0' && field[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(field[i] - '0');
	*ret = v;
	return i == 0 || (i < 12 && field[i] != ' ' && field[i] != '\0') ? -1 : 0;
}

static int is_empty(const uint8_t *block)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (block[i])
			return 0;
	return 1;
}

int tar_decode(const uint8_t block[TAR_BLOCK], struct tar_member *ret, struct err *err)
{
	char name[sizeof(((struct header *)0)->name) + 1] = "", sum[9] = "";
	const char *plain = name;
	unsigned int said;
	struct header h;

	if (is_empty(block))
		return 0;
	memcpy(&h, block, sizeof(h));
	memcpy(sum, h.checksum, sizeof(h.checksum));
	if (sscanf(sum, " %6o", &said) != 1 || said != checksum_of(&h) || memcmp(h.magic, "ustar", 5) != 0)
		return err_set(err, ERR_CONFIG, "it is no tar archive, or a damaged one");
	memcpy(name, h.name, sizeof(h.name));
	/* As `tar cf - -C IMAGE .` writes it. */
	if (!strncmp(plain, "./", 2))
		plain += 2;
	if (h.prefix[0] || !manifest_is_name(plain))
		return err_set(err, ERR_CONFIG, "its member '%s' is not called as a file of an image may be", name);
	if (h.type != '0' && h.type != '\0')
		return err_set(err, ERR_CONFIG, "its member '%s' is no plain file", name);
	if (take_size(h.size, &ret->size) < 0)
		return err_set(err, ERR_CONFIG, "the size of its member '%s' is damaged", name);
	snprintf(ret->name, sizeof(ret->name), "%s", plain);
	return 1;
}
