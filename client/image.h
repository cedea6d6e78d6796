/* SPDX-License-Identifier: Apache-2.0 */
/* Images of a set, looked at by a process that has given up its privileges: whatever they hold was perhaps written by somebody else. */
#ifndef THOLE_CLIENT_IMAGE_H
#define THOLE_CLIENT_IMAGE_H

#include "common/manifest.h"

enum image_depth {
	IMAGE_MANIFEST, /* what it says, and that it says so itself */
	IMAGE_FILES,    /* and that its files are those, by size */
	IMAGE_DIGESTS,  /* and by digest: reads all of them */
};

/* What was found. `m` has its texts and numbers, its files in m.files (borrowed from `v`), but not its open files. */
struct image_report {
	struct manifest m;
	size_t n;
	struct manifest_file *v;
};
void image_report_release(struct image_report *r);

/* Look at the image in the directory `dir_fd`. ERR_NOT_FOUND: there is no manifest, so it is no image, or half of one; ERR_CONFIG: it is damaged, and what is. ret is untouched on
 * failure. Waits as long as that takes. */
int image_examine(int dir_fd, enum image_depth depth, struct image_report *ret, struct err *err);

/* Is something to be written into the directory `path`, or as a file or directory of that name? ERR_USAGE: it would come into an image of a set, which has to stay as its manifest says. */
int image_spare(const char *path, struct err *err);

/* Can it be restored here? ERR_UNSUPPORTED: another architecture. `id`: of the container that it is to be of; NULL: any. */
int image_fits(const struct manifest *m, const char *id, struct err *err);

#endif
