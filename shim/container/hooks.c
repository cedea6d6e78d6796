/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks of a container: which ones, with what state, and what follows. */
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/container/container_internal.h"
#include "shim/oci/names.h"
#include "shim/sandbox/hook.h"

struct hooking {
	struct container *c;
	enum oci_hook_kind kind;
	pid_t pid;
	int fd;
	bool given_up;
	struct event *event;
	container_done_cb *done_cb;
};

void hooks_free(struct hooking *h)
{
	if (!h)
		return;
	if (h->event)
		event_free(h->event);
	fd_close(&h->fd);
	free(h);
}

static void through_cb(evutil_socket_t fd, short what, void *arg)
{
	struct hooking *h = arg;
	struct container *c = h->c;
	container_done_cb *done_cb = h->done_cb;
	struct err err;
	int r = hook_result(h->pid, h->fd, &err);

	if (r < 0 && h->given_up)
		err_set(&err, ERR_STATE, "its %s hooks were ended with it", oci_hook_name(h->kind));
	c->hooking = NULL;
	hooks_free(h);
	done_cb(c, r < 0 ? &err : NULL);
}

/* 1: there are none. */
static int start(struct container *c, enum oci_hook_kind kind, const char *status, pid_t *ret_pid, int *ret_fd,
		 struct err *err)
{
	const struct oci_hooks *hooks = c->config ? &c->config->hooks[kind] : NULL;
	cleanup_free char *state = NULL;

	if (!hooks || hooks->n == 0)
		return 1;
	state = state_oci_json(c, c->config, status);
	return hook_start(
		&(struct hook_run) { .hooks = hooks,
				     .kind = oci_hook_name(kind),
				     .state = state,
				     .cwd = c->rec.bundle,
				     .close_first = c->lock_fd,
				     .limits = &c->limits,
				     /* The specification: those behind a failing one go on as if it had succeeded. */
				     .every = kind == OCI_HOOK_POSTSTOP },
		ret_pid, ret_fd, err);
}

void hooks_cancel(struct container *c)
{
	if (!c->hooking)
		return;
	hook_kill(c->hooking->pid);
	hooks_free(c->hooking);
	c->hooking = NULL;
}

void hooks_fail(struct container *c)
{
	if (!c->hooking)
		return;
	c->hooking->given_up = true;
	hook_kill(c->hooking->pid);
}

void hooks_leave(struct container *c)
{
	struct err err;
	int fd = -1;
	pid_t pid;

	if (start(c, OCI_HOOK_POSTSTOP, "stopped", &pid, &fd, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
	fd_close(&fd);
}

int hooks_run(struct container *c, enum oci_hook_kind kind, const char *status, container_done_cb *done_cb,
	      struct err *err)
{
	struct hooking *h = xcalloc(1, sizeof(*h));
	int n;

	*h = (struct hooking) { .c = c, .kind = kind, .fd = -1, .done_cb = done_cb };
	n = start(c, kind, status, &h->pid, &h->fd, err);
	if (n != 0) {
		hooks_free(h);
		return n;
	}
	h->event = event_new(c->base, h->fd, EV_READ, through_cb, h);
	if (!h->event || event_add(h->event, NULL) < 0)
		fatal("out of memory");
	c->hooking = h;
	return 0;
}
