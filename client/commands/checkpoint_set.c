/* SPDX-License-Identifier: Apache-2.0 */
/* thole checkpoint --to: one image more in a container's set, or one for each of several containers; made for cron and timers.
 *
 * The set is locked by its directory's descriptor, which the shim has too: whoever of us is killed, nobody else begins before the other has ended. */
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "client/checkpoint.h"
#include "client/json.h"
#include "client/progress.h"
#include "client/set.h"
#include "common/fd.h"
#include "common/number.h"
#include "common/path.h"
#include "common/statedir.h"

/* What cron jobs and timers can tell apart: of sysexits.h. */
enum {
	EXIT_OTHER = 1,
	EXIT_NOT_RUNNING = 69, /* EX_UNAVAILABLE */
	EXIT_CRIU = 70,        /* EX_SOFTWARE */
	EXIT_NO_SPACE = 73,    /* EX_CANTCREAT */
	EXIT_TRY_LATER = 75,   /* EX_TEMPFAIL */
};

static int status_for(const struct err *err)
{
	if (err->sys_errno == ENOSPC || err->sys_errno == EDQUOT)
		return EXIT_NO_SPACE;
	switch ((int)err->code) {
	case ERR_LIMIT:
		return EXIT_NO_SPACE;
	case ERR_BUSY:
		return EXIT_TRY_LATER;
	case ERR_STATE:
	case ERR_NOT_FOUND:
		return EXIT_NOT_RUNNING;
	case ERR_CRIU:
		return EXIT_CRIU;
	default:
		return EXIT_OTHER;
	}
}

/* ---- one ------------------------------------------------------------------------------------------------------------------- */

