/* SPDX-License-Identifier: Apache-2.0 */
/* The container's mounts, made detached and moved onto descriptors: no path below the root is used twice.
 *
 * Runs as the container's first process, before pivot_root, with full privileges; distrusts the rootfs (links, swaps). Each target
 * is resolved once to a descriptor (rootfs.h), each mount is complete with all its attributes before it becomes visible. */
#include "shim/sandbox/mount.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "common/fd.h"
#include "shim/oci/remount.h"
#include "shim/sandbox/cgroup.h"
#include "shim/sandbox/copyup.h"
#include "shim/sandbox/rootfs.h"

/* glibc 2.36 knows these; older kernel headers do not know the last one. */
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

static const struct {
	unsigned long ms;
	uint64_t attr;
} attr_table[] = {
	{ MS_RDONLY, MOUNT_ATTR_RDONLY },         { MS_NOSUID, MOUNT_ATTR_NOSUID },
	{ MS_NODEV, MOUNT_ATTR_NODEV },           { MS_NOEXEC, MOUNT_ATTR_NOEXEC },
	{ MS_NODIRATIME, MOUNT_ATTR_NODIRATIME }, { MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
};

/* Flags of the superblock, which the file system itself is told by name. Where mount(2) has a flag without effect on most file systems, they may not know the word. */
static const struct {
	unsigned long ms;
	const char *name, *opposite; /* NULL: nobody understands it */
	bool may_be_unknown;
} sb_table[] = {
	{ MS_RDONLY, "ro", "rw", false },
	{ MS_SYNCHRONOUS, "sync", "async", false },
	{ MS_DIRSYNC, "dirsync", NULL, false },
	{ MS_MANDLOCK, "mand", "nomand", false },
	{ MS_LAZYTIME, "lazytime", "nolazytime", false },
	{ MS_I_VERSION, "iversion", NULL, true },
	{ MS_POSIXACL, "acl", NULL, true },
};

void mount_attr_from_flags(unsigned long set, unsigned long clear, uint64_t *ret_set, uint64_t *ret_clear)
{
	uint64_t s = 0, c = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attr_table); i++) {
		if (set & attr_table[i].ms)
			s |= attr_table[i].attr;
		else if (clear & attr_table[i].ms)
			c |= attr_table[i].attr;
	}
	/* relatime is 0 in this field: it is chosen by clearing the field and setting nothing. */
	if ((set | clear) & (MS_NOATIME | MS_RELATIME | MS_STRICTATIME))
		c |= MOUNT_ATTR__ATIME;
	if (set & MS_NOATIME)
		s |= MOUNT_ATTR_NOATIME;
	else if (set & MS_STRICTATIME)
		s |= MOUNT_ATTR_STRICTATIME;
	*ret_set = s;
	*ret_clear = c;
}

/* The kernel writes the reason of a refused option into the context's own log: "e tmpfs: Bad value for 'size'". */
static int fs_error(int fs_fd, struct err *err, const char *what, const char *key)
{
	int saved = errno;
	char text[256];
	ssize_t n = read(fs_fd, text, sizeof(text) - 1);

	if (n > 2 && text[0] == 'e') {
		text[n] = '\0';
		text[strcspn(text, "\n")] = '\0';
		return err_sysno(err, saved, "%s%s%s: %s", what, key ? " " : "", key ? key : "", text + 2);
	}
	errno = saved;
	return err_call(err, "fsconfig, fsmount", "%s%s%s", what, key ? " " : "", key ? key : "");
}

/* One word of sb_table[i]. */
static int set_sb_flag(int fs_fd, size_t i, const char *name, struct err *err)
{
	char said[256];

	if (fsconfig(fs_fd, FSCONFIG_SET_FLAG, name, NULL, 0) == 0)
		return 0;
	if (errno != EINVAL || !sb_table[i].may_be_unknown)
		return fs_error(fs_fd, err, "cannot set the mount option", name);
	/* Else it would be the reason of what fails next. */
	while (read(fs_fd, said, sizeof(said)) > 0)
		;
	return 0;
}

