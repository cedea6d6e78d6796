/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of container/ share. */
#ifndef THOLE_SHIM_CONTAINER_CONTAINER_INTERNAL_H
#define THOLE_SHIM_CONTAINER_CONTAINER_INTERNAL_H

#include <event2/event.h>

#include "common/proc.h"
#include "shim/checkpoint/left.h"
#include "shim/container/container.h"
#include "shim/container/log_options.h"
#include "shim/container/process.h"
#include "shim/oci/config.h"
#include "shim/sandbox/scope.h"
#include "shim/sandbox/child_step.h"
#include "shim/sandbox/mount_source.h"
#include "shim/sandbox/net_device.h"
#include "shim/sandbox/ns.h"
#include "shim/sandbox/resctrl.h"
#include "shim/sandbox/seccomp.h"
#include "shim/stdio/keeping.h"
#include "shim/stdio/relay.h"

struct cgroup;
struct criu;
struct json_object;
struct launch;
struct sdnotify;

/* A callback that was promised. */
struct pending {
	container_done_cb *cb;
	void *arg;
};

/* A step of a creation, with effects outside that can be undone. */
struct create_step {
	const char *name;
	int (*run)(struct container *c, struct err *err);
	void (*undo)(struct container *c);
};

/* Copies and descriptors that only the creation needs; gone when it is through. */
struct creation {
	struct container_create params; /* strings are copies below */
	char *log_driver, *log_path, *data_dir, *caller_cgroup, *notify_socket;
	char *log_opts[CONTAINER_LOG_OPTS_MAX];
	int child_stdio[3];
	char *bundle, *rootfs;
	struct ns_joined joined;
	struct oci_resources *resources; /* of one that comes back: as they were last; NULL: the config's */
	struct scope scope;              /* systemd's, when it is the driver */
	struct scope_holder scope_holder;
	struct mount_sources sources;
	struct net_devices net_devices; /* of the host's, which go back when it fails */
	struct relay_ends ends;         /* of the foreground client, until they are taken */
	struct relay_client *client;
	const struct create_step *steps; /* the plan: a new container, or one that is restored */
	size_t n_steps, steps_done;
	int64_t phase_ns;            /* CLOCK_MONOTONIC, when the present phase began */
	struct restoring *restoring; /* restore.c; NULL: it is new */
	bool in_place;               /* it comes back: park.c */
	struct err why;              /* while the poststop hooks of a failed one run */
	struct pending done;
};

/* The keeper, if there is one: keep.c. */
struct keep {
	int exe_fd; /* its program, sealed; -1: there can be none */
	int fd;     /* the connection to it; -1: there is none */
	struct event *event, *restart;
	bool armed, over;
	bool wanted;             /* the container is to have one, whatever its exec'd processes need */
	bool had;                /* one, until it was over */
	bool taken;              /* it was another shim's before */
	bool for_terminals;      /* of exec'd processes, and nothing else: it leaves with the last of them */
	struct keeper_held held; /* what it has given us, until that is taken */
};

struct container {
	struct event_base *base;
	int root_fd; /* borrowed */
	char *id;
	struct container_ops ops;
	void *arg;

	int dir_fd, lock_fd;
	int start_fd;   /* the listening start socket, until init has it */
	int control_fd; /* the listening control socket, until it is taken */
	struct status_record rec;
	bool served;       /* loaded: somebody else has created it */
	bool joined;       /* loaded only to run processes in it */
	bool adopted;      /* loaded for good: as if we had created it */
	ino_t init_pid_ns; /* loaded: the pid namespace in which its pid was recorded; 0: it was not */
	struct {
		pid_t pid;
		uint64_t start_time;
	} former;                  /* loaded: the shim that state.json names; pid 0: none */
	struct oci_config *config; /* NULL when it is no more needed: a running container without hooks */

	struct proc_limits limits; /* the caller's, above which ours are */

	char *data_dir;
	struct cgroup *cgroup;
	char *scope_unit; /* NULL: the groups are not systemd's */
	struct resctrl resctrl;
	struct seccomp_program *seccomp; /* compiled once; NULL: not yet, or none */

