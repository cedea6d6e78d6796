/* SPDX-License-Identifier: Apache-2.0 */
/* What relay.c, output.c and input.c share. */
#ifndef THOLE_SHIM_STDIO_RELAY_INTERNAL_H
#define THOLE_SHIM_STDIO_RELAY_INTERNAL_H

#include <event2/event.h>
#include <sys/ioctl.h>
#include <sys/queue.h>

#include "shim/stdio/logfile.h"
#include "shim/stdio/relay.h"
#include "shim/stdio/unlogged.h"

#define RELAY_READ_BYTES (128u << 10)
/* Without a log: of a stream that says more than that much more is read at once. */
#define RELAY_FIRST_BYTES (2 * PIPE_BUF)
#define RELAY_INPUT_BYTES 4096
#define RELAY_SOURCES_MAX 64

/* Somewhere that output goes to. */
struct sink {
	LIST_ENTRY(sink) link;
	struct output *output;
	struct relay_client *client; /* NULL: the caller's own descriptor */
	int fd;
	bool lossless;
	bool always_ready; /* a regular file: cannot be polled, never refuses */
	bool socket;
	bool pipe;              /* and not careful: can be spliced into */
	bool full;              /* nothing is pending, but it has no room */
	bool careful;           /* a pipe or terminal that could not be reopened: a write might wait */
	struct event *writable; /* NULL when always_ready */
	char *pending;          /* lossless: what it has not taken yet */
	size_t pending_len, pending_at;
	bool in_gap; /* lossy: bytes from gap_from on are dropped */
	uint64_t gap_from;
	struct logfile_mark gap_mark; /* where the log stood before them */
	bool wants_log;               /* logfile_want() was called for it */
};

/* One output stream of the process. */
struct output {
	struct relay *relay;
	Stream stream;
	int fd; /* read end or pty master; -1: none, or ended */
	struct event *readable;
	uint64_t offset;           /* bytes read so far */
	uint64_t base;             /* of an adopted process's: what its foreground client had of it before */
	struct unlogged_rest rest; /* what that client may lack of it */
	bool talks;                /* more than RELAY_FIRST_BYTES came at once */
	struct logfile_mark mark;  /* where the log stood before the last read */
	uint64_t inode;
	int64_t last_read_ns; /* CLOCK_MONOTONIC */
	int gather_longer;    /* doublings of the pause while output is gathered */
	bool watched;         /* `readable` comes when there is something to read */
	bool signals;         /* a signal comes when there is something to read */
	bool much;            /* the last read brought so much that splicing is worth it */
	LIST_HEAD(, sink) sinks;
};

/* Somewhere that input comes from. */
struct source {
	LIST_ENTRY(source) link;
	struct relay *relay;
	struct relay_client *client; /* NULL: the caller's own stdin */
	int fd;
	bool always_ready;
	bool splices; /* a client's pipe into the process's: what is in it stays there until the process's has room */
	bool has;     /* splices: there is something in it */
	bool limited; /* only `left` more bytes are taken from it */
	uint64_t left;
	struct event *readable;
	char *data; /* RELAY_INPUT_BYTES; NULL: it splices */
	size_t len, at;
	size_t dumped; /* of what has been read of it, so much is in the image */
};

struct input {
	int fd; /* write end or pty master (then shared with output 0, which owns it); -1: none, or closed */
	struct event *writable;
	uint64_t inode;
	struct relay_client *owner; /* whose half-close closes it; NULL: nobody's, or the caller's own stdin's */
	pid_t awaited;              /* who owned it when there was another shim, with this start time; 0: nobody */
	uint64_t awaited_start;
	bool ending; /* its owner has ended it: what the sources had by then is taken, and then it closes */
	LIST_HEAD(, source) sources;
	int held_fd; /* while it is dumped: one more write end; -1: it is not */
	size_t n_dumped;
	struct relay_dumped *dumped; /* the pipes whose beginnings are in the image */
};

struct relay_client {
	LIST_ENTRY(relay_client) link; /* new ones come first */
	struct relay *relay;
	enum relay_kind kind;
	pid_t pid; /* 0: nobody knows */
	void *arg;
	bool with_stdin; /* it may still write to it */
	bool own_pipe;   /* what it writes comes through a pipe to us */
	bool gone;       /* it has left: what it wrote is still taken, and with its source it goes */
	uint64_t taken;  /* bytes that were taken from its pipe of stdin */
};

