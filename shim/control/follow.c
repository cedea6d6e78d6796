/* SPDX-License-Identifier: Apache-2.0 */
/* A client that follows the container to its end: foreground or attached. */
#include "shim/control/follow.h"

#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "shim/container/container.h"
#include "shim/container/process.h"
#include "shim/control/server.h"
#include "shim/stdio/logfile.h"
#include "shim/stdio/relay.h"
#include "shim/stdio/saved.h"

static void save(const struct call *call, Saved__Call *s);

struct follow {
	struct relay_client *client;
	struct container_watch watch;
};

int follow_ends(const struct relay_ends *ends, FdRole *roles, pb_size_t *n_roles, int fds[3])
{
	const struct {
		int fd;
		FdRole role;
	} all[] = { { ends->stdin_fd, FD_STDIN }, { ends->stdout_fd, FD_STDOUT }, { ends->stderr_fd, FD_STDERR } };
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].fd >= 0) {
			roles[n] = all[i].role;
			fds[n++] = all[i].fd;
		}
	*n_roles = (pb_size_t)n;
	return n;
}

static void cancelled(struct call *call)
{
	struct follow *f = call->data;

	container_unwatch(&f->watch);
	relay_client_free(f->client);
	free(f);
}

void follow_exit_reply(Reply *rep, const struct container_exit *exit, const char *remark)
{
	rep->which_body = Reply_exit_tag;
	rep->body.exit = (Exit) {
		.known = exit->known,
		.code = exit->code,
		.signal = exit->signal,
		.time_ns = exit->time_ns,
		.oom_killed = exit->oom_killed,
	};
	if (remark)
		snprintf(rep->body.exit.remark, sizeof(rep->body.exit.remark), "%s", remark);
}

static bool follows_init(const struct follow *f)
{
	return !strcmp(f->watch.process->name, "init");
}

static void ended(void *arg, const struct container_exit *exit)
{
	struct call *call = arg;
	struct follow *f = call->data;
	const struct err *failure = follows_init(f) ? container_failure(server_container(call->server)) : NULL;
	Reply rep = Reply_init_zero;

	call->cancelled = NULL;
	relay_client_free(f->client); /* closes our ends of its pipes */
	free(f);
	if (failure) {
		call_fail(call, failure);
		return;
	}
	follow_exit_reply(&rep, exit, container_remark(server_container(call->server)));
	call_done(call, &rep, NULL, 0);
}

void follow_start(struct call *call, const char *name, struct relay_client *client)
{
	struct follow *f = xcalloc(1, sizeof(*f));
	struct err err;

	f->client = client;
	f->watch = (struct container_watch) { .exit_cb = ended, .arg = call, .drained = true };
	call->data = f;
	call->cancelled = cancelled;
	call->save = save;
	if (container_watch(server_container(call->server), name, &f->watch, &err) < 0)
		fatal("a process without a record is followed"); /* the caller has just found it */
}

static void save(const struct call *call, Saved__Call *s)
{
	const struct follow *f = call->data;

	s->kind_case = SAVED__CALL__KIND_FOLLOW;
	s->follow = saved_new(Saved__FollowCall, follow_call);
	s->follow->process = xstrdup(f->watch.process->name);
	s->follow->client = relay_client_number(f->client);
}

void follow_resume(struct call *call, const Saved__FollowCall *s)
{
	struct relay *r = container_relay(server_container(call->server), s->process);

	follow_start(call, s->process, r ? relay_client_at(r, s->client, call) : NULL);
}

static bool is_follow(const struct call *call)
{
	return call->cancelled == cancelled;
}

struct relay_client *follow_client(struct conn *conn)
{
	struct call *call = conn_find_call(conn, is_follow);

	return call ? ((struct follow *)call->data)->client : NULL;
}

void follow_gap(void *arg, Stream stream, const struct logfile_part *part)
{
	struct call *call = arg;
	Reply rep = Reply_init_zero;
	bool there = part->fd >= 0;

	if (!call)
		return;
	rep.which_body = Reply_gap_tag;
	rep.body.gap = (Gap) {
		.stream = stream,
		.from = part->from,
		.to = part->to,
		.log_inode = there ? part->inode : 0,
		.log_position = there ? part->position : 0,
		.log_offset = there ? part->offset : 0,
		.log_end = there ? part->end : 0,
	};
	call_progress(call, &rep, &part->fd, there ? 1 : 0);
}

void follow_input_end(void *arg, uint64_t taken)
{
	struct call *call = arg;
	Reply rep = Reply_init_zero;

	if (!call)
		return;
	rep.which_body = Reply_input_end_tag;
	rep.body.input_end.taken = taken;
	call_progress(call, &rep, NULL, 0);
}
