/* SPDX-License-Identifier: Apache-2.0 */
/* A set: a directory with a container's images, one of which is the latest. */
#ifndef THOLE_CLIENT_SET_H
#define THOLE_CLIENT_SET_H

#include "client/image.h"
#include "common/path.h"

/* One name in it that could be an image. */
struct set_entry {
	char name[MANIFEST_NAME_MAX];
	bool good;
	bool is_set;       /* no image, but a directory with some */
	struct manifest m; /* without its files; zero unless good */
	struct err why;    /* unless good */
};

struct set {
	size_t n;
	struct set_entry *v;            /* the newest first; those that are not good last */
	char latest[MANIFEST_NAME_MAX]; /* where the link points; "": there is none */
};
void set_release(struct set *s);
#define cleanup_set __attribute__((cleanup(set_release)))

/* Open it. `made`: it is made (0700) when it is missing, but nothing above it, which may be a disk that is not mounted; NULL: it has to be there. ret_fd is the caller's.
 * ERR_USAGE: it is to be written to, and is an image. */
int set_open(const char *path, struct path_made *made, int *ret_fd, struct err *err);

/* Be the only one who changes it, as long as this descriptor or a copy of it is open. ERR_BUSY: somebody is. */
int set_lock(int set_fd, const char *path, struct err *err);

/* Remove what somebody has left there who was killed. The set is locked. */
void set_tidy(int set_fd);

int set_read(int set_fd, enum image_depth depth, struct set *ret, struct err *err);

/* Open image `name`: ERR_NOT_FOUND. */
int set_open_image(int set_fd, const char *name, int *ret_fd, struct err *err);

/* Remove the oldest images until no more than `keep` (0: any number) are left, of together no more than `max_bytes` (0: any). The latest and `spared` stay. The set is locked. */
int set_retain(int set_fd, uint64_t keep, uint64_t max_bytes, const char *spared, struct err *err);

#endif
