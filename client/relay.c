/* SPDX-License-Identifier: Apache-2.0 */
/* Standing between the caller's stdio and a container's streams: a foreground run, and attach.
 *
 * One poll(2) over the control connection, the signals and three pumps. Nothing here blocks but that poll: a caller whose reader is
 * slow still gets its signals through. Input comes from the caller, who is trusted, and from the shim, whose packets wire.c has
 * checked. */
#include "client/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/catchup.h"
#include "client/pump.h"
#include "client/signals.h"
#include "client/term.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/statedir.h"

#define AFTER_EXIT_MS 1000 /* how long a pipe may stay open without a word once the container has ended */
#define PARKED_MS 500      /* how often to look whether we are in the foreground again: the kernel does not tell */

enum { SLOT_CONTROL, SLOT_SIGNALS, SLOT_STDIN, SLOT_STDOUT, SLOT_STDERR, SLOT_COUNT };

struct loop {
	struct relay *r;
	struct pump pump[3]; /* by enum Stream */
	bool closed[3];      /* the shim knows that this stream has ended at our side */
	bool stdin_tty;
	bool parked; /* stdin has something for us, but we are in the background */
	int unread_fd; /* the other end of our own pipe of stdin, whose input has ended: the shim may not have read all of it; -1: none */
	bool has_exit;
	struct err failure; /* it has ended by that, in the place of an Exit */
	bool is_lost;       /* the connection is at its end */
	bool has_failed;    /* what the process wrote could not be written, which was said */
	bool has_refusal;   /* a signal found nobody: the container is in an image */
	struct err refusal;
	uint64_t stdin_before; /* bytes that shims before this one were given of our stdin */
	Exit exit;
	long long deadline_ms;
	struct catchup *catchup; /* NULL: nothing is ever missing */
	struct feed_source {
		struct loop *l;
		Stream stream;
	} feeds[3];
	struct pump_source sources[3]; /* by enum Stream */
	struct err feed_err;           /* what a source has failed with; its code is 0 when none has */
};

static const char *const stream_names[] = { "stdin", "stdout", "stderr" };

int relay_prepare(struct relay *r, const struct client *cl, struct call *call, const char *detach_keys, struct err *err)
{
	const char *usual = cl->oci ? "" : KEYS_DEFAULT; /* runc has none: whoever types them means the process */

	*r = (struct relay) {
		.cl = cl,
		.call = call,
		.always_keys = detach_keys != NULL,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.held = { -1, -1 },
	};
	return keys_parse(detach_keys ? detach_keys : usual, &r->keys, err);
}

void relay_take_streams(struct relay *r, const FdRole *roles, size_t n_roles, struct wire_fds *fds)
{
	int *const slots[] = { [FD_STDIN] = &r->stdin_fd,
			       [FD_STDOUT] = &r->stdout_fd,
			       [FD_STDERR] = &r->stderr_fd,
			       [FD_HELD_STDOUT] = &r->held[0],
			       [FD_HELD_STDERR] = &r->held[1] };

	for (size_t i = 0; i < n_roles && i < (size_t)fds->n; i++) {
		size_t role = (size_t)roles[i];

		if (role < ARRAY_SIZE(slots) && slots[role] && *slots[role] < 0)
			*slots[role] = take_fd(&fds->fd[i]);
	}
	wire_fds_release(fds);
}

void relay_take_stdin(struct relay *r, const AttachReply *reply)
{
	r->own_stdin = reply->own_stdin;
	r->away = reply->away;
	r->stdin_dumped = reply->stdin_dumped;
}

/* The serial of the relay itself stays in call->serial. These are of what it tells: signals, whose answers are heard, and the rest. */
#define SERIAL_SIGNAL 1
#define SERIAL_REST 2

/* Requests of the relay are answered, and nobody waits for the answer. What cannot be sent has nobody to receive it: then the
 * connection's end is what comes next. */
