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

#define MOUNTINFO_MAX (16 << 20)
#define LOWERS_MAX 500

struct layers {
	char *upper;
	size_t n;
	char *lower[LOWERS_MAX];
};

void overlay_close(struct overlay *o)
{
	fd_close(&o->upper_fd);
	fd_close(&o->lower_fd);
}

int overlay_is_mark(const char *xattr)
{
	return !strncmp(xattr, "trusted.overlay.", 16) || !strncmp(xattr, "user.overlay.", 13);
}

static void layers_release(struct layers *l)
{
	free(l->upper);
	for (size_t i = 0; i < l->n; i++)
		free(l->lower[i]);
	*l = (struct layers) { 0 };
}

/* ---- mountinfo ------------------------------------------------------------------------------------------------------------- */

/* "\040" and the like, in place. */
static void unescape_octal(char *text)
{
	char *to = text;

	for (; *text; text++, to++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 3;
		} else {
			*to = *text;
		}
	}
	*to = '\0';
}

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

	if (!value)
		return 0;
	*value++ = '\0';
	unescape_octal(value);
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
	cleanup_free char *text = NULL;
	char *rest = NULL;
	struct err ignored;

	if (fd_read_file_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, &ignored) < 0)
		return -1;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strtoull(line, NULL, 10) == mount_id)
			return parse_line(line, l);
	return -1;
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

/* What an overlay says of a directory's times is what its upper one has. */
static bool is_upper_of(int upper_fd, const struct statx *root)
{
	struct statx st;

	return look(upper_fd, &st) == 0 && S_ISDIR(st.stx_mode) && same_time(&st.stx_ctime, &root->stx_ctime) &&
	       same_time(&st.stx_mtime, &root->stx_mtime) &&
	       (!(st.stx_mask & root->stx_mask & STATX_BTIME) || same_time(&st.stx_btime, &root->stx_btime)) &&
	       st.stx_uid == root->stx_uid && st.stx_gid == root->stx_gid && st.stx_mode == root->stx_mode;
}

static char *joined(const struct layers *l)
{
	char *text = xstrdup("");

	for (size_t i = 0; i < l->n; i++) {
		cleanup_free char *one = xmalloc(2 * strlen(l->lower[i]) + 1);
		char *to = one, *before = text;

		for (const char *from = l->lower[i]; *from; from++) {
			if (*from == '\\' || *from == ':')
				*to++ = '\\';
			*to++ = *from;
		}
		*to = '\0';
		text = xasprintf("%s%s%s", before, i ? ":" : "", one);
		free(before);
	}
	return text;
}

/* Several are put together by the kernel, mounted nowhere. */
static int open_lower(const struct layers *l)
{
	cleanup_fd int fs_fd = -1, mount_fd = -1;
	cleanup_free char *text = NULL;

	if (l->n == 1)
		return open(l->lower[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	text = joined(l);
	fs_fd = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir", text, 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return mount_fd < 0 ? -1 : openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
		if (o.upper_fd >= 0 && is_upper_of(o.upper_fd, &root))
			o.lower_fd = open_lower(&l);
		found = o.lower_fd >= 0;
	}
	layers_release(&l);
	if (!found)
		return 0;
	*ret = o;
	o = OVERLAY_NONE;
	return 1;
}
