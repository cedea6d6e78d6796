/* SPDX-License-Identifier: Apache-2.0 */
/* What criu finds out about the kernel each time that it starts, kept for the next one.
 *
 * Reading and keeping run in the shim, mounting in criu's own process before its exec, both as root. The file is root's and in a directory that only root writes to; criu looks at its magic numbers
 * as it does with its own. Its first line names the boot and the criu: a file outlives both where /run is a disk. */
#include "shim/checkpoint/kerndat.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"

#define RUN "/run"
#define KEPT "thole-criu.kdat"
#define CRIUS "criu.kdat" /* as criu calls it; and what it is called while criu writes it begins so */
#define BYTES_MAX (64 << 10)
#define ENTRIES_MAX 256 /* in /run, each of which is a mount */

static bool is_root(void)
{
	return geteuid() == 0;
}

/* "BOOT DEV:INO:MTIME\n"; NULL: it cannot be said. */
static char *first_line(const char *criu)
{
	char boot[PROC_BOOT_ID_SIZE];
	struct stat st;
	struct err ignored;

	if (proc_boot_id(boot, &ignored) < 0 || stat(criu, &st) < 0)
		return NULL;
	return xasprintf("%s %llx:%llx:%llx\n", boot, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
			 (unsigned long long)st.st_mtime);
}

static int open_own(int dir_fd, const char *name)
{
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022))
		return -1;
	return take_fd(&fd);
}

void kerndat_open(const char *criu, struct kerndat *ret)
{
	cleanup_free char *line = NULL, *text = NULL;
	cleanup_fd int fd = -1;
	size_t len = 0, head;
	struct statfs fs;
	struct err ignored;

	*ret = (struct kerndat) { .wanted = is_root() && statfs(RUN, &fs) == 0 && fs.f_type != TMPFS_MAGIC };
	if (!ret->wanted || !(line = first_line(criu)))
		return;
	head = strlen(line);
	fd = open_own(AT_FDCWD, RUN "/" KEPT);
	if (fd < 0 || fd_read_all(fd, BYTES_MAX, &text, &len, &ignored) < 0 || len <= head ||
	    memcmp(text, line, head) != 0)
		return;
	ret->len = len - head;
	ret->data = xmalloc(ret->len);
	memcpy(ret->data, text + head, ret->len);
}

void kerndat_release(struct kerndat *k)
{
	free(k->data);
	*k = (struct kerndat) { 0 };
}

/* ---- in criu's process ----------------------------------------------------------------------------------------------------- */

static int child_bind(int old_fd, int run_fd, const char *name)
{
	cleanup_fd int tree_fd =
		open_tree(old_fd, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);

	return tree_fd < 0 ? -1 : move_mount(tree_fd, "", run_fd, name, MOVE_MOUNT_F_EMPTY_PATH);
}

static int child_show(int old_fd, int run_fd, const char *name)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstatat(old_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(old_fd, name, target, sizeof(target) - 1);
		if (n < 0)
			return -1;
		target[n] = '\0';
		return symlinkat(target, run_fd, name);
	}
	if ((S_ISDIR(st.st_mode) ? mkdirat(run_fd, name, 0700) : mknodat(run_fd, name, S_IFREG | 0600, 0)) < 0)
		return -1;
	return child_bind(old_fd, run_fd, name);
}

/* All of the old /run but what is ours and criu's. */
static int child_show_all(int old_fd, int run_fd)
{
	cleanup_dir DIR *dir = fd_list(old_fd);
	const char *name;
	size_t n = 0;

	if (!dir)
		return -1;
	while ((name = fd_list_next(dir))) {
		if (!strncmp(name, KEPT, strlen(KEPT)) || !strncmp(name, CRIUS, strlen(CRIUS)))
			continue;
		if (++n > ENTRIES_MAX || child_show(old_fd, run_fd, name) < 0)
			return -1;
	}
	return errno ? -1 : 0;
}

static int child_fill(const struct kerndat *k, int old_fd, int run_fd)
{
	cleanup_fd int fd = -1;
	struct err ignored;

	if (child_show_all(old_fd, run_fd) < 0)
		return -1;
	if (!k->data)
		return 0;
	fd = openat(run_fd, CRIUS, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : fd_write_all(fd, k->data, k->len, &ignored);
}

void child_kerndat_mount(const struct kerndat *k)
{
	cleanup_fd int old_fd = -1, run_fd = -1;

	if (!k->wanted)
		return;
	old_fd = open(RUN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (old_fd < 0 || mount("tmpfs", RUN, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return;
	run_fd = open(RUN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run_fd < 0 || child_fill(k, old_fd, run_fd) < 0)
		umount2(RUN, MNT_DETACH);
}

/* ---- afterwards ------------------------------------------------------------------------------------------------------------ */

static int keep(const struct kerndat *k, const char *criu, const char *data, size_t len, struct err *err)
{
	cleanup_fd int run_fd = open(RUN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *line = first_line(criu), *text = NULL;
	size_t head = line ? strlen(line) : 0;

	if (run_fd < 0)
		return err_sys(err, "cannot open '" RUN "'");
	if (!line)
		return err_set(err, ERR_SYS, "cannot say which criu and which boot it is");
	text = xmalloc(head + len);
	memcpy(text, line, head);
	memcpy(text + head, data, len);
	return fd_replace_file_at(run_fd, KEPT, text, head + len, 0600, err);
}

void kerndat_keep(struct kerndat *k, const char *criu, pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/root" RUN "/" CRIUS, (int)pid), *data = NULL;
	cleanup_fd int fd = k->wanted ? open_own(AT_FDCWD, path) : -1;
	size_t len = 0;
	struct err err;

	k->wanted = false; /* once */
	if (fd < 0 || fd_read_all(fd, BYTES_MAX / 2, &data, &len, &err) < 0 || len == 0 ||
	    (k->data && len == k->len && !memcmp(data, k->data, len)))
		return;
	if (keep(k, criu, data, len, &err) < 0)
		log_debug("what criu knows of the kernel is not kept: %s", err.text);
}
