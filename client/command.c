/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and the help that is made from it. */
#include "client/command.h"

#include <stddef.h>
#include <string.h>

#include "common/fd.h"

/* clang-format off */
#define AT(type, field) offsetof(struct type, field)

const struct option_row global_option_rows[] = {
	{ "root",           0,   OPT_STRING,       "DIR",       "where the state is (default: /run/thole)", AT(global_options, root) },
	{ "log",            0,   OPT_STRING,       "FILE",      "write errors and remarks to FILE too", AT(global_options, log) },
	{ "log-format",     0,   OPT_CHOICE,       "text|json", "how they are written", AT(global_options, log_format) },
	{ "debug",          0,   OPT_FLAG,         NULL,        "say more", AT(global_options, debug) },
	{ "version",        'v', OPT_FLAG,         NULL,        "print the version", AT(global_options, version) },
	{ "cgroup-manager", 0,   OPT_CHOICE,       "cgroupfs|systemd|disabled", "who makes the cgroups", AT(global_options, cgroup_manager) },
	{ "systemd-cgroup", 0,   OPT_FLAG,         NULL,        "the same as --cgroup-manager systemd", AT(global_options, systemd_cgroup) },
	{ "rootless",       0,   OPT_STRING,       "true|false|auto", "do without cgroups that may not be made", AT(global_options, rootless) },
	{ "criu",           0,   OPT_STRING,       "PATH",      "the criu that checkpoint and restore use", AT(global_options, criu) },
	{ NULL },
};

#define LAUNCH_ROWS \
	{ "bundle",         'b', OPT_STRING, "DIR",         "directory with config.json (default: .)", AT(launch_options, bundle) }, \
	{ "config",         'f', OPT_STRING, "FILE",        "read FILE in place of its config.json", AT(launch_options, config) }, \
	{ "pid-file",       0,   OPT_STRING, "FILE",        "write the pid of the container's init there", AT(launch_options, pid_file) }, \
	{ "console-socket", 0,   OPT_STRING, "SOCKET",      "send the terminal's master there", AT(launch_options, console_socket) }, \
	{ "preserve-fds",   0,   OPT_UINT,   "N",           "pass on descriptors 3 to N+2 (N: to 240)", AT(launch_options, preserve_fds) }, \
	{ "log-driver",     0,   OPT_LIST,   "k8s-file|json-file|raw|journald|none", "how its output is logged", AT(launch_options, log_driver) }, \
	{ "log-opt",        0,   OPT_LIST,   "K=V",         "max-size, max-file, path, tag, labels, sync", AT(launch_options, log_opt) }, \
	{ "log-path",       0,   OPT_STRING, "FILE",        "where the log is", AT(launch_options, log_path) }, \
	{ "stdio",          0,   OPT_CHOICE, "log|inherit", "where detached output goes", AT(launch_options, stdio) }, \
	{ "shim-cgroup",    0,   OPT_STRING, "own|keep|PATH", "the shim's group (default: own)", AT(launch_options, shim_cgroup) }, \
	{ "sdnotify",       0,   OPT_STRING, "conmon|container|ignore", "who says READY (default: container)", AT(launch_options, sdnotify) }, \
	{ "interactive",    'i', OPT_FLAG,   NULL,          "give it a stdin that stays open", AT(launch_options, interactive) }, \
	{ "stdin-once",     0,   OPT_FLAG,   NULL,          "end its stdin with the first client; implies -i", AT(launch_options, stdin_once) }, \
	{ "drain-timeout",  0,   OPT_STRING, "TIME",        "wait so long for the output of whom it leaves", AT(launch_options, drain_timeout) }, \
	{ "keeper",         0,   OPT_FLAG,   NULL,          "have its streams kept when its shim is killed", AT(launch_options, keeper) }, \
	{ "no-pivot",       0,   OPT_FLAG,   NULL,          "change the root without pivot_root", AT(launch_options, no_pivot) }, \
	{ "no-new-keyring", 0,   OPT_FLAG,   NULL,          "leave it the caller's session keyring", AT(launch_options, no_new_keyring) }, \
	{ "monitor",        0,   OPT_CHOICE, "shim|foreign", "who stays as its parent: a shim, or the caller", AT(launch_options, monitor) }, \
	{ "pidfd-socket",   0,   OPT_STRING, "SOCKET",      "send a pidfd of the container's init there", AT(launch_options, pidfd_socket) }

