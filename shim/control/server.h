/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: who may connect, how many, and when the shim leaves. */
#ifndef THOLE_SHIM_CONTROL_SERVER_H
#define THOLE_SHIM_CONTROL_SERVER_H

#include <stdbool.h>

#include "common/err.h"
#include "proto/upgrade.pb-c.h"

#define SERVER_CONNS_MAX 64

struct call;
struct conn;
struct container;
struct event_base;
struct server;

enum server_mode {
	SERVER_LAUNCH, /* waits for Create on its first connection, then stays with the container */
	SERVER_SERVE,  /* leaves with its last connection */
	SERVER_EXEC,   /* the same, of one that only runs processes; stays while it carries their streams */
};

/* What is to go on, and as what. */
struct server_upgrade {
	int exe_fd;               /* the program */
	int mount_fd, keeper_fd;  /* FD_SHIM_MOUNT, FD_KEEPER; -1: none */
	int state_fd;             /* memfd with what is below */
	const Saved__Shim *state; /* whose descriptors it is to have */
};

struct server_options {
	enum server_mode mode;
	struct event_base *base;
	struct container *container; /* borrowed */
	const char *caller_cgroup;   /* borrowed: /proc/self/cgroup of whoever started us */
	/* Execute another program in our place. Returns only when that is not to be had. */
	void (*upgrade_cb)(void *arg, const struct server_upgrade *u, struct err *err);
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
void server_conn_came(struct server *s, struct conn *conn);
void server_conn_gone(struct server *s, struct conn *conn); /* server_leave_if_done() follows */
void server_leave_if_done(struct server *s); /* something is over that may have been all that was left to do */

/* The container came to be, or it came to its end, or all that is to be done for it is done: then the shim leaves. */
void server_created(struct server *s);
void server_ended(struct server *s);
bool server_has_created(const struct server *s);

/* Its process runs, and may do so for long: see settled_cb. */
void server_settled(struct server *s);

/* ---- from one program to the next in this process ---- */

/* The upgrade that is under way, for on_upgrade.c; NULL: none. */
struct upgrading;
struct upgrading *server_upgrading(const struct server *s);
void server_set_upgrading(struct server *s, struct upgrading *u);
void upgrading_quiet(struct upgrading *u); /* on_upgrade.c: something is over that it may have been waiting for */

void server_upgrade(struct server *s, const struct server_upgrade *u, struct err *err); /* see upgrade_cb */
bool server_is_answering(const struct server *s, const struct call *other);

/* Everything, for the program that takes our place: what of the container its files do not say, connections, open requests. The caller's. */
Saved__Shim *server_save(struct server *s);

/* Serve what another program has left; the container has been resumed before. Answers nothing yet: server_resumed(). */
void server_resume(struct server *s, const Saved__Shim *from);

/* There is no way back: tell who has asked for the upgrade. `because`: why it is the old program that goes on; NULL: it is the new one. */
void server_resumed(struct server *s, const char *because);

#endif
