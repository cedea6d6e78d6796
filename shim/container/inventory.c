/* SPDX-License-Identifier: Apache-2.0 */
/* What a checkpoint finds in the container, looked at before anything is frozen. */
#include "shim/container/inventory.h"

#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/checkpoint/image.h"
#include "shim/container/container_internal.h"
#include "shim/container/streams.h"

/* ---- whose processes -------------------------------------------------------------------------------------------------------- */

/* criu dumps init and what descends from it. Who is in the groups and does not was exec'd. */
static bool descends(pid_t pid, pid_t init)
{
	struct proc_stat st;
	struct err ignored;

	while (pid > 1 && pid != init) {
		if (proc_stat(pid, &st, &ignored) < 0)
			return true; /* it has just ended */
		pid = st.ppid;
	}
	return pid == init;
}

static bool lives(pid_t pid)
{
	struct proc_stat st;
	struct err ignored;

	return proc_stat(pid, &st, &ignored) == 0 && proc_stat_alive(&st);
}

/* Keeps those of `pids` that descend from init, and gives the others. */
static struct cgroup_pids take_strangers(struct cgroup_pids *pids, pid_t init)
{
	struct cgroup_pids execs = { 0 };
	size_t n = 0;

	execs.v = xcalloc(pids->n + 1, sizeof(*execs.v));
	for (size_t i = 0; i < pids->n; i++)
		if (descends(pids->v[i], init))
			pids->v[n++] = pids->v[i];
		else if (lives(pids->v[i]))
			execs.v[execs.n++] = pids->v[i];
	pids->n = n;
	return execs;
}

static int refuse_exec(const struct container *c, pid_t pid, struct err *err)
{
	const struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	if (p->pid == pid && !p->exited)
		return err_set(err, ERR_BUSY,
			       "cannot checkpoint container '%s': the exec'd process '%s' (pid %d) runs, which would "
			       "be lost (--drop-execs kills it)",
			       c->id, p->name, (int)pid);
	return err_set(
		err, ERR_BUSY,
		"cannot checkpoint container '%s': the exec'd process %d runs, which would be lost (--drop-execs "
		"kills it)",
		c->id, (int)pid);
}

struct cgroup_pids inventory_strangers(const struct container *c)
{
	struct cgroup_pids pids = cgroup_pids(c->cgroup), strangers = take_strangers(&pids, c->init.pid);

	free(pids.v);
	return strangers;
}

/* criu traces them itself: one that is somebody else's it calls a zombie, after ten seconds in which all of them stand still. */
static int refuse_traced(const struct container *c, const struct cgroup_pids *pids, struct err *err)
{
	for (size_t i = 0; i < pids->n; i++) {
		pid_t tracer = proc_tracer(pids->v[i]);

		if (tracer != 0)
			return err_set(
				err, ERR_BUSY,
				"cannot checkpoint container '%s': process %d is being traced by process %d, and "
				"criu would have to trace it",
				c->id, (int)pids->v[i], (int)tracer);
	}
	return 0;
}

/* ---- what of them leads outside --------------------------------------------------------------------------------------------- */

static void note_streams(const struct process *p, struct descriptors *ret)
{
	for (int i = 0; i < 3; i++)
		streams_key(p, (Stream)i, ret->key[i]);
	/* Closed by whoever wrote to it: what is in the pipe is the container's own then, and criu's to keep. */
	if (p->relay && !relay_is_tty(p->relay) && !relay_has_input(p->relay))
		snprintf(ret->key[0], sizeof(ret->key[0]), "/dev/null");
}

/* Those that descend from init. */
static int note_execs(const struct container *c, struct inventory *inv, struct err *err)
{
	const struct process *p;

	inv->n_execs = 0;
	LIST_FOREACH(p, &c->execs, link)
	{
		struct checkpoint_exec *e = &inv->execs[inv->n_execs];

		if (!p->below_init || p->exited || p->pid <= 0)
			continue;
		if (inv->n_execs == EXECS_MAX)
			return err_set(err, ERR_LIMIT,
				       "cannot checkpoint container '%s': more than %d exec'd processes run in it",
				       c->id, EXECS_MAX);
		*e = (struct checkpoint_exec) { .pid = proc_inner_pid(p->pid) };
		snprintf(e->name, sizeof(e->name), "%.*s", EXECS_NAME_MAX - 1, p->name);
		note_streams(p, &e->streams);
		inv->n_execs++;
	}
	return 0;
}

