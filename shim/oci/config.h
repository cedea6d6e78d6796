/* SPDX-License-Identifier: Apache-2.0 */
/* config.json as C structs. Filled by read.c, judged by check.c, freed by oci_config_free. Nothing here is ever changed later.
 *
 * Absent strings are NULL, absent lists have n = 0, absent numbers have their has_ flag false. Every string is a copy owned by
 * the config. Lists keep the order of the file. */
#ifndef THOLE_SHIM_OCI_CONFIG_H
#define THOLE_SHIM_OCI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/statedir.h"

#define OCI_CONFIG_MAX STATEDIR_CONFIG_MAX /* bytes of config.json */

struct oci_strings {
	size_t n;
	char **v; /* n strings and a NULL, so that it can be an argv; NULL when the field is absent */
};

/* Signed and unsigned numbers that may be absent. */
struct oci_i64 {
	bool set;
	int64_t v;
};
struct oci_u64 {
	bool set;
	uint64_t v;
};

enum oci_ns {
	OCI_NS_USER, /* the order in which they are joined: the seed's ipc, uts, net, pid, mnt, and user first when it owns the others */
	OCI_NS_IPC,
	OCI_NS_UTS,
	OCI_NS_NETWORK,
	OCI_NS_PID,
	OCI_NS_MOUNT,
	OCI_NS_CGROUP,
	OCI_NS_TIME,
	OCI_NS_COUNT,
};

struct oci_namespace {
	bool wanted; /* listed in linux.namespaces: new, or joined when path is set */
	char *path;
};

/* Ranges of ids: `size` of them from `container` on are those from `host` on. */
#define OCI_ID_MAPS_MAX 340       /* the kernel's */
#define OCI_ID_MAPS_TEXT_MAX 4096 /* bytes; it takes them in one write, of less than a page */
struct oci_id_map {
	uint32_t container, host, size;
};
struct oci_id_maps {
	size_t n;
	struct oci_id_map *v;
};

/* One word of mounts[].options, resolved: see the table in shim/oci/mount_options.c. */
struct oci_mount {
	char *destination; /* absolute and lexically clean */
	char *type;        /* NULL: a bind when an option says so */
	char *source;
	bool bind;                 /* "bind" or "rbind", or type "bind" */
	bool recursive;            /* "rbind" */
	unsigned long flags_set;   /* MS_* to set (MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, ...) */
	unsigned long flags_clear; /* MS_* named by their opposite (rw, suid, dev, exec, ...) */
	uint64_t rec_attr_set;     /* MOUNT_ATTR_* of rro, rnosuid, ... to set on the whole tree */
	uint64_t rec_attr_clear;   /* MOUNT_ATTR_* of rrw, rsuid, ... */
	unsigned long propagation; /* MS_PRIVATE, MS_SLAVE, ... | MS_REC, or 0 */
	bool tmpcopyup;            /* the tmpfs begins with what it covers */
	bool idmap;                /* "idmap" or "ridmap", or mappings are given */
	bool idmap_recursive;      /* "ridmap" */
	bool remount;              /* "remount": a change of an earlier entry, whose type, source and bind it has */
	bool remount_attrs;        /* with "bind": of the mount alone */
	struct oci_id_maps uid_maps, gid_maps; /* none: those of the container */
	char *data;                            /* what is left, joined by ",", for the file system; NULL when empty */
};

struct oci_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

struct oci_intel_rdt {
	bool set;
	char *clos_id; /* "/": the root group */
	char *l3_schema, *mb_schema;
	struct oci_strings schemata;
	bool monitoring;
};

struct oci_net_device {
	char *host_name;
	char *name; /* in the container; may have one "%d" for a number that is free */
};

struct oci_device {
	char *path; /* absolute and clean */
	char type;  /* 'c' (also for "u"), 'b', 'p' */
	int64_t major, minor;
	mode_t mode; /* 0666 when absent */
	uid_t uid;
	gid_t gid;
};

struct oci_device_rule {
	bool allow;
	char type;            /* 'a', 'c', 'b' */
	int64_t major, minor; /* -1: any */
	char access[4];       /* of "rwm", at least one */
};

struct oci_rlimit {
	int resource;        /* RLIMIT_* */
	struct rlimit limit; /* rlim_t is 64-bit unsigned: 2^64-1 is RLIM_INFINITY */
};

/* Of cpus or memory nodes. */
#define OCI_BITSET_MAX 1024
#define OCI_BITS_PER_LONG (8 * sizeof(unsigned long))
struct oci_bitset {
	bool set;
	unsigned long bits[OCI_BITSET_MAX / OCI_BITS_PER_LONG];
};

