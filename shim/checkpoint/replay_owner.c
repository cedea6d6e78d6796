/* SPDX-License-Identifier: Apache-2.0 */
/* Owners and capabilities of a capture: only what the container's own user namespace could have given.
 *
 * Ids are the host's. A mount that maps them shows the container others than are on the disk. */
#include <endian.h>
#include <linux/capability.h>
#include <string.h>

#include "shim/checkpoint/replay_internal.h"
#include "shim/sandbox/idmap.h"

/* Has the namespace this id, which is on the disk below such a mount? */
static bool has_id(const struct oci_id_maps *ns, const struct oci_id_maps *mount, uint32_t id)
{
	if (mount && !idmap_to_host(mount, id, &id))
		return false;
	for (size_t i = 0; i < ns->n; i++)
		if (id >= ns->v[i].host && id - ns->v[i].host < ns->v[i].size)
			return true;
	return false;
}

/* Those that hold in the namespace of this root alone. */
static bool has_root(const struct replay *r, const struct area *a, const struct pax_xattr *x)
{
	struct vfs_ns_cap_data cap;

	if (x->len != sizeof(cap))
		return false;
	memcpy(&cap, x->value, sizeof(cap));
	return (le32toh(cap.magic_etc) & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_3 &&
	       has_id(r->uids, a->plan->uids, le32toh(cap.rootid));
}

bool replay_may_own(const struct replay *r, const struct area *a, const struct pax_entry *e)
{
	if (!r->uids || e->type == PAX_HARDLINK)
		return true;
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (!strcmp(e->xattrs[i].name, "security.capability") && !has_root(r, a, &e->xattrs[i]))
			return false;
	return has_id(r->uids, a->plan->uids, e->uid) && has_id(r->gids, a->plan->gids, e->gid);
}
