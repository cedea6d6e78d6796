/* SPDX-License-Identifier: Apache-2.0 */
/* What several commands print in the same way. */
#include "client/print.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "client/passwd.h"
#include "common/fd.h"
#include "common/utc.h"

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

json_object *print_exit(const Exit *e)
{
	json_object *o = json_new_object();
	char time[UTC_TEXT_SIZE];

	json_add_bool(o, "known", e->known);
	if (e->known) {
		json_add_int(o, "code", e->code);
		json_add_int(o, "signal", e->signal);
	}
	if (e->time_ns) {
		utc_text_exact(e->time_ns, time);
		json_add_string(o, "finished", time);
	}
	json_add_bool(o, "oomKilled", e->oom_killed);
	return o;
}
