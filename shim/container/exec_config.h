/* SPDX-License-Identifier: Apache-2.0 */
/* What an exec'd process is to be: the container's config with the process that the client describes. */
#ifndef THOLE_SHIM_CONTAINER_EXEC_CONFIG_H
#define THOLE_SHIM_CONTAINER_EXEC_CONFIG_H

#include <stdbool.h>

#include "common/err.h"
#include "shim/oci/config.h"

#define EXEC_CONFIG_MAX (4 << 20) /* bytes of a process description */

/* config: text of config.json. description: a JSON object of `len` bytes; `whole`: an OCI process that takes the place of the config's, else members that are laid over it (PROTOCOL.md,
 * "Exec"). The result is judged as any config is; caller frees it with oci_config_free(). */
int exec_config_parse(const char *config, const char *description, size_t len, bool whole, struct oci_config **ret,
		      struct err *err);

#endif
