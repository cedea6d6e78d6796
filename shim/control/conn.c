/* SPDX-License-Identifier: Apache-2.0 */
/* One control connection: packets in, packets out, and the requests that are still open on it.
 *
 * Runs in the shim's loop. Everything that comes in is hostile: it is decoded into structs of fixed size, and whoever breaks the protocol or does not
 * read its replies loses the connection, nothing more. A connection is freed only by its own callback; lower code marks it. */
#include "shim/control/conn.h"

#include <event2/event.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/container/container.h"
#include "shim/control/request.h"
#include "shim/control/server.h"
#include "shim/stdio/saved.h"

/* How long a connection may stay without a Hello. */
static const struct timeval hello_deadline = { .tv_sec = 10 };

/* Requests of one connection that may wait for their answers at the same time. */
#define CALLS_MAX 64

/* Packets of one connection before others have their turn. */
#define PACKETS_AT_ONCE 16

struct conn {
	struct server *server;
	int sock;
	struct event *event;
	bool hello_seen;
	bool closing;
	int n_calls;
	TAILQ_HEAD(, call) calls;
};

static void close_later(struct conn *conn)
{
	conn->closing = true;
	event_active(conn->event, EV_READ, 0);
}

/* ---- answering ----------------------------------------------------------------------------------------------------------- */

static bool send_reply(struct conn *conn, Reply *rep, const int *fds, int n_fds)
{
	struct err err;

	if (!conn || conn->closing)
		return false;
	if (wire_send_reply(conn->sock, rep, fds, n_fds, &err) == 0)
		return true;
	log_debug("a control connection ends: %s", err.text);
	close_later(conn);
	return false;
}

static struct call *call_new(struct conn *conn, uint32_t serial)
{
	struct call *call = xcalloc(1, sizeof(*call));

	conn->n_calls++;
	*call = (struct call) { .conn = conn, .server = conn->server, .serial = serial };
	TAILQ_INSERT_TAIL(&conn->calls, call, link);
	return call;
}

static void call_free(struct call *call)
{
	struct server *server = call->server;
	bool alone = !call->conn;

	if (call->conn) {
		TAILQ_REMOVE(&call->conn->calls, call, link);
		call->conn->n_calls--;
	}
	free(call);
	/* Its connection went before it, and this may have been what the shim stayed for. */
	if (alone)
		server_leave_if_done(server);
	else if (server_upgrading(server))
		upgrading_quiet(server_upgrading(server));
}

bool call_progress(struct call *call, Reply *rep, const int *fds, int n_fds)
{
	rep->serial = call->serial;
	rep->more = true;
	return send_reply(call->conn, rep, fds, n_fds);
}

bool call_done(struct call *call, Reply *rep, const int *fds, int n_fds)
{
	Reply empty = Reply_init_zero;
	bool heard;

	if (!rep)
		rep = &empty;
	rep->serial = call->serial;
	rep->more = false;
	heard = send_reply(call->conn, rep, fds, n_fds);
	call_free(call);
	return heard;
}

void call_fail(struct call *call, const struct err *err)
{
	Reply rep = Reply_init_zero;

	rep.which_body = Reply_error_tag;
	wire_error_from(&rep.body.error, err);
	call_done(call, &rep, NULL, 0);
}

/* ---- hearing ------------------------------------------------------------------------------------------------------------- */

/* Answer with an error that belongs to no call, then end the connection. */
static void refuse(struct conn *conn, uint32_t serial, const struct err *err)
{
	Reply rep = Reply_init_zero;

	rep.serial = serial ? serial : 1;
	rep.which_body = Reply_error_tag;
	wire_error_from(&rep.body.error, err);
	send_reply(conn, &rep, NULL, 0);
	close_later(conn);
}

static void on_hello(struct conn *conn, const Request *req)
{
	Reply rep = Reply_init_zero;
	struct err err;

	if (req->body.hello.version != WIRE_VERSION) {
		err_set(&err, ERR_PROTOCOL, "protocol version %u is not spoken here, %d is", req->body.hello.version,
			WIRE_VERSION);
		refuse(conn, req->serial, &err);
		return;
	}
	rep.serial = req->serial;
	rep.which_body = Reply_hello_tag;
	rep.body.hello.version = WIRE_VERSION;
	rep.body.hello.features = WIRE_FEATURE_FOLLOW | WIRE_FEATURE_PRE_COPY | WIRE_FEATURE_MANY_FDS;
	snprintf(rep.body.hello.program, sizeof(rep.body.hello.program), "thole-shim %s", THOLE_VERSION);
	container_state_directory(server_container(conn->server), &rep.body.hello.state_dev, &rep.body.hello.state_ino);
	send_reply(conn, &rep, NULL, 0);
	conn->hello_seen = true;
	event_remove_timer(conn->event); /* no deadline any more; to add the event anew may fail */
}

