/* SPDX-License-Identifier: Apache-2.0 */
/* What a shim leaves for the program that is executed in its place: making it, judging it, and the descriptors in it.
 *
 * Runs in the shim. What is read may come from another version of this program, and is judged as if it came from an enemy: every index is within its
 * list, every list has the length that its reader counts on. */
#include "shim/stdio/saved.h"

#include <string.h>

#include "common/fd.h"
#include "proto/control.pb.h" /* MemoryPressure, SdNotify */

#define FD_FIRST 3 /* below are the null device's */
#define FD_LIMIT (1u << 20)
#define NAME_MAX_BYTES 23 /* of a process: PROCESS_NAME_MAX */
#define STREAMS 2
#define CARRY_MAX 4
#define ADDRESS_MAX 108

/* ---- making ---------------------------------------------------------------------------------------------------------- */

void *saved_alloc(const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *m = xcalloc(1, type->sizeof_message);

	type->message_init(m);
	return m;
}

uint32_t saved_fd(int fd)
{
	return fd < 0 ? 0 : (uint32_t)fd;
}

int saved_to_fd(uint32_t number)
{
	return number ? (int)number : -1;
}

ProtobufCBinaryData saved_bytes(const void *data, size_t len)
{
	ProtobufCBinaryData b = { .len = len, .data = NULL };

	if (len == 0)
		return b;
	b.data = xmalloc(len);
	memcpy(b.data, data, len);
	return b;
}

void saved_free(Saved__Shim *s)
{
	if (s)
		saved__shim__free_unpacked(s, NULL);
}

static bool needs_format_2(const Saved__Process *p)
{
	const Saved__Relay *r = p->relay;

	if (!r)
		return false;
	for (size_t i = 0; i < r->n_outputs; i++)
		if (r->outputs[i]->origin)
			return true;
	for (size_t i = 0; r->input && i < r->input->n_sources; i++)
		if (r->input->sources[i]->limited)
			return true;
	return false;
}

uint32_t saved_format(const Saved__Shim *s)
{
	const Saved__Container *c = s->container;

	if (needs_format_2(c->init))
		return 2;
	for (size_t i = 0; i < c->n_execs; i++)
		if (needs_format_2(c->execs[i]))
			return 2;
	return 1;
}

int saved_pack(const Saved__Shim *s, void **ret_data, size_t *ret_len, struct err *err)
{
	size_t len = saved__shim__get_packed_size(s);

	if (len > SAVED_MAX)
		return err_set(err, ERR_LIMIT, "the state of the shim has %zu bytes, and %u are the limit", len,
			       SAVED_MAX);
	*ret_data = xmalloc(len + 1);
	*ret_len = saved__shim__pack(s, *ret_data);
	return 0;
}

/* ---- descriptors ----------------------------------------------------------------------------------------------------- */

typedef int visit_fn(void *arg, int fd);

static bool names_descriptor(const ProtobufCFieldDescriptor *f)
{
	size_t n = strlen(f->name);

	return f->type == PROTOBUF_C_TYPE_UINT32 && f->label != PROTOBUF_C_LABEL_REPEATED && n >= 2 &&
	       !strcmp(f->name + n - 2, "fd");
}

static int walk(const ProtobufCMessage *m, visit_fn *visit, void *arg);

static int walk_messages(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, visit_fn *visit, void *arg)
{
	const char *at = (const char *)m + f->offset;
	size_t n = 1;
	ProtobufCMessage *const *v = (ProtobufCMessage *const *)(const void *)at;
	int r = 0;

	/* Of a oneof only the member that is set is one. */
	if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
	    *(const uint32_t *)(const void *)((const char *)m + f->quantifier_offset) != f->id)
		return 0;
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
		v = *(ProtobufCMessage *const *const *)(const void *)at;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		if (v[i])
			r = walk(v[i], visit, arg);
	return r;
}

static int walk(const ProtobufCMessage *m, visit_fn *visit, void *arg)
{
	int r = 0;

	for (unsigned int i = 0; i < m->descriptor->n_fields && r == 0; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		uint32_t number = 0;

		if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
			r = walk_messages(m, f, visit, arg);
		} else if (names_descriptor(f)) {
			memcpy(&number, (const char *)m + f->offset, sizeof(number));
			/* What is no descriptor's number stays one that is none. */
			r = number ? visit(arg, number < FD_LIMIT ? (int)number : -1) : 0;
		}
	}
	return r;
}

int saved_each_fd(const Saved__Shim *s, int (*visit)(void *arg, int fd), void *arg)
{
	return walk(&s->base, visit, arg);
}

struct seen {
	size_t n;
	int *v;
	int bad;
};

static int see_fd(void *arg, int fd)
{
	struct seen *s = arg;

	s->bad = fd;
	if (fd < FD_FIRST)
		return 1;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == fd)
			return 1;
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = fd;
	return 0;
}

static int check_fds(const Saved__Shim *s, struct err *err)
{
	struct seen seen = { 0 };
	int r = saved_each_fd(s, see_fd, &seen);

	free(seen.v);
	return r ? err_set(err, ERR_CONFIG, "descriptor %d is none, or is named twice", seen.bad) : 0;
}

