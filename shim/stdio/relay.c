/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of one process of the container: the object, its clients and its end. */
#include "shim/stdio/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"
#include "shim/stdio/log.h"
#include "shim/stdio/relay_internal.h"
#include "shim/stdio/unlogged.h"

#define OUTPUT_PIPE_BYTES (256 << 10) /* asked for: fewer wake-ups */
#define CLIENT_PIPE_BYTES (256 << 10) /* asked for; the kernel may give less */
#define CLIENT_INPUT_BYTES (16 << 10) /* what all of them may have said is to fit into one pipe, when it is restored */

/* After the process has ended: how often to look whether those who still hold its pipes are quiet, and how often at most, unless a time was asked for. */
#define DRAIN_TICKS 8
static const struct timeval drain_tick = { .tv_usec = 250000 };

static void timer_cb(evutil_socket_t fd, short what, void *arg);

struct relay *relay_new(struct event_base *base, struct logs *logs, const struct relay_ops *ops, void *arg)
{
	struct relay *r = xcalloc(1, sizeof(*r));
	void *buf = mmap(NULL, RELAY_READ_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buf == MAP_FAILED)
		fatal("out of memory");
	r->base = base;
	r->logs = logs;
	r->ops = *ops;
	r->arg = arg;
	r->buf = buf;
	r->in.fd = r->in.held_fd = -1;
	r->next_master = r->probe[0] = r->probe[1] = -1;
	r->out[0] = (struct output) { .relay = r, .stream = STREAM_STDOUT, .fd = -1 };
	r->out[1] = (struct output) { .relay = r, .stream = STREAM_STDERR, .fd = -1 };
	r->timer = evtimer_new(base, timer_cb, r);
	if (!r->timer)
		fatal("out of memory");
	return r;
}

void relay_configure(struct relay *r, const struct relay_options *options)
{
	r->options = *options;
}

void relay_keep_unlogged(struct relay *r, int dir_fd, const char *process)
{
	r->unlogged = unlogged_new(dir_fd, process);
}

void relay_forget_logs(struct relay *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		output_forget_logs(&r->out[i]);
	r->logs = NULL;
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	input_close(r);
	relay_release_stdin(r);
	free(r->in.dumped);
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++) {
		output_release(&r->out[i]);
		unlogged_rest_release(&r->out[i].rest);
	}
	while (!LIST_EMPTY(&r->clients))
		relay_client_free(LIST_FIRST(&r->clients));
	event_free(r->timer);
	fd_close(&r->next_master);
	relay_close_probe(r);
	munmap(r->buf, RELAY_READ_BYTES);
	if (r->unlogged && r->drained)
		unlogged_trim(r->unlogged);
	unlogged_free(r->unlogged);
	free(r);
}

/* ---- making ---------------------------------------------------------------------------------------------------------- */

int relay_reopen(int fd, int flags)
{
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return open(link, flags | O_CLOEXEC | O_NOCTTY);
}

/* An ordinary user can give away nothing: the process's user is then one of a user namespace, whose root does it. */
int relay_give(int fd, uid_t uid, gid_t gid)
{
	return fchown(fd, uid, gid) == 0 || (errno == EPERM && geteuid() != 0) ? 0 : -1;
}

static int make_output(struct output *o, bool detached, uid_t uid, gid_t gid, int *ret_child, struct err *err)
{
	cleanup_fd int child = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	o->fd = fds[0];
	child = fds[1];
	if (detached) {
		int both = relay_reopen(child, O_RDWR);

		if (both < 0)
			return err_sys(err, "cannot reopen a pipe");
		fd_close(&child);
		child = both;
	}
	if (relay_give(child, uid, gid) < 0)
		return err_sys(err, "cannot give a pipe to uid %u", uid);
	fcntl(o->fd, F_SETPIPE_SZ, OUTPUT_PIPE_BYTES);
	*ret_child = take_fd(&child);
	return 0;
}

static int make_input(struct relay *r, uid_t uid, gid_t gid, int *ret_child, struct err *err)
{
	cleanup_fd int child = -1;
	int fds[2];
	struct stat st;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	child = fds[0];
	r->in.fd = fds[1];
	if (relay_give(child, uid, gid) < 0 || fstat(child, &st) < 0)
		return err_sys(err, "cannot give a pipe to uid %u", uid);
	r->in.inode = st.st_ino;
	*ret_child = take_fd(&child);
	return 0;
}

