/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a capture, put back: everything is as it was at its moment. */
#ifndef THOLE_SHIM_CHECKPOINT_REPLAY_H
#define THOLE_SHIM_CHECKPOINT_REPLAY_H

#include "shim/checkpoint/capture.h"

struct replay {
	int images_fd;             /* the image's directory */
	struct capture_plan areas; /* where a capture of the root, or of a bind, goes: what the config says */
	bool may_make_devices;     /* as the container itself could have */
};

/* For a worker, which it takes all privileges from but those over files. Nothing is changed before the whole archive has been judged; if it fails later, some files may be those of the capture
 * and others not: it can be done again. ERR_CONFIG: the archive is damaged, or has what does not belong into it. */
int replay(const struct replay *r, struct err *err);

#endif
