/* SPDX-License-Identifier: Apache-2.0 */
/* The config.json that `spec` writes and that a quick run starts from. */
#ifndef THOLE_CLIENT_CONFIG_H
#define THOLE_CLIENT_CONFIG_H

#include "client/json.h"

/* A complete config of a container that runs `sh` at a terminal in ./rootfs, read-only, with few rights. The caller puts it. */
json_object *config_new(void);

/* All five sets but inheritable and ambient become these capabilities (a list that ends with NULL). */
void config_set_capabilities(json_object *config, const char *const *names);

/* Add to `mounts`. The lists end with NULL. */
void config_add_mount(json_object *config, const char *destination, const char *type, const char *source,
		      const char *const *options);

/* Write it as DIR/config.json, whole or not at all. `exclusive`: ERR_EXISTS when there is one. */
int config_write(json_object *config, int dir_fd, bool exclusive, struct err *err);

#endif
