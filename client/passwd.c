/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up names in passwd and group files, the host's or one of a root that nobody trusts.
 *
 * By hand: getpwnam(3) reads the host's, and pulls shared libraries into a static program. The text may come from a container's
 * image (CVE-2026-47262: unbounded reading of it). */
#include "client/passwd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/fd.h"
#include "common/number.h"

#define PASSWD_MAX (1 << 20)
#define ID_MAX 4294967294U /* 2^32-1 means "no id" to the kernel */

int passwd_read(int root_fd, const char *path, char **ret_text, struct err *err)
{
	/* O_NONBLOCK: a FIFO there must not hold us. */
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_fd int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(err, ERR_NOT_FOUND, "there is no '/%s' in the root", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot open '/%s' in the root", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "'/%s' in the root is not a regular file", path);
	if (fd_read_all(fd, PASSWD_MAX, ret_text, NULL, err) < 0)
		return err_add(err, "'/%s' in the root", path);
	return 0;
}

#define FIELDS 4 /* name:password:id:id-or-members */

struct line {
	const char *field[FIELDS];
	size_t len[FIELDS];
};

/* The first fields of the line at *p, which moves on to the next. False at the end of the text. */
static bool next_line(const char **p, struct line *ret)
{
	size_t len = strcspn(*p, "\n"), n = 0;
	const char *at = *p, *end = *p + len;

	if (!**p)
		return false;
	*ret = (struct line) { 0 };
	while (n < FIELDS && at <= end) {
		const char *colon = memchr(at, ':', (size_t)(end - at));

		ret->field[n] = at;
		ret->len[n++] = (size_t)((colon ? colon : end) - at);
		at = colon ? colon + 1 : end + 1;
	}
	*p = *end ? end + 1 : end;
	return true;
}

static bool field_number(const struct line *l, size_t i, uint32_t *ret)
{
	char text[16];
	uint64_t v;

	if (!l->field[i] || l->len[i] >= sizeof(text))
		return false;
	memcpy(text, l->field[i], l->len[i]);
	text[l->len[i]] = '\0';
	if (!number_u64(text, ID_MAX, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool name_is(const struct line *l, const char *name)
{
	return l->len[0] == strlen(name) && !memcmp(l->field[0], name, l->len[0]);
}

static bool line_user(const struct line *l, struct passwd_user *ret)
{
	if (l->len[0] == 0 || l->len[0] >= sizeof(ret->name) || !field_number(l, 2, &ret->uid) ||
	    !field_number(l, 3, &ret->gid))
		return false;
	memcpy(ret->name, l->field[0], l->len[0]);
	ret->name[l->len[0]] = '\0';
	return true;
}

int passwd_find_name(const char *text, const char *name, struct passwd_user *ret, struct err *err)
{
	struct line l;

	while (next_line(&text, &l))
		if (name_is(&l, name) && line_user(&l, ret))
			return 0;
	return err_set(err, ERR_NOT_FOUND, "there is no user '%s'", name);
}

int passwd_find_uid(const char *text, uint32_t uid, struct passwd_user *ret, struct err *err)
{
	struct passwd_user user;
	struct line l;

	while (next_line(&text, &l))
		if (line_user(&l, &user) && user.uid == uid) {
			*ret = user;
			return 0;
		}
	return err_set(err, ERR_NOT_FOUND, "there is no user with uid %u", uid);
}

int passwd_find_group(const char *text, const char *name, uint32_t *ret_gid, struct err *err)
{
	struct line l;

	while (next_line(&text, &l))
		if (name_is(&l, name) && field_number(&l, 2, ret_gid))
			return 0;
	return err_set(err, ERR_NOT_FOUND, "there is no group '%s'", name);
}
