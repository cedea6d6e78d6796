/* SPDX-License-Identifier: Apache-2.0 */
/* Handing the listener of a seccomp filter to whom the config names.
 *
 * Runs in the shim, so that whoever listens sees the caller's credentials and host pids. It is a trusted program: it answers for the kernel. */
#include "shim/container/notify.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <json-c/json.h>

#include "common/fd.h"
#include "common/json.h"
#include "shim/sandbox/fd_socket.h"

/* The name of the specification for what comes beside the text. */
#define LISTENER_NAME "seccompFd"

static char *message(struct container *c, const struct oci_config *config, const char *status, pid_t pid)
{
	struct json_object *o = json_new_object(), *fds = json_new_array();
	cleanup_free char *state = state_oci_json(c, config, status);
	char *text;

	json_append(fds, json_new_string(LISTENER_NAME));
	json_add(o, "ociVersion", json_new_string(config->version));
	json_add(o, "fds", fds);
	json_add(o, "pid", json_new_int64(pid));
	if (config->seccomp.listener_metadata)
		json_add(o, "metadata", json_new_string(config->seccomp.listener_metadata));
	json_add(o, "state", json_tokener_parse(state));
	text = xstrdup(json_to_text(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return text;
}

static int connect_to(const char *path, int *ret_sock, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int sock = -1;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_sysno(err, ENAMETOOLONG, "cannot connect to '%.64s...'", path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return err_sys(err, "cannot make a socket");
	if (connect(sock, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_sys(err, "cannot connect to '%s'", path);
	*ret_sock = take_fd(&sock);
	return 0;
}

int notify_send(struct container *c, const struct oci_config *config, const char *status, pid_t pid, int listener,
		struct err *err)
{
	cleanup_free char *text = message(c, config, status, pid);
	cleanup_fd int sock = -1;

	if (connect_to(config->seccomp.listener_path, &sock, err) < 0 || fd_socket_send(sock, listener, text, err) < 0)
		return err_add(err, "linux.seccomp.listenerPath");
	return 0;
}
