/* SPDX-License-Identifier: Apache-2.0 */
/* One process of the container that the shim looks after: its end, and who wants to hear of it. */
#include "shim/container/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"
#include "shim/container/follower.h"
#include "shim/stdio/log.h"
#include "shim/stdio/relay.h"
#include "shim/stdio/saved.h"

/* How long a reader may take with what is left when somebody waits to go on. */
static const struct timeval last_words = { .tv_sec = 1 };

static void news_cb(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;

	if (!p->exited)
		return;
	p->ops->news_cb(p, what & EV_TIMEOUT);
}

void process_init(struct process *p, struct container *c, const char *name, const struct process_ops *ops)
{
	*p = (struct process) { .c = c, .ops = ops, .pidfd = -1, .follower = { .pidfd = -1 } };
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->news = evtimer_new(container_base(c), news_cb, p);
	if (!p->news)
		fatal("out of memory");
}

void process_settle(struct process *p)
{
	follower_release(&p->follower);
	relay_free(p->relay);
	p->relay = NULL;
	if (p->end)
		event_free(p->end);
	p->end = NULL;
	fd_close(&p->pidfd);
}

void process_release(struct process *p)
{
	park_free_exec(p);
	process_settle(p);
	if (p->news)
		event_free(p->news);
	p->news = NULL;
}

void process_part(struct process *p)
{
	if (p->end)
		event_free(p->end);
	p->end = NULL;
	fd_close(&p->pidfd);
	p->pid = 0;
	p->start_time = p->pidfd_inode = 0;
	p->exited = p->drained = false;
}

int process_set_pid(struct process *p, pid_t pid, int pidfd, struct err *err)
{
	struct proc_stat st;

	p->pidfd = pidfd;
	if (proc_stat(pid, &st, err) < 0)
		return -1;
	p->pid = pid;
	p->start_time = st.start_time;
	p->pidfd_inode = proc_pidfd_inode(pidfd);
	return 0;
}

bool process_is_dying(const struct process *p)
{
	struct pollfd end = { .fd = p->pidfd, .events = POLLIN };

	return p->exited || p->pidfd < 0 || poll(&end, 1, 0) > 0 || proc_is_dying(p->pid);
}

#define REAPING_MS 500

