/* SPDX-License-Identifier: Apache-2.0 */
/* The words of mounts[].options: flags of the mount, of the whole tree, propagation; the rest is for the file system. */
#include "shim/oci/names.h"

#include <string.h>
#include <sys/mount.h>

#include "common/fd.h"

/* Newer than the headers of Debian 12. */
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

/* The three ways to keep access times exclude one another: the last one named counts. */
#define ATIME_FLAGS ((unsigned long)(MS_NOATIME | MS_RELATIME | MS_STRICTATIME))

enum kind {
	KIND_NOTHING,
	KIND_BIND, /* value: MS_REC or 0 */
	KIND_SET,  /* value: MS_x */
	KIND_CLEAR,
	KIND_TREE_SET, /* value: MOUNT_ATTR_x, for mount_setattr(2) with AT_RECURSIVE */
	KIND_TREE_CLEAR,
	KIND_COPY_UP,
	KIND_IDMAP, /* value: MS_REC or 0 */
	KIND_REMOUNT,
};

/* clang-format off */
static const struct {
	const char *name;
	enum kind kind;
	unsigned long value;
} options[] = {
	{ "defaults",      KIND_NOTHING,    0 },
	{ "bind",          KIND_BIND,       0 },
	{ "rbind",         KIND_BIND,       MS_REC },

	{ "ro",            KIND_SET,        MS_RDONLY },
	{ "rw",            KIND_CLEAR,      MS_RDONLY },
	{ "nosuid",        KIND_SET,        MS_NOSUID },
	{ "suid",          KIND_CLEAR,      MS_NOSUID },
	{ "nodev",         KIND_SET,        MS_NODEV },
	{ "dev",           KIND_CLEAR,      MS_NODEV },
	{ "noexec",        KIND_SET,        MS_NOEXEC },
	{ "exec",          KIND_CLEAR,      MS_NOEXEC },
	{ "nosymfollow",   KIND_SET,        MS_NOSYMFOLLOW },
	{ "symfollow",     KIND_CLEAR,      MS_NOSYMFOLLOW },
	{ "nodiratime",    KIND_SET,        MS_NODIRATIME },
	{ "diratime",      KIND_CLEAR,      MS_NODIRATIME },
	{ "noatime",       KIND_SET,        MS_NOATIME },
	{ "atime",         KIND_CLEAR,      MS_NOATIME },
	{ "relatime",      KIND_SET,        MS_RELATIME },
	{ "norelatime",    KIND_CLEAR,      MS_RELATIME },
	{ "strictatime",   KIND_SET,        MS_STRICTATIME },
	{ "nostrictatime", KIND_CLEAR,      MS_STRICTATIME },

	{ "sync",          KIND_SET,        MS_SYNCHRONOUS },
	{ "async",         KIND_CLEAR,      MS_SYNCHRONOUS },
	{ "dirsync",       KIND_SET,        MS_DIRSYNC },
	{ "mand",          KIND_SET,        MS_MANDLOCK },
	{ "nomand",        KIND_CLEAR,      MS_MANDLOCK },
	{ "lazytime",      KIND_SET,        MS_LAZYTIME },
	{ "nolazytime",    KIND_CLEAR,      MS_LAZYTIME },
	{ "iversion",      KIND_SET,        MS_I_VERSION },
	{ "noiversion",    KIND_CLEAR,      MS_I_VERSION },
	{ "acl",           KIND_SET,        MS_POSIXACL },
	{ "noacl",         KIND_CLEAR,      MS_POSIXACL },
	{ "silent",        KIND_SET,        MS_SILENT },
	{ "loud",          KIND_CLEAR,      MS_SILENT },

	{ "rro",           KIND_TREE_SET,   MOUNT_ATTR_RDONLY },
	{ "rrw",           KIND_TREE_CLEAR, MOUNT_ATTR_RDONLY },
	{ "rnosuid",       KIND_TREE_SET,   MOUNT_ATTR_NOSUID },
	{ "rsuid",         KIND_TREE_CLEAR, MOUNT_ATTR_NOSUID },
	{ "rnodev",        KIND_TREE_SET,   MOUNT_ATTR_NODEV },
	{ "rdev",          KIND_TREE_CLEAR, MOUNT_ATTR_NODEV },
	{ "rnoexec",       KIND_TREE_SET,   MOUNT_ATTR_NOEXEC },
	{ "rexec",         KIND_TREE_CLEAR, MOUNT_ATTR_NOEXEC },
	{ "rnosymfollow",  KIND_TREE_SET,   MOUNT_ATTR_NOSYMFOLLOW },
	{ "rsymfollow",    KIND_TREE_CLEAR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "rnodiratime",   KIND_TREE_SET,   MOUNT_ATTR_NODIRATIME },
	{ "rdiratime",     KIND_TREE_CLEAR, MOUNT_ATTR_NODIRATIME },
	/* The access time is one field of the kernel's, in which relatime is 0: "not the others" leaves that. */
	{ "rnoatime",      KIND_TREE_SET,   MOUNT_ATTR_NOATIME },
	{ "ratime",        KIND_TREE_CLEAR, MOUNT_ATTR__ATIME },
	{ "rrelatime",     KIND_TREE_CLEAR, MOUNT_ATTR__ATIME },
	{ "rnorelatime",   KIND_TREE_CLEAR, MOUNT_ATTR__ATIME },
	{ "rstrictatime",  KIND_TREE_SET,   MOUNT_ATTR_STRICTATIME },
	{ "rnostrictatime", KIND_TREE_CLEAR, MOUNT_ATTR__ATIME },

	{ "remount",       KIND_REMOUNT,    0 },
	{ "tmpcopyup",     KIND_COPY_UP,    0 },
	{ "idmap",         KIND_IDMAP,      0 },
	{ "ridmap",        KIND_IDMAP,      MS_REC },
};

