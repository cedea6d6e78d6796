/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the container has open or mapped, and that are not in criu's image: as they were, or as they are now. */
#ifndef THOLE_SHIM_CHECKPOINT_OPENFILES_H
#define THOLE_SHIM_CHECKPOINT_OPENFILES_H

#include "common/manifest.h"
#include "shim/checkpoint/areas.h"
#include "shim/checkpoint/replay.h"

/* Note those of these processes, which do not run. Those that are only ever appended to are marked: criu opens them again whatever their size. */
void openfiles_note(const struct areas *a, const pid_t *pids, size_t n, struct manifest *m);

/* For a worker, before criu starts: are they what they were? `times`: to the time of their last change, too; else only by their size, without which criu would not have them. Those that are only
 * appended to have to be there; with `times` they may have grown, but not shrunk. ERR_STATE names those that are not. outside_of: leave out what these files will replace; NULL: nothing. The
 * manifest is read from the image's directory; the worker gives up its privileges before. */
int openfiles_check(const struct areas *a, int images_fd, bool times, const struct replaying *outside_of,
		    struct err *err);

#endif
