/* SPDX-License-Identifier: Apache-2.0 */
/* Speaking with a shim: finding it, starting one where there is none, one request and its reply. */
#include "client/call.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "client/json.h"
#include "client/shim_exec.h"
#include "client/signals.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/memfd.h"
#include "common/statedir.h"

void call_release(struct call *c)
{
	fd_close(&c->sock);
}

/* ---- one request, one reply -------------------------------------------------------------------- */

int call_send(struct call *c, Request *req, const int *fds, int n_fds, struct err *err)
{
	req->serial = ++c->serial;
	return wire_send_request(c->sock, req, fds, n_fds, err);
}

int call_receive(struct call *c, Reply *ret, struct wire_fds *ret_fds, struct err *err)
{
	int r = wire_recv_reply(c->sock, ret, ret_fds, err);

	/* A peer that leaves with a packet of ours unread resets the connection, and the kernel tells that first. What the peer
	 * said before is still there. */
	return r ? r : wire_recv_reply(c->sock, ret, ret_fds, err);
}

/* ERR_SYS with EINTR comes from nowhere else: all system calls are tried again. */
static int set_interrupted(struct call *c, int sig, struct err *err)
{
	c->signal = sig;
	err_set(err, ERR_SYS, "interrupted by signal %d", sig);
	err->sys_errno = EINTR;
	return -1;
}

bool call_interrupted(const struct err *err)
{
	return err_is_sys(err, EINTR);
}

