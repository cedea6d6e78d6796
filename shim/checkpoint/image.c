/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of a checkpoint: made beside what is there, so that a dump that fails changes nothing in it; and what criu's log says.
 *
 * Runs in the shim. The directory is its caller's; names in it are only ever used below its descriptor, and links are not followed. */
#include "shim/checkpoint/image.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/fd.h"
#include "common/manifest.h"
#include "proto/criu.pb-c.h"
#include "shim/checkpoint/execs.h"
#include "shim/checkpoint/veth.h"

#define NEW_DIR ".thole-dump"
#define INVENTORY "inventory.img"
#define STATISTICS "stats-dump"
#define PARENT                                                                                                         \
	MANIFEST_PARENT   /* the image that this one goes on from: criu's link to it, or a directory of pre-dumps */
#define NEW_PARENT "next" /* what is to be it */
#define LOG_MAX (64 << 20)
#define LINES_TOLD 3
#define DISK_FULL "the disk is full"

char *image_stdin_of(const char *exec)
{
	return xasprintf("thole-stdin-%s.img", exec);
}

static bool has_end(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && !strcmp(name + n - m, end);
}

/* Is it a file of a dump, and not a log or somebody else's? */
static bool is_of_dump(const char *name)
{
	return has_end(name, ".img") || !strcmp(name, "descriptors.json") || !strcmp(name, VETH_FILE) ||
	       !strcmp(name, EXECS_FILE) || !strcmp(name, STATISTICS) || !strcmp(name, PARENT);
}

static int remove_files(int dir_fd, bool only_dump, struct err *err);

/* A file, or a directory of pre-dumps, which lie one in the other. `only_dump`: no directory of somebody else's that is called so. */
static int remove_one(int dir_fd, const char *name, bool only_dump, struct err *err)
{
	cleanup_fd int fd = -1;

	if (unlinkat(dir_fd, name, 0) == 0)
		return 0;
	if (errno != EISDIR)
		return err_sys(err, "cannot remove '%s'", name);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (only_dump && faccessat(fd, INVENTORY, F_OK, AT_SYMLINK_NOFOLLOW) < 0))
		return err_set(err, ERR_EXISTS, "'%s' in the image's directory is none of pre-dumps", name);
	if (remove_files(fd, false, err) < 0)
		return -1;
	return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 ? 0 : err_sys(err, "cannot remove '%s'", name);
}

/* `only_dump`: leave what is no file of a dump. */
static int remove_files(int dir_fd, bool only_dump, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(dir_fd);
	const char *name;

	if (!dir)
		return err_sys(err, "cannot read the image's directory");
	while ((name = fd_list_next(dir)))
		if ((!only_dump || is_of_dump(name)) && remove_one(dir_fd, name, only_dump, err) < 0)
			return -1;
	return 0;
}

