/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a shim: from a sealed file, in a session of its own, with nothing of ours open but its socket and its log.
 *
 * We wait until the child has executed (CLONE_VFORK), and it only makes system calls and writes to its own struct, which both see. It is cloned into the
 * shims' group of cgroup v2 where that can be: to move there is to write to cgroup.procs, for which the kernel waits for an RCU grace period, some
 * 10 ms. Else it shares our memory (CLONE_VM: no page table is copied). All signals are blocked in it until just before: a handler of ours must
 * not run there. */
#include "client/shim_exec.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/path.h"
#include "common/sealed.h"
#include "common/statedir.h"

/* Numbers that the shim is promised (PROTOCOL.md). */
enum {
	SHIM_SOCKET_FD = 3,
	SHIM_LOG_FD = 4,
	SHIM_SEAL_FD = 5,
	SHIM_KEEPER_FD = 6,
	SHIM_CALLER_FD = 7,
	SHIM_FIRST_FREE_FD = 8
};

static const char *const mode_options[] = {
	[SHIM_LAUNCH] = "--launch", [SHIM_SERVE] = "--serve", [SHIM_EXEC] = "--exec",
	[SHIM_ADOPT] = "--adopt",   [SHIM_UNDO] = "--undo",
};

struct shim_child {
	int exe_fd, null_fd, sock_fd;
	int log_fd, seal_fd, keeper_fd; /* -1: none */
	int group_fd, caller_fd;        /* the v2 group that it is cloned into, and our own groups; -1: it has ours */
	bool orphan;
	char *argv[18];
	const char *failed; /* step of the child that failed, NULL: none */
	int sys_errno;
};

static int child_failed(struct shim_child *c, const char *step)
{
	c->sys_errno = errno;
	c->failed = step;
	_exit(127);
}

/* What was ignored or handled here, or by who has called us, is not so there: the shim itself decides. */
static void child_default_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A copy that is out of the way of all numbers that the shim is promised. */
static int child_move(struct shim_child *c, int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, SHIM_FIRST_FREE_FD);

	if (moved < 0)
		child_failed(c, "copy a descriptor for the shim");
	return moved;
}

static void child_place(struct shim_child *c, int fd, int number)
{
	if (dup2(fd, number) < 0)
		child_failed(c, "copy a descriptor for the shim");
}

/* Any of them may have a number that another is to get: first all out of the way. */
static void child_place_descriptors(struct shim_child *c)
{
	int exe_fd = child_move(c, c->exe_fd), null_fd = child_move(c, c->null_fd), sock_fd = child_move(c, c->sock_fd);
	int log_fd = c->log_fd < 0 ? -1 : child_move(c, c->log_fd);
	int seal_fd = c->seal_fd < 0 ? -1 : child_move(c, c->seal_fd);
	int keeper_fd = c->keeper_fd < 0 ? -1 : child_move(c, c->keeper_fd);
	int caller_fd = c->caller_fd < 0 ? -1 : child_move(c, c->caller_fd);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		child_place(c, null_fd, fd);
	child_place(c, sock_fd, SHIM_SOCKET_FD);
	if (fd_close_range(SHIM_LOG_FD, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		child_failed(c, "close the descriptors that are not for the shim");
	if (log_fd >= 0)
		child_place(c, log_fd, SHIM_LOG_FD);
	if (seal_fd >= 0)
		child_place(c, seal_fd, SHIM_SEAL_FD);
	if (keeper_fd >= 0)
		child_place(c, keeper_fd, SHIM_KEEPER_FD);
	if (caller_fd >= 0)
		child_place(c, caller_fd, SHIM_CALLER_FD);
	c->exe_fd = exe_fd;
}

static int child_exec(void *arg)
{
	struct shim_child *c = arg;

	if (setsid() < 0)
		child_failed(c, "make a session for the shim");
	child_place_descriptors(c);
	child_default_signals();
	syscall(SYS_execveat, c->exe_fd, "", c->argv, environ, AT_EMPTY_PATH);
	return child_failed(c, "execute the shim");
}

#define CHILD_STACK_SIZE (64 * 1024)

/* Returns -1 where the kernel or the group refuses it. */
static int clone_into_group(struct shim_child *c)
{
	struct clone_args args = { .flags = CLONE_VFORK | CLONE_INTO_CGROUP,
				   .exit_signal = SIGCHLD,
				   .cgroup = (uint64_t)c->group_fd };
	int pid = c->group_fd < 0 ? -1 : (int)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(child_exec(c));
	return pid;
}

/* The child of one that ends at once. */
static int child_orphan(void *arg)
{
	struct shim_child *c = arg;
	char stack[CHILD_STACK_SIZE / 2] __attribute__((aligned(16)));

	if (clone(child_exec, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, c) < 0)
		child_failed(c, "start the shim");
	_exit(0);
}

static int start_child(struct shim_child *c, pid_t *ret_pid, struct err *err)
{
	char stack[CHILD_STACK_SIZE] __attribute__((aligned(16)));
	sigset_t all, old;
	int pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = c->orphan ? -1 : clone_into_group(c);
	if (pid < 0)
		pid = clone(c->orphan ? child_orphan : child_exec, stack + sizeof(stack),
			    CLONE_VM | CLONE_VFORK | SIGCHLD, c);
	if (pid < 0)
		err_sys(err, "cannot start the shim");
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return -1;
	if (!c->failed && !c->orphan) {
		*ret_pid = pid;
		return 0;
	}
	proc_wait(pid);
	*ret_pid = 0;
	if (!c->failed)
		return 0;
	return err_sysno(err, c->sys_errno, "cannot %s", c->failed);
}

/* ret_dir: the directory of our own executable; caller frees. */
static int own_directory(char **ret_dir, struct err *err)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n < 0)
		return err_sys(err, "cannot read '/proc/self/exe'");
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	*ret_dir = xstrdup(path);
	return 0;
}

