/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of a process, handed from one program to the next in the same process (saved.h).
 *
 * Descriptors keep their numbers and their flags, so nothing of them is looked into or changed again; what was read and not written yet goes along. */
#include <string.h>

#include "common/fd.h"
#include "shim/stdio/log.h"
#include "shim/stdio/relay_internal.h"
#include "shim/stdio/saved.h"

/* ---- clients --------------------------------------------------------------------------------------------------------- */

uint32_t relay_client_number(const struct relay_client *c)
{
	const struct relay_client *other;
	uint32_t n = 1;

	if (!c)
		return 0;
	LIST_FOREACH(other, &c->relay->clients, link)
	{
		if (other == c)
			return n;
		n++;
	}
	return 0;
}

static struct relay_client *find_client(const struct relay *r, uint32_t number)
{
	struct relay_client *c;

	if (!number)
		return NULL;
	LIST_FOREACH(c, &r->clients, link)
	if (--number == 0)
		return c;
	return NULL;
}

struct relay_client *relay_client_at(struct relay *r, uint32_t number, void *arg)
{
	struct relay_client *c = find_client(r, number);

	if (c)
		c->arg = arg;
	return c;
}

static void resume_clients(struct relay *r, const Saved__Relay *s)
{
	/* Each at the head: the order stays. */
	for (size_t i = s->n_clients; i-- > 0;) {
		struct relay_client *c = xcalloc(1, sizeof(*c));

		c->relay = r;
		c->kind = (enum relay_kind)s->clients[i]->kind;
		c->with_stdin = s->clients[i]->with_stdin;
		c->gone = s->clients[i]->gone;
		c->taken = s->clients[i]->taken;
		LIST_INSERT_HEAD(&r->clients, c, link);
	}
}

/* ---- output ---------------------------------------------------------------------------------------------------------- */

static Saved__LogMark *save_mark(const struct logfile_mark *m)
{
	Saved__LogMark *s = saved_new(Saved__LogMark, log_mark);

	s->stretch = m->stretch;
	s->place = saved_new(Saved__LogPlace, log_place);
	s->place->position = m->position;
	s->place->stdout_offset = m->offset[0];
	s->place->stderr_offset = m->offset[1];
	return s;
}

static struct logfile_mark resume_mark(const Saved__LogMark *s)
{
	if (!s)
		return (struct logfile_mark) { 0 };
	return (struct logfile_mark) {
		.stretch = s->stretch,
		.position = s->place->position,
		.offset = { s->place->stdout_offset, s->place->stderr_offset },
	};
}

static Saved__Sink *save_sink(const struct sink *k)
{
	Saved__Sink *s = saved_new(Saved__Sink, sink);

	s->fd = saved_fd(k->fd);
	s->client = relay_client_number(k->client);
	s->lossless = k->lossless;
	s->always_ready = k->always_ready;
	s->socket = k->socket;
	s->careful = k->careful;
	if (k->pending)
		s->pending = saved_bytes(k->pending + k->pending_at, k->pending_len - k->pending_at);
	s->in_gap = k->in_gap;
	s->gap_from = k->gap_from;
	s->gap_mark = save_mark(&k->gap_mark);
	return s;
}

Saved__Output *output_save(const struct output *o)
{
	Saved__Output *s = saved_new(Saved__Output, output);
	const struct sink *k;

	s->fd = saved_fd(o->fd);
	s->offset = o->offset;
	s->origin = o->base;
	s->inode = o->inode;
	s->mark = save_mark(&o->mark);
	LIST_FOREACH(k, &o->sinks, link)
	saved_append(s->sinks, s->n_sinks, save_sink(k));
	return s;
}

static int resume_sink(struct output *o, const Saved__Sink *s, struct err *err)
{
	struct sink k = {
		.fd = saved_to_fd(s->fd),
		.lossless = s->lossless,
		.client = find_client(o->relay, s->client),
		.always_ready = s->always_ready,
		.socket = s->socket,
		.careful = s->careful,
		.in_gap = s->in_gap,
		.gap_from = s->gap_from,
		.gap_mark = resume_mark(s->gap_mark),
	};

	if (s->pending.len > 0) {
		k.pending = xmalloc(s->pending.len);
		memcpy(k.pending, s->pending.data, s->pending.len);
		k.pending_len = s->pending.len;
	}
	return output_take_sink(o, &k, err);
}

