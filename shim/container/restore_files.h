/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a container that is brought back, before criu begins. Its creation is under way, with the image. */
#ifndef THOLE_SHIM_CONTAINER_RESTORE_FILES_H
#define THOLE_SHIM_CONTAINER_RESTORE_FILES_H

#include "shim/checkpoint/capture.h"
#include "shim/checkpoint/options.h"
#include "shim/container/container.h"

/* Where they go: an empty *ret if they are only to be checked. ERR_BUSY: another container runs in the same root, and they would change under it. ret is to be released on both outcomes. */
int restore_files_plan(const struct container *c, const struct checkpoint_options *o, struct capture_plan *ret,
		       struct err *err);

/* Put them there, or check them, as the options say. Changes nothing before it is known that all can be put back. Takes as long as the disk does: for a worker. */
int restore_files_put(const struct container *c, const struct checkpoint_options *o, const struct capture_plan *plan,
		      struct err *err);

#endif
