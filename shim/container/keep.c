/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper of a container: what it is given to hold while we live, so that whoever follows us has it. */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"
#include "shim/stdio/saved.h"

/* One that ends at once is not started again and again at full speed. */
static const struct timeval restart_after = { .tv_usec = 100000 };

static void restart_cb(evutil_socket_t fd, short what, void *arg);

static void forget(struct keep *k)
{
	if (k->event)
		event_free(k->event);
	k->event = NULL;
	fd_close(&k->fd);
}

void keep_init(struct keep *k)
{
	*k = (struct keep) { .fd = -1, .exe_fd = -1 };
	keeper_held_init(&k->held);
}

void keep_release(struct keep *k)
{
	forget(k);
	if (k->restart)
		event_free(k->restart);
	keeper_held_release(&k->held);
	fd_close(&k->exe_fd);
}

/* It never says anything: this is its death. */
static void died_cb(evutil_socket_t fd, short what, void *arg)
{
	struct container *c = arg;
	struct keep *k = &c->keep;

	forget(k);
	if (!k->restart)
		k->restart = evtimer_new(c->base, restart_cb, c);
	if (!k->restart || event_add(k->restart, &restart_after) < 0)
		fatal("out of memory");
}

static int watch(struct container *c, struct err *err)
{
	struct keep *k = &c->keep;

	k->event = event_new(c->base, k->fd, EV_READ, died_cb, c);
	if (!k->event || event_add(k->event, NULL) < 0)
		return err_set(err, ERR_SYS, "cannot watch the keeper");
	return 0;
}

static void hold(struct container *c, uint32_t slot, int fd)
{
	if (fd >= 0)
		keeper_tell(c->keep.fd, KEEPER_HOLD, slot, fd);
}

static bool has_terminal(const struct process *p)
{
	return p->relay && relay_is_tty(p->relay) && relay_fd(p->relay, STREAM_STDOUT) >= 0;
}

/* Its name is the decimal number that it was given. */
static uint32_t terminal_slot(const struct process *p)
{
	return KEEPER_TERMINAL + (uint32_t)strtoul(p->name, NULL, 10);
}

static void hold_all(struct container *c)
{
	const struct relay *r = c->init.relay;
	const struct process *p;

	hold(c, KEEPER_INIT, c->init.pidfd);
	LIST_FOREACH(p, &c->execs, link)
	if (has_terminal(p))
		hold(c, terminal_slot(p), relay_fd(p->relay, STREAM_STDOUT));
	if (!r)
		return;
	if (!relay_input_ends(r))
		hold(c, KEEPER_STDIN, relay_fd(r, STREAM_STDIN));
	if (relay_is_tty(r))
		return; /* the master is one for all */
	hold(c, KEEPER_STDOUT, relay_fd(r, STREAM_STDOUT));
	hold(c, KEEPER_STDERR, relay_fd(r, STREAM_STDERR));
}

static int start(struct container *c, struct err *err)
{
	cleanup_free char *root = NULL;
	cleanup_fd int listen_fd = -1;
	struct keep *k = &c->keep;

	if (fd_path(c->root_fd, &root, err) < 0 || statedir_listen(c->dir_fd, STATEDIR_KEEPER, 4, &listen_fd, err) < 0)
		return -1;
	if (keeper_launch(&(struct keeper_launch) { k->exe_fd, listen_fd, root, c->id, &c->limits }, &k->fd, err) < 0)
		return -1;
	hold_all(c);
	if (k->armed)
		keeper_tell(k->fd, KEEPER_ARM, 0, -1);
	return watch(c, err);
}

void keep_begin(struct container *c)
{
	struct err err;

	if (c->keep.exe_fd < 0 || c->keep.fd >= 0 || c->keep.over)
		return;
	if (start(c, &err) < 0)
		log_warn("container '%s' has no keeper: %s", c->id, err.text);
}

static void restart_cb(evutil_socket_t fd, short what, void *arg)
{
	struct container *c = arg;

	if (!c->init.exited)
		keep_begin(c);
}

void keep_arm(struct container *c)
{
	c->keep.armed = true;
	if (c->keep.fd >= 0)
		keeper_tell(c->keep.fd, KEEPER_ARM, 0, -1);
}

void keep_close(struct container *c, Stream stream)
{
	bool tty = c->init.relay && relay_is_tty(c->init.relay);

	if (c->keep.fd >= 0)
		keeper_tell(c->keep.fd, KEEPER_CLOSE, tty ? KEEPER_STDIN : (enum keeper_slot)stream, -1);
}

/* ---- terminals of exec'd processes ----------------------------------------------------------------------------------- */

void keep_terminal(struct process *p)
{
	struct container *c = p->c;
	struct keep *k = &c->keep;

	if (!has_terminal(p))
		return;
	keep_arm(c);
	if (k->fd >= 0) {
		hold(c, terminal_slot(p), relay_fd(p->relay, STREAM_STDOUT));
		return;
	}
	/* One that has just died is there for the container. */
	if (!k->restart || !event_pending(k->restart, EV_TIMEOUT, NULL))
		k->for_terminals = true;
	keep_begin(c);
}