/* ---- judging --------------------------------------------------------------------------------------------------------- */

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CONFIG, "%s is wrong", what);
}

static bool client_is_known(const Saved__Relay *r, uint32_t client)
{
	return client <= r->n_clients;
}

/* One that has left goes with its source: nothing else may lead to it. */
static bool client_has_left(const Saved__Relay *r, uint32_t client)
{
	return client && r->clients[client - 1]->gone;
}

static bool mark_is_whole(const Saved__LogMark *m)
{
	return !m || m->place;
}

static int check_output(const Saved__Relay *r, const Saved__Output *o, struct err *err)
{
	if (!mark_is_whole(o->mark))
		return bad(err, "a place in the log");
	for (size_t i = 0; i < o->n_sinks; i++) {
		const Saved__Sink *s = o->sinks[i];

		if (!s->fd || !client_is_known(r, s->client) || client_has_left(r, s->client) ||
		    !mark_is_whole(s->gap_mark) || (s->pending.len > 0 && !s->lossless) ||
		    (s->in_gap && (s->lossless || s->gap_from > o->offset)))
			return bad(err, "a sink of the output");
	}
	return 0;
}

static int check_input(const Saved__Relay *r, const Saved__Input *in, struct err *err)
{
	if (!client_is_known(r, in->owner) || client_has_left(r, in->owner) || (r->tty && in->fd) ||
	    (!r->tty && in->open))
		return bad(err, "the input");
	for (size_t i = 0; i < in->n_sources; i++) {
		const Saved__Source *s = in->sources[i];

		if (!s->fd || !client_is_known(r, s->client) || s->data.len > 4096)
			return bad(err, "a source of the input");
		for (size_t k = 0; s->client && k < i; k++)
			if (in->sources[k]->client == s->client)
				return bad(err, "a source of the input");
	}
	return 0;
}

static int check_relay(const Saved__Relay *r, struct err *err)
{
	if (!r)
		return 0;
	if (!r->input || r->n_outputs != STREAMS)
		return bad(err, "the number of streams");
	if (r->tty && (r->outputs[1]->fd || (r->input->open && !r->outputs[0]->fd)))
		return bad(err, "a terminal's stream");
	for (size_t i = 0; i < r->n_clients; i++)
		if (r->clients[i]->kind > 1 || (r->clients[i]->gone && r->clients[i]->with_stdin))
			return bad(err, "a client");
	for (size_t i = 0; i < STREAMS; i++)
		if (check_output(r, r->outputs[i], err) < 0)
			return -1;
	return check_input(r, r->input, err);
}

static bool is_number(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= 10 && strspn(name, "0123456789") == n;
}

static int check_file(const Saved__LogFile *f, struct err *err)
{
	if (f->n_in_line != STREAMS || f->n_carry != STREAMS || f->n_seen != STREAMS || f->n_stretches > 64 ||
	    (f->open && f->n_stretches == 0))
		return bad(err, "a log");
	for (size_t i = 0; i < STREAMS; i++)
		if (f->carry[i].len > CARRY_MAX || f->carry[i].len > f->seen[i])
			return bad(err, "what a log holds back");
	for (size_t i = 0; i < f->n_stretches; i++) {
		const Saved__LogStretch *s = f->stretches[i];

		if (!s->start || !s->end || s->id == 0 || s->id > f->last_id || s->rotation > f->rotation)
			return bad(err, "a part of a log");
	}
	return 0;
}

static int check_logs(const Saved__Process *p, struct err *err)
{
	if (p->n_logs > 4)
		return bad(err, "the number of logs");
	for (size_t i = 0; i < p->n_logs; i++) {
		const Saved__Log *l = p->logs[i];

		if (l->n_lines != 0 && l->n_lines != STREAMS)
			return bad(err, "the number of lines in a log");
		for (size_t k = 0; k < l->n_lines; k++)
			if (l->lines[k]->text.len > (16u << 10))
				return bad(err, "a line of a log");
		if (l->file && check_file(l->file, err) < 0)
			return -1;
	}
	return 0;
}

static int check_process(const Saved__Process *p, bool init, struct err *err)
{
	if (strlen(p->name) > NAME_MAX_BYTES || (init ? strcmp(p->name, "init") != 0 : !is_number(p->name)))
		return bad(err, "the name of a process");
	if ((!p->exited && (!p->pidfd || !p->pid)) || p->pid > INT32_MAX || (p->exited && !p->exit) || p->n_passed > 3)
		return err_set(err, ERR_CONFIG, "process '%s' is wrong", p->name);
	if (p->exit && (p->exit->code > 255 || p->exit->signal > 127))
		return err_set(err, ERR_CONFIG, "the exit status of process '%s' is wrong", p->name);
	return check_logs(p, err) < 0 ? -1 : check_relay(p->relay, err);
}

