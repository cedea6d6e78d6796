/* SPDX-License-Identifier: Apache-2.0 */
/* One container, from its creation to its removal. */
#ifndef THOLE_SHIM_CONTAINER_CONTAINER_H
#define THOLE_SHIM_CONTAINER_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/statedir.h"
#include "proto/control.pb.h" /* StdioMode */
#include "proto/upgrade.pb-c.h"
#include "shim/stdio/relay.h"

struct container;
struct process;
struct event_base;
struct relay;
struct logfile;
struct logfile_part;

#define CONTAINER_LOG_OPTS_MAX 8
#define CONTAINER_CGROUPS_MAX 8
#define PROCESS_NAME_MAX 24

/* Descriptors that come with a request; -1 where there is none. Whoever takes them leaves an empty one behind. */
#define CONTAINER_PRESERVED_MAX 253
struct container_fds {
	int main_fd;
	int config_fd;          /* a file to read in place of the bundle's config.json */
	int stdio[3];           /* the caller's */
	int console_fd;         /* connected socket that takes the pty's master */
	int pidfd_fd;           /* connected socket that takes a pidfd of the process */
	int images_fd, work_fd; /* directories of a checkpoint: its files, its log (-1: the same) */
	int options_fd;         /* a file with a checkpoint's or a restore's options */
	int status_fd;          /* what criu is to write to when it has lazy pages to give */
	int n_preserved;
	int preserved[CONTAINER_PRESERVED_MAX]; /* become 3, 4, ... */
};
struct container_fds container_fds_none(void);
struct container_fds container_fds_take(struct container_fds *from);
void container_fds_release(struct container_fds *fds);

/* What Create asks for. Strings are borrowed for the call; the descriptors are taken from here (-1 afterwards) when the call succeeds or fails. */
struct container_create {
	StdioMode stdio;
	bool start; /* run the program, do not wait for `start` */
	CgroupManager cgroup_manager;
	bool leave; /* its first process is left to the shim's own parent, alive or as a zombie: see container_is_idle() */
	bool open_stdin, remove_at_exit, no_pivot, no_new_keyring;
	unsigned int listen_fds;           /* of the preserved ones */
	uint16_t rows, columns;            /* 0: as in the config */
	const char *log_driver, *log_path; /* see log_options.h */
	const char *data_dir;
	size_t n_log_opts;
	const char *log_opts[CONTAINER_LOG_OPTS_MAX];
	bool cgroups_optional;
	SdNotify sd_notify;
	const char *notify_socket; /* the service manager's; for SD_NOTIFY_IGNORE empty */
	uint64_t watchdog_usec;    /* 0: none */
	bool keeper;               /* have one, whatever the streams are */
	struct relay_options relay;
	int client_pid;            /* who follows it in the foreground; 0: nobody */
	const char *caller_cgroup; /* text of /proc/self/cgroup, before the shim moved */
	const char *mountinfo;     /* text of /proc/self/mountinfo; read within container_create() only */
	struct container_fds fds;  /* main_fd: the bundle. With options_fd it is restored from images_fd */
};

/* What has become of init. */
struct container_exit {
	bool known;
	uint8_t code, signal; /* code: exit status, or 128 + signal */
	bool oom_killed;
	uint64_t time_ns; /* CLOCK_REALTIME */
};

/* err is NULL for success; borrowed. May free the container. */
typedef void container_done_cb(void *arg, const struct err *err);

/* RELAY_SIGNAL has come (relay.h): who has output is looked for among its processes. */
void container_woken(struct container *c);

/* Of a container that a service manager follows through this shim (see sdnotify.h), whose main process the shim then is. Else nothing happens, and the
 * status is 0. */
void container_asked_to_end(struct container *c);     /* by SIGTERM: the container's init gets it */
int container_unit_status(const struct container *c); /* what the shim is to exit with, once the container has ended */

