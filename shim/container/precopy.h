/* SPDX-License-Identifier: Apache-2.0 */
/* --pre-copy: pre-dumps before a dump, so that less is left to be written while the container stands still. */
#ifndef THOLE_SHIM_CONTAINER_PRECOPY_H
#define THOLE_SHIM_CONTAINER_PRECOPY_H

#include "common/manifest.h"
#include "shim/container/container.h"

#define PRECOPY_LOG "pre-dump.log" /* criu's, in its work directory */

struct checkpoint_options;
struct precopy;

/* Make pre-dumps of the running container until one more would gain nothing, each as "parent" below new_fd with the one before it as its own. Everything is borrowed, until precopy_free().
 * done_cb comes from the loop: err NULL: the dump can follow, which goes on from precopy_made() of them. Where the kernel cannot, and it is not required, that is none, and precopy_note()
 * says why. An error is as criu has it, not explained. ret is the caller's. */
int precopy_start(struct container *c, const struct checkpoint_options *o, int new_fd, int work_fd,
		  container_done_cb *done_cb, void *done_arg, struct precopy **ret, struct err *err);

/* Accept NULL: 0, and none. */
size_t precopy_made(const struct precopy *p);
const char *precopy_note(const struct precopy *p);

/* Of the seconds that all of them and the dump together may take: at least 1; 0: as long as they like. */
unsigned int precopy_time_left(const struct precopy *p);

/* Is it still at it? Accepts NULL. */
bool precopy_runs(const struct precopy *p);

/* What criu has measured of each. */
void precopy_tell(const struct precopy *p, struct manifest *m);

/* done_cb comes with an error. */
void precopy_kill(struct precopy *p);

/* Accepts NULL. A criu that runs is killed. */
void precopy_free(struct precopy *p);

#endif
