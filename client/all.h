/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to every container. */
#ifndef THOLE_CLIENT_ALL_H
#define THOLE_CLIENT_ALL_H

#include "client/client.h"

/* Visit the id of every state directory, in no order. Returns whether each visit gave true (a visit that fails reports by itself), or -1: they could not be
 * listed. No state directory at all is none. */
int all_containers(const struct client *cl, bool (*visit)(const struct client *cl, const char *id, void *arg),
		   void *arg, struct err *err);

/* Give container `id` a shim whose own has died, or remove what a creation has left that never came to its end. Nothing to do: success. */
int all_recover_one(const struct client *cl, const char *id, struct err *err);

/* Do `one` (0, or -1 with err) with a container of all of them: one that has gone meanwhile is fine; one that lacks a file has a second to get it, or to be gone. */
typedef int all_one_fn(const struct client *cl, const char *id, void *arg, struct err *err);
int all_try(const struct client *cl, const char *id, all_one_fn *one, void *arg, struct err *err);

#endif
