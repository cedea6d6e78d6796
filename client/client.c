/* SPDX-License-Identifier: Apache-2.0 */
/* What every command of the client is given: how it was called and where the state is. */
#include "client/client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/term.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/path.h"
#include "common/statedir.h"

int client_open_root(const struct client *cl, bool make, int *ret_fd, struct err *err)
{
	cleanup_free char *path = NULL;

	if (!cl->root_path && statedir_root_path(cl->global.root, &path, err) < 0)
		return -1;
	return statedir_open_root(cl->root_path ? cl->root_path : path, make, ret_fd, err);
}

int client_open_container(const struct client *cl, const char *id, int *ret_root_fd, int *ret_dir_fd, struct err *err)
{
	cleanup_fd int root_fd = -1;

	if (statedir_check_id(id, err) < 0)
		return -1;
	if (client_open_root(cl, false, &root_fd, err) < 0)
		return err->code == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND, "container '%s' does not exist", id)
						  : -1;
	if (statedir_open(root_fd, id, ret_dir_fd, err) < 0)
		return -1;
	if (ret_root_fd)
		*ret_root_fd = take_fd(&root_fd);
	return 0;
}

int client_read_container(const struct client *cl, const char *id, int *ret_dir_fd, struct status_record *ret_rec,
			  struct err *err)
{
	cleanup_fd int dir_fd = -1;

	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return -1;
	if (statedir_read_status(dir_fd, ret_rec, err) < 0)
		return err_add(err, "container '%s'", id);
	if (strcmp(ret_rec->id, id) != 0)
		return err_set(err, ERR_CONFIG, "container '%s': its status record is that of container '%s'", id,
			       ret_rec->id);
	*ret_dir_fd = take_fd(&dir_fd);
	return 0;
}

static bool is_being_created(int dir_fd)
{
	struct status_record rec;
	struct err ignored;

	return statedir_read_status(dir_fd, &rec, &ignored) < 0 || rec.status == STATUS_CREATING ||
	       rec.status == STATUS_NONE;
}

int client_read_state(const char *id, int dir_fd, json_object **ret, struct err *err)
{
	cleanup_json json_object *state = NULL;
	json_object *format;

	if (json_read_at(dir_fd, STATEDIR_STATE, STATEDIR_JSON_MAX, &state, err) < 0)
		return err_is_sys(err, ENOENT) && !is_being_created(dir_fd)
			       ? err_set(err, ERR_CONFIG, "container '%s': state.json is missing", id)
			       : err_add(err, "container '%s'", id);
	format = json_get(state, "format");
	if (!json_object_is_type(json_get(state, "container"), json_type_object) ||
	    !json_object_is_type(format, json_type_int))
		return err_set(err, ERR_CONFIG, "container '%s': state.json is damaged", id);
	if (json_object_get_int64(format) > STATEDIR_STATE_FORMAT)
		return err_set(err, ERR_UNSUPPORTED,
			       "container '%s': state.json has format %lld, and this program knows %d", id,
			       (long long)json_object_get_int64(format), STATEDIR_STATE_FORMAT);
	if (strcmp(json_get_text(state, "container.id", ""), id) != 0)
		return err_set(err, ERR_CONFIG, "container '%s': state.json is that of container '%s'", id,
			       json_get_text(state, "container.id", ""));
	*ret = take_ptr(state);
	return 0;
}

/* The directory above all containers' data directories, perhaps relative to the current directory. */
static char *data_root(void)
{
	const char *named = getenv("THOLE_LOG_DIR"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (named && named[0])
		return xstrdup(named);
	if (geteuid() == 0)
		return xstrdup(STATEDIR_LOG_ROOT);
	if (state && state[0] == '/')
		return path_join(state, "thole");
	if (home && home[0] == '/')
		return path_join(home, ".local/state/thole");
	return NULL;
}

int client_data_dir(const char *id, char **ret_path, struct err *err)
{
	cleanup_free char *root = data_root();
	cleanup_free char *below = NULL, *joined = NULL;
	char cwd[4096];

	if (!root)
		return err_set(err, ERR_USAGE, "HOME is not set: say with THOLE_LOG_DIR where logs are");
	if (root[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return err_sys(err, "cannot find the current directory");
	below = path_join(root, id);
	joined = root[0] == '/' ? xstrdup(below) : path_join(cwd, below);
	*ret_path = path_clean(joined);
	return 0;
}

/* thole-oci prints the bare text: managers quote a runtime's stderr behind a name of their own. */
static void print_line(const struct client *cl, const char *text)
{
	char line[ERR_TEXT_MAX + 32];
	int n = snprintf(line, sizeof(line), "%s%s%s\n", cl->oci ? "" : cl->program, cl->oci ? "" : ": ", text);

	struct err nowhere_left_to_say_it;

	if (n > 0)
		fd_write_all(STDERR_FILENO, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1,
			     &nowhere_left_to_say_it);
}

static void say(const struct client *cl, enum log_level level, const char *text)
{
	bool to_file = cl->global.log != NULL;
	bool json = cl->global.log_format && !strcmp(cl->global.log_format, "json");

	if (to_file || json)
		log_line(level, "%s", text);
	if (to_file || !json)
		print_line(cl, text);
}

void client_report(const struct client *cl, const struct err *err)
{
	struct err copy = *err;

	err_clean(&copy);
	say(cl, LOG_LEVEL_ERROR, copy.text);
}

void client_remark(const struct client *cl, const char *fmt, ...)
{
	const bool raw = term_is_raw() && isatty(STDERR_FILENO);
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* In raw mode the line before may not have ended, and the cursor does not go back by itself. */
	if (raw && write(STDERR_FILENO, "\r\n", 2) < 0)
		return;
	say(cl, LOG_LEVEL_WARN, text);
	if (raw && write(STDERR_FILENO, "\r", 1) < 0)
		return;
}