static void tell(struct loop *l, Request *req)
{
	struct call *c = l->r->call;
	struct err ignored;

	req->serial = c->serial + (req->which_body == Request_kill_tag ? SERIAL_SIGNAL : SERIAL_REST);
	wire_send_request(c->sock, req, NULL, 0, &ignored);
}

/* The shim gave it, so it fits. */
static void copy_name(const struct loop *l, char *to, size_t size)
{
	snprintf(to, size, "%s", l->r->process ? l->r->process : "");
}

static void tell_closed(struct loop *l, Stream stream)
{
	Request req = Request_init_zero;

	req.which_body = Request_closed_tag;
	req.body.closed.stream = stream;
	tell(l, &req);
}

static void tell_signal(struct loop *l, int sig)
{
	Request req = Request_init_zero;

	req.which_body = Request_kill_tag;
	req.body.kill.signal = (uint32_t)sig;
	copy_name(l, req.body.kill.name, sizeof(req.body.kill.name));
	tell(l, &req);
}

static void tell_size(struct loop *l)
{
	Request req = Request_init_zero;

	if (!l->r->terminal || !term_size(&req.body.resize.rows, &req.body.resize.columns))
		return;
	req.which_body = Request_resize_tag;
	copy_name(l, req.body.resize.name, sizeof(req.body.resize.name));
	tell(l, &req);
}

/* While what the last shim has given us waits for a slow reader. */
static void signal_by_another(struct loop *l, int sig)
{
	Request req = Request_init_zero;
	struct err err;

	req.which_body = Request_kill_tag;
	req.body.kill.signal = (uint32_t)sig;
	copy_name(l, req.body.kill.name, sizeof(req.body.kill.name));
	if (l->r->id && call_simple(l->r->cl, l->r->id, &req, &err) < 0)
		client_remark(l->r->cl, "cannot pass signal %d on: %s", sig, err.text);
}

static void on_signal(struct loop *l, int sig)
{
	if (sig == SIGWINCH) {
		tell_size(l);
	} else if (sig == SIGCONT) {
		/* The shell has given the terminal back as it likes it. */
		term_raw_again();
		tell_size(l);
	} else if (l->is_lost) {
		signal_by_another(l, sig);
	} else {
		tell_signal(l, sig);
	}
}

static void say_missing(void *arg, Stream stream, uint64_t from, uint64_t to, const char *why)
{
	struct loop *l = arg;

	client_remark(l->r->cl, "%llu bytes of %s are missing here, from byte %llu on: %s",
		      (unsigned long long)(to - from), stream_names[stream], (unsigned long long)from, why);
}

/* Takes the descriptor of the log. */
static int on_gap(struct loop *l, const Gap *gap, struct wire_fds *fds, struct err *err)
{
	int fd = fds->n > 0 ? take_fd(&fds->fd[0]) : -1;

	if (l->catchup && (gap->stream == STREAM_STDOUT || gap->stream == STREAM_STDERR))
		return catchup_add_gap(l->catchup, gap, fd, err);
	fd_close(&fd);
	return err_set(err, ERR_PROTOCOL, "the shim tells of a gap where there can be none");
}

/* Its owner has ended the container's stdin. What we have taken from our caller beyond what is passed on is lost, and nobody but us knows. */
static void on_input_end(struct loop *l, const InputEnd *end)
{
	static const char why[] = "the client that owns the container's stdin has ended it";
	struct pump *p = &l->pump[STREAM_STDIN];
	uint64_t taken = l->stdin_before + end->taken;

	if (p->got > taken)
		client_remark(l->r->cl, "%s: %llu bytes of this one's, from byte %llu on, were not passed on", why,
			      (unsigned long long)(p->got - taken), (unsigned long long)taken);
	else if (!l->closed[STREAM_STDIN])
		client_remark(l->r->cl, "%s: nothing more of this one's is passed on", why);
	l->closed[STREAM_STDIN] = true;
	p->state = PUMP_ENDED;
	fd_close(&l->r->stdin_fd);
}

static bool is_checkpointed(const struct relay *r)
{
	struct status_record rec;
	cleanup_fd int dir_fd = -1;
	struct err ignored;

	return client_read_container(r->cl, r->id, &dir_fd, &rec, &ignored) == 0 &&
	       statedir_refresh(&rec) == STATUS_CHECKPOINTED;
}