void keep_close_terminal(struct process *p)
{
	struct container *c = p->c;
	struct keep *k = &c->keep;
	const struct process *other;

	if (!has_terminal(p))
		return;
	if (k->fd >= 0)
		keeper_tell(k->fd, KEEPER_CLOSE, terminal_slot(p), -1);
	if (!k->for_terminals)
		return;
	LIST_FOREACH(other, &c->execs, link)
	if (other != p && has_terminal(other))
		return;
	if (k->fd >= 0)
		keeper_tell(k->fd, KEEPER_END, 0, -1);
	if (k->restart)
		event_del(k->restart);
	forget(k);
	k->for_terminals = false;
}

int keep_take_terminal(struct process *p)
{
	struct keeper_held *held = &p->c->keep.held;

	for (size_t i = 0; i < held->n_terminals; i++)
		if (KEEPER_TERMINAL + held->terminals[i].process == terminal_slot(p))
			return take_fd(&held->terminals[i].fd);
	return -1;
}

/* Of processes that nobody knows: their shim has died before it could record them, and with it their start. */
void keep_drop_rest(struct container *c)
{
	struct keep *k = &c->keep;

	for (size_t i = 0; i < k->held.n_terminals; i++)
		if (k->held.terminals[i].fd >= 0)
			keeper_tell(k->fd, KEEPER_CLOSE, KEEPER_TERMINAL + k->held.terminals[i].process, -1);
	keeper_held_release(&k->held);
}

/* ---- its end --------------------------------------------------------------------------------------------------------- */

void keep_end(struct container *c)
{
	c->keep.over = true;
	c->keep.for_terminals = false;
	c->keep.had = c->keep.fd >= 0;
	if (c->keep.had)
		keeper_tell(c->keep.fd, KEEPER_END, 0, -1);
	forget(&c->keep);
}

void keep_again(struct container *c)
{
	if (!c->keep.had && !c->keep.wanted)
		return;
	c->keep.over = false;
	keep_begin(c);
}

/* ---- from one program to the next ------------------------------------------------------------------------------------ */

Saved__Keeper *keep_save(const struct container *c)
{
	const struct keep *k = &c->keep;
	Saved__Keeper *s = saved_new(Saved__Keeper, keeper);

	s->fd = saved_fd(k->fd);
	s->exe_fd = saved_fd(k->exe_fd);
	s->armed = k->armed;
	s->over = k->over;
	s->had = k->had;
	s->taken = k->taken;
	s->for_terminals = k->for_terminals;
	s->restart = k->restart && event_pending(k->restart, EV_TIMEOUT, NULL);
	return s;
}

int keep_resume(struct container *c, const Saved__Keeper *s, struct err *err)
{
	struct keep *k = &c->keep;

	k->fd = saved_to_fd(s->fd);
	if (k->exe_fd < 0)
		k->exe_fd = saved_to_fd(s->exe_fd);
	k->armed = s->armed;
	k->over = s->over;
	k->had = s->had;
	k->taken = s->taken;
	k->for_terminals = s->for_terminals;
	/* Older shims have not recorded it. */
	k->wanted |= k->had || ((k->fd >= 0 || s->restart) && !k->for_terminals);
	if (s->restart)
		died_cb(-1, 0, c);
	return k->fd >= 0 ? watch(c, err) : 0;
}

/* The old one would start the old shim. It leaves once there is another, which is the one that whoever follows us finds. */
void keep_renew(struct container *c)
{
	struct keep *k = &c->keep, old = *k;
	struct process *p;
	struct err err;

	if (k->exe_fd < 0 || k->over)
		return;
	if (k->fd < 0) {
		/* Older programs have none for these. */
		LIST_FOREACH(p, &c->execs, link)
		keep_terminal(p);
		return;
	}
	k->fd = -1;
	k->event = NULL;
	if (start(c, &err) < 0) {
		log_warn("container '%s' keeps its old keeper: %s", c->id, err.text);
		k->fd = old.fd;
		k->event = old.event;
		return;
	}
	keeper_tell(old.fd, KEEPER_END, 0, -1);
	event_free(old.event);
	fd_close(&old.fd);
}

/* By the first process that it watches; older keepers, and older kernels, do not tell that. */
static bool is_anothers(const struct container *c)
{
	int init_fd = c->keep.held.fd[KEEPER_INIT];

	return init_fd >= 0 && c->rec.init_pidfd_inode && proc_pidfd_inode(init_fd) != c->rec.init_pidfd_inode;
}

void keep_take(struct container *c)
{
	struct err err;

	if (keeper_take(c->dir_fd, &c->keep.held, &c->keep.fd, &err) == 0) {
		if (is_anothers(c)) {
			keeper_held_release(&c->keep.held);
			fd_close(&c->keep.fd);
			log_warn("container '%s': who listens at '" STATEDIR_KEEPER "' is not its keeper", c->id);
			return;
		}
		c->keep.taken = c->keep.armed = true;
		if (watch(c, &err) == 0)
			return;
	}
	if (err.code != ERR_GONE)
		log_warn("container '%s': %s", c->id, err.text);
}
