/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about processes, from /proc and pidfds. */
#include "common/proc.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"

#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC 0x50494446 /* linux/magic.h, kernel 6.9 */
#endif

/* linux/pidfd.h of kernel 6.15; Debian 12's headers are older. */
struct pidfd_info_v2 {
	uint64_t mask;
	uint64_t cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_GET_INFO_V2 _IOWR(0xFF, 11, struct pidfd_info_v2)
#define PIDFD_INFO_EXIT_BIT (1ull << 3)

/* Numbers of the fields of /proc/PID/stat, as in proc(5). */
enum {
	STAT_STATE = 3,
	STAT_PPID = 4,
	STAT_PGRP = 5,
	STAT_SESSION = 6,
	STAT_FLAGS = 9,
	STAT_NUM_THREADS = 20,
	STAT_START_TIME = 22,
	STAT_EXIT_CODE = 52,
	STAT_FIELDS
};

/* By hand and not by sscanf(3): `list` does this for each container. The name in parentheses may
 * contain anything, also ") R 1". */
static bool parse_stat(char *text, struct proc_stat *ret)
{
	unsigned long long value[STAT_FIELDS] = { 0 };
	char *p = strrchr(text, ')');
	int field;

	if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
		return false;
	ret->state = p[2];
	p += 3;
	for (field = STAT_PPID; field < STAT_FIELDS && *p == ' '; field++) {
		char *end;

		value[field] = strtoull(p + 1, &end, 10); /* negative ones come out right by the casts below */
		if (end == p + 1)
			return false;
		p = end;
	}
	if (field <= STAT_START_TIME)
		return false;
	ret->ppid = (pid_t)value[STAT_PPID];
	ret->pgrp = (pid_t)value[STAT_PGRP];
	ret->session = (pid_t)value[STAT_SESSION];
	ret->flags = (unsigned int)value[STAT_FLAGS];
	ret->num_threads = (int)value[STAT_NUM_THREADS];
	ret->start_time = value[STAT_START_TIME];
	ret->exit_status = (int)value[STAT_EXIT_CODE];
	return true;
}

int proc_stat(pid_t pid, struct proc_stat *ret, struct err *err)
{
	char path[40], text[2048];
	cleanup_fd int fd = -1;
	struct proc_stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ESRCH))
		return err_set(err, ERR_NOT_FOUND, "no process %d", (int)pid);
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", path);
	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ESRCH)
		return err_set(err, ERR_NOT_FOUND, "no process %d", (int)pid);
	if (n < 0)
		return err_sys(err, "cannot read '%s'", path);
	text[n] = '\0';
	if (!parse_stat(text, &st))
		return err_set(err, ERR_INTERNAL, "'%s' does not parse", path);
	*ret = st;
	return 0;
}

bool proc_group_any(pid_t pgrp, bool (*is_it)(pid_t pid, const struct proc_stat *st, void *arg), void *arg)
{
	cleanup_dir DIR *dir = opendir("/proc");
	struct proc_stat st;
	struct err gone;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0 && proc_stat(pid, &st, &gone) == 0 && st.pgrp == pgrp && is_it(pid, &st, arg))
			return true;
	}
	return false;
}

int proc_waits_in(pid_t pid, const char *function)
{
	cleanup_free char *path = xasprintf("/proc/%d/wchan", (int)pid), *text = NULL;
	struct err ignored;

	if (fd_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) < 0 || !text[0] || !strcmp(text, "0"))
		return -1;
	return !strncmp(text, function, strlen(function)); /* compilers add to a name, as in "do_signal_stop.isra.0" */
}

bool proc_is_dying(pid_t pid)
{
	static const char *const pending[] = { "\nSigPnd:\t", "\nShdPnd:\t" };
	cleanup_free char *path = xasprintf("/proc/%d/status", (int)pid), *text = NULL;
	struct proc_stat st;
	struct err err;

	if (fd_read_file_at(AT_FDCWD, path, 65536, &text, &err) < 0)
		return err_is_sys(&err, ENOENT) || err_is_sys(&err, ESRCH);
	for (size_t i = 0; i < ARRAY_SIZE(pending); i++) {
		const char *at = strstr(text, pending[i]);

		if (at && strtoull(at + strlen(pending[i]), NULL, 16) & (1ULL << (SIGKILL - 1)))
			return true;
	}
	/* Read last: from a pending signal to the end of the process there is no way back. */
	if (proc_stat(pid, &st, &err) < 0)
		return err.code == ERR_NOT_FOUND;
	return !proc_stat_alive(&st) || proc_stat_exiting(&st);
}

pid_t proc_inner_pid(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/status", (int)pid), *text = NULL;
	const char *line, *last;
	struct err ignored;

	if (fd_read_file_at(AT_FDCWD, path, 65536, &text, &ignored) < 0 || !(line = strstr(text, "\nNSpid:")))
		return 0;
	text[line + 1 - text + (ptrdiff_t)strcspn(line + 1, "\n")] = '\0';
	last = strrchr(line, '\t');
	return last ? (pid_t)strtol(last, NULL, 10) : 0;
}