/* Called upwards, from the loop. */
struct container_ops {
	/* See relay_ops. */
	void (*gap_cb)(void *client_arg, Stream stream, const struct logfile_part *part);
	void (*input_end_cb)(void *client_arg, uint64_t taken);
	/* Something is over, and container_is_idle() is true by now. */
	void (*quiet_cb)(void *arg);
	/* The container is gone, by itself or by container_delete(): nothing is left of it but this object. */
	void (*removed_cb)(void *arg);
};

/* root_fd is borrowed. Caller frees with container_free(). */
struct container *container_new(struct event_base *base, int root_fd, const char *id, const struct container_ops *ops,
				void *arg);

/* Accepts NULL. Frees the object; the container itself goes on. */
void container_free(struct container *c);

/* The keeper's program, if a keeper can be had (keeper.h); takes it. Before anything else. */
void container_set_keeper(struct container *c, int exe_fd);

/* Our own limits of files and of time, which the container's output must not exceed; who is started for the container or its owner has the caller's. Before anything else. */
void container_raise_limits(struct container *c);

/* Begin to create it. -1: nothing is left of it. Else done_cb comes later, once, with the same meaning, unless the creation is cancelled. */
int container_create(struct container *c, struct container_create *params, container_done_cb *done_cb, void *done_arg,
		     struct err *err);

/* Within done_cb. True: the client follows the process to its end. ret_ends and ret_client are its ends of the streams, now the caller's, and itself, until
 * relay_client_free(); -1 and NULL when it has none here. */
struct relay_ends;
struct relay_client;
bool container_take_foreground(struct container *c, const char *name, struct relay_ends *ret_ends,
			       struct relay_client **ret_client);

/* Undo a creation that is under way. */
void container_cancel_create(struct container *c);

/* Become, with a new object, a container that somebody else has created: what its files say, and its init if that still lives (the same boot, start time and
 * pidfd inode), whose end is then noticed. An end that nobody has recorded yet is recorded. ERR_NOT_FOUND: there is none. Changes nothing else. On failure the
 * object is only good to be freed. Whoever takes the lock is refused with ERR_BUSY or ERR_STATE while the shim lives that has it, whatever file has the lock's name by now. */
enum container_load {
	CONTAINER_LOAD_SERVE, /* be its shim: takes the lock (ERR_BUSY: it has one), makes the control socket */
	CONTAINER_LOAD_UNDO,  /* takes the lock, made if it is missing; also one without a readable record */
	CONTAINER_LOAD_JOIN, /* run a process in it and no more: whoever has the lock keeps it. ERR_STATE: its init has ended */
	/* Be its shim for good, in the place of one that has died: also its logs and its streams, as far as the kernel still has them. Refused with nothing changed:
	 * ERR_STATE for one that was left to somebody else on purpose or never came to its end, ERR_CONFIG for files that are damaged, missing or from a newer
	 * version. One that has ended is only served: container_is_adopted() says which. */
	CONTAINER_LOAD_ADOPT,
};
int container_load(struct container *c, enum container_load how, struct err *err);

/* Remove what a creation has left that never came to its end. ERR_STATE when it did. After container_load. */
int container_undo(struct container *c, struct err *err);

/* Start a created container and run its poststart hooks; their failure stops it. */
int container_start(struct container *c, container_done_cb *done_cb, void *done_arg, struct err *err);

/* What Exec asks for; ownership as with container_create. */
struct container_exec {
	StdioMode stdio;
	bool leave; /* as with container_create */
	bool open_stdin, whole, ignore_paused;
	bool checkpointable; /* below init, where a checkpoint finds it */
	struct relay_options relay;
	int client_pid;                    /* as with container_create */
	const char *log_driver, *log_path; /* as with container_create, but no driver is none */
	size_t n_log_opts;
	const char *log_opts[CONTAINER_LOG_OPTS_MAX];
	uint16_t rows, columns;
	struct container_fds fds; /* main_fd: a file with the description, see exec_config.h */
	size_t n_cgroups;
	const char *cgroups
		[CONTAINER_CGROUPS_MAX]; /* GROUP below the container's own, or CONTROLLERS:GROUP: see cgroup_open_join_below() */
};

