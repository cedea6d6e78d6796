/* SPDX-License-Identifier: Apache-2.0 */
/* Which directories of the host hold the files of a container.
 *
 * Only the config says so, never an image. */
#include "shim/checkpoint/areas.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/path.h"

/* The last one that was mounted there is the one that is seen. */
static const struct oci_mount *mount_at(const struct oci_config *c, const char *destination)
{
	for (size_t i = c->n_mounts; i-- > 0;)
		if (!strcmp(c->mounts[i].destination, destination))
			return &c->mounts[i];
	return NULL;
}

int areas_to_capture(const struct areas *a, const struct oci_strings *binds, struct capture_plan *ret, struct err *err)
{
	struct stat st;

	if (!a->config->root_readonly)
		capture_plan_add(ret, "/", a->rootfs);
	for (size_t i = 0; i < binds->n; i++) {
		cleanup_free char *destination = binds->v[i][0] == '/' ? path_clean(binds->v[i]) : xstrdup("");
		const struct oci_mount *m = mount_at(a->config, destination);
		cleanup_free char *source = m && m->bind ? path_join(a->bundle, m->source) : NULL;

		if (!source)
			return err_set(err, ERR_USAGE, "--include-bind: the container has no bind at '%s'",
				       binds->v[i]);
		if (stat(source, &st) < 0)
			return err_sys(err, "--include-bind: cannot look at '%s'", source);
		if (!S_ISDIR(st.st_mode))
			return err_sysno(err, ENOTDIR, "--include-bind: cannot capture '%s'", source);
		capture_plan_add(ret, destination, source);
	}
	return 0;
}

void areas_to_replay(const struct areas *a, struct capture_plan *ret)
{
	capture_plan_add(ret, "/", a->rootfs);
	for (size_t i = 0; i < a->config->n_mounts; i++) {
		const struct oci_mount *m = &a->config->mounts[i];

		if (m->bind && mount_at(a->config, m->destination) == m) {
			cleanup_free char *source = path_join(a->bundle, m->source);

			capture_plan_add(ret, m->destination, source);
		}
	}
}

/* Is it this directory, or below it? */
static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '/' || path[len] == '\0');
}

int areas_locate(const struct areas *a, const char *path, char **ret_dir, const char **ret_rest)
{
	const struct oci_mount *found = NULL;

	for (size_t i = 0; i < a->config->n_mounts; i++) {
		const struct oci_mount *m = &a->config->mounts[i];

		if (is_below(path, m->destination) && (!found || strlen(m->destination) >= strlen(found->destination)))
			found = m;
	}
	if (found && !found->bind)
		return -1;
	*ret_dir = found ? path_join(a->bundle, found->source) : xstrdup(a->rootfs);
	*ret_rest = found ? path + strlen(found->destination) : path;
	return 0;
}
