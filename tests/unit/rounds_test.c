/* SPDX-License-Identifier: Apache-2.0 */
/* How many pre-dumps are made of containers that write their memory in different ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shim/checkpoint/rounds.h"

/* `pages`: what each of them would write, the last for ever. */
static size_t made(const uint64_t *pages, size_t n_pages, size_t max)
{
	struct manifest_statistics rounds[MANIFEST_PARENTS_MAX] = { { .known = false } };
	size_t n = 0;

	for (; rounds_go_on(rounds, n, max); n++) {
		uint64_t v = pages[n < n_pages ? n : n_pages - 1];

		assert_in_range(n, 0, MANIFEST_PARENTS_MAX - 1);
		/* Shared memory counts as well. */
		rounds[n] = (struct manifest_statistics) { .known = true,
							   .pages_written = v / 2,
							   .shared_pages_written = v - v / 2 };
	}
	return n;
}

static void as_many_as_make_it_smaller(void **state)
{
	static const struct {
		size_t n, max, made;
		uint64_t pages[8];
	} rows[] = {
		{ 1, 10, 1, { 200 } },                         /* a small one: the first has it all */
		{ 2, 10, 2, { 100000, 10 } },                  /* idle */
		{ 2, 10, 2, { 100000, 1000 } },                /* a hundredth */
		{ 2, 10, 3, { 100000, 1001 } },                /* no more, and no less the next time */
		{ 1, 10, 2, { 100000 } },                      /* writes all of it all the time */
		{ 4, 10, 4, { 100000, 20000, 4000, 900 } },    /* smaller each time */
		{ 4, 3, 3, { 100000, 20000, 4000, 900 } },     /* as many as are allowed */
		{ 3, 10, 3, { 100000, 20000, 15001 } },        /* by less than a quarter */
		{ 4, 10, 4, { 100000, 20000, 15000, 15000 } }, /* by a quarter */
		{ 3, 10, 3, { 100000, 20000, 30000 } },        /* by more again */
		{ 1, 1, 1, { 100000 } },
		{ 1, 0, 0, { 100000 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(made(rows[i].pages, rows[i].n, rows[i].max), rows[i].made);
}

static void without_figures_no_more(void **state)
{
	struct manifest_statistics unknown = { .known = false };

	assert_false(rounds_go_on(&unknown, 1, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_make_it_smaller),
		cmocka_unit_test(without_figures_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