static const Saved__Process *find_process(const Saved__Container *c, const char *name)
{
	if (!name[0] || !strcmp(name, "init"))
		return c->init;
	for (size_t i = 0; i < c->n_execs; i++)
		if (!strcmp(c->execs[i]->name, name))
			return c->execs[i];
	return NULL;
}

static int check_execs(const Saved__Container *c, struct err *err)
{
	for (size_t i = 0; i < c->n_execs; i++) {
		if (check_process(c->execs[i], false, err) < 0)
			return -1;
		if (find_process(c, c->execs[i]->name) != c->execs[i])
			return err_set(err, ERR_CONFIG, "process '%s' is named twice", c->execs[i]->name);
	}
	return 0;
}

static int check_container(const Saved__Container *c, struct err *err)
{
	if (!c || !c->init || !c->keeper || !c->id[0] || !c->dir_fd || !c->lock_fd)
		return bad(err, "the container");
	if (c->notifying && (c->notifying->mode > SD_NOTIFY_CONMON || c->notifying->manager.len < 2 ||
			     c->notifying->manager.len > ADDRESS_MAX || !c->notifying->out_fd))
		return bad(err, "the service manager");
	for (size_t i = 0; i < c->n_limits; i++)
		if (c->limits[i]->soft > c->limits[i]->hard)
			return bad(err, "a limit of the caller's");
	if (check_process(c->init, true, err) < 0)
		return -1;
	return check_execs(c, err);
}

/* A client is followed by one call at most: it is that call's. */
static int check_follow(const Saved__Container *c, const Saved__FollowCall *f, struct err *err)
{
	const Saved__Process *p = find_process(c, f->process);

	if (!p ||
	    (f->client && (!p->relay || !client_is_known(p->relay, f->client) || client_has_left(p->relay, f->client))))
		return bad(err, "who follows a process");
	return 0;
}

static int check_call(const Saved__Container *c, const Saved__Call *call, struct err *err)
{
	if (call->serial == 0)
		return bad(err, "the serial of a request");
	switch ((int)call->kind_case) {
	case SAVED__CALL__KIND_WAIT:
		return find_process(c, call->wait->process) ? 0 : bad(err, "who waits for a process");
	case SAVED__CALL__KIND_FOLLOW:
		return check_follow(c, call->follow, err);
	case SAVED__CALL__KIND_EVENTS:
		if (!call->events->oom || call->events->pressure > PRESSURE_CRITICAL)
			return bad(err, "who watches the container");
		return 0;
	case SAVED__CALL__KIND_KILL:
	case SAVED__CALL__KIND_UPGRADE:
		return 0;
	default:
		return err_set(err, ERR_UNSUPPORTED, "a request is open that this version does not know");
	}
}

/* Two calls with one client would free it twice. */
struct followed {
	const Saved__Process *process;
	uint32_t client;
};

static int check_followed(const Saved__Shim *s, struct err *err)
{
	cleanup_free struct followed *v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < s->n_connections; i++)
		for (size_t k = 0; k < s->connections[i]->n_calls; k++) {
			const Saved__Call *call = s->connections[i]->calls[k];
			struct followed f;

			if (call->kind_case != SAVED__CALL__KIND_FOLLOW || !call->follow->client)
				continue;
			f = (struct followed) { find_process(s->container, call->follow->process),
						call->follow->client };
			for (size_t j = 0; j < n; j++)
				if (v[j].process == f.process && v[j].client == f.client)
					return bad(err, "who follows a process");
			v = xreallocarray(v, n + 1, sizeof(*v));
			v[n++] = f;
		}
	return 0;
}

static int check_connections(const Saved__Shim *s, struct err *err)
{
	if (s->n_connections > 4096)
		return bad(err, "the number of connections");
	for (size_t i = 0; i < s->n_connections; i++) {
		const Saved__Connection *c = s->connections[i];

		if (!c->fd || c->n_calls > 4096)
			return bad(err, "a connection");
		for (size_t k = 0; k < c->n_calls; k++)
			if (check_call(s->container, c->calls[k], err) < 0)
				return -1;
	}
	return check_followed(s, err);
}

static int check(const Saved__Shim *s, struct err *err)
{
	if (s->format > SAVED_FORMAT)
		return err_set(err, ERR_UNSUPPORTED,
			       "it has format %u (written by version %.32s), and format %d is known", s->format,
			       s->version, SAVED_FORMAT);
	if (s->format < 1)
		return bad(err, "its format");
	if (!s->root_fd || !s->listen_fd)
		return bad(err, "the state directory or the control socket");
	if (check_container(s->container, err) < 0 || check_connections(s, err) < 0)
		return -1;
	return check_fds(s, err);
}

int saved_unpack(const void *data, size_t len, Saved__Shim **ret, struct err *err)
{
	Saved__Shim *s = len <= SAVED_MAX ? saved__shim__unpack(NULL, len, data) : NULL;

	if (!s)
		return err_set(err, ERR_CONFIG, "the state of the shim does not decode");
	if (check(s, err) < 0) {
		saved_free(s);
		return err_add(err, "the state of the shim");
	}
	*ret = s;
	return 0;
}
