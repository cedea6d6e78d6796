/* SPDX-License-Identifier: Apache-2.0 */
/* The container's first process, from the clone to execve.
 *
 * Runs as the child that clone3 made, single-threaded, in its new namespaces, with the shim's privileges until it becomes the user. It
 * distrusts the root file system and whatever in it has a name. Nothing here uses libevent or stdio; the way out is execve or _exit.
 *
 * The order is forced: the shim's lock is closed first of all (a copy would keep it locked); groups are joined before the cgroup namespace
 * is made (its root is the group at that moment) and before anything is allocated that should be accounted; the root is built
 * before it is entered; limits and the bounding set need privileges and so come before the user; a seccomp filter comes after the wait for
 * the start where no_new_privs allows that, so that the profile need not allow what the wait needs, and before the capabilities
 * go where it does not. */
#include "shim/sandbox/child_init.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/wire.h"
#include "shim/oci/names.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/child_internal.h"
#include "shim/sandbox/hook.h"
#include "shim/sandbox/net_device.h"
#include "shim/sandbox/sysctl.h"

static int step_join(struct child *ch, struct err *err)
{
	if (child_cgroup_join(ch->p->cgroup, err) < 0)
		return -1;
	return child_ns_join(ch->init->joined, NULL, err);
}

static int step_cgroup_namespace(struct child *ch, struct err *err)
{
	const struct oci_config *c = ch->init->config;

	if (oci_has_new_ns(c, OCI_NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, "cannot make a cgroup namespace");
	return 0;
}

static int step_names(struct child *ch, struct err *err)
{
	const struct oci_config *c = ch->init->config;

	if (c->hostname && sethostname(c->hostname, strlen(c->hostname)) < 0)
		return err_sys(err, "cannot set the hostname");
	if (c->domainname && setdomainname(c->domainname, strlen(c->domainname)) < 0)
		return err_sys(err, "cannot set the domainname");
	return 0;
}

static int step_sysctl(struct child *ch, struct err *err)
{
	size_t n = ch->init->config->sysctl_keys.n;

	ch->sysctl_todo = xcalloc(n, sizeof(*ch->sysctl_todo));
	memset(ch->sysctl_todo, true, n);
	return child_sysctl_apply(ch->init->config, ch->sysctl_todo, ch->p->in_user_ns, err);
}

/* As the root of the user namespace, which building the rootfs has made us. */
static int step_sysctl_left(struct child *ch, struct err *err)
{
	return child_sysctl_apply(ch->init->config, ch->sysctl_todo, false, err);
}

/* As every manager expects of a new one; the rest of a network is whose it is. */
static int step_loopback(struct child *ch, struct err *err)
{
	return oci_has_new_ns(ch->init->config, OCI_NS_NETWORK) ? child_loopback_up(err) : 0;
}

static int step_build_rootfs(struct child *ch, struct err *err)
{
	return child_build_rootfs(ch->init, &ch->root_fd, err);
}

/* Before the root is entered, as the specification wants it: the paths are the host's. */
static int step_hooks(struct child *ch, struct err *err)
{
	const struct oci_config *c = ch->init->config;
	struct hook_run run = {
		.hooks = &c->hooks[OCI_HOOK_CREATE_CONTAINER],
		.kind = oci_hook_name(OCI_HOOK_CREATE_CONTAINER),
		.cwd = ch->init->bundle,
	};
	cleanup_free char *state = NULL;
	mode_t old;
	int r;

	if (c->hooks[OCI_HOOK_PRESTART].n || c->hooks[OCI_HOOK_CREATE_RUNTIME].n) {
		child_say(ch->sync_fd, CHILD_WANTS_HOOKS, NULL, -1);
		if (child_await_order(ch->sync_fd) != CHILD_GO_ON)
			_exit(1);
	}
	if (run.hooks->n == 0)
		return 0;
	run.state = state = ch->init->state_cb(ch->init->state_arg, "creating");
	old = umask(HOOK_UMASK);
	r = hook_run_all(&run, err);
	umask(old);
	return r;
}

static int step_enter_rootfs(struct child *ch, struct err *err)
{
	return child_enter_rootfs(ch->init, ch->root_fd, err);
}

static void end_cb(int sig)
{
	_exit(128 + sig);
}

/* As the first process of a pid namespace we get no signal that we do not handle, and yet who gives a created container up ends it so. execve makes them
 * default again. Before a filter that would ask somebody about it. */
static int step_mortal(struct child *ch, struct err *err)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (signal(ends[i], end_cb) == SIG_ERR)
			return err_sys(err, "cannot handle signal %d", ends[i]);
	return 0;
}

/* Of an ordinary user's container: the kernel lets him enter the namespaces of somebody dumpable only, and exec into a created container does that. What those
 * inside who are its root then see of us is a sealed executable, the descriptors of the wait, and what the user has configured; he himself sees it anyway. */
static int step_enterable(struct child *ch, struct err *err)
{
	if (ch->p->unprivileged && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return err_sys(err, "cannot become dumpable");
	return 0;
}

/* What a joiner has done for us, if there was one. */
static const struct child_step before[] = {
	{ "let go", child_step_let_go },
	{ "join", step_join },
};

static const struct child_step steps[] = {
	{ "session", child_step_session },
	{ "cgroup namespace", step_cgroup_namespace },
	{ "close", child_step_close_others },
	{ "names", step_names },
	{ "loopback", step_loopback },
	{ "sysctl", step_sysctl },
	{ "rootfs", step_build_rootfs },
	{ "keyring", child_step_keyring }, /* it belongs to the root of the user namespace */
	{ "other sysctl", step_sysctl_left },
	{ "hooks", step_hooks },
	{ "terminal", child_step_terminal },
	{ "enter", step_enter_rootfs },
	{ "limits", child_step_limits },
	{ "user", child_step_user },
	{ "program", child_step_find_program },
	{ "descriptors", child_step_place_fds },
	{ "mortal", step_mortal },
	{ "enterable", step_enterable },
	{ "notify", child_step_notify },
};

/* The connection of whoever starts us. */
static int await_start(int start_fd)
{
	struct pollfd pfd = { .fd = start_fd, .events = POLLIN };

	for (;;) {
		int fd;

		if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
			_exit(1);
		fd = accept4(start_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
			_exit(1);
	}
}

void child_init(const struct child_init_params *p)
{
	struct err err = { 0 };
	struct child ch;
	int conn;

	child_begin(&ch, &p->common);
	ch.init = p;
	if (!p->by_joiner)
		child_run_steps(&ch, before, ARRAY_SIZE(before));
	child_run_steps(&ch, steps, ARRAY_SIZE(steps));
	child_say(ch.sync_fd, CHILD_READY, NULL, ch.master_fd);
	fd_close(&ch.master_fd);
	if (child_await_order(ch.sync_fd) == CHILD_RUN) {
		fd_close(&ch.start_fd);
		child_run_program(&ch, &err);
		child_fail_as_program(&ch, &err);
		child_fail(ch.sync_fd, &err);
	}
	fd_close(&ch.sync_fd);
	conn = await_start(ch.start_fd);
	fd_close(&ch.start_fd);
	child_run_program(&ch, &err);
	child_fail_as_program(&ch, &err);
	wire_send_err(conn, &err);
	_exit(err.code == ERR_COMMAND_NOT_FOUND ? 127 : err.code == ERR_NOT_EXECUTABLE ? 126 : 1);
}
