/* SPDX-License-Identifier: Apache-2.0 */
/* Restoring: a creation whose first process comes out of an image, brought back by criu as a child of the shim.
 *
 * The image is only ever given to criu; what we read of it ourselves is three keys and the rest of stdin. Mounts, namespaces and groups are what the caller's config
 * says. criu is in the container's groups and in a mount namespace of its own, so that killing the groups ends whatever it has made. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/path.h"
#include "common/proc.h"
#include "shim/checkpoint/criu.h"
#include "shim/checkpoint/descriptors.h"
#include "shim/checkpoint/distrust.h"
#include "shim/checkpoint/execs.h"
#include "shim/checkpoint/image.h"
#include "shim/checkpoint/lazy.h"
#include "shim/checkpoint/left.h"
#include "shim/checkpoint/locks.h"
#include "shim/checkpoint/mapped.h"
#include "shim/checkpoint/options.h"
#include "shim/checkpoint/pagemap.h"
#include "shim/checkpoint/veth.h"
#include "shim/checkpoint/worker.h"
#include "shim/container/container_internal.h"
#include "shim/container/restore_files.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/idmap.h"
#include "shim/sandbox/keyring.h"
#include "shim/sandbox/ns.h"
#include "shim/sandbox/sched.h"
#include "shim/sandbox/sysctl.h"

#define UNREAD_MAX (1 << 20) /* as large as a pipe can be without privileges */

struct restoring {
	struct checkpoint_options options;
	struct descriptors streams;
	size_t n_execs;
	struct checkpoint_exec execs[EXECS_MAX];
	struct worker *worker; /* puts the files back, before criu */
	struct criu *criu;
	int master_fd;            /* of the terminal */
	struct capture_plan plan; /* of the files */
	int view_fd;              /* the images as everybody may read them; -1: as they are */
	bool noted;               /* init is known */
	bool unlimited;           /* its group may have any number of processes */
	int work_fd;              /* criu's work directory, with our own server of lazy pages; -1: the caller's */
};

void restore_free(struct restoring *r)
{
	if (!r)
		return;
	worker_free(r->worker);
	criu_free(r->criu);
	checkpoint_options_release(&r->options);
	fd_close(&r->master_fd);
	fd_close(&r->view_fd);
	fd_close(&r->work_fd);
	capture_plan_release(&r->plan);
	free(r);
}

int restore_take_master(struct restoring *r)
{
	return take_fd(&r->master_fd);
}

/* ---- before ---------------------------------------------------------------------------------------------------------------- */

int restore_read(struct container *c, struct err *err)
{
	struct creation *cr = c->creation;
	struct container_fds *fds = &cr->params.fds;
	struct restoring *r = cr->restoring = xcalloc(1, sizeof(*r));
	cleanup_free char *text = NULL;
	size_t len;

	r->master_fd = r->view_fd = r->work_fd = -1;
	if (fds->images_fd < 0)
		return err_set(err, ERR_PROTOCOL, "a restore needs a directory");
	if (memfd_read(fds->options_fd, CHECKPOINT_OPTIONS_MAX, &text, &len, err) < 0)
		return err_add(err, "the options");
	if (checkpoint_options_parse(text, len, &r->options, err) < 0 || image_check(fds->images_fd, err) < 0 ||
	    distrust_image(fds->images_fd, err) < 0 || pagemap_check(fds->images_fd, err) < 0 ||
	    descriptors_read(fds->images_fd, &r->streams, err) < 0 ||
	    execs_read(fds->images_fd, r->execs, &r->n_execs, err) < 0)
		return -1;
	/* Else criu would look for groups that it knows nothing of. That they are made anew is not promised for soft and full. */
	if (r->options.cgroups_mode && strcmp(r->options.cgroups_mode, "strict") != 0 &&
	    !image_has_groups(fds->images_fd)) {
		free(r->options.cgroups_mode);
		r->options.cgroups_mode = xstrdup("ignore");
	}
	/* What the caller says of a pair comes first, and holds. */
	if (!r->options.empty_network && veth_read(fds->images_fd, &r->options.veths, err) < 0)
		return -1;
	cr->params.open_stdin = descriptors_is_pipe(r->streams.key[0]);
	return 0;
}

