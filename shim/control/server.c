/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: who may connect, how many, and when the shim leaves. */
#include "shim/control/server.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/wire.h"
#include "shim/container/container.h"
#include "shim/control/conn.h"
#include "shim/control/resume.h"
#include "shim/stdio/saved.h"

/* While no descriptor is free, accepting would spin. */
static const struct timeval accept_pause = { .tv_usec = 100000 };

struct server {
	struct server_options o;
	int listen_fd;
	struct event *event;
	struct event *resume;
	struct conn **conns; /* in the order in which they came */
	size_t n_conns;
	struct upgrading *upgrading;
	bool created, ended;
};

struct server *server_new(const struct server_options *options)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->o = *options;
	s->listen_fd = -1;
	return s;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	if (s->event)
		event_free(s->event);
	if (s->resume)
		event_free(s->resume);
	fd_close(&s->listen_fd);
	free(s->conns);
	free(s);
}

int server_add_socket(struct server *s, int sock, struct err *err)
{
	return conn_new(s, sock, err) ? 0 : -1;
}

/* One too many: it is told so, and nothing is kept of it. */
static void turn_away(int sock)
{
	Reply rep = Reply_init_zero;
	struct err why, ignored;

	err_set(&why, ERR_LIMIT, "more than %d connections to one shim", SERVER_CONNS_MAX);
	rep.serial = 1;
	rep.which_body = Reply_error_tag;
	wire_error_from(&rep.body.error, &why);
	if (fd_set_nonblock(sock, true, &ignored) == 0)
		wire_send_reply(sock, &rep, NULL, 0, &ignored);
	fd_close(&sock);
}

static void resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	if (event_add(s->event, NULL) < 0)
		event_add(s->resume, &accept_pause);
}

static void accept_cb(evutil_socket_t listen_fd, short what, void *arg)
{
	struct server *s = arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct err err;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		event_del(s->event);
		event_add(s->resume, &accept_pause);
		return;
	}
	if (fd < 0)
		return;
	if (s->n_conns >= SERVER_CONNS_MAX)
		turn_away(fd);
	else if (server_add_socket(s, fd, &err) < 0)
		log_debug("control socket: %s", err.text);
}

void server_listen(struct server *s, int listen_fd)
{
	s->listen_fd = listen_fd;
	s->event = event_new(s->o.base, s->listen_fd, EV_READ | EV_PERSIST, accept_cb, s);
	s->resume = evtimer_new(s->o.base, resume_cb, s);
	if (!s->event || !s->resume || event_add(s->event, NULL) < 0)
		fatal("out of memory");
}

struct event_base *server_base(const struct server *s)
{
	return s->o.base;
}

struct container *server_container(const struct server *s)
{
	return s->o.container;
}

enum server_mode server_mode(const struct server *s)
{
	return s->o.mode;
}

const char *server_caller_cgroup(const struct server *s)
{
	return s->o.caller_cgroup;
}

bool server_has_created(const struct server *s)
{
	return s->created;
}

static bool has_a_reason_to_stay(const struct server *s)
{
	if (s->ended)
		return false;
	if (s->o.mode == SERVER_LAUNCH)
		return s->created && !container_is_over(s->o.container);
	return s->n_conns > 0 || (s->o.mode == SERVER_EXEC && container_carries_streams(s->o.container));
}

void server_leave_if_done(struct server *s)
{
	if (s->upgrading)
		upgrading_quiet(s->upgrading);
	/* The last packets are with the kernel; whoever is still connected hears the end. */
	if (has_a_reason_to_stay(s) || (!s->ended && s->n_conns > 0) || !container_is_idle(s->o.container))
		return;
	if (s->o.mode == SERVER_SERVE && !s->ended && container_remove_if_due(s->o.container))
		return; /* its removal brings us back */
	s->o.leave_cb(s->o.arg);
}

void server_conn_came(struct server *s, struct conn *conn)
{
	saved_append(s->conns, s->n_conns, conn);
}

void server_conn_gone(struct server *s, struct conn *conn)
{
	size_t i = 0;

	while (i < s->n_conns && s->conns[i] != conn)
		i++;
	if (i == s->n_conns)
		return;
	s->n_conns--;
	memmove(&s->conns[i], &s->conns[i + 1], (s->n_conns - i) * sizeof(struct conn *));
}

void server_created(struct server *s)
{
	s->created = true;
	server_listen(s, container_take_control(s->o.container));
	server_settled(s);
}

void server_settled(struct server *s)
{
	if (s->o.settled_cb)
		s->o.settled_cb(s->o.arg);
}

void server_ended(struct server *s)
{
	s->ended = true;
	server_leave_if_done(s);
}

/* ---- from one program to the next ---------------------------------------------------------------------------------------- */

struct upgrading *server_upgrading(const struct server *s)
{
	return s->upgrading;
}

void server_set_upgrading(struct server *s, struct upgrading *u)
{
	s->upgrading = u;
}

void server_upgrade(struct server *s, const struct server_upgrade *u, struct err *err)
{
	s->o.upgrade_cb(s->o.arg, u, err);
}

bool server_is_answering(const struct server *s, const struct call *other)
{
	for (size_t i = 0; i < s->n_conns; i++)
		if (conn_is_answering(s->conns[i], other))
			return true;
	return false;
}

Saved__Shim *server_save(struct server *s)
{
	Saved__Shim *to = saved_new(Saved__Shim, shim);
	Saved__Connection *conn;

	to->version = xstrdup(THOLE_VERSION);
	to->root_fd = saved_fd(container_root_fd(s->o.container));
	to->listen_fd = saved_fd(s->listen_fd);
	to->container = container_save(s->o.container);
	for (size_t i = 0; i < s->n_conns; i++)
		if ((conn = conn_save(s->conns[i])))
			saved_append(to->connections, to->n_connections, conn);
	to->format = saved_format(to);
	return to;
}

void server_resume(struct server *s, const Saved__Shim *from)
{
	s->created = true;
	server_listen(s, saved_to_fd(from->listen_fd));
	for (size_t i = 0; i < from->n_connections; i++)
		conn_resume(s, from->connections[i], resume_call);
}

void server_resumed(struct server *s, const char *because)
{
	/* An answer may end its connection, but only from the loop. */
	for (size_t i = 0; i < s->n_conns; i++)
		resume_answer(s->conns[i], because);
}