/* Until there is something to receive. */
static int wait_readable(struct call *c, struct err *err)
{
	struct pollfd p[] = { { .fd = c->sock, .events = POLLIN }, { .fd = c->signal_fd, .events = POLLIN } };

	c->silent = false;
	while (c->signal_fd >= 0 || c->patience_ms > 0) {
		int sig, n = poll(p, ARRAY_SIZE(p), c->patience_ms > 0 ? c->patience_ms : -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot wait for the shim");
		c->silent = n == 0;
		if (n == 0)
			return err_set(err, ERR_STATE, "the shim has not answered for %d s", c->patience_ms / 1000);
		if (p[0].revents)
			break;
		sig = signals_next(c->signal_fd);
		if (sig && sig != SIGWINCH && sig != SIGCONT)
			return set_interrupted(c, sig, err);
	}
	return 0;
}

static int check_hello(const Hello *hello, struct err *err)
{
	if (hello->version != WIRE_VERSION)
		return err_set(err, ERR_PROTOCOL, "the shim speaks version %u of the control protocol, not %d",
			       hello->version, WIRE_VERSION);
	return 0;
}

static void take_hello(struct call *c, const Hello *hello)
{
	c->features = hello->features;
	c->state_dev = hello->state_dev;
	c->state_ino = hello->state_ino;
}

int call_reply(struct call *c, Reply *ret, struct wire_fds *ret_fds, struct err *err)
{
	for (;;) {
		int r;

		if (wait_readable(c, err) < 0)
			return -1;
		r = call_receive(c, ret, ret_fds, err);
		if (r < 0)
			return err_add(err, "cannot understand the shim");
		if (r == 0)
			return err_set(err, ERR_GONE, "the shim ended before it answered");
		/* Also one to our hello, or to what the shim could not read. */
		if (ret->which_body == Reply_error_tag && ret->serial <= c->serial) {
			wire_fds_release(ret_fds);
			return wire_error_to(&ret->body.error, err);
		}
		if (ret->which_body == Reply_hello_tag && check_hello(&ret->body.hello, err) < 0)
			return -1;
		if (ret->which_body == Reply_hello_tag)
			take_hello(c, &ret->body.hello);
		if (ret->serial == c->serial)
			return 0;
		wire_fds_release(ret_fds);
	}
}

int call_request(struct call *c, Request *req, Reply *ret, struct err *err)
{
	struct wire_fds fds = { 0 };
	Reply reply;

	if (call_send(c, req, NULL, 0, err) < 0 || call_reply(c, &reply, &fds, err) < 0)
		return -1;
	wire_fds_release(&fds);
	if (ret)
		*ret = reply;
	return 0;
}

#define TEXT_MAX (64 << 20) /* bytes beside a reply */

int call_take_text(struct wire_fds *fds, char **ret_text, struct err *err)
{
	size_t len;
	int r;

	if (fds->n == 1)
		r = memfd_read(fds->fd[0], TEXT_MAX, ret_text, &len, err);
	else
		r = err_set(err, ERR_PROTOCOL, "the shim's reply came with %d descriptors, not one", fds->n);
	wire_fds_release(fds);
	return r;
}

int call_request_text(struct call *c, Request *req, char **ret_text, struct err *err)
{
	struct wire_fds fds = { 0 };
	Reply reply;

	if (call_send(c, req, NULL, 0, err) < 0 || call_reply(c, &reply, &fds, err) < 0)
		return -1;
	return call_take_text(&fds, ret_text, err);
}

static int send_hello(struct call *c, struct err *err)
{
	Request req = Request_init_zero;

	req.which_body = Request_hello_tag;
	req.body.hello.version = WIRE_VERSION;
	snprintf(req.body.hello.program, sizeof(req.body.hello.program), "thole %s", THOLE_VERSION);
	return call_send(c, &req, NULL, 0, err);
}

/* Wait for the answer to the hello that was just sent. */
static int receive_hello(struct call *c, struct err *err)
{
	struct wire_fds fds = { 0 };
	Reply reply;

	if (call_reply(c, &reply, &fds, err) < 0)
		return -1;
	wire_fds_release(&fds);
	if (reply.which_body != Reply_hello_tag)
		take_hello(c, &(Hello)Hello_init_zero);
	return 0;
}

void call_abandon(struct call *c, int timeout_ms)
{
	long long end = clock_ms() + timeout_ms;
	struct pollfd p = { .fd = c->sock, .events = POLLIN };
	struct wire_fds fds = { 0 };
	struct err ignored;
	Reply reply;

	if (c->sock < 0 || shutdown(c->sock, SHUT_WR) < 0)
		return;
	for (;;) {
		long long left = end - clock_ms();

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			break;
		if (call_receive(c, &reply, &fds, &ignored) == 0)
			break;
		wire_fds_release(&fds);
	}
	call_release(c);
}

/* ---- finding and starting ---------------------------------------------------------------------- */

/* Start a shim. What we have to say is in its socket before it is there itself, so that it never waits for us: first our hello, `req` (NULL: none) after that. */
static int start_shim(const struct client *cl, const char *id, const struct shim_start *how, Request *req,
		      const int *fds, int n_fds, struct call *ret, struct err *err)
{
	cleanup_call struct call c = { .sock = -1, .signal_fd = ret->signal_fd };
	cleanup_fd int theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a socket");
	c.sock = pair[0];
	theirs = pair[1];
	if (send_hello(&c, err) < 0 || (req && call_send(&c, req, fds, n_fds, err) < 0) ||
	    shim_exec(cl, how, id, theirs, &c.shim_pid, err) < 0)
		return -1;
	*ret = c;
	c.sock = -1;
	return 0;
}

int call_launch(const struct client *cl, const char *id, const struct shim_start *how, Request *req, const int *fds,
		int n_fds, struct call *ret, struct err *err)
{
	return start_shim(cl, id, how, req, fds, n_fds, ret, err);
}

int call_exec(const struct client *cl, const char *id, bool leaves, struct call *ret, struct err *err)
{
	const struct shim_start how = { .mode = SHIM_EXEC, .brief = leaves };

	if (start_shim(cl, id, &how, NULL, NULL, 0, ret, err) < 0)
		return -1;
	return receive_hello(ret, err);
}

void call_await_leave(struct call *c)
{
	if (c->shim_pid > 0)
		proc_wait(c->shim_pid);
	c->shim_pid = 0;
}

int call_undo(const struct client *cl, const char *id, struct err *err)
{
	const struct shim_start how = { .mode = SHIM_UNDO, .brief = true };
	cleanup_call struct call c = CALL_NONE;

	/* It asks for nothing: its one reply has the serial that a first request would have. */
	if (start_shim(cl, id, &how, NULL, NULL, 0, &c, err) < 0)
		return -1;
	return receive_hello(&c, err);
}

bool call_shim_lives(int dir_fd)
{
	return statedir_shim_lives(dir_fd);
}

bool call_peer_is_dying(const struct call *c)
{
	struct ucred peer = { .pid = c->shim_pid };
	socklen_t len = sizeof(peer);

	/* Of a socketpair it is who made it, which was us. */
	return (peer.pid > 0 || getsockopt(c->sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) && peer.pid > 0 &&
	       proc_is_dying(peer.pid);
}

const char *call_shim_word(const struct status_record *rec, bool lives)
{
	if (lives)
		return "alive";
	if (rec->foreign)
		return "foreign";
	return rec->exit_recorded ? "left" : "lost";
}

/* A creation writes state.json before its record; who has come further had both. */
static bool has_only_begun(int dir_fd)
{
	cleanup_json json_object *state = NULL;
	struct err ignored;

	if (json_read_at(dir_fd, STATEDIR_STATE, STATEDIR_JSON_MAX, &state, &ignored) < 0)
		return err_is_sys(&ignored, ENOENT);
	return !strcmp(json_get_text(state, "container.status", ""), container_status_name(STATUS_CREATING));
}

static bool is_unfinished(int dir_fd)
{
	struct status_record rec;
	struct err err;

	if (statedir_read_status(dir_fd, &rec, &err) < 0)
		return err.code == ERR_NOT_FOUND && has_only_begun(dir_fd);
	return rec.status == STATUS_CREATING || rec.status == STATUS_NONE;
}

bool call_is_being_created(int dir_fd)
{
	return call_shim_lives(dir_fd) && is_unfinished(dir_fd);
}

bool call_is_leftover(int dir_fd)
{
	return !call_shim_lives(dir_fd) && is_unfinished(dir_fd);
}

#define LISTEN_DEADLINE_MS 5000
#define LISTEN_STEP_MS 5

/* A shim takes its lock before it listens, so for a moment there may be one that cannot be reached. Wait for the socket's
 * name; between that and listen(2) there is no event. */
static int connect_when_listening(int dir_fd, int *ret_fd, struct err *err)
{
	cleanup_fd int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	long long end = clock_ms() + LISTEN_DEADLINE_MS;
	struct pollfd p = { .fd = watch, .events = POLLIN };
	char path[64], events[4096];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
	if (watch >= 0)
		inotify_add_watch(watch, path, IN_CREATE | IN_ONLYDIR);
	for (;;) {
		int r = statedir_connect(dir_fd, STATEDIR_CONTROL, 0, ret_fd, err);

		if (r == 0 || err->code != ERR_GONE || !call_shim_lives(dir_fd))
			return r;
		if (clock_ms() > end)
			return err_set(err, ERR_STATE, "somebody holds its lock, but no shim listens on '%s'",
				       STATEDIR_CONTROL);
		if (poll(&p, 1, LISTEN_STEP_MS) > 0 && read(watch, events, sizeof(events)) < 0)
			return err_sys(err, "cannot watch the state directory");
	}
}

/* ERR_GONE: there is none (any more). */
static int connect_running(int dir_fd, struct call *c, struct err *err)
{
	if (!call_shim_lives(dir_fd))
		return err_set(err, ERR_GONE, "there is no shim");
	if (statedir_connect(dir_fd, STATEDIR_CONTROL, 0, &c->sock, err) == 0)
		return 0;
	c->silent = err->code == ERR_STATE; /* nobody takes us */
	return err->code == ERR_GONE ? connect_when_listening(dir_fd, &c->sock, err) : -1;
}

static bool is_foreign(int dir_fd)
{
	struct status_record rec;
	struct err ignored;

	return statedir_read_status(dir_fd, &rec, &ignored) == 0 && rec.foreign;
}

static int refuse_without_shim(const char *id, struct err *err)
{
	return err_set(err, ERR_STATE, "container '%s' has no shim", id);
}

/* Which kind of shim takes the place of one that is not there. */
static int pick_mode(const char *id, int dir_fd, enum call_no_shim no_shim, enum shim_mode *ret, struct err *err)
{
	struct status_record rec;
	struct err unreadable;
	/* What is wrong with the record, the shim will say. */
	bool known = statedir_read_status(dir_fd, &rec, &unreadable) == 0;
	bool lost = known && !rec.foreign && rec.status != STATUS_CREATING && rec.status != STATUS_NONE;

	if (no_shim == CALL_REFUSE && !lost)
		return refuse_without_shim(id, err);
	*ret = lost && no_shim != CALL_BRIEFLY ? SHIM_ADOPT : SHIM_SERVE;
	return 0;
}

#define STRANGER_MS 3000 /* for who is not the shim to say hello */
#define HELLO_MS 30000   /* and for the shim, which may have something to wait for itself */

/* Is another shim alive, which has noted itself in the record? One that only serves never does, and one that adopts not at once: it may have been killed before, and that other one has followed it. */
static bool is_stranger(int dir_fd, int sock)
{
	struct status_record rec;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct err ignored;

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid > 0 &&
	       statedir_read_status(dir_fd, &rec, &ignored) == 0 && rec.shim_pid > 0 && rec.shim_pid != peer.pid &&
	       !proc_is_dying(rec.shim_pid) && !proc_is_dying(peer.pid);
}

/* ERR_STATE: nothing has come. */
static int await_hello(struct call *c, int ms, struct err *err)
{
	int patience_ms = c->patience_ms, r;

	c->patience_ms = patience_ms > 0 && patience_ms < ms ? patience_ms : ms;
	r = wait_readable(c, err);
	c->patience_ms = patience_ms;
	return r;
}

/* It has said hello: as the shim of this directory? Older ones do not say of which they are. */
static bool is_anothers(int dir_fd, const struct call *c)
{
	struct stat st;

	if (!c->state_ino)
		return is_stranger(dir_fd, c->sock);
	return fstat(dir_fd, &st) < 0 || st.st_dev != c->state_dev || st.st_ino != c->state_ino;
}

static int refuse_stranger(struct err *err)
{
	return err_set(err, ERR_PERMISSION, "who listens at " STATEDIR_CONTROL " is not its shim");
}

/* A shim that leaves, or cannot take us, is one for all that; what a stranger says is of no interest. */
static int finish_greeting(int dir_fd, struct call *c, struct err *err)
{
	if (receive_hello(c, err) < 0)
		return is_stranger(dir_fd, c->sock) ? refuse_stranger(err) : -1;
	return is_anothers(dir_fd, c) ? refuse_stranger(err) : 0;
}

/* Somebody listens at its socket. */
static int greet(int dir_fd, struct call *c, struct err *err)
{
	const long long begin = clock_ms();

	/* One that has left may have said why. */
	if (send_hello(c, err) < 0 && err->code != ERR_GONE)
		return -1;
	if (await_hello(c, STRANGER_MS, err) == 0)
		return finish_greeting(dir_fd, c, err);
	if (err->code != ERR_STATE)
		return -1;
	if (is_stranger(dir_fd, c->sock))
		return refuse_stranger(err);
	if (await_hello(c, HELLO_MS - STRANGER_MS, err) == 0)
		return finish_greeting(dir_fd, c, err);
	if (err->code == ERR_STATE)
		err_set(err, ERR_STATE, "its shim has not answered for %lld s", (clock_ms() - begin + 500) / 1000);
	return -1;
}

/* What names no container yet, and is shown to a user. */
static int add_id(const char *id, struct err *err)
{
	return err->code == ERR_GONE || call_interrupted(err) ? -1 : err_add(err, "container '%s'", id);
}

int call_open_running(const char *id, int dir_fd, struct call *ret, struct err *err)
{
	call_release(ret);
	ret->serial = 0;
	return connect_running(dir_fd, ret, err) < 0 || greet(dir_fd, ret, err) < 0 ? add_id(id, err) : 0;
}

/* ret_own: the shim that this is about is one that was started here. */
static int open_once(const struct client *cl, const char *id, int dir_fd, enum call_no_shim no_shim, struct call *c,
		     bool *ret_own, struct err *err)
{
	struct shim_start how = { .brief = no_shim == CALL_BRIEFLY };

	*ret_own = false;
	call_release(c);
	c->serial = 0;
	/* There may be one that only serves somebody else. */
	if (no_shim == CALL_REFUSE && is_foreign(dir_fd))
		return refuse_without_shim(id, err);
	if (connect_running(dir_fd, c, err) == 0)
		return greet(dir_fd, c, err) < 0 ? add_id(id, err) : 0;
	if (err->code != ERR_GONE)
		return add_id(id, err);
	if (pick_mode(id, dir_fd, no_shim, &how.mode, err) < 0)
		return -1;
	how.group = how.mode == SHIM_ADOPT ? STATEDIR_SHIMS_GROUP : NULL;
	*ret_own = true;
	return start_shim(cl, id, &how, NULL, NULL, 0, c, err) < 0 ? -1 : receive_hello(c, err);
}

#define OWN_TRIES 5
#define OPEN_DEADLINE_MS 10000
#define OPEN_STEP_MS 2

/* A shim may leave between our look at its lock and our hello, and of many clients that each start one only one gets the lock: to come too late, however often, says nothing of the
 * container, and is tried again for as long as a user may wait. One that was started here and ended without a word will not do better the tenth time. */
int call_open(const struct client *cl, const char *id, int dir_fd, enum call_no_shim no_shim, struct call *ret,
	      struct err *err)
{
	long long end = clock_ms() + OPEN_DEADLINE_MS;
	int own_ended = 0;

	for (;;) {
		bool own;
		int r = open_once(cl, id, dir_fd, no_shim, ret, &own, err);

		if (r == 0 || (err->code != ERR_GONE && err->code != ERR_BUSY))
			return r;
		own_ended += own && err->code == ERR_GONE;
		if (own_ended == OWN_TRIES || clock_ms() > end)
			return -1;
		poll(NULL, 0, OPEN_STEP_MS);
	}
}

#define AGAIN_TRIES 8
#define AGAIN_MS 20

bool call_again(int *tries, bool heard, const struct err *err)
{
	if (err->code != ERR_GONE)
		return false;
	*tries = heard ? 0 : *tries + 1;
	poll(NULL, 0, AGAIN_MS);
	return *tries < AGAIN_TRIES;
}

#define KILLED_MS 10000

int call_signal_init(const char *id, int dir_fd, int sig, struct err *err)
{
	cleanup_fd int pidfd = -1;
	struct status_record rec;

	if (statedir_read_status(dir_fd, &rec, err) < 0)
		return add_id(id, err);
	if (strcmp(rec.id, id) != 0)
		return err_set(err, ERR_CONFIG, "container '%s': its status record is that of container '%s'", id,
			       rec.id);
	if (statedir_open_init(&rec, &pidfd, err) < 0)
		return add_id(id, err);
	if (pidfd < 0)
		return err_set(err, ERR_STATE,
			       "container '%s': its shim does not answer, and its first process has ended, or cannot "
			       "be seen from here",
			       id);
	if (proc_pidfd_kill(pidfd, sig, err) < 0)
		return add_id(id, err);
	if (sig == SIGKILL && poll(&(struct pollfd) { .fd = pidfd, .events = POLLIN }, 1, KILLED_MS) <= 0)
		return err_set(err, ERR_STATE,
			       "container '%s': its shim does not answer, and its first process was sent SIGKILL and "
			       "has not ended",
			       id);
	return 0;
}

int call_simple(const struct client *cl, const char *id, Request *req, struct err *err)
{
	cleanup_call struct call c = CALL_NONE;
	cleanup_fd int dir_fd = -1;

	if (client_open_container(cl, id, NULL, &dir_fd, err) < 0 || call_open(cl, id, dir_fd, CALL_SERVE, &c, err) < 0)
		return -1;
	return call_request(&c, req, NULL, err);
}

Exit call_exit_of(const struct status_record *rec)
{
	return (Exit) { .known = rec->exit_known,
			.code = rec->exit_code,
			.signal = rec->exit_signal,
			.time_ns = rec->exited_ns,
			.oom_killed = rec->oom_killed };
}

bool call_recorded_exit(int dir_fd, Exit *ret)
{
	struct status_record rec;
	struct err ignored;

	if (statedir_read_status(dir_fd, &rec, &ignored) < 0 || !rec.exit_recorded)
		return false;
	*ret = call_exit_of(&rec);
	return true;
}

int call_exit_status(const char *id, const Exit *e, struct err *err)
{
	if (!e->known)
		return err_set(err, ERR_GONE, "the exit status of container '%s' is unknown: nobody saw it", id);
	return (int)(e->code & 0xff);
}