/* What the process had not read of its stdin, from this file of the image. *stdin_fd: its end, borrowed; it may be another one afterwards. */
static int put_unread(struct process *p, const char *file, int *stdin_fd, struct err *err)
{
	const struct creation *cr = p->c->creation;
	cleanup_free char *data = NULL;
	cleanup_fd int fd = openat(cr->params.fds.images_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool stayed = cr->in_place && (p == &p->c->init || p->away);
	size_t len;

	if (fd < 0 || !p->relay)
		return 0; /* another runtime's image, or a stdin that is the caller's */
	if (stayed && !park_is_other_image(p->c))
		return 0; /* it is there still */
	if (fd_read_all(fd, UNREAD_MAX, &data, &len, err) < 0)
		return err_add(err, "%s", file);
	return stayed ? park_put_unread(p, data, len, stdin_fd, err) : relay_put_unread(p->relay, data, len, err);
}

static int put_inits_unread(struct container *c, struct err *err)
{
	int far = -1, r = put_unread(&c->init, IMAGE_STDIN, &far, err);

	if (far >= 0) {
		fd_close(&c->creation->child_stdio[0]);
		c->creation->child_stdio[0] = fcntl(far, F_DUPFD_CLOEXEC, 0);
	}
	return r;
}

static bool is_mapped_before(const struct descriptors *d, int i)
{
	for (int j = 0; j < i; j++)
		if (!strcmp(d->key[j], d->key[i]))
			return true;
	return false;
}

/* Is there something for each of those that it had from outside? */
static int check_streams(const struct container *c, struct err *err)
{
	static const char *const names[] = { "stdin", "stdout", "stderr" };
	const struct restoring *r = c->creation->restoring;

	for (int i = 0; i < 3; i++) {
		const char *key = r->streams.key[i];
		int fd = c->creation->child_stdio[i];
		bool tty = descriptors_is_tty(key);

		if ((!descriptors_is_pipe(key) && !tty) || is_mapped_before(&r->streams, i))
			continue;
		if (tty && (fd < 0 || !isatty(fd)))
			return err_set(err, ERR_CONFIG,
				       "the container's %s was its caller's terminal, but this is none", names[i]);
		if (fd < 0)
			return err_set(err, ERR_CONFIG, "the container's %s was a pipe, but there is none to give it",
				       names[i]);
	}
	return 0;
}

/* The new ends of the pipes, and another terminal, under the keys of the old ones. */
static void inherit_streams(struct container *c, struct criu_plan *plan, int *fds, size_t *n)
{
	const struct restoring *r = c->creation->restoring;

	for (int i = 0; i < 3; i++) {
		const char *key = r->streams.key[i];
		bool tty = descriptors_is_tty(key);

		if ((!descriptors_is_pipe(key) && !tty) || is_mapped_before(&r->streams, i))
			continue;
		criu_plan_inherit(plan, key, CRIU_FIRST_FD + (int)*n);
		if (tty)
			criu_plan_external(plan, key);
		fds[(*n)++] = fcntl(c->creation->child_stdio[i], F_DUPFD_CLOEXEC, 0);
	}
}

/* The same for the exec'd processes, whose output nobody has asked for any more. */
static int inherit_execs(struct container *c, struct criu_plan *plan, int *fds, size_t *n, struct err *err)
{
	const struct restoring *r = c->creation->restoring;

	for (size_t e = 0; e < r->n_execs; e++) {
		const struct descriptors *d = &r->execs[e].streams;
		cleanup_free char *stdin_file = image_stdin_of(r->execs[e].name);
		struct process *p;
		int stdio[3];

		p = exec_expect(c, r->execs[e].name, descriptors_is_pipe(d->key[0]), stdio, err);
		if (!p || put_unread(p, stdin_file, &stdio[0], err) < 0)
			return -1;
		for (int i = 0; i < 3; i++) {
			if (!descriptors_is_pipe(d->key[i]) || is_mapped_before(d, i))
				continue;
			criu_plan_inherit(plan, d->key[i], CRIU_FIRST_FD + (int)*n);
			fds[(*n)++] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 0);
		}
	}
	return 0;
}

