/* SPDX-License-Identifier: Apache-2.0 */
/* thole-keeper: holds a container's descriptors, and starts a shim when the one that it belongs to is gone. See keeper.h.
 *
 * Runs outside of the container, as the shim's user, with nothing but the descriptors that it is given. There is one for each container that has a terminal or an open stdin, so it
 * has no C library: some pages are all that it costs. What it hears comes from a shim; what does not parse is passed over. It is executed from the same sealed place as the shim. */
#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/stdio/keeper.h"

/* ---- the kernel -------------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall keeper_start\n");
#elif defined(__aarch64__)
static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl keeper_start\n");
#else
#error "thole-keeper knows the system calls of x86-64 and arm64"
#endif

#define FD_END (1 << 20) /* what the kernel allows by itself (fs.nr_open) */

#define CALL(nr, a, b, c, d) call6(__NR_##nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* The kernel's own, which its headers for programs do not have without a C library's. */
struct iovec_64 {
	void *base;
	unsigned long len;
};

struct msghdr_64 {
	void *name;
	int name_len;
	struct iovec_64 *iov;
	unsigned long n_iov;
	void *control;
	unsigned long control_len;
	unsigned int flags;
};

struct rights {
	unsigned long len;
	int level, type;
	int fd;
	int padding;
};

struct timespec_64 {
	long sec, nsec;
};

#define AF_UNIX 1
#define SOCK_SEQPACKET 5
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define MSG_NOSIGNAL 0x4000
#define MSG_DONTWAIT 0x40
#define MSG_CMSG_CLOEXEC 0x40000000
#define RIGHTS_LEN (offsetof(struct rights, fd) + sizeof(int))
#define SIGCHLD 17
#define WNOHANG 1
#define MINUS_EINTR (-4)
#define MINUS_EAGAIN (-11)
#define AT_EMPTY_PATH 0x1000

/* ---- what is held ------------------------------------------------------------------------------------------------------ */

/* A shim that cannot start, and one that ends again: not at once, and less and less often. */
#define DELAY_FIRST_MS 20
#define DELAY_MAX_MS 20000

struct held {
	uint32_t slot;
	int fd; /* -1: a place that is free */
};

struct keeper {
	int shim_fd; /* -1: it is gone */
	struct held held[KEEPER_HELD_MAX];
	int armed;
	int delay_ms;
	const char *root, *id;
	const char *path; /* of the socket that we listen on */
	char *const *env;
	uint64_t inode; /* of that */
};

static void leave(void) __attribute__((noreturn));
static void leave(void)
{
	for (;;)
		CALL(exit_group, 0, 0, 0, 0);
}

static void drop(int *fd)
{
	if (*fd >= 0)
		CALL(close, *fd, 0, 0, 0);
	*fd = -1;
}

static int send_word(int to, uint32_t word, uint32_t slot, int fd)
{
	struct keeper_message msg = { word, slot };
	struct iovec_64 iov = { &msg, sizeof(msg) };
	struct rights rights = { RIGHTS_LEN, SOL_SOCKET, SCM_RIGHTS, fd, 0 };
	struct msghdr_64 h = { 0 };

	h.iov = &iov;
	h.n_iov = 1;
	h.control = fd < 0 ? 0 : &rights;
	h.control_len = fd < 0 ? 0 : sizeof(rights);
	return CALL(sendmsg, to, &h, MSG_NOSIGNAL, 0) == sizeof(msg) ? 0 : -1;
}

static void close_slot(struct keeper *k, uint32_t slot)
{
	for (int i = 0; i < KEEPER_HELD_MAX; i++)
		if (k->held[i].slot == slot)
			drop(&k->held[i].fd);
}

/* Takes it. */
static void hold(struct keeper *k, uint32_t slot, int fd)
{
	for (int i = 0; i < KEEPER_HELD_MAX; i++)
		if (k->held[i].fd < 0) {
			k->held[i] = (struct held) { slot, fd };
			return;
		}
	drop(&fd);
}

static void hear(struct keeper *k, const struct keeper_message *msg, int fd)
{
	if (msg->word == KEEPER_HOLD && fd >= 0) {
		close_slot(k, msg->slot);
		hold(k, msg->slot, fd);
		return;
	}
	drop(&fd);
	if (msg->word == KEEPER_CLOSE)
		close_slot(k, msg->slot);
	else if (msg->word == KEEPER_ARM)
		k->armed = 1;
	else if (msg->word == KEEPER_END)
		leave();
}

/* One packet of the shim's; its end. */
static void from_shim(struct keeper *k)
{
	struct keeper_message msg = { 0, 0 };
	struct iovec_64 iov = { &msg, sizeof(msg) };
	struct rights rights = { 0, 0, 0, -1, 0 };
	struct msghdr_64 h = { 0 };
	long n;

	h.iov = &iov;
	h.n_iov = 1;
	h.control = &rights;
	h.control_len = sizeof(rights);
	n = CALL(recvmsg, k->shim_fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT, 0);
	if (n == MINUS_EINTR || n == MINUS_EAGAIN)
		return;
	if (n > 0) {
		hear(k, &msg,
		     h.control_len >= RIGHTS_LEN && rights.level == SOL_SOCKET && rights.type == SCM_RIGHTS ? rights.fd
													    : -1);
		return;
	}
	drop(&k->shim_fd);
	if (!k->armed)
		leave(); /* there is no container yet, and whoever comes cleans up */
	k->delay_ms = 0;
}

