/* SPDX-License-Identifier: Apache-2.0 */
/* What a root that is an overlay is made of.
 *
 * Runs in a worker of the shim's, in whose mount namespace the root is. mountinfo says by which paths the layers were named when it was mounted; whether these lead to them today has to be seen. */
#include "shim/checkpoint/overlay.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "shim/sandbox/mountinfo.h"

#define LOWERS_MAX 500
#define LOOKS_MAX 1000
#define FSCONFIG_TEXT_MAX 256 /* the kernel's */

struct layers {
	char *upper;
	bool userxattr;
	size_t n;
	char *lower[LOWERS_MAX];
};

void overlay_close(struct overlay *o)
{
	fd_close(&o->upper_fd);
	fd_close(&o->lower_fd);
}

bool overlay_is_mark(const char *xattr, bool userxattr)
{
	return userxattr ? !strncmp(xattr, "user.overlay.", 13) : !strncmp(xattr, "trusted.overlay.", 16);
}

static void layers_release(struct layers *l)
{
	free(l->upper);
	for (size_t i = 0; i < l->n; i++)
		free(l->lower[i]);
	*l = (struct layers) { 0 };
}

/* ---- mountinfo ------------------------------------------------------------------------------------------------------------- */

/* A list of directories with colons between, where "\:" is a colon of a name. */
static int split_lowers(const char *text, struct layers *l)
{
	cleanup_free char *one = xmalloc(strlen(text) + 1);
	size_t len = 0;

	for (;; text++) {
		if (text[0] == '\\' && text[1]) {
			one[len++] = *++text;
			continue;
		}
		if (*text && *text != ':') {
			one[len++] = *text;
			continue;
		}
		one[len] = '\0';
		/* Relative ones were so to a directory that nobody knows; an empty one begins those of data alone. */
		if (one[0] != '/' || l->n == LOWERS_MAX)
			return -1;
		l->lower[l->n++] = xstrdup(one);
		len = 0;
		if (!*text)
			return 0;
	}
}

static int take_option(char *option, struct layers *l)
{
	char *value = strchr(option, '=');

	l->userxattr |= !strcmp(option, "userxattr");
	if (!value)
		return 0;
	*value++ = '\0';
	mountinfo_unescape(value);
	if (!strcmp(option, "upperdir")) {
		l->upper = xstrdup(value);
		return 0;
	}
	if (!strcmp(option, "lowerdir"))
		return split_lowers(value, l);
	if (!strcmp(option, "lowerdir+")) {
		if (value[0] != '/' || l->n == LOWERS_MAX)
			return -1;
		l->lower[l->n++] = xstrdup(value);
	}
	return strcmp(option, "datadir+") ? 0 : -1;
}

/* 36 35 98:0 / /mnt rw,noatime shared:1 - overlay overlay rw,lowerdir=... */
static int parse_line(char *line, struct layers *l)
{
	char *at = strstr(line, " - overlay "), *options = at ? strrchr(at, ' ') : NULL, *rest = NULL;

	if (!options)
		return -1;
	for (char *o = strtok_r(options + 1, ",", &rest); o; o = strtok_r(NULL, ",", &rest))
		if (take_option(o, l) < 0)
			return -1;
	return l->upper && l->upper[0] == '/' && l->n > 0 ? 0 : -1;
}

static int find_line(uint64_t mount_id, struct layers *l)
{
	cleanup_free char *line = mountinfo_line(mount_id);

	return line ? parse_line(line, l) : -1;
}

/* ---- the layers ------------------------------------------------------------------------------------------------------------ */

static int look(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, ret);
}

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_directory(const struct statx *a, const struct statx *b)
{
	return S_ISDIR(a->stx_mode) && same_time(&a->stx_ctime, &b->stx_ctime) &&
	       same_time(&a->stx_mtime, &b->stx_mtime) &&
	       (!(a->stx_mask & b->stx_mask & STATX_BTIME) || same_time(&a->stx_btime, &b->stx_btime)) &&
	       a->stx_uid == b->stx_uid && a->stx_gid == b->stx_gid && a->stx_mode == b->stx_mode;
}

/* What an overlay says of a directory's times is what its upper one has. Whoever uses it may change them between two looks. */
static bool is_upper_of(int upper_fd, int root_fd)
{
	struct statx upper, before, after;

	for (int i = 0; i < LOOKS_MAX; i++) {
		if (look(root_fd, &before) < 0 || look(upper_fd, &upper) < 0 || look(root_fd, &after) < 0)
			return false;
		if (same_directory(&upper, &before) || same_directory(&upper, &after))
			return true;
		if (same_directory(&before, &after))
			return false;
	}
	return false;
}

/* One after the other (Linux 6.5), or as one text, which the kernel wants to be short: so by descriptors, whatever their paths are. */
static int add_lowers(int fs_fd, const int *fds, size_t n, bool one_by_one)
{
	char text[FSCONFIG_TEXT_MAX] = "";

	for (size_t i = 0; i < n; i++) {
		size_t used = one_by_one ? 0 : strlen(text);
		int len = snprintf(text + used, sizeof(text) - used, "%s/proc/self/fd/%d", used ? ":" : "", fds[i]);

		if ((size_t)len >= sizeof(text) - used)
			return -1;
		if (one_by_one && fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir+", text, 0) < 0)
			return -1;
	}
	return one_by_one ? 0 : fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir", text, 0);
}

static int mount_lowers(const int *fds, size_t n, bool userxattr, bool one_by_one)
{
	cleanup_fd int fs_fd = fsopen("overlay", FSOPEN_CLOEXEC), mount_fd = -1;

	if (fs_fd < 0 || add_lowers(fs_fd, fds, n, one_by_one) < 0 ||
	    (userxattr && fsconfig(fs_fd, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0) ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return mount_fd < 0 ? -1 : openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Several are put together by the kernel, mounted nowhere. */
static int open_lower(const struct layers *l)
{
	int fds[LOWERS_MAX], ret = -1;
	size_t n = 0;

	if (l->n == 1)
		return open(l->lower[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (n < l->n && (fds[n] = open(l->lower[n], O_PATH | O_DIRECTORY | O_CLOEXEC)) >= 0)
		n++;
	if (n == l->n)
		ret = mount_lowers(fds, n, l->userxattr, true);
	if (n == l->n && ret < 0)
		ret = mount_lowers(fds, n, l->userxattr, false);
	while (n > 0)
		fd_close(&fds[--n]);
	return ret;
}

int overlay_open(int root_fd, struct overlay *ret, struct err *err)
{
	struct overlay o cleanup_overlay = OVERLAY_NONE;
	struct layers l = { 0 };
	struct statx root;
	int found = 0;

	if (look(root_fd, &root) < 0)
		return err_sys(err, "cannot look at the root");
	if ((root.stx_attributes & STATX_ATTR_MOUNT_ROOT) && find_line(root.stx_mnt_id, &l) == 0) {
		o.upper_fd = open(l.upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (o.upper_fd >= 0 && is_upper_of(o.upper_fd, root_fd))
			o.lower_fd = open_lower(&l);
		o.userxattr = l.userxattr;
		found = o.lower_fd >= 0;
	}
	layers_release(&l);
	if (!found)
		return 0;
	*ret = o;
	o = OVERLAY_NONE;
	return 1;
}