static const struct option_row create_rows[] = {
	LAUNCH_ROWS,
	{ "no-subreaper", 0, OPT_FLAG, NULL, NULL, AT(launch_options, no_subreaper) },
	{ NULL },
};

static const struct option_row run_rows[] = {
	{ "detach",       'd', OPT_FLAG,   NULL,          "leave it running in the background", AT(launch_options, detach) },
	{ "keep",         0,   OPT_FLAG,   NULL,          "keep it when it has ended", AT(launch_options, keep) },
	{ "rm",           0,   OPT_FLAG,   NULL,          "remove it when it has ended (with -d)", AT(launch_options, remove) },
	LAUNCH_ROWS,
	{ "detach-keys",  0,   OPT_TEXT,   "KEYS",        "to leave it (default: ctrl-p,ctrl-q; thole-oci: none)", AT(launch_options, detach_keys) },
	{ "no-subreaper", 0,   OPT_FLAG,   NULL,          "leave its orphans to whoever is above", AT(launch_options, no_subreaper) },
	{ "rootfs",       0,   OPT_STRING, "DIR",         "without a bundle; then also:", AT(launch_options, rootfs) },
	{ "name",         0,   OPT_STRING, "ID",          "", AT(launch_options, name) },
	{ "tty",          't', OPT_FLAG,   NULL,          "", AT(launch_options, tty) },
	{ "env",          'e', OPT_LIST,   "K=V",         "", AT(launch_options, env) },
	{ "workdir",      'w', OPT_STRING, "DIR",         "", AT(launch_options, workdir) },
	{ "user",         'u', OPT_STRING, "UID[:GID]",   "", AT(launch_options, user) },
	{ "hostname",     0,   OPT_STRING, "NAME",        "", AT(launch_options, hostname) },
	{ "bind",         0,   OPT_LIST,   "SRC:DST[:ro]", "", AT(launch_options, bind) },
	{ "tmpfs",        0,   OPT_LIST,   "DST[:OPT,...]", "", AT(launch_options, tmpfs) },
	{ "memory",       'm', OPT_STRING, "SIZE",        "", AT(launch_options, memory) },
	{ "cpus",         0,   OPT_STRING, "N",           "", AT(launch_options, cpus) },
	{ "pids-limit",   0,   OPT_UINT,   "N",           "", AT(launch_options, pids_limit) },
	{ "read-only",    0,   OPT_FLAG,   NULL,          "", AT(launch_options, read_only) },
	{ "network",      0,   OPT_CHOICE, "host|none",   "", AT(launch_options, network) },
	{ NULL },
};

#define CRIU_ROWS(type, prefix) \
	{ "image-path",      0, OPT_STRING, "DIR",  "where the checkpoint is (default: ./checkpoint)", AT(type, prefix image_path) }, \
	{ "work-path",       0, OPT_STRING, "DIR",  "where criu's log goes (default: the same)", AT(type, prefix work_path) }, \
	{ "tcp-established", 0, OPT_FLAG,   NULL,   "keep open TCP connections", AT(type, prefix tcp_established) }, \
	{ "tcp-close",       0, OPT_FLAG,   NULL,   "or drop them", AT(type, prefix tcp_close) }, \
	{ "ext-unix-sk",     0, OPT_FLAG,   NULL,   "allow unix sockets that lead outside", AT(type, prefix ext_unix_sk) }, \
	{ "shell-job",       0, OPT_FLAG,   NULL,   "allow a terminal of the caller's", AT(type, prefix shell_job) }, \
	{ "file-locks",      0, OPT_FLAG,   NULL,   "keep locks on files", AT(type, prefix file_locks) }, \
	{ "empty-ns",        0, OPT_CHOICE, "network", "leave the network namespace empty, for a hook to set up", AT(type, prefix empty_ns) }, \
	{ "manage-cgroups-mode", 0, OPT_CHOICE, "soft|full|strict|ignore", "criu's way with groups (default: ignore, the shim makes them)", AT(type, prefix manage_cgroups_mode) }, \
	{ "network-lock",    0, OPT_CHOICE, "iptables|nftables|skip", "how the network is held (default: as needed)", AT(type, prefix network_lock) }, \
	{ "auto-dedup",      0, OPT_FLAG,   NULL,   "leave out of the images what a later one or the process has", AT(type, prefix auto_dedup) }, \
	{ "lazy-pages",      0, OPT_FLAG,   NULL,   "bring the memory in later", AT(type, prefix lazy_pages) }, \
	{ "timeout",         0, OPT_UINT,   "SECONDS", "give up when criu is not through by then", AT(type, prefix timeout) }

