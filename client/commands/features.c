/* SPDX-License-Identifier: Apache-2.0 */
/* thole features: what this runtime can do. The shim reads configs, so it is the shim that knows. */
#include "client/checkpoint.h"
#include "client/command.h"
#include "client/shim_exec.h"

int cmd_features(const struct client *cl, const struct invocation *inv, struct err *err)
{
	checkpoint_tell_criu(cl);
	return shim_become("--features", err);
}