int relay_make_pipes(struct relay *r, bool detached, bool open_stdin, uid_t uid, gid_t gid, int ret_child[3],
		     struct err *err)
{
	cleanup_fd int in = -1, out = -1, error = -1;

	r->detached = detached;
	if (open_stdin && make_input(r, uid, gid, &in, err) < 0)
		return -1;
	if (make_output(&r->out[0], detached, uid, gid, &out, err) < 0 ||
	    make_output(&r->out[1], detached, uid, gid, &error, err) < 0)
		return -1;
	ret_child[0] = take_fd(&in);
	ret_child[1] = take_fd(&out);
	ret_child[2] = take_fd(&error);
	return 0;
}

void relay_adopt(struct relay *r, Stream stream, int fd, uint64_t inode)
{
	if (stream == STREAM_STDIN) {
		r->in.fd = fd;
		r->in.inode = inode;
	} else {
		r->out[stream == STREAM_STDERR].fd = fd;
		r->out[stream == STREAM_STDERR].inode = inode;
	}
}

void relay_use_pty(struct relay *r, int master_fd)
{
	r->tty = true;
	r->out[0].fd = master_fd;
	r->in.fd = master_fd;
}

int relay_start(struct relay *r, struct err *err)
{
	if (input_start(r, err) < 0 || output_start(&r->out[0], err) < 0)
		return -1;
	return output_start(&r->out[1], err);
}

void relay_prepare_fd(int *fd, int access, bool *ret_always_ready, bool *ret_socket, bool *ret_careful)
{
	struct stat st;
	int own;

	*ret_always_ready = false;
	*ret_socket = *ret_careful = false;
	if (fstat(*fd, &st) < 0)
		return;
	*ret_socket = S_ISSOCK(st.st_mode);
	/* A file's offset is shared with the caller's other writers, and a second open would have its own. */
	*ret_always_ready = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	own = relay_reopen(*fd, access | O_NONBLOCK);
	*ret_careful = own < 0 && !(fcntl(*fd, F_GETFL) & O_NONBLOCK);
	if (own < 0)
		return; /* not ours to open */
	fd_close(fd);
	*fd = own;
}

bool relay_hangs_up(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && pfd.revents == POLLHUP;
}

