/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpointing a container: what is refused before anything is frozen, criu at its work, and what follows from how that ends.
 *
 * criu freezes and thaws by itself. When it is killed the group may be left frozen and the network locked: then that is for us to undo. Whatever happens before its word
 * "post-dump" leaves the container running, and the image that was there before as it was. */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/proc.h"
#include "shim/checkpoint/criu.h"
#include "shim/checkpoint/descriptors.h"
#include "shim/checkpoint/execs.h"
#include "shim/checkpoint/image.h"
#include "shim/checkpoint/lazy.h"
#include "shim/checkpoint/locks.h"
#include "shim/checkpoint/netlock.h"
#include "shim/checkpoint/pageserver.h"
#include "shim/checkpoint/tcprepair.h"
#include "shim/checkpoint/options.h"
#include "shim/checkpoint/veth.h"
#include "shim/container/container_internal.h"
#include "shim/container/departing.h"
#include "shim/container/inventory.h"
#include "shim/container/precopy.h"
#include "shim/container/sdnotify.h"
#include "shim/container/sealing.h"
#include "shim/container/streams.h"
#include "shim/sandbox/cgroup.h"

#define REAP_MS 2500 /* how long its pid namespace, if that is not its own, may take for the zombies */

/* An exec'd process that is to be gone before criu looks. */
struct dropped {
	struct checkpointing *k;
	int pidfd;
	struct event *end;
};

struct checkpointing {
	struct container *c;
	struct checkpoint_options options;
	struct container_fds fds;
	int new_fd; /* the directory of the dump's files, below fds.images_fd */
	struct inventory inventory;
	struct precopy *precopy; /* before it; NULL: it is not asked for */
	struct criu *criu;
	bool was_paused;       /* and is to be so afterwards */
	bool locked;           /* criu was about to lock the network */
	bool unlocked;         /* it was told not to, since there was no connection */
	bool again, must_lock; /* but there is one now: all of it once more, with a lock */
	bool inside;   /* criu runs code of its own in its processes: killed now it could not put them right again */
	bool given_up; /* criu is to be told so when it asks next */
	bool complete; /* "post-dump": too late to give up */
	bool taken;    /* init has ended, after that */
	struct sealing *sealing; /* of a set: NULL: it is none */
	bool criu_failed;        /* and not because of us */
	bool over;               /* criu has ended while the image was being sealed: why */
	struct err why;
	struct departing *departing; /* those whose numbers are to be free; NULL: they go with their namespace */
	size_t n_dropped, n_dropping;
	struct dropped *dropped;
	struct pending done;
	container_note_cb *note_cb; /* with the argument of done; NULL: nobody wants to hear it */
};

static void free_dropped(struct checkpointing *k)
{
	for (size_t i = 0; i < k->n_dropped; i++) {
		if (k->dropped[i].end)
			event_free(k->dropped[i].end);
		fd_close(&k->dropped[i].pidfd);
	}
	free(k->dropped);
	k->dropped = NULL;
	k->n_dropped = k->n_dropping = 0;
}

void checkpoint_free(struct checkpointing *k)
{
	if (!k)
		return;
	inventory_release_stdin(k->c);
	criu_free(k->criu);
	precopy_free(k->precopy);
	sealing_free(k->sealing);
	departing_free(k->departing);
	free_dropped(k);
	checkpoint_options_release(&k->options);
	container_fds_release(&k->fds);
	fd_close(&k->new_fd);
	free(k);
}

static int work_fd(const struct checkpointing *k)
{
	return k->fds.work_fd >= 0 ? k->fds.work_fd : k->fds.images_fd;
}

/* Is it to stay, without processes, until it is restored? */
static bool stays(const struct checkpointing *k)
{
	return k->options.stay && !k->options.leave_running;
}

bool checkpoint_takes_end(struct checkpointing *k)
{
	if (!k || !k->complete || !stays(k))
		return false;
	k->taken = true;
	return true;
}

/* ---- the end --------------------------------------------------------------------------------------------------------------- */

