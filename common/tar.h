/* SPDX-License-Identifier: Apache-2.0 */
/* One block of a tar archive, POSIX's ustar header, with GNU's way of writing numbers that are too large for it. */
#ifndef THOLE_COMMON_TAR_H
#define THOLE_COMMON_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK 512

struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
	char type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a header is one block");

/* Octal where it fits into a field of `size` bytes, else binary. */
void tar_put_number(char *field, size_t size, uint64_t value);

/* Octal digits up to a blank or NUL, or binary. Returns -1 for what is neither, or larger than INT64_MAX. */
int tar_take_number(const char *field, size_t size, uint64_t *ret);

/* Fill magic, version and, last of all, checksum. */
void tar_seal(struct tar_header *h);

/* Is it a header, with its checksum right? */
bool tar_is_sound(const struct tar_header *h);

/* Zeros: the end of an archive. */
bool tar_is_empty(const void *block);

/* Bytes that fill the last block of a member. */
static inline uint64_t tar_padding(uint64_t size)
{
	return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

#endif