/* ---- lazy pages ------------------------------------------------------------------------------------------------------------ */

/* What criu leaves in its work directory for the caller. */
static const char *const left[] = { "restore.log", "stats-restore", LAZY_LOG };

/* Where the caller wants criu's log. */
static int callers_fd(const struct creation *cr)
{
	return cr->params.fds.work_fd >= 0 ? cr->params.fds.work_fd : cr->params.fds.images_fd;
}

static void remove_lazy_links(struct container *c)
{
	for (size_t i = 0; c->creation->restoring->work_fd >= 0 && i < ARRAY_SIZE(left); i++)
		unlinkat(c->dir_fd, left[i], 0);
}

/* Both criu have to have the same work directory, which cannot be the caller's: two restores there would take each other's socket. It is the state directory, and what is the caller's is led
 * to his. */
static int make_lazy_links(struct container *c, struct err *err)
{
	struct restoring *r = c->creation->restoring;
	cleanup_free char *path = NULL;

	/* Another descriptor, which criu_start() may exchange. */
	r->work_fd = openat(c->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->work_fd < 0)
		return err_sys(err, "cannot open the state directory");
	if (fd_path(callers_fd(c->creation), &path, err) < 0)
		return -1;
	unlinkat(c->dir_fd, LAZY_SOCKET, 0);
	remove_lazy_links(c);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		cleanup_free char *target = path_join(path, left[i]);

		if (symlinkat(target, c->dir_fd, left[i]) < 0)
			return err_sys(err, "cannot make a link to '%s'", target);
	}
	return 0;
}

/* Has the caller started a server himself, as one does for runc? It listens where criu's log goes. */
static bool has_server(const struct creation *cr)
{
	struct stat st;

	return fstatat(callers_fd(cr), LAZY_SOCKET, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode);
}

/* What it has of its memory is all that it will ever have. */
static void kill_incomplete(struct container *c, const struct err *why)
{
	struct err ignored;

	log_error("container '%s': %s: what is still missing of its memory is lost, and it is killed", c->id,
		  why->text);
	proc_pidfd_kill(c->init.pidfd, SIGKILL, &ignored);
	if (c->cgroup)
		cgroup_kill_each(c->cgroup, SIGKILL, &ignored);
}

static void server_ended(void *arg, const struct err *failure)
{
	struct container *c = arg;
	struct creation *cr = c->creation;
	struct err err;

	unlinkat(c->dir_fd, LAZY_SOCKET, 0);
	if (!failure) {
		lazy_free(c->lazy);
		c->lazy = NULL;
		container_quiet(c);
		return;
	}
	err = *failure;
	if (cr && cr->restoring)
		image_explain(callers_fd(cr), LAZY_LOG, &err);
	if (cr && cr->restoring && cr->restoring->criu) {
		cr->why = err;
		criu_kill(cr->restoring->criu);
	} else if (cr && cr->restoring) {
		err_add(&err, "cannot restore container '%s'", c->id);
		create_restored(c, &err);
	} else if (!c->init.exited) {
		kill_incomplete(c, &err);
	}
}

static int start_criu(struct container *c, struct err *err);

static void server_ready(void *arg)
{
	struct container *c = arg;
	struct err err;

	if (start_criu(c, &err) == 0)
		return;
	err_add(&err, "cannot restore container '%s'", c->id);
	create_restored(c, &err);
}

