/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the service manager, and the relay in between.
 *
 * Runs in the shim. Messages from inside are hostile: only lines of a few names pass, and descriptors never. A manager whose queue is full is waited for, and with
 * us whoever speaks inside, as with a manager of its own; one that takes nothing for seconds is deaf: what it is told is lost until it listens again, so that it stops
 * no container. */
#include "shim/container/sdnotify.h"

#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "shim/checkpoint/image.h"
#include "shim/stdio/saved.h"

#define SOCKET_NAME "notify.sock"
#define INSIDE "/run/notify/" SOCKET_NAME
#define MESSAGE_BYTES 4096
#define MESSAGES_AT_ONCE 16
#define AGAIN_MS 20
#define DEAF_AFTER_MS 5000

/* Not MAINPID; nor what changes the unit's own limits (WATCHDOG_USEC, EXTEND_TIMEOUT_USEC) or leaves something in it (FDSTORE). MONOTONIC_USEC belongs to
 * RELOADING. */
static const char *const allowed[] = { "READY=",  "RELOADING=", "MONOTONIC_USEC=", "STOPPING=",
				       "STATUS=", "ERRNO=",     "WATCHDOG=" };

struct sdnotify {
	SdNotify mode;
	struct sockaddr_un manager;
	socklen_t manager_len;
	int out_fd;
	int in_fd; /* -1: nobody speaks */
	struct event *readable;

	/* One message, when the manager's queue was full: nothing else is read until it is gone. */
	char *held;
	size_t held_len;
	int64_t held_since_ms;
	struct event *again;
	bool deaf;

	/* The container has ended: who waits for the rest to be sent. */
	void (*through_cb)(void *arg);
	void *arg;
	int64_t ended_ms; /* 0: it runs */
};

static bool is_allowed(const char *line, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (len >= strlen(allowed[i]) && !memcmp(line, allowed[i], strlen(allowed[i])))
			return true;
	return false;
}

size_t sdnotify_filter(const char *message, size_t len, char *to, size_t size)
{
	const char *end = message + len;
	size_t used = 0;

	/* Some send a string with its NUL, and systemd takes it. */
	if (message < end && end[-1] == '\0')
		end--;
	while (message < end) {
		const char *newline = memchr(message, '\n', (size_t)(end - message));
		size_t n = (size_t)((newline ? newline : end) - message);

		if (is_allowed(message, n) && !memchr(message, '\0', n) && used + n + 1 <= size) {
			memcpy(to + used, message, n);
			used += n;
			to[used++] = '\n';
		}
		message += n + 1;
	}
	return used;
}

static void is_deaf(struct sdnotify *n, int error)
{
	if (!n->deaf)
		log_warn("cannot tell the service manager, what follows is lost until it listens: %s",
			 strerrordesc_np(error));
	n->deaf = true;
}

/* Whether nothing is left to do about it: it was sent, or nobody listens. */
static bool send_or_lose(struct sdnotify *n, const char *text, size_t len)
{
	if (sendto(n->out_fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&n->manager,
		   n->manager_len) >= 0)
		n->deaf = false;
	else if (errno == EAGAIN && !n->deaf)
		return false;
	else
		is_deaf(n, errno);
	return true;
}

static bool has_more(const struct sdnotify *n)
{
	struct pollfd inside = { .fd = n->in_fd, .events = POLLIN };

	return n->held || poll(&inside, 1, 0) > 0;
}

static bool is_through(const struct sdnotify *n)
{
	return !has_more(n) || clock_ms() - n->ended_ms >= DEAF_AFTER_MS;
}

static void tell_if_through(struct sdnotify *n)
{
	if (n->through_cb && is_through(n))
		n->through_cb(n->arg); /* may free us */
}

bool sdnotify_is_through(struct sdnotify *n, void (*through_cb)(void *arg), void *arg)
{
	if (!n)
		return true;
	if (!n->ended_ms)
		n->ended_ms = clock_ms();
	if (is_through(n))
		return true;
	n->through_cb = through_cb;
	n->arg = arg;
	return false;
}

static void come_back(struct sdnotify *n)
{
	evtimer_add(n->again, &(struct timeval) { .tv_usec = AGAIN_MS * 1000 });
}

static void again_cb(evutil_socket_t fd, short what, void *arg)
{
	struct sdnotify *n = arg;

	if (clock_ms() - n->held_since_ms >= DEAF_AFTER_MS)
		is_deaf(n, EAGAIN);
	if (!send_or_lose(n, n->held, n->held_len)) {
		come_back(n);
		return;
	}
	free(n->held);
	n->held = NULL;
	if (n->readable)
		event_add(n->readable, NULL);
	tell_if_through(n);
}

static void hold(struct sdnotify *n, const void *text, size_t len)
{
	n->held = xmalloc(len);
	memcpy(n->held, text, len);
	n->held_len = len;
	n->held_since_ms = clock_ms();
	if (n->readable)
		event_del(n->readable);
	come_back(n);
}

