/* SPDX-License-Identifier: Apache-2.0 */
/* The session keyring of a container: one for all its processes, none of which sees that of whoever runs us. After a restore into a user namespace processes that are exec'd have
 * another one (HACKING.md). */
#ifndef THOLE_SHIM_SANDBOX_KEYRING_H
#define THOLE_SHIM_SANDBOX_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* Everything is borrowed. */
struct keyring {
	const char *id;                    /* the container's */
	const struct oci_process *process; /* whose label it gets; NULL: none */
	bool others_search;                /* uid 0 of a user namespace, which did not make it */
	bool given;                        /* made outside of the user namespace for a root inside, always a new one: */
	uint32_t uid, gid;
};

/* In a child: join `_ses.ID` of the user namespace that the caller is in, which is made where there is none. A kernel without keyrings is no failure. */
int child_keyring_join(const struct keyring *k, struct err *err);

#endif