static const struct option_row checkpoint_rows[] = {
	{ "leave-running", 0, OPT_FLAG,   NULL, "let the container go on", AT(criu_options, leave_running) },
	{ "stay",          0, OPT_FLAG,   NULL, "keep it, to be restored in place", AT(criu_options, stay) },
	{ "to",            0, OPT_STRING, "DIR", "add an image to the set in DIR; implies --stay", AT(criu_options, to) },
	CRIU_ROWS(criu_options, ),
	{ "name",          0, OPT_STRING, "NAME", "of the image in it (default: the time)", AT(criu_options, name) },
	{ "rootfs",        0, OPT_CHOICE, "auto|reflink|copy|none", "how the files of its root come into it (default: auto)", AT(criu_options, rootfs) },
	{ "include-bind",  0, OPT_LIST,   "DST", "and those of the directory bound at DST", AT(criu_options, include_bind) },
	{ "keep",          0, OPT_UINT,   "N",  "keep the N newest images of the set", AT(criu_options, keep) },
	{ "max-size",      0, OPT_STRING, "SIZE", "and no more than SIZE", AT(criu_options, max_size) },
	{ "all",           'a', OPT_FLAG, NULL, "every running container, each to DIR/ID", AT(criu_options, all) },
	{ "label",         0, OPT_LIST,   "KEY[=VALUE]", "of those the ones with this annotation", AT(criu_options, label) },
	{ "match",         0, OPT_STRING, "PATTERN", "and with such an id: 'web-*'", AT(criu_options, match) },
	{ "compress",      0, OPT_CHOICE, "zstd|none", "of export (default: as the file's name says)", AT(criu_options, compress) },
	{ "verbose",       'v', OPT_FLAG, NULL, "print the path of each image", AT(criu_options, verbose) },
	{ "drop-execs",    0, OPT_FLAG,   NULL, "kill exec'd processes, which cannot be kept", AT(criu_options, drop_execs) },
	{ "link-remap",    0, OPT_FLAG,   NULL, "allow open files that have been removed", AT(criu_options, link_remap) },
	{ "tcp-skip-in-flight", 0, OPT_FLAG, NULL, "leave out connections that are being made", AT(criu_options, tcp_skip_in_flight) },
	{ "pre-copy",      0, OPT_STRING, "N[,require]", "first write the memory while it goes on, up to N times, until little is left", AT(criu_options, pre_copy) },
	{ "pre-dump",      0, OPT_FLAG,   NULL,  "only the memory, while it goes on: for a later one with --parent-path", AT(criu_options, pre_dump) },
	{ "parent-path",   0, OPT_STRING, "DIR", "an earlier one, relative to the image: only what has changed is written", AT(criu_options, parent_path) },
	{ "page-server",   0, OPT_STRING, "ADDRESS:PORT", "send the memory to a criu page-server", AT(criu_options, page_server) },
	{ "status-fd",     0, OPT_UINT,   "FD",  "with --lazy-pages: gets a NUL byte when the memory can be fetched", AT(criu_options, status_fd) },
	{ NULL },
};

static const struct option_row checkpoints_rows[] = {
	{ "format", 'f', OPT_CHOICE, "table|json", "how to print them", AT(checkpoints_options, format) },
	{ "fast",   0,   OPT_FLAG,   NULL, "do not read all files: sizes, not digests", AT(checkpoints_options, fast) },
	{ NULL },
};

