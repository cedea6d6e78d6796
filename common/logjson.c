/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's log format, json-file: one object a line, written by the shim and read by the client. */
#include "common/logjson.h"

#include <stdio.h>
#include <string.h>

#include "common/fd.h"

/* ---- writing ----------------------------------------------------------------------------------- */

/* The length of the character at s; 0: it may be one, but ends before it is complete; -1: it is none. */
static int utf8_length(const unsigned char *s, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return -1;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	/* Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte. */
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < len; i++, low = 0x80, high = 0xbf) {
		if (i == n)
			return 0;
		if (s[i] < low || s[i] > high)
			return -1;
	}
	return (int)len;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static size_t put_escape(char *out, unsigned int code)
{
	static const char hex[] = "0123456789abcdef";

	memcpy(out, "\\u", 2);
	for (int i = 0; i < 4; i++)
		out[2 + i] = hex[(code >> (12 - 4 * i)) & 15];
	return 6;
}

/* One character of `n` bytes. */
static size_t put_char(char *out, const unsigned char *s, int n)
{
	/* U+2028 and U+2029 end a line in JavaScript, which JSON is meant to be a part of. */
	if (n == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] & 0xfe) == 0xa8)
		return put_escape(out, 0x2028u + (s[2] & 1u));
	if (n > 1 || is_plain(s[0])) {
		memcpy(out, s, (size_t)n);
		return (size_t)n;
	}
	out[0] = '\\';
	switch (s[0]) {
	case '"':
	case '\\':
		out[1] = (char)s[0];
		return 2;
	case '\n':
		out[1] = 'n';
		return 2;
	case '\r':
		out[1] = 'r';
		return 2;
	default:
		return put_escape(out, s[0]);
	}
}

static size_t put_carry(char *out, struct logjson_carry *carry, bool end)
{
	size_t used = 0;

	while (carry->n > 0) {
		int n = utf8_length(carry->b, carry->n);

		if (n == 0 && !end)
			break;
		if (n > 0) {
			used += put_char(out + used, carry->b, n);
		} else {
			used += put_escape(out + used, 0xfffd);
			n = 1;
		}
		carry->n = (unsigned char)(carry->n - n);
		memmove(carry->b, carry->b + n, carry->n);
	}
	return used;
}

size_t logjson_escape(char *out, struct logjson_carry *carry, const char *data, size_t len, bool end)
{
	const unsigned char *s = (const unsigned char *)data, *stop = s + len;
	size_t used = 0;

	while (carry->n > 0 && s < stop) {
		carry->b[carry->n++] = *s++;
		used += put_carry(out + used, carry, false);
	}
	while (s < stop) {
		const unsigned char *plain = s;
		int n;

		while (s < stop && is_plain(*s))
			s++;
		memcpy(out + used, plain, (size_t)(s - plain));
		used += (size_t)(s - plain);
		if (s == stop)
			break;
		n = utf8_length(s, (size_t)(stop - s));
		if (n == 0) {
			carry->n = (unsigned char)(stop - s);
			memcpy(carry->b, s, carry->n);
			break;
		}
		used += n > 0 ? put_char(out + used, s, n) : put_escape(out + used, 0xfffd);
		s += n > 0 ? n : 1;
	}
	return used + (end ? put_carry(out + used, carry, true) : 0);
}

size_t logjson_time(char *buf, struct logfmt_clock *cache, const struct timespec *now)
{
	if (cache->second != now->tv_sec || !cache->text[0]) {
		struct tm tm;

		gmtime_r(&now->tv_sec, &tm);
		strftime(cache->text, sizeof(cache->text), "%Y-%m-%dT%H:%M:%S", &tm);
		cache->second = now->tv_sec;
	}
	return (size_t)snprintf(buf, LOGFMT_PREFIX_MAX, "%s.%09ldZ", cache->text, now->tv_nsec);
}

/* ---- reading ----------------------------------------------------------------------------------- */