struct oci_scheduler {
	bool set;
	uint64_t policy; /* SCHED_* */
	int32_t nice;
	uint32_t priority;
	uint64_t flags; /* SCHED_FLAG_* */
	uint64_t runtime_ns, deadline_ns, period_ns;
};

struct oci_io_priority {
	bool set;
	uint64_t class; /* IOPRIO_CLASS_* */
	uint32_t priority;
};

struct oci_memory_policy {
	bool set;
	uint64_t mode, flags; /* MPOL_*, MPOL_F_* */
	struct oci_bitset nodes;
};

struct oci_personality {
	bool set;
	uint64_t domain; /* PER_* */
};

struct oci_caps {
	bool set; /* process.capabilities is there; when absent all five are empty */
	uint64_t bounding, effective, inheritable, permitted, ambient; /* 1 << CAP_x */
	struct oci_strings unknown;                                    /* names of a newer kernel's; each once */
};

struct oci_hook {
	char *path;
	struct oci_strings args; /* args[0] included; empty: { path } */
	struct oci_strings env;
	int timeout_s; /* 0: none */
};

struct oci_hooks {
	size_t n;
	struct oci_hook *v;
};

/* In the order in which they come in a container's life. */
enum oci_hook_kind {
	OCI_HOOK_PRESTART,         /* create, in the runtime's namespaces */
	OCI_HOOK_CREATE_RUNTIME,   /* the same, after them */
	OCI_HOOK_CREATE_CONTAINER, /* create, in the container's namespaces, before its root is entered */
	OCI_HOOK_START_CONTAINER,  /* start, in the container, before its program */
	OCI_HOOK_POSTSTART,
	OCI_HOOK_POSTSTOP,
	OCI_HOOKS,
};

struct oci_seccomp_arg {
	unsigned int index;
	uint64_t value, value_two;
	char *op; /* SCMP_CMP_EQ ... */
};

struct oci_seccomp_rule {
	struct oci_strings names;
	char *action; /* SCMP_ACT_... */
	struct oci_u64 errno_ret;
	size_t n_args;
	struct oci_seccomp_arg *args;
};

struct oci_seccomp {
	bool set;
	char *default_action;
	struct oci_u64 default_errno_ret;
	struct oci_strings architectures; /* SCMP_ARCH_... */
	struct oci_strings flags;         /* SECCOMP_FILTER_FLAG_... */
	char *listener_path;              /* absolute: a socket to which SCMP_ACT_NOTIFY's descriptor is sent */
	char *listener_metadata;
	size_t n_rules;
	struct oci_seccomp_rule *rules;
};

struct oci_weight_device {
	int64_t major, minor;
	struct oci_u64 weight, leaf_weight; /* 10 to 1000 */
};

struct oci_throttle_device {
	int64_t major, minor;
	uint64_t rate; /* bytes or operations a second */
};

enum oci_throttle_kind { OCI_READ_BPS, OCI_WRITE_BPS, OCI_READ_IOPS, OCI_WRITE_IOPS, OCI_THROTTLES };

struct oci_throttle {
	size_t n;
	struct oci_throttle_device *v;
};

struct oci_net_priority {
	char *name; /* of an interface */
	uint64_t priority;
};

struct oci_hugepage_limit {
	char *page_size; /* "2MB" */
	uint64_t limit;  /* bytes */
};

struct oci_rdma_limit {
	char *device;
	struct oci_u64 handles, objects;
};

struct oci_resources {
	size_t n_devices;
	struct oci_device_rule *devices;
	struct {
		struct oci_i64 limit, reservation, swap;
		struct oci_u64 swappiness;
		struct oci_i64 kernel, kernel_tcp; /* accepted and ignored with a debug line, as runc does */
		bool disable_oom_killer, disable_oom_killer_set;
		bool use_hierarchy_set, use_hierarchy;
		bool check_before_update;
	} memory;
	struct oci_i64 pids_limit; /* -1 (or less): max */
	struct {
		struct oci_u64 shares, period, burst, realtime_period;
		struct oci_i64 quota, realtime_runtime, idle;
		char *cpus, *mems;
	} cpu;
	struct {
		struct oci_u64 weight, leaf_weight;
		size_t n_weights;
		struct oci_weight_device *weights;
		struct oci_throttle throttle[OCI_THROTTLES];
	} block_io;
	struct {
		struct oci_u64 class_id;
		size_t n_priorities;
		struct oci_net_priority *priorities;
	} network;
	size_t n_hugepages;
	struct oci_hugepage_limit *hugepages;
	size_t n_rdma;
	struct oci_rdma_limit *rdma;
	struct oci_strings unified_keys, unified_values; /* file names of v2 and what is written to them; same n */
};