struct relay {
	struct event_base *base;
	struct logs *logs;
	struct relay_ops ops;
	void *arg;
	struct relay_options options;
	bool tty;
	bool detached; /* its outputs are O_RDWR */
	bool process_ended, drained;
	bool parked, gone;    /* see relay_park() */
	bool awaits;          /* see relay_await() */
	struct winsize size;  /* told while it was gone, for the terminal that it comes back with; 0: none */
	int next_master;      /* of the terminal that it has come back with, while the old one is read; -1 */
	struct output out[2]; /* stdout, stderr; a pty uses the first */
	struct input in;
	LIST_HEAD(, relay_client) clients;
	char *buf;                 /* RELAY_READ_BYTES, from mmap */
	int probe[2];              /* a pipe of our own, see relay_close_probe(); -1: none */
	struct unlogged *unlogged; /* NULL: nothing of it is kept when we are killed */
	struct event *timer;       /* bounded drain; a pty that is hung up for the moment */
	uint64_t drained_offset;   /* sum of offsets at the last tick */
	int ticks;
};

/* Nobody will speak to this terminal any more: its master goes, those who listen stay. */
void relay_hung_up(struct relay *r);

/* output.c */
int output_start(struct output *o, struct err *err);
void output_take_rest(struct output *o); /* what is there now, as far as its readers take it */
void output_close(struct output *o);     /* its reader's end too: the process gets SIGPIPE */
void output_release(struct output *o);
/* Wait for more to read, or no more. */
void output_watch(struct output *o);
void output_unwatch(struct output *o);
void output_woken(struct output *o); /* something has come, perhaps */
void output_go_on(struct output *o); /* nobody holds it any more, perhaps */
/* takes fd. */
int output_add_sink(struct output *o, int fd, bool lossless, struct relay_client *client, struct err *err);
void output_drop_client(struct output *o, const struct relay_client *client);
bool output_is_held(const struct output *o);
uint64_t output_hold_back(struct output *o, const struct relay_client *client); /* relay_client_begin() */
/* A sink that another program has made: takes what *like owns. It goes on with what it has pending. */
int output_take_sink(struct output *o, const struct sink *like, struct err *err);
/* Let the pipe of this client, which is new, begin with what it lacks of the rest: it has had `had` bytes. */
void output_give_rest(struct output *o, const struct relay_client *client, uint64_t had);
Saved__Output *output_save(const struct output *o);
int output_resume(struct output *o, const Saved__Output *s, struct err *err);
void output_forget_logs(struct output *o);

/* relay.c */
int relay_reopen(int fd, int flags);          /* another open file of the same; -1: errno */
int relay_give(int fd, uid_t uid, gid_t gid); /* the end of a pipe to the process's user; -1: errno */

/* input.c */
int input_start(struct relay *r, struct err *err);
void input_close(struct relay *r);
void input_end(struct relay *r);         /* its owner ends it: input_close(), once what others wrote before is taken */
void input_stop(struct relay *r);        /* a terminal's: nothing can be written for now */
int input_end_of(const struct relay *r); /* an end of the process's pipe that can be written to; -1: there is none */
void input_go_on(struct relay *r);       /* write what waits */
/* takes fd. */
int input_add_source(struct relay *r, int fd, struct relay_client *client, struct err *err);
/* It leaves. False: what it wrote is not taken yet, and the client is input's to free. */
bool input_drop_client(struct relay *r, struct relay_client *client);
bool input_awaits_owner(struct relay *r);     /* somebody who lives, and is not back yet */
void input_settle_owner(struct relay *r);     /* who was to come back has died, perhaps: before somebody's input ends */
void input_find_owner(struct relay *r);       /* of those that may write the one that came first */
bool input_has_caller(const struct relay *r); /* the caller's own stdin: then that is the owner */
bool input_is_crowded(const struct relay *r);
int input_take_source(struct relay *r, const struct source *like, struct err *err); /* as output_take_sink() */
Saved__Input *input_save(const struct relay *r);
int input_resume(struct relay *r, const Saved__Input *s, struct err *err);

/* relay.c: nothing is in this pipe, and nobody will write to it any more. splice(2) looks for room first: into a full pipe it does not tell. */
bool relay_hangs_up(int fd);

/* The pipe that outputs are asked through whether they have a writer: made when it is needed. */
void relay_close_probe(struct relay *r);

/* relay.c: an output has ended. */
void relay_output_ended(struct relay *r);

/* A descriptor of the caller's, made fit for the loop without touching the flags that it shares with others: reopened non-blocking where
 * that gives the same stream. Takes *fd, and may replace it. ret_always_ready: epoll does not know such files. */
void relay_prepare_fd(int *fd, int access, bool *ret_always_ready, bool *ret_socket, bool *ret_careful);

#endif