struct scan {
	char *p, *end;
	bool exact; /* logjson_parse_exact() */
};

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	skip_space(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static int hex_digits(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int d = c >= '0' && c <= '9'   ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
			: c >= 'A' && c <= 'F' ? c - 'A' + 10
					       : -1;

		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

static char *put_utf8(char *to, unsigned int c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* The four digits after "\u" are at s->p. */
static char *take_unicode(struct scan *s, char *to)
{
	int c = hex_digits(s->p, s->end), low;

	if (c < 0)
		return NULL;
	s->p += 4;
	if (s->exact && c == 0xfffd) {
		*to++ = (char)LOGJSON_LOST;
		return to;
	}
	if (c >= 0xd800 && c < 0xdc00 && s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u') {
		low = hex_digits(s->p + 2, s->end);
		if (low >= 0xdc00 && low < 0xe000) {
			s->p += 6;
			return put_utf8(to,
					0x10000u + ((unsigned int)(c - 0xd800) << 10) + (unsigned int)(low - 0xdc00));
		}
	}
	return put_utf8(to, c >= 0xd800 && c < 0xe000 ? 0xfffdu : (unsigned int)c);
}

/* A string, decoded where it stands: no escape is shorter than what it means. */
static bool take_string(struct scan *s, char **ret, size_t *ret_len)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	char *to;

	if (!take(s, '"'))
		return false;
	*ret = to = s->p;
	while (s->p < s->end && *s->p != '"') {
		const char *letter;

		if (*s->p != '\\') {
			*to++ = *s->p++;
			continue;
		}
		if (++s->p == s->end)
			return false;
		letter = *s->p ? strchr(letters, *s->p) : NULL;
		if (letter) {
			*to++ = meant[letter - letters];
			s->p++;
			continue;
		}
		if (*s->p++ != 'u')
			return false;
		to = take_unicode(s, to);
		if (!to)
			return false;
	}
	*ret_len = (size_t)(to - *ret);
	return take(s, '"');
}

/* A value that is not looked at: a string, or anything up to the comma or bracket after it. */
static bool skip_value(struct scan *s)
{
	char *text;
	size_t len;
	int depth = 0;

	skip_space(s);
	while (s->p < s->end) {
		if (*s->p == '"') {
			if (!take_string(s, &text, &len))
				return false;
			continue;
		}
		if (depth == 0 && (*s->p == ',' || *s->p == '}'))
			return true;
		depth += (*s->p == '{' || *s->p == '[') - (*s->p == '}' || *s->p == ']');
		s->p++;
	}
	return false;
}

struct field {
	const char *name;
	char *value;
	size_t len;
};

static bool take_member(struct scan *s, struct field *fields, size_t n)
{
	size_t len;
	char *key;

	if (!take_string(s, &key, &len) || !take(s, ':'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (len == strlen(fields[i].name) && !memcmp(key, fields[i].name, len))
			return take_string(s, &fields[i].value, &fields[i].len);
	return skip_value(s);
}

static bool parse(char *line, size_t len, bool exact, struct logfmt_record *ret)
{
	struct field fields[] = { { "log", NULL, 0 }, { "stream", NULL, 0 }, { "time", NULL, 0 } };
	struct scan s = { line, line + len, exact };
	struct logfmt_record r;

	if (!take(&s, '{'))
		return false;
	do {
		if (!take_member(&s, fields, ARRAY_SIZE(fields)))
			return false;
	} while (take(&s, ','));
	if (!take(&s, '}') || !fields[0].value || !fields[1].value || !fields[2].value)
		return false;
	r = (struct logfmt_record) {
		.stamp = fields[2].value, .stamp_len = fields[2].len, .text = fields[0].value, .text_len = fields[0].len
	};
	if (!logfmt_parse_time(r.stamp, r.stamp_len, &r.time))
		return false;
	r.stream = fields[1].len == 6 && !memcmp(fields[1].value, "stderr", 6) ? STREAM_STDERR : STREAM_STDOUT;
	r.full = r.text_len > 0 && r.text[r.text_len - 1] == '\n';
	r.text_len -= r.full;
	*ret = r;
	return true;
}

bool logjson_parse(char *line, size_t len, struct logfmt_record *ret)
{
	return parse(line, len, false, ret);
}

bool logjson_parse_exact(char *line, size_t len, struct logfmt_record *ret)
{
	return parse(line, len, true, ret);
}
