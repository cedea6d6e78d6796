/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON text to json-c's tree.
 *
 * json-c takes things that JSON does not have, or that would silently become something else: integers beyond 64 bits are clamped
 * (2^64 would be read as "unlimited"), a key with \u0000 in it is cut off, NaN, single quotes and raw control characters pass. Its
 * strict mode leaves most of that, and that of 0.18 refuses every byte beyond ASCII. So the words of the text are looked at first;
 * how they may follow one another is then json-c's business, but for a comma in front of a bracket, which it overlooks. */
#include "shim/oci/json.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "common/fd.h"

/* What is wrong, and where. reason NULL: nothing. */
struct fault {
	size_t at;
	const char *reason;
};

struct scan {
	const char *text;
	size_t len, pos;
	size_t values;
	bool comma; /* the last word is one */
	struct fault fault;
};

static bool fail(struct scan *s, size_t at, const char *reason)
{
	s->fault = (struct fault) { .at = at, .reason = reason };
	return false;
}

static bool is_digit(const struct scan *s, size_t pos)
{
	return pos < s->len && s->text[pos] >= '0' && s->text[pos] <= '9';
}

static size_t skip_digits(const struct scan *s, size_t pos)
{
	while (is_digit(s, pos))
		pos++;
	return pos;
}

static bool fits_64_bits(const char *digits, size_t n, bool negative)
{
	const char *max = negative ? "9223372036854775808" : "18446744073709551615";
	size_t max_len = strlen(max);

	return n < max_len || (n == max_len && memcmp(digits, max, n) <= 0);
}

static bool scan_number(struct scan *s)
{
	size_t start = s->pos, p = start, digits;
	bool negative = s->text[p] == '-', integer = true;

	p += negative;
	digits = p;
	p = skip_digits(s, p);
	if (p == digits || (s->text[digits] == '0' && p > digits + 1))
		return fail(s, start, "not a number");
	if (p < s->len && s->text[p] == '.') {
		integer = false;
		if (!is_digit(s, p + 1))
			return fail(s, start, "not a number");
		p = skip_digits(s, p + 1);
	}
	if (p < s->len && (s->text[p] == 'e' || s->text[p] == 'E')) {
		integer = false;
		p++;
		if (p < s->len && (s->text[p] == '+' || s->text[p] == '-'))
			p++;
		if (!is_digit(s, p))
			return fail(s, start, "not a number");
		p = skip_digits(s, p);
	}
	if (integer && !fits_64_bits(s->text + digits, p - digits, negative))
		return fail(s, start, "the number is too large");
	s->pos = p;
	return true;
}

static bool scan_string(struct scan *s)
{
	size_t start = s->pos, p = start + 1;

	for (; p < s->len && s->text[p] != '"'; p++) {
		if ((unsigned char)s->text[p] < ' ')
			return fail(s, p, "control character in a string");
		if (s->text[p] != '\\')
			continue;
		if (s->len - p >= 6 && !memcmp(s->text + p, "\\u0000", 6))
			return fail(s, p, "NUL character in a string");
		p++; /* what is escaped, a quote for example, is json-c's to judge */
	}
	if (p >= s->len)
		return fail(s, s->len, "the string has no end");
	s->pos = p + 1;
	return true;
}

static bool scan_word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if (s->len - s->pos >= n && !memcmp(s->text + s->pos, words[i], n)) {
			s->pos += n;
			return true;
		}
	}
	return fail(s, s->pos, "unexpected character");
}

static bool scan_token(struct scan *s)
{
	char c = s->text[s->pos];
	bool comma = s->comma;

	if (memchr(" \t\r\n", c, 4)) {
		s->pos++;
		return true;
	}
	s->comma = c == ',';
	if (comma && (c == ']' || c == '}'))
		return fail(s, s->pos, "a closing bracket after a comma");
	if (memchr("{}[]:,", c, 6)) {
		s->pos++;
		return true;
	}
	if (++s->values > OCI_JSON_VALUES_MAX)
		return fail(s, s->pos, "too many values");
	if (c == '"')
		return scan_string(s);
	if (c == '-' || is_digit(s, s->pos))
		return scan_number(s);
	return scan_word(s);
}

/* The first word that JSON does not have. */
static struct fault find_bad_token(const char *text, size_t len)
{
	struct scan s = { .text = text, .len = len };

	while (s.pos < len && scan_token(&s))
		;
	return s.fault;
}

static int report(const char *name, const char *text, const struct fault *f, struct err *err)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < f->at; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	return err_set(err, ERR_CONFIG, "%s: line %zu, column %zu: %s", name, line, column, f->reason);
}

static void cleanup_tokener_fn(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
	while (at < len && memchr(" \t\r\n", text[at], 4))
		at++;
	return at;
}

int oci_json_parse(const char *name, const char *text, size_t len, struct json_object **ret_root, struct err *err)
{
	__attribute__((cleanup(cleanup_tokener_fn))) struct json_tokener *tok = NULL;
	cleanup_json struct json_object *root = NULL;
	cleanup_free char *copy = NULL;
	struct fault fault = find_bad_token(text, len);
	size_t good = fault.reason ? fault.at : len;
	enum json_tokener_error what;
	size_t end;

	if (len >= INT_MAX)
		return err_set(err, ERR_LIMIT, "%s: too large", name);
	if (skip_blanks(text, len, 0) == len)
		return report(name, text, &(struct fault) { len, "the file is empty" }, err);
	/* Only the good words are given to json-c. It needs to see a NUL to know that the text has ended. */
	copy = xmalloc(good + 1);
	memcpy(copy, text, good);
	copy[good] = '\0';
	tok = json_tokener_new_ex(OCI_JSON_DEPTH_MAX);
	if (!tok)
		fatal("out of memory");
	root = json_tokener_parse_ex(tok, copy, (int)good + 1);
	what = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	/* Whatever comes first in the text is what the reader has to look at: an unexpected end here is where the bad word stands. */
	if (what == json_tokener_error_parse_eof || what == json_tokener_continue)
		fault = fault.reason ? fault : (struct fault) { len, "the text ends too early" };
	else if (what != json_tokener_success)
		fault = (struct fault) { end, json_tokener_error_desc(what) };
	else if ((end = skip_blanks(copy, good, end)) < good)
		fault = (struct fault) { end, "the text goes on after its end" };
	if (fault.reason)
		return report(name, text, &fault, err);
	*ret_root = take_ptr(root);
	return 0;
}
