/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's side of the keeper (keeper.h): starting one, telling it, and taking over what one holds. */
#ifndef THOLE_SHIM_STDIO_KEEPING_H
#define THOLE_SHIM_STDIO_KEEPING_H

#include <stddef.h>

#include "common/proc.h"
#include "shim/stdio/keeper.h"

struct keeper_launch {
	int exe_fd;    /* thole-keeper, sealed */
	int listen_fd; /* ROOT/ID/keeper */
	const char *root, *id;
	const struct proc_limits *limits; /* those that it has, and the shim that it starts */
};

/* Start one; it holds nothing yet. It becomes a child of our own parent, so that nobody here has to wait for it. Descriptors stay the caller's. ret_fd: the connection to it, whose end is
 * its death. Returns once it is executed. */
int keeper_launch(const struct keeper_launch *p, int *ret_fd, struct err *err);

/* fd: for KEEPER_HOLD, stays the caller's; else -1. `slot`: of enum keeper_slot, or from KEEPER_TERMINAL on. Of one that is dead the connection tells. One that is behind is waited for, a moment. */
void keeper_tell(int keeper_fd, enum keeper_word word, uint32_t slot, int fd);

struct keeper_terminal {
	uint32_t process; /* the number of an exec'd one */
	int fd;
};

/* What a keeper holds; -1 where there is nothing. */
struct keeper_held {
	int fd[KEEPER_SLOTS];
	struct keeper_terminal *terminals;
	size_t n_terminals;
};
void keeper_held_init(struct keeper_held *h);
void keeper_held_release(struct keeper_held *h);

/* Become the shim of the keeper of this state directory. ret_held has been initialized, and is untouched on failure. ERR_GONE: there is none. Waits for its answer, at most two seconds. */
int keeper_take(int dir_fd, struct keeper_held *ret_held, int *ret_fd, struct err *err);

#endif
