/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of a new process: a relay of the shim's between pipes or a pty, or what the caller has, passed straight on. */
#include "shim/container/streams.h"

#include <stdio.h>
#include <string.h>

#include "common/fd.h"
#include "shim/container/container_internal.h"
#include "shim/sandbox/fd_socket.h"

bool streams_client_follows(const struct streams_request *r)
{
	return r->stdio == STDIO_FOREGROUND || (r->stdio == STDIO_PASS && !r->leave);
}

static void pass_on(struct process *p, struct container_fds *fds, int ret_child[3])
{
	for (int i = 0; i < 3; i++) {
		cleanup_free char *path = NULL;
		struct err ignored;

		ret_child[i] = take_fd(&fds->stdio[i]);
		if (ret_child[i] >= 0 && fd_path(ret_child[i], &path, &ignored) == 0)
			snprintf(p->passed[i], sizeof(p->passed[i]), "%s", path);
	}
}

int streams_make(struct process *p, const struct streams_request *r, struct container_fds *fds, int ret_child[3],
		 struct err *err)
{
	struct relay_ops ops = { .drained_cb = process_drained_cb,
				 .closed_cb = process_closed_cb,
				 .gap_cb = p->c->ops.gap_cb,
				 .input_end_cb = p->c->ops.input_end_cb };
	bool has_stdin = r->open_stdin || (r->stdio == STDIO_INHERIT && fds->stdio[0] >= 0);

	if (r->terminal && r->leave && fds->console_fd < 0)
		return err_set(err, ERR_CONFIG,
			       "process.terminal: needs --console-socket, since nobody stays who could relay a "
			       "terminal");
	if (r->terminal && r->options.stdin_once)
		return err_set(err, ERR_CONFIG, "--stdin-once: not with a terminal, whose input has no end of its own");
	if (r->stdio == STDIO_PASS && !r->terminal) {
		pass_on(p, fds, ret_child);
		return 0;
	}
	if (r->stdio == STDIO_PASS)
		for (int i = 0; i < 3; i++)
			fd_close(&fds->stdio[i]);
	if (fds->console_fd >= 0)
		return 0;
	p->relay = relay_new(p->c->base, r->logs, &ops, p);
	p->relay_options = r->options;
	relay_configure(p->relay, &r->options);
	if (p == &p->c->init)
		relay_keep_unlogged(p->relay, p->c->dir_fd, "");
	if (r->terminal)
		return 0; /* the pty comes from the container's own devpts */
	return relay_make_pipes(p->relay, r->stdio != STDIO_FOREGROUND, has_stdin, r->uid, r->gid, ret_child, err);
}

int streams_connect(struct process *p, const struct streams_request *r, struct container_fds *fds, int *master_fd,
		    struct relay_ends *ret_ends, struct relay_client **ret_client, struct err *err)
{
	if (*master_fd >= 0 && fds->console_fd >= 0)
		return fd_socket_send_terminal(fds->console_fd, *master_fd, err);
	if (!p->relay)
		return 0;
	if (*master_fd >= 0)
		relay_use_pty(p->relay, take_fd(master_fd));
	if (relay_start(p->relay, err) < 0 || relay_inherit(p->relay, fds->stdio, err) < 0)
		return -1;
	if (!streams_client_follows(r))
		return 0;
	return relay_attach(p->relay, RELAY_FOREGROUND, 0, true, NULL, ret_ends, ret_client, err);
}

void streams_key(const struct process *p, Stream stream, char ret[PROCESS_STREAM_KEY_MAX])
{
	char key[RELAY_KEY_MAX];

	if (p->relay) {
		relay_key(p->relay, stream, key);
		snprintf(ret, PROCESS_STREAM_KEY_MAX, "%s", key);
	} else {
		snprintf(ret, PROCESS_STREAM_KEY_MAX, "%s", p->terminal ? "tty" : p->passed[stream]);
	}
}