static int check_descriptors(const struct container *c, const struct inventory *inv, const struct cgroup_pids *pids,
			     struct err *err)
{
	struct descriptors all[1 + EXECS_MAX] = { inv->streams };

	for (size_t i = 0; i < inv->n_execs; i++)
		all[1 + i] = inv->execs[i].streams;
	if (descriptors_check(all, 1 + inv->n_execs, pids->v, pids->n, err) < 0)
		return err_add(err, "cannot checkpoint container '%s'", c->id);
	return 0;
}

/* Can what the caller has passed on be given back by somebody else? */
static bool can_be_passed_again(const char *key)
{
	return !key[0] || descriptors_is_pipe(key) || descriptors_is_tty(key) || !strcmp(key, "/dev/null") ||
	       !strcmp(key, "tty");
}

/* Streams that are the caller's own: pipes, and a terminal when that is allowed. */
static int check_passed(const struct container *c, bool shell_job, struct inventory *inv, struct err *err)
{
	static const char *const names[] = { "stdin", "stdout", "stderr" };

	for (size_t i = 0; !c->init.relay && i < ARRAY_SIZE(names); i++) {
		char *key = inv->streams.key[i], tty[DESCRIPTORS_KEY_MAX];
		bool is_tty = !can_be_passed_again(key) && descriptors_tty_key(key, tty);

		if (is_tty && shell_job)
			memcpy(key, tty, sizeof(tty));
		if (can_be_passed_again(key))
			continue;
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot checkpoint container '%s': its %s is its caller's '%s', %s", c->id, names[i],
			       key, is_tty ? "a terminal (--shell-job: it will be given another)" : "which is no pipe");
	}
	return 0;
}

int inventory_take(const struct container *c, bool shell_job, struct inventory *ret, struct err *err)
{
	struct cgroup_pids pids = cgroup_pids(c->cgroup), strangers = take_strangers(&pids, c->init.pid);
	int r = 0;

	note_streams(&c->init, &ret->streams);
	if (strangers.n > 0)
		r = refuse_exec(c, strangers.v[0], err);
	if (r == 0)
		r = refuse_traced(c, &pids, err);
	if (r == 0)
		r = check_passed(c, shell_job, ret, err);
	if (r == 0)
		r = note_execs(c, ret, err);
	if (r == 0)
		r = check_descriptors(c, ret, &pids, err);
	free(pids.v);
	free(strangers.v);
	return r;
}

/* ---- what they have not read ------------------------------------------------------------------------------------------------ */

int inventory_hold_stdin(struct container *c, struct err *err)
{
	struct process *p;

	if (c->init.relay && relay_hold_stdin(c->init.relay, err) < 0)
		return -1;
	LIST_FOREACH(p, &c->execs, link)
	if (p->relay && p->below_init && relay_hold_stdin(p->relay, err) < 0)
		return -1;
	return 0;
}

void inventory_release_stdin(struct container *c)
{
	struct process *p;

	if (c->init.relay)
		relay_release_stdin(c->init.relay);
	LIST_FOREACH(p, &c->execs, link)
	if (p->relay)
		relay_release_stdin(p->relay);
}

static int save_stdin(const struct process *p, const struct descriptors *streams, int dir_fd, const char *file,
		      struct err *err)
{
	cleanup_free char *data = NULL;
	size_t len = 0;

	if (!p || !p->relay || !descriptors_is_pipe(streams->key[0]))
		return 0;
	if (relay_copy_unread(p->relay, &data, &len, err) < 0)
		return -1;
	return fd_replace_file_at(dir_fd, file, data, len, 0600, err);
}

int inventory_save_stdin(struct container *c, const struct inventory *inv, int dir_fd, struct err *err)
{
	if (save_stdin(&c->init, &inv->streams, dir_fd, IMAGE_STDIN, err) < 0)
		return -1;
	for (size_t i = 0; i < inv->n_execs; i++) {
		cleanup_free char *file = image_stdin_of(inv->execs[i].name);

		if (save_stdin(container_find(c, inv->execs[i].name), &inv->execs[i].streams, dir_fd, file, err) < 0)
			return -1;
	}
	return 0;
}
