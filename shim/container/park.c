/* SPDX-License-Identifier: Apache-2.0 */
/* A container that has gone into an image and stays: its shim, its log, its groups and everybody who is attached wait for it to come back.
 *
 * Its pipes are kept as they are. While it is away the shim holds the ends that the container had too, so that nobody sees an end, and what was written or typed and is not read yet
 * stays where it is; coming back it gets these very ends. A terminal is a new one each time: the old master is read to its end first.
 *
 * Coming back is a creation of which most is there already. When it fails nothing has changed. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/event.h>
#include <json-c/json.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"

struct parked {
	int far[3];   /* the container's ends of its pipes; -1: none */
	dev_t dev;    /* of its image's directory: what it had not read belongs to that moment */
	ino_t ino;    /* 0: not known, or what is unread is another image's by now */
	char *path;   /* where the image was */
	bool settled; /* it is gone: before, it may still go on */
};

/* An exec'd process that went along. */
struct away {
	int far[3];
	bool expected; /* it comes back */
};

static void close_all(int fds[3])
{
	for (int i = 0; i < 3; i++)
		fd_close(&fds[i]);
}

static void parked_free(struct parked *p)
{
	if (!p)
		return;
	close_all(p->far);
	free(p->path);
	free(p);
}

void park_free(struct container *c)
{
	parked_free(c->parked);
	c->parked = NULL;
}

const char *park_image(const struct container *c)
{
	return c->parked && c->parked->path ? c->parked->path : "";
}

/* ---- exec'd processes that go along ---------------------------------------------------------------------------------------- */

void park_free_exec(struct process *p)
{
	if (!p->away)
		return;
	close_all(p->away->far);
	free(p->away);
	p->away = NULL;
}

static struct away *away_new(void)
{
	struct away *a = xcalloc(1, sizeof(*a));

	for (int i = 0; i < 3; i++)
		a->far[i] = -1;
	return a;
}

static int prepare_execs(struct container *c, struct err *err)
{
	struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	{
		if (!p->below_init || p->exited || p->pid <= 0)
			continue;
		p->away = away_new();
		if (p->relay && relay_open_far(p->relay, p->away->far, err) < 0)
			return -1;
		if (p->relay)
			relay_park(p->relay, false);
	}
	return 0;
}

static void abandon_execs(struct container *c)
{
	struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	{
		if (!p->away)
			continue;
		park_free_exec(p);
		if (p->relay)
			relay_unpark(p->relay);
		if (p->end)
			event_add(p->end, NULL); /* if that has come meanwhile it was taken for criu's doing */
	}
}

static void settle_execs(struct container *c)
{
	struct process *p;
	struct err err;

	LIST_FOREACH(p, &c->execs, link)
	{
		if (!p->away)
			continue;
		process_part(p);
		if (!p->relay)
			continue;
		relay_park(p->relay, true);
		if (state_save_process(c, p, &err) < 0)
			log_warn("container '%s': %s", c->id, err.text);
	}
}

struct process *park_expect_exec(struct container *c, const char *name, int ret_stdio[3])
{
	struct process *p = container_find(c, name);

	if (!p || !p->away)
		return NULL;
	p->away->expected = true;
	memcpy(ret_stdio, p->away->far, sizeof(p->away->far));
	return p;
}

static void forget_execs(struct container *c)
{
	struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	{
		if (!p->away)
			continue;
		p->away->expected = false;
		process_part(p);
	}
}

/* It will not come back: as if it had been killed now. */
static void end_exec(struct process *p)
{
	p->exit = (struct container_exit) {
		.known = true,
		.code = 128 + SIGKILL,
		.signal = SIGKILL,
		.time_ns = clock_wall_ns(),
	};
	park_free_exec(p);
	p->exited = true;
	if (p->relay) {
		relay_unpark(p->relay);
		relay_process_ended(p->relay);
	} else {
		p->drained = true;
	}
	process_news(p);
}

/* Those that are in the image are back. */
static int take_back_execs(struct container *c, struct err *err)
{
	struct process *p, *next;

	for (p = LIST_FIRST(&c->execs); p; p = next) {
		next = LIST_NEXT(p, link);
		if (!p->away)
			continue;
		if (!p->away->expected || p->pidfd < 0) {
			end_exec(p);
			continue;
		}
		park_free_exec(p);
		if (process_watch_end(p, err) < 0 || (p->relay && relay_come_back(p->relay, -1, err) < 0))
			return -1;
	}
	return 0;
}

