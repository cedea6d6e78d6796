/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a checkpoint or a restore: the client's JSON, judged, and as fields of a request to criu. */
#ifndef THOLE_SHIM_CHECKPOINT_OPTIONS_H
#define THOLE_SHIM_CHECKPOINT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "proto/criu.pb-c.h"
#include "shim/oci/config.h"

#define CHECKPOINT_OPTIONS_MAX (64 << 10) /* bytes of the JSON */

struct checkpoint_options {
	char *criu; /* absolute path of the program */
	bool leave_running, drop_execs;
	bool set;        /* the directory is that of a set, which gets an image more */
	char *name;      /* the image's in it; NULL: its time */
	char *max_bytes; /* decimal: what the set may have; NULL: any */
	char *rootfs; /* how the files of the root come into it: "auto", "reflink", "copy"; NULL, "none": not at all */
	struct oci_strings include_binds; /* and the files of the binds there */
	char *files; /* of a restore: "restore" them, "keep" what is there, or "check" that it is what there was; NULL: none of it */
	bool stay; /* unless it goes on: it is kept without processes, and can be restored in place */
	bool tcp_established, tcp_close, tcp_skip_in_flight, shell_job, ext_unix_sk, file_locks, link_remap, auto_dedup;
	bool empty_network;
	bool pre_dump, lazy_pages;
	uint64_t pre_copy;                 /* at most so many pre-dumps before the dump, all in its image; 0: none */
	bool pre_copy_required;            /* and not without one word where the kernel cannot */
	char *parent_path, *page_server;   /* as the flags have them; NULL: none */
	uint64_t timeout_s;                /* 0: none */
	struct oci_strings veths;          /* HOST=CONT */
	char *cgroups_mode, *network_lock; /* words; NULL: not said */
	char *lsm_profile, *lsm_mount_context;
};

/* Parse the object in `text` (see "Checkpoint" in PROTOCOL.md). ERR_PROTOCOL: not one, or a member of another kind; ERR_USAGE: a word that is none. ret is released with
 * checkpoint_options_release(), after a failure too. */
int checkpoint_options_parse(const char *text, size_t len, struct checkpoint_options *ret, struct err *err);
/* Where the page server is; the address is the caller's to free, NULL: none is named. */
char *checkpoint_page_server(const struct checkpoint_options *o, int *ret_port);
void checkpoint_options_release(struct checkpoint_options *o);

struct mapped_binds;

/* A request in the making: what its pointers point to. Released with criu_plan_release(), which accepts one that is all zero. */
struct criu_plan {
	CriuOpts opts;
	const struct mapped_binds *mapped; /* of a restore, set before it is planned, borrowed; NULL: none */
	size_t n_mounts, n_inherit, n_external, n_join;
	CriuMountMap *mounts;
	CriuMountMap **mount_list;
	CriuInheritFd *inherit;
	CriuInheritFd **inherit_list;
	char **external;
	CriuJoinNs *join;
	CriuJoinNs **join_list;
	CriuPageServer page_server;
	size_t n_roots;
	CriuCgroupRoot *roots;
	CriuCgroupRoot **root_list;
	char *root, *freezer, *parent, *address;
};
void criu_plan_release(struct criu_plan *p);

struct cgroup;

/* Before anything is touched. ERR_UNSUPPORTED: by name, what of this config CRIU cannot bring back. */
int criu_plan_check(const struct oci_config *config, struct err *err);

/* For a dump of init, whose /proc/PID/root and /proc/PID/ns are looked at. */
int criu_plan_dump(struct criu_plan *p, const struct checkpoint_options *o, const struct oci_config *config, pid_t init,
		   const char *rootfs, const struct cgroup *cgroup, struct err *err);

/* For a restore below `rootfs`, where the mount points of binds are made that are missing. ret_fds, ret_n: namespaces to be inherited by criu, which come first; the caller's to close. */
int criu_plan_restore(struct criu_plan *p, const struct checkpoint_options *o, const struct oci_config *config,
		      const char *rootfs, const struct cgroup *cgroup, int *ret_fds, size_t *ret_n, struct err *err);

/* It is a pre-dump, or the dump, of --pre-copy. `goes_on`: from the one in the directory "parent" in its own. */
void criu_plan_pre_copy(struct criu_plan *p, bool goes_on);

/* What is known as `key` is outside, and stays there. */
void criu_plan_external(struct criu_plan *p, const char *key);

/* Is the lock on the network nobody's wish, but our own choice? */
bool criu_plan_default_lock(const struct checkpoint_options *o);

/* Has criu to be in a network namespace of its own for a restore, in which it makes the outer ends of pairs? Those are to be fetched then, and put into their bridges. */
bool criu_plan_own_network(const struct checkpoint_options *o, const struct oci_config *config);

/* criu is to give its descriptor `fd` to what is known in the image as `key`. */
void criu_plan_inherit(struct criu_plan *p, const char *key, int fd);

#endif
