/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about processes, from /proc and pidfds. A pid alone is never trusted: it comes with its start time. */
#ifndef THOLE_COMMON_PROC_H
#define THOLE_COMMON_PROC_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "common/err.h"

struct proc_stat {
	char state; /* R S D Z T ... (proc(5), field 3) */
	pid_t ppid, pgrp, session;
	unsigned int flags;  /* field 9, PF_ bits of the kernel's */
	int num_threads;     /* field 20; more than 1 in state Z: only the first thread has ended */
	uint64_t start_time; /* field 22, clock ticks since boot */
	int exit_status;     /* field 52, wait status of a zombie; 0 unless permitted by ptrace rules */
};

/* Read /proc/PID/stat. ERR_NOT_FOUND when there is no such process. */
int proc_stat(pid_t pid, struct proc_stat *ret, struct err *err);

/* Each process of this group, in no order, until one is what is looked for. False: none was. */
bool proc_group_any(pid_t pgrp, bool (*is_it)(pid_t pid, const struct proc_stat *st, void *arg), void *arg);

/* Does it wait in this function of the kernel's (proc(5), /proc/PID/wchan)? -1: the kernel does not tell. */
int proc_waits_in(pid_t pid, const char *function);

/* Its pid in its own pid namespace; 0 when it is gone. */
pid_t proc_inner_pid(pid_t pid);

/* Is it the first process of its pid namespace, with which all of that one end? */
bool proc_is_first(pid_t pid);

/* Inode of its pid namespace; 0: nobody can say. pid 0: of our own, also where /proc is that of another one. */
ino_t proc_pid_namespace(pid_t pid);

/* Who traces it, or one of its threads (ptrace(2)); 0: nobody whom this process's /proc shows, or there is no such process. */
pid_t proc_tracer(pid_t pid);

/* Is this process in a user namespace other than the host's own, where all ids are mapped, to themselves? */
bool proc_in_user_ns(void);

/* The boot id, 36 characters and NUL. */
#define PROC_BOOT_ID_SIZE 37
int proc_boot_id(char ret[PROC_BOOT_ID_SIZE], struct err *err);

/* pidfd_open(2), verified: the process behind it has this start time (0: any). ERR_NOT_FOUND when not. */
int proc_pidfd_open(pid_t pid, uint64_t start_time, int *ret_fd, struct err *err);

/* The pid behind a pidfd, as this process's /proc counts; ERR_GONE when it was reaped. */
int proc_pidfd_pid(int pidfd, pid_t *ret_pid, struct err *err);

/* Inode of a pidfd: unique for a boot from kernel 6.9 (pidfs); before, all share one and 0 is returned. */
uint64_t proc_pidfd_inode(int pidfd);

/* clone3(2). Where a filter denies it (ENOSYS, or EPERM as the profiles of older container managers have it), the same by clone(2); what that cannot do is ENOSYS then. Returns as fork(2)
 * does, with errno on failure. `args` without a stack and without a vfork: the child goes on here. */
struct clone_args;
pid_t proc_clone(const struct clone_args *args);

/* pidfd_send_signal(2). ESRCH comes as ERR_STATE. */
int proc_pidfd_kill(int pidfd, int sig, struct err *err);

/* Wait status of an ended process that is not our child: PIDFD_GET_INFO with PIDFD_INFO_EXIT (kernel 6.15), valid
 * once the pidfd says POLLHUP. ERR_UNSUPPORTED before 6.15. */
int proc_pidfd_exit_status(int pidfd, int *ret_wait_status, struct err *err);

/* waitpid(2) for a child of ours, again when a signal interrupts it: its wait status, or -1 with errno. Waits for its end. */
int proc_wait(pid_t pid);

/* waitid(2) with P_PIDFD and WEXITED, `options` beside it, again when a signal interrupts it: 0, or -1 with errno. ret_info is zeroed first, and stays so when with WNOHANG there is nothing
 * to tell. */
int proc_wait_pidfd(int pidfd, int options, siginfo_t *ret_info);

/* Is there anything of the process that still runs? False for a zombie, true when only its first thread has ended. */
static inline bool proc_stat_alive(const struct proc_stat *st)
{
	return (st->state != 'Z' && st->state != 'X') || st->num_threads > 1;
}

/* Has its end begun? */
static inline bool proc_stat_exiting(const struct proc_stat *st)
{
	return st->flags & 0x4; /* PF_EXITING */
}

/* Has it executed a program since it was cloned? */
static inline bool proc_stat_executed(const struct proc_stat *st)
{
	return !(st->flags & 0x40); /* PF_FORKNOEXEC */
}

/* Has it ended, or been sent a SIGKILL that it has not died of yet? Also when there is no such process. */
bool proc_is_dying(pid_t pid);

/* Signal number of "KILL", "SIGKILL", "9", "RTMIN+3", any case; -1 when it is none. "0" is 0: it reaches nobody, and says who can be reached. */
int proc_signal_number(const char *name);

/* "KILL", ...; "?" when it has no name of its own (real-time signals). Static storage. */
const char *proc_signal_name(int sig);

/* What a child that will be another program begins with: every signal does what it does by default, and none is blocked. -1 with errno: the mask. */
int proc_default_signals(void);

/* Block all signals but those that a fault of our own sends. */
int proc_block_signals(void);

/* The limits that would end a process which lives long and writes much, or what it writes: how long a file may be, how much time it may take. */
#define PROC_LIMITS 2
struct proc_limits {
	bool known;
	struct {
		int resource;
		struct rlimit caller;
	} v[PROC_LIMITS];
};

/* Raise our own as far as we may; ret_callers: what they were. */
void proc_limits_raise(struct proc_limits *ret_callers);

/* For a child that is somebody else's program: back to what they were; not known: nothing to do. -1 with errno. */
int proc_limits_give_back(const struct proc_limits *callers);

#endif
