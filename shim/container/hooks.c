/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks of a container: which ones, with what state, and what follows. */
#include <string.h>

#include "common/fd.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/hook.h"

struct hooking {
	struct container *c;
	pid_t pid;
	int fd;
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

	c->hooking = NULL;
	hooks_free(h);
	done_cb(c, r < 0 ? &err : NULL);
}

int hooks_run(struct container *c, const char *kind, const char *status, container_done_cb *done_cb, struct err *err)
{
	const struct oci_hooks *hooks = !c->config                   ? NULL
					: !strcmp(kind, "poststart") ? &c->config->poststart
								     : &c->config->poststop;
	cleanup_free char *state = NULL;
	struct hooking *h;

	if (!hooks || hooks->n == 0)
		return 1;
	state = state_oci_json(c, status);
	h = xcalloc(1, sizeof(*h));
	*h = (struct hooking) { .c = c, .fd = -1, .done_cb = done_cb };
	if (hook_start(&(struct hook_run) { .hooks = hooks,
					    .kind = kind,
					    .state = state,
					    .cwd = c->rec.bundle,
					    .close_first = c->lock_fd },
		       &h->pid, &h->fd, err) < 0) {
		hooks_free(h);
		return -1;
	}
	h->event = event_new(c->base, h->fd, EV_READ, through_cb, h);
	if (!h->event || event_add(h->event, NULL) < 0)
		fatal("out of memory");
	c->hooking = h;
	return 0;
}
