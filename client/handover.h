/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller hands to a new process: descriptors that ride beside a Create or an Exec, each with its role. */
#ifndef THOLE_CLIENT_HANDOVER_H
#define THOLE_CLIENT_HANDOVER_H

#include "client/client.h"
#include "client/options.h"
#include "common/wire.h"

struct handover {
	FdRole role[WIRE_FDS_MAX];
	int fd[WIRE_FDS_MAX]; /* borrowed, but those below `owned` */
	int n;
	int owned[2]; /* closed by handover_release() */
	int n_owned;
};

void handover_release(struct handover *h);
#define cleanup_handover __attribute__((cleanup(handover_release)))

/* Add one; `fd` stays the caller's. ERR_LIMIT. */
int handover_add(struct handover *h, FdRole role, int fd, struct err *err);

/* The same of one that is the handover's from now on, also on failure. At most two. */
int handover_give(struct handover *h, FdRole role, int fd, struct err *err);

/* The caller's descriptors 0, 1 and 2. */
int handover_add_stdio(struct handover *h, struct err *err);

/* A connection to the console socket at `path`; nothing when that is NULL. */
int handover_add_console(struct handover *h, const char *path, struct err *err);

/* The descriptors from 3 on that --preserve-fds names. */
int handover_add_preserved(struct handover *h, const struct client *cl, const struct opt_uint *n, struct err *err);

/* Write the roles into a request's field, which has room for WIRE_FDS_MAX. */
void handover_roles(const struct handover *h, FdRole *ret_roles, pb_size_t *ret_n);

/* Where the streams lead, given --stdio (NULL: not said). */
StdioMode handover_stdio_mode(const struct client *cl, bool foreground, const char *stdio);

/* Does the caller have a stdin that is worth passing on: open, and not /dev/null? */
bool handover_has_stdin(const struct client *cl);

#endif