static int start_server(struct container *c, struct err *err)
{
	static const struct lazy_ops ops = { .ready_cb = server_ready, .end_cb = server_ended };
	const struct restoring *r = c->creation->restoring;
	const int close_first[] = { c->lock_fd, c->control_fd };
	int port = 0;
	cleanup_free char *address = checkpoint_page_server(&r->options, &port);

	if (c->creation->params.leave)
		return err_set(err, ERR_UNSUPPORTED,
			       "--lazy-pages: nobody of us stays to bring them in: start 'criu lazy-pages' before, in "
			       "the work "
			       "directory");
	if (make_lazy_links(c, err) < 0)
		return -1;
	const struct lazy_program program = { .path = r->options.criu,
					      .images_fd = c->creation->params.fds.images_fd,
					      .work_fd = r->work_fd,
					      .address = address,
					      .port = port,
					      .close_first = close_first,
					      .n_close_first = ARRAY_SIZE(close_first) };
	lazy_free(c->lazy);
	c->lazy = NULL;
	image_forget_log(callers_fd(c->creation), LAZY_LOG);
	return lazy_start(c->base, &program, &ops, c, &c->lazy, err);
}

/* The files are as they should be. */
static int bring_back(struct container *c, struct err *err)
{
	if (c->creation->restoring->options.lazy_pages && !has_server(c->creation))
		return start_server(c, err);
	return start_criu(c, err);
}

/* ---- while criu works ------------------------------------------------------------------------------------------------------ */

/* The image brings its own user namespace: it has to be the one that the config says. */
static int settle_users(struct container *c, pid_t pid, struct err *err)
{
	const struct oci_config *config = c->config;
	cleanup_idmap struct idmap found = { 0 };

	if (!config->ns[OCI_NS_USER].wanted)
		return 0;
	if (idmap_read(pid, &found, err) < 0)
		return -1;
	if (!idmap_equal(&config->uid_maps, &found.uids))
		return err_set(err, ERR_CONFIG, "linux.uidMappings: the checkpoint has others");
	if (!idmap_equal(&config->gid_maps, &found.gids))
		return err_set(err, ERR_CONFIG, "linux.gidMappings: the checkpoint has others");
	return config->has_process ? idmap_chown(pid, &config->process, c->creation->child_stdio, 3, err) : 0;
}

static int note_init(struct container *c, pid_t pid, struct err *err)
{
	int pidfd;

	if (c->creation->restoring->noted)
		return 0;
	/* Our own child that nobody has reaped: the number cannot be another's. */
	if (proc_pidfd_open(pid, 0, &pidfd, err) < 0)
		return -1;
	c->creation->restoring->noted = true;
	if (launch_note_init(c, pid, pidfd, err) < 0 || ns_check(c->config, &c->creation->joined, pid, err) < 0 ||
	    settle_users(c, pid, err) < 0)
		return -1;
	return launch_settle_init(c, err);
}

static pid_t find_inner(const struct container *c, pid_t inner)
{
	struct cgroup_pids pids = cgroup_pids(c->cgroup);
	pid_t found = 0;

	for (size_t i = 0; i < pids.n && !found; i++)
		if (proc_inner_pid(pids.v[i]) == inner)
			found = pids.v[i];
	free(pids.v);
	return found;
}

/* They are there, and stopped: none can end meanwhile. */
static int find_execs(struct container *c, struct err *err)
{
	const struct restoring *r = c->creation->restoring;

	for (size_t i = 0; i < r->n_execs; i++) {
		struct process *p = container_find(c, r->execs[i].name);
		pid_t pid = find_inner(c, r->execs[i].pid);
		int pidfd;

		if (!pid)
			return err_set(err, ERR_CONFIG, "%s: process %s is not in the checkpoint", EXECS_FILE,
				       r->execs[i].name);
		if (proc_pidfd_open(pid, 0, &pidfd, err) < 0 || exec_came_back(p, pid, pidfd, err) < 0)
			return -1;
	}
	return 0;
}

/* criu does not keep it. They have it from their first process, as when they were begun; what one has chosen since then nobody knows. */
static int give_io_priority(struct container *c, struct err *err)
{
	const struct oci_io_priority *priority = &c->config->process.io_priority;
	struct cgroup_pids pids = { 0 };
	int ret;

	if (!c->config->has_process || !priority->set)
		return 0;
	pids = cgroup_pids(c->cgroup);
	ret = sched_give_io_priority(c->init.pid, priority, err);
	for (size_t i = 0; i < pids.n && ret == 0; i++)
		if (!exec_holds(c, pids.v[i]))
			ret = sched_give_io_priority(pids.v[i], priority, err);
	free(pids.v);
	return ret;
}

