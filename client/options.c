/* SPDX-License-Identifier: Apache-2.0 */
/* Command line options: one parser, driven by tables that help and completion read too. */
#include "client/options.h"

#include <string.h>

#include "common/fd.h"
#include "common/number.h"

/* Where the parser stands in argv. */
struct cursor {
	int argc;
	char **argv;
	int next;
	unsigned int how;
};

static const struct option_row *find_long(const struct option_row *rows, const char *name, size_t len)
{
	for (; rows->name; rows++)
		if (strlen(rows->name) == len && !strncmp(rows->name, name, len))
			return rows;
	return NULL;
}

static const struct option_row *find_letter(const struct option_row *rows, char letter)
{
	for (; rows->name; rows++)
		if (rows->letter == letter)
			return rows;
	return NULL;
}

static bool takes_value(const struct option_row *row)
{
	return row->kind != OPT_FLAG && row->kind != OPT_FLAG_OFF && row->kind != OPT_SWITCH &&
	       row->kind != OPT_REFUSED_FLAG;
}

/* Is `value` one of the words of "a|b|c"? */
static bool is_choice(const char *words, const char *value)
{
	size_t len = strlen(value);

	for (const char *p = words; *p;) {
		size_t n = strcspn(p, "|");

		if (n == len && !strncmp(p, value, n))
			return true;
		p += n;
		p += *p == '|';
	}
	return false;
}

/* The words that runc's own parser takes for a flag. */
static int store_flag(bool *flag, const struct option_row *row, const char *value, struct err *err)
{
	bool on = row->kind != OPT_FLAG_OFF;

	if (!value || is_choice("true|True|TRUE|t|T|1", value))
		*flag = on;
	else if (is_choice("false|False|FALSE|f|F|0", value))
		*flag = !on;
	else
		return err_set(err, ERR_USAGE, "--%s is true or false, not '%s'", row->name, value);
	return 0;
}

static void store_list(struct opt_list *list, const char *value)
{
	list->v = xreallocarray(list->v, list->n + 1, sizeof(*list->v));
	list->v[list->n++] = value;
}

/* `value` is NULL only for a flag. */
static int store(const struct cursor *c, const struct option_row *row, void *values, const char *value, struct err *err)
{
	void *at = (char *)values + row->offset;
	bool none = value && !*value && (c->how & OPTIONS_EMPTY_IS_NONE);

	switch (row->kind) {
	case OPT_FLAG:
	case OPT_FLAG_OFF:
		return store_flag(at, row, value, err);
	case OPT_SWITCH:
		((struct opt_bool *)at)->set = true;
		return store_flag(&((struct opt_bool *)at)->v, row, value, err);
	case OPT_CHOICE:
		if (!none && !is_choice(row->argname, value))
			return err_set(err, ERR_USAGE, "--%s is one of %s, not '%s'", row->name, row->argname, value);
		*(const char **)at = none ? NULL : value;
		return 0;
	case OPT_STRING:
		*(const char **)at = none ? NULL : value;
		return 0;
	case OPT_TEXT:
		*(const char **)at = value;
		return 0;
	case OPT_UINT:
		if (!number_u64(value, UINT64_MAX, &((struct opt_uint *)at)->v))
			return err_set(err, ERR_USAGE, "--%s is a number, not '%s'", row->name, value);
		((struct opt_uint *)at)->set = true;
		return 0;
	case OPT_LIST:
		store_list(at, value);
		return 0;
	case OPT_REFUSED_FLAG:
	case OPT_REFUSED:
		break;
	}
	return err_set(err, ERR_UNSUPPORTED, "--%s is not supported yet", row->name);
}

/* The option's argument is the next word when it was not given with '='. */
static int store_with_next(struct cursor *c, const struct option_row *row, void *values, const char *value,
			   struct err *err)
{
	if (!value && takes_value(row)) {
		if (c->next == c->argc)
			return err_set(err, ERR_USAGE, "--%s needs an argument", row->name);
		value = c->argv[c->next++];
	}
	return store(c, row, values, value, err);
}

