/* SPDX-License-Identifier: Apache-2.0 */
/* A client whose shim was killed goes on with the one that has adopted the container, or that it starts itself to do so. */
#ifndef THOLE_CLIENT_RELAY_RETURN_H
#define THOLE_CLIENT_RELAY_RETURN_H

#include "client/relay.h"

/* For relay.another, of a foreground client: it gets everything, since nobody reads from the process before it is back. */
int relay_return_follower(struct relay *r, const uint64_t had[2], struct err *err);

#endif
