/* SPDX-License-Identifier: Apache-2.0 */
/* thole help: what the tables say. */
#include <stdio.h>

#include "client/command.h"

int cmd_help(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct command *cmd;

	if (inv->n == 0) {
		command_help_all(cl, stdout);
		return 0;
	}
	cmd = command_find(inv->operands[0]);
	if (!cmd)
		return err_set(err, ERR_USAGE, "unknown command '%s'", inv->operands[0]);
	command_help(cl, cmd, stdout);
	return 0;
}