/* Begin to run a further process. -1: nothing is left of it. Else done_cb comes once its program runs, or with an error, unless it is cancelled before. ret_name: the
 * name by which the process is known from now on; until done_cb or container_cancel_exec() it must stay where it is: the name may change. */
int container_exec(struct container *c, struct container_exec *params, container_done_cb *done_cb, void *done_arg,
		   char ret_name[PROCESS_NAME_MAX], struct err *err);
/* What whoever has asked for it should know, within done_cb; NULL: nothing. */
const char *container_exec_note(struct container *c, const char *name);
void container_cancel_exec(struct container *c, const char *name);

/* `name`: the process; NULL or "init": init. */
int container_kill(struct container *c, const char *name, int sig, bool all, struct err *err);

/* Freeze all of its processes, or let them go on. done_cb comes when that is so, or with an error: then it is thawed. */
int container_pause(struct container *c, bool pause, container_done_cb *done_cb, void *done_arg, struct err *err);

/* Change its limits: `text` is an OCI resources object. All of them or none; what was changed is kept in state.json. */
int container_update(struct container *c, const char *text, size_t len, struct err *err);

/* Open its log files anew: somebody has moved them. On failure the old ones go on. */
int container_reopen_logs(struct container *c, struct err *err);

/* The pids of all its processes as a JSON list; caller frees. NULL: err is filled. */
char *container_ps(struct container *c, struct err *err);

/* What it has used, as a JSON object (see Stats in PROTOCOL.md); caller frees. NULL: err is filled. */
char *container_stats(struct container *c, struct err *err);

/* Someone who wants to know when memory is lacking, or a log loses output. notice_cb comes from the loop, and at once for a log that loses already; end_cb once, when init has
 * ended, after the last notice: there it may be freed. */
struct container_notices_ops {
	void (*notice_cb)(void *arg, const Notice *notice); /* borrowed */
	void (*end_cb)(void *arg);
};
struct container_notices *container_notices_new(struct container *c, MemoryPressure level,
						const struct container_notices_ops *ops, void *arg, struct err *err);
void container_notices_free(struct container_notices *n); /* accepts NULL */
Saved__EventsCall *container_notices_save(const struct container_notices *n);
struct container_notices *container_notices_resume(struct container *c, const Saved__EventsCall *s,
						   const struct container_notices_ops *ops, void *arg);

/* Checkpoint it into fds->images_fd, as fds->options_fd says: see "Checkpoint" in PROTOCOL.md. The descriptors are taken. done_cb comes when criu has ended and, unless the
 * container goes on, nothing is left of it. On failure it runs as before. note_cb comes before it, if the user should know that something is done in another way than asked. */
typedef void container_note_cb(void *arg, const char *text);
int container_checkpoint(struct container *c, struct container_fds *fds, container_note_cb *note_cb,
			 container_done_cb *done_cb, void *arg, struct err *err);

/* Bring back one that is checkpointed and has stayed, from fds->images_fd, as fds->options_fd says; the descriptors are taken. On failure it is as before. container_cancel_create()
 * gives it up. */
int container_restore(struct container *c, struct container_fds *fds, container_done_cb *done_cb, void *done_arg,
		      struct err *err);

/* About how large an image of it will be. */
uint64_t container_memory(struct container *c);

/* Nobody waits for it any more. True: it is given up, and done_cb will not come. False: it is too late for that, done_cb comes. */
bool container_cancel_checkpoint(struct container *c);

/* Remove it. `force`: kill it first. done_cb comes when nothing is left, before ops->removed_cb. */
int container_delete(struct container *c, bool force, container_done_cb *done_cb, void *done_arg, struct err *err);

/* One that is only served, and was to be removed at its end, which no shim has seen: that is begun now. False: there is nothing to do. */
bool container_remove_if_due(struct container *c);

/* Someone who wants to know the end. `drained`: only after its last output was delivered and, with remove_at_exit, it is removed. The struct is the
 * caller's and must stay until exit_cb was called or container_unwatch(). Called from the loop, even if it has ended already. */
