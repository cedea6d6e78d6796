/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, sizes, times and durations as people write them, read strictly. */
#include "common/number.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/fd.h"

#define DIGITS "0123456789"

/* The first `len` bytes of text as a number. */
static bool parse_digits(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (len == 0 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (!isdigit((unsigned char)text[i]) || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v > max)
		return false;
	*ret = v;
	return true;
}

bool number_u64(const char *text, uint64_t max, uint64_t *ret_v)
{
	return parse_digits(text, strlen(text), max, ret_v);
}

/* "m", "MB" and "MiB" are 20, "" and "b" 0. */
static bool parse_unit(const char *text, unsigned int *ret_shift)
{
	static const char units[] = "bkmgtp";
	const char *unit = *text ? strchr(units, tolower((unsigned char)*text)) : units;

	if (!unit)
		return false;
	*ret_shift = 10 * (unsigned int)(unit - units);
	text += *text != '\0';
	return !*text || (*ret_shift && (!strcasecmp(text, "b") || !strcasecmp(text, "ib")));
}

#define DECIMALS_MAX 18 /* further ones say less than a byte */

int number_size(const char *what, const char *text, uint64_t *ret_bytes, struct err *err)
{
	size_t digits = strspn(text, DIGITS), decimals = 0;
	const char *p = text + digits;
	unsigned __int128 part = 0, scale = 1;
	unsigned int shift = 0;
	uint64_t v;

	if (*p == '.') {
		decimals = strspn(p + 1, DIGITS);
		for (size_t i = 1; i <= decimals && i <= DECIMALS_MAX; i++, scale *= 10)
			part = part * 10 + (unsigned int)(p[i] - '0');
		p += decimals ? decimals + 1 : 0;
	}
	p += *p == ' ';
	/* Limits go to the kernel as signed numbers. */
	if (!parse_unit(p, &shift) || !parse_digits(text, digits, (uint64_t)INT64_MAX >> shift, &v))
		return err_set(err, ERR_USAGE, "%s is a size such as 64m or 1.5GiB, not '%s'", what, text);
	*ret_bytes = (v << shift) + (uint64_t)((part << shift) / scale);
	/* What is asked for is not no limit. */
	if (*ret_bytes == 0 && part)
		return err_set(err, ERR_USAGE, "%s is less than a byte: '%s'", what, text);
	return 0;
}

int number_millionths(const char *what, const char *text, uint64_t *ret_v, struct err *err)
{
	size_t whole_len = strspn(text, DIGITS), n = 0;
	uint64_t whole, part = 0;

	if (!parse_digits(text, whole_len, 1000000, &whole))
		return err_set(err, ERR_USAGE, "%s is a number such as 1.5, not '%s'", what, text);
	if (text[whole_len] == '.') {
		const char *p = text + whole_len + 1;

		n = strspn(p, DIGITS);
		for (size_t i = 0; i < 6; i++)
			part = part * 10 + (i < n ? (uint64_t)(p[i] - '0') : 0);
		n++; /* the dot */
	}
	if (text[whole_len + n] || n == 1 || n > 7)
		return err_set(err, ERR_USAGE, "%s is a number such as 1.5, not '%s'", what, text);
	*ret_v = whole * 1000000 + part;
	return 0;
}

/* "1h30m": ret_ns is its length. */
static bool parse_duration(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {
		{ "ms", 1000000ULL },           { "us", 1000ULL },           { "ns", 1 },
		{ "s", 1000000000ULL },         { "m", 60 * 1000000000ULL }, { "h", 3600 * 1000000000ULL },
		{ "d", 86400 * 1000000000ULL },
	};
	uint64_t total = 0;

	if (!*text)
		return false;
	while (*text) {
		size_t digits = strspn(text, DIGITS), unit_len = strspn(text + digits, "dhmsun"), i;
		uint64_t v = 0;

		for (i = 0; i < ARRAY_SIZE(units); i++)
			if (strlen(units[i].unit) == unit_len && !strncmp(units[i].unit, text + digits, unit_len))
				break;
		if (i == ARRAY_SIZE(units) || !parse_digits(text, digits, INT64_MAX / units[i].ns, &v))
			return false;
		if (__builtin_add_overflow(total, v * units[i].ns, &total))
			return false;
		text += digits + unit_len;
	}
	*ret_ns = total;
	return true;
}

/* ".123" to nanoseconds; returns what follows it. */
static const char *parse_fraction(const char *p, long *ret_ns)
{
	long scale = 100000000;

	*ret_ns = 0;
	if (*p != '.' || !isdigit((unsigned char)p[1]))
		return p;
	for (p++; isdigit((unsigned char)*p); p++, scale /= 10)
		*ret_ns += (*p - '0') * scale;
	return p;
}

/* "+01:00" or "Z" up to the end of the text. */
static bool parse_zone(const char *p, long *ret_seconds)
{
	int n = 0;
	unsigned int hours, minutes;

	if (!strcmp(p, "Z")) {
		*ret_seconds = 0;
		return true;
	}
	if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2u:%2u%n", &hours, &minutes, &n) != 2 || n != 5 || p[6])
		return false;
	*ret_seconds = (*p == '-' ? -1 : 1) * (long)(hours * 3600 + minutes * 60);
	return true;
}

static bool parse_date(const char *text, struct timespec *ret)
{
	struct tm tm = { .tm_isdst = -1 };
	long ns = 0, zone = 0;
	const char *p = strptime(text, "%Y-%m-%d", &tm);

	if (!p)
		return false;
	if (*p == 'T' || *p == ' ') {
		p = strptime(p + 1, "%H:%M:%S", &tm);
		if (!p)
			return false;
		p = parse_fraction(p, &ns);
	}
	if (!*p) {
		ret->tv_sec = mktime(&tm);
	} else {
		if (!parse_zone(p, &zone))
			return false;
		ret->tv_sec = timegm(&tm) - zone;
	}
	ret->tv_nsec = ns;
	return true;
}

int number_moment(const char *what, const char *text, const struct timespec *now, struct timespec *ret, struct err *err)
{
	size_t digits = strspn(text, DIGITS);
	uint64_t v;

	if (digits && parse_digits(text, digits, INT32_MAX * 1000ULL, &v)) {
		long ns;
		const char *rest = parse_fraction(text + digits, &ns);

		if (!*rest) {
			*ret = (struct timespec) { .tv_sec = (time_t)v, .tv_nsec = ns };
			return 0;
		}
	}
	if (parse_duration(text, &v)) {
		uint64_t at = (uint64_t)now->tv_sec * 1000000000ULL + (uint64_t)now->tv_nsec;

		at = v > at ? 0 : at - v;
		*ret = (struct timespec) { .tv_sec = (time_t)(at / 1000000000ULL),
					   .tv_nsec = (long)(at % 1000000000ULL) };
		return 0;
	}
	if (parse_date(text, ret))
		return 0;
	return err_set(err, ERR_USAGE, "%s is a time or a duration such as 10m, not '%s'", what, text);
}

#define DAY_MS 86400000.0
#define SCALE_MAX 1e15 /* further decimals say nothing, and hundreds of them would be infinite */

/* Digits with at most one point among them; NULL when there are none. */
static const char *read_decimal(const char *p, double *ret)
{
	double v = 0, scale = 0;
	bool any = false;

	for (; (*p >= '0' && *p <= '9') || (*p == '.' && scale == 0); p++) {
		if (*p == '.') {
			scale = 1;
			continue;
		}
		any = true;
		if (scale >= SCALE_MAX)
			continue;
		v = v * 10 + (*p - '0');
		scale *= 10;
	}
	*ret = scale > 0 ? v / scale : v;
	return any ? p : NULL;
}

int number_duration_ms(const char *what, const char *text, uint64_t *ret_ms, struct err *err)
{
	/* Longer ones first: "ms" begins with "m". */
	static const struct {
		const char *unit;
		double ms;
	} units[] = { { "ms", 1 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 } };
	const char *p = text;
	double total = 0, v;

	do {
		size_t i = 0;

		p = read_decimal(p, &v);
		while (p && i < ARRAY_SIZE(units) && strncmp(p, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (!p || i == ARRAY_SIZE(units))
			return err_set(err, ERR_USAGE, "%s is a time such as 5s, 1m30s or 100ms, not '%s'", what, text);
		p += strlen(units[i].unit);
		total += v * units[i].ms;
	} while (*p && total <= DAY_MS);
	if (total > DAY_MS)
		return err_set(err, ERR_USAGE, "%s: '%s' is longer than a day", what, text);
	*ret_ms = (uint64_t)total;
	return 0;
}
