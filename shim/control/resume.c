/* SPDX-License-Identifier: Apache-2.0 */
/* Open requests that another program has left in this process. */
#include "shim/control/resume.h"

#include "shim/control/follow.h"

void resume_call(struct call *call, const Saved__Call *s)
{
	switch ((int)s->kind_case) {
	case SAVED__CALL__KIND_WAIT:
		wait_resume(call, s->wait);
		break;
	case SAVED__CALL__KIND_FOLLOW:
		follow_resume(call, s->follow);
		break;
	case SAVED__CALL__KIND_EVENTS:
		events_resume(call, s->events);
		break;
	case SAVED__CALL__KIND_KILL:
		kill_resume(call);
		break;
	case SAVED__CALL__KIND_UPGRADE:
		upgrade_resume(call);
		break;
	default:
		fatal("a request of no kind"); /* the state has been judged */
	}
}
