/* SPDX-License-Identifier: Apache-2.0 */
/* Locks on files, the image's beside the kernel's: what criu leaves out at a dump, and what has not come back.
 *
 * Runs in the shim. The image is hostile: its numbers are only ever used to read below /proc of a process of the container's. */
#include "shim/checkpoint/locks.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/fd.h"
#include "common/proc.h"
#include "proto/criu.pb-c.h"

#define LOCKS_FILE "filelocks.img"
#define HEADER_BYTES 8 /* two magic numbers; then each entry with its length before it */
#define FILE_MAX (1 << 20)
#define FDINFO_MAX (256 << 10)
#define ALL_MAX (16 << 20)
#define ENTRY_MAX 64 /* six numbers, each with its field's */
#define KIND_POSIX 1

/* Its two magic numbers. */
static const uint8_t header[HEADER_BYTES] = { 0x19, 0x43, 0x56, 0x54, 0x16, 0x36, 0x32, 0x54 };

/* "lock:	1: POSIX  ADVISORY  READ 3394 fe:00:11077089 128 128" */
static bool holds(pid_t pid, const FileLockEntry *e)
{
	cleanup_free char *path = xasprintf("/proc/%d/fdinfo/%d", (int)pid, (int)e->fd), *text = NULL;
	struct err ignored;
	char *rest = NULL, kind[16];
	long long start;

	if (fd_read_file_at(AT_FDCWD, path, FDINFO_MAX, &text, &ignored) < 0)
		return false;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (sscanf(line, "lock: %*d: %15s %*s %*s %*d %*s %lld", kind, &start) == 2 && !strcmp(kind, "POSIX") &&
		    start == e->start)
			return true;
	return false;
}

static char *name_of(pid_t pid, const FileLockEntry *e)
{
	cleanup_free char *path = xasprintf("/proc/%d/fd/%d", (int)pid, (int)e->fd);
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	return xasprintf("'%.*s' (process %d)", n > 0 ? (int)n : 1, n > 0 ? target : "?", (int)e->pid);
}

/* Every entry of an image's text, as long as it can be read. */
static void each_entry(const char *data, size_t len, void (*entry_cb)(void *arg, const FileLockEntry *e), void *arg)
{
	uint32_t size;

	for (size_t at = HEADER_BYTES; at + sizeof(size) <= len; at += size) {
		FileLockEntry *e;

		memcpy(&size, data + at, sizeof(size));
		at += sizeof(size);
		e = size <= len - at ? file_lock_entry__unpack(NULL, size, (const uint8_t *)data + at) : NULL;
		if (!e)
			return;
		entry_cb(arg, e);
		file_lock_entry__free_unpacked(e, NULL);
	}
}

static int read_image(int images_fd, char **ret_data, size_t *ret_len, struct err *err)
{
	cleanup_fd int fd = openat(images_fd, LOCKS_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	*ret_len = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "cannot open '%s'", LOCKS_FILE);
	return fd_read_all(fd, FILE_MAX, ret_data, ret_len, err);
}

/* ---- what has not come back -------------------------------------------------------------------------------------------------- */

struct loss {
	bool restored;
	pid_t (*find_cb)(void *arg, pid_t inner);
	void *arg;
	pid_t inner, pid;
	size_t n;
	char **ret_first;
};

static void count_lost(void *arg, const FileLockEntry *e)
{
	struct loss *l = arg;

	if (e->pid != l->inner)
		l->pid = l->find_cb(l->arg, l->inner = e->pid);
	if (l->pid <= 0 || (l->restored && (e->flag != KIND_POSIX || holds(l->pid, e))))
		return;
	if (l->n++ == 0)
		*l->ret_first = name_of(l->pid, e);
}

size_t locks_lost(int images_fd, bool restored, pid_t (*find_cb)(void *arg, pid_t inner), void *arg, char **ret_first)
{
	struct loss loss = { .restored = restored, .find_cb = find_cb, .arg = arg, .ret_first = ret_first };
	cleanup_free char *data = NULL;
	struct err ignored;
	size_t len;

	if (read_image(images_fd, &data, &len, &ignored) == 0)
		each_entry(data, len, count_lost, &loss);
	return loss.n;
}

/* ---- what criu leaves out ---------------------------------------------------------------------------------------------------- */

/* One of the kernel's, of a process of the container. */
struct lock {
	pid_t pid;
	ino_t ino;
	FileLockEntry e;
	bool is_there;
};