static void tell(struct sdnotify *n, const char *text, size_t len)
{
	/* Nobody overtakes; of lines any number may be one message. */
	if (n->held) {
		n->held = xreallocarray(n->held, n->held_len + len, 1);
		memcpy(n->held + n->held_len, text, len);
		n->held_len += len;
	} else if (!send_or_lose(n, text, len))
		hold(n, text, len);
}

static void pass_on(struct sdnotify *n)
{
	char message[MESSAGE_BYTES], passed[MESSAGE_BYTES + 1];

	for (int i = 0; i < MESSAGES_AT_ONCE && !n->held; i++) {
		/* Without room for them descriptors are closed by the kernel: who waits for that (sd_notify_barrier) waits no longer. */
		ssize_t len = recv(n->in_fd, message, sizeof(message), MSG_DONTWAIT);
		size_t passes;

		if (len < 0)
			return;
		passes = sdnotify_filter(message, (size_t)len, passed, sizeof(passed));
		if (passes > 0)
			tell(n, passed, passes);
	}
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	pass_on(arg);
	tell_if_through(arg);
}

/* Bound through the directory's descriptor: its path may be longer than an address is. */
static int make_socket(int dir_fd, int *ret_fd, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" SOCKET_NAME, dir_fd);
	/* The directory above lets nobody else through. */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 || chmod(addr.sun_path, 0666) < 0)
		return err_sys(err, "cannot make the socket for NOTIFY_SOCKET");
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Its index; n_mounts: it has none. */
static size_t find_mount(const struct oci_config *config)
{
	size_t i = 0;

	while (i < config->n_mounts && strcmp(config->mounts[i].destination, INSIDE) != 0)
		i++;
	return i;
}

/* Takes `source`. */
static void add_mount(struct oci_config *config, char *source)
{
	struct oci_mount *m;

	config->mounts = xreallocarray(config->mounts, config->n_mounts + 1, sizeof(*config->mounts));
	m = &config->mounts[config->n_mounts++];
	*m = (struct oci_mount) {
		.destination = xstrdup(INSIDE),
		.source = source,
		.bind = true,
		.flags_set = MS_NOSUID | MS_NODEV | MS_NOEXEC,
	};
}

static int add_socket(struct oci_config *config, int dir_fd, struct err *err)
{
	cleanup_free char *dir = NULL;

	if (fd_path(dir_fd, &dir, err) < 0)
		return -1;
	add_mount(config, xasprintf("%s/" SOCKET_NAME, dir));
	return 0;
}

/* criu binds it, in a user namespace as root of that, who cannot come into the state directory: then it is something else that refuses what is sent there. */
static int add_for_restore(struct oci_config *config, int dir_fd, struct err *err)
{
	if (!config->ns[OCI_NS_USER].wanted)
		return add_socket(config, dir_fd, err);
	add_mount(config, xstrdup("/dev/null"));
	return 0;
}

static void add_environment(struct oci_config *config, uint64_t watchdog_usec)
{
	struct oci_strings *env = &config->process.env;

	env->v = xreallocarray(env->v, env->n + 3, sizeof(*env->v));
	env->v[env->n++] = xstrdup("NOTIFY_SOCKET=" INSIDE);
	if (watchdog_usec)
		env->v[env->n++] = xasprintf("WATCHDOG_USEC=%llu", (unsigned long long)watchdog_usec);
	env->v[env->n] = NULL;
}

static int watch_inside(struct sdnotify *n, struct event_base *base, struct err *err)
{
	n->readable = event_new(base, n->in_fd, EV_READ | EV_PERSIST, readable_cb, n);
	if (!n->readable || event_add(n->readable, NULL) < 0)
		return err_set(err, ERR_SYS, "cannot watch the socket for NOTIFY_SOCKET");
	return 0;
}

static int listen_inside(struct sdnotify *n, struct event_base *base, int dir_fd, const struct sdnotify_request *r,
			 struct oci_config *config, struct err *err)
{
	size_t own = find_mount(config);

	if (!config->has_process)
		return 0;
	if (own < config->n_mounts)
		return err_set(err, ERR_CONFIG,
			       "mounts[%zu]: '" INSIDE "' is for NOTIFY_SOCKET; --sdnotify=ignore does without", own);
	if (make_socket(dir_fd, &n->in_fd, err) < 0 || add_socket(config, dir_fd, err) < 0)
		return -1;
	add_environment(config, r->watchdog_usec);
	return watch_inside(n, base, err);
}