static bool is_null_device(int fd)
{
	struct stat st, null_st;

	return fstat(fd, &st) == 0 && stat("/dev/null", &null_st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == null_st.st_rdev;
}

int relay_inherit(struct relay *r, int fds[3], struct err *err)
{
	int ret = 0;

	if (fds[0] >= 0 && r->in.fd >= 0 && !is_null_device(fds[0]))
		ret = input_add_source(r, take_fd(&fds[0]), NULL, err);
	for (int i = 0; i < 2 && ret == 0; i++)
		if (fds[i + 1] >= 0 && r->out[i].fd >= 0 && !is_null_device(fds[i + 1]))
			ret = output_add_sink(&r->out[i], take_fd(&fds[i + 1]), true, NULL, err);
	for (int i = 0; i < 3; i++)
		fd_close(&fds[i]);
	return ret;
}

/* ---- clients --------------------------------------------------------------------------------------------------------- */

/* A pipe whose write end is a sink of `o`. */
static int client_output(struct output *o, struct relay_client *c, int *ret_far, struct err *err)
{
	cleanup_fd int far = -1, near = -1;
	const struct relay *r = o->relay;
	int fds[2];

	if (o->fd < 0 && !(r->tty && r->parked && o == r->out) && !(r->awaits && o->rest.len > 0))
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	far = fds[0];
	near = fds[1];
	fcntl(near, F_SETPIPE_SZ, CLIENT_PIPE_BYTES);
	if (fd_set_nonblock(near, true, err) < 0)
		return -1;
	if (output_add_sink(o, take_fd(&near), c->kind == RELAY_FOREGROUND, c, err) < 0)
		return -1;
	*ret_far = take_fd(&far);
	return 0;
}

/* Who is awaited owns it, as before. */
static bool may_own(struct relay *r, const struct relay_client *c)
{
	if (r->in.owner || input_has_caller(r))
		return false;
	if (r->awaits)
		return c->kind == RELAY_FOREGROUND;
	return !input_awaits_owner(r) || c->pid == r->in.awaited;
}

static int client_input(struct relay *r, struct relay_client *c, int *ret_far, struct err *err)
{
	cleanup_fd int far = -1;
	bool owns = may_own(r, c);
	int fds[2];

	if ((r->in.fd < 0 && !(r->tty && r->parked)) || r->in.ending)
		return 0;
	/* What is written while the process is away stays with who writes, for whoever follows us. */
	if (!r->tty && owns && !r->parked) {
		/* An open file of its own: what the client does to its flags is not ours to suffer. */
		far = relay_reopen(r->in.fd, O_WRONLY);
		if (far < 0)
			return err_sys(err, "cannot reopen stdin's pipe");
	} else {
		if (input_is_crowded(r))
			return err_set(err, ERR_LIMIT,
				       "too many clients have left behind what the process has not read of them yet");
		if (pipe2(fds, O_CLOEXEC) < 0)
			return err_sys(err, "cannot make a pipe");
		far = fds[1];
		fcntl(far, F_SETPIPE_SZ, CLIENT_INPUT_BYTES);
		if (input_add_source(r, fds[0], c, err) < 0)
			return -1;
		c->own_pipe = true;
	}
	if (owns) {
		r->in.owner = c;
		r->in.awaited = 0;
	}
	c->with_stdin = true;
	*ret_far = take_fd(&far);
	return 0;
}

void relay_ends_close(struct relay_ends *ends)
{
	fd_close(&ends->stdin_fd);
	fd_close(&ends->stdout_fd);
	fd_close(&ends->stderr_fd);
}

int relay_attach(struct relay *r, enum relay_kind kind, pid_t pid, bool with_stdin, void *client_arg,
		 struct relay_ends *ret_ends, struct relay_client **ret_client, struct err *err)
{
	struct relay_client *c = xcalloc(1, sizeof(*c));
	struct relay_ends ends = { -1, -1, -1 };

	*c = (struct relay_client) { .relay = r, .kind = kind, .pid = pid, .arg = client_arg };
	LIST_INSERT_HEAD(&r->clients, c, link);
	if (client_output(&r->out[0], c, &ends.stdout_fd, err) < 0 ||
	    client_output(&r->out[1], c, &ends.stderr_fd, err) < 0 ||
	    (with_stdin && client_input(r, c, &ends.stdin_fd, err) < 0)) {
		relay_ends_close(&ends);
		relay_client_free(c);
		return -1;
	}
	*ret_ends = ends;
	*ret_client = c;
	return 0;
}

bool relay_client_owns(const struct relay_client *c)
{
	return c && c->relay->in.owner == c;
}

bool relay_client_has_own_pipe(const struct relay_client *c)
{
	return c && c->own_pipe;
}

void relay_await_owner(struct relay *r, pid_t pid, uint64_t start_time)
{
	r->in.awaited = pid;
	r->in.awaited_start = start_time;
}

static void stop_waiting(struct relay *r)
{
	r->awaits = false;
	if (!r->in.owner && !input_has_caller(r))
		input_find_owner(r);
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		unlogged_rest_release(&r->out[i].rest);
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		output_go_on(&r->out[i]);
	relay_output_ended(r);
}

void relay_await(struct relay *r, struct unlogged_rest rest[2])
{
	r->awaits = true;
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++) {
		r->out[i].rest = rest[i];
		rest[i] = (struct unlogged_rest) { 0 };
		if (r->out[i].readable)
			output_unwatch(&r->out[i]);
	}
}

void relay_await_no_more(struct relay *r)
{
	if (r->awaits)
		stop_waiting(r);
}

bool relay_awaits(const struct relay *r)
{
	return r->awaits;
}

void relay_client_returns(struct relay_client *c, uint64_t had_stdout, uint64_t had_stderr)
{
	struct relay *r = c->relay;

	if (!r->awaits)
		return;
	output_give_rest(&r->out[0], c, had_stdout);
	output_give_rest(&r->out[1], c, had_stderr);
	stop_waiting(r);
}

uint64_t relay_client_begin(struct relay_client *c, Stream stream, bool replay)
{
	struct output *o = &c->relay->out[stream == STREAM_STDERR];

	return replay ? output_hold_back(o, c) : o->offset;
}

