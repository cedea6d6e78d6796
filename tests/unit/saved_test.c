/* SPDX-License-Identifier: Apache-2.0 */
/* What a shim leaves for the program that takes its place: written and read again it is the same, a state of an earlier format is understood, and what means nothing is refused.
 *
 * With THOLE_WRITE_FIXTURE=FILE the state that is made here is written there: once for each format, into tests/fixtures/upgrade/format-N. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/stdio/relay.h"
#include "shim/stdio/relay_internal.h"
#include "shim/stdio/saved.h"

/* ---- one that has everything --------------------------------------------------------------------------------------------- */

static Saved__LogMark *new_mark(void)
{
	Saved__LogMark *m = saved_new(Saved__LogMark, log_mark);

	m->stretch = 3;
	m->place = saved_new(Saved__LogPlace, log_place);
	m->place->position = 4096;
	m->place->stdout_offset = 2000;
	return m;
}

static Saved__Sink *new_sink(uint32_t fd, uint32_t client)
{
	Saved__Sink *s = saved_new(Saved__Sink, sink);

	s->fd = fd;
	s->client = client;
	s->lossless = client == 1;
	if (s->lossless)
		s->pending = saved_bytes("not taken\0yet", 13);
	s->in_gap = !s->lossless;
	s->gap_from = s->in_gap ? 1234 : 0;
	s->gap_mark = new_mark();
	return s;
}

static Saved__Output *new_output(uint32_t fd)
{
	Saved__Output *o = saved_new(Saved__Output, output);

	o->fd = fd;
	o->offset = 5000000000;
	o->inode = 77 + fd;
	o->mark = new_mark();
	saved_append(o->sinks, o->n_sinks, new_sink(fd + 1, 1));
	saved_append(o->sinks, o->n_sinks, new_sink(fd + 2, 2));
	return o;
}

static Saved__Relay *new_relay(uint32_t fd)
{
	Saved__Relay *r = saved_new(Saved__Relay, relay);
	Saved__Source *source = saved_new(Saved__Source, source);

	r->detached = true;
	r->input = saved_new(Saved__Input, input);
	r->input->fd = fd;
	r->input->owner = 1;
	source->fd = fd + 1;
	source->data = saved_bytes("typed", 5);
	saved_append(r->input->sources, r->input->n_sources, source);
	for (uint32_t i = 0; i < 2; i++) {
		Saved__Client *c = saved_new(Saved__Client, client);

		c->kind = i;
		c->with_stdin = i == 0;
		saved_append(r->clients, r->n_clients, c);
		saved_append(r->outputs, r->n_outputs, new_output(fd + 2 + 3 * i));
	}
	return r;
}

static Saved__Process *new_process(const char *name, uint32_t pid, uint32_t fd)
{
	Saved__Process *p = saved_new(Saved__Process, process);

	p->name = xstrdup(name);
	p->pid = pid;
	p->start_time = 123456;
	p->pidfd_inode = 99;
	p->pidfd = fd;
	p->exit = saved_new(Saved__Exit, exit);
	for (size_t i = 0; i < 3; i++)
		saved_append(p->passed, p->n_passed, xstrdup(""));
	if (fd) {
		p->relay = new_relay(fd + 1);
		return p;
	}
	p->exited = p->drained = true;
	p->exit->known = true;
	p->exit->code = 143;
	p->exit->signal = 15;
	p->exit->time_ns = 1700000000123456789;
	return p;
}

static Saved__Log *new_log(uint32_t fd)
{
	Saved__Log *l = saved_new(Saved__Log, log);
	Saved__LogFile *f = l->file = saved_new(Saved__LogFile, log_file);
	Saved__LogStretch *s = saved_new(Saved__LogStretch, log_stretch);

	l->driver = xstrdup("json-file");
	l->stdout_lost = 5;
	l->reason = xstrdup("No space left on device");
	f->fd = fd;
	f->size = 8192;
	f->inode = 5150;
	f->dev = 64769;
	f->open = true;
	f->last_id = 3;
	f->rotation = 2;
	for (int i = 0; i < 2; i++) {
		saved_append(f->in_line, f->n_in_line, i == 0);
		saved_append(f->carry, f->n_carry, saved_bytes("\xe2\x82", i == 0 ? 2 : 0));
		saved_append(f->seen, f->n_seen, 2000);
	}
	s->id = 3;
	s->inode = 5150;
	s->dev = 64769;
	s->rotation = 2;
	s->start = saved_new(Saved__LogPlace, log_place);
	s->end = saved_new(Saved__LogPlace, log_place);
	saved_append(f->stretches, f->n_stretches, s);
	return l;
}

