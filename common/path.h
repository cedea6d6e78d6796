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

/* A directory that a command has made for itself, and the topmost of those that it took; first NULL: all of them were there. */
struct path_made {
	char *path, *first;
};
#define PATH_MADE_NOTHING ((struct path_made) { NULL, NULL })
void path_made_release(struct path_made *m);
#define cleanup_path_made __attribute__((cleanup(path_made_release)))

/* The same, of any path. The caller releases ret, whatever comes of it. */
int path_make(const char *path, mode_t mode, struct path_made *ret, struct err *err);

/* Open a directory. `made`: it is made (0700, whatever the umask) when it is missing, as by path_make(); NULL: it has to be there. ret_fd is the caller's. */
int path_open_directory(const char *path, struct path_made *made, int *ret_fd, struct err *err);

/* Take back what was made, from the last on, as far as it is empty. */
void path_unmake(const struct path_made *m);

/* Lexically clean an absolute path: no "//", ".", "..", no trailing "/". ".." at the root stays there. Caller frees. */
char *path_clean(const char *path);

/* DIR/NAME, or NAME when it is absolute. Caller frees. */
char *path_join(const char *dir, const char *name);

/* Could execve(2) have it: a regular file, with an x bit for us? If not errno says why. */
bool path_is_program(const char *path);

/* The first program of this name in an absolute directory of $PATH, as execvp(3) finds it: what is none is passed over. NULL: there is none. Caller frees. */
char *path_find_program(const char *name);

/* A path of the caller's, absolute and clean: a relative one starts at the current directory, which is only then looked up. Caller frees ret_path. */
int path_absolute(const char *path, char **ret_path, struct err *err);

/* Does `path` equal `dir` or lie below it (both clean and absolute)? */
bool path_is_below(const char *path, const char *dir);

#endif
