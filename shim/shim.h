/* SPDX-License-Identifier: Apache-2.0 */
/* All that one shim is: what a later program that takes over would have to know. */
#ifndef THOLE_SHIM_SHIM_H
#define THOLE_SHIM_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/upgrade.pb-c.h"

struct container;
struct event;
struct event_base;
struct server;
struct upgrade_guard;

enum shim_mode { SHIM_LAUNCH, SHIM_SERVE, SHIM_EXEC, SHIM_ADOPT, SHIM_UNDO, SHIM_UPGRADED, SHIM_CHECK_STATE };

struct shim {
	enum shim_mode mode;
	const char *root_path, *id; /* of the command line */
	bool debug, json_log;
	int log_fd;
	int seal_fd;                 /* the mount that our executable is seen through: only to be closed */
	int keeper_fd;               /* the keeper's program */
	int caller_fd;               /* its /proc/self/cgroup, when we were not born in the same groups */
	int state_fd;                /* what another program has left, or a copy of it */
	int old_fd;                  /* that program, to go back to */
	struct upgrade_guard *guard; /* until nothing leads back there */
	bool keeper_came;            /* with the upgrade: keeper_fd */
	const char *because;         /* we are that program: why the other could not go on */
	Saved__Shim *saved;
	int control_fd; /* the socket of whoever started us */
	int root_fd;
	char *caller_cgroup;
	struct event_base *base;
	struct container *container;
	struct server *server;
	int hangup_fd; /* signalfd of SIGHUP */
	struct event *hangup;
	struct event *tidy; /* runs when nothing has happened for a while */
	int epoll_fd;       /* of base, borrowed; -1: unknown */
	uint64_t moved;     /* container_moved() at the last look */
	bool idle;          /* nothing is due: wait outside the loop */
	bool lean;          /* has given back what the start alone needed */
	bool leaving;
};

#endif
