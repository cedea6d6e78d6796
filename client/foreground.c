/* SPDX-License-Identifier: Apache-2.0 */
/* A launch and what follows: run and restore, detached or between the caller's stdio and the container's. */
#include "client/foreground.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "client/handover.h"
#include "client/relay.h"
#include "client/relay_return.h"
#include "client/signals.h"
#include "common/fd.h"
#include "common/statedir.h"

static int follow_nobody(const struct client *cl, const struct launch_request *req, struct err *err)
{
	cleanup_launch struct launch l = LAUNCH_NONE;

	if (launch_container(cl, req, &l, err) < 0 || launch_pid_file(cl, req, l.reply.pid, err) < 0)
		return -1;
	if (req->options->rootfs)
		puts(req->id);
	return 0;
}

/* The shim has ended before it told us, as err says: perhaps it recorded how the container ended. */
static int lost_shim(const struct client *cl, const char *id, struct err *err)
{
	cleanup_fd int dir_fd = -1;
	struct err ignored;
	Exit e;

	if (client_open_container(cl, id, NULL, &dir_fd, &ignored) == 0 && call_recorded_exit(dir_fd, &e))
		return call_exit_status(id, &e, err);
	return -1;
}

static int relay_foreground(const struct client *cl, const struct launch_request *req, struct relay *r,
			    struct launch *l, struct err *err)
{
	enum relay_end end;
	Exit exit;

	r->terminal = l->reply.terminal;
	r->use_stdin = req->open_stdin;
	r->id = req->id;
	r->another = relay_return_follower;
	relay_take_streams(r, l->reply.fd_role, l->reply.fd_role_count, &l->fds);
	if (relay_run(r, &end, &exit, err) < 0)
		return -1;
	if (end == RELAY_LEFT)
		return 0;
	if (end == RELAY_EXIT && exit.remark[0])
		client_remark(cl, "%s", exit.remark);
	return end == RELAY_EXIT ? call_exit_status(req->id, &exit, err) : lost_shim(cl, req->id, err);
}

/* What loses its parent in a container without a pid namespace of its own comes to us, as it does to runc's run, and not to whoever is above. Nobody wants to know how
 * it ends, nor how our shim does, so the kernel reaps them all. */
static int adopt_orphans(struct err *err)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(err, "cannot become the reaper of the container's orphans");
	signal(SIGCHLD, SIG_IGN);
	return 0;
}

static int follow(const struct client *cl, const struct launch_request *req, struct err *err)
{
	cleanup_launch struct launch l = LAUNCH_NONE;
	cleanup_fd int signal_fd = -1;
	struct relay r;

	if (relay_prepare(&r, cl, &l.call, req->options->detach_keys, err) < 0)
		return -1;
	if (!req->options->no_subreaper && adopt_orphans(err) < 0)
		return -1;
	/* Before there is a container: a signal that comes when there is one is meant for it. */
	if (signals_open(SIGNALS_FOREGROUND, &signal_fd, err) < 0)
		return -1;
	l.call.signal_fd = signal_fd;
	if (launch_container(cl, req, &l, err) < 0 || launch_pid_file(cl, req, l.reply.pid, err) < 0) {
		if (call_interrupted(err))
			signals_die(l.call.signal);
		return -1;
	}
	return relay_foreground(cl, req, &r, &l, err);
}

int launch_and_follow(const struct client *cl, struct launch_request *req, struct err *err)
{
	const struct launch_options *o = req->options;

	req->foreground = !o->detach;
	req->open_stdin = o->interactive || o->stdin_once || (!o->detach && handover_has_stdin(cl));
	req->remove_at_exit = o->detach ? o->remove : !o->keep;
	req->size = !o->detach;
	return o->detach ? follow_nobody(cl, req, err) : follow(cl, req, err);
}
