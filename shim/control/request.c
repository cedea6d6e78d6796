/* SPDX-License-Identifier: Apache-2.0 */
/* The table of requests: what is checked before any handler runs. */
#include "shim/control/request.h"

#include "common/fd.h"
#include "shim/control/server.h"

enum request_when {
	BEFORE_CREATE = 1 << 0, /* in a shim that has not created its container yet */
	AFTER_CREATE = 1 << 1,  /* and in one that has */
	SERVED = 1 << 2,        /* in a shim that only serves one */
	LAUNCHER = 1 << 3,      /* in one that only runs processes in it */
};

struct request_row {
	pb_size_t tag;
	const char *name;
	void (*handler)(struct call *call, Request *req, struct wire_fds *fds);
	unsigned int when;
	bool takes_fds;
};

static const struct request_row rows[] = {
	{ Request_create_tag, "create", on_create, BEFORE_CREATE, true },
	{ Request_exec_tag, "exec", on_exec, AFTER_CREATE | LAUNCHER, true },
	{ Request_start_tag, "start", on_start, AFTER_CREATE | SERVED, false },
	{ Request_kill_tag, "kill", on_kill, AFTER_CREATE | SERVED | LAUNCHER, false },
	{ Request_delete_tag, "delete", on_delete, AFTER_CREATE | SERVED, false },
	{ Request_wait_tag, "wait", on_wait, AFTER_CREATE | SERVED, false },
	{ Request_attach_tag, "attach", on_attach, AFTER_CREATE, false },
	{ Request_closed_tag, "closed", on_closed, AFTER_CREATE | LAUNCHER, false },
	{ Request_pause_tag, "pause", on_pause, AFTER_CREATE | SERVED, false },
	{ Request_resume_tag, "resume", on_resume, AFTER_CREATE | SERVED, false },
	{ Request_ps_tag, "list processes", on_ps, AFTER_CREATE | SERVED, false },
	{ Request_update_tag, "update", on_update, AFTER_CREATE | SERVED, true },
	{ Request_stats_tag, "read statistics", on_stats, AFTER_CREATE | SERVED, false },
	{ Request_events_tag, "watch", on_events, AFTER_CREATE | SERVED, false },
	{ Request_checkpoint_tag, "checkpoint", on_checkpoint, AFTER_CREATE | SERVED, true },
	{ Request_restore_tag, "restore", on_restore, AFTER_CREATE | SERVED, true },
	{ Request_upgrade_tag, "upgrade its shim", on_upgrade, AFTER_CREATE, true },
	{ Request_reopen_tag, "reopen its logs", on_reopen, AFTER_CREATE, false },
	{ Request_resize_tag, "resize", on_resize, AFTER_CREATE | LAUNCHER, false },
};

static const struct request_row *find(pb_size_t tag)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].tag == tag)
			return &rows[i];
	return NULL;
}

bool request_takes_fds(const Request *req)
{
	const struct request_row *row = find(req->which_body);

	return row && row->takes_fds;
}

static unsigned int moment(const struct server *server)
{
	switch (server_mode(server)) {
	case SERVER_SERVE:
		return SERVED;
	case SERVER_EXEC:
		return LAUNCHER;
	case SERVER_LAUNCH:
		break;
	}
	return server_has_created(server) ? AFTER_CREATE : BEFORE_CREATE;
}

void request_dispatch(struct call *call, Request *req, struct wire_fds *fds)
{
	const struct request_row *row = find(req->which_body);
	unsigned int now = moment(call->server);
	struct err err;

	if (!row)
		err_set(&err, ERR_UNSUPPORTED, "this shim (version %s) does not know the request", THOLE_VERSION);
	else if (row->when & now) {
		row->handler(call, req, fds);
		return;
	} else if (now == LAUNCHER)
		err_set(&err, ERR_STATE, "cannot %s: this shim only runs processes", row->name);
	else if (now == SERVED)
		err_set(&err, ERR_STATE, "cannot %s: the container's shim is gone", row->name);
	else
		err_set(&err, ERR_STATE, "cannot %s: the container is %s", row->name,
			now == BEFORE_CREATE ? "not created yet" : "already created");
	call_fail(call, &err);
}
