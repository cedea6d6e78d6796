/* SPDX-License-Identifier: Apache-2.0 */
/* One program of a shim after the other, in the same process.
 *
 * execve(2) keeps the process, its children (the container's first process among them), its locks and whichever descriptors are not close-on-exec. All of ours always are, so that nothing
 * leaks to those whom we start; they are not for the moment of this execve alone. Until upgrade_over() the program that was there before can be executed again: no stream has been
 * read, nothing outside been changed, and every descriptor is as it was left. */
#include "shim/upgrade.h"

#include <event2/event.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/statedir.h"
#include "shim/container/container.h"
#include "shim/stdio/saved.h"

#define ARGS_MAX 20
#define NUMBER_MAX 16

/* ---- executing ------------------------------------------------------------------------------------------------------------- */

struct args {
	size_t n, n_numbers;
	char *v[ARGS_MAX];
	char numbers[4][NUMBER_MAX];
};

static void add(struct args *a, const char *word)
{
	a->v[a->n++] = (char *)word;
}

static void add_fd(struct args *a, const char *option, int fd)
{
	char *number = a->numbers[a->n_numbers];

	if (fd < 0)
		return;
	a->n_numbers++;
	snprintf(number, NUMBER_MAX, "%d", fd);
	add(a, option);
	add(a, number);
}

/* Last, as a shim's arguments always end. */
static void add_container(struct args *a, const struct shim *shim)
{
	if (shim->debug)
		add(a, "--debug");
	add(a, "--upgraded");
	add(a, "--root");
	add(a, shim->root_path);
	add(a, shim->id);
	add(a, NULL);
}

static int keep_fd(void *arg, int fd)
{
	return fd >= 0 ? fd_set_cloexec(fd, false, arg) : 0;
}

