/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings of a user namespace: written, read, and used. */
#ifndef THOLE_SHIM_SANDBOX_IDMAP_H
#define THOLE_SHIM_SANDBOX_IDMAP_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/oci/config.h"

/* All of this runs in the shim. */

/* Give the new user namespace that process `pid` has made its mappings. Without CAP_SETGID the kernel wants setgroups(2) denied first: done.
 * What an ordinary user may not map himself newuidmap(1) and newgidmap(1) are asked for. Errors name
 * linux.uidMappings or linux.gidMappings. */
int idmap_write(pid_t pid, const struct oci_id_maps *uids, const struct oci_id_maps *gids, struct err *err);

/* The mappings of the user namespace that process `pid` is in, in ids of the shim's. Caller releases ret with idmap_release(). */
struct idmap {
	struct oci_id_maps uids, gids;
};
int idmap_read(pid_t pid, struct idmap *ret, struct err *err);
void idmap_release(struct idmap *m);
#define cleanup_idmap __attribute__((cleanup(idmap_release)))

/* The shim's id of the container's; false when it has none. */
bool idmap_to_host(const struct oci_id_maps *maps, uint32_t id, uint32_t *ret_host);

/* Do both say the same? */
bool idmap_equal(const struct oci_id_maps *a, const struct oci_id_maps *b);

/* A user namespace with these mappings and nobody in it, for idmapped mounts. ret_fd is the caller's. */
int idmap_open(const struct oci_id_maps *uids, const struct oci_id_maps *gids, int *ret_fd, struct err *err);

/* Give what is behind these descriptors (-1: nothing) to a user of process `pid`'s user namespace. ERR_CONFIG: it has no such user. What a shim without
 * privileges may not give away its child does, from inside. */
int idmap_chown(pid_t pid, const struct oci_process *user, const int *fds, size_t n, struct err *err);

#endif
