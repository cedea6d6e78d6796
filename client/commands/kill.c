/* SPDX-License-Identifier: Apache-2.0 */
/* thole kill: send a signal to a container's init, or to all of it. */
#include <signal.h>

#include "client/call.h"
#include "client/command.h"
#include "common/fd.h"
#include "common/proc.h"
#include "common/statedir.h"

#define ANSWER_MS 40000 /* a shim answers within a second or two */

static bool all_end_with_init(int dir_fd)
{
	struct status_record rec;
	struct err ignored;

	return statedir_read_status(dir_fd, &rec, &ignored) == 0 && proc_is_first(rec.init_pid);
}

/* A shim that hangs keeps nobody from ending its container. */
static int kill_without_shim(const struct client *cl, const char *id, int dir_fd, const Kill *kill, struct err *err)
{
	struct err why = *err;

	if (kill->all && (kill->signal != SIGKILL || !all_end_with_init(dir_fd)))
		return -1;
	if (call_signal_init(id, dir_fd, (int)kill->signal, err) < 0)
		return -1;
	client_remark(cl, "%s: the signal was sent to the container's first process", why.text);
	return 0;
}

int cmd_kill(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct kill_options *o = inv->options;
	const char *id = inv->operands[0];
	/* runc takes an empty word for none. */
	bool given = inv->n > 1 && (inv->operands[1][0] || !cl->oci);
	int sig = given ? proc_signal_number(inv->operands[1]) : SIGTERM;
	cleanup_call struct call c = CALL_NONE;
	Request req = Request_init_zero;
	cleanup_fd int dir_fd = -1;
	int r;

	if (sig < 0)
		return err_set(err, ERR_USAGE, "'%s' is no signal", inv->operands[1]);
	req.which_body = Request_kill_tag;
	req.body.kill.signal = (uint32_t)sig;
	req.body.kill.all = o->all;
	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0)
		return -1;
	c.patience_ms = CALL_HUNG_MS;
	/* One that cannot be adopted can still be ended. */
	r = call_open(cl, id, dir_fd, CALL_SERVE, &c, err);
	if (r < 0 && (err->code == ERR_CONFIG || err->code == ERR_UNSUPPORTED || err->code == ERR_PERMISSION ||
		      err_is_sys(err, ENOENT)))
		r = call_open(cl, id, dir_fd, CALL_BRIEFLY, &c, err);
	if (r < 0)
		return c.silent && err->code == ERR_STATE ? kill_without_shim(cl, id, dir_fd, &req.body.kill, err) : -1;
	c.patience_ms = ANSWER_MS;
	if (call_request(&c, &req, NULL, err) == 0)
		return 0;
	/* It has been asked, and may do it yet: twice is no harm with this signal only. */
	return c.silent && sig == SIGKILL ? kill_without_shim(cl, id, dir_fd, &req.body.kill, err) : -1;
}