static int fetch_veths(struct container *c, struct err *err)
{
	const struct restoring *r = c->creation->restoring;
	struct criu_left criu;

	if (!criu_plan_own_network(&r->options, c->config))
		return 0;
	criu_identify(r->criu, &criu);
	return veth_fetch(criu.pid, &r->options.veths, err);
}

/* criu and its helpers are in the container's groups, and count. False: as many as they take. */
static int limit_processes(struct container *c, bool limited, struct err *err)
{
	struct restoring *r = c->creation->restoring;

	if (r->unlimited != limited)
		return 0;
	if (groups_limit_processes(c, limited, err) < 0)
		return -1;
	r->unlimited = !limited;
	return 0;
}

/* Once, before anything of it runs. */
static int all_there(struct container *c, struct err *err)
{
	const struct restoring *r = c->creation->restoring;

	if (find_execs(c, err) < 0 || give_io_priority(c, err) < 0 || fetch_veths(c, err) < 0)
		return -1;
	return r->options.empty_network ? 0 : veth_set_up(c->creation->params.fds.images_fd, &r->options.veths, err);
}

int restore_save_execs(struct container *c, struct err *err)
{
	const struct restoring *r = c->creation->restoring;

	for (size_t i = 0; i < r->n_execs; i++) {
		struct process *p = container_find(c, r->execs[i].name);

		if (p && state_add_process(c, p, err) < 0)
			return -1;
	}
	return 0;
}

static pid_t find_cb(void *arg, pid_t inner)
{
	return find_inner(arg, inner);
}

/* They are whole, and stopped for the last time. */
static void look_for_locks(struct container *c)
{
	cleanup_free char *first = NULL, *others = NULL;
	const bool restored = c->creation->restoring->options.file_locks;
	size_t n;

	n = locks_lost(c->creation->params.fds.images_fd, restored, find_cb, c, &first);
	if (n == 0)
		return;
	others = n > 1 ? xasprintf(" and %zu more", n - 1) : xstrdup("");
	free(c->remark);
	c->remark = xasprintf("container '%s': the lock on %s%s has not come back: %s", c->id, first, others,
			      restored ? "criu loses those on files that the process has mapped, and another program "
					 "may take the file for unused"
				       : "--file-locks would bring it");
	log_warn("%s", c->remark);
}

/* What a process can change of itself only, and criu (4.2.1) does not. */
static void look_for_settings(struct container *c)
{
	const bool first = !c->remark;
	const struct oci_process *p = &c->config->process;
	const bool personality = p->personality.domain != 0, policy = p->memory_policy.mode != 0;
	cleanup_free char *before = NULL;

	if (!personality && !policy)
		return;
	before = c->remark ? c->remark : xasprintf("container '%s'", c->id);
	c->remark = xasprintf("%s%s criu does not bring back %s%s%s", before, first ? ":" : ";",
			      personality ? "linux.personality" : "", personality && policy ? " and " : "",
			      policy ? "linux.memoryPolicy" : "");
	log_warn("%s", c->remark);
}

void restore_hooks_done(struct container *c, const struct err *err)
{
	if (err)
		c->creation->why = *err;
	criu_answer(c->creation->restoring->criu, !err);
}

static void notified(void *arg, const char *what, pid_t pid, int fd)
{
	struct container *c = arg;
	struct restoring *r = c->creation->restoring;
	struct err *why = &c->creation->why;
	bool setup = !strcmp(what, "setup-namespaces"), there = !strcmp(what, "post-restore");

	log_debug("container '%s': criu: %s", c->id, what);
	/* All of them have said by now what they lack; once more before they run. */
	if (c->lazy && (there || !strcmp(what, "pre-resume")))
		lazy_hold(c->lazy);
	if (!strcmp(what, "orphan-pts-master") && r->master_fd < 0)
		r->master_fd = take_fd(&fd);
	fd_close(&fd);
	if (((setup || there) && pid > 0 && note_init(c, pid, why) < 0) ||
	    (setup && pid > 0 && sysctl_write_anew(c->config, pid, why) < 0) || (there && all_there(c, why) < 0)) {
		criu_answer(r->criu, false);
		return;
	}
	if (!strcmp(what, "pre-resume")) {
		look_for_locks(c);
		look_for_settings(c);
		/* From here on it takes no refusal. */
		if (limit_processes(c, true, why) < 0) {
			criu_kill(r->criu);
			return;
		}
	}
	if (setup)
		create_wants_hooks(c); /* the answer follows them */
	else
		criu_answer(r->criu, true);
}

