/* SPDX-License-Identifier: Apache-2.0 */
/* Making init: one clone3 with all its namespaces, or one by a process between, and the handshake over a socketpair until its program runs.
 *
 * Runs in the shim. What comes over the socketpair is from our own code in the child, but a child that went wrong must not take the shim along:
 * sizes are checked, and the end of the connection is an answer too. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "shim/container/container_internal.h"
#include "shim/container/handshake.h"
#include "shim/container/notify.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/child_init.h"
#include "shim/sandbox/child_join.h"
#include "shim/sandbox/idmap.h"
#include "shim/sandbox/limits.h"
#include "shim/sandbox/net_device.h"

struct launch {
	struct container *c;
	int sync_fd;
	int master_fd;
	struct event *event;
	bool ready;               /* it has said so, and was told to run */
	struct event *joiner_end; /* while there is one: c->init is the joiner until it has said who is */
};

void launch_free(struct launch *l)
{
	if (!l)
		return;
	if (l->event)
		event_free(l->event);
	if (l->joiner_end)
		event_free(l->joiner_end);
	fd_close(&l->sync_fd);
	fd_close(&l->master_fd);
	free(l);
}

int launch_take_master(struct launch *l)
{
	return take_fd(&l->master_fd);
}

int launch_order(struct launch *l, enum child_order order, struct err *err)
{
	l->ready = order != CHILD_GO_ON;
	/* In a user namespace it could not raise them. */
	if (l->ready && l->c->config->has_process && ns_leaves_user(l->c->config, &l->c->creation->joined) &&
	    limits_apply(l->c->init.pid, &l->c->config->process, err) < 0)
		return -1;
	return handshake_order(l->sync_fd, order, err);
}

/* Why a child that said nothing is gone. */
static void explain_death(const struct container *c, struct err *err)
{
	siginfo_t info;

	proc_wait_pidfd(c->init.pidfd, WNOWAIT | WNOHANG, &info);
	if (exit_by_oom(c))
		err_set(err, ERR_LIMIT,
			"linux.resources.memory.limit: too low: the kernel killed the container's first process before "
			"its "
			"program ran");
	else if (info.si_pid && info.si_code != CLD_EXITED)
		err_set(err, ERR_GONE, "the container's first process was killed by signal %d before its program ran",
			info.si_status);
	else
		err_set(err, ERR_GONE, "the container's first process died before its program ran");
}

/* ---- init's own words, and those of the joiner before it ---------------------------------------------------------------- */

/* The mappings that a config may give beside the path of a user namespace: those that it has, or the one that podman writes when it has nothing to say. */
static int check_joined_maps(const char *field, const struct oci_id_maps *given, const struct oci_id_maps *found,
			     struct err *err)
{
	struct oci_id_map dummy[] = { { 0, 0, 1 } };

	if (given->n == 0 || idmap_equal(given, found) ||
	    idmap_equal(given, &(struct oci_id_maps) { ARRAY_SIZE(dummy), dummy }))
		return 0;
	return err_set(err, ERR_CONFIG, "%s: the user namespace that is joined has others", field);
}

/* The rules of the specification for when the container may have its group: a new cgroup namespace, and the file system mounted writable. */
static bool owns_group(const struct oci_config *config)
{
	if (!oci_has_new_ns(config, OCI_NS_CGROUP) || !config->has_process)
		return false;
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];

		if (m->type && !strncmp(m->type, "cgroup", 6) && !strcmp(m->destination, "/sys/fs/cgroup") &&
		    !(m->flags_set & MS_RDONLY) && !(m->rec_attr_set & MOUNT_ATTR_RDONLY))
			return true;
	}
	return false;
}

static int delegate(const struct container *c, uint32_t host_uid, struct err *err)
{
	if (!owns_group(c->config) || host_uid == 0)
		return 0;
	return cgroup_delegate(c->cgroup, CGROUP_DELEGATE_LIST, host_uid, err);
}

