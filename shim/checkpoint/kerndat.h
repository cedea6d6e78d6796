/* SPDX-License-Identifier: Apache-2.0 */
/* What criu finds out about the kernel each time that it starts (35 to 40 ms), kept for the next one.
 *
 * criu itself keeps it in /run/criu.kdat where /run is a tmpfs, which a reboot empties. Elsewhere it is given a tmpfs in the place of /run, in a mount namespace of its own, in which
 * all that is in /run is to be seen, and that file; it is kept in /run/thole-criu.kdat, with the boot that it was made in. */
#ifndef THOLE_SHIM_CHECKPOINT_KERNDAT_H
#define THOLE_SHIM_CHECKPOINT_KERNDAT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct kerndat {
	bool wanted; /* criu is to be given such a tmpfs */
	char *data;  /* what is known; NULL: nothing */
	size_t len;
};

/* Before criu (an absolute path) is started. What cannot be read or is of another boot or of another criu counts as unknown. kerndat_release() afterwards. */
void kerndat_open(const char *criu, struct kerndat *ret);

/* In criu's process, in a mount namespace of its own whose mounts do not propagate. When it fails all is as it was before, and criu does without. */
void child_kerndat_mount(const struct kerndat *k);

/* criu (process `pid`, which cannot be another's) has found out what it wants to know: keep it, if it is news. A failure is only logged, at debug. */
void kerndat_keep(struct kerndat *k, const char *criu, pid_t pid);

/* Accepts one that is all zeros. */
void kerndat_release(struct kerndat *k);

#endif
