/* SPDX-License-Identifier: Apache-2.0 */
/* thole spec: write a config.json to start from. */
#include <fcntl.h>

#include "client/command.h"
#include "client/config.h"
#include "client/rootless.h"
#include "common/fd.h"

int cmd_spec(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct spec_options *o = inv->options;
	const char *bundle = o->bundle ? o->bundle : ".";
	cleanup_json json_object *config = config_new();
	cleanup_fd int dir_fd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (o->rootless)
		rootless_config(config, true);
	if (dir_fd < 0)
		return err_sys(err, "cannot open bundle '%s'", bundle);
	return config_write(config, dir_fd, true, err);
}