/* The next of "a,b=c,d=\"e,f\"", without its quotes, which keep commas in (SELinux contexts have some); NULL at the end. Writes into the text. */
static char *next_option(char **rest)
{
	char *option = *rest, *to = *rest, *from = *rest;
	bool quoted = false;

	if (!option || !*option)
		return NULL;
	for (; *from && (quoted || *from != ','); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return option;
}

static int configure_fs(int fs_fd, const char *data, struct err *err)
{
	cleanup_free char *copy = data ? xstrdup(data) : NULL;
	char *rest = copy, *key;

	while ((key = next_option(&rest))) {
		char *value = strchr(key, '=');
		int r;

		if (!*key)
			continue;
		if (value)
			*value++ = '\0';
		r = value ? fsconfig(fs_fd, FSCONFIG_SET_STRING, key, value, 0)
			  : fsconfig(fs_fd, FSCONFIG_SET_FLAG, key, NULL, 0);
		if (r < 0)
			return fs_error(fs_fd, err, "cannot set the mount option", key);
	}
	return 0;
}

/* `flags`: those of the file system and of the mount; `mount_flags`: those of the mount alone. */
static int new_fs(const char *type, const char *source, const char *data, unsigned long flags,
		  unsigned long mount_flags, int *ret_fd, struct err *err)
{
	cleanup_fd int fs_fd = fsopen(type, FSOPEN_CLOEXEC);
	uint64_t set, clear;
	int fd;

	if (fs_fd < 0)
		return err_call(err, "fsopen", "cannot use file system type '%s'", type);
	if (source && fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fs_error(fs_fd, err, "cannot set the source of", type);
	for (size_t i = 0; i < ARRAY_SIZE(sb_table); i++)
		if ((flags & sb_table[i].ms) && set_sb_flag(fs_fd, i, sb_table[i].name, err) < 0)
			return -1;
	if (configure_fs(fs_fd, data, err) < 0)
		return -1;
	/* Some file systems look at their options only here, and not all of them say which one it is. */
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		cleanup_free char *what = data ? xasprintf("%s with '%s'", type, data) : xstrdup(type);

		return fs_error(fs_fd, err, "cannot make the file system", what);
	}
	mount_attr_from_flags(flags | mount_flags, 0, &set, &clear);
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned int)set);
	if (fd < 0)
		return fs_error(fs_fd, err, "cannot mount the file system", type);
	*ret_fd = fd;
	return 0;
}

int mount_new_fs(const char *type, const char *source, const char *data, unsigned long flags, int *ret_fd,
		 struct err *err)
{
	return new_fs(type, source, data, flags, 0, ret_fd, err);
}

int mount_clone(int dir_fd, const char *path, bool recursive, int *ret_fd, struct err *err)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
	int fd;

	if (!path[0])
		flags |= AT_EMPTY_PATH;
	fd = open_tree(dir_fd, path, flags);
	if (fd < 0)
		return err_call(err, "open_tree", "cannot clone the mount at '%s'", path);
	*ret_fd = fd;
	return 0;
}

