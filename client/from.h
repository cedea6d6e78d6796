/* SPDX-License-Identifier: Apache-2.0 */
/* Which image a restore takes. */
#ifndef THOLE_CLIENT_FROM_H
#define THOLE_CLIENT_FROM_H

#include "client/checkpoint.h"
#include "common/manifest.h"

/* The image that was chosen, and its set, which nobody changes while this is open. */
struct from {
	int set_fd, image_fd; /* set_fd: -1 when the image was named */
	struct manifest m;    /* without its files */
};
#define FROM_NONE ((struct from) { -1, -1, { .n_files = 0 } })
void from_release(struct from *f);
#define cleanup_from __attribute__((cleanup(from_release)))

/* Is this directory an image that says so itself (of thole's own form)? */
bool from_is_image(const char *path);

/* PATH is an image, or a set whose latest good one is taken: all of its files are read and their digests compared before. What is passed over is told on stderr. `id`: whose it has to be; NULL:
 * anybody's. ERR_NOT_FOUND: there is none that is good. ERR_BUSY: somebody changes the set. */
int from_choose(const struct client *cl, const char *path, const char *id, struct from *ret, struct err *err);

/* What rides beside the request: what criu was told at the checkpoint holds again. Its log goes into the directory that the image is in, or below the container's own. `rootfs`: "keep": files stay as
 * they are; "restore": those of the image come back, or ERR_USAGE; NULL: the same, but if it has none they are looked at. */
int from_files(const struct client *cl, const struct from *f, const char *id, const struct criu_options *o,
	       const char *rootfs, struct checkpoint_files *ret, struct err *err);

#endif