struct container_watch {
	struct process *process; /* set by container_watch() */
	void (*exit_cb)(void *arg, const struct container_exit *exit);
	void *arg;
	bool drained;
	struct container_watch *next;
};
/* `name`: "init" (also when empty), or an exec'd process. ERR_NOT_FOUND. Unwatching one that was told already does nothing. */
int container_watch(struct container *c, const char *name, struct container_watch *w, struct err *err);
void container_unwatch(struct container_watch *w);

/* The listening control socket of a container that was created or loaded: the caller's. */
int container_take_control(struct container *c);

/* From now on the program's own remarks go to ROOT/ID/shim.log. What cannot be opened is done without. */
void container_log_to_file(struct container *c, bool debug);

/* Of one that was adopted: what goes no further from now on, into the log. */
void container_log_adoption(const struct container *c);

/* Bytes that its streams have carried: a measure of whether anything moves. */
uint64_t container_moved(const struct container *c);

/* May the wait for the loop's next event be one for the loop's epoll descriptor? Not while something is awaited that is told once, to the first
 * who looks: a trigger of memory pressure. */
bool container_may_sleep(const struct container *c);

/* Give buffers back to the kernel while nothing moves. */
void container_trim(struct container *c);

/* Free what only a creation needs. The config goes, unless there are hooks that want it. */
void container_settle(struct container *c);

enum container_status container_status(struct container *c);          /* asks the kernel first */
pid_t container_pid(struct container *c, const char *name);           /* 0: no such process */
struct relay *container_relay(struct container *c, const char *name); /* NULL: no such process, or no streams here */
struct event_base *container_base(const struct container *c);
struct logfile *container_log(struct container *c);    /* that clients can read; NULL: none */
const char *container_log_driver(struct container *c); /* of that */
bool container_terminal(struct container *c, const char *name);

const struct container_exit *container_exit(const struct container *c); /* of its init; NULL: that has not ended */

/* What is to be said to the user of the restore that has just succeeded, or of the removal; the one is borrowed, the other the caller's to free. NULL: nothing. */
const char *container_remark(const struct container *c);
const struct err *
container_failure(const struct container
			  *c); /* what has ended it, of whom its client was told before that it runs; NULL: nothing */
char *container_take_remark(struct container *c);
int container_pidfd(struct container *c, const char *name); /* borrowed; -1: no such process */
bool container_is_foreign(const struct container *c);       /* its init is somebody else's child */
bool container_is_adopted(const struct container *c);       /* by CONTAINER_LOAD_ADOPT, and it lives */
const char *container_id(const struct container *c);
int container_root_fd(const struct container *c); /* borrowed */

/* st_dev and st_ino of its state directory; 0: it has none yet. */
void container_state_directory(const struct container *c, uint64_t *ret_dev, uint64_t *ret_ino);
bool container_is_removed(const struct container *c);

/* Nothing is under way that a shim has to stay for. What was created with `leave` is then its own: the shim may exit. */
bool container_is_idle(const struct container *c);

/* Its init has ended, and nobody will come for what it has written: the streams were its caller's. */
bool container_is_over(const struct container *c);

/* Does it carry the streams of an exec'd process that has not ended? */
bool container_carries_streams(const struct container *c);

/* ---- from one program to the next in this process: see proto/upgrade.proto ---- */

/* Is there anything that only this program can bring to its end? ERR_BUSY or ERR_STATE say what. ret_soon: that is over soon, and ops.quiet_cb tells. */
int container_upgrade_obstacle(struct container *c, bool *ret_soon, struct err *err);

/* All that it is beside what its files say; the caller's. Without an obstacle. */
Saved__Container *container_save(struct container *c);

/* Become, with a new object, what another program has left; `s` has been judged (saved.h). Nothing outside is changed and no stream is read before the loop goes round, so that on
 * failure that program can go on. */
int container_resume(struct container *c, const Saved__Container *s, struct err *err);

/* There is no way back: record who the shim is now. `renew`: a keeper's program has come with us. */
void container_resumed(struct container *c, bool renew);

/* Would container_resume() be able to read its files? Changes nothing, takes no descriptor. */
int container_check_saved(struct container *c, const Saved__Container *s, struct err *err);

#endif
