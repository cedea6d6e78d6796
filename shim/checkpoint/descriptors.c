/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors of a container that lead outside: what CRIU knows them by, and that none is forgotten.
 *
 * CRIU takes a pipe for the container's own whose other end it does not see, and restores it with nobody at that end: a success with a dead pipe. So we look before. Reads
 * /proc of hostile processes: only links and flags, which the kernel writes. A process that is quicker than we are (it is not frozen yet) can deceive us to its own
 * harm alone. */
#include "shim/checkpoint/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <linux/major.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/oci/json.h"

#define FILE_MAX 4096

bool descriptors_is_pipe(const char *key)
{
	return !strncmp(key, "pipe:[", 6);
}

bool descriptors_is_tty(const char *key)
{
	return !strncmp(key, "tty[", 4);
}

bool descriptors_tty_key(const char *path, char ret[DESCRIPTORS_KEY_MAX])
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISCHR(st.st_mode) || major(st.st_rdev) < UNIX98_PTY_SLAVE_MAJOR ||
	    major(st.st_rdev) >= UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT)
		return false;
	snprintf(ret, DESCRIPTORS_KEY_MAX, "tty[%llx:%llx]", (unsigned long long)st.st_rdev,
		 (unsigned long long)st.st_dev);
	return true;
}

/* ---- the file -------------------------------------------------------------------------------------------------------------- */

int descriptors_write(int dir_fd, const struct descriptors *d, struct err *err)
{
	cleanup_json struct json_object *list = json_new_array();
	const char *text;

	for (int i = 0; i < 3; i++)
		json_append(list, json_new_string(d->key[i]));
	text = json_to_text(list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	return fd_replace_file_at(dir_fd, DESCRIPTORS_FILE, text, strlen(text), 0600, err);
}

int descriptors_read(int dir_fd, struct descriptors *ret, struct err *err)
{
	cleanup_json struct json_object *list = NULL;
	cleanup_free char *text = NULL;
	struct descriptors d = { 0 };

	if (fd_read_file_at(dir_fd, DESCRIPTORS_FILE, FILE_MAX, &text, err) < 0)
		return err_add(err, "the checkpoint");
	if (oci_json_parse(DESCRIPTORS_FILE, text, strlen(text), &list, err) < 0)
		return -1;
	if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) != 3)
		return err_set(err, ERR_CONFIG, "%s: must be a list of three strings", DESCRIPTORS_FILE);
	for (size_t i = 0; i < 3; i++) {
		struct json_object *v = json_object_array_get_idx(list, i);

		if (!json_object_is_type(v, json_type_string) || json_object_get_string_len(v) >= DESCRIPTORS_KEY_MAX)
			return err_set(err, ERR_CONFIG, "%s: must be a list of three strings", DESCRIPTORS_FILE);
		snprintf(d.key[i], sizeof(d.key[i]), "%s", json_object_get_string(v));
	}
	*ret = d;
	return 0;
}

/* ---- the search ------------------------------------------------------------------------------------------------------------ */

struct seen {
	unsigned long long inode;
	bool reads, writes;
	pid_t pid;
	int fd;
};

struct search {
	size_t n;
	struct seen *v;
};

static struct seen *find(struct search *s, unsigned long long inode)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].inode == inode)
			return &s->v[i];
	return NULL;
}

/* The pipe that a descriptor is, or 0. */
static unsigned long long pipe_at(int dir_fd, const char *name)
{
	char link[64];
	ssize_t n = readlinkat(dir_fd, name, link, sizeof(link) - 1);

	if (n <= 0)
		return 0;
	link[n] = '\0';
	return descriptors_is_pipe(link) ? strtoull(link + 6, NULL, 10) : 0;
}

static DIR *open_fds(const char *pid)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	return opendir(path);
}

/* O_RDONLY, O_WRONLY, O_RDWR. */
static int access_of(pid_t pid, const char *fd)
{
	cleanup_free char *text = NULL;
	char path[64];
	const char *line;
	struct err ignored;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", (int)pid, fd);
	if (fd_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) < 0)
		return O_RDWR;
	line = strstr(text, "flags:\t");
	return line ? (int)strtol(line + 7, NULL, 8) & O_ACCMODE : O_RDWR;
}

static void note(struct search *s, unsigned long long inode, pid_t pid, const char *fd)
{
	struct seen *at = find(s, inode);
	int mode = access_of(pid, fd);

	if (!at) {
		s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
		at = &s->v[s->n++];
		*at = (struct seen) { .inode = inode, .pid = pid, .fd = (int)strtol(fd, NULL, 10) };
	}
	/* One that is open for both may have been given so from outside. */
	at->reads |= mode == O_RDONLY;
	at->writes |= mode == O_WRONLY;
}

static void look_at(struct search *s, pid_t pid)
{
	char text[16];
	cleanup_dir DIR *dir = NULL;
	struct dirent *e;

	snprintf(text, sizeof(text), "%d", (int)pid);
	dir = open_fds(text);
	while (dir && (e = readdir(dir))) {
		unsigned long long inode = pipe_at(dirfd(dir), e->d_name);

		if (inode)
			note(s, inode, pid, e->d_name);
	}
}

static bool is_mapped(const struct descriptors *d, size_t n_d, unsigned long long inode)
{
	char key[DESCRIPTORS_KEY_MAX];

	snprintf(key, sizeof(key), "pipe:[%llu]", inode);
	for (size_t i = 0; i < n_d; i++)
		if (!strcmp(d[i].key[0], key) || !strcmp(d[i].key[1], key) || !strcmp(d[i].key[2], key))
			return true;
	return false;
}

static bool is_one_of(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Does this process hold the other end of one? Those without another end anywhere are no loss. */
static const struct seen *held_by(struct search *s, const char *pid)
{
	cleanup_dir DIR *dir = open_fds(pid);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		unsigned long long inode = pipe_at(dirfd(dir), e->d_name);
		const struct seen *at = inode ? find(s, inode) : NULL;

		if (at)
			return at;
	}
	return NULL;
}

/* Keep those that may lead outside. */
static void sift(struct search *s, const struct descriptors *d, size_t n_d)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!(s->v[i].reads && s->v[i].writes) && !is_mapped(d, n_d, s->v[i].inode))
			s->v[n++] = s->v[i];
	s->n = n;
}

int descriptors_check(const struct descriptors *d, size_t n_d, const pid_t *pids, size_t n, struct err *err)
{
	struct search s = { 0 };
	const struct seen *bad = NULL;
	cleanup_free struct seen *owned = NULL;
	cleanup_dir DIR *proc = NULL;
	struct dirent *e;
	pid_t holder = 0;

	for (size_t i = 0; i < n; i++)
		look_at(&s, pids[i]);
	owned = s.v;
	sift(&s, d, n_d);
	if (s.n == 0)
		return 0;
	/* Rare, and dear: every process of the host. */
	proc = opendir("/proc");
	while (!bad && proc && (e = readdir(proc))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid > 0 && !is_one_of(pids, n, pid)) {
			bad = held_by(&s, e->d_name);
			holder = pid;
		}
	}
	if (!bad)
		return 0;
	if (holder == getpid())
		return err_set(err, ERR_BUSY,
			       "descriptor %d of process %d is a pipe (pipe:[%llu]) from an exec'd process that has "
			       "ended, and is still being read",
			       bad->fd, (int)bad->pid, bad->inode);
	return err_set(
		err, ERR_UNSUPPORTED,
		"descriptor %d of process %d is a pipe (pipe:[%llu]) to somebody outside of the container, which "
		"nobody could give back",
		bad->fd, (int)bad->pid, bad->inode);
}
