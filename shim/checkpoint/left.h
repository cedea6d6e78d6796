/* SPDX-License-Identifier: Apache-2.0 */
/* A criu in the middle of a dump whose shim was killed. */
#ifndef THOLE_SHIM_CHECKPOINT_LEFT_H
#define THOLE_SHIM_CHECKPOINT_LEFT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;

struct criu_left {
	pid_t pid; /* and the number of its process group; 0: there is none */
	pid_t session;
	uint64_t start_time;
};

bool criu_left_lives(const struct criu_left *l);

/* End it, and its action scripts with it. `cg` (NULL: none) has the processes that it dumps. It is let go by itself as long as it holds any of them, at most half a minute. Waits for its end. */
void criu_left_end(const struct criu_left *l, const struct cgroup *cg);

#endif