/* ---- going ----------------------------------------------------------------------------------------------------------------- */

int park_check(const struct container *c, struct err *err)
{
	if (c->served || c->rec.foreign)
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot keep container '%s': it has no shim that stays (--leave-running lets it go on)",
			       c->id);
	if (!c->init.relay)
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot keep container '%s': its streams are its caller's (--leave-running lets it go "
			       "on)",
			       c->id);
	return 0;
}

static struct parked *parked_new(void)
{
	struct parked *p = xcalloc(1, sizeof(*p));

	for (int i = 0; i < 3; i++)
		p->far[i] = -1;
	return p;
}

int park_prepare(struct container *c, struct err *err)
{
	struct parked *p = parked_new();

	if (relay_open_far(c->init.relay, p->far, err) < 0) {
		parked_free(p);
		return -1;
	}
	c->parked = p;
	relay_park(c->init.relay, false);
	return prepare_execs(c, err);
}

void park_abandon(struct container *c)
{
	if (!c->parked)
		return;
	park_free(c);
	relay_unpark(c->init.relay);
	abandon_execs(c);
}

/* Nothing of it runs: what the record and state.json say of its init is over. */
static void forget_init(struct container *c)
{
	struct container_exit exit = c->init.exit;

	process_part(&c->init);
	c->init.exit = exit;
	c->rec.status = STATUS_CHECKPOINTED;
	c->rec.init_pid = 0;
	c->rec.init_start_time = c->rec.init_pidfd_inode = 0;
}