struct oci_process {
	bool terminal;
	bool has_console_size;
	uint32_t console_rows, console_columns;
	uid_t uid;
	gid_t gid;
	bool has_umask;
	mode_t umask;
	size_t n_additional_gids;
	gid_t *additional_gids;
	struct oci_strings args; /* at least one element once checked for start; create accepts none */
	struct oci_strings env;  /* K=V each */
	char *cwd;               /* absolute */
	struct oci_caps caps;
	size_t n_rlimits;
	struct oci_rlimit *rlimits;
	bool no_new_privileges;
	struct oci_i64 oom_score_adj;
	struct oci_scheduler scheduler;
	struct oci_io_priority io_priority;
	struct oci_bitset exec_affinity_initial,
		exec_affinity_final;            /* of exec'd processes, before and after the groups are joined */
	struct oci_memory_policy memory_policy; /* linux.memoryPolicy: here since each process sets it */
	struct oci_personality personality;     /* linux.personality */
	char *apparmor_profile;
	char *selinux_label;
};

struct oci_config {
	char *version;    /* ociVersion */
	bool has_process; /* process may be absent until start */
	struct oci_process process;
	char *root_path; /* as written: absolute, or relative to the bundle */
	bool root_readonly;
	char *hostname;
	char *domainname;
	size_t n_mounts;
	struct oci_mount *mounts;
	struct oci_hooks hooks[OCI_HOOKS];
	struct oci_strings annotation_keys, annotation_values; /* same n */
	/* linux */
	struct oci_namespace ns[OCI_NS_COUNT];
	struct oci_id_maps uid_maps, gid_maps;
	struct oci_time_offset monotonic, boottime;
	struct oci_intel_rdt intel_rdt;
	size_t n_net_devices;
	struct oci_net_device *net_devices;
	size_t n_devices;
	struct oci_device *devices;
	char *mount_label;  /* SELinux context of new file systems */
	char *cgroups_path; /* NULL: thole chooses */
	struct oci_resources resources;
	struct oci_seccomp seccomp;
	unsigned long rootfs_propagation; /* MS_* | MS_REC, 0: not set */
	struct oci_strings masked_paths, readonly_paths;
	struct oci_strings sysctl_keys, sysctl_values; /* same n; each key is in a namespace of the container's */
};

/* Parse `text` (len bytes, the content of config.json). Caller frees ret_config with oci_config_free. Errors are ERR_CONFIG (or
 * ERR_UNSUPPORTED for what is known but not done yet) with one line: "config.json: line 12, column 3: ..." when it is not JSON,
 * else the path of the field ("linux.resources.pids.limit: must be an integer"). Never crashes, whatever the text. */
int oci_config_parse(const char *text, size_t len, struct oci_config **ret_config, struct err *err);

/* Parse the text of a bare linux.resources object, for `update`. Caller frees with oci_resources_free. Errors as above, of "linux.resources....", and
 * "NAME: line 12, column 3: ..." when it is not JSON. Wants the same of it as of a config. */
int oci_resources_parse(const char *name, const char *text, size_t len, struct oci_resources **ret, struct err *err);
void oci_resources_free(struct oci_resources *r); /* accepts NULL */

/* The member "intelRdt" of such an object, which `update` puts there; ret is all zero without one. Caller releases. Errors of "linux.intelRdt....". */
int oci_intel_rdt_parse(const char *name, const char *text, size_t len, struct oci_intel_rdt *ret, struct err *err);
void oci_intel_rdt_release(struct oci_intel_rdt *r);

/* Everything that can be judged without touching the system: contradictions, ranges, duplicates, ociVersion (1.0.0 up to any 1.x).
 * Called by oci_config_parse as its last step. */
int oci_config_check(const struct oci_config *config, struct err *err);
int oci_resources_check(const struct oci_resources *r, struct err *err); /* part of the former */

/* Does it get a namespace of this kind that nobody has had before, rather than one that is joined or its caller's? */
bool oci_has_new_ns(const struct oci_config *config, enum oci_ns kind);

/* Does linux.timeOffsets say anything? */
bool oci_has_time_offsets(const struct oci_config *config);

/* Accepts NULL and half-built configs. */
void oci_config_free(struct oci_config *config);

#endif
