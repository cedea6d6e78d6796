/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as events: which ones the client takes in hand, and reading them one by one. */
#ifndef THOLE_CLIENT_SIGNALS_H
#define THOLE_CLIENT_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#include "common/err.h"

enum signals_for {
	SIGNALS_FOREGROUND, /* everything that is to reach the container of a foreground run */
	SIGNALS_ATTACHED,   /* the same without SIGHUP: a terminal that hangs up is not the container's */
	SIGNALS_OWN,        /* everything that is for ourselves */
	SIGNALS_WINDOW,     /* only what concerns the terminal */
};

/* Block the signals and make a signalfd of them (close-on-exec, non-blocking). Not taken: what stops and what kills for a fault of our own, SIGCHLD, SIGURG, SIGPIPE, and of what the
 * caller ignores SIGHUP (nohup(1)), with SIGNALS_OWN all; the others are for the container to ignore, as with runc: a shell starts what is in its background with SIGINT and SIGQUIT ignored.
 * SIGWINCH and SIGCONT are always taken. */
int signals_open(enum signals_for what, int *ret_fd, struct err *err);

/* The next one, 0 when there is none. */
int signals_next(int fd);

/* End the process as `sig` would have, if nobody had taken it in hand. */
void signals_die(int sig) __attribute__((noreturn));

#endif
