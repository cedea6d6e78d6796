/* SPDX-License-Identifier: Apache-2.0 */
/* An image that came from somewhere: what is wrong with it before anybody opens a file in it.
 *
 * Runs in the shim, before a restore. criu runs as root, and opens the files of an image by their names, for writing too: restore.log and stats-restore are made anew in the
 * same directory. A link of one of these names would have it read or overwrite any file of the host, a FIFO would hold it, and us, for ever. An image that criu has
 * written has neither. */
#include "shim/checkpoint/distrust.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/manifest.h"
#include "shim/checkpoint/lazy.h"

static int judge(int dir_fd, const char *name, struct err *err)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot look at '%s' in the image's directory", name);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return 0;
	/* A dump made with --parent-path leads to another image by it. */
	if (S_ISLNK(st.st_mode) && !strcmp(name, "parent"))
		return 0;
	/* Where a server of lazy pages listens, or has listened: nobody can open that. */
	if (S_ISSOCK(st.st_mode) && !strcmp(name, LAZY_SOCKET))
		return 0;
	return err_set(err, ERR_CONFIG, "'%s' in the image's directory is not a file: no checkpoint has written that",
		       name);
}

static int judge_directory(int dir_fd, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(dir_fd);
	const char *name;

	if (!dir)
		return err_sys(err, "cannot read the image's directory");
	while ((name = fd_list_next(dir)))
		if (judge(dir_fd, name, err) < 0)
			return -1;
	return 0;
}

/* And those of pre-dumps, one in the other. */
int distrust_image(int dir_fd, struct err *err)
{
	cleanup_fd int fd = -1;

	if (judge_directory(dir_fd, err) < 0)
		return -1;
	for (int depth = 0;; depth++) {
		int parent_fd, r = manifest_open_parent(fd < 0 ? dir_fd : fd, &parent_fd, err);

		if (r <= 0)
			return r;
		fd_close(&fd);
		fd = parent_fd;
		if (depth == MANIFEST_PARENTS_MAX)
			return err_set(err, ERR_LIMIT, "the image goes on from more than %d pre-dumps",
				       MANIFEST_PARENTS_MAX);
		if (judge_directory(fd, err) < 0)
			return -1;
	}
}