static void on_request(struct conn *conn, Request *req, struct wire_fds *fds)
{
	struct err err;

	if (req->serial == 0) {
		err_set(&err, ERR_PROTOCOL, "a request without a serial");
		refuse(conn, 0, &err);
		return;
	}
	if ((req->which_body == Request_hello_tag) == conn->hello_seen) {
		err_set(&err, ERR_PROTOCOL, conn->hello_seen ? "a second hello" : "a request before the hello");
		refuse(conn, req->serial, &err);
		return;
	}
	if (fds->n > 0 && !request_takes_fds(req)) {
		err_set(&err, ERR_PROTOCOL, "descriptors that nobody asked for");
		refuse(conn, req->serial, &err);
		return;
	}
	if (!conn->hello_seen) {
		on_hello(conn, req);
		return;
	}
	if (conn->n_calls >= CALLS_MAX) {
		err_set(&err, ERR_LIMIT, "more than %d requests are open on this connection", CALLS_MAX);
		refuse(conn, req->serial, &err);
		return;
	}
	request_dispatch(call_new(conn, req->serial), req, fds);
}

/* Returns false when there is nothing more for now. */
static bool receive_one(struct conn *conn)
{
	struct wire_fds fds cleanup_wire_fds = { .n = 0 };
	Request req;
	struct err err;
	int n = wire_recv_request(conn->sock, &req, &fds, &err);

	if (n > 0) {
		on_request(conn, &req, &fds);
		return true;
	}
	if (n < 0 && err.code == ERR_BUSY)
		return false;
	if (n < 0)
		refuse(conn, 0, &err);
	conn->closing = true;
	return false;
}

static void conn_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	if ((what & EV_TIMEOUT) && !conn->hello_seen)
		conn->closing = true;
	for (int i = 0; i < PACKETS_AT_ONCE && !conn->closing; i++)
		if (!receive_one(conn))
			break;
	if (conn->closing)
		conn_free(conn);
}

static struct conn *make(struct server *server, int sock, bool hello_seen)
{
	struct conn *conn = xcalloc(1, sizeof(*conn));

	*conn = (struct conn) { .server = server, .sock = sock, .hello_seen = hello_seen };
	TAILQ_INIT(&conn->calls);
	conn->event = event_new(server_base(server), conn->sock, EV_READ | EV_PERSIST, conn_cb, conn);
	if (!conn->event || event_add(conn->event, hello_seen ? NULL : &hello_deadline) < 0)
		fatal("out of memory");
	server_conn_came(server, conn);
	return conn;
}

struct conn *conn_new(struct server *server, int sock, struct err *err)
{
	cleanup_fd int fd = sock;
	unsigned int uid;

	if (wire_peer_uid(fd, &uid, err) < 0 || fd_set_nonblock(fd, true, err) < 0)
		return NULL;
	if (uid != 0 && uid != geteuid()) {
		err_set(err, ERR_PERMISSION, "uid %u may not control this container", uid);
		return NULL;
	}
	return make(server, take_fd(&fd), false);
}

int call_peer_pid(const struct call *call)
{
	return call->conn ? wire_peer_pid(call->conn->sock) : 0;
}

void conn_free(struct conn *conn)
{
	struct server *server = conn->server;
	struct call *call;

	event_free(conn->event);
	conn->closing = true;
	while ((call = TAILQ_FIRST(&conn->calls))) {
		TAILQ_REMOVE(&conn->calls, call, link);
		call->conn = NULL;
		if (call->cancelled)
			call->cancelled(call);
		if (!call->outlives_conn)
			free(call);
	}
	fd_close(&conn->sock);
	server_conn_gone(server, conn);
	free(conn);
	server_leave_if_done(server);
}

struct call *conn_find_call(struct conn *conn, bool (*match)(const struct call *call))
{
	struct call *call;

	TAILQ_FOREACH(call, &conn->calls, link)
	if (match(call))
		return call;
	return NULL;
}

/* ---- from one program to the next ---------------------------------------------------------------------------------------- */

Saved__Connection *conn_save(const struct conn *conn)
{
	Saved__Connection *s;
	const struct call *call;

	if (conn->closing)
		return NULL;
	s = saved_new(Saved__Connection, connection);
	s->fd = saved_fd(conn->sock);
	s->hello_seen = conn->hello_seen;
	TAILQ_FOREACH(call, &conn->calls, link)
	{
		Saved__Call *one = saved_new(Saved__Call, call);

		one->serial = call->serial;
		call->save(call, one);
		saved_append(s->calls, s->n_calls, one);
	}
	return s;
}

bool conn_is_answering(const struct conn *conn, const struct call *other)
{
	const struct call *call;

	if (conn->closing)
		return true; /* its end is still to be dealt with */
	TAILQ_FOREACH(call, &conn->calls, link)
	if (!call->save && call != other)
		return true;
	return false;
}

struct conn *conn_resume(struct server *server, const Saved__Connection *s,
			 void (*resume)(struct call *call, const Saved__Call *s))
{
	struct conn *conn = make(server, saved_to_fd(s->fd), s->hello_seen);

	for (size_t i = 0; i < s->n_calls; i++)
		resume(call_new(conn, s->calls[i]->serial), s->calls[i]);
	return conn;
}