	struct process init;
	LIST_HEAD(, process) execs; /* what started or ended last comes first; ended ones stay for a while */
	struct exec_ended *ended;   /* what is left of those that ended some time ago, oldest first; NULL: none yet */
	size_t n_ended;
	unsigned int last_exec; /* the highest name that was given */
	bool passes;            /* created with STDIO_PASS: nothing of its output is kept here */
	bool removed;
	unsigned int light_sleepers; /* container_may_sleep() */
	LIST_HEAD(, container_notices) notices;
	struct event *losses; /* the loss of a log is to be recorded: logging.c; NULL: there was none */
	int n_dying;          /* children that process_kill_later() waits for */

	struct creation *creation; /* NULL when none is under way */
	struct launch *launch;
	struct sdnotify *sdnotify;           /* NULL: nobody is told anything */
	struct starting *starting;           /* start.c */
	struct pending deletion;             /* waits for the end of init, or of the poststop hooks */
	struct hooking *hooking;             /* hooks.c */
	struct pausing *pausing;             /* pause.c */
	struct dying *dying;                 /* dying.c: it was killed, and has not ended yet; NULL: neither */
	struct checkpointing *checkpointing; /* checkpoint.c */
	struct standstill *standstill;       /* standstill.c: criu is looked after meanwhile */
	struct lazy *lazy;                   /* brings its memory in, since it was restored; NULL: all of it is there */
	char *dumping; /* the directory that a dump is being written into, for who follows a shim that is killed over it; NULL: none */
	struct criu_left dumper; /* and who writes it; pid 0: nobody who could be ended */
	bool dumped_paused;      /* and the container was paused before */
	bool dumper_serves;      /* it is through, and has the memory for whoever has the image */
	char *restoring_log; /* the directory with the log of the criu that brings it back, for the same; NULL: none does */
	struct parked *parked; /* park.c: it is away, or about to go; NULL: it is here */
	struct err *failure;   /* container_failure() */
	char *remark;          /* on a restore until it is answered, on its removal; NULL: none */
	struct keep keep;
};

/* create.c: what is to be told of capabilities that nobody knows, the caller's to free; NULL: nothing. */
struct oci_caps;
char *container_missing_caps(const struct oci_caps *caps);

/* exec.c */
void exec_free_all(struct container *c);
/* Is this process an exec'd one, or below one? */
bool exec_holds(const struct container *c, pid_t pid);
void exec_retire_ended(struct container *c); /* of those that have ended keep nothing but their statuses */
struct process *exec_revive(struct container *c,
			    const char *name); /* one of these, as if it had just ended; NULL: no such one */
/* One that a restore is to bring back: its streams are made, ret_stdio are its own ends, which stay the exec's. NULL: err is filled. */
struct process *exec_expect(struct container *c, const char *name, bool open_stdin, int ret_stdio[3], struct err *err);
int exec_came_back(struct process *p, pid_t pid, int pidfd, struct err *err); /* it is there: pidfd is taken */
void exec_drop_expected(struct container *c);                                 /* the restore has failed */
struct process *exec_adopt(struct container *c,
			   const char *name); /* one that another shim has started: who it is, is the caller's to say */
bool exec_under_way(struct container *c);     /* is one being launched, or expected? */
bool exec_is_awaited(struct container *c);    /* does somebody wait for the launch or the end of one? */
Saved__Process *exec_save_ended(const struct container *c, size_t i); /* of c->ended */
bool exec_take_foreground(struct process *p, struct relay_ends *ret_ends, struct relay_client **ret_client);

/* container.c */
int container_compile_filter(struct container *c, const struct oci_config *config, struct err *err);
void container_note_shim(struct container *c); /* in the record: it is us */
void container_quiet(struct container *c);     /* something is over: say so if nothing else is under way */
int container_make_control(struct container *c, struct err *err);

