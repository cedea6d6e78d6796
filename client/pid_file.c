/* SPDX-License-Identifier: Apache-2.0 */
/* --pid-file: a pid where other programs look for it. */
#include "client/pid_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/fd.h"

static int write_in_directory(const char *path, const char *text, size_t len, struct err *err)
{
	cleanup_free char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	cleanup_fd int dir_fd = -1;

	if (slash)
		slash[slash == dir] = '\0';
	dir_fd = open(slash ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, "cannot open '%s'", slash ? dir : ".");
	return fd_replace_file_at(dir_fd, slash ? path + (slash - dir) + 1 : path, text, len, 0644, err);
}

int pid_file_check(const char *path, struct err *err)
{
	return path && !*path ? err_set(err, ERR_USAGE, "--pid-file is the path of a file, not ''") : 0;
}

int pid_file_write(const char *path, uint32_t pid, struct err *err)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", pid);

	if (!path || write_in_directory(path, text, (size_t)n, err) == 0)
		return 0;
	return err_add(err, "cannot write pid file '%s'", path);
}
