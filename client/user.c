/* SPDX-License-Identifier: Apache-2.0 */
/* --user: who a process is to be, as number or by name in the container's own passwd and group. */
#include "client/user.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "client/passwd.h"
#include "common/fd.h"
#include "common/number.h"

/* A name cannot begin with a digit, so that "1x" is no name and "01" no number (CVE-2026-30892: a lax reading made root of them). */
static int check_name(const char *what, const char *text, struct err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (!text[0] || strspn(text, allowed) != strlen(text) || isdigit((unsigned char)text[0]) || text[0] == '-')
		return err_set(err, ERR_USAGE, "--user: '%s' is neither a number nor a name of a %s", text, what);
	return 0;
}

static int read_root_file(const char *rootfs, const char *path, char **ret_text, struct err *err)
{
	cleanup_fd int root_fd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return err_sys(err, "cannot open root directory '%s'", rootfs);
	return passwd_read(root_fd, path, ret_text, err);
}

int user_group_of(const char *rootfs, uint32_t uid, uint32_t *ret_gid, struct err *err)
{
	cleanup_free char *text = NULL;
	struct passwd_user user = { .gid = 0 };
	struct err unknown;

	if (read_root_file(rootfs, "etc/passwd", &text, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
	} else if (passwd_find_uid(text, uid, &user, &unknown) < 0) {
		user.gid = 0;
	}
	*ret_gid = user.gid;
	return 0;
}

static int find_user(const char *rootfs, const char *name, struct user *u, struct err *err)
{
	cleanup_free char *text = NULL;
	struct passwd_user found;

	if (check_name("user", name, err) < 0)
		return -1;
	if (read_root_file(rootfs, "etc/passwd", &text, err) < 0 || passwd_find_name(text, name, &found, err) < 0)
		return err_add(err, "--user");
	u->uid = found.uid;
	if (!u->has_gid)
		u->gid = found.gid;
	u->has_gid = true;
	return 0;
}

static int find_group(const char *rootfs, const char *name, uint32_t *ret_gid, struct err *err)
{
	cleanup_free char *text = NULL;

	if (check_name("group", name, err) < 0)
		return -1;
	if (read_root_file(rootfs, "etc/group", &text, err) < 0 || passwd_find_group(text, name, ret_gid, err) < 0)
		return err_add(err, "--user");
	return 0;
}

int user_parse(const char *rootfs, const char *text, struct user *ret, struct err *err)
{
	cleanup_free char *name = xstrdup(text);
	char *group = strchr(name, ':');
	struct user u = { .has_gid = group != NULL };
	uint64_t v;

	if (group) {
		*group++ = '\0';
		if (number_u64(group, USER_ID_MAX, &v))
			u.gid = (uint32_t)v;
		else if (find_group(rootfs, group, &u.gid, err) < 0)
			return -1;
	}
	if (number_u64(name, USER_ID_MAX, &v))
		u.uid = (uint32_t)v;
	else if (find_user(rootfs, name, &u, err) < 0)
		return -1;
	*ret = u;
	return 0;
}
