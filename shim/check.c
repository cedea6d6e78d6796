/* SPDX-License-Identifier: Apache-2.0 */
/* What this host lets thole do, in plain words: a table of questions to the kernel and to criu. Changes nothing. */
#include "shim/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/fd.h"
#include "common/path.h"
#include "common/proc.h"
#include "shim/checkpoint/criu.h"
#include "shim/sandbox/caps.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/mountinfo.h"

struct host {
	struct utsname name;
	char *mounts, *filesystems;
	const char *criu, *why_no_criu;
	bool asked;
	struct criu_abilities abilities;
	struct err criu_err;
	char said[ERR_TEXT_MAX];
};

/* True and what there is, or false and what is lacking, in ret. */
typedef bool question(struct host *h, char *ret, size_t size);

static bool says(bool yes, char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text);
	return yes;
}

static bool in_path(const char *name)
{
	cleanup_free char *file = path_find_program(name);

	return file != NULL;
}

static long number_in(const char *path)
{
	cleanup_free char *text = NULL;
	struct err ignored;

	return fd_read_file_at(AT_FDCWD, path, 64, &text, &ignored) < 0 ? -1 : strtol(text, NULL, 10);
}

/* ---- containers -------------------------------------------------------------------------------------------------------------- */

static bool user_namespaces(struct host *h, char *ret, size_t size)
{
	long max = number_in("/proc/sys/user/max_user_namespaces");

	if (max < 0)
		return says(false, ret, size, "the kernel has none");
	if (max == 0)
		return says(false, ret, size, "switched off (/proc/sys/user/max_user_namespaces is 0)");
	return says(true, ret, size,
		    in_path("newuidmap") ? "the kernel has them" : "one user only: there is no newuidmap");
}

static bool containers(struct host *h, char *ret, size_t size)
{
	if (caps_have(CAP_SYS_ADMIN))
		return says(true, ret, size, "with root's privileges");
	if (!user_namespaces(h, ret, size))
		return says(false, ret, size, "neither root's privileges nor user namespaces");
	return says(true, ret, size, "without privileges, in user namespaces");
}

/* The hierarchies in which a container of the caller's gets a group; NULL: in all that there are. Caller frees. */
static char *allowed_hierarchies(void)
{
	cleanup_free char *mountinfo = NULL, *caller = NULL, *list = NULL;
	struct cgroup_view view;
	struct cgroup *cg = NULL;
	size_t all = 0, n = 0;
	struct err ignored;

	if ((geteuid() == 0 && !proc_in_user_ns()) || mountinfo_read(&mountinfo, &ignored) < 0 ||
	    fd_read_file_at(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &caller, &ignored) < 0 ||
	    cgroup_new(mountinfo, caller, NULL, "check", &cg, &ignored) < 0)
		return NULL;
	while (cgroup_view(cg, all, &view))
		all++;
	cgroup_restrict(cg, caller, CGROUP_IF_ALLOWED);
	list = xstrdup("");
	for (; cgroup_view(cg, n, &view); n++) {
		char *longer = xasprintf("%s%s%s", list, n ? ", " : "", view.name);

		free(list);
		list = longer;
	}
	cgroup_free(cg);
	return n < all ? take_ptr(list) : NULL;
}

static bool control_groups(struct host *h, char *ret, size_t size)
{
	bool v1 = strstr(h->mounts, " cgroup rw") != NULL, v2 = strstr(h->mounts, " cgroup2 rw") != NULL;
	const char *version = v1 && v2 ? "version 1, with a mount of version 2 (hybrid)"
			      : v1     ? "version 1"
				       : "version 2";
	cleanup_free char *allowed = allowed_hierarchies();

	if (!v1 && !v2)
		return says(false, ret, size, "no hierarchy is mounted: no limits, no pause, no checkpoint");
	if (allowed && !allowed[0])
		snprintf(ret, size, "%s, but this user may make none: no limits, no pause, ps, stats or update",
			 version);
	else
		snprintf(ret, size, "%s%s%s", version, allowed ? "; this user may make them in " : "",
			 allowed ? allowed : "");
	return !allowed || allowed[0];
}

static bool filters(struct host *h, char *ret, size_t size)
{
	bool has = access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0;

	return says(has, ret, size, has ? "the kernel has seccomp" : "the kernel has no seccomp");
}

static bool apparmor(struct host *h, char *ret, size_t size)
{
	bool has = access("/sys/kernel/security/apparmor", F_OK) == 0;

	return says(has, ret, size, has ? "in force" : "not in force");
}

static bool selinux(struct host *h, char *ret, size_t size)
{
	bool has = access("/sys/fs/selinux/enforce", F_OK) == 0;

	return says(has, ret, size, has ? "in force" : "not in force");
}

static bool systemd(struct host *h, char *ret, size_t size)
{
	bool has = access("/run/systemd/system", F_OK) == 0;

	return says(has, ret, size, has ? "it runs: --cgroup-manager systemd" : "it does not run here");
}

static bool overlay(struct host *h, char *ret, size_t size)
{
	bool has = strstr(h->filesystems, "\toverlay") != NULL;

	return says(has, ret, size,
		    has ? "the shim is started from a read-only overlay"
			: "the shim is started from a copy in memory; a restore in a user namespace is not possible");
}