/* criu has made them with the umask that it has for the container's files. */
static void hide_statistics(int dir_fd)
{
	cleanup_fd int fd = openat(dir_fd, "stats-restore", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && fchmod(fd, 0600) < 0)
		log_debug("cannot change the mode of stats-restore");
}

static void criu_done(void *arg, const struct err *failure)
{
	struct container *c = arg;
	struct creation *cr = c->creation;
	struct err err;

	remove_lazy_links(c);
	hide_statistics(callers_fd(cr));
	if (!failure && cr->restoring->noted && !cr->why.code) {
		free(c->restoring_log);
		c->restoring_log = NULL;
		create_restored(c, NULL);
		return;
	}
	if (cr->why.code) {
		err = cr->why;
	} else if (failure) {
		err = *failure;
		image_explain(callers_fd(cr), "restore.log", &err);
	} else {
		err_set(&err, ERR_INTERNAL, "criu does not say who it has restored");
	}
	cr->why = (struct err) { 0 };
	err_add(&err, "cannot restore container '%s'", c->id);
	create_restored(c, &err);
}

/* In a user namespace what is restored reads its images at first as root from outside and then as the namespace's own, to both of whom root's files are closed. */
static int open_view(struct container *c, struct err *err)
{
	if (!c->config->ns[OCI_NS_USER].wanted)
		return 0;
	return image_open_view(c->creation->params.fds.images_fd, &c->creation->restoring->view_fd, err);
}

/* criu makes the user namespace later: what is to belong to its root is given to that now. Of one that is joined nobody here knows who that is. */
static struct keyring keyring_of(const struct container *c)
{
	const struct oci_config *config = c->config;
	struct keyring k = { .id = c->id, .process = config->has_process ? &config->process : NULL };

	k.given = idmap_to_host(&config->uid_maps, 0, &k.uid) && idmap_to_host(&config->gid_maps, 0, &k.gid);
	return k;
}

/* For who follows this shim if it is killed meanwhile. */
static int note_log(struct container *c, struct err *err)
{
	free(c->restoring_log);
	c->restoring_log = NULL;
	return fd_path(callers_fd(c->creation), &c->restoring_log, err) < 0 ? -1 : state_save(c, err);
}