/* Of one that has just ended the Exit comes next. One that is in an image may stay there for ever, and whoever signals us wants us to end. */
static void on_refusal(struct loop *l, const Error *error)
{
	if (error->code != ERR_STATE || l->has_refusal || !is_checkpointed(l->r))
		return;
	l->has_refusal = true;
	wire_error_to(error, &l->refusal);
}

static int on_packet(struct loop *l, struct err *err)
{
	struct wire_fds fds = { 0 };
	Reply reply;
	int r = call_receive(l->r->call, &reply, &fds, err);

	if (r < 0)
		return err_add(err, "cannot understand the shim");
	if (r == 0) {
		l->is_lost = true;
		return 0;
	}
	if (reply.which_body == Reply_gap_tag)
		r = on_gap(l, &reply.body.gap, &fds, err);
	else if (reply.which_body == Reply_input_end_tag)
		on_input_end(l, &reply.body.input_end);
	wire_fds_release(&fds);
	if (r < 0)
		return -1;
	if (reply.which_body == Reply_exit_tag && reply.serial == l->r->call->serial) {
		l->has_exit = true;
		l->exit = reply.body.exit;
		l->deadline_ms = clock_ms() + AFTER_EXIT_MS;
	} else if (reply.which_body == Reply_error_tag && reply.serial == l->r->call->serial) {
		/* What it has written before is in our pipes. */
		wire_error_to(&reply.body.error, &l->failure);
		l->has_exit = true;
		l->deadline_ms = clock_ms() + AFTER_EXIT_MS;
	} else if (reply.which_body == Reply_error_tag && reply.serial == l->r->call->serial + SERIAL_SIGNAL) {
		on_refusal(l, &reply.body.error);
	}
	return 0;
}

/* ---- catching up --------------------------------------------------------------------------------------------------------- */

