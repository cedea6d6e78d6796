/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of an ordinary user. */
#ifndef THOLE_CLIENT_ROOTLESS_H
#define THOLE_CLIENT_ROOTLESS_H

#include <stdbool.h>

#include "client/json.h"
#include "common/err.h"

/* What --rootless says (NULL: nothing), with runc's words for it. ret: do without the cgroups that may not be made; NULL: only the word is judged. Left to
 * itself it is so for everybody but the host's root: also for the root of a user namespace. */
int rootless_judge(const char *word, bool *ret, struct err *err);

/* Make of a config, as config_new() gives it, one that the calling user may run: a user namespace in which he is root, and nothing that would take more.
 * `host_network`: none of its own, and the host's sysfs. */
void rootless_config(json_object *config, bool host_network);

#endif