static int parse_long(struct cursor *c, const struct option_row *rows, void *values, const char *text, bool *ret_help,
		      struct err *err)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : strlen(text);
	const struct option_row *row = len == 1 ? find_letter(rows, text[0]) : find_long(rows, text, len);

	if (row)
		return store_with_next(c, row, values, equals ? equals + 1 : NULL, err);
	if (!strcmp(text, "help") || !strcmp(text, "h")) {
		*ret_help = true;
		return 0;
	}
	return err_set(err, ERR_USAGE, "unknown option '--%.*s'", (int)len, text);
}

/* Go's programs take one dash for two and two for one, and "-b=DIR", and callers of runc write it so (containerd: -no-subreaper): a word that begins with
 * the whole name of an option, or with a letter and '=', is one option. */
static bool is_whole(const struct option_row *rows, const char *text)
{
	size_t len = strcspn(text, "=");

	return len > 1 ? find_long(rows, text, len) || !strcmp(text, "help") : text[len] == '=';
}

static int parse_whole(struct cursor *c, const struct option_row *rows, void *values, const char *text, bool *ret_help,
		       struct err *err)
{
	const struct option_row *row = text[1] == '=' ? find_letter(rows, text[0]) : NULL;

	return row ? store(c, row, values, text + 2, err) : parse_long(c, rows, values, text, ret_help, err);
}

static int parse_letters(struct cursor *c, const struct option_row *rows, void *values, const char *letters,
			 bool *ret_help, struct err *err)
{
	for (; *letters; letters++) {
		const struct option_row *row = find_letter(rows, *letters);

		if (!row && *letters == 'h') {
			*ret_help = true;
			return 0;
		}
		if (!row)
			return err_set(err, ERR_USAGE, "unknown option '-%c'", *letters);
		if (takes_value(row))
			return store_with_next(c, row, values, letters[1] ? letters + 1 : NULL, err);
		if (store(c, row, values, NULL, err) < 0)
			return -1;
	}
	return 0;
}

int options_parse(const struct option_row *rows, void *values, int argc, char **argv, unsigned int how,
		  struct parsed *ret, struct err *err)
{
	cleanup_free char **operands = xcalloc((size_t)argc + 1, sizeof(*operands));
	struct cursor c = { .argc = argc, .argv = argv, .how = how };
	struct parsed p = { 0 };
	bool only_operands = false;

	while (c.next < argc && !p.help) {
		char *word = argv[c.next++];
		int r = 0;

		if (only_operands || word[0] != '-' || !word[1]) {
			operands[p.n_operands++] = word;
			only_operands |= how & OPTIONS_STOP_EARLY;
		} else if (!strcmp(word, "--")) {
			only_operands = true;
		} else if (word[1] == '-') {
			r = parse_long(&c, rows, values, word + 2, &p.help, err);
		} else if (is_whole(rows, word + 1)) {
			r = parse_whole(&c, rows, values, word + 1, &p.help, err);
		} else {
			r = parse_letters(&c, rows, values, word + 1, &p.help, err);
		}
		if (r < 0)
			return -1;
	}
	p.operands = take_ptr(operands);
	*ret = p;
	return 0;
}

void parsed_release(struct parsed *p)
{
	free(p->operands);
	p->operands = NULL;
	p->n_operands = 0;
}

void options_release(const struct option_row *rows, void *values)
{
	for (; values && rows && rows->name; rows++) {
		struct opt_list *list = (struct opt_list *)((char *)values + rows->offset);

		if (rows->kind != OPT_LIST)
			continue;
		free(list->v);
		*list = (struct opt_list) { 0 };
	}
}

static bool is_given(const struct option_row *row, const char *value)
{
	switch (row->kind) {
	case OPT_FLAG:
	case OPT_FLAG_OFF:
		return *(const bool *)value;
	case OPT_SWITCH:
		return ((const struct opt_bool *)value)->set;
	case OPT_STRING:
	case OPT_TEXT:
	case OPT_CHOICE:
		return *(const char *const *)value != NULL;
	case OPT_UINT:
		return ((const struct opt_uint *)value)->set;
	case OPT_LIST:
		return ((const struct opt_list *)value)->n > 0;
	case OPT_REFUSED_FLAG:
	case OPT_REFUSED:
		break;
	}
	return false;
}

const char *options_given(const struct option_row *rows, const void *values, const char *except)
{
	for (; rows && rows->name; rows++)
		if (is_given(rows, (const char *)values + rows->offset) && (!except || strcmp(rows->name, except) != 0))
			return rows->name;
	return NULL;
}