static const struct option_row restore_rows[] = {
	{ "page-server",  0,   OPT_STRING, "ADDRESS:PORT", "with --lazy-pages: the memory comes from there", AT(restore_options, criu.page_server) },
	{ "from",         0,   OPT_STRING, "DIR[/NAME]",  "the latest good image of a set, or that one", AT(restore_options, from) },
	{ "rootfs",       0,   OPT_CHOICE, "restore|keep", "bring back the files that are in it, or use what is there", AT(restore_options, rootfs) },
	{ "include-bind", 0,   OPT_LIST,   "DST",         "and those of the directory bound at DST", AT(restore_options, criu.include_bind) },
	{ "detach",       'd', OPT_FLAG,   NULL,          "leave it running in the background", AT(launch_options, detach) },
	{ "keep",         0,   OPT_FLAG,   NULL,          "keep it when it has ended", AT(launch_options, keep) },
	{ "rm",           0,   OPT_FLAG,   NULL,          "remove it when it has ended (with -d)", AT(launch_options, remove) },
	CRIU_ROWS(restore_options, criu.),
	LAUNCH_ROWS,
	{ "detach-keys",  0,   OPT_TEXT,   "KEYS",        "to leave it (default: ctrl-p,ctrl-q; thole-oci: none)", AT(launch_options, detach_keys) },
	{ "no-subreaper", 0,   OPT_FLAG,   NULL,          "leave its orphans to whoever is above", AT(launch_options, no_subreaper) },
	{ "veth",         0,   OPT_LIST,   "HOST=CONTAINER", "the name of the other end of a veth pair (HOST@BRIDGE: its bridge)", AT(restore_options, criu.veth) },
	{ "lsm-profile",  0,   OPT_STRING, "TYPE:NAME",   "another security profile", AT(restore_options, criu.lsm_profile) },
	{ "lsm-mount-context", 0, OPT_STRING, "CONTEXT",  "another context of its mounts", AT(restore_options, criu.lsm_mount_context) },
	{ NULL },
};

static const struct option_row attach_rows[] = {
	{ "no-stdin",    0, OPT_FLAG,     NULL,   "send it no input", AT(attach_options, no_stdin) },
	{ "since-start", 0, OPT_FLAG,     NULL,   "begin with all that the log has", AT(attach_options, since_start) },
	{ "tail",        0, OPT_STRING,   "N",    "begin with its last N lines", AT(attach_options, tail) },
	{ "detach-keys", 0, OPT_TEXT,     "KEYS", "to leave it (default: ctrl-p,ctrl-q; thole-oci: none)", AT(attach_options, detach_keys) },
	{ "sig-proxy",   0, OPT_FLAG_OFF, NULL,   "pass signals on to it (default; =false: do not)", AT(attach_options, no_sig_proxy) },
	{ NULL },
};

static const struct option_row delete_rows[] = {
	{ "force", 'f', OPT_FLAG, NULL, "kill it first; nothing there is no error", AT(delete_options, force) },
	{ NULL },
};

