/* SPDX-License-Identifier: Apache-2.0 */
/* thole check: what this host can do and what not. The shim does all of it, so it is the shim that knows. */
#include "client/checkpoint.h"
#include "client/command.h"
#include "client/shim_exec.h"

int cmd_check(const struct client *cl, const struct invocation *inv, struct err *err)
{
	checkpoint_tell_criu(cl);
	return shim_become("--check", err);
}
