/* SPDX-License-Identifier: Apache-2.0 */
/* The description of a process that `exec` sends: PROTOCOL.md, "Exec". */
#ifndef THOLE_CLIENT_EXEC_PROCESS_H
#define THOLE_CLIENT_EXEC_PROCESS_H

#include "client/command.h"
#include "client/json.h"

#define EXEC_PROCESS_MAX (4 << 20) /* bytes of a description */

/* What these options and this command (ends with NULL) lay over the config's process. `rootfs`: where --user's names are looked up; not
 * used for numbers. The caller puts ret. ERR_USAGE names the option. */
int exec_process_overlay(const struct exec_options *o, const char *rootfs, char **command, json_object **ret,
			 struct err *err);

/* The text as a sealed memfd (see common/memfd.h); the caller's. ERR_LIMIT. */
int exec_process_memfd(const char *text, size_t len, int *ret_fd, struct err *err);

#endif
