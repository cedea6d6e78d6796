/* SPDX-License-Identifier: Apache-2.0 */
/* An executable that what it starts cannot change. */
#ifndef THOLE_COMMON_SEALED_H
#define THOLE_COMMON_SEALED_H

#include "common/err.h"

/* Open the program PATH (absolute; a symlink is followed) so that a process which later finds it
 * through /proc/PID/exe cannot write to the host's file (CVE-2019-5736): as seen through a
 * detached read-only overlay over its directory, or, where that is refused (no CAP_SYS_ADMIN, no
 * overlay in the kernel, no /proc), as a sealed copy in memory. For execveat(fd, "", argv, envp,
 * AT_EMPTY_PATH). ret_fd is close-on-exec and the caller's. The overlay lives as long as
 * something runs from it, and pins the file system of PATH so long. The copy needs read
 * permission on PATH.
 *
 * ret_mount_fd: the overlay's mount, close-on-exec and the caller's, or -1. It is only to be closed, which takes up to 10 ms (the
 * kernel waits for an RCU grace period): by whoever has the time. The program may be run before and after. */
int sealed_exe_open(const char *path, int *ret_fd, int *ret_mount_fd, struct err *err);

/* The same, always as the copy: half a millisecond dearer to make, but nothing waits when it goes. For a program whose end somebody waits for. */
int sealed_exe_copy(const char *path, int *ret_fd, struct err *err);

#endif
