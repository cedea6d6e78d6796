/* SPDX-License-Identifier: Apache-2.0 */
/* thole recover: give containers a shim whose own has died, and clean up what creations have left that never came to their end. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "common/fd.h"
#include "common/statedir.h"

/* With a shim, or one that has left on purpose or because all was done, there is nothing to do. */
static int recover_one(const struct client *cl, const char *id, struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int dir_fd = -1;
	struct status_record rec;

	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return -1;
	if (call_shim_lives(dir_fd))
		return 0;
	if (call_is_leftover(dir_fd))
		return call_undo(cl, id, err);
	if (statedir_read_status(dir_fd, &rec, err) < 0)
		return err_add(err, "container '%s'", id);
	if (rec.foreign || (rec.exit_recorded && !rec.remove_at_exit))
		return 0;
	return call_open(cl, id, dir_fd, CALL_SERVE, &c, err);
}

/* One that cannot be recovered does not keep the others from it. Gone meanwhile, or taken by another, is fine. */
static bool recover_or_say(const struct client *cl, const char *id, bool may_be_gone)
{
	struct err err;

	if (recover_one(cl, id, &err) == 0 || (may_be_gone && err.code == ERR_NOT_FOUND))
		return true;
	client_report(cl, &err);
	return false;
}

static int recover_all(const struct client *cl, struct err *err)
{
	cleanup_fd int root_fd = -1;
	cleanup_dir DIR *dir = NULL;
	struct dirent *e;
	bool well = true;

	if (client_open_root(cl, false, &root_fd, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	dir = fdopendir(fcntl(root_fd, F_DUPFD_CLOEXEC, 0));
	if (!dir)
		return err_sys(err, "cannot read state directory '%s'", cl->root_path);
	while ((e = readdir(dir)))
		if ((e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) && statedir_check_id(e->d_name, err) == 0)
			well = recover_or_say(cl, e->d_name, true) && well;
	return well ? 0 : 1;
}

int cmd_recover(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct recover_options *o = inv->options;
	bool well = true;

	if (o->all && inv->n > 0)
		return err_set(err, ERR_USAGE, "--all and an ID contradict each other");
	if (o->all)
		return recover_all(cl, err);
	if (inv->n == 0)
		return err_set(err, ERR_USAGE, "recover needs an ID, or --all");
	for (int i = 0; i < inv->n; i++)
		well = recover_or_say(cl, inv->operands[i], false) && well;
	return well ? 0 : 1;
}
