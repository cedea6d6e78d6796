/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting with next to nothing in memory.
 *
 * A static program counts all of its text as its own as long as nobody else runs it: 1.2 MiB for a shim that only sleeps. Dropped pages come back at the first
 * call, 16 at a time, so the sleep itself must be the last thing that happens: one function that calls nothing. */
#include "shim/idle.h"

#include <event2/event.h>
#include <link.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"

#define SEGMENTS_MAX 8

/* So much of the stack below this function is given back: what has called deeper has left it there. Nothing else can be so near: the kernel keeps a
 * gap of a megabyte below every stack. */
#define STACK_BYTES (256u << 10)
#define STACK_KEPT_BYTES 4096u /* below the frame: what the compiler may have put there */

int idle_find_epoll(int expected)
{
	char link[40], target[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", expected);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -1;
	target[n] = '\0';
	return strcmp(target, "anon_inode:[eventpoll]") == 0 ? expected : -1;
}

static int timer_pending_cb(const struct event_base *base, const struct event *ev, void *arg)
{
	return event_pending(ev, EV_TIMEOUT, NULL) ? 1 : 0;
}

bool idle_has_work(struct event_base *base)
{
	return event_base_get_num_events(base, EVENT_BASE_COUNT_ACTIVE) > 0 ||
	       event_base_foreach_event(base, timer_pending_cb, NULL) != 0;
}

struct segments {
	size_t n;
	struct {
		uintptr_t at;
		size_t len;
	} v[SEGMENTS_MAX];
};

static int collect_cb(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct segments *s = arg;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; i < info->dlpi_phnum && s->n < ARRAY_SIZE(s->v); i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t at = (info->dlpi_addr + ph->p_vaddr) & ~(page - 1);

		if (ph->p_type != PT_LOAD || (ph->p_flags & PF_W))
			continue;
		s->v[s->n].at = at;
		s->v[s->n++].len = info->dlpi_addr + ph->p_vaddr + ph->p_memsz - at;
	}
	return 1; /* the program itself comes first, and is all of it when it is static */
}

#ifdef __x86_64__
/* A system call without the C library's function, whose page would be dropped and come back with its neighbours. */
static inline long raw_syscall(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}

#define drop_pages(at, len) raw_syscall(SYS_madvise, (long)(at), (long)(len), MADV_DONTNEED)
#define wait_for(pfd) raw_syscall(SYS_poll, (long)(pfd), 1, -1)
#else
#define drop_pages(at, len) madvise((void *)(at), (len), MADV_DONTNEED)
#define wait_for(pfd) poll((pfd), 1, -1)
#endif

static __attribute__((noinline)) void drop_and_wait(const struct segments *s, struct pollfd *pfd)
{
	uintptr_t page = 4096, here = (uintptr_t)__builtin_frame_address(0) - STACK_KEPT_BYTES;

	drop_pages((here & ~(page - 1)) - STACK_BYTES, STACK_BYTES);
	for (size_t i = 0; i < s->n; i++)
		drop_pages(s->v[i].at, s->v[i].len);
	wait_for(pfd);
}

void idle_drop(void)
{
	struct segments s = { .n = 0 };

	dl_iterate_phdr(collect_cb, &s);
	for (size_t i = 0; i < s.n; i++)
		madvise((void *)s.v[i].at, s.v[i].len, MADV_DONTNEED);
}

void idle_wait(int epoll_fd)
{
	struct pollfd pfd = { .fd = epoll_fd, .events = POLLIN };
	struct segments s = { .n = 0 };

	dl_iterate_phdr(collect_cb, &s);
	drop_and_wait(&s, &pfd);
}
