/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits and the OOM score of the container's process, set from outside by the shim.
 *
 * From outside, since a limit such as RLIMIT_NPROC, RLIMIT_AS or RLIMIT_NOFILE must not hit the process's own set-up, and so that a
 * refusal is reported by the shim before anything runs. */
#include "shim/sandbox/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "common/fd.h"
#include "shim/oci/names.h"
#include "shim/sandbox/procfs.h"

static const char *limit_text(rlim_t v, char *buf, size_t size)
{
	if (v == RLIM_INFINITY)
		return "unlimited";
	snprintf(buf, size, "%" PRIu64, (uint64_t)v);
	return buf;
}

static int explain(pid_t pid, const struct oci_rlimit *r, struct err *err)
{
	char a[24], b[24];
	const char *name = oci_rlimit_name(r->resource);
	int refused = errno;
	struct rlimit old;

	if (refused == EPERM && prlimit(pid, r->resource, NULL, &old) == 0 && r->limit.rlim_max > old.rlim_max)
		return err_sysno(
			err, refused,
			"process.rlimits: cannot raise the hard limit of %s from %s to %s without CAP_SYS_RESOURCE",
			name, limit_text(old.rlim_max, a, sizeof(a)), limit_text(r->limit.rlim_max, b, sizeof(b)));
	return err_sysno(err, refused, "process.rlimits: cannot set %s to %s, hard %s", name,
			 limit_text(r->limit.rlim_cur, a, sizeof(a)), limit_text(r->limit.rlim_max, b, sizeof(b)));
}

int limits_apply(pid_t pid, const struct oci_process *p, struct err *err)
{
	for (size_t i = 0; i < p->n_rlimits; i++)
		if (prlimit(pid, p->rlimits[i].resource, &p->rlimits[i].limit, NULL) < 0)
			return explain(pid, &p->rlimits[i], err);
	return 0;
}

int limits_oom_score_adj(int proc_fd, pid_t pid, int value, struct err *err)
{
	char path[40], text[16];

	snprintf(path, sizeof(path), "%d/oom_score_adj", (int)pid);
	snprintf(text, sizeof(text), "%d", value);
	if (procfs_write(proc_fd, path, text, err) < 0)
		return err_add(err, "process.oomScoreAdj%s",
			       err_is_sys(err, EACCES) ? ": lowering it takes CAP_SYS_RESOURCE" : "");
	return 0;
}

int limits_set_oom_score_adj(pid_t pid, const struct oci_process *p, struct err *err)
{
	cleanup_fd int proc_fd = -1;

	if (!p->oom_score_adj.set)
		return 0;
	if (procfs_open(PROCFS_PIDS, &proc_fd, err) < 0)
		return -1;
	return limits_oom_score_adj(proc_fd, pid, (int)p->oom_score_adj.v, err);
}
