/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: who may connect, how many, and when the shim leaves. */
#ifndef THOLE_SHIM_CONTROL_SERVER_H
#define THOLE_SHIM_CONTROL_SERVER_H

#include <stdbool.h>

#include "common/err.h"

#define SERVER_CONNS_MAX 64

struct conn;
struct container;
struct event_base;
struct server;

enum server_mode {
	SERVER_LAUNCH, /* waits for Create on its first connection, then stays with the container */
	SERVER_SERVE,  /* leaves with its last connection */
	SERVER_EXEC,   /* the same, of one that only runs processes; stays while it carries their streams */
};

struct server_options {
	enum server_mode mode;
	struct event_base *base;
	struct container *container; /* borrowed */
	const char *caller_cgroup;   /* borrowed: /proc/self/cgroup of whoever started us */
	void (*leave_cb)(void *arg); /* nothing is left to do */
	void (*settled_cb)(
		void *arg); /* what was to be launched runs: the caller's descriptors go, a time to tidy up */
	void *arg;
};

struct server *server_new(const struct server_options *options);
void server_free(struct server *s); /* accepts NULL */

/* Serve this connected socket; takes it. */
int server_add_socket(struct server *s, int sock, struct err *err);

/* Accept connections on this listening socket; takes it. */
void server_listen(struct server *s, int listen_fd);

struct event_base *server_base(const struct server *s);
struct container *server_container(const struct server *s);
enum server_mode server_mode(const struct server *s);
const char *server_caller_cgroup(const struct server *s);
void server_conn_gone(struct server *s);
void server_leave_if_done(struct server *s); /* something is over that may have been all that was left to do */

/* The container came to be, or it came to its end, or all that is to be done for it is done: then the shim leaves. */
void server_created(struct server *s);
void server_ended(struct server *s);
bool server_has_created(const struct server *s);

/* Its process runs, and may do so for long: see settled_cb. */
void server_settled(struct server *s);

#endif
