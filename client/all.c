/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to every container. */
#include "client/all.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>

#include "client/call.h"
#include "client/json.h"
#include "common/fd.h"
#include "common/statedir.h"

int all_containers(const struct client *cl, bool (*visit)(const struct client *cl, const char *id, void *arg),
		   void *arg, struct err *err)
{
	cleanup_fd int root_fd = -1;
	cleanup_dir DIR *dir = NULL;
	struct dirent *e;
	bool well = true;

	if (client_open_root(cl, false, &root_fd, err) < 0)
		return err->code == ERR_NOT_FOUND ? 1 : -1;
	dir = fdopendir(fcntl(root_fd, F_DUPFD_CLOEXEC, 0));
	if (!dir)
		return err_sys(err, "cannot read state directory '%s'", cl->root_path);
	while ((e = readdir(dir)))
		if ((e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) && statedir_check_id(e->d_name, err) == 0)
			well = visit(cl, e->d_name, arg) && well;
	return well;
}

/* Was its shim killed in the middle of a dump? */
static bool is_half_dumped(int dir_fd)
{
	cleanup_json json_object *state = NULL;
	struct err ignored;

	return json_read_at(dir_fd, STATEDIR_STATE, STATEDIR_JSON_MAX, &state, &ignored) == 0 &&
	       json_get(state, "container.dumping");
}

/* With a shim that answers, or one that has left on purpose or because all was done, there is nothing to do. */
int all_recover_one(const struct client *cl, const char *id, struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int dir_fd = -1;
	struct status_record rec;

	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return -1;
	if (call_shim_lives(dir_fd)) {
		if (call_is_being_created(dir_fd) || call_open_running(id, dir_fd, &c, err) == 0)
			return 0;
		if (err->code != ERR_GONE)
			return err->code == ERR_LIMIT ? 0 : -1; /* it has answered */
	}
	/* One that is busy is somebody's again. */
	if (call_is_leftover(dir_fd))
		return call_undo(cl, id, err) == 0 || err->code == ERR_BUSY ? 0 : -1;
	if (statedir_read_status(dir_fd, &rec, err) < 0)
		return err_add(err, "container '%s'", id);
	if ((rec.foreign || (rec.exit_recorded && !rec.remove_at_exit)) && !is_half_dumped(dir_fd))
		return 0;
	return call_open(cl, id, dir_fd, CALL_SERVE, &c, err);
}

#define TRIES 50
#define TRY_STEP_NS 20000000

/* One that is being removed, or made, may lack files for a moment. */
int all_try(const struct client *cl, const char *id, all_one_fn *one, void *arg, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		cleanup_fd int dir_fd = -1;
		struct err gone;

		if (one(cl, id, arg, err) == 0)
			return 0;
		if (err->code != ERR_NOT_FOUND)
			return -1;
		if (client_open_container(cl, id, NULL, &dir_fd, &gone) < 0 && gone.code == ERR_NOT_FOUND)
			return 0;
		nanosleep(&(struct timespec) { .tv_nsec = TRY_STEP_NS }, NULL);
	}
	return -1;
}
