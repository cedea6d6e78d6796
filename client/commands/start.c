/* SPDX-License-Identifier: Apache-2.0 */
/* thole start: let a created container's program run.
 *
 * The container's first process waits on a socket of its own, so this works when its shim is gone. With a shim it is asked, since it
 * keeps the record. Poststart hooks are the shim's business too: then one is started if need be. */
#include <string.h>
#include <sys/socket.h>

#include "client/all.h"
#include "client/call.h"
#include "client/command.h"
#include "client/json.h"
#include "common/fd.h"
#include "common/statedir.h"

#define CONFIG_MAX (4 << 20) /* as the shim takes it */

/* Without a readable config the safe answer is yes: the shim will say what is wrong. */
static bool has_poststart(int dir_fd)
{
	cleanup_json json_object *config = NULL;
	json_object *hooks;
	struct err ignored;

	if (json_read_at(dir_fd, STATEDIR_CONFIG, CONFIG_MAX, &config, &ignored) < 0)
		return true;
	hooks = json_get(config, "hooks.poststart");
	return json_object_is_type(hooks, json_type_array) && json_object_array_length(hooks) > 0;
}

static int start_through_shim(const struct client *cl, const char *id, int dir_fd, struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	Request req = Request_init_zero;

	req.which_body = Request_start_tag;
	if (call_open(cl, id, dir_fd, CALL_SERVE, &c, err) < 0)
		return -1;
	return call_request(&c, &req, NULL, err);
}

/* Connecting starts it. Nobody who accepts us: it was started by somebody else meanwhile, or it is gone. */
static int connect_start(int dir_fd, const char *id, uint64_t inode, struct err *err)
{
	cleanup_fd int sock = -1;
	int sock_errno = 0, r;
	socklen_t len = sizeof(sock_errno);
	struct err answer;

	if (statedir_connect(dir_fd, STATEDIR_START, inode, &sock, err) < 0)
		return err->code == ERR_GONE
			       ? err_set(err, ERR_STATE, "cannot start container '%s': it does not wait for its start",
					 id)
			       : err_add(err, "cannot start container '%s'", id);
	recv(sock, &answer, sizeof(answer), MSG_PEEK); /* wait for the answer or the end, without taking either */
	getsockopt(sock, SOL_SOCKET, SO_ERROR, &sock_errno, &len);
	if (sock_errno == ECONNRESET)
		return err_set(err, ERR_STATE, "cannot start container '%s': it was started or ended meanwhile", id);
	r = wire_recv_err(sock, &answer, err);
	if (r <= 0)
		return r;
	*err = answer;
	return -1;
}

static int record_state_json(int dir_fd, struct err *err)
{
	cleanup_json json_object *state = NULL;
	json_object *container;
	const char *text;

	if (json_read_at(dir_fd, STATEDIR_STATE, STATEDIR_JSON_MAX, &state, err) < 0)
		return -1;
	container = json_get(state, "container");
	if (!json_object_is_type(container, json_type_object))
		return err_set(err, ERR_CONFIG, "state.json has no container");
	if (strcmp(json_get_text(container, "status", ""), container_status_name(STATUS_CREATED)) != 0)
		return 0;
	json_add_string(container, "status", container_status_name(STATUS_RUNNING));
	text = json_to_text(state, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text)
		fatal("out of memory");
	return fd_replace_file_at(dir_fd, STATEDIR_STATE, text, strlen(text), 0600, err);
}

/* Under the lock, and only if nobody has written of its end meanwhile. */
static int record_running(int dir_fd, struct err *err)
{
	struct status_record rec;

	if (statedir_read_status(dir_fd, &rec, err) < 0)
		return -1;
	if (rec.status != STATUS_CREATED)
		return 0;
	rec.status = STATUS_RUNNING;
	if (statedir_write_status(dir_fd, &rec, err) < 0)
		return -1;
	return record_state_json(dir_fd, err);
}

static int start_directly(int dir_fd, const char *id, uint64_t inode, struct err *err)
{
	cleanup_fd int lock_fd = -1;

	if (statedir_open_lock(dir_fd, false, &lock_fd, err) < 0 || connect_start(dir_fd, id, inode, err) < 0)
		return -1;
	if (statedir_lock(dir_fd, lock_fd, STATEDIR_LOCK_STATE, true, err) < 0 || record_running(dir_fd, err) < 0)
		return err_add(err, "container '%s' runs, but that could not be recorded", id);
	return 0;
}

int cmd_start(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const char *id = inv->operands[0];
	enum container_status status;
	cleanup_fd int dir_fd = -1;
	struct status_record rec;

	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return -1;
	if (call_shim_lives(dir_fd))
		return start_through_shim(cl, id, dir_fd, err);
	if (statedir_read_status(dir_fd, &rec, err) < 0)
		return err_add(err, "cannot start container '%s'", id);
	status = statedir_refresh(&rec);
	if (status != STATUS_CREATED)
		return err_set(err, ERR_STATE, "cannot start container '%s': it is %s", id,
			       container_status_name(status));
	/* One whose shim was killed gets another first: nobody would take what a quick program says. */
	if (!rec.foreign || has_poststart(dir_fd))
		return start_through_shim(cl, id, dir_fd, err);
	return start_directly(dir_fd, id, rec.start_inode, err);
}