static void add_call(Saved__Connection *to, Saved__Call__KindCase kind)
{
	Saved__Call *c = saved_new(Saved__Call, call);

	c->serial = (uint32_t)to->n_calls + 2;
	c->kind_case = kind;
	if (kind == SAVED__CALL__KIND_WAIT) {
		c->wait = saved_new(Saved__WaitCall, wait_call);
		c->wait->process = xstrdup("2");
	} else if (kind == SAVED__CALL__KIND_FOLLOW) {
		c->follow = saved_new(Saved__FollowCall, follow_call);
		c->follow->process = xstrdup("init");
		c->follow->client = 2;
	} else if (kind == SAVED__CALL__KIND_EVENTS) {
		c->events = saved_new(Saved__EventsCall, events_call);
		c->events->pressure = 2;
		c->events->oom = saved_new(Saved__Notice, notice);
		c->events->oom->fd = 95;
		c->events->lack = saved_new(Saved__Notice, notice);
		c->events->lack->fd = 96;
	} else if (kind == SAVED__CALL__KIND_KILL) {
		c->kill = saved_new(Saved__KillCall, kill_call);
	} else {
		c->upgrade = saved_new(Saved__UpgradeCall, upgrade_call);
	}
	saved_append(to->calls, to->n_calls, c);
}

