/* SPDX-License-Identifier: Apache-2.0 */
/* The server of lazy pages: a `criu lazy-pages` that brings a restored container's memory in while that runs already. */
#ifndef THOLE_SHIM_CHECKPOINT_LAZY_H
#define THOLE_SHIM_CHECKPOINT_LAZY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct event_base;
struct lazy;

#define LAZY_SOCKET "lazy-pages.socket" /* criu's name for it, in the work directory of both */
#define LAZY_LOG "lazy-pages.log"

/* Called from the loop. */
struct lazy_ops {
	/* It listens: criu can be asked for the restore. */
	void (*ready_cb)(void *arg);
	/* It has ended. err NULL: all of the memory is in its place. Else, unless nothing has been restored, what is left of it is lost. May free it. */
	void (*end_cb)(void *arg, const struct err *err);
};

/* What it is given; everything is borrowed for the call. */
struct lazy_program {
	const char *path;    /* of criu, absolute */
	int images_fd;       /* the image */
	int work_fd;         /* where its socket and its log go: nobody else's */
	const char *address; /* of the page server that has the memory; NULL: the image itself */
	int port;
	const int *close_first; /* what a child's copy would keep: the lock */
	size_t n_close_first;
};

/* Start it, as our child, but not to end with us: the container would lose its memory. ret is the caller's. */
int lazy_start(struct event_base *base, const struct lazy_program *program, const struct lazy_ops *ops, void *arg,
	       struct lazy **ret, struct err *err);

/* From now on have what the server has of the container's memory (its userfaultfds) too, as long as that is needed: when it dies whoever waits for a page goes on waiting, and does not find
 * zeros there. */
void lazy_hold(struct lazy *l);

/* Does it work? Accepts NULL. */
bool lazy_runs(const struct lazy *l);

/* The shim before was killed within a restore: a server that waits in this work directory for a criu that will not come any more ends. Does not wait for that. */
void lazy_dismiss(int work_fd);

/* Accepts NULL. One that runs is killed. Who still waits for a page, and has not been killed before, then finds zeros. */
void lazy_free(struct lazy *l);

#endif