static const struct option_row exec_rows[] = {
	{ "detach",          'd', OPT_FLAG,     NULL,          "leave it running in the background", AT(exec_options, detach) },
	{ "tty",             't', OPT_FLAG,     NULL,          "give it a terminal", AT(exec_options, tty) },
	{ "interactive",     'i', OPT_FLAG,     NULL,          "give it a stdin that stays open", AT(exec_options, interactive) },
	{ "process",         'p', OPT_STRING,   "FILE",        "run what this OCI process (JSON) describes", AT(exec_options, process) },
	{ "cwd",             0,   OPT_STRING,   "DIR",         "working directory", AT(exec_options, cwd) },
	{ "env",             'e', OPT_LIST,     "K=V",         "environment variable", AT(exec_options, env) },
	{ "user",            'u', OPT_STRING,   "UID[:GID]",   "user, by number or by name", AT(exec_options, user) },
	{ "additional-gids", 'g', OPT_LIST,     "GID",         "further group", AT(exec_options, additional_gids) },
	{ "cap",             'c', OPT_LIST,     "CAP_X",       "further capability", AT(exec_options, cap) },
	{ "no-new-privs",    0,   OPT_SWITCH,   NULL,          "gain no privileges by execve", AT(exec_options, no_new_privs) },
	{ "apparmor",        0,   OPT_STRING,   "PROFILE",     "", AT(exec_options, apparmor) },
	{ "process-label",   0,   OPT_STRING,   "LABEL",       "", AT(exec_options, process_label) },
	{ "pid-file",        0,   OPT_STRING,   "FILE",        "write the pid of the process there", AT(exec_options, pid_file) },
	{ "console-socket",  0,   OPT_STRING,   "SOCKET",      "send the terminal's master there", AT(exec_options, console_socket) },
	{ "preserve-fds",    0,   OPT_UINT,     "N",           "pass on descriptors 3 to N+2 (N: to 240)", AT(exec_options, preserve_fds) },
	{ "ignore-paused",   0,   OPT_FLAG,     NULL,          "also in a paused container", AT(exec_options, ignore_paused) },
	{ "stdio",           0,   OPT_CHOICE,   "log|inherit", "detached output: to nobody, or to the caller", AT(exec_options, stdio) },
	{ "print-name",      0,   OPT_FLAG,     NULL,          "with -d: print the name that wait takes", AT(exec_options, print_name) },
	{ "log-driver",      0,   OPT_LIST,     "k8s-file|json-file|raw|journald|none", "its log (default: none)", AT(exec_options, log_driver) },
	{ "log-opt",         0,   OPT_LIST,     "K=V",         "max-size, max-file, path, tag, labels, sync", AT(exec_options, log_opt) },
	{ "log-path",        0,   OPT_STRING,   "FILE",        "where that log is", AT(exec_options, log_path) },
	{ "drain-timeout",   0,   OPT_STRING,   "TIME",        "wait so long for the output of whom it leaves", AT(exec_options, drain_timeout) },
	{ "checkpointable",  0,   OPT_FLAG,     NULL,          "where a checkpoint takes it along, below the container's first process", AT(exec_options, checkpointable) },
	{ "detach-keys",     0,   OPT_TEXT,     "KEYS",        "to leave it (default: ctrl-p,ctrl-q; thole-oci: none)", AT(exec_options, detach_keys) },
	{ "sig-proxy",       0,   OPT_FLAG_OFF, NULL,          "pass signals on to it (default; =false: do not)", AT(exec_options, no_sig_proxy) },
	{ "monitor",         0,   OPT_CHOICE,   "shim|foreign", "whose child it is: the shim's, or the caller's", AT(exec_options, monitor) },
	{ "cgroup",          0,   OPT_LIST,     "[CTRL:]GROUP", "", AT(exec_options, cgroup) },
	{ "pidfd-socket",    0,   OPT_STRING,   "SOCKET",      "", AT(exec_options, pidfd_socket) },
	{ "no-subreaper",    0,   OPT_FLAG,     NULL,          NULL, AT(exec_options, no_subreaper) },
	{ NULL },
};

static const struct option_row kill_rows[] = {
	{ "all", 'a', OPT_FLAG, NULL, "every process of the container", AT(kill_options, all) },
	{ NULL },
};

static const struct option_row list_rows[] = {
	{ "format", 'f', OPT_CHOICE, "table|json", "how to print them", AT(list_options, format) },
	{ "quiet",  'q', OPT_FLAG,   NULL,         "ids only", AT(list_options, quiet) },
	{ NULL },
};

static const struct option_row logs_rows[] = {
	{ "follow",     'f', OPT_FLAG,   NULL,   "go on until the container has ended", AT(logs_options, follow) },
	{ "tail",       'n', OPT_STRING, "N",    "only the last N lines", AT(logs_options, tail) },
	{ "since",      0,   OPT_STRING, "TIME", "only from then on: 2026-11-23T20:30:00, 10m", AT(logs_options, since) },
	{ "timestamps", 't', OPT_FLAG,   NULL,   "with the time of each line", AT(logs_options, timestamps) },
	{ "exec",       0,   OPT_STRING, "NAME", "of an exec'd process that has a log of its own", AT(logs_options, exec) },
	{ "reopen",     0,   OPT_FLAG,   NULL,   "print nothing; open the files anew", AT(logs_options, reopen) },
	{ NULL },
};

static const struct option_row ps_rows[] = {
	{ "format", 'f', OPT_CHOICE, "table|json", "the rows of ps, or the pids alone", AT(ps_options, format) },
	{ NULL },
};

static const struct option_row events_rows[] = {
	{ "stats",           0, OPT_FLAG,   NULL,   "print the statistics once", AT(events_options, stats) },
	{ "interval",        0, OPT_STRING, "TIME", "time between statistics (default: 5s)", AT(events_options, interval) },
	{ "memory-pressure", 0, OPT_CHOICE, "low|medium|critical", "tell when memory is scarce, too", AT(events_options, pressure) },
	{ NULL },
};

