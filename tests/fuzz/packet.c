/* SPDX-License-Identifier: Apache-2.0 */
/* Control packets as each end decodes them: what is understood is written again as something that means the same. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/wire.h"

static int ends[2] = { -1, -1 };

static void connect_ends(void)
{
	if (ends[0] < 0)
		FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
}

/* The packet that waits at the other end, without taking it. */
static size_t peek(uint8_t buf[WIRE_PACKET_MAX])
{
	ssize_t n = recv(ends[1], buf, WIRE_PACKET_MAX, MSG_PEEK);

	FUZZ_CHECK(n > 0);
	return (size_t)n;
}

static void check_error(const Error *msg)
{
	Error again = Error_init_zero;
	struct err err = { 0 };

	FUZZ_CHECK(wire_error_to(msg, &err) == -1);
	FUZZ_CHECK(memchr(err.text, '\0', sizeof(err.text)));
	wire_error_from(&again, &err);
}

static void request(void)
{
	struct wire_fds fds cleanup_wire_fds = { .n = 0 };
	uint8_t once[WIRE_PACKET_MAX], twice[WIRE_PACKET_MAX];
	struct err err = { 0 };
	Request req, again;
	size_t n;

	if (wire_recv_request(ends[1], &req, &fds, &err) != 1) {
		fuzz_check_err(&err);
		return;
	}
	FUZZ_CHECK(fds.n == 0);
	if (wire_send_request(ends[0], &req, NULL, 0, &err) < 0) {
		fuzz_check_err(&err);
		return;
	}
	n = peek(once);
	FUZZ_CHECK(wire_recv_request(ends[1], &again, &fds, &err) == 1);
	FUZZ_CHECK(wire_send_request(ends[0], &again, NULL, 0, &err) == 0);
	FUZZ_CHECK(peek(twice) == n && !memcmp(once, twice, n));
	FUZZ_CHECK(wire_recv_request(ends[1], &again, &fds, &err) == 1);
}

static void reply(void)
{
	struct wire_fds fds cleanup_wire_fds = { .n = 0 };
	uint8_t once[WIRE_PACKET_MAX], twice[WIRE_PACKET_MAX];
	struct err err = { 0 };
	Reply rep, again;
	size_t n;

	if (wire_recv_reply(ends[1], &rep, &fds, &err) != 1) {
		fuzz_check_err(&err);
		return;
	}
	if (rep.which_body == Reply_error_tag)
		check_error(&rep.body.error);
	if (wire_send_reply(ends[0], &rep, NULL, 0, &err) < 0) {
		fuzz_check_err(&err);
		return;
	}
	n = peek(once);
	FUZZ_CHECK(wire_recv_reply(ends[1], &again, &fds, &err) == 1);
	FUZZ_CHECK(wire_send_reply(ends[0], &again, NULL, 0, &err) == 0);
	FUZZ_CHECK(peek(twice) == n && !memcmp(once, twice, n));
	FUZZ_CHECK(wire_recv_reply(ends[1], &again, &fds, &err) == 1);
}

/* A child's last word, which is a struct and no message. */
static void last_word(void)
{
	struct err said = { 0 }, err = { 0 };

	if (wire_recv_err(ends[1], &said, &err) == 1)
		FUZZ_CHECK(memchr(said.text, '\0', sizeof(said.text)));
	else
		fuzz_check_err(&err);
}

/* Which it is to be, then the packet. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t kind = fuzz_byte(&in);

	connect_ends();
	if (in.left == 0 || send(ends[0], in.p, in.left, MSG_NOSIGNAL) < 0)
		return 0;
	if (kind % 4 == 0)
		reply();
	else if (kind % 4 == 1)
		last_word();
	else
		request();
	return 0;
}
