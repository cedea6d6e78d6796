/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the client's tables for contrib/make-docs, which makes man pages and completions of them: a line a row, its members separated by tabs.
 *
 *     command NAME OPERANDS SUMMARY MIN MAX FLAGS     (of id, early)
 *     option  NAME LETTER KIND ARGNAME HELP           of the command above, or of the program itself before the first one
 *
 * Built and run by make, never installed. */
#include <stdio.h>

#include "client/command.h"

static const char *const kinds[] = {
	[OPT_FLAG] = "flag",       [OPT_FLAG_OFF] = "off",  [OPT_SWITCH] = "switch", [OPT_STRING] = "string",
	[OPT_TEXT] = "string",     [OPT_CHOICE] = "choice", [OPT_UINT] = "uint",     [OPT_LIST] = "list",
	[OPT_REFUSED_FLAG] = "no", [OPT_REFUSED] = "no",
};

static void print_options(const struct option_row *rows)
{
	for (; rows && rows->name; rows++) {
		const char letter[] = { rows->letter ? rows->letter : '-', '\0' };

		printf("option\t%s\t%s\t%s\t%s\t%s\n", rows->name, letter, kinds[rows->kind],
		       rows->argname ? rows->argname : "", rows->help ? rows->help : "\\hidden");
	}
}

int main(void)
{
	const struct command *cmd;

	print_options(global_option_rows);
	for (size_t i = 0; (cmd = command_at(i)); i++) {
		printf("command\t%s\t%s\t%s\t%d\t%d\t%s%s\n", cmd->name, cmd->operands, cmd->summary, cmd->min_operands,
		       cmd->max_operands, cmd->needs & NEEDS_ID ? "id," : "",
		       cmd->needs & NEEDS_EARLY_STOP ? "early," : "");
		print_options(cmd->options);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
