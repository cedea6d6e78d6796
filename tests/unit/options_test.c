/* SPDX-License-Identifier: Apache-2.0 */
/* The option parser: every spelling, every kind, every refusal; and the detach keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/command.h"
#include "client/keys.h"
#include "client/options.h"
#include "common/fd.h"

struct values {
	bool all;
	bool quiet;
	bool no_proxy;
	struct opt_bool onoff;
	const char *text, *keys;
	const char *choice;
	struct opt_uint number;
	struct opt_list list;
};

static const struct option_row rows[] = {
	{ "all", 'a', OPT_FLAG, NULL, "", offsetof(struct values, all) },
	{ "quiet", 'q', OPT_FLAG, NULL, "", offsetof(struct values, quiet) },
	{ "proxy", 0, OPT_FLAG_OFF, NULL, "", offsetof(struct values, no_proxy) },
	{ "onoff", 0, OPT_SWITCH, NULL, "", offsetof(struct values, onoff) },
	{ "text", 't', OPT_STRING, "T", "", offsetof(struct values, text) },
	{ "keys", 0, OPT_TEXT, "K", "", offsetof(struct values, keys) },
	{ "choice", 0, OPT_CHOICE, "one|two", "", offsetof(struct values, choice) },
	{ "number", 'n', OPT_UINT, "N", "", offsetof(struct values, number) },
	{ "list", 'l', OPT_LIST, "L", "", offsetof(struct values, list) },
	{ "later", 0, OPT_REFUSED, "X", "", 0 },
	{ "later-flag", 0, OPT_REFUSED_FLAG, NULL, "", 0 },
	{ NULL },
};

/* Words are separated by one blank; "_" stands for an empty word. */
struct fixture {
	char line[256];
	char *argv[32];
	int argc;
	struct values v;
	struct parsed p;
	struct err err;
	int r;
};

