/* SPDX-License-Identifier: Apache-2.0 */
/* thole restore: a container out of the files of a checkpoint, in the foreground or detached. */
#include "client/checkpoint.h"
#include "client/foreground.h"

int cmd_restore(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct restore_options *o = inv->options;
	struct checkpoint_files f cleanup_checkpoint_files = CHECKPOINT_FILES_NONE;
	struct launch_request req = {
		.id = inv->operands[0],
		.bundle = o->launch.bundle ? o->launch.bundle : ".",
		.options = &o->launch,
		.start = true,
		.restore = &f,
	};

	if (launch_check(cl, &o->launch, err) < 0)
		return -1;
	if (!o->launch.detach && o->launch.console_socket)
		return err_set(err, ERR_USAGE, "--console-socket needs --detach: else the terminal is passed on here");
	if (checkpoint_files_open(cl, &o->criu, false, &f, err) < 0)
		return -1;
	return launch_and_follow(cl, &req, err);
}
