/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and the help that is made from it. */
#ifndef THOLE_CLIENT_COMMAND_H
#define THOLE_CLIENT_COMMAND_H

#include <stddef.h>
#include <stdio.h>

#include "client/client.h"
#include "client/options.h"

enum command_needs {
	NEEDS_ID = 1 << 0,          /* the first operand is a container's id: checked before the command runs */
	NEEDS_STDIO_RULES = 1 << 1, /* its exit status is the container's; failures of ours are 125, 126, 127 */
	NEEDS_EARLY_STOP = 1 << 2,  /* the first operand ends the options: what follows may be a command line */
	NEEDS_STREAMS = 1 << 3,     /* stdout is a process's, no answer: a closed one is /dev/null to it */
	NEEDS_NO_ROOT = 1 << 4,     /* does without the state directory, or looks for it only when it has to */
};

/* What a command is called with. */
struct invocation {
	const void *options; /* the command's own struct, filled by its option table */
	int n;
	char **operands;
};

struct command {
	const char *name;
	/* Returns the exit status (0 or more), or -1 with err filled. */
	int (*run)(const struct client *cl, const struct invocation *inv, struct err *err);
	const struct option_row *options; /* NULL: none */
	size_t options_size;              /* of the struct that they fill */
	const char *operands;             /* for help: "ID [SIGNAL]" */
	int min_operands, max_operands;   /* max -1: any number */
	const char *summary;
	unsigned int needs; /* NEEDS_* */
};

extern const struct option_row global_option_rows[];

/* NULL when there is none of that name. */
const struct command *command_find(const char *name);

/* One after the other; NULL: no more. */
const struct command *command_at(size_t i);

/* Help of one command, and of the whole program. */
void command_help(const struct client *cl, const struct command *cmd, FILE *out);
void command_help_all(const struct client *cl, FILE *out);

/* The exit status for a failure of `cmd` (NULL: before one was known). */
int command_failure_status(const struct client *cl, const struct command *cmd, const struct err *err);

/* One per file in client/commands/. */
int cmd_attach(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_checkpoint(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_checkpoints(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_create(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_delete(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_events(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_exec(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_check(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_features(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_help(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_kill(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_list(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_logs(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_pause(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_ps(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_restore(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_resume(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_run(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_recover(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_spec(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_start(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_state(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_stats(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_upgrade(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_update(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_version(const struct client *cl, const struct invocation *inv, struct err *err);
int cmd_wait(const struct client *cl, const struct invocation *inv, struct err *err);

/* The structs that the option tables fill. */
struct attach_options {
	bool no_stdin;
	bool since_start;
	const char *tail;
	const char *detach_keys;
	bool no_sig_proxy;
};

struct delete_options {
	bool force;
};

/* What stands below `process` describes one, as that file does. */
struct exec_options {
	bool detach;
	bool interactive;
	const char *pid_file;
	const char *console_socket;
	const char *pidfd_socket;
	struct opt_uint preserve_fds;
	bool ignore_paused;
	const char *stdio;   /* "log", "inherit" or NULL */
	const char *monitor; /* "shim", "foreign" or NULL */
	struct opt_list cgroup;
	const char *detach_keys;
	bool no_sig_proxy;
	bool no_subreaper; /* accepted: as with runc, exec never is one */
	bool print_name;
	bool checkpointable;
	const char *drain_timeout;
	struct opt_list log_driver;
	struct opt_list log_opt;
	const char *log_path;

	const char *process;
	bool tty;
	const char *cwd;
	struct opt_list env;
	const char *user;
	struct opt_list additional_gids;
	struct opt_list cap;
	struct opt_bool no_new_privs;
	const char *apparmor;
	const char *process_label;
};

struct kill_options {
	bool all;
};

struct list_options {
	const char *format;
	bool quiet;
};

struct logs_options {
	bool follow;
	bool timestamps;
	bool reopen;
	const char *tail;
	const char *since;
	const char *exec;
};

struct events_options {
	bool stats;
	const char *interval;
	const char *pressure; /* "low", "medium", "critical" or NULL */
};

struct stats_options {
	bool no_stream;
	const char *format;
	const char *interval;
};

struct ps_options {
	const char *format;
};

struct update_options {
	const char *resources;
	const char *blkio_weight;
	const char *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period, *cpu_rt_runtime, *cpu_idle;
	const char *cpuset_cpus, *cpuset_mems;
	const char *kernel_memory, *kernel_memory_tcp, *memory, *memory_reservation, *memory_swap;
	const char *pids_limit;
	const char *l3_cache_schema, *mem_bw_schema;
};

struct recover_options {
	bool all;
};

struct upgrade_options {
	bool all;
	const char *shim;
};

struct version_options {
	bool shims;
};

struct spec_options {
	bool rootless;
	const char *bundle;
};

/* Of create and run. What stands below `detach` is run's alone, what stands below `rootfs` needs --rootfs. */
struct launch_options {
	const char *bundle;
	const char *config;
	const char *pid_file;
	const char *console_socket;
	const char *pidfd_socket;
	struct opt_uint preserve_fds;
	bool no_pivot;
	bool no_new_keyring;
	struct opt_list log_driver;
	struct opt_list log_opt;
	const char *log_path;
	const char *stdio;   /* "log", "inherit" or NULL */
	const char *monitor; /* "shim", "foreign" or NULL */
	const char *shim_cgroup;
	const char *sdnotify;
	bool keeper;
	bool interactive;
	bool stdin_once;
	const char *drain_timeout;

	bool detach;
	bool keep;
	bool remove;
	bool no_subreaper; /* leave orphans to others; in the background nobody is there for them anyway */
	const char *detach_keys;

	const char *rootfs;
	const char *name;
	bool tty;
	bool read_only;
	struct opt_list env;
	struct opt_list bind;
	struct opt_list tmpfs;
	const char *workdir;
	const char *user;
	const char *hostname;
	const char *memory;
	const char *cpus;
	const char *network; /* "host", "none" or NULL */
	struct opt_uint pids_limit;
};

/* Of checkpoint, and of restore as far as they mean something there. */
struct criu_options {
	const char *image_path, *work_path;
	bool leave_running, drop_execs, stay;
	bool tcp_established, tcp_close, tcp_skip_in_flight, shell_job, ext_unix_sk, file_locks, link_remap, auto_dedup;
	const char *manage_cgroups_mode, *empty_ns, *network_lock;
	const char *lsm_profile, *lsm_mount_context;
	bool pre_dump, lazy_pages;
	const char *pre_copy; /* "N", "require" or "N,require" */
	const char *parent_path, *page_server;
	struct opt_uint status_fd, timeout;
	struct opt_list veth;

	/* A set's, of checkpoint alone. */
	const char *to, *name, *max_size;
	struct opt_uint keep;
	bool all, verbose;
	struct opt_list label;
	const char *match;
	const char *compress; /* of an export: "zstd", "none" or NULL */
	const char *rootfs;   /* "auto", "reflink", "copy", "none" or NULL */
	struct opt_list include_bind;

	const char *files; /* of a restore, from the image: see PROTOCOL.md; NULL: nothing */
};

struct restore_options {
	struct launch_options launch; /* first: its rows are those of create and run */
	struct criu_options criu;
	const char *from;
	const char *rootfs; /* "restore", "keep" or NULL */
};

struct checkpoints_options {
	const char *format;
	bool fast;
};

#endif