/* groups.c */
int groups_plan(struct container *c, const char *mountinfo, struct err *err); /* where they will be; no effect */
int groups_make(struct container *c, struct err *err); /* with their limits; on failure nothing is left */
/* Nobody of ours has been in them yet: nobody is killed, and a group that was there before stays when it has others below it. */
void groups_unmake(struct container *c);
/* It comes back: a scope has ended with the last process, and is started anew. On failure it is gone again. */
int groups_make_again(struct container *c, struct err *err);
void groups_leave(struct container *c); /* it has not come back: what groups_make_again() has made ends */
int groups_settle(struct container *c, struct err *err); /* init is in them */
/* While it is restored: as it is to be (pids.limit), or not at all. */
int groups_limit_processes(struct container *c, bool limited, struct err *err);
/* Recorded shares of the processor come back with cpu.idle 0; while that is 1 they are refused. */
int groups_update(struct container *c, const struct oci_resources *asked, struct err *err);
/* Of a creation that was killed: what it has not made is let alone, and forgotten. */
int groups_undo(struct container *c, struct err *err);
/* And whatever is in them, unless that is another container's. */
int groups_remove(struct container *c, struct err *err);

/* Does somebody else's process run in them? When init has ended nothing of a container with a pid namespace of its own is left; but one below another root may have been given groups of the
 * same names. */
bool groups_are_anothers(struct container *c);
void groups_guess(
	struct container *c); /* when the state is damaged: which ones it has, as the record and the kernel tell */

/* create.c */
int create_come_back(struct container *c, struct container_fds *fds, const struct create_step *steps, size_t n_steps,
		     struct pending done, struct err *err); /* as container_create(), of one that is there */
void creation_free(struct creation *cr);
void create_undo(struct container *c); /* everything, whatever it has come to */

/* launch.c: clone init and agree with it. `done_cb` comes when it is ready to be told what to do, or with an error. */
struct launch *launch_new(struct container *c, struct err *err);
void launch_free(struct launch *l); /* accepts NULL; kills nothing */
int launch_order(struct launch *l, enum child_order order, struct err *err);
int launch_take_master(struct launch *l);                         /* -1: no terminal */
void create_wants_hooks(struct container *c);                     /* create.c: init waits for the runtime's hooks */
void create_restored(struct container *c, const struct err *err); /* create.c: criu has done it, or has failed */
int launch_settle_init(struct container *c, struct err *err);     /* what only the shim can give it; and the record */
int launch_note_init(struct container *c, pid_t pid, int pidfd, struct err *err); /* who init is: pidfd is taken */
void create_launched(struct container *c, const struct err *err); /* create.c: init is ready, or not to be had */
void create_runs(struct container *c, const struct err *err);     /* create.c: the program runs, or cannot */

/* state.c */
int state_save(struct container *c, struct err *err);         /* state.json and the status record */
int state_save_record(struct container *c, struct err *err);  /* only the record: at exit, when the disk may be full */
int state_save_logs(struct container *c, struct err *err);    /* only what has become of the logs */
int state_save_resctrl(struct container *c, struct err *err); /* only its group there */
int state_load(struct container *c, struct err *err);
bool state_lives(struct json_object *process);     /* who has "pid" and "startTime" in this object; NULL: nobody */
bool state_is_complete(const struct container *c); /* its creation has come further than to begin */
struct json_object *state_read(int dir_fd,
			       struct err *err); /* all of it, an object: json_object_put(). ERR_CONFIG: damaged */
/* What logs were asked to be, so that another shim can go on with them. The caller's. */
struct json_object *state_log_setup(const char *drivers, const char *path, const char *const *options, size_t n);
int state_save_process(struct container *c, struct process *p,
		       struct err *err); /* what has changed of one that is there */
int state_add_process(struct container *c, struct process *p, struct err *err); /* an exec'd one; may change its name */
int state_merge_resources(struct container *c, struct json_object *changed,
			  struct err *err); /* lay it over container.resources */
/* linux.resources with what was changed since; JSON, the caller frees it. NULL: err is filled. */
char *state_resources(struct container *c, struct err *err);
char *state_oci_json(struct container *c, const struct oci_config *config,
		     const char *status); /* for hooks; caller frees */
void state_set_text(char *field, size_t size, const char *value);

/* logging.c */
void logging_resume(struct process *p,
		    const Saved__Process *s);           /* the logs of the plans, as another program has left them */