static void note_dump(struct container *c, char *path)
{
	struct err err;

	free(c->dumping);
	c->dumping = path;
	c->dumper = (struct criu_left) { 0 };
	c->dumper_serves = false;
	if (!c->removed && state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

static void note_serving(struct container *c)
{
	struct err err;

	c->dumper_serves = true;
	if (state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

void checkpoint_end_repair(const struct container *c)
{
	struct cgroup_pids pids = c->cgroup ? cgroup_pids(c->cgroup) : (struct cgroup_pids) { 0 };

	tcprepair_end(pids.v, pids.n);
	free(pids.v);
}

static void finish(struct container *c, const struct err *err)
{
	struct pending done = c->checkpointing->done;

	checkpoint_free(c->checkpointing);
	c->checkpointing = NULL;
	if (c->dumping)
		note_dump(c, NULL);
	if (c->init.exited && !c->removed)
		process_news(&c->init);
	if (done.cb)
		done.cb(done.arg, err);
	container_quiet(c);
}

static void gone(void *arg, const struct err *err)
{
	finish(arg, err);
}

/* It is as it was before, whatever criu was at. */
static void clean_up(struct checkpointing *k)
{
	struct container *c = k->c;
	struct err err;

	checkpoint_end_repair(c);
	if (c->cgroup && cgroup_set_frozen(c->cgroup, k->was_paused, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
	if (k->locked && !c->init.exited && netlock_clear(c->init.pid, &err) < 0)
		log_warn("container '%s': its network may still be locked: %s", c->id, err.text);
	park_abandon(c);
	/* An image that is complete stays: it is whole, whatever criu has died of since. But that of --lazy-pages is without what its server had. */
	if (k->complete && k->options.lazy_pages)
		image_discard(k->fds.images_fd);
	image_end(k->fds.images_fd);
}

static void stay(struct checkpointing *k)
{
	struct container *c = k->c;
	struct err ignored;

	/* criu has killed all of them; this waits for the last one to be dead. */
	if (!k->taken)
		process_kill_now(&c->init);
	if (!cgroup_is_empty(c->cgroup))
		cgroup_kill_each(c->cgroup, SIGKILL, &ignored);
	park_settle(c, k->sealing ? k->new_fd : k->fds.images_fd);
	finish(c, NULL);
	/* Somebody has deleted it meanwhile, and waits for an end that was taken for the image's. */
	if (c->deletion.cb)
		park_end(c);
}

/* `log`: criu's, of what has failed. */
static void failed_in(struct checkpointing *k, const struct err *failure, const char *log)
{
	struct container *c = k->c;
	struct err err = *failure;

	/* When it was us who made it fail its log says nothing. */
	if (err.code == ERR_CRIU)
		image_explain(work_fd(k), log, &err);
	if (k->criu_failed && err.code != ERR_UNSUPPORTED && err.sys_errno != ENOSPC && err.sys_errno != EDQUOT)
		err.code = ERR_CRIU; /* in whichever way */
	err_add(&err, "cannot checkpoint container '%s'", c->id);
	clean_up(k);
	finish(c, &err);
}

static void failed(struct checkpointing *k, const struct err *failure)
{
	failed_in(k, failure, "dump.log");
}

static void departed(struct checkpointing *k)
{
	struct container *c = k->c;
	struct err ignored;

	if (stays(k)) {
		stay(k);
		return;
	}
	criu_free(k->criu);
	k->criu = NULL;
	/* Mostly it is dead, and that is about to be seen; a config file of criu's may have let it run on. */
	if (!c->init.exited)
		proc_pidfd_kill(c->init.pidfd, SIGKILL, &ignored);
	remove_when_drained(c, gone, c);
}

static void reaped(void *arg, size_t left)
{
	struct checkpointing *k = arg;

	if (left > 0)
		log_warn("container '%s': %zu of its processes are not reaped by the first process of their pid "
			 "namespace: until they are it cannot be restored there",
			 k->c->id, left);
	departed(k);
}

static void succeeded(struct checkpointing *k)
{
	struct container *c = k->c;
	bool runs_on = k->options.leave_running || k->options.pre_dump;
	struct err err;

	/* criu has killed what it found frozen, which dies once it is thawed. */
	if (k->was_paused && cgroup_set_frozen(c->cgroup, runs_on, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
	if (runs_on)
		finish(c, NULL);
	else if (!k->departing || departing_await(k->departing, REAP_MS, reaped, k) != 0)
		departed(k);
}

/* The container runs on already. */
static void sealed_after(void *arg, const struct err *failure)
{
	struct checkpointing *k = arg;

	if (failure)
		failed(k, failure);
	else
		succeeded(k);
}

static void set_done(struct checkpointing *k)
{
	struct err err;

	if (!k->options.leave_running) {
		sealing_note_statistics(k->sealing);
		succeeded(k);
	} else if (sealing_start(k->sealing, k->new_fd, work_fd(k), criu_version(k->criu), sealed_after, k, &err) < 0)
		failed(k, &err);
}

static int begin(struct checkpointing *k, struct err *err);

/* From the start, with a lock on the network. Nothing has been written but what image_begin() throws away. */
static void once_more(struct checkpointing *k)
{
	struct err err;

	inventory_release_stdin(k->c);
	criu_free(k->criu);
	precopy_free(k->precopy);
	k->criu = NULL;
	k->precopy = NULL;
	fd_close(&k->new_fd);
	k->again = k->inside = false;
	k->must_lock = true;
	if (begin(k, &err) < 0)
		finish(k->c, &err);
}

/* It had all of them as its tracees, and those that it has killed are reaped by us only now. */
static void let_go(struct container *c)
{
	struct process *p;

	process_let_go(&c->init);
	LIST_FOREACH(p, &c->execs, link)
	process_let_go(p);
}

/* Was criu already at ending its processes, of which init is the first? */
static bool was_ending(const struct checkpointing *k)
{
	return k->complete && !k->options.leave_running && !k->options.lazy_pages && process_is_dying(&k->c->init);
}

static void criu_done(void *arg, const struct err *failure)
{
	struct checkpointing *k = arg;
	struct container *c = k->c;
	struct err err;

	let_go(c);
	k->criu_failed = failure && !k->why.code;
	if (k->again) {
		once_more(k);
		return;
	}
	if (sealing_runs(k->sealing)) {
		/* Dead while it waited for us. What the worker has come to is not known before it is dead too. */
		k->over = true;
		k->why = *failure;
		sealing_kill(k->sealing);
		return;
	}
	/* All of it was in the image before its processes were ended. */
	if (failure && (k->taken || was_ending(k)))
		log_warn("container '%s' is checkpointed, but: %s", c->id, failure->text);
	else if (failure) {
		failed(k, k->why.code ? &k->why : failure);
		return;
	}
	if (k->sealing) {
		set_done(k);
		return;
	}
	/* Its statistics come last. */
	if (image_commit(k->fds.images_fd, k->new_fd, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
	image_end(k->fds.images_fd);
	succeeded(k);
}

/* ---- while criu works ------------------------------------------------------------------------------------------------------ */

static void refuse_to_end(struct checkpointing *k, const struct err *err)
{
	/* criu lets the container go on, and says no more than that it has failed. */
	k->why = *err;
	criu_answer(k->criu, false);
}

static void go_on(struct checkpointing *k)
{
	k->complete = true;
	/* Whoever has the image asks it for the rest: it goes on, whatever becomes of us. */
	if (k->options.lazy_pages)
		note_serving(k->c);
	criu_answer(k->criu, true);
}

/* The image has its name: now its processes may end. */
static void sealed_before(void *arg, const struct err *failure)
{
	struct checkpointing *k = arg;

	if (k->over)
		failed(k, &k->why);
	else if (failure)
		refuse_to_end(k, failure);
	else
		go_on(k);
}

/* All that is to be in the image is there. */
static int image_written(struct checkpointing *k, struct err *err)
{
	if (k->sealing && !k->options.leave_running)
		return sealing_start(k->sealing, k->new_fd, work_fd(k), criu_version(k->criu), sealed_before, k, err);
	if (!k->sealing && image_commit(k->fds.images_fd, k->new_fd, err) < 0)
		return -1;
	go_on(k);
	return 0;
}

static void captured(void *arg, const struct err *failure)
{
	struct checkpointing *k = arg;
	struct err err;

	if (k->over)
		failed(k, &k->why);
	else if (failure)
		refuse_to_end(k, failure);
	else if (image_written(k, &err) < 0)
		refuse_to_end(k, &err);
}

/* Its first process is our own child. */
static void note_departing(struct checkpointing *k)
{
	const struct container *c = k->c;
	const struct oci_namespace *ns = &c->config->ns[OCI_NS_PID];
	struct cgroup_pids pids = cgroup_pids(c->cgroup);
	size_t n = 0;

	for (size_t i = 0; i < pids.n; i++)
		if (pids.v[i] != c->init.pid)
			pids.v[n++] = pids.v[i];
	if (!ns->wanted || ns->path)
		k->departing = departing_new(c->base, pids.v, n);
	free(pids.v);
}

static int complete_locks(struct checkpointing *k, struct err *err)
{
	struct cgroup_pids pids = cgroup_pids(k->c->cgroup);
	int r = locks_complete(k->new_fd, pids.v, pids.n, k->options.file_locks, err);

	free(pids.v);
	return r;
}

/* criu has written everything and nothing moves yet. What fails here makes criu let the container go on. */
static int complete(struct checkpointing *k, struct err *err)
{
	if (stays(k) && park_prepare(k->c, err) < 0)
		return -1;
	if (inventory_save_stdin(k->c, &k->inventory, k->new_fd, err) < 0 ||
	    descriptors_write(k->new_fd, &k->inventory.streams, err) < 0 ||
	    execs_write(k->new_fd, k->inventory.execs, k->inventory.n_execs, err) < 0 ||
	    sdnotify_note(k->c->dir_fd, k->new_fd, err) < 0)
		return -1;
	if (!k->options.pre_dump && complete_locks(k, err) < 0)
		return -1;
	note_departing(k);
	if (k->sealing)
		sealing_note_files(k->sealing);
	return sealing_captures(k->sealing) ? sealing_capture(k->sealing, k->new_fd, captured, k, err)
					    : image_written(k, err);
}

/* All of it is frozen by now: what has no connection will have none. */
static bool must_lock_now(const struct checkpointing *k)
{
	return k->unlocked && netlock_is_needed(k->c->init.pid);
}

static void notified(void *arg, const char *what, pid_t pid, int fd)
{
	struct checkpointing *k = arg;
	struct err err;

	fd_close(&fd);
	log_debug("container '%s': criu: %s", k->c->id, what);
	if (k->given_up && strcmp(what, "network-unlock") != 0) {
		criu_answer(k->criu, false);
		return;
	}
	if (!strcmp(what, "network-lock") && must_lock_now(k)) {
		k->again = true;
		criu_answer(k->criu, false);
		return;
	}
	if (!strcmp(what, k->options.pre_dump ? "pre-dump" : "query-ext-files"))
		k->inside = true;
	if (!strcmp(what, "network-lock"))
		k->locked = true;
	else if (!strcmp(what, "network-unlock"))
		k->locked = false;
	else if (!strcmp(what, "post-dump")) {
		if (complete(k, &err) < 0)
			refuse_to_end(k, &err);
		return;
	}
	criu_answer(k->criu, true);
}

static int start_criu(struct checkpointing *k, struct err *err)
{
	static const struct criu_ops ops = { .notify_cb = notified, .done_cb = criu_done };
	struct container *c = k->c;
	const int close_first[] = { c->lock_fd };
	const struct criu_program program = {
		.path = k->options.criu,
		.cgroup_ns_fd = -1,
		.umask = 0077,
		.own_mounts = oci_has_new_ns(c->config, OCI_NS_MOUNT), /* else they are perhaps the container's too */
		.close_first = close_first,
		.n_close_first = ARRAY_SIZE(close_first),
		.timeout_s = k->precopy ? precopy_time_left(k->precopy) : (unsigned int)k->options.timeout_s,
		.default_lock = criu_plan_default_lock(&k->options),
	};
	const CriuType type = k->options.pre_dump ? CRIU_TYPE__REQ_PRE_DUMP : CRIU_TYPE__REQ_DUMP;
	struct criu_plan plan = { 0 };
	int r = criu_plan_dump(&plan, &k->options, c->config, c->init.pid, c->rec.rootfs, c->cgroup, err);

	if (precopy_made(k->precopy) > 0)
		criu_plan_pre_copy(&plan, true);
	plan.opts.images_dir_fd = k->new_fd;
	plan.opts.has_work_dir_fd = 1;
	plan.opts.work_dir_fd = work_fd(k);
	if (k->unlocked)
		plan.opts.network_lock = CRIU_NETWORK_LOCK__LOCK_SKIP;
	if (k->fds.status_fd >= 0) {
		plan.opts.has_status_fd = 1;
		plan.opts.status_fd = k->fds.status_fd;
	}
	for (int i = 0; i < 3; i++)
		if (descriptors_is_tty(k->inventory.streams.key[i]))
			criu_plan_external(&plan, k->inventory.streams.key[i]);
	if (r == 0)
		image_forget_log(work_fd(k), plan.opts.log_file);
	if (r == 0)
		r = criu_start(c->base, &program, type, &plan.opts, &ops, k, &k->criu, err);
	if (r == 0)
		standstill_note_criu(c, k->criu);
	criu_plan_release(&plan);
	return r;
}

/* ---- the beginning --------------------------------------------------------------------------------------------------------- */

/* Of a network namespace that comes back new. */
static int note_veths(const struct checkpointing *k, struct err *err)
{
	const struct oci_namespace *ns = &k->c->config->ns[OCI_NS_NETWORK];

	if (!ns->wanted || ns->path || k->options.empty_network || k->options.pre_dump)
		return 0;
	return veth_write(k->c->init.pid, k->new_fd, err);
}

static int dump(struct checkpointing *k, struct err *err)
{
	k->unlocked = !k->must_lock && criu_plan_default_lock(&k->options) && k->options.tcp_established &&
		      !netlock_is_needed(k->c->init.pid);
	return inventory_hold_stdin(k->c, err) < 0 || note_veths(k, err) < 0 ? -1 : start_criu(k, err);
}

/* It has run on meanwhile. */
static void copied(void *arg, const struct err *failure)
{
	struct checkpointing *k = arg;
	struct err err;

	if (failure) {
		k->criu_failed = true;
		failed_in(k, failure, PRECOPY_LOG);
		return;
	}
	if (precopy_note(k->precopy) && k->note_cb)
		k->note_cb(k->done.arg, precopy_note(k->precopy));
	if (k->sealing)
		precopy_tell(k->precopy, sealing_manifest(k->sealing));
	if (inventory_take(k->c, k->options.shell_job, &k->inventory, &err) == 0 && dump(k, &err) == 0)
		return;
	image_end(k->fds.images_fd);
	finish(k->c, &err);
}

static int begin(struct checkpointing *k, struct err *err)
{
	struct err ignored;
	char *path;
	int r;

	if (k->was_paused && !cgroup_can_trace_frozen(k->c->cgroup))
		return err_set(
			err, ERR_STATE,
			"cannot checkpoint container '%s': a signal has stopped one of its processes, which criu "
			"cannot reach while the container is paused, too",
			k->c->id);
	if (inventory_take(k->c, k->options.shell_job, &k->inventory, err) < 0 ||
	    image_begin(k->fds.images_fd, &k->new_fd, err) < 0)
		return -1;
	k->c->dumped_paused = k->was_paused;
	if (fd_path(k->fds.images_fd, &path, &ignored) == 0)
		note_dump(k->c, path);
	/* What stands still writes nothing meanwhile. */
	if (k->options.pre_copy && !k->was_paused)
		r = precopy_start(k->c, &k->options, k->new_fd, work_fd(k), copied, k, &k->precopy, err);
	else
		r = dump(k, err);
	if (r == 0)
		return 0;
	image_end(k->fds.images_fd);
	note_dump(k->c, NULL);
	return -1;
}

static void dropped_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dropped *d = arg;
	struct checkpointing *k = d->k;
	struct err err;

	event_del(d->end);
	if (--k->n_dropping == 0 && begin(k, &err) < 0)
		finish(k->c, &err);
}

/* Kill them; the last one's end goes on. Returns how many there are. */
static int drop_execs(struct checkpointing *k, struct err *err)
{
	struct container *c = k->c;
	struct cgroup_pids execs = inventory_strangers(c);
	size_t n = 0;

	k->dropped = xcalloc(execs.n + 1, sizeof(*k->dropped));
	for (size_t i = 0; i < execs.n; i++) {
		struct dropped *d = &k->dropped[n];
		struct err ended;

		if (proc_pidfd_open(execs.v[i], 0, &d->pidfd, &ended) < 0)
			continue;
		d->k = k;
		d->end = event_new(c->base, d->pidfd, EV_READ, dropped_cb, d);
		if (!d->end || event_add(d->end, NULL) < 0)
			fatal("out of memory");
		proc_pidfd_kill(d->pidfd, SIGKILL, &ended);
		n++;
	}
	free(execs.v);
	k->n_dropped = k->n_dropping = n;
	return (int)n;
}

/* Nothing of it is wrong so far as one can see without touching it. */
static int go(struct checkpointing *k, struct err *err)
{
	int n = k->options.drop_execs ? drop_execs(k, err) : 0;

	return n == 0 ? begin(k, err) : n;
}

static void measured(void *arg, const struct err *failure)
{
	struct checkpointing *k = arg;
	struct container *c = k->c;
	struct err err;

	if (failure)
		err = *failure;
	else if (c->init.exited)
		err_set(&err, ERR_STATE, "it has ended meanwhile");
	if (failure || c->init.exited)
		err_add(&err, "cannot checkpoint container '%s'", c->id);
	else if (go(k, &err) >= 0)
		return;
	finish(c, &err);
}

/* Its files are measured by somebody else first, if they come along. */
static int prepare(struct checkpointing *k, struct err *err)
{
	if (k->options.set && sealing_new(k->c, &k->options, k->fds.images_fd, &k->sealing, err) < 0)
		return err_add(err, "cannot checkpoint container '%s'", k->c->id);
	return sealing_captures(k->sealing) ? sealing_measure(k->sealing, measured, k, err) : go(k, err);
}

static int read_options(struct checkpointing *k, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len;

	if (k->fds.images_fd < 0 || k->fds.options_fd < 0)
		return err_set(err, ERR_PROTOCOL, "a checkpoint needs a directory and options");
	if (memfd_read(k->fds.options_fd, CHECKPOINT_OPTIONS_MAX, &text, &len, err) < 0)
		return err_add(err, "the options");
	if (checkpoint_options_parse(text, len, &k->options, err) < 0)
		return -1;
	return k->options.parent_path ? image_check_parent(k->fds.images_fd, k->options.parent_path, err) : 0;
}

/* A container of somebody else's monitor may be paused, as with runc: containerd pauses before it asks for a checkpoint. */
static int check_state(struct container *c, bool *ret_paused, struct err *err)
{
	enum container_status status = container_status(c);

	*ret_paused = c->rec.foreign && status == STATUS_PAUSED;

	if (c->checkpointing || c->deletion.cb || c->pausing)
		return err_set(err, ERR_BUSY, "cannot checkpoint container '%s': it is being %s", c->id,
			       c->checkpointing ? "checkpointed"
			       : c->pausing     ? "paused or resumed"
						: "deleted");
	if (c->hooking)
		return err_set(err, ERR_BUSY, "cannot checkpoint container '%s': its hooks are running", c->id);
	if (lazy_runs(c->lazy))
		return err_set(err, ERR_BUSY,
			       "cannot checkpoint container '%s': its memory is still being brought in (--lazy-pages)",
			       c->id);
	if (status != STATUS_RUNNING && !*ret_paused)
		return err_set(err, ERR_STATE, "cannot checkpoint container '%s': it is %s%s", c->id,
			       container_status_name(status), status == STATUS_PAUSED ? " (resume it first)" : "");
	if (!c->cgroup)
		return err_set(err, ERR_UNSUPPORTED, "cannot checkpoint container '%s': it has no cgroup", c->id);
	if (load_config(c, err) < 0)
		return -1;
	if (criu_plan_check(c->config, err) < 0)
		return err_add(err, "cannot checkpoint container '%s'", c->id);
	return 0;
}

int container_checkpoint(struct container *c, struct container_fds *fds, container_note_cb *note_cb,
			 container_done_cb *done_cb, void *arg, struct err *err)
{
	struct checkpointing *k;
	bool paused;
	int r;

	if (check_state(c, &paused, err) < 0)
		return -1;
	k = xcalloc(1, sizeof(*k));
	*k = (struct checkpointing) { .c = c,
				      .fds = container_fds_take(fds),
				      .new_fd = -1,
				      .was_paused = paused,
				      .done = { done_cb, arg },
				      .note_cb = note_cb };
	c->checkpointing = k;
	r = read_options(k, err);
	if (r == 0 && stays(k))
		r = park_check(c, err);
	if (r == 0)
		r = prepare(k, err);
	if (r >= 0)
		return 0;
	checkpoint_free(k);
	c->checkpointing = NULL;
	return -1;
}

void checkpoint_kill(struct checkpointing *k)
{
	if (k && k->criu)
		criu_kill(k->criu);
	else if (k && precopy_runs(k->precopy))
		precopy_kill(k->precopy);
}

/* The image is there but for the memory, and nobody has come for that yet. Who has does not live without it. */
static bool waits_for_taker(const struct checkpointing *k)
{
	return k->options.lazy_pages && k->criu && !pageserver_is_asked(k->c->dumper.pid);
}

bool container_cancel_checkpoint(struct container *c)
{
	struct checkpointing *k = c->checkpointing;

	if (!k || (k->complete && !waits_for_taker(k)))
		return false;
	k->done = (struct pending) { NULL, NULL };
	k->again = false;
	k->note_cb = NULL;
	/* criu waits for what we are at: it is told no, and lets the container go on itself. */
	if (k->criu && sealing_runs(k->sealing))
		sealing_kill(k->sealing);
	else if (k->criu && k->inside && !k->complete) {
		k->given_up = true;
		criu_end_soon(k->criu);
	} else if (k->criu)
		criu_kill(k->criu); /* its end cleans up */
	else if (precopy_runs(k->precopy))
		precopy_kill(k->precopy);
	else
		finish(c, NULL);
	return true;
}
