/* SPDX-License-Identifier: Apache-2.0 */
/* The binds with mapped ids of what is restored: criu binds paths, so each is mounted for it, with its mapping, where only criu sees it.
 *
 * criu knows no mappings, and would bind the bare source. A bind of a mount has the mapping of that mount, so criu is shown the sources mapped already: in criu's mount
 * namespace alone. Not over the sources themselves: others may be bound without a mapping. Nor in the state directory: the root of a user namespace, whom criu has look them up, may not
 * search that. */
#include "shim/checkpoint/mapped.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"

/* Empty outside of criu's mount namespace, and never removed. */
#define DIRECTORY "/run/thole-criu.binds"

int mapped_binds_open(const struct oci_config *config, const char *bundle, const struct ns_joined *joined,
		      struct mapped_binds *ret, struct err *err)
{
	struct mapped_binds m = { 0 };

	if (mount_sources_open_mapped(config, bundle, joined, &m.sources, err) < 0)
		return -1;
	for (size_t i = 0; i < m.sources.n; i++)
		m.any = m.any || m.sources.fd[i] >= 0;
	if (m.any && mkdir(DIRECTORY, 0700) < 0 && errno != EEXIST) {
		err_sys(err, "cannot make '" DIRECTORY "'");
		mapped_binds_release(&m);
		return -1;
	}
	*ret = m;
	return 0;
}

void mapped_binds_release(struct mapped_binds *m)
{
	mount_sources_release(&m->sources);
	*m = (struct mapped_binds) { 0 };
}

char *mapped_binds_path(const struct mapped_binds *m, size_t i)
{
	return m->any && m->sources.fd[i] >= 0 ? xasprintf(DIRECTORY "/%zu", i) : NULL;
}

static int child_mount_one(int dir_fd, size_t i, int tree_fd, struct err *err)
{
	char name[24];
	struct stat st;

	snprintf(name, sizeof(name), "%zu", i);
	if (fstat(tree_fd, &st) < 0)
		return err_sys(err, "cannot look at mounts[%zu]", i);
	if ((S_ISDIR(st.st_mode) ? mkdirat(dir_fd, name, 0755) : mknodat(dir_fd, name, S_IFREG | 0644, 0)) < 0 ||
	    move_mount(tree_fd, "", dir_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "cannot mount mounts[%zu] for criu", i);
	return 0;
}

int child_mapped_binds_mount(const struct mapped_binds *m, struct err *err)
{
	cleanup_fd int dir_fd = -1;

	if (!m->any)
		return 0;
	if (mount("tmpfs", DIRECTORY, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return err_sys(err, "cannot mount a tmpfs for criu");
	dir_fd = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, "cannot open a tmpfs for criu");
	for (size_t i = 0; i < m->sources.n; i++)
		if (m->sources.fd[i] >= 0 && child_mount_one(dir_fd, i, m->sources.fd[i], err) < 0)
			return -1;
	return 0;
}
