/* SPDX-License-Identifier: Apache-2.0 */
/* The container's passwd and group files: whoever is found there is in the text, and both readers find the same user. */
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/passwd.h"
#include "client/user.h"
#include "common/fd.h"
#include "shim/sandbox/user.h"

/* Is there a line that begins so? */
static bool has_line(const char *text, const char *start)
{
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p != NULL)
		if (!strncmp(p, start, strlen(start)))
			return true;
	return false;
}

static void by_name(const char *text, const char *name)
{
	cleanup_free char *start = xasprintf("%s:", name);
	struct passwd_user u;
	struct err err = { 0 };
	uint32_t gid;

	if (passwd_find_name(text, name, &u, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(!strcmp(u.name, name) && u.uid <= USER_ID_MAX && u.gid <= USER_ID_MAX &&
			   has_line(text, start));
	if (passwd_find_group(text, name, &gid, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(gid <= USER_ID_MAX && has_line(text, start));
}

static void by_uid(const char *text, uint32_t uid)
{
	struct passwd_user u, again;
	struct err err = { 0 };

	if (passwd_find_uid(text, uid, &u, &err) < 0) {
		fuzz_check_err(&err);
		return;
	}
	FUZZ_CHECK(u.uid == uid);
	/* Somebody else of that name may stand above. */
	FUZZ_CHECK(passwd_find_name(text, u.name, &again, &err) == 0 && !strcmp(again.name, u.name));
}

static void home(const uint8_t *text, size_t len, uint32_t uid)
{
	struct err err = { 0 };
	char buf[64] = "";

	fuzz_write("etc/passwd", text, len);
	if (user_home(fuzz_dir_fd(), uid, buf, sizeof(buf), &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(buf[0] == '/' && memchr(buf, '\0', sizeof(buf)) &&
			   (!buf[1] || memmem(text, len, buf, strlen(buf))));
}

static void as_option(const char *option)
{
	struct user u;
	struct err err = { 0 };

	if (user_parse(fuzz_dir(), option, &u, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(u.uid <= USER_ID_MAX && u.gid <= USER_ID_MAX);
}

/* NAME 0, then the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	cleanup_free char *name = fuzz_string(&in);
	struct fuzz_input rest = in;
	cleanup_free char *text = fuzz_string(&rest);
	uint32_t uid = (uint32_t)strtoul(name, NULL, 10);

	mkdirat(fuzz_dir_fd(), "etc", 0700);
	by_name(text, name);
	by_uid(text, uid);
	home(in.p, in.left, uid);
	as_option(name);
	return 0;
}
