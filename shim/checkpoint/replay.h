/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a capture, put back: everything is as it was at its moment. */
#ifndef THOLE_SHIM_CHECKPOINT_REPLAY_H
#define THOLE_SHIM_CHECKPOINT_REPLAY_H

#include "shim/checkpoint/capture.h"

struct replay {
	int images_fd;             /* the image's directory */
	struct capture_plan areas; /* where a capture of the root, or of a bind, goes: what the config says */
	bool may_make_devices;     /* as the container itself could have */
	const struct oci_id_maps *uids,
		*gids; /* borrowed: of its user namespace, whose owners alone it could have given; NULL: any */
};
struct replaying;

/* For a worker: open the areas, give up all privileges but those over files, and judge the whole archive. Changes nothing. `r` stays the caller's, and has to stay. ret: replay_free(), after a failure
 * too. ERR_CONFIG: the archive is damaged, or has what does not belong into it. ERR_USAGE: the image is in an area. */
int replay_judge(const struct replay *r, struct replaying **ret, struct err *err);

/* Is this directory of the host one that the archive has the files of, or below one? */
bool replay_has(const struct replaying *x, const char *dir);

/* Make it so. If it fails, some files may be those of the capture and others not: it can be done again. */
int replay_run(struct replaying *x, struct err *err);
void replay_free(struct replaying *x);

#endif