/* Only a shim can reach the socket: its directory is closed to others. Whoever came last has the lock. */
static void from_outside(struct keeper *k)
{
	int fd = (int)CALL(accept4, KEEPER_FD_LISTEN, 0, 0, 02000000 /* close-on-exec */);

	if (fd < 0)
		return;
	for (int i = 0; i < KEEPER_HELD_MAX; i++)
		if (k->held[i].fd >= 0 && send_word(fd, KEEPER_HOLD, k->held[i].slot, k->held[i].fd) < 0) {
			drop(&fd);
			return;
		}
	if (send_word(fd, KEEPER_ALL, 0, -1) < 0) {
		drop(&fd);
		return;
	}
	drop(&k->shim_fd);
	k->shim_fd = fd;
	k->delay_ms = 0;
}

/* ---- a new shim -------------------------------------------------------------------------------------------------------- */

/* As fd_close_range(): a filter may deny the call. */
static int let_go_at_exec(void)
{
	long r = CALL(close_range, KEEPER_FD_FREE, ~0U, CLOSE_RANGE_CLOEXEC, 0);

	if (r != -ENOSYS && r != -EPERM)
		return (int)r;
	for (int fd = KEEPER_FD_FREE; fd < FD_END; fd++)
		CALL(fcntl, fd, F_SETFD, FD_CLOEXEC, 0);
	return 0;
}

static void run_shim(const struct keeper *k) __attribute__((noreturn));
static void run_shim(const struct keeper *k)
{
	const char *argv[] = { "thole-shim", "--keeper-fd", "6", "--adopt", "--root", k->root, k->id, 0 };
	int pair[2], control;

	CALL(setsid, 0, 0, 0, 0);
	/* It is used to being asked by somebody: this one has nothing to say. What is beside it are its program's and ours; the first is executed. */
	if (CALL(socketpair, AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		leave();
	control = (int)CALL(fcntl, pair[0], F_DUPFD, KEEPER_FD_FREE, 0);
	drop(&pair[0]);
	if (control >= 0 && CALL(dup3, control, KEEPER_FD_SHIM, 0, 0) >= 0 &&
	    CALL(close, KEEPER_FD_LISTEN, 0, 0, 0) == 0 &&
	    CALL(fcntl, KEEPER_FD_SHIM_EXE, F_SETFD, FD_CLOEXEC, 0) == 0 && let_go_at_exec() == 0)
		call6(__NR_execveat, KEEPER_FD_SHIM_EXE, (long)"", (long)argv, (long)k->env, AT_EMPTY_PATH, 0);
	for (;;)
		CALL(exit_group, 127, 0, 0, 0);
}

static uint64_t inode_of(const char *path)
{
	struct statx st;

	return call6(__NR_statx, AT_FDCWD, (long)path, 0x100 /* do not follow */, STATX_INO, (long)&st, 0) == 0
		       ? st.stx_ino
		       : 0;
}

/* Removed by somebody who did not need us, or made anew by the next container of that name. */
static int is_removed(const struct keeper *k)
{
	return inode_of(k->path) != k->inode;
}

static void start_shim(struct keeper *k)
{
	long pid;

	if (is_removed(k))
		leave();
	pid = call6(__NR_clone, SIGCHLD, 0, 0, 0, 0, 0);
	if (pid == 0)
		run_shim(k);
	k->delay_ms = k->delay_ms == 0                 ? DELAY_FIRST_MS
		      : k->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS
						       : k->delay_ms * 2;
}

static void reap(void)
{
	while (call6(__NR_wait4, -1, 0, WNOHANG, 0, 0, 0) > 0)
		;
}

/* ---- all --------------------------------------------------------------------------------------------------------------- */

static void loop(struct keeper *k) __attribute__((noreturn));
static void loop(struct keeper *k)
{
	for (;;) {
		struct pollfd p[] = { { KEEPER_FD_LISTEN, POLLIN, 0 }, { k->shim_fd, POLLIN, 0 } };
		struct timespec_64 wait = { k->delay_ms / 1000, k->delay_ms % 1000 * 1000000L };
		long n = call6(__NR_ppoll, (long)p, 2, k->shim_fd < 0 ? (long)&wait : 0, 0, 0, 0);

		reap();
		if (n > 0 && k->shim_fd >= 0 && p[1].revents)
			from_shim(k);
		else if (n > 0 && p[0].revents)
			from_outside(k);
		else if (n == 0 && k->shim_fd < 0)
			start_shim(k);
	}
}

__attribute__((used, noreturn)) void keeper_start(long *stack);
void keeper_start(long *stack)
{
	struct keeper k;

	if (stack[0] != 4)
		leave();
	k.shim_fd = KEEPER_FD_SHIM;
	for (int i = 0; i < KEEPER_HELD_MAX; i++)
		k.held[i] = (struct held) { 0, -1 };
	k.armed = 0;
	k.delay_ms = 0;
	k.root = (const char *)stack[2];
	k.id = (const char *)stack[3];
	k.env = (char *const *)&stack[stack[0] + 2];
	k.path = (const char *)stack[4];
	k.inode = inode_of(k.path);
	/* Executed by descriptor, the kernel calls us by its number. */
	CALL(prctl, 15 /* PR_SET_NAME */, "thole-keeper", 0, 0);
	CALL(prctl, 4 /* PR_SET_DUMPABLE */, 0, 0, 0);
	loop(&k);
}