void park_settle(struct container *c, int images_fd)
{
	struct parked *p = c->parked;
	struct stat st;
	struct err err;

	p->settled = true;
	if (fstat(images_fd, &st) == 0) {
		p->dev = st.st_dev;
		p->ino = st.st_ino;
	}
	if (fd_path(images_fd, &p->path, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
	keep_end(c); /* whoever follows a shim that is killed now finds the image, not its streams */
	forget_init(c);
	relay_park(c->init.relay, true);
	settle_execs(c);
	if (state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

/* For one of whom nothing is here. */
static int await_with_new_streams(struct process *p, bool open_stdin, int ret_far[3], struct err *err)
{
	const struct oci_process *pr = &p->c->config->process;

	relay_park(p->relay, true);
	if (p->terminal)
		relay_use_pty(p->relay, -1);
	else if (relay_make_pipes(p->relay, true, open_stdin, pr->uid, pr->gid, ret_far, err) < 0)
		return -1;
	return relay_start(p->relay, err);
}

int park_adopt(struct container *c, const char *path, bool open_stdin, struct err *err)
{
	c->parked = parked_new();
	c->parked->settled = true;
	c->parked->path = path[0] ? xstrdup(path) : NULL;
	return await_with_new_streams(&c->init, open_stdin, c->parked->far, err);
}

int park_adopt_exec(struct process *p, bool open_stdin, struct err *err)
{
	p->below_init = true;
	p->away = away_new();
	return p->relay ? await_with_new_streams(p, open_stdin, p->away->far, err) : 0;
}

void park_end(struct container *c)
{
	struct relay *r = c->init.relay;
	struct process *p;

	LIST_FOREACH(p, &c->execs, link)
	if (p->away)
		end_exec(p);
	park_free(c);
	c->init.exited = true;
	c->rec.status = STATUS_STOPPED;
	relay_unpark(r);
	relay_process_ended(r);
	process_news(&c->init);
}

/* ---- what is in the image of their stdin ------------------------------------------------------------------------------------ */

void park_put_dumped(const struct process *p, struct json_object *o)
{
	size_t n = 0;
	const struct relay_dumped *v = p->relay ? relay_dumped(p->relay, &n) : NULL;
	struct json_object *list;

	json_object_object_del(o, "stdinDumped");
	if (n == 0)
		return;
	list = json_new_array();
	for (size_t i = 0; i < n; i++) {
		struct json_object *one = json_new_object();

		json_add(one, "pipe", json_new_uint64(v[i].pipe));
		json_add(one, "bytes", json_new_uint64(v[i].bytes));
		json_append(list, one);
	}
	json_add(o, "stdinDumped", list);
}

void park_load_dumped(struct process *p, struct json_object *o)
{
	struct json_object *list, *pipe, *bytes;
	struct relay_dumped *v;
	size_t n = 0;

	if (!p->relay || !json_object_object_get_ex(o, "stdinDumped", &list) ||
	    !json_object_is_type(list, json_type_array))
		return;
	v = xcalloc(json_object_array_length(list) + 1, sizeof(*v));
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (json_object_is_type(one, json_type_object) && json_object_object_get_ex(one, "pipe", &pipe) &&
		    json_object_object_get_ex(one, "bytes", &bytes))
			v[n++] = (struct relay_dumped) { json_object_get_uint64(pipe), json_object_get_uint64(bytes) };
	}
	relay_set_dumped(p->relay, v, n);
	free(v);
}

/* ---- coming back ----------------------------------------------------------------------------------------------------------- */

static int step_config(struct container *c, struct err *err)
{
	c->creation->bundle = xstrdup(c->rec.bundle);
	c->creation->rootfs = xstrdup(c->rec.rootfs);
	return load_config(c, err);
}

static int step_groups(struct container *c, struct err *err)
{
	return groups_make_again(c, err);
}

/* What of it has come back already goes again. */
static void undo_groups(struct container *c)
{
	struct err ignored;

	cgroup_kill_each(c->cgroup, SIGKILL, &ignored);
	groups_leave(c);
	forget_init(c);
	forget_execs(c);
	if (state_save(c, &ignored) < 0)
		log_warn("container '%s': %s", c->id, ignored.text);
}

static int step_streams(struct container *c, struct err *err)
{
	for (int i = 0; i < 3; i++)
		if (c->parked->far[i] >= 0 &&
		    (c->creation->child_stdio[i] = fcntl(c->parked->far[i], F_DUPFD_CLOEXEC, 0)) < 0)
			return err_sys(err, "cannot duplicate a descriptor");
	return 0;
}

static const struct create_step come_back_steps[] = {
	{ "config", step_config, NULL },
	{ "image", restore_read, NULL },
	{ "control groups", step_groups, undo_groups },
	{ "streams", step_streams, NULL },
	{ "criu", restore_start, restore_undo },
};

bool park_is_other_image(struct container *c)
{
	struct parked *p = c->parked;
	struct stat st;

	if (p->ino && (fstat(c->creation->params.fds.images_fd, &st) < 0 || st.st_dev != p->dev || st.st_ino != p->ino))
		p->ino = 0;
	return p->ino == 0;
}

int park_put_unread(struct process *p, const char *data, size_t len, int *ret_far, struct err *err)
{
	int *far = p == &p->c->init ? &p->c->parked->far[0] : &p->away->far[0], renewed = -1, r;

	if (*far < 0)
		return 0; /* a terminal */
	r = relay_renew_stdin(p->relay, *far, data, len, &renewed, err);
	if (renewed >= 0) {
		fd_close(far);
		*far = *ret_far = renewed;
	}
	return r;
}

int park_came_back(struct container *c, int *master_fd, struct err *err)
{
	/* Nothing is left to be undone once its streams are its own. */
	if (process_watch_end(&c->init, err) < 0 || groups_settle(c, err) < 0 ||
	    relay_come_back(c->init.relay, take_fd(master_fd), err) < 0 || take_back_execs(c, err) < 0)
		return -1;
	park_free(c);
	keep_again(c);
	return 0;
}

int container_restore(struct container *c, struct container_fds *fds, container_done_cb *done_cb, void *done_arg,
		      struct err *err)
{
	enum container_status status = container_status(c);

	if (c->creation || c->deletion.cb)
		return err_set(err, ERR_BUSY, "cannot restore container '%s': it is being %s", c->id,
			       c->creation ? "restored" : "deleted");
	if (status != STATUS_CHECKPOINTED)
		return err_set(err, ERR_STATE, "cannot restore container '%s': it is %s", c->id,
			       container_status_name(status));
	if (!c->parked)
		return err_set(err, ERR_STATE,
			       "cannot restore container '%s' in place: its shim has died (delete it, and restore it "
			       "with --bundle)",
			       c->id);
	return create_come_back(c, fds, come_back_steps, ARRAY_SIZE(come_back_steps),
				(struct pending) { done_cb, done_arg }, err);
}