/* The joiner is in the user namespace, and waits. */
static int set_idmap(struct launch *l, struct err *err)
{
	struct container *c = l->c;
	const struct oci_config *config = c->config;
	cleanup_idmap struct idmap found = { 0 };
	uint32_t uid;

	if (!config->ns[OCI_NS_USER].path && idmap_write(c->init.pid, &config->uid_maps, &config->gid_maps, err) < 0)
		return -1;
	if (idmap_read(c->init.pid, &found, err) < 0)
		return -1;
	if (check_joined_maps("linux.uidMappings", &config->uid_maps, &found.uids, err) < 0 ||
	    check_joined_maps("linux.gidMappings", &config->gid_maps, &found.gids, err) < 0)
		return -1;
	/* The joiner can be written to now, and init will have what it has. */
	if (!caps_have(CAP_SYS_ADMIN) && limits_set_oom_score_adj(c->rec.init_pid, &c->config->process, err) < 0)
		return -1;
	if (config->has_process && idmap_chown(c->init.pid, &config->process, c->creation->child_stdio, 3, err) < 0)
		return -1;
	if (config->has_process && idmap_to_host(&found.uids, config->process.uid, &uid) && delegate(c, uid, err) < 0)
		return -1;
	return launch_order(l, CHILD_GO_ON, err);
}

/* What the joiner has cloned is init; it has nothing more to do itself but to leave. */
static int adopt_init(struct launch *l, int pidfd, struct err *err)
{
	cleanup_fd int fd = pidfd;
	struct container *c = l->c;
	pid_t pid;

	if (!l->joiner_end || fd < 0)
		return err_set(err, ERR_INTERNAL, "the container's first process speaks out of turn");
	event_free(l->joiner_end);
	l->joiner_end = NULL;
	process_kill_later(c, take_fd(&c->init.pidfd));
	if (proc_pidfd_pid(fd, &pid, err) < 0 || launch_note_init(c, pid, take_fd(&fd), err) < 0 ||
	    launch_settle_init(c, err) < 0 || net_devices_move(c->config, pid, &c->creation->net_devices, err) < 0)
		return -1;
	return launch_order(l, CHILD_GO_ON, err);
}

