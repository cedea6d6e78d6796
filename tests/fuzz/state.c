/* SPDX-License-Identifier: Apache-2.0 */
/* The status record and state.json, damaged in any way: refused with a reason, or loaded, and what is written is read again. */
#include "tests/fuzz/fuzz.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "client/json.h"
#include "common/fd.h"
#include "shim/container/container.h"
#include "tests/fuzz/container.h"

static void check_record(const struct status_record *rec)
{
	FUZZ_CHECK(memchr(rec->boot_id, '\0', sizeof(rec->boot_id)) && memchr(rec->id, '\0', sizeof(rec->id)));
	FUZZ_CHECK(memchr(rec->freezer, '\0', sizeof(rec->freezer)) && memchr(rec->bundle, '\0', sizeof(rec->bundle)));
	FUZZ_CHECK(memchr(rec->rootfs, '\0', sizeof(rec->rootfs)));
	FUZZ_CHECK(container_status_name(statedir_refresh(rec))[0]);
}

/* As `list` and `state` read it. */
static void read_status(int root_fd)
{
	struct status_record rec;
	struct err err = { 0 };

	if (statedir_read_status_of(root_fd, FUZZ_ID, &rec, NULL, &err) < 0)
		fuzz_check_err(&err);
	else
		check_record(&rec);
}

/* Whatever its members are, a record that was written is read again. */
static void overlay(struct status_record *rec, struct fuzz_input *in)
{
	while (in->left > 0) {
		size_t at = (size_t)(fuzz_byte(in) << 8 | fuzz_byte(in)) % sizeof(*rec), n;
		const uint8_t *p = fuzz_bytes(in, 1 + fuzz_byte(in) % 64, &n);

		if (n > sizeof(*rec) - at)
			n = sizeof(*rec) - at;
		memcpy((char *)rec + at, p, n);
	}
}

static void load(int root_fd, enum container_load how)
{
	const struct container_ops ops = { 0 };
	struct event_base *base = event_base_new();
	struct container *c = container_new(base, root_fd, FUZZ_ID, &ops, NULL);
	struct err err = { 0 };

	if (container_load(c, how, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(container_status_name(container_status(c))[0]);
	container_free(c);
	event_base_free(base);
}

static void as_client(const uint8_t *data, size_t len)
{
	cleanup_free char *text = xmalloc(len + 1);
	cleanup_json json_object *o = NULL;
	struct err err = { 0 };

	memcpy(text, data, len);
	text[len] = '\0';
	if (json_parse(text, STATEDIR_STATE, &o, &err) < 0)
		fuzz_check_err(&err);
	else
		FUZZ_CHECK(json_get_text(o, "container.log.path", "") && json_text(o));
}

/* 0: the whole record; 1: parts of one, which then gets its checksum; else state.json. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int confined;
	struct fuzz_input in = { data, size };
	struct status_record rec = fuzz_record(STATUS_RUNNING);
	uint8_t what = fuzz_byte(&in), how = fuzz_byte(&in);
	int root_fd = fuzz_empty_root(), fds;

	if (!confined++)
		fuzz_confine();
	fds = fuzz_open_fds();
	if (what % 4 == 1)
		overlay(&rec, &in);
	fuzz_make_container(&rec);
	if (what % 4 == 0)
		fuzz_write_state(STATEDIR_STATUS, in.p, in.left);
	if (what % 4 > 1) {
		fuzz_write_state(STATEDIR_STATE, in.p, in.left);
		as_client(in.p, in.left);
	}
	read_status(root_fd);
	load(root_fd, how % 2 ? CONTAINER_LOAD_JOIN : CONTAINER_LOAD_UNDO);
	FUZZ_CHECK(fuzz_open_fds() == fds);
	return 0;
}