void relay_client_closed(struct relay_client *c, Stream stream)
{
	struct relay *r = c->relay;
	struct output *o;

	if (stream == STREAM_STDIN) {
		input_settle_owner(r);
		if (r->in.owner == c && !r->tty)
			input_end(r);
		if (r->in.owner != c)
			c->with_stdin = false;
		return;
	}
	o = &r->out[stream == STREAM_STDERR];
	output_drop_client(o, c);
	/* The terminal of a foreground client is not closed by it: others may look at it. */
	if (c->kind != RELAY_FOREGROUND || r->tty || o->fd < 0)
		return;
	output_close(o);
	relay_output_ended(r);
}

void relay_client_free(struct relay_client *c)
{
	struct relay *r;

	if (!c)
		return;
	r = c->relay;
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		output_drop_client(&r->out[i], c);
	if (!input_drop_client(r, c))
		return;
	LIST_REMOVE(c, link);
	free(c);
}

/* ---- the end --------------------------------------------------------------------------------------------------------- */

static bool all_ended(const struct relay *r)
{
	if (r->awaits)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		if (r->out[i].fd >= 0 || !LIST_EMPTY(&r->out[i].sinks))
			return false;
	return true;
}

/* Called from within whatever has just ended: the news goes up from the loop. */
void relay_output_ended(struct relay *r)
{
	if (r->gone)
		return; /* a terminal will come with the process */
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		if (r->out[i].fd < 0 && !LIST_EMPTY(&r->out[i].sinks) && !output_is_held(&r->out[i]))
			output_close(&r->out[i]); /* the sinks that had something left */
	if (r->process_ended && all_ended(r))
		event_active(r->timer, EV_TIMEOUT, 0);
}

bool relay_is_held(const struct relay *r)
{
	return output_is_held(&r->out[0]) || output_is_held(&r->out[1]);
}

/* Have those who still hold the pipes been quiet, or have they had their time? */
static bool drain_is_due(struct relay *r)
{
	uint64_t offset = r->out[0].offset + r->out[1].offset;
	bool quiet = offset == r->drained_offset;

	r->drained_offset = offset;
	if (relay_is_held(r))
		return false; /* a reader who is slow gets everything, however long it takes */
	return r->options.has_drain || quiet || ++r->ticks >= DRAIN_TICKS;
}

void relay_woken(struct relay *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		output_woken(&r->out[i]);
}

void relay_take_rest(struct relay *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		output_take_rest(&r->out[i]);
}

/* No more is waited for; what is in the pipes by now is still taken. */
static void drain_tick_over(struct relay *r)
{
	bool due;

	if (all_ended(r)) {
		event_del(r->timer);
		if (!r->drained) {
			r->drained = true;
			r->ops.drained_cb(r->arg); /* may free us */
		}
		return;
	}
	due = drain_is_due(r);
	if (due)
		relay_take_rest(r);
	if (!due || relay_is_held(r)) {
		event_add(r->timer, &drain_tick);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(r->out); i++)
		output_close(&r->out[i]);
	relay_output_ended(r);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;

	if (r->process_ended)
		drain_tick_over(r);
	else if (r->out[0].readable && !output_is_held(&r->out[0]))
		output_watch(&r->out[0]);
}

void relay_process_ended(struct relay *r)
{
	const struct timeval asked_for = {
		.tv_sec = r->options.drain_ms / 1000,
		.tv_usec = (suseconds_t)(r->options.drain_ms % 1000) * 1000,
	};

	r->process_ended = true;
	if (r->out[0].readable && !output_is_held(&r->out[0]))
		output_watch(&r->out[0]); /* a pty that was hung up */
	r->drained_offset = UINT64_MAX;
	event_add(r->timer, r->options.has_drain ? &asked_for : &drain_tick);
	if (all_ended(r))
		event_active(r->timer, EV_TIMEOUT, 0);
}

/* ---- gone for a while ------------------------------------------------------------------------------------------------ */

/* A pipe's end whose other end is closed. */
static int open_dead(bool write_end, int *ret, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	fd_close(&fds[!write_end]);
	*ret = fds[write_end];
	return 0;
}

static int open_far(int near, uint64_t inode, bool output, int flags, int *ret, struct err *err)
{
	if (near < 0)
		return inode ? open_dead(output, ret, err) : 0;
	*ret = relay_reopen(near, flags);
	return *ret < 0 ? err_sys(err, "cannot reopen a pipe") : 0;
}

