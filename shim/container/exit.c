/* SPDX-License-Identifier: Apache-2.0 */
/* The end of init: recorded on disk before anybody is told, then told in order. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/cgroup.h"
#include "shim/stdio/logfile.h"

/* How long a deletion waits for a reader to take what is left. */
static const struct timeval last_words = { .tv_sec = 1 };

/* Not at once: whoever is called may free what the caller still uses. */
void exit_news(struct container *c)
{
	event_active(c->news, EV_READ, 0);
}

/* The wait status of init. False: nobody can say. */
static bool read_wait_status(const struct container *c, int *ret_status)
{
	siginfo_t info = { 0 };
	struct proc_stat st;
	struct err ignored;

	if (waitid(P_PIDFD, (id_t)c->init_pidfd, &info, WEXITED) == 0) {
		*ret_status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status & 0x7f;
		return true;
	}
	/* Not our child: a zombie tells it, and from kernel 6.15 the pidfd of one that was reaped. */
	if (proc_stat(c->rec.init_pid, &st, &ignored) == 0 && st.start_time == c->rec.init_start_time && st.state == 'Z') {
		*ret_status = st.exit_status;
		return true;
	}
	return proc_pidfd_exit_status(c->init_pidfd, ret_status, &ignored) == 0;
}

static void record_exit(struct container *c)
{
	struct status_record *rec = &c->rec;
	struct timespec now;
	struct err err;
	int status;

	clock_gettime(CLOCK_REALTIME, &now);
	rec->status = STATUS_STOPPED;
	rec->exited_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	rec->exit_known = read_wait_status(c, &status);
	if (rec->exit_known) {
		rec->exit_signal = WIFSIGNALED(status) ? (uint8_t)WTERMSIG(status) : 0;
		rec->exit_code = WIFSIGNALED(status) ? (uint8_t)(128 + WTERMSIG(status)) : (uint8_t)WEXITSTATUS(status);
	}
	rec->oom_killed = rec->exit_signal == SIGKILL && c->cgroup && cgroup_oom_kills(c->cgroup) > 0;
	rec->exit_recorded = 1;
	c->exited = true;
	if (c->creation)
		return; /* it has not been anybody's container yet */
	if (state_save_record(c, &err) < 0)
		log_error("container '%s' has ended with status %d, but: %s", c->id, rec->exit_code, err.text);
	if (!rec->remove_at_exit && state_save(c, &err) < 0)
		log_warn("container '%s': %s", c->id, err.text);
}

static void tell(struct container *c, bool drained)
{
	struct container_exit exit = {
		.known = c->rec.exit_known,
		.code = c->rec.exit_code,
		.signal = c->rec.exit_signal,
		.oom_killed = c->rec.oom_killed,
		.time_ns = c->rec.exited_ns,
	};
	struct container_watch **at = &c->watches;

	while (*at) {
		struct container_watch *w = *at;

		if (w->drained && !drained) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->exit_cb(w->arg, &exit);
		at = &c->watches; /* the callback may have changed the list */
	}
}

static void removed_at_exit(void *arg, const struct err *err)
{
	struct container *c = arg;

	if (err)
		log_error("container '%s' has ended, but cannot be removed: %s", c->id, err->text);
	tell(c, true);
	if (c->removed && c->ops.removed_cb)
		c->ops.removed_cb(c->arg);
}

/* A deletion that was only waiting for the end. Those who follow hear of it first: there will be nobody to tell them afterwards. */
static void go_on_deleting(struct container *c)
{
	struct pending done = c->deletion;
	struct err err;

	tell(c, true);
	c->deletion = (struct pending) { NULL, NULL };
	if (container_delete(c, true, done.cb, done.arg, &err) < 0)
		done.cb(done.arg, &err);
}

static void news_cb(evutil_socket_t fd, short what, void *arg)
{
	struct container *c = arg;
	struct err err;

	if (!c->exited || c->creation || c->starting || c->hooking)
		return;
	tell(c, false);
	if (c->deletion.cb && (c->drained || (what & EV_TIMEOUT))) {
		go_on_deleting(c);
		return;
	}
	if (c->deletion.cb)
		event_add(c->news, &last_words);
	if (!c->drained)
		return;
	if (!c->rec.remove_at_exit || c->removed || c->deletion.cb) {
		tell(c, true);
		return;
	}
	c->rec.remove_at_exit = 0; /* once */
	if (container_delete(c, true, removed_at_exit, c, &err) < 0)
		removed_at_exit(c, &err);
}

static void init_ended_cb(evutil_socket_t fd, short what, void *arg)
{
	struct container *c = arg;

	event_del(c->init_event);
	record_exit(c);
	if (c->relay)
		relay_process_ended(c->relay);
	else
		c->drained = true;
	exit_news(c);
}

void exit_drained(struct container *c)
{
	c->drained = true;
	if (c->log && !(c->rec.remove_at_exit && c->log_is_ours))
		logfile_sync(c->log);
	exit_news(c);
}

void exit_init(struct container *c)
{
	c->news = evtimer_new(c->base, news_cb, c);
	if (!c->news)
		fatal("out of memory");
}

int exit_watch_init(struct container *c, struct err *err)
{
	c->init_event = event_new(c->base, c->init_pidfd, EV_READ | EV_PERSIST, init_ended_cb, c);
	if (!c->init_event || event_add(c->init_event, NULL) < 0)
		return err_set(err, ERR_SYS, "cannot watch the container's first process");
	return 0;
}

void container_watch(struct container *c, struct container_watch *w)
{
	w->next = c->watches;
	c->watches = w;
	if (c->exited)
		exit_news(c);
}

void container_unwatch(struct container *c, struct container_watch *w)
{
	for (struct container_watch **at = &c->watches; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			return;
		}
}
