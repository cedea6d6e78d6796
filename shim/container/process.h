/* SPDX-License-Identifier: Apache-2.0 */
/* One process of the container that the shim looks after: init, or one that was exec'd. Its end, and who wants to hear of it. */
#ifndef THOLE_SHIM_CONTAINER_PROCESS_H
#define THOLE_SHIM_CONTAINER_PROCESS_H

#include <event2/event.h>
#include <sys/queue.h>

#include "proto/upgrade.pb-c.h"
#include "shim/container/container.h"
#include "shim/container/log_options.h"

#define PROCESS_STREAM_KEY_MAX 64

struct json_object;
struct process;

struct process_ops {
	/* It is dead. False: that is no end of its, it comes back. */
	bool (*died_cb)(struct process *p);
	/* It has ended, its status is in p->exit: record that. Called before anybody is told, and after what it had said was logged, so that who hears of
	 * it finds all of that there; what a slow reader holds back, or others write, comes later. */
	void (*ended_cb)(struct process *p);
	/* It has ended, and who only wants to know that was told; comes again when its output has been drained. `late`: the time that
	 * process_hurry() gave is over. Tells the rest with process_tell(). */
	void (*news_cb)(struct process *p, bool late);
};

/* The client that follows it in the foreground: if this shim dies, whoever adopts the process waits for it before anything is read. */
struct follower {
	pid_t pid; /* 0: none */
	uint64_t start_time;
	int pidfd; /* while it is awaited; else -1 */
	struct event *end;
};

struct away;

struct process {
	LIST_ENTRY(process) link; /* among the exec'd ones */
	struct container *c;
	const struct process_ops *ops;
	char name[PROCESS_NAME_MAX]; /* "init", or a decimal number that is never used again */
	pid_t pid;                   /* only to be shown */
	uint64_t start_time, pidfd_inode;
	int pidfd;
	bool terminal;
	struct relay *relay; /* NULL: its streams are not here */
	struct relay_options relay_options;
	struct follower follower;
	struct {
		pid_t pid; /* of an attached client; 0: of none */
		uint64_t start_time;
	} stdin_owner;
	struct log_plans log_plans;             /* of one that this shim has started or adopted */
	struct logs *logs;                      /* NULL: nothing is logged */
	struct json_object *log_setup;          /* of an exec'd one: see state_log_setup() */
	char passed[3][PROCESS_STREAM_KEY_MAX]; /* then: what the caller has passed on, cut off; else empty */
	bool exited, drained;
	bool exit_recorded; /* `exit` is known from its end on, which a shim before has seen */
	bool below_init;    /* init's descendant, which a checkpoint takes along */
	struct away *away;  /* park.c: it has gone into the image with a container that stays; NULL: it is here */
	bool leave;         /* its end is looked at, but it is not reaped: that is for whoever inherits it from us */
	struct container_exit exit;
	struct event *end, *news;
	struct container_watch *watches;
};

void process_init(struct process *p, struct container *c, const char *name, const struct process_ops *ops);
void process_release(struct process *p);

/* It has ended and everything is said: keep only its name and its status, no descriptor. */
void process_settle(struct process *p);

/* Who it is, from its pidfd, which becomes the process's. */
int process_set_pid(struct process *p, pid_t pid, int pidfd, struct err *err);

/* It is gone, and may come back as another one: its streams and whoever waits for it stay. */
void process_part(struct process *p);

/* Has it ended, or does nothing keep it from that: has somebody sent it SIGKILL? Its end may not be noticed yet. */
bool process_is_dying(const struct process *p);

/* From now on its end is noticed. */
int process_watch_end(struct process *p, struct err *err);

/* Its tracer is no more: if it is dead already that is noticed from the loop, and not only when the time has come to look at it again. */
void process_let_go(struct process *p);

/* For the relay: all output has been delivered. arg is the process. */
void process_drained_cb(void *arg);

/* The same: the shim is about to close its end of a stream. */
void process_closed_cb(void *arg, Stream stream);

/* Have news_cb called from the loop: whoever is called there may free what the caller still uses. */
void process_news(struct process *p);

/* The same within a second, if there is no news before. */
void process_hurry(struct process *p);

/* Tell those who watch: all of them, or only those who need not know that the output is through. */
void process_tell(struct process *p, bool drained);

/* SIGKILL the child behind this pidfd, which is taken, and reap it when it has ended: that may be long, in a frozen group. Until then the container is not idle. */
void process_kill_later(struct container *c, int pidfd);

/* The same of one that may have cloned a child for us with nobody to tell us: once it is dead, *cloned is looked at (0: none), and that child killed and reaped too. `cloned` is a shared mapping
 * of one pid_t, which is given away. */
void process_kill_joiner(struct container *c, int pidfd, pid_t *cloned);

/* The same of one that ends by itself, when it has killed what it has cloned. */
void process_await_joiner(struct container *c, int pidfd, pid_t *cloned);

/* All that it is, for the program that follows this one; the caller's. */
Saved__Process *process_save(const struct process *p);

/* The same of one of which only the status is left. */
Saved__Process *process_save_status(const char *name, const struct container_exit *exit);

/* Make it so again, of one that process_init() has made; `s` has been judged (saved.h). */
int process_resume(struct process *p, const Saved__Process *s, struct err *err);

/* SIGKILL it and reap it, if it is ours and has not ended. Waits for its end; how that was is in its exit. */
void process_kill_now(struct process *p);

#endif