int logging_plan(struct container *c, struct err *err); /* what the creation asks for, judged */
int logging_open(struct process *p, struct err *err);   /* on failure some may be open: logging_close() */
void logging_continue(struct process *p); /* of one that is adopted: what cannot be opened is tried again later */
void logging_close(struct process *p);
/* The logs that an exec'd process is to have: planned and opened. Nothing is left on failure but for logging_release(). */
int logging_begin_exec(struct process *p, const struct container_exec *params, struct err *err);
void logging_release(struct process *p, bool discard); /* `discard`: it has never run, its default files go */
void logging_finish(struct process *p);                /* the output has ended */
void logging_forget_losses(struct container *c);       /* no more of them is recorded */

/* notices.c: a log has begun to lose output, or takes everything again. */
void notices_tell_log(struct container *c, const struct process *p, const struct log *l);

/* dying.c: init, or all of it, has been sent SIGKILL. What holds it is let go until it has ended, and a deletion that waits for that is given up when it does not. */
void dying_begin(struct container *c);
void dying_over(struct container *c);
void dying_free(struct dying *d); /* accepts NULL */

/* standstill.c: this criu, which has just been started, checkpoints the container: noted for who follows us, and looked after meanwhile. */
void standstill_note_criu(struct container *c, const struct criu *k);
void standstill_free(struct standstill *s); /* accepts NULL */

/* exit.c */
extern const struct process_ops init_ops;
/* SIGKILL has ended init: was it for lack of memory, as far as that can be told? */
bool exit_by_oom(const struct container *c);
struct container_exit recorded_exit(const struct status_record *rec);
/* Before init is killed, or when another process was: it lives, so whoever was killed for lack of memory so far was not init. Recorded; nothing when it is dying. */
void exit_note_outlived(struct container *c);
struct process *container_find(struct container *c, const char *name);

/* adopt.c */
int adopt_check(struct container *c, struct err *err);  /* can it be adopted? No effect */
int adopt_living(struct container *c, struct err *err); /* logs, streams and end of an init that lives */
/* One that is checkpointed: logs, and streams that wait for it. Not one of an older version's: 0, and c->adopted stays false. */
int adopt_absent(struct container *c, struct err *err);
int adopt_plan_logs(struct process *p, struct err *err);    /* and its relay, as state.json has what was asked for */
void adopt_new_relay(struct process *p, struct logs *logs); /* without streams yet */

/* load.c */
void container_drop_roots(struct container *c); /* what a criu that was killed over restoring it has left in /tmp */
int load_config(struct container *c, struct err *err); /* config.json as it was at create, if it is not there */

/* remove.c */
/* Remove it as container_delete does, once its last output has been delivered. */
void remove_when_drained(struct container *c, container_done_cb *done_cb, void *done_arg);
/* Is there still somebody who is to hear of its end, or of that of its execs, before nobody is there to tell it? */
bool remove_is_awaited(struct container *c);
/* Init and whoever waits have been dealt with: now. */
int remove_now(struct container *c, container_done_cb *done_cb, void *done_arg, struct err *err);
/* Something has ended for which a deletion may wait. */
void remove_goes_on(struct container *c);
/* What belongs to the logs at their default paths: the files and the rotated ones, and a quick run's bundle. Checkpoints stay, and with them the directory. What is refused
 * for good (EROFS, EACCES, EPERM) stays, with a warning; other failures are returned, and another attempt may do better. */
int remove_log(struct container *c, struct err *err);
int remove_everything(struct container *c, struct err *err);

/* hooks.c: run the hooks of a kind, but for those that run in the container; done_cb from the loop. Returns 1 when there are none (done_cb never
 * comes). */
int hooks_run(struct container *c, enum oci_hook_kind kind, const char *status, container_done_cb *done_cb,
	      struct err *err);
void hooks_cancel(struct container *c); /* kill the one that runs; its done_cb does not come */
void hooks_fail(struct container *c);   /* the same, and it comes */
void hooks_leave(struct container *c);  /* run the poststop ones without waiting for them */
void hooks_free(struct hooking *h);     /* accepts NULL; kills nothing */

