/* SPDX-License-Identifier: Apache-2.0 */
/* What every process of a container is given and denied before its program runs: signals, descriptors, user, directory.
 *
 * Runs as the container's process, between the clone and execve: no stdio, no libevent. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/proc.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/child_internal.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

int child_close_all_but(const int *keep, int n, struct err *err)
{
	cleanup_free int *sorted = xcalloc((size_t)n + 1, sizeof(*sorted));
	unsigned int from = 0;

	memcpy(sorted, keep, sizeof(*sorted) * (size_t)n);
	qsort(sorted, (size_t)n, sizeof(*sorted), compare_ints);
	for (int i = 0; i < n; i++) {
		if (sorted[i] < 0)
			continue;
		if ((unsigned int)sorted[i] > from && fd_close_range(from, sorted[i] - 1, 0) < 0)
			return err_sys(err, "cannot close inherited descriptors");
		if ((unsigned int)sorted[i] >= from)
			from = (unsigned int)sorted[i] + 1;
	}
	if (fd_close_range(from, ~0U, 0) < 0)
		return err_sys(err, "cannot close inherited descriptors");
	return 0;
}

int child_become_undumpable(struct err *err)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "cannot become undumpable");
	return 0;
}

int child_reset_signals(struct err *err)
{
	if (proc_default_signals() < 0)
		return err_sys(err, "cannot unblock signals");
	return 0;
}

/* After setuid from root the permitted capabilities are kept, the effective ones are not: loading a seccomp filter may need them. */
static int regain_effective(struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return err_sys(err, "cannot read capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		data[i].effective = data[i].permitted;
	if (syscall(SYS_capset, &head, data) < 0)
		return err_sys(err, "cannot keep capabilities");
	return 0;
}

/* Until now we have been somebody whom the user namespace does not know, with all of its capabilities. */
int child_become_root(struct err *err)
{
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(err, "cannot leave the caller's groups");
	if (setresgid(0, 0, 0) < 0)
		return err_sys(err, "cannot become gid 0 of the user namespace");
	if (setresuid(0, 0, 0) < 0)
		return err_sys(err, "cannot become uid 0 of the user namespace");
	return child_become_undumpable(err); /* who becomes another user is what fs.suid_dumpable says */
}

static int set_groups(const struct oci_process *process, bool in_user_ns, struct err *err)
{
	if (setgroups(process->n_additional_gids, process->additional_gids) == 0)
		return 0;
	/* We have CAP_SETGID: the namespace itself denies it. */
	if (in_user_ns && errno == EPERM)
		return process->n_additional_gids == 0
			       ? 0
			       : err_set(err, ERR_PERMISSION,
					 "process.user.additionalGids: the user namespace denies setgroups");
	return err_sys(err, "cannot set the additional groups");
}

int child_become_user(const struct oci_process *process, bool in_user_ns, struct err *err)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(err, "cannot keep capabilities");
	if (set_groups(process, in_user_ns, err) < 0)
		return -1;
	if (setresgid(process->gid, process->gid, process->gid) < 0)
		return err_sys(err, "cannot become gid %u", process->gid);
	if (setresuid(process->uid, process->uid, process->uid) < 0)
		return err_sys(err, "cannot become uid %u", process->uid);
	if (regain_effective(err) < 0)
		return -1;
	return child_become_undumpable(err); /* as above */
}

/* A directory reached through a leaked descriptor would lie outside: getcwd(2) says so (CVE-2024-21626). */
static int check_cwd(const struct oci_process *process, struct err *err)
{
	char buf[PATH_MAX];
	long n = syscall(SYS_getcwd, buf, sizeof(buf));

	if (n < 0)
		return err_sys(err, "cannot find the working directory '%s'", process->cwd);
	if (buf[0] != '/')
		return err_set(err, ERR_CONFIG, "the working directory '%s' is outside the root", process->cwd);
	return 0;
}

/* First as root, since the user may not see what is mounted there; then as the user, whom root may be refused what he is not (NFS). */
int child_enter_cwd(const struct oci_process *process, bool as_user, struct err *err)
{
	const char *cwd = process->cwd ? process->cwd : "/";

	if (chdir(cwd) < 0) {
		if (errno == EACCES && !as_user)
			return 0;
		return err_sys(err, "cannot enter the working directory '%s'", cwd);
	}
	return check_cwd(process, err);
}

/* The limits of the process hold already. */
static int explain_no_descriptor(struct err *err)
{
	return errno == EINVAL || errno == EMFILE
		       ? err_sys(err, "process.rlimits: RLIMIT_NOFILE leaves no room for the descriptors of the start")
		       : err_sys(err, "cannot duplicate a descriptor");
}

int child_move_fd_up(int *fd, int n_preserved, struct err *err)
{
	int moved;

	if (*fd < 0)
		return 0;
	/* Above the targets, and above every source that is itself on its way to one. */
	moved = fcntl(*fd, F_DUPFD_CLOEXEC, 3 + n_preserved);
	if (moved < 0)
		return explain_no_descriptor(err);
	fd_close(fd);
	*fd = moved;
	return 0;
}

int child_place_fds(const int stdio[3], const int *preserved, int n_preserved, struct err *err)
{
	cleanup_free int *from = xcalloc(3 + (size_t)n_preserved, sizeof(*from));

	memcpy(from, stdio, 3 * sizeof(*from));
	if (n_preserved)
		memcpy(from + 3, preserved, sizeof(*from) * (size_t)n_preserved);
	/* Out of the way first. The same one may be wanted twice, so the originals stay as long as that. */
	for (int i = 0; i < 3 + n_preserved; i++) {
		if (from[i] < 0)
			continue;
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3 + n_preserved);
		if (from[i] < 0)
			return explain_no_descriptor(err);
	}
	for (int i = 0; i < 3 + n_preserved; i++)
		if (from[i] >= 0 && dup2(from[i], i) < 0)
			return err_sys(err, "cannot place descriptor %d", i);
	/* Who waits for its start is looked into: managers want nothing there that they do not know. */
	for (int i = 0; i < 3 + n_preserved; i++) {
		int original = i < 3 ? stdio[i] : preserved[i - 3];

		fd_close(&from[i]);
		if (original >= 3 + n_preserved)
			close(original); /* or it was, being wanted twice */
	}
	if (fd_close_range(3 + n_preserved, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, "cannot close inherited descriptors");
	return 0;
}
