/* SPDX-License-Identifier: Apache-2.0 */
/* What state and list print in the same way: owners. */
#include "client/print.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "client/passwd.h"
#include "common/fd.h"

const char *print_owner(struct print_owner *cache, uint32_t uid)
{
	cleanup_free char *text = NULL;
	cleanup_fd int root_fd = -1;
	struct passwd_user user;
	struct err ignored;

	if (cache->name[0] && cache->uid == uid)
		return cache->name;
	cache->uid = uid;
	snprintf(cache->name, sizeof(cache->name), "%u", uid);
	if (uid == 0) {
		memcpy(cache->name, "root", sizeof("root"));
		return cache->name;
	}
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd >= 0 && passwd_read(root_fd, "etc/passwd", &text, &ignored) == 0 &&
	    passwd_find_uid(text, uid, &user, &ignored) == 0)
		memcpy(cache->name, user.name, sizeof(user.name));
	return cache->name;
}
