/* SPDX-License-Identifier: Apache-2.0 */
/* What a shim leaves for the program that takes its place: what is accepted means the same when it is written and read again, and its streams can be taken up, whatever the
 * numbers in it are. */
#include "tests/fuzz/fuzz.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/stdio/logfile.h"
#include "shim/stdio/relay.h"
#include "shim/stdio/saved.h"

/* Numbers that nobody else has here, neither the fuzzer nor what is opened on the way. */
#define FIRST 20
#define LAST 200

static int is_ours(void *arg, int fd)
{
	return fd < FIRST || fd > LAST;
}

static int open_it(void *arg, int fd)
{
	int pair[2];

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	FUZZ_CHECK(dup3(pair[0], fd, O_CLOEXEC) == fd);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static int close_it(void *arg, int fd)
{
	close(fd); /* or it is closed already */
	return 0;
}

static void gap(void *client_arg, Stream stream, const struct logfile_part *part)
{
	FUZZ_CHECK(part->from < part->to);
}

static void drained(void *arg)
{
}

static void take_up(const Saved__Relay *s)
{
	const struct relay_ops ops = { .gap_cb = gap, .drained_cb = drained };
	struct event_base *base = event_base_new();
	struct relay *r = relay_new(base, NULL, &ops, NULL);
	struct err err = { 0 };

	if (relay_resume(r, s, &err) == 0) {
		Saved__Relay *again = relay_save(r);

		FUZZ_CHECK(again->n_clients == s->n_clients);
		FUZZ_CHECK(again->outputs[0]->n_sinks == s->outputs[0]->n_sinks);
		FUZZ_CHECK(again->outputs[1]->offset == s->outputs[1]->offset);
		protobuf_c_message_free_unpacked(&again->base, NULL);
		event_base_loop(base, EVLOOP_NONBLOCK);
	} else {
		fuzz_check_err(&err);
	}
	relay_free(r);
	event_base_free(base);
}

static void take_all_up(const Saved__Shim *s)
{
	int before;

	signal(SIGPIPE, SIG_IGN); /* as in the shim */
	if (saved_each_fd(s, is_ours, NULL))
		return;
	before = fuzz_open_fds();
	saved_each_fd(s, open_it, NULL);
	if (s->container->init->relay)
		take_up(s->container->init->relay);
	for (size_t i = 0; i < s->container->n_execs; i++)
		if (s->container->execs[i]->relay)
			take_up(s->container->execs[i]->relay);
	saved_each_fd(s, close_it, NULL);
	FUZZ_CHECK(fuzz_open_fds() == before);
}

/* A field of a number that no field may have is kept by the library among the unknown ones, and written so that it does not read it again. */
static bool is_impossible(const ProtobufCMessage *m)
{
	for (unsigned int i = 0; i < m->n_unknown_fields; i++)
		if (m->unknown_fields[i].tag == 0)
			return true;
	for (unsigned int i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const void *at = (const char *)m + f->offset, *n_at = (const char *)m + f->quantifier_offset;
		bool repeated = f->label == PROTOBUF_C_LABEL_REPEATED;
		size_t n = repeated ? *(const size_t *)n_at : 1;
		ProtobufCMessage *const *v = repeated ? *(ProtobufCMessage *const *const *)at : at;

		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && *(const uint32_t *)n_at != f->id)
			continue;
		for (size_t k = 0; k < n; k++)
			if (v[k] && is_impossible(v[k]))
				return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free void *once = NULL, *twice = NULL;
	Saved__Shim *s = NULL, *again = NULL;
	struct err err = { 0 };
	size_t len, len_again;

	if (saved_unpack(data, size, &s, &err) < 0) {
		fuzz_check_err(&err);
		return 0;
	}
	if (is_impossible(&s->base)) {
		saved_free(s);
		return 0;
	}
	FUZZ_CHECK(saved_pack(s, &once, &len, &err) == 0);
	FUZZ_CHECK(saved_unpack(once, len, &again, &err) == 0);
	FUZZ_CHECK(saved_pack(again, &twice, &len_again, &err) == 0);
	FUZZ_CHECK(len == len_again && !memcmp(once, twice, len));
	take_all_up(s);
	saved_free(s);
	saved_free(again);
	return 0;
}