static const struct option_row stats_rows[] = {
	{ "no-stream", 0,   OPT_FLAG,   NULL,         "print it once", AT(stats_options, no_stream) },
	{ "format",    'f', OPT_CHOICE, "table|json", "a table, or an object a line", AT(stats_options, format) },
	{ "interval",  0,   OPT_STRING, "TIME",       "how often (default: 1s)", AT(stats_options, interval) },
	{ NULL },
};

static const struct option_row update_rows[] = {
	{ "resources",          'r', OPT_STRING,  "FILE",  "all of it from FILE (-: stdin), an OCI resources object", AT(update_options, resources) },
	{ "memory",             0,   OPT_STRING,  "SIZE",  "limit of memory (-1: none)", AT(update_options, memory) },
	{ "memory-swap",        0,   OPT_STRING,  "SIZE",  "limit of memory and swap together (-1: none)", AT(update_options, memory_swap) },
	{ "memory-reservation", 0,   OPT_STRING,  "SIZE",  "what it keeps when others want memory", AT(update_options, memory_reservation) },
	{ "kernel-memory",      0,   OPT_STRING,  "SIZE",  NULL, AT(update_options, kernel_memory) },
	{ "kernel-memory-tcp",  0,   OPT_STRING,  "SIZE",  NULL, AT(update_options, kernel_memory_tcp) },
	{ "pids-limit",         0,   OPT_STRING,  "N",     "how many processes and threads (-1: any)", AT(update_options, pids_limit) },
	{ "cpu-share",          0,   OPT_STRING,  "N",     "weight beside others, 1024 is usual", AT(update_options, cpu_share) },
	{ "cpu-period",         0,   OPT_STRING,  "USEC",  "time in which it gets its quota", AT(update_options, cpu_period) },
	{ "cpu-quota",          0,   OPT_STRING,  "USEC",  "processor time in each period (-1: any)", AT(update_options, cpu_quota) },
	{ "cpu-burst",          0,   OPT_STRING,  "USEC",  "unused time that it may save up", AT(update_options, cpu_burst) },
	{ "cpu-rt-period",      0,   OPT_STRING,  "USEC",  "the same for real-time processes", AT(update_options, cpu_rt_period) },
	{ "cpu-rt-runtime",     0,   OPT_STRING,  "USEC",  "and their time in each period", AT(update_options, cpu_rt_runtime) },
	{ "cpu-idle",           0,   OPT_STRING,  "0|1",   "1: only what nobody else wants", AT(update_options, cpu_idle) },
	{ "cpuset-cpus",        0,   OPT_STRING,  "LIST",  "processors to run on: 0-2,7", AT(update_options, cpuset_cpus) },
	{ "cpuset-mems",        0,   OPT_STRING,  "LIST",  "memory nodes to use", AT(update_options, cpuset_mems) },
	{ "blkio-weight",       0,   OPT_STRING,  "N",     "weight for disks, 10 to 1000", AT(update_options, blkio_weight) },
	{ "l3-cache-schema",    0,   OPT_STRING,  "L3:...", "its share of the L3 cache (resctrl)", AT(update_options, l3_cache_schema) },
	{ "mem-bw-schema",      0,   OPT_STRING,  "MB:...", "its share of the memory bandwidth", AT(update_options, mem_bw_schema) },
	{ NULL },
};

static const struct option_row upgrade_rows[] = {
	{ "all",  'a', OPT_FLAG,   NULL,   "every container", AT(upgrade_options, all) },
	{ "shim", 0,   OPT_STRING, "PATH", "the program (default: the one that new containers get)", AT(upgrade_options, shim) },
	{ NULL },
};

static const struct option_row version_rows[] = {
	{ "shims", 0, OPT_FLAG, NULL, "of each container's shim", AT(version_options, shims) },
	{ NULL },
};

static const struct option_row recover_rows[] = {
	{ "all", 'a', OPT_FLAG, NULL, "every container that needs it", AT(recover_options, all) },
	{ NULL },
};

static const struct option_row spec_rows[] = {
	{ "bundle",   'b', OPT_STRING, "DIR", "where to write it (default: .)", AT(spec_options, bundle) },
	{ "rootless", 0,   OPT_FLAG,   NULL,  "for a user without privileges", AT(spec_options, rootless) },
	{ NULL },
};

#define OPTIONS(rows, type) rows, sizeof(struct type)
#define NO_OPTIONS NULL, 0

