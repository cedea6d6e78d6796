/* SPDX-License-Identifier: Apache-2.0 */
/* The client that follows a process in the foreground, over the death of the shim.
 *
 * It holds the process back while it does not read, so it may expect to get everything. What the dead shim had read and not given to it is in a file (unlogged.h), what is in the
 * pipes nobody reads before it is back: it comes by itself, as soon as it has taken what its own pipes hold. A client that does not come back ends, and its pidfd tells. */
#include "shim/container/follower.h"

#include <json-c/json.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"

void follower_release(struct follower *f)
{
	if (f->end)
		event_free(f->end);
	f->end = NULL;
	fd_close(&f->pidfd);
}

void follower_note(struct process *p, pid_t pid)
{
	struct proc_stat st;
	struct err ignored;

	follower_release(&p->follower);
	p->follower = (struct follower) { .pidfd = -1 };
	if (pid <= 0 || proc_stat(pid, &st, &ignored) < 0)
		return;
	p->follower.pid = pid;
	p->follower.start_time = st.start_time;
}

static void died_cb(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;

	follower_release(&p->follower);
	p->follower.pid = 0;
	relay_await_no_more(p->relay);
}

/* ret_*: untouched where there is none. */
static void load_client(struct json_object *o, const char *key, pid_t *ret_pid, uint64_t *ret_start_time)
{
	struct json_object *client, *pid, *start;

	if (!json_object_object_get_ex(o, key, &client) || !json_object_is_type(client, json_type_object) ||
	    !json_object_object_get_ex(client, "pid", &pid) || !json_object_object_get_ex(client, "startTime", &start))
		return;
	*ret_pid = (pid_t)json_object_get_int64(pid);
	*ret_start_time = json_object_get_uint64(start);
}

void follower_load(struct process *p, struct json_object *o)
{
	struct json_object *owner;

	if (!json_object_is_type(o, json_type_object))
		return;
	if (json_object_object_get_ex(o, "stdinOwner", &owner) && state_lives(owner))
		load_client(o, "stdinOwner", &p->stdin_owner.pid, &p->stdin_owner.start_time);
	load_client(o, "client", &p->follower.pid, &p->follower.start_time);
}

/* False: it is dead, or there was none. */
static bool watch(struct process *p)
{
	struct follower *f = &p->follower;
	struct err ignored;

	if (f->pid <= 0 || !f->start_time || proc_pidfd_open(f->pid, f->start_time, &f->pidfd, &ignored) < 0) {
		f->pid = 0;
		return false;
	}
	f->end = event_new(p->c->base, f->pidfd, EV_READ, died_cb, p);
	if (!f->end || event_add(f->end, NULL) < 0)
		fatal("out of memory");
	return true;
}

void follower_expect(struct process *p, struct json_object *o, struct unlogged_rest rest[2])
{
	follower_load(p, o);
	if (p->relay && p->stdin_owner.pid)
		relay_await_owner(p->relay, p->stdin_owner.pid, p->stdin_owner.start_time);
	if (p->relay && watch(p))
		relay_await(p->relay, rest);
	for (int i = 0; i < 2; i++)
		unlogged_rest_release(&rest[i]);
}

/* Of one that has ended: the streams that nobody else had any more, so that they are not read here. */
static unsigned int unread_streams(const struct process *p)
{
	unsigned int ret = 0;
	uint64_t ignored;

	if (relay_is_away(p->relay, 0, &ignored))
		return 0; /* it has not ended: a terminal will come with it */
	for (int i = STREAM_STDOUT; i <= STREAM_STDERR && process_is_dying(p); i++)
		if (relay_fd(p->relay, (Stream)i) < 0)
			ret |= 1U << i;
	return ret;
}

int follower_return(struct container *c, const struct follower_request *req, struct relay_ends *ret_ends,
		    struct relay_client **ret_client, struct follower_answer *ret, struct err *err)
{
	struct process *p = container_find(c, req->name);
	unsigned int unread;
	struct err unsaid;

	*ret_ends = (struct relay_ends) { -1, -1, -1 };
	*ret_client = NULL;
	*ret = (struct follower_answer) { 0 };
	if (!p)
		return err_set(err, ERR_NOT_FOUND, "container '%s' has no process '%s'", c->id, req->name);
	if (!p->relay)
		return 0;
	unread = unread_streams(p);
	/* An older client would not read its own pipes after ours: it lacks a little, not all. */
	if (unread == (1U << STREAM_STDOUT | 1U << STREAM_STDERR) && !req->holds) {
		relay_await_no_more(p->relay);
		return 0;
	}
	if (relay_attach(p->relay, RELAY_FOREGROUND, req->pid, req->with_stdin, req->client_arg, ret_ends, ret_client,
			 err) < 0)
		return -1;
	ret->seamless = relay_awaits(p->relay);
	ret->then_held = unread;
	relay_client_returns(*ret_client, req->had[0], req->had[1]);
	follower_note(p, req->pid);
	if (state_save_process(c, p, &unsaid) < 0)
		log_warn("container '%s': %s", c->id, unsaid.text);
	return 0;
}

/* pid 0: nobody. */
static void put_client(struct json_object *o, const char *key, pid_t pid, uint64_t start_time)
{
	struct json_object *client;

	json_object_object_del(o, key);
	if (!pid)
		return;
	client = json_new_object();
	json_add(client, "pid", json_new_int64(pid));
	json_add(client, "startTime", json_new_uint64(start_time));
	json_add(o, key, client);
}

void follower_note_owner(struct container *c, pid_t pid)
{
	struct process *p = &c->init;
	struct proc_stat st;
	struct err err;

	if (pid <= 0 || proc_stat(pid, &st, &err) < 0)
		return;
	p->stdin_owner.pid = pid;
	p->stdin_owner.start_time = st.start_time;
	if (state_save_process(c, p, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

void follower_put(const struct process *p, struct json_object *o)
{
	put_client(o, "stdinOwner", p->stdin_owner.pid, p->stdin_owner.start_time);
	put_client(o, "client", p->follower.pid, p->follower.start_time);
}
