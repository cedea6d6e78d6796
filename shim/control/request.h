/* SPDX-License-Identifier: Apache-2.0 */
/* The table of requests: what is checked before any handler runs. */
#ifndef THOLE_SHIM_CONTROL_REQUEST_H
#define THOLE_SHIM_CONTROL_REQUEST_H

#include <stdbool.h>

#include "common/wire.h"
#include "shim/control/conn.h"

bool request_takes_fds(const Request *req);

/* Judge the request by its row and hand it to its handler, or answer with what is wrong. Takes what it needs from `fds`. */
void request_dispatch(struct call *call, Request *req, struct wire_fds *fds);

/* Sort descriptors into ret (empty before) by their roles. main_role: the one that has to be there. What was sorted before a failure stays in ret. */
struct container_fds;
int request_sort_fds(const FdRole *roles, int n_roles, uint32_t more_preserved, StdioMode stdio, FdRole main_role,
		     struct wire_fds *fds, struct container_fds *ret, struct err *err);

/* The handlers, one per file: each answers the call now or later. */
void on_create(struct call *call, Request *req, struct wire_fds *fds);
void on_exec(struct call *call, Request *req, struct wire_fds *fds);
void on_start(struct call *call, Request *req, struct wire_fds *fds);
void on_kill(struct call *call, Request *req, struct wire_fds *fds);
void on_delete(struct call *call, Request *req, struct wire_fds *fds);
void on_wait(struct call *call, Request *req, struct wire_fds *fds);
void on_attach(struct call *call, Request *req, struct wire_fds *fds);
void on_closed(struct call *call, Request *req, struct wire_fds *fds);
void on_pause(struct call *call, Request *req, struct wire_fds *fds);
void on_resume(struct call *call, Request *req, struct wire_fds *fds);
void on_ps(struct call *call, Request *req, struct wire_fds *fds);
void on_update(struct call *call, Request *req, struct wire_fds *fds);
void on_stats(struct call *call, Request *req, struct wire_fds *fds);
void on_events(struct call *call, Request *req, struct wire_fds *fds);
void on_checkpoint(struct call *call, Request *req, struct wire_fds *fds);
void on_restore(struct call *call, Request *req, struct wire_fds *fds);
void on_reopen(struct call *call, Request *req, struct wire_fds *fds);
void on_upgrade(struct call *call, Request *req, struct wire_fds *fds);
void on_resize(struct call *call, Request *req, struct wire_fds *fds);

#endif
