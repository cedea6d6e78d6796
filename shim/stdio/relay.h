/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of one process of the container: what it writes goes to the log and to everyone who listens, what is typed goes to it.
 *
 * The process's own ends are always pipes or a pty that the shim made; callers' files and terminals are only sources and sinks here. */
#ifndef THOLE_SHIM_STDIO_RELAY_H
#define THOLE_SHIM_STDIO_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "proto/control.pb.h" /* enum Stream */
#include "proto/upgrade.pb-c.h"
#include "shim/stdio/unlogged.h"

struct event_base;
struct logfile_part;
struct logs;
struct relay;
struct relay_client;

#define RELAY_KEY_MAX 32
#define RELAY_SIGNAL SIGURG /* from the pipes that output comes through; blocked, and read from a signalfd */

struct relay_ops {
	/* All output has ended and was delivered; called once, from the loop, after relay_process_ended(). */
	void (*drained_cb)(void *arg);
	/* Our end of a stream is about to be closed: with a terminal of all of them. May be NULL. */
	void (*closed_cb)(void *arg, Stream stream);
	/* Bytes of a stream did not fit into the pipe of an attached client. Comes before anything else goes into the pipe; part->fd is borrowed. */
	void (*gap_cb)(void *client_arg, Stream stream, const struct logfile_part *part);
	/* The owner of stdin has ended it: of what this client has written to its pipe `taken` bytes in all are passed on, and no more. May be NULL. */
	void (*input_end_cb)(void *client_arg, uint64_t taken);
};

struct relay_options {
	bool stdin_once; /* its stdin ends when a client that owns it leaves; not with a terminal */
	bool has_drain; /* how long what others still write is taken after the process's end; else while they write, at most 2 s */
	uint32_t drain_ms;
};

/* `logs` are borrowed and may be NULL. Caller frees with relay_free(). */
struct relay *relay_new(struct event_base *base, struct logs *logs, const struct relay_ops *ops, void *arg);

/* What is not the usual. Before relay_start(). */
void relay_configure(struct relay *r, const struct relay_options *options);

/* Keep what has been read and is neither logged nor with a foreground client yet in a file of this directory, which is borrowed: see unlogged.h. `process`: as there. */
void relay_keep_unlogged(struct relay *r, int dir_fd, const char *process);

/* Nothing is logged any more: the logs are about to go. */
void relay_forget_logs(struct relay *r);

/* Accepts NULL. Closes every descriptor and client. */
void relay_free(struct relay *r);

/* Make the pipes. ret_child: the process's ends of stdin (-1 unless open_stdin), stdout, stderr, the caller's to close, owned by uid:gid
 * so that it can open /dev/stderr. `detached`: its outputs are O_RDWR, which keeps a reader in the pipe when the shim dies. */
int relay_make_pipes(struct relay *r, bool detached, bool open_stdin, uid_t uid, gid_t gid, int ret_child[3],
		     struct err *err);

/* For a process that another shim has started: take this end of one of its streams; -1: it has ended. `inode`: of the pipe, for relay_key(). */
void relay_adopt(struct relay *r, Stream stream, int fd, uint64_t inode);

/* Use this pty instead; takes the master. */
void relay_use_pty(struct relay *r, int master_fd);

/* Begin to copy. */
int relay_start(struct relay *r, struct err *err);

/* Add the caller's own stdio (any may be -1) as source and sinks; takes the descriptors. Nothing is lost towards them: what they do not take
 * holds the process back. Their flags stay as they are. */
int relay_inherit(struct relay *r, int fds[3], struct err *err);

enum relay_kind {
	RELAY_FOREGROUND, /* nothing is lost: holds the process back when it does not read */
	RELAY_ATTACHED,   /* never holds it back: what does not fit is reported as a gap */
};

/* The far ends of a client's pipes, the caller's to pass on and close; -1 when absent. */
struct relay_ends {
	int stdin_fd, stdout_fd, stderr_fd;
};
void relay_ends_close(struct relay_ends *ends);

/* A client, process `pid` (0: nobody knows), that gets everything from this moment on. ret_client belongs to the relay until relay_client_free(). */
int relay_attach(struct relay *r, enum relay_kind kind, pid_t pid, bool with_stdin, void *client_arg,
		 struct relay_ends *ret_ends, struct relay_client **ret_client, struct err *err);

/* After relay_start(), of a process that has been adopted: the foreground client of the shim before lives and is expected back, so nothing is read before
 * relay_client_returns(), or relay_await_no_more(). `rest` (stdout's, stderr's) is what that shim had read last: taken. */
void relay_await(struct relay *r, struct unlogged_rest rest[2]);
void relay_await_no_more(struct relay *r);
bool relay_awaits(const struct relay *r);

/* Does the end of this client's input end the process's stdin? */
bool relay_client_owns(const struct relay_client *c);
bool relay_client_has_own_pipe(
	const struct relay_client *c); /* of stdin, to us: it does not write to the process's itself */

/* Of a process that has been adopted: an attached client, process `pid` with this start time, owned its stdin before. Nobody else does until it is back or dead. */
void relay_await_owner(struct relay *r, pid_t pid, uint64_t start_time);

/* It is back, as this new client: so many bytes of each stream it has had. */
void relay_client_returns(struct relay_client *c, uint64_t had_stdout, uint64_t had_stderr);

