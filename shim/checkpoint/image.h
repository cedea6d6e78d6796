/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of a checkpoint: made beside what is there, so that a dump that fails changes nothing in it; and what criu's log says. */
#ifndef THOLE_SHIM_CHECKPOINT_IMAGE_H
#define THOLE_SHIM_CHECKPOINT_IMAGE_H

#include <stdbool.h>

#include "common/err.h"

#define IMAGE_STDIN "thole-stdin.img" /* what had been written to its stdin and not been read yet */

/* The same of an exec'd process. The caller's to free. */
char *image_stdin_of(const char *exec);
#define IMAGE_NOTIFY                                                                                                   \
	"thole-notify.img" /* empty; is there if the container had the mount of a socket for NOTIFY_SOCKET */

/* Make a directory below dir_fd (0700) for the files of a dump, without what an earlier one may have left there. ret_fd is the caller's. */
int image_begin(int dir_fd, int *ret_fd, struct err *err);

/* In that, a directory for a pre-dump; one that is there becomes the parent of the new one. ret_fd is the caller's. */
int image_begin_parent(int new_fd, int *ret_fd, struct err *err);

/* Remove what image_begin_parent() has made. */
void image_drop_parents(int new_fd);

/* The dump is complete: its files take the place of those that are there. Can be called again for what comes late. */
int image_commit(int dir_fd, int new_fd, struct err *err);

/* Remove the directory that image_begin() has made, and what is in it. */
void image_end(int dir_fd);

/* The same for who was killed over it; criu's figures go too, where they are of no image. `path`: of the directory; nothing is done if it is another thing by now, or if somebody has the
 * lock of that set. */
void image_abandon(const char *path);

/* The image in dir_fd will never be whole: it goes, and what is not of it stays. */
void image_discard(int dir_fd);

/* Does the directory hold a whole image? ERR_NOT_FOUND. */
int image_check(int dir_fd, struct err *err);

/* Is there one in `parent`, a path below dir_fd? ERR_NOT_FOUND. */
int image_check_parent(int dir_fd, const char *parent, struct err *err);

/* Did the dump write down what the container's groups were like, so that criu can see to them? Not if its mode was to ignore them. */
bool image_has_groups(int dir_fd);

/* A view of the directory that is mounted nowhere, in which everybody may read the files: whoever has the descriptor, that is. On the disk nothing changes. ret_fd is the
 * caller's. */
int image_open_view(int dir_fd, int *ret_fd, struct err *err);

/* Before criu is started: its log of an earlier time, which it would write anew, says nothing of this one when it does not come so far. */
void image_forget_log(int work_dir_fd, const char *log);

/* Put what criu has to complain of into err, with a sentence on what it means where that is known, and the log's path if there is one. `log`: its name below work_dir_fd. */
void image_explain(int work_dir_fd, const char *log, struct err *err);

#endif