bool proc_is_first(pid_t pid)
{
	return proc_inner_pid(pid) == 1;
}

ino_t proc_pid_namespace(pid_t pid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return stat(pid ? path : "/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

pid_t proc_tracer(pid_t pid)
{
	cleanup_free char *tasks = xasprintf("/proc/%d/task", (int)pid);
	cleanup_dir DIR *dir = opendir(tasks);
	struct dirent *e;
	pid_t tracer = 0;

	while (tracer == 0 && dir && (e = readdir(dir))) {
		cleanup_free char *path = xasprintf("%s/status", e->d_name), *text = NULL;
		const char *line = NULL;
		struct err gone;

		if (e->d_name[0] != '.' && fd_read_file_at(dirfd(dir), path, 65536, &text, &gone) == 0)
			line = strstr(text, "\nTracerPid:");
		tracer = line ? (pid_t)atoi(line + strlen("\nTracerPid:")) : 0;
	}
	return tracer;
}

bool proc_in_user_ns(void)
{
	cleanup_free char *text = NULL;
	unsigned int inside, outside, n;
	struct err ignored;

	return fd_read_file_at(AT_FDCWD, "/proc/self/uid_map", 65536, &text, &ignored) == 0 &&
	       !(sscanf(text, "%u %u %u", &inside, &outside, &n) == 3 && inside == 0 && outside == 0 && n == ~0u);
}

int proc_boot_id(char ret[PROC_BOOT_ID_SIZE], struct err *err)
{
	cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "cannot open the boot id");
	n = fd_read_full(fd, text, sizeof(text), err);
	if (n < 0)
		return -1;
	if (n < PROC_BOOT_ID_SIZE - 1)
		return err_set(err, ERR_INTERNAL, "the boot id is too short");
	memcpy(ret, text, PROC_BOOT_ID_SIZE - 1);
	ret[PROC_BOOT_ID_SIZE - 1] = '\0';
	return 0;
}

int proc_pidfd_open(pid_t pid, uint64_t start_time, int *ret_fd, struct err *err)
{
	cleanup_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct proc_stat st;

	/* ESRCH: free. EINVAL, and ENOENT from 6.15: a thread's number by now, or just being reaped. */
	if (fd < 0 && (errno == ESRCH || errno == EINVAL || errno == ENOENT))
		return err_set(err, ERR_NOT_FOUND, "no process %d", (int)pid);
	if (fd < 0)
		return err_call(err, "pidfd_open", "cannot open a pidfd of process %d", (int)pid);
	/* Read after the open: what /proc says now is about the process that the pidfd holds, unless it has ended. */
	if (start_time) {
		if (proc_stat(pid, &st, err) < 0)
			return -1;
		if (st.start_time != start_time)
			return err_set(err, ERR_NOT_FOUND, "process %d is another one by now", (int)pid);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

/* What CLONE_INTO_CGROUP would have done. The child has the descriptor too. */
static void child_enter_cgroup(int cgroup_fd)
{
	cleanup_fd int fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(1);
}

pid_t proc_clone(const struct clone_args *args)
{
	uint64_t flags = args->flags & ~(uint64_t)(CLONE_INTO_CGROUP | CLONE_PARENT_SETTID);
	pid_t pid = (pid_t)syscall(SYS_clone3, args, sizeof(*args));

	if (pid >= 0 || (errno != ENOSYS && errno != EPERM))
		return pid;
	/* Its lowest byte is the signal's there: a new time namespace has no bit. */
	if (flags & CSIGNAL) {
		errno = ENOSYS;
		return -1;
	}
	/* The order of the last two differs between machines; neither is used. */
	pid = (pid_t)syscall(SYS_clone, flags | args->exit_signal, NULL, (void *)(uintptr_t)args->pidfd, NULL, NULL);
	if (pid == 0 && (args->flags & CLONE_INTO_CGROUP))
		child_enter_cgroup((int)args->cgroup);
	/* It has one pointer for both, and the pidfd has taken it. */
	if (pid > 0 && (args->flags & CLONE_PARENT_SETTID))
		*(pid_t *)(uintptr_t)args->parent_tid = pid;
	return pid;
}

int proc_pidfd_pid(int pidfd, pid_t *ret_pid, struct err *err)
{
	cleanup_free char *text = NULL;
	const char *line;
	char path[48];
	long pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (fd_read_file_at(AT_FDCWD, path, 4096, &text, err) < 0)
		return -1;
	line = strstr(text, "\nPid:");
	pid = line ? strtol(line + strlen("\nPid:"), NULL, 10) : -1;
	if (pid <= 0)
		return err_set(err, ERR_GONE, "the process has ended");
	*ret_pid = (pid_t)pid;
	return 0;
}

uint64_t proc_pidfd_inode(int pidfd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(pidfd, &fs) < 0 || fs.f_type != PID_FS_MAGIC || fstat(pidfd, &st) < 0)
		return 0;
	return st.st_ino;
}

int proc_pidfd_kill(int pidfd, int sig, struct err *err)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) == 0)
		return 0;
	if (errno == ESRCH)
		return err_set(err, ERR_STATE, "the process has already ended");
	return err_call(err, "pidfd_send_signal", "cannot send signal %d", sig);
}

