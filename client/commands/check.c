/* SPDX-License-Identifier: Apache-2.0 */
/* thole check: what this host can do and what not. The shim does all of it, so it is the shim that knows. */
#include <stdlib.h>

#include "client/checkpoint.h"
#include "client/command.h"
#include "client/shim_exec.h"
#include "common/fd.h"

int cmd_check(const struct client *cl, const struct invocation *inv, struct err *err)
{
	cleanup_free char *criu = NULL;
	struct err why;

	if (checkpoint_find_criu(cl, &criu, &why) == 0) {
		setenv("THOLE_CRIU", criu, 1);
	} else {
		unsetenv("THOLE_CRIU");
		setenv("THOLE_NO_CRIU", why.text, 1);
	}
	return shim_become("--check", err);
}