static int set_manager(struct sdnotify *n, const char *where, struct err *err)
{
	size_t len = strlen(where);

	if (len < 2 || len >= sizeof(n->manager.sun_path) || (where[0] != '/' && where[0] != '@'))
		return err_set(err, ERR_USAGE, "NOTIFY_SOCKET: '%.128s' is no socket's address", where);
	n->manager.sun_family = AF_UNIX;
	memcpy(n->manager.sun_path, where, len);
	if (where[0] == '@')
		n->manager.sun_path[0] = '\0';
	n->manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (where[0] == '/'));
	n->out_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return n->out_fd < 0 ? err_sys(err, "cannot make a socket for the service manager") : 0;
}

static struct sdnotify *alloc(struct event_base *base)
{
	struct sdnotify *n = xcalloc(1, sizeof(*n));

	n->out_fd = n->in_fd = -1;
	n->again = evtimer_new(base, again_cb, n);
	if (!n->again)
		fatal("out of memory");
	return n;
}

int sdnotify_new(struct event_base *base, int dir_fd, const struct sdnotify_request *r, struct oci_config *config,
		 struct sdnotify **ret, struct err *err)
{
	struct sdnotify *n;

	if (r->mode == SD_NOTIFY_IGNORE)
		return 0;
	n = alloc(base);
	n->mode = r->mode;
	if (set_manager(n, r->manager, err) < 0 ||
	    (n->mode == SD_NOTIFY_CONTAINER && listen_inside(n, base, dir_fd, r, config, err) < 0)) {
		sdnotify_free(n);
		return -1;
	}
	*ret = n;
	return 0;
}

/* ---- its mount, later ---------------------------------------------------------------------------------------------------- */

bool sdnotify_has_socket(int dir_fd)
{
	return faccessat(dir_fd, SOCKET_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int sdnotify_add_again(int dir_fd, struct oci_config *config, struct err *err)
{
	return sdnotify_has_socket(dir_fd) && find_mount(config) == config->n_mounts
		       ? add_for_restore(config, dir_fd, err)
		       : 0;
}

int sdnotify_note(int dir_fd, int images_fd, struct err *err)
{
	return sdnotify_has_socket(dir_fd) ? fd_replace_file_at(images_fd, IMAGE_NOTIFY, "", 0, 0600, err) : 0;
}

int sdnotify_come_back(struct sdnotify *n, struct event_base *base, int dir_fd, int images_fd,
		       struct oci_config *config, struct err *err)
{
	cleanup_fd int fd = -1;

	if (faccessat(images_fd, IMAGE_NOTIFY, F_OK, AT_SYMLINK_NOFOLLOW) < 0 || find_mount(config) < config->n_mounts)
		return 0;
	if (make_socket(dir_fd, &fd, err) < 0 || add_for_restore(config, dir_fd, err) < 0)
		return -1;
	if (!n)
		return 0;
	n->in_fd = take_fd(&fd);
	return watch_inside(n, base, err);
}

/* ---- from one program to the next ---------------------------------------------------------------------------------------- */

Saved__Notifying *sdnotify_save(const struct sdnotify *n)
{
	Saved__Notifying *s;

	if (!n)
		return NULL;
	s = saved_new(Saved__Notifying, notifying);
	s->mode = (uint32_t)n->mode;
	s->manager = saved_bytes(n->manager.sun_path, n->manager_len - offsetof(struct sockaddr_un, sun_path));
	s->out_fd = saved_fd(n->out_fd);
	s->in_fd = saved_fd(n->in_fd);
	if (n->held)
		s->held = saved_bytes(n->held, n->held_len);
	return s;
}

int sdnotify_resume(struct event_base *base, const Saved__Notifying *s, struct sdnotify **ret, struct err *err)
{
	struct sdnotify *n;

	if (!s)
		return 0;
	n = alloc(base);
	n->mode = (SdNotify)s->mode;
	n->manager.sun_family = AF_UNIX;
	memcpy(n->manager.sun_path, s->manager.data, s->manager.len);
	n->manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + s->manager.len);
	n->out_fd = saved_to_fd(s->out_fd);
	n->in_fd = saved_to_fd(s->in_fd);
	*ret = n;
	if (n->in_fd >= 0 && watch_inside(n, base, err) < 0)
		return -1;
	if (s->held.len > 0)
		hold(n, s->held.data, s->held.len);
	return 0;
}

void sdnotify_free(struct sdnotify *n)
{
	if (!n)
		return;
	if (n->readable)
		event_free(n->readable);
	event_free(n->again);
	free(n->held);
	fd_close(&n->in_fd);
	fd_close(&n->out_fd);
	free(n);
}

static void tell_main_pid(struct sdnotify *n, const char *more)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "MAINPID=%d\n%s", getpid(), more);

	tell(n, text, (size_t)len);
}

void sdnotify_created(struct sdnotify *n)
{
	if (n && n->mode == SD_NOTIFY_CONTAINER)
		tell_main_pid(n, "");
}

void sdnotify_runs(struct sdnotify *n)
{
	if (n && n->mode == SD_NOTIFY_CONMON)
		tell_main_pid(n, "READY=1\n");
}
