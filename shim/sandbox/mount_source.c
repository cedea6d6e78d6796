/* SPDX-License-Identifier: Apache-2.0 */
/* What only the shim can get at of the host's files: the sources of bind mounts, for a container in another user namespace.
 *
 * Runs in the shim, before the clone. The container's root may not search the directories that lead to a source, and may not map ids. What the
 * child then gets is a detached mount: it attaches it, and needs to look up nothing. */
#include "shim/sandbox/mount_source.h"

#include <stdlib.h>

#include "common/fd.h"
#include "common/path.h"
#include "shim/sandbox/mount.h"

static int open_one(const struct oci_mount *m, const char *bundle, int *ret_fd, struct err *err)
{
	cleanup_free char *source = path_join(bundle, m->source);
	cleanup_fd int fd = -1;

	if (mount_bind_tree(m, source, &fd, err) < 0)
		return err_add(err, "cannot mount %s at '%s'", m->source, m->destination);
	*ret_fd = take_fd(&fd);
	return 0;
}

int mount_sources_open(const struct oci_config *config, const char *bundle, const struct ns_joined *joined,
		       struct mount_sources *ret, struct err *err)
{
	struct mount_sources s = { .n = config->n_mounts, .fd = xcalloc(config->n_mounts, sizeof(int)) };
	bool leaves_user = ns_leaves_user(config, joined);

	for (size_t i = 0; i < s.n; i++)
		s.fd[i] = -1;
	for (size_t i = 0; i < s.n; i++) {
		const struct oci_mount *m = &config->mounts[i];

		if (m->bind && leaves_user && open_one(m, bundle, &s.fd[i], err) < 0) {
			mount_sources_release(&s);
			return -1;
		}
	}
	*ret = s;
	return 0;
}

void mount_sources_release(struct mount_sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		fd_close(&s->fd[i]);
	free(s->fd);
	*s = (struct mount_sources) { 0 };
}