/* Between a zombie's end and what its pidfd says afterwards there is a moment in which neither tells anything. */
static bool reaped_status(int pidfd, int *ret_status)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct err err;

	for (int ms = 0; proc_pidfd_exit_status(pidfd, ret_status, &err) < 0; ms++) {
		if (err.code != ERR_STATE || ms == REAPING_MS)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* False: nobody can say. */
static bool read_wait_status(const struct process *p, int *ret_status)
{
	siginfo_t info;
	struct proc_stat st;
	struct err ignored;

	/* A tracer of its may have to be waited for: one that is not reaped would be taken for alive. */
	if (proc_wait_pidfd(p->pidfd, p->leave ? WNOWAIT : 0, &info) == 0) {
		*ret_status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status & 0x7f;
		return true;
	}
	/* Not our child: a zombie tells it, and from kernel 6.15 the pidfd of one that was reaped. */
	if (proc_stat(p->pid, &st, &ignored) == 0 && st.start_time == p->start_time && st.state == 'Z') {
		*ret_status = st.exit_status;
		return true;
	}
	return reaped_status(p->pidfd, ret_status);
}

/* Dead, but its tracer, which may be criu or a debugger, has not let it go: until then it is nobody else's to reap. */
static bool is_held(const struct process *p)
{
	siginfo_t info;

	return proc_wait_pidfd(p->pidfd, WNOWAIT | WNOHANG, &info) == 0 && !info.si_pid;
}

static void end_cb(evutil_socket_t fd, short what, void *arg);

/* Its pidfd has said all that it will. */
static void look_again(struct process *p)
{
	static const struct timeval soon = { .tv_usec = 20000 };

	event_free(p->end);
	p->end = evtimer_new(container_base(p->c), end_cb, p);
	if (!p->end || event_add(p->end, &soon) < 0)
		fatal("out of memory");
}

void process_let_go(struct process *p)
{
	/* Only look_again() has it wait for a time. */
	if (p->end && event_pending(p->end, EV_TIMEOUT, NULL))
		event_active(p->end, EV_TIMEOUT, 0);
}

/* It is dead: when, and how. */
static void note_exit(struct process *p)
{
	int status = 0;

	p->exited = true;
	if (p->exit_recorded)
		return;
	p->exit.time_ns = clock_wall_ns();
	p->exit.known = read_wait_status(p, &status);
	if (p->exit.known) {
		p->exit.signal = WIFSIGNALED(status) ? (uint8_t)WTERMSIG(status) : 0;
		p->exit.code = WIFSIGNALED(status) ? (uint8_t)(128 + WTERMSIG(status)) : (uint8_t)WEXITSTATUS(status);
	}
}

static void end_cb(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;

	if (is_held(p)) {
		look_again(p);
		return;
	}
	event_del(p->end);
	note_exit(p);
	if (!p->ops->died_cb(p)) {
		p->exited = false;
		return;
	}
	if (p->relay) {
		relay_process_ended(p->relay);
		relay_take_rest(p->relay);
	} else {
		p->drained = true;
	}
	p->ops->ended_cb(p);
	process_news(p);
}

int process_watch_end(struct process *p, struct err *err)
{
	p->end = event_new(container_base(p->c), p->pidfd, EV_READ | EV_PERSIST, end_cb, p);
	if (!p->end || event_add(p->end, NULL) < 0)
		return err_set(err, ERR_SYS, "cannot watch process %d", (int)p->pid);
	return 0;
}

void process_drained_cb(void *arg)
{
	struct process *p = arg;

	p->drained = true;
	process_news(p);
}

void process_closed_cb(void *arg, Stream stream)
{
	struct process *p = arg;

	if (p == &p->c->init)
		keep_close(p->c, stream);
	else
		keep_close_terminal(p);
}

void process_news(struct process *p)
{
	event_active(p->news, EV_READ, 0);
}

void process_hurry(struct process *p)
{
	event_add(p->news, &last_words);
}

void process_tell(struct process *p, bool drained)
{
	struct container_exit exit = p->exit;
	struct container_watch **at = &p->watches;

	while (*at) {
		struct container_watch *w = *at;

		if (w->drained && !drained) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->exit_cb(w->arg, &exit);
		at = &p->watches; /* the callback may have changed the list */
	}
}

/* ---- from one program to the next ------------------------------------------------------------------------------------ */

static Saved__Exit *save_exit(const struct container_exit *e)
{
	Saved__Exit *s = saved_new(Saved__Exit, exit);

	s->known = e->known;
	s->code = e->code;
	s->signal = e->signal;
	s->oom_killed = e->oom_killed;
	s->time_ns = e->time_ns;
	return s;
}

Saved__Process *process_save(const struct process *p)
{
	Saved__Process *s = saved_new(Saved__Process, process);
	Saved__Log *l;

	s->name = xstrdup(p->name);
	s->pid = (uint32_t)p->pid;
	s->start_time = p->start_time;
	s->pidfd_inode = p->pidfd_inode;
	s->pidfd = saved_fd(p->pidfd);
	s->terminal = p->terminal;
	s->exited = p->exited;
	s->drained = p->drained;
	s->below_init = p->below_init;
	s->news = event_pending(p->news, EV_READ | EV_TIMEOUT, NULL);
	s->exit = save_exit(&p->exit);
	if (p->relay)
		s->relay = relay_save(p->relay);
	for (size_t i = 0; (l = logs_save(p->logs, i)); i++)
		saved_append(s->logs, s->n_logs, l);
	for (size_t i = 0; i < ARRAY_SIZE(p->passed); i++)
		saved_append(s->passed, s->n_passed, xstrdup(p->passed[i]));
	return s;
}

Saved__Process *process_save_status(const char *name, const struct container_exit *exit)
{
	Saved__Process *s = saved_new(Saved__Process, process);

	s->name = xstrdup(name);
	s->exited = s->drained = true;
	s->exit = save_exit(exit);
	return s;
}

static struct container_exit resume_exit(const Saved__Exit *s)
{
	return (struct container_exit) {
		.known = s->known,
		.code = (uint8_t)s->code,
		.signal = (uint8_t)s->signal,
		.oom_killed = s->oom_killed,
		.time_ns = s->time_ns,
	};
}

/* What was asked for is in state.json, how far it has come in the state. */
static int resume_streams(struct process *p, const Saved__Process *s, struct err *err)
{
	if (adopt_plan_logs(p, err) < 0)
		return -1;
	logging_resume(p, s);
	if (!s->relay)
		return 0;
	adopt_new_relay(p, p->logs);
	return relay_resume(p->relay, s->relay, err);
}

int process_resume(struct process *p, const Saved__Process *s, struct err *err)
{
	p->pid = (pid_t)s->pid;
	p->start_time = s->start_time;
	p->pidfd_inode = s->pidfd_inode;
	p->pidfd = saved_to_fd(s->pidfd);
	p->terminal = s->terminal;
	p->exited = s->exited;
	p->drained = s->drained;
	p->below_init = s->below_init;
	if (s->exit)
		p->exit = resume_exit(s->exit);
	for (size_t i = 0; i < s->n_passed; i++)
		state_set_text(p->passed[i], sizeof(p->passed[i]), s->passed[i]);
	if ((s->relay || s->n_logs > 0) && resume_streams(p, s, err) < 0)
		return -1;
	if (s->news)
		process_news(p);
	return p->exited ? 0 : process_watch_end(p, err);
}

struct last_look {
	struct container *c;
	int pidfd;
	pid_t *cloned;
	struct event *end;
};

static void kill_cloned(struct container *c, pid_t *cloned)
{
	pid_t pid = *cloned;
	int pidfd;
	struct err err;

	munmap(cloned, sizeof(*cloned));
	if (pid <= 0)
		return;
	/* Nobody but we can reap it: the number is still its own. */
	if (proc_pidfd_open(pid, 0, &pidfd, &err) < 0)
		log_warn("container '%s': %s", container_id(c), err.text);
	else
		process_kill_later(c, pidfd);
}

static void dead_cb(evutil_socket_t fd, short what, void *arg)
{
	struct last_look *d = arg;
	struct container *c = d->c;
	siginfo_t info;

	proc_wait_pidfd(d->pidfd, WNOHANG, &info);
	event_free(d->end);
	fd_close(&d->pidfd);
	if (d->cloned)
		kill_cloned(c, d->cloned);
	free(d);
	c->n_dying--;
	container_quiet(c);
}

void process_kill_later(struct container *c, int pidfd)
{
	process_kill_joiner(c, pidfd, NULL);
}

void process_kill_joiner(struct container *c, int pidfd, pid_t *cloned)
{
	struct err ignored;

	proc_pidfd_kill(pidfd, SIGKILL, &ignored);
	process_await_joiner(c, pidfd, cloned);
}

void process_await_joiner(struct container *c, int pidfd, pid_t *cloned)
{
	struct last_look *d = xcalloc(1, sizeof(*d));

	d->c = c;
	d->pidfd = pidfd;
	d->cloned = cloned;
	d->end = event_new(c->base, pidfd, EV_READ, dead_cb, d);
	if (!d->end || event_add(d->end, NULL) < 0)
		fatal("out of memory");
	c->n_dying++;
}

#define DYING_MS 5000

void process_kill_now(struct process *p)
{
	struct pollfd dead = { .fd = p->pidfd, .events = POLLIN };
	struct err ignored;

	if (p->end)
		event_free(p->end);
	p->end = NULL;
	if (p->pidfd < 0 || (p->exited && !p->leave))
		return;
	proc_pidfd_kill(p->pidfd, SIGKILL, &ignored);
	/* One that somebody else's shim has started is not waited for by waitid(2). */
	while (poll(&dead, 1, DYING_MS) < 0 && errno == EINTR)
		;
	p->leave = false; /* nobody else is to know of it */
	note_exit(p);
}
