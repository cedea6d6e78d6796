/* SPDX-License-Identifier: Apache-2.0 */
/* `thole run --rootfs DIR COMMAND`: flags become an ordinary bundle, so that everything after it is the one path. */
#ifndef THOLE_CLIENT_QUICK_H
#define THOLE_CLIENT_QUICK_H

#include "client/command.h"
#include "client/json.h"

/* A name that can be remembered and is hardly in use: "brisk-heron-4f2a". Caller frees. */
int quick_name(char **ret_name, struct err *err);

/* A bundle that was written for one container. */
struct quick {
	char *bundle;   /* its path, owned */
	char *data_dir; /* the directory above, owned */
	int lock_fd;    /* keeps others that want the same id away until quick_release() */
};

#define QUICK_NONE ((struct quick) { .lock_fd = -1 })

void quick_release(struct quick *q);
#define cleanup_quick __attribute__((cleanup(quick_release)))

/* The config for these options and this command (ends with NULL). The caller puts ret. Reads /etc/passwd and /etc/group of the root if
 * --user names somebody, else changes and reads nothing. */
int quick_config(const struct launch_options *o, const char *id, char **command, json_object **ret, struct err *err);

/* Write the bundle of container `id`, which must not exist yet (ERR_EXISTS). */
int quick_write(const struct client *cl, const struct launch_options *o, const char *id, char **command,
		struct quick *ret, struct err *err);

/* Remove it again: there is no container after all. */
void quick_remove(struct quick *q);

#endif
