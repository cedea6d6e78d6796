/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the service manager of whoever started us, as sd_notify(3) does, and letting the container tell it something.
 *
 * The shim is the unit's main process: MAINPID is its own pid, and nothing from inside can name another. */
#ifndef THOLE_SHIM_CONTAINER_SDNOTIFY_H
#define THOLE_SHIM_CONTAINER_SDNOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "proto/control.pb.h" /* enum SdNotify */
#include "proto/upgrade.pb-c.h"
#include "shim/oci/config.h"

struct event_base;
struct sdnotify;

struct sdnotify_request {
	SdNotify mode;
	const char *manager;    /* its socket: a path, or '@' and an abstract name */
	uint64_t watchdog_usec; /* 0: none */
};

/* SD_NOTIFY_CONTAINER: makes the socket notify.sock in the state directory, which config gets as a mount at /run/notify/notify.sock with NOTIFY_SOCKET (and
 * WATCHDOG_USEC) in the environment of its process. ret is NULL when nobody is to be told anything. Caller frees with sdnotify_free(); the socket's file goes
 * with the directory. ERR_CONFIG: the config has its own. */
int sdnotify_new(struct event_base *base, int dir_fd, const struct sdnotify_request *r, struct oci_config *config,
		 struct sdnotify **ret, struct err *err);

/* That socket is there, whoever has made it: config.json, which is read from the state directory again, lacks its mount. */
bool sdnotify_has_socket(int dir_fd);
int sdnotify_add_again(int dir_fd, struct oci_config *config, struct err *err);

/* Into the directory of an image, for who restores it. */
int sdnotify_note(int dir_fd, int images_fd, struct err *err);

/* A container that comes out of an image which has that: it gets the mount again, with a socket that `n` listens to; NULL, or in a user namespace: with what nobody does. A config that has a
 * mount of its own there keeps that. */
int sdnotify_come_back(struct sdnotify *n, struct event_base *base, int dir_fd, int images_fd,
		       struct oci_config *config, struct err *err);

void sdnotify_free(struct sdnotify *n); /* accepts NULL, as the others */

/* The container is there, and soon its program: MAINPID, before anything from inside. */
void sdnotify_created(struct sdnotify *n);

/* The program runs. */
void sdnotify_runs(struct sdnotify *n);

/* After the container's end: has all that it said been sent? False: through_cb comes when it is, from the loop, and then one asks again. Of a manager that does not take it, and of
 * somebody who says more and more, true after some seconds. */
bool sdnotify_is_through(struct sdnotify *n, void (*through_cb)(void *arg), void *arg);

/* For the program that follows this one, the caller's; NULL for NULL. And back, of what has been judged (saved.h). */
Saved__Notifying *sdnotify_save(const struct sdnotify *n);
int sdnotify_resume(struct event_base *base, const Saved__Notifying *s, struct sdnotify **ret, struct err *err);

/* What of a message from inside may pass, at most `size` bytes, into `to`; returns its length. One NUL at its end is no part of it. For the unit test. */
size_t sdnotify_filter(const char *message, size_t len, char *to, size_t size);

#endif
