/* SPDX-License-Identifier: Apache-2.0 */
/* Named steps as places where a fault can be put. Only a build with FAULTS=1 has them (tests/faults); in every other they are nothing. */
#ifndef THOLE_COMMON_FAULT_H
#define THOLE_COMMON_FAULT_H

#include "common/err.h"

/* Step `name` of `whole` ("create", "init") is about to begin. 0, or -1 with `err` filled in when the plan wants that it fails; where it wants a kill this does not
 * return. Safe in a forked child: no allocation, no descriptor. */
#ifdef THOLE_FAULTS
int fault_step(const char *whole, const char *name, struct err *err);
#else
static inline int fault_step(const char *whole, const char *name, struct err *err)
{
	(void)whole, (void)name, (void)err;
	return 0;
}
#endif

#endif