static void parse(struct fixture *f, const char *line, unsigned int how)
{
	*f = (struct fixture) { 0 };
	snprintf(f->line, sizeof(f->line), "%s", line);
	for (char *save, *w = strtok_r(f->line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		f->argv[f->argc++] = strcmp(w, "_") ? w : w + 1;
	f->r = options_parse(rows, &f->v, f->argc, f->argv, how, &f->p, &f->err);
}

static void release(struct fixture *f)
{
	parsed_release(&f->p);
	options_release(rows, &f->v);
}

static void every_spelling_of_a_value(void **state)
{
	/* One dash before the whole name is Go's way, as is '=' behind a letter. */
	static const char *const lines[] = { "--text=v",     "--text v",          "-t v",    "-tv",     "-at v",
					     "-aqtv",        "--text=w --text=v", "-text=v", "-text v", "-t=v",
					     "-all -text v", "-a=1 -t=v" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct fixture f;

		parse(&f, lines[i], 0);
		assert_int_equal(f.r, 0);
		assert_string_equal(f.v.text, "v");
		assert_int_equal(f.p.n_operands, 0);
		release(&f);
	}
}

static void flags_can_be_told_true_or_false(void **state)
{
	struct fixture f;

	parse(&f, "-aq --all=false --quiet=true", 0);
	assert_int_equal(f.r, 0);
	assert_false(f.v.all);
	assert_true(f.v.quiet);
	release(&f);
	parse(&f, "-all=1 -quiet -q=F --proxy=0", 0);
	assert_int_equal(f.r, 0);
	assert_true(f.v.all);
	assert_false(f.v.quiet);
	assert_true(f.v.no_proxy);
	release(&f);
	parse(&f, "--all=yes", 0);
	assert_int_equal(f.r, -1);
	assert_int_equal(f.err.code, ERR_USAGE);
	assert_non_null(strstr(f.err.text, "--all"));
	release(&f);
}

static void a_flag_that_is_on_can_be_switched_off(void **state)
{
	struct fixture f;

	parse(&f, "--proxy", 0);
	assert_false(f.v.no_proxy);
	release(&f);
	parse(&f, "--proxy=false", 0);
	assert_true(f.v.no_proxy);
	release(&f);
	parse(&f, "--proxy=false --proxy=true x", 0);
	assert_false(f.v.no_proxy);
	assert_int_equal(f.p.n_operands, 1);
	release(&f);
}

static void options_and_operands_mix(void **state)
{
	struct fixture f;

	parse(&f, "x -a y -t z -- -q", 0);
	assert_int_equal(f.r, 0);
	assert_int_equal(f.p.n_operands, 3);
	assert_string_equal(f.p.operands[0], "x");
	assert_string_equal(f.p.operands[1], "y");
	assert_string_equal(f.p.operands[2], "-q");
	assert_null(f.p.operands[3]);
	assert_true(f.v.all);
	assert_false(f.v.quiet);
	release(&f);
	parse(&f, "- _", 0);
	assert_int_equal(f.p.n_operands, 2); /* "-" and "" are operands */
	release(&f);
}

static void the_first_operand_can_end_the_options(void **state)
{
	struct fixture f;

	parse(&f, "-a sh -c -- -q", OPTIONS_STOP_EARLY);
	assert_int_equal(f.r, 0);
	assert_int_equal(f.p.n_operands, 4);
	assert_string_equal(f.p.operands[1], "-c");
	assert_string_equal(f.p.operands[2], "--");
	assert_string_equal(f.p.operands[3], "-q");
	assert_false(f.v.quiet);
	release(&f);
	parse(&f, "-a -- -sh -q", OPTIONS_STOP_EARLY);
	assert_int_equal(f.p.n_operands, 2);
	assert_string_equal(f.p.operands[0], "-sh");
	release(&f);
}

static void lists_keep_their_order(void **state)
{
	struct fixture f;

	parse(&f, "--list 1 -l2 --list=3", 0);
	assert_int_equal(f.v.list.n, 3);
	assert_string_equal(f.v.list.v[0], "1");
	assert_string_equal(f.v.list.v[1], "2");
	assert_string_equal(f.v.list.v[2], "3");
	release(&f);
	assert_int_equal(f.v.list.n, 0);
}

static void a_switch_knows_whether_it_was_told(void **state)
{
	struct fixture f;

	parse(&f, "x", 0);
	assert_false(f.v.onoff.set);
	release(&f);
	parse(&f, "--onoff", 0);
	assert_true(f.v.onoff.set && f.v.onoff.v);
	release(&f);
	parse(&f, "--onoff --onoff=false x", 0);
	assert_true(f.v.onoff.set && !f.v.onoff.v);
	assert_int_equal(f.p.n_operands, 1);
	release(&f);
	parse(&f, "--onoff=no", 0);
	assert_int_equal(f.r, -1);
	release(&f);
}

static void refusals_name_the_option(void **state)
{
	static const struct {
		const char *line, *says;
		ErrCode code;
	} table[] = {
		{ "--nope", "--nope", ERR_USAGE },
		{ "--nope=1", "'--nope'", ERR_USAGE },
		{ "-z", "-z", ERR_USAGE },
		{ "-az", "-z", ERR_USAGE },
		{ "-z=1", "z", ERR_USAGE },
		{ "-al", "--list", ERR_USAGE },
		{ "-text", "--text", ERR_USAGE },
		{ "-choice=three", "one|two", ERR_USAGE },
		{ "-a=on", "--all", ERR_USAGE },
		{ "-all=", "--all", ERR_USAGE },
		{ "--text", "--text", ERR_USAGE },
		{ "-t", "--text", ERR_USAGE },
		{ "-number x", "--number", ERR_USAGE },
		{ "--choice three", "one|two", ERR_USAGE },
		{ "--choice on", "one|two", ERR_USAGE },
		{ "--choice one|two", "one|two", ERR_USAGE },
		{ "--choice=_", "--choice", ERR_USAGE },
		{ "--number x", "--number", ERR_USAGE },
		{ "--number -1", "--number", ERR_USAGE },
		{ "--number 01", "--number", ERR_USAGE },
		{ "--number 18446744073709551616", "--number", ERR_USAGE },
		{ "--later x", "--later is not supported yet", ERR_UNSUPPORTED },
		{ "--later=x", "--later is not supported yet", ERR_UNSUPPORTED },
		{ "--later-flag", "--later-flag is not supported yet", ERR_UNSUPPORTED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct fixture f;

		parse(&f, table[i].line, 0);
		assert_int_equal(f.r, -1);
		assert_int_equal(f.err.code, table[i].code);
		if (!strstr(f.err.text, table[i].says))
			fail_msg("'%s' does not say '%s' for '%s'", f.err.text, table[i].says, table[i].line);
		release(&f);
	}
}

static void numbers_and_choices_are_stored(void **state)
{
	struct fixture f;

	parse(&f, "--number 18446744073709551615 --choice two", 0);
	assert_int_equal(f.r, 0);
	assert_true(f.v.number.set);
	assert_true(f.v.number.v == UINT64_MAX);
	assert_string_equal(f.v.choice, "two");
	release(&f);
}

static void an_empty_word_can_be_none(void **state)
{
	struct fixture f;

	parse(&f, "--text=v --choice one -t _ --choice= --keys a --keys _ --list= x", OPTIONS_EMPTY_IS_NONE);
	assert_int_equal(f.r, 0);
	assert_null(f.v.text);
	assert_null(f.v.choice);
	assert_string_equal(f.v.keys, "");
	assert_int_equal(f.v.list.n, 1);
	assert_int_equal(f.p.n_operands, 1);
	release(&f);
	parse(&f, "--number=", OPTIONS_EMPTY_IS_NONE);
	assert_int_equal(f.r, -1);
	release(&f);
	parse(&f, "--text _", 0);
	assert_string_equal(f.v.text, "");
	release(&f);
	parse(&f, "--choice=", 0);
	assert_int_equal(f.r, -1);
	release(&f);
}

static void help_ends_the_parsing(void **state)
{
	static const char *const lines[] = { "--help --nope", "-h -z", "-ah --nope", "x --help" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct fixture f;

		parse(&f, lines[i], 0);
		assert_int_equal(f.r, 0);
		assert_true(f.p.help);
		release(&f);
	}
}

static void every_command_helps_on_one_screen(void **state)
{
	struct client cl = { .program = "thole" };

	const struct command *cmd;

	for (size_t i = 0; (cmd = command_at(i)); i++) {
		char *text = NULL;
		size_t size, lines = 0, column = 0;
		FILE *f = open_memstream(&text, &size);

		command_help(&cl, cmd, f);
		fclose(f);
		for (const char *p = text; *p; p++) {
			column = *p == '\n' ? 0 : column + 1;
			lines += *p == '\n';
			assert_true(column <= 80);
		}
		assert_true(lines > 1 && lines <= 24);
		free(text);
	}
}

static void commands_are_found_by_their_names(void **state)
{
	const struct command *all;

	assert_null(command_find("nonsense"));
	assert_null(command_find(""));
	for (size_t i = 0; (all = command_at(i)); i++) {
		assert_ptr_equal(command_find(all->name), all);
		assert_non_null(all->run);
	}
}

static void failures_have_the_statuses_of_their_name(void **state)
{
	static const struct {
		const char *command;
		ErrCode code;
		int thole, oci;
	} table[] = {
		{ "run", ERR_CONFIG, 125, 1 },
		{ "run", ERR_NOT_EXECUTABLE, 126, 1 },
		{ "run", ERR_COMMAND_NOT_FOUND, 127, 1 },
		{ "wait", ERR_NOT_FOUND, 125, 1 },
		{ "start", ERR_COMMAND_NOT_FOUND, 1, 1 },
		{ "create", ERR_EXISTS, 1, 1 },
		{ "exec", ERR_UNSUPPORTED, 125, 255 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct client thole = { .program = "thole", .line_is_right = true };
		struct client oci = { .program = "thole-oci", .oci = true, .line_is_right = true };
		struct err err = { .code = table[i].code };
		const struct command *cmd = command_find(table[i].command);

		assert_int_equal(command_failure_status(&thole, cmd, &err), table[i].thole);
		assert_int_equal(command_failure_status(&oci, cmd, &err), table[i].oci);
		oci.line_is_right = false;
		assert_int_equal(command_failure_status(&oci, cmd, &err), 1);
	}
}

/* ---- detach keys ------------------------------------------------------------------------------- */

static void keys_are_read(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		unsigned char sequence[4];
	} good[] = {
		{ "", 0, { 0 } },
		{ KEYS_DEFAULT, 2, { 16, 17 } },
		{ "ctrl-a,d", 2, { 1, 'd' } },
		{ "x", 1, { 'x' } },
		{ "ctrl-@,ctrl-[,ctrl-_", 3, { 0, 27, 31 } },
	};
	static const char *const bad[] = { ",",     "a,",     ",a",
					   "ctrl-", "ctrl-A", "ctrl-pp",
					   "ab",    "alt-x",  "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a" };
	struct keys k;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(keys_parse(good[i].text, &k, &err), 0);
		assert_int_equal(k.n, good[i].n);
		assert_memory_equal(k.sequence, good[i].sequence, good[i].n);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(keys_parse(bad[i], &k, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
	}
}

/* Typed in all ways of cutting it in two, what comes through is always the same. */
static void expect_keys(const char *keys, const char *typed, const char *through, bool left)
{
	size_t len = strlen(typed);

	for (size_t cut = 0; cut <= len; cut++) {
		unsigned char out[2][128];
		char all[256];
		size_t n[2] = { 0, 0 };
		struct keys k;
		struct err err;
		bool r;

		assert_int_equal(keys_parse(keys, &k, &err), 0);
		r = keys_filter(&k, (const unsigned char *)typed, cut, out[0], &n[0]);
		if (!r)
			r = keys_filter(&k, (const unsigned char *)typed + cut, len - cut, out[1], &n[1]);
		memcpy(all, out[0], n[0]);
		memcpy(all + n[0], out[1], n[1]);
		assert_int_equal(r, left);
		assert_int_equal(n[0] + n[1], strlen(through));
		assert_memory_equal(all, through, strlen(through));
	}
}

static void keys_are_found_wherever_they_are_cut(void **state)
{
	expect_keys("ctrl-p,ctrl-q", "abc", "abc", false);
	expect_keys("ctrl-p,ctrl-q", "ab\020\021cd", "ab", true);
	expect_keys("ctrl-p,ctrl-q", "ab\020cd", "ab\020cd", false);
	expect_keys("ctrl-p,ctrl-q", "\020\020\021", "\020", true);
	expect_keys("ctrl-p,ctrl-q", "\021\020", "\021", false); /* the last one is held back */
	expect_keys("a,a,b", "aaab", "a", true);
	expect_keys("a,b,a,c", "ababac", "ab", true);
	expect_keys("x", "x", "", true);
	expect_keys("", "\020\021", "\020\021", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_a_value),
		cmocka_unit_test(flags_can_be_told_true_or_false),
		cmocka_unit_test(a_flag_that_is_on_can_be_switched_off),
		cmocka_unit_test(a_switch_knows_whether_it_was_told),
		cmocka_unit_test(options_and_operands_mix),
		cmocka_unit_test(the_first_operand_can_end_the_options),
		cmocka_unit_test(lists_keep_their_order),
		cmocka_unit_test(refusals_name_the_option),
		cmocka_unit_test(numbers_and_choices_are_stored),
		cmocka_unit_test(an_empty_word_can_be_none),
		cmocka_unit_test(help_ends_the_parsing),
		cmocka_unit_test(every_command_helps_on_one_screen),
		cmocka_unit_test(commands_are_found_by_their_names),
		cmocka_unit_test(failures_have_the_statuses_of_their_name),
		cmocka_unit_test(keys_are_read),
		cmocka_unit_test(keys_are_found_wherever_they_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
