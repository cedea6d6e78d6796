/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a container, as one member of its image: rootfs.tar.
 *
 * The archive has areas, one after the other: "root", and "bind/0", "bind/1", ... for binds that were asked for. Each begins with its directory's own entry, which carries the path that the
 * container sees it by and a form: "whole", everything that is in it, or "upper", what differs from an overlay's lower layers, with what has been removed as OCI's ".wh." entries. */
#ifndef THOLE_SHIM_CHECKPOINT_CAPTURE_H
#define THOLE_SHIM_CHECKPOINT_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

#define CAPTURE_FILE "rootfs.tar"
#define CAPTURE_ROOT "root"
#define CAPTURE_WHOLE "whole"
#define CAPTURE_UPPER "upper"
#define CAPTURE_WHITEOUT ".wh."
#define CAPTURE_OPAQUE ".wh..wh..opq"
#define CAPTURE_DEPTH_MAX 400
#define CAPTURE_AREAS_MAX 64

enum capture_how {
	CAPTURE_AUTO, /* clones where the file system can */
	CAPTURE_REFLINK,
	CAPTURE_COPY,
};

/* A directory whose files belong to the container. */
struct capture_area {
	char *destination;                     /* as the container sees it; "/": its root */
	char *path;                            /* of the host */
	const struct oci_id_maps *uids, *gids; /* borrowed: how its mount shows owners; NULL: as they are */
};

struct capture_plan {
	size_t n;
	struct capture_area *v;
	pid_t init; /* whose root the one of the destination "/" has to be */
};
void capture_plan_release(struct capture_plan *p);
void capture_plan_add(struct capture_plan *p, const char *destination, const char *path);

/* For a worker: how many bytes it would be, about: on the disk, and with the holes of files, which are in the archive as such. Reads every directory, no file. The container may go on meanwhile: what
 * vanishes does not count. */
struct capture_size {
	uint64_t bytes, with_holes;
};
int capture_measure(const struct capture_plan *p, struct capture_size *ret, struct err *err);

/* For a worker, while nothing of the container runs: write it below dir_fd. ret_cloned: its data has been cloned, not copied. What fails leaves a part of it there. ERR_UNSUPPORTED:
 * CAPTURE_REFLINK, and the file system cannot. */
int capture_write(const struct capture_plan *p, enum capture_how how, int dir_fd, bool *ret_cloned, struct err *err);

/* May an extended attribute of this name be in a capture? */
bool capture_takes_xattr(const char *name);

/* Raise the limit on open files: a descriptor is open for each level of a tree. */
void capture_allow_depth(void);

#endif