static int hear(void *arg, struct err *err)
{
	struct loop *l = arg;

	while (!l->has_exit && !l->is_lost) {
		struct pollfd p = { .fd = l->r->call->sock, .events = POLLIN };

		if (poll(&p, 1, 0) <= 0)
			return 0;
		if (on_packet(l, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_open(void *arg, Stream stream)
{
	const struct loop *l = arg;

	return l->pump[stream].state == PUMP_OPEN;
}

static bool is_flushed(void *arg, Stream stream)
{
	const struct loop *l = arg;

	return l->pump[stream].state != PUMP_OPEN || l->pump[stream].len == 0;
}

static ssize_t feed_read(void *arg, int from, void *buf, size_t size)
{
	struct feed_source *s = arg;
	ssize_t n = catchup_read(s->l->catchup, s->stream, from, buf, size, &s->l->feed_err);

	if (n < 0 && errno != EAGAIN && errno != EINTR && !s->l->feed_err.code)
		err_sys(&s->l->feed_err, "cannot read %s", stream_names[s->stream]);
	return n;
}

static bool feed_ready(void *arg, bool *ret_wait)
{
	struct feed_source *s = arg;

	return catchup_has(s->l->catchup, s->stream, ret_wait);
}

static int catch_up(struct loop *l, struct err *err)
{
	static const struct catchup_ops ops = {
		.hear = hear, .missing = say_missing, .is_open = is_open, .is_flushed = is_flushed
	};
	struct relay *r = l->r;

	if (!r->attached)
		return 0;
	l->catchup =
		catchup_new(r->attached->log_driver, r->attached->stdout_offset, r->attached->stderr_offset, &ops, l);
	for (int i = STREAM_STDOUT; i <= STREAM_STDERR; i++) {
		l->feeds[i] = (struct feed_source) { l, (Stream)i };
		l->sources[i] = (struct pump_source) { &l->feeds[i], feed_read, feed_ready };
		l->pump[i].source = &l->sources[i];
	}
	for (size_t i = 0; i < r->n_parts; i++)
		catchup_add_part(l->catchup, &r->parts[i].msg, take_fd(&r->parts[i].fd));
	return r->replay ? catchup_replay(l->catchup, r->replay_lines, err) : 0;
}

/* Is there something to read that needs no pipe? */
static bool has_more(const struct loop *l)
{
	bool wait;

	for (int i = STREAM_STDOUT; l->catchup && i <= STREAM_STDERR; i++)
		if (l->pump[i].state == PUMP_OPEN && (catchup_has(l->catchup, (Stream)i, &wait) || wait))
			return true;
	return false;
}

/* The read end of a pipe whose write end this is. -1: it cannot be had. */
static int other_end(int fd)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* The write end goes first: what the shim does about the end of stdin comes after the last byte. */
static void close_stdin(struct loop *l)
{
	if (l->closed[STREAM_STDIN])
		return;
	l->closed[STREAM_STDIN] = true;
	if (l->r->another && !l->r->terminal) {
		fd_close(&l->unread_fd);
		l->unread_fd = other_end(l->r->stdin_fd);
	}
	fd_close(&l->r->stdin_fd);
	tell_closed(l, STREAM_STDIN);
}

static bool is_gone(int sys_errno)
{
	return sys_errno == EPIPE || sys_errno == EIO || sys_errno == ECONNRESET;
}

/* The caller's reader is gone: said before our end is closed, since a bare close means that this client was killed. */
static void close_output(struct loop *l, Stream stream, int *fd)
{
	int sys_errno = l->pump[stream].sys_errno;

	if (l->closed[stream])
		return;
	l->closed[stream] = true;
	if (!l->r->attached && !is_gone(sys_errno)) {
		client_remark(l->r->cl, "cannot write to %s: %s", stream_names[stream], strerrordesc_np(sys_errno));
		l->has_failed = true;
	}
	tell_closed(l, stream);
	fd_close(fd);
	fd_close(&l->r->held[stream == STREAM_STDERR]);
}

/* What the dead shim has left is through: the rest is in the process's own pipe. An end without the Exit is that of the shim, which may not have given everything. */
static void read_held(struct loop *l, Stream stream, int *fd, int *held)
{
	if (!l->has_exit || !(l->r->then_held & 1U << stream) || l->pump[stream].state != PUMP_ENDED || *held < 0 ||
	    l->closed[stream])
		return;
	fd_close(fd);
	*fd = take_fd(held);
	pump_go_on(&l->pump[stream], *fd, -1);
	l->deadline_ms = clock_ms() + AFTER_EXIT_MS;
}

static void judge_pumps(struct loop *l)
{
	enum pump_state in = l->pump[STREAM_STDIN].state;

	/* It is broken off by the shim's death, too, which is seen here first. */
	if (in == PUMP_BROKEN && l->r->another && !l->closed[STREAM_STDIN] &&
	    (l->r->terminal || l->is_lost || call_peer_is_dying(l->r->call)))
		in = PUMP_OPEN;
	if (l->r->use_stdin && l->r->stdin_fd >= 0 && (in == PUMP_ENDED || in == PUMP_BROKEN)) {
		if (in == PUMP_ENDED && !l->closed[STREAM_STDIN] && l->pump[STREAM_STDIN].read_errno)
			client_remark(l->r->cl, "cannot read stdin: %s",
				      strerrordesc_np(l->pump[STREAM_STDIN].read_errno));
		close_stdin(l);
	}
	if (l->pump[STREAM_STDOUT].state == PUMP_BROKEN)
		close_output(l, STREAM_STDOUT, &l->r->stdout_fd);
	if (l->pump[STREAM_STDERR].state == PUMP_BROKEN)
		close_output(l, STREAM_STDERR, &l->r->stderr_fd);
}

static bool output_pending(const struct loop *l)
{
	return pump_pending(&l->pump[STREAM_STDOUT]) || pump_pending(&l->pump[STREAM_STDERR]) || has_more(l);
}

/* A slow reader may take what there is as slowly as it likes; only an idle pipe is not waited for. */
static bool is_over(const struct loop *l)
{
	if (!l->has_exit)
		return false;
	if (l->pump[STREAM_STDOUT].state != PUMP_OPEN && l->pump[STREAM_STDERR].state != PUMP_OPEN)
		return true;
	return !output_pending(l) && clock_ms() >= l->deadline_ms;
}

static int poll_timeout(const struct loop *l)
{
	long long left;

	if (l->has_exit && !output_pending(l)) {
		left = l->deadline_ms - clock_ms();
		return left > 0 ? (int)left : 0;
	}
	return l->parked ? PARKED_MS : -1;
}

static void fill_poll(struct loop *l, struct pollfd *p)
{
	/* After the Exit the connection has nothing more to say but its end. */
	p[SLOT_CONTROL] = (struct pollfd) { .fd = l->has_exit || l->is_lost ? -1 : l->r->call->sock, .events = POLLIN };
	p[SLOT_SIGNALS] = (struct pollfd) { .fd = l->r->call->signal_fd, .events = POLLIN };
	for (int i = 0; i < 3; i++)
		pump_poll(&l->pump[i], &p[SLOT_STDIN + i]);
	if (l->has_exit || l->is_lost || (l->parked && term_in_background(STDIN_FILENO))) {
		p[SLOT_STDIN].fd = -1;
	} else if (l->parked) {
		l->parked = false;
		term_raw_again();
	}
}

static void move_stdin(struct loop *l, const struct pollfd *p)
{
	/* To read would stop us, and with us the container's output. */
	if (l->stdin_tty && l->pump[STREAM_STDIN].len == 0 && p->revents && term_in_background(STDIN_FILENO))
		l->parked = true;
	else
		pump_move(&l->pump[STREAM_STDIN], p);
}

static void move_output(struct loop *l, Stream stream, const struct pollfd *p)
{
	pump_move(&l->pump[stream], p);
	if (l->has_exit)
		l->deadline_ms = clock_ms() + AFTER_EXIT_MS;
}

static int handle_events(struct loop *l, struct pollfd *p, struct err *err)
{
	int sig;

	while (p[SLOT_SIGNALS].revents && (sig = signals_next(l->r->call->signal_fd)))
		on_signal(l, sig);
	if (p[SLOT_STDIN].fd >= 0 && p[SLOT_STDIN].revents)
		move_stdin(l, &p[SLOT_STDIN]);
	if (p[SLOT_STDOUT].revents)
		move_output(l, STREAM_STDOUT, &p[SLOT_STDOUT]);
	if (p[SLOT_STDERR].revents)
		move_output(l, STREAM_STDERR, &p[SLOT_STDERR]);
	judge_pumps(l);
	if (l->feed_err.code) {
		*err = l->feed_err;
		return -1;
	}
	if (p[SLOT_CONTROL].revents && hear(l, err) < 0)
		return -1;
	read_held(l, STREAM_STDOUT, &l->r->stdout_fd, &l->r->held[0]);
	read_held(l, STREAM_STDERR, &l->r->stderr_fd, &l->r->held[1]);
	return 0;
}

/* ---- the shim is gone ---------------------------------------------------------------------------------------------------- */

/* Is all that it has given us passed on? */
static bool is_drained(const struct loop *l)
{
	return l->pump[STREAM_STDOUT].state != PUMP_OPEN && l->pump[STREAM_STDERR].state != PUMP_OPEN;
}

static void tell_closed_again(struct loop *l, Stream stream, int *fd)
{
	fd_close(fd);
	tell_closed(l, stream);
}

static void output_goes_on(struct loop *l, Stream stream, int *fd)
{
	if (l->closed[stream])
		tell_closed_again(l, stream, fd);
	else if (*fd >= 0)
		pump_go_on(&l->pump[stream], *fd, -1);
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Bytes that the image has already. */
static void skip(int fd, uint64_t n)
{
	char buf[4096];
	ssize_t r;

	while (n > 0 && (r = read(fd, buf, n < sizeof(buf) ? n : sizeof(buf))) > 0)
		n -= (uint64_t)r;
}

/* What the dead shim had not read of what it was given comes once more, from a pipe of our own, which nobody reads any more. The process's, which an owner has, is read on by the process, but while it
 * is away. */
static void give_again(struct loop *l, int old_fd, bool was_own)
{
	struct pollfd p = { .fd = old_fd, .events = POLLOUT };
	cleanup_fd int unread = take_fd(&l->unread_fd);
	int left = 0;

	if (unread < 0 && old_fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLERR))
		unread = other_end(old_fd);
	if (unread < 0 || (!was_own && !l->r->away))
		return;
	skip(unread, l->r->stdin_dumped);
	if (l->closed[STREAM_STDIN])
		l->closed[STREAM_STDIN] = ioctl(unread, FIONREAD, &left) < 0 || left == 0;
	pump_put_before(&l->pump[STREAM_STDIN], unread);
}

static void stdin_goes_on(struct loop *l)
{
	struct pump *p = &l->pump[STREAM_STDIN];

	if (l->closed[STREAM_STDIN])
		tell_closed_again(l, STREAM_STDIN, &l->r->stdin_fd);
	else if (l->r->use_stdin && l->r->stdin_fd >= 0 && p->state != PUMP_LEFT &&
		 (p->state != PUMP_ENDED || p->len > 0)) {
		l->stdin_before = p->got - p->len;
		pump_go_on(p, -1, l->r->stdin_fd);
	} else if (p->state == PUMP_OPEN)
		p->state = PUMP_ENDED;
}

/* With the streams of another shim, from where the last one's have ended. -1: there is none that can. */
static int go_on(struct loop *l, struct err *err)
{
	struct relay *r = l->r;
	const uint64_t had[] = { l->pump[STREAM_STDOUT].got, l->pump[STREAM_STDERR].got };
	int signal_fd = r->call->signal_fd, ret;
	cleanup_fd int stdin_fd = take_fd(&r->stdin_fd);
	bool was_own = r->own_stdin;

	r->stdin_pipe = r->terminal ? 0 : inode_of(l->unread_fd >= 0 ? l->unread_fd : stdin_fd);
	fd_close(&r->stdout_fd);
	fd_close(&r->stderr_fd);
	r->call->signal_fd = -1; /* they are for the container: it gets them afterwards */
	ret = r->another(r, had, err);
	r->call->signal_fd = signal_fd;
	if (ret < 0)
		return -1;
	if (r->stdin_fd >= 0)
		give_again(l, stdin_fd, was_own);
	/* The process's own pipe is as good as before, and nobody may hold it but us. */
	if (r->stdin_fd < 0 && !r->terminal)
		r->stdin_fd = take_fd(&stdin_fd);
	l->is_lost = false;
	catchup_free(l->catchup);
	l->catchup = NULL;
	if (catch_up(l, err) < 0)
		return -1;
	output_goes_on(l, STREAM_STDOUT, &r->stdout_fd);
	output_goes_on(l, STREAM_STDERR, &r->stderr_fd);
	stdin_goes_on(l);
	tell_size(l);
	return 0;
}

/* `why`: what was in the way of going on; NULL: nothing was tried. */
static void say_lost(const struct relay *r, const struct err *why, struct err *err)
{
	if (why && why->code == ERR_NOT_FOUND)
		err_set(err, ERR_GONE, "container '%s' has been deleted", r->id);
	else
		err_set(err, ERR_GONE, "the shim of container '%s' has ended; the %s may still run%s%s%s", r->id,
			r->process && r->process[0] ? "process" : "container", why ? " (" : "", why ? why->text : "",
			why ? ")" : "");
}

/* Returns whether it goes on; if not, err says why. */
static bool outlives_shim(struct loop *l, struct err *err)
{
	struct err why;

	if (!l->is_lost)
		return true;
	if (!l->r->another) {
		say_lost(l->r, NULL, err);
		return false;
	}
	if (!is_drained(l) || go_on(l, &why) == 0)
		return true;
	say_lost(l->r, &why, err);
	l->is_lost = true;
	return false;
}

/* The container takes no notice of what becomes of an attached client's output: so it is the client that ends, as any program. Returns 1 when nobody reads it any more. */
static int judge_reader(const struct loop *l, struct err *err)
{
	for (int i = STREAM_STDOUT; l->r->attached && i <= STREAM_STDERR; i++) {
		const struct pump *p = &l->pump[i];

		if (p->state == PUMP_BROKEN)
			return is_gone(p->sys_errno) ? 1
						     : err_set(err, ERR_SYS, "cannot write to %s: %s", stream_names[i],
							       strerrordesc_np(p->sys_errno));
	}
	return 0;
}

static int loop_run(struct loop *l, enum relay_end *ret_end, struct err *err)
{
	struct pollfd p[SLOT_COUNT];

	judge_pumps(l);
	while (!is_over(l)) {
		int r;

		fill_poll(l, p);
		r = poll(p, ARRAY_SIZE(p), poll_timeout(l));
		if (r < 0 && errno != EINTR)
			return err_sys(err, "cannot wait for the container's streams");
		if (r <= 0)
			continue;
		if (handle_events(l, p, err) < 0 || (r = judge_reader(l, err)) < 0)
			return -1;
		if (r > 0) {
			*ret_end = RELAY_UNHEARD;
			return 0;
		}
		if (!outlives_shim(l, err) || l->pump[STREAM_STDIN].state == PUMP_LEFT || l->has_refusal) {
			*ret_end = l->is_lost ? RELAY_LOST : RELAY_LEFT;
			return 0;
		}
	}
	if (l->failure.code) {
		*err = l->failure;
		return -1;
	}
	*ret_end = RELAY_EXIT;
	return 0;
}

static void loop_init(struct loop *l, struct relay *r)
{
	*l = (struct loop) { .r = r, .unread_fd = -1, .stdin_tty = isatty(STDIN_FILENO) };
	pump_init(&l->pump[STREAM_STDIN], r->use_stdin && r->stdin_fd >= 0 ? STDIN_FILENO : -1, r->stdin_fd,
		  l->stdin_tty || r->always_keys ? &r->keys : NULL);
	pump_init(&l->pump[STREAM_STDOUT], r->stdout_fd, STDOUT_FILENO, NULL);
	pump_init(&l->pump[STREAM_STDERR], r->stderr_fd, STDERR_FILENO, NULL);
}

static void free_parts(struct relay *r)
{
	while (r->n_parts > 0)
		fd_close(&r->parts[--r->n_parts].fd);
	free(r->parts);
	r->parts = NULL;
}

int relay_run(struct relay *r, enum relay_end *ret_end, Exit *ret_exit, struct err *err)
{
	struct loop l;
	int status = 0;

	signal(SIGPIPE, SIG_IGN);
	loop_init(&l, r);
	if (r->terminal && r->use_stdin && l.stdin_tty) {
		status = term_raw(STDIN_FILENO, err);
		tell_size(&l); /* it may have changed since the request */
	}
	if (status == 0)
		status = catch_up(&l, err);
	if (status == 0)
		status = loop_run(&l, ret_end, err);
	term_restore();
	if (l.has_refusal)
		client_remark(r->cl, "%s; it is left alone", l.refusal.text);
	catchup_free(l.catchup);
	free_parts(r);
	fd_close(&l.unread_fd);
	for (size_t i = 0; i < ARRAY_SIZE(l.pump); i++)
		pump_release(&l.pump[i]);
	fd_close(&r->stdin_fd);
	fd_close(&r->stdout_fd);
	fd_close(&r->stderr_fd);
	fd_close(&r->held[0]);
	fd_close(&r->held[1]);
	if (status == 0 && *ret_end == RELAY_EXIT)
		*ret_exit = l.exit;
	/* All is well only if its output is where it was to go. */
	if (status == 0 && *ret_end == RELAY_EXIT && l.has_failed && l.exit.known && l.exit.code == 0)
		ret_exit->code = !r->cl->oci ? 125 : r->process ? 255 : 1;
	return status;
}
