/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing from the kernel that a container lacks memory, or has lacked it. Runs in the shim. */
#include "shim/sandbox/cgroup_notice.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "common/fd.h"
#include "shim/sandbox/cgroup_internal.h"

/* What a file of the memory controller says; NULL: nothing. Caller frees. */
static char *memory_file(const struct cgroup *cg, const char *v1_name, const char *v2_name)
{
	const struct hierarchy *v1 = cgroup_find(cg, "memory"), *h = v1 ? v1 : cgroup_find_v2(cg);
	cleanup_free char *path = h ? xasprintf("%s/%s", h->dir, v1 ? v1_name : v2_name) : NULL;
	struct err ignored;
	char *text;

	return path && fd_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) == 0 ? text : NULL;
}

uint64_t cgroup_oom_kills(const struct cgroup *cg)
{
	cleanup_free char *text = memory_file(cg, "memory.oom_control", "memory.events");
	const char *line = text ? strstr(text, "oom_kill ") : NULL;

	return line ? strtoull(line + strlen("oom_kill "), NULL, 10) : 0;
}

uint64_t cgroup_memory_limit(const struct cgroup *cg)
{
	cleanup_free char *text = memory_file(cg, "memory.limit_in_bytes", "memory.max");

	return text && text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, 10) : UINT64_MAX;
}

static const struct {
	const char *v1, *v2;
} levels[] = {
	[PRESSURE_NONE] = { NULL, NULL },
	[PRESSURE_LOW] = { "low", "some 50000 1000000" },
	[PRESSURE_MEDIUM] = { "medium", "some 150000 1000000" },
	[PRESSURE_CRITICAL] = { "critical", "full 400000 1000000" },
};

static int open_file(const struct hierarchy *h, const char *name, int flags, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/%s", h->dir, name);
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? err_sys(err, "cannot open '%s'", path) : fd;
}

/* v1: "EVENTFD FILE [ARGUMENT]" into cgroup.event_control. The kernel keeps what it needs of the file. */
static int open_v1(const struct hierarchy *h, const char *file, const char *argument, struct cgroup_notice *ret,
		   struct err *err)
{
	cleanup_fd int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), control = open_file(h, file, O_RDONLY, err);
	char text[64];

	if (control < 0)
		return -1;
	if (event < 0)
		return err_sys(err, "cannot make an eventfd");
	snprintf(text, sizeof(text), "%d %d%s%s", event, control, argument ? " " : "", argument ? argument : "");
	if (cgroup_write(h, file, "cgroup.event_control", text, err) < 0)
		return -1;
	ret->fd = take_fd(&event);
	return 0;
}

static int open_memory_events(const struct hierarchy *h, struct cgroup_notice *ret, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/memory.events", h->dir);
	cleanup_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return err_sys(err, "cannot watch '%s'", path);
	ret->fd = take_fd(&fd);
	return 0;
}

/* A trigger lives as long as the descriptor by which it was set, and shows as EPOLLPRI, which not every event loop can wait for: so it goes into an epoll set of its own,
 * which is readable then. */
static int open_psi(const struct hierarchy *h, const char *trigger, struct cgroup_notice *ret, struct err *err)
{
	cleanup_fd int epoll = epoll_create1(EPOLL_CLOEXEC),
		       fd = open_file(h, "memory.pressure", O_RDWR | O_NONBLOCK, err);
	struct epoll_event want = { .events = EPOLLPRI };

	if (fd < 0)
		return -1;
	/* With its NUL, as the kernel's documentation has it. */
	if (write(fd, trigger, strlen(trigger) + 1) < 0)
		return err_sys(err, "cannot write '%s' to memory.pressure", trigger);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want) < 0)
		return err_sys(err, "cannot watch memory.pressure");
	ret->held_fd = take_fd(&fd);
	ret->fd = take_fd(&epoll);
	return 0;
}

static const struct hierarchy *memory_of(const struct cgroup *cg, struct err *err)
{
	const struct hierarchy *h = cgroup_find(cg, "memory");

	if (!h && cg->pure_v2)
		h = cgroup_find_v2(cg);
	if (!h)
		err_set(err, ERR_UNSUPPORTED, "no cgroup counts the container's memory");
	return h;
}

int cgroup_notice_oom(const struct cgroup *cg, struct cgroup_notice *ret, struct err *err)
{
	const struct hierarchy *h = memory_of(cg, err);

	if (!h)
		return -1;
	*ret = CGROUP_NOTICE_NONE;
	ret->cg = cg;
	ret->v2 = h->v2;
	ret->oom_kills = cgroup_oom_kills(cg);
	return h->v2 ? open_memory_events(h, ret, err) : open_v1(h, "memory.oom_control", NULL, ret, err);
}

int cgroup_notice_pressure(const struct cgroup *cg, MemoryPressure level, struct cgroup_notice *ret, struct err *err)
{
	const struct hierarchy *h;

	if (level <= PRESSURE_NONE || level >= (MemoryPressure)ARRAY_SIZE(levels))
		return err_set(err, ERR_USAGE, "there is no memory pressure of level %d", (int)level);
	h = memory_of(cg, err);
	if (!h)
		return -1;
	*ret = CGROUP_NOTICE_NONE;
	ret->v2 = h->v2;
	return h->v2 ? open_psi(h, levels[level].v2, ret, err)
		     : open_v1(h, "memory.pressure_level", levels[level].v1, ret, err);
}

/* The eventfd is also written to when the group is removed. */
static bool read_v1(const struct cgroup_notice *n)
{
	uint64_t count;

	return read(n->fd, &count, sizeof(count)) == sizeof(count) && count > 0 &&
	       (!n->cg || access(cgroup_freezer_dir(n->cg), F_OK) == 0);
}

/* Whoever asks a trigger whether it has fired resets it: the loop that found fd readable has done so, and an epoll_wait() on it finds nothing
 * any more. */
static bool read_psi(const struct cgroup_notice *n)
{
	struct pollfd trigger = { .fd = n->held_fd, .events = POLLPRI };

	/* The group is gone, and will be reported again and again. */
	if (poll(&trigger, 1, 0) == 1 && (trigger.revents & POLLERR)) {
		epoll_ctl(n->fd, EPOLL_CTL_DEL, n->held_fd, NULL);
		return false;
	}
	return true;
}

bool cgroup_notice_read(struct cgroup_notice *n)
{
	char buf[4096];
	uint64_t before = n->oom_kills;

	if (!n->v2)
		return read_v1(n);
	if (n->held_fd >= 0)
		return read_psi(n);
	if (read(n->fd, buf, sizeof(buf)) <= 0)
		return false;
	n->oom_kills = cgroup_oom_kills(n->cg);
	return n->oom_kills > before;
}

void cgroup_notice_close(struct cgroup_notice *n)
{
	fd_close(&n->fd);
	fd_close(&n->held_fd);
}