/* The offset in the stream with which the client's pipe begins. Called at once after relay_attach(); `replay`: its pipe is to begin where the log ends, which may be a
 * few bytes earlier. */
uint64_t relay_client_begin(struct relay_client *c, Stream stream, bool replay);

/* It has said that its end is gone: see "Streams" in PROTOCOL.md. */
void relay_client_closed(struct relay_client *c, Stream stream);

/* Accepts NULL. What it owned ends: as an attached client would leave. Of those who have a stdin left, and have not said that it has ended, the one that came first owns the
 * process's then. */
void relay_client_free(struct relay_client *c);

/* ERR_STATE without a terminal. Of a process that is away it is that of the terminal which it comes back with. */
int relay_resize(struct relay *r, uint32_t rows, uint32_t columns, struct err *err);

/* Is there something that a reader has not taken, so that nothing more is read? */
bool relay_is_held(const struct relay *r);

/* The process has ended: read what is left. Others may still hold the pipes: the wait for their end is bounded. */
void relay_process_ended(struct relay *r);

/* RELAY_SIGNAL has come to this process: it says that one of its pipes has something, and not which. */
void relay_woken(struct relay *r);

/* What is in the pipes now, at once, as far as its readers take it. */
void relay_take_rest(struct relay *r);

/* Can it still be written to? */
bool relay_has_input(const struct relay *r);
/* Has its end been said, and comes once all before it is taken? Nobody else may hold it open then. */
bool relay_input_ends(const struct relay *r);

/* It is about to be dumped: whoever ends its stdin from here on, what is unread stays in the pipe, and the process does not see the end before relay_release_stdin(). */
int relay_hold_stdin(struct relay *r, struct err *err);
void relay_release_stdin(struct relay *r);

/* What has been written to the process's stdin, or waits here to be, and that it has not read: a copy, the caller's to free. It stays where it is, and is noted: see relay_dumped(). Nothing for a
 * terminal. */
int relay_copy_unread(struct relay *r, char **ret_data, size_t *ret_len, struct err *err);

/* Before the process runs, and before anybody writes to it: let its stdin begin with this. ERR_LIMIT: its pipe does not take so much. */
int relay_put_unread(struct relay *r, const char *data, size_t len, struct err *err);

/* It comes back out of another image than it went into: its stdin begins with this, in the place of what is noted as dumped, and what was written meanwhile comes after it. `far`: its own end of the pipe
 * that it had. *ret_far: of the one that it gets instead, the caller's, also when what follows fails; untouched: it keeps the old one. */
int relay_renew_stdin(struct relay *r, int far, const char *data, size_t len, int *ret_far, struct err *err);

/* A pipe, by its inode, of which so many bytes at its beginning are in the image that its process has gone into. */
struct relay_dumped {
	uint64_t pipe, bytes;
};

/* While the process is away: which pipes these are, the process's own or a client's, for whoever gives what is in them to the next shim. Borrowed. */
const struct relay_dumped *relay_dumped(const struct relay *r, size_t *ret_n);
/* Is it away, and how much of this pipe's beginning is in the image then? */
bool relay_is_away(const struct relay *r, uint64_t pipe, uint64_t *ret_dumped);
/* Those of the shim before this one, with v, which is copied. */
void relay_set_dumped(struct relay *r, const struct relay_dumped *v, size_t n);

/* The process is frozen, and what it is may come back as another one. ret_far: the ends of its pipes that it has, opened once more, the caller's (-1: none); as long as they
 * are open nobody sees an end, neither here nor at a client. One whose near end is closed already comes as the end of a pipe that says so. */
int relay_open_far(struct relay *r, int ret_far[3], struct err *err);

/* From here on, until relay_come_back() or relay_unpark(): what fails at a terminal is no end, and nothing is taken from who writes to its stdin: whoever follows this shim gets it. `gone`: the process is dead, a hang-up will not pass by itself. */
void relay_park(struct relay *r, bool gone);

/* It is back, with this master of a new terminal (-1: none; taken). What the old one still holds is read before. */
int relay_come_back(struct relay *r, int master_fd, struct err *err);

/* It has not gone after all; or it will not come back: relay_process_ended() follows. */
void relay_unpark(struct relay *r);

bool relay_is_tty(const struct relay *r);
int relay_fd(const struct relay *r, Stream stream); /* our end of it, borrowed; -1: it is closed */
uint64_t relay_offset(const struct relay *r, Stream stream);

/* How CRIU will know the stream: "pipe:[INODE]", "tty", or "/dev/null". */
void relay_key(const struct relay *r, Stream stream, char ret[RELAY_KEY_MAX]);

/* Give buffers back to the kernel while nothing moves. */
void relay_trim(struct relay *r);

/* All that it is, for the program that follows this one: the caller's. Nothing may be read or written after it but by that one. Not while it is parked, or reads
 * the rest of an old terminal: relay_is_settled(). */
Saved__Relay *relay_save(const struct relay *r);
bool relay_is_settled(const struct relay *r);

/* Make it so again, of a new one; `s` has been judged (saved.h). Copying has begun when this returns, with the next round of the loop. */
int relay_resume(struct relay *r, const Saved__Relay *s, struct err *err);

/* The place of a client in it, from 1 on, and back; 0 and NULL: none. The one that comes back is `arg`'s. */
uint32_t relay_client_number(const struct relay_client *c);
struct relay_client *relay_client_at(struct relay *r, uint32_t number, void *arg);

#endif