static int start_criu(struct container *c, struct err *err)
{
	static const struct criu_ops ops = { .notify_cb = notified, .done_cb = criu_done };
	struct creation *cr = c->creation;
	struct restoring *r = cr->restoring;
	const int close_first[] = { c->lock_fd, c->control_fd };
	const struct keyring keyring = keyring_of(c);
	int fds[CRIU_FDS_MAX];
	size_t n = 0;
	struct mapped_binds mapped = { 0 };
	struct criu_plan plan = { .mapped = &mapped };
	struct err unsaid;
	int ret = open_view(c, err);

	if (ret == 0 && !r->options.empty_network)
		ret = veth_await_free(&r->options.veths, err);
	if (ret == 0)
		ret = mapped_binds_open(c->config, cr->bundle, &cr->joined, &mapped, err);
	if (ret == 0)
		ret = criu_plan_restore(&plan, &r->options, c->config, cr->rootfs, c->cgroup, fds, &n, err);

	if (ret == 0)
		ret = put_inits_unread(c, err);
	if (ret == 0)
		inherit_streams(c, &plan, fds, &n);
	if (ret == 0)
		ret = inherit_execs(c, &plan, fds, &n, err);
	if (ret == 0)
		ret = note_log(c, err);
	if (ret == 0)
		ret = limit_processes(c, false, err);
	plan.opts.images_dir_fd = r->view_fd >= 0 ? r->view_fd : cr->params.fds.images_fd;
	plan.opts.has_work_dir_fd = 1;
	plan.opts.work_dir_fd = r->work_fd >= 0 ? r->work_fd : callers_fd(cr);
	if (ret == 0) {
		const struct criu_program program = {
			.path = r->options.criu,
			.cgroup = c->cgroup,
			.new_cgroup_ns = oci_has_new_ns(c->config, OCI_NS_CGROUP),
			.cgroup_ns_fd = cr->joined.fd[OCI_NS_CGROUP],
			.own_network = criu_plan_own_network(&r->options, c->config),
			.keyring = c->rec.callers_keyring ? NULL : &keyring,
			.umask = 0022,
			.root = cr->rootfs,
			.mapped = &mapped,
			.close_first = close_first,
			.n_close_first = ARRAY_SIZE(close_first),
			.fds = fds,
			.n_fds = n,
			.timeout_s = (unsigned int)r->options.timeout_s,
			.mounts_in_work_dir = plan.opts.manage_cgroups_mode != CRIU_CGROUP_MODE__CG_IGNORE,
			.default_lock = criu_plan_default_lock(&r->options),
		};

		image_forget_log(callers_fd(cr), plan.opts.log_file);
		ret = criu_start(c->base, &program, CRIU_TYPE__REQ_RESTORE, &plan.opts, &ops, c, &r->criu, err);
	}
	if (ret < 0 && limit_processes(c, true, &unsaid) < 0)
		log_warn("container '%s': %s", c->id, unsaid.text);
	criu_plan_release(&plan);
	mapped_binds_release(&mapped);
	for (size_t i = 0; i < n; i++)
		fd_close(&fds[i]);
	return ret;
}

/* ---- the files, before criu ------------------------------------------------------------------------------------------------ */

static int put_files_back(void *arg, struct err *err)
{
	const struct container *c = arg;
	const struct restoring *r = c->creation->restoring;

	return restore_files_put(c, &r->options, &r->plan, err);
}

static void files_back(void *arg, const struct err *failure)
{
	struct container *c = arg;
	struct restoring *r = c->creation->restoring;
	struct err err;

	worker_free(r->worker);
	r->worker = NULL;
	if (!failure && bring_back(c, &err) == 0)
		return;
	if (failure)
		err = *failure;
	err_add(&err, "cannot restore container '%s'", c->id);
	create_restored(c, &err);
}

int restore_start(struct container *c, struct err *err)
{
	struct restoring *r = c->creation->restoring;
	const int fds[] = { c->creation->params.fds.images_fd };
	const struct worker_task task = { .run = put_files_back,
					  .done_cb = files_back,
					  .arg = c,
					  .done_arg = c,
					  .fds = fds,
					  .n_fds = ARRAY_SIZE(fds) };

	if (criu_check_privileges(err) < 0 || check_streams(c, err) < 0 ||
	    ns_open_joined(c->config, &c->creation->joined, err) < 0)
		return -1;
	if (!r->options.files)
		return bring_back(c, err);
	if (restore_files_plan(c, &r->options, &r->plan, err) < 0)
		return -1;
	return worker_start(c->base, &task, &r->worker, err);
}

/* Only what we know of it: the groups' undo kills the rest. */
void restore_undo(struct container *c)
{
	struct err err;

	if (limit_processes(c, true, &err) < 0)
		log_warn("container '%s': its limit of processes is not in force: %s", c->id, err.text);
	hooks_cancel(c);
	worker_free(c->creation->restoring->worker);
	c->creation->restoring->worker = NULL;
	criu_free(c->creation->restoring->criu);
	c->creation->restoring->criu = NULL;
	process_kill_now(&c->init);
	container_drop_roots(c);
	lazy_free(c->lazy);
	c->lazy = NULL;
	exec_drop_expected(c);
}
