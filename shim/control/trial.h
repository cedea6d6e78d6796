/* SPDX-License-Identifier: Apache-2.0 */
/* Trying out a shim's program: can it go on with the state of this one? */
#ifndef THOLE_SHIM_CONTROL_TRIAL_H
#define THOLE_SHIM_CONTROL_TRIAL_H

#include "common/err.h"

struct event_base;
struct trial;

struct trial_request {
	struct event_base *base;
	int exe_fd;            /* the program */
	int state_fd;          /* a memfd with the state, which it gets a copy of the descriptor of */
	const char *root, *id; /* of the container; borrowed for the call */
	void (*done_cb)(
		void *arg,
		const struct err *
			err); /* NULL: it can. From the loop, once, unless the trial is freed before, and may free it */
	void *arg;
};

/* Run `PROGRAM --state-fd 3 --check-state --root ROOT ID` as a child, with a deadline, with no other descriptor of ours. NULL: err is filled. */
struct trial *trial_new(const struct trial_request *req, struct err *err);

/* Accepts NULL. Kills and reaps what still runs. */
void trial_free(struct trial *t);

#endif
