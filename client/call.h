/* SPDX-License-Identifier: Apache-2.0 */
/* Speaking with a shim: finding it, starting one where there is none, one request and its reply. */
#ifndef THOLE_CLIENT_CALL_H
#define THOLE_CLIENT_CALL_H

#include <stdint.h>
#include <sys/types.h>

#include "client/client.h"
#include "client/shim_exec.h"
#include "common/wire.h"

struct status_record;

/* One connection to a shim. Starts as CALL_NONE; call_release() accepts that. */
struct call {
	int sock;                      /* -1: none */
	int signal_fd;                 /* borrowed; -1: waiting for a reply is not interrupted. See call_reply(). */
	int signal;                    /* what interrupted it */
	uint32_t serial;               /* of the last request */
	pid_t shim_pid;                /* of the shim, when it was started for this call; else 0 */
	uint64_t features;             /* WIRE_FEATURE_*, of a shim that has said hello */
	uint64_t state_dev, state_ino; /* and its state directory; 0: it has not said which */
	int patience_ms;               /* for each answer; ERR_STATE when it is over; 0: for ever */
	bool silent;                   /* it was over: the shim is there, and has not answered */
};

#define CALL_HUNG_MS 5000 /* patience with a shim's hello, for who can do without the shim */

#define CALL_NONE ((struct call) { .sock = -1, .signal_fd = -1 })

void call_release(struct call *c);
#define cleanup_call __attribute__((cleanup(call_release)))

/* Start a shim for a new container (`thole-shim --launch`) and have it find a request there, whose serial is filled in here. Does not wait for it: what it has to
 * complain of comes as the reply. ERR_NOT_FOUND when the shim's program is not there. `fds` stay the caller's; ret's signal_fd is kept. `how`: of mode
 * SHIM_LAUNCH; brief: it is asked to leave once it has answered. */
int call_launch(const struct client *cl, const char *id, const struct shim_start *how, Request *req, const int *fds,
		int n_fds, struct call *ret, struct err *err);

/* Start a shim that runs a process in container `id` for us (`thole-shim --exec`), whether it has one or not. Both sides have said hello. */
int call_exec(const struct client *cl, const char *id, bool leaves, struct call *ret, struct err *err);

/* Wait until the shim that was started for this call has exited: what it leaves is inherited by then. */
void call_await_leave(struct call *c);

/* Remove what a create that never came to its end has left (`thole-shim --undo`), and wait for that. */
int call_undo(const struct client *cl, const char *id, struct err *err);

enum call_no_shim {
	CALL_SERVE, /* start one that adopts it; where it had left on purpose, or the container has ended, one that serves this call and leaves */
	CALL_BRIEFLY, /* start one that only serves, for a request after which it leaves at once: call_await_leave() */
	CALL_REFUSE,  /* start one that adopts it; ERR_STATE where it had left on purpose */
};

/* Connect to the shim of container `id`, whose state directory is dir_fd; `no_shim` says what happens when it has none. Both sides
 * have said hello when this returns. */
int call_open(const struct client *cl, const char *id, int dir_fd, enum call_no_shim no_shim, struct call *ret,
	      struct err *err);

/* The same of the one that it has, without starting any. ERR_GONE: it has none (any more). */
int call_open_running(const char *id, int dir_fd, struct call *ret, struct err *err);

/* Without its shim, which is there and does not answer (struct call.silent): a signal to init, and no more than that. A container can hold its shim up, which reads what it writes. For the end of one
 * that is sent SIGKILL this waits: ERR_STATE when it has not come after ten seconds, or when init had ended before. */
int call_signal_init(const char *id, int dir_fd, int sig, struct err *err);

/* After a call that waited for something has failed: is it to be made once more, since its shim has ended, and another one has adopted the container by now, or will? Not for ever, when none of them
 * answers. `heard`: the last one did. *tries starts as 0. */
bool call_again(int *tries, bool heard, const struct err *err);

/* Does a shim live for this state directory, whatever has become of the lock file? */
bool call_shim_lives(int dir_fd);

/* Is who was called on his way out, so that the end of the connection comes next? */
bool call_peer_is_dying(const struct call *c);

/* What has become of its shim: "alive"; "foreign": init is somebody else's child; "left": it did what it was there for; "lost": it should be there. */
const char *call_shim_word(const struct status_record *rec, bool lives);

/* Is what is in this state directory a create that has not come to its end: with its shim at it, or with nobody? */
bool call_is_being_created(int dir_fd);
bool call_is_leftover(int dir_fd);

/* Send a request, whose serial is filled in here. `fds` stay the caller's. */
int call_send(struct call *c, Request *req, const int *fds, int n_fds, struct err *err);

/* The next packet, whatever it is: as wire_recv_reply(). */
int call_receive(struct call *c, Reply *ret, struct wire_fds *ret_fds, struct err *err);

/* Wait for the (first) reply to the last request. An error that comes instead fills err: as the shim said it. ERR_GONE when the connection
 * ended before. A signal (but SIGWINCH and SIGCONT) at c->signal_fd ends the wait with EINTR and is in c->signal then. ret_fds is the
 * caller's to release on success. */
int call_reply(struct call *c, Reply *ret, struct wire_fds *ret_fds, struct err *err);

/* Is this the error of a wait that a signal ended? */
bool call_interrupted(const struct err *err);

/* Send and wait, for requests and replies without descriptors. ret may be NULL. */
int call_request(struct call *c, Request *req, Reply *ret, struct err *err);

/* Send a request whose reply comes with a JSON text beside it, and wait for both. Caller frees ret_text. */
int call_request_text(struct call *c, Request *req, char **ret_text, struct err *err);

/* The text beside a reply that has been received; releases fds. */
int call_take_text(struct wire_fds *fds, char **ret_text, struct err *err);

/* Find container `id`, open a call to its shim (or to one that is started for it), send this request and wait for its empty reply. */
int call_simple(const struct client *cl, const char *id, Request *req, struct err *err);

/* Close the sending side, so that the shim cancels what it is at, and wait until it has (at most timeout_ms). */
void call_abandon(struct call *c, int timeout_ms);

/* A recorded end, as a shim tells of it. */
Exit call_exit_of(const struct status_record *rec);

/* What somebody has recorded of the end of its init. False: it has not ended, as far as is known. */
bool call_recorded_exit(int dir_fd, Exit *ret);

/* The exit status that the client gives for an `Exit`. Unknown: -1, err filled. */
int call_exit_status(const char *id, const Exit *e, struct err *err);

#endif