static const struct {
	const char *name;
	unsigned long flags;
} propagations[] = {
	{ "private",     MS_PRIVATE },
	{ "rprivate",    MS_PRIVATE | MS_REC },
	{ "slave",       MS_SLAVE },
	{ "rslave",      MS_SLAVE | MS_REC },
	{ "shared",      MS_SHARED },
	{ "rshared",     MS_SHARED | MS_REC },
	{ "unbindable",  MS_UNBINDABLE },
	{ "runbindable", MS_UNBINDABLE | MS_REC },
};
/* clang-format on */

bool oci_propagation_flags(const char *name, unsigned long *ret_flags)
{
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
		if (!strcmp(propagations[i].name, name)) {
			*ret_flags = propagations[i].flags;
			return true;
		}
	}
	return false;
}

static void set_flag(struct oci_mount *m, unsigned long flag)
{
	if (flag & ATIME_FLAGS)
		m->flags_set &= ~ATIME_FLAGS;
	m->flags_set |= flag;
	m->flags_clear &= ~flag;
}

static void clear_flag(struct oci_mount *m, unsigned long flag)
{
	m->flags_set &= ~flag;
	m->flags_clear |= flag;
}

/* mount_setattr(2) clears first and then sets, and takes the access time only as a whole. */
static void change_tree(struct oci_mount *m, uint64_t set, uint64_t clear)
{
	if ((set | clear) & MOUNT_ATTR__ATIME)
		clear |= MOUNT_ATTR__ATIME;
	m->rec_attr_set = (m->rec_attr_set & ~clear) | set;
	m->rec_attr_clear = (m->rec_attr_clear & ~set) | clear;
}

static void add_data(struct oci_mount *m, const char *option)
{
	char *joined;

	if (!option[0])
		return;
	joined = xasprintf("%s%s%s", m->data ? m->data : "", m->data ? "," : "", option);
	free(m->data);
	m->data = joined;
}

void oci_mount_option(struct oci_mount *m, const char *option)
{
	size_t i = 0;

	if (oci_propagation_flags(option, &m->propagation))
		return;
	while (i < ARRAY_SIZE(options) && strcmp(options[i].name, option) != 0)
		i++;
	if (i == ARRAY_SIZE(options)) {
		add_data(m, option);
		return;
	}
	switch (options[i].kind) {
	case KIND_NOTHING:
		break;
	case KIND_BIND:
		m->bind = true;
		m->recursive |= options[i].value != 0;
		break;
	case KIND_SET:
		set_flag(m, options[i].value);
		break;
	case KIND_CLEAR:
		clear_flag(m, options[i].value);
		break;
	case KIND_TREE_SET:
		change_tree(m, options[i].value, 0);
		break;
	case KIND_TREE_CLEAR:
		change_tree(m, 0, options[i].value);
		break;
	case KIND_COPY_UP:
		m->tmpcopyup = true;
		break;
	case KIND_IDMAP:
		m->idmap = true;
		m->idmap_recursive |= options[i].value != 0;
		break;
	case KIND_REMOUNT:
		m->remount = true;
		break;
	}
}

const char *oci_mount_option_name(size_t i)
{
	if (i < ARRAY_SIZE(options))
		return options[i].name;
	i -= ARRAY_SIZE(options);
	return i < ARRAY_SIZE(propagations) ? propagations[i].name : NULL;
}
