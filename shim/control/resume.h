/* SPDX-License-Identifier: Apache-2.0 */
/* Open requests that another program has left in this process: each is made again by the file that has its handler. */
#ifndef THOLE_SHIM_CONTROL_RESUME_H
#define THOLE_SHIM_CONTROL_RESUME_H

#include "shim/control/conn.h"

/* Go on with what a call was about; `s` has been judged (saved.h). */
void resume_call(struct call *call, const Saved__Call *s);

/* Answer the upgrade on this connection, if there is one: see server_resumed(). */
void resume_answer(struct conn *conn, const char *because);

void wait_resume(struct call *call, const Saved__WaitCall *s);
void events_resume(struct call *call, const Saved__EventsCall *s);
void kill_resume(struct call *call);
void upgrade_resume(struct call *call);

#endif
