/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a container that is brought back, before criu begins.
 *
 * Whether all of them can be put back is decided before the first one is changed: a restore that is refused has changed nothing. */
#include "shim/container/restore_files.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "shim/checkpoint/areas.h"
#include "shim/checkpoint/openfiles.h"
#include "shim/checkpoint/replay.h"
#include "shim/container/container_internal.h"

static struct areas areas_of(const struct container *c)
{
	return (struct areas) { .config = c->config, .bundle = c->creation->bundle, .rootfs = c->creation->rootfs };
}

/* As its own root could have made it. */
static bool may_make_devices(const struct oci_config *config)
{
	return !config->ns[OCI_NS_USER].wanted && config->has_process &&
	       (config->process.caps.bounding & (UINT64_C(1) << CAP_MKNOD));
}

/* All that can be refused is refused before any file is changed. */
static int replay_files(const struct container *c, const struct capture_plan *plan, const struct areas *areas,
			struct err *err)
{
	const bool mapped = c->config->ns[OCI_NS_USER].wanted;
	const struct replay r = { .images_fd = c->creation->params.fds.images_fd,
				  .areas = *plan,
				  .may_make_devices = may_make_devices(c->config),
				  .uids = mapped ? &c->config->uid_maps : NULL,
				  .gids = mapped ? &c->config->gid_maps : NULL };
	struct replaying *x;
	int ret = replay_judge(&r, &x, err);

	if (ret == 0)
		ret = openfiles_check(areas, r.images_fd, false, x, err);
	if (ret == 0)
		ret = replay_run(x, err);
	replay_free(x);
	return ret;
}

/* Does another container use this root, whose files would change under it? By whatever name it has it. */
static int check_alone(const struct container *c, struct err *err)
{
	cleanup_dir DIR *dir = fd_list(c->root_fd);
	struct stat own, other;
	struct status_record rec;
	struct err ignored;
	const char *id;

	if (!dir)
		return err_sys(err, "cannot read the state directory");
	if (stat(c->creation->rootfs, &own) < 0)
		return err_sys(err, "cannot look at '%s'", c->creation->rootfs);
	while ((id = fd_list_next(dir)))
		if (statedir_check_id(id, &ignored) == 0 && strcmp(id, c->id) != 0 &&
		    statedir_read_status_of(c->root_fd, id, &rec, NULL, &ignored) == 0 && statedir_init_alive(&rec) &&
		    stat(rec.rootfs, &other) == 0 && other.st_dev == own.st_dev && other.st_ino == own.st_ino)
			return err_set(err, ERR_BUSY,
				       "container '%s' runs in the same root, '%s': its files would change under it "
				       "(--rootfs=keep uses what is there)",
				       id, rec.rootfs);
	return 0;
}

int restore_files_plan(const struct container *c, const struct checkpoint_options *o, struct capture_plan *ret,
		       struct err *err)
{
	const struct areas areas = areas_of(c);

	if (strcmp(o->files, "restore") != 0)
		return 0;
	return areas_plan(&areas, &o->include_binds, ret, err) < 0 ? -1 : check_alone(c, err);
}

int restore_files_put(const struct container *c, const struct checkpoint_options *o, const struct capture_plan *plan,
		      struct err *err)
{
	const struct areas areas = areas_of(c);

	if (!strcmp(o->files, "restore") && replay_files(c, plan, &areas, err) < 0)
		return -1;
	return openfiles_check(&areas, c->creation->params.fds.images_fd, !strcmp(o->files, "check"), NULL, err);
}