static int open_sealed(const char *path, bool brief, int *ret_fd, int *ret_seal_fd, struct err *err)
{
	return brief ? sealed_exe_copy(path, ret_fd, err) : sealed_exe_open(path, ret_fd, ret_seal_fd, err);
}

/* `what`: who has named it. */
static int open_named_shim(const char *what, const char *name, bool brief, int *ret_fd, int *ret_seal_fd,
			   char **ret_path, struct err *err)
{
	cleanup_free char *path = NULL;
	char cwd[PATH_MAX] = "";

	if (name[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return err_sys(err, "cannot find the current directory");
	path = path_join(cwd, name);
	if (open_sealed(path, brief, ret_fd, ret_seal_fd, err) < 0)
		return err_add(err, "%s", what);
	*ret_path = take_ptr(path);
	return 0;
}

static int open_shim(bool brief, int *ret_fd, int *ret_seal_fd, char **ret_path, struct err *err)
{
	static const char *const places[] = { "thole-shim", "../libexec/thole/thole-shim" };
	const char *named = getenv("THOLE_SHIM");
	cleanup_free char *dir = NULL;

	if (named && named[0])
		return open_named_shim("THOLE_SHIM", named, brief, ret_fd, ret_seal_fd, ret_path, err);
	if (own_directory(&dir, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup_free char *path = path_join(dir, places[i]);

		if (open_sealed(path, brief, ret_fd, ret_seal_fd, err) == 0) {
			*ret_path = take_ptr(path);
			return 0;
		}
		if (!err_is_sys(err, ENOENT) && !err_is_sys(err, ENOTDIR))
			return -1;
	}
	return err_set(err, ERR_NOT_FOUND, "cannot find thole-shim in '%s' or '%s/%s'", dir, dir, places[1]);
}

/* thole-keeper, beside the shim and sealed as it is. Without it there is none: what it would hold ends with the shim. */
static int open_keeper(const char *shim_path, int seal_fd)
{
	static const char name[] = "thole-keeper";
	cleanup_free char *up = path_join(shim_path, ".."), *joined = path_join(up, name), *path = path_clean(joined);
	struct err ignored;
	int fd = -1;

	if (seal_fd >= 0)
		return openat(seal_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return sealed_exe_copy(path, &fd, &ignored) < 0 ? -1 : fd;
}

int shim_program_open(const char *path, struct shim_program *ret, struct err *err)
{
	struct shim_program p = { -1, -1, -1 };
	cleanup_free char *found = NULL;
	int r = path ? open_named_shim("--shim", path, false, &p.exe_fd, &p.seal_fd, &found, err)
		     : open_shim(false, &p.exe_fd, &p.seal_fd, &found, err);

	if (r < 0)
		return -1;
	p.keeper_fd = open_keeper(found, p.seal_fd);
	*ret = p;
	return 0;
}

void shim_program_release(struct shim_program *p)
{
	fd_close(&p->exe_fd);
	fd_close(&p->seal_fd);
	fd_close(&p->keeper_fd);
}

int shim_become(const char *option, struct err *err)
{
	char *const argv[] = { (char *)"thole-shim", (char *)option, NULL };
	cleanup_fd int exe_fd = -1, seal_fd = -1;
	cleanup_free char *path = NULL;

	if (open_shim(true, &exe_fd, &seal_fd, &path, err) < 0)
		return -1;
	syscall(SYS_execveat, exe_fd, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(err, "cannot execute thole-shim");
}

/* Its errors come back as replies, and are said once, by us. What it has to say beside them goes where the user asked for it. */
static bool wants_log(const struct client *cl)
{
	return cl->global.log || cl->global.debug;
}

static void fill_argv(const struct client *cl, enum shim_mode mode, const char *id, struct shim_child *child)
{
	const char *format = cl->global.log_format;
	char **argv = child->argv;
	size_t n = 0;

	argv[n++] = (char *)"thole-shim";
	if (cl->global.debug)
		argv[n++] = (char *)"--debug";
	if (wants_log(cl)) {
		argv[n++] = (char *)"--log-fd";
		argv[n++] = (char *)"4";
	}
	if (child->seal_fd >= 0) {
		argv[n++] = (char *)"--seal-fd";
		argv[n++] = (char *)"5";
	}
	if (child->keeper_fd >= 0) {
		argv[n++] = (char *)"--keeper-fd";
		argv[n++] = (char *)"6";
	}
	if (child->caller_fd >= 0) {
		argv[n++] = (char *)"--caller-fd";
		argv[n++] = (char *)"7";
	}
	if (format) {
		argv[n++] = (char *)"--log-format";
		argv[n++] = (char *)format;
	}
	argv[n++] = (char *)mode_options[mode];
	argv[n++] = (char *)"--root";
	argv[n++] = cl->root_path;
	argv[n++] = (char *)id;
	argv[n] = NULL;
}

/* glibc keeps freed pieces of every size at hand for the thread that may want them again, and malloc_trim(3) leaves them: after a thousand
 * requests a shim would hold twice what it needs. There is no call against that, only this. A setting of the caller's stays. */
static void set_tunables(void)
{
	if (setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 0) < 0)
		fatal("out of memory");
}

/* The v2 group `name`, made if need be, where that hierarchy usually is. Anything unusual is for the shim itself. Returns -1 for that. */
static int open_group(const char *name)
{
	static const char *const mounts[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };
	struct statfs fs;

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		cleanup_free char *path = NULL;

		if (statfs(mounts[i], &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
			continue;
		path = xasprintf("%s%s", mounts[i], name);
		/* It stays, for all who come: whoever made it had a umask of his own. */
		if (mkdir(path, 0755) == 0)
			chmod(path, 0755);
		else if (errno != EEXIST)
			return -1;
		return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

/* The child may have a copy of our memory: what fails there is written where it is seen all the same. */
static int start_apart(const struct shim_child *what, pid_t *ret_pid, struct err *err)
{
	struct shim_child *child =
		mmap(NULL, sizeof(*child), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (child == MAP_FAILED)
		fatal("out of memory");
	*child = *what;
	r = start_child(child, ret_pid, err);
	munmap(child, sizeof(*child));
	return r;
}

int shim_exec(const struct client *cl, const struct shim_start *how, const char *id, int sock, pid_t *ret_pid,
	      struct err *err)
{
	cleanup_fd int exe_fd = -1, seal_fd = -1, keeper_fd = -1, null_fd = -1;
	cleanup_fd int group_fd = how->group ? open_group(how->group) : -1, caller_fd = -1;
	cleanup_free char *path = NULL;
	struct shim_child child;

	if (open_shim(how->brief, &exe_fd, &seal_fd, &path, err) < 0)
		return -1;
	if ((how->mode == SHIM_LAUNCH || how->mode == SHIM_ADOPT) && !how->brief)
		keeper_fd = open_keeper(path, seal_fd);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return err_sys(err, "cannot open '/dev/null'");
	if (group_fd >= 0)
		caller_fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	child = (struct shim_child) {
		.exe_fd = exe_fd,
		.null_fd = null_fd,
		.sock_fd = sock,
		.log_fd = wants_log(cl) ? log_fd() : -1,
		.seal_fd = seal_fd,
		.keeper_fd = keeper_fd,
		.group_fd = caller_fd < 0 ? -1 : group_fd,
		.caller_fd = caller_fd,
		.orphan = how->orphan,
	};
	set_tunables();
	fill_argv(cl, how->mode, id, &child);
	return child.group_fd < 0 ? start_child(&child, ret_pid, err) : start_apart(&child, ret_pid, err);
}