static bool adopted_status(struct host *h, char *ret, size_t size)
{
	struct err err;
	int pidfd, status;
	bool has = proc_pidfd_open(getpid(), 0, &pidfd, &err) == 0;

	if (has) {
		has = proc_pidfd_exit_status(pidfd, &status, &err) == 0 || err.code != ERR_UNSUPPORTED;
		fd_close(&pidfd);
	}
	return says(has, ret, size,
		    has ? "the kernel tells it"
			: "the kernel does not tell it (6.15 and later do): it is unknown then");
}

/* ---- criu -------------------------------------------------------------------------------------------------------------------- */

static bool ask(struct host *h)
{
	if (h->asked)
		return h->criu_err.code == 0;
	h->asked = true;
	if (!h->criu)
		err_set(&h->criu_err, ERR_NOT_FOUND, "%s", h->why_no_criu ? h->why_no_criu : "there is no criu");
	else if (!caps_have(CAP_SYS_ADMIN))
		err_set(&h->criu_err, ERR_PERMISSION, "CRIU needs root's privileges");
	else
		criu_ask(h->criu, &h->abilities, &h->criu_err);
	return h->criu_err.code == 0;
}

static bool checkpoints(struct host *h, char *ret, size_t size)
{
	if (!ask(h))
		return says(false, ret, size, h->criu_err.text);
	snprintf(ret, size, "criu %d.%d at %s", h->abilities.version / 10000, h->abilities.version / 100 % 100,
		 h->criu);
	return true;
}

static bool pre_dumps(struct host *h, char *ret, size_t size)
{
	if (!ask(h))
		return says(false, ret, size, "needs criu");
	return says(h->abilities.mem_track, ret, size,
		    h->abilities.mem_track
			    ? "the kernel says which pages have been written"
			    : "the kernel does not say which pages have been written (CONFIG_MEM_SOFT_DIRTY)");
}

static bool lazy_pages(struct host *h, char *ret, size_t size)
{
	if (!ask(h))
		return says(false, ret, size, "needs criu");
	return says(h->abilities.lazy_pages, ret, size,
		    h->abilities.lazy_pages ? "the kernel can bring pages in later (userfaultfd)"
					    : "the kernel cannot bring pages in later (userfaultfd)");
}

static bool connections(struct host *h, char *ret, size_t size)
{
	bool tables = in_path("iptables"), ip = in_path("ip");

	if (!ask(h))
		return says(false, ret, size, "needs criu");
	return says(tables && ip, ret, size,
		    !ip       ? "there is no ip in PATH (iproute2), which criu calls"
		    : !tables ? "there is no iptables in PATH, which criu calls"
			      : "with --tcp-established");
}

static const struct {
	const char *name;
	question *ask;
	bool of_criu; /* when there is one: something that not all of them can, or not on every kernel */
} questions[] = {
	{ "containers", containers, false },
	{ "control groups", control_groups, false },
	{ "user namespaces", user_namespaces, false },
	{ "system call filters", filters, false },
	{ "AppArmor", apparmor, false },
	{ "SELinux", selinux, false },
	{ "systemd", systemd, false },
	{ "overlay file system", overlay, false },
	{ "exit status after the shim's death", adopted_status, false },
	{ "checkpoint and restore", checkpoints, false },
	{ "pre-dumps and parent images", pre_dumps, true },
	{ "lazy pages", lazy_pages, true },
	{ "checkpoints of a network and its connections", connections, true },
};

int check_criu(const char *criu, const char *why_no_criu, char **ret_lacks)
{
	struct host h = { .criu = criu, .why_no_criu = why_no_criu };
	char *lacks = NULL;

	*ret_lacks = NULL;
	if (!ask(&h)) {
		*ret_lacks = xstrdup(h.criu_err.text);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		char *longer;

		if (!questions[i].of_criu || questions[i].ask(&h, h.said, sizeof(h.said)))
			continue;
		longer = xasprintf("%s%s%s: %s", lacks ? lacks : "", lacks ? "; " : "", questions[i].name, h.said);
		free(lacks);
		lacks = longer;
	}
	*ret_lacks = lacks;
	return h.abilities.version;
}

int check_print(const char *criu, const char *why_no_criu)
{
	struct host h = { .criu = criu, .why_no_criu = why_no_criu };
	struct err err;
	int status = 1;

	if (uname(&h.name) < 0 || fd_read_file_at(AT_FDCWD, "/proc/mounts", 16 << 20, &h.mounts, &err) < 0 ||
	    fd_read_file_at(AT_FDCWD, "/proc/filesystems", 65536, &h.filesystems, &err) < 0) {
		fprintf(stderr, "thole: cannot read what this host is: is there no /proc?\n");
		return 1;
	}
	printf("     kernel %s, %s\n", h.name.release, h.name.machine);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		bool yes = questions[i].ask(&h, h.said, sizeof(h.said));

		printf("%-4s %s: %s\n", yes ? "yes" : "no", questions[i].name, h.said);
		if (i == 0)
			status = yes ? 0 : 1;
	}
	free(h.mounts);
	free(h.filesystems);
	if (fflush(stdout) == 0)
		return status;
	fprintf(stderr, "thole: cannot write to stdout: %s\n", strerror(errno));
	return 1;
}