/* keep.c */
void keep_init(struct keep *k);
void keep_release(struct keep *k);
void keep_begin(struct container *c); /* start one, if there can be one: what it cannot hold ends with us */
void keep_arm(struct container *c);   /* there is a container now */
void keep_close(struct container *c, Stream stream);
void keep_end(struct container *c);   /* nothing is left to be held */
void keep_again(struct container *c); /* after keep_end(): it has come back */
void keep_take(struct container *c);  /* the keeper of a shim that has died, if there is one: c->keep.held */

/* The same of an exec'd process, where its terminal is ours: before it runs, and when it is over. With the first that is held for it a container gets a keeper. */
void keep_terminal(struct process *p);
void keep_close_terminal(struct process *p);
int keep_take_terminal(struct process *p); /* what the keeper has held of it, the caller's; -1: nothing */
void keep_drop_rest(struct container *c);  /* nobody is left who would take it */

Saved__Keeper *keep_save(const struct container *c);
int keep_resume(struct container *c, const Saved__Keeper *s, struct err *err);
void keep_renew(struct container *c); /* one of the program that came with us takes its place */

/* pause.c */
void pause_free(struct pausing *p); /* accepts NULL */
/* A pause or resume that has not come to its end is told that the container is deleted, and leaves the group thawed: nobody writes to it by its path any more, since
 * the next container of that name may have it by then. */
void pause_cancel(struct container *c);

/* checkpoint.c */
void checkpoint_free(struct checkpointing *k); /* accepts NULL; kills criu */
void checkpoint_kill(
	struct checkpointing *k); /* accepts NULL. What it dumps is dead or about to be: criu need not put it right */
void checkpoint_end_repair(const struct container *c); /* a criu that was killed has its connections: give them back */
bool checkpoint_takes_end(
	struct checkpointing *k); /* accepts NULL. Init has ended: is it because it goes into the image? */

/* park.c: a container that has gone into an image, with everything of it that stays. */
int park_check(const struct container *c, struct err *err); /* can it stay? */
int park_prepare(struct container *c, struct err *err);     /* it is frozen and about to go */
void park_abandon(struct container *c);                     /* it goes on after all; also when it was not prepared */
void park_settle(struct container *c, int images_fd);       /* it is gone */
void park_end(struct container *c);                         /* it will not come back: as if its init had ended now */
int park_adopt(struct container *c, const char *path, bool open_stdin,
	       struct err *err); /* it had gone before we came: new streams for init.relay */
/* The same of an exec'd process that went along, which exec_adopt() has made: for its relay, if it has one. */
int park_adopt_exec(struct process *p, bool open_stdin, struct err *err);
void park_free(struct container *c);
const char *park_image(const struct container *c); /* where its image was; "" */
/* It comes back: out of another image than it went into, as far as this shim knows? Then what it had not read is that one's. */
bool park_is_other_image(struct container *c);
/* Then it is put before what was written to its stdin meanwhile. *ret_far: its new end of that, borrowed; untouched: it keeps the old one. */
int park_put_unread(struct process *p, const char *data, size_t len, int *ret_far, struct err *err);
int park_came_back(struct container *c, int *master_fd, struct err *err);
/* Of an exec'd process that went along and is expected back: ret_stdio are its own ends, borrowed (-1: none). NULL: no such one is away. */
struct process *park_expect_exec(struct container *c, const char *name, int ret_stdio[3]);
void park_free_exec(struct process *p);
/* "stdinDumped" in a process's object of state.json: relay_dumped(). */
void park_put_dumped(const struct process *p, struct json_object *o);
void park_load_dumped(struct process *p, struct json_object *o);

/* restore.c: criu brings init back. create_launched(), create_restored() follow. */
int restore_read(struct container *c, struct err *err);  /* options and image, judged */
int restore_start(struct container *c, struct err *err); /* its files, then criu, with what it inherits */
int restore_save_execs(struct container *c,
		       struct err *err); /* into state.json: whoever follows this shim wants to know of them */
void restore_undo(struct container *c);
void restore_free(struct restoring *r);                              /* accepts NULL */
int restore_take_master(struct restoring *r);                        /* -1: no terminal */
void restore_hooks_done(struct container *c, const struct err *err); /* of create_wants_hooks() */

/* start.c */
void start_free(struct starting *s); /* accepts NULL */

#endif