static const struct command commands[] = {
	{ "run",     cmd_run,     OPTIONS(run_rows, launch_options),    "[ID | --rootfs DIR COMMAND [ARG...]]", 0, -1, "create a container and start it", NEEDS_STDIO_RULES | NEEDS_EARLY_STOP | NEEDS_STREAMS },
	{ "create",  cmd_create,  OPTIONS(create_rows, launch_options), "ID",          1, 1, "create a container from a bundle", NEEDS_ID | NEEDS_STREAMS },
	{ "start",   cmd_start,   NO_OPTIONS,                           "ID",          1, 1, "start a created container", NEEDS_ID },
	{ "state",   cmd_state,   NO_OPTIONS,                           "ID",          1, 1, "print the state of a container as JSON", NEEDS_ID },
	{ "list",    cmd_list,    OPTIONS(list_rows, list_options),     "",            0, 0, "list the containers", 0 },
	{ "logs",    cmd_logs,    OPTIONS(logs_rows, logs_options),     "ID",          1, 1, "print what a container has written", NEEDS_ID },
	{ "attach",  cmd_attach,  OPTIONS(attach_rows, attach_options), "ID",          1, 1, "connect to a running container's streams", NEEDS_ID | NEEDS_STREAMS },
	{ "wait",    cmd_wait,    NO_OPTIONS,                           "ID [NAME]",   1, 2, "wait for a process's end, exit as it did", NEEDS_ID | NEEDS_STDIO_RULES },
	{ "exec",    cmd_exec,    OPTIONS(exec_rows, exec_options),     "ID [COMMAND [ARG...]]", 1, -1, "run a further process in a container", NEEDS_ID | NEEDS_STDIO_RULES | NEEDS_EARLY_STOP | NEEDS_STREAMS },
	{ "kill",    cmd_kill,    OPTIONS(kill_rows, kill_options),     "ID [SIGNAL]", 1, 2, "send a signal to a container (default: TERM)", NEEDS_ID },
	{ "delete",  cmd_delete,  OPTIONS(delete_rows, delete_options), "ID",          1, 1, "remove a container that does not run", NEEDS_ID },
	{ "pause",   cmd_pause,   NO_OPTIONS,                           "ID",          1, 1, "stop all processes of a container", NEEDS_ID },
	{ "resume",  cmd_resume,  NO_OPTIONS,                           "ID",          1, 1, "let them go on", NEEDS_ID },
	{ "ps",      cmd_ps,      OPTIONS(ps_rows, ps_options),         "ID [PS OPTION...]", 1, -1, "list the processes of a container", NEEDS_ID | NEEDS_EARLY_STOP },
	{ "stats",   cmd_stats,   OPTIONS(stats_rows, stats_options),   "[ID...]",     0, -1, "show what containers use", 0 },
	{ "events",  cmd_events,  OPTIONS(events_rows, events_options), "ID",          1, 1, "print statistics, lack of memory, lost logs as JSON", NEEDS_ID },
	{ "update",  cmd_update,  OPTIONS(update_rows, update_options), "ID",          1, 1, "change a container's limits", NEEDS_ID },
	{ "checkpoint", cmd_checkpoint, OPTIONS(checkpoint_rows, criu_options), "ID|inspect IMG|export IMG FILE|import FILE DIR", 0, 3, "write a running container to files (with CRIU)", NEEDS_NO_ROOT },
	{ "checkpoints", cmd_checkpoints, OPTIONS(checkpoints_rows, checkpoints_options), "DIR", 1, 1, "list the images of a set, and verify them", NEEDS_NO_ROOT },
	{ "restore", cmd_restore, OPTIONS(restore_rows, restore_options), "ID",        1, 1, "run a container out of such files", NEEDS_ID | NEEDS_STDIO_RULES | NEEDS_STREAMS },
	{ "recover", cmd_recover, OPTIONS(recover_rows, recover_options), "[ID...]",   0, -1, "give containers a shim whose own has died", 0 },
	{ "upgrade", cmd_upgrade, OPTIONS(upgrade_rows, upgrade_options), "[ID...]",   0, -1, "give running containers another shim's program", 0 },
	{ "spec",    cmd_spec,    OPTIONS(spec_rows, spec_options),     "",            0, 0, "write a config.json to start from", NEEDS_NO_ROOT },
	{ "check",   cmd_check,   NO_OPTIONS,                           "",            0, 0, "tell what this host can do and what not", NEEDS_NO_ROOT },
	{ "features", cmd_features, NO_OPTIONS,                         "",            0, 0, "tell what this runtime can do, as JSON", NEEDS_NO_ROOT },
	{ "version", cmd_version, OPTIONS(version_rows, version_options), "",          0, 0, "print the version", NEEDS_NO_ROOT },
	{ "help",    cmd_help,    NO_OPTIONS,                           "[COMMAND]",   0, 1, "print this, or the help of one command", NEEDS_NO_ROOT },
};
/* clang-format on */

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

