/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of our namespace, as the kernel writes them. */
#include "shim/sandbox/mountinfo.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"

#define MOUNTINFO_MAX (16 << 20)

int mountinfo_read(char **ret, struct err *err)
{
	return fd_read_file_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, ret, err);
}

char *mountinfo_line(uint64_t mount_id)
{
	cleanup_free char *text = NULL;
	char *rest = NULL;
	struct err ignored;

	if (mountinfo_read(&text, &ignored) < 0)
		return NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strtoull(line, NULL, 10) == mount_id)
			return xstrdup(line);
	return NULL;
}

void mountinfo_unescape(char *field)
{
	char *to = field;

	for (; *field; field++, to++) {
		if (field[0] == '\\' && strspn(field + 1, "01234567") >= 3) {
			*to = (char)((field[1] - '0') << 6 | (field[2] - '0') << 3 | (field[3] - '0'));
			field += 3;
		} else {
			*to = *field;
		}
	}
	*to = '\0';
}
