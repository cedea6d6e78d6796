/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller hands to a new process: descriptors that ride beside a Create or an Exec, each with its role. */
#ifndef THOLE_CLIENT_HANDOVER_H
#define THOLE_CLIENT_HANDOVER_H

#include "client/client.h"
#include "client/options.h"
#include "common/wire.h"

#define FIRST_PRESERVED_FD 3

struct handover {
	FdRole role[WIRE_FDS_MAX];
	int fd[WIRE_FDS_MAX]; /* borrowed, but those below `owned` */
	int n;
	int owned[5]; /* closed by handover_release() */
	int n_owned;
};

void handover_release(struct handover *h);
#define cleanup_handover __attribute__((cleanup(handover_release)))

/* Add one; `fd` stays the caller's. ERR_LIMIT. */
int handover_add(struct handover *h, FdRole role, int fd, struct err *err);

/* The same of one that is the handover's from now on, also on failure. */
int handover_give(struct handover *h, FdRole role, int fd, struct err *err);

/* The caller's descriptors 0, 1 and 2. */
int handover_add_stdio(struct handover *h, struct err *err);

/* A connection to the socket at `path`, which takes a descriptor: FD_CONSOLE_SOCKET or FD_PIDFD_SOCKET. Nothing when path is NULL. */
int handover_add_socket(struct handover *h, FdRole role, const char *path, struct err *err);

/* Our descriptors from `first` on, `n` of them; `what`: who names them, for errors. They are the last to be added. ERR_LIMIT: those are beyond CLIENT_PRESERVED_MAX. */
int handover_add_preserved(struct handover *h, const struct client *cl, uint64_t first, uint64_t n, const char *what,
			   struct err *err);

/* How many sockets systemd, or who does as it does, has passed to this very program: descriptors 3 and up. */
uint64_t handover_listen_fds(void);

/* Write the roles into a request's field, which has room for WIRE_ROLES_MAX. Returns how many have none there: preserved ones all of them, for `more_preserved`. */
uint32_t handover_roles(const struct handover *h, FdRole *ret_roles, pb_size_t *ret_n);

/* Where the streams lead, given --stdio (NULL: not said). `foreign`: to nobody of ours. */
StdioMode handover_stdio_mode(const struct client *cl, bool foreign, bool foreground, const char *stdio);

/* Is it somebody else who will be the parent of the processes, given --monitor (NULL: not said)? ERR_USAGE when --stdio contradicts that. */
int handover_foreign(const struct client *cl, const char *monitor, const char *stdio, bool *ret_foreign,
		     struct err *err);

/* Does the caller have a stdin that is worth passing on: open, and not /dev/null? */
bool handover_has_stdin(const struct client *cl);

#endif
