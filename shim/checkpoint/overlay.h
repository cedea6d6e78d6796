/* SPDX-License-Identifier: Apache-2.0 */
/* What a root that is an overlay is made of. */
#ifndef THOLE_SHIM_CHECKPOINT_OVERLAY_H
#define THOLE_SHIM_CHECKPOINT_OVERLAY_H

#include "common/err.h"

/* Its layers, opened. lower_fd: all lower ones as one tree. -1: not opened. */
struct overlay {
	int upper_fd, lower_fd;
	bool userxattr; /* it marks files by attributes of the user's */
};
#define OVERLAY_NONE ((struct overlay) { -1, -1, false })
void overlay_close(struct overlay *o);
#define cleanup_overlay __attribute__((cleanup(overlay_close)))

/* Open the layers of the overlay that is mounted at root_fd, as mountinfo says, if they can be told to be that mount's. Needs CAP_SYS_ADMIN when there are several lower ones. Returns 1; 0: it is no
 * overlay, or one whose layers are not to be had. */
int overlay_open(int root_fd, struct overlay *ret, struct err *err);

/* Is it an attribute by which an overlay marks its files, in a layer? */
bool overlay_is_mark(const char *xattr, bool userxattr);

#endif
