/* SPDX-License-Identifier: Apache-2.0 */
/* Whole conversations with a shim: packets and descriptors in any order, at every moment of its life, up to the system calls that would reach other processes.
 *
 * Whatever a peer says, the shim answers or ends the connection; nothing ends the shim, and no descriptor stays open. */
#include "tests/fuzz/fuzz.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/wire.h"
#include "shim/container/container.h"
#include "shim/control/follow.h"
#include "shim/control/server.h"
#include "tests/fuzz/container.h"

#define FDS_MAX 7
#define TURNS 8

enum moment { BEFORE_CREATE, CREATED, SERVED, LAUNCHER, MOMENTS };

struct shim {
	struct event_base *base;
	struct container *container;
	struct server *server;
	bool left;
};

static void leave(void *arg)
{
	((struct shim *)arg)->left = true;
}

static void removed(void *arg)
{
	struct shim *s = arg;

	if (s->server)
		server_ended(s->server);
}

static void quiet(void *arg)
{
	struct shim *s = arg;

	if (s->server)
		server_leave_if_done(s->server);
}

static bool shim_start(struct shim *s, enum moment moment, enum container_status status)
{
	static const enum server_mode modes[] = { SERVER_LAUNCH, SERVER_LAUNCH, SERVER_SERVE, SERVER_EXEC };
	const struct container_ops ops = { .gap_cb = follow_gap, .quiet_cb = quiet, .removed_cb = removed };
	struct server_options options = {
		.mode = modes[moment], .caller_cgroup = "0::/\n", .leave_cb = leave, .arg = s
	};
	struct status_record rec = fuzz_record(status);
	int root_fd = fuzz_empty_root();
	struct err err = { 0 };

	s->base = options.base = event_base_new();
	s->container = options.container = container_new(s->base, root_fd, FUZZ_ID, &ops, s);
	if (moment != BEFORE_CREATE) {
		fuzz_make_container(&rec);
		if (container_load(s->container, moment == LAUNCHER ? CONTAINER_LOAD_JOIN : CONTAINER_LOAD_SERVE,
				   &err) < 0) {
			fuzz_check_err(&err);
			return false;
		}
	}
	s->server = server_new(&options);
	if (moment == CREATED)
		server_created(s->server);
	if (moment == SERVED)
		server_listen(s->server, container_take_control(s->container));
	return true;
}

static void shim_turn(struct shim *s)
{
	for (int i = 0; i < TURNS; i++)
		event_base_loop(s->base, EVLOOP_NONBLOCK);
}

static void shim_end(struct shim *s)
{
	server_free(s->server);
	container_free(s->container);
	event_base_free(s->base);
	/* shim.log, which a shim has until it ends. */
	if (log_fd() >= 0)
		close(log_fd());
	log_init(-1, LOG_FORMAT_TEXT, LOG_LEVEL_WARN);
}

