/* SPDX-License-Identifier: Apache-2.0 */
/* How far a checkpoint is, as a bar on the caller's terminal: criu says nothing, but its files grow. */
#include "client/progress.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/manifest.h"

#define BAR_WIDTH 30

bool progress_wanted(void)
{
	return isatty(STDERR_FILENO);
}

/* With its pre-dumps, which lie one in the other. */
static uint64_t written(int set_fd, const char *name, bool *ret_complete)
{
	cleanup_fd int fd = openat(set_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *dir = fd < 0 ? NULL : fd_list(fd);
	uint64_t bytes = 0;
	struct dirent *e;
	struct stat st;
	bool ignored;

	*ret_complete = false;
	while (dir && (e = readdir(dir))) {
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_size;
		/* The last thing that is written before everything goes to the disk. */
		if (!strcmp(e->d_name, "descriptors.json"))
			*ret_complete = true;
	}
	return fd < 0 ? 0 : bytes + written(fd, MANIFEST_PARENT, &ignored);
}

/* What is wider than the terminal would go on in the next line, and stay there. */
static int width(void)
{
	struct winsize ws;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 1 ? ws.ws_col - 1 : INT_MAX;
}

void progress_show(struct progress *p)
{
	bool complete;
	uint64_t bytes = written(p->set_fd, SET_NEW, &complete),
		 total = p->total_bytes > bytes ? p->total_bytes : bytes;
	size_t filled = complete ? BAR_WIDTH : total ? (size_t)(bytes * BAR_WIDTH / total) : 0;
	char bar[BAR_WIDTH + 1] = "";
	cleanup_free char *line = NULL;

	for (size_t i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	line = xasprintf("%s: %s [%s] %llu of about %llu MiB", p->id, complete ? "syncing" : "writing", bar,
			 (unsigned long long)bytes >> 20, (unsigned long long)total >> 20);
	fprintf(stderr, "\r%.*s\033[K", width(), line);
	fflush(stderr);
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
