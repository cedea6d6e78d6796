/* SPDX-License-Identifier: Apache-2.0 */
/* A client that follows the container to its end: foreground or attached. */
#ifndef THOLE_SHIM_CONTROL_FOLLOW_H
#define THOLE_SHIM_CONTROL_FOLLOW_H

#include "shim/control/conn.h"

struct relay_client;
struct relay_ends;

/* Name the client's ends of its pipes, for a reply. Returns how many; the descriptors stay the caller's. */
int follow_ends(const struct relay_ends *ends, FdRole *roles, pb_size_t *n_roles, int fds[3]);

/* The call stays open until the process `name` (which exists) has ended, and is answered with Exit. Takes the client; it leaves when the connection ends. */
void follow_start(struct call *call, const char *name, struct relay_client *client);

void follow_resume(struct call *call, const Saved__FollowCall *s);

/* The client that follows on this connection, or NULL. */
struct relay_client *follow_client(struct conn *conn);

/* The relay has something to say: `call` is the client's argument. */
struct logfile_part;
void follow_gap(void *call, Stream stream, const struct logfile_part *part);
void follow_input_end(void *call, uint64_t taken);

struct container_exit;
void follow_exit_reply(Reply *rep, const struct container_exit *exit, const char *remark);

#endif
