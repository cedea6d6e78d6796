/* SPDX-License-Identifier: Apache-2.0 */
/* Prints every command and every flag of the client's tables, a line each: NAME, a tab, what is special about it. For tests/conform/table. */
#include <stdio.h>

#include "client/command.h"

static const char *kind(const struct option_row *row)
{
	return row->kind == OPT_REFUSED || row->kind == OPT_REFUSED_FLAG ? "refused by name" : "";
}

static void print_rows(const char *command, const struct option_row *rows)
{
	for (; rows && rows->name; rows++)
		printf("%s --%s\t%s\n", command, rows->name, kind(rows));
}

int main(void)
{
	const struct command *cmd;

	print_rows("thole", global_option_rows);
	for (size_t i = 0; (cmd = command_at(i)) != NULL; i++) {
		printf("%s\t\n", cmd->name);
		print_rows(cmd->name, cmd->options);
	}
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