static ino_t inode_of(pid_t pid, int fd)
{
	cleanup_free char *path = xasprintf("/proc/%d/fd/%d", (int)pid, fd);
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void compare(void *arg, const FileLockEntry *e)
{
	struct lock *l = arg;

	if (e->flag == KIND_POSIX && e->pid == l->e.pid && e->start == l->e.start && inode_of(l->pid, e->fd) == l->ino)
		l->is_there = true;
}

static bool is_among(pid_t pid, const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* "3: POSIX  ADVISORY  WRITE 3394 fe:00:11077089 128 137", where a waiter has an arrow before its kind. False: not one of `pids`. */
static bool parse_lock(const char *line, const pid_t *pids, size_t n, struct lock *ret)
{
	char kind[16], type[16], end[24];
	unsigned long ino;
	long long start;
	int pid;

	if (sscanf(line, "%*d: %15s %*s %15s %d %*x:%*x:%lu %lld %23s", kind, type, &pid, &ino, &start, end) != 6 ||
	    strcmp(kind, "POSIX") != 0 || !is_among(pid, pids, n))
		return false;
	*ret = (struct lock) { .pid = pid, .ino = ino };
	file_lock_entry__init(&ret->e);
	ret->e.flag = KIND_POSIX;
	ret->e.type = !strcmp(type, "WRITE") ? F_WRLCK : F_RDLCK;
	ret->e.pid = proc_inner_pid(pid);
	ret->e.start = start;
	ret->e.len = strcmp(end, "EOF") != 0 ? atoll(end) + 1 - start : 0;
	return true;
}

/* A descriptor that the lock can be had by: any of that file, if it was opened for what is locked. */
static bool find_fd(struct lock *l)
{
	cleanup_free char *path = xasprintf("/proc/%d/fdinfo", (int)l->pid);
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		cleanup_free char *text = NULL;
		const char *flags;
		struct err ignored;
		unsigned int mode;

		l->e.fd = atoi(e->d_name);
		if (e->d_name[0] == '.' || inode_of(l->pid, l->e.fd) != l->ino ||
		    fd_read_file_at(dirfd(dir), e->d_name, FDINFO_MAX, &text, &ignored) < 0)
			continue;
		flags = strstr(text, "flags:");
		mode = flags ? (unsigned int)strtoul(flags + strlen("flags:"), NULL, 8) & O_ACCMODE : 0;
		if (mode == O_RDWR || mode == (l->e.type == F_WRLCK ? O_WRONLY : O_RDONLY))
			return true;
	}
	return false;
}

static int append(int new_fd, const FileLockEntry *e, struct err *err)
{
	cleanup_fd int fd = openat(new_fd, LOCKS_FILE, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	uint32_t size = (uint32_t)file_lock_entry__get_packed_size(e);
	uint8_t data[HEADER_BYTES + sizeof(size) + ENTRY_MAX];
	struct stat st;
	size_t at = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot open '%s'", LOCKS_FILE);
	if (st.st_size == 0) {
		memcpy(data, header, HEADER_BYTES);
		at = HEADER_BYTES;
	}
	memcpy(data + at, &size, sizeof(size));
	at += sizeof(size);
	at += file_lock_entry__pack(e, data + at);
	return fd_write_all(fd, data, at, err) < 0 ? err_add(err, "cannot write '%s'", LOCKS_FILE) : 0;
}

static int add_if_missing(int new_fd, const char *image, size_t len, struct lock *l, bool wanted, struct err *err)
{
	cleanup_free char *name = NULL;

	each_entry(image, len, compare, l);
	/* One whose file it has open no more is about to go. */
	if (l->is_there || l->e.pid <= 0 || !find_fd(l))
		return 0;
	if (wanted)
		return append(new_fd, &l->e, err);
	name = name_of(l->pid, &l->e);
	return err_set(err, ERR_CRIU, "a lock is held on %s: --file-locks", name);
}

/* Of a file that it has open: whoever closes one of its descriptors of a file loses its locks there. */
static bool has_lock(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/fdinfo", (int)pid);
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir)
		return true; /* nobody can say */
	while ((e = readdir(dir))) {
		cleanup_free char *text = NULL;
		struct err ignored;

		if (e->d_name[0] != '.' && (fd_read_file_at(dirfd(dir), e->d_name, FDINFO_MAX, &text, &ignored) < 0 ||
					    strstr(text, "\nlock:")))
			return true;
	}
	return false;
}

/* The kernel stops everybody who locks while it lists all locks, and waits for that: 20 ms in which the container stands still. */
static bool have_locks(const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (has_lock(pids[i]))
			return true;
	return false;
}

int locks_complete(int new_fd, const pid_t *pids, size_t n, bool wanted, struct err *err)
{
	cleanup_free char *text = NULL, *image = NULL;
	char *rest = NULL;
	size_t len;

	if (!have_locks(pids, n))
		return 0;
	if (fd_read_file_at(AT_FDCWD, "/proc/locks", ALL_MAX, &text, err) < 0 ||
	    read_image(new_fd, &image, &len, err) < 0)
		return -1;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct lock l;

		if (parse_lock(line, pids, n, &l) && add_if_missing(new_fd, image, len, &l, wanted, err) < 0)
			return -1;
	}
	return 0;
}