static int open_new(int dir_fd, struct err *err)
{
	int fd = openat(dir_fd, NEW_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(err, "cannot open '" NEW_DIR "' in the image's directory") : fd;
}

int image_begin(int dir_fd, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = -1;

	if (mkdirat(dir_fd, NEW_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "cannot write to the image's directory");
	fd = open_new(dir_fd, err);
	if (fd < 0 || remove_files(fd, false, err) < 0)
		return -1;
	*ret_fd = take_fd(&fd);
	return 0;
}

int image_begin_parent(int new_fd, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = -1;

	if (faccessat(new_fd, PARENT, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		if (mkdirat(new_fd, PARENT, 0700) < 0)
			return err_sys(err, "cannot make a directory for a pre-dump");
	} else if (mkdirat(new_fd, NEW_PARENT, 0700) < 0 ||
		   renameat(new_fd, PARENT, new_fd, NEW_PARENT "/" PARENT) < 0 ||
		   renameat(new_fd, NEW_PARENT, new_fd, PARENT) < 0) {
		return err_sys(err, "cannot make a directory for a further pre-dump");
	}
	fd = openat(new_fd, PARENT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open a pre-dump's directory");
	*ret_fd = take_fd(&fd);
	return 0;
}

void image_drop_parents(int new_fd)
{
	struct err ignored;

	remove_one(new_fd, PARENT, false, &ignored);
}

/* It was made one level deeper: "../DIR". A directory of pre-dumps goes along as it is. */
static int move_parent(int dir_fd, int new_fd, struct err *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(new_fd, PARENT, target, sizeof(target) - 1);

	if (n < 0 && errno == EINVAL)
		return renameat(new_fd, PARENT, dir_fd, PARENT) < 0
			       ? err_sys(err, "cannot move '" PARENT "' to its place")
			       : 0;
	if (n < 0)
		return err_sys(err, "cannot read the link to the parent image");
	target[n] = '\0';
	if (unlinkat(new_fd, PARENT, 0) < 0 ||
	    symlinkat(strncmp(target, "../", 3) ? target : target + 3, dir_fd, PARENT) < 0)
		return err_sys(err, "cannot make the link to the parent image");
	return 0;
}

static int move_file(int dir_fd, int new_fd, const char *name, struct err *err)
{
	if (!strcmp(name, PARENT))
		return move_parent(dir_fd, new_fd, err);
	return renameat(new_fd, name, dir_fd, name) < 0 ? err_sys(err, "cannot move '%s' to its place", name) : 0;
}

/* The inventory comes last: without one criu sees no image. */
static int move_files(int dir_fd, int new_fd, bool inventory, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(new_fd);
	const char *name;

	if (!dir)
		return err_sys(err, "cannot read the image's directory");
	while ((name = fd_list_next(dir)))
		if (!strcmp(name, INVENTORY) == inventory && move_file(dir_fd, new_fd, name, err) < 0)
			return -1;
	return 0;
}

int image_commit(int dir_fd, int new_fd, struct err *err)
{
	bool first = faccessat(new_fd, INVENTORY, F_OK, 0) == 0;

	if (first && ((unlinkat(dir_fd, INVENTORY, 0) < 0 && errno != ENOENT) || remove_files(dir_fd, true, err) < 0))
		return err_add(err, "cannot remove the image that was there before");
	if (move_files(dir_fd, new_fd, false, err) < 0)
		return -1;
	return move_files(dir_fd, new_fd, true, err);
}

void image_end(int dir_fd)
{
	struct err ignored;
	cleanup_fd int fd = open_new(dir_fd, &ignored);

	if (fd >= 0)
		remove_files(fd, false, &ignored);
	unlinkat(dir_fd, NEW_DIR, AT_REMOVEDIR);
}

void image_discard(int dir_fd)
{
	struct err ignored;

	unlinkat(dir_fd, INVENTORY, 0);
	remove_files(dir_fd, true, &ignored);
}

void image_abandon(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	image_end(fd);
	/* Of a set, or of a first dump: criu's figures are of no image that is there. */
	if (faccessat(fd, INVENTORY, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		unlinkat(fd, STATISTICS, 0);
}

int image_check_parent(int dir_fd, const char *parent, struct err *err)
{
	cleanup_fd int fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st, own;

	if (fd < 0)
		return err_sys(err, "--parent-path: cannot open '%s' below the image's directory", parent);
	if (fstat(fd, &st) == 0 && fstatat(dir_fd, PARENT, &own, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == own.st_dev &&
	    st.st_ino == own.st_ino)
		return err_set(err, ERR_USAGE, "--parent-path: '%s' has the place of the link to it", parent);
	if (faccessat(fd, INVENTORY, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return err_set(err, ERR_NOT_FOUND, "--parent-path: there is no checkpoint in '%s'", parent);
}

int image_check(int dir_fd, struct err *err)
{
	cleanup_free char *path = NULL;
	struct stat st;
	struct err ignored;

	if (fstatat(dir_fd, INVENTORY, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		return 0;
	fd_path(dir_fd, &path, &ignored);
	return err_set(err, ERR_NOT_FOUND, "there is no checkpoint in '%s'", path ? path : "?");
}

/* ---- a view of it ------------------------------------------------------------------------------------------------------------ */

static int mount_detached(const char *type, const char *const (*options)[2], int *ret_fd, struct err *err)
{
	cleanup_fd int fs_fd = fsopen(type, FSOPEN_CLOEXEC), mount_fd = -1;

	if (fs_fd < 0)
		return err_sys(err, "cannot make a file system of type %s", type);
	for (; (*options)[0]; options++)
		if (fsconfig(fs_fd, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0) < 0)
			return err_sys(err, "cannot set option %s of %s", (*options)[0], type);
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "cannot make a file system of type %s", type);
	mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (mount_fd < 0)
		return err_sys(err, "cannot mount a file system of type %s", type);
	*ret_fd = take_fd(&mount_fd);
	return 0;
}

static int open_files_up(int dir_fd, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(dir_fd);
	cleanup_fd int parent_fd = -1;
	const char *name;
	int r;

	if (!dir)
		return err_sys(err, "cannot read the image's directory");
	if (fchmod(dir_fd, 0755) < 0)
		return err_sys(err, "cannot change a view of the image");
	while ((name = fd_list_next(dir)))
		if (has_end(name, ".img") && fchmodat(dir_fd, name, 0644, 0) < 0)
			return err_sys(err, "cannot change a view of '%s'", name);
	r = manifest_open_parent(dir_fd, &parent_fd, err);
	return r > 0 ? open_files_up(parent_fd, err) : r;
}

/* An overlay that copies up modes and owners, not data (metacopy). */
int image_open_view(int dir_fd, int *ret_fd, struct err *err)
{
	static const char *const plain[][2] = { { "mode", "0700" }, { NULL, NULL } };
	cleanup_fd int tmp_fd = -1, tree_fd = -1, view_fd = -1;
	cleanup_free char *lower = xasprintf("/proc/self/fd/%d", dir_fd), *upper = NULL, *work = NULL;

	if (mount_detached("tmpfs", plain, &tmp_fd, err) < 0)
		return -1;
	if (mkdirat(tmp_fd, "upper", 0755) < 0 || mkdirat(tmp_fd, "work", 0700) < 0)
		return err_sys(err, "cannot prepare a view of the image");
	upper = xasprintf("/proc/self/fd/%d/upper", tmp_fd);
	work = xasprintf("/proc/self/fd/%d/work", tmp_fd);
	const char *const overlay[][2] = { { "lowerdir", lower }, { "upperdir", upper }, { "workdir", work },
					   { "metacopy", "on" },  { "xino", "off" },     { NULL, NULL } };
	if (mount_detached("overlay", overlay, &tree_fd, err) < 0)
		return err_add(err, "cannot show the image to another user namespace");
	view_fd = openat(tree_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (view_fd < 0)
		return err_sys(err, "cannot open a view of the image");
	if (open_files_up(view_fd, err) < 0)
		return -1;
	*ret_fd = take_fd(&view_fd);
	return 0;
}

/* ---- what is in it ---------------------------------------------------------------------------------------------------------- */

#define GROUPS_FILE "cgroup.img"
#define GROUPS_MAX (16 << 20)
#define GROUPS_AT (8 + sizeof(uint32_t)) /* two magic numbers and the length of its one entry */

bool image_has_groups(int dir_fd)
{
	cleanup_fd int fd = openat(dir_fd, GROUPS_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_free char *data = NULL;
	CgroupEntry *e = NULL;
	struct err ignored;
	size_t len;
	bool has = false;

	if (fd >= 0 && fd_read_all(fd, GROUPS_MAX, &data, &len, &ignored) == 0 && len >= GROUPS_AT)
		e = cgroup_entry__unpack(NULL, len - GROUPS_AT, (const uint8_t *)data + GROUPS_AT);
	for (size_t i = 0; e && i < e->n_controllers; i++)
		has |= e->controllers[i]->n_dirs > 0;
	cgroup_entry__free_unpacked(e, NULL);
	return has;
}

/* ---- criu's log ------------------------------------------------------------------------------------------------------------ */

/* What some of its errors mean. */
static const struct {
	const char *text, *meaning;
} causes[] = {
	{ "Connected TCP socket", "a TCP connection is open: --tcp-established keeps it, --tcp-close drops it" },
	{ "In-flight connection", "a TCP connection is being opened: --tcp-skip-in-flight leaves it out" },
	{ "without peer", "a unix socket leads to another network namespace, where CRIU does not look" },
	{ "in-flight connection", "a TCP connection is being opened: --tcp-skip-in-flight leaves it out" },
	{ "External socket is used", "a unix socket leads outside: --ext-unix-sk" },
	{ "unix socket is external", "a unix socket leads outside: --ext-unix-sk" },
	/* What it says when it was given that option. */
	{ "Can't dump half of stream unix",
	  "CRIU cannot take a unix stream with one half outside: --ext-unix-sk is for datagram and listening sockets" },
	{ "Unexpected rt vDSO", "this criu is too old for this kernel" },
	{ "Unix socket", "a unix socket leads to a process outside of the container, which CRIU cannot bring back" },
	{ "killed by signal 9", "one of its processes was killed while it came back: perhaps its memory limit, or the "
				"machine's memory, is too small" },
	{ "Can't lookup mount", "an open file is on no mount of the container" },
	{ "Some file locks are hold", "files are locked: --file-locks" },
	{ "file locks", "files are locked: --file-locks" },
	{ "has bad size", "a file has changed since the checkpoint" },
	{ "bad mode", "a file has changed since the checkpoint" },
	{ "link-remap", "a file is open that has been removed: --link-remap" },
	{ "Can't create link remap", "a file is open that has been removed: --link-remap" },
	{ "is not supported", "something in the container that this criu cannot dump" },
	{ "Abort restore of existing cgroups",
	  "--manage-cgroups-mode strict wants to make the groups, but they are made by then: soft or full" },
	{ "No space left on device", DISK_FULL },
	{ "Can't get rlimit",
	  "CRIU may not look at the limits of a process of another user: it has no CAP_SYS_RESOURCE" },
	{ "Can't fork for", "the number of one of its processes is taken, perhaps by a zombie that the first process "
			    "of its pid namespace does not reap" },
	{ "Unable to find an external netns", "the container was in a network namespace that others had made: "
					      "linux.namespaces has to give one by its path" },
	{ "No mapping for", "the container had a mount there that the bundle's config does not have" },
	{ "shell-job", "the container has its caller's terminal: --shell-job" },
};

/* "(00.012) Error (criu/x.c:12): TEXT" without what stands before TEXT. One of them it does not call so. */
static const char *text_of(const char *line)
{
	const char *at = strstr(line, "Error (");
	const char *end = at ? strstr(at, "): ") : NULL;

	return end ? end + 3 : strstr(line, "Can't connect to server");
}

/* What a criu without all capabilities complains of every time, and what says no more than that it has failed. */
static bool is_harmless(const char *text)
{
	static const char *const parts[] = { "rlimit: Can't setup", "Unable to create tun", "Dumping FAILED",
					     "Restoring FAILED", "cgroupd: recv" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strstr(text, parts[i]))
			return true;
	return false;
}

static const char *meaning_of(const char *text)
{
	/* Else it would be that a number is taken. */
	if (strstr(text, "fork") && strstr(text, "Resource temporarily unavailable"))
		return "there may be no more processes: perhaps a limit of a group above the container's";
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (strstr(text, causes[i].text))
			return causes[i].meaning;
	return NULL;
}

static void append(char *text, size_t size, const char *more)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? "; " : "", more);
}

static void gather(char *log, char *told, size_t size, const char **ret_meaning)
{
	char *rest = NULL;
	int n = 0;

	for (char *line = strtok_r(log, "\n", &rest); line && n < LINES_TOLD; line = strtok_r(NULL, "\n", &rest)) {
		const char *text = text_of(line);

		if (!text || is_harmless(text) || strstr(told, text))
			continue;
		append(told, size, text);
		if (!*ret_meaning)
			*ret_meaning = meaning_of(text);
		n++;
	}
}

/* The file that it has missed last: it speaks of each, and most may be missing. */
static void find_missing(const char *log, char *ret, size_t size)
{
	ret[0] = '\0';
	for (const char *at = strstr(log, " No "); at; at = strstr(at + 1, " No ")) {
		const char *image = strstr(at, " image\n");

		if (image && image < strchrnul(at, '\n'))
			snprintf(ret, size, "%.*s image", (int)(image - at - 1), at + 1);
	}
}

void image_forget_log(int work_dir_fd, const char *log)
{
	unlinkat(work_dir_fd, log, 0);
}

void image_explain(int work_dir_fd, const char *log, struct err *err)
{
	cleanup_free char *text = NULL, *path = NULL, *place = NULL;
	char told[ERR_TEXT_MAX / 2] = "", missing[128];
	const char *meaning = NULL;
	struct err ignored, said = *err;
	struct statvfs fs;

	if (fd_path(work_dir_fd, &path, &ignored) == 0 &&
	    fd_read_file_at(work_dir_fd, log, LOG_MAX, &text, &ignored) == 0) {
		find_missing(text, missing, sizeof(missing));
		gather(text, told, sizeof(told), &meaning);
		/* Where no error of a restore says what is wrong. */
		if (missing[0] && !strcmp(log, "restore.log") && !strstr(said.text, "was killed") &&
		    (!told[0] || strstr(told, "stopped by signal")))
			append(told, sizeof(told), missing);
	}
	/* Then it may be the log that could not be written, or the end of it. */
	if (!meaning && strstr(said.text, "No space left on device"))
		meaning = DISK_FULL;
	if (!meaning && fstatvfs(work_dir_fd, &fs) == 0 && (fs.f_bavail == 0 || (fs.f_files > 0 && fs.f_favail == 0)))
		meaning = DISK_FULL;
	if (text)
		place = xasprintf(" (log: %s/%s)", path, log);
	err_set(err, said.code, "%s%s%s%s%s%s%s", said.text, told[0] ? ": " : "", told, meaning ? " (" : "",
		meaning ? meaning : "", meaning ? ")" : "", place ? place : "");
	err->sys_errno = meaning && !strcmp(meaning, DISK_FULL) ? ENOSPC : said.sys_errno;
	err_clean(err);
}
