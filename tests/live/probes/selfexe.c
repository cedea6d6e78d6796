/* SPDX-License-Identifier: Apache-2.0 */
/* selfexe [SECONDS [TEXT]]: runs inside a container and tries, for each process that it can see (with TEXT in its command line), to open /proc/PID/exe for writing and to reach
 * descriptors that lead out (CVE-2019-5736, CVE-2024-21626). Prints what it could do. */
#include <dirent.h>
#include <sys/stat.h>

#include "tests/live/probes/probe.h"

static int writable, outside;
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

static void try_process(const char *pid)
{
	char path[512];
	int fd;
	DIR *dir;

	if (!is_wanted(pid))
		return;
	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 || errno == ETXTBSY) {
		char target[1024] = "";

		if (readlink(path, target, sizeof(target) - 1) > 0 && is_runtime(target)) {
			printf("writable pid=%s %s\n", pid, target);
			writable++;
		}
		if (fd >= 0)
			close(fd);
	}
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
	only = argc > 2 ? argv[2] : NULL;

	int64_t end = probe_now_ms() + (argc > 1 ? atoi(argv[1]) : 0) * 1000;

	do {
		DIR *dir = opendir("/proc");

		for (struct dirent *e; dir && (e = readdir(dir));)
			if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
				try_process(e->d_name);
		if (dir)
			closedir(dir);
	} while (probe_now_ms() < end);
	printf("writable=%d outside=%d\n", writable, outside);
	return 0;
}
