/* SPDX-License-Identifier: Apache-2.0 */
/* mounts[] with the option "remount": each is given what the earlier entry at its destination says, so that whoever reads mounts[] finds there what is mounted. */
#include "shim/oci/remount.h"

#include <string.h>
#include <sys/mount.h>

#include "common/fd.h"

bool oci_remounts_fs(const struct oci_mount *m)
{
	/* Each mount of these is a file system of its own. Others are perhaps the host's too: there only the mount may be changed. */
	static const char *const own[] = { "tmpfs", "devpts", "proc" };

	if (!m->remount || m->remount_attrs || m->bind || !m->type)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (!strcmp(m->type, own[i]))
			return true;
	return false;
}

static const struct oci_mount *find_base(const struct oci_config *c, size_t i)
{
	for (size_t k = i; k-- > 0;)
		if (!strcmp(c->mounts[k].destination, c->mounts[i].destination))
			return &c->mounts[k];
	return NULL;
}

static void replace(char **to, const char *text)
{
	free(*to);
	*to = text ? xstrdup(text) : NULL;
}

/* Being read-only is what others ask for: an entry that does not speak of it leaves it as it was. */
static bool is_read_only(const struct oci_mount *m)
{
	return (m->flags_set & MS_RDONLY) || (m->rec_attr_set & MOUNT_ATTR_RDONLY);
}

static void inherit(struct oci_mount *m, const struct oci_mount *base)
{
	m->remount_attrs = m->bind;
	m->bind = base->bind;
	m->recursive = base->recursive;
	replace(&m->type, base->type);
	replace(&m->source, base->source);
	if (is_read_only(base) && !(m->flags_clear & MS_RDONLY) && !(m->rec_attr_clear & MOUNT_ATTR_RDONLY))
		m->flags_set |= MS_RDONLY;
}

/* What a devpts is not told anew is the kernel's default again: its ptmx would be nobody's to open. Of two values the later one counts. */
static void inherit_data(struct oci_mount *m, const struct oci_mount *base)
{
	char *joined;

	if (!base->data || !m->type || strcmp(m->type, "devpts") != 0)
		return;
	joined = xasprintf("%s%s%s", base->data, m->data ? "," : "", m->data ? m->data : "");
	free(m->data);
	m->data = joined;
}

int oci_inherit_remounts(struct oci_config *c, struct err *err)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		struct oci_mount *m = &c->mounts[i];
		const struct oci_mount *base;

		if (!m->remount)
			continue;
		if (m->idmap || m->tmpcopyup)
			return err_set(err, ERR_CONFIG, "mounts[%zu].options: '%s' cannot come with 'remount'", i,
				       m->idmap ? "idmap" : "tmpcopyup");
		base = find_base(c, i);
		if (!base)
			return err_set(err, ERR_CONFIG,
				       "mounts[%zu].options: 'remount' needs an earlier entry that is mounted at '%s'",
				       i, m->destination);
		inherit(m, base);
		if (m->data && !oci_remounts_fs(m))
			return err_set(err, ERR_CONFIG,
				       "mounts[%zu].options: '%s' is for a file system, and 'remount' changes only "
				       "the mount here",
				       i, m->data);
		inherit_data(m, base);
	}
	return 0;
}
