/* SPDX-License-Identifier: Apache-2.0 */
/* thole version. */
#include <stdio.h>

#include "client/command.h"
#include "version.h" /* THOLE_COMMIT, made by the Makefile */

int cmd_version(const struct client *cl, const struct invocation *inv, struct err *err)
{
	printf("%s version %s\ncommit: %s\nspec: %s\n", cl->program, THOLE_VERSION, THOLE_COMMIT, CLIENT_OCI_VERSION);
	return 0;
}