int proc_pidfd_exit_status(int pidfd, int *ret_wait_status, struct err *err)
{
	struct pidfd_info_v2 info = { .mask = PIDFD_INFO_EXIT_BIT };
	int r = ioctl(pidfd, PIDFD_GET_INFO_V2, &info);

	if (r < 0 && errno == EBADF)
		return err_sys(err, "cannot ask for the exit status");
	if (r < 0)
		return err_set(err, ERR_UNSUPPORTED, "this kernel does not tell the exit status of a pidfd");
	if (!(info.mask & PIDFD_INFO_EXIT_BIT))
		return err_set(err, ERR_STATE, "the exit status is not known yet");
	*ret_wait_status = info.exit_code;
	return 0;
}

int proc_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

int proc_wait_pidfd(int pidfd, int options, siginfo_t *ret_info)
{
	int r;

	*ret_info = (siginfo_t) { 0 };
	do
		r = waitid(P_PIDFD, (id_t)pidfd, ret_info, WEXITED | options);
	while (r < 0 && errno == EINTR);
	return r;
}

/* Names that the C library does not give back for their numbers. */
static const struct {
	const char *name;
	int sig;
} signal_aliases[] = {
	{ "IOT", SIGABRT },
	{ "CLD", SIGCHLD },
	{ "IO", SIGIO },
};

/* "RTMIN", "RTMIN+3", "RTMAX-1". */
static int realtime_number(const char *name)
{
	int base = strncasecmp(name, "RTMIN", 5) ? SIGRTMAX : SIGRTMIN;
	char *end;
	long n;

	name += 5;
	if (!name[0])
		return base;
	if (name[0] != '+' && name[0] != '-')
		return -1;
	n = strtol(name, &end, 10);
	if (*end || end == name || n < SIGRTMIN - base || n > SIGRTMAX - base)
		return -1;
	return base + (int)n;
}

int proc_signal_number(const char *name)
{
	if (name[0] >= '0' && name[0] <= '9') {
		char *end;
		unsigned long n = strtoul(name, &end, 10);

		return *end || n > (unsigned long)SIGRTMAX ? -1 : (int)n;
	}
	if (!strncasecmp(name, "SIG", 3))
		name += 3;
	if (!strncasecmp(name, "RTMIN", 5) || !strncasecmp(name, "RTMAX", 5))
		return realtime_number(name);
	for (size_t i = 0; i < ARRAY_SIZE(signal_aliases); i++)
		if (!strcasecmp(name, signal_aliases[i].name))
			return signal_aliases[i].sig;
	for (int sig = 1; sig < SIGRTMIN; sig++) {
		const char *s = sigabbrev_np(sig);

		if (s && !strcasecmp(s, name))
			return sig;
	}
	return -1;
}

const char *proc_signal_name(int sig)
{
	const char *s = sig > 0 && sig < SIGRTMIN ? sigabbrev_np(sig) : NULL;

	return s ? s : "?";
}

int proc_default_signals(void)
{
	sigset_t none;

	/* SIGKILL, SIGSTOP and those that the C library keeps for itself refuse. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

int proc_block_signals(void)
{
	static const int faults[] = { SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS };
	uint64_t set = ~UINT64_C(0);

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		set &= ~(UINT64_C(1) << (faults[i] - 1));
	/* The C library would leave out two that it keeps for itself. */
	return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL, sizeof(set));
}

/* Who may not raise the hard limit has as much as that. */
static void raise_soft(int resource, struct rlimit *callers)
{
	if (getrlimit(resource, callers) == 0)
		setrlimit(resource, &(struct rlimit) { callers->rlim_max, callers->rlim_max });
}

void proc_limits_raise(struct proc_limits *ret_callers)
{
	static const int resources[PROC_LIMITS] = { RLIMIT_FSIZE, RLIMIT_CPU };
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	for (size_t i = 0; i < PROC_LIMITS; i++) {
		ret_callers->v[i].resource = resources[i];
		ret_callers->v[i].caller = none;
		if (prlimit(0, resources[i], &none, &ret_callers->v[i].caller) < 0)
			raise_soft(resources[i], &ret_callers->v[i].caller);
	}
	ret_callers->known = true;
}

int proc_limits_give_back(const struct proc_limits *callers)
{
	for (size_t i = 0; callers->known && i < PROC_LIMITS; i++) {
		const struct rlimit *r = &callers->v[i].caller;

		/* Nothing was raised above that. */
		if (r->rlim_cur != RLIM_INFINITY && prlimit(0, callers->v[i].resource, r, NULL) < 0)
			return -1;
	}
	return 0;
}
