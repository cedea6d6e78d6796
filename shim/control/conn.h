/* SPDX-License-Identifier: Apache-2.0 */
/* One control connection: packets in, packets out, and the requests that are still open on it. */
#ifndef THOLE_SHIM_CONTROL_CONN_H
#define THOLE_SHIM_CONTROL_CONN_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/err.h"
#include "common/wire.h"
#include "proto/upgrade.pb-c.h"

struct server;
struct conn;

/* A request that was accepted and not yet answered for good. Heap object of the connection: call_done() and call_fail() free it, and so does the end of
 * the connection, which calls `cancelled` before (may be NULL). */
struct call {
	TAILQ_ENTRY(call) link;
	struct conn *conn;
	struct server *server;
	uint32_t serial;
	void (*cancelled)(struct call *call);
	/* Describe it for the program that takes our place, which makes it again by resume_call(). NULL: it is to be answered before. */
	void (*save)(const struct call *call, Saved__Call *s);
	void *data;         /* the handler's */
	bool outlives_conn; /* the work goes on without a listener: then conn becomes NULL, and call_done frees it */
};

/* The final reply; body may be filled in `rep` (NULL: empty). `fds` stay the caller's. Frees the call. False: nobody is there to hear it. */
bool call_done(struct call *call, Reply *rep, const int *fds, int n_fds);
void call_fail(struct call *call, const struct err *err);

/* A progress packet: more will follow. */
bool call_progress(struct call *call, Reply *rep, const int *fds, int n_fds);

/* Takes sock (connected, any mode). Freed by itself when the peer is gone or breaks the protocol. */
struct conn *conn_new(struct server *server, int sock, struct err *err);
void conn_free(struct conn *conn);

/* The process at its other end; 0: it cannot be seen from here. */
int call_peer_pid(const struct call *call);

/* The calls that are open on the same connection: NULL when none satisfies `match`. */
struct call *conn_find_call(struct conn *conn, bool (*match)(const struct call *call));

/* For the program that takes our place: NULL for one that is about to end. The caller's. */
Saved__Connection *conn_save(const struct conn *conn);

/* Is one of its calls to be answered before? But for `other`. */
bool conn_is_answering(const struct conn *conn, const struct call *other);

/* Make it so again; `s` has been judged (saved.h). resume: makes what a call was about. */
struct conn *conn_resume(struct server *server, const Saved__Connection *s,
			 void (*resume)(struct call *call, const Saved__Call *s));

#endif
