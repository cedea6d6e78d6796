/* SPDX-License-Identifier: Apache-2.0 */
/* thole attach: connect the caller's stdio to a running container, and leave it again. */
#include "client/command.h"
#include "client/handover.h"
#include "client/json.h"
#include "client/logfile.h"
#include "client/relay.h"
#include "client/signals.h"
#include "client/term.h"
#include "common/fd.h"
#include "common/number.h"
#include "common/statedir.h"

/* They come right behind the reply. */
static int receive_parts(struct call *c, struct relay *r, uint32_t n, struct err *err)
{
	while (r->n_parts < n) {
		struct wire_fds fds = { 0 };
		Reply reply;

		if (call_reply(c, &reply, &fds, err) < 0)
			return -1;
		if (reply.which_body != Reply_log_part_tag || fds.n != 1) {
			wire_fds_release(&fds);
			return err_set(err, ERR_PROTOCOL, "the shim does not tell where its log is");
		}
		r->parts = xreallocarray(r->parts, r->n_parts + 1, sizeof(*r->parts));
		r->parts[r->n_parts++] = (struct relay_part) { reply.body.log_part, take_fd(&fds.fd[0]) };
	}
	return 0;
}

static int send_attach(struct call *c, bool with_stdin, struct relay *r, AttachReply *ret_reply, struct err *err)
{
	Request req = Request_init_zero;
	struct wire_fds fds = { 0 };
	Reply reply;

	req.which_body = Request_attach_tag;
	req.body.attach.with_stdin = with_stdin;
	req.body.attach.replay = r->replay;
	req.body.attach.stdin_pipe = r->stdin_pipe;
	term_size(&req.body.attach.rows, &req.body.attach.columns);
	if (call_send(c, &req, NULL, 0, err) < 0)
		return -1;
	/* Its reply is the first of several: progress packets may follow, but none comes before it. */
	if (call_reply(c, &reply, &fds, err) < 0)
		return -1;
	if (reply.which_body != Reply_attach_tag) {
		wire_fds_release(&fds);
		return err_set(err, ERR_PROTOCOL, "the shim's reply is not one to an attach");
	}
	*ret_reply = reply.body.attach;
	r->attached = ret_reply;
	r->terminal = ret_reply->terminal;
	relay_take_stdin(r, ret_reply);
	relay_take_streams(r, ret_reply->fd_role, ret_reply->fd_role_count, &fds);
	return receive_parts(c, r, ret_reply->log_parts, err);
}

/* ret_stopped: it is, and nothing was opened. */
static int open_call(const struct client *cl, const char *id, struct call *c, bool *ret_stopped, struct err *err)
{
	cleanup_fd int dir_fd = -1;
	struct status_record rec;

	if (client_read_container(cl, id, &dir_fd, &rec, err) < 0)
		return -1;
	*ret_stopped = statedir_refresh(&rec) == STATUS_STOPPED;
	return *ret_stopped ? 0 : call_open(cl, id, dir_fd, CALL_REFUSE, c, err);
}

/* Has it a log that 'logs' can show? */
static bool has_log(const struct client *cl, const char *id)
{
	cleanup_json json_object *state = NULL;
	cleanup_fd int dir_fd = -1;
	struct err ignored;

	return client_open_container(cl, id, NULL, &dir_fd, &ignored) == 0 &&
	       client_read_state(id, dir_fd, &state, &ignored) == 0 &&
	       log_format_find(json_get_text(state, "container.log.driver", "none"));
}

static int open_running(const struct client *cl, const char *id, struct call *c, struct err *err)
{
	bool stopped;

	if (open_call(cl, id, c, &stopped, err) < 0)
		return -1;
	if (stopped)
		return err_set(err, ERR_STATE, "container '%s' is stopped%s", id,
			       has_log(cl, id) ? ": 'logs' has what it wrote" : "");
	return 0;
}

/* Its Exit is the next that comes. */
static int only_wait(struct relay *r, struct err *err)
{
	cleanup_fd int dir_fd = -1;
	Request req = Request_init_zero;

	req.which_body = Request_wait_tag;
	if (client_open_container(r->cl, r->id, NULL, &dir_fd, err) < 0 ||
	    call_open(r->cl, r->id, dir_fd, CALL_SERVE, r->call, err) < 0)
		return -1;
	return call_send(r->call, &req, NULL, 0, err);
}

/* For relay.another. Nobody waits for an attached client: what the dead shim had and did not give, and what the new one has read before we are here, goes past us. */
static int attach_again(struct relay *r, const uint64_t had[2], struct err *err)
{
	bool stopped;
	int ret;

	(void)had;
	r->replay = false;
	if (open_call(r->cl, r->id, r->call, &stopped, err) < 0)
		return -1;
	ret = stopped ? 0 : send_attach(r->call, r->use_stdin, r, r->attached, err);
	if (ret < 0 && err->code != ERR_STATE)
		return -1;
	client_remark(r->cl, "the shim of container '%s' was killed: some output may be missing here%s", r->id,
		      has_log(r->cl, r->id) ? " ('logs' has it)" : "");
	return stopped || ret < 0 ? only_wait(r, err) : 0;
}

/* While the container's end was waited for, what comes instead is no exit status of it: 125, as run says. */
static int end_unknown(const struct client *cl, const struct err *err)
{
	client_report(cl, err);
	return cl->oci ? 1 : 125;
}

static int relay_attached(const struct client *cl, const char *id, struct relay *r, struct err *err)
{
	enum relay_end end;
	Exit exit;
	int status;

	if (relay_run(r, &end, &exit, err) < 0)
		return end_unknown(cl, err);
	if (end == RELAY_LEFT)
		return 0;
	if (end == RELAY_UNHEARD)
		signals_die(SIGPIPE);
	status = end == RELAY_LOST ? -1 : call_exit_status(id, &exit, err);
	return status < 0 ? end_unknown(cl, err) : status;
}

static int judge_replay(const struct attach_options *o, struct relay *r, struct err *err)
{
	if (o->since_start && o->tail)
		return err_set(err, ERR_USAGE, "--since-start and --tail contradict each other");
	r->replay = o->since_start || o->tail;
	r->replay_lines = UINT64_MAX;
	if (o->tail && !number_u64(o->tail, UINT64_MAX - 1, &r->replay_lines))
		return err_set(err, ERR_USAGE, "--tail is a number of lines, not '%s'", o->tail);
	return 0;
}

int cmd_attach(const struct client *cl, const struct invocation *inv, struct err *err)
{
	const struct attach_options *o = inv->options;
	const char *id = inv->operands[0];
	bool with_stdin = !o->no_stdin && handover_has_stdin(cl);
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int signal_fd = -1;
	AttachReply reply;
	struct relay r;

	if (relay_prepare(&r, cl, &c, o->detach_keys, err) < 0 || judge_replay(o, &r, err) < 0)
		return -1;
	r.use_stdin = with_stdin;
	if (open_running(cl, id, &c, err) < 0)
		return -1;
	if (signals_open(o->no_sig_proxy ? SIGNALS_WINDOW : SIGNALS_ATTACHED, &signal_fd, err) < 0)
		return -1;
	c.signal_fd = signal_fd;
	r.id = id;
	r.another = attach_again;
	if (send_attach(&c, with_stdin, &r, &reply, err) < 0) {
		if (call_interrupted(err))
			signals_die(c.signal);
		return -1;
	}
	if (with_stdin && r.stdin_fd < 0)
		client_remark(cl, "container '%s' has no stdin: it gets no input", id);
	return relay_attached(cl, id, &r, err);
}
