/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings of a user namespace: written, read, and used.
 *
 * Runs in the shim, with its privileges: who is inside cannot map the host's ids. */
#include "shim/sandbox/idmap.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/idmap_helper.h"
#include "shim/sandbox/procfs.h"

#define TEXT_MAX (64 << 10) /* of a mapping as the kernel shows it */

static char *text_of(const struct oci_id_maps *maps)
{
	size_t size = maps->n * sizeof("4294967295 4294967295 4294967295\n") + 1, len = 0;
	char *text = xcalloc(1, size);

	for (size_t i = 0; i < maps->n; i++)
		len += (size_t)snprintf(text + len, size - len, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
					maps->v[i].container, maps->v[i].host, maps->v[i].size);
	return text;
}

static int write_map(int proc_fd, pid_t pid, const char *name, const struct oci_id_maps *maps, struct err *err)
{
	cleanup_free char *text = text_of(maps), *path = xasprintf("%d/%s", (int)pid, name);
	struct err failed;

	if (procfs_write(proc_fd, path, text, &failed) == 0)
		return 0;
	return err_sysno(err, failed.sys_errno, "cannot write the mapping");
}

/* Without the capability the kernel lets one map oneself, once, and no more; programs of the system's know what else this user may have. */
static bool needs_helper(const struct oci_id_maps *maps, int cap, uint32_t own)
{
	return !caps_have(cap) && (maps->n != 1 || maps->v[0].size != 1 || maps->v[0].host != own);
}

static int write_both(pid_t pid, const struct oci_id_maps *uids, const struct oci_id_maps *gids, const char *uid_field,
		      const char *gid_field, struct err *err)
{
	cleanup_free char *setgroups = xasprintf("%d/setgroups", (int)pid);
	cleanup_fd int proc_fd = -1;

	if (procfs_open(PROCFS_PIDS, &proc_fd, err) < 0)
		return -1;
	if ((needs_helper(uids, CAP_SETUID, geteuid()) ? idmap_helper_run("newuidmap", pid, uids, err)
						       : write_map(proc_fd, pid, "uid_map", uids, err)) < 0)
		return err_add(err, "%s", uid_field);
	if (needs_helper(gids, CAP_SETGID, getegid()))
		return idmap_helper_run("newgidmap", pid, gids, err) < 0 ? err_add(err, "%s", gid_field) : 0;
	if (!caps_have(CAP_SETGID) && procfs_write(proc_fd, setgroups, "deny", err) < 0)
		return err_add(err, "%s", gid_field);
	if (write_map(proc_fd, pid, "gid_map", gids, err) < 0)
		return err_add(err, "%s", gid_field);
	return 0;
}

int idmap_write(pid_t pid, const struct oci_id_maps *uids, const struct oci_id_maps *gids, struct err *err)
{
	return write_both(pid, uids, gids, "linux.uidMappings", "linux.gidMappings", err);
}

/* Somebody has to make the namespace; it is there when clone3 returns, and stays with the descriptor. */
static pid_t clone_holder(int *ret_pidfd)
{
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = proc_clone(&args);

	if (pid == 0) {
		/* Also for a shim that dies before it has killed us: a copy of its lock is here. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0)
			for (;;)
				pause();
		_exit(1);
	}
	return pid;
}

int idmap_open(const struct oci_id_maps *uids, const struct oci_id_maps *gids, int *ret_fd, struct err *err)
{
	cleanup_free char *path = NULL;
	cleanup_fd int pidfd = -1;
	struct err ignored;
	pid_t pid = clone_holder(&pidfd);
	int r, fd = -1;

	if (pid < 0)
		return err_sys(err, "cannot make a user namespace");
	r = write_both(pid, uids, gids, "uidMappings", "gidMappings", err);
	if (r == 0) {
		path = xasprintf("/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			r = err_sys(err, "cannot open a user namespace");
	}
	proc_pidfd_kill(pidfd, SIGKILL, &ignored);
	proc_wait(pid);
	if (r == 0)
		*ret_fd = fd;
	return r;
}

static int read_map(pid_t pid, const char *name, struct oci_id_maps *ret, struct err *err)
{
	cleanup_free char *path = xasprintf("/proc/%d/%s", (int)pid, name), *text = NULL;
	struct oci_id_map m;
	int used;

	if (fd_read_file_at(AT_FDCWD, path, TEXT_MAX, &text, err) < 0)
		return -1;
	for (const char *p = text;
	     sscanf(p, "%" SCNu32 " %" SCNu32 " %" SCNu32 "%n", &m.container, &m.host, &m.size, &used) == 3;
	     p += used) {
		ret->v = xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
		ret->v[ret->n++] = m;
	}
	return 0;
}

int idmap_read(pid_t pid, struct idmap *ret, struct err *err)
{
	struct idmap m = { 0 };

	if (read_map(pid, "uid_map", &m.uids, err) < 0 || read_map(pid, "gid_map", &m.gids, err) < 0) {
		idmap_release(&m);
		return -1;
	}
	*ret = m;
	return 0;
}

void idmap_release(struct idmap *m)
{
	free(m->uids.v);
	free(m->gids.v);
	*m = (struct idmap) { 0 };
}

bool idmap_to_host(const struct oci_id_maps *maps, uint32_t id, uint32_t *ret_host)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct oci_id_map *m = &maps->v[i];

		if (id >= m->container && id - m->container < m->size) {
			*ret_host = m->host + (id - m->container);
			return true;
		}
	}
	return false;
}

bool idmap_equal(const struct oci_id_maps *a, const struct oci_id_maps *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

/* That is the host's, and nobody's to give away: inside it becomes the container's own. */
static bool is_null_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int idmap_chown(pid_t pid, const struct oci_process *user, const int *fds, size_t n, struct err *err)
{
	cleanup_idmap struct idmap m = { 0 };
	uint32_t uid, gid;

	if (idmap_read(pid, &m, err) < 0)
		return -1;
	if (!idmap_to_host(&m.uids, user->uid, &uid))
		return err_set(err, ERR_CONFIG, "process.user.uid: %u is not mapped in the user namespace", user->uid);
	if (!idmap_to_host(&m.gids, user->gid, &gid))
		return err_set(err, ERR_CONFIG, "process.user.gid: %u is not mapped in the user namespace", user->gid);
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0 && !is_null_device(fds[i]) && fchown(fds[i], uid, gid) < 0 &&
		    (errno != EPERM || caps_have(CAP_CHOWN)))
			return err_sys(err, "cannot give a stream to uid %u", uid);
	return 0;
}
