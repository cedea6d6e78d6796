/* SPDX-License-Identifier: Apache-2.0 */
/* One operation of criu: `criu swrk`, a child of ours for just this, spoken to over a socketpair. */
#ifndef THOLE_SHIM_CHECKPOINT_CRIU_H
#define THOLE_SHIM_CHECKPOINT_CRIU_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "proto/criu.pb-c.h"

struct cgroup;
struct criu;
struct event_base;
struct keyring;
struct mapped_binds;

#define CRIU_FIRST_FD 4 /* as criu numbers what it inherits */
#define CRIU_FDS_MAX 32

/* Called from the loop. */
struct criu_ops {
	/* criu is at a point of its work and waits for criu_answer(). `what` is its own word for it; `fd` (-1: none) is the callee's. */
	void (*notify_cb)(void *arg, const char *what, pid_t pid, int fd);
	/* criu has ended. err NULL: it did what was asked. May free it. */
	void (*done_cb)(void *arg, const struct err *err);
};

/* What criu runs in. Everything is borrowed for the call. */
struct criu_program {
	const char *path;            /* absolute */
	const struct cgroup *cgroup; /* groups to be in, opened to be joined (cgroup_open_join); NULL: the shim's own */
	bool new_cgroup_ns; /* with those groups as its root: what is restored is born into it, since criu restores none */
	int cgroup_ns_fd;              /* or this one; -1: none */
	bool own_network;              /* it is in a network namespace of its own, with a loopback and nothing else */
	const struct keyring *keyring; /* which what is restored has from it; NULL: the shim's own */
	mode_t umask;                  /* of the files that it makes */
	const char *
		root; /* a directory that has to be a mount: bound to itself, in a mount namespace of criu's own; NULL: none */
	const struct mapped_binds *mapped; /* to be mounted there, too; NULL: none */
	bool own_mounts;        /* it may be in a mount namespace of its own without one, too: see kerndat.h */
	const int *close_first; /* what a child's copy would keep: the lock */
	size_t n_close_first;
	const int *fds; /* become CRIU_FIRST_FD and up */
	size_t n_fds;

	unsigned int timeout_s;  /* after which it is killed; 0: it may take as long as it likes */
	bool mounts_in_work_dir; /* it makes mounts in opts.work_dir_fd, which it has to see as its own namespace's */
	bool default_lock;       /* opts.network_lock is nobody's wish: a criu too old for it does without */
};

/* ERR_PERMISSION: this process is not root enough for it. */
int criu_check_privileges(struct err *err);

/* Start it, ask for its version and, where opts need one, for what it finds in the kernel, and then for `type` with `opts`: what is lacking is refused, by name, before it does anything. It
 * leads a process group of its own, which dies with it when it fails: no action script is left behind. ret is the caller's, to be freed with criu_free(); opts stay the caller's and are not
 * needed afterwards. images_dir_fd and work_dir_fd are numbers of this process, open until the end. */
int criu_start(struct event_base *base, const struct criu_program *program, CriuType type, CriuOpts *opts,
	       const struct criu_ops *ops, void *arg, struct criu **ret, struct err *err);

/* What a criu is and can do here. Starts it, and waits for it, at most some seconds. ERR_UNSUPPORTED: it is too old. */
struct criu_abilities {
	int version; /* 40201: 4.2.1 */
	bool mem_track, lazy_pages;
};
int criu_ask(const char *path, struct criu_abilities *ret, struct err *err);

/* Who it is, for whoever comes when both of us are killed: left.h. */
struct criu_left;
void criu_identify(const struct criu *k, struct criu_left *ret);

/* 40201 is 4.2.1; 0: it has not said yet. */
int criu_version(const struct criu *k);

/* After notify_cb: go on, or abort. */
void criu_answer(struct criu *k, bool go_on);

/* SIGKILL; done_cb comes with an error when it is dead. From "query-ext-files" to its answer to a dump it runs code in the processes that it dumps, and one of them may be left with a breakpoint that
 * nobody waits for (SIGTRAP): then rather criu_end_soon(). */
void criu_kill(struct criu *k);

/* Nobody wants it any more, and the next notify_cb answers so: it is killed only when it takes half a minute. */
void criu_end_soon(struct criu *k);

/* Accepts NULL. A criu that runs is killed, and not waited for. */
void criu_free(struct criu *k);

#endif
