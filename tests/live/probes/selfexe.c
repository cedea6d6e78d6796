/* SPDX-License-Identifier: Apache-2.0 */
/* selfexe [SECONDS [TEXT [harder]]]: runs inside a container and tries, for each process that it can see (with TEXT in its command line), to open /proc/PID/exe for writing and to reach
 * descriptors that lead out (CVE-2019-5736, CVE-2024-21626). Prints what it could do.
 * harder: it is the runtime's file without a doubt (a pid namespace of its own), so it also tries to truncate it, to change its mode, and to clone its mount and make that writable: to what
 * they are, so that nothing is broken where that works. Prints how many it has tried. */
#include <dirent.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/live/probes/probe.h"

static int writable, outside, tried;
static bool harder;
static const char *only;

static bool is_wanted(const char *pid)
{
	char path[64], line[4096];
	int fd;
	ssize_t n;

	if (!only)
		return true;
	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, line, sizeof(line));
	if (fd >= 0)
		close(fd);
	return n > 0 && memmem(line, (size_t)n, only, strlen(only));
}

/* A descriptor leads out when it is a directory or file on another mount than anything here, seen by walking up from it to "/". */
static void try_descriptor(const char *pid, const char *fd)
{
	char link[512], up[600], target[1024] = "";
	struct stat st;

	snprintf(link, sizeof(link), "/proc/%s/fd/%s", pid, fd);
	if (readlink(link, target, sizeof(target) - 1) < 0 || stat(link, &st) < 0 || !S_ISDIR(st.st_mode))
		return;
	/* From a directory of the host's tree the host's root can be reached; ours stops at our own "/". */
	snprintf(up, sizeof(up), "%s/../../../../../../../../../../etc/debian_version", link);
	if (access(up, F_OK) == 0) {
		printf("outside pid=%s fd=%s %s\n", pid, fd, target);
		outside++;
	}
}

/* thole, thole-shim, thole-oci, wherever they are. */
static bool is_runtime(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && !strncmp(slash, "/thole", 6);
}

/* A clone of the mount that it is on, without "read-only". */
static bool is_remountable(int exe)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };
	int tree = (int)syscall(SYS_open_tree, exe, "", 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | AT_EMPTY_PATH);
	char path[64];
	int fd = -1;
	bool r;

	if (tree < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tree);
	r = syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0 &&
	    ((fd = open(path, O_WRONLY | O_CLOEXEC)) >= 0 || errno == ETXTBSY);
	if (fd >= 0)
		close(fd);
	close(tree);
	return r;
}

static void try_harder(const char *pid, const char *path)
{
	int exe = open(path, O_PATH | O_CLOEXEC);
	char link[64], target[1024] = "";
	struct stat st;
	const char *how = NULL;

	if (exe < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", exe);
	if (readlink(link, target, sizeof(target) - 1) > 0 && is_runtime(target) && fstat(exe, &st) == 0) {
		tried++;
		if (truncate(link, st.st_size) == 0 || errno == ETXTBSY)
			how = "truncate";
		else if (chmod(link, st.st_mode & 07777) == 0)
			how = "chmod";
		else if (is_remountable(exe))
			how = "remount";
	}
	if (how) {
		printf("writable pid=%s %s by %s\n", pid, target, how);
		writable++;
	}
	close(exe);
}

static bool read_target(const char *path, char target[1024])
{
	memset(target, 0, 1024);
	return readlink(path, target, 1023) > 0;
}

static void try_process(const char *pid)
{
	char path[512], before[1024], target[1024];
	int fd;
	DIR *dir;

	if (!is_wanted(pid))
		return;
	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	/* A process that executes another program meanwhile would have what was opened taken for that. */
	if (!read_target(path, before))
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 || errno == ETXTBSY) {
		if (read_target(path, target) && !strcmp(before, target) && is_runtime(target)) {
			printf("writable pid=%s %s\n", pid, target);
			writable++;
		}
		if (fd >= 0)
			close(fd);
	}
	if (harder)
		try_harder(pid, path);
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			try_descriptor(pid, e->d_name);
	if (dir)
		closedir(dir);
}

int main(int argc, char **argv)
{
	only = argc > 2 && argv[2][0] ? argv[2] : NULL;
	harder = argc > 3;

	int64_t end = probe_now_ms() + (argc > 1 ? atoi(argv[1]) : 0) * 1000;

	do {
		DIR *dir = opendir("/proc");

		for (struct dirent *e; dir && (e = readdir(dir));)
			if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
				try_process(e->d_name);
		if (dir)
			closedir(dir);
	} while (probe_now_ms() < end);
	if (harder)
		printf("tried=%d\n", tried);
	printf("writable=%d outside=%d\n", writable, outside);
	return 0;
}