/* The set is a container's: another's images would be taken for its own, and removed. */
static int check_set(int set_fd, const char *path, const char *id, struct err *err)
{
	struct set s cleanup_set = { 0 };

	if (set_read(set_fd, IMAGE_MANIFEST, &s, err) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (s.v[i].good && strcmp(s.v[i].m.id, id) != 0)
			return err_set(err, ERR_CONFIG, "'%s' has images of container '%s', not of '%s'", path,
				       s.v[i].m.id, id);
	return 0;
}

static int latest_name(int set_fd, char *ret, size_t size)
{
	ssize_t n = readlinkat(set_fd, SET_LATEST, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
	return n > 0 ? 0 : -1;
}

static int prepare(const struct client *cl, const char *id, const char *path, const struct criu_options *o, int *ret_fd,
		   struct checkpoint_files *ret, struct err *err)
{
	struct path_made made cleanup_path_made = PATH_MADE_NOTHING;
	cleanup_fd int dir_fd = -1;

	/* Before a directory is made for one that is not there. */
	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0 || set_open(path, &made, ret_fd, err) < 0 ||
	    set_lock(*ret_fd, path, err) < 0)
		return -1;
	set_tidy(*ret_fd);
	if (check_set(*ret_fd, path, id, err) < 0 || checkpoint_image_files(cl, o, *ret_fd, *ret_fd, ret, err) < 0) {
		path_unmake(&made);
		return -1;
	}
	ret->images = made;
	made = PATH_MADE_NOTHING;
	return 0;
}

static int checkpoint_one(const struct client *cl, const char *id, const char *path, const struct criu_options *o,
			  uint64_t max_bytes, struct err *err)
{
	struct checkpoint_files f cleanup_checkpoint_files = CHECKPOINT_FILES_NONE;
	char name[MANIFEST_NAME_MAX] = "";
	cleanup_fd int set_fd = -1;

	if (prepare(cl, id, path, o, &set_fd, &f, err) < 0)
		return -1;
	if (checkpoint_ask(cl, id, &f, o->pre_copy, set_fd, err) < 0) {
		checkpoint_files_unmake(&f);
		return -1;
	}
	/* The image is there, whatever becomes of the old ones. */
	if (latest_name(set_fd, name, sizeof(name)) == 0 && o->verbose)
		printf("%s/%s\n", path, name);
	if (set_retain(set_fd, o->keep.v, max_bytes, name, err) < 0)
		return err_add(err, "image '%s' is made, but older ones are not removed", name);
	return 0;
}

/* ---- several --------------------------------------------------------------------------------------------------------------- */

static bool has_label(json_object *annotations, const char *label)
{
	const char *equals = strchr(label, '=');
	cleanup_free char *key = equals ? strndup(label, (size_t)(equals - label)) : xstrdup(label);
	json_object *v;

	if (!json_object_object_get_ex(annotations, key, &v))
		return false;
	return !equals || !strcmp(json_object_get_string(v), equals + 1);
}

static bool is_wanted(int dir_fd, const char *id, const struct criu_options *o)
{
	cleanup_json json_object *state = NULL;
	json_object *annotations;
	struct err ignored;

	if (o->match && fnmatch(o->match, id, 0) != 0)
		return false;
	if (o->label.n == 0)
		return true;
	if (json_read_at(dir_fd, STATEDIR_STATE, STATEDIR_JSON_MAX, &state, &ignored) < 0)
		return false;
	annotations = json_get(state, "container.annotations");
	for (size_t i = 0; i < o->label.n; i++)
		if (!json_object_is_type(annotations, json_type_object) || !has_label(annotations, o->label.v[i]))
			return false;
	return true;
}

static bool runs(int dir_fd)
{
	struct status_record rec;
	struct err ignored;

	return statedir_read_status(dir_fd, &rec, &ignored) == 0 && statedir_refresh(&rec) == STATUS_RUNNING;
}

static void one_of_all(const struct client *cl, int root_fd, const char *id, const struct criu_options *o,
		       uint64_t max_bytes, int *status)
{
	cleanup_free char *path = path_join(o->to, id);
	cleanup_fd int dir_fd = -1;
	struct err err;

	if (statedir_open(root_fd, id, &dir_fd, &err) < 0 || !runs(dir_fd) || !is_wanted(dir_fd, id, o))
		return;
	if (checkpoint_one(cl, id, path, o, max_bytes, &err) == 0)
		return;
	client_report(cl, &err);
	if (*status == 0)
		*status = status_for(&err);
}

/* Every container that runs, each into a set of its own below the directory. The status is that of the first failure. */
static int checkpoint_all(const struct client *cl, const struct criu_options *o, uint64_t max_bytes, struct err *err)
{
	struct path_made made cleanup_path_made = PATH_MADE_NOTHING;
	cleanup_fd int root_fd = -1, to_fd = -1;
	cleanup_dir DIR *dir = NULL;
	struct dirent *e;
	struct err ignored;
	int status = 0;

	if (client_open_root(cl, false, &root_fd, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (set_open(o->to, &made, &to_fd, err) < 0)
		return -1;
	dir = fdopendir(fcntl(root_fd, F_DUPFD_CLOEXEC, 0));
	if (!dir)
		return err_sys(err, "cannot read state directory '%s'", cl->root_path);
	while ((e = readdir(dir)))
		if (statedir_check_id(e->d_name, &ignored) == 0)
			one_of_all(cl, root_fd, e->d_name, o, max_bytes, &status);
	if (status)
		path_unmake(&made); /* if nothing is in it */
	return status;
}

int checkpoint_to_set(const struct client *cl, const char *id, const struct criu_options *o, struct err *err)
{
	uint64_t max_bytes = 0, pre_copy;
	bool required;

	if (checkpoint_pre_copy(o->pre_copy, &pre_copy, &required, err) < 0)
		return -1;
	if (o->max_size && number_size("--max-size", o->max_size, &max_bytes, err) < 0)
		return -1;
	if (o->max_size && max_bytes == 0)
		return err_set(err, ERR_USAGE, "--max-size 0 would keep nothing");
	if (o->keep.set && o->keep.v == 0)
		return err_set(err, ERR_USAGE, "--keep 0 would keep nothing");
	if (o->name && !manifest_is_image_name(o->name))
		return err_set(err, ERR_USAGE, "--name: an image cannot be called '%s'", o->name);
	if (o->all)
		return checkpoint_all(cl, o, max_bytes, err);
	if (checkpoint_one(cl, id, o->to, o, max_bytes, err) == 0)
		return 0;
	client_report(cl, err);
	return status_for(err);
}
