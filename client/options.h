/* SPDX-License-Identifier: Apache-2.0 */
/* Command line options: one parser, driven by tables that help and completion read too. */
#ifndef THOLE_CLIENT_OPTIONS_H
#define THOLE_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum opt_kind {
	OPT_FLAG, /* bool, becomes true; "--flag=false" and "--flag=true" are understood too, with all words that runc takes */
	OPT_FLAG_OFF,     /* bool, the opposite of the flag, which is on unless told: "--flag=false" makes it true */
	OPT_SWITCH,       /* struct opt_bool: a flag for which "not said" is something else than false */
	OPT_STRING,       /* const char *, points into argv */
	OPT_TEXT,         /* the same of one for which an empty word says something */
	OPT_CHOICE,       /* const char *; argname lists the words that are allowed: "text|json" */
	OPT_UINT,         /* struct opt_uint, a strict decimal number */
	OPT_LIST,         /* struct opt_list, may be repeated */
	OPT_REFUSED_FLAG, /* known, but not done by this version: refused by name */
	OPT_REFUSED,      /* the same, of one that takes an argument */
};

struct opt_bool {
	bool set;
	bool v;
};

struct opt_uint {
	bool set;
	uint64_t v;
};

struct opt_list {
	size_t n;
	const char **v; /* the array is owned, the strings point into argv */
};

/* One option. Tables end with a row whose name is NULL. */
struct option_row {
	const char *name; /* long form, without the dashes */
	char letter;      /* short form, or 0 */
	enum opt_kind kind;
	const char *argname; /* shown by help; NULL for flags */
	const char *help;    /* NULL: not shown; "": named only, in the paragraph at the end */
	size_t offset;       /* of the value in the struct that options_parse fills */
};

struct parsed {
	bool help; /* --help or -h was there: nothing else has been judged after it */
	int n_operands;
	char **operands; /* owned array of n_operands pointers into argv, and a NULL */
};

enum options_how {
	OPTIONS_STOP_EARLY = 1 << 0, /* the first operand ends the options too */
	/* An empty word for an OPT_STRING or OPT_CHOICE is none, and takes back an earlier one, as with runc. */
	OPTIONS_EMPTY_IS_NONE = 1 << 1,
};

/* Parse argv (without the command's own name) by `rows` into the struct at `values`, which the caller has zeroed.
 * "--opt=value", "--opt value", "-o value", "-ovalue" and clusters of flags ("-it") are understood, and as runc has them "-opt=value", "-opt value" and
 * "-o=value"; "--" ends options; `how`: of enum options_how. A later value replaces an earlier one. ERR_USAGE names the option.
 * On success the caller releases ret with parsed_release() and the lists with options_release(); on failure only the latter. */
int options_parse(const struct option_row *rows, void *values, int argc, char **argv, unsigned int how,
		  struct parsed *ret, struct err *err);

void parsed_release(struct parsed *p);

/* The first one that has been given, other than `except` (NULL: none is); NULL: none has. */
const char *options_given(const struct option_row *rows, const void *values, const char *except);

/* Free the lists in `values`. */
void options_release(const struct option_row *rows, void *values);

#endif