static void close_all_on_exec(void)
{
	fd_close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

static int keep_all(const struct server_upgrade *u, int old_fd, struct err *err)
{
	const int fds[] = { u->state_fd, u->mount_fd, u->keeper_fd, old_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (keep_fd(err, fds[i]) < 0)
			return -1;
	return saved_each_fd(u->state, keep_fd, err);
}

int upgrade_execute(const struct shim *shim, const struct server_upgrade *u, struct err *err)
{
	cleanup_fd int old_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	struct args args = { 0 };

	if (old_fd < 0)
		return err_sys(err, "cannot open '/proc/self/exe'");
	add(&args, "thole-shim");
	add_fd(&args, "--state-fd", u->state_fd);
	add_fd(&args, "--old-fd", old_fd);
	add_fd(&args, "--seal-fd", u->mount_fd);
	add_fd(&args, "--keeper-fd", u->keeper_fd);
	add_container(&args, shim);
	if (keep_all(u, old_fd, err) == 0) {
		syscall(SYS_execveat, u->exe_fd, "", args.v, environ, AT_EMPTY_PATH);
		err_sys(err, "cannot execute the new shim");
	}
	close_all_on_exec();
	return -1;
}

void upgrade_go_back(const struct shim *shim, const struct err *why)
{
	struct args args = { 0 };
	struct err err;

	if (shim->old_fd < 0)
		return;
	add(&args, "thole-shim");
	add_fd(&args, "--state-fd", shim->state_fd);
	add(&args, "--because");
	add(&args, why->text);
	add_container(&args, shim);
	/* What came with us is not for the old one. */
	if (shim->seal_fd >= 0)
		fd_set_cloexec(shim->seal_fd, true, &err);
	if (shim->keeper_came)
		fd_set_cloexec(shim->keeper_fd, true, &err);
	if (fd_set_cloexec(shim->old_fd, true, &err) == 0)
		syscall(SYS_execveat, shim->old_fd, "", args.v, environ, AT_EMPTY_PATH);
}

/* ---- a crash --------------------------------------------------------------------------------------------------------------- */

#define CRASH_STACK_SIZE (64 << 10)

static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

/* At the bottom of the handler's own stack, where the handler finds it: nothing is file-level. */
struct upgrade_guard {
	const struct shim *shim;
	stack_t stack_before;
	struct sigaction before[ARRAY_SIZE(crashes)];
};

/* Goes back from within: what that calls allocates nothing. When there is no way back the signal comes again, and ends us. */
static void crash_cb(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *c = context;
	const struct upgrade_guard *guard = c->uc_stack.ss_sp;
	struct err why;

	err_set(&why, ERR_INTERNAL, "it has crashed (SIG%s)", proc_signal_name(sig));
	upgrade_go_back(guard->shim, &why);
}

int upgrade_guard(struct shim *shim, struct err *err)
{
	const struct sigaction action = { .sa_sigaction = crash_cb,
					  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESETHAND };
	stack_t stack = { .ss_size = CRASH_STACK_SIZE };

	if (shim->old_fd < 0)
		return 0;
	stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return err_sys(err, "cannot map a stack");
	shim->guard = stack.ss_sp;
	shim->guard->shim = shim;
	if (sigaltstack(&stack, &shim->guard->stack_before) < 0)
		return err_sys(err, "cannot set up a stack for signals");
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		if (sigaction(crashes[i], &action, &shim->guard->before[i]) < 0)
			return err_sys(err, "cannot set up signals");
	return 0;
}

static void end_guard(struct upgrade_guard *guard)
{
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		sigaction(crashes[i], &guard->before[i], NULL);
	sigaltstack(&guard->stack_before, NULL);
	munmap(guard, CRASH_STACK_SIZE);
}

/* ---- going on -------------------------------------------------------------------------------------------------------------- */

static int read_state(int fd, Saved__Shim **ret, struct err *err)
{
	cleanup_free char *data = NULL;
	size_t len;

	if (fd < 0)
		return err_set(err, ERR_USAGE, "there is no state");
	/* Whoever tries one out may have it in a plain file. */
	if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_all(fd, SAVED_MAX, &data, &len, err) < 0)
		return err_add(err, "the state of the shim");
	return saved_unpack(data, len, ret, err);
}

static int is_open(void *arg, int fd)
{
	struct err *err = arg;

	return fcntl(fd, F_GETFD) >= 0 ? 0 : err_sys(err, "descriptor %d of the state of the shim", fd);
}

int upgrade_read(struct shim *shim, struct err *err)
{
	if (read_state(shim->state_fd, &shim->saved, err) < 0 || saved_each_fd(shim->saved, is_open, err) < 0)
		return -1;
	shim->root_fd = saved_to_fd(shim->saved->root_fd);
	return 0;
}

/* The program of the keeper that there was: another one has come with us. */
static void close_old_keeper(const Saved__Keeper *s)
{
	int fd = saved_to_fd(s->exe_fd);

	fd_close(&fd);
}

void upgrade_over(struct shim *shim)
{
	/* Whatever is open: a later version's descriptors too, which we know nothing of. */
	close_all_on_exec();
	fd_close(&shim->state_fd);
	fd_close(&shim->old_fd);
	if (shim->guard)
		end_guard(shim->guard);
	shim->guard = NULL;
	if (shim->keeper_came)
		close_old_keeper(shim->saved->container->keeper);
	saved_free(shim->saved);
	shim->saved = NULL;
	container_resumed(shim->container, !shim->because && shim->keeper_came);
	if (shim->because)
		log_warn("container '%s': an upgrade has failed: %s", shim->id, shim->because);
	server_resumed(shim->server, shim->because);
}

/* ---- trying it out --------------------------------------------------------------------------------------------------------- */

static int check(struct shim *shim, struct err *err)
{
	const struct container_ops ops = { 0 };

	if (statedir_check_id(shim->id, err) < 0 || read_state(shim->state_fd, &shim->saved, err) < 0 ||
	    statedir_open_root(shim->root_path, false, &shim->root_fd, err) < 0)
		return -1;
	shim->base = event_base_new();
	if (!shim->base)
		return err_set(err, ERR_SYS, "cannot make an event loop");
	shim->container = container_new(shim->base, shim->root_fd, shim->id, &ops, shim);
	return container_check_saved(shim->container, shim->saved->container, err);
}

int upgrade_check(struct shim *shim)
{
	struct err err;

	if (check(shim, &err) < 0) {
		printf("thole-shim: %s\n", err.text);
		return 1;
	}
	printf("thole-shim can go on: version %s\n", THOLE_VERSION);
	return 0;
}
