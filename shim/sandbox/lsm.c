/* SPDX-License-Identifier: Apache-2.0 */
/* AppArmor profiles and SELinux labels.
 *
 * The child writes them, with the shim's privileges, to /proc/self/attr of a proc file system of its own: a write that ends elsewhere leaves the
 * container unconfined without anybody's notice (CVE-2019-16884, CVE-2025-52881). */
#include "shim/sandbox/lsm.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/sandbox/procfs.h"

#define PROFILES_MAX (16 << 20)

static bool has_apparmor(const char *sys)
{
	cleanup_free char *path = xasprintf("%s/module/apparmor/parameters/enabled", sys), *text = NULL;
	struct err ignored;

	return fd_read_file_at(AT_FDCWD, path, 16, &text, &ignored) == 0 && text[0] == 'Y';
}

static bool has_selinux(const char *sys)
{
	cleanup_free char *path = xasprintf("%s/fs/selinux/enforce", sys);

	return access(path, F_OK) == 0;
}

int lsm_check(const struct oci_config *c, const char *sys, struct err *err)
{
	if (c->process.apparmor_profile && !has_apparmor(sys))
		return err_set(err, ERR_UNSUPPORTED, "process.apparmorProfile: AppArmor is not enabled on this host");
	if (c->process.selinux_label && !has_selinux(sys))
		return err_set(err, ERR_UNSUPPORTED, "process.selinuxLabel: SELinux is not enabled on this host");
	if (c->mount_label && !has_selinux(sys))
		return err_set(err, ERR_UNSUPPORTED, "linux.mountLabel: SELinux is not enabled on this host");
	return 0;
}

/* "NAME (enforce)", a line each. */
static bool is_listed(const char *list, const char *profile)
{
	size_t len = strlen(profile);

	for (const char *line = list; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, profile, len) && !strncmp(line + len, " (", 2))
			return true;
	}
	return false;
}

int lsm_check_loaded(const char *profile, const char *sys, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/kernel/security/apparmor/profiles", sys), *list = NULL;
	struct err ignored;

	if (!strcmp(profile, "unconfined") || profile[0] == ':' || strstr(profile, "//") ||
	    fd_read_file_at(AT_FDCWD, path, PROFILES_MAX, &list, &ignored) < 0 || is_listed(list, profile))
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "the AppArmor profile '%s' is not loaded", profile);
}

/* Since 5.8 each module has a directory of its own: attr/exec itself belongs to whichever comes first. */
static int apply_apparmor(int proc_fd, const char *profile, struct err *err)
{
	cleanup_free char *text = xasprintf("exec %s", profile);

	if (procfs_write(proc_fd, "self/attr/apparmor/exec", text, err) == 0)
		return 0;
	if (!err_is_sys(err, ENOENT) || access("/proc/self/attr/apparmor", F_OK) == 0)
		return -1;
	return procfs_write(proc_fd, "self/attr/exec", text, err);
}

int child_lsm_apply(const struct oci_process *p, struct err *err)
{
	cleanup_fd int proc_fd = -1;

	if (!p->apparmor_profile && !p->selinux_label)
		return 0;
	if (procfs_open(PROCFS_PIDS, &proc_fd, err) < 0)
		return -1;
	if (p->apparmor_profile && apply_apparmor(proc_fd, p->apparmor_profile, err) < 0)
		return err_add(err, "process.apparmorProfile");
	if (p->selinux_label && procfs_write(proc_fd, "self/attr/exec", p->selinux_label, err) < 0)
		return err_add(err, "process.selinuxLabel");
	return 0;
}

int child_lsm_label_keyring(const struct oci_process *p, struct err *err)
{
	cleanup_fd int proc_fd = -1;

	if (!p->selinux_label)
		return 0;
	if (procfs_open(PROCFS_PIDS, &proc_fd, err) < 0 ||
	    procfs_write(proc_fd, "self/attr/keycreate", p->selinux_label, err) < 0)
		return err_add(err, "process.selinuxLabel");
	return 0;
}

char *lsm_mount_data(const char *type, const char *data, const char *label)
{
	/* The kernel labels what is in these by itself. */
	static const char *const without[] = { "proc", "sysfs", "cgroup", "cgroup2", "mqueue" };

	if (!label || !type)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(without); i++)
		if (!strcmp(type, without[i]))
			return NULL;
	/* In quotes: there are commas in labels. */
	return xasprintf("%s%scontext=\"%s\"", data ? data : "", data ? "," : "", label);
}
