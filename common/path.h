/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text, and directories made step by step. */
#ifndef THOLE_COMMON_PATH_H
#define THOLE_COMMON_PATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* Make every directory of an absolute path that is missing, with `mode`. Follows symlinks: for our own host paths,
 * never for paths below a rootfs. */
int path_mkdir_all(const char *path, mode_t mode, struct err *err);

/* Lexically clean an absolute path: no "//", ".", "..", no trailing "/". ".." at the root stays there. Caller frees. */
char *path_clean(const char *path);

/* DIR/NAME, or NAME when it is absolute. Caller frees. */
char *path_join(const char *dir, const char *name);

/* A path of the caller's, absolute and clean: a relative one starts at the current directory, which is only then looked up. Caller frees ret_path. */
int path_absolute(const char *path, char **ret_path, struct err *err);

/* Does `path` equal `dir` or lie below it (both clean and absolute)? */
bool path_is_below(const char *path, const char *dir);

#endif