int relay_open_far(struct relay *r, int ret_far[3], struct err *err)
{
	int flags = r->detached ? O_RDWR : O_WRONLY;
	int far[3] = { -1, -1, -1 };

	if (!r->tty && (open_far(input_end_of(r), r->in.inode, false, O_RDONLY, &far[0], err) < 0 ||
			open_far(r->out[0].fd, r->out[0].inode, true, flags, &far[1], err) < 0 ||
			open_far(r->out[1].fd, r->out[1].inode, true, flags, &far[2], err) < 0)) {
		for (size_t i = 0; i < ARRAY_SIZE(far); i++)
			fd_close(&far[i]);
		return -1;
	}
	memcpy(ret_far, far, sizeof(far));
	return 0;
}

void relay_park(struct relay *r, bool gone)
{
	r->parked = true;
	r->gone = gone;
	/* It may have hung up before, and then nothing more comes by itself. */
	if (gone && r->tty && r->out[0].readable && !output_is_held(&r->out[0]))
		output_watch(&r->out[0]);
}

static int use_new_master(struct relay *r, int master_fd, struct err *err)
{
	relay_use_pty(r, master_fd);
	if ((r->size.ws_row || r->size.ws_col) && ioctl(master_fd, TIOCSWINSZ, &r->size) < 0)
		log_warn("cannot set the size of the terminal");
	r->size = (struct winsize) { 0 };
	if (input_start(r, err) < 0 || output_start(&r->out[0], err) < 0)
		return -1;
	if (output_is_held(&r->out[0]))
		output_unwatch(&r->out[0]);
	return 0;
}

void relay_hung_up(struct relay *r)
{
	struct output *o = &r->out[0];
	struct err err;

	input_stop(r);
	event_free(o->readable);
	o->readable = NULL;
	fd_close(&o->fd);
	if (r->next_master < 0)
		return;
	r->gone = false;
	if (use_new_master(r, take_fd(&r->next_master), &err) < 0)
		output_close(o);
	else
		input_go_on(r);
}

int relay_come_back(struct relay *r, int master_fd, struct err *err)
{
	r->parked = false;
	r->in.n_dumped = 0;
	if (master_fd >= 0 && r->out[0].fd >= 0) {
		r->next_master = master_fd;
		return 0;
	}
	r->gone = false;
	if (master_fd >= 0 && use_new_master(r, master_fd, err) < 0)
		return -1;
	input_go_on(r);
	return 0;
}

void relay_unpark(struct relay *r)
{
	r->parked = r->gone = false;
	r->in.n_dumped = 0;
	input_go_on(r);
	relay_output_ended(r);
}

/* ---- asking ---------------------------------------------------------------------------------------------------------- */

int relay_resize(struct relay *r, uint32_t rows, uint32_t columns, struct err *err)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };

	if (!r->tty || (r->out[0].fd < 0 && !r->gone))
		return err_set(err, ERR_STATE, "the process has no terminal");
	if (rows > USHRT_MAX || columns > USHRT_MAX)
		return err_set(err, ERR_USAGE, "a terminal of %u rows and %u columns is too large", rows, columns);
	if (r->gone)
		r->size = size;
	else if (ioctl(r->out[0].fd, TIOCSWINSZ, &size) < 0)
		return err_sys(err, "cannot set the size of the terminal");
	return 0;
}

bool relay_is_tty(const struct relay *r)
{
	return r->tty;
}

int relay_fd(const struct relay *r, Stream stream)
{
	return stream == STREAM_STDIN ? r->in.fd : r->out[stream == STREAM_STDERR].fd;
}

uint64_t relay_offset(const struct relay *r, Stream stream)
{
	return r->out[stream == STREAM_STDERR].offset;
}

void relay_key(const struct relay *r, Stream stream, char ret[RELAY_KEY_MAX])
{
	uint64_t inode = stream == STREAM_STDIN ? r->in.inode : r->out[stream == STREAM_STDERR].inode;

	if (r->tty)
		snprintf(ret, RELAY_KEY_MAX, "tty");
	else if (inode)
		snprintf(ret, RELAY_KEY_MAX, "pipe:[%llu]", (unsigned long long)inode);
	else
		snprintf(ret, RELAY_KEY_MAX, "/dev/null");
}

void relay_trim(struct relay *r)
{
	madvise(r->buf, RELAY_READ_BYTES, MADV_DONTNEED);
	relay_close_probe(r);
	/* What a client has not taken yet is in there. */
	if (r->unlogged && !relay_is_held(r))
		unlogged_trim(r->unlogged);
	if (r->logs)
		logs_trim(r->logs);
}
