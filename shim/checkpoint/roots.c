/* SPDX-License-Identifier: Apache-2.0 */
/* criu puts the mounts of what it restores together below /tmp/.criu.mntns.XXXXXX, which it makes in the mount namespace that it is started in and removes at its end. One that is killed leaves
 * it there, empty, as the mounts have gone with their namespace. Only its log tells the name.
 *
 * A directory that is a mount point in another namespace only can be removed (rmdir(2), Linux 3.18), with the mount; so that has to be looked after here.
 *
 * Runs in the shim, and in whoever follows one that was killed. The log is its owner's, who can write into it what he likes: he gets empty directories of that name removed. */
#include "shim/checkpoint/roots.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/fd.h"

#define PREFIX "/tmp/.criu.mntns."
#define RANDOM 6              /* characters at the end of the name */
#define LOG_WITHIN (4u << 20) /* bytes of a log in which the name comes */
#define MOUNTINFO_MAX (16u << 20)

/* NULL: it says none. The caller's to free. */
static char *name_in_log(int dir_fd)
{
	cleanup_fd int fd = openat(dir_fd, "restore.log", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_free char *text = NULL;
	const char *at;
	struct err ignored;

	if (fd < 0)
		return NULL;
	text = xcalloc(1, LOG_WITHIN + 1);
	if (fd_read_full(fd, text, LOG_WITHIN, &ignored) < 0 || !(at = strstr(text, PREFIX)) ||
	    strspn(at + strlen(PREFIX), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != RANDOM)
		return NULL;
	return xasprintf("%.*s", (int)strlen(PREFIX) + RANDOM, at);
}

static bool has_mounts_on(pid_t pid, const char *dir)
{
	cleanup_free char *path = xasprintf("/proc/%d/mountinfo", (int)pid), *text = NULL;
	struct err gone;

	return fd_read_file_at(AT_FDCWD, path, MOUNTINFO_MAX, &text, &gone) == 0 && strstr(text, dir);
}

static bool is_one_of(pid_t pid, const struct cgroup_pids *pids)
{
	for (size_t i = 0; i < pids->n; i++)
		if (pids->v[i] == pid)
			return true;
	return false;
}

static bool is_used(const char *path, const struct cgroup_pids *killed)
{
	cleanup_dir DIR *dir = opendir("/proc");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0 && !is_one_of(pid, killed) && has_mounts_on(pid, path))
			return true;
	}
	return false;
}

void roots_drop(int dir_fd, const struct cgroup_pids *killed)
{
	cleanup_free char *path = name_in_log(dir_fd);

	if (path && access(path, F_OK) == 0 && !is_used(path, killed))
		rmdir(path);
}
