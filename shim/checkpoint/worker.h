/* SPDX-License-Identifier: Apache-2.0 */
/* Long work on files, done by a child of the shim so that the loop goes on. */
#ifndef THOLE_SHIM_CHECKPOINT_WORKER_H
#define THOLE_SHIM_CHECKPOINT_WORKER_H

#include <stddef.h>

#include "common/err.h"

struct event_base;
struct worker;

struct worker_task {
	/* In the child, which has only `fds` and is killed with the shim. */
	int (*run)(void *arg, struct err *err);
	/* From the loop, once the child has ended; err NULL: run() returned 0 or more. May free the worker. */
	void (*done_cb)(void *done_arg, const struct err *err);
	void *arg, *done_arg;
	const int *fds; /* what it keeps */
	size_t n_fds;
};

int worker_start(struct event_base *base, const struct worker_task *task, struct worker **ret, struct err *err);

/* SIGKILL; done_cb comes with an error. */
void worker_kill(struct worker *w);

/* Accepts NULL. One that runs is killed and waited for. */
void worker_free(struct worker *w);

#endif