int output_resume(struct output *o, const Saved__Output *s, struct err *err)
{
	o->fd = saved_to_fd(s->fd);
	o->offset = s->offset;
	o->base = s->origin;
	o->inode = s->inode;
	o->mark = resume_mark(s->mark);
	for (size_t i = s->n_sinks; i-- > 0;)
		if (resume_sink(o, s->sinks[i], err) < 0)
			return -1;
	return 0;
}

/* ---- input ----------------------------------------------------------------------------------------------------------- */

Saved__Input *input_save(const struct relay *r)
{
	Saved__Input *s = saved_new(Saved__Input, input);
	const struct source *from;

	s->fd = r->tty ? 0 : saved_fd(r->in.fd);
	s->open = r->tty && r->in.fd >= 0;
	s->inode = r->in.inode;
	s->owner = relay_client_number(r->in.owner);
	LIST_FOREACH(from, &r->in.sources, link)
	{
		Saved__Source *one = saved_new(Saved__Source, source);

		one->fd = saved_fd(from->fd);
		one->client = relay_client_number(from->client);
		one->always_ready = from->always_ready;
		one->data = saved_bytes(from->len > from->at ? from->data + from->at : NULL, from->len - from->at);
		one->limited = from->limited;
		one->left = from->left;
		saved_append(s->sources, s->n_sources, one);
	}
	return s;
}

static int resume_source(struct relay *r, const Saved__Source *s, struct err *err)
{
	struct source from = {
		.client = find_client(r, s->client),
		.fd = saved_to_fd(s->fd),
		.always_ready = s->always_ready,
		.limited = s->limited,
		.left = s->left,
		.len = s->data.len,
	};

	if (s->data.len > 0) {
		from.data = xmalloc(RELAY_INPUT_BYTES);
		memcpy(from.data, s->data.data, s->data.len);
	}
	return input_take_source(r, &from, err);
}

/* After the outputs: of a terminal it has their descriptor. */
int input_resume(struct relay *r, const Saved__Input *s, struct err *err)
{
	r->in.fd = !r->tty ? saved_to_fd(s->fd) : s->open ? r->out[0].fd : -1;
	r->in.inode = s->inode;
	r->in.owner = find_client(r, s->owner);
	if (input_start(r, err) < 0)
		return -1;
	for (size_t i = s->n_sources; i-- > 0;)
		if (resume_source(r, s->sources[i], err) < 0)
			return -1;
	return 0;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

bool relay_is_settled(const struct relay *r)
{
	return !r->parked && !r->gone && !r->awaits && r->next_master < 0 && !r->in.ending;
}

Saved__Relay *relay_save(const struct relay *r)
{
	Saved__Relay *s = saved_new(Saved__Relay, relay);
	const struct relay_client *c;

	s->tty = r->tty;
	s->detached = r->detached;
	s->process_ended = r->process_ended;
	s->drained = r->drained;
	s->ticks = (uint32_t)r->ticks;
	s->input = input_save(r);
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		saved_append(s->outputs, s->n_outputs, output_save(&r->out[i]));
	LIST_FOREACH(c, &r->clients, link)
	{
		Saved__Client *one = saved_new(Saved__Client, client);

		one->kind = (uint32_t)c->kind;
		one->with_stdin = c->with_stdin;
		one->gone = c->gone;
		one->taken = c->taken;
		saved_append(s->clients, s->n_clients, one);
	}
	return s;
}

int relay_resume(struct relay *r, const Saved__Relay *s, struct err *err)
{
	r->tty = s->tty;
	r->detached = s->detached;
	r->drained = s->drained;
	r->ticks = (int)s->ticks;
	resume_clients(r, s);
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		if (output_resume(&r->out[i], s->outputs[i], err) < 0)
			return -1;
	if (input_resume(r, s->input, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		if (output_start(&r->out[i], err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		if (r->out[i].readable && output_is_held(&r->out[i]))
			output_unwatch(&r->out[i]);
	if (s->process_ended && !s->drained)
		relay_process_ended(r);
	r->process_ended = s->process_ended;
	return 0;
}