/* A directory that has a config.json, so that a creation goes on from there. */
static int open_bundle(const uint8_t *config, size_t len)
{
	mkdirat(fuzz_dir_fd(), "bundle", 0700);
	mkdirat(fuzz_dir_fd(), "bundle/rootfs", 0700);
	fuzz_write("bundle/config.json", config, len);
	return openat(fuzz_dir_fd(), "bundle", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_fd(struct fuzz_input *in)
{
	int pair[2], fd = -1;
	size_t len;
	const uint8_t *text;
	uint8_t kind = fuzz_byte(in);
	struct err err;

	if (kind % 4 == 3) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return -1;
		close(pair[1]);
		return pair[0];
	}
	if (kind % 4 == 2)
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	text = fuzz_bytes(in, (size_t)(fuzz_byte(in) << 8 | fuzz_byte(in)), &len);
	if (kind % 4 == 1)
		return open_bundle(text, len);
	return memfd_sealed("fuzz", text, len, &fd, &err) < 0 ? -1 : fd;
}

/* KIND LENGTH DATA: of 7 in 8 kinds the data is the inside of a request whose number the kind tells, so that not every change of it makes it no message at all. */
static size_t make_packet(struct fuzz_input *in, uint32_t serial, uint8_t buf[WIRE_PACKET_MAX + 64])
{
	uint8_t kind = fuzz_byte(in);
	size_t len, n = 0, at;
	const uint8_t *body = fuzz_bytes(in, (size_t)(fuzz_byte(in) << 8 | fuzz_byte(in)) % WIRE_PACKET_MAX, &len);

	if (kind >= 224) {
		memcpy(buf, body, len);
		return len;
	}
	buf[n++] = 1 << 3;
	buf[n++] = serial & 0x7f;
	for (uint32_t key = (10u + kind % 32) << 3 | 2; key; key >>= 7)
		buf[n++] = (uint8_t)((key & 0x7f) | (key > 0x7f ? 0x80 : 0));
	for (at = len; at > 0x7f; at >>= 7)
		buf[n++] = (uint8_t)(at | 0x80);
	buf[n++] = (uint8_t)at;
	memcpy(buf + n, body, len);
	return n + len;
}

static void send_packet(int sock, const uint8_t *data, size_t len, int *fds, int n_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (n_fds > 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
	}
	sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Every answer is a reply that decodes; an error in it has a reason. */
static void hear(int sock)
{
	for (;;) {
		struct wire_fds fds cleanup_wire_fds = { .n = 0 };
		struct err err = { 0 };
		Reply rep;

		if (wire_recv_reply(sock, &rep, &fds, &err) != 1) {
			FUZZ_CHECK(err.code != ERR_PROTOCOL);
			return;
		}
		FUZZ_CHECK(rep.serial != 0);
		if (rep.which_body == Reply_error_tag)
			FUZZ_CHECK(rep.body.error.code != ERR_NONE && rep.body.error.text[0] &&
				   !strchr(rep.body.error.text, '\n'));
	}
}

static void hello(int sock)
{
	Request req = Request_init_zero;
	struct err err;

	req.serial = 1;
	req.which_body = Request_hello_tag;
	req.body.hello.version = WIRE_VERSION;
	FUZZ_CHECK(wire_send_request(sock, &req, NULL, 0, &err) == 0);
}

static void talk(struct shim *s, int sock, struct fuzz_input *in)
{
	uint8_t buf[WIRE_PACKET_MAX + 64];
	uint32_t serial = 2;

	while (in->left > 0 && serial < 20) {
		int fds[FDS_MAX], n_fds = fuzz_byte(in) % (FDS_MAX + 1), n = 0;
		size_t len = make_packet(in, serial++, buf);

		for (int i = 0; i < n_fds; i++)
			if ((fds[n] = make_fd(in)) >= 0)
				n++;
		send_packet(sock, buf, len, fds, n);
		for (int i = 0; i < n; i++)
			close(fds[i]);
		shim_turn(s);
		hear(sock);
	}
}

/* MOMENT, then packets: the number of descriptors, a packet, the descriptors. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int confined;
	struct fuzz_input in = { data, size };
	uint8_t first = fuzz_byte(&in);
	struct shim s = { 0 };
	int pair[2], fds;
	struct err err;

	fuzz_sleeper();
	fuzz_empty_root();
	if (!confined++)
		fuzz_confine();
	fds = fuzz_open_fds();
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	if (shim_start(&s, (enum moment)(first % MOMENTS), (enum container_status)(first / MOMENTS % 6))) {
		FUZZ_CHECK(server_add_socket(s.server, pair[0], &err) == 0);
		if (first < 224)
			hello(pair[1]);
		talk(&s, pair[1], &in);
	} else {
		close(pair[0]);
	}
	close(pair[1]);
	shim_turn(&s);
	shim_end(&s);
	FUZZ_CHECK(fuzz_open_fds() == fds);
	return 0;
}
