/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes of the streams are where in a log: losses, rotation, files that others move or empty, and the limit of what is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/fd.h"
#include "shim/stdio/logmap.h"

static struct logmap_place at(uint64_t position, uint64_t out, uint64_t error)
{
	return (struct logmap_place) { position, { out, error } };
}

static void begin(struct logmap *m, uint64_t inode, struct logmap_place p)
{
	logmap_begin(m, 1, inode, &p);
}

static void end(struct logmap *m, struct logmap_place p)
{
	logmap_end(m, &p);
}

/* Where the stretch begins that has this offset of stdout; -1: none has it or anything after it. */
static int64_t found(const struct logmap *m, uint64_t from, struct logmap_place now)
{
	struct logmap_stretch s;

	return logmap_find(m, 0, from, &now, &s) ? (int64_t)s.start.offset[0] : -1;
}

static void a_loss_is_in_no_stretch(void **state)
{
	struct logmap m = { 0 };

	begin(&m, 7, at(100, 0, 0));
	assert_int_equal(found(&m, 0, at(100, 0, 0)), -1); /* nothing yet */
	assert_int_equal(found(&m, 5, at(200, 10, 0)), 0);
	assert_int_equal(found(&m, 10, at(200, 10, 0)), -1);
	end(&m, at(200, 10, 0));
	begin(&m, 7, at(260, 50, 0)); /* 40 lost */
	assert_int_equal(found(&m, 9, at(300, 60, 0)), 0);
	assert_int_equal(found(&m, 10, at(300, 60, 0)), 50); /* the next that there is */
	assert_int_equal(found(&m, 55, at(300, 60, 0)), 50);
	logmap_release(&m);
}

static void one_stream_is_not_the_other(void **state)
{
	struct logmap_place now = at(300, 10, 20);
	struct logmap m = { 0 };
	struct logmap_stretch s;

	begin(&m, 7, at(0, 0, 0));
	end(&m, at(100, 0, 20)); /* nothing of stdout */
	begin(&m, 7, at(200, 0, 20));
	assert_true(logmap_find(&m, 0, 0, &now, &s));
	assert_int_equal(s.start.position, 200);
	assert_true(logmap_find(&m, 1, 0, &now, &s));
	assert_int_equal(s.start.position, 0);
	assert_false(logmap_find(&m, 1, 20, &now, &s));
	logmap_release(&m);
}

static void rotation_forgets_the_oldest_file(void **state)
{
	struct logmap m = { 0 };

	begin(&m, 1, at(0, 0, 0));
	end(&m, at(10, 10, 0));
	logmap_rotated(&m, 2);
	begin(&m, 2, at(0, 10, 0));
	assert_int_equal(found(&m, 0, at(5, 15, 0)), 0);
	end(&m, at(10, 20, 0));
	logmap_rotated(&m, 2);
	begin(&m, 3, at(0, 20, 0));
	assert_int_equal(found(&m, 0, at(5, 25, 0)), 10);
	assert_int_equal(m.n, 2);
	logmap_release(&m);
}

static void a_moved_file_is_kept_while_somebody_wants_it(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct logmap m = { 0 };

	logmap_want(&m);
	begin(&m, 1, at(0, 0, 0));
	end(&m, at(10, 10, 0));
	logmap_moved(&m, 1, 1, fd);
	begin(&m, 2, at(0, 10, 0));
	assert_int_equal(found(&m, 0, at(0, 10, 0)), 0);
	assert_true(m.v[0].fd >= 0 && m.v[0].fd != fd);
	logmap_unwant(&m);
	assert_int_equal(m.n, 1);
	end(&m, at(10, 20, 0));
	logmap_moved(&m, 1, 2, fd); /* and nobody wants it */
	assert_int_equal(m.n, 0);
	close(fd);
	logmap_release(&m);
}

static void an_emptied_file_has_nothing(void **state)
{
	struct logmap m = { 0 };

	begin(&m, 1, at(0, 0, 0));
	end(&m, at(10, 10, 0));
	begin(&m, 2, at(0, 10, 0));
	end(&m, at(10, 20, 0));
	logmap_emptied(&m, 1, 2);
	assert_int_equal(m.n, 1);
	assert_int_equal(found(&m, 10, at(0, 20, 0)), -1);
	logmap_release(&m);
}

static void only_the_last_are_known(void **state)
{
	struct logmap m = { 0 };

	for (unsigned int i = 0; i < LOGMAP_MAX + 6; i++) {
		begin(&m, 1, at(0, 10 * i, 0));
		end(&m, at(10, 10 * i + 10, 0));
	}
	assert_int_equal(m.n, LOGMAP_MAX);
	assert_int_equal(found(&m, 0, at(0, 0, 0)), 60);
	logmap_release(&m);
	assert_int_equal(m.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_is_in_no_stretch),
		cmocka_unit_test(one_stream_is_not_the_other),
		cmocka_unit_test(rotation_forgets_the_oldest_file),
		cmocka_unit_test(a_moved_file_is_kept_while_somebody_wants_it),
		cmocka_unit_test(an_emptied_file_has_nothing),
		cmocka_unit_test(only_the_last_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
