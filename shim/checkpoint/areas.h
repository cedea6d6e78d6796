/* SPDX-License-Identifier: Apache-2.0 */
/* Which directories of the host hold the files of a container: its root, and its binds. */
#ifndef THOLE_SHIM_CHECKPOINT_AREAS_H
#define THOLE_SHIM_CHECKPOINT_AREAS_H

#include "shim/checkpoint/capture.h"
#include "shim/oci/config.h"

/* What is known of the container. */
struct areas {
	const struct oci_config *config;
	const char *bundle, *rootfs;
};

/* What a checkpoint takes along, and where a restore may put files: the root if the container can write to it, and the binds that the caller asks for, of directories that it can write to. Once each.
 * ERR_USAGE: there is no such bind, it is read only or no directory, or there are too many. */
int areas_plan(const struct areas *a, const struct oci_strings *binds, struct capture_plan *ret, struct err *err);

/* Is it this path, or below it? */
bool areas_is_below(const char *path, const char *dir);

/* Where the host has the file that the container sees as `path`: an area's directory, and the rest below it. Returns -1 for what is on a file system of the container's own, which is in the image.
 * ret_dir is the caller's. */
int areas_locate(const struct areas *a, const char *path, char **ret_dir, const char **ret_rest);

/* Is the directory in this area, or it? As the kernel sees it, whatever its path is, through a bind too; not what is on another file system below the area, which nobody touches. */
bool areas_hold(int area_fd, int dir_fd);

/* Refuse one that is in an area of the plan, or in the upper layer of one that is an overlay: `what` it is, for the error. For a worker. */
int areas_refuse_inside(const struct capture_plan *p, int dir_fd, const char *what, struct err *err);

/* The error of that. */
int areas_inside(const char *what, const struct capture_area *a, struct err *err);

#endif