int mount_attach(int mount_fd, int target_fd, struct err *err)
{
	if (move_mount(mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_call(err, "move_mount", "cannot attach the mount");
	return 0;
}

int mount_change(int mount_fd, bool recursive, uint64_t attr_set, uint64_t attr_clear, uint64_t propagation,
		 struct err *err)
{
	struct mount_attr attr = {
		.attr_set = attr_set,
		.attr_clr = attr_clear,
		.propagation = propagation,
	};

	if (!attr_set && !attr_clear && !propagation)
		return 0;
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0)
		return err_call(err, "mount_setattr", "cannot change the mount's attributes");
	return 0;
}

/* proc and sysfs go onto a real directory of the rootfs itself, reached without a link: a link there would carry the kernel's
 * control files (and our later masks) somewhere else (CVE-2019-19921, CVE-2023-27561). So do binds of the host's. */
static bool needs_real_directory(const struct oci_mount *m)
{
	return (m->type && (!strcmp(m->type, "proc") || !strcmp(m->type, "sysfs"))) ||
	       !strcmp(m->destination, "/proc") || !strcmp(m->destination, "/sys") || !strcmp(m->destination, "/dev");
}

/* Nothing may be mounted over /proc or into it, but for what is known to be harmless (CVE-2019-16884, CVE-2025-52881). */
static int check_destination(const struct oci_mount *m, struct err *err)
{
	static const char *const allowed[] = {
		"/proc/cpuinfo",
		"/proc/diskstats",
		"/proc/meminfo",
		"/proc/stat",
		"/proc/swaps",
		"/proc/uptime",
		"/proc/loadavg",
		"/proc/slabinfo",
		"/proc/sys/kernel/ns_last_pid",
		"/proc/sys/crypto/fips_enabled",
	};

	if (!strcmp(m->destination, "/"))
		return err_set(err, ERR_CONFIG, "cannot mount over '/'");
	if (!strcmp(m->destination, "/proc")) {
		struct statfs fs;

		if (m->type && !strcmp(m->type, "proc"))
			return 0;
		if (m->bind && m->source && statfs(m->source, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
			return 0;
		return err_set(err, ERR_CONFIG, "cannot mount over '/proc': only a proc file system may be there");
	}
	if (strncmp(m->destination, "/proc/", 6) != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (!strcmp(m->destination, allowed[i]))
			return 0;
	return err_set(err, ERR_CONFIG, "cannot mount over '%s': it is inside /proc", m->destination);
}

static bool look_at(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, ret) == 0;
}

static bool same_mount(const struct statx *a, const struct statx *b)
{
	return a->stx_mnt_id == b->stx_mnt_id && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

static bool same_place(const struct statx *a, const struct statx *b)
{
	return same_mount(a, b) && a->stx_ino == b->stx_ino;
}

/* What check_destination() sees is a name, which a link of the image may lead elsewhere: over the root, where exec would follow it, over /dev, and our devices would be
 * made in a directory of the host's, or into /proc. */
static int check_target(int root_fd, int target_fd, const struct oci_mount *m, struct err *err)
{
	cleanup_fd int dev_fd = -1, proc_fd = -1;
	struct statx target, root, dev, proc;
	struct err ignored;
	struct statfs fs;

	if (!look_at(target_fd, &target) || !look_at(root_fd, &root) || fstatfs(target_fd, &fs) < 0)
		return err_sys(err, "cannot look at '%s'", m->destination);
	if (same_place(&target, &root))
		return err_set(err, ERR_CONFIG, "'%s' leads to '/': cannot mount over that", m->destination);
	if (strcmp(m->destination, "/dev") != 0 && rootfs_open_nolinks(root_fd, "/dev", &dev_fd, &ignored) == 0 &&
	    look_at(dev_fd, &dev) && same_place(&target, &dev))
		return err_set(err, ERR_CONFIG, "'%s' leads to '/dev': cannot mount over that", m->destination);
	if (fs.f_type == PROC_SUPER_MAGIC && strcmp(m->destination, "/proc") != 0 &&
	    strncmp(m->destination, "/proc/", 6) != 0 &&
	    rootfs_open_nolinks(root_fd, "/proc", &proc_fd, &ignored) == 0 && look_at(proc_fd, &proc) &&
	    same_mount(&target, &proc))
		return err_set(err, ERR_CONFIG, "'%s' leads into '/proc': cannot mount there", m->destination);
	return 0;
}

/* Resolve the destination once. /proc/... destinations above are resolved in the mounted proc. */
static int open_target(int root_fd, const struct oci_mount *m, enum rootfs_kind kind, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = -1;
	bool plain = needs_real_directory(m);

	if ((plain ? rootfs_make_plain : rootfs_make)(root_fd, m->destination, kind, &fd, err) < 0)
		return -1;
	/* Made is what was missing, reached through a link or not; what counts is what is reached without one. */
	if (plain) {
		fd_close(&fd);
		if (rootfs_open_nolinks(root_fd, m->destination, &fd, err) < 0)
			return -1;
	}
	if (check_target(root_fd, fd, m, err) < 0)
		return -1;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int set_propagation(int mount_fd, const struct oci_mount *m, struct err *err)
{
	return mount_change(mount_fd, m->propagation & MS_REC, 0, 0, m->propagation & ~(unsigned long)MS_REC, err);
}

static int attach(int mount_fd, int target_fd, const struct oci_mount *m, struct err *err)
{
	/* A detached mount belongs to no namespace: its propagation means something only once it is attached. */
	return mount_attach(mount_fd, target_fd, err) < 0 ? -1 : set_propagation(mount_fd, m, err);
}

static int finish(int mount_fd, int target_fd, const struct oci_mount *m, struct err *err)
{
	if (mount_change(mount_fd, true, m->rec_attr_set, m->rec_attr_clear, 0, err) < 0)
		return -1;
	return attach(mount_fd, target_fd, m, err);
}

int mount_bind_tree(const struct oci_mount *m, const char *source, int *ret_fd, struct err *err)
{
	cleanup_fd int tree = -1;
	uint64_t set, clear;

	if (mount_clone(AT_FDCWD, source, m->recursive, &tree, err) < 0)
		return err_sys(err, "cannot open the source '%s'", source);
	mount_attr_from_flags(m->flags_set, m->flags_clear, &set, &clear);
	if (mount_change(tree, false, set, clear, 0, err) < 0 ||
	    mount_change(tree, true, m->rec_attr_set, m->rec_attr_clear, 0, err) < 0)
		return -1;
	*ret_fd = take_fd(&tree);
	return 0;
}

static int mount_bind(int root_fd, const struct oci_mount *m, int tree_fd, struct err *err)
{
	cleanup_fd int tree = -1, target = -1;
	struct stat st;

	if (tree_fd < 0 && mount_bind_tree(m, m->source, &tree, err) < 0)
		return -1;
	if (tree_fd < 0)
		tree_fd = tree;
	if (fstat(tree_fd, &st) < 0)
		return err_sys(err, "cannot look at the source '%s'", m->source);
	if (open_target(root_fd, m, S_ISDIR(st.st_mode) ? ROOTFS_DIR : ROOTFS_FILE, &target, err) < 0)
		return -1;
	return attach(tree_fd, target, m, err);
}

/* `option` with its "=". */
static bool has_option(const struct oci_mount *m, const char *option)
{
	for (const char *p = m->data; p && (p = strstr(p, option)); p++)
		if (p == m->data || p[-1] == ',')
			return true;
	return false;
}

/* As the mode: whose it is, unless that is asked for. */
static int take_owner(int from_fd, int fs, const struct oci_mount *m, struct err *err)
{
	struct stat st;

	if (fstat(from_fd, &st) < 0 || fchownat(fs, "", has_option(m, "uid=") ? (uid_t)-1 : st.st_uid,
						has_option(m, "gid=") ? (gid_t)-1 : st.st_gid, AT_EMPTY_PATH) < 0)
		return err_sys(err, "tmpcopyup: cannot set the owner");
	return 0;
}

/* A tmpfs that begins with what it covers; it becomes read-only when that is in it. */
static int mount_copied_up(int target, const struct oci_mount *m, const char *data, struct err *err)
{
	unsigned long flags = m->flags_set & ~m->flags_clear;
	cleanup_fd int fs = -1;

	if (mount_new_fs(m->type, m->source, data, flags & ~(unsigned long)MS_RDONLY, &fs, err) < 0 ||
	    copyup(target, fs, err) < 0 || take_owner(target, fs, m, err) < 0)
		return -1;
	if ((flags & MS_RDONLY) && mount_change(fs, false, MOUNT_ATTR_RDONLY, 0, 0, err) < 0)
		return -1;
	return finish(fs, target, m, err);
}

bool mount_is_late_readonly(const struct oci_mount *m)
{
	return !m->bind && (m->flags_set & MS_RDONLY) && !strcmp(m->destination, "/dev");
}

static bool is_there(int root_fd, const char *path)
{
	cleanup_fd int fd = -1;
	struct err ignored;

	return rootfs_open(root_fd, path, &fd, &ignored) == 0;
}

/* A tmpfs over a directory takes that directory's mode unless one is asked for; where there was none it is 1777, the kernel's own. */
static bool takes_mode(int root_fd, const struct oci_mount *m)
{
	return !strcmp(m->type, "tmpfs") && !has_option(m, "mode=") && is_there(root_fd, m->destination);
}

static int mount_fs(int root_fd, const struct oci_mount *m, int tree_fd, struct err *err)
{
	cleanup_fd int fs = -1, target = -1;
	const char *data = m->data;
	cleanup_free char *with_mode = NULL;
	struct stat st;
	bool with_its;

	if (!m->type)
		return err_set(err, ERR_CONFIG, "a mount needs a type, or the option 'bind' or 'rbind'");
	with_its = takes_mode(root_fd, m);
	if (open_target(root_fd, m, ROOTFS_DIR, &target, err) < 0)
		return -1;
	if (tree_fd >= 0)
		return finish(tree_fd, target, m, err);
	if (with_its && fstat(target, &st) == 0) {
		with_mode = xasprintf("%s%smode=%o", data ? data : "", data ? "," : "", st.st_mode & 07777);
		data = with_mode;
	}
	if (m->tmpcopyup)
		return mount_copied_up(target, m, data, err);
	if (mount_new_fs(m->type, m->source, data, m->flags_set & ~m->flags_clear, &fs, err) < 0)
		return -1;
	return finish(fs, target, m, err);
}

/* The file system's own part: what is not named stays as it is. */
static int change_fs(int target, const struct oci_mount *m, struct err *err)
{
	cleanup_fd int fs = fspick(target, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);

	if (fs < 0)
		return err_call(err, "fspick", "cannot get at the file system");
	for (size_t i = 0; i < ARRAY_SIZE(sb_table); i++) {
		const char *name = m->flags_set & sb_table[i].ms     ? sb_table[i].name
				   : m->flags_clear & sb_table[i].ms ? sb_table[i].opposite
								     : NULL;

		if (name && set_sb_flag(fs, i, name, err) < 0)
			return -1;
	}
	if (configure_fs(fs, m->data, err) < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return fs_error(fs, err, "cannot change the file system", m->data);
	return 0;
}

/* What an earlier entry has mounted there. No link is followed on the way: whoever can exchange it would have another mount made writable. */
static int mount_again(int root_fd, const struct oci_mount *m, struct err *err)
{
	cleanup_fd int target = -1;
	uint64_t set, clear;
	struct statx st;

	if (rootfs_open_nolinks(root_fd, m->destination, &target, err) < 0)
		return -1;
	if (statx(target, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
		return err_sys(err, "cannot look at '%s'", m->destination);
	if (st.stx_attributes_mask & ~st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return err_set(err, ERR_CONFIG, "nothing is mounted there that could be changed");
	mount_attr_from_flags(m->flags_set, m->flags_clear, &set, &clear);
	if ((oci_remounts_fs(m) && change_fs(target, m, err) < 0) ||
	    mount_change(target, false, set, clear, 0, err) < 0 ||
	    mount_change(target, true, m->rec_attr_set, m->rec_attr_clear, 0, err) < 0)
		return -1;
	return set_propagation(target, m, err);
}

/* What nobody asks for otherwise. */
static unsigned long cgroup_flags(const struct oci_mount *m)
{
	return m->flags_set | ((MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME) & ~m->flags_clear);
}

/* One hierarchy, detached. Inside a cgroup namespace real mounts show the container's own group as the root; without one its group is bound. */
static int open_hierarchy(const struct oci_mount *m, const struct cgroup_view *v, bool new_ns, int *ret_fd,
			  struct err *err)
{
	cleanup_fd int fd = -1;
	unsigned long flags = cgroup_flags(m);
	uint64_t set, clear;

	/* ro is the mount's own: as a superblock flag it would reach the host's hierarchy. */
	if (new_ns)
		return new_fs(v->is_v2 ? "cgroup2" : "cgroup", "cgroup", v->is_v2 ? m->data : v->data,
			      flags & ~(unsigned long)MS_RDONLY, flags & MS_RDONLY, ret_fd, err);
	mount_attr_from_flags(flags, 0, &set, &clear);
	if (mount_clone(AT_FDCWD, v->host_path, false, &fd, err) < 0 || mount_change(fd, false, set, clear, 0, err) < 0)
		return -1;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Onto a directory of our own tmpfs: nobody else has had a hand in that, and move_mount(2) follows no link at the end. */
static int mount_hierarchy_v1(int tmpfs, const struct oci_mount *m, const struct cgroup_view *v, bool new_ns,
			      struct err *err)
{
	cleanup_fd int fd = -1;

	if (open_hierarchy(m, v, new_ns, &fd, err) < 0)
		return -1;
	if (mkdirat(tmpfs, v->name, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "cannot make directory '%s'", v->name);
	if (move_mount(fd, "", tmpfs, v->name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "cannot attach the mount");
	for (size_t i = 0; v->links[i]; i++)
		if (symlinkat(v->name, tmpfs, v->links[i]) < 0)
			return err_sys(err, "cannot make link '%s'", v->links[i]);
	return 0;
}

/* On v1 a cgroup mount is a tmpfs with one directory per hierarchy, read-only at the end when asked so; on v2 it is the mount itself. What is for all of the
 * tree comes when it is whole. */
static int mount_cgroup_v1(int root_fd, const struct oci_mount *m, const struct cgroup *cgroup, bool new_ns,
			   struct err *err)
{
	cleanup_fd int tmpfs = -1, target = -1;
	struct cgroup_view v;

	if (mount_new_fs("tmpfs", "tmpfs", "mode=755", cgroup_flags(m) & ~(unsigned long)MS_RDONLY, &tmpfs, err) < 0)
		return -1;
	if (open_target(root_fd, m, ROOTFS_DIR, &target, err) < 0 || mount_attach(tmpfs, target, err) < 0)
		return -1;
	for (size_t i = 0; cgroup_view(cgroup, i, &v); i++)
		if (mount_hierarchy_v1(tmpfs, m, &v, new_ns, err) < 0)
			return err_add(err, "%s/%s", m->destination, v.name);
	if ((m->flags_set & MS_RDONLY) && mount_change(tmpfs, false, MOUNT_ATTR_RDONLY, 0, 0, err) < 0)
		return -1;
	if (mount_change(tmpfs, true, m->rec_attr_set, m->rec_attr_clear, 0, err) < 0)
		return -1;
	return set_propagation(tmpfs, m, err);
}

static int mount_cgroup_v2(int root_fd, const struct oci_mount *m, const struct cgroup_view *v, bool new_ns,
			   struct err *err)
{
	cleanup_fd int fd = -1, target = -1;

	if (open_hierarchy(m, v, new_ns, &fd, err) < 0 || open_target(root_fd, m, ROOTFS_DIR, &target, err) < 0)
		return -1;
	return finish(fd, target, m, err);
}

/* Is it the one hierarchy of v2? Where the host has both, it is when it is asked for by its name. */
static bool wants_v2(const struct oci_mount *m, const struct cgroup *cgroup, struct cgroup_view *ret)
{
	if (!strcmp(m->type, "cgroup2"))
		for (size_t i = 0; cgroup_view(cgroup, i, ret); i++)
			if (ret->is_v2)
				return true;
	return cgroup_is_pure_v2(cgroup) && cgroup_view(cgroup, 0, ret);
}

static int mount_cgroup(int root_fd, const struct oci_mount *m, const struct cgroup *cgroup, bool new_ns,
			struct err *err)
{
	struct cgroup_view v;
	bool is_v2 = wants_v2(m, cgroup, &v);

	/* What is bound has its options, and of v1 each hierarchy has its own. */
	if (m->data && !(is_v2 && new_ns))
		return err_set(err, ERR_CONFIG,
			       "cannot set the mount option '%s': only cgroup v2 in a cgroup namespace has any",
			       m->data);
	/* A container without groups finds an empty directory, whatever the host has: what else it could be shown is its caller's group. */
	if (!is_v2)
		return mount_cgroup_v1(root_fd, m, cgroup, new_ns, err);
	return mount_cgroup_v2(root_fd, m, &v, new_ns, err);
}

int mount_one(int root_fd, const struct oci_mount *m, int tree_fd, const struct cgroup *cgroup, bool new_cgroup_ns,
	      struct err *err)
{
	int r;

	r = check_destination(m, err);
	if (r == 0) {
		if (m->remount)
			r = mount_again(root_fd, m, err);
		else if (m->bind)
			r = mount_bind(root_fd, m, tree_fd, err);
		else if (m->type && (!strcmp(m->type, "cgroup") || !strcmp(m->type, "cgroup2")))
			r = mount_cgroup(root_fd, m, cgroup, new_cgroup_ns, err);
		else
			r = mount_fs(root_fd, m, tree_fd, err);
	}
	if (r < 0)
		return err_add(err, "cannot %s %s at '%s'", m->remount ? "remount" : "mount",
			       m->bind   ? m->source ? m->source : "?"
			       : m->type ? m->type
					 : "?",
			       m->destination);
	return 0;
}

static const struct {
	const char *name, *fs;
	long type;
	bool always; /* a bind of something else is refused */
} base_table[MOUNT_BASES] = { { "/proc", "proc", PROC_SUPER_MAGIC, true }, { "/sys", "sysfs", SYSFS_MAGIC, false } };

/* What is seen there: the last one. */
static const struct oci_mount *find_mounted(const struct oci_config *c, const char *destination)
{
	for (size_t i = c->n_mounts; i-- > 0;)
		if (!strcmp(c->mounts[i].destination, destination))
			return &c->mounts[i];
	return NULL;
}

void mount_hiding_begin(struct mount_hiding *h, int root_fd, const struct oci_config *c)
{
	h->root_fd = root_fd;
	h->config = c;
	h->tmpfs_fd = -1;
	h->root_readonly = false;
	for (size_t i = 0; i < MOUNT_BASES; i++)
		h->base_fd[i] = -1;
}

void mount_hiding_end(struct mount_hiding *h)
{
	fd_close(&h->tmpfs_fd);
	for (size_t i = 0; i < MOUNT_BASES; i++)
		fd_close(&h->base_fd[i]);
}

/* What the config has mounted there, and not another directory that has been put in its place. */
static int open_base(const struct mount_hiding *h, size_t i, int *ret_fd, struct err *err)
{
	const struct oci_mount *m = find_mounted(h->config, base_table[i].name);
	bool of_type = base_table[i].always || (!m->bind && m->type && !strcmp(m->type, base_table[i].fs));
	cleanup_fd int fd = -1;
	struct statx st;
	struct statfs fs;

	if (rootfs_open_nolinks(h->root_fd, base_table[i].name, &fd, err) < 0 || fstatfs(fd, &fs) < 0 ||
	    statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0 || (of_type && fs.f_type != base_table[i].type) ||
	    (st.stx_attributes_mask & ~st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return err_sysno(err, ELOOP, "'%s' changed while it was looked at", base_table[i].name);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Has the path a ".."? What that means is not said by the text alone: behind a link it leads elsewhere. */
static bool goes_up(const char *path)
{
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (p[3] == '/' || !p[3])
			return true;
	return false;
}

/* What is to be hidden. A path that is missing is none, so below what the config mounts at /proc and /sys it is looked for in that mount and nowhere else: whoever
 * exchanges the directory for a link at the right moment would otherwise have nothing hidden at all. One that goes up may lead out of it: it is walked from the root. */
static int open_hidden(struct mount_hiding *h, const char *path, int *ret_fd, struct err *err)
{
	for (size_t i = 0; i < MOUNT_BASES; i++) {
		size_t n = strlen(base_table[i].name);

		if (strncmp(path, base_table[i].name, n) != 0 || path[n] != '/' || goes_up(path) ||
		    !find_mounted(h->config, base_table[i].name))
			continue;
		if (h->base_fd[i] < 0 && open_base(h, i, &h->base_fd[i], err) < 0)
			return -1;
		return rootfs_open(h->base_fd[i], path + n, ret_fd, err);
	}
	return rootfs_open(h->root_fd, path, ret_fd, err);
}

/* Cover the object that target_fd holds. A base that is covered itself is not what is seen there any more: it is opened anew when it is wanted. */
static int cover(struct mount_hiding *h, int mount_fd, int target_fd, struct err *err)
{
	struct stat target, base;

	if (mount_attach(mount_fd, target_fd, err) < 0)
		return -1;
	if (fstat(target_fd, &target) < 0)
		return err_sys(err, "cannot look at it");
	for (size_t i = 0; i < MOUNT_BASES; i++)
		if (h->base_fd[i] >= 0 &&
		    (fstat(h->base_fd[i], &base) < 0 || (base.st_dev == target.st_dev && base.st_ino == target.st_ino)))
			fd_close(&h->base_fd[i]);
	return 0;
}

int mount_readonly_path(struct mount_hiding *h, const char *path, struct err *err)
{
	cleanup_fd int target = -1, tree = -1;
	struct statx st, root;

	if (open_hidden(h, path, &target, err) < 0)
		return err_is_sys(err, ENOENT) || err_is_sys(err, ENOTDIR) ? 0 : -1;
	if (!look_at(target, &st) || !look_at(h->root_fd, &root))
		return err_sys(err, "cannot look at '%s'", path);
	/* To cover the root changes nothing for who has it as the root. */
	if (same_place(&st, &root)) {
		h->root_readonly = true;
		return 0;
	}
	if (mount_clone(target, "", true, &tree, err) < 0 ||
	    mount_change(tree, false, MOUNT_ATTR_RDONLY, 0, 0, err) < 0 || cover(h, tree, target, err) < 0)
		return err_add(err, "cannot make '%s' read-only", path);
	return 0;
}

/* A masked file is /dev/null, a masked directory an empty read-only tmpfs: one file system, cloned for each. */
static int mask_path(struct mount_hiding *h, int null_fd, const char *path, struct err *err)
{
	cleanup_fd int target = -1, mask = -1;
	struct stat st;

	if (open_hidden(h, path, &target, err) < 0)
		return err_is_sys(err, ENOENT) || err_is_sys(err, ENOTDIR) ? 0 : -1;
	if (fstat(target, &st) < 0)
		return err_sys(err, "cannot look at it");
	if (!S_ISDIR(st.st_mode)) {
		if (mount_clone(null_fd, "", false, &mask, err) < 0)
			return -1;
		return cover(h, mask, target, err);
	}
	/* The file system is where it is needed first, and cloned from there: to close one that is nowhere is to wait for an RCU grace period. */
	if (h->tmpfs_fd < 0) {
		if (mount_new_fs("tmpfs", "tmpfs", "mode=755,size=0,nr_inodes=1",
				 MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, &h->tmpfs_fd, err) < 0)
			return -1;
		return cover(h, h->tmpfs_fd, target, err);
	}
	/* Where the root's mounts are shared the first is too by now, and a clone of it would be its peer. */
	if (mount_clone(h->tmpfs_fd, "", false, &mask, err) < 0 || mount_change(mask, false, 0, 0, MS_PRIVATE, err) < 0)
		return -1;
	return cover(h, mask, target, err);
}

int mount_masked_paths(struct mount_hiding *h, int null_fd, struct err *err)
{
	const struct oci_strings *paths = &h->config->masked_paths;

	for (size_t i = 0; i < paths->n; i++)
		if (mask_path(h, null_fd, paths->v[i], err) < 0)
			return err_add(err, "cannot mask '%s'", paths->v[i]);
	return 0;
}
