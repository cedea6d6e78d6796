/* SPDX-License-Identifier: Apache-2.0 */
/* Ending a criu that is nobody's child any more.
 *
 * Runs in the shim that follows, before it does anything else with the container. criu does not see that the shim before has died until it has something to say to it, and an action script
 * that waits keeps it from that for ever. Killed while it runs code of its own in the container's processes it could not put them right again: so its scripts go first, which it takes for
 * their failure, and it lets go. It is the tracer of those processes exactly as long as that lasts. */
#include "shim/checkpoint/left.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/sandbox/cgroup.h"

#define LOOK_MS 50          /* there is no event for what it holds */
#define SCRIPTS_MS 10000    /* for those that it runs while it lets go */
#define LETTING_GO_MS 30000 /* then it is killed all the same */
#define DYING_MS 5000

/* Who is at it: criu, or the child that it makes a pre-dump in. */
static bool is_its(const struct criu_left *l, pid_t pid)
{
	struct proc_stat st;
	struct err gone;

	return pid == l->pid ||
	       (pid > 0 && proc_stat(pid, &st, &gone) == 0 && st.pgrp == l->pid && st.session == l->session);
}

/* Does it trace one of the container's? tracer 0: does criu, whichever of its processes. */
static bool traces_any(const struct criu_left *l, const struct cgroup *cg, pid_t tracer)
{
	struct cgroup_pids pids = { 0 };
	bool found = false;

	if (cg)
		pids = cgroup_pids(cg);
	for (size_t i = 0; i < pids.n && !found; i++) {
		pid_t by = proc_tracer(pids.v[i]);

		found = tracer ? by == tracer : is_its(l, by);
	}
	free(pids.v);
	return found;
}

struct scripts {
	const struct criu_left *l;
	const struct cgroup *cg;
};

static bool kill_one(pid_t pid, const struct proc_stat *st, void *arg)
{
	const struct scripts *s = arg;
	cleanup_fd int pidfd = -1;
	struct err ignored;

	if (pid != s->l->pid && st->session == s->l->session && !traces_any(s->l, s->cg, pid) &&
	    proc_pidfd_open(pid, st->start_time, &pidfd, &ignored) == 0)
		proc_pidfd_kill(pidfd, SIGKILL, &ignored);
	return false;
}

/* Whoever is in its process group, which has its number as long as one of them lives, but for itself and for who holds the container's. In that session nobody else has that number. */
static void kill_scripts(const struct criu_left *l, const struct cgroup *cg)
{
	proc_group_any(l->pid, kill_one, &(struct scripts) { l, cg });
}

static bool has_ended(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) > 0;
}

bool criu_left_lives(const struct criu_left *l)
{
	struct proc_stat st;
	struct err ignored;

	return l->pid && proc_stat(l->pid, &st, &ignored) == 0 && st.start_time == l->start_time &&
	       proc_stat_alive(&st);
}

void criu_left_end(const struct criu_left *l, const struct cgroup *cg)
{
	cleanup_fd int pidfd = -1;
	struct err err;

	if (!l->pid)
		return;
	if (proc_pidfd_open(l->pid, l->start_time, &pidfd, &err) < 0)
		log_debug("criu: %s", err.text);
	kill_scripts(l, cg);
	for (int waited = 0; pidfd >= 0 && waited < LETTING_GO_MS && traces_any(l, cg, 0); waited += LOOK_MS) {
		if (has_ended(pidfd, LOOK_MS))
			break;
		if (waited >= SCRIPTS_MS)
			kill_scripts(l, cg);
	}
	if (pidfd < 0 || has_ended(pidfd, 0))
		return;
	if (proc_pidfd_kill(pidfd, SIGKILL, &err) < 0 || !has_ended(pidfd, DYING_MS))
		log_warn("criu, process %d, does not end", (int)l->pid);
	kill_scripts(l, NULL);
}
