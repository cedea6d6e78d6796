/* SPDX-License-Identifier: Apache-2.0 */
/* A launch and what follows: run and restore, detached or between the caller's stdio and the container's. */
#ifndef THOLE_CLIENT_FOREGROUND_H
#define THOLE_CLIENT_FOREGROUND_H

#include "client/launch.h"

/* Launch `req` (id, bundle, options, start and restore are set; the rest is filled in from the options) and, unless it is detached, relay until it has ended. Returns the exit
 * status. */
int launch_and_follow(const struct client *cl, struct launch_request *req, struct err *err);

#endif
