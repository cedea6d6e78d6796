/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough of tar (POSIX ustar, with GNU's way of writing sizes beyond 8 GiB): plain files. */
#ifndef THOLE_CLIENT_TAR_H
#define THOLE_CLIENT_TAR_H

#include <stdint.h>

#include "common/err.h"
#include "common/manifest.h"
#include "common/tar.h"

struct tar_member {
	char name[MANIFEST_NAME_MAX];
	uint64_t size;
};

/* Fill a block with the header of a plain file (0600, of root). ERR_LIMIT: the name is longer than 99 bytes. */
int tar_encode(const struct tar_member *m, uint64_t time_s, uint8_t block[TAR_BLOCK], struct err *err);

/* Read one that anybody may have written. Returns 1, 0 for a block of zeros, which ends an archive, -1: ERR_CONFIG, it is damaged, or what it announces is no plain file, or called otherwise than
 * a file of an image may be (manifest_is_path). */
int tar_decode(const uint8_t block[TAR_BLOCK], struct tar_member *ret, struct err *err);

#endif
