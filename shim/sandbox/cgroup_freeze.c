/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping all processes of a container at once, by the v1 freezer or cgroup.freeze of v2.
 *
 * Runs in the shim. The kernel freezes in its own time: processes in the middle of a system call that cannot be interrupted keep a group "freezing". Whoever
 * asks has to look again, and to thaw what does not freeze. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/sandbox/cgroup_internal.h"

static const struct hierarchy *freezer_of(const struct cgroup *cg)
{
	const struct hierarchy *h = cgroup_find(cg, "freezer");

	return h ? h : cgroup_find_v2(cg);
}

int cgroup_set_frozen(const struct cgroup *cg, bool frozen, struct err *err)
{
	const struct hierarchy *h = freezer_of(cg);
	cleanup_free char *file = NULL;

	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "the container has no cgroup that could be frozen");
	file = xasprintf("%s/%s", h->dir, h->v2 ? "cgroup.freeze" : "freezer.state");
	return fd_write_file_at(AT_FDCWD, file, h->v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED"), err);
}

static bool file_says(const struct hierarchy *h, const char *name, const char *word)
{
	cleanup_free char *path = xasprintf("%s/%s", h->dir, name), *text = NULL;
	struct err ignored;

	return fd_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) == 0 && strstr(text, word) != NULL;
}

bool cgroup_is_populated(const struct cgroup *cg)
{
	const struct hierarchy *pids = cgroup_find(cg, "pids"), *v2 = cgroup_find_v2(cg);
	cleanup_free char *path = NULL, *text = NULL;
	struct err ignored;

	if (v2 && file_says(v2, "cgroup.events", "populated 1"))
		return true;
	if (!pids || pids->v2)
		return false;
	path = xasprintf("%s/pids.current", pids->dir);
	return fd_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) == 0 && atoi(text) > 0;
}

enum cgroup_frozen cgroup_frozen(const struct cgroup *cg)
{
	const struct hierarchy *h = freezer_of(cg);

	if (!h)
		return CGROUP_THAWED;
	if (!h->v2)
		return file_says(h, "freezer.state", "FROZEN")     ? CGROUP_FROZEN
		       : file_says(h, "freezer.state", "FREEZING") ? CGROUP_FREEZING
								   : CGROUP_THAWED;
	if (file_says(h, "cgroup.events", "frozen 1"))
		return CGROUP_FROZEN;
	return file_says(h, "cgroup.freeze", "1") ? CGROUP_FREEZING : CGROUP_THAWED;
}

int cgroup_open_frozen_event(const struct cgroup *cg)
{
	const struct hierarchy *h = freezer_of(cg);
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;

	/* v1 has nothing that could be waited for. */
	if (!h || !h->v2)
		return -1;
	path = xasprintf("%s/cgroup.events", h->dir);
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return -1;
	return take_fd(&fd);
}

/* In a frozen group it looks like one that waits for a disk. The kernel's function says what it is; where that is not told the signal does, until its parent has asked (as a shell does at once). */
static bool has_stopped(pid_t pid)
{
	struct proc_stat st;
	struct err ended;
	int waits;

	if (proc_stat(pid, &st, &ended) < 0)
		return false;
	if (st.state != 'D')
		return st.state == 'T';
	waits = proc_waits_in(pid, "do_signal_stop");
	return waits < 0 ? st.exit_status != 0 : waits > 0;
}

bool cgroup_can_trace_frozen(const struct cgroup *cg)
{
	const struct hierarchy *h = freezer_of(cg);
	struct cgroup_pids pids = { 0 };
	bool stopped = false;

	if (!h || h->v2)
		return true;
	pids = cgroup_pids(cg);
	for (size_t i = 0; i < pids.n && !stopped; i++)
		stopped = has_stopped(pids.v[i]);
	free(pids.v);
	return !stopped;
}

static void thaw_tree(const char *dir)
{
	cleanup_free char *file = xasprintf("%s/freezer.state", dir);
	cleanup_dir DIR *d = opendir(dir);
	struct err ignored;
	char *child;

	fd_write_file_at(AT_FDCWD, file, "THAWED", &ignored);
	while ((child = cgroup_next_child(dir, d))) {
		thaw_tree(child);
		free(child);
	}
}

/* v1's freezer holds even the killed, each group by itself; v2 lets them die. */
void cgroup_let_die(const struct cgroup *cg)
{
	const struct hierarchy *h = cgroup_find(cg, "freezer");

	if (h)
		thaw_tree(h->dir);
}
