/* SPDX-License-Identifier: Apache-2.0 */
/* thole events: statistics and notices of a container as JSON, one object a line, in the shape that runc prints; those of logs, which runc has not, like them. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/json.h"
#include "client/print.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/number.h"

#define INTERVAL_DEFAULT_MS 5000

struct events {
	const char *id;
	struct call *call;
	uint32_t events_serial, stats_serial; /* stats_serial 0: none asked for */
	uint64_t interval_ms;
	bool as_runc; /* which says nothing of the end */
};

/* A reader wants each when it happens. `data` is given away, NULL: none. */
static int print_event(const char *id, const char *type, json_object *data, struct err *err)
{
	cleanup_json json_object *o = json_new_object();

	json_add_string(o, "type", type);
	json_add_string(o, "id", id);
	if (data)
		json_add(o, "data", data);
	puts(json_to_text(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return fflush(stdout) == 0 ? 0 : err_sys(err, "cannot write to stdout");
}

static int print_stats(const char *id, struct wire_fds *fds, struct err *err)
{
	cleanup_free char *text = NULL;
	json_object *data;

	if (call_take_text(fds, &text, err) < 0 || json_parse(text, "the shim's reply", &data, err) < 0)
		return -1;
	return print_event(id, "stats", data, err);
}

static int print_log(const char *id, const Notice *n, struct err *err)
{
	json_object *data = json_new_object(), *lost = json_new_object();

	json_add_string(data, "status", n->kind == NOTICE_LOG_FAILING ? "failing" : "resumed");
	json_add_string(data, "driver", n->log_driver);
	if (n->process[0])
		json_add_string(data, "process", n->process);
	json_add_string(data, "reason", n->reason);
	json_add_int(lost, "stdout", (int64_t)n->stdout_bytes);
	json_add_int(lost, "stderr", (int64_t)n->stderr_bytes);
	json_add(data, "lostBytes", lost);
	return print_event(id, "log", data, err);
}

static int print_notice(const char *id, const Notice *n, struct err *err)
{
	static const char *const levels[] = { "", "low", "medium", "critical" };
	json_object *data;

	if (n->kind == NOTICE_OOM)
		return print_event(id, "oom", NULL, err);
	if (n->kind == NOTICE_LOG_FAILING || n->kind == NOTICE_LOG_RESUMED)
		return print_log(id, n, err);
	if (n->kind != NOTICE_PRESSURE || (size_t)n->pressure >= ARRAY_SIZE(levels))
		return 0;
	data = json_new_object();
	json_add_string(data, "level", levels[n->pressure]);
	return print_event(id, "memory-pressure", data, err);
}

static int tell_exit(const struct events *e, const Exit *exit, struct err *err)
{
	return e->as_runc ? 0 : print_event(e->id, "exit", print_exit(exit), err);
}

static int ask_stats(struct events *e, struct err *err)
{
	Request req = Request_init_zero;

	req.which_body = Request_stats_tag;
	if (call_send(e->call, &req, NULL, 0, err) < 0)
		return -1;
	e->stats_serial = e->call->serial;
	return 0;
}

/* One packet. Returns 1 when the container has ended. */
static int on_packet(struct events *e, struct err *err)
{
	struct wire_fds fds cleanup_wire_fds = { 0 };
	Reply reply;
	int n = call_receive(e->call, &reply, &fds, err);

	if (n < 0)
		return err_add(err, "cannot understand the shim");
	if (n == 0)
		return err_set(err, ERR_GONE, "the shim of container '%s' has ended; the container may still run",
			       e->id);
	if (reply.serial == e->stats_serial) {
		e->stats_serial = 0;
		/* Between two of them it may have ended: the other call says so. */
		return reply.which_body == Reply_error_tag ? 0 : print_stats(e->id, &fds, err);
	}
	if (reply.which_body == Reply_error_tag)
		return wire_error_to(&reply.body.error, err);
	if (reply.serial != e->events_serial)
		return 0;
	if (reply.more && reply.which_body == Reply_notice_tag)
		return print_notice(e->id, &reply.body.notice, err);
	if (reply.more)
		return 0;
	return reply.which_body == Reply_exit_tag && tell_exit(e, &reply.body.exit, err) < 0 ? -1 : 1;
}

static int follow(struct events *e, struct err *err)
{
	uint64_t next = clock_ms() + e->interval_ms;

	for (;;) {
		struct pollfd p = { .fd = e->call->sock, .events = POLLIN };
		uint64_t now = clock_ms();
		int n;

		if (now >= next) {
			/* A shim that is slower than the interval is not asked twice. */
			if (e->stats_serial == 0 && ask_stats(e, err) < 0)
				return -1;
			next = now + e->interval_ms;
		}
		n = poll(&p, 1, (int)(next - now));
		if (n < 0 && errno != EINTR)
			return err_sys(err, "cannot wait for the shim");
		if (n <= 0)
			continue;
		n = on_packet(e, err);
		if (n != 0)
			return n < 0 ? -1 : 0;
	}
}

static MemoryPressure level_of(const char *name)
{
	if (!name)
		return PRESSURE_NONE;
	return !strcmp(name, "low") ? PRESSURE_LOW : !strcmp(name, "medium") ? PRESSURE_MEDIUM : PRESSURE_CRITICAL;
}

static int print_once(struct call *c, const char *id, struct err *err)
{
	Request req = Request_init_zero;
	struct wire_fds fds = { 0 };
	Reply reply;

	req.which_body = Request_stats_tag;
	if (call_send(c, &req, NULL, 0, err) < 0 || call_reply(c, &reply, &fds, err) < 0)
		return -1;
	return print_stats(id, &fds, err);
}

/* Until it has ended, or its shim: ERR_GONE. ret_heard: there was one that listened. */
static int watch(const struct client *cl, const struct events *like, int dir_fd, const char *pressure, bool *ret_heard,
		 struct err *err)
{
	struct events e = *like;
	cleanup_call struct call c = CALL_NONE;
	Request req = Request_init_zero;

	*ret_heard = call_open(cl, e.id, dir_fd, CALL_SERVE, &c, err) == 0;
	if (!*ret_heard)
		return -1;
	req.which_body = Request_events_tag;
	req.body.events.pressure = level_of(pressure);
	if (call_send(&c, &req, NULL, 0, err) < 0)
		return -1;
	e.call = &c;
	e.events_serial = c.serial;
	return follow(&e, err);
}

/* A shim that is killed meanwhile is followed by one that adopts the container, if that runs on. */
static int watch_on(const struct client *cl, const struct events *e, int dir_fd, const char *pressure, struct err *err)
{
	bool heard, watched = false;
	int tries = 0;
	Exit exit;

	while (watch(cl, e, dir_fd, pressure, &heard, err) < 0) {
		if (watched && call_recorded_exit(dir_fd, &exit))
			return tell_exit(e, &exit, err);
		if (!call_again(&tries, heard, err))
			return -1;
		watched |= heard;
	}
	return 0;
}

int cmd_events(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct events_options *o = inv->options;
	cleanup_call struct call c = CALL_NONE;
	struct events e = { .id = inv->operands[0], .interval_ms = INTERVAL_DEFAULT_MS, .as_runc = cl->oci };
	cleanup_fd int dir_fd = -1;

	if (o->interval && number_duration_ms("--interval", o->interval, &e.interval_ms, err) < 0)
		return -1;
	if (e.interval_ms == 0)
		return err_set(err, ERR_USAGE, "--interval must be at least 1ms");
	if (client_open_container(cl, e.id, NULL, &dir_fd, err) < 0)
		return -1;
	if (!o->stats)
		return watch_on(cl, &e, dir_fd, o->pressure, err);
	return call_open(cl, e.id, dir_fd, CALL_SERVE, &c, err) < 0 ? -1 : print_once(&c, e.id, err);
}