static Saved__Shim *new_state(void)
{
	Saved__Shim *s = saved_new(Saved__Shim, shim);
	Saved__Container *c = s->container = saved_new(Saved__Container, container);
	Saved__Connection *conn = saved_new(Saved__Connection, connection);

	s->format = SAVED_FORMAT;
	s->version = xstrdup("0.1.0");
	s->root_fd = 20;
	s->listen_fd = 21;
	c->id = xstrdup("web");
	c->dir_fd = 22;
	c->lock_fd = 23;
	c->adopted = true;
	c->last_exec = 2;
	c->init = new_process("init", 4711, 30);
	c->init->relay->outputs[0]->origin = 4000;
	saved_append(c->init->logs, c->init->n_logs, new_log(24));
	saved_append(c->execs, c->n_execs, new_process("1", 4712, 0));
	saved_append(c->execs, c->n_execs, new_process("2", 4713, 50));
	c->keeper = saved_new(Saved__Keeper, keeper);
	c->keeper->fd = 25;
	c->keeper->armed = true;
	c->notifying = saved_new(Saved__Notifying, notifying);
	c->notifying->mode = 1;
	c->notifying->manager = saved_bytes("\0abstract", 9);
	c->notifying->out_fd = 26;
	saved_append(c->limits, c->n_limits, saved_new(Saved__Limit, limit));
	c->limits[0]->resource = 1;
	c->limits[0]->soft = 4096;
	c->limits[0]->hard = 1ull << 40;
	conn->fd = 90;
	conn->hello_seen = true;
	for (int kind = SAVED__CALL__KIND_WAIT; kind <= SAVED__CALL__KIND_UPGRADE; kind++)
		add_call(conn, (Saved__Call__KindCase)kind);
	saved_append(s->connections, s->n_connections, conn);
	return s;
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

static void check_whole(const Saved__Shim *s)
{
	const Saved__Relay *r = s->container->init->relay;
	const Saved__LogFile *f = s->container->init->logs[0]->file;

	assert_string_equal(s->container->id, "web");
	assert_int_equal(s->container->init->pid, 4711);
	assert_int_equal(s->container->execs[0]->exit->code, 143);
	assert_int_equal(s->container->execs[0]->exit->time_ns, 1700000000123456789);
	assert_int_equal(r->outputs[0]->offset, 5000000000);
	assert_memory_equal(r->outputs[0]->sinks[0]->pending.data, "not taken\0yet", 13);
	assert_int_equal(r->outputs[1]->sinks[1]->gap_from, 1234);
	assert_int_equal(r->outputs[1]->sinks[1]->gap_mark->place->position, 4096);
	assert_memory_equal(r->input->sources[0]->data.data, "typed", 5);
	assert_int_equal(f->carry[0].len, 2);
	assert_true(f->in_line[0] && !f->in_line[1]);
	assert_int_equal(f->stretches[0]->id, 3);
	assert_int_equal(s->container->notifying->manager.len, 9);
	assert_int_equal(s->connections[0]->n_calls, 5);
	assert_string_equal(s->connections[0]->calls[0]->wait->process, "2");
	assert_int_equal(s->connections[0]->calls[1]->follow->client, 2);
	assert_int_equal(s->connections[0]->calls[2]->events->lack->fd, 96);
}

static void written_and_read_it_is_the_same(void **state)
{
	Saved__Shim *s = new_state(), *again = NULL;
	cleanup_free void *data = NULL, *data_again = NULL;
	const char *fixture = getenv("THOLE_WRITE_FIXTURE");
	size_t len, len_again;
	struct err err;

	assert_int_equal(saved_pack(s, &data, &len, &err), 0);
	assert_int_equal(saved_unpack(data, len, &again, &err), 0);
	check_whole(again);
	assert_int_equal(again->container->limits[0]->hard, 1ull << 40);
	assert_int_equal(saved_pack(again, &data_again, &len_again, &err), 0);
	assert_int_equal(len, len_again);
	assert_memory_equal(data, data_again, len);
	if (fixture) {
		cleanup_fd int fd = open(fixture, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

		assert_int_equal(fd_write_all(fd, data, len, &err), 0);
	}
	saved_free(s);
	saved_free(again);
}

static void the_format_is_that_of_what_is_in_it(void **state)
{
	Saved__Shim *s = new_state();

	s->container->init->relay->outputs[0]->origin = 0;
	assert_int_equal(saved_format(s), 1);
	s->container->execs[1]->relay->outputs[1]->origin = 7;
	assert_int_equal(saved_format(s), 2);
	s->container->execs[1]->relay->outputs[1]->origin = 0;
	s->container->init->relay->input->sources[0]->limited = true;
	assert_int_equal(saved_format(s), 2);
	saved_free(s);
}

static void every_format_is_understood(void **state)
{
	for (int format = 1; format <= SAVED_FORMAT; format++) {
		cleanup_free char *path = xasprintf("tests/fixtures/upgrade/format-%d", format), *data = NULL;
		cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
		Saved__Shim *s = NULL;
		struct err err;
		size_t len;

		assert_true(fd >= 0);
		assert_int_equal(fd_read_all(fd, SAVED_MAX, &data, &len, &err), 0);
		if (saved_unpack(data, len, &s, &err) < 0)
			fail_msg("format %d: %s", format, err.text);
		check_whole(s);
		saved_free(s);
	}
}

static int add_fd(void *arg, int fd)
{
	*(int *)arg += fd;
	return 0;
}

static void every_descriptor_is_found(void **state)
{
	Saved__Shim *s = new_state();
	int sum = 0, want = 0;

	for (int fd = 20; fd <= 26; fd++)
		want += fd; /* root, listen, dir, lock, log, keeper, manager */
	for (int fd = 30; fd <= 38; fd++)
		want += fd; /* init: pidfd, stdin and its source, outputs with two sinks each */
	for (int fd = 50; fd <= 58; fd++)
		want += fd;
	want += 90 + 95 + 96;
	assert_int_equal(saved_each_fd(s, add_fd, &sum), 0);
	assert_int_equal(sum, want);
	saved_free(s);
}

/* ---- refusing ------------------------------------------------------------------------------------------------------------ */

static void is_refused(Saved__Shim *s, const char *because)
{
	cleanup_free void *data = NULL;
	Saved__Shim *again = NULL;
	struct err err = { 0 };
	size_t len;

	assert_int_equal(saved_pack(s, &data, &len, &err), 0);
	assert_int_equal(saved_unpack(data, len, &again, &err), -1);
	if (!strstr(err.text, because))
		fail_msg("'%s' is not in '%s'", because, err.text);
	saved_free(s);
}

static void what_means_nothing_is_refused(void **state)
{
	Saved__Shim *s = new_state();

	s->format = SAVED_FORMAT + 1;
	is_refused(s, "format");
	s = new_state();
	s->container->lock_fd = 0;
	is_refused(s, "the container");
	s = new_state();
	s->container->limits[0]->hard = 4095;
	is_refused(s, "a limit");
	s = new_state();
	s->container->init->relay->input->owner = 3;
	is_refused(s, "the input");
	s = new_state();
	s->container->init->relay->outputs[0]->sinks[0]->client = 9;
	is_refused(s, "a sink");
	s = new_state();
	s->container->init->relay->outputs[1]->sinks[1]->gap_from = 5000000001;
	is_refused(s, "a sink");
	s = new_state();
	s->connections[0]->calls[1]->follow->client = 3;
	is_refused(s, "who follows");
	/* A client that has left goes with its source, and must not be known to anybody else. */
	s = new_state();
	s->container->init->relay->clients[0]->gone = true;
	s->container->init->relay->clients[0]->with_stdin = true;
	is_refused(s, "a client");
	s = new_state();
	for (size_t i = 0; i < s->container->init->relay->n_clients; i++) {
		s->container->init->relay->clients[i]->gone = true;
		s->container->init->relay->clients[i]->with_stdin = false;
	}
	is_refused(s, "is wrong");
	s = new_state();
	s->connections[0]->calls[0]->wait->process[0] = '7';
	is_refused(s, "who waits");
	s = new_state();
	s->connections[0]->calls[0]->serial = 0;
	is_refused(s, "serial");
	s = new_state();
	s->connections[0]->fd = 22;
	is_refused(s, "named twice");
	s = new_state();
	s->connections[0]->fd = 2;
	is_refused(s, "is none");
	s = new_state();
	s->connections[0]->fd = UINT32_MAX;
	is_refused(s, "is none");
	s = new_state();
	s->container->execs[1]->name[0] = '1';
	is_refused(s, "named twice");
	s = new_state();
	s->container->init->logs[0]->file->n_seen = 1;
	is_refused(s, "a log");
	s = new_state();
	s->container->init->exit->code = 256;
	is_refused(s, "exit status");
}

static void two_calls_have_no_client_in_common(void **state)
{
	Saved__Shim *s = new_state();

	add_call(s->connections[0], SAVED__CALL__KIND_FOLLOW);
	is_refused(s, "who follows");
}

static void what_is_cut_off_is_refused_or_means_less(void **state)
{
	Saved__Shim *s = new_state();
	cleanup_free void *data = NULL;
	struct err err;
	size_t len;

	assert_int_equal(saved_pack(s, &data, &len, &err), 0);
	for (size_t n = 0; n < len; n++) {
		Saved__Shim *cut = NULL;

		if (saved_unpack(data, n, &cut, &err) == 0)
			assert_true(cut->n_connections < s->n_connections);
		saved_free(cut);
	}
	saved_free(s);
}

/* ---- streams ------------------------------------------------------------------------------------------------------------- */

static void no_gap(void *client_arg, Stream stream, const struct logfile_part *part)
{
}

static void no_end(void *arg)
{
}

static const struct relay_ops ops = { .gap_cb = no_gap, .drained_cb = no_end };

static void forget_descriptors(struct relay *r)
{
	struct sink *s;

	r->in.fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++) {
		r->out[i].fd = -1;
		LIST_FOREACH(s, &r->out[i].sinks, link)
		s->fd = -1;
	}
}

static void a_relay_goes_on_with_what_its_client_has_not_taken(void **state)
{
	static const char text[] = "all of it";
	struct event_base *base = event_base_new();
	struct relay *r = relay_new(base, NULL, &ops, NULL), *next = relay_new(base, NULL, &ops, NULL);
	struct relay_ends ends;
	struct relay_client *client;
	int child[3];
	char *fill = xcalloc(1, 1 << 20), got[64];
	Saved__Relay *s;
	struct err err;
	int n;

	assert_int_equal(relay_make_pipes(r, true, true, getuid(), getgid(), child, &err), 0);
	assert_int_equal(relay_start(r, &err), 0);
	assert_int_equal(relay_attach(r, RELAY_FOREGROUND, 0, true, NULL, &ends, &client, &err), 0);
	/* Its pipe is full: what comes is pending. */
	assert_int_equal(fd_set_nonblock(LIST_FIRST(&r->out[0].sinks)->fd, true, &err), 0);
	while (write(LIST_FIRST(&r->out[0].sinks)->fd, fill, 4096) > 0)
		;
	assert_int_equal(write(child[1], text, sizeof(text)), sizeof(text));
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(output_is_held(&r->out[0]));
	s = relay_save(r);
	forget_descriptors(r);
	relay_free(r);
	assert_int_equal(relay_resume(next, s, &err), 0);
	protobuf_c_message_free_unpacked(&s->base, NULL);
	assert_int_equal(relay_offset(next, STREAM_STDOUT), sizeof(text));
	assert_true(output_is_held(&next->out[0]));
	assert_int_equal(relay_client_number(relay_client_at(next, 1, NULL)), 1);
	assert_ptr_equal(next->in.owner, relay_client_at(next, 1, NULL));
	while (ioctl(ends.stdout_fd, FIONREAD, &n) == 0 && n > 0)
		assert_true(read(ends.stdout_fd, fill, 1 << 20) > 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(read(ends.stdout_fd, got, sizeof(got)), sizeof(text));
	assert_memory_equal(got, text, sizeof(text));
	assert_false(output_is_held(&next->out[0]));
	/* And goes on from there. */
	assert_int_equal(write(child[1], "more", 4), 4);
	relay_woken(next); /* nobody here has RELAY_SIGNAL */
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(read(ends.stdout_fd, got, sizeof(got)), 4);
	relay_free(next);
	relay_ends_close(&ends);
	for (int i = 0; i < 3; i++)
		close(child[i]);
	event_base_free(base);
	free(fill);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_and_read_it_is_the_same),
		cmocka_unit_test(the_format_is_that_of_what_is_in_it),
		cmocka_unit_test(every_format_is_understood),
		cmocka_unit_test(every_descriptor_is_found),
		cmocka_unit_test(what_means_nothing_is_refused),
		cmocka_unit_test(two_calls_have_no_client_in_common),
		cmocka_unit_test(what_is_cut_off_is_refused_or_means_less),
		cmocka_unit_test(a_relay_goes_on_with_what_its_client_has_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
