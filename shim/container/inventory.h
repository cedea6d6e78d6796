/* SPDX-License-Identifier: Apache-2.0 */
/* What a checkpoint finds in the container: whose processes are in it, and which of their streams come along. */
#ifndef THOLE_SHIM_CONTAINER_INVENTORY_H
#define THOLE_SHIM_CONTAINER_INVENTORY_H

#include "shim/checkpoint/descriptors.h"
#include "shim/checkpoint/execs.h"
#include "shim/container/container.h"
#include "shim/sandbox/cgroup.h"

struct inventory {
	struct descriptors streams; /* init's */
	size_t n_execs;             /* exec'd processes that come along */
	struct checkpoint_exec execs[EXECS_MAX];
};

/* Look at it, now. `shell_job`: a terminal of the caller's will be given another. ERR_BUSY: an exec'd process runs that would be lost, or somebody traces one; ERR_UNSUPPORTED: a stream leads to what
 * nobody can give back; ERR_LIMIT. Errors name the container. */
int inventory_take(const struct container *c, bool shell_job, struct inventory *ret, struct err *err);

/* From here on what those that come along have not read of their stdin stays there, whoever ends it. */
int inventory_hold_stdin(struct container *c, struct err *err);
void inventory_release_stdin(struct container *c);

/* Write what they have not read into the image in dir_fd. They are frozen, and held. */
int inventory_save_stdin(struct container *c, const struct inventory *inv, int dir_fd, struct err *err);

/* The exec'd processes that criu would not see: those in the groups that do not descend from init. Caller frees ret.v. */
struct cgroup_pids inventory_strangers(const struct container *c);

#endif