const struct command *command_at(size_t i)
{
	return i < ARRAY_SIZE(commands) ? &commands[i] : NULL;
}

#define SCREEN_LINES 24
#define SCREEN_COLUMNS 80
#define HELP_WIDTH 76

static int format_option(const struct option_row *row, char *line, size_t size)
{
	char left[64];
	char letter[8] = "    ";

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->argname ? " " : "",
		 row->argname ? row->argname : "");
	return snprintf(line, size, "  %-30s %s\n", left, row->help);
}

static void print_option(const struct option_row *row, FILE *out)
{
	char line[256];

	format_option(row, line, sizeof(line));
	fputs(line, out);
}

/* Has it a description that fits a line? */
static bool has_line(const struct option_row *row)
{
	char line[256];

	return row->help && row->help[0] && format_option(row, line, sizeof(line)) <= SCREEN_COLUMNS + 1;
}

/* The options that are only named, in one paragraph: all but the first `described` that have a line of their own. Returns its lines; out may be NULL. */
static int print_named_only(const struct option_row *rows, int described, FILE *out)
{
	size_t column = 0;
	int lines = 0;

	for (; rows->name; rows++) {
		char word[96];
		int n;

		if (!rows->help || (has_line(rows) && described-- > 0))
			continue;
		n = snprintf(word, sizeof(word), "[--%s%s%s]", rows->name, rows->argname ? " " : "",
			     rows->argname ? rows->argname : "");
		if (column == 0 || column + (size_t)n + 1 > HELP_WIDTH) {
			if (out)
				fputs(column ? "\n   " : "   ", out);
			column = 3;
			lines++;
		}
		column += (size_t)n + 1;
		if (out)
			fprintf(out, " %s", word);
	}
	if (column && out)
		fputc('\n', out);
	return lines;
}

/* A command's help is one screen: what does not fit it is named, and described in the manual. */
static void print_options(const struct option_row *rows, int lines, FILE *out)
{
	int described = 0, left;

	for (const struct option_row *row = rows; row->name; row++)
		described += has_line(row);
	while (described > 0 && described + print_named_only(rows, described, NULL) > lines)
		described--;
	left = described;
	for (const struct option_row *row = rows; row->name; row++)
		if (has_line(row) && left-- > 0)
			print_option(row, out);
	print_named_only(rows, described, out);
}

void command_help(const struct client *cl, const struct command *cmd, FILE *out)
{
	fprintf(out, "%s %s%s%s%s\n", cl->program, cmd->name, cmd->options ? " [OPTIONS]" : "",
		cmd->operands[0] ? " " : "", cmd->operands);
	fprintf(out, "%s\n", cmd->summary ? cmd->summary : "not supported yet");
	if (!cmd->options)
		return;
	fputc('\n', out);
	print_options(cmd->options, SCREEN_LINES - 3, out);
}

void command_help_all(const struct client *cl, FILE *out)
{
	fprintf(out, "%s [OPTIONS] COMMAND [...]: OCI containers without a daemon\n\n", cl->program);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
	fputc('\n', out);
	for (const struct option_row *row = global_option_rows; row->name; row++)
		if (row->help)
			print_option(row, out);
	fprintf(out, "\n'%s help COMMAND' tells a command's options.\n", cl->program);
}

int command_failure_status(const struct client *cl, const struct command *cmd, const struct err *err)
{
	if (!cmd || !(cmd->needs & NEEDS_STDIO_RULES))
		return 1;
	/* runc's statuses: 255 for an exec that failed, 1 for all else, also for one whose line it cannot read. */
	if (cl->oci)
		return !strcmp(cmd->name, "exec") && cl->line_is_right ? 255 : 1;
	if (err->code == ERR_COMMAND_NOT_FOUND)
		return 127;
	return err->code == ERR_NOT_EXECUTABLE ? 126 : 125;
}
