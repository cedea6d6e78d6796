/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of an image of a set: its manifest, everything on the disk, and then its name. */
#ifndef THOLE_SHIM_CHECKPOINT_SEAL_H
#define THOLE_SHIM_CHECKPOINT_SEAL_H

#include <stdint.h>

#include "common/manifest.h"

struct seal {
	int set_fd;           /* the set's directory */
	int new_fd;           /* the image's, SET_NEW below it */
	struct manifest *m;   /* filled but for files and size; m->name is the image's */
	uint64_t limit_bytes; /* 0: none */
};

/* Digest and sync every file of the image, write its manifest, give it its name, make it the latest: each on the disk before the next. Takes as long as that takes. On failure
 * there is no image of that name, unless only the link is missing. ERR_LIMIT: larger than the limit. */
int seal_image(const struct seal *s, struct err *err);

/* criu's own figures, from its file below dir_fd, which is removed; unknown when there is none. */
void seal_statistics(int dir_fd, struct manifest_statistics *ret);

/* Add them to an image that has its name already, whole or not at all. */
int seal_add_statistics(int image_fd, const struct manifest_statistics *s, struct err *err);

#endif