/* Init holds the other end of the socket as well: that the joiner was killed has to be seen. */
static void joiner_end_cb(evutil_socket_t fd, short what, void *arg)
{
	struct launch *l = arg;
	struct err err;
	char byte;

	if (recv(l->sync_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		return; /* it has said something before */
	explain_death(l->c, &err);
	create_launched(l->c, &err);
}

/* Its terminal, if it has one, comes later. */
static int hand_over_listener(struct launch *l, int listener, struct err *err)
{
	cleanup_fd int fd = listener;
	struct container *c = l->c;

	if (notify_send(c, c->config, "creating", c->rec.init_pid, fd, err) < 0)
		return -1;
	return launch_order(l, CHILD_GO_ON, err);
}

static void in_order(struct launch *l, const struct child_message *msg)
{
	struct container *c = l->c;
	struct err err;
	int r = 0;

	switch (msg->word) {
	case CHILD_FAILED:
		err = msg->err;
		r = -1;
		break;
	case CHILD_READY:
		create_launched(c, NULL);
		return;
	case CHILD_WANTS_HOOKS:
		create_wants_hooks(c);
		return;
	case CHILD_IS:
		r = adopt_init(l, launch_take_master(l), &err);
		break;
	case CHILD_WANTS_IDMAP:
		r = set_idmap(l, &err);
		break;
	case CHILD_UNREAPED:
		break;
	case CHILD_NOTIFIES:
		r = hand_over_listener(l, launch_take_master(l), &err);
		break;
	}
	if (r < 0)
		create_launched(c, &err);
}

static void sync_cb(evutil_socket_t fd, short what, void *arg)
{
	struct launch *l = arg;
	struct container *c = l->c;
	struct child_message msg;
	struct err err;
	int n = handshake_receive(l->sync_fd, &msg, &l->master_fd, &err);

	if (n > 0 && !l->ready) {
		in_order(l, &msg);
		return;
	}
	if (n == 0 && l->ready) {
		event_del(l->event);
		create_runs(c, NULL);
		return;
	}
	if (n == 0)
		explain_death(c, &err);
	else if (n > 0 && msg.word == CHILD_FAILED)
		err = msg.err;
	else if (n > 0)
		err_set(&err, ERR_INTERNAL, "the container's first process speaks out of turn");
	if (l->ready)
		create_runs(c, &err);
	else
		create_launched(c, &err);
}

static pid_t clone_child(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	return proc_clone(&args);
}

/* The terminal's size: what the caller has, else what the config says. */
static void set_size(struct child_params *p, const struct container *c)
{
	const struct container_create *params = &c->creation->params;
	const struct oci_process *pr = &c->config->process;

	p->rows = params->rows;
	p->columns = params->columns;
	if (!p->rows && !p->columns && c->config->has_process && pr->has_console_size) {
		p->rows = (uint16_t)pr->console_rows;
		p->columns = (uint16_t)pr->console_columns;
	}
}

/* What the hooks that run as the container's process are told: there the pid is the one that the container sees. */
static char *state_inside(void *arg, const char *status)
{
	struct container *c = arg;

	c->rec.init_pid = getpid();
	return state_oci_json(c, c->config, status);
}

static void run_child(struct container *c, const int pair[2], bool joiner) __attribute__((noreturn));
static void run_child(struct container *c, const int pair[2], bool joiner)
{
	struct creation *cr = c->creation;
	const int close_first[] = { c->lock_fd, c->control_fd, pair[0] };
	struct child_init_params p = {
		.common = {
			.process = c->config->has_process ? &c->config->process : NULL,
			.id = c->id,
			.cgroup = c->cgroup,
			.seccomp = c->seccomp,
			.sync_fd = pair[1],
			.start_fd = c->start_fd,
			.stdio = { cr->child_stdio[0], cr->child_stdio[1], cr->child_stdio[2] },
			.passed = cr->params.stdio == STDIO_PASS,
			.preserved = cr->params.fds.preserved,
			.n_preserved = cr->params.fds.n_preserved,
			.close_first = close_first,
			.n_close_first = ARRAY_SIZE(close_first),
			.limits = &c->limits,
			.no_new_keyring = cr->params.no_new_keyring,
			.foreign = cr->params.leave,
			.in_user_ns = ns_leaves_user(c->config, &cr->joined),
			.unprivileged = !caps_have(CAP_SYS_ADMIN),
		},
		.config = c->config,
		.bundle = cr->bundle,
		.rootfs = cr->rootfs,
		.joined = &cr->joined,
		.sources = &cr->sources,
		.leaves_user = ns_leaves_user(c->config, &cr->joined),
		.by_joiner = joiner,
		.no_pivot = cr->params.no_pivot,
		.state_cb = state_inside,
		.state_arg = c,
	};

	set_size(&p.common, c);
	if (joiner)
		child_join(&p);
	child_init(&p);
}

int launch_note_init(struct container *c, pid_t pid, int pidfd, struct err *err)
{
	if (process_set_pid(&c->init, pid, pidfd, err) < 0)
		return -1;
	c->init.terminal = c->rec.terminal;
	c->rec.init_pid = pid;
	c->rec.init_start_time = c->init.start_time;
	c->rec.init_pidfd_inode = c->init.pidfd_inode;
	return 0;
}

int launch_settle_init(struct container *c, struct err *err)
{
	/* Of who is not dumpable an ordinary user can write nothing: then it was the joiner's before. */
	if ((caps_have(CAP_SYS_ADMIN) && limits_set_oom_score_adj(c->rec.init_pid, &c->config->process, err) < 0) ||
	    resctrl_join(&c->resctrl, c->rec.init_pid, err) < 0)
		return -1;
	return state_save_record(c, err);
}

struct launch *launch_new(struct container *c, struct err *err)
{
	struct launch *l;
	bool joiner = ns_needs_joiner(c->config, &c->creation->joined);
	bool leaves_user = ns_leaves_user(c->config, &c->creation->joined);
	int pair[2], pidfd = -1;
	pid_t pid;

	if (!leaves_user && delegate(c, c->config->process.uid, err) < 0)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		err_sys(err, "cannot make a socketpair");
		return NULL;
	}
	pid = clone_child(joiner ? 0 : ns_clone_flags(c->config), cgroup_v2_fd(c->cgroup), &pidfd);
	if (pid == 0)
		run_child(c, pair, joiner);
	fd_close(&pair[1]);
	if (pid < 0) {
		err_sys(err, "cannot clone the container's first process");
		fd_close(&pair[0]);
		return NULL;
	}
	l = xcalloc(1, sizeof(*l));
	*l = (struct launch) { .c = c, .sync_fd = pair[0], .master_fd = -1 };
	l->event = event_new(c->base, l->sync_fd, EV_READ | EV_PERSIST, sync_cb, l);
	if (joiner)
		l->joiner_end = event_new(c->base, pidfd, EV_READ, joiner_end_cb, l);
	if (launch_note_init(c, pid, pidfd, err) == 0 && (joiner || launch_settle_init(c, err) == 0) && l->event &&
	    event_add(l->event, NULL) == 0 && (!joiner || (l->joiner_end && event_add(l->joiner_end, NULL) == 0)))
		return l;
	process_kill_now(&c->init);
	launch_free(l);
	return NULL;
}
